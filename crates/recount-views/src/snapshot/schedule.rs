//! When a snapshot is taken, and which are kept. Pure.
//!
//! Snapshots are taken at *marks*: the ends of the appends that lie whole before multiples of a fixed number of positions. Which
//! marks depends on the numbers of events and of rows there alone, so that every run takes the same ones.
//!
//! ```text
//!  positions   ├────┼────┼────┼────┼────┼────┤   marks, 65,536 apart
//!  events      ├────────┼────────┼────────┼──┤   a snapshot at the first mark behind each interval
//! ```

/// Marks lie so many positions apart at most.
const MARK_POSITIONS: u64 = 65_536;
/// An interval has at least so many events for each row: writing rows costs a fraction of folding.
const EVENTS_PER_ROW: u64 = 4;
/// Snapshots are all kept for so long after they were the newest, µs.
const KEPT_US: i64 = 7 * 24 * 3600 * 1_000_000;
/// Older ones: as many in each stretch twice as far from the newest.
const KEPT_EACH: u64 = 8;

/// How many positions lie between marks, if snapshots are to be taken every `interval` events at most.
pub(crate) fn mark_positions(interval: u64) -> u64 {
    MARK_POSITIONS.min(interval).max(1)
}

/// Whether a snapshot is taken at a mark: between the mark before and this one an interval ended.
pub(crate) fn is_due(events_before: u64, events: u64, rows: u64, interval: u64) -> bool {
    let wide = widened(rows, interval);
    events_before / wide < events / wide
}

/// How many events an interval has with so many rows.
pub(crate) fn widened(rows: u64, interval: u64) -> u64 {
    // Doubled, and not grown little by little, so that intervals end where wider ones do.
    let interval = interval.max(1);
    let times = (EVENTS_PER_ROW * rows).div_ceil(interval).max(1).next_power_of_two();
    interval.saturating_mul(times)
}

/// Whether one is worth taking when the database is closed: so much is to be folded again otherwise.
pub(crate) fn is_due_on_closing(events_since: u64, rows: u64, interval: u64) -> bool {
    events_since > 0 && events_since >= (interval / 16).max(rows / 2)
}

/// What is to be known of a snapshot to decide whether it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) position: u64,
    pub(crate) events: u64,
    pub(crate) append_time: i64,
    pub(crate) closing: bool,
}

/// The positions of those that are to be removed, of snapshots of one plan in the order of positions. The newest stays.
pub(crate) fn superfluous(all: &[Candidate], interval: u64) -> Vec<u64> {
    let Some((newest, others)) = all.split_last() else { return Vec::new() };
    let is_superfluous = |one: &&Candidate| {
        if one.closing {
            return true;
        }
        if newest.append_time.saturating_sub(one.append_time) <= KEPT_US {
            return false;
        }
        // Only every 2nd, 4th, 8th … interval, the farther the fewer; what one distance keeps, a smaller one kept too.
        let interval = interval.max(1);
        let distance = (newest.events - one.events.min(newest.events)) / interval;
        let step = (distance / KEPT_EACH).max(1);
        !(one.events / interval).is_multiple_of(1 << step.ilog2())
    };
    others.iter().filter(is_superfluous).map(|one| one.position).collect()
}

