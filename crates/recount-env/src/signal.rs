//! A signal: many tasks wait for it, anyone may notify. It counts notifications, so none is missed:
//! read [`Signal::generation`], look at the state, then wait for a generation other than the one read.

use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// A counted wake-up shared by reference.
#[derive(Debug, Default)]
pub struct Signal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    generation: u64,
    waiting: Vec<Waker>,
}

impl Signal {
    /// A signal never notified.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often it was notified.
    pub fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Wakes every task that waits.
    pub fn notify(&self) {
        let waiting = {
            let mut state = self.lock();
            state.generation += 1;
            std::mem::take(&mut state.waiting)
        };
        for waker in waiting {
            waker.wake();
        }
    }

    /// Ready when the generation is no longer `seen`; otherwise registers the task.
    pub fn poll_changed(&self, seen: u64, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.generation != seen {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|w| w.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until the generation is no longer `seen`.
    pub async fn changed(&self, seen: u64) {
        std::future::poll_fn(|cx| self.poll_changed(seen, cx)).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
