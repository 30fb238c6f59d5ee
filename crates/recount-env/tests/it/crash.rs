//! What a power cut or a kill leaves behind: each promise of the disk model, over many seeds.

use std::collections::BTreeSet;
use std::path::Path;

use recount_env::OpenMode;
use recount_env::sim::faults::{CrashAt, Faults};
use recount_env::sim::{Ended, World};

use crate::machine::{bytes, class_of, durable, machine, read_all, run, site};

const SEEDS: u64 = 300;

/// Every outcome of doing `play` and cutting the power, over many seeds.
fn outcomes<T: Ord>(play: impl Fn(&World), look: impl Fn(&World) -> T) -> BTreeSet<T> {
    let outcome = |seed| {
        let world = machine(seed);
        play(&world);
        world.power_cut();
        look(&world)
    };
    (0..SEEDS).map(outcome).collect()
}

#[test]
fn synced_bytes_and_names_stay() {
    let play = |world: &World| {
        run(world, |env| async move {
            durable(&env, "/d/a.log", b"kept").await;
        });
    };
    assert_eq!(outcomes(play, |world| bytes(world, "/d/a.log")), BTreeSet::from([Some(b"kept".to_vec())]));
}

#[test]
fn each_sector_that_is_not_synced_is_old_or_new() {
    let play = |world: &World| {
        run(world, |env| async move {
            let file = durable(&env, "/d/a.log", &[1; 2048]).await;
            // An odd place: the first and the last sector are new in part.
            file.write_at(100, &[2; 1800]).await.unwrap();
        });
    };
    let mut new = [1; 2048];
    new[100..1900].fill(2);
    let look = |world: &World| {
        let found = bytes(world, "/d/a.log").unwrap();
        assert_eq!(found.len(), 2048);
        let sectors = found.chunks(512).zip(new.chunks(512));
        sectors.map(|(found, new)| if found == new { 'n' } else { check_old(found) }).collect::<String>()
    };
    let found = outcomes(play, look);
    assert_eq!(found.len(), 16, "every subset of four sectors: {found:?}");
}

fn check_old(sector: &[u8]) -> char {
    assert_eq!(sector, [1; 512], "neither old nor new");
    'o'
}

#[test]
fn a_sector_written_several_times_survives_in_any_version() {
    let play = |world: &World| {
        run(world, |env| async move {
            let file = durable(&env, "/d/a.log", &[0; 512]).await;
            for version in 1..=3 {
                file.write_at(0, &[version; 512]).await.unwrap();
            }
        });
    };
    let found = outcomes(play, |world| bytes(world, "/d/a.log").unwrap());
    assert_eq!(found, (0..=3).map(|version| vec![version; 512]).collect());
}

#[test]
fn a_length_that_is_not_synced_may_survive_without_its_bytes() {
    let play = |world: &World| {
        run(world, |env| async move {
            let file = durable(&env, "/d/a.log", b"").await;
            file.write_at(0, &[1; 512]).await.unwrap();
            file.write_at(512, &[2; 512]).await.unwrap();
        });
    };
    let found = outcomes(play, |world| bytes(world, "/d/a.log").unwrap());
    let of = |first: u8, second: u8| [[first; 512], [second; 512]].concat();
    let expected = [vec![], vec![0; 512], vec![1; 512], of(0, 0), of(1, 0), of(0, 2), of(1, 2)];
    assert_eq!(found, BTreeSet::from(expected));
}

#[test]
fn what_was_cut_off_never_comes_back_when_the_file_grows_again() {
    let play = |world: &World| {
        run(world, |env| async move {
            let file = durable(&env, "/d/a.log", &[1; 1024]).await;
            file.set_len(100).await.unwrap();
            file.set_len(1024).await.unwrap();
        });
    };
    let found = outcomes(play, |world| bytes(world, "/d/a.log").unwrap());
    let mut cut = vec![0; 1024];
    cut[..100].fill(1);
    assert_eq!(found, BTreeSet::from([vec![1; 1024], vec![1; 100], cut]));
}

