//! The simulated machine: one seed decides everything that happens on it.
//!
//! Single-threaded. Tasks are polled in a random order, an I/O ends at a random later moment, time passes only
//! when nothing else can happen. The same seed and the same program do the same, byte for byte.
//!
//! - [`World`]: the machine. Run tasks on it, cut its power or kill the process, boot again.
//! - [`disk`]: what is on the disk and what only the page cache has, by sectors of 512 bytes.
//! - [`faults`]: what may go wrong, where, and how often it did.
//! - [`rng`]: the only source of chance.

pub mod disk;
pub mod faults;
mod io;
pub mod rng;

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::{Clock, Entropy, Env, Signal, Task, Tasks};

use disk::Disk;
use faults::{Counts, CrashAt, Faults};
use rng::Rng;

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
    boots: u64,
    now_us: u64,
    boot_at_us: u64,
    wall_offset_us: i64,
    next_id: u64,
    tasks: BTreeMap<u64, Option<Task>>,
    /// I/O in flight: when it ends, and whom to wake.
    pub(crate) in_flight: BTreeMap<u64, InFlight>,
    timers: BTreeMap<(u64, u64), Waker>,
    pub(crate) trace: Vec<String>,
}

pub(crate) struct InFlight {
    pub(crate) due_us: u64,
    pub(crate) ended: bool,
    pub(crate) waker: Option<Waker>,
}

/// Tasks that were woken; apart from [`Core`], because a waker may be used while that is locked.
type Woken = Arc<Mutex<BTreeSet<u64>>>;

/// Runs the tasks of one incarnation.
#[derive(Debug)]
pub struct Process {
    world: World,
    incarnation: u64,
    woken: Woken,
}

/// Starts tasks of a process.
#[derive(Debug, Clone)]
pub struct Spawner {
    world: World,
    incarnation: u64,
    woken: Woken,
}

impl Spawner {
    /// Starts a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        spawn(&self.world, self.incarnation, &self.woken, Box::pin(task));
    }
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// What it waited for is so.
    Done,
    /// The process stopped: a crash fault struck.
    Crashed,
    /// Nothing can happen any more, or not within the steps allowed.
    Stuck,
}

