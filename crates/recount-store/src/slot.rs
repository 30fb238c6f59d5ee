//! A slot: where a waiting append finds its answer, and whether it is its turn to lead.

use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Waker};

use crate::append::Appended;
use crate::error::AppendError;

/// What the sequencer says to an append.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is durable, or refused on durable grounds.
    Done(Result<Appended, AppendError>),
    /// What its conditions were evaluated on has changed too much: evaluate again.
    Again,
}

/// Shared by the append that waits and the group that will answer it.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answer: Option<Answer>,
    leads: bool,
    /// Its caller is at something that the journal should not wait for.
    busy: bool,
    abandoned: bool,
    waker: Option<Waker>,
}

impl State {
    fn register(&mut self, cx: &Context<'_>) {
        if self.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
    }
}

impl Slot {
    /// Gives the answer and wakes the append.
    pub(crate) fn answer(&self, answer: Answer) {
        let waker = {
            let mut state = self.lock();
            state.answer = Some(answer);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// True if its append leads. Nobody wakes a leader for its answer: it looks for it before its poll ends. The others
    /// are woken from now on.
    pub(crate) fn leads_or_registers(&self, cx: &Context<'_>) -> bool {
        let mut state = self.lock();
        if state.leads {
            state.waker = None;
        } else {
            state.register(cx);
        }
        state.leads
    }

    /// Takes the answer, or registers whom to wake when it comes.
    pub(crate) fn take_or_register(&self, cx: &Context<'_>) -> Option<Answer> {
        let mut state = self.lock();
        let answer = state.answer.take();
        if answer.is_none() {
            state.register(cx);
        }
        answer
    }

    /// True if the answer is there.
    pub(crate) fn is_answered(&self) -> bool {
        self.lock().answer.is_some()
    }

    /// Makes its append the leader; false if nobody waits for it any more, or its caller is busy.
    pub(crate) fn make_leader(&self) -> bool {
        let waker = {
            let mut state = self.lock();
            if state.abandoned || state.busy {
                return false;
            }
            state.leads = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// True if it leads.
    pub(crate) fn leads(&self) -> bool {
        self.lock().leads
    }

    /// Keeps its append from becoming the leader until [`be_free`](Self::be_free); false if it leads.
    pub(crate) fn be_busy(&self) -> bool {
        let mut state = self.lock();
        state.busy = !state.leads;
        state.busy
    }

    /// It may become the leader again.
    pub(crate) fn be_free(&self) {
        self.lock().busy = false;
    }

    /// Leads no longer.
    pub(crate) fn resign(&self) {
        self.lock().leads = false;
    }

    /// Nobody waits for it any more; returns whether it led.
    pub(crate) fn abandon(&self) -> bool {
        let mut state = self.lock();
        state.abandoned = true;
        std::mem::take(&mut state.leads)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Whether who registers with `register` is woken by the answer that comes after it.
    fn is_woken(slot: &Slot, register: impl FnOnce(&Slot, &Context<'_>)) -> bool {
        let woken = Arc::new(Woken::default());
        register(slot, &Context::from_waker(&Waker::from(woken.clone())));
        slot.answer(Answer::Again);
        woken.0.load(Ordering::Relaxed)
    }

    #[test]
    fn who_waits_is_woken_by_the_answer() {
        assert!(is_woken(&Slot::default(), |slot, cx| assert!(!slot.leads_or_registers(cx))));
        assert!(is_woken(&Slot::default(), |slot, cx| assert!(slot.take_or_register(cx).is_none())));
    }

    #[test]
    fn the_leader_is_not_woken_for_what_it_answers_itself() {
        let slot = Slot::default();
        slot.make_leader();
        assert!(!is_woken(&slot, |slot, cx| {
            assert!(slot.take_or_register(cx).is_none());
            assert!(slot.leads_or_registers(cx));
        }));
    }

    #[test]
    fn a_leader_that_has_to_wait_is_woken() {
        let slot = Slot::default();
        slot.make_leader();
        assert!(is_woken(&slot, |slot, cx| {
            assert!(slot.leads_or_registers(cx));
            assert!(slot.take_or_register(cx).is_none());
        }));
    }

    #[test]
    fn an_answer_that_is_there_is_taken_once() {
        let slot = Slot::default();
        slot.answer(Answer::Again);
        let cx = Context::from_waker(Waker::noop());
        assert!(matches!(slot.take_or_register(&cx), Some(Answer::Again)));
        assert!(slot.take_or_register(&cx).is_none());
    }
}
