//! The sequencer: gives positions and offsets, decides conditions, forms groups. Under one lock, without I/O.
//!
//! ```text
//!            submit                       take                        durable
//!  append ──────────> forming ───────────────────────> in flight ───────────────> answered, visible
//!         └─> queued (no room: the group is full, or a roll comes first)
//!         └─> blocked (its partition waits for an open transaction)
//! ```
//!
//! Invariants: an answer that depended on a group is given after that group's sync, refusals too. Positions are
//! given in commit order and are contiguous. What was submitted against index runs that no longer cover what
//! the memtables lack is sent back to be evaluated again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use recount_env::Clock;
use recount_env::planted::{self, Bug};
use recount_index::{FrameRef, Memtable, RunSet, Term};
use recount_journal::Location;
use recount_types::{Lsn, Offset, Partition, Position, Revision, StreamName, Time, TopicId};

use crate::append::{Appended, AppendedEvent};
use crate::catalogue::{Catalogue, Change, ClockReading};
use crate::condition::Expected;
use crate::error::AppendError;
use crate::forming::{BatchKey, Forming, Waiter, cost};
use crate::pending::{PartitionId, Pending};
use crate::record::Encoded;
use crate::slot::{Answer, Slot};
use crate::state::State;
use crate::store::lock;

mod conditions;
mod transactions;

pub(crate) use conditions::{PreparedQuery, SCAN_MAX};
pub(crate) use transactions::Produce;

/// An append, checked and evaluated on the immutable runs.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What it was checked against.
    pub(crate) catalogue: Arc<Catalogue>,
    /// The runs that it was evaluated on reach to here.
    pub(crate) covered: Position,
    /// The streams that it writes or has conditions on.
    pub(crate) streams: Vec<PreparedStream>,
    /// Conditions, by index into `streams`.
    pub(crate) expected: Vec<(usize, Expected)>,
    /// Query conditions that hold up to `covered`.
    pub(crate) queries: Vec<PreparedQuery>,
    /// The events.
    pub(crate) events: Vec<PreparedEvent>,
    /// Bound on what it adds to a group's body.
    pub(crate) bytes: usize,
    /// The catalogue that it makes, if it records a definition.
    pub(crate) change: Option<Change>,
    /// When it stops waiting, on the boot-time clock, µs.
    pub(crate) deadline_us: u64,
}

/// A stream that an append touches.
#[derive(Debug, Clone)]
pub(crate) struct PreparedStream {
    pub(crate) name: StreamName,
    pub(crate) term: Vec<u8>,
    /// How many events the runs have. `None`: looked up while the group is written; no condition is on the stream.
    pub(crate) base: Option<u64>,
}

/// An event, encoded.
#[derive(Debug)]
pub(crate) struct PreparedEvent {
    pub(crate) topic: TopicId,
    pub(crate) partition: Partition,
    pub(crate) schema: u32,
    /// Index into the streams.
    pub(crate) stream: Option<usize>,
    pub(crate) record: Encoded,
    /// Terms of its type, tags and id.
    pub(crate) terms: Vec<Vec<u8>>,
    /// The term of its client-given id.
    pub(crate) id_term: Option<Vec<u8>>,
}

/// A frozen memtable, until its run is there.
#[derive(Debug, Clone)]
pub(crate) struct Frozen {
    pub(crate) memtable: Arc<Memtable>,
    /// It has the postings of positions up to here.
    pub(crate) to_position: Position,
    /// And the frames up to here.
    pub(crate) to_lsn: Lsn,
}

