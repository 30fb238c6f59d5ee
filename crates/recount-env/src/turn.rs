//! Letting others go first. Who polls futures again at once when they woke themselves does not know which of them
//! meant to wait: those say so here.

use std::cell::Cell;
use std::task::Context;

thread_local! {
    static YIELDED: Cell<bool> = const { Cell::new(false) };
}

/// Has the task of `cx` polled again after the tasks that are ready now. The caller returns `Poll::Pending` then.
pub fn yield_turn(cx: &Context<'_>) {
    YIELDED.set(true);
    cx.waker().wake_by_ref();
}

/// True if anything that this thread polls yielded since this was last asked.
pub fn take_yielded() -> bool {
    YIELDED.replace(false)
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_yield_is_told_once() {
        assert!(!take_yielded());
        yield_turn(&Context::from_waker(Waker::noop()));
        assert!(take_yielded());
        assert!(!take_yielded());
    }
}
