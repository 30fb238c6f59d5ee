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

    /// Most are shorter than the eight bytes that are read at once here.
    #[inline]
    fn long_varint(&mut self) -> Result<u64, Flaw> {
        let Some(&bytes) = self.bytes[self.at..].first_chunk::<8>() else { return self.any_varint() };
        let word = u64::from_le_bytes(bytes);
        let ends = !word & 0x8080_8080_8080_8080;
        if ends == 0 {
            return self.any_varint();
        }
        // The bytes up to and with the first whose high bit is clear; their seven-bit parts are moved together.
        let word = word & (ends ^ (ends - 1)) & 0x7f7f_7f7f_7f7f_7f7f;
        let word = (word & 0x007f_007f_007f_007f) | (word & 0x7f00_7f00_7f00_7f00) >> 1;
        let word = (word & 0x0000_3fff_0000_3fff) | (word & 0x3fff_0000_3fff_0000) >> 2;
        let word = (word & 0x0000_0000_0fff_ffff) | (word & 0x0fff_ffff_0000_0000) >> 4;
        self.at += ends.trailing_zeros() as usize / 8 + 1;
        Ok(word)
    }

    #[cold]
    fn any_varint(&mut self) -> Result<u64, Flaw> {
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
        let of_every_length =
            (0..64).flat_map(|bits| [(1u64 << bits) - 1, 1 << bits, 0x0123_4567_89ab_cdef >> bits]);
        for value in of_every_length.chain([300, u64::MAX - 1, u64::MAX]) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            // Behind it, what the eight bytes that are read at once may hold.
            for behind in [0, 0x7f, 0x80, 0xff] {
                let longer = [bytes.as_slice(), &[behind; 8]].concat();
                let mut reader = Reader::new(&longer);
                assert_eq!((reader.varint(), reader.left()), (Ok(value), 8));
            }
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
