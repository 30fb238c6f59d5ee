//! Keys as two words, which are hashed and compared faster than bytes are.
//!
//! ```text
//!  up to 15 bytes  the bytes, zeroes behind them, and their number in the last byte
//!  longer          its number among the long ones (long.rs), and FF in the last byte
//! ```

/// Keys of up to so many bytes are their words.
const SHORT: usize = 15;
const LONG: u64 = 0xFF;

/// The second word of every long key.
pub(crate) const LONG_KEY: u64 = LONG << 56;

/// The words of an empty key.
pub(crate) const EMPTY: [u64; 2] = [0, 0];

/// The words of a short key.
#[inline]
pub(crate) fn of(key: &[u8]) -> Option<[u64; 2]> {
    let length = key.len();
    if length > SHORT {
        return None;
    }
    let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let words = if length >= 8 {
        // The last eight bytes, of which those that are among the first too are shifted out.
        let last = u128::from(word(&key[length - 8..])) >> (8 * (16 - length));
        [word(key), last as u64]
    } else {
        let bytes = key.iter().rev().fold(0, |bytes, byte| bytes << 8 | u64::from(*byte));
        [bytes, 0]
    };
    Some([words[0], words[1] | (length as u64) << 56])
}

/// The words of the key of an integer.
#[inline]
pub(crate) fn of_integer(value: i64) -> [u64; 2] {
    let sorted = (value ^ i64::MIN) as u64;
    [sorted.swap_bytes() << 8 | u64::from(super::INTEGER), sorted & 0xFF | 9 << 56]
}

/// The bytes of a short key, with their number in the last one.
#[inline]
pub(crate) fn bytes(words: [u64; 2]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&words[0].to_le_bytes());
    bytes[8..].copy_from_slice(&words[1].to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use recount_types::column::Value;

    #[test]
    fn short_keys_come_back_from_their_words() {
        let key: Vec<u8> = (1..=20).collect();
        for length in 0..=20 {
            let key = &key[..length];
            let Some(words) = of(key) else {
                assert!(length > SHORT);
                continue;
            };
            assert!(length <= SHORT);
            let back = bytes(words);
            assert_eq!((&back[..length], usize::from(back[15])), (key, length));
        }
        assert_eq!(of(&[]), Some(EMPTY));
    }

    #[test]
    fn the_words_of_integers_are_those_of_their_keys() {
        for value in [0, 1, -1, 255, 256, i64::MAX, i64::MIN, 0x0123_4567_89AB_CDEF] {
            let key = Key::of([Value::Integer(value)]).unwrap();
            assert_eq!(Some(of_integer(value)), of(key.as_bytes()), "{value}");
        }
    }
}
