//! Plain batches and transactions of producers that do not wait: offsets at once, positions when their turn comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use recount_env::Clock;
use recount_env::planted::{self, Bug};
use recount_index::Term;
use recount_journal::Location;
use recount_types::{Lsn, Partition, Position, Time, TopicId};

use super::{PreparedEvent, Sequencer, next_offset};
use crate::append::Appended;
use crate::error::AppendError;
use crate::forming::{BatchKey, Waiter};
use crate::pending::{NodeId, Pending, Ready, SavedBatch, Waiting};
use crate::slot::{Answer, Slot};

/// A batch of a producer, for one partition.
#[derive(Debug)]
pub(crate) struct Produce {
    pub(crate) topic: TopicId,
    pub(crate) partition: Partition,
    pub(crate) schema: u32,
    /// The producer, if it is part of its transaction.
    pub(crate) transaction: Option<u64>,
    /// Its records; `stream` is unused, the stream's term is the last of `terms`.
    pub(crate) events: Vec<PreparedEvent>,
    pub(crate) bytes: usize,
}

impl Sequencer {
    /// A batch gets offsets now, and positions now unless it has to wait for them. The answer has no events: what
    /// positions they get is not known yet.
    pub(super) fn produce(&mut self, produce: Produce, slot: Arc<Slot>) {
        let partition = (produce.topic, produce.partition);
        let waits = (produce.transaction.is_some() && !planted::is(Bug::PositionBeforeCommit))
            || self.pending.waits(partition);
        let forming = self.forming.as_mut().expect("the caller asked for room");
        let append = (!waits).then(|| forming.begin_append());
        let mut batches: Vec<Waiting> = Vec::new();
        for event in produce.events {
            let offset = next_offset(&mut self.next_offsets, partition);
            let key = BatchKey {
                topic: produce.topic,
                partition: produce.partition,
                schema: produce.schema,
                own_time: event.record.own_time,
                transaction: produce.transaction,
                positioned: !waits,
            };
            let new_topic = !forming.topics.contains(&produce.topic);
            let (entry, position) = forming.push(key, offset, &event.record);
            match position {
                Some(position) => {
                    if new_topic {
                        self.memtable.add(Term::new().topic(produce.topic), position.0, None);
                    }
                    for term in &event.terms {
                        self.memtable.add(term, position.0, None);
                    }
                }
                None => match batches.last_mut() {
                    Some(batch) if batch.entry == entry => {
                        batch.count += 1;
                        batch.terms.push(event.terms);
                    }
                    _ => batches.push(Waiting {
                        lsn: self.next_lsn,
                        entry,
                        partition,
                        count: 1,
                        terms: vec![event.terms],
                    }),
                },
            }
        }
        let plain_node = (waits && produce.transaction.is_none()).then(|| self.pending.begin_plain());
        for batch in batches {
            match (produce.transaction, plain_node) {
                (Some(producer), _) => self.pending.add_transactional(producer, batch),
                (None, Some(node)) => self.pending.add(node, batch),
                (None, None) => unreachable!("a batch that waits is of a transaction or plain"),
            }
        }
        let answer = Ok(Appended { events: Vec::new(), append_time: Time(0), duplicate: false });
        forming.waiters.push(Waiter { slot, answer, append });
        forming.close_batches(partition);
    }

    /// Ends a transaction. Its records, and what waited for them, get positions if that is now possible.
    pub(super) fn end_transaction(
        &mut self,
        producer: u64,
        committed: bool,
        slot: Arc<Slot>,
        clock: &dyn Clock,
    ) {
        let partitions = self.pending.partitions_of(producer);
        let forming = self.forming.as_mut().expect("the caller asked for room");
        let offsets: Vec<_> =
            partitions.into_iter().map(|p| (p, next_offset(&mut self.next_offsets, p))).collect();
        forming.end_transaction(producer, committed, offsets.into_iter());
        for component in self.pending.end(producer, committed) {
            let first = forming.place(self.next_lsn.0, &component);
            index_component(&mut self.memtable, &mut forming.topics, first, &component);
        }
        let answer = Ok(Appended { events: Vec::new(), append_time: Time(0), duplicate: false });
        forming.waiters.push(Waiter { slot, answer, append: None });
        let oldest = self.pending.oldest_lsn();
        self.pending_groups.retain(|lsn, _| oldest.is_some_and(|oldest| *lsn >= oldest));
        self.retry_blocked(clock);
    }

