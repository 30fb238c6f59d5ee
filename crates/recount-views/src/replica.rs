//! A replica: the rows of one entity, folded from the first event up to a position, and on from there.
//!
//! One epoch takes it from its position to a later one: first what is looked up, then the events, then every key
//! that turned out late is folded again. Where epochs end makes no difference to the rows.
//!
//! A replica can also be confined to the events that had happened by some time, to the stream of one key, or both:
//! that is how questions about the past are answered.

use std::collections::HashSet;
use std::sync::Arc;

use recount_entity::fold::{Effect, Events, Step};
use recount_entity::key::Key;
use recount_entity::lookup::LookupTable;
use recount_entity::table::{Frozen, Slot, Table};
use recount_store::columns::stream_key;
use recount_store::schema::TopicDefinition;
use recount_store::{EventView, Scope, Store};
use recount_types::{EntityId, Position, StreamName, Time, TopicId, TopicName};

use crate::bind::Bound;
use crate::budget::{HeldRows, Share};
use crate::error::ViewError;
use crate::feed::{Feed, Span, cursor, read_rows};
use crate::snapshot::schedule::mark_positions;
use crate::snapshot::{Snapshot, Snapshots, Wanted};

mod base;
mod mark;

use base::Base;
use mark::Marks;

pub(crate) mod series;

/// Events held at once while keys are folded again.
const REFOLD_EVENTS: u64 = 500_000;
/// So few keys are read stream by stream; more of them in one pass over the topic.
const REFOLD_STREAMS: usize = 64;

/// A topic that a replica reads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    pub(crate) id: TopicId,
    pub(crate) name: TopicName,
    pub(crate) definition: TopicDefinition,
}

/// What a replica folds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) bound: Arc<Bound>,
    pub(crate) topic: Arc<Source>,
    pub(crate) lookups: Arc<[Source]>,
    /// Events that the entity passes over; sorted.
    pub(crate) skipped: Arc<[Position]>,
    /// What is folded, as one hash: those of one hash fold the same but for what they pass over.
    pub(crate) hash: [u8; 32],
}

impl Plan {
    /// The snapshots of the version of an entity that this is the plan of.
    pub(crate) fn wanted(
        &self,
        (entity, version): (EntityId, u32),
        until: u64,
        valid_until: Option<i64>,
    ) -> Wanted<'_> {
        Wanted {
            entity,
            version,
            plan: &self.hash,
            lookups: self.lookups.len(),
            skipped: &self.skipped,
            until,
            valid_until,
        }
    }
}

/// Of which events.
#[derive(Debug, Clone, Default)]
pub(crate) struct Confines {
    /// Only those that had happened by then, µs.
    pub(crate) valid_until: Option<i64>,
    /// Only those of this stream.
    pub(crate) stream: Option<StreamName>,
}

/// An event among those that are held while keys are folded again. They sort into the fold's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    slot: Slot,
    /// Its time, if the fold goes by that.
    order: i64,
    position: u64,
    /// Its number among those that are held.
    event: usize,
}

/// The rows of an entity at a position.
pub(crate) struct Replica {
    store: Store,
    plan: Plan,
    confines: Confines,
    seed: u64,
    memory: Share,
    table: Table,
    lookups: Vec<LookupTable>,
    pub(crate) position: u64,
    /// Events, those of look-ups too, that do not fit their topic's columns or have no key.
    pub(crate) unfit: u64,
    /// Events of the topic up to here, whatever became of them.
    events: u64,
    marks: Marks,
    /// Rows of keys that had events and have none any more, unless others came.
    vacant: HashSet<Slot>,
    /// What it began from, as long as not all rows of that are in the table.
    base: Option<Base>,
}

