//! Files of which one folder fails from some operation on, for tests: a disk that is full, or, for whoever opens the same files afterwards, a crash
//! there.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::{Env, File, Files, Io, Lock, OpenMode};

/// `env`, whose files in a folder of this name work for so many operations more; then each fails with `StorageFull`, and a write has left half of its bytes.
pub fn failing(env: &Env, folder: &'static str, left: Arc<AtomicI64>) -> Env {
    Env { files: Arc::new(FailingFiles { files: env.files.clone(), folder, left }), ..env.clone() }
}

struct FailingFiles {
    files: Arc<dyn Files>,
    folder: &'static str,
    left: Arc<AtomicI64>,
}

struct FailingFile {
    file: Arc<dyn File>,
    left: Option<Arc<AtomicI64>>,
}

fn spend(left: &AtomicI64) -> io::Result<()> {
    if left.fetch_sub(1, Ordering::AcqRel) > 0 { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
}

impl FailingFiles {
    fn spend(&self, path: &Path) -> io::Result<()> {
        let fails = path.components().any(|part| part.as_os_str() == self.folder);
        if fails { spend(&self.left) } else { Ok(()) }
    }
}

impl Files for FailingFiles {
    fn open<'a>(&'a self, path: &'a Path, mode: OpenMode) -> Io<'a, Arc<dyn File>> {
        Box::pin(async move {
            self.spend(path)?;
            let fails = path.components().any(|part| part.as_os_str() == self.folder);
            let left = fails.then(|| self.left.clone());
            Ok(Arc::new(FailingFile { file: self.files.open(path, mode).await?, left }) as Arc<dyn File>)
        })
    }

    fn create_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        Box::pin(async move {
            self.spend(path)?;
            self.files.create_dir(path).await
        })
    }

    fn list<'a>(&'a self, path: &'a Path) -> Io<'a, Vec<String>> {
        self.files.list(path)
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> Io<'a, ()> {
        Box::pin(async move {
            self.spend(to)?;
            self.files.rename(from, to).await
        })
    }

    fn remove<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        Box::pin(async move {
            self.spend(path)?;
            self.files.remove(path).await
        })
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        Box::pin(async move {
            self.spend(path)?;
            self.files.sync_dir(path).await
        })
    }

    fn lock<'a>(&'a self, path: &'a Path) -> Io<'a, Box<dyn Lock>> {
        self.files.lock(path)
    }

    fn zero_fill_pointless<'a>(&'a self, path: &'a Path) -> Io<'a, Option<&'static str>> {
        self.files.zero_fill_pointless(path)
    }
}

impl FailingFile {
    fn spend(&self) -> io::Result<()> {
        self.left.as_deref().map_or(Ok(()), spend)
    }
}

impl File for FailingFile {
    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Io<'a, usize> {
        Box::pin(async move {
            self.spend()?;
            self.file.read_at(offset, buf).await
        })
    }

    fn write_at<'a>(&'a self, offset: u64, data: &'a [u8]) -> Io<'a, ()> {
        Box::pin(async move {
            if let Err(error) = self.spend() {
                // As much as there was place for.
                self.file.write_at(offset, &data[..data.len() / 2]).await?;
                return Err(error);
            }
            self.file.write_at(offset, data).await
        })
    }

    fn sync_data(&self) -> Io<'_, ()> {
        Box::pin(async move {
            self.spend()?;
            self.file.sync_data().await
        })
    }

    fn set_len(&self, len: u64) -> Io<'_, ()> {
        Box::pin(async move {
            self.spend()?;
            self.file.set_len(len).await
        })
    }

    fn len(&self) -> Io<'_, u64> {
        Box::pin(async move {
            self.spend()?;
            self.file.len().await
        })
    }
}
