//! A signal: many tasks wait for it, anyone may notify. It counts notifications, so none is missed:
//! read [`Signal::generation`], look at the state, then wait for a generation other than the one read.
//! Whoever stops waiting leaves nothing behind.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// A counted wake-up shared by reference.
#[derive(Debug, Default)]
pub struct Signal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    generation: u64,
    next_place: u64,
    /// Who waits for the next generation, in order of arrival.
    waiting: BTreeMap<u64, Waker>,
}

/// Ready when the generation of a signal is no longer the one seen.
#[derive(Debug)]
pub struct Changed<'a> {
    signal: &'a Signal,
    seen: u64,
    /// Where it waits, as long as the generation is the one seen.
    place: Option<u64>,
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
        waiting.into_values().for_each(Waker::wake);
    }

    /// Waits until the generation is no longer `seen`.
    pub fn changed(&self, seen: u64) -> Changed<'_> {
        Changed { signal: self, seen, place: None }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Future for Changed<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.signal.lock();
        if state.generation != self.seen {
            return Poll::Ready(());
        }
        let place = self.place.unwrap_or(state.next_place);
        state.next_place = state.next_place.max(place + 1);
        let replaced = state.waiting.insert(place, cx.waker().clone());
        drop(state);
        drop(replaced);
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let mut state = self.signal.lock();
        let forgotten = state.waiting.remove(&place);
        drop(state);
        // A waker's drop may come back here.
        drop(forgotten);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll(changed: &mut Changed<'_>, count: &Arc<Count>) -> Poll<()> {
        Pin::new(changed).poll(&mut Context::from_waker(&Waker::from(count.clone())))
    }

    #[test]
    fn everyone_who_waits_is_woken_once() {
        let (signal, counts) = (Signal::new(), [Arc::new(Count::default()), Arc::default()]);
        let mut waiting = [signal.changed(0), signal.changed(0)];
        for (changed, count) in waiting.iter_mut().zip(&counts) {
            assert!(poll(changed, count).is_pending());
            assert!(poll(changed, count).is_pending());
        }
        signal.notify();
        signal.notify();
        for (changed, count) in waiting.iter_mut().zip(&counts) {
            assert_eq!(count.0.load(Ordering::Relaxed), 1);
            assert!(poll(changed, count).is_ready());
        }
        assert!(poll(&mut signal.changed(2), &counts[0]).is_pending());
    }

    #[test]
    fn the_latest_waker_is_the_one_woken() {
        let (signal, first, second) = (Signal::new(), Arc::default(), Arc::default());
        let mut changed = signal.changed(0);
        assert!(poll(&mut changed, &first).is_pending());
        assert!(poll(&mut changed, &second).is_pending());
        signal.notify();
        assert_eq!((first.0.load(Ordering::Relaxed), second.0.load(Ordering::Relaxed)), (0, 1));
    }

    #[test]
    fn who_stops_waiting_leaves_no_waker() {
        let (signal, count) = (Signal::new(), Arc::default());
        let mut stays = signal.changed(0);
        assert!(poll(&mut stays, &count).is_pending());
        for _ in 0..10 {
            assert!(poll(&mut signal.changed(0), &count).is_pending());
        }
        assert_eq!(Arc::strong_count(&count), 2);
        signal.notify();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
