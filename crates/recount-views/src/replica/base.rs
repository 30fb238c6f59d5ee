//! Beginning from a snapshot: its rows come into the table when they are needed, one by one as long as those are few, then all.
//!
//! Invariant: a row of the snapshot is in the table before anything is folded into it.

use std::sync::Arc;

use recount_entity::fold::Events;
use recount_entity::key::Key;
use recount_entity::table::{Located, SavedRow, Slot};
use recount_store::Scope;
use recount_store::columns::form_of;
use recount_types::{Event, Position};

use super::{Plan, Replica};
use crate::error::ViewError;
use crate::feed::{Feed, Span, last_recorded};
use crate::snapshot::{Manifest, Snapshot};

/// So many rows, or so small a part of all, are looked up singly.
const SINGLY_MIN: u64 = 256;
const SINGLY_PART: u64 = 64;
/// Memory is looked at after so many blocks.
const BLOCKS_BETWEEN_CHECKS: usize = 256;

/// What a replica began from.
pub(super) struct Base {
    snapshot: Arc<Snapshot>,
    /// So many more rows are looked up singly.
    singly: u64,
    /// So many of its rows are in the table, and so many of those stopped there.
    loaded: u64,
    loaded_stopped: u64,
}

impl Replica {
    /// Begins from a snapshot instead of from the first event. Confined to the stream of `key`, it takes that row alone.
    pub(crate) async fn begin_from(
        &mut self,
        snapshot: Arc<Snapshot>,
        key: Option<&Key>,
    ) -> Result<(), ViewError> {
        assert!(self.position == 0 && self.table.is_empty(), "a replica begins once");
        let manifest = &snapshot.manifest;
        (self.position, self.events, self.unfit) = (manifest.position, manifest.events, manifest.unfit);
        self.check_journal(&snapshot).await?;
        self.marks.begin(manifest);
        let (plan, valid_until) = (self.plan.clone(), self.confines.valid_until);
        for (number, lookup) in plan.bound.lookups.iter().enumerate() {
            let forms: Vec<_> = lookup.columns.iter().map(|(_, column_type)| form_of(*column_type)).collect();
            for block in 0..snapshot.looked_up_blocks(number) {
                let table = &mut self.lookups[number];
                let mut tell = |key, time, position, values| {
                    if valid_until.is_none_or(|until| time <= until) {
                        table.insert(key, time, position, values);
                    }
                };
                snapshot.looked_up(number, block, &forms, &mut tell).await?;
                self.check_memory(0)?;
            }
        }
        let skipped = manifest.skipped.clone();
        let singly = SINGLY_MIN.max(manifest.rows / SINGLY_PART);
        self.base = Some(Base { snapshot, singly, loaded: 0, loaded_stopped: 0 });
        let mut late = Vec::new();
        if let Some(key) = key {
            self.load(key.as_bytes()).await?;
            self.base = None;
        } else if let Some(until) = valid_until {
            // Rows that know of later times are folded again; there are few of them.
            self.load_all().await?;
            late.extend(self.table.slots().filter(|&slot| self.table.row(slot).latest_time() > until));
        }
        late.extend(self.of_skipped(&skipped).await?);
        late.sort_unstable();
        late.dedup();
        self.refold(&late, &mut |_, _| {}).await
    }

    /// Whether the journal has the events that a snapshot was folded from. It may be an older copy, or have lost its
    /// tail, and have gone on with other events since. Asked is for the last event of any topic: those of its own may be
    /// the same, and what is looked up, or what came in the place of other topics' events, may not.
    async fn check_journal(&self, snapshot: &Snapshot) -> Result<(), ViewError> {
        let Manifest { position, last, append_time, .. } = snapshot.manifest;
        let event = last_recorded(&self.store, position).await?;
        let is_it = |event: &Event| event.position.0 == last && event.append_time.0 == append_time;
        if event.as_ref().is_some_and(is_it) { Ok(()) } else { Err(snapshot.of_other_events().into()) }
    }

    /// Goes on by a plan of the same hash: what it passes over more than before is folded again without it.
    pub(crate) async fn go_on_by(&mut self, plan: Plan) -> Result<(), ViewError> {
        assert!(plan.hash == self.plan.hash, "rows are those of one plan");
        let before: Vec<u64> = self.plan.skipped.iter().map(|position| position.0).collect();
        self.plan = plan;
        let late = self.of_skipped(&before).await?;
        self.refold(&late, &mut |_, _| {}).await
    }

