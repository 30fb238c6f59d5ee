//! One version of an entity, kept up to date: its replica, and who may ask it what.
//!
//! Whoever needs it at some position takes it there by itself, under its lock; a task beside does so when nobody asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use recount_entity::key::Key;
use recount_entity::table::{Frozen, Located};
use recount_env::{Clock, block_on};
use recount_store::ReadError;
use recount_store::schema::ColumnType;
use recount_types::{EntityId, TopicName};

use crate::bind::RowColumn;
use crate::budget::HeldRows;
use crate::error::ViewError;
use crate::lock;
use crate::pace::Pace;
use crate::replica::{Confines, Plan, Replica};
use crate::snapshot::{SnapshotError, Snapshots, Taken, Wanted};

/// Pause before what failed for want of memory, or at a read, is tried again.
pub(crate) const RETRY_US: u64 = 5_000_000;

/// One version of an entity.
pub(crate) struct Live {
    pub(crate) id: EntityId,
    pub(crate) name: TopicName,
    pub(crate) version: u32,
    pub(crate) columns: Vec<RowColumn>,
    /// How many of the columns are the key's.
    pub(crate) key_width: usize,
    /// The columns that are kept of what each look-up finds.
    pub(crate) lookups: Vec<Vec<(String, ColumnType)>>,
    /// The conditions of its rules, as they were written.
    pub(crate) rules: Vec<String>,
    plan: Plan,
    beside: Beside,
    replica: Mutex<Replica>,
    /// The one that it takes the rows over from: it folded the same, but for a topic that grew or an event passed over.
    before: Mutex<Option<Arc<Live>>>,
    /// Rows to be kept, until somebody writes them.
    taken: Mutex<Option<Taken>>,
    /// Where the replica is, for those who only look.
    position: AtomicU64,
    /// Why it does not go on, and when it is tried again, in boot-time µs; `u64::MAX` = never.
    failed: Mutex<Option<(ViewError, u64)>>,
    pace: Mutex<Pace>,
}

/// What all versions share.
#[derive(Clone)]
pub(crate) struct Beside {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) snapshots: Arc<Snapshots>,
    /// Events from one snapshot to the next, at least.
    pub(crate) interval: u64,
}

/// What it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Everything up to this position is folded.
    pub position: u64,
    /// Keys that it knows.
    pub keys: usize,
    /// Keys that stopped at an event.
    pub stopped: usize,
    /// About the memory that it takes.
    pub bytes: usize,
    /// Events that do not fit their topic's columns, and are left out.
    pub unfit: u64,
    /// How many positions it comes nearer to the head in a second, if it is behind and that is known.
    pub per_second: Option<u64>,
}

impl Live {
    pub(crate) fn new(
        id: EntityId,
        name: TopicName,
        version: u32,
        replica: Replica,
        beside: Beside,
        before: Option<Arc<Live>>,
    ) -> Live {
        let bound = &replica.plan().bound;
        let (columns, key_width) = (bound.columns.clone(), bound.key.len());
        let lookups = bound.lookups.iter().map(|lookup| lookup.columns.clone()).collect();
        let rules = bound.rules.clone();
        let plan = replica.plan().clone();
        let (replica, position, failed) = (Mutex::new(replica), AtomicU64::new(0), Mutex::new(None));
        let (before, taken, pace) = (Mutex::new(before), Mutex::new(None), Mutex::default());
        Live {
            id,
            name,
            version,
            columns,
            key_width,
            lookups,
            rules,
            plan,
            beside,
            replica,
            before,
            taken,
            position,
            failed,
            pace,
        }
    }

    /// Where it is, without waiting.
    pub(crate) fn position(&self) -> u64 {
        self.position.load(Ordering::Acquire)
    }

    /// Where it is, without waiting; or why it does not go on.
    pub(crate) fn progress(&self) -> Result<u64, ViewError> {
        match &*lock(&self.failed) {
            Some((error, _)) => Err(error.clone()),
            None => Ok(self.position()),
        }
    }

    /// Works on the replica, at `wanted` or behind it. `goes_on` is asked between epochs.
    pub(crate) fn at<T>(
        &self,
        wanted: u64,
        goes_on: &dyn Fn() -> bool,
        mut work: impl FnMut(&mut Replica) -> Result<T, ViewError>,
    ) -> Result<T, ViewError> {
        let mut replica = lock(&self.replica);
        loop {
            self.catch_up(&mut replica, wanted, goes_on)?;
            match work(&mut replica) {
                Err(ViewError::Snapshot(error)) => self.go_without(&mut replica, &error),
                done => return done,
            }
        }
    }