/// Everything that is decided under the lock.
#[derive(Debug)]
pub(crate) struct Sequencer {
    pub(crate) catalogue: Arc<Catalogue>,
    /// The same, for those without the lock.
    published: Arc<Mutex<Arc<Catalogue>>>,
    pub(crate) next_offsets: BTreeMap<PartitionId, Offset>,
    pub(crate) last_append_time: Time,
    pub(crate) time_floor: Time,
    pub(crate) clock: ClockReading,
    pub(crate) memtable: Memtable,
    pub(crate) frozen: VecDeque<Frozen>,
    pub(crate) runs: RunSet,
    /// A driver is at work, or a caller was told to be.
    pub(crate) driving: bool,
    pub(crate) seal_requested: bool,
    pub(crate) closing: bool,
    pub(crate) counts: Counts,
    pending: Pending,
    pending_groups: BTreeMap<Lsn, Location>,
    /// `None`: the journal rolls first.
    forming: Option<Forming>,
    /// The lsn of the forming group.
    next_lsn: Lsn,
    next_position: Position,
    in_flight: Option<Vec<Waiter>>,
    queued: VecDeque<Queued>,
    blocked: Vec<Blocked>,
    /// An append was blocked, and nobody has set an alarm for its deadline yet.
    new_deadline: bool,
    /// For which deadline an alarm is set, or will be, on the boot-time clock, µs.
    alarm_us: u64,
    failure: Option<String>,
    hash_key: [u8; 16],
    memtable_bytes_max: usize,
}

/// Where a sequencer goes on.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) state: State,
    pub(crate) pending: Pending,
    /// Where the groups lie that have records without positions.
    pub(crate) pending_groups: BTreeMap<Lsn, Location>,
    /// All that is newer than the runs.
    pub(crate) memtable: Memtable,
    pub(crate) runs: RunSet,
    /// The lsn of the next group.
    pub(crate) next_lsn: Lsn,
    pub(crate) hash_key: [u8; 16],
    /// Size at which a memtable is frozen.
    pub(crate) memtable_bytes_max: usize,
}

/// What is to be sequenced.
#[derive(Debug)]
pub(crate) enum Work {
    /// An append that waits for its positions.
    Append(Box<Prepared>),
    /// A producer's batch, which gets offsets at once.
    Produce(Box<Produce>),
    /// The end of a producer's transaction.
    End {
        /// Whose.
        producer: u64,
        /// Its records get positions, or never do.
        committed: bool,
    },
}

impl Work {
    /// A bound on the bytes of its records in a body.
    fn bytes(&self) -> usize {
        match self {
            Work::Append(prepared) => prepared.bytes,
            Work::Produce(produce) => produce.bytes,
            Work::End { .. } => 0,
        }
    }
}

/// Work that waits for a group with room.
#[derive(Debug)]
struct Queued {
    work: Work,
    slot: Arc<Slot>,
}

/// An append that waits for an open transaction.
#[derive(Debug)]
struct Blocked {
    prepared: Box<Prepared>,
    slot: Arc<Slot>,
}

/// What happened, for metrics.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) appends: u64,
    pub(crate) events: u64,
    pub(crate) refusals: u64,
}

/// Appends that wait beyond this many, or beyond this many bytes together, are refused.
const WAITING_MAX: usize = 10_000;
const WAITING_BYTES_MAX: usize = 64 << 20;
/// Records of open transactions, and what waits behind them, beyond these bytes are refused.
const PENDING_BYTES_MAX: usize = 64 << 20;
/// A jump of the wall clock beyond this stops appends.
pub(crate) const CLOCK_JUMP_US_MAX: i64 = 5 * 60 * 1_000_000;

/// A group taken to be written.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) forming: Forming,
    pub(crate) append_time: Time,
    /// The index got a frozen memtable to write.
    pub(crate) froze: bool,
}

impl Sequencer {
    /// Goes on from what was recovered.
    pub(crate) fn new(recovered: Recovered) -> Sequencer {
        let Recovered {
            state,
            pending,
            pending_groups,
            memtable,
            runs,
            next_lsn,
            hash_key,
            memtable_bytes_max,
        } = recovered;
        Sequencer {
            published: Arc::new(Mutex::new(state.catalogue.clone())),
            catalogue: state.catalogue,
            next_offsets: state.next_offsets,
            last_append_time: state.last_append_time,
            time_floor: state.time_floor,
            clock: state.clock,
            memtable,
            frozen: VecDeque::new(),
            runs,
            driving: false,
            seal_requested: false,
            closing: false,
            counts: Counts::default(),
            pending,
            pending_groups,
            forming: None,
            next_lsn,
            next_position: state.next_position,
            in_flight: None,
            queued: VecDeque::new(),
            blocked: Vec::new(),
            new_deadline: false,
            alarm_us: u64::MAX,
            failure: None,
            hash_key,
            memtable_bytes_max,
        }
    }

