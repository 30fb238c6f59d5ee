//! Snapshots of views: what a view keeps at a position, so that it is not read again from the first event.
//!
//! ```text
//!  snapshots/view-{view:010}-{position:020}.part         the entries, sorted by key (part.rs)
//!  snapshots/view-{view:010}-{position:020}.manifest     what they are of; written last
//! ```
//!
//! Of a view some older ones stay (schedule.rs), from which its rows as of then are computed. What entries are is known to the view.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use recount_env::{Env, block_on};
use recount_flow::saved::Saved;
use recount_types::ViewId;

use super::SnapshotError;
use super::directory::Directory;
use super::lines::{Reader, Writer, hex};
use super::part::{Part, PartWriter, Seal, Tell};
use super::schedule;
use crate::lock;

/// The version of this form, and of the part's.
const VERSION: &str = "1";
/// Larger manifests are not ours.
const BYTES_MAX: u64 = 4096;

/// What a snapshot of a view is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ViewManifest {
    pub(crate) view: ViewId,
    /// Every append up to here is in it.
    pub(crate) position: u64,
    /// The last event up to there, and its append time, µs: what tells one history from another.
    pub(crate) last: u64,
    pub(crate) append_time: i64,
    /// What is kept, hashed: another query, or another circuit, keeps something else.
    pub(crate) plan: [u8; 32],
}

/// The snapshots of all views of a database.
pub(crate) struct ViewSnapshots {
    directory: Directory,
    database: [u8; 16],
    /// How many positions lie between those that stay, at least.
    interval: u64,
    /// Held by whoever writes or removes files.
    writing: Mutex<()>,
    /// From then on no file is touched: somebody else may open the database.
    closed: AtomicBool,
}

/// A snapshot that is read.
pub(crate) struct ViewSnapshot {
    pub(crate) manifest: ViewManifest,
    part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    view: ViewId,
    position: u64,
}

impl Name {
    fn stem(self) -> String {
        format!("view-{:010}-{:020}", self.view.0, self.position)
    }

    fn manifest(self) -> String {
        format!("{}.manifest", self.stem())
    }

    fn part(self) -> String {
        format!("{}.part", self.stem())
    }

    /// The snapshot that a file belongs to.
    fn of_file(file: &str) -> Option<Name> {
        let (stem, rest) = file.split_at_checked(5 + 10 + 1 + 20)?;
        let (view, position) = stem.strip_prefix("view-")?.split_once('-')?;
        let name = Name { view: ViewId(view.parse().ok()?), position: position.parse().ok()? };
        (name.stem() == stem && rest.starts_with('.')).then_some(name)
    }
}

impl ViewManifest {
    fn encode(&self, database: &[u8; 16], bytes: u64) -> Vec<u8> {
        let mut lines = Writer::new();
        lines.line("recount view snapshot", VERSION);
        lines.line("database", hex(database));
        lines.line("view", self.view);
        lines.line("position", self.position);
        lines.line("last", self.last);
        lines.line("append_time", self.append_time);
        lines.line("plan", hex(&self.plan));
        lines.line("part", bytes);
        lines.finish()
    }

    /// The manifest, the database that it is of, and how many bytes its part has.
    fn decode(bytes: &[u8]) -> Result<(ViewManifest, [u8; 16], u64), String> {
        let mut lines = Reader::new(bytes)?;
        if lines.line("recount view snapshot")? != VERSION {
            return Err("is of an unknown version".to_owned());
        }
        let database = lines.hex("database")?;
        let manifest = ViewManifest {
            view: ViewId(lines.number("view")?),
            position: lines.number("position")?,
            last: lines.number("last")?,
            append_time: lines.number("append_time")?,
            plan: lines.hex("plan")?,
        };
        let part = lines.number("part")?;
        lines.end()?;
        Ok((manifest, database, part))
    }

    fn name(&self) -> Name {
        Name { view: self.view, position: self.position }
    }

    /// What makes the pieces of a part unlike all others.
    fn seal(&self, database: &[u8; 16]) -> Seal {
        let mut crc = crc32c::crc32c(b"view");
        for bytes in [&database[..], &self.view.0.to_le_bytes(), &self.position.to_le_bytes()] {
            crc = crc32c::crc32c_append(crc, bytes);
        }
        crc = crc32c::crc32c_append(crc, &self.append_time.to_le_bytes());
        Seal(crc32c::crc32c_append(crc, &self.plan))
    }
}

impl ViewSnapshots {
    /// Those under `path`, which need not exist.
    pub(crate) fn new(env: Env, path: PathBuf, database: [u8; 16], interval: u64) -> ViewSnapshots {
        let directory = Directory { env, path };
        ViewSnapshots {
            directory,
            database,
            interval,
            writing: Mutex::new(()),
            closed: AtomicBool::new(false),
        }
    }

    /// The newest of a view up to a position that is of this plan.
    pub(crate) fn newest(&self, view: ViewId, plan: &[u8; 32], until: u64) -> Option<ViewSnapshot> {
        let mut names = block_on(self.names());
        names.retain(|name| name.view == view && name.position <= until);
        names.sort_unstable();
        while let Some(newest) = names.pop() {
            match block_on(self.open(newest, plan)) {
                Ok(None) => {}
                Ok(snapshot) => return snapshot,
                Err(error) => self.discard(&error),
            }
        }
        None
    }

