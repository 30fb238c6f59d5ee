//! Series: the rows of an entity at each of many times, each made of what had happened by then, in one pass over the events.
//!
//! ```text
//!  times           t0        t1        t2        t3
//!  events of a key  |  a  b   |         |   c     |        in the fold's order
//!  points                     b                   c        the last of each stretch; at t2 the row is still that of b
//! ```
//!
//! Where the events of a key are folded in the order of their times, its row at a time is what the fold had come to. A key
//! whose events are not (one came late, and the entity folds in the order of recording), or that looked something up as of a
//! later time than the one asked about, is folded once for each time instead.

use std::collections::HashMap;

use recount_entity::fold::{Effect, Events, Step};
use recount_entity::key::Key;
use recount_entity::lookup::LookupTable;
use recount_entity::table::{Row, Slot, State, Stopped, Table};
use recount_types::column::Value;

use super::{Member, Replica, Span, read_rows};
use crate::budget::Share;
use crate::error::ViewError;

/// So many points are made before their memory is looked at.
const POINTS_TOGETHER: usize = 1024;

/// The rows of an entity at each of some times.
#[derive(Debug)]
pub struct Series {
    /// In µs, rising.
    times: Vec<i64>,
    keys: Vec<(Key, Vec<Point>)>,
    unfit: u64,
    /// Given back with it.
    _memory: Share,
}

/// What a key is from a time on, until its next point.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The number of the first time at which it is that.
    pub from: usize,
    /// Whether there is a row.
    pub present: bool,
    /// The event that it waits at.
    pub stopped: Option<Stopped>,
    /// Position of the last event that was folded.
    pub position: u64,
    /// The greatest time of its events.
    pub event_time: i64,
    /// The state.
    pub state: Vec<Value<'static>>,
}

impl Series {
    /// The times, µs, in order.
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// The points of each key, in the order of times. A key has none before its first event.
    pub fn keys(&self) -> &[(Key, Vec<Point>)] {
        &self.keys
    }

    /// Events that count nowhere, because they do not fit their topic's columns or have no key.
    pub fn unfit(&self) -> u64 {
        self.unfit
    }
}

impl Replica {
    /// Folds everything up to a position, from before the first event; `times` are in order, each once.
    pub(crate) async fn series(mut self, until: u64, times: Vec<i64>) -> Result<Series, ViewError> {
        let mut points = Points::new(&times, self.memory.another());
        self.advance(until, &mut |step: Step<'_>, events: &Events| {
            points.step(&step, events.times[step.event])
        })
        .await?;
        points.check()?;
        let out_of_order = points.out_of_order();
        self.fold_for_each(&out_of_order, &mut points).await?;
        let Points { of, memory, .. } = points;
        let mut keys: Vec<(Slot, Vec<Point>)> = of.into_iter().map(|(slot, of)| (slot, of.points)).collect();
        keys.sort_unstable_by_key(|(slot, _)| *slot);
        let keys =
            keys.into_iter().map(|(slot, points)| (self.table.row(slot).key.to_key(), points)).collect();
        Ok(Series { times, keys, unfit: self.unfit, _memory: memory })
    }

    /// Folds keys once for each time.
    async fn fold_for_each(&mut self, slots: &[Slot], points: &mut Points<'_>) -> Result<(), ViewError> {
        let mut rest = slots;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(self.together(rest));
            let (held, members) = self.gather(chunk).await?;
            let times = points.times;
            for (number, &time) in times.iter().enumerate() {
                // What is looked up had happened by then, too.
                let lookups =
                    self.lookups_at(time, held.bytes() + members.len() * size_of::<Member>()).await?;
                let lookups = lookups.as_ref().unwrap_or(&self.lookups);
                for of_slot in members.chunk_by(|a, b| a.slot == b.slot) {
                    let slot = of_slot[0].slot;
                    let happened = |member: &&Member| held.times[member.event] <= time;
                    let order = of_slot.iter().filter(happened).map(|member| member.event);
                    let mut any = false;
                    self.plan.bound.fold.refold(&mut self.table, slot, lookups, &held, order, |_| any = true);
                    if any {
                        points.put(slot, number, &self.table);
                    }
                }
            }
            points.check()?;
            self.check_memory(0)?;
            rest = after;
        }
        Ok(())
    }

    /// The rows that are looked up which had happened by a time; `None` = nothing is looked up. `held` bytes are in memory beside.
    async fn lookups_at(&mut self, time: i64, held: usize) -> Result<Option<Vec<LookupTable>>, ViewError> {
        let mut others = self.bytes() + held;
        self.memory.set(others)?;
        if self.lookups.is_empty() {
            return Ok(None);
        }
        let mut tables = Vec::new();
        for (number, source) in self.plan.lookups.iter().enumerate() {
            let mut table = LookupTable::new(self.seed);
            let span = Span { valid_until: Some(time), ..Span::of_topic(&source.name, 0, self.position) };
            let lookup = &self.plan.bound.lookups[number];
            let mut room = |bytes| self.memory.set(others + bytes);
            read_rows(&self.store, lookup, &source.definition, span, &mut table, &mut room).await?;
            others += table.bytes();
            tables.push(table);
        }
        Ok(Some(tables))
    }
}

