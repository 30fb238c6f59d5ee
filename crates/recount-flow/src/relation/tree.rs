//! Rows in their order, each with how often it is there: a tree of three levels, of which a copy costs nothing until one of both changes.
//!
//! ```text
//!  Tree     chunks, and with which row each begins
//!  Chunk    pages, and with which row each begins
//!  Page     up to 255 rows, one behind the other
//! ```
//!
//! What is shared with a copy is copied when it changes: a page, its chunk, and the list of chunks.

use std::mem::size_of;
use std::sync::Arc;

use super::packed::Packed;

/// A page with so many rows, or bytes, is split before it gets another one, unless it has none.
const PAGE_ROWS: usize = 255;
const PAGE_BYTES: usize = 16 << 10;
/// A page with fewer rows, and bytes, is joined to one beside it.
const SMALL_ROWS: usize = PAGE_ROWS / 4;
const SMALL_BYTES: usize = PAGE_BYTES / 4;
/// Pages in a chunk, at most.
const CHUNK_PAGES: usize = 256;
/// Up to so many bytes what pages begin with gets room for twice as many.
const FIRSTS_BYTES: usize = 1 << 20;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree(Arc<Branch<Chunk>>);

type Chunk = Branch<Page>;

/// What is below, and the least row that each of it may have; of the first, any.
#[derive(Debug, Clone)]
struct Branch<T> {
    firsts: Packed,
    below: Vec<Arc<T>>,
}

/// Rows, and how often each is there.
#[derive(Debug, Clone, Default)]
struct Page {
    rows: Packed,
    counts: Vec<i64>,
}

/// Where in a tree a row is, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct At {
    chunk: usize,
    page: usize,
    row: usize,
}

impl<T: Default> Default for Branch<T> {
    fn default() -> Branch<T> {
        Branch { firsts: Packed::of_nothing(), below: vec![Arc::default()] }
    }
}

impl<T: Clone> Branch<T> {
    /// Below which a row is.
    fn of(&self, row: &[u8]) -> usize {
        match self.firsts.search(row) {
            Ok(place) => place,
            Err(place) => place.saturating_sub(1),
        }
    }

    fn insert(&mut self, place: usize, first: Vec<u8>, below: T) {
        self.firsts.insert(place, &first, FIRSTS_BYTES);
        self.below.insert(place, Arc::new(below));
    }

    fn remove(&mut self, place: usize) {
        self.firsts.remove(place);
        self.below.remove(place);
    }

    /// The second half.
    fn split(&mut self) -> Branch<T> {
        let half = self.below.len() / 2;
        Branch { firsts: self.firsts.split_off(half), below: self.below.split_off(half) }
    }

    fn bytes(&self) -> usize {
        size_of::<Branch<T>>() + self.firsts.bytes() + self.below.capacity() * size_of::<Arc<T>>()
    }
}

impl Page {
    /// Adds to how often a row is there; how often it was before, and the page that is behind this one now if it was split for it.
    fn change(&mut self, row: &[u8], weight: i64) -> (i64, Option<Page>) {
        match self.rows.search(row) {
            Ok(place) => {
                let before = self.counts[place];
                if before + weight == 0 {
                    self.rows.remove(place);
                    self.counts.remove(place);
                } else {
                    self.counts[place] = before + weight;
                }
                (before, None)
            }
            Err(place) if self.has_room(row) => {
                self.insert(place, row, weight);
                (0, None)
            }
            Err(place) => {
                let last = self.rows.len();
                // Rows often come in their order, and leave full pages behind then.
                let at = if place == last { last } else { last / 2 };
                let mut behind = Page { rows: self.rows.split_off(at), counts: self.counts.split_off(at) };
                if place == last || place > at {
                    behind.insert(place - at, row, weight);
                } else {
                    self.insert(place, row, weight);
                }
                (0, Some(behind))
            }
        }
    }

    fn insert(&mut self, place: usize, row: &[u8], weight: i64) {
        self.rows.insert(place, row, PAGE_BYTES);
        self.counts.insert(place, weight);
    }

