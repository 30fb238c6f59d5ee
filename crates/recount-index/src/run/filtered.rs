//! The filter of an open run: whole in memory once the memory that all runs share had room for it; else, and until
//! then, a page at a time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use siphasher::sip128::Hash128;

use crate::cache::Reserved;
use crate::error::ReadError;
use crate::filter::{Filter, LINE_BYTES, line_of};
use crate::run::footer::{FILTER_PAGE_LINES, Section};
use crate::run::{Run, RunPage};

/// Pages read at a time: 256 KiB.
const PAGES_AT_ONCE: u64 = 64;

/// What memory has of a run's filter.
#[derive(Debug, Default)]
pub(super) struct RunFilter {
    whole: OnceLock<Whole>,
    loading: AtomicBool,
}

#[derive(Debug)]
struct Whole {
    filter: Filter,
    _reserved: Reserved<RunPage>,
}

impl Run {
    /// Whether the run is known not to have a term, without reading. Most runs that are asked are of this kind:
    /// what this says costs one line of the processor's cache.
    #[inline]
    pub(crate) fn surely_lacks(&self, hash: Hash128) -> bool {
        self.filter.whole.get().is_some_and(|whole| !whole.filter.may_hold(hash))
    }

    /// Whether the run may have a term.
    pub(super) async fn may_hold(&self, hash: Hash128) -> Result<bool, ReadError> {
        if self.filter.whole.get().is_none() {
            self.load_filter().await?;
        }
        if let Some(whole) = self.filter.whole.get() {
            return Ok(whole.filter.may_hold(hash));
        }
        let line = line_of(hash, self.footer.filter.lines);
        let (page, line) = (line / FILTER_PAGE_LINES as u64, line % FILTER_PAGE_LINES as u64);
        let Section { offset, len } = self.footer.filter.page(page);
        let decode = |payload: &[u8]| {
            let mut lines = Filter::with_capacity(payload.len() / LINE_BYTES);
            lines.read_page(payload)?;
            Ok(RunPage::FilterPage(lines))
        };
        let page = self.page(offset, len as usize, decode).await?;
        let RunPage::FilterPage(lines) = &*page else { unreachable!("one offset holds one kind of page") };
        Ok(lines.line_may_hold(line as usize, hash))
    }

    /// Takes the whole filter into memory, unless there is no room for it or another look-up is doing so.
    pub(crate) async fn load_filter(&self) -> Result<(), ReadError> {
        let Some(_turn) = Turn::take(&self.filter.loading) else { return Ok(()) };
        if self.filter.whole.get().is_some() {
            return Ok(());
        }
        let section = self.footer.filter;
        let bytes = section.lines as usize * LINE_BYTES;
        let Some(reserved) = self.cache.reserve(bytes) else { return Ok(()) };
        let mut filter = Filter::with_capacity(section.lines as usize);
        let mut page = 0;
        while page < section.pages() {
            let end = (page + PAGES_AT_ONCE).min(section.pages());
            let (first, last) = (section.page(page), section.page(end - 1));
            let bytes = self.read(first.offset, (last.offset + last.len - first.offset) as usize).await?;
            self.cache.page_reads.fetch_add(end - page, Ordering::Relaxed);
            for Section { offset, len } in (page..end).map(|page| section.page(page)) {
                let begin = (offset - first.offset) as usize;
                let lines = self.unsealed(offset, &bytes[begin..begin + len as usize])?;
                filter.read_page(lines).map_err(|flaw| self.flawed(offset, flaw))?;
            }
            page = end;
        }
        self.filter.whole.get_or_init(|| Whole { filter, _reserved: reserved });
        Ok(())
    }
}

/// The right to load: one at a time, given back when dropped, half-way too.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(loading: &'a AtomicBool) -> Option<Turn<'a>> {
        (!loading.swap(true, Ordering::Acquire)).then_some(Turn(loading))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
