//! Events out of the groups that can still be read, for a database that cannot be opened.
//!
//! It is shown frames in the order in which they lie and needs nothing else: no index, no prologue.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use recount_journal::Frame;
use recount_types::{Event, Lsn, Position};

use crate::catalogue::{CATALOG, Catalogue, Change};
use crate::error::ReadError;
use crate::locate::{Placed, PlacedGroup};
use crate::record;

/// Reads events from frames as they come.
#[derive(Debug)]
pub struct Salvage {
    catalogue: Catalogue,
    /// Groups with records that got no position yet.
    pending: HashMap<Lsn, Arc<Frame>>,
}

impl Default for Salvage {
    fn default() -> Salvage {
        Salvage { catalogue: Catalogue::new(), pending: HashMap::new() }
    }
}

impl Salvage {
    /// The events that get positions in a group. What cannot be read of it is told as an error; the events
    /// before that are lost with it.
    pub fn events(&mut self, frame: Frame) -> Result<Vec<Event>, ReadError> {
        if !frame.header.kind.uses_lsn() {
            return Ok(Vec::new());
        }
        let frame = Arc::new(frame);
        let mut group = PlacedGroup::of(PathBuf::from(frame.location.segment.file_name()), frame.clone())?;
        if group.directory.entries.iter().any(|entry| entry.base_position.is_none() && !entry.control) {
            self.pending.insert(frame.header.lsn, frame.clone());
        }
        let (first, end) = group.positions();
        let mut events = Vec::new();
        for position in first..end {
            self.reach(&mut group, position)?;
            let placed = group.at(position)?;
            if placed.entry.topic == CATALOG {
                self.define(&placed);
            }
            if let Some(topic) = self.catalogue.by_id(placed.entry.topic) {
                events.push(record::decode(&placed, topic, None)?);
            }
        }
        Ok(events)
    }

    /// Gives a group the earlier one that has the record of a position.
    fn reach(&self, group: &mut PlacedGroup, position: u64) -> Result<(), ReadError> {
        let Some(lsn) = group.lacks(position) else { return Ok(()) };
        let frame = self.pending.get(&lsn).cloned().ok_or_else(|| ReadError::Corrupt {
            what: format!("position {position} is of the group with lsn {lsn}, which cannot be read"),
        })?;
        group.give(PlacedGroup::of(PathBuf::from(frame.location.segment.file_name()), frame)?);
        Ok(())
    }

    fn define(&mut self, placed: &Placed<'_>) {
        let payload = placed.record.value.unwrap_or_default();
        let change: Result<Change, _> = serde_json::from_slice(payload);
        if let Some(next) =
            change.ok().and_then(|change| self.catalogue.after(&change, Position(placed.position.0)).ok())
        {
            self.catalogue = next;
        }
    }
}
