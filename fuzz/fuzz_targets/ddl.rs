//! Statements about topics: text that is no statement is refused with a place in it; a statement that is
//! accepted can be run, or is refused in words.

#![no_main]

use libfuzzer_sys::fuzz_target;
use recount::Database;
use recount_store::ddl;

fuzz_target!(|text: &str| {
    let parsed = ddl::parse(text);
    if parsed.is_ok() {
        let database = Database::memory().expect("a database in memory opens");
        let _ = database.execute("CREATE TOPIC t (a BIGINT NOT NULL, b TEXT) KEY (a)");
        let _ = database.execute(text);
        database.close().expect("it closes");
    }
});
