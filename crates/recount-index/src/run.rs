//! A run: one immutable file of the index, covering a range of positions. `docs/format-index.md` has every byte.
//!
//! ```text
//! file: ( chunk │ skip page │ term block │ group )*   frame page*   root   frame root   filter page*   footer
//! find: filter ──► root ──► group of fences ──► term block ──► skip pages ──► chunk
//!       └── kept ─────┘     └── cached ───┘     └──────── read when asked ────────┘
//! ```
//! Opening reads the footer. Whatever is read is checked against its seal and its bounds; what does not pass
//! is [`IndexDamage`], never a missing result. An open run stays readable after its file is removed.

mod block;
mod builder;
mod fences;
mod filtered;
mod footer;
mod front;
mod postings;
mod scan;
mod seal;
mod tree;

use std::fmt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use recount_env::{Env, File, OpenMode};
use siphasher::sip128::Hash128;

use crate::cache::{Cache, Page};
use crate::error::{Flaw, IndexDamage, ReadError};
use crate::filter::{Filter, TermHasher};
use crate::frames::{self, FrameKey, FrameRef, FrameRoot};
use crate::wire::Reader;
use block::{BlockReader, Entry, Frame};
use fences::Fences;
use filtered::RunFilter;
use footer::{FOOTER_BYTES, Footer, Section};
use seal::Seal;

pub(crate) use builder::RunBuilder;
pub use footer::Covers;
pub use postings::{RunPostings, TermEntry};
pub(crate) use scan::{List, TermScan};

/// One immutable file of the index.
pub struct Run {
    file: Arc<dyn File>,
    name: String,
    footer: Footer,
    seal: Seal,
    root: OnceLock<Fences>,
    filter: RunFilter,
    serial: u64,
    cache: Arc<Cache<RunPage>>,
}

/// What is cached of a run.
#[derive(Debug)]
pub(crate) enum RunPage {
    Group(Fences),
    FilterPage(Filter),
    FrameRoot(FrameRoot),
    Frames(Vec<FrameRef>),
}

/// Why a file is not a run of this database.
#[derive(Debug)]
pub(crate) enum NotARun {
    Unreadable(ReadError),
    OtherDatabase,
}

impl Run {
    /// Opens the file `name` in `dir`; reads its footer only.
    pub(crate) async fn open(
        env: &Env,
        dir: &Path,
        name: &str,
        database: &[u8; 16],
        hasher: &TermHasher,
        cache: &Arc<Cache<RunPage>>,
    ) -> Result<Run, NotARun> {
        let io = |source| NotARun::Unreadable(ReadError::Io { file: name.to_owned(), source });
        let file = env.files.open(&dir.join(name), OpenMode::ReadScattered).await.map_err(io)?;
        let file_bytes = file.len().await.map_err(io)?;
        let footer_at = file_bytes.saturating_sub(FOOTER_BYTES as u64);
        let mut bytes = vec![0; FOOTER_BYTES];
        let read = file.read_at(footer_at, &mut bytes).await.map_err(io)?;
        bytes.truncate(read);
        let damage = |what| {
            let damage = IndexDamage { file: name.to_owned(), offset: footer_at, what };
            NotARun::Unreadable(ReadError::Damage(damage))
        };
        let footer = Footer::decode(&bytes, file_bytes).map_err(|flaw| damage(flaw.what))?;
        if footer.database != *database {
            return Err(NotARun::OtherDatabase);
        }
        if footer.covers.file_name() != name {
            return Err(damage("the file covers other positions than its name says"));
        }
        if footer.key_fingerprint != hasher.fingerprint() {
            return Err(damage("its filters were made with another key"));
        }
        let seal = Seal::new(database, &footer.covers);
        let serial = cache.next_serial();
        Ok(Run {
            file,
            name: name.to_owned(),
            footer,
            seal,
            root: OnceLock::new(),
            filter: RunFilter::default(),
            serial,
            cache: cache.clone(),
        })
    }

