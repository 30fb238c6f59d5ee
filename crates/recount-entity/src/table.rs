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

use crate::fold::{Keys, StateColumn};
use crate::index::{Candidate, Index};
use crate::key::words::{self, LONG_KEY};

pub(crate) mod layout;
mod page;
mod row;

use layout::Layout;
use page::Page;
use row::long_key_of;
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
    /// The page.
    #[inline]
    fn page(self, layout: &Layout) -> usize {
        self.0 as usize >> layout.page_bits
    }

    /// The row in its page.
    #[inline]
    fn row(self, layout: &Layout) -> usize {
        self.0 as usize & (layout.page_rows() - 1)
    }
}

/// Where a key is in a table, or that it is not there.
#[derive(Debug, Clone)]
pub struct Located {
    /// Tells this table from others.
    table: Arc<Layout>,
    slot: Option<Slot>,
}

/// A table cannot hold more rows than 32 bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entity has at most {} keys", u32::MAX)]
pub struct Full;

/// A key that is looked for.
#[derive(Debug, Clone, Copy)]
struct Sought<'k> {
    /// As it lies in a row; of a long key the second word only.
    words: [u64; 2],
    /// The bytes of a long one.
    long: &'k [u8],
    hash: u64,
}

/// The rows of many keys, looked for one after another, each begun some keys before it is its turn so that the
/// processor has fetched its memory by then.
#[derive(Debug)]
pub(crate) struct Search {
    hashes: Vec<u64>,
    /// Of the next keys the first row that each may be.
    ahead: [Option<Candidate>; ROWS_AHEAD],
}

