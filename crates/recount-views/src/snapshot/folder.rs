//! The directory of snapshots: what is there, what is written, what is removed.
//!
//! A file appears under its name when it is whole and durable, and the manifest appears last; what a crash leaves are
//! temporary files and parts without a manifest, which are removed when the directory is first looked at.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use recount_entity::fold::Fold;
use recount_entity::key::Key;
use recount_env::{Env, block_on};
use recount_types::{EntityId, Position};

use super::directory::Directory;
use super::manifest::{BYTES_MAX, Manifest};
use super::part::{Part, PartWriter, Seal};
use super::schedule::{Candidate, superfluous};
use super::{LATE_ROWS_MAX, Snapshot, SnapshotError, Taken, row};
use crate::lock;

/// So many snapshots are held open, with their indexes.
const OPEN_MAX: usize = 64;

/// The snapshots of a database.
pub(crate) struct Snapshots {
    directory: Directory,
    database: [u8; 16],
    /// What is there, once it was looked at; with those that are open.
    known: Mutex<Option<BTreeMap<Name, Option<Arc<Snapshot>>>>>,
    /// Held by whoever writes or removes files: two versions of a plan may take a snapshot of one position.
    writing: Mutex<()>,
    /// From then on no file is touched: somebody else may open the database.
    closed: AtomicBool,
}

/// The name of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    entity: EntityId,
    version: u32,
    position: u64,
}

/// Which snapshot is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) entity: EntityId,
    pub(crate) version: u32,
    pub(crate) plan: &'a [u8; 32],
    /// How many LOOKUPs it has.
    pub(crate) lookups: usize,
    /// Events that are passed over; a snapshot may have been taken before some of them were.
    pub(crate) skipped: &'a [Position],
    /// At this position or before it.
    pub(crate) until: u64,
    /// With nothing, or little, of later times, µs.
    pub(crate) valid_until: Option<i64>,
}

impl Name {
    fn stem(self) -> String {
        format!("{:010}-{:010}-{:020}", self.entity.0, self.version, self.position)
    }

    fn manifest(self) -> String {
        format!("{}.manifest", self.stem())
    }

    fn part(self, number: usize) -> String {
        format!("{}-{number}.part", self.stem())
    }

    /// The snapshot that a file belongs to.
    fn of_file(file: &str) -> Option<Name> {
        let (stem, rest) = file.split_at_checked(10 + 1 + 10 + 1 + 20)?;
        let mut numbers = stem.split('-').map(|digits| digits.parse::<u64>().ok());
        let entity = EntityId(u32::try_from(numbers.next()??).ok()?);
        let version = u32::try_from(numbers.next()??).ok()?;
        let name = Name { entity, version, position: numbers.next()?? };
        (name.stem() == stem && (rest.starts_with('.') || rest.starts_with('-'))).then_some(name)
    }
}

