//! The body of a group: which records it holds, which positions they get, which transactions it ends.
//!
//! ```text
//!  | directory_bytes u32 | directory CRC32C u32 | directory | batch 0 | batch 1 | … |
//!  directory = appends, marks, entries        (integers are unsigned LEB128 unless said otherwise)
//!    appends = n, n × ( runs, runs × ( lsn distance, entry, count ) )     lsn distance 0: an entry of this group
//!    marks   = n, n × ( producer id, producer epoch, outcome u8 )
//!    entries = n, n × ( topic, partition, base offset, base position, count, bytes, schema, flags u8, CRC32C u32 )
//! ```
//!
//! Positions run along the appends: the first record of the first run of the first append has the frame's first
//! position. Within an entry, records get positions in their order, so an entry whose records belong to several
//! appends has gaps between their positions. A run over an earlier group's entry covers that entry whole.

use std::ops::Range;

use recount_journal::{Corruption, FrameHeader, FrameKind};
use recount_types::batch::{BatchHeader, Record, RecordIndex};
use recount_types::{Offset, Partition, Position, Time, TopicId, varint};

/// Records with positions, in the order of positions: one append.
pub type AppendRuns = Vec<Run>;

/// `count` consecutive records of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// How far back the group with the entry is; 0 = this one.
    pub lsn_distance: u64,
    /// The entry's index in its group.
    pub entry: u32,
    /// How many records, the next ones of that entry.
    pub count: u32,
}

/// The end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Whose.
    pub producer_id: u64,
    /// Which incarnation of the producer.
    pub producer_epoch: u16,
    /// Its records get positions, now or once what lies before them has; else they never do.
    pub committed: bool,
}

/// A record batch, and what is not inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its topic.
    pub topic: TopicId,
    /// Its partition.
    pub partition: Partition,
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Position of its first record; `None` = given by a later group, or never.
    pub base_position: Option<Position>,
    /// Number of records.
    pub count: u32,
    /// Bytes of the batch.
    pub bytes: u32,
    /// Schema of its topic that its records were checked against.
    pub schema: u32,
    /// Records of a transaction.
    pub transactional: bool,
    /// A control record: the end of a transaction as Kafka's consumers see it. It never gets a position.
    pub control: bool,
    /// CRC32C of the batch.
    pub crc: u32,
}

const FLAG_TRANSACTIONAL: u8 = 1;
const FLAG_CONTROL: u8 = 2;
const PREFIX_BYTES: usize = 8;

/// A decoded directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    /// The appends that get positions here.
    pub appends: Vec<AppendRuns>,
    /// The transactions that end here.
    pub marks: Vec<Mark>,
    /// The batches in this body.
    pub entries: Vec<Entry>,
}

impl Directory {
    /// How many positions the group gives.
    pub fn position_count(&self) -> u64 {
        self.appends.iter().flatten().map(|run| u64::from(run.count)).sum()
    }

    /// The kind that a group with this directory has.
    pub fn kind(&self) -> FrameKind {
        if self.appends.iter().flatten().any(|run| run.lsn_distance > 0) {
            FrameKind::Commit
        } else if !self.marks.is_empty() {
            if self.marks.iter().any(|mark| mark.committed) { FrameKind::Commit } else { FrameKind::Abort }
        } else if self.entries.iter().any(|entry| entry.base_position.is_none()) {
            FrameKind::Pending
        } else {
            FrameKind::Data
        }
    }
}

