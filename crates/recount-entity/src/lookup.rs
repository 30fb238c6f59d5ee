//! What folds look up: the rows of another topic by key and time, each in force from its event time until the next.
//!
//! Of several rows with one time the last recorded holds, so that a row is corrected by a later one.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{Equivalent, HashMap};
use recount_types::column::Value;

use crate::key::Key;

/// The rows of a topic that is looked up. Cheap to clone: what is shared is copied when it changes.
#[derive(Debug, Clone)]
pub struct LookupTable {
    rows: Arc<HashMap<Key, Vec<Version>, FixedState>>,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct Version {
    time: i64,
    position: u64,
    values: Box<[Value<'static>]>,
}

impl LookupTable {
    /// A table without rows; `seed` as in [`crate::table::Table::new`].
    pub fn new(seed: u64) -> LookupTable {
        LookupTable { rows: Arc::new(HashMap::with_hasher(FixedState::with_seed(seed))), bytes: 0 }
    }

    /// Adds a row that is in force from `time` on, recorded at `position`.
    pub fn insert(&mut self, key: Key, time: i64, position: u64, values: Box<[Value<'static>]>) {
        let texts = values.iter().map(|value| if let Value::Text(text) = value { text.len() } else { 0 });
        self.bytes += texts.sum::<usize>() + size_of_val(&*values) + size_of::<Version>();
        if !self.rows.contains_key(&key) {
            self.bytes += size_of::<Key>() + key.heap_bytes();
        }
        let versions = Arc::make_mut(&mut self.rows).entry(key).or_default();
        let at = versions.partition_point(|version| (version.time, version.position) <= (time, position));
        versions.insert(at, Version { time, position, values });
    }

    /// The row of a key in force at `time`.
    #[inline]
    pub fn find(&self, key: &[u8], time: i64) -> Option<&[Value<'static>]> {
        let versions = self.rows.get(&KeyBytes(key))?;
        let after = versions.partition_point(|version| version.time <= time);
        Some(&versions[after.checked_sub(1)?].values)
    }

    /// All rows, in no order: key, time, position, values.
    pub fn rows(&self) -> impl Iterator<Item = (&Key, i64, u64, &[Value<'static>])> {
        self.rows.iter().flat_map(|(key, versions)| {
            versions.iter().map(move |version| (key, version.time, version.position, &*version.values))
        })
    }

    /// About the memory that it takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A key's bytes; hashed as a [`Key`] is.
struct KeyBytes<'a>(&'a [u8]);

impl Hash for KeyBytes<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0);
    }
}

impl Equivalent<Key> for KeyBytes<'_> {
    #[inline]
    fn equivalent(&self, key: &Key) -> bool {
        let key = key.as_bytes();
        // A look-up by nothing but the time has empty keys, and comparing these is work too.
        self.0.len() == key.len() && (key.is_empty() || self.0 == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_in_force_is_the_last_up_to_the_time_whatever_the_order_of_arrival() {
        let rows = [(10, 1, "a"), (20, 2, "b"), (10, 3, "corrected"), (15, 4, "late"), (20, 5, "b again")];
        let key = |number| Key::of([Value::Integer(number)]).unwrap();
        for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]] {
            let mut table = LookupTable::new(1);
            for at in order {
                let (time, position, text) = rows[at];
                table.insert(key(7), time, position, [Value::Text(text.into())].into());
            }
            table.insert(key(8), 0, 6, [Value::Text("other".into())].into());
            let found = |key: &Key, time| match table.find(key.as_bytes(), time) {
                Some([Value::Text(text)]) => text.to_string(),
                None => "nothing".to_owned(),
                other => panic!("{other:?}"),
            };
            let shown: Vec<_> = [9, 10, 14, 15, 19, 20, 99].map(|time| found(&key(7), time)).into();
            assert_eq!(
                shown,
                ["nothing", "corrected", "corrected", "late", "late", "b again", "b again"],
                "{order:?}"
            );
            assert_eq!(found(&key(8), 5), "other");
            assert_eq!(found(&key(9), 5), "nothing");
            assert!(table.bytes() > 6 * size_of::<Version>());
        }
    }

    #[test]
    fn rows_are_told_and_their_memory_is_counted() {
        let mut table = LookupTable::new(1);
        let (short, long) = (Key::from_bytes(b"short"), Key::from_bytes(&[7; 40]));
        let value = |text: &'static str| [Value::Text(text.into()), Value::Integer(1)].into();
        let version = 2 * size_of::<Value<'static>>() + size_of::<Version>();
        table.insert(short.clone(), 10, 1, value("abc"));
        let mut expected = 3 + version + size_of::<Key>();
        assert_eq!(table.bytes(), expected);
        table.insert(short.clone(), 20, 2, value("ab"));
        expected += 2 + version;
        assert_eq!(table.bytes(), expected, "its key is there");
        table.insert(long.clone(), 5, 3, value(""));
        expected += version + size_of::<Key>() + 40;
        assert_eq!(table.bytes(), expected);
        let mut rows: Vec<_> = table
            .rows()
            .map(|(key, time, position, values)| (key.clone(), time, position, values.len()))
            .collect();
        rows.sort();
        assert_eq!(rows, [(long, 5, 3, 2), (short.clone(), 10, 1, 2), (short, 20, 2, 2)]);
    }

    #[test]
    fn keys_of_one_length_are_told_apart() {
        let equivalent = |bytes: &[u8], key: &[u8]| KeyBytes(bytes).equivalent(&Key::from_bytes(key));
        assert!(equivalent(b"", b"") && equivalent(b"ab", b"ab"));
        assert!(!equivalent(b"ab", b"ac") && !equivalent(b"ab", b"abc") && !equivalent(b"a", b""));
    }
}
