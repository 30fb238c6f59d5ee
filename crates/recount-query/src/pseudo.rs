//! Pseudo-columns: what every event has beside its payload. Never part of `*`.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, ListBuilder, StringBuilder,
    StructBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use recount_store::EventView;

use crate::arrays::{UTC, timestamptz};
use crate::relations::Periods;

/// A pseudo-column of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pseudo {
    Position,
    Stream,
    Revision,
    Partition,
    Offset,
    Id,
    Type,
    Tags,
    EventTime,
    AppendTime,
    Key,
    Value,
    Headers,
    /// Of what does not fit its topic: why.
    Error,
    /// From when on the event is recorded.
    SystemFrom,
    /// Until when: for ever, NULL.
    SystemTo,
    /// From when on the event has happened.
    ValidFrom,
    /// Until when: for ever, NULL.
    ValidTo,
}

/// Those that every topic has.
const OF_TOPICS: [Pseudo; 13] = [
    Pseudo::Position,
    Pseudo::Stream,
    Pseudo::Revision,
    Pseudo::Partition,
    Pseudo::Offset,
    Pseudo::Id,
    Pseudo::Type,
    Pseudo::Tags,
    Pseudo::EventTime,
    Pseudo::AppendTime,
    Pseudo::Key,
    Pseudo::Value,
    Pseudo::Headers,
];

/// Of the events that do not fit, these are `*`.
const OF_ERRORS: [Pseudo; 5] =
    [Pseudo::Position, Pseudo::AppendTime, Pseudo::Stream, Pseudo::Value, Pseudo::Error];

impl Pseudo {
    /// Those of the events that do not fit a topic, and how many of them are `*`.
    pub(crate) fn of_errors(periods: Periods) -> (Vec<Pseudo>, usize) {
        let others = Pseudo::all(periods).into_iter().filter(|pseudo| !OF_ERRORS.contains(pseudo));
        (OF_ERRORS.into_iter().chain(others).collect(), OF_ERRORS.len())
    }

    /// Those of a topic that is read over such periods.
    pub(crate) fn all(periods: Periods) -> Vec<Pseudo> {
        let mut all = OF_TOPICS.to_vec();
        if periods.system {
            all.extend([Pseudo::SystemFrom, Pseudo::SystemTo]);
        }
        if periods.valid {
            all.extend([Pseudo::ValidFrom, Pseudo::ValidTo]);
        }
        all
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Pseudo::Position => "_position",
            Pseudo::Stream => "_stream",
            Pseudo::Revision => "_revision",
            Pseudo::Partition => "_partition",
            Pseudo::Offset => "_offset",
            Pseudo::Id => "_id",
            Pseudo::Type => "_type",
            Pseudo::Tags => "_tags",
            Pseudo::EventTime => "_event_time",
            Pseudo::AppendTime => "_append_time",
            Pseudo::Key => "_key",
            Pseudo::Value => "_value",
            Pseudo::Headers => "_headers",
            Pseudo::Error => "error",
            Pseudo::SystemFrom => "_system_from",
            Pseudo::SystemTo => "_system_to",
            Pseudo::ValidFrom => "_valid_from",
            Pseudo::ValidTo => "_valid_to",
        }
    }

    /// Its field in a schema. Keys are bytes, which need not be UTF-8.
    pub(crate) fn field(self) -> Field {
        let (data_type, nullable) = match self {
            Pseudo::Position | Pseudo::Offset => (DataType::Int64, false),
            Pseudo::Revision => (DataType::Int64, true),
            Pseudo::Partition => (DataType::Int32, false),
            Pseudo::Stream | Pseudo::Id | Pseudo::Type => (DataType::Utf8, true),
            Pseudo::Tags => (DataType::List(item(DataType::Utf8)), false),
            Pseudo::EventTime | Pseudo::AppendTime | Pseudo::SystemFrom | Pseudo::ValidFrom => {
                (timestamptz(), false)
            }
            Pseudo::SystemTo | Pseudo::ValidTo => (timestamptz(), true),
            Pseudo::Key => (DataType::Binary, true),
            Pseudo::Value => (DataType::Binary, false),
            Pseudo::Error => (DataType::Utf8, false),
            Pseudo::Headers => (DataType::List(item(DataType::Struct(header_fields()))), false),
        };
        Field::new(self.name(), data_type, nullable)
    }
}

/// Collects the values of a pseudo-column.
pub(crate) enum PseudoBuilder {
    Int64(Pseudo, Int64Builder),
    Int32(Int32Builder),
    Text(Pseudo, StringBuilder),
    Tags(ListBuilder<StringBuilder>),
    Time(Pseudo, TimestampMicrosecondBuilder),
    Bytes(Pseudo, BinaryBuilder),
    Headers(ListBuilder<StructBuilder>),
}

