//! Instants as text: RFC 3339 in UTC, with as many digits of a second as it takes, at least none and at most six.
//!
//! Dates are the proleptic Gregorian calendar's, years 0001 to 9999. Algorithms: "chrono-compatible low-level date
//! algorithms" (Hinnant 2013, <https://howardhinnant.github.io/date_algorithms.html>).

use recount_types::Time;

const DAY_US: i64 = 86_400_000_000;

/// The first instant that has a text.
pub const TIME_MIN: Time = Time(-62_135_596_800_000_000);
/// The last.
pub const TIME_MAX: Time = Time(253_402_300_799_999_999);

/// Writes `2023-12-13T12:00:00Z`, with six digits of a second if they are not all zero.
pub fn format_rfc3339(time: Time) -> String {
    let micros = time.0.rem_euclid(1_000_000);
    let mut text = format_seconds(time);
    if micros != 0 {
        text += &format!(".{micros:06}");
    }
    text + "Z"
}

/// Writes `2023-12-13T12:00:00.000000Z`: always six digits.
pub fn format_rfc3339_micros(time: Time) -> String {
    format!("{}.{:06}Z", format_seconds(time), time.0.rem_euclid(1_000_000))
}

fn format_seconds(time: Time) -> String {
    let (year, month, day) = civil_from_days(time.0.div_euclid(DAY_US));
    let second = time.0.rem_euclid(DAY_US) / 1_000_000;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// A text that is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time: write it as 2023-12-13T12:00:00Z")]
pub struct BadTime(pub String);

/// Reads an RFC 3339 instant with a zone. More than six digits of a second are an error unless they are zeros.
pub fn parse_rfc3339(text: &str) -> Result<Time, BadTime> {
    parse(text.as_bytes()).ok_or_else(|| BadTime(text.chars().take(80).collect()))
}

/// µs since 1970-01-01T00:00:00 of `2023-12-13T12:00:00`, which says no zone; `None` if the text is something else.
pub fn parse_without_zone(text: &str) -> Option<i64> {
    let (us, rest) = parse_shown(text.as_bytes())?;
    rest.is_empty().then_some(us)
}

fn parse(text: &[u8]) -> Option<Time> {
    let (us, zone) = parse_shown(text)?;
    Some(Time(us - parse_zone(zone)? * 1_000_000))
}

/// What a clock shows, as µs since 1970-01-01T00:00:00, and what follows in the text.
fn parse_shown(text: &[u8]) -> Option<(i64, &[u8])> {
    let (date, rest) = text.split_at_checked(10)?;
    let days = parse_date(date)?;
    let (separator, rest) = rest.split_first()?;
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    let (clock, rest) = rest.split_at_checked(8)?;
    let seconds = parse_clock(clock)?;
    let (micros, rest) = parse_fraction(rest)?;
    Some((days * DAY_US + seconds * 1_000_000 + micros, rest))
}

/// Days since 1970-01-01 of `2023-12-13`.
pub fn parse_date(text: &[u8]) -> Option<i64> {
    if text.len() != 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&text[..4])?, digits(&text[5..7])?, digits(&text[8..])?);
    let month_days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => return None,
    };
    (year > 0 && (1..=month_days).contains(&day)).then(|| days_from_civil(year, month, day))
}

/// Seconds of the day of `12:00:00`.
fn parse_clock(text: &[u8]) -> Option<i64> {
    if text.len() != 8 || text[2] != b':' || text[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (digits(&text[..2])?, digits(&text[3..5])?, digits(&text[6..])?);
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

fn parse_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(rest) = text.strip_prefix(b".") else { return Some((0, text)) };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, rest) = rest.split_at(count);
    let (kept, beyond) = fraction.split_at(count.min(6));
    if count == 0 || beyond.iter().any(|&byte| byte != b'0') {
        return None;
    }
    let scale = 10i64.pow(6 - kept.len() as u32);
    Some((digits(kept)? * scale, rest))
}

/// Seconds east of UTC.
fn parse_zone(text: &[u8]) -> Option<i64> {
    match text {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), clock @ ..] if clock.len() == 5 && clock[2] == b':' => {
            let (hour, minute) = (digits(&clock[..2])?, digits(&clock[3..])?);
            let seconds = hour * 3600 + minute * 60;
            (hour < 24 && minute < 60).then_some(if *sign == b'+' { seconds } else { -seconds })
        }
        _ => None,
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, &byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// Year, month and day of a number of days since 1970-01-01.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since 1970-01-01.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        for (text, us) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2023-12-13T12:00:00Z", 1_702_468_800_000_000),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000_000),
        ] {
            assert_eq!(format_rfc3339(Time(us)), text);
            assert_eq!(parse_rfc3339(text), Ok(Time(us)));
        }
        assert_eq!(format_rfc3339_micros(Time(0)), "1970-01-01T00:00:00.000000Z");
        assert_eq!(parse_rfc3339("2023-12-13t14:30:00.5+02:30"), Ok(Time(1_702_468_800_500_000)));
        assert_eq!(parse_rfc3339("2023-12-13 12:00:00.1234560-00:00"), Ok(Time(1_702_468_800_123_456)));
    }

    #[test]
    fn what_is_no_instant() {
        for text in [
            "",
            "2023-12-13",
            "2023-12-13T12:00:00",
            "2023-12-13T12:00:00.Z",
            "2023-12-13T24:00:00Z",
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2023-12-13T12:00:00.1234567Z",
            "2023-12-13T12:00:00+2:00",
            "2023-12-13T12:00:00Zz",
            "2O23-12-13T12:00:00Z",
            "2023-12-13T12:60:00Z",
            "2023-12-13x12:00:00Z",
        ] {
            assert!(parse_rfc3339(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_day_of_the_calendar_follows_the_one_before() {
        for days in days_from_civil(1, 1, 1)..=days_from_civil(9999, 12, 31) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }
}
