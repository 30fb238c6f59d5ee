//! I/O on the simulated machine: every call takes time, is counted, and may meet a fault.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;

use super::disk::{FileId, SECTOR};
use super::faults::Site;
use super::{Core, Handle, InFlight, World};
use crate::planted::{self, Bug};
use crate::{File, Files, Io, Lock, OpenMode};

/// How far an operation gets before the process stops.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crash {
    Before,
    Within,
    After,
}

impl Handle {
    /// Lets an operation take its time, then does it. Stops the process if that is due; then this never ends.
    async fn operate<T>(
        &self,
        operation: &'static str,
        path: &Path,
        mut act: impl FnMut(&mut Core, Site, bool) -> io::Result<T>,
    ) -> io::Result<T> {
        let id = self.world.lock().begin_io();
        let ended = EndIo { world: &self.world, id };
        poll_fn(|cx| {
            let mut core = self.world.lock();
            if core.incarnation != self.incarnation || core.stopped {
                return Poll::Pending;
            }
            match core.in_flight.get_mut(&id) {
                Some(InFlight { ended: false, waker, .. }) => {
                    *waker = Some(cx.waker().clone());
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            }
        })
        .await;
        drop(ended);
        let result = {
            let mut core = self.world.lock();
            let site = Site { operation, class: (core.classify)(path) };
            let crash = core
                .crash_due(site)
                .then(|| [Crash::Before, Crash::Within, Crash::After][core.rng.below(3) as usize]);
            core.counts.operation(site);
            core.note(format!("{operation} {}", path.display()));
            if let Some(crash) = crash {
                let name = match crash {
                    Crash::Before => "crash before",
                    Crash::Within => "crash within",
                    Crash::After => "crash after",
                };
                core.counts.fault(name, site);
                if crash != Crash::Before {
                    let _ = act(&mut core, site, crash == Crash::Within);
                }
                core.note(name.to_owned());
                core.stopped = true;
                None
            } else {
                Some(act(&mut core, site, false))
            }
        };
        match result {
            Some(result) => result,
            None => std::future::pending().await,
        }
    }
}

/// Forgets an I/O that nobody waits for any more.
struct EndIo<'a> {
    world: &'a World,
    id: u64,
}

impl Drop for EndIo<'_> {
    fn drop(&mut self) {
        let forgotten = self.world.lock().in_flight.remove(&self.id);
        drop(forgotten);
    }
}

impl Core {
    /// True if a fault strikes here.
    fn strikes(&mut self, fault: &'static str, one_in: u64, site: Site) -> bool {
        let strikes = self.rng.one_in(one_in);
        if strikes {
            self.counts.fault(fault, site);
            self.note(fault.to_owned());
        }
        strikes
    }

    fn has_space(&mut self, more: u64, site: Site) -> bool {
        let full = self.faults.capacity_bytes > 0 && self.disk.used() + more > self.faults.capacity_bytes;
        if full {
            self.counts.fault("ENOSPC", site);
        }
        !full && !self.strikes("ENOSPC", self.faults.enospc_one_in, site)
    }
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())
}

fn enospc() -> io::Error {
    io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error())
}

impl Files for Handle {
    fn open<'a>(&'a self, path: &'a Path, mode: OpenMode) -> Io<'a, Arc<dyn File>> {
        let operation = if mode == OpenMode::CreateNew { "create" } else { "open" };
        Box::pin(async move {
            let id = self
                .operate(operation, path, |core, site, _| match (core.disk.find(path), mode) {
                    (Some(_), OpenMode::CreateNew) => Err(ErrorKind::AlreadyExists.into()),
                    (Some(id), _) => Ok(id),
                    (None, OpenMode::CreateNew) if core.has_space(0, site) => Ok(core.disk.create(path)),
                    (None, OpenMode::CreateNew) => Err(enospc()),
                    (None, _) => Err(ErrorKind::NotFound.into()),
                })
                .await?;
            let handle = Handle {
                world: self.world.clone(),
                incarnation: self.incarnation,
                woken: self.woken.clone(),
            };
            Ok(Arc::new(SimFile { handle, id, path: path.to_owned() }) as Arc<dyn File>)
        })
    }

