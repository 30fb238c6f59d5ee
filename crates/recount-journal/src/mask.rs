//! Masking: guarantees that no 512-byte sector inside a written frame is all zero, or one byte away from it.
//!
//! A sector of a zero-filled segment that still reads as zeros then *proves* that the write of this frame
//! never reached it, which is how recovery tells a torn write from damage. Payloads with long runs of zeros
//! are rare, so the body is XORed with a key stream (drawn from the frame's salt) only if it needs it, and
//! the header says so.

/// The grain at which a disk write is old or new.
pub(crate) const SECTOR: u64 = 512;

/// True if the body, stored from file offset `at`, would leave a whole sector with fewer than two words
/// (of 8 bytes) that are not zero.
pub(crate) fn needed(at: u64, body: &[u8]) -> bool {
    let skip = (at.next_multiple_of(SECTOR) - at) as usize;
    let nearly_zero = |sector: &[u8]| sector.chunks_exact(8).filter(|word| *word != [0; 8]).nth(1).is_none();
    body.get(skip..).is_some_and(|rest| rest.chunks_exact(SECTOR as usize).any(nearly_zero))
}

/// True if every byte is zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let (head, words) = bytes.split_at(bytes.len() % 8);
    head.iter().all(|&b| b == 0) && words.chunks_exact(8).all(|word| word == [0; 8])
}

/// Masks or unmasks in place: its own inverse.
pub(crate) fn apply(salt: &[u8; 16], body: &mut [u8]) {
    let mut state = u64::from_le_bytes(first_eight(salt)) ^ 0x9E37_79B9_7F4A_7C15;
    for chunk in body.chunks_mut(8) {
        for (byte, key) in chunk.iter_mut().zip(next_word(&mut state).to_le_bytes()) {
            *byte ^= key;
        }
    }
}

fn first_eight(salt: &[u8; 16]) -> [u8; 8] {
    let mut out = [0; 8];
    out.copy_from_slice(&salt[..8]);
    out
}

/// SplitMix64 (Steele, Lea, Flood 2014); every output is non-zero with all but vanishing probability.
fn next_word(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_zero_sectors_need_a_mask() {
        let zeros = [0u8; 1200];
        assert!(needed(0, &zeros[..512]));
        assert!(!needed(8, &zeros[..1000]), "the only whole sector lies half outside");
        assert!(needed(8, &zeros[..1016]));
        let mut two = [0u8; 1024];
        (two[0], two[511]) = (1, 1);
        assert!(needed(0, &two), "the second sector");
        (two[512], two[520]) = (1, 1);
        assert!(!needed(0, &two));
        two[520] = 0;
        assert!(needed(0, &two), "one flipped byte would make the second sector zero");
        assert!(!needed(0, &[]));
    }

    #[test]
    fn masking_is_its_own_inverse_and_leaves_no_zero_sector() {
        let salt = [7; 16];
        let mut body = vec![0u8; 4099];
        apply(&salt, &mut body);
        assert!(!needed(0, &body));
        apply(&salt, &mut body);
        assert!(is_zero(&body));
    }
}