    /// Where the catalogue of now is found without the sequencer's lock.
    pub(crate) fn published(&self) -> Arc<Mutex<Arc<Catalogue>>> {
        self.published.clone()
    }

    /// The state after the last group: for a prologue. Only between groups.
    pub(crate) fn state(&self) -> State {
        assert!(self.in_flight.is_none() && self.forming.as_ref().is_none_or(Forming::is_empty));
        State {
            next_position: self.next_position,
            last_append_time: self.last_append_time,
            time_floor: self.time_floor,
            clock: self.clock,
            next_offsets: self.next_offsets.clone(),
            pending: self.pending.saved(&self.pending_groups),
            catalogue: self.catalogue.clone(),
        }
    }

    /// The position that the next event gets, sequenced ones counted.
    pub(crate) fn next_position(&self) -> Position {
        self.forming.as_ref().map_or(self.next_position, Forming::next_position)
    }

    /// Accepts work; its slot will be answered, now or by a group. Returns what is not needed any more, to be dropped
    /// without the lock.
    pub(crate) fn submit(&mut self, work: Work, slot: Arc<Slot>, clock: &dyn Clock) -> Option<Box<Prepared>> {
        if let Some(error) = self.refusal_of_all() {
            slot.answer(Answer::Done(Err(error)));
        } else if self.queued.is_empty() && self.has_room(&work) {
            return self.sequence(work, slot, clock);
        } else if self.is_overfull(work.bytes()) {
            slot.answer(Answer::Done(Err(AppendError::Busy)));
        } else {
            self.queued.push_back(Queued { work, slot });
        }
        None
    }

    /// Why every append is refused.
    pub(crate) fn refusal_of_all(&self) -> Option<AppendError> {
        let closing = || self.closing.then(|| "the database is closed".to_owned());
        self.failure.clone().or_else(closing).map(|what| AppendError::Closed { what })
    }

    /// True if too much waits already for so many bytes to wait as well.
    fn is_overfull(&self, bytes: usize) -> bool {
        let count = self.queued.len() + self.blocked.len();
        let waiting = || {
            let queued: usize = self.queued.iter().map(|queued| queued.work.bytes()).sum();
            queued + self.blocked.iter().map(|blocked| blocked.prepared.bytes).sum::<usize>()
        };
        count >= WAITING_MAX || waiting() + bytes > WAITING_BYTES_MAX
    }

    fn has_room(&self, work: &Work) -> bool {
        self.forming.as_ref().is_some_and(|forming| forming.fits(self.bytes_of(work)))
    }

    /// A bound on what work adds to a body.
    fn bytes_of(&self, work: &Work) -> usize {
        match work {
            Work::Append(_) | Work::Produce(_) => work.bytes(),
            Work::End { producer, .. } => {
                cost(0, self.pending.partitions_of(*producer).len(), self.pending.batch_count())
            }
        }
    }

    /// The lsn of the group being formed.
    pub(crate) fn next_lsn(&self) -> Lsn {
        self.next_lsn
    }

    /// True if a leader has something to do.
    pub(crate) fn has_work(&self) -> bool {
        let forming = self.forming.as_ref().is_some_and(|forming| !forming.is_empty());
        forming || !self.queued.is_empty() || self.in_flight.is_some() || self.seal_requested
    }

    /// The bytes that the body of the next group must have room for; `None` = a group is being formed.
    pub(crate) fn wants_roll(&self) -> Option<usize> {
        let first = self.queued.front()?;
        let bytes = Forming::EMPTY_BYTES + self.bytes_of(&first.work);
        match &self.forming {
            None => Some(bytes),
            Some(forming) if forming.is_empty() && !self.has_room(&first.work) => Some(bytes),
            Some(_) => None,
        }
    }

    /// A segment with room for a body of `room_bytes` is there: forms groups again.
    pub(crate) fn begin_group(&mut self, room_bytes: usize, clock: &dyn Clock) {
        debug_assert!(self.forming.as_ref().is_none_or(Forming::is_empty));
        let mut fresh = Forming::new(self.next_position, room_bytes);
        if let Some(before) = self.forming.take() {
            fresh.waiters = before.waiters;
        }
        self.forming = Some(fresh);
        self.sequence_queued(clock);
    }

