//! The postings of one term in one run, read piece by piece in either direction. Holds one chunk and the path
//! that leads to it.

use std::sync::Arc;

use crate::bounds::{Bounds, Direction, Held, Posting, Target};
use crate::error::ReadError;
use crate::packed::{Packed, Window};
use crate::run::Run;
use crate::run::block::Entry;
use crate::run::tree::{Node, Stored, choose, read_page};

/// A term found in a run.
#[derive(Debug, Clone)]
pub struct TermEntry {
    run: Arc<Run>,
    entry: Arc<Entry>,
}

impl TermEntry {
    pub(super) fn new(run: Arc<Run>, entry: Entry) -> TermEntry {
        TermEntry { run, entry: Arc::new(entry) }
    }

    /// Number of postings of the term in all older runs, if it was known when the run was made.
    pub fn first_revision(&self) -> Option<u64> {
        self.entry.first_revision
    }

    /// Number of postings in this run.
    pub fn count(&self) -> u64 {
        self.entry.count
    }

    /// How many postings are at positions up to this one.
    pub async fn count_up_to(&self, position: u64) -> Result<u64, ReadError> {
        if position < self.entry.first {
            return Ok(0);
        }
        if position >= self.entry.last {
            return Ok(self.entry.count);
        }
        let mut walk = self.postings(Bounds::between(position, u64::MAX));
        walk.seek(Target::After(position)).await?;
        Ok(walk.window.rank())
    }

    /// The postings within bounds. Ranks count from 0 within this run.
    pub fn postings(&self, bounds: Bounds) -> RunPostings {
        RunPostings { walk: Walk::new(self.clone()), bounds, window: Window::default(), begun: false }
    }

    /// A walk over the pieces as they are stored.
    pub(super) fn walk(&self) -> Walk {
        Walk::new(self.clone())
    }
}

/// A way through the tree of a list, chunk by chunk.
#[derive(Debug)]
pub(crate) struct Walk {
    list: TermEntry,
    /// From the root down: the nodes of a page, which of them was taken, and the postings before it.
    path: Vec<(Vec<Node>, usize, u64)>,
}

/// A chunk in the memory of the reader.
#[derive(Debug)]
pub(crate) struct Chunk {
    node: Node,
    rank_before: u64,
    deltas: Vec<u8>,
}

impl Chunk {
    pub(super) fn new(node: Node, rank_before: u64, deltas: Vec<u8>) -> Chunk {
        Chunk { node, rank_before, deltas }
    }

    pub(crate) fn packed(&self) -> Packed<'_> {
        let Node { first, last, count, .. } = self.node;
        Packed { first, last, count, deltas: &self.deltas }
    }
}

impl Walk {
    fn new(list: TermEntry) -> Walk {
        Walk { list, path: Vec::new() }
    }

    /// The chunk that has the target, or the nearest one.
    pub(crate) async fn seek(&mut self, target: Target) -> Result<Chunk, ReadError> {
        self.path.clear();
        match &self.list.entry.clone().stored {
            Stored::Inline(deltas) => {
                let Entry { first, last, count, .. } = *self.list.entry;
                let node = Node { first, last, count, offset: 0, len: 0 };
                Ok(Chunk { node, rank_before: 0, deltas: deltas.clone() })
            }
            Stored::Tree(height, root) => self.descend(*root, *height, 0, target).await,
        }
    }

    /// The chunk beside the last one, if there is one in this direction.
    pub(crate) async fn step(&mut self, direction: Direction) -> Result<Option<Chunk>, ReadError> {
        let mut height = 0;
        while let Some((nodes, at, rank)) = self.path.last_mut() {
            let beside = match direction {
                Direction::Forward => {
                    *rank += nodes[*at].count;
                    *at + 1
                }
                Direction::Backward => at.wrapping_sub(1),
            };
            if let Some(&node) = nodes.get(beside) {
                *at = beside;
                if direction == Direction::Backward {
                    *rank -= node.count;
                }
                let (rank, target) = match direction {
                    Direction::Forward => (*rank, Target::Rank(0)),
                    Direction::Backward => (*rank, Target::Rank(u64::MAX)),
                };
                return self.descend(node, height, rank, target).await.map(Some);
            }
            self.path.pop();
            height += 1;
        }
        Ok(None)
    }

    async fn descend(
        &mut self,
        mut node: Node,
        height: u8,
        mut rank: u64,
        target: Target,
    ) -> Result<Chunk, ReadError> {
        let run = &self.list.run;
        for _ in 0..height {
            let payload = run.read_block(node.offset, node.len).await?;
            let nodes = read_page(&payload, &node).map_err(|flaw| run.flawed(node.offset, flaw))?;
            let (at, before) = choose(&nodes, rank, target);
            node = nodes[at];
            rank = before;
            self.path.push((nodes, at, rank));
        }
        let deltas = run.read_block(node.offset, node.len).await?;
        Ok(Chunk { node, rank_before: rank, deltas })
    }
}

/// A walk over the postings of a term in a run. See [`TermEntry::postings`].
#[derive(Debug)]
pub struct RunPostings {
    walk: Walk,
    /// What is left: narrowed by every posting given out.
    bounds: Bounds,
    window: Window,
    /// The window stands where the bounds begin. Unset while a read is under way.
    begun: bool,
}

impl RunPostings {
    /// The next posting; `None` at the end. After an error, or when dropped half-way, the next call tries again.
    pub async fn next(&mut self) -> Result<Option<Posting>, ReadError> {
        let held = self.held().await?.filter(|held| self.bounds.holds(*held));
        let Some(held) = held else { return Ok(None) };
        match self.bounds.direction {
            Direction::Forward => self.bounds.after = held.position,
            Direction::Backward => self.bounds.until = held.position - 1,
        }
        Ok(Some(Posting { position: held.position, rank: Some(held.rank) }))
    }

    #[inline]
    async fn held(&mut self) -> Result<Option<Held>, ReadError> {
        if !self.begun {
            self.begin().await?;
        }
        if let Some(held) = self.window.take(self.bounds.direction) {
            return Ok(Some(held));
        }
        self.begun = false;
        if let Some(chunk) = self.walk.step(self.bounds.direction).await? {
            self.load(&chunk)?;
        }
        self.begun = true;
        Ok(self.window.take(self.bounds.direction))
    }

    async fn begin(&mut self) -> Result<(), ReadError> {
        let (target, other) = Target::candidates(&self.bounds, self.walk.list.entry.count);
        self.seek(target).await?;
        let begins = self.window.peek(self.bounds.direction);
        if let (Some(other), Some(held)) = (other, begins)
            && !self.bounds.holds(held)
        {
            self.seek(other).await?;
        }
        self.begun = true;
        Ok(())
    }

    async fn seek(&mut self, target: Target) -> Result<(), ReadError> {
        let chunk = self.walk.seek(target).await?;
        self.load(&chunk)?;
        self.window.seek(target, self.bounds.direction);
        Ok(())
    }

    fn load(&mut self, chunk: &Chunk) -> Result<(), ReadError> {
        let loaded = self.window.load(&chunk.packed(), chunk.rank_before, self.bounds.direction);
        loaded.map_err(|flaw| self.walk.list.run.flawed(chunk.node.offset, flaw))
    }
}