    /// Appends whose partitions are free again are evaluated again; others fail at their deadline.
    pub(crate) fn retry_blocked(&mut self, clock: &dyn Clock) {
        let now = clock.boottime_us();
        for blocked in std::mem::take(&mut self.blocked) {
            let events = &blocked.prepared.events;
            let waiting = events.iter().find(|event| self.pending.waits((event.topic, event.partition)));
            match waiting {
                None => blocked.slot.answer(Answer::Again),
                Some(event) if blocked.prepared.deadline_us <= now => {
                    let error = self.transaction_open(event);
                    self.refuse(blocked.slot, error);
                }
                Some(_) => self.blocked.push(blocked),
            }
        }
    }

    fn transaction_open(&self, event: &PreparedEvent) -> AppendError {
        let partition = (event.topic, event.partition);
        let topic = self.catalogue.by_id(event.topic).map(|topic| topic.name.clone());
        match (self.pending.blocker(partition), topic) {
            (Some(producer), Some(topic)) => AppendError::TransactionOpen {
                producer: producer as i64,
                topic,
                partition: event.partition.0,
            },
            _ => AppendError::Busy,
        }
    }

    /// True once after an append was blocked whose deadline is before all others': an alarm must be set for it.
    pub(crate) fn take_new_deadline(&mut self) -> bool {
        std::mem::take(&mut self.new_deadline)
    }

    /// When the first blocked append gives up, on the boot-time clock, µs: the caller sets an alarm.
    pub(crate) fn next_deadline_us(&mut self) -> Option<u64> {
        let next = self.blocked.iter().map(|blocked| blocked.prepared.deadline_us).min();
        self.alarm_us = next.unwrap_or(u64::MAX);
        next
    }

    /// Remembers where the group being taken lies, if records in it wait for positions.
    pub(super) fn note_pending_group(&mut self, location: Location) {
        if self.pending.has_lsn(self.next_lsn) {
            self.pending_groups.insert(self.next_lsn, location);
        }
    }
}

/// Adds the postings of a component whose records get positions from `first` on.
fn index_component(
    memtable: &mut recount_index::Memtable,
    topics: &mut std::collections::BTreeSet<TopicId>,
    first: Position,
    component: &Ready,
) {
    let mut position = first.0;
    for batch in component {
        let topic = batch.partition.0;
        if topics.insert(topic) {
            memtable.add(Term::new().topic(topic), position, None);
        }
        for terms in &batch.terms {
            for term in terms {
                memtable.add(term, position, None);
            }
            position += 1;
        }
    }
}

impl Pending {
    /// As a prologue names it: in the order in which it was written, which is the order of offsets.
    pub(crate) fn saved(&self, groups: &BTreeMap<Lsn, Location>) -> Vec<SavedBatch> {
        let saved = |id: NodeId, producer, decided, batch: &Waiting| {
            let location =
                groups.get(&batch.lsn).copied().expect("groups with waiting records are remembered");
            SavedBatch { producer, decided, node: id, location, entry: batch.entry }
        };
        let mut batches: Vec<_> = self.batches().collect();
        batches.sort_by_key(|(_, _, _, batch)| (batch.lsn, batch.entry));
        batches
            .into_iter()
            .map(|(id, producer, decided, batch)| saved(id, producer, decided, batch))
            .collect()
    }
}
