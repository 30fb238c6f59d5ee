//! Opening a store: the journal is recovered, the state replayed from the active segment's prologue, and the
//! index brought up to the journal's end from where its runs reach.
//!
//! Invariant: nothing is served before all of it is done, and nothing but the index is written before the
//! journal was read and understood.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex};

use recount_env::{Env, Signal};
use recount_index::{DropReason, Dropped, FrameKey, FrameRef, Memtable, RunSet, unpaced};
use recount_journal::directory::{Holder, Paths};
use recount_journal::{
    Corruption, Frame, FrameCursor, Location, OpenError, OpenMode, Reader, Recovery, Settings, TailDecision,
};
use recount_types::{Kind, Lsn, Position, Time};

use crate::background::{IndexCounts, Signals};
use crate::catalogue::{CATALOG, Change};
use crate::drive::Database;
use crate::error::{ReadError, chain};
use crate::locate::{self, Frames, PlacedGroup};
use crate::pending::{Pending, SavedBatch, Waiting};
use crate::pieces::Pieces;
use crate::record;
use crate::sequencer::{self, Recovered, Sequencer};
use crate::state::{State, decode_seal};
use crate::store::Inner;

/// How to open a database.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Create it if the directory is empty or absent.
    pub create: bool,
    /// If the last group is complete in length but damaged, and nothing tells whether it was acknowledged: drop it.
    pub accept_tail_loss: bool,
    /// Accept a wall clock that jumped ahead since the database was last written.
    pub accept_clock: bool,
    /// Sizes of the journal.
    pub journal: Settings,
    /// Size at which the memtable becomes a run, bytes. Two may exist at a time.
    pub memtable_bytes_max: usize,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions {
            create: true,
            accept_tail_loss: false,
            accept_clock: false,
            journal: Settings::default(),
            memtable_bytes_max: 16 << 20,
        }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenStoreError {
    /// The journal could not.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The index could not be made.
    #[error("the index could not be written: {0}")]
    Index(String),
    /// Replaying failed.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl OpenStoreError {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            OpenStoreError::Journal(error) => match error {
                OpenError::Locked { .. } => Kind::Busy,
                OpenError::NotADatabase(_) => Kind::NotFound,
                OpenError::NotEmpty(_) | OpenError::TooNew { .. } => Kind::Invalid,
                OpenError::Uncertain { .. } | OpenError::Corrupt(_) => Kind::Corrupt,
                OpenError::Io { .. } => Kind::Unavailable,
            },
            OpenStoreError::Index(_) => Kind::Unavailable,
            OpenStoreError::Read(error) => error.kind(),
        }
    }
}

/// Opens a database.
pub(crate) async fn open(env: Env, root: &Path, options: OpenOptions) -> Result<Database, OpenStoreError> {
    let mode = if options.create { OpenMode::OpenOrCreate } else { OpenMode::Open };
    let decision = if options.accept_tail_loss { TailDecision::AcceptLoss } else { TailDecision::Refuse };
    let holder = Holder { pid: std::process::id(), address: None };
    let recovery = Recovery::open(&env, root, options.journal, mode, &holder, decision).await?;
    let format = recovery.format().clone();
    let index = Paths::new(root).index();
    let opened = RunSet::open(&env, &index, format.database, &format.hash_key).await;
    let opened = opened.map_err(|error| OpenStoreError::Index(chain(&error)))?;
    let mut notes: Vec<String> = opened.dropped.iter().filter_map(tell).collect();
    if let Ok(Some(file_system)) = env.files.zero_fill_pointless(root).await {
        notes.push(format!(
            "{} is on {file_system}, where filling segments with zeros in advance gains nothing: each sync costs more than on ext4 or XFS",
            root.display()
        ));
    }
    let runs = opened.set;
    if runs.covered_to_lsn() > recovery.last_lsn().0 {
        return Err(OpenStoreError::Journal(OpenError::Corrupt(Corruption {
            file: Paths::new(root).journal(),
            offset: 0,
            what: format!(
                "the journal ends with lsn {}, but the index was made from lsn {}: acknowledged groups are missing",
                recovery.last_lsn(),
                runs.covered_to_lsn()
            ),
        })));
    }
    let bad_state = |what: String| {
        let file = recovery.reader().path(recovery.active().0.segment);
        OpenStoreError::Journal(OpenError::Corrupt(Corruption { file, offset: 0, what }))
    };
    let state = State::decode(recovery.state()).map_err(bad_state)?;
    let mut replay = Replay {
        reader: recovery.reader(),
        active: recovery.active(),
        covered: Lsn(runs.covered_to_lsn()),
        runs,
        memtable: Memtable::new(&format.hash_key),
        hash_key: format.hash_key,
        memtable_bytes_max: options.memtable_bytes_max,
        state,
        pending: Pending::default(),
        pending_groups: BTreeMap::new(),
    };
    replay.restore_pending().await?;
    let mut cursor = replay.begin().await?;
    replay.run(&mut cursor).await?;
    if let Some((floor, clock)) = recovery.seal_state().and_then(decode_seal) {
        replay.state.time_floor = replay.state.time_floor.max(floor);
        replay.state.clock = clock;
    }
    if options.accept_clock {
        replay.state.clock = sequencer::read_clock(&*env.clock);
    }
    replay.state.pending = replay.pending.saved(&replay.pending_groups);
    let recovered = recovery.start(&replay.state.encode()).await?;
    replay.run(&mut cursor).await?;
    notes.extend(recovered.notes);
    for note in &notes {
        tracing::warn!("{note}");
    }
    let head = replay.state.next_position.0 - 1;
    let writer = recovered.writer;
    let writer_is_sealed = writer.is_sealed();
    let sequencer = Sequencer::new(Recovered {
        state: replay.state,
        pending: replay.pending,
        pending_groups: replay.pending_groups,
        memtable: replay.memtable,
        runs: replay.runs,
        next_lsn: writer.next_lsn(),
        hash_key: format.hash_key,
        memtable_bytes_max: options.memtable_bytes_max,
    });
    let inner = Arc::new(Inner {
        root: root.to_owned(),
        id: format.database,
        held: Mutex::new(Some(recovered.lock)),
        reader: writer.reader(),
        journal_counts: writer.counts(),
        catalogue: sequencer.published(),
        sequencer: Mutex::new(sequencer),
        head: AtomicU64::new(head),
        sealed: AtomicBool::new(writer_is_sealed),
        last_sync_us: AtomicU64::new(env.clock.boottime_us()),
        alone: AtomicU32::new(0),
        visible: Arc::new(Signal::new()),
        signals: Arc::new(Signals::default()),
        index_counts: IndexCounts::default(),
        pieces: Pieces::default(),
        notes,
        env,
    });
    Ok(Database::new(inner, writer))
}

