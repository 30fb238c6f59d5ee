//! Sums of doubles without rounding: of the same numbers the same sum, in whatever order they come and go.
//!
//! A double is an integer of 53 bits times a power of two, which is at least 2⁻¹⁰⁷⁴. The sum is one integer, a count of 2⁻¹⁰⁷⁴,
//! in digits of 32 bits; it is rounded when somebody wants it.

use crate::codec::Damaged;
use crate::saved::{Reader, put_number};

/// Digits: up to 2¹⁰²⁴, and 2⁶³ of the greatest.
const DIGITS: usize = 68;
const DIGIT_BITS: usize = 32;
/// The exponent of the lowest bit.
const LOWEST: i32 = -1074;
/// Digits are kept in 64 bits: so many terms are added before what is beyond 32 is carried on.
const TERMS_UNCARRIED: u32 = 1 << 20;

/// A sum of doubles.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::operators) struct ExactSum {
    digits: Box<[i64; DIGITS]>,
    uncarried: u32,
    /// How many terms were no number, or an infinite one.
    nan: i64,
    infinite: i64,
    minus_infinite: i64,
}

impl ExactSum {
    pub(super) fn new() -> ExactSum {
        let digits = Box::new([0; DIGITS]);
        ExactSum { digits, uncarried: 0, nan: 0, infinite: 0, minus_infinite: 0 }
    }

    /// Adds a number `times` times; takes it away if that is negative.
    pub(super) fn add(&mut self, value: f64, times: i64) {
        if value.is_nan() {
            self.nan += times;
        } else if value == f64::INFINITY {
            self.infinite += times;
        } else if value == f64::NEG_INFINITY {
            self.minus_infinite += times;
        } else {
            let (mantissa, place) = parts(value);
            // In two halves, so that the product and the shift stay within 128 bits.
            let (low, high) = (times & 0xFFFF_FFFF, times >> DIGIT_BITS);
            self.add_at(mantissa * i128::from(low), place);
            self.add_at(mantissa * i128::from(high), place + DIGIT_BITS);
        }
    }

    /// Adds a count of so many powers of two.
    fn add_at(&mut self, term: i128, place: usize) {
        if term == 0 {
            return;
        }
        let mut rest = term << (place % DIGIT_BITS);
        let [digits @ .., highest] = &mut *self.digits;
        for digit in &mut digits[place / DIGIT_BITS..] {
            *digit += (rest & 0xFFFF_FFFF) as i64;
            rest >>= DIGIT_BITS;
            if rest == 0 {
                break;
            }
        }
        *highest += rest as i64;
        self.uncarried += 1;
        if self.uncarried == TERMS_UNCARRIED {
            self.carry();
        }
    }

    /// Makes every digit but the highest one of 32 bits.
    fn carry(&mut self) {
        self.uncarried = 0;
        let mut carry = 0;
        for digit in &mut self.digits[..DIGITS - 1] {
            let value = *digit + carry;
            (*digit, carry) = (value & 0xFFFF_FFFF, value >> DIGIT_BITS);
        }
        self.digits[DIGITS - 1] += carry;
    }

    /// Appends it to what a restart goes on from: the same of the same numbers, in whatever order they came.
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        let mut sum = self.clone();
        sum.carry();
        let digits = &*sum.digits;
        let first = digits.iter().position(|digit| *digit != 0).unwrap_or(0);
        let end = digits.iter().rposition(|digit| *digit != 0).map_or(first, |last| last + 1);
        let bounds = [first as i64, end as i64];
        let others = [sum.nan, sum.infinite, sum.minus_infinite];
        bounds.iter().chain(&digits[first..end]).chain(&others).for_each(|number| put_number(out, *number));
    }

    /// What was saved.
    pub(super) fn load(from: &mut Reader<'_>) -> Result<ExactSum, Damaged> {
        let mut sum = ExactSum::new();
        let (first, end) = (from.count()?, from.count()?);
        for digit in sum.digits.get_mut(first..end).ok_or(Damaged)? {
            *digit = from.number()?;
        }
        (sum.nan, sum.infinite, sum.minus_infinite) = (from.number()?, from.number()?, from.number()?);
        Ok(sum)
    }

    /// The double that is nearest to the sum; of two that are equally near the even one.
    pub(super) fn value(&self) -> f64 {
        match (self.nan, self.infinite, self.minus_infinite) {
            (0, 0, 0) => {}
            (0, _, 0) => return f64::INFINITY,
            (0, 0, _) => return f64::NEG_INFINITY,
            _ => return f64::NAN,
        }
        let mut sum = self.clone();
        sum.carry();
        let is_negative = sum.digits[DIGITS - 1] < 0;
        if is_negative {
            sum.digits.iter_mut().for_each(|digit| *digit = -*digit);
            sum.carry();
        }
        let magnitude = sum.magnitude();
        if is_negative { -magnitude } else { magnitude }
    }

    /// Of digits that are carried, and not negative.
    fn magnitude(&self) -> f64 {
        let Some(top) = self.digits.iter().rposition(|digit| *digit != 0) else { return 0.0 };
        // The highest digits: more than 64 bits. Below, only whether there is anything matters.
        let mut high = self.digits[top] as u128;
        let mut below = top;
        while below > 0 && high >> 64 == 0 {
            below -= 1;
            high = high << DIGIT_BITS | self.digits[below] as u128;
        }
        let anything = self.digits[..below].iter().any(|digit| *digit != 0);
        let high = high | u128::from(anything);
        scaled(high, (below * DIGIT_BITS) as i32 + LOWEST)
    }
}

