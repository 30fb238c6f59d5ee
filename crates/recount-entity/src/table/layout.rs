//! Where the things of a row lie: a row is some words of 64 bits, as many for each row of a table.
//!
//! ```text
//!  word 0, 1  the key: up to 15 bytes, and their number in the last one; or 0xFF there, and in word 0 its
//!             number among the page's long keys
//!  word 2     flags (8 bits), which of the first 16 columns are null (16 bits), the number of events (40 bits)
//!  word 3     position of the last event that was folded
//!  word 4     greatest event time
//!  word 5     greatest look-up time
//!  word 6 …   the columns: a word each, two for a DECIMAL of more than 18 digits, none for a text, which lies beside
//!             the words; then which of the other columns are null, 64 in a word
//! ```
//!
//! A row of up to 64 bytes takes one line of the processor's cache and no other.

use super::row;
use crate::fold::{Domain, StateColumn};

/// The words of what is known of a key.
pub(crate) const META: usize = 2;
pub(crate) const POSITION: usize = 3;
pub(crate) const EVENT_TIME: usize = 4;
pub(crate) const LOOKUP_TIME: usize = 5;
const CELLS: usize = 6;

/// Words in a line of the cache.
pub(crate) const LINE: usize = 8;

/// Most words of a page: so many that the pages of a large table are few, and are found without waiting for memory; so
/// few that one is copied in some microseconds.
const PAGE_WORDS: usize = 1 << 15;
const WORDS_OF_TEXT: usize = size_of::<Option<Box<str>>>() / size_of::<u64>();

/// The bits of [`META`]: the key has a state, is late, is stopped.
pub(crate) const PRESENT: u64 = 1;
pub(crate) const LATE: u64 = 2;
pub(crate) const STOPPED: u64 = 4;
const NULLS_SHIFT: usize = 8;
const NULLS_IN_META: usize = 16;
const NULLS: u64 = ((1 << NULLS_IN_META) - 1) << NULLS_SHIFT;
pub(crate) const EVENTS_SHIFT: usize = NULLS_SHIFT + NULLS_IN_META;

/// Digits of the decimals that fit into a word.
const DIGITS_IN_WORD: u8 = 18;

/// The shape of a table's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) cells: Vec<Cell>,
    /// Words of a row, those that are only there to fill its line too.
    pub(crate) words: usize,
    /// Texts of a row.
    pub(crate) texts: usize,
    /// A page has two to the power of this rows.
    pub(crate) page_bits: u32,
    /// The words of a row whose key has no events yet, behind those of the key.
    blank: Box<[u64]>,
    /// Its texts.
    pub(crate) blank_texts: Box<[Option<Box<str>>]>,
}

/// Where a column lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) kind: Kind,
    /// Its first word; of a text, its number among the texts.
    pub(crate) at: usize,
    /// The word and the bit that say whether it is null.
    pub(crate) null_word: usize,
    pub(crate) null_bit: u64,
}

/// How a column is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Integer,
    /// A decimal in a word.
    Decimal,
    /// A decimal in two.
    Wide,
    Double,
    Text,
}

impl Layout {
    /// The shape of rows with these columns.
    pub(crate) fn of(state: &[StateColumn]) -> Layout {
        let (mut next, mut texts) = (CELLS, 0);
        let mut cells: Vec<Cell> = Vec::with_capacity(state.len());
        for column in state {
            let kind = Kind::of(column.domain);
            let place = if kind == Kind::Text { &mut texts } else { &mut next };
            let at = *place;
            *place += if kind == Kind::Wide { 2 } else { 1 };
            cells.push(Cell { kind, at, null_word: META, null_bit: 0 });
        }
        for (number, cell) in cells.iter_mut().enumerate() {
            let bit = match number.checked_sub(NULLS_IN_META) {
                None => NULLS_SHIFT + number,
                Some(more) => {
                    cell.null_word = next + more / 64;
                    more % 64
                }
            };
            cell.null_bit = 1 << bit;
        }
        next += cells.len().saturating_sub(NULLS_IN_META).div_ceil(64);
        // A long row is not filled up: it touches several lines anyhow.
        let words = if next <= LINE { LINE } else { next };
        let page_bits = (PAGE_WORDS / (words + texts * WORDS_OF_TEXT)).max(1).ilog2();
        let (blank, blank_texts) = (Box::default(), Box::default());
        let mut layout = Layout { cells, words, texts, page_bits, blank, blank_texts };
        let (blank, blank_texts) = row::blank(&layout, state);
        layout.blank = blank[META..].into();
        layout.blank_texts = blank_texts.into();
        layout
    }

    /// How many rows a page has.
    #[inline]
    pub(crate) fn page_rows(&self) -> usize {
        1 << self.page_bits
    }

    /// Makes a row one whose key has no events yet.
    #[inline]
    pub(crate) fn begin(&self, words: &mut [u64]) {
        words[META..].copy_from_slice(&self.blank);
    }

    /// Makes the state of a row, but for its texts, that before the first event.
    pub(crate) fn begin_state(&self, words: &mut [u64]) {
        words[CELLS..].copy_from_slice(&self.blank[CELLS - META..]);
        words[META] = words[META] & !NULLS | self.blank[0] & NULLS;
    }
}

impl Cell {
    /// Whether the column has no value in a row of these words.
    #[inline]
    pub(crate) fn is_null(&self, words: &[u64]) -> bool {
        words[self.null_word] & self.null_bit != 0
    }
}

impl Kind {
    fn of(domain: Domain) -> Kind {
        match domain {
            Domain::Boolean => Kind::Boolean,
            Domain::Integer(..) => Kind::Integer,
            Domain::Decimal(digits, _) if digits <= DIGITS_IN_WORD => Kind::Decimal,
            Domain::Decimal(..) => Kind::Wide,
            Domain::Double => Kind::Double,
            Domain::Text => Kind::Text,
        }
    }
}
