//! A row as it is read and changed.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use recount_types::column::Value;

use super::Stopped;
use super::layout::{
    Cell, EVENT_TIME, EVENTS_SHIFT, Kind, LATE, LOOKUP_TIME, Layout, META, POSITION, PRESENT, STOPPED,
};
use super::page::{Beside, Page, texts, texts_mut};
use crate::fold::StateColumn;
use crate::key::KeyRef;
use crate::key::long::LongKeys;
use crate::key::words::{self, LONG_KEY};

/// A key counts no more events than this; there are no so many positions.
const EVENTS_MAX: u64 = (1 << (64 - EVENTS_SHIFT)) - 1;

/// What is known of a key beside its state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    /// The key.
    pub key: KeyRef<'a>,
    /// Whether it has a state: not before the first event that makes one, nor after DELETE.
    pub present: bool,
    /// The event that it waits at.
    pub stopped: Option<&'a Stopped>,
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

/// A row that is kept elsewhere, without its key.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedRow {
    /// As in [`Row`].
    pub present: bool,
    /// As in [`Row`].
    pub stopped: Option<Stopped>,
    /// As in [`Row`].
    pub position: u64,
    /// As in [`Row`].
    pub event_time: i64,
    /// As in [`Row`].
    pub lookup_time: i64,
    /// As in [`Row`].
    pub events: u64,
    /// Its state; where there is none, that before the first event.
    pub state: Vec<Value<'static>>,
}

impl SavedRow {
    /// The latest time that it knows of something, µs.
    pub fn latest_time(&self) -> i64 {
        self.event_time.max(self.lookup_time)
    }
}

impl<'a> Row<'a> {
    /// The latest time that it knows of something, µs.
    pub fn latest_time(&self) -> i64 {
        self.event_time.max(self.lookup_time)
    }

    pub(crate) fn of(page: &'a Page, layout: &Layout, row: usize) -> Row<'a> {
        let words = page.row(layout, row);
        let meta = words[META];
        let stopped = (meta & STOPPED != 0).then(|| page.beside.as_ref()?.stopped(row)).flatten();
        Row {
            key: key_of(words, &page.beside),
            present: meta & PRESENT != 0,
            stopped,
            late: meta & LATE != 0,
            position: words[POSITION],
            event_time: words[EVENT_TIME] as i64,
            lookup_time: words[LOOKUP_TIME] as i64,
            events: meta >> EVENTS_SHIFT,
        }
    }
}

fn key_of<'a>(words: &[u64], beside: &'a Option<Box<Beside>>) -> KeyRef<'a> {
    if words[1] == LONG_KEY {
        return KeyRef::long(long_key_of(words[0], beside));
    }
    KeyRef::short(words::bytes([words[0], words[1]]))
}

/// The bytes of a long key, by its first word.
pub(crate) fn long_key_of(word: u64, beside: &Option<Box<Beside>>) -> &[u8] {
    beside.as_ref().map_or(&[], |beside| beside.keys.get(word))
}

/// A state.
#[derive(Clone, Copy)]
pub struct State<'a> {
    layout: &'a Layout,
    words: &'a [u64],
    texts: &'a [Option<Box<str>>],
}

impl<'a> State<'a> {
    pub(crate) fn of(page: &'a Page, layout: &'a Layout, row: usize) -> State<'a> {
        State { layout, words: page.row(layout, row), texts: page.texts(layout, row) }
    }

    /// How many columns it has.
    #[expect(clippy::len_without_is_empty, reason = "a state without columns is one like another")]
    pub fn len(&self) -> usize {
        self.layout.cells.len()
    }

    /// The value of a column. Panics if there is no such column.
    #[inline]
    pub fn get(&self, column: usize) -> Value<'a> {
        let cell = self.layout.cells[column];
        if cell.is_null(self.words) {
            return Value::Null;
        }
        match cell.kind {
            Kind::Boolean => Value::Boolean(self.words[cell.at] != 0),
            Kind::Integer => Value::Integer(self.words[cell.at] as i64),
            Kind::Decimal => Value::Decimal((self.words[cell.at] as i64).into()),
            Kind::Wide => Value::Decimal(wide(self.words, cell.at)),
            Kind::Double => Value::Double(f64::from_bits(self.words[cell.at])),
            Kind::Text => Value::Text(Cow::Borrowed(self.texts[cell.at].as_deref().unwrap_or_default())),
        }
    }

    /// The values, column by column.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let state = *self;
        (0..self.len()).map(move |column| state.get(column))
    }

    /// The values, to be kept.
    pub fn to_vec(&self) -> Vec<Value<'static>> {
        self.iter().map(Value::into_owned).collect()
    }
}

