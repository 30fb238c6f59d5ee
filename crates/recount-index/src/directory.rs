//! The index directory: where runs live, whose database they belong to, the key of their filters, the cache
//! they share. Creates and removes run files; knows no order among them.
//!
//! A run appears by rename of a synced file, so a name that ends in `.run` is always a whole file. A crash
//! leaves a `.tmp` file, or a merged run beside the runs it covers; opening removes either.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use recount_env::{Env, File, OpenMode};

use crate::cache::{CACHE_BYTES_MAX, Cache};
use crate::error::WriteError;
use crate::filter::TermHasher;
use crate::run::{Covers, NotARun, Run, RunBuilder, RunPage};

/// Output is written, and the pace asked, when this many bytes are pending.
const WRITE_BYTES: usize = 256 << 10;
/// Written bytes are synced this often, so that the last sync has little to do and disturbs nobody.
const SYNC_BYTES: u64 = 1 << 20;

/// Called after every piece of output with its length; the writer goes on when the future ends. At most 256 KiB
/// and one chunk lie between two calls.
pub type Pace<'a> = &'a (dyn Fn(usize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync);

/// A pace that never waits.
pub fn unpaced(_bytes: usize) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(std::future::ready(()))
}

pub(crate) struct Directory {
    env: Env,
    path: PathBuf,
    database: [u8; 16],
    pub(crate) hasher: TermHasher,
    pub(crate) cache: Arc<Cache<RunPage>>,
}

impl Directory {
    /// Opens the directory, creating it if it is missing.
    pub(crate) async fn open(
        env: &Env,
        path: &Path,
        database: [u8; 16],
        hash_key: &[u8; 16],
    ) -> Result<(Directory, Vec<String>), WriteError> {
        let directory = Directory {
            env: env.clone(),
            path: path.to_owned(),
            database,
            hasher: TermHasher::new(hash_key),
            cache: Arc::new(Cache::new(CACHE_BYTES_MAX)),
        };
        let names = match env.files.list(path).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                env.files.create_dir(path).await.map_err(failed("create the index directory", path))?;
                if let Some(parent) = path.parent() {
                    env.files.sync_dir(parent).await.map_err(failed("sync the directory", parent))?;
                }
                Vec::new()
            }
            listed => listed.map_err(failed("list the index directory", path))?,
        };
        Ok((directory, names))
    }

    pub(crate) async fn open_run(&self, name: &str) -> Result<Run, NotARun> {
        Run::open(&self.env, &self.path, name, &self.database, &self.hasher, &self.cache).await
    }

    /// A builder for a run in this directory, of `terms_max` terms at most.
    pub(crate) fn builder(&self, covers: Covers, terms_max: u64) -> RunBuilder {
        RunBuilder::new(&self.database, &self.hasher, covers, terms_max)
    }

    /// Begins a run file under its temporary name.
    pub(crate) async fn create<'a>(
        &self,
        covers: &Covers,
        pace: Pace<'a>,
    ) -> Result<RunWriter<'a>, WriteError> {
        let name = covers.file_name();
        let path = self.path.join(format!("{name}.tmp"));
        let open = || self.env.files.open(&path, OpenMode::CreateNew);
        let file = match open().await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.env.files.remove(&path).await.map_err(failed("remove", &path))?;
                open().await
            }
            opened => opened,
        };
        let file = file.map_err(failed("create", &path))?;
        Ok(RunWriter { file, name, path, written: 0, unsynced: 0, pace })
    }

    /// Gives a finished file its name, durably, and opens it.
    pub(crate) async fn install(&self, writer: RunWriter<'_>) -> Result<Arc<Run>, WriteError> {
        let to = self.path.join(&writer.name);
        self.env.files.rename(&writer.path, &to).await.map_err(failed("rename to", &to))?;
        self.sync().await?;
        match self.open_run(&writer.name).await {
            Ok(run) => {
                // Here and not in the first look-up, which somebody waits for.
                run.load_filter().await?;
                Ok(Arc::new(run))
            }
            Err(NotARun::Unreadable(error)) => Err(error.into()),
            Err(NotARun::OtherDatabase) => unreachable!("the run was written for this database"),
        }
    }

    /// Removes files, durably.
    pub(crate) async fn remove(&self, names: Vec<&str>) -> Result<(), WriteError> {
        let mut removed = false;
        for name in names {
            let path = self.path.join(name);
            match self.env.files.remove(&path).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                done => done.map_err(failed("remove", &path))?,
            }
            removed = true;
        }
        if removed { self.sync().await } else { Ok(()) }
    }

    async fn sync(&self) -> Result<(), WriteError> {
        self.env.files.sync_dir(&self.path).await.map_err(failed("sync the index directory", &self.path))
    }
}

/// A run file being written.
pub(crate) struct RunWriter<'a> {
    file: Arc<dyn File>,
    name: String,
    path: PathBuf,
    written: u64,
    unsynced: u64,
    pace: Pace<'a>,
}

impl RunWriter<'_> {
    /// Writes what is pending if it is enough for a write.
    pub(crate) async fn drain(&mut self, builder: &mut RunBuilder) -> Result<(), WriteError> {
        if builder.pending().len() < WRITE_BYTES { Ok(()) } else { self.write(builder).await }
    }

    /// Writes the rest and makes it durable.
    pub(crate) async fn finish(&mut self, mut builder: RunBuilder) -> Result<(), WriteError> {
        builder.finish();
        self.write(&mut builder).await?;
        while builder.put_filter_page() {
            self.drain(&mut builder).await?;
        }
        builder.put_footer();
        self.write(&mut builder).await?;
        self.sync().await
    }

    async fn write(&mut self, builder: &mut RunBuilder) -> Result<(), WriteError> {
        // The root may be long: no more than a write's worth at a time.
        for bytes in builder.pending().chunks(WRITE_BYTES + WRITE_BYTES / 2) {
            self.file.write_at(self.written, bytes).await.map_err(failed("write", &self.path))?;
            self.written += bytes.len() as u64;
            self.unsynced += bytes.len() as u64;
            if self.unsynced >= SYNC_BYTES {
                self.sync().await?;
            }
            (self.pace)(bytes.len()).await;
        }
        builder.taken();
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), WriteError> {
        self.unsynced = 0;
        self.file.sync_data().await.map_err(failed("sync", &self.path))
    }
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> WriteError + use<'a> {
    move |source| WriteError::Io { doing, path: path.display().to_string(), source }
}