    fn has_room(&self, row: &[u8]) -> bool {
        let count = self.rows.len();
        count == 0 || (count < PAGE_ROWS && self.rows.row_bytes() + row.len() <= PAGE_BYTES)
    }

    fn is_small(&self) -> bool {
        self.rows.len() < SMALL_ROWS && self.rows.row_bytes() < SMALL_BYTES
    }

    fn append(&mut self, page: &Page) {
        self.rows.append(&page.rows);
        self.counts.extend_from_slice(&page.counts);
    }

    fn bytes(&self) -> usize {
        size_of::<Page>() + self.rows.bytes() + self.counts.capacity() * size_of::<i64>()
    }
}

impl Tree {
    /// Adds to how often a row is there; how often it was before, and how many bytes more it all takes than before.
    pub(super) fn change(&mut self, row: &[u8], weight: i64) -> (i64, isize) {
        let mut more = -(self.0.bytes() as isize);
        let top = Arc::make_mut(&mut self.0);
        let (chunks, of_chunk) = (top.below.len(), top.of(row));
        more -= top.below[of_chunk].bytes() as isize;
        let chunk = Arc::make_mut(&mut top.below[of_chunk]);
        let of_page = chunk.of(row);
        more -= chunk.below[of_page].bytes() as isize;
        let page = Arc::make_mut(&mut chunk.below[of_page]);
        let (before, behind) = page.change(row, weight);
        more += page.bytes() as isize;
        if let Some(behind) = behind {
            more += behind.bytes() as isize;
            chunk.insert(of_page + 1, behind.rows.row(0).to_vec(), behind);
        } else if before + weight == 0 && page.is_small() {
            more += chunk.join(of_page);
        }
        more += chunk.bytes() as isize;
        if chunk.below.len() > CHUNK_PAGES {
            more -= chunk.bytes() as isize;
            let other = chunk.split();
            more += (chunk.bytes() + other.bytes()) as isize;
            top.insert(of_chunk + 1, other.firsts.row(0).to_vec(), other);
        } else if let [page] = chunk.below.as_slice()
            && page.rows.len() == 0
            && chunks > 1
        {
            more -= (page.bytes() + chunk.bytes()) as isize;
            top.remove(of_chunk);
        }
        (before, more + top.bytes() as isize)
    }

    /// Puts a row in the place of another, if that can be done without moving or copying any: both are as long, that one is there once, they are
    /// between the same rows of a page, and no copy shares it. Whether it was done.
    pub(super) fn replace(&mut self, old: &[u8], new: &[u8]) -> bool {
        let of_chunk = self.0.of(old);
        let chunk = &self.0.below[of_chunk];
        let of_page = chunk.of(old);
        let page = &chunk.below[of_page];
        let Ok(place) = page.rows.search(old) else { return false };
        let last = page.rows.len() - 1;
        if old.len() != new.len() || page.counts[place] != 1 || place == 0 || place == last {
            return false;
        }
        if page.rows.row(place - 1) >= new || page.rows.row(place + 1) <= new {
            return false;
        }
        // A page that is copied takes other memory than before.
        let top = Arc::get_mut(&mut self.0);
        let chunk = top.and_then(|top| Arc::get_mut(&mut top.below[of_chunk]));
        let page = chunk.and_then(|chunk| Arc::get_mut(&mut chunk.below[of_page]));
        page.map(|page| page.rows.overwrite(place, new)).is_some()
    }

    /// The first row that is not before one.
    pub(super) fn at(&self, row: &[u8]) -> At {
        let chunk = self.0.of(row);
        let page = self.0.below[chunk].of(row);
        let (Ok(row) | Err(row)) = self.0.below[chunk].below[page].rows.search(row);
        At { chunk, page, row }
    }

    /// The row at a place or, if none is, the next one, which the place becomes; and how often it is there.
    pub(super) fn row(&self, at: &mut At) -> Option<(&[u8], i64)> {
        loop {
            let Some(page) = self.0.below.get(at.chunk)?.below.get(at.page) else {
                *at = At { chunk: at.chunk + 1, page: 0, row: 0 };
                continue;
            };
            if at.row < page.rows.len() {
                return Some((page.rows.row(at.row), page.counts[at.row]));
            }
            *at = At { page: at.page + 1, row: 0, ..*at };
        }
    }

