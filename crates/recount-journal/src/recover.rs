//! Opening a journal: creation, clean opening, and recovery after a crash.
//!
//! ```text
//!  1 lock, FORMAT, manifest        nothing is written before all of it was read and understood
//!  2 scan the active segment       every frame verified; what stands after the last is classified
//!  3 the store replays             [`Recovery::reader`] shows what is proven
//!  4 [`Recovery::start`]           closed cleanly: go on in place. Else: a new segment under the next epoch takes a
//!                                  copy of the unproven frame, is synced and listed; old ones are never written again
//! ```
//!
//! The last frame found after a crash is unproven: the page cache may show what the disk lost. Copying and
//! syncing it makes it true. Every frame before it is proven by the existence of a later one. A segment of which
//! nothing is proven is replaced by the new one; a location in it then means the one after it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use recount_env::Env;
use recount_types::{Epoch, Lsn};

use crate::classify::{Verdict, classify};
use crate::core::{self, Core, Draft, PAGE};
use crate::directory::{Closed, Format, HeldLock, Holder, Listed, Manifest, Paths};
use crate::error::{Corruption, OpenError};
use crate::frame::{self, FrameHeader, FrameKind, HEADER_BYTES, Place};
use crate::prepare::{Preparer, remove_if_there};
use crate::reader::{Frame, Reader, Shared};
use crate::segment::{Location, Predecessor, Prologue, SegmentName};
use crate::writer::{Begin, SEAL_BYTES_MAX, Writer};

mod create;
mod scan;

use scan::{Scan, scan_active};

/// Sizes.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Size of the first segment, bytes.
    pub segment_bytes_min: u64,
    /// Segments double up to this size, bytes.
    pub segment_bytes_max: u64,
    /// Newest frames kept in memory, bytes.
    pub tail_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { segment_bytes_min: 4 << 20, segment_bytes_max: 128 << 20, tail_bytes_max: 16 << 20 }
    }
}

impl Settings {
    /// The size of the segment after one of `bytes`.
    pub(crate) fn next_segment_bytes(&self, bytes: u64) -> u64 {
        (bytes * 2).clamp(self.segment_bytes_min, self.segment_bytes_max.max(self.segment_bytes_min))
    }
}

/// Whether opening may create a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Opens what exists; creates it in an empty or absent directory.
    OpenOrCreate,
    /// Opens what exists.
    Open,
}

/// What to do when the last group is complete in length but damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailDecision {
    /// Refuse to open.
    Refuse,
    /// Drop it: its bytes are kept in `quarantine/`.
    AcceptLoss,
}

/// A journal that was read and understood, and not yet written to.
pub struct Recovery {
    env: Env,
    paths: Paths,
    settings: Settings,
    held: Arc<HeldLock>,
    format: Format,
    manifest: Manifest,
    found: Scan,
    reader: Reader,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Recovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recovery").field("found", &self.found).finish_non_exhaustive()
    }
}

/// A journal ready for use, and what opening it found.
#[derive(Debug)]
pub struct Recovered {
    /// The writer.
    pub writer: Writer,
    /// What was done about a torn or dropped tail, to be told to the operator.
    pub notes: Vec<String>,
    /// Keeps the directory locked; to announce an address.
    pub lock: Arc<HeldLock>,
}

impl Recovery {
    /// Locks and reads a database directory.
    pub async fn open(
        env: &Env,
        root: &Path,
        settings: Settings,
        mode: OpenMode,
        holder: &Holder,
        decision: TailDecision,
    ) -> Result<Recovery, OpenError> {
        let paths = Paths::new(root);
        let held = create::lock(env, &paths, mode, holder).await?;
        let format = match Format::read(env, root).await? {
            Some(format) => {
                // A process killed before this call shows its names to the next one, and the disk may not have them.
                let failed = OpenError::io(format!("sync {}", root.display()));
                env.files.sync_dir(root).await.map_err(failed)?;
                format
            }
            None => create::create(env, &paths, mode, &settings).await?,
        };
        let journal = paths.journal();
        let manifest = Manifest::read_current(env, &journal).await?;
        let corrupt = |what: &str| Corruption { file: journal.clone(), offset: 0, what: what.to_owned() };
        let manifest = manifest.ok_or_else(|| corrupt("has no MANIFEST file"))?;
        if manifest.journal != format.database {
            return Err(OpenError::Corrupt(Corruption {
                file: manifest.path(&journal),
                offset: 0,
                what: "belongs to another database".to_owned(),
            }));
        }
        let closed = Closed::read(env, &journal, manifest.epoch).await?;
        let found = scan_active(env, &journal, &manifest, closed.as_ref(), decision).await?;
        let proven = found.proven;
        let shared = Arc::new(Shared::new(
            env.clone(),
            journal,
            format.database,
            found.segments.iter().map(|segment| segment.name).collect(),
            proven.offset,
            Lsn(proven.lsn.0 - 1),
            settings.tail_bytes_max,
        ));
        let reader = Reader::new(shared.clone());
        Ok(Recovery {
            env: env.clone(),
            paths,
            settings,
            held: Arc::new(held),
            format,
            manifest,
            found,
            reader,
            shared,
        })
    }