/// Replays frames: the state from the active segment on, the index from where its runs end.
struct Replay {
    reader: Reader,
    /// Where the frames after the recovered state begin, and the lsn of the first of them.
    active: (Location, Lsn),
    covered: Lsn,
    runs: RunSet,
    memtable: Memtable,
    hash_key: [u8; 16],
    memtable_bytes_max: usize,
    state: State,
    pending: Pending,
    pending_groups: BTreeMap<Lsn, Location>,
}

impl Frames for Replay {
    async fn frame_at(&self, key: FrameKey) -> Result<Option<FrameRef>, ReadError> {
        if let Some(found) = self.memtable.frame_at(key) {
            return Ok(Some(found));
        }
        Ok(self.runs.frame_at(key).await?)
    }
}

impl Replay {
    /// Where to begin: at the active segment, or before it if the runs end earlier.
    async fn begin(&self) -> Result<FrameCursor, ReadError> {
        let (location, lsn) = self.active;
        if self.covered.next() >= lsn {
            return Ok(self.reader.frames(location));
        }
        let near = self.runs.frame_at(FrameKey::Lsn(self.covered.0)).await?;
        Ok(self.reader.frames(locate::location(&self.reader, near)?))
    }

    async fn run(&mut self, cursor: &mut FrameCursor) -> Result<(), OpenStoreError> {
        while let Some(frame) = cursor.next().await.map_err(ReadError::from)? {
            if frame.header.kind.uses_lsn() {
                self.group(frame).await?;
            }
        }
        Ok(())
    }

    async fn group(&mut self, frame: Arc<Frame>) -> Result<(), OpenStoreError> {
        let header = frame.header;
        let location = frame.location;
        let index_it = header.lsn > self.covered;
        let apply_it = header.lsn >= self.active.1;
        if !index_it && !apply_it {
            return Ok(());
        }
        let mut group = PlacedGroup::new(&self.reader, frame)?;
        if index_it {
            self.memtable.frame(FrameRef {
                lsn: header.lsn.0,
                segment_first_lsn: location.segment.first_lsn.0,
                segment_epoch: location.segment.epoch.0,
                offset: location.offset,
                first_position: header.first_position.0,
                append_time: header.append_time.0,
            });
            self.index_group(&mut group).await?;
        }
        if apply_it {
            self.apply(&mut group, location).await?;
        }
        if index_it && self.memtable.bytes() >= self.memtable_bytes_max {
            self.flush(header.lsn, Position(header.first_position.0 + u64::from(header.count) - 1)).await?;
        }
        Ok(())
    }

    /// Adds the postings of a group.
    async fn index_group(&mut self, group: &mut PlacedGroup) -> Result<(), OpenStoreError> {
        let (first, end) = group.positions();
        let mut topics = BTreeSet::new();
        for position in first..end {
            let placed = locate::placed(&*self, &self.reader, group, position).await?;
            let topic = placed.entry.topic;
            if topics.insert(topic) {
                self.memtable.add(recount_index::Term::new().topic(topic), position, None);
            }
            for term in record::all_terms(topic, &placed.record)? {
                self.memtable.add(&term, position, None);
            }
        }
        Ok(())
    }

