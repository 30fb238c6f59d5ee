//! Typed columns out of payloads: what folds and queries see of events.
//!
//! Only the fields that are wanted are read. A payload that does not fit adds nothing and says why.

use bytes::Bytes;
use recount_types::Time;
use recount_types::column::{Column, Form, Value, Values};

use crate::json::{self, Fields, Paths, Shape};
use crate::record;
use crate::schema::{self, ColumnType, EventDefinition, TopicDefinition};

/// The column of a topic that declares none: the payload, if it is JSON.
pub const DATA: &str = "data";

/// Reads some columns of a topic's events.
#[derive(Debug, Clone)]
pub struct ColumnDecoder {
    /// The topic with the wanted columns only.
    definition: TopicDefinition,
    /// Where these are.
    paths: Paths,
    /// What the last payload looked like.
    shape: Shape,
    /// For each field that is looked for: the event it belongs to, if not to all, and the place of its column.
    fields: Vec<(Option<usize>, usize)>,
    types: Vec<ColumnType>,
    opaque: bool,
    /// How many rows the last columns had, and how many bytes the texts of each.
    sizes: (usize, Vec<usize>),
}

/// The columns of a topic by name, those of its events too, each name once.
pub fn columns_of(definition: &TopicDefinition) -> Vec<(String, ColumnType, bool)> {
    if definition.is_untyped() {
        return vec![(DATA.to_owned(), ColumnType::Json, true)];
    }
    let mut columns: Vec<(String, ColumnType, bool)> = Vec::new();
    for column in &definition.columns {
        columns.push((column.name.clone(), column.column_type, column.nullable));
    }
    for column in definition.events.iter().flat_map(|event| &event.columns) {
        if !columns.iter().any(|(name, ..)| *name == column.name) {
            // The other events have none.
            columns.push((column.name.clone(), column.column_type, true));
        }
    }
    columns
}

