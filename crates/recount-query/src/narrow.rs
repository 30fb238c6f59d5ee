//! What the filters of a scan say of the events or rows that are wanted. DataFusion filters again, so that here only
//! what is certain and useful is taken.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use recount_store::columns::{canonical_text, stream_key};
use recount_store::schema::{ColumnType, TopicDefinition};
use recount_types::{StreamName, Tag, Time, Value};

use crate::relation::{Kind, Relation};

/// What is wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Narrow {
    /// Columns that must have a value.
    equal: Vec<(String, Value<'static>)>,
    /// The first and last position.
    pub(crate) first: Option<u64>,
    pub(crate) last: Option<u64>,
    /// The earliest time of append.
    pub(crate) since: Option<Time>,
    /// The event has one of these types.
    pub(crate) types: Option<Vec<String>>,
    /// The event has all of these tags.
    pub(crate) tags: Vec<Tag>,
    /// The event is of this stream.
    pub(crate) stream: Option<StreamName>,
}

impl Narrow {
    /// What these filters say, all of which hold.
    pub(crate) fn new(relation: &Relation, filters: &[Expr]) -> Narrow {
        let mut narrow = Narrow::default();
        for filter in filters {
            narrow.add(relation, filter);
        }
        if let Kind::Topic { topic, .. } = &relation.kind {
            narrow.stream = narrow.stream.take().or_else(|| {
                let key = stream_key(&topic.definition, &narrow.values(&topic.definition.key)?)?;
                Some(StreamName { topic: topic.name.clone(), key })
            });
            narrow.add_declared_tags(&topic.definition);
        }
        narrow
    }

    /// The values that these columns must have, if each must have one.
    pub(crate) fn values(&self, columns: &[String]) -> Option<Vec<Value<'static>>> {
        let value = |column: &String| self.equal.iter().find(|(known, _)| known == column);
        let values = columns.iter().map(|column| value(column).map(|(_, value)| value.clone()));
        values.collect::<Option<Vec<_>>>().filter(|values| !values.is_empty())
    }

    fn add(&mut self, relation: &Relation, filter: &Expr) {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                self.add(relation, left);
                self.add(relation, right);
            }
            Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
                if let (Some(types), Kind::Topic { .. }) = (types_of(filter), &relation.kind) {
                    self.types.get_or_insert(types);
                }
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (&**left, &**right) {
                (Expr::Column(column), Expr::Literal(value, _)) => {
                    self.compare(relation, &column.name, *op, value);
                }
                (Expr::Literal(value, _), Expr::Column(column)) => {
                    if let Some(op) = op.swap() {
                        self.compare(relation, &column.name, op, value);
                    }
                }
                _ => {}
            },
            Expr::InList(list) if !list.negated => {
                if let Expr::Column(column) = &*list.expr
                    && column.name == "_type"
                    && let Some(types) = list.list.iter().map(text_of).collect::<Option<Vec<_>>>()
                {
                    self.types.get_or_insert(types);
                }
            }
            Expr::ScalarFunction(function) if function.name() == "array_has" => {
                if let [Expr::Column(column), tag] = function.args.as_slice()
                    && column.name == "_tags"
                    && let Some(tag) = text_of(tag).and_then(|text| Tag::parse(&text).ok())
                {
                    self.tags.push(tag);
                }
            }
            _ => {}
        }
    }

    fn compare(&mut self, relation: &Relation, column: &str, op: Operator, value: &ScalarValue) {
        match (column, &relation.kind) {
            ("_position", Kind::Topic { .. }) => {
                if let ScalarValue::Int64(Some(number)) = value {
                    self.compare_position(op, *number);
                }
            }
            ("_append_time", Kind::Topic { .. }) => {
                if let ScalarValue::TimestampMicrosecond(Some(us), _) = value
                    && matches!(op, Operator::Eq | Operator::Gt | Operator::GtEq)
                {
                    self.since = self.since.max(Some(Time(*us)));
                }
            }
            ("_type", Kind::Topic { .. }) if op == Operator::Eq => {
                if let Some(text) = text(value) {
                    self.types = Some(vec![text]);
                }
            }
            ("_stream", Kind::Topic { topic, .. }) if op == Operator::Eq => {
                let stream = text(value).and_then(|text| StreamName::parse(&text).ok());
                self.stream = stream.filter(|stream| stream.topic == topic.name);
            }
            (column, _) if op == Operator::Eq => {
                let column_type = relation.column_type(column);
                if let Some(value) = column_type.and_then(|column_type| value_of(value, column_type)) {
                    self.equal.push((column.to_owned(), value));
                }
            }
            _ => {}
        }
    }

    fn compare_position(&mut self, op: Operator, number: i64) {
        let first = match op {
            Operator::Eq | Operator::GtEq => Some(number),
            Operator::Gt => Some(number.saturating_add(1)),
            _ => None,
        };
        let last = match op {
            Operator::Eq | Operator::LtEq => Some(number),
            Operator::Lt => Some(number.saturating_sub(1)),
            _ => None,
        };
        let unsigned = |number: i64| number.max(0) as u64;
        self.first = self.first.max(first.map(unsigned));
        self.last = match (self.last, last.map(unsigned)) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// Tags that the topic makes of columns which must have a value.
    fn add_declared_tags(&mut self, definition: &TopicDefinition) {
        for declared in &definition.tags {
            let found = self.equal.iter().find(|(column, _)| *column == declared.column);
            let Some((_, value)) = found else { continue };
            let column_type = definition.column(&declared.column).map(|column| column.column_type);
            let text = column_type.and_then(|column_type| canonical_text(column_type, value));
            let tag = text.and_then(|text| Tag::parse(&format!("{}:{text}", declared.name)).ok());
            self.tags.extend(tag);
        }
    }
}

