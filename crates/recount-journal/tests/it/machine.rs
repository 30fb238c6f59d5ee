//! A machine with a journal on it, and a store so small that it only counts.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use recount_env::Env;
use recount_env::sim::faults::CrashAt;
use recount_env::sim::{Ended, World};
use recount_journal::directory::Holder;
use recount_journal::{
    Frame, FrameKind, FrameSpec, JournalError, OpenError, OpenMode, Reader, Recovery, Room, Settings,
    TailDecision, Writer,
};
use recount_types::{Lsn, Position, Time};

pub(crate) const ROOT: &str = "/db";

/// Small segments of one size, so that little is needed to fill one.
pub(crate) fn settings(segment_bytes: u64) -> Settings {
    Settings { segment_bytes_min: segment_bytes, segment_bytes_max: segment_bytes, tail_bytes_max: 4096 }
}

pub(crate) fn journal_path(name: &str) -> PathBuf {
    Path::new(ROOT).join("journal").join(name)
}

/// What a path is, for counting operations.
pub(crate) fn class_of(path: &Path) -> &'static str {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match name {
        _ if name.ends_with(".journal") => "segment",
        _ if name.starts_with("MANIFEST") => "manifest",
        "next.tmp" => "next",
        _ => "other",
    }
}

pub(crate) fn machine(seed: u64) -> World {
    World::new(seed, class_of)
}

/// Runs a process that does `task` and then is killed.
pub(crate) fn run<T, F>(world: &World, task: impl FnOnce(Env) -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (process, env) = world.start();
    let result = process.run(task(env));
    world.kill();
    result.unwrap_or_else(|ended| panic!("{ended:?} after\n{}", world.trace().join("\n")))
}

/// Runs a process that stops at its `n`-th operation from now on; false if it ended before.
pub(crate) fn run_and_crash<F>(world: &World, n: u64, power: bool, task: impl FnOnce(Env) -> F) -> bool
where
    F: Future<Output = ()> + Send + 'static,
{
    let at = world.counts().operations + n;
    world.change_faults(|faults| faults.crash = Some(CrashAt::Operation(at)));
    let (process, env) = world.start();
    let ended = process.run(task(env));
    if power {
        world.power_cut();
    } else {
        world.kill();
    }
    world.change_faults(|faults| faults.crash = None);
    assert_ne!(ended, Err(Ended::Stuck), "{}", world.trace().join("\n"));
    ended.is_err()
}

/// A group as the tests compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) lsn: u64,
    pub(crate) kind: FrameKind,
    pub(crate) first_position: u64,
    pub(crate) count: u32,
    pub(crate) append_time: i64,
    pub(crate) body: Vec<u8>,
}

impl Group {
    pub(crate) fn of(frame: &Frame) -> Group {
        Group {
            lsn: frame.header.lsn.0,
            kind: frame.header.kind,
            first_position: frame.header.first_position.0,
            count: frame.header.count,
            append_time: frame.header.append_time.0,
            body: frame.body.clone(),
        }
    }

    /// The one group of this lsn and size that the tests write.
    pub(crate) fn nth(lsn: u64, bytes: usize) -> Group {
        let kinds = [FrameKind::Data, FrameKind::Pending, FrameKind::Commit, FrameKind::Abort];
        let mut body: Vec<u8> = (0..bytes).map(|at| (at as u64 * 31 + lsn * 7 + 1) as u8).collect();
        if lsn.is_multiple_of(3) {
            // Long runs of zeros, so that some frames are masked.
            body.iter_mut().skip(20).for_each(|byte| *byte = 0);
        }
        Group {
            lsn,
            kind: kinds[lsn as usize % 4],
            first_position: lsn * 10,
            count: lsn as u32 % 5,
            append_time: 1_000_000 * lsn as i64,
            body,
        }
    }

    fn spec(&self) -> FrameSpec {
        FrameSpec {
            kind: self.kind,
            first_position: Position(self.first_position),
            count: self.count,
            append_time: Time(self.append_time),
            body: self.body.clone(),
        }
    }
}

/// The store's state is the last lsn that it covers.
pub(crate) fn state(last_lsn: u64) -> Vec<u8> {
    last_lsn.to_le_bytes().to_vec()
}

/// A journal opened for writing.
pub(crate) struct Opened {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    pub(crate) notes: Vec<String>,
    pub(crate) seal_state: Option<Vec<u8>>,
}

pub(crate) async fn recover(
    env: &Env,
    settings: Settings,
    decision: TailDecision,
) -> Result<Recovery, OpenError> {
    let holder = Holder { pid: 1, address: None };
    Recovery::open(env, Path::new(ROOT), settings, OpenMode::OpenOrCreate, &holder, decision).await
}

