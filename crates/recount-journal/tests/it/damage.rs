//! Damage at every byte: a journal opens with all that was in it, or is refused by name. Never less, silently.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use recount_env::sim::World;
use recount_env::sim::disk::Disk;
use recount_journal::TailDecision;

use crate::machine::*;

const SEGMENT_BYTES: u64 = 16 << 10;
const SIZES: [usize; 12] = [300, 0, 4000, 700, 1, 2500, 6000, 64, 64, 900, 200, 40];

/// A journal of a few segments, left as a clean close or a kill leaves it.
fn journal(close: bool) -> (World, Disk) {
    let world = machine(77);
    run(&world, async move |env| {
        let mut opened = open(&env, settings(SEGMENT_BYTES)).await;
        opened.append_all(&SIZES).await;
        if close {
            opened.close().await.unwrap();
        }
    });
    let disk = world.disk(|disk| disk.clone());
    (world, disk)
}

/// How a damaged journal ended, and how often.
type Outcomes = BTreeMap<String, usize>;

/// Puts a damaged file into place, opens, and classifies what comes out.
fn try_with(
    world: &World,
    disk: &Disk,
    path: &Path,
    bytes: Option<Vec<u8>>,
    decision: TailDecision,
) -> String {
    world.disk(|now| {
        *now = disk.clone();
        match bytes {
            Some(bytes) => now.tamper(path, bytes),
            None => now.tamper_remove(path),
        }
    });
    match contents(world, settings(SEGMENT_BYTES), decision) {
        Ok(found) if found == groups(&SIZES) => "identical".to_owned(),
        Ok(found) if found == groups(&SIZES[..SIZES.len() - 1]) => "without the last group".to_owned(),
        Ok(found) if found == groups(&SIZES[..found.len()]) => {
            format!("without the last {} groups", SIZES.len() - found.len())
        }
        Ok(found) => panic!("{}: silently different: {} groups", path.display(), found.len()),
        Err(error) => {
            assert!(error.contains("/db"), "it names no file: {error}");
            match () {
                () if error.contains("--accept-tail-loss") => "uncertain".to_owned(),
                () if error.contains("is not empty and has no FORMAT") => "not a database".to_owned(),
                () if error.contains("--salvage") => {
                    assert!(error.contains("offset "), "{error}");
                    "corrupt".to_owned()
                }
                () => panic!("{error}"),
            }
        }
    }
}

fn files(disk: &Disk) -> Vec<(PathBuf, Vec<u8>)> {
    disk.paths().into_iter().map(|path| (path.clone(), disk.bytes(&path).unwrap())).collect()
}

/// Each byte of each file, flipped in one bit and inverted.
fn every_flip(close: bool, decision: TailDecision, sparsely: bool) -> Outcomes {
    let (world, disk) = journal(close);
    let mut outcomes = Outcomes::new();
    for (path, bytes) in files(&disk) {
        let last_used = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0);
        for at in 0..bytes.len() {
            // Zeros far behind everything are all alike.
            if at > last_used + 600 && !at.is_multiple_of(64) || sparsely && !at.is_multiple_of(3) {
                continue;
            }
            for mask in [1 << (at % 8), 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= mask;
                let outcome = try_with(&world, &disk, &path, Some(damaged), decision);
                *outcomes.entry(outcome).or_default() += 1;
            }
        }
    }
    outcomes
}

#[test]
fn after_a_clean_close_every_flipped_byte_is_found_or_harmless() {
    let outcomes = every_flip(true, TailDecision::Refuse, false);
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["corrupt", "identical"], "{outcomes:?}");
    assert!(outcomes.values().all(|&count| count > 2000), "{outcomes:?}");
}

#[test]
fn after_a_kill_every_flipped_byte_is_found_or_harmless() {
    let outcomes = every_flip(false, TailDecision::Refuse, false);
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["corrupt", "identical", "uncertain"], "{outcomes:?}");
    assert!(outcomes["uncertain"] < 2000, "{outcomes:?}");
}

/// What the operator accepts is the last group and no more.
#[test]
fn accepting_a_tail_loss_loses_the_last_group_at_most() {
    let outcomes = every_flip(false, TailDecision::AcceptLoss, true);
    let names: Vec<_> = outcomes.keys().map(String::as_str).collect();
    assert_eq!(names, ["corrupt", "identical", "without the last group"], "{outcomes:?}");
}

#[test]
fn every_truncation_and_every_missing_file_is_found_or_harmless() {
    for close in [true, false] {
        let (world, disk) = journal(close);
        for (path, bytes) in files(&disk) {
            let mut outcomes = Outcomes::new();
            for length in 0..bytes.len() {
                if length > 700 && !length.is_multiple_of(61) && length + 4 < bytes.len() {
                    continue;
                }
                let cut = Some(bytes[..length].to_vec());
                let outcome = try_with(&world, &disk, &path, cut, TailDecision::Refuse);
                *outcomes.entry(outcome).or_default() += 1;
            }
            let missing = try_with(&world, &disk, &path, None, TailDecision::Refuse);
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let expected = if name == "LOCK" || name == "next.tmp" { "identical" } else { "corrupt" };
            assert_eq!(outcomes.keys().collect::<Vec<_>>(), [expected], "{name}: {outcomes:?}");
            let expected = match name.as_str() {
                // Without the marker it is a journal that was not closed: all of it is still there.
                "LOCK" | "CLOSED" | "next.tmp" => "identical",
                "FORMAT" => "not a database",
                _ => "corrupt",
            };
            assert_eq!(missing, expected, "without {name}");
        }
    }
}

