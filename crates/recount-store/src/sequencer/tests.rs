//! The sequencer by itself: no thread, no journal; what it is handed, it is handed here.

use std::path::Path;
use std::task::{Context, Waker};

use bytes::Bytes;
use recount_env::{Env, block_on, memory::memory_env};
use recount_index::{TermKind, unpaced};
use recount_journal::SegmentName;
use recount_types::{Epoch, TopicName};

use super::*;

const TOPIC: TopicId = TopicId(16);
const ROOM: usize = 1 << 30;
/// What an append of these tests has, unless a test says otherwise.
const BYTES: usize = 1000;

struct Bench {
    env: Env,
    sequencer: Sequencer,
}

impl Bench {
    /// No group is formed yet.
    fn rolling() -> Bench {
        let env = memory_env();
        let runs = block_on(RunSet::open(&env, Path::new("/index"), [1; 16], &[2; 16])).unwrap().set;
        let sequencer = Sequencer::new(Recovered {
            state: State::new(),
            pending: Pending::default(),
            pending_groups: BTreeMap::new(),
            memtable: Memtable::new(&[2; 16]),
            runs,
            next_lsn: Lsn(1),
            hash_key: [2; 16],
            memtable_bytes_max: 1 << 20,
        });
        Bench { env, sequencer }
    }

    /// A group is being formed.
    fn new() -> Bench {
        let mut bench = Bench::rolling();
        bench.sequencer.begin_group(ROOM, &*bench.env.clock);
        bench
    }

    /// An append of one event to a stream, checked now.
    fn prepare(&self, key: &'static str) -> Prepared {
        let key = Bytes::from_static(key.as_bytes());
        let topic = TopicName::parse("t").unwrap();
        let term = Term::of(TermKind::Stream, TOPIC, &key).as_bytes().to_vec();
        let name = StreamName { topic, key: key.clone() };
        Prepared {
            catalogue: self.sequencer.catalogue.clone(),
            covered: self.sequencer.memtables_begin(),
            streams: vec![PreparedStream { name, term, base: Some(0) }],
            expected: Vec::new(),
            queries: Vec::new(),
            events: vec![event(Some(0), Some(key))],
            bytes: BYTES,
            change: None,
            deadline_us: u64::MAX,
        }
    }

    fn submit(&mut self, work: Work) -> Arc<Slot> {
        let slot = Arc::new(Slot::default());
        self.sequencer.submit(work, slot.clone(), &*self.env.clock);
        slot
    }

    fn append(&mut self, prepared: Prepared) -> Arc<Slot> {
        self.submit(Work::Append(Box::new(prepared)))
    }

    /// Takes the group to be written.
    fn take(&mut self) -> Taken {
        let segment = SegmentName { first_lsn: Lsn(1), epoch: Epoch(1) };
        let location = Location { segment, offset: 4096 * self.sequencer.next_lsn().0 };
        let taken = self.sequencer.take(location, |_| Some(ROOM), &*self.env.clock).unwrap();
        assert!(!taken.froze);
        taken
    }

    /// Writes the group, and a run of all there is.
    fn write_run(&mut self) {
        let lsn = self.sequencer.next_lsn();
        self.take();
        assert!(self.sequencer.durable().is_empty());
        assert!(self.sequencer.freeze(lsn));
        self.flush();
    }

    /// Writes a run of what was frozen.
    fn flush(&mut self) {
        let frozen = self.sequencer.frozen.front().unwrap().clone();
        let runs = self.sequencer.runs.clone();
        let run = runs.write_run(&frozen.memtable, frozen.to_position.0, frozen.to_lsn.0, &unpaced);
        self.sequencer.install(runs.with(block_on(run).unwrap()));
    }
}

fn event(stream: Option<usize>, key: Option<Bytes>) -> PreparedEvent {
    let value = Bytes::from_static(b"{}");
    let record = Encoded { timestamp_ms: 0, own_time: false, key, value, headers: Vec::new() };
    let (terms, id_term) = (Vec::new(), None);
    PreparedEvent { topic: TOPIC, partition: Partition(0), schema: 1, stream, record, terms, id_term }
}