    /// Begins anew without a snapshot that turned out not to be of use.
    fn go_without(&self, replica: &mut Replica, error: &SnapshotError) {
        self.beside.snapshots.discard(error);
        *replica = replica.anew(self.plan.clone(), Confines::default());
    }

    /// One epoch towards `wanted`; true if there is more to do.
    pub(crate) fn epoch(&self, wanted: u64) -> Result<bool, ViewError> {
        let mut replica = lock(&self.replica);
        self.step(&mut replica, wanted)?;
        Ok(replica.position < wanted)
    }

    fn catch_up(
        &self,
        replica: &mut Replica,
        wanted: u64,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(), ViewError> {
        while replica.position < wanted {
            if !goes_on() {
                let entity = format!("{} (version {})", self.name, self.version);
                return Err(ViewError::Behind { entity, position: replica.position, wanted });
            }
            self.step(replica, wanted)?;
        }
        Ok(())
    }

    fn step(&self, replica: &mut Replica, wanted: u64) -> Result<(), ViewError> {
        let now = self.beside.clock.boottime_us();
        if let Some((error, again)) = &*lock(&self.failed)
            && now < *again
        {
            return Err(error.clone());
        }
        lock(&self.pace).begins(now, replica.position);
        let done = self.epoch_of(replica, wanted);
        if let Err(error) = &done {
            // An epoch that was cut short left rows of no position.
            *replica = replica.anew(self.plan.clone(), Confines::default());
            let again = match error {
                // Others may have given memory back, or the machine may have recovered.
                ViewError::Memory { .. } | ViewError::Read(ReadError::Io { .. }) => now + RETRY_US,
                ViewError::Read(ReadError::Closed) => now,
                _ => u64::MAX,
            };
            *lock(&self.failed) = Some((error.clone(), again));
        } else {
            *lock(&self.failed) = None;
        }
        self.position.store(replica.position, Ordering::Release);
        lock(&self.pace).ends(self.beside.clock.boottime_us(), replica.position, replica.position >= wanted);
        done
    }

    fn epoch_of(&self, replica: &mut Replica, wanted: u64) -> Result<(), ViewError> {
        let taken = loop {
            match block_on(self.begun_epoch(replica, wanted)) {
                Err(ViewError::Snapshot(error)) => self.go_without(replica, &error),
                done => break done?,
            }
        };
        if let Some(taken) = taken {
            let before = lock(&self.taken).replace(taken);
            // Nobody wrote that one yet: whoever folds faster than snapshots are written waits for them.
            self.keep(before);
        }
        Ok(())
    }

    async fn begun_epoch(&self, replica: &mut Replica, wanted: u64) -> Result<Option<Taken>, ViewError> {
        if replica.position == 0 {
            self.begin(replica, wanted).await?;
        }
        if replica.position >= wanted {
            return Ok(None);
        }
        replica.epoch(wanted, self.beside.interval, (self.id, self.version)).await
    }

    /// Begins with what is there already: the rows of the one before, or a snapshot.
    async fn begin(&self, replica: &mut Replica, wanted: u64) -> Result<(), ViewError> {
        if let Some(taken_over) = self.take_over() {
            *replica = taken_over;
            return replica.go_on_by(self.plan.clone()).await;
        }
        if let Some(snapshot) = self.beside.snapshots.newest(self.wanted(wanted, None)).await {
            replica.begin_from(snapshot, None).await?;
        }
        Ok(())
    }

    /// The replica of the one before, which begins anew should anybody still ask it.
    fn take_over(&self) -> Option<Replica> {
        let mut before = lock(&self.before).take();
        while let Some(live) = before {
            let mut theirs = lock(&live.replica);
            if theirs.position > 0 {
                let anew = theirs.anew(live.plan.clone(), Confines::default());
                // Rows that wait to be kept are of the same fold.
                *lock(&self.taken) = lock(&live.taken).take();
                return Some(std::mem::replace(&mut *theirs, anew));
            }
            before = lock(&live.before).take();
        }
        None
    }

    /// Which snapshot can be begun from.
    pub(crate) fn wanted(&self, until: u64, valid_until: Option<i64>) -> Wanted<'_> {
        self.plan.wanted((self.id, self.version), until, valid_until)
    }