    /// Goes on without a snapshot that cannot be used; one that is damaged, or not all there, is removed.
    pub(crate) fn discard(&self, error: &SnapshotError) {
        let file = error.file().file_name().and_then(|file| file.to_str()).unwrap_or_default();
        let Some(name) = Name::of_file(file) else { return };
        tracing::warn!(%error, "a snapshot of a view is left out; its events are read again");
        if let SnapshotError::Damaged { .. } | SnapshotError::Gone { .. } = error {
            let _writing = lock(&self.writing);
            block_on(self.remove(name));
        }
    }

    /// Writes one. Of those of its view that were there before some are removed.
    pub(crate) fn write(&self, manifest: &ViewManifest, saved: &Saved) -> Result<(), SnapshotError> {
        let _writing = lock(&self.writing);
        if self.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        let name = manifest.name();
        let written = block_on(self.write_files(manifest, saved));
        if written.is_err() {
            block_on(self.remove(name));
        } else {
            let stay = block_on(self.that_stay(manifest));
            self.remove_all(&|other| other.view == name.view && !stay.contains(&other));
        }
        written
    }

    /// Those of a view that stay, of which the newest has just been written: what is behind it is of another history.
    async fn that_stay(&self, newest: &ViewManifest) -> Vec<Name> {
        let mut names = self.names().await;
        names.retain(|name| name.view == newest.view && name.position <= newest.position);
        names.sort_unstable();
        let (mut all, mut stay) = (Vec::new(), Vec::new());
        for name in names {
            match self.manifest(name).await {
                Ok((manifest, _)) if manifest.plan == newest.plan => {
                    all.push((name.position, manifest.append_time));
                }
                // It may be read another time.
                Err(SnapshotError::Io { .. }) => stay.push(name),
                Ok(_) | Err(_) => {}
            }
        }
        let gone = schedule::superfluous_of_view(&all, self.interval);
        let name = |(position, _): (u64, i64)| Name { view: newest.view, position };
        stay.extend(all.into_iter().map(name).filter(|name| !gone.contains(&name.position)));
        stay
    }

    async fn write_files(&self, manifest: &ViewManifest, saved: &Saved) -> Result<(), SnapshotError> {
        let name = manifest.name();
        self.directory.create().await?;
        // Where one of this position is written again, nobody may take half of each.
        self.directory.remove(&name.manifest()).await;
        let seal = manifest.seal(&self.database);
        let mut writer = PartWriter::create(&self.directory, &name.part(), seal).await?;
        for (key, value) in saved.sorted() {
            writer.push(key, value).await?;
        }
        let bytes = writer.finish().await?;
        self.directory.write(&name.manifest(), &manifest.encode(&self.database, bytes)).await
    }

    /// Removes all of views that are not there any more, and what a crash left.
    pub(crate) fn retain(&self, is_there: &dyn Fn(ViewId) -> bool) {
        let _writing = lock(&self.writing);
        let names = block_on(self.names());
        self.remove_all(&|name| !is_there(name.view) || !names.contains(&name));
    }

    /// Writes and removes nothing any more; waits for what is being written.
    pub(crate) fn close(&self) {
        let _writing = lock(&self.writing);
        self.closed.store(true, Ordering::Release);
    }

    /// Those that are whole.
    async fn names(&self) -> Vec<Name> {
        let files = self.directory.files().await;
        let whole = |file: &String| Name::of_file(file).filter(|name| name.manifest() == *file);
        files.iter().filter_map(whole).collect()
    }

    /// One, if it is of this plan.
    async fn open(&self, name: Name, plan: &[u8; 32]) -> Result<Option<ViewSnapshot>, SnapshotError> {
        let (manifest, bytes) = self.manifest(name).await?;
        if manifest.plan != *plan {
            return Ok(None);
        }
        let part = Part::open(&self.directory, &name.part(), manifest.seal(&self.database), bytes).await?;
        Ok(Some(ViewSnapshot { manifest, part }))
    }

    /// What one is of, and how many bytes its part has.
    async fn manifest(&self, name: Name) -> Result<(ViewManifest, u64), SnapshotError> {
        let file = self.directory.path.join(name.manifest());
        let damaged = |what: String| SnapshotError::Damaged { file: file.clone(), offset: 0, what };
        let bytes = self.directory.read(&name.manifest(), BYTES_MAX).await?;
        let (manifest, database, bytes) = ViewManifest::decode(&bytes).map_err(damaged)?;
        if manifest.name() != name || database != self.database {
            return Err(damaged("is of something else than its name says".to_owned()));
        }
        Ok((manifest, bytes))
    }

    /// Removes files of some, the manifests first.
    fn remove_all(&self, which: &dyn Fn(Name) -> bool) {
        let files = block_on(self.directory.files());
        let mut names: Vec<Name> = files.iter().filter_map(|file| Name::of_file(file)).collect();
        names.dedup();
        names.into_iter().filter(|name| which(*name)).for_each(|name| block_on(self.remove(name)));
    }

    async fn remove(&self, name: Name) {
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        self.directory.remove(&name.manifest()).await;
        for file in self.directory.files().await {
            if Name::of_file(&file) == Some(name) {
                self.directory.remove(&file).await;
            }
        }
    }
}

impl ViewSnapshot {
    /// In how many blocks its entries lie.
    pub(crate) fn blocks(&self) -> usize {
        self.part.blocks()
    }

    /// Tells the entries of a block, in the order of keys.
    pub(crate) fn entries_of(&self, block: usize, tell: &mut Tell<'_>) -> Result<(), SnapshotError> {
        block_on(self.part.entries_of(block, tell))
    }

    /// That it cannot be what was saved.
    pub(crate) fn damaged(&self, what: &str) -> SnapshotError {
        self.part.damaged(0, what)
    }
}

#[cfg(test)]
mod tests;
