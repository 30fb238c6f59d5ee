//! A page: some rows, one behind the other, and what of them lies outside their words.

use std::sync::Arc;

use super::Stopped;
use super::layout::{LINE, Layout};

/// Rows in a page.
pub(crate) const PAGE_ROWS: usize = 256;

/// Some rows.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The rows' words, behind those that let the first begin where a line of the cache does.
    words: Box<[u64]>,
    first: u32,
    /// How many rows there are.
    rows: u32,
    pub(crate) beside: Option<Box<Beside>>,
}

/// What few rows have, or lies elsewhere anyhow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beside {
    /// Each row's texts.
    pub(crate) texts: Vec<Option<Box<str>>>,
    /// The keys that do not fit into their rows.
    pub(crate) keys: Vec<u8>,
    /// Rows that stopped, each with the reason.
    pub(crate) stopped: Vec<(usize, Arc<Stopped>)>,
}

impl Page {
    /// A page without rows.
    pub(crate) fn new(layout: &Layout) -> Page {
        let (words, first) = aligned(layout.words * PAGE_ROWS);
        let texts = layout.texts * PAGE_ROWS;
        let beside = (texts > 0).then(|| {
            Box::new(Beside { texts: std::iter::repeat_n(None, texts).collect(), ..Beside::default() })
        });
        Page { words, first, rows: 0, beside }
    }

    /// The memory of a page, without keys, texts and reasons.
    pub(crate) fn bytes(layout: &Layout) -> usize {
        let texts = layout.texts * PAGE_ROWS * size_of::<Option<Box<str>>>();
        let beside = if texts > 0 { size_of::<Beside>() } else { 0 };
        (layout.words * PAGE_ROWS + LINE - 1) * size_of::<u64>() + texts + beside
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows as usize
    }

    /// Adds a row of zeroes.
    pub(crate) fn push(&mut self) {
        assert!(self.rows() < PAGE_ROWS, "a page is full before its table goes on to the next");
        self.rows += 1;
    }

    /// The words of a row.
    #[inline]
    pub(crate) fn row(&self, layout: &Layout, row: usize) -> &[u64] {
        let start = self.first as usize + row * layout.words;
        &self.words[start..start + layout.words]
    }

    /// The words of a row to be changed, and what lies beside.
    #[inline]
    pub(crate) fn row_mut(&mut self, layout: &Layout, row: usize) -> (&mut [u64], &mut Option<Box<Beside>>) {
        let start = self.first as usize + row * layout.words;
        (&mut self.words[start..start + layout.words], &mut self.beside)
    }

    /// One word of a row.
    #[inline]
    pub(crate) fn word(&self, layout: &Layout, row: usize, word: usize) -> u64 {
        self.words[self.first as usize + row * layout.words + word]
    }

    /// A row's texts.
    #[inline]
    pub(crate) fn texts(&self, layout: &Layout, row: usize) -> &[Option<Box<str>>] {
        texts(&self.beside, layout, row)
    }
}

/// The texts of a row, of what lies beside its page.
#[inline]
pub(crate) fn texts<'a>(
    beside: &'a Option<Box<Beside>>,
    layout: &Layout,
    row: usize,
) -> &'a [Option<Box<str>>] {
    match beside {
        Some(beside) if layout.texts > 0 => &beside.texts[row * layout.texts..(row + 1) * layout.texts],
        _ => &[],
    }
}

impl Beside {
    /// Why a row stopped.
    pub(crate) fn stopped(&self, row: usize) -> Option<&Stopped> {
        self.stopped.iter().find(|(of, _)| *of == row).map(|(_, stopped)| &**stopped)
    }
}

/// So many words that are zero, and the number of those before the first that begins a line of the cache.
fn aligned(words: usize) -> (Box<[u64]>, u32) {
    let all = vec![0; words + LINE - 1].into_boxed_slice();
    let first = all.as_ptr().align_offset(LINE * size_of::<u64>());
    // Where the machine cannot tell, rows lie across lines.
    let first = if first < LINE { first } else { 0 };
    (all, first as u32)
}

impl Clone for Page {
    fn clone(&self) -> Page {
        let from = self.first as usize;
        let rows = &self.words[from..self.words.len() - (LINE - 1 - from)];
        let (mut words, first) = aligned(rows.len());
        words[first as usize..][..rows.len()].copy_from_slice(rows);
        Page { words, first, rows: self.rows, beside: self.beside.clone() }
    }
}
