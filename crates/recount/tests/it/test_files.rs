//! `recount test`: what it says of tests that hold, that fail, and of files that cannot be run.

use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};

use crate::program::Directory;

const BANK: &str = "CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL,
  timestamp TIMESTAMPTZ NOT NULL) KEY (accountId) TIMESTAMP BY timestamp;
CREATE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
  WHEN (balance + amount < 0) THEN ERROR 'overdrawn'
  WHEN ANY THEN SET balance = balance + amount;
";

/// What is said of the file a.test.sql.
fn said(name: &str, text: &str) -> String {
    let directory = Directory::new(&format!("test-{name}"));
    directory.write("a.test.sql", text);
    directory.run(&["test", "a.test.sql"], "")
}

/// What is said of tests of the bank; their first line is line 6.
fn check(name: &str, tests: &str, expect: Expect) {
    expect.assert_eq(&said(name, &format!("{BANK}{tests}")));
}

#[test]
fn the_example_holds() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/bank.test.sql");
    let text = fs::read_to_string(example).unwrap();
    expect![[""]].assert_eq(&said("example", &text));
}

#[test]
fn the_clock_is_what_the_file_says() {
    check(
        "clock",
        "CREATE TOPIC notes;
AT '2024-01-02T09:00:00Z'
TEST 'what is appended is recorded when the clock says'
GIVEN notes KEY 'a' TYPE 'noted' {\"n\": 1} [2]
THEN SELECT _key, _type, _event_time, _append_time FROM notes;
{\"_key\": \"a\", \"_type\": \"noted\", \"_event_time\": \"2024-01-02T09:00:00Z\", \"_append_time\": \"2024-01-02T10:00:00+01:00\"}
{\"_key\": \"a\", \"_type\": \"noted\", \"_event_time\": \"2024-01-02T09:00:00Z\", \"_append_time\": \"2024-01-02T09:00:00Z\"}
TEST 'the next one begins anew'
AT '2024-01-03T09:00:00Z' INSERT INTO transactions VALUES (1, 5, '2023-01-01T00:00:00Z');
AT '2024-01-04T09:00:00Z'
INSERT INTO transactions VALUES (1, 6, '2023-02-01T00:00:00Z');
THEN account/1 { \"balance\": 11 }
THEN account/1 FOR SYSTEM_TIME AS OF '2024-01-03T23:00:00Z' FOR VALID_TIME AS OF END OF '2023-12-31' {\"balance\": 5}
THEN account/1 FOR VALID_TIME AS OF '2022-12-31T00:00:00Z' NOTHING
THEN account/1 AS OF POSITION 2 NOTHING
THEN account/1 FOR VERSION 1 {}
THEN SELECT count(*) AS n FROM notes; {\"n\": 0}
THEN account/1 FOR SYSTEM_TIME AS OF '2024-01-05T09:00:00Z' {}
",
        expect![[""]],
    );
}

#[test]
fn rules_are_replaced_and_events_passed_over_within_a_test() {
    check(
        "replaced",
        "TEST 'a stopped key goes on'
GIVEN transactions {\"accountId\": 1, \"amount\": -5, \"timestamp\": \"2023-01-01T00:00:00Z\"}
THEN account/1 STOPPED
THEN SHOW STOPPED; {\"key\": \"1\", \"reason\": \"overdrawn\"}
ALTER ENTITY account SKIP EVENT 3;
THEN account/1 NOTHING
TEST 'a rule is replaced'
GIVEN transactions {\"accountId\": 1, \"amount\": 7.25, \"timestamp\": \"2023-01-01T00:00:00Z\"}
CREATE OR REPLACE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
  WHEN ANY THEN SET balance = balance + 2 * amount;
THEN account/1 {\"balance\": 14.5}
THEN account/1 FOR VERSION 1 {\"balance\": 7.25}
DROP ENTITY account VERSION 1;
THEN account/1 {\"accountid\": 1}
",
        expect![[""]],
    );
}

#[test]
fn what_does_not_hold_is_shown_beside_what_is_expected() {
    check(
        "failing",
        "GIVEN transactions
{\"accountId\": 1, \"amount\": 100.00, \"timestamp\": \"2023-12-01T12:00:00Z\"}
{\"accountId\": 1, \"amount\": -20.00, \"timestamp\": \"2023-12-13T12:00:00Z\"}
{\"accountId\": 2, \"amount\": -1, \"timestamp\": \"2023-12-13T12:00:00Z\"}
TEST 'rows'
THEN account/1 {\"balance\": 81.00}
THEN account/1 {\"balence\": 81.00}
THEN account/1 NOTHING
THEN account/1 STOPPED
THEN account/1 FOR VERSION 2 {}
THEN account/1 FOR SYSTEM_TIME AS OF '2024-01-01T00:00:00Z' {}
THEN account/x {}
THEN account/2 {\"balance\": -1}
THEN account/2 STOPPED 'closed'
THEN account/3 {\"balance\": 81.00}
THEN acount/3 NOTHING
TEST 'queries'
THEN SELECT amount FROM transactions ORDER BY amount;
{\"amount\": 100}
{\"amount\": -20}
THEN SELECT amount FROM transactions;
{\"amount\": 100}
{\"amount\": 1}
{\"amount\": -1}
THEN SELECT amount FROM transactions WHERE amount = 100; NOTHING
THEN SELECT amount FROM transactions WHERE amount = 1; {\"amount\": 1}
THEN SELECT
  amout FROM transactions; NOTHING
THEN SELECT * FROM account; {}
THEN SELECT amount FROM transactions WHERE amount > 5; ERROR 'too much'
THEN SELECT 1; {\"a\": 1}
THEN SELECT * FROM account; ERROR 'too much'
TEST 'what is done'
GIVEN transactions
{\"accountId\": 1, \"amount\": 1, \"timestamp\": \"2023-12-01T12:00:00Z\"}
  {\"accountId\": 1, \"amount\": 1.234, \"timestamp\": \"2023-12-13T12:00:00Z\"}
THEN account/1 {\"balance\": 81.00}
TEST 'what is stated'
INSERT INTO transactions
  VALUES (1, 'much', '2023-12-01T12:00:00Z');
THEN account/1 {\"balance\": 81.00}
TEST 'what is defined'
CREATE OR REPLACE ENTITY account FROM transactions STATE (balance DECIMAL(18,2))
  WHEN ANY THEN SET
   balance = balance * amount;
THEN account/1 {\"balance\": 81.00}
TEST 'what should be refused'
GIVEN transactions {\"accountId\": 1, \"amount\": 1, \"timestamp\": \"2023-12-01T12:00:00Z\"}
THEN ERROR 'too much'
TEST 'what should be refused otherwise'
INSERT INTO transactionen VALUES (1);
THEN ERROR 'too much'
TEST 'what has no topic'
GIVEN transactionen {}
THEN ERROR 'there is no topic transactionen'
TEST 'what has no key'
GIVEN transactions KEY '2' {\"accountId\": 1, \"amount\": 1, \"timestamp\": \"2023-12-01T12:00:00Z\"}
THEN ERROR 'the stream'
",
        expect![[""]],
    );
}

#[test]
fn files_directories_and_names() {
    let directory = Directory::new("test-directories");
    fs::create_dir_all(directory.path().join("rules/old")).unwrap();
    fs::create_dir_all(directory.path().join("none")).unwrap();
    let test = |name: &str, n: u32| format!("TEST '{name}'\nTHEN SELECT 1 AS n; {{\"n\": {n}}}\n");
    directory.write("rules/b.test.sql", &(test("one is one", 1) + &test("one is two", 2)));
    directory.write("rules/old/a.test.sql", &test("one is one", 1));
    directory.write("rules/notes.sql", "nothing of ours");
    directory.write("wrong.test.sql", "TEST 'no end");
    directory.check(&["test", "rules"], "", expect![[""]]);
    directory.check(&["test", "rules", "--filter", "one is one"], "", expect![[""]]);
    directory.check(&["test", "rules", "--filter", "three"], "", expect![[""]]);
    directory.check(&["test", "none"], "", expect![[""]]);
    directory.check(&["test", "absent.test.sql"], "", expect![[""]]);
    directory.check(
        &["test", "wrong.test.sql", "rules/old/a.test.sql", "rules/b.test.sql"],
        "",
        expect![[""]],
    );
    directory.check(&["test"], "", expect![[""]]);
}

#[test]
fn a_file_that_cannot_be_run_says_where_and_what_to_write() {
    const TEST: &str = "\nTEST 'a' THEN SELECT 1 AS n; {\"n\": 1}\n";
    let of_file = [
        "",
        "-- only a comment",
        "SELECT 1;",
        "TEST",
        "TEST a",
        "TEST 'a",
        "TEST ' '",
        "TEST 'a'",
        "TEST 'a' GIVEN t {}",
        "TEST 'a' CREATE TOPIC t; TEST 'b' THEN SELECT 1; {}",
        "THEN account/1 NOTHING",
        "TEST 'a'\nTHEN SELECT 1 AS n; {\"n\": 1}\n  TEST 'a' THEN SELECT 1 AS n; {\"n\": 1}",
        "/* no end",
        "CREATE TOPIC t",
        "CREATE TOPIC t\n\nTEST 'a' THEN SELECT 1 AS n; {\"n\": 1}",
        "CREATE TOPIC t\nGIVEN t\n{\"a\": 1};",
        "CREATE TOPIC t\nAT '2024-01-01T00:00:00Z';",
        "WHEN '2024-01-01T00:00:00Z'",
        "AND account/1",
        "{\"n\": 1}",
        "UPDATE t SET a = 1;",
        "AT 2024",
        "AT '2024-01-01'",
        "AT '2024-01-01T00:00:00Z' AT '2023-01-01T00:00:00Z'",
        "AT '1960-01-01T00:00:00Z'",
        "GIVEN",
        "GIVEN {\"n\": 1}",
        "GIVEN t",
        "GIVEN t KEY 1 {}",
        "GIVEN t TYPE {}",
        "GIVEN t AT '2024-01-01T00:00:00Z' {}",
        "GIVEN t {\"n\": 1,\n  n: 2}",
        "GIVEN t {\"n\": 1",
        "GIVEN t\n1",
    ];
    let of_then = [
        "",
        "account",
        "account/",
        "account/1",
        "account/1 80",
        "account/1 [80]",
        "account/1 {\"balance\": 80,}",
        "account/1 AS OF '2024-01-01T00:00:00Z' {}",
        "account/1 AS OF POSITION x {}",
        "account/1 FOR VALID_TIME {}",
        "account/1 FOR VALID_TIME AS OF {}",
        "account/1 FOR VALID_TIME AS OF '2024-01-01' {}",
        "account/1 FOR VALID_TIME AS OF END OF '2024-01-32' {}",
        "account/1 FOR VALID_TIME ALL {}",
        "account/1 FOR VERSION one {}",
        "account/1 FOR THE RECORD {}",
        "account/1 FOR VERSION 1 FOR VERSION 2 {}",
        "account/1 AS OF POSITION 1 FOR SYSTEM_TIME AS OF '2024-01-01T00:00:00Z' {}",
        "SELECT 1",
        "SELECT 1\n{\"n\": 1}\nTHEN SELECT 2;",
        "SELECT 1;",
        "SELECT 1; TEST 'b'",
        "SELECT 1; [1]",
        "SELECT 1; {\"n\": 1}\n {\"m\": 1}",
        "SELECT 1; ERROR",
        "SELECT 1; ERROR ''",
        "ERROR 'x'",
        "SELECT 1; {} THEN ERROR 'x'",
    ];
    let directory = Directory::new("test-malformed");
    let mut shown = String::new();
    let files = of_file.iter().map(|text| (*text).to_owned());
    let files = files.chain(of_then.iter().map(|text| format!("TEST 't' THEN {text}")));
    for text in files {
        directory.write("a.test.sql", &text);
        let said = directory.run(&["test", "a.test.sql"], "");
        shown += &format!("{}\n    {}\n", text.trim_end(), said.lines().next().unwrap_or_default());
        assert!(said.ends_with("exit code 2\n"), "{text}\n{said}");
    }
    for background in [
        "CREATE TOPIC t (a MONEY);",
        "CREATE TOPIC t (a BIGINT);\n  CREATE ENTITY e FROM t KEY (a)\n STATE (n BIGINT)\n   WHEN ANY THEN SET n = m;",
        "CREATE TOPIC t (a BIGINT); GIVEN t {}\n {\"a\": \"x\"}",
        "INSERT INTO t VALUES (1);",
    ] {
        directory.write("a.test.sql", &format!("{background}{TEST}"));
        let said = directory.run(&["test", "a.test.sql"], "");
        shown += &format!("{background}\n    {}\n", said.lines().next().unwrap_or_default());
        assert!(said.ends_with("exit code 2\n"), "{background}\n{said}");
    }
    expect![[""]].assert_eq(&shown);
}
