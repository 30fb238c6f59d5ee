//! Builds a batch record by record, uncompressed.

use super::{
    ATTRIBUTE_CONTROL, ATTRIBUTE_LOG_APPEND_TIME, ATTRIBUTE_TRANSACTIONAL, CRC_AT, CRC_FROM, HEADER_BYTES,
    LENGTH_END, MAGIC,
};
use crate::varint;

/// A batch being built. Offsets run 0, 1, 2 … from the base offset.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    /// The header's bytes, filled in at the end, then the records.
    bytes: Vec<u8>,
    base_offset: i64,
    base_timestamp: i64,
    max_timestamp: i64,
    count: u32,
    attributes: i16,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
}

impl BatchBuilder {
    /// An empty batch whose first record has `base_offset`.
    pub fn new(base_offset: i64) -> BatchBuilder {
        BatchBuilder {
            bytes: vec![0; HEADER_BYTES],
            base_offset,
            base_timestamp: 0,
            max_timestamp: 0,
            count: 0,
            attributes: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
        }
    }

    /// Its records are numbered by their producer, from `base_sequence`.
    pub fn producer(mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> BatchBuilder {
        self.producer_id = producer_id;
        self.producer_epoch = producer_epoch;
        self.base_sequence = base_sequence;
        self
    }

    /// Its records belong to the producer's open transaction.
    pub fn transactional(mut self, producer_id: i64, producer_epoch: i16) -> BatchBuilder {
        self.attributes |= ATTRIBUTE_TRANSACTIONAL;
        self.producer_id = producer_id;
        self.producer_epoch = producer_epoch;
        self
    }

    /// The control batch that ends a producer's transaction: one record, as Kafka's consumers expect it.
    pub fn control(base_offset: i64, producer_id: i64, producer_epoch: i16, committed: bool) -> BatchBuilder {
        let mut builder = BatchBuilder::new(base_offset).transactional(producer_id, producer_epoch);
        builder.attributes |= ATTRIBUTE_CONTROL;
        // Key: version 0, type 0 = abort, 1 = commit. Value: version 0, coordinator epoch 0.
        builder.push(0, Some(&[0, 0, 0, committed.into()]), Some(&[0; 6]), std::iter::empty());
        builder
    }

    /// Every record has this time, ms, and not its own.
    pub fn log_append_time(mut self, timestamp_ms: i64) -> BatchBuilder {
        self.attributes |= ATTRIBUTE_LOG_APPEND_TIME;
        self.base_timestamp = timestamp_ms;
        self.max_timestamp = timestamp_ms;
        self
    }

    /// Adds a record.
    pub fn push<'a>(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + Clone,
    ) {
        if self.count == 0 {
            self.base_timestamp = timestamp_ms;
            self.max_timestamp = timestamp_ms;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp_ms);
        let timestamp_delta = timestamp_ms.wrapping_sub(self.base_timestamp);
        let offset_delta = i64::from(self.count);
        let (mut header_count, mut header_bytes) = (0, 0);
        for (name, value) in headers.clone() {
            header_count += 1;
            header_bytes += sized_len(Some(name)) + sized_len(value);
        }
        let length = 1
            + varint::len_i64(timestamp_delta)
            + varint::len_i64(offset_delta)
            + sized_len(key)
            + sized_len(value)
            + varint::len_i64(header_count)
            + header_bytes;
        let out = &mut self.bytes;
        out.reserve(length + 5);
        varint::put_i64(out, length as i64);
        out.push(0);
        varint::put_i64(out, timestamp_delta);
        varint::put_i64(out, offset_delta);
        put_sized(out, key);
        put_sized(out, value);
        varint::put_i64(out, header_count);
        for (name, value) in headers {
            put_sized(out, Some(name));
            put_sized(out, value);
        }
        self.count += 1;
    }

    /// Number of records.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the batch as it is now.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The batch.
    pub fn finish(self) -> Vec<u8> {
        assert!(self.count > 0, "a batch has at least one record");
        let mut bytes = self.bytes;
        let length = i32::try_from(bytes.len() - LENGTH_END).expect("a batch is at most 1 MiB");
        let mut at = 0;
        let mut put = |field: &[u8]| {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        put(&self.base_offset.to_be_bytes());
        put(&length.to_be_bytes());
        put(&(-1i32).to_be_bytes());
        put(&[MAGIC]);
        put(&[0; 4]);
        put(&self.attributes.to_be_bytes());
        put(&(self.count as i32 - 1).to_be_bytes());
        put(&self.base_timestamp.to_be_bytes());
        put(&self.max_timestamp.to_be_bytes());
        put(&self.producer_id.to_be_bytes());
        put(&self.producer_epoch.to_be_bytes());
        put(&self.base_sequence.to_be_bytes());
        put(&self.count.to_be_bytes());
        debug_assert_eq!(at, HEADER_BYTES);
        let crc = crc32c::crc32c(&bytes[CRC_FROM..]);
        bytes[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
        bytes
    }
}

fn sized_len(bytes: Option<&[u8]>) -> usize {
    match bytes {
        Some(bytes) => varint::len_i64(bytes.len() as i64) + bytes.len(),
        None => 1,
    }
}

fn put_sized(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            varint::put_i64(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
        None => varint::put_i64(out, -1),
    }
}