    /// The positions and lsns covered.
    pub fn covers(&self) -> Covers {
        self.footer.covers
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's length.
    pub fn file_bytes(&self) -> u64 {
        self.footer.file_bytes
    }

    /// Number of distinct terms.
    pub fn terms(&self) -> u64 {
        self.footer.terms
    }

    /// Number of postings.
    pub fn postings(&self) -> u64 {
        self.footer.postings
    }

    /// Looks a term up. At most one block read, and none for most terms that are not here.
    pub(crate) async fn find(
        self: &Arc<Self>,
        term: &[u8],
        hash: Hash128,
    ) -> Result<Option<TermEntry>, ReadError> {
        let found = self.entry(term, hash).await?;
        Ok(found.map(|entry| TermEntry::new(self.clone(), entry)))
    }

    /// How many postings of a term the run has, and how many all older runs have, if that is known. The same reads.
    pub(crate) async fn counts(
        &self,
        term: &[u8],
        hash: Hash128,
    ) -> Result<Option<(u64, Option<u64>)>, ReadError> {
        let found = self.entry(term, hash).await?;
        Ok(found.map(|entry| (entry.count, entry.first_revision)))
    }

    async fn entry(&self, term: &[u8], hash: Hash128) -> Result<Option<Entry>, ReadError> {
        if !self.may_hold(hash).await? {
            return Ok(None);
        }
        let Some(group) = self.root().await?.find(term) else { return Ok(None) };
        let group = self.group_page(group).await?;
        let RunPage::Group(group) = &*group else { unreachable!("one offset holds one kind of page") };
        let Some((offset, len)) = group.find(term) else { return Ok(None) };
        let block = self.read_block(offset, len).await?;
        let found = BlockReader::new(&block, self.frame(offset)).find(term);
        found.map_err(|flaw| self.flawed(offset, flaw))
    }

    /// The greatest frame of this run that does not exceed `key`.
    pub(crate) async fn frame_at(&self, key: FrameKey) -> Result<Option<FrameRef>, ReadError> {
        let root = self.frame_root_page().await?;
        let RunPage::FrameRoot(root) = &*root else { unreachable!("one offset holds one kind of page") };
        let Some(page) = frames::find(&root.firsts, key) else { return Ok(None) };
        let (offset, len) = root.pages[page];
        let page = self.frames_page(offset, len).await?;
        let RunPage::Frames(page) = &*page else { unreachable!("one offset holds one kind of page") };
        Ok(frames::find(page, key).map(|at| page[at]))
    }

    /// Kept by the run and not by the cache: a thousandth of the file, and every look-up begins with it.
    async fn root(&self) -> Result<&Fences, ReadError> {
        if let Some(root) = self.root.get() {
            return Ok(root);
        }
        self.cache.page_reads.fetch_add(1, Ordering::Relaxed);
        let Section { offset, len } = self.footer.root;
        let payload = self.read_sealed(offset, len as usize).await?;
        let root = Fences::decode_piece(&payload, offset).map_err(|flaw| self.flawed(offset, flaw))?;
        Ok(self.root.get_or_init(|| root))
    }

    async fn group_page(&self, (offset, len): (u64, usize)) -> Result<Arc<RunPage>, ReadError> {
        self.page(offset, len, |payload| Fences::decode_piece(payload, offset).map(RunPage::Group)).await
    }

    async fn frame_root_page(&self) -> Result<Arc<RunPage>, ReadError> {
        let Section { offset, len } = self.footer.frame_root;
        self.page(offset, len as usize, |payload| FrameRoot::decode(payload).map(RunPage::FrameRoot)).await
    }

    async fn frames_page(&self, offset: u64, len: usize) -> Result<Arc<RunPage>, ReadError> {
        let decode = |payload: &[u8]| frames::read_frames(&mut Reader::new(payload)).map(RunPage::Frames);
        self.page(offset, len, decode).await
    }

    /// A piece from the cache, or from the file into the cache.
    async fn page(
        &self,
        offset: u64,
        len: usize,
        decode: impl FnOnce(&[u8]) -> Result<RunPage, Flaw>,
    ) -> Result<Arc<RunPage>, ReadError> {
        let key = (self.serial, offset);
        if let Some(page) = self.cache.get(key) {
            return Ok(page);
        }
        self.cache.page_reads.fetch_add(1, Ordering::Relaxed);
        let payload = self.read_sealed(offset, len).await?;
        let page = Arc::new(decode(&payload).map_err(|flaw| self.flawed(offset, flaw))?);
        self.cache.put(key, &page);
        Ok(page)
    }

    /// Reads a term block, a chunk or a skip page.
    async fn read_block(&self, offset: u64, len: usize) -> Result<Vec<u8>, ReadError> {
        self.cache.block_reads.fetch_add(1, Ordering::Relaxed);
        self.read_sealed(offset, len).await
    }

    async fn read_sealed(&self, offset: u64, len: usize) -> Result<Vec<u8>, ReadError> {
        let mut bytes = self.read(offset, len).await?;
        let payload_bytes = self.unsealed(offset, &bytes)?.len();
        bytes.truncate(payload_bytes);
        Ok(bytes)
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, ReadError> {
        let end = offset.checked_add(len as u64).filter(|&end| end <= self.footer.file_bytes);
        if end.is_none() {
            return Err(self.damage(offset, "a pointer leads beyond the end of the file"));
        }
        let mut bytes = vec![0; len];
        let read = self.file.read_at(offset, &mut bytes).await;
        let read = read.map_err(|source| ReadError::Io { file: self.name.clone(), source })?;
        if read < len {
            return Err(self.damage(offset, "the file ends early"));
        }
        Ok(bytes)
    }

    /// The content of the piece at `offset`.
    fn unsealed<'a>(&self, offset: u64, sealed: &'a [u8]) -> Result<&'a [u8], ReadError> {
        self.seal.open(offset, sealed).ok_or_else(|| self.damage(offset, "the checksum does not match"))
    }

    fn frame(&self, block_offset: u64) -> Frame {
        let Covers { from_position, to_position, .. } = self.footer.covers;
        Frame { from_position, to_position, block_offset }
    }

    fn flawed(&self, offset: u64, flaw: Flaw) -> ReadError {
        self.damage(offset + flaw.at as u64, flaw.what)
    }

    fn damage(&self, offset: u64, what: &'static str) -> ReadError {
        IndexDamage { file: self.name.clone(), offset, what }.into()
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run({})", self.name)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.cache.forget(self.serial);
    }
}

impl Page for RunPage {
    fn heap_bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                RunPage::Group(group) => group.heap_bytes(),
                RunPage::FilterPage(lines) => lines.heap_bytes(),
                RunPage::FrameRoot(root) => {
                    root.firsts.capacity() * size_of::<FrameRef>()
                        + root.pages.capacity() * size_of::<(u64, usize)>()
                }
                RunPage::Frames(frames) => frames.capacity() * size_of::<FrameRef>(),
            }
    }
}

#[cfg(test)]
mod tests;
