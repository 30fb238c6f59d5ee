//! What a restart needs and the journal's frames do not repeat: the state in every prologue, and the few
//! numbers in every seal.
//!
//! ```text
//!  prologue = version u8 = 1, next position, last append time, time floor, clock reading,
//!             partitions = n, n × ( topic, partition, next offset ),
//!             pending    = n, n × ( node, producer + 1 or 0, decided u8, first lsn, epoch, offset, entry ),
//!             catalogue  = bytes, JSON
//!  seal     = version u8 = 1, time floor, clock reading
//!  clock reading = wall µs, boottime µs, boot id [16]             integers are unsigned LEB128
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use recount_journal::{Location, SegmentName};
use recount_types::{Epoch, Lsn, Offset, Partition, Position, Time, TopicId, varint};

use crate::catalogue::{Catalogue, ClockReading};
use crate::pending::{PartitionId, SavedBatch};

const VERSION: u8 = 1;

/// The state after some group.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) next_position: Position,
    pub(crate) last_append_time: Time,
    /// Later appends are above this: an answer was given as of this time.
    pub(crate) time_floor: Time,
    pub(crate) clock: ClockReading,
    pub(crate) next_offsets: BTreeMap<PartitionId, Offset>,
    pub(crate) pending: Vec<SavedBatch>,
    pub(crate) catalogue: Arc<Catalogue>,
}

impl State {
    /// That of a new database.
    pub(crate) fn new() -> State {
        State {
            next_position: Position(1),
            last_append_time: Time(0),
            time_floor: Time(0),
            clock: ClockReading { wall: Time(0), boottime_us: 0, boot_id: [0; 16] },
            next_offsets: BTreeMap::new(),
            pending: Vec::new(),
            catalogue: Arc::new(Catalogue::new()),
        }
    }

    /// The bytes in a prologue.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        varint::put_u64(&mut out, self.next_position.0);
        varint::put_u64(&mut out, self.last_append_time.0 as u64);
        varint::put_u64(&mut out, self.time_floor.0 as u64);
        put_clock(&mut out, &self.clock);
        varint::put_u64(&mut out, self.next_offsets.len() as u64);
        for ((topic, partition), offset) in &self.next_offsets {
            varint::put_u64(&mut out, topic.0.into());
            varint::put_u64(&mut out, partition.0.into());
            varint::put_u64(&mut out, offset.0 as u64);
        }
        varint::put_u64(&mut out, self.pending.len() as u64);
        for batch in &self.pending {
            varint::put_u64(&mut out, batch.node);
            varint::put_u64(&mut out, batch.producer.map_or(0, |producer| producer + 1));
            out.push(batch.decided.into());
            varint::put_u64(&mut out, batch.location.segment.first_lsn.0);
            varint::put_u64(&mut out, batch.location.segment.epoch.0);
            varint::put_u64(&mut out, batch.location.offset);
            varint::put_u64(&mut out, batch.entry.into());
        }
        let catalogue = self.catalogue.save();
        varint::put_u64(&mut out, catalogue.len() as u64);
        out.extend_from_slice(&catalogue);
        out
    }

    /// Reads what [`State::encode`] made; no bytes at all are a new database's.
    pub(crate) fn decode(bytes: &[u8]) -> Result<State, String> {
        if bytes.is_empty() {
            return Ok(State::new());
        }
        let mut input = bytes;
        let input = &mut input;
        let state = decode_fields(input).ok_or("the state in the prologue is malformed")?;
        let (mut state, catalogue_bytes) = state;
        if input.len() as u64 != catalogue_bytes {
            return Err("the catalogue in the prologue is cut".to_owned());
        }
        state.catalogue =
            Arc::new(Catalogue::load(input).map_err(|e| format!("the catalogue in the prologue: {e}"))?);
        Ok(state)
    }
}

