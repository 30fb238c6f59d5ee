//! The writer: frames a group, writes it, syncs it, one at a time. One per journal, used by one caller at a time.
//!
//! A failed write or sync is fatal: the writer refuses everything after it and nothing is retried. A roll
//! happens between two groups, when the next segment is ready; no group is formed for a segment that is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use recount_env::planted::{self, Bug};
use recount_env::{Env, File};
use recount_types::limits::GROUP_BYTES_MAX;
use recount_types::{Lsn, Position, Time};

use crate::core::{Core, Draft, Input, Output};
use crate::directory::{Closed, HeldLock};
use crate::error::{JournalError, OpenError};
use crate::frame::{self, FrameKind};
use crate::prepare::{Preparer, Ready};
use crate::reader::{Frame, Reader, Shared};
use crate::recover::Settings;
use crate::segment::{Location, Prologue};

/// A group to write.
#[derive(Debug)]
pub struct FrameSpec {
    /// What it holds.
    pub kind: FrameKind,
    /// The first position that it gives, or would.
    pub first_position: Position,
    /// How many positions it gives.
    pub count: u32,
    /// Append time of its first append.
    pub append_time: Time,
    /// The body, opaque here.
    pub body: Vec<u8>,
}

/// What the current segment can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// A body of at most so many bytes.
    Bytes(usize),
    /// Nothing more: [`Writer::roll`] comes first.
    Roll,
}

/// Counts of what the writer did, for metrics.
#[derive(Debug, Default)]
pub struct Counts {
    /// Frames written and synced.
    pub frames: AtomicU64,
    /// Bytes of those frames.
    pub frame_bytes: AtomicU64,
    /// Syncs of segments.
    pub syncs: AtomicU64,
    /// Rolls to a next segment.
    pub rolls: AtomicU64,
    /// Rolls that had to wait for the next segment.
    pub roll_waits: AtomicU64,
}

/// The one writer of a journal.
pub struct Writer {
    env: Env,
    core: Core,
    file: Arc<dyn File>,
    shared: Arc<Shared>,
    preparer: Arc<Preparer>,
    settings: Settings,
    /// The lsn with which the next segment, already asked for, begins.
    plan: Option<Lsn>,
    /// A decaying maximum of the sizes of frames.
    frame_bytes_recent: u64,
    /// Where this process began to write in the current segment.
    began_at: u64,
    /// The store's bytes in the seal that ends the journal.
    sealed_state: Option<Vec<u8>>,
    counts: Arc<Counts>,
    _lock: Arc<HeldLock>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("core", &self.core).finish_non_exhaustive()
    }
}

/// Frames written in the old segment after the next one was asked for.
const PLAN_AHEAD_FRAMES: u64 = 32;
/// Segments are left when less than this remains for a body.
const BODY_ROOM_MIN: usize = 1024;

/// Where a writer begins.
pub(crate) struct Begin {
    pub(crate) core: Core,
    pub(crate) file: Arc<dyn File>,
    /// The store's bytes in the seal before it, if there is one.
    pub(crate) sealed_state: Option<Vec<u8>>,
}

impl Writer {
    pub(crate) fn new(
        env: Env,
        begin: Begin,
        shared: Arc<Shared>,
        preparer: Arc<Preparer>,
        settings: Settings,
        held: Arc<HeldLock>,
    ) -> Writer {
        let Begin { core, file, sealed_state } = begin;
        let began_at = core.place().offset;
        Writer {
            env,
            core,
            file,
            shared,
            preparer,
            settings,
            plan: None,
            frame_bytes_recent: 0,
            began_at,
            sealed_state,
            counts: Arc::default(),
            _lock: held,
        }
    }

    /// A handle for reading.
    pub fn reader(&self) -> Reader {
        Reader::new(self.shared.clone())
    }

