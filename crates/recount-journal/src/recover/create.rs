//! Creating a database, and the files that opening makes.
//!
//! FORMAT is written last: where it exists, creation ended. Without it, a directory may hold only what an
//! interrupted creation left.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use recount_env::{Env, File, OpenMode as FileMode};
use recount_types::{Epoch, Lsn};

use super::{OpenMode, Settings};
use crate::core::{self, PAGE};
use crate::directory::{Format, HeldLock, Holder, Listed, Manifest, Paths};
use crate::error::OpenError;
use crate::frame::Place;
use crate::prepare::remove_if_there;
use crate::segment::SegmentName;

/// Bytes cut from a torn tail, to be kept.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) segment: SegmentName,
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) what: String,
}

/// Makes the directory if needed, and locks it.
pub(super) async fn lock(
    env: &Env,
    paths: &Paths,
    mode: OpenMode,
    holder: &Holder,
) -> Result<HeldLock, OpenError> {
    let root = &paths.root;
    match env.files.list(root).await {
        Ok(names) => {
            let created = names.iter().any(|name| name == "FORMAT");
            if !created && mode == OpenMode::Open {
                return Err(OpenError::NotADatabase(root.clone()));
            }
            let known = ["FORMAT", "FORMAT.tmp", "LOCK", "journal", "index", "quarantine"];
            if !created && names.iter().any(|name| !known.contains(&name.as_str())) {
                return Err(OpenError::NotEmpty(root.clone()));
            }
            if !created {
                // Whoever made the directory may have been killed before its name was durable.
                sync_parent(env, root).await?;
            }
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound && mode == OpenMode::OpenOrCreate => {
            make_dir(env, root).await?;
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(OpenError::NotADatabase(root.clone())),
        Err(e) => return Err(OpenError::io(format!("list {}", root.display()))(e)),
    }
    HeldLock::take(env, root, holder).await
}

/// Creates a database in a locked directory without FORMAT.
pub(super) async fn create(
    env: &Env,
    paths: &Paths,
    mode: OpenMode,
    settings: &Settings,
) -> Result<Format, OpenError> {
    if mode == OpenMode::Open {
        return Err(OpenError::NotADatabase(paths.root.clone()));
    }
    let journal = paths.journal();
    match env.files.list(&journal).await {
        Err(e) if e.kind() == io::ErrorKind::NotFound => make_dir(env, &journal).await?,
        Err(e) => return Err(OpenError::io(format!("list {}", journal.display()))(e)),
        Ok(names) => clear_interrupted(env, paths, &names).await?,
    }
    let format = Format::create(env);
    let name = SegmentName { first_lsn: Lsn(1), epoch: Epoch(1) };
    let bytes = settings.segment_bytes_min.next_multiple_of(PAGE);
    let place = Place {
        journal: format.database,
        segment: name.first_lsn,
        offset: 0,
        epoch: name.epoch,
        lsn: name.first_lsn,
        previous_crc: 0,
    };
    let (image, _) = core::new_segment(&place, name, bytes, None, &[], None, env.random());
    let path = journal.join(name.file_name());
    let failed = |what: &str| OpenError::io(format!("{what} {}", path.display()));
    zero_filled(env, &path, bytes, &image).await.map_err(failed("create"))?;
    env.files.sync_dir(&journal).await.map_err(failed("sync the directory of"))?;
    let manifest = Manifest {
        number: 1,
        journal: format.database,
        epoch: name.epoch,
        segments: vec![Listed { name, bytes, planned: false }],
    };
    manifest.write(env, &journal).await?;
    format.write(env, &paths.root).await?;
    Ok(format)
}

/// Removes what an interrupted creation left. A journal in which anything happened is never touched: then
/// FORMAT was lost.
async fn clear_interrupted(env: &Env, paths: &Paths, names: &[String]) -> Result<(), OpenError> {
    let journal = paths.journal();
    let first = SegmentName { first_lsn: Lsn(1), epoch: Epoch(1) };
    let harmless =
        [first.file_name(), "MANIFEST-0000000001".to_owned(), "MANIFEST-0000000001.tmp".to_owned()];
    if names.iter().any(|name| !harmless.contains(name))
        || has_frames(env, &journal.join(&harmless[0])).await?
    {
        return Err(OpenError::NotEmpty(paths.root.clone()));
    }
    for name in names {
        let path = journal.join(name);
        remove_if_there(env, &path).await.map_err(OpenError::io(format!("remove {}", path.display())))?;
    }
    Ok(())
}

/// True if anything stands after the first page of the first segment, or its second frame.
async fn has_frames(env: &Env, path: &Path) -> Result<bool, OpenError> {
    let failed = || OpenError::io(format!("read {}", path.display()));
    let file = match env.files.open(path, FileMode::Read).await {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(failed())?,
    };
    let mut bytes = vec![0; PAGE as usize];
    let read = file.read_at(0, &mut bytes).await.map_err(failed())?;
    bytes.truncate(read);
    let prologue_bytes = core::first_prologue_bytes();
    Ok(bytes.get(prologue_bytes..).is_some_and(|rest| rest.iter().any(|&byte| byte != 0)))
}

/// A file of `bytes`, zero-filled but for `image` at its start, synced.
pub(super) async fn zero_filled(
    env: &Env,
    path: &Path,
    bytes: u64,
    image: &[u8],
) -> io::Result<Arc<dyn File>> {
    let file = env.files.open(path, FileMode::CreateNew).await?;
    file.write_at(0, image).await?;
    let zeros = vec![0; 1 << 20];
    let mut at = image.len() as u64;
    while at < bytes {
        let step = (bytes - at).min(zeros.len() as u64);
        file.write_at(at, &zeros[..step as usize]).await?;
        at += step;
    }
    file.sync_data().await?;
    Ok(file)
}

/// Keeps cut bytes in `quarantine/`; returns what to tell the operator.
pub(super) async fn quarantine(env: &Env, paths: &Paths, cut: &Cut) -> Result<String, OpenError> {
    let directory = paths.quarantine();
    match env.files.list(&directory).await {
        Err(e) if e.kind() == io::ErrorKind::NotFound => make_dir(env, &directory).await?,
        other => drop(other.map_err(OpenError::io(format!("list {}", directory.display())))?),
    }
    let path = directory.join(format!("{}-{}.bin", cut.segment, cut.offset));
    let failed = |what: &str| OpenError::io(format!("{what} {}", path.display()));
    remove_if_there(env, &path).await.map_err(failed("replace"))?;
    let file = env.files.open(&path, FileMode::CreateNew).await.map_err(failed("create"))?;
    file.write_at(0, &cut.bytes).await.map_err(failed("write"))?;
    file.sync_data().await.map_err(failed("sync"))?;
    env.files.sync_dir(&directory).await.map_err(failed("sync the directory of"))?;
    Ok(format!(
        "segment {} was cut at offset {}: {}. The {} bytes cut are in {}",
        cut.segment,
        cut.offset,
        cut.what,
        cut.bytes.len(),
        path.display()
    ))
}

/// Creates a directory, durably.
async fn make_dir(env: &Env, path: &Path) -> Result<(), OpenError> {
    let failed = OpenError::io(format!("create {}", path.display()));
    env.files.create_dir(path).await.map_err(failed)?;
    sync_parent(env, path).await
}

async fn sync_parent(env: &Env, path: &Path) -> Result<(), OpenError> {
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => return Ok(()),
    };
    let failed = OpenError::io(format!("sync the directory of {}", path.display()));
    env.files.sync_dir(&parent).await.map_err(failed)
}
