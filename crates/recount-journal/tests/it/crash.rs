//! Crashes at every operation: of a run, of its recovery, of the recovery of that.

use recount_env::sim::World;
use recount_env::sim::disk::Disk;
use recount_journal::TailDecision;

use crate::machine::*;

struct Script {
    segment_bytes: u64,
    sizes: Vec<usize>,
    /// Closes and opens again after so many groups.
    reopen_after: usize,
}

/// Every way to roll: waiting, planned, forced by a large group; with closes between.
fn scripts() -> Vec<Script> {
    let large = [300, 1500, 2500, 0, 6000, 12_000, 100, 20_000, 700, 700];
    let planned: Vec<usize> = [vec![50_000], vec![100; 40]].concat();
    vec![
        Script { segment_bytes: 16 << 10, sizes: large.to_vec(), reopen_after: 7 },
        Script { segment_bytes: 16 << 10, sizes: vec![2000; 24], reopen_after: 3 },
        Script { segment_bytes: 64 << 10, sizes: planned, reopen_after: 36 },
    ]
}

/// Runs a script to its end or to a crash; what is in `acknowledged` must be there ever after.
fn play(world: &World, n: u64, power: bool, script: &Script, acknowledged: &Acknowledged) -> bool {
    let (sizes, reopen_after, bytes) = (script.sizes.clone(), script.reopen_after, script.segment_bytes);
    let acknowledged = acknowledged.clone();
    run_and_crash(world, n, power, async move |env| {
        let mut opened = open(&env, settings(bytes)).await;
        for (at, &bytes_of_body) in sizes.iter().enumerate() {
            if at == reopen_after {
                opened.close().await.expect("nothing fails");
                opened = open(&env, settings(bytes)).await;
            }
            let frame = opened.append(bytes_of_body).await.expect("nothing fails");
            acknowledged.push(frame.header.lsn);
            if at % 5 == 4 {
                let state = state(frame.header.lsn.0);
                opened.writer.seal(recount_types::Position(0), state).await.expect("nothing fails");
            }
        }
        opened.close().await.expect("nothing fails");
    })
}

/// All that was acknowledged is there, in order and unchanged, and at most one group more.
fn check(found: &[Group], script: &Script, acknowledged: &Acknowledged, context: &str) {
    let acknowledged = acknowledged.last() as usize;
    assert!(
        (acknowledged..=acknowledged + 1).contains(&found.len()),
        "{context}: {acknowledged} acknowledged, {} found",
        found.len()
    );
    assert!(found == &groups(&script.sizes)[..found.len()], "{context}: not what was written");
}

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged() {
    let mut crashes = 0;
    for (number, script) in scripts().iter().enumerate() {
        for seed in 0..6 {
            for n in 0.. {
                let context = format!("script {number}, seed {seed}, operation {n}");
                let world = machine(seed << 32 | n);
                let power = !seed.is_multiple_of(3);
                let acknowledged = Acknowledged::default();
                let crashed = play(&world, n, power, script, &acknowledged);
                let settings = settings(script.segment_bytes);
                let found = contents(&world, settings, TailDecision::Refuse)
                    .unwrap_or_else(|e| panic!("{context}: {e}\n{}", world.trace().join("\n")));
                check(&found, script, &acknowledged, &context);
                world.power_cut();
                let kept = contents(&world, settings, TailDecision::Refuse);
                assert!(kept.as_ref() == Ok(&found), "{context}: what was shown is gone: {kept:?}");
                if !crashed {
                    assert_eq!(found.len(), script.sizes.len());
                    break;
                }
                crashes += 1;
            }
        }
    }
    assert!(crashes > 2000, "{crashes} crashes");
}

fn restore(world: &World, snapshot: &Disk) {
    world.disk(|disk| *disk = snapshot.clone());
}

#[test]
fn recovery_may_crash_at_any_operation_again_and_again() {
    for (number, script) in scripts().iter().enumerate() {
        for first in (20..).step_by(23) {
            let world = machine(number as u64 * 1000 + first);
            let acknowledged = Acknowledged::default();
            if !play(&world, first, first % 2 == 0, script, &acknowledged) {
                break;
            }
            let snapshot = world.disk(|disk| disk.clone());
            for n in 0.. {
                restore(&world, &snapshot);
                let mut recovering = false;
                for depth in 0..3 {
                    let power = (n + depth) % 2 == 0;
                    let bytes = script.segment_bytes;
                    recovering = run_and_crash(&world, n, power, async move |env| {
                        drop(open(&env, settings(bytes)).await);
                    });
                }
                let context = format!("script {number}, crash at {first}, then thrice at {n}");
                let found = contents(&world, settings(script.segment_bytes), TailDecision::Refuse)
                    .unwrap_or_else(|e| panic!("{context}: {e}\n{}", world.trace().join("\n")));
                check(&found, script, &acknowledged, &context);
                if !recovering {
                    break;
                }
            }
        }
    }
}

/// What recovery showed was shown for good, also if it crashes right after, and also of a torn write.
#[test]
fn a_torn_group_is_quarantined_and_told() {
    let mut torn = 0;
    for seed in 0..200 {
        let world = machine(seed);
        let sizes = [700, 5000];
        let script = Script { segment_bytes: 16 << 10, sizes: sizes.to_vec(), reopen_after: 9 };
        let acknowledged = Acknowledged::default();
        // The last write of the run is somewhere near here; only torn ones are of interest.
        play(&world, 40 + seed % 30, true, &script, &acknowledged);
        let notes = run(&world, async |env| open(&env, settings(16 << 10)).await.notes);
        let quarantined = world.disk(|disk| {
            let in_quarantine = |path: &std::path::PathBuf| path.starts_with("/db/quarantine");
            disk.paths().into_iter().filter(in_quarantine).collect::<Vec<_>>()
        });
        assert_eq!(notes.len(), quarantined.len());
        if let (Some(note), Some(path)) = (notes.first(), quarantined.first()) {
            torn += 1;
            assert!(note.contains("was cut at offset") && note.contains("was not written whole"), "{note}");
            assert!(note.contains(&path.display().to_string()), "{note}");
            let kept = world.disk(|disk| disk.bytes(path)).unwrap();
            assert!(kept.iter().any(|&byte| byte != 0));
        }
    }
    assert!(torn > 5, "{torn} torn groups in 200 seeds");
}