impl PseudoBuilder {
    pub(crate) fn new(pseudo: Pseudo) -> PseudoBuilder {
        match pseudo {
            Pseudo::Position | Pseudo::Offset | Pseudo::Revision => {
                PseudoBuilder::Int64(pseudo, Int64Builder::new())
            }
            Pseudo::Partition => PseudoBuilder::Int32(Int32Builder::new()),
            Pseudo::Stream | Pseudo::Id | Pseudo::Type | Pseudo::Error => {
                PseudoBuilder::Text(pseudo, StringBuilder::new())
            }
            Pseudo::Tags => {
                PseudoBuilder::Tags(ListBuilder::new(StringBuilder::new()).with_field(item(DataType::Utf8)))
            }
            Pseudo::EventTime
            | Pseudo::AppendTime
            | Pseudo::SystemFrom
            | Pseudo::SystemTo
            | Pseudo::ValidFrom
            | Pseudo::ValidTo => {
                PseudoBuilder::Time(pseudo, TimestampMicrosecondBuilder::new().with_timezone(UTC))
            }
            Pseudo::Key | Pseudo::Value => PseudoBuilder::Bytes(pseudo, BinaryBuilder::new()),
            Pseudo::Headers => {
                let fields: Vec<Box<dyn ArrayBuilder>> =
                    vec![Box::new(StringBuilder::new()), Box::new(BinaryBuilder::new())];
                let headers = StructBuilder::new(header_fields(), fields);
                let field = item(DataType::Struct(header_fields()));
                PseudoBuilder::Headers(ListBuilder::new(headers).with_field(field))
            }
        }
    }

    /// Adds the value of an event; `error` = why it does not fit.
    pub(crate) fn push(&mut self, event: &EventView<'_>, error: &str) {
        match self {
            PseudoBuilder::Text(Pseudo::Error, builder) => builder.append_value(error),
            PseudoBuilder::Int64(pseudo, builder) => builder.append_option(match pseudo {
                Pseudo::Position => Some(event.position.0 as i64),
                Pseudo::Revision => event.revision.map(|revision| revision.0 as i64),
                _ => Some(event.offset.0),
            }),
            PseudoBuilder::Int32(builder) => builder.append_value(event.partition.0 as i32),
            PseudoBuilder::Text(Pseudo::Stream, builder) => {
                builder.append_option(event.stream().map(|stream| stream.to_string()));
            }
            PseudoBuilder::Text(Pseudo::Id, builder) => builder.append_option(event.id),
            PseudoBuilder::Text(_, builder) => builder.append_option(event.event_type),
            PseudoBuilder::Tags(builder) => {
                for tag in event.tags() {
                    builder.values().append_value(tag);
                }
                builder.append(true);
            }
            PseudoBuilder::Time(pseudo, builder) => builder.append_option(match pseudo {
                Pseudo::EventTime | Pseudo::ValidFrom => Some(event.event_time.0),
                Pseudo::AppendTime | Pseudo::SystemFrom => Some(event.append_time.0),
                _ => None,
            }),
            PseudoBuilder::Bytes(Pseudo::Key, builder) => builder.append_option(event.key),
            PseudoBuilder::Bytes(_, builder) => builder.append_value(event.payload),
            PseudoBuilder::Headers(builder) => {
                for (name, value) in event.headers() {
                    let header = builder.values();
                    if let Some(names) = header.field_builder::<StringBuilder>(0) {
                        names.append_value(name);
                    }
                    if let Some(values) = header.field_builder::<BinaryBuilder>(1) {
                        values.append_value(value);
                    }
                    header.append(true);
                }
                builder.append(true);
            }
        }
    }

    /// All values; empty afterwards.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            PseudoBuilder::Int64(_, builder) => Arc::new(builder.finish()),
            PseudoBuilder::Int32(builder) => Arc::new(builder.finish()),
            PseudoBuilder::Text(_, builder) => Arc::new(builder.finish()),
            PseudoBuilder::Tags(builder) => Arc::new(builder.finish()),
            PseudoBuilder::Time(_, builder) => Arc::new(builder.finish()),
            PseudoBuilder::Bytes(_, builder) => Arc::new(builder.finish()),
            PseudoBuilder::Headers(builder) => Arc::new(builder.finish()),
        }
    }
}

fn item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", data_type, false))
}

fn header_fields() -> Fields {
    vec![Field::new("name", DataType::Utf8, false), Field::new("value", DataType::Binary, false)].into()
}
