//! Tests of parts: golden bytes, entries that come back, changed bytes that do not pass.

use std::collections::BTreeMap;
use std::path::Path;

use expect_test::expect;
use proptest::prelude::*;
use recount_env::{Env, block_on, memory};

use super::*;

const SEAL: Seal = Seal(7);

fn directory(env: &Env) -> Directory {
    Directory { env: env.clone(), path: PathBuf::new() }
}

fn written(env: &Env, path: &str, entries: &BTreeMap<Vec<u8>, Vec<u8>>) -> u64 {
    let directory = directory(env);
    block_on(async {
        let mut writer = PartWriter::create(&directory, path, SEAL).await.unwrap();
        for (key, value) in entries {
            writer.push(key, value).await.unwrap();
        }
        writer.finish().await.unwrap()
    })
}

fn opened(env: &Env, path: &str, bytes: u64) -> Result<Part, SnapshotError> {
    block_on(Part::open(&directory(env), path, SEAL, bytes))
}

fn all(part: &Part) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, SnapshotError> {
    let mut all = BTreeMap::new();
    for block in 0..part.blocks() {
        block_on(part.entries_of(block, &mut |key, value| {
            all.insert(key.to_vec(), value.to_vec());
            Ok(())
        }))?;
    }
    Ok(all)
}

fn bytes_of(env: &Env, path: &str) -> Vec<u8> {
    block_on(directory(env).read(path, u64::MAX)).unwrap()
}

fn put(env: &Env, path: &str, bytes: &[u8]) {
    block_on(async {
        let _ = env.files.remove(Path::new(path)).await;
        let file = env.files.open(Path::new(path), OpenMode::CreateNew).await.unwrap();
        file.write_at(0, bytes).await.unwrap();
    });
}

#[test]
fn a_part_is_these_bytes() {
    let env = memory::memory_env();
    let entries = [("aa", "1"), ("ab", ""), ("b", "22")];
    let entries = entries.map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).into();
    written(&env, "part", &entries);
    let bytes: Vec<String> = bytes_of(&env, "part")
        .chunks(8)
        .map(|chunk| chunk.iter().map(|b| format!("{b:02x}")).collect())
        .collect();
    expect![[r#"
        0002616101310101
        6200000162023232
        d6d06c1d02616114
        2d36261914000000
        0000000008000000
        0000000001000000
        000000005c916c57"#]]
    .assert_eq(&bytes.join("\n"));
}

#[test]
fn entries_come_back_one_by_one_and_all_together() {
    let env = memory::memory_env();
    for count in [0u32, 1, 2, 999, 40_000] {
        let entry =
            |n: u32| ((n * 3).to_be_bytes().to_vec(), n.to_string().repeat(1 + n as usize % 5).into_bytes());
        let entries: BTreeMap<_, _> = (0..count).map(entry).collect();
        let path = format!("part-{count}");
        let bytes = written(&env, &path, &entries);
        let part = opened(&env, &path, bytes).unwrap();
        assert_eq!(all(&part).unwrap(), entries);
        for key in (0..count * 3 + 3).step_by(if count > 1000 { 701 } else { 1 }) {
            let key = key.to_be_bytes();
            assert_eq!(
                block_on(part.find(&key)).unwrap().as_ref(),
                entries.get(&key[..]),
                "{key:?} of {count}"
            );
        }
        assert!(count < 40_000 || part.blocks() > 50, "it has many blocks");
    }
}

/// Whatever is changed in a part, and wherever it is cut, reading it says so, and never gives other entries.
#[test]
fn no_changed_byte_passes() {
    let env = memory::memory_env();
    let entries: BTreeMap<_, _> =
        (0..1500u32).map(|n| (n.to_be_bytes().to_vec(), n.to_string().into_bytes())).collect();
    let len = written(&env, "part", &entries);
    let bytes = bytes_of(&env, "part");
    let reads = |bytes: &[u8], len: u64| {
        put(&env, "other", bytes);
        let part = opened(&env, "other", len)?;
        all(&part)
    };
    assert_eq!(reads(&bytes, len).unwrap(), entries);
    for at in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(matches!(reads(&flipped, len), Err(SnapshotError::Damaged { .. })), "byte {at}");
    }
    for at in (0..bytes.len()).step_by(301) {
        assert!(matches!(reads(&bytes[..at], len), Err(SnapshotError::Damaged { .. })), "cut at {at}");
        assert!(
            matches!(reads(&bytes[..at], at as u64), Err(SnapshotError::Damaged { .. })),
            "short at {at}"
        );
    }
    put(&env, "other", &bytes);
    let of_another = block_on(Part::open(&directory(&env), "other", Seal(8), len));
    assert!(matches!(of_another, Err(SnapshotError::Damaged { .. })));
    let gone = opened(&env, "nothing", len).map(|_| ());
    assert_eq!(gone, Err(SnapshotError::Gone { file: "nothing".into() }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_entries_come_back(entries: BTreeMap<Vec<u8>, Vec<u8>>, keys: Vec<Vec<u8>>) {
        let env = memory::memory_env();
        let bytes = written(&env, "part", &entries);
        let part = opened(&env, "part", bytes).unwrap();
        prop_assert_eq!(&all(&part).unwrap(), &entries);
        for key in entries.keys().chain(&keys) {
            let found = block_on(part.find(key)).unwrap();
            prop_assert_eq!(found.as_ref(), entries.get(key));
        }
    }
}
