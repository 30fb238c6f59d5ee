//! Questions about the past: one key's row as of positions all over the log, one key with many events behind the
//! snapshot, and all rows as of positions at all distances from the snapshot below.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use recount_env::block_on;
use recount_types::Position;
use recount_views::{Moment, Views};
use serde_json::json;

use crate::account::{self, NAME};
use crate::answer::percentile_us;
use crate::dice::Dice;
use crate::embedded::open;
use crate::fill::newcomer;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A database with the entity
    #[arg(long)]
    dir: PathBuf,
    /// Accounts that were chosen uniformly; the one behind them is hot
    #[arg(long)]
    streams: u64,
    /// Positions at which one key is asked for
    #[arg(long)]
    keys: u64,
    /// Positions at which all rows are asked for, beside those right before snapshots
    #[arg(long)]
    wholes: u64,
}

/// Events between two questions about the hot key.
const HOT_STEP: usize = 1000;
/// A question about the hot key is asked so often; the fastest counts.
const HOT_TIMES: usize = 5;
/// And one about all rows.
const WHOLE_TIMES: usize = 3;

/// A place in a plot.
type Point = (f64, f64);

/// Asks; prints figures, and the points of plots.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let store = open(&arguments.dir)?;
    let views = account::open(&store)?;
    account::catch_up(&views, &store)?;
    let head = store.head().0;
    let snapshots = snapshots(&views, head)?;

    let Keys { points: keys, mut first, mut warm } = keys(&views, head, arguments)?;
    let hot = hot(&views, arguments.streams)?;
    let wholes = wholes(&views, head, &snapshots, arguments.wholes)?;

    let newest = *snapshots.last().context("the views took no snapshot")?;
    let scan = whole(&views, newest)?;
    let interval = whole(&views, snapshots[0] - 1)?;
    let worst = wholes.iter().map(|(_, seconds)| *seconds).fold(0.0, f64::max);
    println!(
        "{}",
        json!({
            "key_p50_ms": percentile_us(&mut warm, 0.5) / 1e3,
            "key_p99_ms": percentile_us(&mut warm, 0.99) / 1e3,
            "key_worst_ms": percentile_us(&mut warm, 1.0) / 1e3,
            "key_first_p99_ms": percentile_us(&mut first, 0.99) / 1e3,
            "hot_ms": each(&hot),
            "hot_beyond_ms": hot.iter().map(|(thousands, ms)| ms - thousands).fold(f64::MIN, f64::max),
            "whole_worst_s": worst,
            "scan_s": scan.as_secs_f64(),
            "interval_s": interval.as_secs_f64(),
            "scan_and_interval_s": (scan + interval).as_secs_f64(),
            "keys": keys,
            "hot": hot,
            "wholes": wholes,
        })
    );
    views.close();
    Ok(block_on(store.close())?)
}

/// The positions of all snapshots, ascending.
fn snapshots(views: &Views, head: u64) -> Result<Vec<u64>> {
    let mut positions = Vec::new();
    let mut below = head;
    while let Some(found) = views.origin(NAME, None, None, as_of(below))?.snapshot {
        positions.insert(0, found.0);
        below = found.0 - 1;
    }
    Ok(positions)
}

/// What one key's row took.
struct Keys {
    /// Position in millions, and ms when asked again.
    points: Vec<Point>,
    first: Vec<Duration>,
    warm: Vec<Duration>,
}

/// One key's row as of positions spread over the log, each asked twice.
fn keys(views: &Views, head: u64, arguments: &Arguments) -> Result<Keys> {
    let mut dice = Dice(5);
    let (mut points, mut first, mut warm) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=arguments.keys {
        let position = head * number / arguments.keys;
        // One that is there already.
        let number = dice.below(arguments.streams.min(position / 2));
        let key = newcomer(number, arguments.streams).context("an account is not among the first events'")?;
        first.push(row(views, key, position)?.0);
        let again = row(views, key, position)?.0;
        warm.push(again);
        points.push((millions(position), again.as_secs_f64() * 1e3));
    }
    Ok(Keys { points, first, warm })
}

/// The hot key's row: thousands of its events behind the snapshot, and ms.
fn hot(views: &Views, key: u64) -> Result<Vec<Point>> {
    let parsed = views.key(NAME, None, &key.to_string())?;
    let mut positions = Vec::new();
    views.steps(NAME, None, Some(&parsed), Moment::default(), &mut |step| positions.push(step.position.0))?;
    let mut points = Vec::new();
    for &position in positions.iter().skip(HOT_STEP).step_by(HOT_STEP) {
        let base =
            views.origin(NAME, None, Some(&parsed), as_of(position))?.snapshot.map_or(0, |base| base.0);
        let (mut fastest, mut until) = (Duration::MAX, position);
        for _ in 0..HOT_TIMES {
            let (took, answered) = row(views, key, position)?;
            (fastest, until) = (fastest.min(took), answered);
        }
        let events = positions.iter().filter(|&&other| base < other && other <= until).count();
        points.push((events as f64 / 1e3, fastest.as_secs_f64() * 1e3));
    }
    Ok(points)
}

/// All rows: millions of positions behind the snapshot, and s.
fn wholes(views: &Views, head: u64, snapshots: &[u64], count: u64) -> Result<Vec<Point>> {
    let mut positions: Vec<u64> = (1..=count).map(|number| head * number / (count + 1)).collect();
    positions.extend(snapshots.iter().map(|position| position - 1));
    let mut points = Vec::new();
    for position in positions {
        let base = views.origin(NAME, None, None, as_of(position))?.snapshot.map_or(0, |base| base.0);
        points.push((millions(position - base), whole(views, position)?.as_secs_f64()));
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(points)
}

/// What a row takes, and the position that it is of: where the last append ends that lies whole before the one asked for.
fn row(views: &Views, key: u64, position: u64) -> Result<(Duration, u64)> {
    let began = Instant::now();
    let answer = views.row(NAME, None, &key.to_string(), as_of(position), Position::ZERO)?;
    let took = began.elapsed();
    ensure!(answer.position.0 <= position, "as of {position}, not {}", answer.position);
    ensure!(answer.row.is_ok(), "account {key} has no row as of {position}");
    Ok((took, answer.position.0))
}

fn whole(views: &Views, position: u64) -> Result<Duration> {
    let mut fastest = Duration::MAX;
    for _ in 0..WHOLE_TIMES {
        let began = Instant::now();
        let (_, rows) = views.rows(NAME, None, None, as_of(position))?;
        fastest = fastest.min(began.elapsed());
        ensure!(rows.rows().next().is_some(), "no rows as of {position}");
    }
    Ok(fastest)
}

fn as_of(position: u64) -> Moment {
    Moment { position: Some(Position(position)), valid_until: None }
}

fn millions(positions: u64) -> f64 {
    positions as f64 / 1e6
}

/// How much y is for each x, in the middle.
fn each(points: &[Point]) -> f64 {
    let mut ratios: Vec<f64> = points.iter().map(|point| point.1 / point.0).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}
