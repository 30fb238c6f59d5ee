//! The raw loop: what the disk gives to one writer that does nothing but `pwrite` and `fdatasync`, in the
//! journal's layout: a zero-filled segment, frames 8-byte aligned, always whole pages, so that the page
//! with the end of the previous frame is written again.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;

use crate::answer::Timings;

const SEGMENT_BYTES: u64 = 128 << 20;
const PAGE_BYTES: u64 = 4096;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    seconds: u64,
    #[arg(long)]
    bytes: u64,
}

/// Writes and syncs for the given time.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut writer = RawWriter::create(&arguments.dir, arguments.bytes)?;
    let mut timings = Timings::begin(arguments.seconds);
    while timings.goes_on() {
        let began = Instant::now();
        writer.append()?;
        timings.note(began);
    }
    timings.print(1, &[])
}

/// A segment that is appended to.
#[derive(Debug)]
pub(crate) struct RawWriter {
    file: File,
    end: u64,
    bytes: u64,
    pages: Vec<u8>,
}

impl RawWriter {
    /// A zero-filled, synced segment in `dir`; every append adds `bytes`.
    pub(crate) fn create(dir: &Path, bytes: u64) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let path = dir.join("segment");
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        let zeros = vec![0; 1 << 20];
        for offset in (0..SEGMENT_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, offset)?;
        }
        file.sync_all()?;
        File::open(dir)?.sync_all()?;
        Ok(Self { file, end: 0, bytes, pages: vec![0xa5; ((bytes / PAGE_BYTES + 2) * PAGE_BYTES) as usize] })
    }

    /// Writes the pages that the next frame touches, and syncs.
    pub(crate) fn append(&mut self) -> Result<()> {
        if self.end + self.bytes + PAGE_BYTES > SEGMENT_BYTES {
            self.end = 0;
        }
        let first_page = self.end / PAGE_BYTES * PAGE_BYTES;
        self.end = (self.end + self.bytes).next_multiple_of(8);
        let length = self.end.next_multiple_of(PAGE_BYTES) - first_page;
        self.file.write_all_at(&self.pages[..length as usize], first_page)?;
        self.file.sync_data()?;
        Ok(())
    }
}