    /// Forgets the rows of all chunks before a place, which this copy does not need any more.
    pub(super) fn forget(&mut self, before: At) {
        if before.chunk > 0 && !self.0.below[before.chunk - 1].below.is_empty() {
            let top = Arc::make_mut(&mut self.0);
            let given = Arc::new(Branch { firsts: Packed::default(), below: Vec::new() });
            let chunks = top.below.iter_mut().take(before.chunk);
            chunks.for_each(|chunk| *chunk = given.clone());
        }
    }
}

impl At {
    /// The next place.
    pub(super) fn next(self) -> At {
        At { row: self.row + 1, ..self }
    }
}

impl Chunk {
    /// Joins a page that became small to one beside it, if both fit. How many bytes more they take.
    fn join(&mut self, small: usize) -> isize {
        let page = &self.below[small].rows;
        let fits = |other: &usize| {
            let other = &self.below[*other].rows;
            page.len() == 0
                || page.len() + other.len() <= PAGE_ROWS / 2
                    && page.row_bytes() + other.row_bytes() <= PAGE_BYTES / 2
        };
        let beside = [small.checked_sub(1), Some(small + 1).filter(|&other| other < self.below.len())];
        let Some(other) = beside.into_iter().flatten().find(fits) else { return 0 };
        let (left, right) = (small.min(other), small.max(other));
        let right_page = self.below[right].clone();
        let before = self.below[left].bytes() + right_page.bytes();
        let left_page = Arc::make_mut(&mut self.below[left]);
        left_page.append(&right_page);
        let after = left_page.bytes();
        self.remove(right);
        after as isize - before as isize
    }
}

