//! Makes the bytes of a run, front to back, from terms in order. No I/O: the caller takes what is pending and
//! writes it. Memory: the filter, the root, and what the caller lets pend.

use crate::filter::{Filter, LINE_BYTES, TermHasher};
use crate::frames::{FrameRef, FrameRoot, put_frame};
use crate::packed::Packed;
use crate::run::block::{BLOCK_BYTES, put_entry};
use crate::run::fences::{Fences, fence};
use crate::run::footer::{Covers, FILTER_PAGE_LINES, FOOTER_BYTES, FilterSection, Footer, Section};
use crate::run::seal::{Output, Seal};
use crate::run::tree::TreeWriter;

/// Blocks of a group.
const GROUP_BLOCKS: usize = 256;
const FRAME_PAGE_BYTES: usize = 4 << 10;

pub(crate) struct RunBuilder {
    hasher: TermHasher,
    footer: Footer,
    out: Output,
    tree: TreeWriter,
    /// The block being filled, its fence, and an entry being made.
    block: Vec<u8>,
    block_fence: Vec<u8>,
    entry: Vec<u8>,
    /// The last term.
    term: Vec<u8>,
    /// The group being filled.
    blocks: Fences,
    root: Fences,
    filter: Filter,
    frame_page: Vec<u8>,
    frame_root: FrameRoot,
    frame_before: FrameRef,
    terms_ended: bool,
}

impl RunBuilder {
    /// A run of `terms_max` terms at most.
    pub(crate) fn new(
        database: &[u8; 16],
        hasher: &TermHasher,
        covers: Covers,
        terms_max: u64,
    ) -> RunBuilder {
        assert!(covers.from_position < covers.to_position, "a run covers positions: {covers:?}");
        assert!(covers.from_lsn <= covers.to_lsn, "a run covers frames in order: {covers:?}");
        RunBuilder {
            hasher: hasher.clone(),
            footer: Footer {
                database: *database,
                key_fingerprint: hasher.fingerprint(),
                covers,
                terms: 0,
                postings: 0,
                frames: 0,
                root: Section::default(),
                frame_root: Section::default(),
                filter: FilterSection::default(),
                file_bytes: 0,
            },
            out: Output::new(Seal::new(database, &covers)),
            tree: TreeWriter::default(),
            block: Vec::new(),
            block_fence: Vec::new(),
            entry: Vec::new(),
            term: Vec::new(),
            blocks: Fences::default(),
            root: Fences::default(),
            filter: Filter::new(terms_max),
            frame_page: Vec::new(),
            frame_root: FrameRoot::default(),
            frame_before: FrameRef::default(),
            terms_ended: false,
        }
    }

    /// Adds postings of the term that [`end_term`](Self::end_term) will name.
    pub(crate) fn push(&mut self, piece: &Packed<'_>) {
        self.tree.push(piece, &mut self.out);
    }

    /// Ends the postings of `term`, which is greater than the one before.
    pub(crate) fn end_term(&mut self, term: &[u8], first_revision: Option<u64>) {
        assert!(term > self.term.as_slice() || self.footer.terms == 0, "terms ascend");
        let list = self.tree.finish(&mut self.out);
        let covers = self.footer.covers;
        assert!(
            list.count > 0 && covers.from_position < list.first && list.last <= covers.to_position,
            "postings {}..={} lie outside of {covers:?}",
            list.first,
            list.last,
        );
        self.entry.clear();
        put_entry(&mut self.entry, &self.term, term, first_revision, &list, covers.from_position);
        if self.block.len() + self.entry.len() > BLOCK_BYTES {
            self.close_block();
            self.entry.clear();
            put_entry(&mut self.entry, &[], term, first_revision, &list, covers.from_position);
        }
        if self.block.is_empty() {
            self.block_fence.clear();
            self.block_fence.extend_from_slice(fence(&self.term, term));
        }
        self.block.extend_from_slice(&self.entry);
        self.filter.insert(self.hasher.hash(term));
        self.term.clear();
        self.term.extend_from_slice(term);
        self.footer.terms += 1;
        self.footer.postings += list.count;
    }

    /// Adds a frame, in journal order, after all terms.
    pub(crate) fn frame(&mut self, frame: &FrameRef) {
        self.end_terms();
        if self.frame_page.is_empty() {
            self.frame_root.firsts.push(*frame);
            self.frame_before = FrameRef::default();
        }
        put_frame(&mut self.frame_page, &self.frame_before, frame);
        self.frame_before = *frame;
        self.footer.frames += 1;
        if self.frame_page.len() >= FRAME_PAGE_BYTES {
            self.close_frame_page();
        }
    }

    /// Ends terms and frames; [`put_filter_page`](Self::put_filter_page) and [`put_footer`](Self::put_footer) follow.
    pub(crate) fn finish(&mut self) {
        self.end_terms();
        if !self.frame_page.is_empty() {
            self.close_frame_page();
        }
        let mut root = Vec::new();
        self.root.encode(&mut root);
        let section = |(offset, len)| Section { offset, len: len as u64 };
        self.footer.root = section(self.out.put(&root));
        self.footer.frame_root = section(self.out.put(&self.frame_root.encode()));
        self.filter.fold(self.footer.terms);
    }

    /// Adds the next page of the filter; false if there is none.
    pub(crate) fn put_filter_page(&mut self) -> bool {
        let begin = self.footer.filter.lines as usize;
        let page = self.filter.page(begin..begin + FILTER_PAGE_LINES);
        if page.is_empty() {
            return false;
        }
        let (offset, _) = self.out.put_in_page(&page);
        if begin == 0 {
            self.footer.filter.offset = offset;
        }
        self.footer.filter.lines += (page.len() / LINE_BYTES) as u64;
        true
    }

    /// Ends the file.
    pub(crate) fn put_footer(&mut self) {
        self.footer.file_bytes = self.out.offset() + FOOTER_BYTES as u64;
        let footer = self.footer.encode();
        self.out.put_unsealed(&footer);
    }

    /// Bytes made and not yet taken; they continue the file where the last taken ones ended.
    pub(crate) fn pending(&self) -> &[u8] {
        self.out.pending()
    }

    /// The pending bytes are in the file.
    pub(crate) fn taken(&mut self) {
        self.out.taken();
    }

    fn end_terms(&mut self) {
        if !std::mem::replace(&mut self.terms_ended, true) {
            if !self.block.is_empty() {
                self.close_block();
            }
            if self.blocks.len() > 0 {
                self.close_group();
            }
        }
    }

    fn close_block(&mut self) {
        let (offset, len) = self.out.put_in_page(&self.block);
        self.blocks.push(&self.block_fence, offset, len);
        self.block.clear();
        if self.blocks.len() >= GROUP_BLOCKS {
            self.close_group();
        }
    }

    fn close_group(&mut self) {
        let mut group = Vec::new();
        self.blocks.encode(&mut group);
        let (offset, len) = self.out.put(&group);
        if let Some(key) = self.blocks.first_key() {
            self.root.push(key, offset, len);
        }
        self.blocks.clear();
    }

    fn close_frame_page(&mut self) {
        self.frame_root.pages.push(self.out.put(&self.frame_page));
        self.frame_page.clear();
    }
}
