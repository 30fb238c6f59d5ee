//! What is kept of a group whose rows have an order: its values by where they are in it.

use std::collections::BTreeMap;
use std::mem::size_of;

use arrow_array::cast::AsArray;
use arrow_schema::DataType;

use super::value::Value;
use crate::codec::{Damaged, RowCodec, Rows};
use crate::saved::{Reader, put_bytes, put_number};

/// Values by their place: the columns that they are ordered by, then the value itself, so that equal places are equal values.
#[derive(Debug, Clone, Default)]
pub(in crate::operators) struct Ordered {
    entries: BTreeMap<Box<[u8]>, Entry>,
    /// Of places and values.
    bytes: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    /// The value, as a row of it.
    value: Box<[u8]>,
    count: i64,
}

impl Ordered {
    /// Takes a value that came `weight` times.
    pub(super) fn take(&mut self, places: &Rows, values: &Rows, row: usize, weight: i64) {
        let (place, value) = (places.row(row), values.row(row));
        match self.entries.get_mut(place) {
            Some(entry) => {
                entry.count += weight;
                if entry.count == 0 {
                    self.bytes -= place.len() + entry.value.len();
                    self.entries.remove(place);
                }
            }
            None => {
                self.bytes += place.len() + value.len();
                self.entries.insert(place.into(), Entry { value: value.into(), count: weight });
            }
        }
    }

    /// All values in their order, each as often as it is there.
    fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.values().flat_map(|entry| (0..entry.count).map(|_| &*entry.value))
    }

    pub(super) fn first(&self) -> Value {
        self.entries.first_key_value().map_or(Value::Null, |(_, entry)| Value::Bytes(entry.value.clone()))
    }

    pub(super) fn last(&self) -> Value {
        self.entries.last_key_value().map_or(Value::Null, |(_, entry)| Value::Bytes(entry.value.clone()))
    }

    /// Forgets all but the first.
    pub(super) fn keep_first(&mut self) {
        while self.entries.len() > 1 {
            let last = self.entries.pop_last();
            self.bytes -= last.map_or(0, |(place, entry)| place.len() + entry.value.len());
        }
    }

    /// Forgets all but the last.
    pub(super) fn keep_last(&mut self) {
        while self.entries.len() > 1 {
            let first = self.entries.pop_first();
            self.bytes -= first.map_or(0, |(place, entry)| place.len() + entry.value.len());
        }
    }

    /// All values as a list; null if there are none.
    pub(super) fn list(&self) -> Value {
        let mut bytes = vec![1];
        for value in self.all() {
            bytes.push(1);
            bytes.extend_from_slice(value);
        }
        if bytes.len() == 1 {
            return Value::Null;
        }
        bytes.push(0);
        Value::Bytes(bytes.into())
    }

    /// All texts that are not null with something between them; null if there are none.
    pub(super) fn joined(&self, between: &str) -> Result<Value, String> {
        let damaged = |_| "the bytes of a text are damaged".to_owned();
        let codec =
            RowCodec::new([DataType::Utf8]).map_err(|data_type| format!("no texts of {data_type}"))?;
        let columns = codec.decode(self.all()).map_err(damaged)?;
        let mut joined: Option<String> = None;
        for text in columns[0].as_string::<i32>().iter().flatten() {
            match &mut joined {
                Some(joined) => {
                    joined.push_str(between);
                    joined.push_str(text);
                }
                None => joined = Some(text.to_owned()),
            }
        }
        Ok(joined.map_or(Value::Null, Value::Text))
    }

    /// Appends it to what a restart goes on from.
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        put_number(out, self.entries.len() as i64);
        for (place, entry) in &self.entries {
            put_bytes(out, place);
            put_bytes(out, &entry.value);
            put_number(out, entry.count);
        }
    }

    /// What was saved.
    pub(super) fn load(from: &mut Reader<'_>) -> Result<Ordered, Damaged> {
        let mut ordered = Ordered::default();
        for _ in 0..from.count()? {
            let (place, value, count) = (from.bytes()?, from.bytes()?, from.number()?);
            ordered.bytes += place.len() + value.len();
            ordered.entries.insert(place.into(), Entry { value: value.into(), count });
        }
        Ok(ordered)
    }

    /// About the memory on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.entries.len() * size_of::<(Box<[u8]>, Entry)>() + self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_entries() {
        let (mut places, mut values) = (Rows::default(), Rows::default());
        for number in 0..2u8 {
            places.push(&[number; 20]);
            values.push(&[number; 3]);
        }
        let mut ordered = Ordered::default();
        let mut take = |row, weight| {
            ordered.take(&places, &values, row, weight);
            ordered.heap_bytes()
        };
        let one = size_of::<(Box<[u8]>, Entry)>() + 23;
        assert_eq!([take(0, 2), take(1, 1), take(0, -1), take(1, -1)], [one, 2 * one, 2 * one, one]);
        assert_eq!(take(0, -1), 0);
        for keep in [Ordered::keep_first, Ordered::keep_last] {
            let mut ordered = Ordered::default();
            (0..2).for_each(|row| ordered.take(&places, &values, row, 1));
            keep(&mut ordered);
            assert_eq!(ordered.heap_bytes(), one);
        }
    }
}
