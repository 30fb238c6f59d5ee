//! Runs one future on the calling thread. No reactor: real I/O futures are ready when polled, and a timed
//! wait leaves its deadline here so that the thread parks no longer than that.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

thread_local! {
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

struct Unpark {
    thread: Thread,
    /// Kept apart from the thread's own token, which anything else on the thread may use up.
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Polls `future` to its end, parking the thread between polls.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(unpark.clone());
    let mut cx = Context::from_waker(&waker);
    // A future that blocks on another one meanwhile has its own deadline after that.
    let outer = DEADLINE.get();
    loop {
        DEADLINE.set(None);
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            DEADLINE.set(outer);
            return output;
        }
        let deadline = DEADLINE.get();
        while !unpark.woken.swap(false, Ordering::Acquire) {
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(left) if left.is_zero() => break,
                Some(left) => thread::park_timeout(left),
            }
        }
    }
}

/// Asks [`block_on`] to poll again at `deadline` at the latest.
pub(crate) fn poll_again_at(deadline: Instant) {
    let earlier = DEADLINE.get().is_none_or(|d| deadline < d);
    if earlier {
        DEADLINE.set(Some(deadline));
    }
}