    /// The rows of events that are passed over now, and were folded when only those in `before` were passed over.
    async fn of_skipped(&mut self, before: &[u64]) -> Result<Vec<Slot>, ViewError> {
        let (mut slots, plan) = (Vec::new(), self.plan.clone());
        for &Position(position) in plan.skipped.iter() {
            if position > self.position || before.contains(&position) {
                continue;
            }
            let span = Span {
                scope: Scope::Topic(plan.topic.name.clone()),
                after: position - 1,
                until: position,
                valid_until: None,
            };
            let nothing = Arc::new([]) as Arc<[Position]>;
            let mut feed =
                Feed::begin(&self.store, &plan.bound, &plan.topic.definition, &nothing, span).await?;
            let mut events = Events::default();
            feed.next(&mut events).await?;
            self.unfit = self.unfit.saturating_sub(feed.unfit);
            if events.is_empty() {
                continue;
            }
            if let Some(slot) = self.find(events.key(0).as_bytes()).await? {
                slots.push(slot);
            }
        }
        slots.sort_unstable();
        slots.dedup();
        Ok(slots)
    }

    /// The row of a key.
    pub(crate) async fn find(&mut self, key: &[u8]) -> Result<Option<Slot>, ViewError> {
        let found = match self.table.find(key) {
            Some(slot) => Some(slot),
            None => self.load(key).await?,
        };
        Ok(found.filter(|&slot| self.table.row(slot).events > 0))
    }

    /// Where a key is in the table; `None` while not all rows are there.
    pub(crate) fn locate(&self, key: &[u8]) -> Option<Located> {
        self.base.is_none().then(|| self.table.locate(key))
    }

    /// Takes the rows that events are about to change out of the snapshot.
    pub(super) async fn load_for(&mut self, events: &Events) -> Result<(), ViewError> {
        for event in 0..events.len() {
            let Some(base) = &mut self.base else { return Ok(()) };
            let key = events.key(event);
            let key = key.as_bytes();
            if key.is_empty() || self.table.find(key).is_some() {
                continue;
            }
            if base.singly == 0 {
                return self.load_all().await;
            }
            base.singly -= 1;
            self.load(key).await?;
        }
        Ok(())
    }

    /// Takes the rows out of the snapshot that looked something up for `time` or later, if there are any.
    pub(super) async fn load_looked_up_since(&mut self, time: i64) -> Result<(), ViewError> {
        match &self.base {
            Some(base) if base.snapshot.manifest.lookup_time >= time => self.load_all().await,
            _ => Ok(()),
        }
    }

    /// Takes all rows out of the snapshot.
    pub(crate) async fn load_all(&mut self) -> Result<(), ViewError> {
        let Some(base) = &self.base else { return Ok(()) };
        let (snapshot, plan) = (base.snapshot.clone(), self.plan.clone());
        let defaults = plan.bound.fold.defaults();
        for block in 0..snapshot.blocks() {
            let (table, mut full) = (&mut self.table, Ok(()));
            let (mut loaded, mut loaded_stopped) = (0, 0);
            let mut tell = |key: &[u8], row: SavedRow| {
                if table.find(key).is_none() && full.is_ok() {
                    let stopped = u64::from(row.stopped.is_some());
                    full = table.restore(key, row).map(drop);
                    (loaded, loaded_stopped) = (loaded + 1, loaded_stopped + stopped);
                }
            };
            snapshot.rows_of(block, &plan.bound.fold.state, &defaults, &mut tell).await?;
            full?;
            // There may be no room for the next.
            if let Some(base) = &mut self.base {
                base.loaded += loaded;
                base.loaded_stopped += loaded_stopped;
            }
            if block % BLOCKS_BETWEEN_CHECKS == 0 {
                self.check_memory(0)?;
            }
        }
        self.base = None;
        self.check_memory(0)
    }

    /// Takes the row of a key, which is not in the table, out of the snapshot.
    async fn load(&mut self, key: &[u8]) -> Result<Option<Slot>, ViewError> {
        let Some(base) = &mut self.base else { return Ok(None) };
        let fold = &self.plan.bound.fold;
        let row = base.snapshot.row(key, &fold.state, &fold.defaults()).await?;
        let Some(row) = row else { return Ok(None) };
        base.loaded += 1;
        base.loaded_stopped += u64::from(row.stopped.is_some());
        let slot = self.table.restore(key, row)?;
        self.check_memory(0)?;
        Ok(Some(slot))
    }

    /// How many keys it knows.
    pub(crate) fn keys(&self) -> usize {
        let not_loaded =
            self.base.as_ref().map_or(0, |base| base.snapshot.manifest.rows.saturating_sub(base.loaded));
        let vacant = self.vacant.iter().filter(|&&slot| self.table.row(slot).events == 0).count();
        self.table.len() - vacant + not_loaded as usize
    }

    /// How many of them stopped in the snapshot, and are not in the table.
    pub(crate) fn stopped_elsewhere(&self) -> u64 {
        self.base
            .as_ref()
            .map_or(0, |base| base.snapshot.manifest.stopped.saturating_sub(base.loaded_stopped))
    }
}