impl Replica {
    /// A replica before the first event. `seed` as for [`Table::new`].
    pub(crate) fn new(store: &Store, plan: Plan, confines: Confines, seed: u64, memory: Share) -> Replica {
        let table = Table::new(&plan.bound.fold.state, seed);
        let lookups = plan.lookups.iter().map(|_| LookupTable::new(seed)).collect();
        Replica {
            store: store.clone(),
            plan,
            confines,
            seed,
            memory,
            table,
            lookups,
            position: 0,
            unfit: 0,
            events: 0,
            marks: Marks::default(),
            vacant: HashSet::new(),
            base: None,
        }
    }

    /// Of which events.
    pub(crate) fn confines(&self) -> &Confines {
        &self.confines
    }

    /// What it folds.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The rows that are in memory.
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// All rows, and the end of the replica.
    pub(crate) async fn into_rows(mut self) -> Result<HeldRows, ViewError> {
        let rows = self.freeze().await?;
        Ok(HeldRows::alone(rows, self.unfit, self.memory))
    }

    /// The rows that are in memory, as they are now.
    pub(crate) fn freeze_loaded(&mut self) -> Frozen {
        self.table.freeze()
    }

    /// All rows, as they are now.
    pub(crate) async fn freeze(&mut self) -> Result<Frozen, ViewError> {
        self.load_all().await?;
        Ok(self.table.freeze())
    }