/// The positions of those that are to be removed of a view, of snapshots with their positions and append times, in the order of positions: of
/// each interval the first one stays, and the newest of all; of those that have not been the newest for long, the first of so many more intervals
/// as they are farther away.
pub(crate) fn superfluous_of_view(all: &[(u64, i64)], interval: u64) -> Vec<u64> {
    let Some(((newest, newest_time), others)) = all.split_last() else { return Vec::new() };
    let interval = interval.max(1);
    let is_superfluous = |place: usize| {
        let (position, append_time) = others[place];
        let is_old = newest_time.saturating_sub(append_time) > KEPT_US;
        let intervals = if is_old { ((newest - position) / interval / KEPT_EACH).max(1) } else { 1 };
        // What is the first of twice as many is the first of one half of them.
        let wide = interval.saturating_mul(1 << intervals.ilog2());
        place > 0 && others[place - 1].0 / wide == position / wide
    };
    (0..others.len()).filter(|place| is_superfluous(*place)).map(|place| others[place].0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_never_farther_apart_than_intervals() {
        assert_eq!(mark_positions(1 << 20), 65_536);
        assert_eq!(mark_positions(100), 100);
        assert_eq!(mark_positions(0), 1);
    }

    #[test]
    fn a_snapshot_is_due_where_an_interval_ended() {
        let due = |before, events, rows| is_due(before, events, rows, 100);
        assert!(!due(0, 99, 1));
        assert!(due(0, 100, 1) && due(99, 100, 25));
        assert!(!due(100, 199, 1));
        assert!(due(100, 250, 1));
        // 26 rows want 104 events, so 200; 51 want 204, so 400.
        assert!(!due(99, 100, 26) && due(199, 200, 26) && due(199, 201, 50));
        assert!(!due(199, 200, 51) && due(399, 400, 51));
        assert!(is_due(4, 5, 0, 0), "an interval of nothing is one of one event");
    }

    #[test]
    fn closing_takes_one_only_if_it_saves_much() {
        assert!(!is_due_on_closing(0, 0, 1));
        assert!(is_due_on_closing(1, 2, 1));
        assert!(!is_due_on_closing(1, 4, 1));
        assert!(!is_due_on_closing(99, 0, 1600));
        assert!(is_due_on_closing(100, 200, 1600));
    }

    #[test]
    fn all_of_a_week_are_kept_and_fewer_of_before() {
        let day = 24 * 3600 * 1_000_000;
        let at = |number: u64, append_time, closing| Candidate {
            position: number * 110,
            events: number * 100 + 7,
            append_time,
            closing,
        };
        let young: Vec<_> = (1..=40).map(|number| at(number, number as i64, false)).collect();
        assert_eq!(superfluous(&young, 100), Vec::<u64>::new());
        let mut closed = young.clone();
        closed[4].closing = true;
        closed[39].closing = true;
        assert_eq!(superfluous(&closed, 100), [550], "the newest stays");
        let mut old: Vec<_> = (1..=100).map(|number| at(number, number as i64 * day, false)).collect();
        let removed = superfluous(&old, 100);
        let kept: Vec<u64> =
            old.iter().map(|one| one.position / 110).filter(|n| !removed.contains(&(n * 110))).collect();
        let expected: Vec<u64> = (1..=100u64)
            .filter(|n| match 100 - n {
                0..16 => true,
                16..32 => n % 2 == 0,
                32..64 => n % 4 == 0,
                _ => n % 8 == 0,
            })
            .collect();
        assert_eq!(kept, expected);
        // What is kept later was kept before, whenever it is asked.
        let mut there = Vec::new();
        for last in 1..=old.len() {
            there.push(old[last - 1]);
            let gone = superfluous(&there, 100);
            there.retain(|one| !gone.contains(&one.position));
        }
        old.retain(|one| !removed.contains(&one.position));
        assert_eq!(there, old);
        assert_eq!(superfluous(&[], 100), Vec::<u64>::new());
    }

    #[test]
    fn of_a_view_the_first_of_each_interval_stays() {
        let day = 24 * 3600 * 1_000_000;
        let superfluous = |all: &[(u64, i64)]| superfluous_of_view(all, 100);
        assert!(superfluous(&[]).is_empty() && superfluous(&[(7, 0)]).is_empty());
        // The newest stays, until there is a newer one.
        assert!(superfluous(&[(100, 0), (110, 0)]).is_empty());
        assert_eq!(superfluous(&[(100, 0), (110, 0), (120, 0)]), [110]);
        assert_eq!(superfluous(&[(50, 0), (110, 0), (199, 0), (200, 0), (320, 7 * day)]), [199]);
        // Of before a week, the fewer the farther; whatever stays stayed before.
        let of_days = |days: u64| -> Vec<(u64, i64)> {
            (0..days)
                .map(|day_number| (day_number * 100 + day_number % 90, day_number as i64 * day))
                .collect()
        };
        let kept = |days: u64| -> Vec<u64> {
            let all = of_days(days);
            let gone = superfluous(&all);
            all.iter().map(|(position, _)| *position).filter(|position| !gone.contains(position)).collect()
        };
        let mut before = kept(1);
        for days in 2..400 {
            let now = kept(days);
            let newest = of_days(days).last().unwrap().0;
            assert!(now.iter().all(|position| *position == newest || before.contains(position)), "{days}");
            before = now;
        }
        assert_eq!(before.len(), 53);
        let week = before.iter().filter(|position| **position >= 391 * 100).count();
        assert_eq!(week, 8, "the newest and the seven days before it");
    }
}