    /// Fails the appends that wait for a segment.
    pub(crate) fn fail_queued(&mut self, error: &AppendError) {
        for queued in self.queued.drain(..) {
            queued.slot.answer(Answer::Done(Err(error.clone())));
        }
    }

    fn sequence_queued(&mut self, clock: &dyn Clock) {
        while let Some(first) = self.queued.front() {
            if !self.has_room(&first.work) {
                return;
            }
            if let Some(Queued { work, slot }) = self.queued.pop_front() {
                drop(self.sequence(work, slot, clock));
            }
        }
    }

    fn sequence(&mut self, work: Work, slot: Arc<Slot>, clock: &dyn Clock) -> Option<Box<Prepared>> {
        match work {
            Work::Append(prepared) => return self.append(prepared, slot, clock),
            Work::Produce(produce) if self.pending.bytes() + produce.bytes > PENDING_BYTES_MAX => {
                self.refuse(slot, AppendError::Busy);
            }
            Work::Produce(produce) => self.produce(*produce, slot),
            Work::End { producer, committed } => self.end_transaction(producer, committed, slot, clock),
        }
        None
    }

    fn append(
        &mut self,
        prepared: Box<Prepared>,
        slot: Arc<Slot>,
        clock: &dyn Clock,
    ) -> Option<Box<Prepared>> {
        let stale = !Arc::ptr_eq(&prepared.catalogue, &self.catalogue)
            || prepared.covered < self.memtables_begin()
            || prepared
                .events
                .iter()
                .any(|event| event.id_term.as_ref().is_some_and(|id| self.in_memory(id, prepared.covered)));
        let waits = |event: &PreparedEvent| self.pending.waits((event.topic, event.partition));
        if stale {
            slot.answer(Answer::Again);
        } else if prepared.events.iter().any(waits) {
            if self.is_overfull(prepared.bytes) {
                self.refuse(slot, AppendError::Busy);
            } else {
                self.new_deadline |= prepared.deadline_us < self.alarm_us;
                self.alarm_us = self.alarm_us.min(prepared.deadline_us);
                self.blocked.push(Blocked { prepared, slot });
                return None;
            }
        } else {
            match self.check_clock(clock).and_then(|()| self.check(&prepared)) {
                Ok(totals) => self.place(&prepared, slot, totals),
                Err(error) => self.refuse(slot, error),
            }
        }
        Some(prepared)
    }

    /// The memtables have every posting after this position.
    fn memtables_begin(&self) -> Position {
        Position(self.runs.covered_to_position())
    }

    /// True if a term has a posting after `covered`.
    fn in_memory(&self, term: &[u8], covered: Position) -> bool {
        self.count_after(term, covered) > 0
    }

    /// How many postings of a term are in memory after a position.
    pub(crate) fn count_after(&self, term: &[u8], after: Position) -> u64 {
        let frozen: u64 = self.frozen.iter().map(|frozen| frozen.memtable.count_after(term, after.0)).sum();
        frozen + self.memtable.count_after(term, after.0)
    }

    /// How many events of a stream the runs have, if a memtable knows: no run need be read then.
    pub(crate) fn length_in_runs(&self, term: &[u8]) -> Option<u64> {
        let newest = self.memtables().rev().find_map(|memtable| memtable.list(term))?;
        let length = newest.first_revision()? + newest.count();
        Some(length - self.count_after(term, self.memtables_begin()))
    }

    /// The runs have `length` events of a stream, up to `covered`: the memtable notes it for whoever asks next, and for
    /// the run that will be made of it.
    pub(crate) fn learn_length(&mut self, term: &[u8], covered: Position, length: u64) {
        if covered != self.memtables_begin() {
            return;
        }
        let frozen: u64 = self.frozen.iter().map(|frozen| frozen.memtable.count_after(term, covered.0)).sum();
        self.memtable.set_base(term, length + frozen);
    }

