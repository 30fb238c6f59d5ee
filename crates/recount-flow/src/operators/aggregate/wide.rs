//! Sums of exact numbers in 320 bits: 2⁶³ numbers of 256 bits do not exceed it.

use arrow_buffer::i256;

const LIMBS: usize = 5;

/// A sum, in two's complement, the lowest limb first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::operators) struct Wide([u64; LIMBS]);

impl Wide {
    /// Adds a number `times` times; takes it away if that is negative.
    pub(super) fn add(&mut self, value: i256, times: i64) {
        let is_negative = (value < i256::ZERO) != (times < 0);
        let magnitude = limbs(value.wrapping_abs());
        let times = u128::from(times.unsigned_abs());
        let mut product = [0; LIMBS];
        let mut carry = 0u128;
        for (limb, out) in magnitude.into_iter().chain([0]).zip(&mut product) {
            carry += u128::from(limb) * times;
            *out = carry as u64;
            carry >>= 64;
        }
        // Taken away is: the complement and one more added.
        let mut carry = is_negative;
        for (sum, limb) in self.0.iter_mut().zip(product) {
            let limb = if is_negative { !limb } else { limb };
            let (with_limb, over) = sum.overflowing_add(limb);
            let (with_carry, over_again) = with_limb.overflowing_add(u64::from(carry));
            (*sum, carry) = (with_carry, over | over_again);
        }
    }

    /// The same of a number of 128 bits.
    #[inline]
    pub(super) fn add_narrow(&mut self, value: i128, times: i64) {
        let Some(product) = value.checked_mul(i128::from(times)) else {
            return self.add(i256::from_i128(value), times);
        };
        let sign = (product >> 127) as u64;
        let mut carry = false;
        for (sum, limb) in self.0.iter_mut().zip([product as u64, (product >> 64) as u64, sign, sign, sign]) {
            let (with_limb, over) = sum.overflowing_add(limb);
            let (with_carry, over_again) = with_limb.overflowing_add(u64::from(carry));
            (*sum, carry) = (with_carry, over | over_again);
        }
    }

    /// The sum, if it has at most 256 bits.
    pub(super) fn value(self) -> Option<i256> {
        let [a, b, c, d, top] = self.0;
        let low = u128::from(a) | u128::from(b) << 64;
        let high = (u128::from(c) | u128::from(d) << 64) as i128;
        let extension = if high < 0 { u64::MAX } else { 0 };
        (top == extension).then(|| i256::from_parts(low, high))
    }
}

/// The limbs of a magnitude, which may be 2²⁵⁵.
fn limbs(value: i256) -> [u64; LIMBS - 1] {
    let (low, high) = value.to_parts();
    [low as u64, (low >> 64) as u64, high as u64, (high as u128 >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sum_beyond_256_bits_comes_back() {
        let mut sum = Wide::default();
        sum.add(i256::MAX, i64::MAX);
        sum.add(i256::MAX, i64::MAX);
        assert_eq!(sum.value(), None);
        sum.add(i256::MAX, -i64::MAX);
        sum.add(i256::MAX, 1 - i64::MAX);
        assert_eq!(sum.value(), Some(i256::MAX));
        sum.add(i256::MIN, 1);
        assert_eq!(sum.value(), Some(i256::MINUS_ONE));
        sum.add(i256::MIN, 1);
        assert_eq!(sum.value(), None);
        sum.add(i256::MIN, -1);
        sum.add(i256::MINUS_ONE, -1);
        assert_eq!(sum, Wide::default());
    }

    proptest! {
        /// Narrow numbers are added as wide ones are.
        #[test]
        fn narrow_numbers(terms in prop::collection::vec((any::<i128>(), any::<i64>(), 0u32..127), 0..20)) {
            let (mut narrow, mut wide) = (Wide::default(), Wide::default());
            for (value, times, shift) in terms {
                narrow.add_narrow(value >> shift, times);
                wide.add(i256::from_i128(value >> shift), times);
                prop_assert_eq!(narrow, wide);
            }
        }

        #[test]
        fn sums_are_those_of_integers(terms in prop::collection::vec((any::<i64>(), -1000i64..1000), 0..20)) {
            let mut sum = Wide::default();
            terms.iter().for_each(|(value, times)| sum.add(i256::from(*value), *times));
            let expected: i128 = terms.iter().map(|(value, times)| i128::from(*value) * i128::from(*times)).sum();
            prop_assert_eq!(sum.value(), Some(i256::from_i128(expected)));
        }
    }
}