/// The types of `_type = … OR _type = …`.
fn types_of(filter: &Expr) -> Option<Vec<String>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return None };
    match (op, &**left, right) {
        (Operator::Or, left, right) => Some([types_of(left)?, types_of(right)?].concat()),
        (Operator::Eq, Expr::Column(column), right) if column.name == "_type" => Some(vec![text_of(right)?]),
        _ => None,
    }
}

fn text_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(value, _) => text(value),
        _ => None,
    }
}

fn text(value: &ScalarValue) -> Option<String> {
    value.try_as_str().flatten().map(str::to_owned)
}

/// A value as columns of the store have it. `None` for null, and for values that are not of this very type.
fn value_of(value: &ScalarValue, column_type: ColumnType) -> Option<Value<'static>> {
    let is_utc = |zone: &Option<_>| zone.is_some() == (column_type == ColumnType::TimestampTz);
    Some(match (value, column_type) {
        (ScalarValue::Boolean(Some(value)), ColumnType::Boolean) => Value::Boolean(*value),
        (ScalarValue::Int16(Some(value)), ColumnType::SmallInt) => Value::Integer((*value).into()),
        (ScalarValue::Int32(Some(value)), ColumnType::Int) => Value::Integer((*value).into()),
        (ScalarValue::Int64(Some(value)), ColumnType::BigInt) => Value::Integer(*value),
        (ScalarValue::Date32(Some(days)), ColumnType::Date) => Value::Integer((*days).into()),
        (
            ScalarValue::TimestampMicrosecond(Some(us), zone),
            ColumnType::Timestamp | ColumnType::TimestampTz,
        ) if is_utc(zone) => Value::Integer(*us),
        (ScalarValue::Decimal128(Some(value), _, scale), ColumnType::Decimal { scale: wanted, .. })
            if value.checked_abs().is_some() && *scale == wanted as i8 =>
        {
            Value::Decimal(*value)
        }
        (value, ColumnType::Text) if value.data_type() == DataType::Utf8 => Value::Text(text(value)?.into()),
        _ => return None,
    })
}