/// Points as they are found.
struct Points<'a> {
    times: &'a [i64],
    of: HashMap<Slot, OfKey>,
    memory: Share,
    bytes: usize,
    /// Since their memory was looked at.
    made: usize,
    failed: Option<ViewError>,
}

#[derive(Default)]
struct OfKey {
    points: Vec<Point>,
    /// The greatest time of the events so far.
    greatest: i64,
    /// Its row at a time is not what the fold had come to.
    out_of_order: bool,
}

impl<'a> Points<'a> {
    fn new(times: &'a [i64], memory: Share) -> Points<'a> {
        Points { times, of: HashMap::new(), memory, bytes: 0, made: 0, failed: None }
    }

    /// A step of the fold, whose event happened at `time`.
    fn step(&mut self, step: &Step<'_>, time: i64) {
        if self.failed.is_some() || step.effect == Effect::Late {
            return;
        }
        let row = step.table.row(step.slot);
        let of = self.of.entry(step.slot).or_default();
        if row.events == 1 {
            // It is folded again from its first event.
            self.bytes -= of.points.drain(..).map(|point| point.bytes()).sum::<usize>();
            (of.greatest, of.out_of_order) = (time, false);
        }
        of.out_of_order |= time < of.greatest;
        of.greatest = of.greatest.max(time);
        let from = self.times.partition_point(|&asked| asked < time);
        let Some(asked) = self.times.get(from) else { return };
        of.out_of_order |= row.lookup_time > *asked;
        if !of.out_of_order {
            self.put(step.slot, from, step.table);
        }
    }

    /// What a key is from a time on.
    fn put(&mut self, slot: Slot, from: usize, table: &Table) {
        let (row, state) = (table.row(slot), table.state(slot));
        let points = &mut self.of.entry(slot).or_default().points;
        match points.last_mut() {
            Some(last) if last.from == from => last.set(&row, state),
            _ => {
                let mut point = Point::new(from);
                point.set(&row, state);
                self.bytes += point.bytes();
                points.push(point);
                self.made += 1;
            }
        }
        if self.made == POINTS_TOGETHER {
            self.made = 0;
            if let Err(error) = self.check() {
                self.failed = Some(error);
                self.of.clear();
            }
        }
    }

    fn check(&mut self) -> Result<(), ViewError> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.memory.set(self.bytes + self.of.len() * size_of::<(Slot, OfKey)>()),
        }
    }

    /// The keys that are to be folded for each time. What was found of them is forgotten.
    fn out_of_order(&mut self) -> Vec<Slot> {
        let mut slots = Vec::new();
        for (&slot, of) in &mut self.of {
            if of.out_of_order {
                self.bytes -= of.points.iter().map(Point::bytes).sum::<usize>();
                of.points = Vec::new();
                slots.push(slot);
            }
        }
        slots.sort_unstable();
        slots
    }
}

impl Point {
    fn new(from: usize) -> Point {
        Point { from, present: false, stopped: None, position: 0, event_time: 0, state: Vec::new() }
    }

    fn set(&mut self, row: &Row<'_>, state: State<'_>) {
        (self.present, self.position, self.event_time) = (row.present, row.position, row.event_time);
        self.stopped = row.stopped.cloned();
        self.state = state.to_vec();
    }

    /// About the memory that it takes.
    fn bytes(&self) -> usize {
        let texts = self.state.iter().map(|value| match value {
            Value::Text(text) => text.len(),
            _ => 0,
        });
        size_of::<Point>() + self.state.len() * size_of::<Value<'static>>() + texts.sum::<usize>()
    }
}
