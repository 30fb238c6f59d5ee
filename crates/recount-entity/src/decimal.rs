//! Decimal arithmetic: integers of up to 256 bits beside a scale that the types say. Exact; what does not fit into
//! 256 bits is `None`, never wrapped. Quotients and roundings go half away from zero, as SQL's `round` does.

use std::cmp::Ordering;

use ethnum::I256;

/// An unscaled decimal. `Big` only where 128 bits do not hold it, so that equal numbers are equal here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Number {
    /// In 128 bits.
    Small(i128),
    /// In 256.
    Big(Box<I256>),
}

/// Digits that every [`Number`] of so many fits into 256 bits.
pub const DIGITS_MAX: u8 = 76;

impl From<i128> for Number {
    fn from(value: i128) -> Number {
        Number::Small(value)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Number {
        Number::Small(value.into())
    }
}

impl Number {
    /// The number in 256 bits.
    pub fn wide(&self) -> I256 {
        match self {
            Number::Small(value) => I256::from(*value),
            Number::Big(value) => **value,
        }
    }

    fn of(value: I256) -> Number {
        match i128::try_from(value) {
            Ok(small) => Number::Small(small),
            Err(_) => Number::Big(Box::new(value)),
        }
    }

    /// The sum.
    pub fn add(&self, other: &Number) -> Option<Number> {
        self.exact(other, i128::checked_add, I256::checked_add)
    }

    /// The difference.
    pub fn subtract(&self, other: &Number) -> Option<Number> {
        self.exact(other, i128::checked_sub, I256::checked_sub)
    }

    /// The product.
    pub fn multiply(&self, other: &Number) -> Option<Number> {
        self.exact(other, i128::checked_mul, I256::checked_mul)
    }

    /// The remainder of a division that cuts towards zero; `None` for a divisor of zero.
    pub fn remainder(&self, other: &Number) -> Option<Number> {
        if other.is_zero() {
            return None;
        }
        // The one quotient that does not fit belongs to a remainder of zero.
        let fits = |small: i128, by: i128| Some(small.checked_rem(by).unwrap_or(0));
        self.exact(other, fits, |wide, by| Some(wide.checked_rem(by).unwrap_or(I256::ZERO)))
    }

    /// The number with its sign turned.
    pub fn negate(&self) -> Option<Number> {
        Number::Small(0).subtract(self)
    }

    /// The number without its sign.
    pub fn abs(&self) -> Option<Number> {
        if self.is_negative() { self.negate() } else { Some(self.clone()) }
    }

    /// Times ten to the power of `digits`.
    pub fn shift(&self, digits: u8) -> Option<Number> {
        if digits == 0 || self.is_zero() {
            return Some(self.clone());
        }
        self.multiply(&power_of_ten(digits)?)
    }

    /// `self × 10^digits ÷ divisor`, rounded; `None` for a divisor of zero.
    pub fn divide(&self, divisor: &Number, digits: i16) -> Option<Number> {
        let by = u8::try_from(digits.unsigned_abs()).ok()?;
        let (dividend, divisor) = if digits >= 0 {
            (self.shift(by)?, divisor.clone())
        } else {
            // A divisor beyond 256 bits makes a quotient below a half.
            match divisor.shift(by) {
                Some(divisor) => (self.clone(), divisor),
                None => return Some(Number::Small(0)),
            }
        };
        dividend.divide_rounded(&divisor)
    }

    /// Takes `digits` digits off the end, rounded.
    pub fn round_off(&self, digits: u8) -> Option<Number> {
        match power_of_ten(digits) {
            Some(power) => self.divide_rounded(&power),
            None => Some(Number::Small(0)),
        }
    }

    /// Takes `digits` digits off the end, cut towards minus infinity, or towards plus infinity.
    pub fn cut_off(&self, digits: u8, up: bool) -> Option<Number> {
        let Some(power) = power_of_ten(digits) else {
            return Some(Number::Small(match (self.is_zero(), self.is_negative(), up) {
                (true, ..) | (_, true, true) | (_, false, false) => 0,
                (_, true, false) => -1,
                (_, false, true) => 1,
            }));
        };
        let (quotient, rest) = self.divide_cut(&power)?;
        match (rest.is_zero(), self.is_negative(), up) {
            (false, true, false) => quotient.subtract(&Number::Small(1)),
            (false, false, true) => quotient.add(&Number::Small(1)),
            _ => Some(quotient),
        }
    }

    /// Raised to a power of 0 or more; the scale grows with it.
    pub fn power(&self, exponent: u32) -> Option<Number> {
        let mut result = Number::Small(1);
        // Beyond 256 factors only 0, 1 and −1 still fit.
        if exponent > 256 {
            return match self {
                Number::Small(0) => Some(Number::Small(0)),
                Number::Small(1) => Some(Number::Small(1)),
                Number::Small(-1) => Some(Number::Small(if exponent.is_multiple_of(2) { 1 } else { -1 })),
                _ => None,
            };
        }
        for _ in 0..exponent {
            result = result.multiply(self)?;
        }
        Some(result)
    }

    /// The number if it has at most `precision` digits, of which there are at most 38.
    pub fn within(&self, precision: u8) -> Option<i128> {
        match self {
            Number::Small(value) => {
                let limit = 10u128.checked_pow(precision.into())?;
                (value.unsigned_abs() < limit).then_some(*value)
            }
            Number::Big(_) => None,
        }
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        *self == Number::Small(0)
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        match self {
            Number::Small(value) => *value < 0,
            Number::Big(value) => value.is_negative(),
        }
    }

    #[inline]
    fn exact(
        &self,
        other: &Number,
        small: impl Fn(i128, i128) -> Option<i128>,
        wide: impl Fn(I256, I256) -> Option<I256>,
    ) -> Option<Number> {
        if let (Number::Small(a), Number::Small(b)) = (self, other)
            && let Some(result) = small(*a, *b)
        {
            return Some(Number::Small(result));
        }
        wide(self.wide(), other.wide()).map(Number::of)
    }

    /// The quotient cut towards zero, and the rest.
    fn divide_cut(&self, divisor: &Number) -> Option<(Number, Number)> {
        if let (Number::Small(a), Number::Small(b)) = (self, divisor)
            && let (Some(quotient), Some(rest)) = (a.checked_div(*b), a.checked_rem(*b))
        {
            return Some((Number::Small(quotient), Number::Small(rest)));
        }
        let (a, b) = (self.wide(), divisor.wide());
        Some((Number::of(a.checked_div(b)?), Number::of(a.checked_rem(b)?)))
    }

    fn divide_rounded(&self, divisor: &Number) -> Option<Number> {
        let (quotient, rest) = self.divide_cut(divisor)?;
        let (rest_size, size) = (rest.abs()?, divisor.abs()?);
        if rest_size.is_zero() || rest_size < size.subtract(&rest_size)? {
            return Some(quotient);
        }
        let away = if self.is_negative() == divisor.is_negative() { 1 } else { -1 };
        quotient.add(&Number::Small(away))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        match (self, other) {
            (Number::Small(a), Number::Small(b)) => a.cmp(b),
            _ => self.wide().cmp(&other.wide()),
        }
    }
}

/// Ten to the power of `digits`, if it fits.
fn power_of_ten(digits: u8) -> Option<Number> {
    match 10i128.checked_pow(digits.into()) {
        Some(power) => Some(Number::Small(power)),
        None => I256::from(10).checked_pow(digits.into()).map(Number::of),
    }
}

#[cfg(test)]
mod tests;
