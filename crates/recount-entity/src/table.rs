//! The rows of an entity: a state a key, found by key or in order of arrival.
//!
//! Rows lie in pages that are shared with whoever reads them: [`Table::freeze`] is cheap and what it gives never
//! changes, and a page is copied when it is written while somebody still reads it.

use std::sync::Arc;

use foldhash::fast::FixedState;
use recount_types::column::Value;

use crate::index::Index;
use crate::key::Key;

/// Rows in a page.
const PAGE_ROWS: usize = 256;

/// The rows of an entity.
#[derive(Debug)]
pub struct Table {
    /// Columns of the state.
    width: usize,
    pages: Vec<Arc<Page>>,
    rows: usize,
    index: Index,
    hash: FixedState,
    /// Memory of keys and texts that lies elsewhere.
    heap_bytes: usize,
}

#[derive(Debug, Clone, Default)]
struct Page {
    rows: Vec<Row>,
    /// The states, one behind the other.
    cells: Vec<Value<'static>>,
}

/// What is known of a key beside its state.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The key.
    pub key: Key,
    /// Whether it has a state: not before the first event that makes one, nor after DELETE.
    pub present: bool,
    /// The event that it waits at.
    pub stopped: Option<Arc<Stopped>>,
    /// Something belongs before what was folded: it is to be folded again.
    pub late: bool,
    /// Position of the last event that was folded; 0 = none.
    pub position: u64,
    /// The greatest event time of its events, µs.
    pub event_time: i64,
    /// The greatest time that a look-up was made for, µs.
    pub lookup_time: i64,
    /// How many events it has, those that wait or are late too.
    pub events: u64,
}

/// Why a key does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Position of the event that could not be folded.
    pub position: u64,
    /// Why.
    pub reason: String,
}

/// Where a row is in its table; it stays there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    fn page(self) -> usize {
        self.0 as usize / PAGE_ROWS
    }

    fn row(self) -> usize {
        self.0 as usize % PAGE_ROWS
    }
}

/// A table cannot hold more rows than 32 bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entity has at most {} keys", u32::MAX)]
pub struct Full;

impl Table {
    /// A table without rows. `seed` is for its hashes: unpredictable, so that nobody can choose keys that collide.
    pub fn new(width: usize, seed: u64) -> Table {
        Table {
            width,
            pages: Vec::new(),
            rows: 0,
            index: Index::new(),
            hash: FixedState::with_seed(seed),
            heap_bytes: 0,
        }
    }

    /// The number of keys that it knows, those without a state too.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// About the memory that it takes.
    pub fn bytes(&self) -> usize {
        let page = PAGE_ROWS * (size_of::<Row>() + self.width * size_of::<Value<'static>>());
        self.pages.len() * page + self.index.bytes() + self.heap_bytes
    }

    /// The row of a key.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<Slot> {
        let hash = self.hash_of(key);
        self.find_from(key, hash, self.index.candidate(hash, self.index.start(hash)))
    }

    /// The row of a key, by its first candidate and those behind it.
    #[inline]
    fn find_from(&self, key: &[u8], hash: u32, mut candidate: Option<(u32, usize)>) -> Option<Slot> {
        while let Some((number, after)) = candidate {
            if self.row(Slot(number)).key.as_bytes() == key {
                return Some(Slot(number));
            }
            candidate = self.index.candidate(hash, after);
        }
        None
    }

    /// The rows of many keys, new ones with this state where there are none; none of an empty key. Looks for all of
    /// them at once, one kind of memory after the other, because each look waits for memory.
    pub fn find_or_add_all<'k>(
        &mut self,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
        state: &[Value<'static>],
        slots: &mut Vec<Option<Slot>>,
    ) -> Result<(), Full> {
        let hashes: Vec<u32> = keys.clone().map(|key| self.hash_of(key)).collect();
        let first: Vec<Option<(u32, usize)>> =
            hashes.iter().map(|&hash| self.index.candidate(hash, self.index.start(hash))).collect();
        slots.clear();
        let known = keys.clone().zip(hashes.iter().zip(&first));
        slots.extend(known.map(|(key, (&hash, &first))| self.find_from(key, hash, first)));
        // Makes the states be at hand.
        let present =
            slots.iter().flatten().filter(|slot| self.state(**slot).first() != Some(&Value::Null)).count();
        std::hint::black_box(present);
        for (slot, key) in slots.iter_mut().zip(keys) {
            if slot.is_none() && !key.is_empty() {
                *slot = Some(self.find_or_add(key, state)?);
            }
        }
        Ok(())
    }

