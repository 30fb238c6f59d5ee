//! The simulated machine: one seed decides everything that happens on it.
//!
//! Single-threaded. Tasks are polled in a random order, an I/O ends at a random later moment, and time passes
//! only by that and by timers. The same seed and the same program do the same, byte for byte.
//!
//! - [`World`]: the machine. Cut its power or kill the process, start again.
//! - [`Process`]: runs tasks, until they end or a crash strikes.
//! - [`disk`]: what is on the disk and what only the page cache has, by sectors of 512 bytes.
//! - [`faults`]: what may go wrong, where, and how often it did.
//! - [`rng`]: the only source of chance.

pub mod disk;
pub mod faults;
mod handle;
mod io;
mod operation;
mod process;
pub mod rng;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use crate::{Env, Task};

use disk::Disk;
use faults::{Counts, CrashAt, Faults};
use handle::Handle;
use rng::Rng;

pub use process::{Ended, Process, Spawner};

/// A simulated machine.
#[derive(Clone)]
pub struct World {
    core: Arc<Mutex<Core>>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

/// Names what a path is, for counting: `segment`, `manifest`, `run` …
pub type Classify = fn(&Path) -> &'static str;

pub(crate) struct Core {
    pub(crate) rng: Rng,
    pub(crate) disk: Disk,
    pub(crate) faults: Faults,
    pub(crate) counts: Counts,
    pub(crate) classify: Classify,
    /// The machine is running this incarnation of the process; others see no I/O end.
    pub(crate) incarnation: u64,
    /// The process stopped: the incarnation ends when the step does.
    pub(crate) stopped: bool,
    /// The incarnation whose tasks are being dropped.
    pub(crate) ending: Option<u64>,
    boots: u64,
    now_us: u64,
    boot_at_us: u64,
    wall_offset_us: i64,
    next_id: u64,
    tasks: BTreeMap<u64, Option<Task>>,
    /// I/O in flight: when it ends, and whom to wake.
    pub(crate) in_flight: BTreeMap<u64, InFlight>,
    timers: BTreeMap<(u64, u64), Waker>,
    trace: VecDeque<String>,
}

pub(crate) struct InFlight {
    pub(crate) due_us: u64,
    pub(crate) ended: bool,
    pub(crate) waker: Option<Waker>,
}

/// 2023-12-13T12:00:00Z.
const FIRST_WALL_US: i64 = 1_702_468_800_000_000;
/// Descriptions of operations kept for showing what led to a failure.
const TRACE_MAX: usize = 400;

impl World {
    /// A machine with an empty disk.
    pub fn new(seed: u64, classify: Classify) -> World {
        let core = Core {
            rng: Rng::new(seed),
            disk: Disk::default(),
            faults: Faults::default(),
            counts: Counts::default(),
            classify,
            incarnation: 0,
            stopped: false,
            ending: None,
            boots: 0,
            now_us: 0,
            boot_at_us: 0,
            wall_offset_us: FIRST_WALL_US,
            next_id: 0,
            tasks: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            timers: BTreeMap::new(),
            trace: VecDeque::new(),
        };
        World { core: Arc::new(Mutex::new(core)) }
    }

    /// Starts a process. There must be no other: see [`World::power_cut`] and [`World::kill`].
    pub fn start(&self) -> (Process, Env) {
        let mut core = self.lock();
        core.stopped = false;
        let incarnation = core.incarnation;
        drop(core);
        let process = Process::new(self.clone(), incarnation);
        let handle = Arc::new(Handle { world: self.clone(), incarnation, spawner: process.spawner() });
        let env =
            Env { files: handle.clone(), clock: handle.clone(), entropy: handle.clone(), tasks: handle };
        (process, env)
    }

    /// The power fails: what was not synced survives in part, as the disk model says. Ends the process.
    pub fn power_cut(&self) {
        self.end_process(true);
    }

    /// The process is killed: the page cache stays. Ends the process.
    pub fn kill(&self) {
        self.end_process(false);
    }

    fn end_process(&self, power: bool) {
        let (tasks, timers, in_flight) = {
            let mut core = self.lock();
            core.ending = Some(core.incarnation);
            core.incarnation += 1;
            let tasks = std::mem::take(&mut core.tasks);
            (tasks, std::mem::take(&mut core.timers), std::mem::take(&mut core.in_flight))
        };
        // Their drops come back here: what was in flight is done, or not.
        drop((tasks, timers, in_flight));
        let mut core = self.lock();
        core.ending = None;
        core.stopped = false;
        core.disk.release_locks();
        core.note(if power { "power cut".to_owned() } else { "kill".to_owned() });
        if power {
            core.boots += 1;
            core.now_us += 1_000_000;
            core.boot_at_us = core.now_us;
            let Core { disk, rng, .. } = &mut *core;
            disk.power_cut(rng);
        }
    }

    /// What may go wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Changes what may go wrong.
    pub fn change_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock().faults);
    }

    /// Moves the wall clock.
    pub fn jump_wall(&self, us: i64) {
        self.lock().wall_offset_us += us;
    }

    /// Counts of operations and faults so far.
    pub fn counts(&self) -> Counts {
        self.lock().counts.clone()
    }

    /// Looks at the disk, tampers with it, or puts a snapshot back, while no process runs.
    pub fn disk<T>(&self, look: impl FnOnce(&mut Disk) -> T) -> T {
        look(&mut self.lock().disk)
    }

    /// A number below `bound`.
    pub fn random(&self, bound: u64) -> u64 {
        self.lock().rng.below(bound)
    }

    /// The latest operations, for showing what led to a failure.
    pub fn trace(&self) -> Vec<String> {
        self.lock().trace.iter().cloned().collect()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Core {
    pub(crate) fn note(&mut self, what: String) {
        if self.trace.len() == TRACE_MAX {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("{:>10} {what}", self.now_us));
    }

    pub(crate) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Begins an I/O that wakes `waker` when it ends.
    pub(crate) fn begin_io(&mut self, waker: Waker) -> u64 {
        let id = self.id();
        let latency_us = 1 + self.rng.below(200);
        let due_us = self.now_us + latency_us;
        self.in_flight.insert(id, InFlight { due_us, ended: false, waker: Some(waker) });
        id
    }

    /// Whether the crash that was asked for is due at this operation.
    pub(crate) fn crash_due(&mut self, site: faults::Site) -> bool {
        let total = self.counts.operations;
        let at_site = self.counts.of(site);
        match self.faults.crash {
            Some(CrashAt::Operation(n)) => total == n,
            Some(CrashAt::Site(wanted, n)) => wanted == site && at_site == n,
            None => false,
        }
    }
}

pub(crate) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
