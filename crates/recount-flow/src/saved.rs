//! The state of operators as entries of a key and a value each: what a restart goes on from.
//!
//! An operator gives its entries at the end of an epoch, in any order, no key twice. Sorted they are the same after the same changes, in
//! however many steps these came. They are kept on disk: what they mean never changes without [`VERSION`].
//!
//! ```text
//!  number   varint in zigzag form: of 0, −1, 1, −2, … 0, 1, 2, 3, …
//!  bytes    varint of their length, and they
//! ```

use recount_types::varint::{put_i64, put_u64, take_i64, take_u64};

use crate::codec::{Damaged, Rows};

/// The version of what all entries mean, and of what operators make of the same changes. An operator that keeps or gives anything else
/// needs another one: what was saved before is not taken any more then.
pub const VERSION: u32 = 1;

/// Entries, and what the keys of the next ones begin with.
#[derive(Debug, Default)]
pub struct Saved {
    keys: Rows,
    values: Rows,
    start: Vec<u8>,
}

impl Saved {
    /// From now on keys are told behind these bytes.
    pub fn begin(&mut self, start: &[u8]) {
        self.start.clear();
        self.start.extend_from_slice(start);
    }

    /// Adds an entry.
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        self.keys.push_parts(&[&self.start, key]);
        self.values.push(value);
    }

    /// The entries in the order of their keys.
    pub fn sorted(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut order: Vec<usize> = (0..self.keys.len()).collect();
        order.sort_unstable_by_key(|&entry| self.keys.row(entry));
        order.into_iter().map(|entry| (self.keys.row(entry), self.values.row(entry)))
    }

    /// About the memory that they take.
    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.values.bytes()
    }
}

/// Appends a number.
pub(crate) fn put_number(out: &mut Vec<u8>, number: i64) {
    put_i64(out, number);
}

/// Appends bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A key or a value, read from its front.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// A number.
    pub(crate) fn number(&mut self) -> Result<i64, Damaged> {
        take_i64(&mut self.0).map_err(|_| Damaged)
    }

    /// How many times it is told something.
    pub(crate) fn count(&mut self) -> Result<usize, Damaged> {
        self.number().and_then(|count| usize::try_from(count).map_err(|_| Damaged))
    }

    /// Bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let length = take_u64(&mut self.0).map_err(|_| Damaged)?;
        let length = usize::try_from(length).map_err(|_| Damaged)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), Damaged> {
        if self.0.is_empty() { Ok(()) } else { Err(Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_behind_what_they_begin_with() {
        let mut saved = Saved::default();
        assert_eq!((saved.sorted().count(), saved.bytes()), (0, 0));
        saved.begin(b"b");
        saved.push(b"2", b"two");
        saved.push(b"", b"");
        saved.begin(b"a");
        saved.push(b"9", b"nine");
        let sorted: Vec<(&[u8], &[u8])> = saved.sorted().collect();
        assert_eq!(sorted, [(&b"a9"[..], &b"nine"[..]), (b"b", b""), (b"b2", b"two")]);
        // Of each entry both ends of its key and of its value, too.
        let (many, mut saved) = (1000, Saved::default());
        (0..many).for_each(|_| saved.push(&[1; 20], &[2; 30]));
        let bytes = many * (20 + 30 + 2 * size_of::<usize>());
        assert!((bytes..2 * bytes + 2 * many).contains(&saved.bytes()), "{} {bytes}", saved.bytes());
    }

    #[test]
    fn what_is_cut_is_damaged() {
        let mut bytes = Vec::new();
        put_number(&mut bytes, -300);
        put_bytes(&mut bytes, b"text");
        put_number(&mut bytes, -1);
        let mut whole = Reader(&bytes);
        assert_eq!(
            (whole.number(), whole.bytes(), whole.count()),
            (Ok(-300), Ok(&b"text"[..]), Err(Damaged))
        );
        assert_eq!(whole.end(), Ok(()));
        for cut in 0..bytes.len() {
            let mut read = Reader(&bytes[..cut]);
            let all = read.number().and_then(|_| read.bytes()).and_then(|_| read.number());
            assert_eq!(all, Err(Damaged), "{cut}");
        }
        assert_eq!(Reader(b"more").end(), Err(Damaged));
    }
}