    /// The row of a key, a new one with this state if there is none.
    #[inline]
    pub fn find_or_add(&mut self, key: &[u8], state: &[Value<'static>]) -> Result<Slot, Full> {
        if let Some(slot) = self.find(key) {
            return Ok(slot);
        }
        let slot = Slot(u32::try_from(self.rows).map_err(|_| Full)?);
        if slot.row() == 0 {
            let (rows, cells) = (Vec::with_capacity(PAGE_ROWS), Vec::with_capacity(PAGE_ROWS * self.width));
            self.pages.push(Arc::new(Page { rows, cells }));
        }
        let key = Key::from_bytes(key);
        let hash = self.hash_of(key.as_bytes());
        self.heap_bytes += key.heap_bytes() + state.iter().map(heap_bytes).sum::<usize>();
        let page = Arc::make_mut(&mut self.pages[slot.page()]);
        page.rows.push(Row::new(key));
        page.cells.extend_from_slice(state);
        self.rows += 1;
        self.index.insert(hash, slot.0);
        Ok(slot)
    }

    /// What is known of the key of a row.
    #[inline]
    pub fn row(&self, slot: Slot) -> &Row {
        &self.pages[slot.page()].rows[slot.row()]
    }

    /// Its state.
    #[inline]
    pub fn state(&self, slot: Slot) -> &[Value<'static>] {
        self.pages[slot.page()].state(slot.row(), self.width)
    }

    /// Marks a key as late, if a look-up was made for it at `time` or later; whether it was.
    pub fn mark_late(&mut self, slot: Slot, time: i64) -> bool {
        let late = self.row(slot).lookup_time >= time;
        if late {
            self.edit(slot).row.late = true;
        }
        late
    }

    /// A row to be changed.
    #[inline]
    pub(crate) fn edit(&mut self, slot: Slot) -> RowMut<'_> {
        let page = Arc::make_mut(&mut self.pages[slot.page()]);
        let first = slot.row() * self.width;
        RowMut {
            row: &mut page.rows[slot.row()],
            state: &mut page.cells[first..first + self.width],
            heap_bytes: &mut self.heap_bytes,
        }
    }

    /// Every row, in the order of arrival.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        (0..self.rows as u32).map(Slot)
    }

    /// The rows as they are now.
    pub fn freeze(&self) -> Frozen {
        Frozen { width: self.width, pages: self.pages.clone() }
    }

    #[inline]
    fn hash_of(&self, key: &[u8]) -> u32 {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = self.hash.build_hasher();
        hasher.write(key);
        (hasher.finish() >> 32) as u32
    }
}

fn heap_bytes(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len(),
        _ => 0,
    }
}

/// A row to be changed.
pub(crate) struct RowMut<'a> {
    pub(crate) row: &'a mut Row,
    pub(crate) state: &'a mut [Value<'static>],
    heap_bytes: &'a mut usize,
}

impl RowMut<'_> {
    /// Changes one column of the state.
    #[inline]
    pub(crate) fn set(&mut self, column: usize, value: Value<'static>) {
        let cell = &mut self.state[column];
        *self.heap_bytes = (*self.heap_bytes + heap_bytes(&value)).saturating_sub(heap_bytes(cell));
        *cell = value;
    }
}

impl Row {
    fn new(key: Key) -> Row {
        Row {
            key,
            present: false,
            stopped: None,
            late: false,
            position: 0,
            event_time: i64::MIN,
            lookup_time: i64::MIN,
            events: 0,
        }
    }

    /// Forgets everything but the key.
    pub(crate) fn reset(&mut self) {
        *self = Row::new(self.key.clone());
    }
}

