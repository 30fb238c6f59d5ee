//! Full disks, failing disks.

use recount_journal::{JournalError, TailDecision};

use crate::machine::*;

/// Space for the first segments and no more: the appends that need another are refused, nothing is lost, and when
/// there is space again they succeed.
#[test]
fn a_full_disk_refuses_and_recovers() {
    let world = machine(1);
    let disk = world.clone();
    let written = run(&world, async move |env| {
        let mut opened = open(&env, settings(16 << 10)).await;
        disk.change_faults(|faults| faults.capacity_bytes = 40 << 10);
        let mut written = 0;
        let error = loop {
            match opened.append(1000).await {
                Ok(_) => written += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, JournalError::StorageFull { bytes: 0x4000 }), "{error}");
        assert!(error.to_string().contains("Free space, then retry"), "{error}");
        for _ in 0..5 {
            assert!(matches!(opened.append(1000).await, Err(JournalError::StorageFull { .. })));
            assert_eq!(opened.writer.failure(), None);
            assert_eq!(dump(&opened.reader).await.unwrap(), groups(&vec![1000; written]));
        }
        disk.change_faults(|faults| faults.capacity_bytes = 0);
        opened.append_all(&[1000; 30]).await;
        assert_eq!(dump(&opened.reader).await.unwrap(), groups(&vec![1000; written + 30]));
        written + 30
    });
    assert!(written > 40);
    let expected = groups(&vec![1000; written]);
    assert_eq!(contents(&world, settings(16 << 10), TailDecision::Refuse), Ok(expected));
}

/// The disk fills and empties at random while the next segments are prepared. A failure between taking a planned
/// segment off the list and listing the next one used to leave a segment that never began in the middle of the journal.
#[test]
fn a_disk_that_is_full_now_and_then() {
    for seed in 0..150 {
        let world = machine(seed);
        let disk = world.clone();
        let sizes: Vec<usize> = (0..90).map(|n| if n % 30 < 25 { 200 } else { 5000 }).collect();
        let expected = groups(&sizes);
        let refused = run(&world, async move |env| {
            let mut opened = open(&env, settings(16 << 10)).await;
            disk.change_faults(|faults| faults.enospc_one_in = 3);
            let mut refused = 0;
            for &bytes in &sizes {
                while let Err(error) = opened.append(bytes).await {
                    assert!(matches!(error, JournalError::StorageFull { .. }), "{error}");
                    refused += 1;
                }
            }
            disk.change_faults(|faults| faults.enospc_one_in = 0);
            assert_eq!(dump(&opened.reader).await.unwrap(), groups(&sizes));
            refused
        });
        assert!(refused > 0 || seed > 0);
        let found = contents(&world, settings(16 << 10), TailDecision::Refuse);
        assert_eq!(found, Ok(expected), "seed {seed}");
    }
}

/// A failed sync: Linux forgets the bytes, shows them in reads, and says that all is well the next time. The journal
/// ends; a restart on the same page cache copies what it keeps; a power cut after that takes nothing away.
#[test]
fn a_failed_sync_is_the_end_and_what_a_restart_shows_stays() {
    let sizes: Vec<usize> = (0..30).map(|n| n * 97 % 1500).collect();
    for failing in 0..sizes.len() {
        for seal_first in [false, true] {
            let world = machine(failing as u64);
            let disk = world.clone();
            let script = sizes.clone();
            run(&world, async move |env| {
                let mut opened = open(&env, settings(16 << 10)).await;
                opened.append_all(&script[..failing]).await;
                disk.change_faults(|faults| faults.sync_eio_one_in = 1);
                if seal_first {
                    let error = opened.writer.seal(recount_types::Position(0), state(failing as u64)).await;
                    assert!(matches!(error, Err(JournalError::Failed { .. })), "{error:?}");
                }
                let error = opened.append(script[failing]).await;
                disk.change_faults(|faults| faults.sync_eio_one_in = 0);
                // The next segment may not have become ready: then nothing was written.
                if matches!(error, Err(JournalError::Io { .. })) {
                    return;
                }
                assert!(matches!(error, Err(JournalError::Failed { .. })), "{error:?}");
                for _ in 0..3 {
                    assert!(matches!(opened.append(1).await, Err(JournalError::Failed { .. })));
                }
                assert_eq!(dump(&opened.reader).await.unwrap(), groups(&script[..failing]));
                assert!(opened.close().await.is_err());
            });
            assert!(!journal_files(&world).contains(&"CLOSED".to_owned()));
            let shown = contents(&world, settings(16 << 10), TailDecision::Refuse).unwrap();
            let expected = groups(&sizes);
            assert!(shown.len() == failing || shown.len() == failing + 1);
            assert_eq!(shown, expected[..shown.len()]);
            world.power_cut();
            let kept = contents(&world, settings(16 << 10), TailDecision::Refuse);
            assert_eq!(kept, Ok(shown), "failing {failing}, seal {seal_first}");
        }
    }
}

