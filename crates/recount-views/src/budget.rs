//! Memory of entities: one limit for all rows that a database holds, those of questions about the past too.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use recount_entity::table::Frozen;

use crate::error::ViewError;

/// Questions leave one part of so many.
const LEFT_PART: usize = 8;

/// The limit, and what is taken of it.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_max: usize,
    taken: AtomicUsize,
}

/// One holder's share. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
    /// It has to leave so many.
    leaves: usize,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Arc<Budget> {
        Arc::new(Budget { bytes_max, taken: AtomicUsize::new(0) })
    }

    pub(crate) fn share(self: &Arc<Budget>) -> Share {
        Share { budget: self.clone(), bytes: 0, leaves: 0 }
    }

    /// A share of a question, which has to leave something to what is kept up to date.
    pub(crate) fn share_of_question(self: &Arc<Budget>) -> Share {
        Share { budget: self.clone(), bytes: 0, leaves: self.bytes_max / LEFT_PART }
    }
}

impl Share {
    /// Takes so many bytes in all, in the place of what it had. If they are not to be had it keeps what it had.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), ViewError> {
        let Budget { bytes_max, taken } = &*self.budget;
        if bytes > self.bytes {
            let more = bytes - self.bytes;
            let before = taken.fetch_add(more, Ordering::Relaxed);
            let bytes_max = bytes_max - self.leaves;
            if before + more > bytes_max {
                taken.fetch_sub(more, Ordering::Relaxed);
                return Err(ViewError::Memory { bytes, others: before - self.bytes, bytes_max });
            }
        } else {
            taken.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Another share of the same budget.
    pub(crate) fn another(&self) -> Share {
        Share { budget: self.budget.clone(), bytes: 0, leaves: self.leaves }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Rows as they were at one moment, with the memory that they alone hold.
#[derive(Debug, Clone)]
pub struct HeldRows {
    rows: Frozen,
    unfit: u64,
    /// Given back with the last of them; none if somebody else accounts for them.
    _memory: Option<Arc<Share>>,
}

impl HeldRows {
    /// Rows of a replica that is gone.
    pub(crate) fn alone(rows: Frozen, unfit: u64, memory: Share) -> HeldRows {
        HeldRows { rows, unfit, _memory: Some(Arc::new(memory)) }
    }

    /// Rows that are kept up to date elsewhere.
    pub(crate) fn shared(rows: Frozen, unfit: u64) -> HeldRows {
        HeldRows { rows, unfit, _memory: None }
    }

    /// Events that count nowhere, because they do not fit their topic's columns or have no key.
    pub fn unfit(&self) -> u64 {
        self.unfit
    }
}

impl Deref for HeldRows {
    type Target = Frozen;

    fn deref(&self) -> &Frozen {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_one_limit_and_come_back() {
        let budget = Budget::new(100);
        let (mut one, mut other) = (budget.share(), budget.share());
        assert_eq!(one.set(60), Ok(()));
        assert_eq!(other.set(41), Err(ViewError::Memory { bytes: 41, others: 60, bytes_max: 100 }));
        assert_eq!(other.set(40), Ok(()));
        assert_eq!(one.set(61), Err(ViewError::Memory { bytes: 61, others: 40, bytes_max: 100 }));
        assert_eq!(one.set(10), Ok(()));
        assert_eq!(other.set(90), Ok(()));
        drop(other);
        assert_eq!(one.another().set(90), Ok(()));
        // A question leaves an eighth.
        let mut question = budget.share_of_question();
        assert_eq!(question.set(79), Err(ViewError::Memory { bytes: 79, others: 10, bytes_max: 88 }));
        assert_eq!((question.set(78), question.another().set(1).is_err()), (Ok(()), true));
        drop(question);
        assert_eq!(one.set(100), Ok(()));
    }
}
