//! Kafka record batches, as producers send them and as they lie in a group: header, records, headers of
//! records. Once as they come, and once with length, magic and checksum made right.

#![no_main]

use libfuzzer_sys::fuzz_target;
use recount_types::batch::{self, BatchHeader, HEADER_BYTES};

fuzz_target!(|data: &[u8]| {
    read(data);
    if data.len() >= HEADER_BYTES {
        let mut repaired = data.to_vec();
        let length = (data.len() - 12) as u32;
        repaired[8..12].copy_from_slice(&length.to_be_bytes());
        repaired[16] = 2;
        let crc = crc32c::crc32c(&repaired[21..]);
        repaired[17..21].copy_from_slice(&crc.to_be_bytes());
        read(&repaired);
    }
});

fn read(data: &[u8]) {
    let verified = batch::verify(data);
    if let Ok(header) = BatchHeader::parse(data) {
        let _ = (header.codec(), header.record_count(), header.is_control());
    }
    let Ok(records) = batch::records(data) else { return };
    let mut count = 0;
    for record in records {
        let Ok(record) = record else { return };
        let headers = record.headers().take_while(Result::is_ok).count();
        assert!(headers <= record.header_count());
        count += 1;
    }
    if let Ok(header) = verified {
        assert_eq!(count, header.record_count());
    }
}
