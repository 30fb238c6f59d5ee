//! The demo, small.

use std::path::Path;

use crate::program::{Directory, Running};

/// As many events as it takes for rows to be kept when the database is closed.
#[test]
fn the_bank_survives_a_restart_a_new_rule_and_a_crash() {
    let dir = Directory::new("demo");
    let told = dir.run(&["demo", "bank", "--events", "66000", "--keep", "bank.db"], "");
    for said in [
        "\nCREATE TOPIC transactions (accountId BIGINT NOT NULL,",
        "66000 transactions in",
        "balance as of",
        "\nCREATE ENTITY account FROM transactions ORDER BY EVENT TIME\n",
        " FOR SYSTEM_TIME AS OF '",
        " FOR VALID_TIME AS OF '",
        ": from the snapshot at position 66003, and 0 events behind it.\n",
        "\nAll 5 answers are the same as before.\n",
        "\nCREATE OR REPLACE ENTITY account FROM transactions ORDER BY EVENT TIME\n",
        "with_interest",
        "The accounts that differ most:",
        "\nThe same, to the cent.\n",
        "\n  on disk ",
        "  recount why bank.db account/414 ",
    ] {
        assert!(told.contains(said), "{said} is not said in:\n{told}");
    }
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
    assert!(told.contains("transactions/1, its last 3 transactions:"), "{told}");
    assert!(told.contains("  580.00\n"), "{told}");
    assert!(told.contains(": folded from the first event, because so few need no snapshot.\n"), "{told}");
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
    let folder = Path::new(database).parent().unwrap();
    assert!(
        !folder.exists() && folder.file_name().unwrap().to_string_lossy().starts_with("recount-demo-"),
        "{database}"
    );
}
