//! Damaged databases: told with file and offset, exit code 4, never read as if nothing were wrong.

use std::fs;

use crate::program::Directory;

#[test]
fn a_flipped_byte_is_4() {
    let dir = Directory::new("flipped-byte");
    dir.run(&["topic", "bank.db", "create", "transactions"], "");
    dir.run(&["append", "bank.db", "transactions", "--key", "1"], "{\"amount\": -20.0}\n");
    let journal = dir.path().join("bank.db/journal");
    let is_segment = |path: &std::path::Path| path.extension().is_some_and(|ending| ending == "journal");
    let segments = fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path());
    let segment = segments.filter(|path| is_segment(path)).min().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(5).position(|found| found == b"-20.0").unwrap();
    bytes[at] = b'+';
    fs::write(&segment, bytes).unwrap();

    for command in [&["verify", "bank.db"][..], &["read", "bank.db"], &["inspect", "bank.db", "frames"]] {
        let told = dir.run(command, "");
        assert!(told.ends_with("exit code 4\n"), "{command:?}: {told}");
        assert!(!told.contains("+20.0"), "{command:?}: {told}");
    }
    let told = dir.run(&["verify", "bank.db"], "");
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(told.contains(name) && told.contains("offset"), "{told}");
    let told = dir.run(&["export", "bank.db", "--salvage"], "");
    assert!(told.contains("1 damaged places were stepped over"), "{told}");
}
