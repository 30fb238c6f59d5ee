//! What the tests share: an index in memory, and a naive model of it.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use recount_env::memory::memory_env;
use recount_env::{Env, OpenMode, block_on};

use crate::{Bounds, Direction, Memtable, Posting, RunSet, merge_runs, plan_merge, unpaced};

pub(crate) const DATABASE: [u8; 16] = *b"database-uuid-16";
pub(crate) const KEY: [u8; 16] = *b"0123456789abcdef";
pub(crate) const DIR: &str = "/db/index";

/// What an index should answer, by the simplest means.
#[derive(Debug, Default, Clone)]
pub(crate) struct Model(pub(crate) BTreeMap<Vec<u8>, Vec<u64>>);

impl Model {
    pub(crate) fn positions(&self, term: &[u8]) -> &[u64] {
        self.0.get(term).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn count(&self, term: &[u8], after: u64, until: u64) -> u64 {
        self.positions(term).iter().filter(|&&p| after < p && p <= until).count() as u64
    }

    /// The postings within bounds, as (rank, position).
    pub(crate) fn postings(&self, term: &[u8], bounds: &Bounds) -> Vec<(u64, u64)> {
        let ranked = self.positions(term).iter().enumerate().map(|(rank, &position)| (rank as u64, position));
        let within = ranked.filter(|&(rank, position)| {
            let from = bounds.from_rank;
            let in_rank = match bounds.direction {
                Direction::Forward => from.is_none_or(|from| from <= rank),
                Direction::Backward => from.is_none_or(|from| rank <= from),
            };
            in_rank && bounds.after < position && position <= bounds.until
        });
        let mut postings: Vec<_> = within.collect();
        if bounds.direction == Direction::Backward {
            postings.reverse();
        }
        postings
    }
}

/// An index and its model, changed together.
pub(crate) struct Tested {
    pub(crate) env: Env,
    pub(crate) set: RunSet,
    pub(crate) memtable: Memtable,
    pub(crate) model: Model,
    pub(crate) position: u64,
    pub(crate) lsn: u64,
    /// The model of what is in runs.
    pub(crate) flushed: Model,
}

impl Tested {
    pub(crate) fn new() -> Tested {
        let env = memory_env();
        let opened = block_on(RunSet::open(&env, Path::new(DIR), DATABASE, &KEY)).unwrap();
        Tested {
            env,
            set: opened.set,
            memtable: Memtable::new(&KEY),
            model: Model::default(),
            position: 0,
            lsn: 0,
            flushed: Model::default(),
        }
    }

    /// The bytes of a file of the index.
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        block_on(async {
            let file = self.env.files.open(&Path::new(DIR).join(name), OpenMode::Read).await.unwrap();
            let mut bytes = vec![0; file.len().await.unwrap() as usize];
            file.read_at(0, &mut bytes).await.unwrap();
            bytes
        })
    }

    /// Changes or creates a file of the index; whoever has it open sees the change.
    pub(crate) fn set_bytes(&self, name: &str, bytes: &[u8]) {
        let path = Path::new(DIR).join(name);
        block_on(async {
            let file = match self.env.files.open(&path, OpenMode::ReadWrite).await {
                Ok(file) => file,
                Err(_) => self.env.files.open(&path, OpenMode::CreateNew).await.unwrap(),
            };
            file.set_len(bytes.len() as u64).await.unwrap();
            file.write_at(0, bytes).await.unwrap();
        });
    }

    /// Adds an event `gap` positions on, with these terms.
    pub(crate) fn add(&mut self, gap: u64, terms: &[&[u8]], with_base: bool) {
        self.position += gap;
        for term in terms {
            let before = with_base.then(|| self.model.positions(term).len() as u64);
            self.memtable.add(term, self.position, before);
            self.model.0.entry(term.to_vec()).or_default().push(self.position);
        }
    }

    pub(crate) fn flush(&mut self) {
        if self.position == self.set.covered_to_position() {
            return;
        }
        let run = block_on(self.set.write_run(&self.memtable, self.position, self.lsn, &unpaced)).unwrap();
        self.set = self.set.with(run);
        self.memtable = Memtable::new(&KEY);
        self.flushed = self.model.clone();
    }

    pub(crate) fn merge(&mut self, range: std::ops::Range<usize>) {
        let run = block_on(merge_runs(&self.set, range, &unpaced)).unwrap();
        self.set = self.set.replaced(run);
    }

    pub(crate) fn merge_as_planned(&mut self) {
        while let Some(range) = plan_merge(&self.set) {
            self.merge(range);
        }
    }

    pub(crate) fn reopen(&mut self) {
        let opened = block_on(RunSet::open(&self.env, Path::new(DIR), DATABASE, &KEY)).unwrap();
        assert_eq!(opened.dropped, []);
        assert_eq!(opened.set.covered_to_position(), self.set.covered_to_position());
        assert_eq!(opened.set.covered_to_lsn(), self.set.covered_to_lsn());
        self.set = opened.set;
    }

    /// The runs answer as the model does.
    pub(crate) fn check_term(&self, term: &[u8], bounds: &Bounds) {
        let model = &self.flushed;
        let length = block_on(self.set.stream_length(term)).unwrap();
        assert_eq!(length, model.positions(term).len() as u64);
        let count = block_on(self.set.count_between(term, bounds.after, bounds.until)).unwrap();
        assert_eq!(count, model.count(term, bounds.after, bounds.until), "{bounds:?}");
        let found = block_on(collect(&self.set, term, *bounds)).unwrap();
        let expected = model.postings(term, bounds);
        let same = |posting: &Posting, &(rank, position): &(u64, u64)| {
            let rank_given = posting.rank.is_some_and(|r| r == rank);
            posting.position == position && (rank_given || posting.rank.is_none() && !bounds.ranked)
        };
        let equal = found.len() == expected.len() && found.iter().zip(&expected).all(|(f, e)| same(f, e));
        assert!(equal, "{bounds:?}: {found:?} instead of {expected:?}");
    }
}

pub(crate) async fn collect(
    set: &RunSet,
    term: &[u8],
    bounds: Bounds,
) -> Result<Vec<Posting>, crate::ReadError> {
    let mut postings = set.postings(term, bounds);
    let mut out = Vec::new();
    while let Some(posting) = postings.next().await? {
        out.push(posting);
    }
    Ok(out)
}

/// Bounds around positions and ranks up to these.
pub(crate) fn any_bounds(position: u64, rank: u64) -> impl Strategy<Value = Bounds> {
    let edge = prop_oneof![Just(0), Just(u64::MAX), 0..=position + 1];
    let from_rank =
        prop_oneof![Just(None), Just(Some(0)), Just(Some(u64::MAX)), (0..=rank + 1).prop_map(Some)];
    (edge.clone(), edge, from_rank, any::<bool>(), any::<bool>()).prop_map(
        |(after, until, from_rank, backward, ranked)| Bounds {
            after,
            until,
            direction: if backward { Direction::Backward } else { Direction::Forward },
            from_rank,
            ranked: ranked || from_rank.is_some(),
        },
    )
}
