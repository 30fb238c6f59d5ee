//! Bodies of groups: the directory, and the batches behind it. Once as they come, and once with the
//! directory's length and checksum made right.

#![no_main]

use libfuzzer_sys::fuzz_target;
use recount_store::group::{GroupBody, encode};

const PREFIX_BYTES: usize = 8;

fuzz_target!(|data: &[u8]| {
    read(data);
    if let Some((&[low, high], rest)) = data.split_first_chunk() {
        let directory_bytes = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
        let mut repaired = vec![0; PREFIX_BYTES];
        repaired[..4].copy_from_slice(&(directory_bytes as u32).to_le_bytes());
        repaired[4..].copy_from_slice(&crc32c::crc32c(&rest[..directory_bytes]).to_le_bytes());
        repaired.extend_from_slice(rest);
        read(&repaired);
    }
});

fn read(data: &[u8]) {
    let Ok(body) = GroupBody::decode(data) else { return };
    let directory = &body.directory;
    for entry in 0..directory.entries.len() {
        let _ = body.producer(entry);
        if let Ok(records) = body.records(entry) {
            records.take_while(Result::is_ok).count();
        }
    }
    let _ = (directory.kind(), directory.position_count());
    let batches: Vec<Vec<u8>> = directory.entries.iter().map(|entry| vec![0; entry.bytes as usize]).collect();
    let again = encode(directory, &batches);
    assert_eq!(&GroupBody::decode(&again).expect("what was encoded decodes").directory, directory);
}
