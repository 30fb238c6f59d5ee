//! Power cuts at every operation, and failing disks: what was acknowledged is there, and every answer is the
//! right one or an error.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use recount_env::Env;
use recount_env::sim::World;
use recount_env::sim::faults::{CrashAt, Faults};
use recount_index::{Bounds, Memtable, ReadError, RunSet, WriteError, merge_runs, plan_merge, unpaced};

const DATABASE: [u8; 16] = [1; 16];
const KEY: [u8; 16] = [7; 16];
const EVENTS_A_RUN: u64 = 200;
const RUNS: u64 = 10;

fn terms(position: u64) -> [Vec<u8>; 2] {
    [format!("\x01stream-{}", position * 7 % 50).into_bytes(), b"\x02type".to_vec()]
}

/// Indexes what is missing up to `to`, a run at a time, merging as planned; notes what is durable.
async fn index_up_to(env: &Env, to: u64, durable: &Mutex<u64>) -> Result<RunSet, WriteError> {
    let mut set = RunSet::open(env, Path::new("/index"), DATABASE, &KEY).await?.set;
    while set.covered_to_position() < to {
        let begin = set.covered_to_position();
        let end = begin + EVENTS_A_RUN;
        let mut memtable = Memtable::new(&KEY);
        for position in begin + 1..=end {
            for term in terms(position) {
                memtable.add(&term, position, None);
            }
        }
        let run = set.write_run(&memtable, end, end / 10, &unpaced).await?;
        set = set.with(run);
        note(durable, end);
        while let Some(range) = plan_merge(&set) {
            set = set.replaced(merge_runs(&set, range, &unpaced).await?);
        }
    }
    Ok(set)
}

fn note(durable: &Mutex<u64>, position: u64) {
    *durable.lock().expect("no test panics while it holds this") = position;
}

/// Compares every list of the set with what it should be.
async fn check(set: &RunSet) -> Result<(), ReadError> {
    let mut model: BTreeMap<Vec<u8>, Vec<u64>> = BTreeMap::new();
    for position in 1..=set.covered_to_position() {
        terms(position).into_iter().for_each(|term| model.entry(term).or_default().push(position));
    }
    for (term, expected) in model {
        assert_eq!(set.stream_length(&term).await?, expected.len() as u64);
        let mut postings = set.postings(&term, Bounds::default());
        let mut found = Vec::new();
        while let Some(posting) = postings.next().await? {
            found.push(posting.position);
        }
        assert_eq!(found, expected);
    }
    Ok(())
}

fn kind(path: &Path) -> &'static str {
    if path.extension().is_some_and(|extension| extension == "tmp") { "tmp" } else { "index" }
}

/// Runs to the end or to a crash, then again without faults; returns whether it crashed.
fn crash_at(operation: u64, power: bool) -> bool {
    let world = World::new(operation, kind);
    world.set_faults(Faults { crash: Some(CrashAt::Operation(operation)), ..Faults::default() });
    let durable = Arc::new(Mutex::new(0));
    let (process, env) = world.start();
    let noted = durable.clone();
    let ended = process.run(async move { index_up_to(&env, EVENTS_A_RUN * RUNS, &noted).await.map(|_| ()) });
    if let Ok(ended) = ended {
        ended.expect("no fault but the crash");
        return false;
    }
    drop(process);
    if power {
        world.power_cut()
    } else {
        world.kill()
    }

    world.set_faults(Faults::default());
    let durable = *durable.lock().expect("the process ended");
    let (process, env) = world.start();
    let again = process.run(async move {
        let set = RunSet::open(&env, Path::new("/index"), DATABASE, &KEY).await?.set;
        assert!(set.covered_to_position() >= durable, "{set:?} lacks what was durable up to {durable}");
        check(&set).await?;
        let set = index_up_to(&env, EVENTS_A_RUN * RUNS, &Mutex::new(0)).await?;
        check(&set).await?;
        Ok::<(), WriteError>(())
    });
    again.expect("the process ends").expect("the disk is whole");
    true
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    for power in [true, false] {
        let crashes = (0..).take_while(|&operation| crash_at(operation, power)).count();
        assert!(crashes > 100, "{crashes} operations");
    }
}

#[test]
fn a_failing_disk_gives_errors_but_no_wrong_answers() {
    let mut errors = 0;
    for seed in 0..150 {
        let world = World::new(seed, kind);
        let (process, env) = world.start();
        let made = process.run(async move { index_up_to(&env, EVENTS_A_RUN * RUNS, &Mutex::new(0)).await });
        made.expect("the process ends").expect("the disk is whole");
        drop(process);
        world.kill();
        let faults = Faults { bit_flip_one_in: 200, read_eio_one_in: 200, ..Faults::default() };
        world.set_faults(faults);
        let (process, env) = world.start();
        let checked = process.run(async move {
            let set = RunSet::open(&env, Path::new("/index"), DATABASE, &KEY).await?.set;
            check(&set).await?;
            Ok::<(), WriteError>(())
        });
        errors += usize::from(checked.expect("the process ends").is_err());
    }
    assert!(errors > 20, "{errors} of 150 met a fault");
}

#[test]
fn a_disk_that_fails_to_write_leaves_a_whole_index() {
    let mut errors = 0;
    for seed in 0..150 {
        let world = World::new(seed, kind);
        world.set_faults(Faults {
            write_eio_one_in: 50,
            sync_eio_one_in: 50,
            enospc_one_in: 50,
            ..Faults::default()
        });
        let (process, env) = world.start();
        let durable = Arc::new(Mutex::new(0));
        let noted = durable.clone();
        let made =
            process.run(async move { index_up_to(&env, EVENTS_A_RUN * RUNS, &noted).await.map(|_| ()) });
        errors += usize::from(made.expect("the process ends").is_err());
        drop(process);
        world.power_cut();
        world.set_faults(Faults::default());
        let durable = *durable.lock().expect("the process ended");
        let (process, env) = world.start();
        let again = process.run(async move {
            let set = RunSet::open(&env, Path::new("/index"), DATABASE, &KEY).await?.set;
            assert!(set.covered_to_position() >= durable, "{set:?} lacks what was durable up to {durable}");
            check(&set).await?;
            Ok::<(), WriteError>(())
        });
        again.expect("the process ends").expect("the disk is whole");
    }
    assert!(errors > 20, "{errors} of 150 met a fault");
}
