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

    /// Its bytes in two's complement, the lowest first, as few as there have to be.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.0.iter().flat_map(|limb| limb.to_le_bytes()).collect();
        while let [.., below, top] = bytes.as_slice()
            && *top == extension(*below)
        {
            bytes.pop();
        }
        bytes
    }

    /// From what [`Wide::to_bytes`] gave.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Wide> {
        let mut all = [extension(*bytes.last()?); LIMBS * 8];
        all.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let mut limbs = all.as_chunks().0.iter().map(|limb| u64::from_le_bytes(*limb));
        Some(Wide(std::array::from_fn(|_| limbs.next().unwrap_or_default())))
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

/// What all bytes above one are, if they say no more than its sign.
fn extension(byte: u8) -> u8 {
    if byte & 0x80 == 0 { 0 } else { 0xFF }
}

/// The limbs of a magnitude, which may be 2²⁵⁵.
fn limbs(value: i256) -> [u64; LIMBS - 1] {
    let (low, high) = value.to_parts();
    [low as u64, (low >> 64) as u64, high as u64, (high as u128 >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
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

    fn of_bytes(bytes: &[u8]) -> BigInt {
        BigInt::from_signed_bytes_le(bytes)
    }

    #[test]
    fn the_bytes_of_a_sum() {
        let sum = |value: i64| {
            let mut sum = Wide::default();
            sum.add(i256::from(value), 1);
            sum
        };
        let cases: [(i64, &[u8]); 6] =
            [(0, &[0]), (-1, &[0xFF]), (127, &[127]), (128, &[128, 0]), (-128, &[128]), (-129, &[127, 0xFF])];
        for (value, bytes) in cases {
            assert_eq!((sum(value).to_bytes(), Wide::from_bytes(bytes)), (bytes.to_vec(), Some(sum(value))));
        }
        let mut widest = Wide::default();
        widest.add(i256::MIN, i64::MAX);
        assert_eq!(Wide::from_bytes(&widest.to_bytes()), Some(widest));
        assert_eq!((Wide::from_bytes(&[]), Wide::from_bytes(&[1; 41])), (None, None));
        assert!(Wide::from_bytes(&[1; 40]).is_some());
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
        fn sums_are_those_of_integers(
            terms in prop::collection::vec((any::<(u128, i128)>(), any::<bool>(), any::<i64>()), 0..20),
        ) {
            // 2⁶³ numbers at most.
            let terms = terms.into_iter().map(|(value, is_small, times)| (value, is_small, times / 20));
            let mut sum = Wide::default();
            let mut expected = BigInt::ZERO;
            for ((low, high), is_small, times) in terms {
                let value = if is_small { i256::from_i128(high) } else { i256::from_parts(low, high) };
                sum.add(value, times);
                expected += of_bytes(&value.to_le_bytes()) * times;
                let bytes: Vec<u8> = sum.0.iter().flat_map(|limb| limb.to_le_bytes()).collect();
                prop_assert_eq!(of_bytes(&bytes), expected.clone());
                let fits = of_bytes(&i256::MIN.to_le_bytes()) <= expected && expected <= of_bytes(&i256::MAX.to_le_bytes());
                prop_assert_eq!(sum.value().map(|sum| of_bytes(&sum.to_le_bytes())), fits.then(|| expected.clone()));
            }
        }
    }
}
