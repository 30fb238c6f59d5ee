//! The one line with which a measured program answers: rate and percentiles.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

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

    /// Operations so far.
    pub(crate) fn len(&self) -> usize {
        self.took.len()
    }

    /// Adds the operations of another client of the same run.
    pub(crate) fn merge(&mut self, other: Self) {
        self.took.extend(other.took);
    }

    /// Ends the run and prints: operations × `events_each` a second, percentiles, and `more` by name.
    pub(crate) fn print(mut self, events_each: u32, more: &[(&str, f64)]) -> Result<()> {
        let elapsed = self.start.elapsed().as_secs_f64();
        ensure!(!self.took.is_empty(), "nothing was measured");
        let per_second = self.took.len() as f64 * f64::from(events_each) / elapsed;
        let mut figures = BTreeMap::from([
            ("per_second", per_second),
            ("p50_us", percentile_us(&mut self.took, 0.5)),
            ("p99_us", percentile_us(&mut self.took, 0.99)),
        ]);
        figures.extend(more.iter().copied());
        print(&figures)
    }
}

/// Prints figures by name.
pub(crate) fn print(figures: &BTreeMap<&str, f64>) -> Result<()> {
    println!("{}", serde_json::to_string(figures)?);
    Ok(())
}

/// The time below which `share` of the operations stayed, in µs.
pub(crate) fn percentile_us(took: &mut [Duration], share: f64) -> f64 {
    took.sort_unstable();
    let index = (took.len() as f64 * share) as usize;
    took.get(index.min(took.len().saturating_sub(1))).map_or(f64::NAN, |took| took.as_secs_f64() * 1e6)
}
