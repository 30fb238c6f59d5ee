//! `recount-sim --seeds N [--from S] [--seconds T] [--complete yes] | --seed S`: plays seeds on all cores; prints the
//! replay line of one that fails. With `--complete yes` every possible fault must have met every operation. With
//! `--planted BUG`, in a build with `--cfg planted`, it must fail.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use recount_env::planted::{self, Bug};
use recount_sim::report::Report;
use recount_sim::run::{Failure, run_seed};

/// One seed in so many is played twice: the same seed must do the same, byte for byte.
const TWICE_ONE_IN: u64 = 50;

/// Seeds between two lines of progress.
const PROGRESS_EVERY: u64 = 5000;

struct Arguments {
    from: u64,
    seeds: u64,
    seconds: Option<f64>,
    planted: Option<Bug>,
    complete: bool,
    single: bool,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(what) => {
            eprintln!(
                "{what}\nusage: cargo xtask sim --seeds N [--from S] [--seconds T] [--complete yes] | --seed S"
            );
            return ExitCode::from(2);
        }
    };
    std::panic::set_hook(Box::new(|_| {}));
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from + arguments.seeds;
    let failed = AtomicBool::new(false);
    let report = Mutex::new(Report::default());
    let started = Instant::now();
    let stop_at = arguments.seconds.map(|seconds| started + Duration::from_secs_f64(seconds));
    if let Some(bug) = arguments.planted
        && let Err(what) = plant(bug)
    {
        eprintln!("{what}");
        return ExitCode::from(2);
    }
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(arguments.seeds as usize);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Report::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let late = stop_at.is_some_and(|at| Instant::now() >= at);
                    if seed >= end || late || failed.load(Ordering::Relaxed) {
                        break;
                    }
                    let played = seed - arguments.from;
                    if played > 0 && played.is_multiple_of(PROGRESS_EVERY) {
                        let rate = played as f64 / started.elapsed().as_secs_f64();
                        eprintln!("{played} of {} seeds, {rate:.0} a second", arguments.seeds);
                    }
                    match play(seed) {
                        Ok(played) => mine.add(&played),
                        Err(failure) => {
                            failed.store(true, Ordering::Relaxed);
                            show(&failure, arguments.single);
                        }
                    }
                }
                report.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).merge(&mine);
            });
        }
    });
    let report = report.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    print!("{}", report.text());
    println!("{:.1} s", started.elapsed().as_secs_f64());
    let caught = failed.into_inner();
    if arguments.planted.is_some() {
        println!("planted bug {}", if caught { "caught" } else { "NOT CAUGHT" });
    }
    if arguments.complete && !report.missing().is_empty() {
        return ExitCode::FAILURE;
    }
    if caught == arguments.planted.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(planted)]
fn plant(bug: Bug) -> Result<(), String> {
    planted::plant(bug);
    Ok(())
}

#[cfg(not(planted))]
fn plant(_bug: Bug) -> Result<(), String> {
    Err("bugs can be planted only in a build with RUSTFLAGS=\"--cfg planted\"".to_owned())
}

fn play(seed: u64) -> Result<recount_sim::run::Played, Failure> {
    let played = run_seed(seed)?;
    if seed.is_multiple_of(TWICE_ONE_IN) {
        let again = run_seed(seed)?;
        if again != played {
            let what = format!("the same seed did something else: {played:?}, then {again:?}");
            return Err(Failure { seed, what, trace: Vec::new() });
        }
    }
    Ok(played)
}

fn show(failure: &Failure, with_trace: bool) {
    if with_trace {
        for line in &failure.trace {
            eprintln!("{line}");
        }
    }
    eprintln!(
        "seed {} failed: {}\nreplay it: cargo xtask sim --seed {}",
        failure.seed, failure.what, failure.seed
    );
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments =
        Arguments { from: 0, seeds: 0, seconds: None, planted: None, complete: false, single: false };
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = value.parse::<u64>().map_err(|_| format!("{word} needs a number, not {value:?}"));
        match word.as_str() {
            "--seeds" => arguments.seeds = number?,
            "--from" => arguments.from = number?,
            "--planted" => {
                let known = planted::ALL.iter().find(|(name, _)| *name == value);
                let names = planted::ALL.map(|(name, _)| name).join(", ");
                let bug =
                    known.ok_or_else(|| format!("there is no planted bug {value:?}; there are {names}"))?;
                arguments.planted = Some(bug.1);
            }
            "--seconds" => {
                arguments.seconds =
                    Some(value.parse().map_err(|_| format!("{word} needs a number, not {value:?}"))?);
            }
            "--complete" if value == "yes" => arguments.complete = true,
            "--seed" => (arguments.from, arguments.seeds, arguments.single) = (number?, 1, true),
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    if arguments.seeds == 0 { Err("which seeds?".to_owned()) } else { Ok(arguments) }
}