/// So many keys before its turn a key's row is fetched, and its entry in the index before that. Memory takes as long
/// as three or four events do.
const ROWS_AHEAD: usize = 8;
const INDEX_AHEAD: usize = 16;

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
        // Those before the last are alike.
        let pages = match &*self.pages {
            [] => 0,
            [first, .., last] => first.page().bytes() * (self.pages.len() - 1) + last.page().bytes(),
            [only] => only.page().bytes(),
        };
        pages + size_of_val(&*self.pages) + self.index.bytes() + self.heap_bytes
    }

    /// The shape of its rows.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Where a key is, for [`Frozen::slot`].
    pub fn locate(&self, key: &[u8]) -> Located {
        Located { table: self.layout.clone(), slot: self.find(key) }
    }

    /// The row of a key.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<Slot> {
        self.find_sought(&self.sought(key))
    }

    #[inline]
    fn find_sought(&self, sought: &Sought<'_>) -> Option<Slot> {
        self.find_from(sought, self.index.first(sought.hash))
    }

    /// The row of a key, by its first candidate and those behind it.
    #[inline]
    fn find_from(&self, sought: &Sought<'_>, mut next: Option<Candidate>) -> Option<Slot> {
        while let Some(candidate) = next {
            let slot = Slot(candidate.row());
            if self.has_key(slot, sought) {
                return Some(slot);
            }
            next = self.index.next(sought.hash, candidate.after);
        }
        None
    }

    #[inline]
    fn has_key(&self, slot: Slot, sought: &Sought<'_>) -> bool {
        let page = self.page(slot);
        let word = |number| page.word(&self.layout, slot.row(&self.layout), number);
        if word(1) != sought.words[1] {
            return false;
        }
        if sought.words[1] == LONG_KEY {
            return long_key_of(word(0), &page.beside) == sought.long;
        }
        word(0) == sought.words[0]
    }

    /// Begins to look for all of these keys.
    pub(crate) fn search(&self, keys: &Keys) -> Search {
        let of = |number| {
            let (words, long) = keys.parts(number);
            self.hash_of(words, long)
        };
        let mut search = Search { hashes: (0..keys.len()).map(of).collect(), ahead: [None; ROWS_AHEAD] };
        search.hashes.iter().take(INDEX_AHEAD).for_each(|hash| self.index.prefetch(*hash));
        (0..ROWS_AHEAD).for_each(|number| self.look_ahead(&mut search, number));
        search
    }

    /// Finds the first row that a key may be.
    #[inline]
    fn look_ahead(&self, search: &mut Search, number: usize) {
        let Some(&hash) = search.hashes.get(number) else { return };
        let candidate = self.index.first(hash);
        if let Some(candidate) = candidate {
            let slot = Slot(candidate.row());
            self.page(slot).prefetch(&self.layout, slot.row(&self.layout));
        }
        search.ahead[number % ROWS_AHEAD] = candidate;
    }

    /// The row of one of the keys, a new one if there is none; none of an empty key. It is the turn of
    /// each key in their order.
    #[inline]
    pub(crate) fn next_of(
        &mut self,
        search: &mut Search,
        keys: &Keys,
        number: usize,
    ) -> Result<Option<Slot>, Full> {
        if let Some(hash) = search.hashes.get(number + INDEX_AHEAD) {
            self.index.prefetch(*hash);
        }
        let (words, long) = keys.parts(number);
        let sought = Sought { words, long, hash: search.hashes[number] };
        let candidate = search.ahead[number % ROWS_AHEAD];
        self.look_ahead(search, number + ROWS_AHEAD);
        match self.find_from(&sought, candidate) {
            None if words == words::EMPTY => Ok(None),
            // It may have been added meanwhile.
            None => self.find_or_add_sought(&sought).map(Some),
            found => Ok(found),
        }
    }

    /// The row of a key, a new one if there is none.
    #[inline]
    pub fn find_or_add(&mut self, key: &[u8]) -> Result<Slot, Full> {
        self.find_or_add_sought(&self.sought(key))
    }

    fn find_or_add_sought(&mut self, sought: &Sought<'_>) -> Result<Slot, Full> {
        match self.find_sought(sought) {
            Some(slot) => Ok(slot),
            None => self.add(sought),
        }
    }

    /// A new row.
    fn add(&mut self, sought: &Sought<'_>) -> Result<Slot, Full> {
        let slot = Slot(u32::try_from(self.rows).ok().filter(|number| *number < u32::MAX).ok_or(Full)?);
        if slot.row(&self.layout) == 0 {
            let page = if self.pages.is_empty() { Page::first } else { Page::next };
            self.pages.push(Held::Own(page(&self.layout)));
        }
        self.pages[slot.page(&self.layout)].page_mut().push(&self.layout);
        let mut row = self.edit(slot);
        row.set_key(sought.words, sought.long);
        row.begin();
        if self.index.is_full() {
            self.grow_index();
        }
        self.rows += 1;
        self.index.insert(sought.hash, slot.0);
        Ok(slot)
    }

    /// Puts back a row that was kept elsewhere, whose key is not here.
    pub fn restore(&mut self, key: &[u8], row: SavedRow) -> Result<Slot, Full> {
        let slot = self.find_or_add(key)?;
        self.edit(slot).restore(row);
        Ok(slot)
    }

    /// Makes an index with place for twice as many rows.
    fn grow_index(&mut self) {
        let mut index = Index::with_places(self.rows * 2);
        for slot in self.slots() {
            let page = self.page(slot);
            let words = [0, 1].map(|number| page.word(&self.layout, slot.row(&self.layout), number));
            let long = if words[1] == LONG_KEY { long_key_of(words[0], &page.beside) } else { &[] };
            index.insert(self.hash_of(words, long), slot.0);
        }
        self.index = index;
    }

    /// What is known of the key of a row.
    #[inline]
    pub fn row(&self, slot: Slot) -> Row<'_> {
        Row::of(self.page(slot), &self.layout, slot.row(&self.layout))
    }

    /// Its state.
    #[inline]
    pub fn state(&self, slot: Slot) -> State<'_> {
        State::of(self.page(slot), &self.layout, slot.row(&self.layout))
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
        let page = self.pages[slot.page(&self.layout)].page_mut();
        RowMut::of(page, &self.layout, slot.row(&self.layout), &mut self.heap_bytes)
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
        self.pages[slot.page(&self.layout)].page()
    }

    #[inline]
    fn sought<'k>(&self, key: &'k [u8]) -> Sought<'k> {
        let (words, long): (_, &[u8]) = match words::of(key) {
            Some(words) => (words, &[]),
            None => ([0, LONG_KEY], key),
        };
        Sought { words, long, hash: self.hash_of(words, long) }
    }

    /// The hash of a key, by its words if it is a short one.
    #[inline]
    fn hash_of(&self, words: [u64; 2], long: &[u8]) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = self.hash.build_hasher();
        if words[1] == LONG_KEY {
            hasher.write(long);
        } else {
            hasher.write_u64(words[0]);
            hasher.write_u64(words[1]);
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

    /// The row of a key that was looked for in the table later on; `None` if that was another table.
    pub fn slot(&self, located: &Located) -> Option<Option<Slot>> {
        // Rows stay where they are, and come behind the others.
        Arc::ptr_eq(&self.layout, &located.table).then_some(located.slot)
    }

    /// What is known of the key of a row, with its state, if it was there.
    pub fn at(&self, slot: Slot) -> Option<(Row<'_>, State<'_>)> {
        let page =
            self.pages.get(slot.page(&self.layout)).filter(|page| slot.row(&self.layout) < page.rows())?;
        let row = Row::of(page, &self.layout, slot.row(&self.layout));
        (row.events > 0).then(|| (row, State::of(page, &self.layout, slot.row(&self.layout))))
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