#[test]
fn what_was_cut_off_before_its_sync_never_reaches_the_disk() {
    let play = |world: &World| {
        run(world, |env| async move {
            let file = durable(&env, "/d/a.log", b"").await;
            file.write_at(0, &[1; 1024]).await.unwrap();
            file.set_len(100).await.unwrap();
            file.set_len(1024).await.unwrap();
            file.sync_data().await.unwrap();
        });
    };
    let found = outcomes(play, |world| bytes(world, "/d/a.log").unwrap());
    assert_eq!(found, BTreeSet::from([[vec![1; 100], vec![0; 924]].concat()]));
}

#[test]
fn syncing_a_file_does_not_sync_its_name() {
    let play = |world: &World| {
        run(world, |env| async move {
            let file = env.files.open(Path::new("/d/a.log"), OpenMode::CreateNew).await.unwrap();
            file.write_at(0, b"new").await.unwrap();
            file.sync_data().await.unwrap();
        });
    };
    let found = outcomes(play, |world| bytes(world, "/d/a.log"));
    assert_eq!(found, BTreeSet::from([None, Some(b"new".to_vec())]));
}

#[test]
fn syncing_a_name_does_not_sync_the_file() {
    let play = |world: &World| {
        run(world, |env| async move {
            let file = env.files.open(Path::new("/d/a.log"), OpenMode::CreateNew).await.unwrap();
            file.write_at(0, b"new").await.unwrap();
            env.files.sync_dir(Path::new("/d")).await.unwrap();
        });
    };
    let found = outcomes(play, |world| bytes(world, "/d/a.log").unwrap());
    assert_eq!(found, BTreeSet::from([vec![], vec![0; 3], b"new".to_vec()]));
}

#[test]
fn a_rename_is_old_or_new_until_its_directory_is_synced() {
    for synced in [false, true] {
        let play = |world: &World| {
            run(world, move |env| async move {
                durable(&env, "/d/a", b"old").await;
                durable(&env, "/d/a.tmp", b"new").await;
                env.files.rename(Path::new("/d/a.tmp"), Path::new("/d/a")).await.unwrap();
                if synced {
                    env.files.sync_dir(Path::new("/d")).await.unwrap();
                }
            });
        };
        let found = outcomes(play, |world| (bytes(world, "/d/a").unwrap(), bytes(world, "/d/a.tmp")));
        let old = (b"old".to_vec(), Some(b"new".to_vec()));
        let new = (b"new".to_vec(), None);
        let expected = if synced { BTreeSet::from([new]) } else { BTreeSet::from([old, new]) };
        assert_eq!(found, expected);
    }
}

#[test]
fn a_removed_file_may_come_back_until_its_directory_is_synced() {
    for synced in [false, true] {
        let play = |world: &World| {
            run(world, move |env| async move {
                durable(&env, "/d/a.log", b"old").await;
                env.files.remove(Path::new("/d/a.log")).await.unwrap();
                if synced {
                    env.files.sync_dir(Path::new("/d")).await.unwrap();
                }
            });
        };
        let found = outcomes(play, |world| bytes(world, "/d/a.log"));
        let back = if synced { None } else { Some(b"old".to_vec()) };
        assert_eq!(found, BTreeSet::from([None, back]));
    }
}

#[test]
fn changes_of_a_directory_survive_in_any_subset() {
    let play = |world: &World| {
        run(world, |env| async move {
            for name in ["/d/a", "/d/b", "/d/c"] {
                env.files.open(Path::new(name), OpenMode::CreateNew).await.unwrap();
            }
        });
    };
    assert_eq!(outcomes(play, |world| world.disk(|disk| disk.paths())).len(), 8);
}