/// A producer's batch of one event.
fn produce(partition: u32, transaction: Option<u64>, bytes: usize) -> Work {
    let (partition, events) = (Partition(partition), vec![event(None, None)]);
    Work::Produce(Box::new(Produce { topic: TOPIC, partition, schema: 1, transaction, events, bytes }))
}

fn id(text: &str) -> Option<Vec<u8>> {
    Some(Term::of(TermKind::ClientId, TOPIC, text.as_bytes()).as_bytes().to_vec())
}

fn look(slot: &Slot) -> Option<Answer> {
    slot.take_or_register(&Context::from_waker(Waker::noop()))
}

/// Neither answered nor sent back.
fn waits(slot: &Slot) -> bool {
    look(slot).is_none()
}

fn is_sent_back(slot: &Slot) -> bool {
    matches!(look(slot), Some(Answer::Again))
}

fn refusal(slot: &Slot) -> Option<AppendError> {
    match look(slot) {
        Some(Answer::Done(Err(error))) => Some(error),
        _ => None,
    }
}

#[test]
fn what_was_checked_on_runs_that_are_behind_the_memtables_is_sent_back() {
    let mut bench = Bench::new();
    let (stale, first) = (bench.prepare("1"), bench.prepare("1"));
    assert!(waits(&bench.append(first)));
    bench.write_run();
    assert_eq!(bench.sequencer.memtables_begin(), Position(1));
    assert!(is_sent_back(&bench.append(stale)));
    assert_eq!(bench.sequencer.next_position(), Position(2));
    let fresh = bench.prepare("1");
    assert!(waits(&bench.append(fresh)));
    assert_eq!(bench.sequencer.next_position(), Position(3));
}

/// Two retries at once: neither found the id in the runs.
#[test]
fn an_id_that_came_since_it_was_looked_for_sends_back() {
    let mut bench = Bench::new();
    for (text, is_new) in [("a", true), ("a", false), ("b", true)] {
        let mut prepared = bench.prepare("1");
        prepared.events[0].id_term = id(text);
        let slot = bench.append(prepared);
        assert_eq!(is_new, !is_sent_back(&slot), "{text}");
    }
}

#[test]
fn a_memtable_knows_how_many_events_the_runs_have_of_a_stream_that_it_has() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        let mut prepared = bench.prepare("1");
        assert_eq!(prepared.streams[0].base, Some(0));
        prepared.streams[0].base = Some(5);
        assert!(waits(&bench.append(prepared)));
        let term = |key| bench.prepare(key).streams[0].term.clone();
        assert_eq!(bench.sequencer.length_in_runs(&term("1")), Some(5));
        assert_eq!(bench.sequencer.length_in_runs(&term("2")), None);
    }
}

/// What was looked up in other runs than those of now says nothing.
#[test]
fn a_length_that_was_looked_up_is_noted_if_the_runs_are_the_same() {
    let mut bench = Bench::new();
    let term = bench.prepare("1").streams[0].term.clone();
    let append_unknown = |bench: &mut Bench| {
        let mut prepared = bench.prepare("1");
        prepared.streams[0].base = None;
        assert!(waits(&bench.append(prepared)));
    };
    append_unknown(&mut bench);
    bench.write_run();
    append_unknown(&mut bench);
    assert_eq!(bench.sequencer.length_in_runs(&term), None);
    bench.sequencer.learn_length(&term, Position(0), 0);
    assert_eq!(bench.sequencer.length_in_runs(&term), None);
    bench.sequencer.learn_length(&term, Position(1), 1);
    assert_eq!(bench.sequencer.length_in_runs(&term), Some(1));
}

/// An append that expects a stream to be there that is not.
fn to_be_refused(bench: &Bench) -> Prepared {
    Prepared { expected: vec![(0, Expected::Exists)], ..bench.prepare("missing") }
}

