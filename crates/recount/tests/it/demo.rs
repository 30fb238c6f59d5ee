//! The demo, small.

use std::path::Path;

use crate::program::{Directory, Running};

#[test]
fn the_bank_survives_its_crash() {
    let dir = Directory::new("demo");
    let told = dir.run(&["demo", "bank", "--events", "3000", "--keep", "bank.db"], "");
    assert!(told.contains("3000 transactions in"), "{told}");
    assert!(told.contains("balance as of"), "{told}");
    assert!(told.contains("The same, to the cent.\n"), "{told}");
    let verified = dir.run(&["verify", "bank.db"], "");
    assert!(verified.starts_with("ok: "), "{verified}");
}

#[test]
fn a_bank_of_ones_own() {
    let dir = Directory::new("demo-csv");
    dir.write(
        "mine.csv",
        "accountId,amount,timestamp\n1,100.00,1701388800\n1,-20.0,1702468800\n2,5,1702468800\n",
    );
    let told = dir.run(&["demo", "bank", "--csv", "mine.csv", "--keep", "bank.db"], "");
    assert!(told.contains("transactions/1, its last 2 transactions:"), "{told}");
    assert!(told.contains("80.00"), "{told}");
    dir.write("other.csv", "account,amount\n1,2\n");
    let told = dir.run(&["demo", "bank", "--csv", "other.csv", "--keep", "other.db"], "");
    assert_eq!(told.lines().rev().nth(1), Some("recount: other.csv has no column accountId"), "{told}");
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let dir = Directory::new("demo-interrupted");
    let mut demo = Running::start(&dir, &["demo", "bank", "--events", "1000000000"]);
    let told = demo.line();
    let database = told.strip_prefix("A new bank in ").unwrap();
    assert_eq!(demo.interrupt(), Some(130));
    assert!(!Path::new(database).exists(), "{database}");
}
