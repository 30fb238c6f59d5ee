//! The next segment, made ready beside the writer: created, zero-filled at the pace of the appends, then given
//! its name and listed in the manifest, so that a roll costs the writer nothing but its usual write and sync.
//!
//! ```text
//!  next.tmp (zeros, growing) ── request(first lsn) ──> {first_lsn}-{epoch}.journal, listed ──> taken by the writer
//! ```
//!
//! It runs as a task of its own and is the only one that changes the manifest after opening. Crash anywhere:
//! a file not listed is a leftover; one listed as planned that reads as zeros was not begun.
//!
//! A request may change at any moment, also while the one before it is being carried out: what is ready is
//! compared with what is wanted under the lock, and a file that the writer took is never touched again.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use recount_env::{Env, File, OpenMode, Signal};
use recount_types::{Epoch, Lsn};

use crate::core::PAGE;
use crate::directory::{Listed, Manifest};
use crate::error::{JournalError, OpenError};
use crate::reader::lock;
use crate::segment::SegmentName;

/// A segment that is ready: listed, zero-filled, empty.
pub(crate) struct Ready {
    pub(crate) name: SegmentName,
    pub(crate) bytes: u64,
    pub(crate) file: Arc<dyn File>,
}

/// The writer's handle on the task.
pub(crate) struct Preparer {
    state: Mutex<State>,
    signal: Signal,
}

struct State {
    manifest: Manifest,
    /// Size of the next segment.
    bytes: u64,
    /// How far the next segment should be filled by now.
    fill_goal: u64,
    request: Option<Request>,
    /// What became of the request. A success fits it.
    outcome: Option<Result<Ready, io::Error>>,
    /// The writer has the segment: the file is not the task's any more.
    taken: bool,
    stop: bool,
    stopped: bool,
}

#[derive(Clone, Copy)]
struct Request {
    first_lsn: Lsn,
    bytes_min: u64,
}

impl Request {
    fn is_met_by(&self, ready: &Ready) -> bool {
        ready.name.first_lsn == self.first_lsn && ready.bytes >= self.bytes_min
    }
}

/// Written and synced at once while filling.
const FILL_STEP_BYTES: u64 = 256 << 10;
static ZEROS: [u8; FILL_STEP_BYTES as usize] = [0; FILL_STEP_BYTES as usize];
/// Pause after each step, so that appends find the disk free.
const FILL_PAUSE: Duration = Duration::from_millis(2);
/// Pause after a failure that nobody waits for, such as a full disk.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

impl Preparer {
    /// Starts the task. `bytes` is the size of the segment after the current one.
    pub(crate) fn start(env: &Env, directory: PathBuf, manifest: Manifest, bytes: u64) -> Arc<Preparer> {
        let state = State {
            manifest,
            bytes,
            fill_goal: 0,
            request: None,
            outcome: None,
            taken: false,
            stop: false,
            stopped: false,
        };
        let preparer = Arc::new(Preparer { state: Mutex::new(state), signal: Signal::new() });
        let task = Filler {
            env: env.clone(),
            directory,
            preparer: preparer.clone(),
            file: None,
            planned: None,
            abandoned: Vec::new(),
        };
        env.tasks.spawn("recount-segment", Box::pin(task.run()));
        preparer
    }

    /// The epoch of the manifest.
    pub(crate) fn epoch(&self) -> Epoch {
        lock(&self.state).manifest.epoch
    }

    /// Says how far the next segment should be filled by now, as a share of its size.
    pub(crate) fn pace(&self, numerator: u64, denominator: u64) {
        let mut state = lock(&self.state);
        let wanted = u128::from(state.bytes) * u128::from(numerator) / u128::from(denominator.max(1));
        let goal = (wanted as u64).min(state.bytes);
        let step = step_bytes(state.bytes);
        if goal / step > state.fill_goal / step {
            state.fill_goal = goal;
            drop(state);
            self.signal.notify();
        }
    }

    /// Asks for the segment that begins at `first_lsn`, of at least `bytes_min`. Replaces an earlier request,
    /// and a failure that nobody has heard of; a segment that is ready and fits stays.
    pub(crate) fn request(&self, first_lsn: Lsn, bytes_min: u64) {
        let request = Request { first_lsn, bytes_min };
        let mut state = lock(&self.state);
        state.request = Some(request);
        if !matches!(&state.outcome, Some(Ok(ready)) if request.is_met_by(ready)) {
            state.outcome = None;
            drop(state);
            self.signal.notify();
        }
    }

