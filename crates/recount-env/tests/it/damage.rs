//! Failing and lying disks: what each fault does, where it strikes, how it is counted; and tampering.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use expect_test::expect;
use recount_env::sim::World;
use recount_env::sim::faults::{Fault, Faults, Strike};
use recount_env::{File, OpenMode};

use crate::machine::{bytes, durable, machine, read_all, run, site};

const SEEDS: u64 = 100;

/// A machine where this fault strikes the first operation of this kind on a log, and `/d/a.log` is as given.
fn striking(seed: u64, fault: Fault, operation: &'static str, bytes: &'static [u8]) -> World {
    let world = machine(seed);
    run(&world, move |env| async move {
        durable(&env, "/d/a.log", bytes).await;
        durable(&env, "/d/b", &[9; 2048]).await;
    });
    let site = site(operation, "log");
    let n = world.counts().of(site);
    world.set_faults(Faults { strike: Some(Strike { fault, site, n }), ..Faults::default() });
    world
}

fn struck(world: &World, fault: Fault) -> u64 {
    world.counts().faults().filter(|(name, _, _)| *name == fault.name()).map(|(_, _, count)| count).sum()
}

async fn open(env: &recount_env::Env) -> std::sync::Arc<dyn File> {
    env.files.open(Path::new("/d/a.log"), OpenMode::ReadWrite).await.unwrap()
}

/// As measured on ext4, XFS and btrfs.
#[test]
fn after_a_failed_sync_the_next_one_succeeds_and_the_disk_has_the_old_bytes() {
    for seed in 0..SEEDS {
        let world = striking(seed, Fault::SyncEio, "sync_data", &[1; 1024]);
        run(&world, |env| async move {
            let file = open(&env).await;
            file.write_at(0, &[2; 1024]).await.unwrap();
            assert_eq!(file.sync_data().await.unwrap_err().raw_os_error(), Some(5));
            file.sync_data().await.unwrap();
            assert_eq!(read_all(&*file).await, [2; 1024]);
        });
        assert_eq!(bytes(&world, "/d/a.log").unwrap(), [2; 1024], "the page cache has the new ones");
        world.power_cut();
        assert_eq!(bytes(&world, "/d/a.log").unwrap(), [1; 1024]);
        assert_eq!(struck(&world, Fault::SyncEio), 1);
    }
}

#[test]
fn after_a_failed_sync_of_a_directory_the_next_one_saves_nothing() {
    for seed in 0..SEEDS {
        let world = machine(seed);
        let strike = Strike { fault: Fault::SyncEio, site: site("sync_dir", "other"), n: 1 };
        world.set_faults(Faults { strike: Some(strike), ..Faults::default() });
        run(&world, |env| async move {
            env.files.open(Path::new("/d/a.log"), OpenMode::CreateNew).await.unwrap();
            env.files.sync_dir(Path::new("/d")).await.unwrap_err();
            env.files.sync_dir(Path::new("/d")).await.unwrap();
        });
        assert!(bytes(&world, "/d/a.log").is_some());
        world.power_cut();
        assert!(bytes(&world, "/d/a.log").is_none());
    }
}

#[test]
fn after_a_failed_sync_of_a_directory_nothing_can_be_written_until_the_next_boot() {
    for seed in 0..SEEDS {
        let world = machine(seed);
        let strike = Strike { fault: Fault::SyncEio, site: site("sync_dir", "other"), n: 1 };
        world.set_faults(Faults {
            strike: Some(strike),
            read_only_after_sync_dir: true,
            ..Faults::default()
        });
        run(&world, |env| async move {
            env.files.open(Path::new("/d/a.log"), OpenMode::CreateNew).await.unwrap();
            let file = env.files.open(Path::new("/d/b.log"), OpenMode::CreateNew).await.unwrap();
            env.files.sync_dir(Path::new("/d")).await.unwrap_err();
            let read_only = |error: std::io::Error| error.kind() == std::io::ErrorKind::ReadOnlyFilesystem;
            let path = Path::new("/d/c.log");
            assert!(read_only(env.files.sync_dir(Path::new("/d")).await.unwrap_err()));
            assert!(read_only(env.files.open(path, OpenMode::CreateNew).await.err().unwrap()));
            assert!(read_only(env.files.create_dir(path).await.unwrap_err()));
            assert!(read_only(env.files.rename(Path::new("/d/a.log"), path).await.unwrap_err()));
            assert!(read_only(env.files.remove(Path::new("/d/a.log")).await.unwrap_err()));
            assert!(read_only(file.write_at(0, b"x").await.unwrap_err()));
            assert!(read_only(file.set_len(1).await.unwrap_err()));
            assert!(read_only(file.sync_data().await.unwrap_err()));
        });
        assert!(bytes(&world, "/d/a.log").is_some());
        world.power_cut();
        assert!(bytes(&world, "/d/a.log").is_none(), "what the failed sync should have made durable is lost");
        run(&world, |env| async move {
            env.files.open(Path::new("/d/a.log"), OpenMode::CreateNew).await.unwrap();
            env.files.sync_dir(Path::new("/d")).await.unwrap();
        });
    }
}

