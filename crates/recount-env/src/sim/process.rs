//! The process: polls its tasks, ends its I/O, lets time pass.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use super::{World, guard};

/// Tasks that were woken; apart from the machine's state, because a waker may be used while that is locked.
type Woken = Arc<Mutex<BTreeSet<u64>>>;

/// Runs the tasks of one incarnation.
#[derive(Debug)]
pub struct Process {
    spawner: Spawner,
}

/// Starts tasks of a process, from within a task too.
#[derive(Debug, Clone)]
pub struct Spawner {
    world: World,
    incarnation: u64,
    woken: Woken,
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

impl Process {
    pub(crate) fn new(world: World, incarnation: u64) -> Process {
        Process { spawner: Spawner { world, incarnation, woken: Woken::default() } }
    }

    /// A handle that starts tasks from within a task.
    pub fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Starts a task of this process.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawner.spawn(task);
    }

    /// Runs until `done` says so, looked at between steps.
    pub fn run_until(&self, mut done: impl FnMut() -> bool) -> Ended {
        for _ in 0..STEPS_MAX {
            if self.spawner.world.lock().stopped {
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

    /// Runs until `task` has ended; an error if the process stopped, or nothing can happen any more.
    pub fn run<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Result<T, Ended> {
        let result = Arc::new(Mutex::new(None));
        let slot = result.clone();
        self.spawn(async move {
            let output = task.await;
            *guard(&slot) = Some(output);
        });
        match self.run_until(|| guard(&result).is_some()) {
            Ended::Done => {
                let output = guard(&result).take();
                output.ok_or(Ended::Stuck)
            }
            ended => Err(ended),
        }
    }

    /// One thing happens: a task is polled, an I/O ends, or a timer. False if nothing can.
    fn step(&self) -> bool {
        let woken = guard(&self.spawner.woken).clone();
        let mut core = self.spawner.world.lock();
        let next_io =
            core.in_flight.iter().filter(|(_, io)| !io.ended).map(|(&id, io)| (io.due_us, id)).min();
        // Mostly tasks first, but sometimes an I/O ends while tasks could run.
        if !woken.is_empty() && (next_io.is_none() || core.rng.below(4) > 0) {
            let chosen = woken.iter().nth(core.rng.below(woken.len() as u64) as usize).copied();
            drop(core);
            chosen.into_iter().for_each(|id| self.poll(id));
            return true;
        }
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
            _ => false,
        }
    }

    fn poll(&self, id: u64) {
        guard(&self.spawner.woken).remove(&id);
        let task = self.spawner.world.lock().tasks.get_mut(&id).and_then(Option::take);
        let Some(mut task) = task else { return };
        let waker = Waker::from(Arc::new(WakeTask { id, woken: self.spawner.woken.clone() }));
        let mut cx = Context::from_waker(&waker);
        match task.as_mut().poll(&mut cx) {
            Poll::Ready(()) => {
                self.spawner.world.lock().tasks.remove(&id);
            }
            Poll::Pending => {
                if let Some(slot) = self.spawner.world.lock().tasks.get_mut(&id) {
                    *slot = Some(task);
                }
            }
        }
    }
}

impl Spawner {
    /// Starts a task; nothing if the process is no more.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut core = self.world.lock();
        if core.incarnation == self.incarnation {
            let id = core.id();
            core.tasks.insert(id, Some(Box::pin(task)));
            drop(core);
            guard(&self.woken).insert(id);
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
