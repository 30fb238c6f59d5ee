//! Events in CloudEvents' structured mode.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use recount_store::cloudevents;

fuzz_target!(|data: &[u8]| {
    let _ = cloudevents::parse(&Bytes::copy_from_slice(data));
});