    /// One epoch, up to `until`. `watch` sees each step; steps of keys that turn out late are told as such, and
    /// those that are taken again are told again.
    pub(crate) async fn advance(
        &mut self,
        until: u64,
        watch: &mut (dyn FnMut(Step<'_>, &Events) + Send),
    ) -> Result<(), ViewError> {
        if until <= self.position {
            return Ok(());
        }
        let mut late = self.advance_lookups(until).await?;
        let mut feed = self.feed(self.position, until).await?;
        let mut events = Events::default();
        loop {
            feed.next(&mut events).await?;
            if events.is_empty() {
                break;
            }
            self.load_for(&events).await?;
            let told = &mut late;
            self.plan.bound.fold.apply(&mut self.table, &self.lookups, &events, |step| {
                if step.effect == Effect::Late {
                    told.insert(step.slot);
                }
                watch(step, &events);
            })?;
            self.check_memory(0)?;
        }
        self.events += feed.seen;
        self.unfit += feed.unfit;
        self.position = until;
        let mut late: Vec<Slot> = late.into_iter().collect();
        late.sort_unstable();
        self.refold(&late, watch).await
    }

    /// Comes nearer to `until`, of a version of an entity: from the newest snapshot before it as long as nothing was folded, and from mark to mark. Of a snapshot
    /// it takes all rows, or those of one key. One that is damaged is left out from then on, and nothing folded.
    pub(crate) async fn come_nearer(
        &mut self,
        of: (EntityId, u32),
        until: u64,
        key: Option<&Key>,
        (snapshots, interval): (&Snapshots, u64),
    ) -> Result<(), ViewError> {
        let from = match self.position {
            0 => snapshots.newest(self.plan.wanted(of, until, None)).await,
            _ => None,
        };
        let done = match from {
            Some(snapshot) => self.begin_whole(snapshot, key).await,
            None => {
                let until = until.min(self.position + mark_positions(interval));
                self.advance(until, &mut |_: Step<'_>, _: &Events| {}).await
            }
        };
        let Err(ViewError::Snapshot(error)) = done else { return done };
        snapshots.discard(&error);
        *self = self.anew(self.plan.clone(), self.confines.clone());
        Ok(())
    }

    /// What is damaged in a snapshot is found here, where one can go on without it, and not between changes.
    async fn begin_whole(&mut self, snapshot: Arc<Snapshot>, key: Option<&Key>) -> Result<(), ViewError> {
        self.begin_from(snapshot, key).await?;
        self.load_all().await
    }

    /// Where something was recorded, from its position up to `until`, that could change a row: the events, and the rows
    /// that are looked up. Each with its append time.
    pub(crate) async fn recorded(&self, until: u64) -> Result<Vec<(Position, Time)>, ViewError> {
        let mut found = Vec::new();
        self.each_recorded(until, &mut |event| found.push((event.position, event.append_time))).await?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The ends of the appends in which it was.
    pub(crate) async fn recorded_appends(&self, until: u64) -> Result<Vec<u64>, ViewError> {
        let mut found = Vec::new();
        self.each_recorded(until, &mut |event| found.push(event.append_end.0)).await?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    async fn each_recorded(
        &self,
        until: u64,
        visit: &mut (dyn FnMut(&EventView<'_>) + Send),
    ) -> Result<(), ViewError> {
        let after = self.position;
        let mut spans = vec![self.span(after, until)];
        spans.extend(self.plan.lookups.iter().map(|source| Span::of_topic(&source.name, after, until)));
        for span in spans {
            let mut cursor = cursor(&self.store, &span).await?;
            loop {
                let Some(event) = cursor.take()? else {
                    if cursor.load().await? {
                        continue;
                    }
                    break;
                };
                if event.position.0 > until {
                    break;
                }
                visit(&event);
            }
        }
        Ok(())
    }

    /// Folds every key again, or one, so that `watch` sees each step once and in the fold's order.
    pub(crate) async fn refold_again(
        &mut self,
        key: Option<&Key>,
        watch: &mut (dyn FnMut(Step<'_>, &Events) + Send),
    ) -> Result<(), ViewError> {
        let slots: Vec<Slot> = match key {
            Some(key) => self.find(key.as_bytes()).await?.into_iter().collect(),
            None => {
                self.load_all().await?;
                self.table.slots().collect()
            }
        };
        self.refold(&slots, watch).await
    }

    /// Reads what is looked up; the keys that were folded without it.
    async fn advance_lookups(&mut self, until: u64) -> Result<HashSet<Slot>, ViewError> {
        let mut least: Option<i64> = None;
        let plan = self.plan.clone();
        for (number, source) in plan.lookups.iter().enumerate() {
            let span = Span {
                valid_until: self.confines.valid_until,
                ..Span::of_topic(&source.name, self.position, until)
            };
            let others = self.bytes() - self.lookups[number].bytes();
            let Replica { store, memory, lookups, .. } = self;
            let (lookup, table) = (&plan.bound.lookups[number], &mut lookups[number]);
            let mut room = |bytes| memory.set(others + bytes);
            let found = read_rows(store, lookup, &source.definition, span, table, &mut room).await?;
            self.unfit += found.unfit;
            least = match (least, found.least) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        let Some(least) = least else { return Ok(HashSet::new()) };
        self.load_looked_up_since(least).await?;
        let table = &mut self.table;
        Ok(table.slots().filter(|&slot| table.mark_late(slot, least)).collect())
    }

    async fn refold(
        &mut self,
        slots: &[Slot],
        watch: &mut (dyn FnMut(Step<'_>, &Events) + Send),
    ) -> Result<(), ViewError> {
        let mut rest = slots;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(self.together(rest));
            self.refold_chunk(chunk, watch).await?;
            rest = after;
        }
        Ok(())
    }

    /// How many of these keys, the first ones, are folded again together.
    fn together(&self, slots: &[Slot]) -> usize {
        let (mut count, mut held) = (0, 0);
        while count < slots.len() && (count == 0 || held < REFOLD_EVENTS) {
            held += self.table.row(slots[count]).events;
            count += 1;
        }
        count
    }

    async fn refold_chunk(
        &mut self,
        slots: &[Slot],
        watch: &mut (dyn FnMut(Step<'_>, &Events) + Send),
    ) -> Result<(), ViewError> {
        let (held, members) = self.gather(slots).await?;
        for &slot in slots {
            if members.binary_search_by_key(&slot, |member| member.slot).is_err() {
                // All of its events turned out not to count: the key is as if it had never been.
                let fold = &self.plan.bound.fold;
                fold.refold(&mut self.table, slot, &self.lookups, &held, [], |step| watch(step, &held));
                self.vacant.insert(slot);
            }
        }
        for of_slot in members.chunk_by(|a, b| a.slot == b.slot) {
            let order = of_slot.iter().map(|member| member.event);
            let fold = &self.plan.bound.fold;
            fold.refold(&mut self.table, of_slot[0].slot, &self.lookups, &held, order, |step| {
                watch(step, &held)
            });
        }
        Ok(())
    }

    /// The events of some keys, in the fold's order.
    async fn gather(&mut self, slots: &[Slot]) -> Result<(Events, Vec<Member>), ViewError> {
        let mut held = Events::default();
        let mut members: Vec<Member> = Vec::new();
        let streams = if slots.len() <= REFOLD_STREAMS { self.streams(slots) } else { None };
        let by_event_time = self.plan.bound.fold.by_event_time;
        for span in self.spans(streams) {
            let mut feed = self.feed_of(span).await?;
            let mut events = Events::default();
            loop {
                feed.next(&mut events).await?;
                if events.is_empty() {
                    break;
                }
                for event in 0..events.len() {
                    let slot = self.table.find(events.key(event).as_bytes());
                    let slot = slot.filter(|slot| slots.binary_search(slot).is_ok());
                    let Some(slot) = slot else { continue };
                    let (time, position) = (events.times[event], events.positions[event]);
                    let order = if by_event_time { time } else { 0 };
                    members.push(Member { slot, order, position, event: held.len() });
                    held.push_from(&events, event);
                }
                let bytes = held.bytes() + members.len() * size_of::<Member>();
                self.check_memory(bytes)?;
            }
        }
        members.sort_unstable();
        self.check_memory(0)?;
        Ok((held, members))
    }

    /// The streams of these keys, if keys are streams.
    fn streams(&self, slots: &[Slot]) -> Option<Vec<Scope>> {
        if !self.plan.bound.by_stream {
            return None;
        }
        let topic = &self.plan.topic;
        let stream = |&slot: &Slot| {
            let values = self.table.row(slot).key.values().ok()?;
            let key = stream_key(&topic.definition, &values)?;
            Some(Scope::Stream(StreamName { topic: topic.name.clone(), key }))
        };
        slots.iter().map(stream).collect()
    }

    fn spans(&self, streams: Option<Vec<Scope>>) -> Vec<Span> {
        let span = self.span(0, self.position);
        match (streams, &self.confines.stream) {
            (Some(streams), None) => {
                streams.into_iter().map(|scope| Span { scope, ..span.clone() }).collect()
            }
            _ => vec![span],
        }
    }

    fn span(&self, after: u64, until: u64) -> Span {
        let scope = match &self.confines.stream {
            Some(stream) => Scope::Stream(stream.clone()),
            None => Scope::Topic(self.plan.topic.name.clone()),
        };
        Span { scope, after, until, valid_until: self.confines.valid_until }
    }

    async fn feed(&self, after: u64, until: u64) -> Result<Feed, ViewError> {
        self.feed_of(self.span(after, until)).await
    }

    async fn feed_of(&self, span: Span) -> Result<Feed, ViewError> {
        let Plan { bound, topic, skipped, .. } = &self.plan;
        Ok(Feed::begin(&self.store, bound, &topic.definition, skipped, span).await?)
    }

    /// About the memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes() + self.lookups.iter().map(LookupTable::bytes).sum::<usize>()
    }

    fn check_memory(&mut self, more: usize) -> Result<(), ViewError> {
        self.memory.set(self.bytes() + more)
    }

    /// The same entity before the first event, to be folded anew.
    pub(crate) fn anew(&self, plan: Plan, confines: Confines) -> Replica {
        Replica::new(&self.store, plan, confines, self.seed, self.memory.another())
    }
}
