//! The rows of an entity: a state a key, found by key or in order of arrival.
//!
//! Rows lie in pages that are shared with whoever reads them: [`Table::freeze`] is cheap and what it gives never
//! changes, and a page is copied when it is written while somebody still reads it.
//!
//! ```text
//!  layout.rs  what of a row lies where
//!  page.rs    some rows, one behind the other
//!  row.rs     a row as it is read and changed
//! ```

use std::sync::Arc;

use foldhash::fast::FixedState;
use recount_types::column::Value;

use crate::fold::StateColumn;
use crate::index::Index;

pub(crate) mod layout;
mod page;
mod row;

use layout::{LINE, Layout};
use page::{PAGE_ROWS, Page};
use row::{LONG_KEY, long_key_of, short_key};
pub use row::{Row, SavedRow, State};
pub(crate) use row::{RowMut, wide};

/// The rows of an entity.
#[derive(Debug)]
pub struct Table {
    layout: Arc<Layout>,
    pages: Vec<Held>,
    rows: usize,
    index: Index,
    hash: FixedState,
    /// Memory of keys, texts and reasons that lies elsewhere.
    heap_bytes: usize,
}

/// A page, and whether others may read it.
#[derive(Debug)]
enum Held {
    Own(Page),
    Shared(Arc<Page>),
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
    #[inline]
    fn page(self) -> usize {
        self.0 as usize / PAGE_ROWS
    }

    #[inline]
    fn row(self) -> usize {
        self.0 as usize % PAGE_ROWS
    }
}

/// A table cannot hold more rows than 32 bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entity has at most {} keys", u32::MAX)]
pub struct Full;

/// A key that is looked for.
#[derive(Debug, Clone, Copy)]
struct Sought {
    /// As it lies in a row; of a long key the second word only.
    words: [u64; 2],
    hash: u64,
}

/// Keys that are looked for together, and what is found.
#[derive(Debug, Default)]
pub(crate) struct Search {
    sought: Vec<Sought>,
    /// For each the first row that it may be, and where the search goes on.
    candidates: Vec<Option<(u32, usize)>>,
    /// The rows; none of an empty key.
    pub(crate) slots: Vec<Option<Slot>>,
}

impl Table {
    /// A table without rows, for states of these columns. `seed` is for its hashes: unpredictable, so that nobody can
    /// choose keys that collide.
    pub fn new(state: &[StateColumn], seed: u64) -> Table {
        Table {
            layout: Arc::new(Layout::of(state)),
            pages: Vec::new(),
            rows: 0,
            index: Index::with_places(0),
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
        let page = size_of::<Held>() + Page::bytes(&self.layout);
        self.pages.len() * page + self.index.bytes() + self.heap_bytes
    }

    /// The shape of its rows.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The row of a key.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<Slot> {
        let sought = self.sought(key);
        self.find_sought(key, &sought)
    }

    #[inline]
    fn find_sought(&self, key: &[u8], sought: &Sought) -> Option<Slot> {
        let first = self.index.candidate(sought.hash, self.index.start(sought.hash));
        self.find_from(key, sought, first)
    }

    /// The row of a key, by its first candidate and those behind it.
    #[inline]
    fn find_from(&self, key: &[u8], sought: &Sought, mut candidate: Option<(u32, usize)>) -> Option<Slot> {
        while let Some((number, after)) = candidate {
            if self.has_key(Slot(number), key, sought) {
                return Some(Slot(number));
            }
            candidate = self.index.candidate(sought.hash, after);
        }
        None
    }

    #[inline]
    fn has_key(&self, slot: Slot, key: &[u8], sought: &Sought) -> bool {
        let page = self.page(slot);
        let word = |number| page.word(&self.layout, slot.row(), number);
        if word(1) != sought.words[1] {
            return false;
        }
        if sought.words[1] == LONG_KEY {
            return long_key_of(word(0), &page.beside) == key;
        }
        word(0) == sought.words[0]
    }