/// Opens, replays as a store would, and starts.
pub(crate) async fn open_with(
    env: &Env,
    settings: Settings,
    decision: TailDecision,
) -> Result<Opened, OpenError> {
    let recovery = recover(env, settings, decision).await?;
    let reader = recovery.reader();
    let (from, first_lsn) = recovery.active();
    let mut covered = match recovery.state() {
        [] => 0,
        bytes => u64::from_le_bytes(bytes.try_into().expect("eight bytes of state")),
    };
    assert_eq!(covered + 1, first_lsn.0, "the state covers what is before the frames to replay");
    let mut cursor = reader.frames(from);
    while let Some(frame) = cursor.next().await? {
        if frame.header.kind.uses_lsn() {
            assert_eq!(frame.header.lsn.0, covered + 1);
            covered += 1;
        }
    }
    assert_eq!(covered, reader.synced_lsn().0);
    let (last_lsn, seal_state) = (recovery.last_lsn(), recovery.seal_state().map(<[u8]>::to_vec));
    let recovered = recovery.start(&state(covered)).await?;
    assert_eq!(reader.synced_lsn(), last_lsn);
    assert_eq!(recovered.writer.next_lsn(), last_lsn.next());
    // The cursor goes on where recovery puts what was not proven.
    while let Some(frame) = cursor.next().await? {
        covered += u64::from(frame.header.kind.uses_lsn());
    }
    assert_eq!(covered, last_lsn.0);
    Ok(Opened { writer: recovered.writer, reader, notes: recovered.notes, seal_state })
}

pub(crate) async fn open(env: &Env, settings: Settings) -> Opened {
    open_with(env, settings, TailDecision::Refuse).await.expect("nothing is wrong with it")
}

impl Opened {
    /// Writes the next group, of a body of so many bytes.
    pub(crate) async fn append(&mut self, bytes: usize) -> Result<Arc<Frame>, JournalError> {
        let lsn = self.writer.next_lsn();
        if !matches!(self.writer.room_after(None), Room::Bytes(room) if room >= bytes) {
            self.writer.roll(&state(lsn.0 - 1), bytes).await?;
        }
        self.writer.write(Group::nth(lsn.0, bytes).spec()).await
    }

    /// Writes groups of these sizes.
    pub(crate) async fn append_all(&mut self, sizes: &[usize]) {
        for &bytes in sizes {
            self.append(bytes).await.expect("nothing fails");
        }
    }

    pub(crate) async fn close(self) -> Result<(), OpenError> {
        let state = state(self.writer.next_lsn().0 - 1);
        self.writer.close(Position(0), state).await
    }
}

/// Every group there is.
pub(crate) async fn dump(reader: &Reader) -> Result<Vec<Group>, JournalError> {
    let mut groups = Vec::new();
    let Some(first) = reader.first() else { return Ok(groups) };
    let mut cursor = reader.frames(first);
    while let Some(frame) = cursor.next().await? {
        if frame.header.kind.uses_lsn() {
            groups.push(Group::of(&frame));
        }
    }
    Ok(groups)
}

/// Opens, reads all, and leaves it as a killed process would.
pub(crate) fn contents(
    world: &World,
    settings: Settings,
    decision: TailDecision,
) -> Result<Vec<Group>, String> {
    run(world, async move |env| {
        let opened = open_with(&env, settings, decision).await.map_err(|e| e.to_string())?;
        dump(&opened.reader).await.map_err(|e| e.to_string())
    })
}

/// The groups 1, 2, … of these sizes.
pub(crate) fn groups(sizes: &[usize]) -> Vec<Group> {
    sizes.iter().enumerate().map(|(at, &bytes)| Group::nth(at as u64 + 1, bytes)).collect()
}

/// Names of the files in `journal/`.
pub(crate) fn journal_files(world: &World) -> Vec<String> {
    let in_journal = |path: &PathBuf| path.parent() == Some(&Path::new(ROOT).join("journal"));
    let name = |path: PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
    world.disk(|disk| disk.paths().into_iter().filter(in_journal).filter_map(name).collect())
}

/// A list that a task fills and its test reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Acknowledged(Arc<Mutex<Vec<Lsn>>>);

impl Acknowledged {
    pub(crate) fn push(&self, lsn: Lsn) {
        self.0.lock().unwrap().push(lsn);
    }

    pub(crate) fn last(&self) -> u64 {
        self.0.lock().unwrap().last().map_or(0, |lsn| lsn.0)
    }
}