#[test]
fn a_directory_that_is_lost_takes_all_in_it_along() {
    let play = |world: &World| {
        run(world, |env| async move {
            env.files.create_dir(Path::new("/d/sub")).await.unwrap();
            durable(&env, "/d/sub/a.log", b"inner").await;
        });
    };
    let look = |world: &World| {
        run(world, |env| async move {
            let there = env.files.list(Path::new("/d/sub")).await.is_ok();
            let file = env.files.open(Path::new("/d/sub/a.log"), OpenMode::Read).await;
            (there, file.is_ok())
        })
    };
    assert_eq!(outcomes(play, look), BTreeSet::from([(false, false), (true, true)]));
}

#[test]
fn a_kill_loses_nothing_and_syncs_nothing() {
    let world = machine(1);
    run(&world, |env| async move {
        let file = durable(&env, "/d/a.log", &[1; 512]).await;
        file.write_at(0, &[2; 512]).await.unwrap();
        let lock = env.files.lock(Path::new("/d/LOCK")).await.unwrap();
        // Kept for as long as the process lives.
        std::mem::forget(lock);
    });
    assert_eq!(bytes(&world, "/d/a.log").unwrap(), [2; 512]);
    let boot = run(&world, |env| async move {
        let file = env.files.open(Path::new("/d/a.log"), OpenMode::Read).await.unwrap();
        assert_eq!(read_all(&*file).await, [2; 512]);
        env.files.lock(Path::new("/d/LOCK")).await.map(drop).unwrap();
        env.clock.boot_id()
    });
    assert_eq!(world.disk(|disk| disk.durable_bytes(Path::new("/d/a.log"))).unwrap(), [1; 512]);
    world.power_cut();
    assert_ne!(run(&world, |env| async move { env.clock.boot_id() }), boot);
}

#[test]
fn a_crash_strikes_before_within_or_after_the_operation_that_was_named() {
    let mut found = BTreeSet::new();
    for seed in 0..SEEDS {
        let world = machine(seed);
        let at = CrashAt::Site(site("write", "log"), 1);
        world.set_faults(Faults { crash: Some(at), ..Faults::default() });
        let (process, env) = world.start();
        let ended = process.run(async move {
            let file = env.files.open(Path::new("/d/a.log"), OpenMode::CreateNew).await.unwrap();
            file.write_at(0, &[1; 1024]).await.unwrap();
            file.write_at(0, &[2; 1024]).await.unwrap();
        });
        assert_eq!(ended, Err(Ended::Crashed));
        world.kill();
        let bytes = bytes(&world, "/d/a.log").unwrap();
        found.insert((bytes[0], bytes[512]));
        assert_eq!(world.counts().of(site("write", "log")), 2);
    }
    assert_eq!(found, BTreeSet::from([(1, 1), (2, 1), (2, 2)]));
}

#[test]
fn a_crash_at_the_nth_operation_of_all_counts_from_the_first() {
    let world = World::new(5, class_of);
    let play = |world: &World| {
        let (process, env) = world.start();
        process.run(async move {
            let file = env.files.open(Path::new("/a.log"), OpenMode::CreateNew).await.unwrap();
            loop {
                file.write_at(0, b"again").await.unwrap();
            }
        })
    };
    world.set_faults(Faults { crash: Some(CrashAt::Operation(10)), ..Faults::default() });
    let ended: Result<(), Ended> = play(&world);
    assert_eq!((ended, world.counts().operations), (Err(Ended::Crashed), 11));
}

#[test]
fn a_write_in_flight_at_a_kill_is_done_or_not_or_in_part() {
    let mut found = BTreeSet::new();
    for seed in 0..SEEDS {
        let world = machine(seed);
        let (process, env) = world.start();
        let file = process.run(async move { durable(&env, "/d/a.log", &[1; 1024]).await }).unwrap();
        process.spawn(async move {
            file.write_at(0, &[2; 1024]).await.unwrap();
        });
        // The write begins and does not end: nothing but its task is looked at.
        let mut looks = 0;
        process.run_until(|| {
            looks += 1;
            looks > 1
        });
        world.kill();
        let bytes = bytes(&world, "/d/a.log").unwrap();
        found.insert((bytes[0], bytes[512]));
    }
    assert_eq!(found, BTreeSet::from([(1, 1), (2, 1), (2, 2)]));
}
