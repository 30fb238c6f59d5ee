//! The index: terms → positions, in one mutable [`Memtable`] and immutable [`Run`]s. It is disposable: it can
//! be rebuilt from the journal at any time, so damage is a typed error and never fewer results.
//!
//! ```text
//!  appends ──► Memtable ──write_run──► Run ┐
//!                                      Run ├─ RunSet ◄── reads
//!                         merge_runs ◄─Run ┘
//! ```
//! - [`term`]: what is looked up. [`bounds`]: which of its postings, in which order.
//! - [`memtable`]: terms added in position order, ≤ 32 MiB by its owner's choice.
//! - [`run`], [`set`], [`merge`]: files, snapshots of them, fewer of them. `docs/format-index.md` has the bytes.
//! - [`frames`]: from positions, times and lsns back to places in the journal.
//!
//! Invariants: it knows no events and no journal; ranks are dense, so terms are full bytes, never hashes; all
//! I/O goes through [`recount_env::Env`]; a set has no gaps.

pub mod bounds;
mod cache;
mod directory;
pub mod error;
mod filter;
pub mod frames;
pub mod memtable;
pub mod merge;
mod packed;
pub mod run;
pub mod set;
pub mod term;
mod wire;

pub use bounds::{Bounds, Direction, Posting};
pub use cache::CACHE_BYTES_MAX;
pub use directory::{Pace, unpaced};
pub use error::{IndexDamage, ReadError, WriteError};
pub use frames::{FrameKey, FrameRef};
pub use memtable::Memtable;
pub use merge::{RUNS_MAX, merge_runs, plan_merge};
pub use run::{Covers, Run, TermEntry};
pub use set::{DropReason, Dropped, Opened, ReadCounts, RunSet, SetPostings};
pub use term::{Term, TermKind};

#[cfg(test)]
mod testing;
