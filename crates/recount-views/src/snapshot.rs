//! Snapshots: the rows of an entity, or what a view keeps, at a position, in files, so that nothing is folded again from the first event.
//!
//! ```text
//!  snapshots/{entity:010}-{version:010}-{position:020}.manifest      what it is; written last
//!  snapshots/{entity:010}-{version:010}-{position:020}-0.part        the rows, sorted by key
//!  snapshots/{entity:010}-{version:010}-{position:020}-1.part        what the first LOOKUP looks up; and so on
//!
//!  part.rs       sorted entries in sealed blocks
//!  row.rs        a row as bytes
//!  manifest.rs   what a snapshot is of
//!  plan_hash.rs  whether its rows are those that would be folded now
//!  schedule.rs   when one is taken, and which are kept
//!  folder.rs     those of entities: names, writing, removing
//!  of_view.rs    the same of views
//!  directory.rs  files that appear whole
//!  lines.rs      manifests as text
//! ```
//!
//! They are derived and disposable: what is damaged, gone, or of another plan is folded again. The bytes depend on the
//! journal, the definition and the position alone.

use std::path::PathBuf;

use recount_entity::fold::StateColumn;
use recount_entity::key::Key;
use recount_entity::lookup::LookupTable;
use recount_entity::table::{Frozen, SavedRow};
use recount_types::column::{Form, Value};

mod directory;
mod folder;
mod lines;
mod manifest;
mod of_view;
mod part;
mod plan_hash;
mod row;
pub(crate) mod schedule;

pub(crate) use folder::{Snapshots, Wanted};
pub(crate) use manifest::Manifest;
pub(crate) use of_view::{ViewManifest, ViewSnapshot, ViewSnapshots};
pub(crate) use plan_hash::plan_hash;

use part::Part;

/// So few rows of a snapshot may be of later times than are asked about: those are folded again.
pub(crate) const LATE_ROWS_MAX: usize = 64;

/// Why a snapshot cannot be used. Whoever gets one of these goes on without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It is not what was written.
    #[error("snapshot {} is damaged at byte {offset}: it {what}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// Somebody removed it.
    #[error("snapshot {} is gone", file.display())]
    Gone {
        /// The file.
        file: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("cannot {doing} the snapshot {}: {error}", file.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: String,
    },
}

impl SnapshotError {
    pub(crate) fn file(&self) -> &PathBuf {
        match self {
            SnapshotError::Damaged { file, .. }
            | SnapshotError::Gone { file }
            | SnapshotError::Io { file, .. } => file,
        }
    }
}

/// Rows to be kept.
#[derive(Debug)]
pub(crate) struct Taken {
    /// What they are; its parts, rows, stopped, lookup_time and valid_from are found out when it is written.
    pub(crate) manifest: Manifest,
    pub(crate) rows: Frozen,
    pub(crate) lookups: Vec<LookupTable>,
}

/// A snapshot that is read.
pub(crate) struct Snapshot {
    pub(crate) manifest: Manifest,
    parts: Vec<Part>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("position", &self.manifest.position).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// The row of a key. `defaults` is the state before the first event.
    pub(crate) async fn row(
        &self,
        key: &[u8],
        columns: &[StateColumn],
        defaults: &[Value<'static>],
    ) -> Result<Option<SavedRow>, SnapshotError> {
        let rows = self.rows();
        let Some(bytes) = rows.find(key).await? else { return Ok(None) };
        let row = row::read_row(key, &bytes, columns, defaults);
        row.map(Some).ok_or_else(|| rows.damaged(0, "has a malformed row"))
    }

    /// In how many blocks its rows lie.
    pub(crate) fn blocks(&self) -> usize {
        self.rows().blocks()
    }

    /// Tells the rows of a block.
    pub(crate) async fn rows_of(
        &self,
        block: usize,
        columns: &[StateColumn],
        defaults: &[Value<'static>],
        tell: &mut (dyn FnMut(&[u8], SavedRow) + Send),
    ) -> Result<(), SnapshotError> {
        let mut told = |key: &[u8], value: &[u8]| {
            let row = row::read_row(key, value, columns, defaults);
            tell(key, row.ok_or("has a malformed row".to_owned())?);
            Ok(())
        };
        self.rows().entries_of(block, &mut told).await.map(drop)
    }

    /// In how many blocks the rows lie that a LOOKUP looks up.
    pub(crate) fn looked_up_blocks(&self, lookup: usize) -> usize {
        self.parts[1 + lookup].blocks()
    }

    /// Tells those of a block: key, time, position, values of these forms.
    pub(crate) async fn looked_up(
        &self,
        lookup: usize,
        block: usize,
        forms: &[Form],
        tell: &mut (dyn FnMut(Key, i64, u64, Box<[Value<'static>]>) + Send),
    ) -> Result<(), SnapshotError> {
        let mut told = |key: &[u8], value: &[u8]| {
            let malformed = || "has a malformed row".to_owned();
            let (key, time, position) = row::read_looked_up_key(key).ok_or_else(malformed)?;
            tell(key, time, position, row::read_looked_up(value, forms).ok_or_else(malformed)?);
            Ok(())
        };
        self.parts[1 + lookup].entries_of(block, &mut told).await
    }

    /// That the journal does not have what it was made of.
    pub(crate) fn of_other_events(&self) -> SnapshotError {
        self.rows().damaged(0, "was made of events that the journal does not have")
    }

    fn rows(&self) -> &Part {
        &self.parts[0]
    }
}
