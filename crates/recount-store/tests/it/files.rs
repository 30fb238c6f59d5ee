//! What opening does with the files: locks, a lost index, evidence of loss, clocks.

use std::path::{Path, PathBuf};

use recount_env::sim::World;
use recount_env::{Env, block_on};
use recount_store::{AppendError, OpenOptions, OpenStoreError, Store};
use recount_types::{Kind, Revision};

use crate::support::{Bench, all, all_at_once, request};

fn class(_: &Path) -> &'static str {
    "file"
}

async fn open(env: Env, options: OpenOptions) -> Result<Store, OpenStoreError> {
    Store::open(env, Path::new("/db"), options).await
}

/// Opens on a simulated machine, appends, and closes or is killed.
fn session(world: &World, options: OpenOptions, appends: u64, close: bool) -> Result<u64, OpenStoreError> {
    let (process, env) = world.start();
    let done = process.run(async move {
        let store = open(env, options).await?;
        if store.topic("a").is_none() {
            store.execute("CREATE TOPIC a").await.unwrap();
        }
        for _ in 0..appends {
            store.append(request("a/1")).await.unwrap();
        }
        if close {
            store.close().await.unwrap();
        }
        Ok(store.head().0)
    });
    world.kill();
    done.unwrap()
}

#[test]
fn one_directory_is_one_process() {
    let bench = Bench::new();
    let again = block_on(Store::open(bench.env.clone(), Path::new("/db"), OpenOptions::default()));
    assert_eq!(again.unwrap_err().kind(), Kind::Busy);
}

#[test]
fn only_opening_with_leave_creates() {
    let world = World::new(1, class);
    let options = OpenOptions { create: false, ..OpenOptions::default() };
    assert_eq!(session(&world, options, 0, true).unwrap_err().kind(), Kind::NotFound);
}

/// The index is disposable: without it the same is answered.
#[test]
fn a_lost_index_is_made_again() {
    let world = World::new(2, class);
    let small = OpenOptions { memtable_bytes_max: 1, ..OpenOptions::default() };
    assert_eq!(session(&world, small.clone(), 20, true).unwrap(), 21);
    let runs: Vec<PathBuf> = world.disk(|disk| disk.paths());
    let runs: Vec<PathBuf> = runs.into_iter().filter(|path| path.starts_with("/db/index")).collect();
    assert!(!runs.is_empty());
    for run in runs {
        world.disk(|disk| disk.tamper_remove(&run));
    }
    assert_eq!(session(&world, small, 1, true).unwrap(), 22);
}

/// An index that knows more than the journal has is evidence that acknowledged groups are gone.
#[test]
fn an_index_ahead_of_the_journal_is_corruption() {
    let world = World::new(3, class);
    let small = OpenOptions { memtable_bytes_max: 1, ..OpenOptions::default() };
    session(&world, small.clone(), 0, true).unwrap();
    let journal = |world: &World| -> Vec<(PathBuf, Vec<u8>)> {
        world.disk(|disk| {
            let paths = disk.paths().into_iter().filter(|path| path.starts_with("/db/journal"));
            paths.map(|path| (path.clone(), disk.bytes(&path).unwrap())).collect()
        })
    };
    let before = journal(&world);
    session(&world, small.clone(), 20, true).unwrap();
    for (path, _) in journal(&world) {
        world.disk(|disk| disk.tamper_remove(&path));
    }
    for (path, bytes) in before {
        world.disk(|disk| disk.tamper(&path, bytes));
    }
    let refused = session(&world, small, 0, true).unwrap_err();
    assert_eq!(refused.kind(), Kind::Corrupt);
    assert!(refused.to_string().contains("acknowledged groups are missing"), "{refused}");
}

/// A clock that jumps ahead would date everything after it wrongly, and no later time could be told from it.
#[test]
fn a_clock_that_jumps_ahead_stops_appends_until_confirmed() {
    let world = World::new(4, class);
    session(&world, OpenOptions::default(), 1, true).unwrap();
    world.jump_wall(299 * 1_000_000);
    assert_eq!(session(&world, OpenOptions::default(), 1, true).unwrap(), 3, "a clock that is set right");
    world.jump_wall(6 * 60 * 1_000_000);
    let (process, env) = world.start();
    let answer = process.run(async move {
        let store = open(env, OpenOptions::default()).await.unwrap();
        let answer = store.append(request("a/1")).await;
        store.close().await.unwrap();
        answer
    });
    world.kill();
    assert_eq!(answer.unwrap().unwrap_err(), AppendError::ClockJumped { ahead_s: 360 });
    let confirmed = OpenOptions { accept_clock: true, ..OpenOptions::default() };
    assert_eq!(session(&world, confirmed, 1, true).unwrap(), 4);
    world.jump_wall(-3_600_000_000);
    assert_eq!(session(&world, OpenOptions::default(), 1, true).unwrap(), 5, "a jump back is no danger");
}

