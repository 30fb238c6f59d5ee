//! The keys of events.

use recount_types::column::{Column, Values};

use super::domain;
use crate::expr::{EvalError, Expr, Scope};
use crate::key::{Key, KeyRef, words};

/// Keys, one behind another, each as the two words that a row keeps of it.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// A long key's first word is its number among the long ones.
    words: Vec<[u64; 2]>,
    /// The bytes of the long ones.
    long: Vec<u8>,
    /// Where each ends.
    long_ends: Vec<usize>,
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
            return KeyRef::long(self.long(words[0] as usize));
        }
        KeyRef::short(words::bytes(words))
    }

    /// Adds one.
    pub fn push(&mut self, key: &[u8]) {
        let words = words::of(key).unwrap_or_else(|| {
            let number = self.long_ends.len() as u64;
            self.long.extend_from_slice(key);
            self.long_ends.push(self.long.len());
            [number, words::LONG_KEY]
        });
        self.words.push(words);
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
        self.long_ends.clear();
    }

    /// About the memory that they take.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.words) + self.long.len() + size_of_val(&*self.long_ends)
    }

    /// The words of one of them, and its bytes if it is long.
    #[inline]
    pub(crate) fn parts(&self, number: usize) -> ([u64; 2], &[u8]) {
        let words = self.words[number];
        let long = if words[1] == words::LONG_KEY { self.long(words[0] as usize) } else { &[] };
        (words, long)
    }

    fn long(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.long_ends[before]);
        &self.long[start..self.long_ends[number]]
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
