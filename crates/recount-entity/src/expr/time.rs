//! Days and the beginnings of units of time, in UTC, proleptic Gregorian.

use super::EvalError;

const DAY_US: i64 = 86_400_000_000;
const HOUR_US: i64 = 3_600_000_000;
/// 0001-01-01 and 9999-12-31, in days since 1970-01-01.
const DAYS: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;

/// What a time is cut to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A month.
    Month,
    /// A quarter of a year.
    Quarter,
    /// A year.
    Year,
}

/// The day that a time lies in.
pub(super) fn day(micros: i64) -> i64 {
    micros.div_euclid(DAY_US)
}

/// The first µs of a day.
pub(super) fn midnight(day: i64) -> Result<i64, EvalError> {
    if DAYS.contains(&day) { Ok(day * DAY_US) } else { Err(EvalError::Time) }
}

/// The first µs of the unit that a time lies in.
pub(super) fn truncate(unit: TimeUnit, micros: i64) -> Result<i64, EvalError> {
    let cut = |unit_us: i64| micros.checked_sub(micros.rem_euclid(unit_us)).ok_or(EvalError::Time);
    match unit {
        TimeUnit::Second => cut(1_000_000),
        TimeUnit::Minute => cut(60_000_000),
        TimeUnit::Hour => cut(HOUR_US),
        TimeUnit::Day => cut(DAY_US),
        // 1970-01-01 was a Thursday.
        TimeUnit::Week => midnight(day(micros) - (day(micros) + 3).rem_euclid(7)),
        TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year => {
            let (year, month) = year_and_month(day(micros));
            let month = match unit {
                TimeUnit::Month => month,
                TimeUnit::Quarter => month - (month - 1) % 3,
                _ => 1,
            };
            midnight(first_of_month(year, month))
        }
    }
}

/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn year_and_month(day: i64) -> (i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month)
}

/// The same source, `days_from_civil` of the first of a month.
fn first_of_month(year: i64, month: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of the first second that 64 bits count lies before it: its subtraction wrapped, or panicked.
    #[test]
    fn a_unit_that_begins_before_all_times_is_an_error() {
        use TimeUnit::*;
        for unit in [Second, Minute, Hour, Day, Week, Month, Quarter, Year] {
            assert_eq!(truncate(unit, i64::MIN), Err(EvalError::Time), "{unit:?}");
        }
    }

    /// Every day of four centuries and more, counted one by one.
    #[test]
    fn units_begin_where_a_calendar_that_is_counted_says() {
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let (mut month_began, mut year_began, mut quarter_began, mut week_began) = (0, 0, 0, 0);
        let mut day = first_of_month(1583, 1);
        assert_eq!(day, -141_349);
        for year in 1583..2010 {
            for month in 1..=12 {
                let days = match month {
                    2 => 28 + i64::from(leap(year)),
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
                month_began = day;
                if month == 1 {
                    year_began = day;
                }
                if month % 3 == 1 {
                    quarter_began = day;
                }
                for _ in 0..days {
                    if day.rem_euclid(7) == 4 {
                        week_began = day; // a Monday, as 1970-01-05
                    }
                    let noon = day * DAY_US + 12 * HOUR_US + 34 * 60_000_000 + 56_000_789;
                    let cut = |unit| truncate(unit, noon).unwrap();
                    assert_eq!(cut(TimeUnit::Day), day * DAY_US);
                    assert_eq!(cut(TimeUnit::Month), month_began * DAY_US);
                    assert_eq!(cut(TimeUnit::Quarter), quarter_began * DAY_US);
                    assert_eq!(cut(TimeUnit::Year), year_began * DAY_US);
                    if week_began != 0 {
                        assert_eq!(cut(TimeUnit::Week), week_began * DAY_US);
                    }
                    assert_eq!(cut(TimeUnit::Second), noon - 789);
                    assert_eq!(cut(TimeUnit::Minute), noon - 56_000_789);
                    assert_eq!(cut(TimeUnit::Hour), day * DAY_US + 12 * HOUR_US);
                    day += 1;
                }
            }
        }
        assert_eq!((day, month_began), (14_610, 14_579));
        assert_eq!((super::day(-1), super::day(0)), (-1, 0));
        assert_eq!((midnight(-719_163), midnight(2_932_897)), (Err(EvalError::Time), Err(EvalError::Time)));
        assert_eq!(midnight(-719_162), Ok(-719_162 * DAY_US));
    }
}
