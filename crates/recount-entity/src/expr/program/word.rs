//! What a register holds: 64 bits, which nearly every value fits into and which are faster, or 128.

/// A number of some bits. Every operation that does not fit into them is `None`.
pub(super) trait Word: Copy + Ord + Default {
    fn from_i128(value: i128) -> Option<Self>;
    fn from_i64(value: i64) -> Self;
    /// The number if it fits into 64 bits.
    fn to_i64(self) -> Option<i64>;
    fn is_zero(self) -> bool;
    fn add(self, other: Self) -> Option<Self>;
    fn subtract(self, other: Self) -> Option<Self>;
    fn multiply(self, other: Self) -> Option<Self>;
    /// Cut towards zero; `None` by zero.
    fn quotient(self, by: Self) -> Option<Self>;
    /// With the sign of the dividend; `None` by zero.
    fn remainder(self, by: Self) -> Option<Self>;
    /// Rounded, halves away from zero; `None` by zero.
    fn divide(self, by: Self) -> Option<Self>;
    /// Cut towards minus infinity, or plus infinity; `by` is above zero.
    fn cut(self, by: Self, up: bool) -> Option<Self>;
    fn negate(self) -> Option<Self>;
    fn absolute(self) -> Option<Self>;
}

macro_rules! word {
    ($word:ident, $multiply:expr) => {
        impl Word for $word {
            #[inline]
            fn from_i128(value: i128) -> Option<Self> {
                value.try_into().ok()
            }

            #[inline]
            fn from_i64(value: i64) -> Self {
                value.into()
            }

            #[inline]
            fn to_i64(self) -> Option<i64> {
                self.try_into().ok()
            }

            #[inline]
            fn is_zero(self) -> bool {
                self == 0
            }

            #[inline]
            fn add(self, other: Self) -> Option<Self> {
                self.checked_add(other)
            }

            #[inline]
            fn subtract(self, other: Self) -> Option<Self> {
                self.checked_sub(other)
            }

            #[inline]
            fn multiply(self, other: Self) -> Option<Self> {
                $multiply(self, other)
            }

            #[inline]
            fn quotient(self, by: Self) -> Option<Self> {
                self.checked_div(by)
            }

            #[inline]
            fn remainder(self, by: Self) -> Option<Self> {
                // The one quotient that does not fit has a remainder of zero.
                if by == -1 { Some(0) } else { self.checked_rem(by) }
            }

            #[inline]
            fn divide(self, by: Self) -> Option<Self> {
                let quotient = self.checked_div(by)?;
                let rest = self - quotient * by;
                let (rest_size, size) = (rest.unsigned_abs(), by.unsigned_abs());
                if rest_size < size - rest_size {
                    return Some(quotient);
                }
                quotient.checked_add(if (self < 0) == (by < 0) { 1 } else { -1 })
            }

            #[inline]
            fn cut(self, by: Self, up: bool) -> Option<Self> {
                let more = up && self.rem_euclid(by) != 0;
                self.div_euclid(by).checked_add(more.into())
            }

            #[inline]
            fn negate(self) -> Option<Self> {
                self.checked_neg()
            }

            #[inline]
            fn absolute(self) -> Option<Self> {
                self.checked_abs()
            }
        }
    };
}

word!(i64, i64::checked_mul);
word!(i128, multiply);

/// The product, which most often is one of numbers of 64 bits.
#[inline]
fn multiply(left: i128, right: i128) -> Option<i128> {
    match (i64::try_from(left), i64::try_from(right)) {
        (Ok(left), Ok(right)) => Some(i128::from(left) * i128::from(right)),
        _ => left.checked_mul(right),
    }
}
