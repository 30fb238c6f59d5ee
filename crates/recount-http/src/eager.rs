//! Polls a connection again at once when it woke itself.
//!
//! A request's body passes from the side of a connection that reads the socket to the side that answers, and each
//! wakes the other. One task polls both: through the scheduler each of these wake-ups would offer the task to another
//! thread, which is a few system calls a request. See `docs/decisions/0008-waking-oneself.md`.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use recount_env::turn::take_yielded;

/// Polls in a row; then other tasks have their turn.
const POLLS_MAX: u32 = 16;

/// A future that is polled again at once if it was woken while it was polled, unless it yielded.
pub(crate) struct Eager<F> {
    future: F,
    bell: Arc<Bell>,
    waker: Waker,
}

impl<F: Future + Unpin> Eager<F> {
    pub(crate) fn new(future: F) -> Eager<F> {
        let bell = Arc::new(Bell { state: AtomicU8::new(QUIET), task: Mutex::new(None) });
        Eager { future, waker: Waker::from(bell.clone()), bell }
    }
}

impl<F: Future + Unpin> Future for Eager<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Eager { future, bell, waker } = &mut *self;
        bell.register(cx.waker());
        for _ in 0..POLLS_MAX {
            bell.state.store(POLLED, Ordering::Release);
            if let Poll::Ready(output) = Pin::new(&mut *future).poll(&mut Context::from_waker(waker)) {
                return Poll::Ready(output);
            }
            if bell.state.swap(QUIET, Ordering::AcqRel) != RUNG {
                return Poll::Pending;
            }
            if take_yielded() {
                break;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Who wakes the future wakes its task.
const QUIET: u8 = 0;
/// The future is being polled: who wakes it leaves word, no more.
const POLLED: u8 = 1;
/// Somebody left word.
const RUNG: u8 = 2;

/// The waker that the future sees.
struct Bell {
    state: AtomicU8,
    task: Mutex<Option<Waker>>,
}

impl Bell {
    fn register(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(|task| !task.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let left_word = self.state.compare_exchange(POLLED, RUNG, Ordering::AcqRel, Ordering::Acquire);
        if left_word == Err(QUIET) {
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
            task.inspect(Waker::wake_by_ref);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicU32;

    use recount_env::turn::yield_turn;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What one poll of a task gives, how often the future was polled for it, and how often the task was woken.
    fn poll_once(mut future: impl FnMut(&mut Context<'_>) -> Poll<()>) -> (Poll<()>, u32, u32) {
        let mut polls = 0;
        let mut eager = Eager::new(poll_fn(|cx| {
            polls += 1;
            future(cx)
        }));
        let woken = Arc::new(Count::default());
        let poll = Pin::new(&mut eager).poll(&mut Context::from_waker(&Waker::from(woken.clone())));
        (poll, polls, woken.0.load(Ordering::Relaxed))
    }

    #[test]
    fn what_wakes_itself_is_polled_to_its_end_at_once() {
        let mut left = 3;
        let polled = poll_once(|cx| {
            left -= 1;
            cx.waker().wake_by_ref();
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        });
        assert_eq!(polled, (Poll::Ready(()), 3, 0));
    }

    #[test]
    fn what_waits_for_others_is_polled_once() {
        assert_eq!(poll_once(|_| Poll::Pending), (Poll::Pending, 1, 0));
    }

    #[test]
    fn what_yields_has_to_queue() {
        let polled = poll_once(|cx| {
            yield_turn(cx);
            Poll::Pending
        });
        assert_eq!(polled, (Poll::Pending, 1, 1));
    }

    #[test]
    fn what_never_stops_waking_itself_has_to_queue_in_the_end() {
        let polled = poll_once(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!(polled, (Poll::Pending, POLLS_MAX, 1));
    }

    #[test]
    fn others_wake_the_task_that_polled_last() {
        let mut kept = None;
        let mut eager = Eager::new(poll_fn(|cx| {
            kept = Some(cx.waker().clone());
            Poll::<()>::Pending
        }));
        let (first, second) = (Arc::new(Count::default()), Arc::new(Count::default()));
        for task in [&first, &second] {
            assert!(
                Pin::new(&mut eager).poll(&mut Context::from_waker(&Waker::from(task.clone()))).is_pending()
            );
        }
        drop(eager);
        kept.expect("was polled").wake();
        assert_eq!((first.0.load(Ordering::Relaxed), second.0.load(Ordering::Relaxed)), (0, 1));
    }
}
