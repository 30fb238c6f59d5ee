//! Counts over many seeds, as a table.

use std::collections::BTreeSet;
use std::fmt::Write;

use recount_env::sim::faults::{CRASHES, Counts, Fault, Site};

use crate::run::{Played, RARE};

/// Pairs that no seed can make, and why: a fault, the operation, what the file is.
const IMPOSSIBLE: &[(&[Fault], &str, &[&str], &str)] = &[
    (
        &[Fault::MisdirectedWrite, Fault::MisplacedWrite],
        "write",
        &["closed", "format", "lock", "manifest", "quarantine"],
        "written in one piece: the file has no other place",
    ),
    (&[Fault::NoSpace], "set_len", &["lock"], "it is made shorter"),
];

/// What many seeds did together.
#[derive(Debug, Default)]
pub struct Report {
    seeds: u64,
    operations: u64,
    crashes: u64,
    events: u64,
    refusals: u64,
    residue: u64,
    rolls: u64,
    flushes: u64,
    merges: u64,
    operations_min: Option<u64>,
    counts: Counts,
}

impl Report {
    /// Adds a seed.
    pub fn add(&mut self, played: &Played) {
        self.seeds += 1;
        self.operations += played.operations;
        self.crashes += played.crashes;
        self.events += played.events;
        match &played.refusal {
            Some(what) if what.starts_with("residue") => self.residue += 1,
            Some(_) => self.refusals += 1,
            None => {
                let least = self.operations_min.get_or_insert(played.operations);
                *least = (*least).min(played.operations);
            }
        }
        self.rolls += played.rolls;
        self.flushes += played.flushes;
        self.merges += played.merges;
        self.counts.add(&played.counts);
    }

    /// Adds another report.
    pub fn merge(&mut self, other: &Report) {
        self.seeds += other.seeds;
        self.operations += other.operations;
        self.crashes += other.crashes;
        self.events += other.events;
        self.refusals += other.refusals;
        self.residue += other.residue;
        self.rolls += other.rolls;
        self.flushes += other.flushes;
        self.merges += other.merges;
        self.operations_min = self.operations_min.into_iter().chain(other.operations_min).min();
        self.counts.add(&other.counts);
    }

    /// Pairs of a fault and an operation that never met, although they can.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let rare = RARE.map(|(operation, class)| Site { operation, class });
        let sites: BTreeSet<Site> = self.counts.sites().map(|(site, _)| site).chain(rare).collect();
        for site in sites {
            let possible = Fault::ALL.into_iter().filter(|fault| {
                let impossible = |(faults, operation, classes, _): &(&[Fault], &str, &[&str], &str)| {
                    faults.contains(fault) && *operation == site.operation && classes.contains(&site.class)
                };
                fault.strikes_at(site.operation) && !IMPOSSIBLE.iter().any(impossible)
            });
            for fault in possible.map(Fault::name).chain(CRASHES) {
                if self.counts.of_fault(fault, site) == 0 {
                    missing.push(format!("{fault} at {site}"));
                }
            }
        }
        missing
    }

    /// The report as text: totals, then faults by I/O site.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let per_seed = self.operations / self.seeds.max(1);
        let _ = writeln!(
            out,
            "{} seeds: {} operations ({per_seed} a seed, at least {}), {} crashes, {} events, {} rolls, {} flushes, {} merges, {} I/Os",
            self.seeds,
            self.operations,
            self.operations_min.unwrap_or(0),
            self.crashes,
            self.events,
            self.rolls,
            self.flushes,
            self.merges,
            self.counts.operations
        );
        let _ = writeln!(
            out,
            "damage: {} typed refusals, {} residue of a lying disk",
            self.refusals, self.residue
        );
        let _ = writeln!(out, "{}", self.counts);
        for (faults, operation, classes, why) in IMPOSSIBLE {
            let faults: Vec<&str> = faults.iter().map(|fault| fault.name()).collect();
            let _ = writeln!(
                out,
                "impossible: {} at {operation} of {} ({why})",
                faults.join(", "),
                classes.join(", ")
            );
        }
        match self.missing() {
            missing if missing.is_empty() => out.push_str("every possible pair happened\n"),
            missing => {
                let _ =
                    writeln!(out, "{} possible pairs did not happen: {}", missing.len(), missing.join(", "));
            }
        }
        out
    }
}
