//! Front coding: each key of a sorted list is written as the number of bytes it shares with the key before,
//! and the rest.

use crate::error::Flaw;
use crate::term::TERM_BYTES_MAX;
use crate::wire::{Reader, put_varint};

/// Writes `key`, given the one before it (empty at the start of a list).
pub(super) fn put_key(out: &mut Vec<u8>, before: &[u8], key: &[u8]) {
    let shared = shared_bytes(before, key);
    put_varint(out, shared as u64);
    put_varint(out, (key.len() - shared) as u64);
    out.extend_from_slice(&key[shared..]);
}

/// How many bytes two keys begin with in common.
pub(super) fn shared_bytes(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Reads how many bytes the next key shares with the one before, and the rest of it.
#[inline]
pub(super) fn read_suffix<'a>(reader: &mut Reader<'a>) -> Result<(usize, &'a [u8]), Flaw> {
    let shared = reader.length()?;
    let len = reader.length()?;
    Ok((shared, reader.take(len)?))
}

/// Reads the next key into `key`, which holds the one before. Keys must ascend; only the first may be empty.
pub(super) fn read_key(reader: &mut Reader<'_>, key: &mut Vec<u8>, first: bool) -> Result<(), Flaw> {
    let (shared, suffix) = read_suffix(reader)?;
    let ascends = match (key.get(shared), suffix.first()) {
        (Some(before), Some(now)) => now > before,
        (None, Some(_)) => shared == key.len(),
        (_, None) => first && shared == 0,
    };
    if !ascends {
        return Err(reader.flaw("keys do not ascend"));
    }
    key.truncate(shared);
    key.extend_from_slice(suffix);
    if key.len() > TERM_BYTES_MAX {
        return Err(reader.flaw("a key exceeds 1029 bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(before: &[u8], shared: u64, suffix: &[u8], first: bool) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, shared);
        put_varint(&mut bytes, suffix.len() as u64);
        bytes.extend_from_slice(suffix);
        let mut key = before.to_vec();
        read_key(&mut Reader::new(&bytes), &mut key, first).is_ok().then_some(key)
    }

    #[test]
    fn keys_ascend() {
        assert_eq!(read(b"abc", 2, b"d", false).unwrap(), b"abd");
        assert_eq!(read(b"abc", 3, b"d", false).unwrap(), b"abcd");
        for (shared, suffix) in [(2, "c"), (2, "a"), (4, "d"), (0, ""), (2, ""), (3, "")] {
            assert_eq!(read(b"abc", shared, suffix.as_bytes(), false), None, "{shared} and {suffix:?}");
        }
    }

    #[test]
    fn only_the_first_may_be_empty() {
        assert_eq!(read(b"", 0, b"", true).unwrap(), b"");
        assert_eq!(read(b"", 1, b"", true), None);
        assert_eq!(read(b"", 0, b"", false), None);
    }

    #[test]
    fn keys_are_as_long_as_terms() {
        let longest = [b'x'; TERM_BYTES_MAX];
        assert_eq!(read(b"", 0, &longest, true).unwrap(), longest);
        assert_eq!(read(&longest, TERM_BYTES_MAX as u64, b"y", false), None);
        assert_eq!(read(&longest[1..], TERM_BYTES_MAX as u64 - 1, b"yz", false), None);
    }
}
