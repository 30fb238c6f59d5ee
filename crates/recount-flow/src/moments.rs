//! Variance and standard deviation of exact numbers: made of a count, a sum and a sum of squares, which are exact; the result is rounded
//! once, half away from zero. So it does not depend on the order in which numbers came, nor on others that came and went.

use arrow_buffer::i256;
use num_bigint::{BigInt, BigUint};

/// Digits of a result behind the point.
pub const RESULT_SCALE: u8 = 12;

/// What is to be known of some numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moments {
    count: i64,
    sum: BigInt,
    squares: BigInt,
}

/// Which result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Deviation {
    /// Of all there are; else of a sample, which of less than two numbers has none.
    pub of_all: bool,
    /// The standard deviation; else its square, the variance.
    pub is_root: bool,
}

impl Moments {
    /// Adds a number `times` times; takes it away if that is negative.
    pub fn add(&mut self, value: i256, times: i64) {
        let value = BigInt::from_signed_bytes_le(&value.to_le_bytes());
        let many = &value * times;
        self.count += times;
        self.squares += &many * &value;
        self.sum += many;
    }

    /// Adds what is known of others.
    pub fn merge(&mut self, others: &Moments) {
        self.count += others.count;
        self.sum += &others.sum;
        self.squares += &others.squares;
    }

    /// The result for numbers with so many digits behind the point, with [`RESULT_SCALE`] of them; an error if it has more than 76.
    pub fn result(&self, of: Deviation, scale: u8) -> Result<Option<i256>, TooLarge> {
        let less = i64::from(!of.of_all);
        if self.count <= less {
            return Ok(None);
        }
        // (n Σx² − (Σx)²) / (n (n − less)), never negative. Its digits behind the point: twice the numbers'.
        let dividend = (&self.squares * self.count - &self.sum * &self.sum).into_parts().1;
        let divisor = BigUint::from(self.count.unsigned_abs()) * (self.count - less).unsigned_abs();
        let ten = |exponent: u8| BigUint::from(10u8).pow(exponent.into());
        // Four times the square of the root in its last digit: of that root, the last bit says whether half of a digit is more.
        let rounded = if of.is_root {
            let squared = dividend * ten(RESULT_SCALE) * ten(RESULT_SCALE) * 4u8;
            half_up((squared / (divisor * ten(scale) * ten(scale))).sqrt(), 2u8.into())
        } else {
            half_up(dividend * ten(RESULT_SCALE), divisor * ten(scale) * ten(scale))
        };
        let bytes = rounded.to_bytes_le();
        let mut all = [0; 32];
        let Some(space) = all.get_mut(..bytes.len()).filter(|_| rounded < ten(76)) else {
            return Err(TooLarge);
        };
        space.copy_from_slice(&bytes);
        Ok(Some(i256::from_le_bytes(all)))
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        ((self.sum.bits() + self.squares.bits()) / 8) as usize + 16
    }

    /// As bytes: the count, the length of the sum, both sums.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (sum, squares) = (self.sum.to_signed_bytes_le(), self.squares.to_signed_bytes_le());
        [&self.count.to_le_bytes(), &(sum.len() as u64).to_le_bytes(), &*sum, &*squares].concat()
    }

    /// From what [`Moments::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Option<Moments> {
        let (count, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (sum, squares) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        Some(Moments {
            count: i64::from_le_bytes(*count),
            sum: BigInt::from_signed_bytes_le(sum),
            squares: BigInt::from_signed_bytes_le(squares),
        })
    }
}

/// A result has too many digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a variance has more than 76 digits")]
pub struct TooLarge;

