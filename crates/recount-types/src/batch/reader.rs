//! Reads a batch: its header, then its records, borrowing from it.

use super::{
    ATTRIBUTE_CODEC, ATTRIBUTE_CONTROL, ATTRIBUTE_LOG_APPEND_TIME, ATTRIBUTE_TRANSACTIONAL, CRC_AT, CRC_FROM,
    HEADER_BYTES, LENGTH_END, MAGIC,
};
use crate::varint::{self, BadVarint};

/// Why bytes are not a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Too short, or its length field disagrees with its size.
    #[error("the batch has {actual} bytes and says {stated}")]
    Length {
        /// Bytes there are.
        actual: usize,
        /// Bytes that it says it has; 0 if too short to say.
        stated: i64,
    },
    /// Not version 2.
    #[error("the batch has magic {0}; only 2 is known")]
    Magic(u8),
    /// CRC differs.
    #[error("the batch fails its checksum")]
    Checksum,
    /// Its counts disagree with each other or with its records.
    #[error("the batch says {stated} records and has another number")]
    Count {
        /// Its count field.
        stated: i32,
    },
    /// Its records are compressed.
    #[error("the records are compressed with {0:?}")]
    Compressed(Codec),
    /// A record is malformed.
    #[error("record {index} is malformed: {what}")]
    Record {
        /// Its number in the batch.
        index: u32,
        /// What is wrong.
        what: &'static str,
    },
}

/// How records are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// Zstandard.
    Zstd,
    /// A number without a meaning.
    Unknown(u8),
}

/// The header of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record; not under the CRC.
    pub base_offset: i64,
    /// Epoch of the partition's leader; not under the CRC.
    pub leader_epoch: i32,
    /// Its checksum.
    pub crc: u32,
    attributes: i16,
    /// Offset of the last record minus that of the first.
    pub last_offset_delta: i32,
    /// Timestamp from which the records' are counted, ms.
    pub base_timestamp: i64,
    /// The greatest timestamp, ms; of every record, if it is the log's append time.
    pub max_timestamp: i64,
    /// Its producer; −1 = none.
    pub producer_id: i64,
    /// Its producer's epoch; −1 = none.
    pub producer_epoch: i16,
    /// Number of its first record in the producer's sequence; −1 = none.
    pub base_sequence: i32,
    count: i32,
}

impl BatchHeader {
    /// Reads the header of `batch`, which must be exactly one batch. Checks size, magic and counts, not the CRC.
    pub fn parse(batch: &[u8]) -> Result<BatchHeader, BatchError> {
        let Some(header) = batch.first_chunk::<HEADER_BYTES>() else {
            return Err(BatchError::Length { actual: batch.len(), stated: 0 });
        };
        let i16_at = |at: usize| i16::from_be_bytes(array(header, at));
        let i32_at = |at: usize| i32::from_be_bytes(array(header, at));
        let i64_at = |at: usize| i64::from_be_bytes(array(header, at));
        let stated = i64::from(i32_at(8)) + LENGTH_END as i64;
        if stated != batch.len() as i64 {
            return Err(BatchError::Length { actual: batch.len(), stated });
        }
        if header[16] != MAGIC {
            return Err(BatchError::Magic(header[16]));
        }
        let parsed = BatchHeader {
            base_offset: i64_at(0),
            leader_epoch: i32_at(12),
            crc: u32::from_be_bytes(array(header, CRC_AT)),
            attributes: i16_at(21),
            last_offset_delta: i32_at(23),
            base_timestamp: i64_at(27),
            max_timestamp: i64_at(35),
            producer_id: i64_at(43),
            producer_epoch: i16_at(51),
            base_sequence: i32_at(53),
            count: i32_at(57),
        };
        if parsed.count < 1 || parsed.last_offset_delta != parsed.count - 1 {
            return Err(BatchError::Count { stated: parsed.count });
        }
        Ok(parsed)
    }

    /// Number of records.
    pub fn record_count(&self) -> u32 {
        self.count as u32
    }

    /// How the records are compressed.
    pub fn codec(&self) -> Codec {
        match self.attributes & ATTRIBUTE_CODEC {
            0 => Codec::None,
            1 => Codec::Gzip,
            2 => Codec::Snappy,
            3 => Codec::Lz4,
            4 => Codec::Zstd,
            other => Codec::Unknown(other as u8),
        }
    }

