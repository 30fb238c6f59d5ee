//! Tests of `merge`.

use super::*;

/// Adds runs of the sizes given, merging as planned; returns bytes written by merges per byte flushed.
fn amplification(flushes: impl Iterator<Item = u64>) -> f64 {
    let (mut runs, mut flushed, mut written): (Vec<u64>, u64, u64) = (Vec::new(), 0, 0);
    for bytes in flushes {
        runs.push(bytes);
        flushed += bytes;
        assert!(runs.len() <= RUNS_MAX);
        while let Some(range) = plan(&runs) {
            let merged = runs[range.clone()].iter().sum();
            written += merged;
            runs.splice(range, [merged]);
        }
        assert!(runs.len() < RUNS_MAX);
    }
    written as f64 / flushed as f64
}

#[test]
fn plans_keep_few_runs_at_little_writing() {
    assert_eq!(plan(&[1; 7]), None);
    assert_eq!(plan(&[1; 8]), Some(0..8));
    assert_eq!(plan(&[100, 1, 1, 1, 1, 1, 1, 1]), Some(1..8));
    assert_eq!(plan(&[128, 64, 32, 16, 8, 4, 2, 1]), Some(6..8));
    assert!(amplification((0..400).map(|_| 32)) < 4.0);
    assert!(amplification((0..4000).map(|_| 32)) < 8.0);
    assert!(amplification((0..400).map(|n| [32, 3, 1, 20][n % 4])) < 5.0);
}