/// The quotient, half away from zero.
fn half_up(dividend: BigUint, divisor: BigUint) -> BigUint {
    (dividend * 2u8 + &divisor) / (divisor * 2u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STDDEV: Deviation = Deviation { of_all: false, is_root: true };
    const VAR: Deviation = Deviation { of_all: false, is_root: false };
    const STDDEV_POP: Deviation = Deviation { of_all: true, is_root: true };
    const VAR_POP: Deviation = Deviation { of_all: true, is_root: false };

    fn of(values: &[i64]) -> Moments {
        let mut moments = Moments::default();
        values.iter().for_each(|&value| moments.add(i256::from(value), 1));
        moments
    }

    fn result(values: &[i64], of_: Deviation, scale: u8) -> Option<i128> {
        of(values).result(of_, scale).unwrap().map(|value| value.to_i128().unwrap())
    }

    /// Source of the numbers: Wikipedia, "Standard deviation", and by hand.
    #[test]
    fn deviations_of_known_numbers() {
        let eight = [2, 4, 4, 4, 5, 5, 7, 9];
        assert_eq!(result(&eight, STDDEV_POP, 0), Some(2_000_000_000_000));
        assert_eq!(result(&eight, VAR_POP, 0), Some(4_000_000_000_000));
        // 32 / 7 and its root.
        assert_eq!(result(&eight, VAR, 0), Some(4_571_428_571_429));
        assert_eq!(result(&eight, STDDEV, 0), Some(2_138_089_935_299));
        // The same in hundredths.
        assert_eq!(result(&eight, VAR, 2), Some(457_142_857));
        assert_eq!(result(&eight, STDDEV, 2), Some(21_380_899_353));
        assert_eq!(result(&[1, 2], VAR_POP, 0), Some(250_000_000_000));
        assert_eq!(result(&[-3, -3, -3], STDDEV, 0), Some(0));
        assert_eq!((result(&[], STDDEV_POP, 0), result(&[], VAR, 0)), (None, None));
        assert_eq!((result(&[7], STDDEV, 0), result(&[7], STDDEV_POP, 0)), (None, Some(0)));
    }

    #[test]
    fn half_of_the_last_digit_goes_up() {
        // 1 / 4 with 13 digits behind the point and more: 0.25e-26 and its root 0.5e-13, which is half of the last digit.
        assert_eq!(result(&[0, 1], STDDEV_POP, 12), Some(1), "0.5e-12 is rounded up");
        assert_eq!(result(&[0, 1], STDDEV_POP, 13), Some(0), "0.05e-12");
        assert_eq!(result(&[0, 1], VAR_POP, 6), Some(0), "0.25e-12");
        assert_eq!(result(&[0, 1], VAR, 6), Some(1), "0.5e-12");
    }

    #[test]
    fn what_went_leaves_nothing() {
        let mut moments = of(&[5, 5, -8]);
        moments.add(i256::MAX, 3);
        moments.add(i256::MIN, 1);
        assert_eq!(moments.result(VAR, 0), Err(TooLarge));
        moments.add(i256::MIN, -1);
        moments.add(i256::MAX, -3);
        assert_eq!(moments, of(&[-8, 5, 5]));
        let bytes = moments.to_bytes();
        assert_eq!(Moments::from_bytes(&bytes), Some(moments.clone()));
        assert_eq!((Moments::from_bytes(&bytes[..10]), Moments::from_bytes(&[255; 17])), (None, None));
        let mut both = of(&[1]);
        both.merge(&moments);
        assert_eq!(both, of(&[1, 5, 5, -8]));
        both.add(i256::from_i128(-8), 2);
        assert_eq!(both, of(&[1, 5, 5, -8, -8, -8]));
        // These are on disk.
        let sums: [&[u8]; 4] = [&6i64.to_le_bytes(), &1u64.to_le_bytes(), &[0xF3], &[0xF3, 0]];
        assert_eq!(both.to_bytes(), sums.concat());
    }

    /// Of 0 and twice a number the variance is its square.
    #[test]
    fn a_result_has_at_most_76_digits() {
        let of = |half: i128| {
            let mut moments = Moments::default();
            moments.add(i256::from_i128(2 * half), 1);
            moments.add(i256::ZERO, 1);
            moments.result(VAR_POP, 0)
        };
        let ten_to = |exponent| i256::from_i128(10).checked_pow(exponent).unwrap();
        let below = i256::from_i128(10i128.pow(32) - 1);
        assert_eq!(of(10i128.pow(32) - 1), Ok(Some(below * below * ten_to(12))));
        assert_eq!(of(10i128.pow(32)), Err(TooLarge), "10⁷⁶ has 77");
    }

    #[test]
    fn the_memory_of_sums() {
        assert_eq!(Moments::default().heap_bytes(), 16);
        assert_eq!(of(&[1 << 40, 1 << 40]).heap_bytes(), (42 + 82) / 8 + 16);
    }

    proptest! {
        /// It is the nearest one: twice the result, and one less or more, are on both sides of twice the exact one.
        #[test]
        fn results_are_nearest(
            values in prop::collection::vec(prop_oneof![-9i64..9, any::<i64>()], 0..6),
            (of_all, is_root) in any::<(bool, bool)>(),
            scale in 0u8..14,
        ) {
            let result = of(&values).result(Deviation { of_all, is_root }, scale).unwrap();
            let (count, less) = (values.len() as i64, i64::from(!of_all));
            prop_assert_eq!(result.is_some(), count > less);
            if let Some(result) = result {
                let result = BigInt::from_signed_bytes_le(&result.to_le_bytes());
                let sum: BigInt = values.iter().map(|value| BigInt::from(*value)).sum();
                // Of each number how far it is from the mean, times the count.
                let squares: BigInt = values.iter().map(|value| (BigInt::from(*value) * count - &sum).pow(2)).sum();
                let divisor = BigInt::from(count) * count * (count - less) * BigInt::from(10).pow(2 * u32::from(scale));
                let ten = BigInt::from(10).pow(12);
                let is_at_least = |twice: BigInt| match is_root {
                    true => &squares * &ten * &ten * 4 >= twice.pow(2) * &divisor,
                    false => &squares * &ten * 2 >= twice * &divisor,
                };
                prop_assert!(result == BigInt::ZERO || is_at_least(&result * 2 - 1));
                prop_assert!(!is_at_least(&result * 2 + 1));
            }
        }
    }
}