#[cfg(test)]
impl Tree {
    /// The memory that it takes, page by page.
    pub(super) fn counted(&self) -> usize {
        let pages = |chunk: &Arc<Chunk>| chunk.below.iter().map(|page| page.bytes()).sum::<usize>();
        let chunks = self.0.below.iter().map(|chunk| chunk.bytes() + pages(chunk));
        self.0.bytes() + chunks.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of some length, at least two bytes.
    fn page(rows: usize, length: usize) -> Page {
        let mut page = Page::default();
        for number in 0..rows {
            let row = [&(number as u16).to_be_bytes()[..], &vec![7; length - 2]].concat();
            page.insert(number, &row, 1);
        }
        page
    }

    #[test]
    fn how_much_a_page_holds() {
        let row = |length| vec![0xFF; length];
        assert!(page(0, 2).has_room(&row(2 * PAGE_BYTES)), "one row may be of any length");
        assert!(page(PAGE_ROWS - 1, 2).has_room(b"row") && !page(PAGE_ROWS, 2).has_room(b"row"));
        let half = page(1, PAGE_BYTES / 2);
        assert!(half.has_room(&row(PAGE_BYTES / 2)) && !half.has_room(&row(PAGE_BYTES / 2 + 1)));
        let is_small = |rows, length| page(rows, length).is_small();
        assert!(is_small(SMALL_ROWS - 1, 2) && !is_small(SMALL_ROWS, 2));
        assert!(is_small(1, SMALL_BYTES - 1) && !is_small(1, SMALL_BYTES));
        let page = page(10, 100);
        let of_counts = page.counts.capacity() * size_of::<i64>();
        assert_eq!(page.bytes(), size_of::<Page>() + page.rows.bytes() + of_counts);
    }

    /// A small page is joined to the one before it, or else to the one behind it, if both fill half of one at most; an empty one to any.
    #[test]
    fn small_pages_are_joined() {
        let joined = |pages: &[(usize, usize)], small: usize| {
            let mut chunk = Chunk { firsts: Packed::default(), below: Vec::new() };
            for (number, &(rows, length)) in pages.iter().enumerate() {
                chunk.insert(number, vec![number as u8], page(rows, length));
            }
            let bytes = |chunk: &Chunk| chunk.below.iter().map(|page| page.bytes() as isize).sum::<isize>();
            let before = bytes(&chunk);
            let more = chunk.join(small);
            assert_eq!(bytes(&chunk), before + more);
            assert_eq!(chunk.firsts.len(), chunk.below.len());
            chunk.below.iter().map(|page| page.rows.len()).collect::<Vec<usize>>()
        };
        let half = PAGE_ROWS / 2;
        assert_eq!(joined(&[(half - 20, 2), (20, 2), (5, 2)], 1), [half, 5]);
        assert_eq!(joined(&[(half - 19, 2), (20, 2), (5, 2)], 1), [half - 19, 25]);
        assert_eq!(joined(&[(half - 19, 2), (20, 2)], 1), [half - 19, 20]);
        assert_eq!(joined(&[(20, 2)], 0), [20]);
        let mut chunk = Chunk::default();
        chunk.insert(1, vec![1; 100], page(1, 2));
        let of_below = chunk.below.capacity() * size_of::<Arc<Page>>();
        assert_eq!(chunk.bytes(), size_of::<Chunk>() + chunk.firsts.bytes() + of_below);
        let quarter = PAGE_BYTES / 4;
        assert_eq!(joined(&[(1, quarter), (1, quarter)], 0), [2]);
        assert_eq!(joined(&[(1, quarter), (1, quarter + 1)], 0), [1, 1]);
        assert_eq!(joined(&[(PAGE_ROWS, 60), (0, 2)], 1), [PAGE_ROWS]);
        assert_eq!(joined(&[(0, 2), (PAGE_ROWS, 60)], 0), [PAGE_ROWS]);
    }

    /// A row takes the place of another only where nothing has to be moved or copied.
    #[test]
    fn where_a_row_takes_the_place_of_another() {
        let mut tree = Tree::default();
        for (row, count) in [(10, 1), (20, 1), (30, 1), (40, 2), (50, 1)] {
            tree.change(&[row], count);
        }
        assert!(tree.replace(&[20], &[25]));
        let not: [(u8, &[u8]); 9] = [
            (20, &[21]),
            (10, &[11]),
            (50, &[51]),
            (40, &[41]),
            (25, &[10]),
            (25, &[30]),
            (25, &[9]),
            (25, &[31]),
            (25, &[25, 1]),
        ];
        for (old, new) in not {
            assert!(!tree.replace(&[old], new), "{old} {new:?}");
        }
        let copy = tree.clone();
        assert!(!tree.replace(&[25], &[26]), "a copy shares it");
        drop(copy);
        assert!(tree.replace(&[25], &[27]) && tree.replace(&[27], &[26]));
        let (mut at, mut rows) = (tree.at(&[]), Vec::new());
        while let Some((row, count)) = tree.row(&mut at) {
            rows.push((row[0], count));
            at = at.next();
        }
        assert_eq!(rows, [(10, 1), (26, 1), (30, 1), (40, 2), (50, 1)]);
    }

    /// Whoever reads a copy to its end gives back what is behind it; a copy that is read no further changes nothing.
    #[test]
    fn what_was_read_is_given_back() {
        let mut tree = Tree::default();
        let rows = 2 * CHUNK_PAGES * PAGE_ROWS;
        for row in 0..rows as u32 {
            tree.change(&row.to_be_bytes(), 1);
        }
        let chunks =
            |tree: &Tree| tree.0.below.iter().map(|chunk| !chunk.below.is_empty()).collect::<Vec<bool>>();
        let all = chunks(&tree);
        assert!(all.len() > 2 && all.iter().all(|is_there| *is_there));
        let mut copy = tree.clone();
        copy.forget(At::default());
        assert!(Arc::ptr_eq(&copy.0, &tree.0));
        copy.forget(At { chunk: 2, page: 0, row: 0 });
        assert_eq!(chunks(&copy)[..3], [false, false, true]);
        let before = copy.clone();
        copy.forget(At { chunk: 2, page: 9, row: 0 });
        assert!(Arc::ptr_eq(&copy.0, &before.0));
        assert_eq!(chunks(&tree), all);
    }
}
