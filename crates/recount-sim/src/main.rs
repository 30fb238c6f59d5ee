//! `recount-sim --seeds N [--from S] | --seed S`: plays seeds on all cores; prints the replay line of one that fails.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use recount_sim::report::Report;
use recount_sim::run::{Failure, run_seed};

/// One seed in so many is played twice: the same seed must do the same, byte for byte.
const TWICE_ONE_IN: u64 = 50;

struct Arguments {
    from: u64,
    seeds: u64,
    minutes: Option<f64>,
    single: bool,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(what) => {
            eprintln!("{what}\nusage: cargo xtask sim --seeds N [--from S] [--minutes M] | --seed S");
            return ExitCode::from(2);
        }
    };
    std::panic::set_hook(Box::new(|_| {}));
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from + arguments.seeds;
    let failed = AtomicBool::new(false);
    let report = Mutex::new(Report::default());
    let started = Instant::now();
    let stop_at = arguments.minutes.map(|minutes| started + Duration::from_secs_f64(minutes * 60.0));
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
    if failed.into_inner() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
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
    let mut arguments = Arguments { from: 0, seeds: 0, minutes: None, single: false };
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = value.parse::<u64>().map_err(|_| format!("{word} needs a number, not {value:?}"));
        match word.as_str() {
            "--seeds" => arguments.seeds = number?,
            "--from" => arguments.from = number?,
            "--minutes" => {
                arguments.minutes =
                    Some(value.parse().map_err(|_| format!("{word} needs a number, not {value:?}"))?);
            }
            "--seed" => (arguments.from, arguments.seeds, arguments.single) = (number?, 1, true),
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    if arguments.seeds == 0 { Err("which seeds?".to_owned()) } else { Ok(arguments) }
}