    /// Answers with a refusal once all that it may depend on is durable.
    fn refuse(&mut self, slot: Arc<Slot>, error: AppendError) {
        self.counts.refusals += 1;
        let waiter = Waiter { slot, answer: Err(error), append: None };
        if planted::is(Bug::UnsyncedRefusal) {
            return waiter.slot.answer(Answer::Done(waiter.answer));
        }
        match (&mut self.forming, &mut self.in_flight) {
            (Some(forming), _) if !forming.is_empty() => forming.waiters.push(waiter),
            (_, Some(in_flight)) => in_flight.push(waiter),
            _ => waiter.slot.answer(Answer::Done(waiter.answer)),
        }
    }

    /// Gives positions and offsets.
    fn place(&mut self, prepared: &Prepared, slot: Arc<Slot>, mut totals: Vec<u64>) {
        let next_position = self.next_position();
        if let Some(change) = &prepared.change {
            match self.catalogue.after(change, next_position) {
                Ok(catalogue) => {
                    self.catalogue = Arc::new(catalogue);
                    *lock(&self.published) = self.catalogue.clone();
                }
                Err(what) => return self.refuse(slot, AppendError::BadRequest { what }),
            }
        }
        let forming = self.forming.as_mut().expect("the caller asked for room");
        let append = forming.begin_append();
        let mut events = Vec::with_capacity(prepared.events.len());
        for same_stream in prepared.events.chunk_by(|one, next| one.stream == next.stream) {
            let count = same_stream.len() as u64;
            let stream = same_stream[0].stream.map(|at| {
                let PreparedStream { name, term, base } = &prepared.streams[at];
                let first = forming.next_position().0;
                self.memtable.add_range(term, first..first + count, base.map(|_| totals[at]));
                let total = totals[at];
                totals[at] += count;
                (name, total)
            });
            for (index, event) in same_stream.iter().enumerate() {
                let offset = next_offset(&mut self.next_offsets, (event.topic, event.partition));
                let key = BatchKey {
                    topic: event.topic,
                    partition: event.partition,
                    schema: event.schema,
                    own_time: event.record.own_time,
                    transaction: None,
                    positioned: true,
                };
                let new_topic = !forming.topics.contains(&event.topic);
                let (_, position) = forming.push(key, offset, &event.record);
                let position = position.expect("it was pushed with a position");
                if new_topic {
                    self.memtable.add(Term::new().topic(event.topic), position.0, None);
                }
                for term in event.terms.iter().chain(&event.id_term) {
                    self.memtable.add(term, position.0, None);
                }
                let revision = stream.map(|(_, total)| Revision(total + index as u64));
                events.push(AppendedEvent {
                    position,
                    stream: stream.map(|(name, _)| name.clone()),
                    revision,
                });
            }
        }
        self.counts.appends += 1;
        self.counts.events += events.len() as u64;
        let answer = Ok(Appended { events, append_time: Time(0), duplicate: false });
        forming.waiters.push(Waiter { slot, answer, append: Some(append) });
    }

    /// Takes the forming group to be written at `location`, as the group with `next_lsn`. The next one may have a
    /// body of `room_bytes`; `None` = the journal rolls first.
    pub(crate) fn take(
        &mut self,
        location: Location,
        room_bytes: impl FnOnce(usize) -> Option<usize>,
        clock: &dyn Clock,
    ) -> Option<Taken> {
        let forming = self.forming.take_if(|forming| !forming.is_empty())?;
        let now = clock.now_us().max(self.last_append_time.0 + 1).max(self.time_floor.0 + 1);
        let append_time = Time(now);
        self.last_append_time = Time(now + (forming.append_count() as i64 - 1).max(0));
        self.memtable.frame(FrameRef {
            lsn: self.next_lsn.0,
            segment_first_lsn: location.segment.first_lsn.0,
            segment_epoch: location.segment.epoch.0,
            offset: location.offset,
            first_position: self.next_position.0,
            append_time: append_time.0,
        });
        self.note_pending_group(location);
        self.next_position = forming.next_position();
        self.in_flight = Some(Vec::new());
        let froze = self.freeze_if_full();
        self.next_lsn = self.next_lsn.next();
        self.forming = room_bytes(forming.bytes()).map(|room| Forming::new(self.next_position, room));
        self.sequence_queued(clock);
        Some(Taken { forming, append_time, froze })
    }

    /// The memtable is frozen at the end of a group only, so that a run covers whole groups.
    fn freeze_if_full(&mut self) -> bool {
        self.memtable.bytes() >= self.memtable_bytes_max && self.freeze(self.next_lsn)
    }

