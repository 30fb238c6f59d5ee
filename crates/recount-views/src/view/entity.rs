//! The rows of an entity as they come and go, for a view that reads it.
//!
//! A replica of its own is brought to where the first epoch ends, from a snapshot if there is one, and all of its rows come then. From there
//! on, what an append made of each row comes with that append.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use recount_entity::fold::{Effect, Events, Step};
use recount_entity::key::Key;
use recount_entity::table::{Frozen, Row, Slot, State, Table};
use recount_env::block_on;
use recount_types::column::Value;
use recount_types::{EntityId, TopicName};

use crate::bind::RowColumn;
use crate::budget::Share;
use crate::error::ViewError;
use crate::key_text;
use crate::replica::{Plan, Replica};
use crate::snapshot::Snapshots;

/// Rows that are given at once.
const ROWS_TOGETHER: usize = 4096;

/// About the memory that a key takes which stopped.
const STOPPED_BYTES: usize = 256;

/// A row that came or went.
#[derive(Debug, Clone, PartialEq)]
pub struct RowChange {
    /// The position of the last event of the append that did it.
    pub stamp: u64,
    /// 1 = it came, -1 = it went.
    pub weight: i64,
    /// Its values in the columns that are wanted.
    pub values: Vec<Value<'static>>,
}

/// See the module. Columns are numbered: those of the key, those of the state, then the position of the last event that was folded and the
/// greatest time of its events.
pub struct EntityFeed {
    of: Of,
    replica: Replica,
    /// Where what is wanted ends.
    until: u64,
    /// As long as the rows of the first epoch are given: all of them, and the page that comes next.
    first: Option<(Frozen, usize)>,
    /// What changed behind where it ended last.
    found: VecDeque<RowChange>,
    /// So many of them were given.
    given: usize,
    memory: Share,
    /// The keys that stopped.
    stopped: BTreeMap<Key, (u64, String)>,
}

/// Of what, and from where.
#[derive(Clone)]
pub(super) struct Of {
    pub(super) id: EntityId,
    pub(super) name: TopicName,
    pub(super) version: u32,
    pub(super) plan: Plan,
    /// The columns that are wanted.
    pub(super) columns: Vec<usize>,
    pub(super) snapshots: Arc<Snapshots>,
    /// Events from one snapshot to the next, at least.
    pub(super) interval: u64,
}

impl Of {
    fn key_columns(&self) -> &[RowColumn] {
        let bound = &self.plan.bound;
        &bound.columns[..bound.key.len()]
    }

    /// A row as it is wanted; none if there is none, or it stopped.
    fn shown(&self, row: &Row<'_>, state: State<'_>) -> Option<Vec<Value<'static>>> {
        if !row.present || row.stopped.is_some() {
            return None;
        }
        let (own, width) = (row.key.values().unwrap_or_default(), self.plan.bound.columns.len());
        let state = state.to_vec();
        let value = |&column: &usize| match column {
            key if key < own.len() => own[key].clone(),
            of_state if of_state < width => state[of_state - own.len()].clone(),
            position if position == width => Value::Integer(row.position as i64),
            _ => Value::Integer(row.event_time),
        };
        Some(self.columns.iter().map(value).collect())
    }
}

impl EntityFeed {
    pub(super) fn new(of: Of, replica: Replica, memory: Share) -> EntityFeed {
        let (first, found, stopped) = (None, VecDeque::new(), BTreeMap::new());
        EntityFeed { of, replica, until: 0, first, found, given: 0, memory, stopped }
    }

    /// The columns: their types, and those of the last two.
    pub fn columns(&self) -> &[RowColumn] {
        &self.of.plan.bound.columns
    }

    /// Comes nearer to where the changes behind a position begin; whether it is there.
    pub fn resume(&mut self, position: u64) -> Result<bool, ViewError> {
        self.until = position;
        if self.replica.position < position {
            self.come_nearer()?;
            return Ok(false);
        }
        let frozen = block_on(self.replica.freeze())?;
        let mut number = 0;
        while let Some(page) = frozen.page(number) {
            for (row, _) in page {
                note_stopped(&mut self.stopped, &row);
            }
            number += 1;
        }
        Ok(true)
    }

    /// Begins with the changes in (`after`, `until`], which are whole appends; with all rows, if it is before the first event.
    pub fn begin(&mut self, after: u64, until: u64) -> Result<(), ViewError> {
        self.until = until;
        if after == 0 {
            return Ok(());
        }
        if self.replica.position < until {
            block_on(self.look(until))?;
        }
        Ok(())
    }

    /// The next of them; none at all while it is on its way, `None` at the end.
    pub fn next_rows(&mut self) -> Result<Option<Vec<RowChange>>, ViewError> {
        if self.first.is_none() && self.replica.position < self.until {
            self.come_nearer()?;
            if self.replica.position == self.until {
                self.first = Some((block_on(self.replica.freeze())?, 0));
            }
            return Ok(Some(Vec::new()));
        }
        if let Some((frozen, page)) = &mut self.first {
            let mut rows = Vec::new();
            while rows.len() < ROWS_TOGETHER
                && let Some(of_page) = frozen.page(*page)
            {
                for (row, state) in of_page {
                    note_stopped(&mut self.stopped, &row);
                    let values = self.of.shown(&row, state);
                    let came = |values| RowChange { stamp: self.until, weight: 1, values };
                    rows.extend(values.map(came));
                }
                *page += 1;
            }
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
            // With it, pages would be copied when they change.
            self.first = None;
            return Ok(None);
        }
        let is_wanted = |change: &&RowChange| change.stamp <= self.until;
        let next = self.found.iter().skip(self.given).take(ROWS_TOGETHER).take_while(is_wanted);
        let next: Vec<RowChange> = next.cloned().collect();
        self.given += next.len();
        Ok(if next.is_empty() { None } else { Some(next) })
    }

