//! Checked reading and writing of small numbers: LEB128 varints and little-endian integers.
//! Knows no structure of the run file.

use crate::error::Flaw;

/// Longest varint of 64 bits.
const VARINT_BYTES_MAX: usize = 10;

/// Appends `value` as LEB128: seven bits a byte, least significant first, high bit = more follow.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes being read from the front. Every read is checked.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Bytes not read yet.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// A flaw at the place reached.
    pub(crate) fn flaw(&self, what: &'static str) -> Flaw {
        Flaw { at: self.at, what }
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Flaw> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Flaw> {
        let mut value = 0;
        for (n, &byte) in self.bytes[self.at..].iter().take(VARINT_BYTES_MAX).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if n == VARINT_BYTES_MAX - 1 && bits > 1 {
                return Err(self.flaw("a number exceeds 64 bits"));
            }
            value |= bits << (7 * n);
            if byte < 0x80 {
                self.at += n + 1;
                return Ok(value);
            }
        }
        Err(self.flaw("a number is incomplete"))
    }

    /// A varint, added to `base`.
    #[inline]
    pub(crate) fn varint_from(&mut self, base: u64) -> Result<u64, Flaw> {
        let value = self.varint()?;
        self.sum(base, value)
    }

    /// A varint that must fit the address space, as a length or an index.
    #[inline]
    pub(crate) fn length(&mut self) -> Result<usize, Flaw> {
        let value = self.varint()?;
        usize::try_from(value).map_err(|_| self.flaw("a length exceeds memory"))
    }

    #[inline]
    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], Flaw> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else { return Err(self.flaw("a length exceeds the piece")) };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Flaw> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Flaw> {
        self.array().map(u64::from_le_bytes)
    }

    /// `a + b`, or a flaw here.
    #[inline]
    pub(crate) fn sum(&self, a: u64, b: u64) -> Result<u64, Flaw> {
        a.checked_add(b).ok_or_else(|| self.flaw("a number exceeds 64 bits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_and_reject() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.varint(), Ok(value));
            assert!(reader.is_empty());
            assert!(Reader::new(&bytes[..bytes.len() - 1]).varint().is_err(), "{value}: incomplete");
        }
        assert!(Reader::new(&[0xff; 11]).varint().is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).varint().is_err());
        assert!(Reader::new(&[1, 2, 3]).u32().is_err());
        assert!(Reader::new(&[1, 2, 3]).take(usize::MAX).is_err());
    }
}