    /// Every record has the batch's greatest timestamp, and not its own.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & ATTRIBUTE_LOG_APPEND_TIME != 0
    }

    /// Its records belong to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & ATTRIBUTE_TRANSACTIONAL != 0
    }

    /// It is a control batch: the end of a transaction.
    pub fn is_control(&self) -> bool {
        self.attributes & ATTRIBUTE_CONTROL != 0
    }
}

/// Checks a batch from a stranger whole: header, CRC, every record.
pub fn verify(batch: &[u8]) -> Result<BatchHeader, BatchError> {
    let header = BatchHeader::parse(batch)?;
    if crc32c::crc32c(batch.get(CRC_FROM..).unwrap_or_default()) != header.crc {
        return Err(BatchError::Checksum);
    }
    for record in records(batch)? {
        for entry in record?.headers() {
            entry?;
        }
    }
    Ok(header)
}

/// The records of an uncompressed batch. Does not check the CRC.
pub fn records(batch: &[u8]) -> Result<Records<'_>, BatchError> {
    let header = uncompressed(batch)?;
    Ok(Records { rest: batch.get(HEADER_BYTES..).unwrap_or_default(), header, next: 0, failed: false })
}

fn uncompressed(batch: &[u8]) -> Result<BatchHeader, BatchError> {
    let header = BatchHeader::parse(batch)?;
    match header.codec() {
        Codec::None => Ok(header),
        codec => Err(BatchError::Compressed(codec)),
    }
}

/// Finds records of an uncompressed batch by their number. Of those before the one that is wanted only the lengths are
/// read, once. Does not check the CRC.
#[derive(Debug, Clone)]
pub struct RecordIndex {
    header: BatchHeader,
    /// The first record that is there.
    first: u32,
    /// Where each record from that one on begins, as far as they were passed.
    starts: Vec<u32>,
}

impl RecordIndex {
    /// Reads the header of a batch.
    pub fn new(batch: &[u8]) -> Result<RecordIndex, BatchError> {
        Ok(RecordIndex { header: uncompressed(batch)?, first: 0, starts: vec![HEADER_BYTES as u32] })
    }

    /// The same for bytes that begin with record `first` of a batch with that header, which may end before the batch.
    pub fn of_part(header: BatchHeader, first: u32) -> RecordIndex {
        RecordIndex { header, first, starts: vec![0] }
    }

    /// The header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// A record out of the bytes that this was made for.
    #[inline]
    pub fn get<'a>(&mut self, bytes: &'a [u8], index: u32) -> Result<Record<'a>, BatchError> {
        let start = self.start(bytes, index)? as usize;
        let mut rest = bytes.get(start..).unwrap_or_default();
        let record = split_record(&mut rest, index)?;
        self.passed(bytes, index, rest)?;
        Record::parse(record, index, &self.header)
    }

    /// Where a record begins in the bytes that this was made for.
    #[inline]
    pub fn start(&mut self, bytes: &[u8], index: u32) -> Result<u32, BatchError> {
        let within = index.checked_sub(self.first).filter(|_| index < self.header.record_count());
        let within = within.ok_or(BatchError::Count { stated: self.header.count })?;
        loop {
            if let Some(&start) = self.starts.get(within as usize) {
                return Ok(start);
            }
            let last = self.starts.last().map_or(bytes.len(), |&start| start as usize);
            let mut rest = bytes.get(last..).unwrap_or_default();
            let number = self.first + self.starts.len() as u32 - 1;
            split_record(&mut rest, number)?;
            self.passed(bytes, number, rest)?;
        }
    }

    /// Behind a record lies `rest`.
    #[inline]
    fn passed(&mut self, bytes: &[u8], index: u32, rest: &[u8]) -> Result<(), BatchError> {
        if index + 1 == self.header.record_count() && !rest.is_empty() {
            return Err(BatchError::Count { stated: self.header.count });
        }
        if self.starts.len() as u32 == index - self.first + 1 {
            self.starts.push((bytes.len() - rest.len()) as u32);
        }
        Ok(())
    }
}

/// Iterates over the records of a batch; ends after an error.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
    header: BatchHeader,
    next: u32,
    failed: bool,
}