    /// Brings the state past a group.
    async fn apply(&mut self, group: &mut PlacedGroup, location: Location) -> Result<(), OpenStoreError> {
        let header = group.header;
        let (first, end) = group.positions();
        for index in 0..group.directory.entries.len() {
            let entry = group.directory.entries[index];
            let partition = (entry.topic, entry.partition);
            let next = recount_types::Offset(entry.base_offset.0 + i64::from(entry.count));
            let known = self.state.next_offsets.entry(partition).or_default();
            *known = (*known).max(next);
            if entry.base_position.is_none() && !entry.control {
                self.wait(group, index, location)?;
            }
        }
        for mark in &group.directory.marks {
            self.pending.end(mark.producer_id, mark.committed);
        }
        let oldest = self.pending.oldest_lsn();
        self.pending_groups.retain(|lsn, _| oldest.is_some_and(|oldest| *lsn >= oldest));
        for position in first..end {
            if group.local_entry(position).is_some_and(|entry| entry.topic == CATALOG) {
                let placed = locate::placed(&*self, &self.reader, group, position).await?;
                let payload = placed.record.value.unwrap_or_default();
                self.define(payload, Position(position)).map_err(|what| self.bad_group(location, what))?;
            }
        }
        self.state.next_position = Position(end);
        let appends = group.directory.appends.len() as i64;
        self.state.last_append_time = Time(header.append_time.0 + (appends - 1).max(0));
        Ok(())
    }

    fn define(&mut self, payload: &[u8], position: Position) -> Result<(), String> {
        let change: Change = serde_json::from_slice(payload).map_err(|e| e.to_string())?;
        self.state.catalogue = Arc::new(self.state.catalogue.after(&change, position)?);
        Ok(())
    }

    fn bad_group(&self, location: Location, what: String) -> OpenStoreError {
        let file = self.reader.path(location.segment);
        let what = format!("an event of _catalog cannot be applied: {what}");
        OpenStoreError::Journal(OpenError::Corrupt(Corruption { file, offset: location.offset, what }))
    }

    /// A batch whose records have no positions.
    fn wait(&mut self, group: &mut PlacedGroup, index: usize, location: Location) -> Result<(), ReadError> {
        let (batch, producer) = waiting(group, index)?;
        match producer {
            Some(producer) => self.pending.add_transactional(producer, batch),
            None => {
                let node = self.pending.begin_plain();
                self.pending.add(node, batch);
            }
        }
        self.pending_groups.insert(group.header.lsn, location);
        Ok(())
    }

    /// The batches that the prologue names.
    async fn restore_pending(&mut self) -> Result<(), OpenStoreError> {
        for saved in std::mem::take(&mut self.state.pending) {
            let SavedBatch { location, entry, .. } = saved;
            let frame = self.reader.frames(location).next().await.map_err(ReadError::from)?;
            let missing =
                || self.bad_group(location, "the prologue names a batch that is not there".to_owned());
            let mut group = PlacedGroup::new(&self.reader, frame.ok_or_else(missing)?)?;
            if group.directory.entries.len() <= entry as usize {
                return Err(missing());
            }
            let (batch, _) = waiting(&mut group, entry as usize)?;
            self.pending_groups.insert(batch.lsn, location);
            self.pending.restore(&saved, batch);
        }
        Ok(())
    }

    async fn flush(&mut self, to_lsn: Lsn, to_position: Position) -> Result<(), OpenStoreError> {
        if to_position.0 <= self.runs.covered_to_position() {
            return Ok(());
        }
        let memtable = std::mem::replace(&mut self.memtable, Memtable::new(&self.hash_key));
        let written = self.runs.write_run(&memtable, to_position.0, to_lsn.0, &unpaced).await;
        self.runs = self.runs.with(written.map_err(|error| OpenStoreError::Index(chain(&error)))?);
        Ok(())
    }
}

/// What to say of a file of the index that was removed; `None` where that is usual.
fn tell(dropped: &Dropped) -> Option<String> {
    match dropped.why {
        DropReason::Unfinished | DropReason::Covered => None,
        _ => Some(format!("index file {} is made again: {}", dropped.file, dropped.why)),
    }
}

/// A batch of a group as one that waits, and the producer whose transaction it is part of.
fn waiting(group: &mut PlacedGroup, index: usize) -> Result<(Waiting, Option<u64>), ReadError> {
    let entry = group.directory.entries[index];
    let terms = (0..entry.count).map(|record| record::all_terms(entry.topic, &group.local(index, record)?));
    let terms = terms.collect::<Result<_, _>>()?;
    let batch = Waiting {
        lsn: group.header.lsn,
        entry: index as u32,
        partition: (entry.topic, entry.partition),
        count: entry.count,
        terms,
    };
    let producer = if entry.transactional { Some(group.producer_of(index)?) } else { None };
    Ok((batch, producer))
}