    /// The outcome of the request, once there is one. `size_after` is the size of the segment after one of a size.
    pub(crate) fn take(&self, size_after: impl FnOnce(u64) -> u64) -> Option<Result<Ready, JournalError>> {
        let mut state = lock(&self.state);
        let outcome = state.outcome.take()?;
        state.request = None;
        let bytes = state.bytes;
        Some(match outcome {
            Ok(ready) => {
                state.taken = true;
                state.bytes = size_after(ready.bytes);
                state.fill_goal = 0;
                Ok(ready)
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                Err(JournalError::StorageFull { bytes })
            }
            Err(e) => Err(JournalError::io("prepare the next segment")(e)),
        })
    }

    /// Waits until the request has an outcome.
    pub(crate) async fn done(&self) {
        loop {
            let seen = self.signal.generation();
            if lock(&self.state).outcome.is_some() {
                return;
            }
            self.signal.changed(seen).await;
        }
    }

    /// Tells the task to end.
    pub(crate) fn stop_soon(&self) {
        lock(&self.state).stop = true;
        self.signal.notify();
    }

    /// Ends the task and waits until it has ended.
    pub(crate) async fn stop(&self) {
        self.stop_soon();
        loop {
            let seen = self.signal.generation();
            if lock(&self.state).stopped {
                return;
            }
            self.signal.changed(seen).await;
        }
    }
}

/// The size of one step of filling a segment.
fn step_bytes(segment_bytes: u64) -> u64 {
    FILL_STEP_BYTES.min((segment_bytes / 4).next_multiple_of(PAGE))
}

/// What the task does next.
enum Job {
    Fill { total: u64, urgent: bool },
    Install(Lsn),
    Wait,
    Stop,
}

struct Filler {
    env: Env,
    directory: PathBuf,
    preparer: Arc<Preparer>,
    file: Option<Filled>,
    /// The segment that is listed and that the writer has not taken.
    planned: Option<SegmentName>,
    /// Files that got a name before something failed: removed once a manifest without them is durable.
    abandoned: Vec<PathBuf>,
}

struct Filled {
    file: Arc<dyn File>,
    path: PathBuf,
    bytes: u64,
}

impl Filler {
    async fn run(mut self) {
        loop {
            let seen = self.preparer.signal.generation();
            match self.next_job() {
                Job::Stop => {
                    self.discard().await;
                    lock(&self.preparer.state).stopped = true;
                    self.preparer.signal.notify();
                    return;
                }
                Job::Wait => self.env.tasks.wait(&self.preparer.signal, seen, None).await,
                Job::Fill { total, urgent } => {
                    if let Err(error) = self.fill(total).await {
                        self.failed(error).await;
                    } else if !urgent {
                        self.env.tasks.wait(&self.preparer.signal, seen, Some(FILL_PAUSE)).await;
                    }
                }
                Job::Install(first_lsn) => match self.install(first_lsn).await {
                    Ok(ready) => self.offer(ready),
                    Err(error) => self.failed(error).await,
                },
            }
        }
    }

    fn next_job(&mut self) -> Job {
        let mut state = lock(&self.preparer.state);
        if state.stop {
            return Job::Stop;
        }
        if std::mem::take(&mut state.taken) {
            self.planned = None;
            self.file = None;
        }
        let filled = self.file.as_ref().map_or(0, |file| file.bytes);
        match state.request {
            Some(_) if state.outcome.is_some() => Job::Wait,
            Some(request) => {
                let total = state.bytes.max(request.bytes_min).next_multiple_of(PAGE);
                if filled < total {
                    Job::Fill { total, urgent: true }
                } else {
                    Job::Install(request.first_lsn)
                }
            }
            None if filled < state.fill_goal => Job::Fill { total: state.fill_goal, urgent: false },
            None => Job::Wait,
        }
    }

    /// Hands a segment over, unless another was asked for in the meantime.
    fn offer(&self, ready: Ready) {
        let mut state = lock(&self.preparer.state);
        if state.request.is_some_and(|request| request.is_met_by(&ready)) {
            state.outcome = Some(Ok(ready));
            drop(state);
            self.preparer.signal.notify();
        }
    }

