//! Columns: values of one kind, one after another, as they are decoded from payloads and folded or queried.
//!
//! What a value means (a decimal's scale, whether an integer is a day or a count) is said by the type of the
//! column beside it; here is only how it is kept.

use std::borrow::Cow;

/// One value.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
    /// None.
    #[default]
    Null,
    /// A boolean.
    Boolean(bool),
    /// An integer; a date in days and a time in µs, both since 1970-01-01.
    Integer(i64),
    /// A decimal, times ten to the power of its scale.
    Decimal(i128),
    /// A floating point number.
    Double(f64),
    /// A text, or the text of a JSON value.
    Text(Cow<'a, str>),
}

impl Value<'_> {
    /// The same with a text of its own.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Boolean(value) => Value::Boolean(value),
            Value::Integer(value) => Value::Integer(value),
            Value::Decimal(value) => Value::Decimal(value),
            Value::Double(value) => Value::Double(value),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        }
    }

    /// The same, borrowed from here.
    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Null => Value::Null,
            Value::Boolean(value) => Value::Boolean(*value),
            Value::Integer(value) => Value::Integer(*value),
            Value::Decimal(value) => Value::Decimal(*value),
            Value::Double(value) => Value::Double(*value),
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
        }
    }

    /// Whether it is none.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

/// How the values of a column are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As booleans.
    Boolean,
    /// As 64-bit integers.
    Integer,
    /// As 128-bit integers.
    Decimal,
    /// As 64-bit floating point numbers.
    Double,
    /// As texts.
    Text,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its values; where there is none, a zero or an empty text.
    pub values: Values,
    /// Where there is one.
    pub valid: Vec<bool>,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Booleans.
    Boolean(Vec<bool>),
    /// Integers, dates, times.
    Integer(Vec<i64>),
    /// Decimals.
    Decimal(Vec<i128>),
    /// Floating point numbers.
    Double(Vec<f64>),
    /// Texts.
    Text(Texts),
}

/// Texts, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    /// All of them.
    pub bytes: String,
    /// Where each ends.
    pub ends: Vec<usize>,
}

impl Texts {
    /// One of them.
    pub fn get(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }

    fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
    }
}

impl Column {
    /// One without values.
    pub fn new(form: Form) -> Column {
        let values = match form {
            Form::Boolean => Values::Boolean(Vec::new()),
            Form::Integer => Values::Integer(Vec::new()),
            Form::Decimal => Values::Decimal(Vec::new()),
            Form::Double => Values::Double(Vec::new()),
            Form::Text => Values::Text(Texts::default()),
        };
        Column { values, valid: Vec::new() }
    }

    /// One without values, with room for so many, and for so many bytes of texts.
    pub fn with_room(form: Form, rows: usize, text_bytes: usize) -> Column {
        let values = match form {
            Form::Boolean => Values::Boolean(Vec::with_capacity(rows)),
            Form::Integer => Values::Integer(Vec::with_capacity(rows)),
            Form::Decimal => Values::Decimal(Vec::with_capacity(rows)),
            Form::Double => Values::Double(Vec::with_capacity(rows)),
            Form::Text => {
                let (bytes, ends) = (String::with_capacity(text_bytes), Vec::with_capacity(rows));
                Values::Text(Texts { bytes, ends })
            }
        };
        Column { values, valid: Vec::with_capacity(rows) }
    }

    /// One without values, of the form of this one.
    pub fn empty_like(&self) -> Column {
        Column::new(match self.values {
            Values::Boolean(_) => Form::Boolean,
            Values::Integer(_) => Form::Integer,
            Values::Decimal(_) => Form::Decimal,
            Values::Double(_) => Form::Double,
            Values::Text(_) => Form::Text,
        })
    }

