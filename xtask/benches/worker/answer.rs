//! The one line with which a measured program answers: rate and percentiles.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

/// Times of the operations of one run.
#[derive(Debug)]
pub(crate) struct Timings {
    start: Instant,
    end: Instant,
    took: Vec<Duration>,
}

impl Timings {
    /// A run of `seconds`, beginning now.
    pub(crate) fn begin(seconds: u64) -> Self {
        let start = Instant::now();
        Self { start, end: start + Duration::from_secs(seconds), took: Vec::new() }
    }

    /// Whether another operation may begin.
    pub(crate) fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    /// Notes an operation that began at `began` and ends now.
    pub(crate) fn note(&mut self, began: Instant) {
        self.took.push(began.elapsed());
    }

    /// Ends the run and prints: operations × `events_each` a second.
    pub(crate) fn print(mut self, events_each: u32) -> Result<()> {
        let elapsed = self.start.elapsed().as_secs_f64();
        ensure!(!self.took.is_empty(), "nothing was measured");
        self.took.sort();
        let at = |share: f64| {
            let index = (self.took.len() as f64 * share) as usize;
            self.took[index.min(self.took.len() - 1)].as_secs_f64() * 1e6
        };
        let per_second = self.took.len() as f64 * f64::from(events_each) / elapsed;
        println!("{}", json!({ "per_second": per_second, "p50_us": at(0.5), "p99_us": at(0.99) }));
        Ok(())
    }
}