/// A record.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// Its offset minus the batch's base offset.
    pub offset_delta: i32,
    /// Its time, ms.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    index: u32,
    header_count: u32,
    headers: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if self.next == self.header.record_count() {
            let stated = self.header.count;
            self.failed = true;
            return (!self.rest.is_empty()).then_some(Err(BatchError::Count { stated }));
        }
        let record = self.take();
        self.failed = record.is_err();
        self.next += 1;
        Some(record)
    }
}

impl<'a> Records<'a> {
    fn take(&mut self) -> Result<Record<'a>, BatchError> {
        let record = split_record(&mut self.rest, self.next)?;
        Record::parse(record, self.next, &self.header)
    }
}

/// Takes the bytes of the next record, which has a number in its batch, off the front.
#[inline]
fn split_record<'a>(rest: &mut &'a [u8], index: u32) -> Result<&'a [u8], BatchError> {
    let malformed = |what| BatchError::Record { index, what };
    let length = varint::take_i32(rest).map_err(|_| malformed(BAD_NUMBER))?;
    let split = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
    let (record, after) = split.ok_or(malformed("it is longer than the batch"))?;
    *rest = after;
    Ok(record)
}

const BAD_NUMBER: &str = "a number is cut or too long";

impl<'a> Record<'a> {
    #[inline]
    fn parse(bytes: &'a [u8], index: u32, batch: &BatchHeader) -> Result<Record<'a>, BatchError> {
        let malformed = |what| BatchError::Record { index, what };
        let bad = |_: BadVarint| malformed(BAD_NUMBER);
        let (_, mut record) = bytes.split_first().ok_or(malformed("it is empty"))?;
        let timestamp_delta = varint::take_i64(&mut record).map_err(bad)?;
        let offset_delta = varint::take_i32(&mut record).map_err(bad)?;
        let key = take_sized(&mut record).ok_or(malformed("its key is cut"))?;
        let value = take_sized(&mut record).ok_or(malformed("its value is cut"))?;
        let header_count = varint::take_i32(&mut record).map_err(bad)?;
        let header_count =
            u32::try_from(header_count).map_err(|_| malformed("its header count is negative"))?;
        if header_count as usize > record.len() / 2 {
            return Err(malformed("it has more headers than bytes for them"));
        }
        if offset_delta != index as i32 {
            return Err(malformed("its offset is out of sequence"));
        }
        let timestamp_ms = if batch.is_log_append_time() {
            batch.max_timestamp
        } else {
            batch.base_timestamp.wrapping_add(timestamp_delta)
        };
        Ok(Record { offset_delta, timestamp_ms, key, value, index, header_count, headers: record })
    }

    /// Number of headers.
    pub fn header_count(&self) -> usize {
        self.header_count as usize
    }

    /// Its headers: names, and values that may be null.
    pub fn headers(&self) -> RecordHeaders<'a> {
        RecordHeaders { rest: self.headers, remaining: self.header_count, index: self.index }
    }
}

/// Iterates over the headers of a record; ends after an error.
#[derive(Debug, Clone)]
pub struct RecordHeaders<'a> {
    rest: &'a [u8],
    remaining: u32,
    index: u32,
}

impl<'a> Iterator for RecordHeaders<'a> {
    type Item = Result<(&'a [u8], Option<&'a [u8]>), BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let malformed = |what| BatchError::Record { index: self.index, what };
        if self.remaining == 0 {
            let rest = std::mem::take(&mut self.rest);
            return (!rest.is_empty()).then_some(Err(malformed("it has bytes after its headers")));
        }
        self.remaining -= 1;
        let header = match (take_sized(&mut self.rest), take_sized(&mut self.rest)) {
            (Some(Some(name)), Some(value)) => Ok((name, value)),
            _ => Err(malformed("a header is cut, or has no name")),
        };
        if header.is_err() {
            self.remaining = 0;
            self.rest = &[];
        }
        Some(header)
    }
}

/// Bytes with a length before them; a negative length is null. The outer `None` = cut.
#[inline]
fn take_sized<'a>(input: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = varint::take_i32(input).ok()?;
    let Ok(length) = usize::try_from(length) else { return Some(None) };
    let (bytes, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(Some(bytes))
}

fn array<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&header[at..at + N]);
    out
}