#[test]
fn a_failed_write_leaves_a_part() {
    let mut found = BTreeSet::new();
    for seed in 0..SEEDS {
        let world = striking(seed, Fault::WriteEio, "write", &[1; 1024]);
        run(&world, |env| async move {
            let file = open(&env).await;
            assert_eq!(file.write_at(0, &[2; 1024]).await.unwrap_err().raw_os_error(), Some(5));
        });
        let bytes = bytes(&world, "/d/a.log").unwrap();
        found.insert((bytes[0], bytes[512]));
    }
    assert_eq!(found, BTreeSet::from([(1, 1), (2, 1), (2, 2)]));
}

#[test]
fn a_failed_read_says_so_once() {
    let world = striking(1, Fault::ReadEio, "read", b"bytes");
    run(&world, |env| async move {
        let file = open(&env).await;
        let mut buf = [0; 5];
        assert_eq!(file.read_at(0, &mut buf).await.unwrap_err().raw_os_error(), Some(5));
        assert_eq!(file.read_at(0, &mut buf).await.unwrap(), 5);
    });
}

#[test]
fn a_full_disk_refuses_growth_and_nothing_else() {
    let world = machine(1);
    world.set_faults(Faults { capacity_bytes: 1024, ..Faults::default() });
    run(&world, |env| async move {
        let file = env.files.open(Path::new("/d/a.log"), OpenMode::CreateNew).await.unwrap();
        file.write_at(0, &[1; 1024]).await.unwrap();
        assert_eq!(file.write_at(1024, b"x").await.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(file.set_len(1025).await.unwrap_err().kind(), ErrorKind::StorageFull);
        file.write_at(0, &[2; 1024]).await.unwrap();
        file.set_len(512).await.unwrap();
        file.write_at(512, &[3; 512]).await.unwrap();
    });
    for operation in ["write", "set_len", "create"] {
        let world = striking(1, Fault::NoSpace, operation, b"");
        run(&world, |env| async move {
            let file = open(&env).await;
            let results = [
                env.files.open(Path::new("/d/c.log"), OpenMode::CreateNew).await.map(drop),
                file.write_at(0, b"x").await,
                file.set_len(9).await,
            ];
            let full = results.iter().filter_map(|result| result.as_ref().err());
            assert_eq!(full.map(|e| e.kind()).collect::<Vec<_>>(), [ErrorKind::StorageFull]);
        });
    }
}

#[test]
fn a_lost_write_is_read_back_until_the_power_fails() {
    for (synced, seed) in (0..SEEDS).flat_map(|seed| [(false, seed), (true, seed)]) {
        let world = striking(seed, Fault::LostWrite, "write", &[1; 1024]);
        run(&world, move |env| async move {
            let file = open(&env).await;
            file.write_at(0, &[2; 512]).await.unwrap();
            file.write_at(512, &[3; 512]).await.unwrap();
            if synced {
                file.sync_data().await.unwrap();
            }
            assert_eq!(read_all(&*file).await, [[2; 512], [3; 512]].concat());
        });
        world.power_cut();
        let found = bytes(&world, "/d/a.log").unwrap();
        assert_eq!(found[..512], [1; 512]);
        assert!(found[512..] == [3; 512] || !synced);
    }
}

#[test]
fn a_write_that_goes_astray_lands_on_other_sectors() {
    for (fault, own_arrives, elsewhere) in [
        (Fault::MisdirectedWrite, true, "/d/a.log"),
        (Fault::MisplacedWrite, false, "/d/a.log"),
        (Fault::MisfiledWrite, true, "/d/b"),
    ] {
        let mut astray = 0;
        for seed in 0..SEEDS {
            let world = striking(seed, fault, "write", &[1; 2048]);
            run(&world, |env| async move {
                let file = open(&env).await;
                file.write_at(0, &[2; 512]).await.unwrap();
                file.sync_data().await.unwrap();
            });
            assert_eq!(struck(&world, fault), 1);
            world.power_cut();
            let own = bytes(&world, "/d/a.log").unwrap();
            let arrived = own.chunks(512).filter(|sector| *sector == [2; 512]).count();
            assert!(if own_arrives { own[0] == 2 } else { arrived == 1 });
            let found = bytes(&world, elsewhere).unwrap();
            assert_eq!(found.len(), 2048);
            let hit = found.chunks(512).skip(usize::from(own_arrives && elsewhere == "/d/a.log"));
            astray += hit.filter(|sector| *sector == [2; 512]).count();
        }
        assert!(astray > SEEDS as usize / 2, "{fault:?}: {astray}");
    }
}

#[test]
fn a_flipped_bit_is_on_the_disk_for_good() {
    for seed in 0..SEEDS {
        let world = striking(seed, Fault::BitFlip, "read", &[0; 1024]);
        let read = run(&world, |env| async move { read_all(&*open(&env).await).await });
        let bits: u32 = read.iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(bits, 1);
        world.power_cut();
        assert_eq!(bytes(&world, "/d/a.log").unwrap(), read);
    }
}

#[test]
fn faults_strike_at_about_the_rate_asked_for() {
    let world = machine(1);
    let faults = Faults { write_eio_one_in: 10, ..Faults::default() };
    world.set_faults(faults);
    run(&world, |env| async move {
        let file = env.files.open(Path::new("/d/a.log"), OpenMode::CreateNew).await.unwrap();
        for _ in 0..1000 {
            // What fails is counted by the machine.
            let _ = file.write_at(0, b"x").await;
        }
    });
    let count = struck(&world, Fault::WriteEio);
    assert!((50..200).contains(&count), "{count}");
}

#[test]
fn counts_are_a_table() {
    let world = striking(1, Fault::WriteEio, "write", b"");
    run(&world, |env| async move {
        open(&env).await.write_at(0, b"x").await.unwrap_err();
    });
    expect![[r#"
        site                      operations      EIO on write
        create log                         1                 -
        create other                       1                 -
        create_dir other                   1                 -
        open log                           1                 -
        sync_data log                      1                 -
        sync_data other                    1                 -
        sync_dir other                     3                 -
        write log                          2                 1
        write other                        1                 -"#]]
    .assert_eq(&world.counts().to_string());
    let mut twice = world.counts();
    twice.add(&world.counts());
    assert_eq!(twice.of(site("write", "log")), 4);
    assert_eq!(twice.operations, 2 * world.counts().operations);
}

#[test]
fn a_disk_can_be_tampered_with_and_put_back() {
    let world = machine(1);
    run(&world, |env| async move {
        durable(&env, "/d/a.log", b"abcd").await;
    });
    let snapshot = world.disk(|disk| disk.clone());
    let digest = world.disk(|disk| disk.digest());
    let (a, b) = (Path::new("/d/a.log"), Path::new("/d/b.log"));
    world.disk(|disk| {
        assert!(disk.flip_bit(a, 1, 0));
        assert!(!disk.flip_bit(a, 4, 0));
        assert!(disk.truncate(a, 2));
        disk.tamper(b, b"new".to_vec());
        assert_eq!(disk.paths(), [a, b]);
    });
    assert_ne!(world.disk(|disk| disk.digest()), digest);
    world.power_cut();
    assert_eq!(
        (bytes(&world, "/d/a.log").unwrap(), bytes(&world, "/d/b.log").unwrap()),
        (b"ac".to_vec(), b"new".to_vec())
    );
    world.disk(|disk| disk.tamper_remove(a));
    world.power_cut();
    assert_eq!(bytes(&world, "/d/a.log"), None);
    world.disk(|disk| *disk = snapshot);
    assert_eq!(world.disk(|disk| disk.digest()), digest);
}