/// A refusal may depend on all that was sequenced before it.
#[test]
fn a_refusal_rides_with_the_newest_group_before_it() {
    let mut bench = Bench::new();
    let (append, refused) = (bench.prepare("1"), to_be_refused(&bench));
    assert!(refusal(&bench.append(refused)).is_some(), "nothing is before it");
    assert!(waits(&bench.append(append)));
    let first = bench.take();
    assert_eq!(first.forming.waiters.len(), 1);
    let (append, refused) = (bench.prepare("1"), to_be_refused(&bench));
    assert!(waits(&bench.append(refused)), "behind the group in flight");
    assert!(waits(&bench.append(append)));
    let refused = to_be_refused(&bench);
    assert!(waits(&bench.append(refused)), "behind the group being formed");
    assert_eq!(bench.sequencer.durable().len(), 1);
    assert_eq!(bench.take().forming.waiters.len(), 2);
    assert_eq!(bench.sequencer.durable().len(), 0);
    assert_eq!(bench.sequencer.counts.refusals, 3);
}

#[test]
fn appends_and_events_are_counted() {
    let mut bench = Bench::new();
    for (events, total) in [(2, 2), (3, 5)] {
        let mut prepared = bench.prepare("1");
        let key = prepared.streams[0].name.key.clone();
        prepared.events = (0..events).map(|_| event(Some(0), Some(key.clone()))).collect();
        assert!(waits(&bench.append(prepared)));
        assert_eq!(bench.sequencer.counts.events, total);
    }
    assert_eq!(bench.sequencer.counts.appends, 2);
}

/// Appends of one group are a microsecond apart; a clock that stands, or is behind what was answered, turns no order.
#[test]
fn append_times_ascend_whatever_the_clock_says() {
    let mut bench = Bench::new();
    let hour = 3_600_000_000;
    let ahead = bench.env.clock.now_us() + hour;
    bench.sequencer.last_append_time = Time(ahead);
    for _ in 0..3 {
        let prepared = bench.prepare("1");
        assert!(waits(&bench.append(prepared)));
    }
    assert_eq!(bench.take().append_time, Time(ahead + 1));
    assert_eq!(bench.sequencer.last_append_time, Time(ahead + 3));
    bench.sequencer.durable();
    bench.sequencer.raise_floor(Time(ahead + hour));
    let prepared = bench.prepare("1");
    assert!(waits(&bench.append(prepared)));
    assert_eq!(bench.take().append_time, Time(ahead + hour + 1));
    assert_eq!(bench.sequencer.last_append_time, Time(ahead + hour + 1));
}

/// One frozen memtable at a time, and none without anything in it.
#[test]
fn a_memtable_is_frozen_when_the_one_before_is_written() {
    let mut bench = Bench::new();
    assert!(!bench.sequencer.freeze(Lsn(0)), "nothing is in it");
    for (lsn, freezes) in [(1, true), (2, false)] {
        let prepared = bench.prepare("1");
        assert!(waits(&bench.append(prepared)));
        bench.take();
        bench.sequencer.durable();
        assert_eq!(bench.sequencer.freeze(Lsn(lsn)), freezes, "{lsn}");
    }
    bench.flush();
    assert!(bench.sequencer.frozen.is_empty());
    assert!(bench.sequencer.freeze(Lsn(2)));
    bench.flush();
    assert!(!bench.sequencer.freeze(Lsn(2)), "nothing is in it");
}

#[test]
fn there_is_work_where_a_group_or_a_seal_is_to_be_written() {
    let mut bench = Bench::new();
    assert!(!bench.sequencer.has_work());
    bench.sequencer.seal_requested = true;
    assert!(bench.sequencer.has_work(), "the seal");
    bench.sequencer.seal_requested = false;
    let prepared = bench.prepare("1");
    assert!(waits(&bench.append(prepared)));
    assert!(bench.sequencer.has_work(), "the group being formed");
    bench.write_run();
    assert!(!bench.sequencer.has_work());
    assert_eq!(bench.sequencer.next_lsn(), Lsn(2));
}

