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

    /// Takes the answer if there is one.
    pub(crate) fn take(&self) -> Option<Answer> {
        self.lock().answer.take()
    }

    /// True if the answer is there, or was taken.
    pub(crate) fn is_answered(&self) -> bool {
        self.lock().answer.is_some()
    }

    /// Registers whom to wake.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        let mut state = self.lock();
        if state.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
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