/// The key of the stream whose events have these values in the columns of their topic's KEY; none if a value is
/// of another type, or if the topic declares no KEY.
pub fn stream_key(definition: &TopicDefinition, values: &[Value<'_>]) -> Option<Bytes> {
    if values.len() != definition.key.len() {
        return None;
    }
    let columns = definition.key.iter().map(|name| Some(definition.column(name)?.column_type));
    key_text(&columns.collect::<Option<Vec<_>>>()?, values)
}

/// The one text of a key of these types (docs/format.md, "Keys"); none if a value is of another type.
pub fn key_text(types: &[ColumnType], values: &[Value<'_>]) -> Option<Bytes> {
    let typed: Option<Vec<json::Value<'_>>> =
        types.iter().zip(values).map(|(column_type, value)| typed(*column_type, value)).collect();
    record::key_text(&typed?.iter().collect::<Vec<_>>())
}

/// How values of a type are kept in a column.
pub fn form_of(column_type: ColumnType) -> Form {
    match column_type {
        ColumnType::Boolean => Form::Boolean,
        ColumnType::SmallInt
        | ColumnType::Int
        | ColumnType::BigInt
        | ColumnType::Date
        | ColumnType::Timestamp
        | ColumnType::TimestampTz => Form::Integer,
        ColumnType::Decimal { .. } => Form::Decimal,
        ColumnType::Double => Form::Double,
        ColumnType::Text | ColumnType::Json => Form::Text,
    }
}

impl ColumnDecoder {
    /// Reads the columns of these names, which are columns of [`columns_of`] the topic; others are always null.
    pub fn new<S: AsRef<str>>(definition: &TopicDefinition, names: &[S]) -> ColumnDecoder {
        let place = |column: &schema::Column| names.iter().position(|name| name.as_ref() == column.name);
        let known = columns_of(definition);
        let type_of = |name: &S| known.iter().find(|(known, ..)| known == name.as_ref());
        let types =
            names.iter().map(|name| type_of(name).map_or(ColumnType::Text, |found| found.1)).collect();
        let opaque = definition.is_untyped();
        let mut projected = definition.clone();
        projected.columns.retain(|column| place(column).is_some());
        let mut fields: Vec<(Option<usize>, usize)> =
            projected.columns.iter().filter_map(|column| Some((None, place(column)?))).collect();
        for (number, event) in projected.events.iter_mut().enumerate() {
            event.columns.retain(|column| place(column).is_some());
            fields.extend(event.columns.iter().filter_map(|column| Some((Some(number), place(column)?))));
        }
        let (paths, shape) = (Paths::of(&projected), Shape::default());
        ColumnDecoder {
            definition: projected,
            paths,
            shape,
            fields,
            types,
            opaque,
            sizes: Default::default(),
        }
    }

    /// The types of the columns.
    pub fn types(&self) -> &[ColumnType] {
        &self.types
    }

    /// Empty columns to decode into.
    pub fn empty(&self) -> Vec<Column> {
        let (rows, bytes) = &self.sizes;
        let column = |(number, column_type): (usize, &ColumnType)| {
            Column::with_room(form_of(*column_type), *rows, bytes.get(number).copied().unwrap_or(0))
        };
        self.types.iter().enumerate().map(column).collect()
    }

    /// Looks at columns that it filled: the next empty ones have room for as much, and a little more.
    pub fn filled(&mut self, columns: &[Column]) {
        let bytes_of = |column: &Column| match &column.values {
            Values::Text(texts) => texts.bytes.len() + texts.bytes.len() / 8,
            _ => 0,
        };
        self.sizes = (columns.first().map_or(0, Column::len), columns.iter().map(bytes_of).collect());
    }

    /// Which of the topic's events has this type.
    pub fn event_number(&self, event_type: Option<&str>) -> Option<usize> {
        let is_it = |event: &EventDefinition| Some(event.type_name.as_str()) == event_type;
        self.definition.events.iter().position(is_it)
    }

    /// Adds a row to each of the columns, or to none if the payload does not fit.
    pub fn decode(
        &mut self,
        event_type: Option<&str>,
        payload: &[u8],
        into: &mut [Column],
    ) -> Result<(), String> {
        self.decode_event(self.event_number(event_type), payload, into)
    }

    /// The same for an event of a type that was looked up with [`ColumnDecoder::event_number`].
    pub fn decode_event(
        &mut self,
        number: Option<usize>,
        payload: &[u8],
        into: &mut [Column],
    ) -> Result<(), String> {
        if self.opaque {
            let text = std::str::from_utf8(payload).ok().filter(|_| json::validate(payload).is_ok());
            for (column, column_type) in into.iter_mut().zip(&self.types) {
                let text = text.filter(|_| *column_type == ColumnType::Json);
                column.push(&text.map_or(Value::Null, |text| Value::Text(text.into())));
            }
            return Ok(());
        }
        if self.fields.is_empty() {
            into.iter_mut().for_each(|column| column.push(&Value::Null));
            return Ok(());
        }
        let fields = Fields::find(&self.definition, &self.paths, &mut self.shape, payload)
            .map_err(|error| error.to_string())?;
        let before = into.first().map_or(0, Column::len);
        let mut read = || {
            for ((column, raw), &(event, place)) in fields.all().zip(&self.fields) {
                if event.is_none() || event == number {
                    let value = json::read(column, raw).map_err(|error| error.to_string())?;
                    into[place].push(&plain(value));
                }
            }
            Ok(())
        };
        let done = read();
        for column in into.iter_mut() {
            match &done {
                Ok(()) if column.len() == before => column.push(&Value::Null),
                Ok(()) => {}
                Err(_) => column.truncate(before),
            }
        }
        done
    }
}

/// The text that a value of a column has in tags. `None` for types that have no one text, and for other values.
pub fn canonical_text(column_type: ColumnType, value: &Value<'_>) -> Option<String> {
    let mut text = String::new();
    typed(column_type, value).filter(|_| column_type.has_canonical_text())?.push_canonical(&mut text);
    Some(text)
}

/// A value with the type that its column says.
fn typed<'a>(column_type: ColumnType, value: &'a Value<'_>) -> Option<json::Value<'a>> {
    Some(match (column_type, value) {
        (ColumnType::Boolean, Value::Boolean(value)) => json::Value::Boolean(*value),
        (ColumnType::SmallInt | ColumnType::Int | ColumnType::BigInt, Value::Integer(value)) => {
            json::Value::Integer(*value)
        }
        (ColumnType::Date, Value::Integer(value)) => json::Value::Date(*value),
        (ColumnType::Timestamp, Value::Integer(value)) => json::Value::Timestamp(*value),
        (ColumnType::TimestampTz, Value::Integer(value)) => json::Value::TimestampTz(Time(*value)),
        (ColumnType::Decimal { scale, .. }, Value::Decimal(value)) => json::Value::Decimal(*value, scale),
        (ColumnType::Text, Value::Text(text)) => json::Value::Text(text.as_ref().into()),
        _ => return None,
    })
}

/// A value without the type that its column says.
fn plain(value: json::Value<'_>) -> Value<'_> {
    match value {
        json::Value::Null => Value::Null,
        json::Value::Boolean(value) => Value::Boolean(value),
        json::Value::Integer(value) | json::Value::Date(value) | json::Value::Timestamp(value) => {
            Value::Integer(value)
        }
        json::Value::TimestampTz(time) => Value::Integer(time.0),
        json::Value::Decimal(value, _) => Value::Decimal(value),
        json::Value::Double(value) => Value::Double(value),
        json::Value::Text(text) => Value::Text(text),
        json::Value::Json(text) => Value::Text(text),
    }
}

#[cfg(test)]
mod tests;