    /// About the memory that its rows take.
    pub fn bytes(&self) -> usize {
        let values = match &self.values {
            Values::Boolean(values) => values.len(),
            Values::Integer(values) => values.len() * size_of::<i64>(),
            Values::Decimal(values) => values.len() * size_of::<i128>(),
            Values::Double(values) => values.len() * size_of::<f64>(),
            Values::Text(texts) => texts.bytes.len() + texts.ends.len() * size_of::<usize>(),
        };
        values + self.valid.len()
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.valid.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.valid.is_empty()
    }

    /// The value of a row. Panics if there is no such row.
    #[inline]
    pub fn get(&self, row: usize) -> Value<'_> {
        if !self.valid[row] {
            return Value::Null;
        }
        match &self.values {
            Values::Boolean(values) => Value::Boolean(values[row]),
            Values::Integer(values) => Value::Integer(values[row]),
            Values::Decimal(values) => Value::Decimal(values[row]),
            Values::Double(values) => Value::Double(values[row]),
            Values::Text(texts) => Value::Text(Cow::Borrowed(texts.get(row))),
        }
    }

    /// Adds a row. Panics if the value is of another form.
    pub fn push(&mut self, value: &Value<'_>) {
        self.valid.push(!value.is_null());
        match (&mut self.values, value) {
            (Values::Boolean(values), Value::Boolean(value)) => values.push(*value),
            (Values::Integer(values), Value::Integer(value)) => values.push(*value),
            (Values::Decimal(values), Value::Decimal(value)) => values.push(*value),
            (Values::Double(values), Value::Double(value)) => values.push(*value),
            (Values::Text(texts), Value::Text(text)) => texts.push(text),
            (Values::Boolean(values), Value::Null) => values.push(false),
            (Values::Integer(values), Value::Null) => values.push(0),
            (Values::Decimal(values), Value::Null) => values.push(0),
            (Values::Double(values), Value::Null) => values.push(0.0),
            (Values::Text(texts), Value::Null) => texts.push(""),
            (_, value) => panic!("{value:?} does not belong into this column"),
        }
    }

    /// Takes all rows away.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Keeps the first `rows` rows.
    pub fn truncate(&mut self, rows: usize) {
        self.valid.truncate(rows);
        match &mut self.values {
            Values::Boolean(values) => values.truncate(rows),
            Values::Integer(values) => values.truncate(rows),
            Values::Decimal(values) => values.truncate(rows),
            Values::Double(values) => values.truncate(rows),
            Values::Text(texts) => {
                texts.ends.truncate(rows);
                texts.bytes.truncate(texts.ends.last().copied().unwrap_or(0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_gives_back_what_was_pushed_and_keeps_a_prefix() {
        let cases: [(Form, [Value<'_>; 3]); 5] = [
            (Form::Boolean, [Value::Boolean(true), Value::Null, Value::Boolean(false)]),
            (Form::Integer, [Value::Integer(-1), Value::Null, Value::Integer(i64::MAX)]),
            (Form::Decimal, [Value::Decimal(1), Value::Null, Value::Decimal(i128::MIN)]),
            (Form::Double, [Value::Double(0.5), Value::Null, Value::Double(-0.5)]),
            (Form::Text, [Value::Text("ä".into()), Value::Null, Value::Text("".into())]),
        ];
        for (form, values) in cases {
            let mut column = Column::new(form);
            values.iter().for_each(|value| column.push(value));
            let back: Vec<_> = (0..column.len()).map(|row| column.get(row)).collect();
            assert_eq!(back, values);
            let three = column.bytes();
            column.truncate(1);
            assert!(column.bytes() < three && column.bytes() > 0);
            column.push(&values[2]);
            assert_eq!([column.get(0), column.get(1)], [values[0].borrowed(), values[2].borrowed()]);
            column.clear();
            assert!(column.is_empty());
            assert_eq!(column.empty_like(), column);
        }
    }

    #[test]
    #[should_panic(expected = "does not belong")]
    fn a_column_refuses_another_form() {
        Column::new(Form::Integer).push(&Value::Boolean(true));
    }
}