impl Snapshots {
    /// Those under `path`, which need not exist.
    pub(crate) fn new(env: Env, path: PathBuf, database: [u8; 16]) -> Snapshots {
        Snapshots {
            directory: Directory { env, path },
            database,
            known: Mutex::default(),
            writing: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// The newest that can be used.
    pub(crate) async fn newest(&self, wanted: Wanted<'_>) -> Option<Arc<Snapshot>> {
        for name in self.names_of(&wanted).into_iter().rev() {
            match self.open(name).await {
                Ok(snapshot) if wanted.is_served_by(&snapshot.manifest) => return Some(snapshot),
                Ok(_) => {}
                Err(error) => self.discard(&error),
            }
        }
        None
    }

    /// The newest that can be used for one key: the others may know of any later times.
    pub(crate) async fn newest_of_key(
        &self,
        wanted: Wanted<'_>,
        key: &Key,
        fold: &Fold,
    ) -> Option<Arc<Snapshot>> {
        let Some(until) = wanted.valid_until else { return self.newest(wanted).await };
        let wanted = Wanted { valid_until: None, ..wanted };
        let (names, defaults) = (self.names_of(&wanted), fold.defaults());
        // What a key knows of only grows: found by halving, and looked at once more all the same.
        let (mut found, mut low, mut high) = (None, 0, names.len());
        while low < high {
            let middle = low.midpoint(high);
            let row = match self.open(names[middle]).await {
                Ok(snapshot) if wanted.is_served_by(&snapshot.manifest) => {
                    let row = snapshot.row(key.as_bytes(), &fold.state, &defaults).await;
                    row.map(|row| (row.is_none_or(|row| row.latest_time() <= until), Some(snapshot)))
                }
                Ok(_) => Ok((true, None)),
                Err(error) => Err(error),
            };
            match row {
                Ok((true, snapshot)) => (found, low) = (snapshot.or(found), middle + 1),
                Ok((false, _)) => high = middle,
                Err(error) => {
                    self.discard(&error);
                    return None;
                }
            }
        }
        found
    }

    /// Writes and removes nothing any more; waits for what is being written.
    pub(crate) fn close(&self) {
        let _writing = lock(&self.writing);
        self.closed.store(true, Ordering::Release);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Goes on without a snapshot that cannot be used; one that is damaged, or not all there, is removed.
    pub(crate) fn discard(&self, error: &SnapshotError) {
        let _writing = lock(&self.writing);
        block_on(self.leave_out(error));
    }

    async fn leave_out(&self, error: &SnapshotError) {
        let file = error.file().file_name().and_then(|file| file.to_str()).unwrap_or_default();
        let Some(name) = Name::of_file(file) else { return };
        tracing::warn!(%error, "a snapshot is left out; its rows are folded again");
        if let SnapshotError::Damaged { .. } | SnapshotError::Gone { .. } = error {
            // What is left of it serves nobody, and would be found again with each start.
            self.remove(name).await;
        } else if let Some(known) = &mut *lock(&self.known) {
            known.remove(&name);
        }
    }

    /// Writes one, then removes those of its entity's version that are not needed any more.
    pub(crate) fn write(&self, taken: &Taken, interval: u64) -> Result<(), SnapshotError> {
        let _writing = lock(&self.writing);
        if self.is_closed() {
            return Ok(());
        }
        block_on(self.write_and_thin(taken, interval))
    }

    async fn write_and_thin(&self, taken: &Taken, interval: u64) -> Result<(), SnapshotError> {
        self.names();
        let manifest = &taken.manifest;
        let name = Name { entity: manifest.entity, version: manifest.version, position: manifest.position };
        self.directory.create().await?;
        let written = self.write_files(name, taken).await;
        if let Err(error) = written {
            self.remove_files(name).await;
            return Err(error);
        }
        if let Some(known) = &mut *lock(&self.known) {
            known.insert(name, None);
        }
        self.thin(name, &manifest.plan, interval).await;
        Ok(())
    }

    /// Removes all of versions that are not there any more.
    pub(crate) fn retain(&self, is_there: &dyn Fn(EntityId, u32) -> bool) {
        let _writing = lock(&self.writing);
        if self.is_closed() {
            return;
        }
        for name in self.names() {
            if !is_there(name.entity, name.version) {
                block_on(self.remove(name));
            }
        }
    }

    async fn write_files(&self, name: Name, taken: &Taken) -> Result<(), SnapshotError> {
        let mut manifest = taken.manifest.clone();
        let mut parts = vec![self.write_rows(name, taken, &mut manifest).await?];
        for (lookup, table) in taken.lookups.iter().enumerate() {
            let number = 1 + lookup;
            let mut writer = self.writer(name, &manifest, number).await?;
            let mut rows: Vec<_> = table
                .rows()
                .map(|(key, time, position, values)| (row::looked_up_key(key, time, position), values))
                .collect();
            rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            let mut bytes = Vec::new();
            for (key, values) in rows {
                bytes.clear();
                row::put_looked_up(&mut bytes, values);
                writer.push(&key, &bytes).await?;
            }
            parts.push(writer.finish().await?);
        }
        manifest.parts = parts;
        self.directory.write(&name.manifest(), &manifest.encode()).await
    }

    /// Writes the rows; what is found out about them goes into the manifest.
    async fn write_rows(
        &self,
        name: Name,
        taken: &Taken,
        manifest: &mut Manifest,
    ) -> Result<u64, SnapshotError> {
        let mut writer = self.writer(name, manifest, 0).await?;
        let mut rows: Vec<_> = taken.rows.rows().collect();
        rows.sort_unstable_by(|a, b| a.0.key.as_bytes().cmp(b.0.key.as_bytes()));
        (manifest.rows, manifest.stopped, manifest.lookup_time) = (rows.len() as u64, 0, i64::MIN);
        let mut latest = BinaryHeap::new();
        let mut bytes = Vec::new();
        for (row, state) in rows {
            manifest.stopped += u64::from(row.stopped.is_some());
            manifest.lookup_time = manifest.lookup_time.max(row.lookup_time);
            latest.push(Reverse(row.latest_time()));
            if latest.len() > LATE_ROWS_MAX + 1 {
                latest.pop();
            }
            bytes.clear();
            row::put_row(&mut bytes, &row, state);
            writer.push(row.key.as_bytes(), &bytes).await?;
        }
        manifest.valid_from = match latest.peek() {
            Some(Reverse(time)) if latest.len() > LATE_ROWS_MAX => *time,
            _ => i64::MIN,
        };
        writer.finish().await
    }

    async fn writer(
        &self,
        name: Name,
        manifest: &Manifest,
        number: usize,
    ) -> Result<PartWriter<'_>, SnapshotError> {
        PartWriter::create(&self.directory, &name.part(number), seal(manifest, number)).await
    }

    async fn thin(&self, name: Name, plan: &[u8; 32], interval: u64) {
        let (mut candidates, mut others) = (Vec::new(), Vec::new());
        let of_version = |other: &Name| (other.entity, other.version) == (name.entity, name.version);
        for other in self.names().into_iter().filter(of_version) {
            match self.open(other).await {
                Ok(snapshot) if snapshot.manifest.plan == *plan => {
                    let Manifest { position, events, append_time, closing, .. } = snapshot.manifest;
                    candidates.push(Candidate { position, events, append_time, closing });
                }
                Ok(_) => others.push(other),
                Err(error) => self.leave_out(&error).await,
            }
        }
        let superfluous = superfluous(&candidates, interval);
        others.extend(superfluous.into_iter().map(|position| Name { position, ..name }));
        for other in others {
            self.remove(other).await;
        }
    }

    async fn open(&self, name: Name) -> Result<Arc<Snapshot>, SnapshotError> {
        if let Some(Some(snapshot)) = lock(&self.known).as_ref().and_then(|known| known.get(&name)) {
            return Ok(snapshot.clone());
        }
        let snapshot = Arc::new(self.read(name).await?);
        if let Some(known) = &mut *lock(&self.known) {
            let open = known.values().flatten().count();
            if open >= OPEN_MAX {
                known.values_mut().for_each(|snapshot| *snapshot = None);
            }
            // Unless it was removed meanwhile.
            if let Some(known) = known.get_mut(&name) {
                *known = Some(snapshot.clone());
            }
        }
        Ok(snapshot)
    }

    async fn read(&self, name: Name) -> Result<Snapshot, SnapshotError> {
        let path = self.directory.path.join(name.manifest());
        let damaged = |what: String| SnapshotError::Damaged { file: path.clone(), offset: 0, what };
        let bytes = self.directory.read(&name.manifest(), BYTES_MAX).await?;
        let manifest = Manifest::decode(&bytes).map_err(damaged)?;
        let found = Name { entity: manifest.entity, version: manifest.version, position: manifest.position };
        if found != name || manifest.database != self.database || manifest.parts.is_empty() {
            return Err(damaged("is of something else than its name says".to_owned()));
        }
        let mut parts = Vec::new();
        for (number, &bytes) in manifest.parts.iter().enumerate() {
            let seal = seal(&manifest, number);
            parts.push(Part::open(&self.directory, &name.part(number), seal, bytes).await?);
        }
        Ok(Snapshot { manifest, parts })
    }

    /// The names of those that may serve, oldest first.
    fn names_of(&self, wanted: &Wanted<'_>) -> Vec<Name> {
        let first = Name { entity: wanted.entity, version: wanted.version, position: 0 };
        let last = Name { position: wanted.until, ..first };
        self.names().into_iter().filter(|name| (first..=last).contains(name)).collect()
    }

    /// The names of all that are there. Looks at the directory once, and lets nobody write meanwhile.
    fn names(&self) -> Vec<Name> {
        let mut known = lock(&self.known);
        let known = known.get_or_insert_with(|| {
            let names = block_on(self.look());
            names.into_iter().map(|name| (name, None)).collect()
        });
        known.keys().copied().collect()
    }

    /// What is in the directory; what a crash left there is removed.
    async fn look(&self) -> Vec<Name> {
        let files = self.directory.files().await;
        let names: Vec<Name> = files
            .iter()
            .filter_map(|file| Name::of_file(file).filter(|name| name.manifest() == *file))
            .collect();
        let is_left_over = |file: &&String| {
            Name::of_file(file).is_some_and(|name| file.ends_with(".tmp") || !names.contains(&name))
        };
        for file in files.iter().filter(is_left_over).filter(|_| !self.is_closed()) {
            self.directory.remove(file).await;
        }
        names
    }

    async fn remove(&self, name: Name) {
        if let Some(known) = &mut *lock(&self.known) {
            known.remove(&name);
        }
        self.remove_files(name).await;
    }

    /// Removes its files, the manifest first. What stays for some reason is removed when the directory is looked at again.
    async fn remove_files(&self, name: Name) {
        if self.is_closed() {
            return;
        }
        self.directory.remove(&name.manifest()).await;
        let files = self.directory.files().await;
        for file in files.iter().filter(|file| Name::of_file(file) == Some(name)) {
            self.directory.remove(file).await;
        }
    }
}

impl Wanted<'_> {
    fn is_served_by(&self, manifest: &Manifest) -> bool {
        let passed_over = |position: &u64| self.skipped.binary_search(&Position(*position)).is_ok();
        manifest.plan == *self.plan
            && manifest.parts.len() == 1 + self.lookups
            && manifest.skipped.iter().all(passed_over)
            && self.valid_until.is_none_or(|until| manifest.valid_from <= until)
    }
}

/// What makes the pieces of a part unlike all others.
fn seal(manifest: &Manifest, number: usize) -> Seal {
    let mut crc = crc32c::crc32c(&manifest.database);
    crc = crc32c::crc32c_append(crc, &manifest.entity.0.to_le_bytes());
    crc = crc32c::crc32c_append(crc, &manifest.version.to_le_bytes());
    crc = crc32c::crc32c_append(crc, &manifest.position.to_le_bytes());
    crc = crc32c::crc32c_append(crc, &manifest.append_time.to_le_bytes());
    crc = crc32c::crc32c_append(crc, &manifest.plan);
    for position in &manifest.skipped {
        crc = crc32c::crc32c_append(crc, &position.to_le_bytes());
    }
    Seal(crc32c::crc32c_append(crc, &(number as u32).to_le_bytes()))
}
