//! What could not be computed, added up.

use std::collections::BTreeMap;

use crate::expr::Failure;

/// About the memory of a reason beside its text.
const REASON_BYTES: usize = 64;

/// How many rows and groups could not be computed, by the number of the operator and the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    all: BTreeMap<(usize, String), i64>,
    count: i64,
    bytes: usize,
}

impl Failures {
    /// Adds what an operator could not compute, or takes it back.
    pub fn add(&mut self, operator: usize, failure: Failure) {
        self.add_reason(operator, failure.reason, failure.weight);
    }

    /// So many more for a reason.
    pub fn add_reason(&mut self, operator: usize, reason: String, weight: i64) {
        self.count += weight;
        let bytes = reason.len() + REASON_BYTES;
        let at = (operator, reason);
        match self.all.get_mut(&at).map(|count| (*count + weight, count)) {
            Some((0, _)) => {
                self.bytes -= bytes;
                self.all.remove(&at);
            }
            Some((after, count)) => *count = after,
            None => {
                self.bytes += bytes;
                self.all.insert(at, weight);
            }
        }
    }

    /// Each operator and reason, in their order, with how many.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &str, i64)> {
        self.all.iter().map(|((operator, reason), count)| (*operator, reason.as_str(), *count))
    }

    /// How many in all.
    pub fn count(&self) -> u64 {
        u64::try_from(self.count).unwrap_or(0)
    }

    /// About the memory that they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(reason: &str, weight: i64) -> Failure {
        Failure { weight, stamp: 1, reason: reason.to_owned() }
    }

    #[test]
    fn what_is_taken_back_is_not_there() {
        let mut failures = Failures::default();
        failures.add(2, failure("b", 1));
        failures.add(1, failure("b", 3));
        failures.add(2, failure("a", 2));
        failures.add(2, failure("b", 4));
        assert_eq!(failures.iter().collect::<Vec<_>>(), [(1, "b", 3), (2, "a", 2), (2, "b", 5)]);
        assert_eq!((failures.count(), failures.bytes()), (10, 3 * (1 + REASON_BYTES)));
        failures.add(1, failure("b", -3));
        failures.add_reason(2, "c".to_owned(), -7);
        assert_eq!(failures.iter().collect::<Vec<_>>(), [(2, "a", 2), (2, "b", 5), (2, "c", -7)]);
        assert_eq!((failures.count(), failures.bytes()), (0, 3 * (1 + REASON_BYTES)));
        for (reason, weight) in [("a", -2), ("b", -5), ("c", 7)] {
            failures.add(2, failure(reason, weight));
        }
        assert_eq!(failures, Failures::default());
        failures.add(0, failure("", -1));
        assert_eq!(failures.count(), 0, "fewer than none are none");
    }
}
