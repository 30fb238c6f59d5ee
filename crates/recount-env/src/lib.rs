//! The outside world, as traits: files, clock, randomness, background tasks. Everything above asks an
//! [`Env`] for them, so that the simulator can own them. Only this crate names `std::fs`, clocks,
//! random numbers or threads.
//!
//! Parts: [`files`] and [`clock`] are the traits, [`real`] is Linux, [`sim`] is the simulated machine,
//! [`signal`] is how a task waits, [`executor`] runs one future on the calling thread,
//! [`turn`] lets other tasks go first, [`failing`] fails on purpose.
//!
//! I/O is written as futures. In [`real`] they do the system call when polled and are ready at once, so
//! the caller's own thread drives the write; in [`sim`] they end when the seed says so.

pub mod clock;
pub mod executor;
pub mod failing;
pub mod files;
pub mod memory;
pub mod planted;
pub mod real;
pub mod signal;
pub mod sim;
pub mod turn;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use clock::Clock;
pub use executor::block_on;
pub use files::{File, Files, Io, Lock, OpenMode};
pub use signal::Signal;

/// A task that runs beside its creator until it ends by itself.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A source of random bytes, for identifiers, keys and salts.
pub trait Entropy: Send + Sync {
    /// Fills `out` with random bytes.
    fn fill(&self, out: &mut [u8]);
}

/// Runs background tasks, and lets them wait.
pub trait Tasks: Send + Sync {
    /// Starts `task`; it shares nothing with its creator but what it captured. In the real world it gets
    /// a thread named `name`, driven by [`block_on`].
    fn spawn(&self, name: &str, task: Task);

    /// Waits until `signal` has been notified since `seen` (see [`Signal::generation`]), or `timeout` has
    /// passed on the monotonic clock. Must be awaited from a spawned task or under [`block_on`].
    fn wait<'a>(
        &'a self,
        signal: &'a Signal,
        seen: u64,
        timeout: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

/// One handle on the outside world. Cheap to clone.
#[derive(Clone)]
pub struct Env {
    /// Files and directories.
    pub files: Arc<dyn Files>,
    /// Wall clock and boot-time clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Background tasks.
    pub tasks: Arc<dyn Tasks>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Env")
    }
}

impl Env {
    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.entropy.fill(&mut out);
        out
    }
}
