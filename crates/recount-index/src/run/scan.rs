//! Reads all terms of a run in order, one block at a time, past the cache. For merging.

use std::sync::Arc;

use crate::bounds::{Direction, Target};
use crate::error::ReadError;
use crate::frames::FrameRef;
use crate::packed::Packed;
use crate::run::block::{BlockScan, Entry};
use crate::run::fences::Fences;
use crate::run::postings::{Chunk, Walk};
use crate::run::tree::{Node, Stored};
use crate::run::{Run, RunPage, TermEntry};

/// A place in the sequence of a run's terms.
#[derive(Debug)]
pub(crate) struct TermScan {
    run: Arc<Run>,
    next_group: usize,
    group: Option<Fences>,
    next_block: usize,
    block: BlockScan,
    /// The entry reached, whose term the block has.
    entry: Option<Entry>,
}

/// The postings of a term, piece by piece as they are stored.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) first_revision: Option<u64>,
    pub(crate) count: u64,
    piece: Chunk,
    /// The way to the next pieces, of a tree.
    walk: Option<Walk>,
}

impl TermScan {
    pub(crate) async fn new(run: &Arc<Run>) -> Result<TermScan, ReadError> {
        let mut scan = TermScan {
            run: run.clone(),
            next_group: 0,
            group: None,
            next_block: 0,
            block: BlockScan::default(),
            entry: None,
        };
        scan.advance().await?;
        Ok(scan)
    }

    /// The next term.
    pub(crate) fn term(&self) -> Option<&[u8]> {
        self.entry.as_ref().map(|_| self.block.term())
    }

    /// Takes the next term's postings.
    pub(crate) async fn take(&mut self) -> Result<Option<List>, ReadError> {
        let Some(entry) = self.entry.take() else { return Ok(None) };
        self.advance().await?;
        let Entry { first_revision, first, last, count, stored } = entry;
        let (piece, walk) = match stored {
            Stored::Inline(deltas) => {
                (Chunk::new(Node { first, last, count, offset: 0, len: 0 }, 0, deltas), None)
            }
            Stored::Tree(..) => {
                let entry = Entry { first_revision, first, last, count, stored };
                let mut walk = TermEntry::new(self.run.clone(), entry).walk();
                (walk.seek(Target::Rank(0)).await?, Some(walk))
            }
        };
        Ok(Some(List { first_revision, count, piece, walk }))
    }

    /// Reads the next entry, of the next block if this one has no more.
    async fn advance(&mut self) -> Result<(), ReadError> {
        let run = &self.run;
        loop {
            self.entry = self.block.next().map_err(|flaw| run.flawed(self.block.offset(), flaw))?;
            if self.entry.is_some() {
                return Ok(());
            }
            let block = self.group.as_ref().and_then(|group| group.piece(self.next_block));
            if let Some((offset, len)) = block {
                self.next_block += 1;
                self.block.enter(run.read_block(offset, len).await?, run.frame(offset));
                continue;
            }
            let Some((offset, len)) = run.root().await?.piece(self.next_group) else { return Ok(()) };
            self.next_group += 1;
            self.next_block = 0;
            let payload = run.read_sealed(offset, len).await?;
            let group = Fences::decode_piece(&payload, offset).map_err(|flaw| run.flawed(offset, flaw))?;
            self.group = Some(group);
        }
    }

    /// Damage of the file that is read.
    pub(crate) fn damage(&self, what: &'static str) -> ReadError {
        self.run.damage(self.block.offset(), what)
    }
}

impl List {
    /// The piece reached.
    pub(crate) fn piece(&self) -> Packed<'_> {
        self.piece.packed()
    }

    /// Goes to the next piece; false at the end.
    pub(crate) async fn step(&mut self) -> Result<bool, ReadError> {
        let Some(walk) = &mut self.walk else { return Ok(false) };
        match walk.step(Direction::Forward).await? {
            Some(piece) => self.piece = piece,
            None => return Ok(false),
        }
        Ok(true)
    }
}

impl Run {
    /// The frames of one page of the frame table; `None` beyond the last.
    pub(crate) async fn frames_of_page(&self, page: usize) -> Result<Option<Vec<FrameRef>>, ReadError> {
        let root = self.frame_root_page().await?;
        let RunPage::FrameRoot(root) = &*root else { unreachable!("one offset holds one kind of page") };
        let Some(&(offset, len)) = root.pages.get(page) else { return Ok(None) };
        let payload = self.read_sealed(offset, len).await?;
        let read = crate::frames::read_frames(&mut crate::wire::Reader::new(&payload));
        read.map(Some).map_err(|flaw| self.flawed(offset, flaw))
    }
}
