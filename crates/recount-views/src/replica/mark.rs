//! Epochs, and the marks between them at which snapshots are taken (snapshot/schedule.rs).

use recount_entity::fold::{Events, Step};
use recount_types::{EntityId, Position};

use super::Replica;
use crate::error::ViewError;
use crate::feed::{last_recorded, rounded_down};
use crate::snapshot::schedule::{is_due, is_due_on_closing, mark_positions};
use crate::snapshot::{Manifest, Taken};

/// Where a replica is among the marks.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The mark that comes next: where the last append ends that lies whole before this position; 0 = the first.
    next: u64,
    /// Events folded up to the mark before, and up to the snapshot before.
    events_before: u64,
    events_kept: u64,
}

impl Marks {
    /// Begins where a snapshot was taken.
    pub(super) fn begin(&mut self, manifest: &Manifest) {
        self.events_before = if manifest.closing { manifest.events_before } else { manifest.events };
        self.events_kept = manifest.events;
    }
}

impl Replica {
    /// One epoch towards `wanted`, up to the next mark; the rows to be kept, if there is to be a snapshot.
    pub(crate) async fn epoch(
        &mut self,
        wanted: u64,
        interval: u64,
        of: (EntityId, u32),
    ) -> Result<Option<Taken>, ViewError> {
        let apart = mark_positions(interval);
        if self.marks.next == 0 {
            self.marks.next = (self.position / apart + 1) * apart;
        }
        if self.marks.next > wanted {
            self.advance(wanted, &mut |_: Step<'_>, _: &Events| {}).await?;
            return Ok(None);
        }
        let mark = rounded_down(&self.store, Position(self.marks.next)).await?.0;
        self.advance(mark, &mut |_: Step<'_>, _: &Events| {}).await?;
        // An append may be longer than marks are apart: then several are in one place.
        self.marks.next += apart;
        let is_due = is_due(self.marks.events_before, self.events, self.keys() as u64, interval);
        self.marks.events_before = self.events;
        if is_due { self.take(of, false).await.map(Some) } else { Ok(None) }
    }

    /// The rows to be kept when the database is closed, if that is worth it.
    pub(crate) async fn take_on_closing(
        &mut self,
        interval: u64,
        of: (EntityId, u32),
    ) -> Result<Option<Taken>, ViewError> {
        let since = self.events.saturating_sub(self.marks.events_kept);
        if is_due_on_closing(since, self.keys() as u64, interval) {
            self.take(of, true).await.map(Some)
        } else {
            Ok(None)
        }
    }

    async fn take(&mut self, (entity, version): (EntityId, u32), closing: bool) -> Result<Taken, ViewError> {
        let last = last_recorded(&self.store, self.position).await?;
        let rows = self.freeze().await?;
        self.marks.events_kept = self.events;
        let manifest = Manifest {
            database: self.store.id(),
            entity,
            version,
            position: self.position,
            last: last.as_ref().map_or(0, |event| event.position.0),
            append_time: last.as_ref().map_or(0, |event| event.append_time.0),
            plan: self.plan.hash,
            closing,
            events: self.events,
            events_before: self.marks.events_before,
            unfit: self.unfit,
            rows: 0,
            stopped: 0,
            lookup_time: i64::MIN,
            valid_from: i64::MIN,
            skipped: self.plan.skipped.iter().map(|position| position.0).collect(),
            parts: Vec::new(),
        };
        Ok(Taken { manifest, rows, lookups: self.lookups.clone() })
    }
}