impl fmt::Debug for State<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for State<'_> {
    fn eq(&self, other: &State<'_>) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<const COLUMNS: usize> PartialEq<[Value<'_>; COLUMNS]> for State<'_> {
    fn eq(&self, other: &[Value<'_>; COLUMNS]) -> bool {
        self.iter().eq(other.iter().map(Value::borrowed))
    }
}

/// A decimal of two words, the lower first.
#[inline]
pub(crate) fn wide(words: &[u64], at: usize) -> i128 {
    (u128::from(words[at]) | u128::from(words[at + 1]) << 64) as i128
}

/// The words and texts of a row whose key has no events yet.
pub(crate) fn blank(layout: &Layout, state: &[StateColumn]) -> (Vec<u64>, Vec<Option<Box<str>>>) {
    let mut words = vec![0; layout.words];
    words[EVENT_TIME] = i64::MIN as u64;
    words[LOOKUP_TIME] = i64::MIN as u64;
    let texts = std::iter::repeat_n(None, layout.texts).collect();
    let mut beside = Some(Box::new(Beside { texts, ..Beside::default() }));
    let (row, heap_bytes) = (0, &mut 0);
    let mut blank = RowMut { layout, words: &mut words, beside: &mut beside, row, heap_bytes };
    for (column, state) in state.iter().enumerate() {
        blank.set(column, state.default.clone());
    }
    (words, beside.map(|beside| beside.texts).unwrap_or_default())
}

/// A row to be changed.
pub(crate) struct RowMut<'a> {
    layout: &'a Layout,
    words: &'a mut [u64],
    beside: &'a mut Option<Box<Beside>>,
    /// Its number in its page.
    row: usize,
    heap_bytes: &'a mut usize,
}

