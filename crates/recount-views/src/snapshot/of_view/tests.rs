//! Files of views: golden bytes, changed bytes that do not pass, what stays and what is removed.

use std::collections::BTreeMap;
use std::path::Path;

use expect_test::expect;
use recount_env::memory;

use super::*;

fn snapshots(env: &Env) -> ViewSnapshots {
    ViewSnapshots::new(env.clone(), "/db/snapshots".into(), [0xcd; 16], 100)
}

fn memory_env() -> Env {
    let env = memory::memory_env();
    block_on(env.files.create_dir(Path::new("/db"))).unwrap();
    env
}

fn manifest(view: u32, position: u64) -> ViewManifest {
    let view = ViewId(view);
    ViewManifest { view, position, last: position, append_time: 1_702_468_800_000_001, plan: [0xab; 32] }
}

fn saved(entries: &[(&str, &str)]) -> Saved {
    let mut saved = Saved::default();
    entries.iter().for_each(|(key, value)| saved.push(key.as_bytes(), value.as_bytes()));
    saved
}

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// What the newest one has, if there is one.
fn newest(snapshots: &ViewSnapshots, view: u32, until: u64) -> Option<(u64, Entries)> {
    let snapshot = snapshots.newest(ViewId(view), &[0xab; 32], until)?;
    let mut entries = Entries::new();
    for block in 0..snapshot.blocks() {
        let mut tell = |key: &[u8], value: &[u8]| {
            entries.insert(key.to_vec(), value.to_vec());
            Ok(())
        };
        if let Err(error) = snapshot.entries_of(block, &mut tell) {
            snapshots.discard(&error);
            return None;
        }
    }
    Some((snapshot.manifest.position, entries))
}

fn files(env: &Env) -> Vec<String> {
    let mut files = block_on(env.files.list(Path::new("/db/snapshots"))).unwrap();
    files.sort();
    files
}

fn read(env: &Env, file: &str) -> Vec<u8> {
    block_on(snapshots(env).directory.read(file, u64::MAX)).unwrap()
}

fn put(env: &Env, file: &str, bytes: &[u8]) {
    block_on(snapshots(env).directory.write(file, bytes)).unwrap();
}

#[test]
fn a_snapshot_is_these_bytes() {
    let env = memory_env();
    snapshots(&env).write(&manifest(3, 77), &saved(&[("b", "2"), ("aa", "1")])).unwrap();
    let names =
        ["view-0000000003-00000000000000000077.manifest", "view-0000000003-00000000000000000077.part"];
    assert_eq!(files(&env), names);
    expect![[r#"
        recount view snapshot 1
        database cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd
        view 3
        position 77
        last 77
        append_time 1702468800000001
        plan abababababababababababababababababababababababababababababababab
        part 51
        crc32c bd5f40d4
    "#]]
    .assert_eq(&String::from_utf8(read(&env, names[0])).unwrap());
    let bytes: Vec<String> = read(&env, names[1]).iter().map(|byte| format!("{byte:02x}")).collect();
    expect!["0002616101310001620132feb98a4f0261610f976cc7440f0000000000000008000000000000000100000000000000a3f514e0"].assert_eq(&bytes.concat());
}

/// No byte can be another one, and no file can be shorter.
#[test]
fn what_is_not_what_was_written_is_left_out_and_removed() {
    let env = memory_env();
    let entries = saved(&[("aa", "1"), ("b", "2")]);
    let expected =
        Some((77, [("aa", "1"), ("b", "2")].map(|(key, value)| (key.into(), value.into())).into()));
    snapshots(&env).write(&manifest(3, 77), &entries).unwrap();
    let whole: Vec<(String, Vec<u8>)> =
        files(&env).into_iter().map(|file| (file.clone(), read(&env, &file))).collect();
    for (file, bytes) in whole {
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            for wrong in [&flipped[..], &bytes[..at]] {
                snapshots(&env).write(&manifest(3, 77), &entries).unwrap();
                assert_eq!(newest(&snapshots(&env), 3, 77), expected);
                put(&env, &file, wrong);
                assert_eq!(newest(&snapshots(&env), 3, 77), None, "{file} at {at}");
                assert_eq!(files(&env), Vec::<String>::new(), "{file} at {at}");
            }
        }
    }
}

#[test]
fn the_newest_of_a_view_stays_and_the_first_of_each_interval() {
    let env = memory_env();
    let all = snapshots(&env);
    let position = |view, until| newest(&all, view, until).map(|(position, _)| position);
    assert_eq!(position(1, 100), None, "there is no directory");
    for (view, at) in [(1, 10), (2, 20), (1, 20), (1, 30)] {
        all.write(&manifest(view, at), &saved(&[])).unwrap();
    }
    assert_eq!(
        (position(1, 9), position(1, 29), position(1, 30), position(2, 100)),
        (None, Some(10), Some(30), Some(20))
    );
    assert_eq!(files(&env).len(), 6);
    // Behind one that is damaged is the one before it; of another plan, none stays.
    put(&env, "view-0000000001-00000000000000000030.part", b"");
    assert_eq!((position(1, 30), files(&env).len()), (Some(10), 4));
    let of_another = ViewManifest { plan: [1; 32], ..manifest(1, 30) };
    all.write(&of_another, &saved(&[])).unwrap();
    assert_eq!((position(1, 30), files(&env).len()), (None, 4));
    all.write(&manifest(1, 30), &saved(&[])).unwrap();
    assert!(all.newest(ViewId(1), &[0xac; 32], 100).is_none(), "of another plan");
    assert_eq!(position(1, 100), Some(30), "it stays");
    let other = ViewSnapshots::new(env.clone(), "/db/snapshots".into(), [0xce; 16], 100);
    assert_eq!(newest(&other, 1, 100), None, "of another database");
    assert_eq!(files(&env).len(), 2);
    // What a crash leaves, and what is of views that are gone; not what is not ours.
    all.write(&manifest(1, 40), &saved(&[])).unwrap();
    for left in ["view-0000000001-00000000000000000050.part", "view-0000000001-00000000000000000050.part.tmp"]
    {
        put(&env, left, b"");
    }
    put(&env, "view-1-2.part", b"");
    all.retain(&|view| view == ViewId(1));
    let stem = "view-0000000001-00000000000000000040";
    assert_eq!(files(&env), [format!("{stem}.manifest"), format!("{stem}.part"), "view-1-2.part".to_owned()]);
    // Once they are closed they are left alone.
    all.close();
    all.write(&manifest(1, 60), &saved(&[])).unwrap();
    put(&env, &format!("{stem}.part"), b"");
    assert_eq!((position(1, 60), files(&env).len()), (None, 3));
}
