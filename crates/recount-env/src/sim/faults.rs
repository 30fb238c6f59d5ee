//! What may go wrong, and counts of what did.

use std::collections::BTreeMap;
use std::fmt;

/// An operation on a kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// `open`, `create`, `read`, `write`, `sync_data`, `set_len`, `rename`, `remove`, `sync_dir`, `create_dir`, `list`, `lock`.
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

/// What may go wrong. Each `one_in` is the mean number of operations between two faults; 0 = never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Stop the process at an operation: before it, half-way, or after it but before it is reported.
    pub crash: Option<CrashAt>,
    /// A write fails; part of it may have reached the page cache.
    pub write_eio_one_in: u64,
    /// A sync fails; the pages count as clean from then on, and what they held never reaches the disk.
    pub sync_eio_one_in: u64,
    /// A read fails.
    pub read_eio_one_in: u64,
    /// A write, creation or growth finds no space.
    pub enospc_one_in: u64,
    /// Bytes that the disk holds; 0 = without limit.
    pub capacity_bytes: u64,
    /// A write is reported and never reaches the disk, although synced.
    pub lost_write_one_in: u64,
    /// A write reaches another place of its file as well.
    pub misdirected_one_in: u64,
    /// A bit of what is read was flipped on the disk.
    pub bit_flip_one_in: u64,
}

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
