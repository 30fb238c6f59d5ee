//! The keys of events.

use recount_types::column::{Column, Values};

use super::domain;
use crate::expr::{EvalError, Expr, Scope};
use crate::key::long::LongKeys;
use crate::key::{Key, KeyRef, words};

/// Keys, one behind another, each as the two words that a row keeps of it.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    words: Vec<[u64; 2]>,
    long: LongKeys,
}

impl Keys {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// One of them. Panics if there is no such key.
    #[inline]
    pub fn get(&self, number: usize) -> KeyRef<'_> {
        let words = self.words[number];
        if words[1] == words::LONG_KEY {
            return KeyRef::long(self.long.get(words[0]));
        }
        KeyRef::short(words::bytes(words))
    }

    /// Adds one.
    pub fn push(&mut self, key: &[u8]) {
        self.words.push(words::of(key).unwrap_or_else(|| self.long.push(key)));
    }

    /// Adds the key that expressions make of each of so many rows, which is empty where one of them is null. Says how
    /// many could not be computed: these are empty, too.
    pub fn extend_of(&mut self, exprs: &[Expr], columns: &[Column], rows: usize) -> u64 {
        // Nearly every key is one number.
        if let [Expr::Event(column)] = exprs
            && let Column { values: Values::Integer(values), valid } = &columns[*column]
        {
            let of = |(value, valid): (&i64, &bool)| {
                if *valid { words::of_integer(*value) } else { words::EMPTY }
            };
            self.words.extend(values.iter().zip(valid).take(rows).map(of));
            return 0;
        }
        let (mut key, mut failed) = (Vec::new(), 0);
        for row in 0..rows {
            key.clear();
            let scope = Scope { state: &[], event: columns, row, lookups: &[] };
            failed += u64::from(push_key(&mut key, exprs, &scope).is_err());
            self.push(&key);
        }
        failed
    }

    /// Takes all of them away.
    pub fn clear(&mut self) {
        self.words.clear();
        self.long.clear();
    }

    /// About the memory that they take.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.words) + self.long.bytes()
    }

    /// The words of one of them, and its bytes if it is long.
    #[inline]
    pub(crate) fn parts(&self, number: usize) -> ([u64; 2], &[u8]) {
        let words = self.words[number];
        let long = if words[1] == words::LONG_KEY { self.long.get(words[0]) } else { &[] };
        (words, long)
    }
}

/// The key that expressions make; `None` if one of them is null.
pub fn key_of(exprs: &[Expr], scope: &Scope<'_>) -> Result<Option<Key>, EvalError> {
    let mut bytes = Vec::new();
    Ok(push_key(&mut bytes, exprs, scope)?.then(|| Key::from_bytes(&bytes)))
}

/// Adds the bytes of the key that expressions make; false if one of them is null, and so there is none. Adds none
/// of them where there is no key.
pub(super) fn push_key(bytes: &mut Vec<u8>, exprs: &[Expr], scope: &Scope<'_>) -> Result<bool, EvalError> {
    let before = bytes.len();
    let mut push = |expr: &Expr| {
        // Nearly every key is made of columns, whose values are plain as they are.
        if let Expr::Event(column) = expr {
            return Ok(crate::key::push(bytes, &scope.event[*column].get(scope.row)).is_some());
        }
        let value = domain::plain(expr.eval(scope)?).ok_or(EvalError::Decimal)?;
        Ok(crate::key::push(bytes, &value).is_some())
    };
    let pushed = exprs.iter().try_fold(true, |all, expr| Ok(all && push(expr)?));
    if pushed != Ok(true) {
        bytes.truncate(before);
    }
    pushed
}

#[cfg(test)]
mod tests {
    use recount_types::column::{Form, Value};

    use super::*;
    use crate::expr::{Class, Operator};

    const LONG: &str = "a text that is longer than the words of a key";

    fn columns() -> Vec<Column> {
        let mut columns = vec![Column::new(Form::Integer), Column::new(Form::Text)];
        for (number, text) in
            [(Some(1), Some(LONG)), (None, Some("b")), (Some(-3), None), (Some(0), Some(""))]
        {
            columns[0].push(&number.map_or(Value::Null, Value::Integer));
            columns[1].push(&text.map_or(Value::Null, |text| Value::Text(text.into())));
        }
        columns
    }

    fn of(values: &[Value<'static>]) -> Vec<u8> {
        Key::of(values.iter().cloned()).unwrap().as_bytes().to_vec()
    }

    fn all(keys: &Keys) -> Vec<Vec<u8>> {
        let all: Vec<_> = (0..keys.len()).map(|number| keys.get(number).as_bytes().to_vec()).collect();
        for (number, key) in all.iter().enumerate() {
            let (parts, long) = keys.parts(number);
            match words::of(key) {
                Some(words) => assert_eq!((parts, long), (words, &[][..])),
                None => assert_eq!((parts[1], long), (words::LONG_KEY, &**key)),
            }
        }
        all
    }

    #[test]
    fn keys_of_a_column_are_those_of_its_values_one_by_one() {
        let (columns, mut keys) = (columns(), Keys::default());
        assert!(keys.is_empty());
        assert_eq!(keys.extend_of(&[Expr::Event(0)], &columns, 4), 0);
        let integers = [1, -3, 0].map(|number| of(&[Value::Integer(number)]));
        let [one, minus_three, zero] = integers;
        assert_eq!(all(&keys), [one.clone(), vec![], minus_three, zero.clone()]);
        assert_eq!((keys.is_empty(), keys.len()), (false, 4));
        // Behind those, of texts, and of both.
        assert_eq!(keys.extend_of(&[Expr::Event(1)], &columns, 4), 0);
        let texts = [LONG, "b", ""].map(|text| of(&[Value::Text(text.into())]));
        assert_eq!(all(&keys)[4..], [texts[0].clone(), texts[1].clone(), vec![], texts[2].clone()]);
        assert_eq!(keys.extend_of(&[Expr::Event(1), Expr::Event(0)], &columns, 4), 0);
        let both = [[&*texts[0], &one].concat(), vec![], vec![], [&*texts[2], &zero].concat()];
        assert_eq!(all(&keys)[8..], both);
        let long = texts[0].len() + both[0].len();
        assert_eq!(keys.bytes(), 12 * 16 + long + 2 * size_of::<usize>());
        keys.clear();
        assert_eq!((keys.len(), keys.bytes()), (0, 0));
        keys.push(&texts[0]);
        assert_eq!(all(&keys), [texts[0].clone()]);
    }

    #[test]
    fn keys_that_cannot_be_computed_are_empty_and_counted() {
        let (columns, mut keys) = (columns(), Keys::default());
        let quotient = Expr::Arithmetic(
            Operator::Divide,
            Class::Integer,
            Box::new(Expr::Literal(Value::Integer(6))),
            Box::new(Expr::Event(0)),
        );
        assert_eq!(
            keys.extend_of(&[quotient], &columns, 4),
            1,
            "the last is by zero, one of the others null"
        );
        assert_eq!(all(&keys), [of(&[Value::Integer(6)]), vec![], of(&[Value::Integer(-2)]), vec![]]);
    }
}