/// Closing writes beside whoever leads. The group was then polled to its end by one of the two, and the other was never
/// told: it waited for ever.
#[test]
fn closing_while_a_group_is_being_written_ends() {
    for seed in 0..60 {
        let world = World::new(seed, class);
        let (process, env) = world.start();
        let ended = process.run(async move {
            let store = open(env.clone(), OpenOptions::default()).await.unwrap();
            store.execute("CREATE TOPIC a").await.unwrap();
            let nothing = recount_env::Signal::default();
            for number in 0..3 {
                let (store, env) = (store.clone(), env.clone());
                let pause = Some(std::time::Duration::from_micros(number * 150));
                env.clone().tasks.spawn(
                    "append",
                    Box::pin(async move {
                        let nothing = recount_env::Signal::default();
                        env.tasks.wait(&nothing, nothing.generation(), pause).await;
                        let _ = store.append(request("a/1")).await;
                    }),
                );
            }
            let pause = Some(std::time::Duration::from_micros(seed * 10));
            env.tasks.wait(&nothing, nothing.generation(), pause).await;
            store.close().await.unwrap();
        });
        assert!(ended.is_ok(), "seed {seed}: {ended:?}");
        world.kill();
    }
}

#[test]
fn a_killed_store_opens_again_with_all_of_it() {
    let world = World::new(5, class);
    for round in 1..=5 {
        assert_eq!(session(&world, OpenOptions::default(), 10, false).unwrap(), 1 + 10 * round);
    }
}

#[test]
fn a_store_without_a_close_keeps_nothing_open() {
    let bench = Bench::new();
    bench.append("a/1");
    let Bench { env, store } = bench;
    drop(store);
    // The background tasks let go once they notice.
    let store = loop {
        match block_on(open(env.clone(), OpenOptions::default())) {
            Ok(store) => break store,
            Err(error) => assert_eq!(error.kind(), Kind::Busy),
        }
        std::thread::yield_now();
    };
    let bench = Bench { env, store };
    assert_eq!(bench.positions(all()), [3]);
}

/// The length of a stream that only index runs know is looked up after its append was sequenced: revisions go on, for
/// several appends at once, several streams in one append, and appends that expect a revision.
#[test]
fn revisions_go_on_from_what_index_runs_have() {
    let world = World::new(5, class);
    let small = OpenOptions { memtable_bytes_max: 1, ..OpenOptions::default() };
    let (process, env) = world.start();
    let ended = process.run(async move {
        let store = open(env.clone(), small).await.unwrap();
        store.execute("CREATE TOPIC a").await.unwrap();
        let nothing = recount_env::Signal::default();
        let mut lengths = [0u64; 30];
        for round in 0..40u64 {
            let many: String = (3..30).map(|key| format!("a/{key} ")).collect();
            let words = ["a/0", "a/1 a/2 a/1", "a/2", "a/0 a/0 a/2", &many, "a/1"];
            let answers = all_at_once(words.map(|words| Box::pin(store.append(request(words)))).into()).await;
            for (words, appended) in words.iter().zip(answers) {
                for (word, event) in words.split_whitespace().zip(appended.unwrap().events) {
                    let length = &mut lengths[word[2..].parse::<usize>().unwrap()];
                    assert_eq!(event.revision, Some(Revision(*length)), "{word} of {words} in round {round}");
                    *length += 1;
                }
            }
            let expecting = format!("a/0 if a/0 {}", lengths[0] - 1);
            assert_eq!(
                store.append(request(&expecting)).await.unwrap().events[0].revision.unwrap().0,
                lengths[0]
            );
            lengths[0] += 1;
            let pause = Some(std::time::Duration::from_millis(10));
            env.tasks.wait(&nothing, nothing.generation(), pause).await;
        }
        assert!(store.stats().flushes > 10, "the index was written meanwhile");
        store.close().await.unwrap();
    });
    world.kill();
    ended.unwrap();
}

/// A length that cannot be looked up. The append is stored by then: an error would make somebody repeat it.
#[test]
fn an_append_whose_revision_cannot_be_read_is_answered_without_one() {
    let world = World::new(6, class);
    let small = OpenOptions { memtable_bytes_max: 1, ..OpenOptions::default() };
    session(&world, small, 20, true).unwrap();
    for path in world.disk(|disk| disk.paths()) {
        if path.extension().is_some_and(|extension| extension == "run") {
            let mut bytes = world.disk(|disk| disk.bytes(&path)).unwrap();
            bytes[10] ^= 1;
            world.disk(|disk| disk.tamper(&path, bytes));
        }
    }
    let (process, env) = world.start();
    let ended = process.run(async move {
        let store = open(env, OpenOptions::default()).await.unwrap();
        let head = store.head();
        let appended = store.append(request("a/1")).await.unwrap();
        assert_eq!((appended.position().0, appended.events[0].revision), (head.0 + 1, None));
        assert_eq!(store.head().0, head.0 + 1);
        let error = store.append(request("a/1 if a/1 19")).await.unwrap_err();
        assert!(matches!(error, AppendError::Corrupt { .. }), "{error}");
        assert_eq!(store.head().0, head.0 + 1, "a condition that cannot be decided stores nothing");
        store.close().await.unwrap();
    });
    world.kill();
    ended.unwrap();
}

/// Zeros written in advance are of no use where a write goes elsewhere; whoever puts a database there is told.
#[test]
fn a_file_system_without_blocks_to_write_again_is_named_in_a_note() {
    let dir = PathBuf::from(format!("/dev/shm/recount-note-{}", std::process::id()));
    let noted = |dir: &Path| {
        let store = block_on(Store::open(recount_env::real::env(), dir, OpenOptions::default())).unwrap();
        let notes = store.notes().to_vec();
        block_on(store.close()).unwrap();
        std::fs::remove_dir_all(dir).unwrap();
        notes.iter().any(|note| note.contains("is on tmpfs, where filling segments with zeros"))
    };
    assert!(noted(&dir), "needs a tmpfs at /dev/shm");
    let elsewhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("note-{}", std::process::id()));
    assert!(!noted(&elsewhere));
}
