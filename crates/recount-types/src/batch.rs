//! Kafka's record batch, version 2: built and read without a copy. Written after the protocol's own description
//! (<https://kafka.apache.org/documentation/#recordbatch>); big-endian, unlike the rest of our formats.
//!
//! ```text
//!  base offset 8 | length 4 | leader epoch 4 | magic 1 = 2 | CRC32C 4 | attributes 2 | last offset delta 4
//!  | base timestamp 8 | max timestamp 8 | producer id 8 | producer epoch 2 | base sequence 4 | count 4 | records
//!  record = length, attributes u8, timestamp delta, offset delta, key, value, headers       (zigzag varints)
//! ```
//!
//! The CRC covers everything after itself: not the base offset, nor the leader epoch.
//! [`BatchBuilder`] makes batches, [`BatchHeader::parse`], [`records`] and [`RecordIndex`] read them, checking every length
//! first.

mod builder;
mod reader;

pub use builder::BatchBuilder;
pub use reader::{
    BatchError, BatchHeader, Codec, Record, RecordHeaders, RecordIndex, Records, records, verify,
};

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 61;
/// Bytes before what the length field counts.
const LENGTH_END: usize = 12;
/// Where the CRC is, and where what it covers begins.
const CRC_AT: usize = 17;
const CRC_FROM: usize = 21;
const MAGIC: u8 = 2;

const ATTRIBUTE_CODEC: i16 = 0b111;
const ATTRIBUTE_LOG_APPEND_TIME: i16 = 1 << 3;
const ATTRIBUTE_TRANSACTIONAL: i16 = 1 << 4;
const ATTRIBUTE_CONTROL: i16 = 1 << 5;

#[cfg(test)]
mod tests;