/// The segment must have room for just what waits, so that an append of 7 MiB makes none of 448.
#[test]
fn what_waits_for_a_segment_says_how_large_and_is_refused_if_there_is_none() {
    let mut bench = Bench::rolling();
    assert_eq!(bench.sequencer.wants_roll(), None);
    let prepared = bench.prepare("1");
    let slot = bench.append(prepared);
    assert!(waits(&slot));
    assert!(bench.sequencer.has_work(), "the roll");
    assert_eq!(bench.sequencer.wants_roll(), Some(Forming::EMPTY_BYTES + BYTES));
    bench.sequencer.fail_queued(&AppendError::StorageFull { what: "no room".to_owned() });
    assert!(matches!(refusal(&slot), Some(AppendError::StorageFull { .. })));
    assert_eq!(bench.sequencer.wants_roll(), None);
    assert!(!bench.sequencer.has_work());
}

#[test]
fn bytes_that_wait_for_a_segment_are_bounded() {
    let mut bench = Bench::rolling();
    let mut append = |bytes| {
        let prepared = Prepared { bytes, ..bench.prepare("1") };
        bench.append(prepared)
    };
    let half = WAITING_BYTES_MAX / 2;
    assert!(waits(&append(half)));
    assert!(matches!(refusal(&append(half + 1)), Some(AppendError::Busy)));
    assert!(waits(&append(half)), "together as much as may wait");
    assert!(matches!(refusal(&append(1)), Some(AppendError::Busy)));
}

#[test]
fn bytes_of_open_transactions_are_bounded() {
    let produce = |bytes| produce(0, Some(1), bytes);
    let mut bench = Bench::new();
    // Without anything in flight a refusal depends on nothing, and is given at once.
    assert!(matches!(refusal(&bench.submit(produce(PENDING_BYTES_MAX + 1))), Some(AppendError::Busy)));
    assert!(waits(&bench.submit(produce(PENDING_BYTES_MAX))), "just as much as may");
    let held = bench.sequencer.pending.bytes();
    assert!(held > 0);
    let more = bench.submit(produce(PENDING_BYTES_MAX - held + 1));
    assert!(waits(&more), "its refusal rides with the group");
    let waiters = bench.sequencer.fail("the disk broke");
    assert_eq!(waiters.iter().filter(|waiter| matches!(waiter.answer, Err(AppendError::Busy))).count(), 1);
}

/// Who waits in the forming group leads before those who wait for a segment.
#[test]
fn whoever_waits_may_lead_next() {
    let mut bench = Bench::rolling();
    assert_eq!(bench.sequencer.next_leader().count(), 0);
    bench.sequencer.begin_group(Forming::EMPTY_BYTES + BYTES, &*bench.env.clock);
    let (first, second) = (bench.prepare("1"), bench.prepare("1"));
    let first = bench.append(first);
    assert!(bench.sequencer.queued.is_empty());
    let queued = bench.append(second);
    assert_eq!(bench.sequencer.queued.len(), 1);
    assert_eq!(bench.sequencer.next_leader().count(), 2);
    assert!(bench.sequencer.next_leader().zip([&first, &queued]).all(|(one, other)| Arc::ptr_eq(one, other)));
}

/// Between two readings of one boot the wall clock may gain five minutes, however long that took.
#[test]
fn a_jump_is_what_the_wall_clock_gains_on_the_clock_of_the_boot() {
    let reading =
        |wall: i64, boottime_us, boot| ClockReading { wall: Time(wall), boottime_us, boot_id: [boot; 16] };
    let before = reading(1_000, 500, 1);
    let hours = 7_200_000_000;
    let gained =
        |us: i64, boot| jumped_ahead(&before, &reading(1_000 + hours + us, 500 + hours as u64, boot));
    assert_eq!(gained(CLOCK_JUMP_US_MAX, 1), None);
    assert_eq!(gained(CLOCK_JUMP_US_MAX + 1, 1), Some(CLOCK_JUMP_US_MAX + 1));
    assert_eq!(gained(-CLOCK_JUMP_US_MAX - 1, 1), None, "back is no jump ahead");
    assert_eq!(gained(CLOCK_JUMP_US_MAX + 1, 2), None, "another boot");
}

