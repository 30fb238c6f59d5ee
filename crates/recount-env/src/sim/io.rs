//! What each I/O does to the simulated disk, and what a fault makes of it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{FileId, SECTOR};
use super::faults::{Fault, Site};
use super::handle::Handle;
use super::operation::Extent;
use super::{Core, World};
use crate::planted::{self, Bug};
use crate::{File, Files, Io, Lock, OpenMode};

impl Core {
    /// True if a fault strikes here.
    fn strikes(&mut self, fault: Fault, site: Site) -> bool {
        let appointed = (self.faults.strike)
            .is_some_and(|at| at.fault == fault && at.site == site && at.n + 1 == self.counts.of(site));
        let strikes = self.rng.one_in(self.faults.one_in(fault)) || appointed;
        if strikes {
            self.counts.fault(fault.name(), site);
            self.note(fault.name().to_owned());
        }
        strikes
    }

    /// Refuses what the disk has no room for.
    fn check_space(&mut self, more: u64, site: Site) -> io::Result<()> {
        let capacity = self.faults.capacity_bytes;
        if capacity > 0 && more > 0 && self.disk.used() + more > capacity {
            self.counts.fault(Fault::NoSpace.name(), site);
            return Err(enospc());
        }
        if self.strikes(Fault::NoSpace, site) { Err(enospc()) } else { Ok(()) }
    }

    fn write(&mut self, id: FileId, offset: u64, data: &[u8], site: Site, extent: Extent) -> io::Result<()> {
        let len = self.disk.len(id);
        let grows = (offset + data.len() as u64).saturating_sub(len);
        if grows > 0 {
            self.check_space(grows, site)?;
        }
        let fails = extent == Extent::Whole && self.strikes(Fault::WriteEio, site);
        if extent == Extent::Part || fails {
            // A prefix, cut at a sector, reached the page cache.
            let sectors = self.rng.below((data.len() / SECTOR) as u64 + 1) as usize;
            self.disk.write(id, offset, &data[..sectors * SECTOR])?;
            return if fails { Err(eio()) } else { Ok(()) };
        }
        self.disk.write(id, offset, data)?;
        if self.strikes(Fault::LostWrite, site) {
            self.disk.lose(id, offset, data.len());
        }
        if len > data.len() as u64 {
            if self.strikes(Fault::MisdirectedWrite, site) {
                self.damage(id, data);
            }
            if self.strikes(Fault::MisplacedWrite, site) {
                self.disk.lose(id, offset, data.len());
                self.damage(id, data);
            }
        }
        if self.strikes(Fault::MisfiledWrite, site) {
            let others: Vec<FileId> = self.disk.named().into_iter().filter(|&other| other != id).collect();
            let chosen = self.rng.below(others.len() as u64) as usize;
            others.get(chosen).into_iter().for_each(|&other| self.damage(other, data));
        }
        Ok(())
    }

    /// Puts data on some sectors of a file where it does not belong.
    fn damage(&mut self, id: FileId, data: &[u8]) {
        let places = self.disk.len(id).saturating_sub(data.len() as u64) / SECTOR as u64 + 1;
        let offset = self.rng.below(places) * SECTOR as u64;
        self.disk.overwrite(id, offset, data);
        self.note(format!("damage at {offset}"));
    }
}

fn enospc() -> io::Error {
    io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error())
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())
}

impl Files for Handle {
    fn open<'a>(&'a self, path: &'a Path, mode: OpenMode) -> Io<'a, Arc<dyn File>> {
        let kind = if mode == OpenMode::CreateNew { "create" } else { "open" };
        self.operate(kind, path, move |core, site, _| {
            if mode == OpenMode::CreateNew {
                core.check_space(0, site)?;
            }
            let id = core.disk.open(path, mode)?;
            Ok(Arc::new(SimFile { handle: self.clone(), id, path: path.to_owned(), mode }) as Arc<dyn File>)
        })
    }

    fn create_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        self.operate("create_dir", path, move |core, site, _| {
            core.check_space(0, site)?;
            core.disk.create_dir(path)
        })
    }

    fn list<'a>(&'a self, path: &'a Path) -> Io<'a, Vec<String>> {
        self.operate("list", path, move |core, _, _| core.disk.list(path))
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> Io<'a, ()> {
        self.operate("rename", to, move |core, _, _| core.disk.rename(from, to))
    }

    fn remove<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        self.operate("remove", path, move |core, _, _| core.disk.remove(path))
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        self.operate("sync_dir", path, move |core, site, extent| {
            if extent == Extent::Part {
                return Ok(());
            }
            if core.strikes(Fault::SyncEio, site) {
                let read_only = core.faults.read_only_after_sync_dir;
                core.disk.fail_sync_dir(path, read_only);
                return Err(eio());
            }
            if planted::is(Bug::NoDirectorySync) { Ok(()) } else { core.disk.sync_dir(path) }
        })
    }

    fn lock<'a>(&'a self, path: &'a Path) -> Io<'a, Box<dyn Lock>> {
        self.operate("lock", path, move |core, _, _| {
            core.disk.lock(path)?;
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
    mode: OpenMode,
}

impl SimFile {
    fn check_writable(&self) -> io::Result<()> {
        match self.mode {
            OpenMode::Read | OpenMode::ReadScattered => {
                Err(io::Error::from_raw_os_error(rustix::io::Errno::BADF.raw_os_error()))
            }
            OpenMode::ReadWrite | OpenMode::CreateNew => Ok(()),
        }
    }
}

impl File for SimFile {
    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Io<'a, usize> {
        self.handle.operate("read", &self.path, move |core, site, _| {
            if core.strikes(Fault::ReadEio, site) {
                return Err(eio());
            }
            let bytes = core.disk.len(self.id).saturating_sub(offset).min(buf.len() as u64);
            if bytes > 0 && core.strikes(Fault::BitFlip, site) {
                let at = offset + core.rng.below(bytes);
                let bit = core.rng.below(8) as u8;
                core.disk.rot(self.id, at, bit);
                core.note(format!("bit {bit} of byte {at}"));
            }
            Ok(core.disk.read(self.id, offset, buf))
        })
    }

    fn write_at<'a>(&'a self, offset: u64, data: &'a [u8]) -> Io<'a, ()> {
        self.handle.operate("write", &self.path, move |core, site, extent| {
            self.check_writable()?;
            core.write(self.id, offset, data, site, extent)
        })
    }

    fn sync_data(&self) -> Io<'_, ()> {
        self.handle.operate("sync_data", &self.path, move |core, site, extent| {
            if extent == Extent::Part {
                return Ok(());
            }
            if core.strikes(Fault::SyncEio, site) {
                core.disk.fail_sync(self.id);
                return Err(eio());
            }
            core.disk.sync(self.id)
        })
    }

    fn set_len(&self, len: u64) -> Io<'_, ()> {
        self.handle.operate("set_len", &self.path, move |core, site, _| {
            self.check_writable()?;
            let grows = len.saturating_sub(core.disk.len(self.id));
            if grows > 0 {
                core.check_space(grows, site)?;
            }
            core.disk.set_len(self.id, len)
        })
    }

    fn len(&self) -> Io<'_, u64> {
        self.handle.operate("len", &self.path, move |core, _, _| Ok(core.disk.len(self.id)))
    }
}