/// An integer times a power of two, rounded once: of more than 64 bits, or a count of the lowest one.
fn scaled(value: u128, exponent: i32) -> f64 {
    let bits = 128 - value.leading_zeros() as i32;
    // The lowest bit that a double of that size has.
    let lowest = (exponent + bits - 53).max(LOWEST);
    let rounded = match lowest - exponent {
        0 => value,
        drop => {
            let half = 1u128 << (drop - 1);
            let kept = value >> drop;
            let rest = value & ((half << 1) - 1);
            kept + u128::from(rest > half || rest == half && kept & 1 == 1)
        }
    };
    // All factors are exact, and so are the products, unless they are beyond all doubles. The lowest power of two is no reciprocal of one:
    // so there are two factors.
    let first = lowest / 2;
    rounded as f64 * 2f64.powi(first) * 2f64.powi(lowest - first)
}

/// A double as an integer and the place of its lowest bit.
fn parts(value: f64) -> (i128, usize) {
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7FF) as usize, i128::from(bits & ((1 << 52) - 1)));
    let (mantissa, place) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
    (if value.is_sign_negative() { -mantissa } else { mantissa }, place)
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::*;

    fn sum(terms: &[(f64, i64)]) -> f64 {
        let mut sum = ExactSum::new();
        terms.iter().for_each(|(value, times)| sum.add(*value, *times));
        sum.value()
    }

    #[test]
    fn what_others_lose_is_there() {
        assert_eq!(sum(&[(1e16, 1), (1.0, 1), (-1e16, 1)]), 1.0);
        assert_eq!(sum(&[(0.1, 10)]), 1.0);
        assert_eq!(sum(&[(f64::MAX, 2)]), f64::INFINITY);
        assert_eq!(sum(&[(f64::MAX, 3), (f64::MAX, -2)]), f64::MAX);
        assert_eq!(sum(&[(5e-324, 3), (5e-324, -1)]), 1e-323);
        assert_eq!(sum(&[(f64::INFINITY, 1), (1.0, 1)]), f64::INFINITY);
        assert_eq!(sum(&[(f64::INFINITY, 1), (f64::INFINITY, -1), (1.0, 1)]), 1.0);
        assert_eq!(sum(&[(f64::NEG_INFINITY, 1), (1.0, 1)]), f64::NEG_INFINITY);
        assert!(sum(&[(f64::INFINITY, 1), (f64::NEG_INFINITY, 1)]).is_nan());
        assert!(sum(&[(f64::NAN, 1)]).is_nan());
        assert_eq!(sum(&[(-0.0, 1)]).to_bits(), 0.0f64.to_bits());
        assert_eq!(sum(&[(f64::MAX, i64::MAX), (f64::MAX, 1 - i64::MAX), (f64::MAX, -1), (-2.5, 1)]), -2.5);
    }

    /// Half way between two doubles the even one is nearest; anything beyond is more than half.
    #[test]
    fn halves_go_to_the_even_one() {
        let ulp = 2f64.powi(-52);
        assert_eq!(sum(&[(1.0, 1), (ulp / 2.0, 1)]), 1.0);
        assert_eq!(sum(&[(1.0 + ulp, 1), (ulp / 2.0, 1)]), 1.0 + 2.0 * ulp);
        assert_eq!(sum(&[(1.0, 1), (ulp / 2.0, 1), (5e-324, 1)]), 1.0 + ulp);
        assert_eq!(sum(&[(1.0, 1), (ulp / 2.0, 1), (5e-324, -1)]), 1.0);
        assert_eq!(sum(&[(-1.0, 1), (-ulp / 2.0, 1), (-5e-324, 1)]), -1.0 - ulp);
        // The lowest bit of what is looked at, and something below.
        let lowest = 2f64.powi(-82);
        assert_eq!(sum(&[(1.0, 1), (ulp / 2.0, 1), (lowest, 1), (5e-324, 1)]), 1.0 + ulp);
    }

    #[test]
    fn many_terms_are_carried() {
        let mut sum = ExactSum::new();
        let terms = (1 << 20) + 5;
        for _ in 0..terms {
            sum.add(f64::from(u32::MAX), 1);
        }
        assert_eq!((sum.value(), sum.uncarried), (f64::from(u32::MAX) * f64::from(terms), 5));
    }

    /// Of all kinds: any, those around 1, and those around the least.
    fn double() -> impl Strategy<Value = f64> {
        let bits = |exponents: std::ops::Range<u64>| {
            (any::<bool>(), exponents, any::<u64>()).prop_map(|(sign, exponent, fraction)| {
                f64::from_bits(u64::from(sign) << 63 | exponent << 52 | fraction >> 12)
            })
        };
        prop_oneof![
            bits(0..2047),
            bits(970..1100),
            bits(0..60),
            Just(f64::MAX),
            (-9i8..9).prop_map(f64::from)
        ]
    }

    fn saved(sum: &ExactSum) -> Vec<u8> {
        let mut bytes = Vec::new();
        sum.save(&mut bytes);
        bytes
    }

    #[test]
    fn the_bytes_of_a_sum() {
        let mut sum = ExactSum::new();
        assert_eq!(saved(&sum), [0, 0, 0, 0, 0]);
        sum.add(5e-324, 3);
        sum.add(f64::NAN, 1);
        sum.add(f64::NEG_INFINITY, 2);
        assert_eq!(saved(&sum), [0, 2, 6, 2, 0, 4], "one digit, which is 3");
        let loaded = ExactSum::load(&mut Reader(&saved(&sum))).unwrap();
        assert_eq!(saved(&loaded), saved(&sum));
        // Digits that there are not, or the other way round.
        for wrong in [[0, 200, 2], [4, 2, 2]] {
            assert_eq!(ExactSum::load(&mut Reader(&wrong)), Err(Damaged));
        }
    }

    proptest! {
        #[test]
        fn sums_are_those_of_integers(
            terms in prop::collection::vec((double(), prop_oneof![any::<i64>(), -9i64..9]), 0..12),
            order in any::<prop::sample::Index>(),
        ) {
            let mut turned = terms.clone();
            if !terms.is_empty() {
                turned.rotate_left(order.index(terms.len()));
            }
            prop_assert_eq!(sum(&terms).to_bits(), sum(&turned).to_bits());
            let [mut one, mut other] = [ExactSum::new(), ExactSum::new()];
            terms.iter().for_each(|(value, times)| one.add(*value, *times));
            turned.iter().for_each(|(value, times)| other.add(*value, *times));
            prop_assert_eq!(saved(&one), saved(&other));
            let loaded = ExactSum::load(&mut Reader(&saved(&one))).unwrap();
            prop_assert_eq!(loaded.value().to_bits(), one.value().to_bits());
            prop_assert_eq!(saved(&loaded), saved(&one));
            // In counts of 2⁻¹⁰⁷⁴ every double is an integer; in decimal digits it is that times 5¹⁰⁷⁴.
            let exact: BigInt = terms.iter().map(|&(value, times)| {
                let (bits, sign) = (value.to_bits(), if value < 0.0 { -1 } else { 1 });
                let (exponent, fraction) = (bits << 1 >> 53, bits << 12 >> 12);
                let count = match exponent {
                    0 => BigInt::from(fraction),
                    _ => BigInt::from(fraction + (1 << 52)) << (exponent - 1),
                };
                count * times * sign
            }).sum();
            let text = format!("{}e-1074", exact * BigInt::from(5).pow(1074));
            prop_assert_eq!(sum(&terms), text.parse::<f64>().unwrap());
        }
    }
}
