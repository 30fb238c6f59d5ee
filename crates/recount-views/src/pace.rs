//! Pace: how fast a version of an entity comes nearer to the head, as long as it is behind.

/// What is known of a run: from when it fell behind until it has caught up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pace {
    /// Boot-time µs and position where the run began; `None` = it had caught up.
    began: Option<(u64, u64)>,
    /// Where it is.
    reached: (u64, u64),
}

impl Pace {
    /// An epoch begins at a position.
    pub(crate) fn begins(&mut self, now_us: u64, position: u64) {
        if self.began.is_none() || position < self.reached.1 {
            (self.began, self.reached) = (Some((now_us, position)), (now_us, position));
        }
    }

    /// An epoch ended; whether it has caught up with what was wanted.
    pub(crate) fn ends(&mut self, now_us: u64, position: u64, caught_up: bool) {
        self.reached = (now_us, position);
        if caught_up {
            self.began = None;
        }
    }

    /// Positions in a second, of the run that goes on; `None` = there is none, or it is too short to say.
    pub(crate) fn per_second(&self) -> Option<u64> {
        let (since_us, from) = self.began?;
        let (us, position) = (self.reached.0.checked_sub(since_us)?, self.reached.1.checked_sub(from)?);
        let rate = u128::from(position) * 1_000_000 / u128::from(us).max(1);
        (us > 0 && rate > 0).then(|| u64::try_from(rate).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_measured_from_where_it_fell_behind() {
        let mut pace = Pace::default();
        assert_eq!(pace.per_second(), None);
        pace.begins(5_000_000, 0);
        assert_eq!(pace.per_second(), None, "nothing is done yet");
        pace.ends(5_500_000, 50, false);
        assert_eq!(pace.per_second(), Some(100));
        // What others did between two epochs is time, too.
        pace.begins(6_000_000, 50);
        pace.ends(7_000_000, 400, false);
        assert_eq!(pace.per_second(), Some(200));
        pace.ends(8_000_000, 500, true);
        assert_eq!(pace.per_second(), None, "it has caught up");
        pace.begins(60_000_000, 500);
        pace.ends(61_000_000, 530, false);
        assert_eq!(pace.per_second(), Some(30));
        // It failed, and begins again.
        pace.begins(62_000_000, 0);
        pace.ends(64_000_000, 10, false);
        assert_eq!(pace.per_second(), Some(5));
        pace.ends(64_000_000, u64::MAX, false);
        assert_eq!(pace.per_second(), Some(u64::MAX / 2));
    }
}
