//! Seals: every piece of a run file ends with a CRC32C over the file's identity, the piece's offset and its
//! bytes, so that bytes of another file or another place do not pass.

use crate::run::footer::Covers;

/// Bytes of a seal.
pub(super) const CRC_BYTES: usize = 4;
/// A page of the system's cache.
pub(super) const PAGE_BYTES: usize = 4096;

/// The identity of one run file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seal {
    identity: u32,
}

impl Seal {
    pub(super) fn new(database: &[u8; 16], covers: &Covers) -> Seal {
        let numbers =
            [covers.from_position, covers.to_position, covers.from_lsn, covers.to_lsn].map(u64::to_le_bytes);
        Seal { identity: crc32c::crc32c_append(crc32c::crc32c(database), numbers.as_flattened()) }
    }

    /// The content of a sealed piece at `offset`; `None` if the seal is broken.
    pub(super) fn open(self, offset: u64, sealed: &[u8]) -> Option<&[u8]> {
        let (payload, crc) = sealed.split_last_chunk::<CRC_BYTES>()?;
        (self.crc(offset, payload) == u32::from_le_bytes(*crc)).then_some(payload)
    }

    fn crc(self, offset: u64, payload: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.identity, &offset.to_le_bytes()), payload)
    }
}

/// The bytes of a run file being made, not written yet.
#[derive(Debug)]
pub(super) struct Output {
    seal: Seal,
    /// Bytes already taken.
    taken: u64,
    bytes: Vec<u8>,
}

impl Output {
    pub(super) fn new(seal: Seal) -> Output {
        Output { seal, taken: 0, bytes: Vec::new() }
    }

    /// Appends a piece and its seal; returns where it is and its length with the seal.
    pub(super) fn put(&mut self, payload: &[u8]) -> (u64, usize) {
        let offset = self.offset();
        self.bytes.extend_from_slice(payload);
        self.bytes.extend_from_slice(&self.seal.crc(offset, payload).to_le_bytes());
        (offset, payload.len() + CRC_BYTES)
    }

    /// The same, behind zeros if the piece would otherwise lie in two pages of the system's cache and can lie in one:
    /// whoever reads it then reads one block of the disk.
    pub(super) fn put_in_page(&mut self, payload: &[u8]) -> (u64, usize) {
        let len = payload.len() + CRC_BYTES;
        let used = (self.offset() % PAGE_BYTES as u64) as usize;
        if len <= PAGE_BYTES && used + len > PAGE_BYTES {
            self.bytes.resize(self.bytes.len() + PAGE_BYTES - used, 0);
        }
        self.put(payload)
    }

    /// Appends bytes as they are.
    pub(super) fn put_unsealed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Where the next piece begins.
    pub(super) fn offset(&self) -> u64 {
        self.taken + self.bytes.len() as u64
    }

    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the pending bytes: they are in the file.
    pub(super) fn taken(&mut self) {
        self.taken += self.bytes.len() as u64;
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_another_place_or_file_do_not_pass() {
        let covers = Covers { from_position: 0, to_position: 9, from_lsn: 0, to_lsn: 3 };
        let seal = Seal::new(&[1; 16], &covers);
        let mut out = Output::new(seal);
        assert_eq!(out.put(b"same"), (0, 8));
        assert_eq!(out.put(b"same"), (8, 8));
        let bytes = out.pending().to_vec();
        assert_eq!(seal.open(0, &bytes[..8]), Some(&b"same"[..]));
        assert_eq!(seal.open(8, &bytes[8..]), Some(&b"same"[..]));
        assert_eq!(seal.open(0, &bytes[8..]), None);
        assert_eq!(seal.open(0, &bytes[..3]), None);
        assert_eq!(Seal::new(&[2; 16], &covers).open(0, &bytes[..8]), None);
        assert_eq!(Seal::new(&[1; 16], &Covers { to_lsn: 4, ..covers }).open(0, &bytes[..8]), None);
    }
}
