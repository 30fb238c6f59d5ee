//! Linux: files through `std::fs`, clocks and locks through system calls, tasks on threads.
//!
//! The futures do their system call when they are polled and are ready at once.

use std::fs;
use std::future::{Future, poll_fn};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::executor::{block_on, poll_again_at};
use crate::{Clock, Entropy, Env, File, Files, Io, Lock, OpenMode, Signal, Task, Tasks};

/// The machine that this process runs on.
pub fn env() -> Env {
    Env {
        files: Arc::new(RealFiles),
        clock: Arc::new(RealClock { boot_id: boot_id() }),
        entropy: Arc::new(RealEntropy),
        tasks: Arc::new(RealTasks),
    }
}

/// Lets this process open as many files at a time as the system allows it.
pub fn raise_files_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    }
    Ok(())
}

pub(crate) struct RealFiles;

impl Files for RealFiles {
    fn open<'a>(&'a self, path: &'a Path, mode: OpenMode) -> Io<'a, Arc<dyn File>> {
        when_polled(move || Ok(Arc::new(RealFile(open(path, mode)?)) as Arc<dyn File>))
    }

    fn create_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        when_polled(move || fs::create_dir(path))
    }

    fn list<'a>(&'a self, path: &'a Path) -> Io<'a, Vec<String>> {
        when_polled(move || list(path))
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> Io<'a, ()> {
        when_polled(move || fs::rename(from, to))
    }

    fn remove<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        when_polled(move || fs::remove_file(path))
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        when_polled(move || fs::File::open(path)?.sync_all())
    }

    fn lock<'a>(&'a self, path: &'a Path) -> Io<'a, Box<dyn Lock>> {
        when_polled(move || lock(path))
    }

    fn zero_fill_pointless<'a>(&'a self, path: &'a Path) -> Io<'a, Option<&'static str>> {
        when_polled(move || Ok(not_written_in_place(rustix::fs::statfs(path)?.f_type as u64)))
    }
}

/// File systems where a write does not go to the blocks that zeros went to before.
fn not_written_in_place(magic: u64) -> Option<&'static str> {
    match magic & 0xffff_ffff {
        0x9123_683e => Some("btrfs"),
        0x2fc1_2fc1 => Some("ZFS"),
        0xca45_1a4e => Some("bcachefs"),
        0xf2f5_2010 => Some("F2FS"),
        0x3434 => Some("NILFS"),
        0x0102_1994 => Some("tmpfs"),
        _ => None,
    }
}

fn open(path: &Path, mode: OpenMode) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    match mode {
        OpenMode::Read | OpenMode::ReadScattered => options.read(true),
        OpenMode::ReadWrite => options.read(true).write(true),
        OpenMode::CreateNew => options.read(true).write(true).create_new(true).mode(0o600),
    };
    let file = options.open(path)?;
    if mode == OpenMode::ReadScattered {
        // A hint: a file system that does not take it reads all the same.
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random);
    }
    Ok(file)
}

fn list(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        // Names that are not text are not ours.
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn lock(path: &Path) -> io::Result<Box<dyn Lock>> {
    let file =
        fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(Box::new(RealLock(file)))
}

/// Released when the file is closed.
struct RealLock(#[expect(dead_code, reason = "held for its drop")] fs::File);

impl Lock for RealLock {}

struct RealFile(fs::File);

impl File for RealFile {
    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Io<'a, usize> {
        when_polled(move || read_fully(&self.0, offset, buf))
    }

    fn write_at<'a>(&'a self, offset: u64, data: &'a [u8]) -> Io<'a, ()> {
        when_polled(move || self.0.write_all_at(data, offset))
    }

    fn sync_data(&self) -> Io<'_, ()> {
        when_polled(|| self.0.sync_data())
    }

    fn set_len(&self, len: u64) -> Io<'_, ()> {
        when_polled(move || self.0.set_len(len))
    }

    fn len(&self) -> Io<'_, u64> {
        when_polled(|| Ok(self.0.metadata()?.len()))
    }
}

fn read_fully(file: &fs::File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match file.read_at(&mut buf[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Makes the call when it is polled, and is ready at once.
pub(crate) fn when_polled<'a, T: 'a>(call: impl FnOnce() -> io::Result<T> + Send + 'a) -> Io<'a, T> {
    Box::pin(async move { call() })
}

pub(crate) struct RealClock {
    pub(crate) boot_id: [u8; 16],
}

impl Clock for RealClock {
    fn now_us(&self) -> i64 {
        let now = clock_gettime(ClockId::Realtime);
        now.tv_sec * 1_000_000 + now.tv_nsec / 1000
    }

    fn boottime_us(&self) -> u64 {
        let now = clock_gettime(ClockId::Boottime);
        (now.tv_sec * 1_000_000 + now.tv_nsec / 1000) as u64
    }

    fn boot_id(&self) -> [u8; 16] {
        self.boot_id
    }
}

/// This boot's id as the kernel names it; zeros where it does not.
pub(crate) fn boot_id() -> [u8; 16] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    id
}

pub(crate) struct RealEntropy;

impl Entropy for RealEntropy {
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out).expect("the operating system has random bytes");
    }
}

pub(crate) struct RealTasks;

impl Tasks for RealTasks {
    fn spawn(&self, name: &str, task: Task) {
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn(move || block_on(task)).expect("the operating system has a thread to give");
    }

    fn wait<'a>(
        &'a self,
        signal: &'a Signal,
        seen: u64,
        timeout: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        // A time past all times is no deadline.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut changed = signal.changed(seen);
        Box::pin(poll_fn(move |cx| {
            let changed = Pin::new(&mut changed).poll(cx);
            if let Some(deadline) = deadline
                && changed.is_pending()
            {
                if Instant::now() >= deadline {
                    return Poll::Ready(());
                }
                poll_again_at(deadline);
            }
            changed
        }))
    }
}