    /// The rows of many keys, new ones with this state where there are none; none of an empty key. Looks for all of
    /// them at once, one kind of memory after the other, because each look waits for memory.
    pub(crate) fn find_or_add_all<'k>(
        &mut self,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
        state: &[Value<'static>],
        search: &mut Search,
    ) -> Result<(), Full> {
        let Search { sought, candidates, slots } = search;
        sought.clear();
        sought.extend(keys.clone().map(|key| self.sought(key)));
        // What is only touched decides nothing, so that the processor waits for all of it together.
        let touched = sought.iter().fold(0, |touched, sought| touched ^ self.index.touch(sought.hash));
        std::hint::black_box(touched);
        candidates.clear();
        candidates.extend(
            sought.iter().map(|Sought { hash, .. }| self.index.candidate(*hash, self.index.start(*hash))),
        );
        let rows = candidates.iter().flatten().map(|(number, _)| Slot(*number));
        std::hint::black_box(rows.fold(0, |touched, slot| touched ^ self.touch(slot)));
        slots.clear();
        let rows_before = self.rows;
        for (key, (sought, candidate)) in keys.zip(sought.iter().zip(&*candidates)) {
            slots.push(match self.find_from(key, sought, *candidate) {
                None if key.is_empty() => None,
                None if self.rows == rows_before => Some(self.add(key, sought, state)?),
                // It may be among those that were added meanwhile.
                None => Some(self.find_or_add_sought(key, sought, state)?),
                found => found,
            });
        }
        Ok(())
    }

    /// Reads a word of each line of the cache that a row lies in.
    #[inline]
    fn touch(&self, slot: Slot) -> u64 {
        let page = self.page(slot);
        let word = |number| page.word(&self.layout, slot.row(), number);
        if self.layout.words == LINE {
            return word(0);
        }
        (0..self.layout.words).step_by(LINE).fold(0, |touched, number| touched ^ word(number))
    }

    /// The row of a key, a new one with this state if there is none.
    #[inline]
    pub fn find_or_add(&mut self, key: &[u8], state: &[Value<'static>]) -> Result<Slot, Full> {
        let sought = self.sought(key);
        self.find_or_add_sought(key, &sought, state)
    }

    fn find_or_add_sought(
        &mut self,
        key: &[u8],
        sought: &Sought,
        state: &[Value<'static>],
    ) -> Result<Slot, Full> {
        match self.find_sought(key, sought) {
            Some(slot) => Ok(slot),
            None => self.add(key, sought, state),
        }
    }

    /// A new row.
    fn add(&mut self, key: &[u8], sought: &Sought, state: &[Value<'static>]) -> Result<Slot, Full> {
        let slot = Slot(u32::try_from(self.rows).ok().filter(|number| *number < u32::MAX).ok_or(Full)?);
        if slot.row() == 0 {
            self.pages.push(Held::Own(Page::new(&self.layout)));
        }
        self.pages[slot.page()].page_mut().push();
        let mut row = self.edit(slot);
        row.set_key(key);
        row.reset();
        for (column, value) in state.iter().enumerate() {
            row.set(column, value.clone());
        }
        if self.index.is_full() {
            self.grow_index();
        }
        self.rows += 1;
        self.index.insert(sought.hash, slot.0);
        Ok(slot)
    }

    /// Puts back a row that was kept elsewhere, whose key is not here.
    pub fn restore(&mut self, key: &[u8], row: SavedRow) -> Result<Slot, Full> {
        let slot = self.find_or_add(key, &row.state)?;
        self.edit(slot).restore(row);
        Ok(slot)
    }

    /// Makes an index with place for twice as many rows.
    fn grow_index(&mut self) {
        let mut index = Index::with_places(self.rows * 2);
        for slot in self.slots() {
            let page = self.page(slot);
            let words = [0, 1].map(|number| page.word(&self.layout, slot.row(), number));
            let hash = match words {
                [first, LONG_KEY] => self.hash_of(None, long_key_of(first, &page.beside)),
                short => self.hash_of(Some(short), &[]),
            };
            index.insert(hash, slot.0);
        }
        self.index = index;
    }

    /// What is known of the key of a row.
    #[inline]
    pub fn row(&self, slot: Slot) -> Row<'_> {
        Row::of(self.page(slot), &self.layout, slot.row())
    }

    /// Its state.
    #[inline]
    pub fn state(&self, slot: Slot) -> State<'_> {
        State::of(self.page(slot), &self.layout, slot.row())
    }

    /// Marks a key as late, if a look-up was made for it at `time` or later; whether it was.
    pub fn mark_late(&mut self, slot: Slot, time: i64) -> bool {
        let late = self.row(slot).lookup_time >= time;
        if late {
            self.edit(slot).set_late();
        }
        late
    }

    /// A row to be changed.
    #[inline]
    pub(crate) fn edit(&mut self, slot: Slot) -> RowMut<'_> {
        let page = self.pages[slot.page()].page_mut();
        RowMut::of(page, &self.layout, slot.row(), &mut self.heap_bytes)
    }