    /// Freezes the memtable, which reaches to the end of the group `to_lsn`; false if there is nothing to freeze,
    /// or the last one is not written yet.
    pub(crate) fn freeze(&mut self, to_lsn: Lsn) -> bool {
        let to_position = Position(self.next_position.0 - 1);
        if !self.frozen.is_empty() || to_position <= self.memtables_begin() {
            return false;
        }
        let memtable = std::mem::replace(&mut self.memtable, Memtable::new(&self.hash_key));
        self.frozen.push_back(Frozen { memtable: Arc::new(memtable), to_position, to_lsn });
        true
    }

    /// The group in flight is durable: who to tell.
    pub(crate) fn durable(&mut self) -> Vec<Waiter> {
        self.in_flight.take().unwrap_or_default()
    }

    /// Nothing is accepted any more: who to tell, beside those of the group in flight.
    pub(crate) fn fail(&mut self, what: &str) -> Vec<Waiter> {
        self.failure = Some(what.to_owned());
        let mut waiters = self.in_flight.take().unwrap_or_default();
        if let Some(forming) = self.forming.take() {
            waiters.extend(forming.waiters);
        }
        let queued = self.queued.drain(..).map(|queued| queued.slot);
        let waiting = queued.chain(self.blocked.drain(..).map(|blocked| blocked.slot));
        waiters.extend(waiting.map(|slot| Waiter {
            slot,
            answer: Err(AppendError::Closed { what: what.to_owned() }),
            append: None,
        }));
        waiters
    }

    /// Somebody whose append waits in the forming group or before it, to lead next.
    pub(crate) fn next_leader(&self) -> impl Iterator<Item = &Arc<Slot>> {
        let forming =
            self.forming.iter().flat_map(|forming| forming.waiters.iter().map(|waiter| &waiter.slot));
        forming.chain(self.queued.iter().map(|queued| &queued.slot))
    }

    /// A run covers a frozen memtable: it is not needed any more.
    pub(crate) fn install(&mut self, runs: RunSet) {
        let covered = runs.covered_to_position();
        self.runs = runs;
        while self.frozen.front().is_some_and(|frozen| frozen.to_position.0 <= covered) {
            self.frozen.pop_front();
        }
    }

    /// The memtables, oldest first.
    pub(crate) fn memtables(&self) -> impl DoubleEndedIterator<Item = &Memtable> {
        self.frozen.iter().map(|frozen| &*frozen.memtable).chain(std::iter::once(&self.memtable))
    }

    /// An answer is given as of `time`: later appends are above it.
    pub(crate) fn raise_floor(&mut self, time: Time) {
        self.time_floor = self.time_floor.max(time);
    }

    fn check_clock(&mut self, clock: &dyn Clock) -> Result<(), AppendError> {
        let now = read_clock(clock);
        if let Some(ahead_us) = jumped_ahead(&self.clock, &now) {
            return Err(AppendError::ClockJumped { ahead_s: ahead_us / 1_000_000 });
        }
        self.clock = now;
        Ok(())
    }
}

/// The next offset of a partition, which is thereby given.
fn next_offset(offsets: &mut BTreeMap<PartitionId, Offset>, partition: PartitionId) -> Offset {
    let next = offsets.entry(partition).or_default();
    let offset = *next;
    next.0 += 1;
    offset
}

/// Reads both clocks.
pub(crate) fn read_clock(clock: &dyn Clock) -> ClockReading {
    ClockReading { wall: Time(clock.now_us()), boottime_us: clock.boottime_us(), boot_id: clock.boot_id() }
}

/// How far the wall clock ran ahead of the boot-time clock between two readings of one boot, if it is too far, µs.
pub(crate) fn jumped_ahead(before: &ClockReading, now: &ClockReading) -> Option<i64> {
    if before.boot_id != now.boot_id {
        return None;
    }
    let wall = now.wall.0 - before.wall.0;
    let boot = now.boottime_us as i64 - before.boottime_us as i64;
    (wall - boot > CLOCK_JUMP_US_MAX).then_some(wall - boot)
}

#[cfg(test)]
mod tests;
