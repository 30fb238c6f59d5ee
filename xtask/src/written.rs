//! Numbers and times as text.

/// `-1234` with two digits is `-12.34`.
pub(crate) fn decimal(value: i64, digits: u32) -> String {
    let (sign, one) = (if value < 0 { "-" } else { "" }, 10u64.pow(digits));
    let size = value.unsigned_abs();
    format!("{sign}{}.{:0width$}", size / one, size % one, width = digits as usize)
}

/// RFC 3339, from microseconds since 1970.
pub(crate) fn utc(us: i64) -> String {
    let (days, in_day) = (us.div_euclid(86_400_000_000), us.rem_euclid(86_400_000_000));
    // Days since 0000-03-01 in eras of 400 years, whose leap days lie at their ends.
    let (era, of_era) = ((days + 719_468).div_euclid(146_097), (days + 719_468).rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (second, us) = (in_day / 1_000_000, in_day % 1_000_000);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{us:06}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_and_times() {
        assert_eq!([-5, 0, 1234].map(|value| decimal(value, 2)), ["-0.05", "0.00", "12.34"]);
        assert_eq!(decimal(51_234, 6), "0.051234");
        for (us, text) in [
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_868_799_000_000, "2000-02-29T23:59:59.000000Z"),
            (951_868_800_000_000, "2000-03-01T00:00:00.000000Z"),
            (1_703_980_800_000_000, "2023-12-31T00:00:00.000000Z"),
            (4_070_908_800_000_000, "2099-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(utc(us), text);
        }
    }
}
