//! The footer: the last 160 bytes of a run file. All that opening reads.

use crate::error::Flaw;
use crate::filter::LINE_BYTES;
use crate::run::seal::{CRC_BYTES, PAGE_BYTES};
use crate::wire::Reader;

pub(super) const FOOTER_BYTES: usize = 160;
const MAGIC: [u8; 8] = *b"RcIdxRun";
/// 2: one filter for the whole run. Runs of version 1 had one for each group; opening removes them, and the store indexes
/// again.
const VERSION: u32 = 2;
const RESERVED_BYTES: usize = 4;

/// What part of the journal a run covers: all events at positions in (`from_position`, `to_position`], all
/// frames with lsns in (`from_lsn`, `to_lsn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covers {
    /// The last position of what is older.
    pub from_position: u64,
    /// The last position here.
    pub to_position: u64,
    /// The last lsn of what is older.
    pub from_lsn: u64,
    /// The last lsn here.
    pub to_lsn: u64,
}

impl Covers {
    /// `{from_position:020}-{to_position:020}.run`
    pub fn file_name(&self) -> String {
        format!("{:020}-{:020}.run", self.from_position, self.to_position)
    }
}

/// A sealed piece of the file: offset and length with its seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Section {
    pub(super) offset: u64,
    pub(super) len: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) database: [u8; 16],
    /// Of the key that the filters were made with.
    pub(super) key_fingerprint: u64,
    pub(super) covers: Covers,
    pub(super) terms: u64,
    pub(super) postings: u64,
    pub(super) frames: u64,
    /// The fences of all groups.
    pub(super) root: Section,
    /// The root of the frame table.
    pub(super) frame_root: Section,
    pub(super) filter: FilterSection,
    /// Length of the file, footer included.
    pub(super) file_bytes: u64,
}

/// Lines of a page of the filter: what a page of the system's cache has room for.
pub(super) const FILTER_PAGE_LINES: usize = (PAGE_BYTES - CRC_BYTES) / LINE_BYTES;

/// The filter over all terms: pages of [`FILTER_PAGE_LINES`] lines, the last one of what is left. Each but the first
/// begins at the next multiple of [`PAGE_BYTES`] in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct FilterSection {
    pub(super) offset: u64,
    pub(super) lines: u64,
}

impl FilterSection {
    pub(super) fn pages(self) -> u64 {
        self.lines.div_ceil(FILTER_PAGE_LINES as u64)
    }

    /// A page, with its seal.
    pub(super) fn page(self, page: u64) -> Section {
        let per_page = FILTER_PAGE_LINES as u64;
        let lines = self.lines.saturating_sub(page * per_page).min(per_page);
        let len = lines * LINE_BYTES as u64 + CRC_BYTES as u64;
        let page_bytes = PAGE_BYTES as u64;
        let offset = match page {
            0 => self.offset,
            _ => self.offset - self.offset % page_bytes + page * page_bytes,
        };
        Section { offset, len }
    }
}

