//! Reads all terms of a run in order, one block at a time, past the cache. For merging.

use std::sync::Arc;

use crate::error::ReadError;
use crate::frames::FrameRef;
use crate::run::block::{BlockReader, Entry};
use crate::run::fences::Group;
use crate::run::{Run, RunPage, TermEntry};

/// A place in the sequence of a run's terms.
#[derive(Debug)]
pub(crate) struct TermScan {
    run: Arc<Run>,
    next_group: usize,
    group: Option<Group>,
    next_block: usize,
    /// The terms of the block reached that were not taken, last first.
    terms: Vec<(Vec<u8>, Entry)>,
}

impl TermScan {
    pub(crate) async fn new(run: &Arc<Run>) -> Result<TermScan, ReadError> {
        let mut scan =
            TermScan { run: run.clone(), next_group: 0, group: None, next_block: 0, terms: Vec::new() };
        scan.fill().await?;
        Ok(scan)
    }

    /// The next term.
    pub(crate) fn term(&self) -> Option<&[u8]> {
        self.terms.last().map(|(term, _)| term.as_slice())
    }

    /// Takes the next term's entry.
    pub(crate) async fn take(&mut self) -> Result<Option<TermEntry>, ReadError> {
        let taken = self.terms.pop();
        if self.terms.is_empty() {
            self.fill().await?;
        }
        Ok(taken.map(|(_, entry)| TermEntry::new(self.run.clone(), entry)))
    }

    /// Reads the next block.
    async fn fill(&mut self) -> Result<(), ReadError> {
        let run = &self.run;
        while self.terms.is_empty() {
            let block = self.group.as_ref().and_then(|group| group.blocks.piece(self.next_block));
            if let Some((offset, len)) = block {
                self.next_block += 1;
                let payload = run.read_block(offset, len).await?;
                let read = BlockReader::new(&payload, run.frame(offset)).read_all(&mut self.terms);
                read.map_err(|flaw| run.flawed(offset, flaw))?;
                self.terms.reverse();
                continue;
            }
            let Some((offset, len)) = run.root().await?.piece(self.next_group) else { return Ok(()) };
            self.next_group += 1;
            self.next_block = 0;
            let payload = run.read_sealed(offset, len).await?;
            self.group = Some(Group::decode(&payload, offset).map_err(|flaw| run.flawed(offset, flaw))?);
        }
        Ok(())
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