    /// One step towards `total` bytes of synced zeros.
    async fn fill(&mut self, total: u64) -> io::Result<()> {
        let filled = match self.file.take() {
            Some(filled) => self.file.insert(filled),
            None => {
                let path = self.temporary_path();
                remove_if_there(&self.env, &path).await?;
                let file = self.env.files.open(&path, OpenMode::CreateNew).await?;
                self.file.insert(Filled { file, path, bytes: 0 })
            }
        };
        let step = step_bytes(total).min(total - filled.bytes).next_multiple_of(PAGE);
        filled.file.write_at(filled.bytes, &ZEROS[..step as usize]).await?;
        filled.file.sync_data().await?;
        filled.bytes += step;
        Ok(())
    }

    /// Gives the filled file its name and lists it.
    async fn install(&mut self, first_lsn: Lsn) -> io::Result<Ready> {
        if let Some(planned) = self.planned {
            // It is listed under a first lsn that the journal will not reach in the segment before it: no
            // longer, before its file changes its name.
            self.write_manifest(|manifest| manifest.segments.retain(|listed| listed.name != planned)).await?;
            self.planned = None;
        }
        let filled = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let name = next_name(&lock(&self.preparer.state).manifest, first_lsn);
        let path = self.directory.join(name.file_name());
        self.env.files.rename(&filled.path, &path).await?;
        filled.path = path.clone();
        let bytes = filled.bytes;
        let file = filled.file.clone();
        self.env.files.sync_dir(&self.directory).await?;
        self.write_manifest(|manifest| {
            manifest.epoch = name.epoch;
            manifest.segments.iter_mut().for_each(|listed| listed.planned = false);
            manifest.segments.push(Listed { name, bytes, planned: true });
        })
        .await?;
        self.planned = Some(name);
        for leftover in self.abandoned.drain(..).filter(|leftover| *leftover != path) {
            // Best effort: opening removes it too.
            let _ = self.env.files.remove(&leftover).await;
        }
        Ok(Ready { name, bytes, file })
    }

    async fn write_manifest(&self, change: impl FnOnce(&mut Manifest)) -> io::Result<()> {
        let mut next = lock(&self.preparer.state).manifest.clone();
        next.number += 1;
        change(&mut next);
        match next.write(&self.env, &self.directory).await {
            Ok(()) => {
                lock(&self.preparer.state).manifest = next;
                Ok(())
            }
            Err(OpenError::Io { source, .. }) => Err(source),
            Err(other) => Err(io::Error::other(other.to_string())),
        }
    }

    /// After a failure nothing of the file is trusted: start over when asked again.
    async fn failed(&mut self, error: io::Error) {
        self.discard().await;
        let seen = self.preparer.signal.generation();
        {
            let mut state = lock(&self.preparer.state);
            if state.request.is_some() {
                state.outcome = Some(Err(error));
                drop(state);
                self.preparer.signal.notify();
                return;
            }
            state.fill_goal = 0;
        }
        self.env.tasks.wait(&self.preparer.signal, seen, Some(FAILURE_PAUSE)).await;
    }

    /// Lets go of the file. One that has got its name stays for now: a manifest that is durable, although
    /// writing it failed, may list it.
    async fn discard(&mut self) {
        let Some(filled) = self.file.take() else { return };
        if filled.path == self.temporary_path() {
            let _ = self.env.files.remove(&filled.path).await;
        } else {
            self.abandoned.push(filled.path);
        }
    }

    fn temporary_path(&self) -> PathBuf {
        self.directory.join("next.tmp")
    }
}

/// The name of the segment after those of `manifest`. Where no lsn was used in the last one, the two would have
/// the same name, and one file would replace the other: then the journal takes the next epoch.
fn next_name(manifest: &Manifest, first_lsn: Lsn) -> SegmentName {
    let name = SegmentName { first_lsn, epoch: manifest.epoch };
    let is_taken = manifest.segments.iter().any(|listed| listed.name >= name);
    if is_taken { SegmentName { epoch: Epoch(name.epoch.0 + 1), ..name } } else { name }
}

pub(crate) async fn remove_if_there(env: &Env, path: &std::path::Path) -> io::Result<()> {
    match env.files.remove(path).await {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
