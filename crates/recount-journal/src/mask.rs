//! Masking: guarantees that no 512-byte sector inside a written frame is all zero, or one byte away from it.
//!
//! A sector of a zero-filled segment that still reads as zeros then *proves* that the write of this frame
//! never reached it, which is how recovery tells a torn write from damage. Payloads with long runs of zeros
//! are rare, so the body is XORed with a key stream (drawn from the frame's salt) only if it needs it, and
//! the header says so.

/// The grain at which a disk write is old or new.
pub(crate) const SECTOR: u64 = 512;

/// True if the body, stored from file offset `at` and padded to a multiple of 8, would leave a whole sector
/// with fewer than two words (of 8 bytes) that are not zero. Every other sector of a frame holds a part of
/// its header or its trailer.
pub(crate) fn needed(at: u64, body: &[u8]) -> bool {
    let skip = (at.next_multiple_of(SECTOR) - at) as usize;
    let nearly_zero = |sector: &[u8]| sector.chunks(8).filter(|word| !is_zero(word)).nth(1).is_none();
    let full = |sector: &[u8]| sector.len().next_multiple_of(8) == SECTOR as usize;
    body.get(skip..)
        .is_some_and(|rest| rest.chunks(SECTOR as usize).any(|sector| full(sector) && nearly_zero(sector)))
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

    /// A body of 384 + 509 bytes behind a header at offset 0 fills sector 1 with its last 509 bytes and 3 of
    /// padding; the trailer lies in sector 2. If those 509 bytes were zero the sector was stored as zeros, and
    /// a bit flipped anywhere else in this last, acknowledged frame made it look torn: it would have been cut.
    #[test]
    fn a_sector_that_padding_completes_counts_as_whole() {
        for missing in 0..8 {
            let body = vec![0; 384 + 512 - missing];
            assert!(needed(128, &body), "{missing} bytes of padding");
        }
        assert!(!needed(128, &[0; 384 + 504]), "the trailer lies in the same sector");
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