/// Steps after which a run is taken to be stuck.
const STEPS_MAX: u64 = 5_000_000;
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
            boots: 0,
            now_us: 0,
            boot_at_us: 0,
            wall_offset_us: FIRST_WALL_US,
            next_id: 0,
            tasks: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            timers: BTreeMap::new(),
            trace: Vec::new(),
        };
        World { core: Arc::new(Mutex::new(core)) }
    }

    /// Starts a process. There must be no other: see [`World::power_cut`] and [`World::kill`].
    pub fn start(&self) -> (Process, Env) {
        let mut core = self.lock();
        core.stopped = false;
        let incarnation = core.incarnation;
        drop(core);
        let woken = Woken::default();
        let process = Process { world: self.clone(), incarnation, woken: woken.clone() };
        let handle = Arc::new(Handle { world: self.clone(), incarnation, woken });
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
            core.incarnation += 1;
            let tasks = std::mem::take(&mut core.tasks);
            (tasks, std::mem::take(&mut core.timers), std::mem::take(&mut core.in_flight))
        };
        // Their drops may come back here.
        drop((tasks, timers, in_flight));
        let mut core = self.lock();
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

    /// Looks at or tampers with the disk, while no process runs.
    pub fn disk<T>(&self, look: impl FnOnce(&mut Disk) -> T) -> T {
        look(&mut self.lock().disk)
    }

    /// A number below `bound`.
    pub fn random(&self, bound: u64) -> u64 {
        self.lock().rng.below(bound)
    }

    /// The latest operations, for showing what led to a failure.
    pub fn trace(&self) -> Vec<String> {
        self.lock().trace.clone()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Core {
    pub(crate) fn note(&mut self, what: String) {
        if self.trace.len() >= TRACE_MAX {
            self.trace.drain(..TRACE_MAX / 2);
        }
        self.trace.push(format!("{:>10} {what}", self.now_us));
    }

    pub(crate) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn begin_io(&mut self) -> u64 {
        let id = self.id();
        let latency_us = 1 + self.rng.below(200);
        let due_us = self.now_us + latency_us;
        self.in_flight.insert(id, InFlight { due_us, ended: false, waker: None });
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

impl Process {
    /// A handle that starts tasks from within a task.
    pub fn spawner(&self) -> Spawner {
        Spawner { world: self.world.clone(), incarnation: self.incarnation, woken: self.woken.clone() }
    }

    /// Starts a task of this process.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        spawn(&self.world, self.incarnation, &self.woken, Box::pin(task));
    }

    /// Runs until `done` says so, looked at between steps.
    pub fn run_until(&self, mut done: impl FnMut() -> bool) -> Ended {
        for _ in 0..STEPS_MAX {
            if self.world.lock().stopped {
                return Ended::Crashed;
            }
            if done() {
                return Ended::Done;
            }
            if !self.step() {
                return Ended::Stuck;
            }
        }
        Ended::Stuck
    }

    /// Runs until `task` has ended; `None` if the process stopped, or nothing can happen any more.
    pub fn run<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Result<T, Ended> {
        let result = Arc::new(Mutex::new(None));
        let slot = result.clone();
        self.spawn(async move {
            let output = task.await;
            *slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(output);
        });
        let is_done = || result.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).is_some();
        match self.run_until(is_done) {
            Ended::Done => {
                let output = result.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
                output.ok_or(Ended::Stuck)
            }
            ended => Err(ended),
        }
    }

    /// One thing happens: a task is polled, an I/O ends, or a timer. False if nothing can.
    fn step(&self) -> bool {
        let woken: Vec<u64> = guard(&self.woken).iter().copied().collect();
        let mut core = self.world.lock();
        let io_ready = !core.in_flight.is_empty();
        // Mostly tasks first, but sometimes an I/O ends while tasks could run.
        if !woken.is_empty() && (!io_ready || core.rng.below(4) > 0) {
            let chosen = woken[core.rng.below(woken.len() as u64) as usize];
            drop(core);
            self.poll(chosen);
            return true;
        }
        let next_io =
            core.in_flight.iter().filter(|(_, io)| !io.ended).map(|(&id, io)| (io.due_us, id)).min();
        let next_timer = core.timers.keys().next().copied();
        match (next_io, next_timer) {
            (Some((due_us, id)), timer) if timer.is_none_or(|(timer_us, _)| due_us <= timer_us) => {
                core.now_us = core.now_us.max(due_us);
                let waker = core.in_flight.get_mut(&id).and_then(|io| {
                    io.ended = true;
                    io.waker.take()
                });
                drop(core);
                waker.into_iter().for_each(Waker::wake);
                true
            }
            (_, Some((due_us, id))) => {
                core.now_us = core.now_us.max(due_us);
                let waker = core.timers.remove(&(due_us, id));
                drop(core);
                waker.into_iter().for_each(Waker::wake);
                true
            }
            _ => !woken.is_empty(),
        }
    }

    fn poll(&self, id: u64) {
        guard(&self.woken).remove(&id);
        let task = self.world.lock().tasks.get_mut(&id).and_then(Option::take);
        let Some(mut task) = task else { return };
        let waker = Waker::from(Arc::new(WakeTask { id, woken: self.woken.clone() }));
        let mut cx = Context::from_waker(&waker);
        match task.as_mut().poll(&mut cx) {
            Poll::Ready(()) => {
                self.world.lock().tasks.remove(&id);
            }
            Poll::Pending => {
                if let Some(slot) = self.world.lock().tasks.get_mut(&id) {
                    *slot = Some(task);
                }
            }
        }
    }
}

struct WakeTask {
    id: u64,
    woken: Woken,
}

impl Wake for WakeTask {
    fn wake(self: Arc<Self>) {
        guard(&self.woken).insert(self.id);
    }
}

fn spawn(world: &World, incarnation: u64, woken: &Woken, task: Task) {
    let mut core = world.lock();
    if core.incarnation == incarnation {
        let id = core.id();
        core.tasks.insert(id, Some(task));
        drop(core);
        guard(woken).insert(id);
    }
}

/// One process's view of the machine.
pub(crate) struct Handle {
    pub(crate) world: World,
    pub(crate) incarnation: u64,
    woken: Woken,
}

impl Clock for Handle {
    fn now_us(&self) -> i64 {
        let core = self.world.lock();
        core.now_us as i64 + core.wall_offset_us
    }

    fn boottime_us(&self) -> u64 {
        let core = self.world.lock();
        core.now_us - core.boot_at_us
    }

    fn boot_id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(self.world.lock().boots + 1).to_le_bytes());
        id
    }
}

impl Entropy for Handle {
    fn fill(&self, out: &mut [u8]) {
        let mut core = self.world.lock();
        for byte in out {
            *byte = core.rng.below(256) as u8;
        }
    }
}

impl Tasks for Handle {
    fn spawn(&self, _name: &str, task: Task) {
        spawn(&self.world, self.incarnation, &self.woken, task);
    }

    fn wait<'a>(
        &'a self,
        signal: &'a Signal,
        seen: u64,
        timeout: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        let deadline = timeout.map(|timeout| {
            let mut core = self.world.lock();
            (core.now_us + timeout.as_micros() as u64, core.id())
        });
        let mut timer = Timer { world: &self.world, deadline };
        Box::pin(poll_fn(move |cx| {
            let changed = signal.poll_changed(seen, cx);
            if changed.is_pending() { timer.poll(cx) } else { changed }
        }))
    }
}

/// Removes itself when it is not waited for any more.
struct Timer<'a> {
    world: &'a World,
    deadline: Option<(u64, u64)>,
}

impl Timer<'_> {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let mut core = self.world.lock();
        if core.now_us >= deadline.0 {
            return Poll::Ready(());
        }
        core.timers.insert(deadline, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        if let Some(deadline) = self.deadline {
            let waker = self.world.lock().timers.remove(&deadline);
            drop(waker);
        }
    }
}

pub(crate) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
