//! What the tests share: files in memory, and a naive model of an index.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use recount_env::{Clock, Entropy, Env, File, Files, Io, Lock, OpenMode, Signal, Task, Tasks, block_on};

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
    pub(crate) files: Arc<MemoryFiles>,
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
        let (env, files) = memory();
        let opened = block_on(RunSet::open(&env, Path::new(DIR), DATABASE, &KEY)).unwrap();
        Tested {
            env,
            files,
            set: opened.set,
            memtable: Memtable::new(&KEY),
            model: Model::default(),
            position: 0,
            lsn: 0,
            flushed: Model::default(),
        }
    }

    /// Adds an event `gap` positions on, with these terms.
    pub(crate) fn add(&mut self, gap: u64, terms: &[&[u8]], with_base: bool) {
        self.position += gap;
        for term in terms {
            let base = with_base.then(|| self.flushed.positions(term).len() as u64);
            self.memtable.add(term, self.position, base);
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

#[derive(Default)]
pub(crate) struct MemoryFiles(Mutex<BTreeMap<PathBuf, Arc<MemoryFile>>>);

#[derive(Default)]
pub(crate) struct MemoryFile(Mutex<Vec<u8>>);

impl MemoryFiles {
    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        self.0.lock().unwrap()[path].0.lock().unwrap().clone()
    }

    pub(crate) fn set_bytes(&self, path: &Path, bytes: &[u8]) {
        *self.0.lock().unwrap().entry(path.to_owned()).or_default().0.lock().unwrap() = bytes.to_vec();
    }
}

fn ready<'a, T: Send + 'a>(result: io::Result<T>) -> Io<'a, T> {
    Box::pin(std::future::ready(result))
}

fn not_found<T>() -> io::Result<T> {
    Err(io::ErrorKind::NotFound.into())
}

impl File for MemoryFile {
    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Io<'a, usize> {
        let bytes = self.0.lock().unwrap();
        let at = (offset as usize).min(bytes.len());
        let n = buf.len().min(bytes.len() - at);
        buf[..n].copy_from_slice(&bytes[at..at + n]);
        ready(Ok(n))
    }

    fn write_at<'a>(&'a self, offset: u64, data: &'a [u8]) -> Io<'a, ()> {
        let mut bytes = self.0.lock().unwrap();
        let end = offset as usize + data.len();
        let len = bytes.len().max(end);
        bytes.resize(len, 0);
        bytes[offset as usize..end].copy_from_slice(data);
        ready(Ok(()))
    }

    fn sync_data(&self) -> Io<'_, ()> {
        ready(Ok(()))
    }

    fn set_len(&self, len: u64) -> Io<'_, ()> {
        self.0.lock().unwrap().resize(len as usize, 0);
        ready(Ok(()))
    }

    fn len(&self) -> Io<'_, u64> {
        ready(Ok(self.0.lock().unwrap().len() as u64))
    }
}

impl Files for MemoryFiles {
    fn open<'a>(&'a self, path: &'a Path, mode: OpenMode) -> Io<'a, Arc<dyn File>> {
        let mut files = self.0.lock().unwrap();
        ready(match (files.get(path), mode) {
            (Some(_), OpenMode::CreateNew) => Err(io::ErrorKind::AlreadyExists.into()),
            (Some(file), _) => Ok(file.clone() as Arc<dyn File>),
            (None, OpenMode::CreateNew) => {
                let file = Arc::new(MemoryFile::default());
                files.insert(path.to_owned(), file.clone());
                Ok(file as Arc<dyn File>)
            }
            (None, _) => not_found(),
        })
    }

    fn create_dir<'a>(&'a self, _: &'a Path) -> Io<'a, ()> {
        ready(Ok(()))
    }

    fn list<'a>(&'a self, path: &'a Path) -> Io<'a, Vec<String>> {
        let files = self.0.lock().unwrap();
        let names = files.keys().filter(|file| file.parent() == Some(path));
        ready(Ok(names.map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()))
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> Io<'a, ()> {
        let mut files = self.0.lock().unwrap();
        ready(match files.remove(from) {
            None => not_found(),
            Some(file) => {
                files.insert(to.to_owned(), file);
                Ok(())
            }
        })
    }

    fn remove<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        let removed = self.0.lock().unwrap().remove(path);
        ready(if removed.is_some() { Ok(()) } else { not_found() })
    }

    fn sync_dir<'a>(&'a self, _: &'a Path) -> Io<'a, ()> {
        ready(Ok(()))
    }

    fn lock<'a>(&'a self, _: &'a Path) -> Io<'a, Box<dyn Lock>> {
        ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn zero_fill_pointless<'a>(&'a self, _: &'a Path) -> Io<'a, Option<&'static str>> {
        ready(Ok(None))
    }
}

struct Nothing;

impl Clock for Nothing {
    fn now_us(&self) -> i64 {
        0
    }
    fn boottime_us(&self) -> u64 {
        0
    }
    fn boot_id(&self) -> [u8; 16] {
        [0; 16]
    }
}

impl Entropy for Nothing {
    fn fill(&self, out: &mut [u8]) {
        out.fill(0);
    }
}

impl Tasks for Nothing {
    fn spawn(&self, _: &str, _: Task) {}
    fn wait<'a>(
        &'a self,
        signal: &'a Signal,
        seen: u64,
        _: Option<std::time::Duration>,
    ) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(signal.changed(seen))
    }
}

pub(crate) fn memory() -> (Env, Arc<MemoryFiles>) {
    let files = Arc::new(MemoryFiles::default());
    let nothing = Arc::new(Nothing);
    let env = Env {
        files: files.clone(),
        clock: nothing.clone(),
        entropy: nothing.clone(),
        tasks: nothing.clone(),
    };
    (env, files)
}