    fn create_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        Box::pin(self.operate("create_dir", path, move |core, site, _| {
            if !core.has_space(0, site) {
                return Err(enospc());
            }
            if core.disk.create_dir(path) { Ok(()) } else { Err(ErrorKind::AlreadyExists.into()) }
        }))
    }

    fn list<'a>(&'a self, path: &'a Path) -> Io<'a, Vec<String>> {
        Box::pin(
            self.operate("list", path, move |core, _, _| {
                core.disk.list(path).ok_or(ErrorKind::NotFound.into())
            }),
        )
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> Io<'a, ()> {
        Box::pin(self.operate("rename", to, move |core, _, _| {
            if core.disk.rename(from, to) { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
        }))
    }

    fn remove<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        Box::pin(self.operate("remove", path, move |core, _, _| {
            if core.disk.remove(path) { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
        }))
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        Box::pin(self.operate("sync_dir", path, move |core, site, partly| {
            if partly {
                return Ok(());
            }
            if core.strikes("EIO on sync", core.faults.sync_eio_one_in, site) {
                return Err(eio());
            }
            if !planted::is(Bug::NoDirectorySync) {
                core.disk.sync_dir(path);
            }
            Ok(())
        }))
    }

    fn lock<'a>(&'a self, path: &'a Path) -> Io<'a, Box<dyn Lock>> {
        Box::pin(async move {
            self.operate("lock", path, |core, _, _| {
                if !core.disk.lock(path) {
                    return Err(ErrorKind::WouldBlock.into());
                }
                if core.disk.find(path).is_none() {
                    core.disk.create(path);
                }
                Ok(())
            })
            .await?;
            let lock =
                SimLock { world: self.world.clone(), incarnation: self.incarnation, path: path.to_owned() };
            Ok(Box::new(lock) as Box<dyn Lock>)
        })
    }

    fn zero_fill_pointless<'a>(&'a self, _path: &'a Path) -> Io<'a, Option<&'static str>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

struct SimLock {
    world: World,
    incarnation: u64,
    path: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut core = self.world.lock();
        if core.incarnation == self.incarnation {
            core.disk.unlock(&self.path);
        }
    }
}

struct SimFile {
    handle: Handle,
    id: FileId,
    path: PathBuf,
}

impl File for SimFile {
    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Io<'a, usize> {
        let id = self.id;
        Box::pin(self.handle.operate("read", &self.path, move |core, site, _| {
            if core.strikes("EIO on read", core.faults.read_eio_one_in, site) {
                return Err(eio());
            }
            let len = core.disk.len(id);
            if len > offset && core.rng.one_in(core.faults.bit_flip_one_in) {
                let within = core.rng.below((len - offset).min(buf.len().max(1) as u64));
                let bit = core.rng.below(8) as u8;
                if core.disk.rot(id, offset + within, bit) {
                    core.counts.fault("bit flip", site);
                    core.note(format!("bit flip at {}", offset + within));
                }
            }
            Ok(core.disk.read(id, offset, buf))
        }))
    }

    fn write_at<'a>(&'a self, offset: u64, data: &'a [u8]) -> Io<'a, ()> {
        let id = self.id;
        Box::pin(self.handle.operate("write", &self.path, move |core, site, partly| {
            let len = core.disk.len(id);
            let grows = (offset + data.len() as u64).saturating_sub(len);
            if grows > 0 && !core.has_space(grows, site) {
                return Err(enospc());
            }
            let fails = !partly && core.strikes("EIO on write", core.faults.write_eio_one_in, site);
            if partly || fails {
                // A prefix, cut at a sector, reached the page cache.
                let sectors = core.rng.below(data.len() as u64 / SECTOR as u64 + 1) as usize;
                core.disk.write(id, offset, &data[..sectors * SECTOR]);
                return if fails { Err(eio()) } else { Ok(()) };
            }
            core.disk.write(id, offset, data);
            if core.strikes("lost write", core.faults.lost_write_one_in, site) {
                core.disk.lose(id, offset, data.len());
            }
            if len > data.len() as u64
                && core.strikes("misdirected write", core.faults.misdirected_one_in, site)
            {
                let sectors = (len - data.len() as u64) / SECTOR as u64;
                let elsewhere = core.rng.below(sectors + 1) * SECTOR as u64;
                core.disk.write(id, elsewhere, data);
            }
            Ok(())
        }))
    }

    fn sync_data(&self) -> Io<'_, ()> {
        let id = self.id;
        Box::pin(self.handle.operate("sync_data", &self.path, move |core, site, partly| {
            if partly {
                return Ok(());
            }
            if core.strikes("EIO on sync", core.faults.sync_eio_one_in, site) {
                core.disk.fail_sync(id);
                return Err(eio());
            }
            core.disk.sync(id);
            Ok(())
        }))
    }

    fn set_len(&self, len: u64) -> Io<'_, ()> {
        let id = self.id;
        Box::pin(self.handle.operate("set_len", &self.path, move |core, site, _| {
            let grows = len.saturating_sub(core.disk.len(id));
            if grows > 0 && !core.has_space(grows, site) {
                return Err(enospc());
            }
            core.disk.set_len(id, len);
            Ok(())
        }))
    }

    fn len(&self) -> Io<'_, u64> {
        let id = self.id;
        Box::pin(self.handle.operate("open", &self.path, move |core, _, _| Ok(core.disk.len(id))))
    }
}