/// A condition that is too dear to be checked under the lock is refused, not checked.
#[test]
fn a_condition_looks_at_so_many_events_at_most() {
    let mut bench = Bench::new();
    let type_term = Term::new().event_type(TOPIC, "Paid").to_vec();
    let mut prepared = bench.prepare("1");
    prepared.queries =
        vec![PreparedQuery { types: vec![type_term.clone()], tags: Vec::new(), after: Position(0) }];
    bench.sequencer.memtable.add_range(&type_term, 1..SCAN_MAX as u64 + 1, None);
    assert!(matches!(bench.sequencer.check(&prepared), Err(AppendError::Matched { at: Position(1), .. })));
    bench.sequencer.memtable.add(&type_term, SCAN_MAX as u64 + 1, None);
    assert!(matches!(bench.sequencer.check(&prepared), Err(AppendError::ScanLimit { .. })));
    bench.sequencer.memtable.add(&type_term, SCAN_MAX as u64 + 2, None);
    assert!(matches!(bench.sequencer.check(&prepared), Err(AppendError::ScanLimit { .. })));
}

#[test]
fn a_batch_that_waits_for_nothing_has_its_positions_and_is_found_by_its_topic() {
    let mut bench = Bench::new();
    for partition in 0..2 {
        bench.submit(produce(partition, None, BYTES));
    }
    assert_eq!(bench.sequencer.next_position(), Position(3));
    assert_eq!(bench.sequencer.pending, Pending::default());
    // A topic has a posting in each group with events of it, at the first of them.
    let mut term = Term::new();
    let after = |position| bench.sequencer.memtable.count_after(term.topic(TOPIC), position);
    assert_eq!([0, 1].map(after), [1, 0]);
}

/// Each transaction is one node of what waits, and the groups with its records are known while it is open.
#[test]
fn groups_are_remembered_while_their_records_wait() {
    let mut bench = Bench::new();
    for producer in [1, 2, 3] {
        bench.submit(produce(producer as u32, Some(producer), BYTES));
        bench.take();
        bench.sequencer.durable();
    }
    let waiting =
        |bench: &Bench| -> Vec<u64> { bench.sequencer.pending_groups.keys().map(|lsn| lsn.0).collect() };
    assert_eq!(waiting(&bench), [1, 2, 3]);
    let mut expected = Pending::default();
    for (lsn, producer) in [(1, 1), (2, 2), (3, 3)] {
        let partition = (TOPIC, Partition(producer as u32));
        let terms = vec![Vec::new()];
        let batch = crate::pending::Waiting { lsn: Lsn(lsn), entry: 0, partition, count: 1, terms };
        expected.add_transactional(producer, batch);
    }
    assert_eq!(bench.sequencer.pending, expected);
    let saved = bench.sequencer.state().pending;
    let saved: Vec<_> = saved.iter().map(|batch| (batch.producer, batch.location.offset)).collect();
    assert_eq!(saved, [(Some(1), 4096), (Some(2), 8192), (Some(3), 12_288)], "a prologue has them");
    for (producer, left) in [(1, vec![2, 3]), (3, vec![2, 3]), (2, vec![])] {
        bench.submit(Work::End { producer, committed: true });
        assert_eq!(waiting(&bench), left);
    }
}

/// The alarm is set anew where an append gives up before all others that wait, and only there.
#[test]
fn the_first_deadline_is_told() {
    let mut bench = Bench::new();
    bench.submit(produce(0, Some(1), BYTES));
    assert_eq!(bench.sequencer.next_deadline_us(), None);
    assert!(!bench.sequencer.take_new_deadline());
    let now = bench.env.clock.boottime_us();
    let hour = 3_600_000_000;
    for (deadline_us, is_first, first) in [(2, true, 2), (3, false, 2), (1, true, 1)] {
        let at = now + hour * deadline_us;
        let prepared = Prepared { deadline_us: at, ..bench.prepare("1") };
        assert!(waits(&bench.append(prepared)));
        assert_eq!(bench.sequencer.take_new_deadline(), is_first);
        assert!(!bench.sequencer.take_new_deadline(), "once");
        assert_eq!(bench.sequencer.next_deadline_us(), Some(now + hour * first));
    }
}