    /// Counts for metrics.
    pub fn counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }

    /// Where the next group will lie, unless the journal rolls first.
    pub fn next_location(&self) -> Location {
        Location { segment: self.core.segment(), offset: self.core.place().offset }
    }

    /// The lsn of the next group.
    pub fn next_lsn(&self) -> Lsn {
        self.core.place().lsn
    }

    /// True if nothing was written since the last seal.
    pub fn is_sealed(&self) -> bool {
        self.core.is_sealed()
    }

    /// Why the journal closed itself, if it did.
    pub fn failure(&self) -> Option<&str> {
        self.core.failure()
    }

    /// What the segment can take after a group with a body of `in_flight` bytes, which is about to be written, if any.
    pub fn room_after(&self, in_flight: Option<usize>) -> Room {
        let next_lsn = Lsn(self.next_lsn().0 + u64::from(in_flight.is_some()));
        let bytes = self.core.body_room_after(in_flight);
        if self.plan == Some(next_lsn) || bytes < BODY_ROOM_MIN {
            return Room::Roll;
        }
        Room::Bytes(bytes.min(GROUP_BYTES_MAX))
    }

    /// Goes on in a next segment that has room for a body of `body_bytes`. `state` is the store's state after
    /// the last group. Waits until that segment is ready; an error leaves all as it was.
    pub async fn roll(&mut self, state: &[u8], body_bytes: usize) -> Result<(), JournalError> {
        self.refuse_if_failed()?;
        if self.core.is_unwritten() {
            // A roll that no group followed, and that group will not come.
            self.write_seal(Position(0), Vec::new()).await?;
        }
        let prologue_bytes =
            Prologue { segment_bytes: 0, predecessor: None, state: state.to_vec() }.encode().len();
        let bytes_min =
            frame::frame_bytes(prologue_bytes) + frame::frame_bytes(body_bytes) + ROLL_SLACK_BYTES;
        let ready = self.next_segment(bytes_min).await?;
        let end = self.core.place().offset;
        self.core.step(Input::Roll {
            name: ready.name,
            segment_bytes: ready.bytes,
            state,
            salt: self.env.random(),
        });
        self.shared.rolled(ready.name, end, 0, Lsn(self.next_lsn().0 - 1));
        self.file = ready.file;
        self.began_at = 0;
        self.plan = None;
        self.counts.rolls.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn next_segment(&mut self, bytes_min: u64) -> Result<Ready, JournalError> {
        let first_lsn = self.next_lsn();
        self.preparer.request(first_lsn, bytes_min);
        self.plan = Some(first_lsn);
        loop {
            match self.preparer.take(|bytes| self.settings.next_segment_bytes(bytes)) {
                Some(Ok(ready)) => return Ok(ready),
                Some(Err(error)) => {
                    self.plan = None;
                    return Err(error);
                }
                None => {
                    self.counts.roll_waits.fetch_add(1, Ordering::Relaxed);
                    self.preparer.done().await;
                }
            }
        }
    }

    /// Writes and syncs one group; when this returns `Ok` it is durable and readable. A future dropped before
    /// it ends leaves a write whose outcome is unknown: the journal is closed then, as after a failure.
    pub async fn write(&mut self, spec: FrameSpec) -> Result<Arc<Frame>, JournalError> {
        self.refuse_if_failed()?;
        let draft = Draft {
            kind: spec.kind,
            first_position: spec.first_position,
            count: spec.count,
            append_time: spec.append_time,
            salt: self.env.random(),
            body: &spec.body,
        };
        let Output::Write { offset } = self.core.step(Input::Frame(draft)) else {
            unreachable!("a frame is answered by a write");
        };
        let mut written = self.file.write_at(offset, self.core.bytes()).await.map_err(|e| ("write", e));
        if written.is_ok() && !planted::is(Bug::AckBeforeSync) && !self.planted_late_sync(spec.kind) {
            written = self.file.sync_data().await.map_err(|e| ("sync", e));
        }
        if written.is_err() && planted::is(Bug::RetriedSync) {
            written = self.file.sync_data().await.map_err(|e| ("sync", e));
        }
        if let Err((operation, error)) = written {
            let what = format!("{operation} {}: {error}", self.shared.path(self.core.segment()).display());
            self.core.step(Input::Failed(what.clone()));
            return Err(JournalError::Failed { what });
        }
        let Output::Durable { header, crc, location } = self.core.step(Input::Synced) else {
            unreachable!("a sync is answered by durability");
        };
        self.sealed_state = (header.kind == FrameKind::Seal).then(|| spec.body.clone());
        let frame = Arc::new(Frame { header, crc, location, body: spec.body });
        self.shared.synced(frame.clone(), self.core.place());
        self.count(header.frame_bytes());
        self.plan_ahead();
        Ok(frame)
    }

    /// For the simulation to catch: the sync of every second group comes with the next one's.
    fn planted_late_sync(&self, kind: FrameKind) -> bool {
        planted::is(Bug::WriteBeforeSync) && kind.uses_lsn() && self.next_lsn().0.is_multiple_of(2)
    }

    /// Writes a seal: proves that the group before it was synced. `state` is the store's, opaque here. A journal
    /// that ends with a seal of this state gets no second one.
    pub async fn seal(&mut self, first_position: Position, state: Vec<u8>) -> Result<(), JournalError> {
        assert!(state.len() <= SEAL_BYTES_MAX, "room for the seal is kept in every segment");
        self.refuse_if_failed()?;
        let end = self.core.place().offset + frame::frame_bytes(state.len());
        let has_room = end <= self.core.segment_bytes();
        if self.is_sealed() && (self.sealed_state.as_ref() == Some(&state) || !has_room) {
            return Ok(());
        }
        self.write_seal(first_position, state).await
    }

    async fn write_seal(&mut self, first_position: Position, state: Vec<u8>) -> Result<(), JournalError> {
        let spec =
            FrameSpec { kind: FrameKind::Seal, first_position, count: 0, append_time: Time(0), body: state };
        self.write(spec).await.map(|_| ())
    }

    /// Seals, and leaves the marker of a clean close. After a failure it leaves neither.
    pub async fn close(mut self, first_position: Position, seal_state: Vec<u8>) -> Result<(), OpenError> {
        self.preparer.stop().await;
        self.seal(first_position, seal_state).await?;
        let place = self.core.place();
        let closed = Closed {
            journal: self.shared.journal,
            epoch: self.preparer.epoch(),
            end: Location { segment: self.core.segment(), offset: place.offset },
            last_lsn: Lsn(place.lsn.0 - 1),
        };
        closed.write(&self.env, &self.shared.directory).await
    }

    fn refuse_if_failed(&mut self) -> Result<(), JournalError> {
        if self.core.is_in_flight() {
            self.core.step(Input::Failed("a write was abandoned before its outcome was known".to_owned()));
        }
        match self.core.failure() {
            Some(what) => Err(JournalError::Failed { what: what.to_owned() }),
            None => Ok(()),
        }
    }

    fn count(&mut self, frame_bytes: u64) {
        self.counts.frames.fetch_add(1, Ordering::Relaxed);
        self.counts.frame_bytes.fetch_add(frame_bytes, Ordering::Relaxed);
        self.counts.syncs.fetch_add(1, Ordering::Relaxed);
        self.frame_bytes_recent = frame_bytes.max(self.frame_bytes_recent - self.frame_bytes_recent / 16);
    }

    /// Keeps the next segment's filling in step, and asks for it by name shortly before this one is full.
    fn plan_ahead(&mut self) {
        let place = self.core.place();
        let segment_bytes = self.core.segment_bytes();
        self.preparer.pace((place.offset - self.began_at) * 4, (segment_bytes - self.began_at) * 3);
        let margin = (self.frame_bytes_recent * 2 * PLAN_AHEAD_FRAMES).max(64 << 10).min(segment_bytes / 4);
        if self.plan.is_none() && segment_bytes - place.offset < margin {
            let first_lsn = Lsn(place.lsn.0 + PLAN_AHEAD_FRAMES);
            self.preparer.request(first_lsn, 0);
            self.plan = Some(first_lsn);
        }
    }
}

/// Largest state in a seal.
pub(crate) const SEAL_BYTES_MAX: usize = 512;
/// Room in a new segment beyond the prologue and the first group.
const ROLL_SLACK_BYTES: u64 = 4096;

impl Drop for Writer {
    fn drop(&mut self) {
        self.preparer.stop_soon();
    }
}