    /// Every row, in the order of arrival.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        (0..self.rows as u32).map(Slot)
    }

    /// The rows as they are now.
    pub fn freeze(&mut self) -> Frozen {
        let pages = self.pages.iter_mut().map(Held::share).collect();
        Frozen { layout: self.layout.clone(), pages }
    }

    #[inline]
    fn page(&self, slot: Slot) -> &Page {
        self.pages[slot.page()].page()
    }

    #[inline]
    fn sought(&self, key: &[u8]) -> Sought {
        let words = short_key(key);
        Sought { words: words.unwrap_or([0, LONG_KEY]), hash: self.hash_of(words, key) }
    }

    /// The hash of a key, by its words if it is a short one.
    #[inline]
    fn hash_of(&self, words: Option<[u64; 2]>, key: &[u8]) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = self.hash.build_hasher();
        match words {
            Some([first, second]) => {
                hasher.write_u64(first);
                hasher.write_u64(second);
            }
            None => hasher.write(key),
        }
        hasher.finish()
    }
}

impl Held {
    #[inline]
    fn page(&self) -> &Page {
        match self {
            Held::Own(page) => page,
            Held::Shared(page) => page,
        }
    }

    /// The page to be changed; copied if others read it.
    #[inline]
    fn page_mut(&mut self) -> &mut Page {
        if matches!(self, Held::Shared(_)) {
            self.take_back();
        }
        match self {
            Held::Own(page) => page,
            Held::Shared(_) => unreachable!("it was taken back"),
        }
    }

    #[cold]
    fn take_back(&mut self) {
        if let Held::Shared(page) = std::mem::replace(self, Held::Own(Page::default())) {
            *self = Held::Own(Arc::unwrap_or_clone(page));
        }
    }

    fn share(&mut self) -> Arc<Page> {
        let page = match std::mem::replace(self, Held::Own(Page::default())) {
            Held::Own(page) => Arc::new(page),
            Held::Shared(page) => page,
        };
        *self = Held::Shared(page.clone());
        page
    }
}

/// The rows of a table at one moment.
#[derive(Debug, Clone)]
pub struct Frozen {
    layout: Arc<Layout>,
    pages: Vec<Arc<Page>>,
}

impl Frozen {
    /// What is known of each key that has events, with its state, in the order of arrival.
    pub fn rows(&self) -> impl Iterator<Item = (Row<'_>, State<'_>)> {
        self.pages.iter().flat_map(|page| self.rows_of(page))
    }

    /// What is known of the key of a row, with its state, if it was there.
    pub fn at(&self, slot: Slot) -> Option<(Row<'_>, State<'_>)> {
        let page = self.pages.get(slot.page()).filter(|page| slot.row() < page.rows())?;
        let row = Row::of(page, &self.layout, slot.row());
        (row.events > 0).then(|| (row, State::of(page, &self.layout, slot.row())))
    }

    /// The same, a page at a time.
    pub fn page(&self, number: usize) -> Option<impl Iterator<Item = (Row<'_>, State<'_>)>> {
        Some(self.rows_of(self.pages.get(number)?))
    }

    fn rows_of<'a>(&'a self, page: &'a Page) -> impl Iterator<Item = (Row<'a>, State<'a>)> {
        let row = |row| (Row::of(page, &self.layout, row), State::of(page, &self.layout, row));
        // Of a key whose events turned out not to count only the place is left.
        (0..page.rows()).map(row).filter(|(row, _)| row.events > 0)
    }
}

#[cfg(test)]
mod tests;
