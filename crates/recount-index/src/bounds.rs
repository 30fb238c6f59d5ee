//! Which postings of a list are wanted, and in which order.

/// The order of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Ascending positions.
    #[default]
    Forward,
    /// Descending positions.
    Backward,
}

/// Which postings of a term are wanted: those at positions in (`after`, `until`], walked in one direction,
/// from a rank on. The default is all of them, forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Only positions greater than this.
    pub after: u64,
    /// Only positions up to this one.
    pub until: u64,
    /// The way to walk.
    pub direction: Direction,
    /// Start at this rank: forward skips lower ranks, backward higher ones.
    pub from_rank: Option<u64>,
    /// The walker needs every [`Posting::rank`]. In a [`RunSet`](crate::RunSet) this may cost a block read in
    /// each older run when no first revision is stored; without it ranks are given where they are known.
    pub ranked: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { after: 0, until: u64::MAX, direction: Direction::Forward, from_rank: None, ranked: false }
    }
}

impl Bounds {
    /// Positions in (`after`, `until`], ascending.
    pub fn between(after: u64, until: u64) -> Bounds {
        Bounds { after, until, ..Bounds::default() }
    }

    /// The same, descending.
    pub fn backward(self) -> Bounds {
        Bounds { direction: Direction::Backward, ..self }
    }

    /// The same, starting at `rank`, every rank known.
    pub fn from_rank(self, rank: u64) -> Bounds {
        Bounds { from_rank: Some(rank), ranked: true, ..self }
    }

    pub(crate) fn holds(&self, posting: Held) -> bool {
        let in_rank = match (self.from_rank, self.direction) {
            (None, _) => true,
            (Some(from), Direction::Forward) => posting.rank >= from,
            (Some(from), Direction::Backward) => posting.rank <= from,
        };
        in_rank && self.after < posting.position && posting.position <= self.until
    }
}

/// One event that has a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// Where the event stands in the total order.
    pub position: u64,
    /// How many postings of the term come before it, in whatever was walked: in a [`RunSet`](crate::RunSet)
    /// the whole database (a stream's revision), in one list that list. `None` = not known without more reads.
    pub rank: Option<u64>,
}

/// A posting within one list, where its rank is always known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) position: u64,
    pub(crate) rank: u64,
}

/// Where a walk of one list begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The first posting beyond a position.
    After(u64),
    /// The last posting up to a position.
    UpTo(u64),
    /// The posting of a rank within the list.
    Rank(u64),
}

impl Target {
    /// Where a walk within `bounds` of a list of `count` postings may begin: each of the two limits it starts
    /// from, the later one holds. Both are given so that the usual case seeks once.
    pub(crate) fn candidates(bounds: &Bounds, count: u64) -> (Target, Option<Target>) {
        let by_position = match bounds.direction {
            Direction::Forward => Target::After(bounds.after),
            Direction::Backward => Target::UpTo(bounds.until),
        };
        match (bounds.from_rank, bounds.direction) {
            (None | Some(0), Direction::Forward) | (None, Direction::Backward) => (by_position, None),
            (Some(rank), Direction::Forward) => (Target::Rank(rank), Some(by_position)),
            (Some(rank), Direction::Backward) if rank >= count => (by_position, None),
            (Some(rank), Direction::Backward) => (Target::Rank(rank), Some(by_position)),
        }
    }
}