/// Encodes a body; `batches` are the bytes of the directory's entries, in order.
pub fn encode(directory: &Directory, batches: &[Vec<u8>]) -> Vec<u8> {
    assert_eq!(directory.entries.len(), batches.len(), "an entry a batch");
    let batch_bytes: usize = batches.iter().map(Vec::len).sum();
    let mut out = Vec::with_capacity(PREFIX_BYTES + 64 * (batches.len() + 1) + batch_bytes);
    out.resize(PREFIX_BYTES, 0);
    varint::put_u64(&mut out, directory.appends.len() as u64);
    for runs in &directory.appends {
        varint::put_u64(&mut out, runs.len() as u64);
        for run in runs {
            varint::put_u64(&mut out, run.lsn_distance);
            varint::put_u64(&mut out, run.entry.into());
            varint::put_u64(&mut out, run.count.into());
        }
    }
    varint::put_u64(&mut out, directory.marks.len() as u64);
    for mark in &directory.marks {
        varint::put_u64(&mut out, mark.producer_id);
        varint::put_u64(&mut out, mark.producer_epoch.into());
        out.push(mark.committed.into());
    }
    varint::put_u64(&mut out, directory.entries.len() as u64);
    for entry in &directory.entries {
        varint::put_u64(&mut out, entry.topic.0.into());
        varint::put_u64(&mut out, entry.partition.0.into());
        varint::put_u64(&mut out, entry.base_offset.0 as u64);
        varint::put_u64(&mut out, entry.base_position.map_or(0, |position| position.0));
        varint::put_u64(&mut out, entry.count.into());
        varint::put_u64(&mut out, entry.bytes.into());
        varint::put_u64(&mut out, entry.schema.into());
        let transactional = if entry.transactional { FLAG_TRANSACTIONAL } else { 0 };
        out.push(transactional | if entry.control { FLAG_CONTROL } else { 0 });
        out.extend_from_slice(&entry.crc.to_le_bytes());
    }
    let directory_bytes = (out.len() - PREFIX_BYTES) as u32;
    let crc = crc32c::crc32c(&out[PREFIX_BYTES..]);
    out[..4].copy_from_slice(&directory_bytes.to_le_bytes());
    out[4..PREFIX_BYTES].copy_from_slice(&crc.to_le_bytes());
    for batch in batches {
        out.extend_from_slice(batch);
    }
    out
}

/// What a body begins with: its directory, and where that says the batches are.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) directory: Directory,
    /// Where each batch lies in the body.
    pub(crate) ranges: Vec<Range<usize>>,
}

impl Head {
    /// Bytes that say how long the head is.
    pub(crate) const PREFIX_BYTES: usize = PREFIX_BYTES;

    /// How long the head of a body is, which begins with `prefix`. Not verified.
    pub(crate) fn bytes(prefix: &[u8]) -> Result<usize, GroupError> {
        let prefix = prefix.first_chunk::<PREFIX_BYTES>().ok_or(GroupError("body is cut"))?;
        let directory_bytes = u32::from_le_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]);
        Ok(PREFIX_BYTES + directory_bytes as usize)
    }

    /// Decodes the head of a body of `body_bytes`, of which there are at least the head's; verifies its checksum and
    /// every length.
    pub(crate) fn decode(body: &[u8], body_bytes: usize) -> Result<Head, GroupError> {
        let mut start = Head::bytes(body)?;
        let encoded = body.get(PREFIX_BYTES..start).ok_or(GroupError("directory is cut"))?;
        let crc = u32::from_le_bytes([body[4], body[5], body[6], body[7]]);
        if crc32c::crc32c(encoded) != crc {
            return Err(GroupError("directory fails its checksum"));
        }
        let directory = decode_directory(encoded).ok_or(GroupError("directory is malformed"))?;
        let mut ranges = Vec::with_capacity(directory.entries.len());
        for entry in &directory.entries {
            let end = start.saturating_add(entry.bytes as usize);
            if end > body_bytes {
                return Err(GroupError("batch is cut"));
            }
            ranges.push(start..end);
            start = end;
        }
        if start != body_bytes {
            return Err(GroupError("body has bytes after its last batch"));
        }
        Ok(Head { directory, ranges })
    }
}

/// A decoded body: its directory, and where its batches are.
#[derive(Debug)]
pub struct GroupBody<'a> {
    /// The directory.
    pub directory: Directory,
    batches: Vec<&'a [u8]>,
}

