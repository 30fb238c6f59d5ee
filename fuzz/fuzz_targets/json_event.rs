//! Payloads appended to a topic with a column of every type: refused in words, or read back as they were sent.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use recount::{Database, EventWrite, NewEvent, Scope, TopicName};

const CREATE: &str = "CREATE TOPIC t (i BIGINT NOT NULL, n INT, d DECIMAL(18,2), f DOUBLE, b BOOLEAN, s TEXT NOT NULL, day DATE, \
                      at TIMESTAMPTZ UNIT SECONDS, j JSON) KEY (i, s) TYPE(s) TIMESTAMP BY at TAG name (s)";
/// A database in memory grows; this many appends each.
const APPENDS_MAX: u32 = 2000;

thread_local! {
    static OPEN: RefCell<Option<(Database, u32)>> = const { RefCell::new(None) };
}

fuzz_target!(|data: &[u8]| {
    OPEN.with_borrow_mut(|open| {
        let (database, appends) = open.get_or_insert_with(|| {
            let database = Database::memory().expect("a database in memory opens");
            database.execute(CREATE).expect("the topic is right");
            (database, 0)
        });
        let topic = TopicName::parse("t").expect("a name");
        let event = NewEvent { payload: data.to_vec().into(), ..NewEvent::default() };
        if let Ok(appended) = database.append(vec![EventWrite { topic, key: None, event }]) {
            let stream = appended.events[0].stream.clone();
            if let Some(stream) = stream {
                let last = database.read(Scope::Stream(stream)).expect("a stream is read").last();
                assert_eq!(last.expect("it has an event").expect("it is sound").payload, data);
            }
            *appends += 1;
        }
        if *appends >= APPENDS_MAX {
            database.close().expect("it closes");
            *open = None;
        }
    });
});