    /// FORMAT's contents.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Reads all that is proven; after [`Recovery::start`], all.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Where the frames after [`Recovery::state`] begin, and the lsn of the first of them.
    pub fn active(&self) -> (Location, Lsn) {
        self.found.state_as_of
    }

    /// The store's state in the newest prologue.
    pub fn state(&self) -> &[u8] {
        &self.found.state
    }

    /// The store's bytes in the last seal, if the journal ends with one.
    pub fn seal_state(&self) -> Option<&[u8]> {
        self.found.seal_state.as_deref()
    }

    /// The last lsn that will be there once started, the unproven frame included.
    pub fn last_lsn(&self) -> Lsn {
        self.found.last_lsn
    }

    /// Makes the journal writable. `state` is the store's after all that [`Recovery::reader`] shows.
    pub async fn start(self, state: &[u8]) -> Result<Recovered, OpenError> {
        let journal = self.paths.journal();
        if self.manifest.number == 1 {
            // The sync that made FORMAT's name durable may have failed in the process that created it.
            self.format.write(&self.env, &self.paths.root).await?;
        }
        let epoch = Epoch(self.manifest.epoch.0 + 1);
        let mut manifest = Manifest {
            number: self.manifest.number + 1,
            journal: self.format.database,
            epoch,
            segments: self.found.segments.clone(),
        };
        let mut notes = Vec::new();
        let seal_fits =
            self.found.proven.offset + frame::frame_bytes(SEAL_BYTES_MAX) <= self.found.active.bytes;
        let in_place = self.found.complete && seal_fits;
        let begin = if in_place {
            manifest.write(&self.env, &journal).await?;
            self.resume_in_place(epoch).await?
        } else {
            if let Some(cut) = &self.found.cut {
                notes.push(create::quarantine(&self.env, &self.paths, cut).await?);
            }
            let (begin, listed) = self.new_segment(epoch, state).await?;
            manifest.segments.push(listed);
            manifest.write(&self.env, &journal).await?;
            let place = begin.core.place();
            self.shared.rolled(listed.name, self.found.proven.offset, place.offset, Lsn(place.lsn.0 - 1));
            begin
        };
        Closed::remove(&self.env, &journal).await?;
        for leftover in manifest.leftovers(&self.env, &journal).await? {
            remove_if_there(&self.env, &leftover)
                .await
                .map_err(OpenError::io(format!("remove {}", leftover.display())))?;
        }
        let next_bytes = self.settings.next_segment_bytes(begin.core.segment_bytes());
        let preparer = Preparer::start(&self.env, journal, manifest, next_bytes);
        let writer = Writer::new(self.env, begin, self.shared, preparer, self.settings, self.held.clone());
        Ok(Recovered { writer, notes, lock: self.held })
    }

    async fn resume_in_place(&self, epoch: Epoch) -> Result<Begin, OpenError> {
        let active = self.found.active;
        let path = self.shared.path(active.name);
        let failed = |what: &str| OpenError::io(format!("{what} {}", path.display()));
        let file =
            self.env.files.open(&path, recount_env::OpenMode::ReadWrite).await.map_err(failed("open"))?;
        let place = self.found.proven;
        let mut page = vec![0; (place.offset % PAGE) as usize];
        file.read_at(place.offset - page.len() as u64, &mut page).await.map_err(failed("read"))?;
        let sealed_state = self.found.seal_state.clone();
        let core = Core::resume(epoch, active.name, active.bytes, place, page, sealed_state.is_some());
        Ok(Begin { core, file, sealed_state })
    }

    async fn new_segment(&self, epoch: Epoch, state: &[u8]) -> Result<(Begin, Listed), OpenError> {
        let proven = self.found.proven;
        let name = SegmentName { first_lsn: proven.lsn, epoch };
        let path = self.shared.path(name);
        let failed = |what: &str| OpenError::io(format!("{what} {}", path.display()));
        let predecessor = Predecessor { segment: self.found.active.name, end: proven.offset };
        let copied = self.found.unproven.as_ref();
        let body_bytes = copied.map_or(0, |frame| frame.body.len());
        let prologue_bytes =
            Prologue { segment_bytes: 0, predecessor: None, state: state.to_vec() }.encode().len();
        let needed = frame::frame_bytes(prologue_bytes) + 2 * frame::frame_bytes(body_bytes) + 4 * PAGE;
        let bytes = needed.max(self.settings.segment_bytes_min).next_multiple_of(PAGE);
        let draft = copied.map(|frame| Draft {
            kind: frame.header.kind,
            first_position: frame.header.first_position,
            count: frame.header.count,
            append_time: frame.header.append_time,
            salt: frame.header.salt,
            body: &frame.body,
        });
        let (image, place) =
            core::new_segment(&proven, name, bytes, Some(predecessor), state, draft, self.env.random());
        remove_if_there(&self.env, &path).await.map_err(failed("remove the leftover"))?;
        let file = create::zero_filled(&self.env, &path, bytes, &image).await.map_err(failed("create"))?;
        self.env.files.sync_dir(&self.shared.directory).await.map_err(failed("sync the directory of"))?;
        let page = image[image.len() - (place.offset % PAGE) as usize..].to_vec();
        let core = Core::resume(epoch, name, bytes, place, page, false);
        Ok((Begin { core, file, sealed_state: None }, Listed { name, bytes, planned: false }))
    }
}