/// Why a body that passed the journal's checksum is not a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a group's {0}")]
pub struct GroupError(pub &'static str);

impl<'a> GroupBody<'a> {
    /// Decodes a body; verifies the directory's checksum and every length, but no batch.
    pub fn decode(body: &'a [u8]) -> Result<GroupBody<'a>, GroupError> {
        let Head { directory, ranges } = Head::decode(body, body.len())?;
        let batches = ranges.into_iter().filter_map(|range| body.get(range)).collect();
        Ok(GroupBody { directory, batches })
    }

    /// The records of an entry, verified.
    pub fn records(&self, entry: usize) -> Result<Records<'a>, GroupError> {
        let missing = GroupError("run names an entry that is not there");
        let header = self.directory.entries.get(entry).ok_or(missing.clone())?;
        let batch: &'a [u8] = self.batches.get(entry).copied().ok_or(missing)?;
        let index = index(header, batch)?;
        let records = recount_types::batch::records(batch).map_err(|_| GroupError("batch is malformed"))?;
        let own_time = !index.header().is_log_append_time();
        Ok(Records { records, base_offset: header.base_offset, own_time })
    }
}

/// The producer of a batch.
pub(crate) fn producer(batch: &[u8]) -> Result<u64, GroupError> {
    let header = BatchHeader::parse(batch).map_err(|_| GroupError("batch header is malformed"))?;
    u64::try_from(header.producer_id).map_err(|_| GroupError("transactional batch has no producer"))
}

/// Verifies the batch of an entry, to find its records.
pub(crate) fn index(entry: &Entry, batch: &[u8]) -> Result<RecordIndex, GroupError> {
    if crc32c::crc32c(batch) != entry.crc {
        return Err(GroupError("batch fails its checksum"));
    }
    let header = BatchHeader::parse(batch).map_err(|_| GroupError("batch header is malformed"))?;
    if header.record_count() != entry.count {
        return Err(GroupError("batch has another number of records than its entry says"));
    }
    RecordIndex::new(batch).map_err(|_| GroupError("batch is malformed"))
}

/// Iterates over the records of an entry.
#[derive(Debug)]
pub struct Records<'a> {
    records: recount_types::batch::Records<'a>,
    base_offset: Offset,
    /// The records' timestamps say when they happened; else they have their append's time.
    pub own_time: bool,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(Offset, Record<'a>), GroupError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.records.next()? {
            Ok(record) => Ok((Offset(self.base_offset.0 + i64::from(record.offset_delta)), record)),
            Err(_) => Err(GroupError("record is malformed")),
        })
    }
}

fn decode_directory(mut input: &[u8]) -> Option<Directory> {
    let input = &mut input;
    let mut directory = Directory::default();
    for _ in 0..take_count(input)? {
        let mut runs = Vec::new();
        for _ in 0..take_count(input)? {
            let lsn_distance = varint::take_u64(input).ok()?;
            let entry = take_u32(input)?;
            let count = take_u32(input)?;
            runs.push(Run { lsn_distance, entry, count });
        }
        directory.appends.push(runs);
    }
    for _ in 0..take_count(input)? {
        let producer_id = varint::take_u64(input).ok()?;
        let producer_epoch = u16::try_from(varint::take_u64(input).ok()?).ok()?;
        let committed = match take_u8(input)? {
            0 => false,
            1 => true,
            _ => return None,
        };
        directory.marks.push(Mark { producer_id, producer_epoch, committed });
    }
    for _ in 0..take_count(input)? {
        let topic = TopicId(take_u32(input)?);
        let partition = Partition(take_u32(input)?);
        let base_offset = Offset(i64::try_from(varint::take_u64(input).ok()?).ok()?);
        let base_position = varint::take_u64(input).ok()?;
        let count = take_u32(input)?;
        let bytes = take_u32(input)?;
        let schema = take_u32(input)?;
        let flags = take_u8(input)?;
        let (crc, rest) = input.split_first_chunk::<4>()?;
        *input = rest;
        if flags & !(FLAG_TRANSACTIONAL | FLAG_CONTROL) != 0 {
            return None;
        }
        directory.entries.push(Entry {
            topic,
            partition,
            base_offset,
            base_position: (base_position > 0).then_some(Position(base_position)),
            count,
            bytes,
            schema,
            transactional: flags & FLAG_TRANSACTIONAL != 0,
            control: flags & FLAG_CONTROL != 0,
            crc: u32::from_le_bytes(*crc),
        });
    }
    input.is_empty().then_some(directory)
}

/// A count of things that take at least one byte each: never more than the bytes that are left.
fn take_count(input: &mut &[u8]) -> Option<u64> {
    let count = varint::take_u64(input).ok()?;
    (count <= input.len() as u64).then_some(count)
}

fn take_u32(input: &mut &[u8]) -> Option<u32> {
    u32::try_from(varint::take_u64(input).ok()?).ok()
}

fn take_u8(input: &mut &[u8]) -> Option<u8> {
    let (&byte, rest) = input.split_first()?;
    *input = rest;
    Some(byte)
}

/// The time of append `index` of a group: strictly increasing from append to append.
pub fn append_time(header: &FrameHeader, index: usize) -> Time {
    Time(header.append_time.0.saturating_add(index as i64))
}

/// The error for a frame whose body is not a group.
pub fn corrupt(file: std::path::PathBuf, offset: u64, error: &GroupError) -> Corruption {
    Corruption { file, offset, what: error.to_string() }
}

#[cfg(test)]
mod tests;
