//! Runs one future on the calling thread. No reactor: real I/O futures are ready when polled, and a timed
//! wait leaves its deadline here so that the thread parks no longer than that.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

thread_local! {
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls `future` to its end, parking the thread between polls.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        DEADLINE.set(None);
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        match DEADLINE.get() {
            None => thread::park(),
            Some(deadline) => thread::park_timeout(deadline.saturating_duration_since(Instant::now())),
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
