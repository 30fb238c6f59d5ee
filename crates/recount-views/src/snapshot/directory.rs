//! The directory that snapshots are files of.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use recount_env::{Env, OpenMode};

use super::SnapshotError;

/// See the module.
pub(super) struct Directory {
    pub(super) env: Env,
    pub(super) path: PathBuf,
}

impl Directory {
    /// Makes it, unless it is there.
    pub(super) async fn create(&self) -> Result<(), SnapshotError> {
        match self.env.files.create_dir(&self.path).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            created => created.map_err(|error| failed("create the directory of", &self.path, &error))?,
        }
        let parent = self.path.parent().unwrap_or(Path::new(""));
        let synced = self.env.files.sync_dir(parent).await;
        synced.map_err(|error| failed("sync the directory of", parent, &error))
    }

    /// The names of its files; none if it is not there.
    pub(super) async fn files(&self) -> Vec<String> {
        self.env.files.list(&self.path).await.unwrap_or_default()
    }

    /// Removes a file. One that stays for some reason is found again when the directory is looked at.
    pub(super) async fn remove(&self, file: &str) {
        let _ = self.env.files.remove(&self.path.join(file)).await;
    }

    /// The bytes of a file, which are to be no more than `bytes_max`.
    pub(super) async fn read(&self, file: &str, bytes_max: u64) -> Result<Vec<u8>, SnapshotError> {
        let path = self.path.join(file);
        let failed = |doing| move |error: std::io::Error| failed(doing, &self.path.join(file), &error);
        let opened = self.env.files.open(&path, OpenMode::Read).await.map_err(failed("open"))?;
        let len = opened.len().await.map_err(failed("look at"))?;
        if len > bytes_max {
            let what = format!("has {len} bytes, more than it can have");
            return Err(SnapshotError::Damaged { file: path, offset: 0, what });
        }
        let mut bytes = vec![0; len as usize];
        let read = opened.read_at(0, &mut bytes).await.map_err(failed("read"))?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Writes a file, which appears whole and durable.
    pub(super) async fn write(&self, file: &str, bytes: &[u8]) -> Result<(), SnapshotError> {
        let path = self.path.join(file);
        let failed = |doing| move |error: std::io::Error| failed(doing, &self.path.join(file), &error);
        let temporary = temporary(&path);
        // Of an attempt that failed.
        let _ = self.env.files.remove(&temporary).await;
        let opened = self.env.files.open(&temporary, OpenMode::CreateNew).await.map_err(failed("create"))?;
        opened.write_at(0, bytes).await.map_err(failed("write"))?;
        opened.sync_data().await.map_err(failed("sync"))?;
        self.name(file).await?;
        let synced = self.env.files.sync_dir(&self.path).await;
        synced.map_err(|error| self::failed("sync the directory of", &self.path, &error))
    }

    /// Gives a file that was written under its temporary name its own.
    pub(super) async fn name(&self, file: &str) -> Result<(), SnapshotError> {
        let to = self.path.join(file);
        let renamed = self.env.files.rename(&temporary(&to), &to).await;
        renamed.map_err(|error| failed("name", &to, &error))
    }
}

/// The name under which a file is written.
pub(super) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

/// What the system says.
pub(super) fn failed(doing: &'static str, path: &Path, error: &std::io::Error) -> SnapshotError {
    if error.kind() == ErrorKind::NotFound {
        return SnapshotError::Gone { file: path.to_owned() };
    }
    SnapshotError::Io { doing, file: path.to_owned(), error: error.to_string() }
}
