//! Work beside the callers: sealing when idle, ending waits at their deadlines, writing runs and merging them.
//!
//! Two tasks, each asleep until it is told of something to do. They hold no reference that keeps a store open.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use recount_env::{Env, Signal};
use recount_index::{WriteError, merge_runs, plan_merge};
use recount_types::Lsn;

use crate::drive::Database;
use crate::error::chain;
use crate::store::{Inner, lock};

/// A seal is written when nothing was for so long.
const SEAL_AFTER_US: u64 = 50_000;
/// A leader that did nothing for so long is not being polled: the lead is taken from it.
const STALL_US: u64 = 50_000;
/// Pause after each stretch of index output, so that appends find the disk and a core free.
const INDEX_PAUSE: Duration = Duration::from_millis(1);
/// Pause after the index could not be written, such as when the disk is full.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// How the tasks are woken, and how they tell that they ended.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// Appends were made, or one waits with a deadline.
    pub(crate) activity: Signal,
    /// A memtable was frozen.
    pub(crate) index_work: Signal,
    stop: AtomicBool,
    stopped: AtomicU64,
    ended: Signal,
}

/// Counts for metrics.
#[derive(Debug, Default)]
pub(crate) struct IndexCounts {
    pub(crate) flushes: AtomicU64,
    pub(crate) merges: AtomicU64,
    pub(crate) failures: AtomicU64,
}

const TASKS: u64 = 2;

impl Signals {
    /// Tells the tasks to end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.activity.notify();
        self.index_work.notify();
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Waits until both tasks have ended.
    pub(crate) async fn stopped(&self) {
        loop {
            let seen = self.ended.generation();
            if self.stopped.load(Ordering::Acquire) >= TASKS {
                return;
            }
            self.ended.changed(seen).await;
        }
    }

    fn task_ended(&self) {
        self.stopped.fetch_add(1, Ordering::AcqRel);
        self.ended.notify();
    }
}

/// Starts the tasks.
pub(crate) fn start(database: &Arc<Database>) {
    let inner = &database.inner;
    let env = inner.env.clone();
    let idle = keep_time(env.clone(), Arc::downgrade(database), inner.signals.clone());
    inner.env.tasks.spawn("recount-idle", Box::pin(idle));
    let index = keep_index(env, Arc::downgrade(database), inner.signals.clone());
    inner.env.tasks.spawn("recount-index", Box::pin(index));
}

/// Seals when idle; ends waits; leads where the leader does not.
async fn keep_time(env: Env, store: Weak<Database>, signals: Arc<Signals>) {
    let mut stalled = Stalled::default();
    loop {
        let seen = signals.activity.generation();
        if signals.is_stopping() {
            break;
        }
        let Some(database) = store.upgrade() else { break };
        let inner = &database.inner;
        let now = env.clock.boottime_us();
        lock(&inner.sequencer).retry_blocked(&*env.clock);
        let idle_us = now.saturating_sub(inner.last_sync_us.load(Ordering::Relaxed));
        let sealed = inner.is_sealed();
        if !sealed && idle_us >= SEAL_AFTER_US {
            lock(&inner.sequencer).seal_requested = true;
        }
        let until_stall = stalled.check(&database, now);
        database.drive().await;
        let until_seal = (!inner.is_sealed() && !inner.is_closed())
            .then(|| SEAL_AFTER_US.saturating_sub(idle_us).max(1000));
        let until_deadline =
            lock(&inner.sequencer).next_deadline_us().map(|at| at.saturating_sub(now).max(1000));
        let wait_us = [until_seal, until_deadline, until_stall].into_iter().flatten().min();
        drop(database);
        env.tasks.wait(&signals.activity, seen, wait_us.map(Duration::from_micros)).await;
    }
    signals.task_ended();
}

/// Watches the leader. Its caller may keep the future of its append without polling it; all others would wait for ever.
#[derive(Default)]
struct Stalled {
    /// The group that waited to be written when it was looked at last, and since when.
    group: Option<(Lsn, u64)>,
}

impl Stalled {
    /// Takes the lead from a leader that has done nothing for [`STALL_US`]. Should it be polled after all there are two,
    /// which do no harm: only one at a time gets at the writer. Returns when to look again, µs.
    fn check(&mut self, database: &Database, now_us: u64) -> Option<u64> {
        let mut sequencer = lock(&database.inner.sequencer);
        if !sequencer.driving || !sequencer.has_work() {
            self.group = None;
            return None;
        }
        let group = sequencer.next_lsn();
        let since_us = match self.group {
            Some((seen, since_us)) if seen == group => since_us,
            _ => now_us,
        };
        self.group = Some((group, since_us));
        let waited_us = now_us.saturating_sub(since_us);
        if waited_us >= STALL_US && !database.is_polled() {
            sequencer.driving = false;
            self.group = None;
            return None;
        }
        Some(STALL_US.saturating_sub(waited_us).max(1000))
    }
}

/// Writes frozen memtables as runs; merges runs.
async fn keep_index(env: Env, store: Weak<Database>, signals: Arc<Signals>) {
    loop {
        let seen = signals.index_work.generation();
        if signals.is_stopping() {
            break;
        }
        let Some(database) = store.upgrade() else { break };
        let done = match one_job(&database.inner).await {
            Ok(did_something) => (!did_something).then_some(None),
            Err(error) => {
                database.inner.index_counts.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(error = %chain(&error), "the index could not be written; trying again");
                Some(Some(FAILURE_PAUSE))
            }
        };
        drop(database);
        if let Some(timeout) = done {
            env.tasks.wait(&signals.index_work, seen, timeout).await;
        }
    }
    signals.task_ended();
}

/// One flush or one merge; false if there is nothing to do.
async fn one_job(inner: &Arc<Inner>) -> Result<bool, WriteError> {
    let pace = pace(&inner.env);
    let (frozen, runs) = {
        let sequencer = lock(&inner.sequencer);
        (sequencer.frozen.front().cloned(), sequencer.runs.clone())
    };
    if let Some(frozen) = frozen {
        // A run covers synced groups only, also where they give no positions.
        let synced = || inner.reader.synced_lsn() >= frozen.to_lsn;
        if !synced() {
            let seen = inner.visible.generation();
            if !synced() && !inner.is_closed() {
                inner.visible.changed(seen).await;
            }
            return Ok(!inner.is_closed());
        }
        let run = runs.write_run(&frozen.memtable, frozen.to_position.0, frozen.to_lsn.0, &pace).await?;
        lock(&inner.sequencer).install(runs.with(run));
        inner.index_counts.flushes.fetch_add(1, Ordering::Relaxed);
        return Ok(true);
    }
    let Some(range) = plan_merge(&runs) else { return Ok(false) };
    let merged = merge_runs(&runs, range, &pace).await?;
    lock(&inner.sequencer).install(runs.replaced(merged));
    inner.index_counts.merges.fetch_add(1, Ordering::Relaxed);
    Ok(true)
}

/// Waits a little after each stretch of output.
fn pace(env: &Env) -> impl Fn(usize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync + use<> {
    let env = env.clone();
    move |_bytes| {
        let env = env.clone();
        Box::pin(async move {
            let never = Signal::new();
            env.tasks.wait(&never, 0, Some(INDEX_PAUSE)).await;
        })
    }
}