impl<'a> RowMut<'a> {
    #[inline]
    pub(crate) fn of(
        page: &'a mut Page,
        layout: &'a Layout,
        row: usize,
        heap_bytes: &'a mut usize,
    ) -> RowMut<'a> {
        let (words, beside) = page.row_mut(layout, row);
        RowMut { layout, words, beside, row, heap_bytes }
    }

    /// Gives a new row its key, a short one by its words.
    pub(crate) fn set_key(&mut self, mut words: [u64; 2], long: &[u8]) {
        if words[1] == LONG_KEY {
            words = self.beside.get_or_insert_default().keys.push(long);
            *self.heap_bytes += LongKeys::bytes_of(long);
        }
        self.words[..META].copy_from_slice(&words);
    }

    /// Forgets everything but the key.
    pub(crate) fn begin(&mut self) {
        self.forget_reason();
        self.layout.begin(self.words);
        self.begin_texts();
    }

    /// Becomes the state before the first event.
    pub(crate) fn begin_state(&mut self) {
        self.layout.begin_state(self.words);
        self.begin_texts();
    }

    fn begin_texts(&mut self) {
        let layout = self.layout;
        for (text, blank) in texts_mut(self.beside, layout, self.row).iter_mut().zip(&layout.blank_texts) {
            let length = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
            *self.heap_bytes = *self.heap_bytes + length(blank) - length(text);
            text.clone_from(blank);
        }
    }

    /// Becomes a row that was kept.
    pub(crate) fn restore(&mut self, row: SavedRow) {
        self.begin();
        for (column, value) in row.state.into_iter().enumerate() {
            self.set(column, value);
        }
        self.set_present(row.present);
        self.words[META] |= row.events.min(EVENTS_MAX) << EVENTS_SHIFT;
        self.words[POSITION] = row.position;
        self.words[EVENT_TIME] = row.event_time as u64;
        self.words[LOOKUP_TIME] = row.lookup_time as u64;
        if let Some(stopped) = row.stopped {
            self.stop(stopped);
        }
    }

    /// Counts an event that happened at `time`, and says whether it happened before others.
    #[inline]
    pub(crate) fn count_event(&mut self, time: i64) -> bool {
        if self.words[META] >> EVENTS_SHIFT < EVENTS_MAX {
            self.words[META] += 1 << EVENTS_SHIFT;
        }
        let before = self.words[EVENT_TIME] as i64;
        self.words[EVENT_TIME] = before.max(time) as u64;
        time < before
    }

    #[inline]
    pub(crate) fn is_late(&self) -> bool {
        self.words[META] & LATE != 0
    }

    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        self.words[META] & STOPPED != 0
    }

    pub(crate) fn lookup_time(&self) -> i64 {
        self.words[LOOKUP_TIME] as i64
    }

    #[inline]
    pub(crate) fn looked_up(&mut self, time: i64) {
        self.words[LOOKUP_TIME] = self.lookup_time().max(time) as u64;
    }

    pub(crate) fn set_late(&mut self) {
        self.words[META] |= LATE;
    }

    #[inline]
    pub(crate) fn set_position(&mut self, position: u64) {
        self.words[POSITION] = position;
    }

    #[inline]
    pub(crate) fn set_present(&mut self, present: bool) {
        let meta = &mut self.words[META];
        *meta = if present { *meta | PRESENT } else { *meta & !PRESENT };
    }

    /// Stops it.
    pub(crate) fn stop(&mut self, stopped: Stopped) {
        self.forget_reason();
        self.words[META] |= STOPPED;
        *self.heap_bytes += stopped.bytes();
        self.beside.get_or_insert_default().stopped.push((self.row, Arc::new(stopped)));
    }

    /// Forgets why it stopped.
    fn forget_reason(&mut self) {
        if !self.is_stopped() {
            return;
        }
        let Some(beside) = self.beside else { return };
        for (_, stopped) in beside.stopped.extract_if(.., |(of, _)| *of == self.row) {
            *self.heap_bytes -= stopped.bytes();
        }
    }

    pub(crate) fn state(&self) -> State<'_> {
        let texts = texts(self.beside, self.layout, self.row);
        State { layout: self.layout, words: self.words, texts }
    }

    /// Its words.
    #[inline]
    pub(crate) fn words(&self) -> &[u64] {
        self.words
    }

    /// Its texts.
    #[inline]
    pub(crate) fn texts(&self) -> &[Option<Box<str>>] {
        texts(self.beside, self.layout, self.row)
    }

    /// Changes one column of the state. Panics if the column is not for such values.
    pub(crate) fn set(&mut self, column: usize, value: Value<'static>) {
        let cell = self.layout.cells[column];
        match (cell.kind, value) {
            (Kind::Text, value) => self.set_text(cell, value),
            (_, Value::Null) => self.set_number(cell, None),
            (Kind::Boolean, Value::Boolean(value)) => self.set_number(cell, Some(value.into())),
            (Kind::Integer, Value::Integer(value)) => self.set_number(cell, Some(value)),
            (Kind::Decimal, Value::Decimal(value)) => {
                let value = i64::try_from(value).expect("a decimal of 18 digits fits into 64 bits");
                self.set_number(cell, Some(value));
            }
            (Kind::Wide, Value::Decimal(value)) => {
                self.set_null(cell, false);
                (self.words[cell.at], self.words[cell.at + 1]) = (value as u64, (value >> 64) as u64);
            }
            (Kind::Double, Value::Double(value)) => {
                self.set_null(cell, false);
                self.words[cell.at] = value.to_bits();
            }
            (_, value) => panic!("{value:?} does not belong into column {column}"),
        }
    }

    /// Changes a column of booleans, integers or decimals; or makes any but a text null.
    #[inline]
    pub(crate) fn set_number(&mut self, cell: Cell, value: Option<i64>) {
        self.set_null(cell, value.is_none());
        let value = value.unwrap_or(0);
        self.words[cell.at] = value as u64;
        if cell.kind == Kind::Wide {
            self.words[cell.at + 1] = (value >> 63) as u64;
        }
    }

    fn set_text(&mut self, cell: Cell, value: Value<'static>) {
        let text: Option<Box<str>> = match value {
            Value::Null => None,
            Value::Text(text) => Some(text.into_owned().into()),
            value => panic!("{value:?} does not belong into a column of texts"),
        };
        self.set_null(cell, text.is_none());
        let kept = &mut texts_mut(self.beside, self.layout, self.row)[cell.at];
        let length = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        *self.heap_bytes = *self.heap_bytes + length(&text) - length(kept);
        *kept = text;
    }

    #[inline]
    fn set_null(&mut self, cell: Cell, null: bool) {
        let word = &mut self.words[cell.null_word];
        *word = if null { *word | cell.null_bit } else { *word & !cell.null_bit };
    }
}

impl Stopped {
    /// The memory that it takes.
    fn bytes(&self) -> usize {
        // In its place, and behind it with two counts.
        size_of::<(usize, Arc<Stopped>)>() + 2 * size_of::<usize>() + size_of::<Stopped>() + self.reason.len()
    }
}