    /// Writes the snapshot that waits to be written, if one does.
    pub(crate) fn keep_taken(&self) {
        let taken = lock(&self.taken).take();
        self.keep(taken);
    }

    /// Takes a snapshot, if it saves folding much again, and writes it.
    pub(crate) fn keep_on_closing(&self) {
        self.keep_taken();
        let mut replica = lock(&self.replica);
        let taken = block_on(replica.take_on_closing(self.beside.interval, (self.id, self.version)));
        drop(replica);
        match taken {
            Ok(taken) => self.keep(taken),
            Err(error) => tracing::warn!(entity = %self.name, %error, "no snapshot is taken"),
        }
    }

    fn keep(&self, taken: Option<Taken>) {
        let Some(taken) = taken else { return };
        if let Err(error) = self.beside.snapshots.write(&taken, self.beside.interval) {
            tracing::warn!(entity = %self.name, %error, "no snapshot is kept; it is taken again later");
        }
    }

    /// The rows of several at one position, `wanted` or the latest that one of them is at.
    pub(crate) fn freeze(
        all: &[&Live],
        wanted: u64,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(u64, Vec<HeldRows>), ViewError> {
        // Always locked in the same order, so that two who ask do not wait for one another.
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_key(|&at| (all[at].id, all[at].version));
        order.dedup_by_key(|at| (all[*at].id, all[*at].version));
        let mut held: Vec<(usize, std::sync::MutexGuard<'_, Replica>)> =
            order.into_iter().map(|at| (at, lock(&all[at].replica))).collect();
        let wanted = held.iter().map(|(_, replica)| replica.position).fold(wanted, u64::max);
        for (at, replica) in &mut held {
            all[*at].catch_up(replica, wanted, goes_on)?;
        }
        let mut frozen = Vec::new();
        for live in all {
            let of =
                held.iter_mut().find(|(at, _)| (all[*at].id, all[*at].version) == (live.id, live.version));
            let (_, replica) = of.expect("every one was locked");
            let rows = live.frozen(replica, goes_on)?;
            frozen.push(HeldRows::shared(rows, replica.unfit));
        }
        Ok((wanted, frozen))
    }

    /// All rows of its replica.
    fn frozen(&self, replica: &mut Replica, goes_on: &dyn Fn() -> bool) -> Result<Frozen, ViewError> {
        let position = replica.position;
        loop {
            match block_on(replica.freeze()) {
                Err(ViewError::Snapshot(error)) => self.go_without(replica, &error),
                done => return done,
            }
            self.catch_up(replica, position, goes_on)?;
        }
    }

    /// The topics that it is made of.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &TopicName> {
        std::iter::once(&self.plan.topic.name).chain(self.plan.lookups.iter().map(|source| &source.name))
    }

    /// What it folds; it never changes.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where a key is among the rows that are kept up to date; `None` while these are busy, or not all in memory.
    pub(crate) fn locate(&self, key: &Key) -> Option<Located> {
        self.replica.try_lock().ok()?.locate(key.as_bytes())
    }

    /// Tells of each key that stopped: the event, and why.
    pub(crate) fn each_stopped(&self, tell: &mut dyn FnMut(&Key, u64, &str)) -> Result<(), ViewError> {
        let mut replica = lock(&self.replica);
        let frozen = if replica.stopped_elsewhere() == 0 {
            replica.freeze_loaded()
        } else {
            self.frozen(&mut replica, &|| true)?
        };
        drop(replica);
        for (row, _) in frozen.rows() {
            if let Some(stopped) = &row.stopped {
                tell(&row.key.to_key(), stopped.position, &stopped.reason);
            }
        }
        Ok(())
    }

    pub(crate) fn status(&self) -> Status {
        let replica = lock(&self.replica);
        let table = replica.table();
        let stopped = table.slots().filter(|&slot| table.row(slot).stopped.is_some()).count();
        Status {
            position: replica.position,
            keys: replica.keys(),
            stopped: stopped + replica.stopped_elsewhere() as usize,
            bytes: replica.bytes(),
            unfit: replica.unfit,
            per_second: lock(&self.pace).per_second(),
        }
    }
}
