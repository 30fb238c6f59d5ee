//! One process's view of the machine: its clock, its randomness, its tasks. Its files are in `io`.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::World;
use super::process::Spawner;
use crate::{Clock, Entropy, Signal, Task, Tasks};

#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) world: World,
    pub(crate) incarnation: u64,
    pub(crate) spawner: Spawner,
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
        self.spawner.spawn(task);
    }

    fn wait<'a>(
        &'a self,
        signal: &'a Signal,
        seen: u64,
        timeout: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        let deadline = timeout.map(|timeout| {
            let mut core = self.world.lock();
            let timeout_us = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
            (core.now_us.saturating_add(timeout_us), core.id())
        });
        let mut timer = Timer { world: &self.world, deadline };
        let mut changed = signal.changed(seen);
        Box::pin(poll_fn(move |cx| {
            let changed = Pin::new(&mut changed).poll(cx);
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
