//! A page: some rows, one behind the other, and what of them lies outside their words.

use std::sync::Arc;

use prefetch_index::prefetch_index;

use super::Stopped;
use super::layout::{LINE, Layout};
use crate::key::long::LongKeys;

/// Rows that the first page of a table has place for at first: many tables have but one key.
const FIRST_ROWS: usize = 16;

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
    pub(crate) keys: LongKeys,
    /// Rows that stopped, each with the reason.
    pub(crate) stopped: Vec<(usize, Arc<Stopped>)>,
}

impl Page {
    /// The first page of a table: it grows as rows come.
    pub(crate) fn first(layout: &Layout) -> Page {
        Page::with_place(FIRST_ROWS.min(layout.page_rows()), layout)
    }

    /// A page that has place for all of its rows.
    pub(crate) fn next(layout: &Layout) -> Page {
        Page::with_place(layout.page_rows(), layout)
    }

    fn with_place(rows: usize, layout: &Layout) -> Page {
        let mut page = Page::default();
        page.make_place(rows, layout);
        page
    }

    /// The memory that it takes, without keys, texts and reasons.
    pub(crate) fn bytes(&self) -> usize {
        let texts = self.beside.as_ref().map_or(0, |beside| size_of_val(&*beside.texts));
        size_of_val(&*self.words) + texts
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows as usize
    }

    /// Adds a row of zeroes.
    pub(crate) fn push(&mut self, layout: &Layout) {
        assert!(self.rows() < layout.page_rows(), "a page is full before its table goes on to the next");
        if self.rows() * layout.words + LINE > self.words.len() {
            self.make_place(self.rows() * 2, layout);
        }
        self.rows += 1;
    }

    #[cold]
    fn make_place(&mut self, rows: usize, layout: &Layout) {
        let (mut words, first) = aligned(rows * layout.words);
        let used = self.rows() * layout.words;
        words[first as usize..][..used].copy_from_slice(&self.words[self.first as usize..][..used]);
        (self.words, self.first) = (words, first);
        if layout.texts > 0 {
            self.beside.get_or_insert_default().texts.resize(rows * layout.texts, None);
        }
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

    /// Lets the processor fetch the words of a row.
    #[inline]
    pub(crate) fn prefetch(&self, layout: &Layout, row: usize) {
        let start = self.first as usize + row * layout.words;
        for line in (start..start + layout.words).step_by(LINE) {
            prefetch_index(&self.words, line);
        }
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

/// The texts of a row to be changed.
#[inline]
pub(crate) fn texts_mut<'a>(
    beside: &'a mut Option<Box<Beside>>,
    layout: &Layout,
    row: usize,
) -> &'a mut [Option<Box<str>>] {
    match beside {
        Some(beside) if layout.texts > 0 => &mut beside.texts[row * layout.texts..(row + 1) * layout.texts],
        _ => &mut [],
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