fn decode_fields(input: &mut &[u8]) -> Option<(State, u64)> {
    if take_u8(input)? != VERSION {
        return None;
    }
    let mut state = State {
        next_position: Position(take(input)?),
        last_append_time: take_time(input)?,
        time_floor: take_time(input)?,
        clock: take_clock(input)?,
        ..State::new()
    };
    for _ in 0..take_count(input)? {
        let topic = TopicId(u32::try_from(take(input)?).ok()?);
        let partition = Partition(u32::try_from(take(input)?).ok()?);
        let offset = Offset(i64::try_from(take(input)?).ok()?);
        state.next_offsets.insert((topic, partition), offset);
    }
    for _ in 0..take_count(input)? {
        let node = take(input)?;
        let producer = take(input)?.checked_sub(1);
        let decided = match take_u8(input)? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let segment = SegmentName { first_lsn: Lsn(take(input)?), epoch: Epoch(take(input)?) };
        let location = Location { segment, offset: take(input)? };
        let entry = u32::try_from(take(input)?).ok()?;
        state.pending.push(SavedBatch { producer, decided, node, location, entry });
    }
    let catalogue_bytes = take(input)?;
    Some((state, catalogue_bytes))
}

/// The bytes in a seal.
pub(crate) fn encode_seal(time_floor: Time, clock: &ClockReading) -> Vec<u8> {
    let mut out = vec![VERSION];
    varint::put_u64(&mut out, time_floor.0 as u64);
    put_clock(&mut out, clock);
    out
}

/// Reads what [`encode_seal`] made.
pub(crate) fn decode_seal(mut bytes: &[u8]) -> Option<(Time, ClockReading)> {
    let input = &mut bytes;
    if take_u8(input)? != VERSION {
        return None;
    }
    let floor = take_time(input)?;
    let clock = take_clock(input)?;
    input.is_empty().then_some((floor, clock))
}

fn put_clock(out: &mut Vec<u8>, clock: &ClockReading) {
    varint::put_u64(out, clock.wall.0 as u64);
    varint::put_u64(out, clock.boottime_us);
    out.extend_from_slice(&clock.boot_id);
}

fn take_clock(input: &mut &[u8]) -> Option<ClockReading> {
    let wall = take_time(input)?;
    let boottime_us = take(input)?;
    let (boot_id, rest) = input.split_first_chunk::<16>()?;
    *input = rest;
    Some(ClockReading { wall, boottime_us, boot_id: *boot_id })
}

fn take(input: &mut &[u8]) -> Option<u64> {
    varint::take_u64(input).ok()
}

fn take_time(input: &mut &[u8]) -> Option<Time> {
    Some(Time(take(input)? as i64))
}

fn take_count(input: &mut &[u8]) -> Option<u64> {
    let count = take(input)?;
    (count <= input.len() as u64).then_some(count)
}

fn take_u8(input: &mut &[u8]) -> Option<u8> {
    let (&byte, rest) = input.split_first()?;
    *input = rest;
    Some(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_and_seal_round_trip_and_reject_every_cut() {
        let clock = ClockReading { wall: Time(77), boottime_us: 5, boot_id: [3; 16] };
        let segment = SegmentName { first_lsn: Lsn(4), epoch: Epoch(2) };
        let mut state = State { next_position: Position(9), clock, ..State::new() };
        state.next_offsets.insert((TopicId(16), Partition(1)), Offset(300));
        state.pending.push(SavedBatch {
            producer: Some(0),
            decided: true,
            node: 8,
            location: Location { segment, offset: 4096 },
            entry: 2,
        });
        let bytes = state.encode();
        let again = State::decode(&bytes).unwrap();
        assert_eq!(again.encode(), bytes);
        assert_eq!((again.next_offsets, again.pending), (state.next_offsets, state.pending));
        for cut in 1..bytes.len() {
            assert!(State::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        let seal = encode_seal(Time(4), &clock);
        assert_eq!(decode_seal(&seal), Some((Time(4), clock)));
        for cut in 0..seal.len() {
            assert_eq!(decode_seal(&seal[..cut]), None, "cut at {cut}");
        }
    }
}
