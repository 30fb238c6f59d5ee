//! What may go wrong, and counts of what did.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// An operation on a kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// `open`, `create`, `read`, `write`, `sync_data`, `set_len`, `rename`, `remove`, `sync_dir`, `create_dir`, `list`, `lock`, `len`.
    pub operation: &'static str,
    /// What the path is.
    pub class: &'static str,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.class)
    }
}

/// When the process stops by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashAt {
    /// At the n-th operation of all, from 0.
    Operation(u64),
    /// At the n-th operation at a site, from 0.
    Site(Site, u64),
}

/// A thing that goes wrong in an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A write fails; part of it may have reached the page cache.
    WriteEio,
    /// A sync fails; the pages count as clean from then on, and what they held never reaches the disk. Neither
    /// do the changes of a directory whose sync failed.
    SyncEio,
    /// A read fails.
    ReadEio,
    /// A write, creation or growth finds no space.
    NoSpace,
    /// A write is reported and never reaches the disk, although synced.
    LostWrite,
    /// A write reaches another place of its file as well.
    MisdirectedWrite,
    /// A write reaches another place of its file instead.
    MisplacedWrite,
    /// A write reaches another file as well.
    MisfiledWrite,
    /// A bit of what is read was flipped on the disk.
    BitFlip,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 9] = [
        Fault::WriteEio,
        Fault::SyncEio,
        Fault::ReadEio,
        Fault::NoSpace,
        Fault::LostWrite,
        Fault::MisdirectedWrite,
        Fault::MisplacedWrite,
        Fault::MisfiledWrite,
        Fault::BitFlip,
    ];

    /// Whether it can strike an operation of this kind.
    pub fn strikes_at(self, operation: &str) -> bool {
        match self {
            Fault::ReadEio | Fault::BitFlip => operation == "read",
            Fault::SyncEio => matches!(operation, "sync_data" | "sync_dir"),
            Fault::NoSpace => matches!(operation, "create" | "create_dir" | "set_len" | "write"),
            Fault::WriteEio
            | Fault::LostWrite
            | Fault::MisdirectedWrite
            | Fault::MisplacedWrite
            | Fault::MisfiledWrite => operation == "write",
        }
    }

    /// What it is called in counts and traces.
    pub fn name(self) -> &'static str {
        match self {
            Fault::WriteEio => "EIO on write",
            Fault::SyncEio => "EIO on sync",
            Fault::ReadEio => "EIO on read",
            Fault::NoSpace => "ENOSPC",
            Fault::LostWrite => "lost write",
            Fault::MisdirectedWrite => "misdirected write",
            Fault::MisplacedWrite => "misplaced write",
            Fault::MisfiledWrite => "misfiled write",
            Fault::BitFlip => "bit flip",
        }
    }
}

/// A fault at one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// What goes wrong; it must be possible at that site.
    pub fault: Fault,
    /// Where.
    pub site: Site,
    /// At the n-th operation there, from 0.
    pub n: u64,
}

/// What may go wrong. Each `one_in` is the mean number of operations between two faults; 0 = never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Stop the process at an operation: before it, half-way, or after it but before it is reported.
    pub crash: Option<CrashAt>,
    /// One fault at one operation.
    pub strike: Option<Strike>,
    /// After a failed sync of a directory nothing can be written until the machine boots again, as on ext4, XFS and
    /// btrfs; else the process may go on.
    pub read_only_after_sync_dir: bool,
    /// Bytes that the disk holds; 0 = without limit.
    pub capacity_bytes: u64,
    /// [`Fault::WriteEio`].
    pub write_eio_one_in: u64,
    /// [`Fault::SyncEio`].
    pub sync_eio_one_in: u64,
    /// [`Fault::ReadEio`].
    pub read_eio_one_in: u64,
    /// [`Fault::NoSpace`].
    pub enospc_one_in: u64,
    /// [`Fault::LostWrite`].
    pub lost_write_one_in: u64,
    /// [`Fault::MisdirectedWrite`].
    pub misdirected_one_in: u64,
    /// [`Fault::MisplacedWrite`].
    pub misplaced_one_in: u64,
    /// [`Fault::MisfiledWrite`].
    pub misfiled_one_in: u64,
    /// [`Fault::BitFlip`].
    pub bit_flip_one_in: u64,
}

impl Faults {
    pub(crate) fn one_in(&self, fault: Fault) -> u64 {
        match fault {
            Fault::WriteEio => self.write_eio_one_in,
            Fault::SyncEio => self.sync_eio_one_in,
            Fault::ReadEio => self.read_eio_one_in,
            Fault::NoSpace => self.enospc_one_in,
            Fault::LostWrite => self.lost_write_one_in,
            Fault::MisdirectedWrite => self.misdirected_one_in,
            Fault::MisplacedWrite => self.misplaced_one_in,
            Fault::MisfiledWrite => self.misfiled_one_in,
            Fault::BitFlip => self.bit_flip_one_in,
        }
    }
}

/// How a crash is counted: before an operation, within it, after it but before it is reported.
pub const CRASHES: [&str; 3] = ["crash before", "crash within", "crash after"];

/// How often what happened, by site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Operations of all sites.
    pub operations: u64,
    sites: BTreeMap<Site, u64>,
    faults: BTreeMap<(&'static str, Site), u64>,
}

impl Counts {
    /// Operations at a site.
    pub fn of(&self, site: Site) -> u64 {
        self.sites.get(&site).copied().unwrap_or(0)
    }

    /// How often a fault struck at a site.
    pub fn of_fault(&self, fault: &'static str, site: Site) -> u64 {
        self.faults.get(&(fault, site)).copied().unwrap_or(0)
    }

    /// Every site with its operations.
    pub fn sites(&self) -> impl Iterator<Item = (Site, u64)> {
        self.sites.iter().map(|(&site, &count)| (site, count))
    }

    /// Every fault with its site and count.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, Site, u64)> {
        self.faults.iter().map(|(&(fault, site), &count)| (fault, site, count))
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: &Counts) {
        self.operations += other.operations;
        for (site, count) in &other.sites {
            *self.sites.entry(*site).or_default() += count;
        }
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
    }

    pub(crate) fn operation(&mut self, site: Site) {
        self.operations += 1;
        *self.sites.entry(site).or_default() += 1;
    }

    pub(crate) fn fault(&mut self, fault: &'static str, site: Site) {
        *self.faults.entry((fault, site)).or_default() += 1;
    }
}

/// A line a site, a column a kind of fault.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: BTreeSet<&str> = self.faults.keys().map(|&(fault, _)| fault).collect();
        write!(f, "{:24}{:>12}", "site", "operations")?;
        for name in &names {
            write!(f, "{name:>18}")?;
        }
        for (&site, operations) in &self.sites {
            write!(f, "\n{:24}{operations:>12}", site.to_string())?;
            for name in &names {
                match self.faults.get(&(*name, site)) {
                    Some(count) => write!(f, "{count:>18}")?,
                    None => write!(f, "{:>18}", "-")?,
                }
            }
        }
        Ok(())
    }
}