impl Page {
    #[inline]
    fn state(&self, row: usize, width: usize) -> &[Value<'static>] {
        &self.cells[row * width..(row + 1) * width]
    }
}

/// The rows of a table at one moment.
#[derive(Debug, Clone)]
pub struct Frozen {
    width: usize,
    pages: Vec<Arc<Page>>,
}

impl Frozen {
    /// What is known of each key, with its state, in the order of arrival.
    pub fn rows(&self) -> impl Iterator<Item = (&Row, &[Value<'static>])> {
        self.pages
            .iter()
            .flat_map(|page| page.rows.iter().enumerate().map(|(at, row)| (row, page.state(at, self.width))))
    }

    /// What is known of the key of a row, with its state, if it was there.
    pub fn at(&self, slot: Slot) -> Option<(&Row, &[Value<'static>])> {
        let page = self.pages.get(slot.page())?;
        Some((page.rows.get(slot.row())?, page.state(slot.row(), self.width)))
    }

    /// The same, a page at a time.
    pub fn page(&self, number: usize) -> Option<impl Iterator<Item = (&Row, &[Value<'static>])>> {
        let page = self.pages.get(number)?;
        Some(page.rows.iter().enumerate().map(|(at, row)| (row, page.state(at, self.width))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: i64) -> Vec<u8> {
        Key::of([Value::Integer(number)]).unwrap().as_bytes().to_vec()
    }

    #[test]
    fn rows_are_found_by_key_and_stay_in_their_place() {
        let mut table = Table::new(2, 7);
        assert!(table.is_empty() && table.find(&key(0)).is_none());
        let state = [Value::Integer(0), Value::Null];
        for number in 0..1000 {
            let slot = table.find_or_add(&key(number), &state).unwrap();
            table.edit(slot).set(0, Value::Integer(number * 10));
            assert_eq!(table.find_or_add(&key(number), &state), Ok(slot), "found, not added");
        }
        assert_eq!(table.len(), 1000);
        for number in 0..1000 {
            let slot = table.find(&key(number)).unwrap();
            assert_eq!(table.state(slot), [Value::Integer(number * 10), Value::Null]);
            assert_eq!(table.row(slot).key.as_bytes(), key(number));
        }
        assert_eq!(table.find(&key(1000)), None);
        assert_eq!(table.slots().count(), 1000);
    }

    #[test]
    fn what_was_frozen_does_not_change() {
        let mut table = Table::new(1, 7);
        for number in 0..300 {
            table.find_or_add(&key(number), &[Value::Integer(number)]).unwrap();
        }
        let frozen = table.freeze();
        let slot = table.find(&key(299)).unwrap();
        table.edit(slot).set(0, Value::Integer(-1));
        table.edit(slot).row.present = true;
        table.find_or_add(&key(300), &[Value::Null]).unwrap();
        let rows: Vec<_> = frozen.rows().collect();
        assert_eq!(rows.len(), 300);
        assert!(rows.iter().all(|(row, _)| !row.present));
        assert_eq!(rows[299].1, [Value::Integer(299)]);
        assert_eq!(table.freeze().rows().nth(299).unwrap().1, [Value::Integer(-1)]);
        let pages: Vec<_> = (0..3).map(|number| frozen.page(number).map(|rows| rows.count())).collect();
        assert_eq!(pages, [Some(256), Some(44), None]);
    }

    #[test]
    fn memory_is_counted_and_given_back() {
        let mut table = Table::new(1, 7);
        let slot = table.find_or_add(&[5; 100], &[Value::Text("1234".into())]).unwrap();
        let before = table.bytes();
        table.edit(slot).set(0, Value::Text("x".repeat(1000).into()));
        assert_eq!(table.bytes(), before + 996);
        table.edit(slot).set(0, Value::Null);
        assert_eq!(table.bytes(), before - 4);
        let rows = PAGE_ROWS * (size_of::<Row>() + size_of::<Value<'static>>());
        assert!(before > rows + 104, "{before} with {rows} of a page, 100 of a key, 4 of a text");
    }
}