    /// Ends at a position; what is behind it comes again.
    pub fn end(&mut self, until: u64) -> Result<(), ViewError> {
        let count = self.found.partition_point(|change| change.stamp <= until);
        self.found.drain(..count);
        self.given = 0;
        self.count_memory()
    }

    /// Events that count nowhere, because they do not fit their topic's columns or have no key.
    pub fn unfit(&self) -> u64 {
        self.replica.unfit
    }

    /// How many keys stopped, and why one of them did.
    pub fn stopped(&self) -> Option<(u64, ViewError)> {
        let (key, (position, reason)) = self.stopped.first_key_value()?;
        let first = ViewError::Stopped {
            entity: self.of.name.to_string(),
            key: key_text::shown(key, self.of.key_columns()),
            position: *position,
            reason: reason.clone(),
        };
        Some((self.stopped.len() as u64, first))
    }

    /// Goes on towards the end of the first epoch.
    fn come_nearer(&mut self) -> Result<(), ViewError> {
        let Of { id, version, snapshots, interval, .. } = &self.of;
        block_on(self.replica.come_nearer((*id, *version), self.until, None, (snapshots, *interval)))
    }

    /// Finds the changes up to a position.
    async fn look(&mut self, until: u64) -> Result<(), ViewError> {
        let EntityFeed { of, replica, found, stopped, .. } = self;
        let mut looked = Looked { of, before: replica.freeze().await?, last: HashMap::new(), found, stopped };
        if of.plan.bound.fold.is_retroactive() {
            for end in replica.recorded_appends(until).await? {
                let mut touched: HashSet<Slot> = HashSet::new();
                let mut watch = |step: Step<'_>, _: &Events| {
                    touched.insert(step.slot);
                };
                replica.advance(end, &mut watch).await?;
                let mut touched: Vec<Slot> = touched.into_iter().collect();
                touched.sort_unstable();
                touched.into_iter().for_each(|slot| looked.note(slot, replica.table(), end));
            }
        }
        let mut watch = |step: Step<'_>, events: &Events| {
            if matches!(step.effect, Effect::Set | Effect::Deleted | Effect::Stopped) {
                looked.note(step.slot, step.table, events.ends[step.event]);
            }
        };
        replica.advance(until, &mut watch).await?;
        self.count_memory()
    }

    fn count_memory(&mut self) -> Result<(), ViewError> {
        let row = size_of::<RowChange>() + self.of.columns.len() * size_of::<Value<'static>>();
        let texts = self.found.iter().flat_map(|change| &change.values).map(|value| match value {
            Value::Text(text) => text.len(),
            _ => 0,
        });
        let stopped = self.stopped.len() * STOPPED_BYTES;
        self.memory.set(self.found.len() * row + texts.sum::<usize>() + stopped)
    }
}

/// Notes a key that stopped.
fn note_stopped(all: &mut BTreeMap<Key, (u64, String)>, row: &Row<'_>) {
    if let Some(stopped) = row.stopped {
        all.insert(row.key.to_key(), (stopped.position, stopped.reason.clone()));
    }
}

/// What is found of the changes of a stretch.
struct Looked<'a> {
    of: &'a Of,
    before: Frozen,
    /// Of a row that changed already, what it is now.
    last: HashMap<Slot, Option<Vec<Value<'static>>>>,
    found: &'a mut VecDeque<RowChange>,
    stopped: &'a mut BTreeMap<Key, (u64, String)>,
}

impl Looked<'_> {
    /// Notes what a row is from an append on.
    fn note(&mut self, slot: Slot, table: &Table, stamp: u64) {
        let row = table.row(slot);
        let now = self.of.shown(&row, table.state(slot));
        match row.stopped {
            Some(stopped) => {
                self.stopped.insert(row.key.to_key(), (stopped.position, stopped.reason.clone()));
            }
            None if !self.stopped.is_empty() => {
                self.stopped.remove(&row.key.to_key());
            }
            None => {}
        }
        let before = self.last.remove(&slot);
        let before = before
            .unwrap_or_else(|| self.before.at(slot).and_then(|(row, state)| self.of.shown(&row, state)));
        if before != now {
            let change = |weight| move |values: Vec<Value<'static>>| RowChange { stamp, weight, values };
            self.found.extend(before.map(change(-1)));
            self.found.extend(now.clone().map(change(1)));
        }
        self.last.insert(slot, now);
    }
}

impl std::fmt::Debug for EntityFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntityFeed")
            .field("entity", &self.of.name)
            .field("version", &self.of.version)
            .field("position", &self.replica.position)
            .finish_non_exhaustive()
    }
}