/// Where each group lies.
fn frames(world: &World, disk: &Disk) -> Vec<(PathBuf, std::ops::Range<usize>)> {
    world.disk(|now| *now = disk.clone());
    run(world, async |env| {
        let recovery = recover(&env, settings(SEGMENT_BYTES), TailDecision::Refuse).await.unwrap();
        let reader = recovery.reader();
        let mut cursor = reader.frames(reader.first().unwrap());
        let mut frames = Vec::new();
        while let Some(frame) = cursor.next_where(|header| header.kind.uses_lsn()).await.unwrap() {
            let from = frame.location.offset as usize;
            let to = from + frame.header.frame_bytes() as usize;
            frames.push((reader.path(frame.location.segment), from..to));
        }
        frames
    })
}

/// The documented residue, and no more than that: sectors that the disk returns as the zeros they held before. Of a
/// journal that was not closed they can take the groups at its very end that lie in them, the last one included: then
/// nothing is left that tells of these groups.
fn assert_residue(
    outcome: &str,
    frames: &[(PathBuf, std::ops::Range<usize>)],
    path: &Path,
    lost: std::ops::Range<usize>,
) {
    let Some(missing) = outcome.strip_prefix("without the last ") else { return };
    let missing: usize = missing.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(1);
    for (file, frame) in &frames[SIZES.len() - missing..] {
        assert!(
            file == path && frame.start < lost.end && lost.start < frame.end,
            "{outcome}: {lost:?} is not in {frame:?}"
        );
    }
}

#[test]
fn a_lost_sector_is_found_or_hits_the_end_of_an_unclosed_journal() {
    for close in [true, false] {
        let (world, disk) = journal(close);
        let mut frames = frames(&world, &disk);
        if !close {
            // The last one is not proven and not shown: it reaches to the end of what is not zero.
            let (path, before) = frames.last().cloned().unwrap();
            let bytes = disk.bytes(&path).unwrap();
            let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
            frames.push((path, before.end..end));
        }
        let mut outcomes = Outcomes::new();
        for (path, bytes) in files(&disk).into_iter().filter(|(path, _)| class_of(path) == "segment") {
            for (sectors, at) in [1, 2, 8].into_iter().flat_map(|n| (0..32).map(move |at| (n, at * 512))) {
                let mut damaged = bytes.clone();
                let end = (at + sectors * 512).min(damaged.len());
                damaged[at..end].fill(0);
                let outcome = try_with(&world, &disk, &path, Some(damaged), TailDecision::Refuse);
                assert_residue(&outcome, &frames, &path, at..end);
                *outcomes.entry(outcome).or_default() += 1;
            }
        }
        let whole = outcomes.keys().all(|outcome| !outcome.starts_with("without"));
        assert_eq!(whole, close, "{outcomes:?}");
    }
}

#[test]
fn swapped_segments_and_blocks_of_other_places_are_found() {
    for close in [true, false] {
        let (world, disk) = journal(close);
        let segments: Vec<_> =
            files(&disk).into_iter().filter(|(path, _)| class_of(path) == "segment").collect();
        assert!(segments.len() >= 2);
        for (path, bytes) in &segments {
            for (other_path, other) in &segments {
                if path != other_path && other.len() == bytes.len() {
                    let swapped = Some(other.clone());
                    let outcome = try_with(&world, &disk, path, swapped, TailDecision::Refuse);
                    assert!(matches!(&*outcome, "corrupt" | "uncertain"), "{outcome}");
                }
                for (from, to) in (0..32).flat_map(|from| (0..32).map(move |to| (from * 512, to * 512))) {
                    if from / 512 % 3 != 0 || from + 512 > other.len() || to + 512 > bytes.len() {
                        continue;
                    }
                    let mut damaged = bytes.clone();
                    damaged[to..to + 512].copy_from_slice(&other[from..from + 512]);
                    let outcome = try_with(&world, &disk, path, Some(damaged), TailDecision::Refuse);
                    let old_zeros = other[from..from + 512].iter().all(|&byte| byte == 0);
                    let refused_or_whole = matches!(&*outcome, "corrupt" | "uncertain" | "identical");
                    assert!(refused_or_whole || !close && old_zeros, "{outcome}");
                }
            }
        }
    }
}

/// One flipped bit in the zeros of a planned segment that was not begun made the journal unreadable for good.
#[test]
fn damage_to_a_segment_that_was_only_planned() {
    let planned = settings(64 << 10);
    for close in [true, false] {
        let world = machine(5);
        let sizes: Vec<usize> = [vec![50_000], vec![100; 10]].concat();
        let script = sizes.clone();
        run(&world, async move |env| {
            let mut opened = open(&env, planned).await;
            opened.append_all(&script).await;
            while !env.files.list(Path::new("/db/journal")).await.unwrap().iter().any(|n| n.contains("034-"))
            {
                opened.writer.seal(recount_types::Position(0), state(11)).await.unwrap();
            }
            if close {
                opened.close().await.unwrap();
            }
        });
        let name = journal_files(&world).into_iter().find(|name| name.contains("034-")).unwrap();
        let path = journal_path(&name);
        let disk = world.disk(|disk| disk.clone());
        for at in [0, 100, 200, 5000] {
            let mut damaged = vec![0; 64 << 10];
            damaged[at] = 1;
            for decision in [TailDecision::Refuse, TailDecision::AcceptLoss] {
                world.disk(|now| {
                    *now = disk.clone();
                    now.tamper(&path, damaged.clone());
                });
                let found = contents(&world, planned, decision);
                match found {
                    Ok(found) => {
                        assert!(found == groups(&sizes) && (close || decision == TailDecision::AcceptLoss))
                    }
                    Err(error) => {
                        assert!(!close && decision == TailDecision::Refuse, "{error}");
                        assert!(error.contains("--accept-tail-loss") && error.contains(&name), "{error}");
                    }
                }
            }
        }
    }
}
