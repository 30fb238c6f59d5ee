//! One version of an entity, kept up to date: its replica, and who may ask it what.
//!
//! Whoever needs it at some position takes it there by itself, under its lock; a task beside does so when nobody asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use recount_entity::fold::{Events, Step};
use recount_entity::key::Key;
use recount_entity::table::Frozen;
use recount_env::{Clock, block_on};
use recount_store::ReadError;
use recount_store::schema::ColumnType;
use recount_types::limits::APPEND_EVENTS_MAX;
use recount_types::{EntityId, TopicName};

use crate::bind::RowColumn;
use crate::error::ViewError;
use crate::lock;
use crate::pace::Pace;
use crate::replica::{Confines, Plan, Replica};

/// Positions that one epoch covers at most; more than an append has.
pub(crate) const EPOCH_POSITIONS: u64 = 65_536;
const _: () = assert!(EPOCH_POSITIONS > APPEND_EVENTS_MAX as u64);

/// Pause before what failed for want of memory, or at a read, is tried again.
const RETRY_US: u64 = 5_000_000;

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
    clock: Arc<dyn Clock>,
    replica: Mutex<Replica>,
    /// Where the replica is, for those who only look.
    position: AtomicU64,
    /// Why it does not go on, and when it is tried again, in boot-time µs; `u64::MAX` = never.
    failed: Mutex<Option<(ViewError, u64)>>,
    pace: Mutex<Pace>,
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
        clock: Arc<dyn Clock>,
    ) -> Live {
        let bound = &replica.plan().bound;
        let (columns, key_width) = (bound.columns.clone(), bound.key.len());
        let lookups = bound.lookups.iter().map(|lookup| lookup.columns.clone()).collect();
        let rules = bound.rules.clone();
        let plan = replica.plan().clone();
        let (replica, position, failed) = (Mutex::new(replica), AtomicU64::new(0), Mutex::new(None));
        let pace = Mutex::default();
        Live {
            id,
            name,
            version,
            columns,
            key_width,
            lookups,
            rules,
            plan,
            clock,
            replica,
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
        work: impl FnOnce(&mut Replica) -> Result<T, ViewError>,
    ) -> Result<T, ViewError> {
        let mut replica = lock(&self.replica);
        self.catch_up(&mut replica, wanted, goes_on)?;
        work(&mut replica)
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
        let now = self.clock.boottime_us();
        if let Some((error, again)) = &*lock(&self.failed)
            && now < *again
        {
            return Err(error.clone());
        }
        lock(&self.pace).begins(now, replica.position);
        let done = block_on(async {
            let until = replica.epoch_end(wanted, EPOCH_POSITIONS).await?;
            replica.advance(until, &mut |_: Step<'_>, _: &Events| {}).await
        });
        if let Err(error) = &done {
            // An epoch that was cut short left rows of no position.
            *replica = replica.anew(replica.plan().clone(), Confines::default());
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
        lock(&self.pace).ends(self.clock.boottime_us(), replica.position, replica.position >= wanted);
        done
    }

    /// The rows of several at one position, `wanted` or the latest that one of them is at.
    pub(crate) fn freeze(
        all: &[&Live],
        wanted: u64,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(u64, Vec<Frozen>), ViewError> {
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
        let frozen = all.iter().map(|live| {
            let of = held.iter().find(|(at, _)| (all[*at].id, all[*at].version) == (live.id, live.version));
            let (_, replica) = of.expect("every one was locked");
            replica.table.freeze()
        });
        Ok((wanted, frozen.collect()))
    }

    /// What it folds; it never changes.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Tells of each key that stopped: the event, and why.
    pub(crate) fn each_stopped(&self, tell: &mut dyn FnMut(&Key, u64, &str)) {
        let frozen = lock(&self.replica).table.freeze();
        for (row, _) in frozen.rows() {
            if let Some(stopped) = &row.stopped {
                tell(&row.key, stopped.position, &stopped.reason);
            }
        }
    }

    pub(crate) fn status(&self) -> Status {
        let replica = lock(&self.replica);
        Status {
            position: replica.position,
            keys: replica.table.len(),
            stopped: replica.table.slots().filter(|&slot| replica.table.row(slot).stopped.is_some()).count(),
            bytes: replica.bytes(),
            unfit: replica.unfit,
            per_second: lock(&self.pace).per_second(),
        }
    }
}
