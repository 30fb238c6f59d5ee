//! The partition of a key, as Kafka's default partitioner chooses it. Only for our own appends: a record that a
//! producer placed stays where it is.

use recount_types::Partition;

/// The partition for `key` among `partitions`; events without a key go to the first.
pub(crate) fn partition_of(key: Option<&[u8]>, partitions: u32) -> Partition {
    match key {
        Some(key) if partitions > 1 => Partition((murmur2(key) & 0x7fff_ffff) % partitions),
        _ => Partition(0),
    }
}

/// MurmurHash2, 32 bits, with Kafka's seed (`org.apache.kafka.common.utils.Utils.murmur2`).
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (at, &byte) in rest.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of Kafka's own test (`UtilsTest.testMurmur2`).
    #[test]
    fn hashes_as_kafka_does() {
        for (key, hash) in [
            ("21", -973932308),
            ("foobar", -790332482),
            ("a-little-bit-long-string", -985981536),
            ("a-little-bit-longer-string", -1486304829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
            ("abc", 479470107),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
        assert_eq!(partition_of(None, 8), Partition(0));
        assert_eq!(partition_of(Some(b"abc"), 1), Partition(0));
        assert_eq!(partition_of(Some(b"abc"), 10), Partition(7));
    }
}
