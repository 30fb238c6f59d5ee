//! Integers of variable length: LEB128 as our own formats use it, and zigzag as Kafka's records do.
//!
//! ```text
//!  7 bits a byte, lowest first; the high bit says that another byte follows     300 = ac 02
//!  zigzag: 0, −1, 1, −2, … = 0, 1, 2, 3, …
//! ```

/// An integer that is cut, or longer than its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an integer of variable length is cut or too long")]
pub struct BadVarint;

/// Longest encoding of a u64.
pub const U64_BYTES_MAX: usize = 10;

/// Appends `value`.
#[inline]
pub fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value` in zigzag form.
#[inline]
pub fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, zigzag(value));
}

/// Bytes that [`put_u64`] appends.
#[inline]
pub fn len_u64(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Bytes that [`put_i64`] appends.
#[inline]
pub fn len_i64(value: i64) -> usize {
    len_u64(zigzag(value))
}

/// Takes a value off the front.
#[inline]
pub fn take_u64(input: &mut &[u8]) -> Result<u64, BadVarint> {
    // Almost every number is less than 128.
    if let Some((&byte, rest)) = input.split_first()
        && byte < 0x80
    {
        *input = rest;
        return Ok(byte.into());
    }
    take_long(input)
}

fn take_long(input: &mut &[u8]) -> Result<u64, BadVarint> {
    let mut value = 0u64;
    for (at, &byte) in input.iter().enumerate().take(U64_BYTES_MAX) {
        if at == U64_BYTES_MAX - 1 && byte > 1 {
            return Err(BadVarint);
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            *input = &input[at + 1..];
            return Ok(value);
        }
    }
    Err(BadVarint)
}

/// Takes a value in zigzag form off the front.
#[inline]
pub fn take_i64(input: &mut &[u8]) -> Result<i64, BadVarint> {
    let value = take_u64(input)?;
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// Takes a value in zigzag form that must fit 32 bits off the front.
#[inline]
pub fn take_i32(input: &mut &[u8]) -> Result<i32, BadVarint> {
    i32::try_from(take_i64(input)?).map_err(|_| BadVarint)
}

#[inline]
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn golden_bytes() {
        for (value, bytes) in [
            (0u64, &[0u8][..]),
            (127, &[127]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut out = Vec::new();
            put_u64(&mut out, value);
            assert_eq!(out, bytes);
        }
        for (value, byte) in [(0i64, 0u8), (-1, 1), (1, 2), (-64, 127)] {
            let mut out = Vec::new();
            put_i64(&mut out, value);
            assert_eq!(out, [byte]);
        }
    }

    #[test]
    fn rejects_what_is_cut_or_too_long() {
        for bytes in
            [&[][..], &[0x80], &[0xff; 10], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]]
        {
            assert_eq!(take_u64(&mut &bytes[..]), Err(BadVarint), "{bytes:?}");
        }
        assert_eq!(take_i32(&mut &[0xff, 0xff, 0xff, 0xff, 0x1f][..]), Err(BadVarint));
    }

    proptest! {
        #[test]
        fn round_trips(unsigned: u64, signed: i64) {
            let mut out = Vec::new();
            put_u64(&mut out, unsigned);
            prop_assert_eq!(out.len(), len_u64(unsigned));
            put_i64(&mut out, signed);
            prop_assert_eq!(out.len(), len_u64(unsigned) + len_i64(signed));
            let mut input = &out[..];
            prop_assert_eq!(take_u64(&mut input), Ok(unsigned));
            prop_assert_eq!(take_i64(&mut input), Ok(signed));
            prop_assert!(input.is_empty());
        }
    }
}
