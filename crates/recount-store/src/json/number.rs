//! Decimal numbers of any notation, exact: a coefficient and a power of ten.

/// `(−1)^negative × coefficient × 10^exponent`; the coefficient has no trailing zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    coefficient: u128,
    exponent: i64,
}

/// Why a number does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    /// It has so many decimals, more than allowed.
    Decimals(u64),
    /// Its size.
    Size,
}

/// Exponents beyond this are as good as infinite: no type has so many digits, no payload so many zeros.
const EXPONENT_MAX: i64 = 1 << 40;

/// The powers of ten that 128 bits hold.
const POWERS: [u128; 39] = {
    let mut powers = [1; 39];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// Any number of so many digits fits into 64 bits.
const SHORT_DIGITS_MAX: usize = 19;

impl Number {
    /// Reads digits with an optional sign, point and exponent; `None` if the text is something else. A number of
    /// more than 38 significant digits is [`Misfit::Size`] or has too many decimals for every type.
    pub(super) fn parse(text: &str) -> Option<Result<Number, Misfit>> {
        let (negative, mut rest) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if let Some(short) = Number::parse_short(negative, rest) {
            return Some(Ok(short));
        }
        let (mut coefficient, mut zeros, mut exponent, mut digits) = (0u128, 0u32, 0i64, 0usize);
        let (mut after_point, mut too_long) = (false, false);
        while let Some((&byte, after)) = rest.split_first() {
            match byte {
                b'0'..=b'9' => {
                    digits += 1;
                    exponent -= i64::from(after_point);
                    if byte == b'0' {
                        zeros += u32::from(coefficient != 0);
                    } else {
                        let shifted =
                            power(i64::from(zeros) + 1).and_then(|power| coefficient.checked_mul(power));
                        let longer = shifted.and_then(|value| value.checked_add(u128::from(byte - b'0')));
                        too_long |= longer.is_none();
                        coefficient = longer.unwrap_or(coefficient);
                        zeros = 0;
                    }
                }
                b'.' if !after_point && digits > 0 && after.first().is_some_and(u8::is_ascii_digit) => {
                    after_point = true;
                }
                b'e' | b'E' if digits > 0 => {
                    exponent += explicit_exponent(after)?;
                    rest = &[];
                    break;
                }
                _ => return None,
            }
            rest = after;
        }
        if digits == 0 || !rest.is_empty() {
            return None;
        }
        if too_long {
            let decimals = u64::try_from(-exponent).unwrap_or(0);
            return Some(Err(if decimals > 0 { Misfit::Decimals(decimals) } else { Misfit::Size }));
        }
        Some(Ok(Number { negative, coefficient, exponent: exponent + i64::from(zeros) }))
    }

    /// Reads what almost every number is: a few digits, perhaps with a point. `None` says nothing.
    fn parse_short(negative: bool, text: &[u8]) -> Option<Number> {
        let (mut coefficient, mut point) = (0u64, None);
        if text.len() > SHORT_DIGITS_MAX {
            return None;
        }
        for (at, &byte) in text.iter().enumerate() {
            match byte {
                b'0'..=b'9' => coefficient = coefficient * 10 + u64::from(byte - b'0'),
                b'.' if point.is_none() && at > 0 => point = Some(at),
                _ => return None,
            }
        }
        let decimals = point.map_or(0, |at| text.len() - at - 1);
        if text.is_empty() || (point.is_some() && decimals == 0) {
            return None;
        }
        let mut exponent = -(decimals as i64);
        while coefficient != 0 && coefficient.is_multiple_of(10) {
            coefficient /= 10;
            exponent += 1;
        }
        Some(Number { negative, coefficient: coefficient.into(), exponent })
    }

    /// The number times `10^scale` as an integer of at most `precision` digits.
    pub(super) fn scaled(self, precision: u8, scale: u8) -> Result<i128, Misfit> {
        if self.coefficient == 0 {
            return Ok(0);
        }
        let shift = self.exponent + i64::from(scale);
        if shift < 0 {
            return Err(Misfit::Decimals(self.exponent.unsigned_abs()));
        }
        let value = power(shift).and_then(|power| self.coefficient.checked_mul(power)).ok_or(Misfit::Size)?;
        if power(precision.into()).is_some_and(|limit| value >= limit) {
            return Err(Misfit::Size);
        }
        let value = i128::try_from(value).map_err(|_| Misfit::Size)?;
        Ok(if self.negative { -value } else { value })
    }

    /// The number as an integer; it has no decimals but zeros.
    pub(super) fn integer(self) -> Result<i64, Misfit> {
        i64::try_from(self.scaled(38, 0)?).map_err(|_| Misfit::Size)
    }
}

fn power(exponent: i64) -> Option<u128> {
    POWERS.get(usize::try_from(exponent).ok()?).copied()
}

fn explicit_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0i64, |value, &byte| {
        byte.is_ascii_digit().then(|| (value * 10 + i64::from(byte - b'0')).min(EXPONENT_MAX))
    })?;
    Some(if negative { -value } else { value })
}