impl Footer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(FOOTER_BYTES as u32).to_le_bytes());
        out.extend_from_slice(&self.database);
        let Covers { from_position, to_position, from_lsn, to_lsn } = self.covers;
        let numbers = [
            self.key_fingerprint,
            from_position,
            to_position,
            from_lsn,
            to_lsn,
            self.terms,
            self.postings,
            self.frames,
            self.root.offset,
            self.root.len,
            self.frame_root.offset,
            self.frame_root.len,
            self.filter.offset,
            self.filter.lines,
            self.file_bytes,
        ];
        numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        out.extend_from_slice(&[0; RESERVED_BYTES]);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a footer that ends a file of `file_bytes`.
    pub(super) fn decode(bytes: &[u8], file_bytes: u64) -> Result<Footer, Flaw> {
        let mut reader = Reader::new(bytes);
        let Some((body, crc)) = bytes.split_last_chunk::<CRC_BYTES>() else {
            return Err(reader.flaw("the file is shorter than a footer"));
        };
        if reader.array()? != MAGIC {
            return Err(reader.flaw("the file does not end with the footer of a run"));
        }
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return Err(reader.flaw("the footer fails its checksum"));
        }
        if reader.u32()? != VERSION || reader.u32()? != FOOTER_BYTES as u32 {
            return Err(reader.flaw("the run has a format version other than 2"));
        }
        let footer = Footer {
            database: reader.array()?,
            key_fingerprint: reader.u64()?,
            covers: Covers {
                from_position: reader.u64()?,
                to_position: reader.u64()?,
                from_lsn: reader.u64()?,
                to_lsn: reader.u64()?,
            },
            terms: reader.u64()?,
            postings: reader.u64()?,
            frames: reader.u64()?,
            root: Section { offset: reader.u64()?, len: reader.u64()? },
            frame_root: Section { offset: reader.u64()?, len: reader.u64()? },
            filter: FilterSection { offset: reader.u64()?, lines: reader.u64()? },
            file_bytes: reader.u64()?,
        };
        if reader.array()? != [0; RESERVED_BYTES] {
            return Err(reader.flaw("reserved bytes of the footer are in use"));
        }
        if footer.file_bytes != file_bytes {
            return Err(reader.flaw("the file has another length than its footer states"));
        }
        if footer.covers.from_position >= footer.covers.to_position
            || footer.covers.from_lsn > footer.covers.to_lsn
        {
            return Err(reader.flaw("the run covers no positions"));
        }
        let FilterSection { offset, lines } = footer.filter;
        let in_page = footer.filter.page(0).len + offset % PAGE_BYTES as u64 <= PAGE_BYTES as u64;
        if lines == 0 || lines > file_bytes / LINE_BYTES as u64 || offset > file_bytes || !in_page {
            return Err(reader.flaw("the filter cannot lie in the file"));
        }
        Ok(footer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn footer_round_trips_and_rejects() {
        let footer = FOOTER;
        let bytes = footer.encode();
        assert_eq!(bytes.len(), FOOTER_BYTES);
        assert_eq!(Footer::decode(&bytes, 1000), Ok(footer));
        assert!(Footer::decode(&bytes, 1001).is_err());
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(Footer::decode(&flipped, 1000).is_err(), "byte {at}");
            assert!(Footer::decode(&bytes[..at], 1000).is_err(), "cut at {at}");
        }
    }

    const FOOTER: Footer = Footer {
        database: [9; 16],
        key_fingerprint: 1,
        covers: Covers { from_position: 2, to_position: 3, from_lsn: 4, to_lsn: 5 },
        terms: 6,
        postings: 7,
        frames: 8,
        root: Section { offset: 9, len: 10 },
        frame_root: Section { offset: 11, len: 12 },
        filter: FilterSection { offset: 13, lines: 2 },
        file_bytes: 1000,
    };

    #[test]
    fn a_footer_that_cannot_be_is_rejected_for_what_is_wrong() {
        let decode = |footer: Footer| Footer::decode(&footer.encode(), 1000);
        let covers = |from_position, to_position, from_lsn, to_lsn| Footer {
            covers: Covers { from_position, to_position, from_lsn, to_lsn },
            ..FOOTER
        };
        for (footer, good) in
            [(covers(2, 2, 4, 5), false), (covers(3, 2, 4, 5), false), (covers(2, 3, 5, 5), true)]
        {
            assert_eq!(decode(footer).is_ok(), good, "{footer:?}");
        }
        assert!(decode(covers(2, 3, 6, 5)).is_err());
        let filter = |offset, lines| Footer { filter: FilterSection { offset, lines }, ..FOOTER };
        for (offset, lines) in [(100, 2), (13, 15), (1000, 1)] {
            assert_eq!(decode(filter(offset, lines)), Ok(filter(offset, lines)), "{lines} lines at {offset}");
        }
        for (offset, lines) in [(13, 0), (13, 16), (13, 17), (1001, 1), (1002, 1)] {
            assert!(decode(filter(offset, lines)).is_err(), "{lines} lines at {offset}");
        }
        // The first page must not pass the end of the system's.
        let large = |offset, lines| {
            let footer = Footer { file_bytes: 1 << 20, ..filter(offset, lines) };
            Footer::decode(&footer.encode(), 1 << 20).is_ok()
        };
        assert!(large(4096 - 68, 1) && !large(4096 - 67, 1) && large(4096, 1));
        // Other versions and sizes, with a right checksum.
        for at in [8, 12] {
            let mut bytes = FOOTER.encode();
            bytes[at] += 1;
            let body = bytes.len() - CRC_BYTES;
            let crc = crc32c::crc32c(&bytes[..body]);
            bytes[body..].copy_from_slice(&crc.to_le_bytes());
            let what = Footer::decode(&bytes, 1000).unwrap_err().what;
            assert_eq!(what, "the run has a format version other than 2");
        }
    }

    #[test]
    fn pages_of_a_filter_lie_in_pages_of_the_system() {
        let section = FilterSection { offset: 5000, lines: 130 };
        let pages: Vec<_> = (0..section.pages()).map(|page| section.page(page)).collect();
        let page = |offset, lines: u64| Section { offset, len: lines * 64 + 4 };
        assert_eq!(pages, [page(5000, 63), page(8192, 63), page(12_288, 4)]);
    }
}
