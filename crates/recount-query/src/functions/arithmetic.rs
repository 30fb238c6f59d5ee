//! Decimal numbers in 256 bits: exact, or an error. A number is a count of `10^-scale`.

use datafusion::arrow::datatypes::i256;

/// Digits that `/` keeps behind the point.
pub(super) const QUOTIENT_SCALE: u8 = 12;

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoResult {
    /// Beyond 256 bits, or the digits that the result may have.
    #[error("a decimal is too large: the result has more than 76 digits")]
    TooLarge,
    /// Of `/` and `%`.
    #[error("division by zero")]
    ByZero,
}

/// The same number with more digits behind the point.
pub(super) fn widened(value: i256, by: u8) -> Result<i256, NoResult> {
    value.checked_mul(power(by)?).ok_or(NoResult::TooLarge)
}

/// The sum, at the larger of both scales.
pub(super) fn add(left: (i256, u8), right: (i256, u8)) -> Result<i256, NoResult> {
    let (left, right) = aligned(left, right)?;
    left.checked_add(right).ok_or(NoResult::TooLarge)
}

/// The difference, at the larger of both scales.
pub(super) fn subtract(left: (i256, u8), right: (i256, u8)) -> Result<i256, NoResult> {
    let (left, right) = aligned(left, right)?;
    left.checked_sub(right).ok_or(NoResult::TooLarge)
}

/// The product, at the sum of both scales.
pub(super) fn multiply(left: i256, right: i256) -> Result<i256, NoResult> {
    left.checked_mul(right).ok_or(NoResult::TooLarge)
}

/// The remainder, at the larger of both scales; its sign is the left one's.
pub(super) fn remainder(left: (i256, u8), right: (i256, u8)) -> Result<i256, NoResult> {
    let (left, right) = aligned(left, right)?;
    if right == i256::ZERO {
        Err(NoResult::ByZero)
    } else {
        left.checked_rem(right).ok_or(NoResult::TooLarge)
    }
}

/// The quotient at a scale, half away from zero.
pub(super) fn divide(left: (i256, u8), right: (i256, u8), scale: u8) -> Result<i256, NoResult> {
    let (mut dividend, mut divisor) = (left.0, right.0);
    if divisor == i256::ZERO {
        return Err(NoResult::ByZero);
    }
    let (more, less) = (u16::from(scale) + u16::from(right.1), u16::from(left.1));
    let small = |number: u16| u8::try_from(number).map_err(|_| NoResult::TooLarge);
    if more >= less {
        dividend = widened(dividend, small(more - less)?)?;
    } else {
        divisor = widened(divisor, small(less - more)?)?;
    }
    halves_away(dividend, divisor)
}

/// The same number with fewer digits behind the point, half away from zero.
pub(super) fn rounded(value: i256, by: u8) -> Result<i256, NoResult> {
    match power(by) {
        Ok(power) => halves_away(value, power),
        // Nothing has so many digits.
        Err(_) => Ok(i256::ZERO),
    }
}

fn halves_away(dividend: i256, divisor: i256) -> Result<i256, NoResult> {
    let quotient = dividend.checked_div(divisor).ok_or(NoResult::TooLarge)?;
    let rest = dividend.checked_rem(divisor).ok_or(NoResult::TooLarge)?;
    let (rest, whole) = (magnitude(rest)?, magnitude(divisor)?);
    // rest ≥ whole − rest, which cannot overflow.
    if rest == i256::ZERO || rest < whole.checked_sub(rest).ok_or(NoResult::TooLarge)? {
        return Ok(quotient);
    }
    let is_negative = (dividend < i256::ZERO) != (divisor < i256::ZERO);
    let away = if is_negative { i256::MINUS_ONE } else { i256::ONE };
    quotient.checked_add(away).ok_or(NoResult::TooLarge)
}

fn magnitude(value: i256) -> Result<i256, NoResult> {
    if value < i256::ZERO { value.checked_neg().ok_or(NoResult::TooLarge) } else { Ok(value) }
}

fn aligned(left: (i256, u8), right: (i256, u8)) -> Result<(i256, i256), NoResult> {
    let scale = left.1.max(right.1);
    Ok((widened(left.0, scale - left.1)?, widened(right.0, scale - right.1)?))
}

fn power(exponent: u8) -> Result<i256, NoResult> {
    i256::from_i128(10).checked_pow(exponent.into()).ok_or(NoResult::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big(value: i128) -> i256 {
        i256::from_i128(value)
    }

    #[test]
    fn quotients_round_half_away_from_zero() {
        for (left, right, expected) in [
            (1, 3, 333_333_333_333),
            (2, 3, 666_666_666_667),
            (-2, 3, -666_666_666_667),
            (2, -3, -666_666_666_667),
            (-2, -3, 666_666_666_667),
        ] {
            assert_eq!(divide((big(left), 0), (big(right), 0), QUOTIENT_SCALE), Ok(big(expected)));
        }
        assert_eq!(divide((big(5), 1), (big(1), 0), 0), Ok(big(1)), "0.5 → 1");
        assert_eq!(divide((big(-5), 1), (big(1), 0), 0), Ok(big(-1)), "-0.5 → -1");
        assert_eq!(divide((big(49), 2), (big(1), 0), 0), Ok(big(0)), "0.49 → 0");
        assert_eq!(divide((big(1), 0), (big(0), 0), 0), Err(NoResult::ByZero));
        assert_eq!(rounded(big(125), 1), Ok(big(13)));
        assert_eq!(rounded(big(-125), 1), Ok(big(-13)));
        assert_eq!(rounded(big(5), 200), Ok(big(0)));
    }

    #[test]
    fn nothing_wraps() {
        assert_eq!(multiply(i256::MAX, big(2)), Err(NoResult::TooLarge));
        assert_eq!(add((i256::MAX, 0), (big(1), 0)), Err(NoResult::TooLarge));
        assert_eq!(add((big(15), 1), (big(1), 0)), Ok(big(25)));
        assert_eq!(subtract((big(15), 1), (big(125), 2)), Ok(big(25)));
        assert_eq!(remainder((big(-75), 1), (big(2), 0)), Ok(big(-15)));
        assert_eq!(multiply(big(1 << 100), big(1 << 100)).map(|x| x > i256::ZERO), Ok(true));
    }
}