/// A failed sync of the directory while a database is created: the next process sees FORMAT, and a power cut took it
/// away, with all that had been written by then.
#[test]
fn a_creation_whose_last_sync_failed_is_finished_by_the_next_opening() {
    for seed in 0..60 {
        let world = machine(seed);
        // The directories themselves are there.
        run(&world, async |env| {
            for directory in ["/db", "/db/journal"].map(std::path::Path::new) {
                env.files.create_dir(directory).await.unwrap();
            }
            env.files.sync_dir(std::path::Path::new("/")).await.unwrap();
            env.files.sync_dir(std::path::Path::new("/db")).await.unwrap();
        });
        world.change_faults(|faults| faults.sync_eio_one_in = 3);
        run(&world, async |env| drop(open_with(&env, settings(16 << 10), TailDecision::Refuse).await));
        world.change_faults(|faults| faults.sync_eio_one_in = 0);
        run(&world, async |env| open(&env, settings(16 << 10)).await.append_all(&[10, 20]).await);
        world.power_cut();
        assert_eq!(contents(&world, settings(16 << 10), TailDecision::Refuse), Ok(groups(&[10, 20])));
    }
}

#[test]
fn a_failed_write_is_the_end() {
    for seed in 0..40 {
        let world = machine(seed);
        let disk = world.clone();
        run(&world, async move |env| {
            let mut opened = open(&env, settings(16 << 10)).await;
            opened.append_all(&[700; 3]).await;
            disk.change_faults(|faults| faults.write_eio_one_in = 1);
            assert!(matches!(opened.append(2000).await, Err(JournalError::Failed { .. })));
            disk.change_faults(|faults| faults.write_eio_one_in = 0);
            assert!(matches!(opened.append(1).await, Err(JournalError::Failed { .. })));
            assert!(opened.close().await.is_err());
        });
        if seed % 2 == 0 {
            world.power_cut();
        }
        let expected = groups(&[700, 700, 700, 2000]);
        let found = contents(&world, settings(16 << 10), TailDecision::Refuse).unwrap();
        assert!(found == expected || found == expected[..3], "seed {seed}: {} groups", found.len());
    }
}

/// A disk that fails while the next segment is prepared is reported, and does not close the journal by itself.
#[test]
fn a_failure_while_preparing_is_not_the_writers() {
    for seed in 0..60 {
        let world = machine(seed);
        let disk = world.clone();
        let sizes = [2500; 40];
        run(&world, async move |env| {
            let mut opened = open(&env, settings(16 << 10)).await;
            for bytes in sizes {
                let lsn = opened.writer.next_lsn();
                loop {
                    let room = opened.writer.room_after(None);
                    if matches!(room, recount_journal::Room::Bytes(room) if room >= bytes) {
                        break;
                    }
                    disk.change_faults(|faults| (faults.sync_eio_one_in, faults.write_eio_one_in) = (6, 6));
                    let rolled = opened.writer.roll(&state(lsn.0 - 1), bytes).await;
                    disk.change_faults(|faults| (faults.sync_eio_one_in, faults.write_eio_one_in) = (0, 0));
                    match rolled {
                        Ok(()) => break,
                        Err(error) => assert!(matches!(error, JournalError::Io { .. }), "{error}"),
                    }
                }
                opened.append(bytes).await.unwrap();
            }
            assert_eq!(dump(&opened.reader).await.unwrap(), groups(&sizes));
        });
        let found = contents(&world, settings(16 << 10), TailDecision::Refuse);
        assert_eq!(found, Ok(groups(&sizes)), "seed {seed}");
    }
}

/// The removal of CLOSED did not reach the disk, and no later process could know. A power cut brought it back, and the
/// journal was refused because it did not end where it had been closed long ago.
#[test]
fn a_marker_that_comes_back_says_nothing() {
    for reopen_cleanly in [false, true] {
        let world = machine(3);
        run(&world, async |env| {
            let mut opened = open(&env, settings(16 << 10)).await;
            opened.append_all(&[10, 20]).await;
            opened.close().await.unwrap();
        });
        let marker = world.disk(|disk| disk.bytes(&journal_path("CLOSED"))).unwrap();
        run(&world, async move |env| {
            let mut opened = open(&env, settings(16 << 10)).await;
            opened.append_all(&[30, 40]).await;
            if reopen_cleanly {
                opened.close().await.unwrap();
                open(&env, settings(16 << 10)).await.append_all(&[50]).await;
            }
        });
        world.disk(|disk| disk.tamper(&journal_path("CLOSED"), marker));
        let expected: &[usize] = if reopen_cleanly { &[10, 20, 30, 40, 50] } else { &[10, 20, 30, 40] };
        assert_eq!(contents(&world, settings(16 << 10), TailDecision::Refuse), Ok(groups(expected)));
        assert!(!journal_files(&world).contains(&"CLOSED".to_owned()));
    }
}
