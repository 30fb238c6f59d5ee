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
    expect![[r#"
        ok      a.test.sql: interest is paid on the balance of before
        ok      a.test.sql: a rate holds from its date on
        ok      a.test.sql: a late transaction changes December, not what was believed of it
        ok      a.test.sql: an overdrawn account stops, and no other
        ok      a.test.sql: a transaction without an amount is not recorded
        5 tests passed
    "#]]
    .assert_eq(&said("example", &text));
}

#[test]
fn the_clock_is_what_the_file_says() {
    check(
        "clock",
        "CREATE TOPIC notes;
AT '2024-01-02T09:00:00Z'
TEST 'what is appended is recorded when the clock says'
GIVEN notes KEY 'a' TYPE 'noted' {\"n\": 1} [2]
THEN SELECT _stream, _type, _event_time, _append_time FROM notes;
{\"_stream\": \"notes/a\", \"_type\": \"noted\", \"_event_time\": \"2024-01-02T09:00:00Z\", \"_append_time\": \"2024-01-02T10:00:00+01:00\"}
{\"_stream\": \"notes/a\", \"_type\": \"noted\", \"_event_time\": \"2024-01-02T09:00:00Z\", \"_append_time\": \"2024-01-02T09:00:00Z\"}
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
        expect![[r#"
            ok      a.test.sql: what is appended is recorded when the clock says
            FAILED  a.test.sql: the next one begins anew
              a.test.sql:23:1: that time has not come yet: nobody knows what will be appended until then
            recount: 1 of 2 tests failed
            exit code 1
        "#]],
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
        expect![[r#"
            ok      a.test.sql: a stopped key goes on
            ok      a.test.sql: a rule is replaced
            2 tests passed
        "#]],
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
        expect![[r#"
            FAILED  a.test.sql: rows
              a.test.sql:11:1: account/1 is not as expected
                (- expected, + found)
                - {"balance":81.00}
                + {"balance":80.00}
                its steps:
                         3  2023-12-01T12:00:00Z  — → balance=100.00  WHEN ANY
                         4  2023-12-13T12:00:00Z  balance=100.00 → balance=80.00  WHEN ANY
              a.test.sql:12:1: there is no column balence: there are accountid, balance
              a.test.sql:13:1: there is a row account/1
                (- expected, + found)
                + {"accountid":1,"balance":80.00}
                its steps:
                         3  2023-12-01T12:00:00Z  — → balance=100.00  WHEN ANY
                         4  2023-12-13T12:00:00Z  balance=100.00 → balance=80.00  WHEN ANY
              a.test.sql:14:1: account/1 did not stop
                (- expected, + found)
                + {"accountid":1,"balance":80.00}
                its steps:
                         3  2023-12-01T12:00:00Z  — → balance=100.00  WHEN ANY
                         4  2023-12-13T12:00:00Z  balance=100.00 → balance=80.00  WHEN ANY
              a.test.sql:15:1: entity account has no version 2: it has 1
              a.test.sql:16:1: that time has not come yet: nobody knows what will be appended until then
              a.test.sql:17:1: "x" is not a key: it is of accountid BIGINT
              a.test.sql:18:1: account/2 stopped: overdrawn
                its steps:
                         5  2023-12-13T12:00:00Z  — → —  WHEN (balance + amount < 0)  stopped overdrawn
              a.test.sql:19:1: account/2 stopped for another reason: overdrawn
                its steps:
                         5  2023-12-13T12:00:00Z  — → —  WHEN (balance + amount < 0)  stopped overdrawn
              a.test.sql:20:1: there is no row account/3: no event has this key
              a.test.sql:21:1: there is no entity acount
            FAILED  a.test.sql: queries
              a.test.sql:23:1: the query has other rows than expected
                (- expected, + found)
                - {"amount":100}
                  {"amount":-20}
                + {"amount":-1.00}
                + {"amount":100.00}
              a.test.sql:26:1: the query has other rows than expected
                (- expected, + found)
                  {"amount":100}
                - {"amount":1}
                  {"amount":-1}
                + {"amount":-20.00}
              a.test.sql:30:1: the query has other rows than expected
                (- expected, + found)
                + {"amount":100.00}
              a.test.sql:31:1: the query has other rows than expected
                (- expected, + found)
                - {"amount":1}
              a.test.sql:32:1: schema error: No field named amout. Did you mean 'transactions.amount'?
            Valid fields are transactions.accountid, transactions.amount, transactions.timestamp, transactions._position, transactions._stream, transactions._revision, transactions._partition, transactions._offset, transactions._id, transactions._type, transactions._tags, transactions._event_time, transactions._append_time, transactions._key, transactions._value, transactions._headers.
              a.test.sql:34:1: account/2 stopped at position 5: overdrawn
              a.test.sql:35:1: the query has an answer, where an error is expected
                (- expected, + found)
                + {"amount":100.00}
              a.test.sql:36:1: there is no column a: there are 1
              a.test.sql:37:1: the error is another than expected
                (- expected, + found)
                - …too much…
                + account/2 stopped at position 5: overdrawn
            FAILED  a.test.sql: what is done
              a.test.sql:41:3: amount "1.234" has 3 decimals, the column allows 2. Round it, or widen the column: ALTER TOPIC transactions ALTER COLUMN amount TYPE DECIMAL(19,3)
            FAILED  a.test.sql: what is stated
              a.test.sql:44:1: event 0: amount "much" is not a number. Nothing of this append was stored
            FAILED  a.test.sql: what is defined
              a.test.sql:50:14: the value has 4 digits after the point, and balance keeps 2: write round(…, 2)
            FAILED  a.test.sql: what should be refused
              a.test.sql:53:1: these events are not refused, where an error with "too much" is expected
            FAILED  a.test.sql: what should be refused otherwise
              a.test.sql:56:1: the error is another than expected
                (- expected, + found)
                - …too much…
                + there is no topic, entity or view transactionen. Do you mean transactions?
            ok      a.test.sql: what has no topic
            FAILED  a.test.sql: what has no key
              a.test.sql:62:1: the error is another than expected
                (- expected, + found)
                - …the stream…
                + the key 2 was given, but the topic's KEY makes it 1: leave it out, or change the payload
            recount: 8 of 9 tests failed
            exit code 1
        "#]],
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
    directory.check(
        &["test", "rules"],
        "",
        expect![[r#"
        ok      rules/b.test.sql: one is one
        FAILED  rules/b.test.sql: one is two
          rules/b.test.sql:4:1: the query has other rows than expected
            (- expected, + found)
            - {"n":2}
            + {"n":1}
        ok      rules/old/a.test.sql: one is one
        recount: 1 of 3 tests failed
        exit code 1
    "#]],
    );
    directory.check(
        &["test", "rules", "--filter", "one is one"],
        "",
        expect![[r#"
        ok      rules/b.test.sql: one is one
        ok      rules/old/a.test.sql: one is one
        2 tests passed
    "#]],
    );
    directory.check(
        &["test", "rules", "--filter", "three"],
        "",
        expect![[r#"
        recount: no test has "three" in its name
        exit code 2
    "#]],
    );
    directory.check(
        &["test", "none"],
        "",
        expect![[r#"
        recount: none: there is no file *.test.sql in it
        exit code 2
    "#]],
    );
    directory.check(
        &["test", "absent.test.sql"],
        "",
        expect![[r#"
        recount: absent.test.sql: No such file or directory (os error 2)
        recount: 1 file cannot be run; no test was run
        exit code 2
    "#]],
    );
    directory.check(
        &["test", "wrong.test.sql", "rules/old/a.test.sql", "rules/b.test.sql"],
        "",
        expect![[r#"
            ok      rules/old/a.test.sql: one is one
            ok      rules/b.test.sql: one is one
            FAILED  rules/b.test.sql: one is two
              rules/b.test.sql:4:1: the query has other rows than expected
                (- expected, + found)
                - {"n":2}
                + {"n":1}
            recount: wrong.test.sql:1:6: the text has no end: put a single quote behind it, and double those in it
            recount: 1 file cannot be run; 1 of 3 tests failed
            exit code 2
        "#]],
    );
    directory.check(
        &["test"],
        "",
        expect![[r#"
        error: the following required arguments were not provided:
          <FILE>...

        Usage: recount test <FILE>...

        For more information, try '--help'.
        exit code 2
    "#]],
    );
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
    expect![[r#"

            recount: a.test.sql:1:1: the file has no test: begin one with TEST 'what must hold'
        -- only a comment
            recount: a.test.sql:1:18: the file has no test: begin one with TEST 'what must hold'
        SELECT 1;
            recount: a.test.sql:1:1: write THEN before a query, a semicolon behind it, and then the rows that it must have
        TEST
            recount: a.test.sql:1:5: found the end of the file, expected the name of the test in single quotes behind TEST
        TEST a
            recount: a.test.sql:1:6: found a, expected the name of the test in single quotes behind TEST
        TEST 'a
            recount: a.test.sql:1:6: the text has no end: put a single quote behind it, and double those in it
        TEST ' '
            recount: a.test.sql:1:1: a test has a name: write TEST 'what must hold'
        TEST 'a'
            recount: a.test.sql:1:1: this test expects nothing: say with THEN what must hold, such as THEN account/1 {"balance": 80.00}
        TEST 'a' GIVEN t {}
            recount: a.test.sql:1:1: this test expects nothing: say with THEN what must hold, such as THEN account/1 {"balance": 80.00}
        TEST 'a' CREATE TOPIC t; TEST 'b' THEN SELECT 1; {}
            recount: a.test.sql:1:1: this test expects nothing: say with THEN what must hold, such as THEN account/1 {"balance": 80.00}
        THEN account/1 NOTHING
            recount: a.test.sql:1:1: THEN belongs to a test: begin one with TEST 'what must hold'
        TEST 'a'
        THEN SELECT 1 AS n; {"n": 1}
          TEST 'a' THEN SELECT 1 AS n; {"n": 1}
            recount: a.test.sql:3:3: the test in line 1 has the same name: choose another one
        /* no end
            recount: a.test.sql:1:1: the comment has no end: write */
        CREATE TOPIC t
            recount: a.test.sql:1:1: this statement has no end: put a semicolon behind it
        CREATE TOPIC t

        TEST 'a' THEN SELECT 1 AS n; {"n": 1}
            recount: a.test.sql:1:1: this statement has no end: put a semicolon behind it
        CREATE TOPIC t
        GIVEN t
        {"a": 1};
            recount: a.test.sql:1:1: this statement has no end: put a semicolon behind it
        CREATE TOPIC t
        AT '2024-01-01T00:00:00Z';
            recount: a.test.sql:1:1: this statement has no end: put a semicolon behind it
        WHEN '2024-01-01T00:00:00Z'
            recount: a.test.sql:1:1: WHEN is no step: AT 'time' sets the clock, and as of when a row is meant stands behind it, as in THEN account/1 FOR VALID_TIME AS OF '2024-01-31T12:00:00Z' {"balance": 80.00}
        AND account/1
            recount: a.test.sql:1:1: found AND: a step begins with TEST, AT, GIVEN or THEN, or is a statement: CREATE, ALTER, DROP or INSERT
        {"n": 1}
            recount: a.test.sql:1:1: JSON stands behind GIVEN topic, or behind THEN and what is looked at
        UPDATE t SET a = 1;
            recount: a.test.sql:1:1: found UPDATE: a step begins with TEST, AT, GIVEN or THEN, or is a statement: CREATE, ALTER, DROP or INSERT
        AT 2024
            recount: a.test.sql:1:4: found 2024, expected a time such as '2024-01-02T09:00:00Z' behind AT
        AT '2024-01-01'
            recount: a.test.sql:1:4: "2024-01-01" is not a time: write it as 2023-12-13T12:00:00Z
        AT '2024-01-01T00:00:00Z' AT '2023-01-01T00:00:00Z'
            recount: a.test.sql:1:30: the clock shows 2024-01-01T00:00:00Z here, and it does not go back: put the steps in the order in which they are recorded
        AT '1960-01-01T00:00:00Z'
            recount: a.test.sql:1:4: the clock shows 1970-01-01T00:00:00Z here, and it does not go back: put the steps in the order in which they are recorded
        GIVEN
            recount: a.test.sql:1:6: found the end of the file, expected the name of a topic behind GIVEN
        GIVEN {"n": 1}
            recount: a.test.sql:1:7: found {"n":, expected the name of a topic behind GIVEN
        GIVEN t
            recount: a.test.sql:1:8: found the end of the file, expected events of t: JSON, an event a line
        GIVEN t KEY 1 {}
            recount: a.test.sql:1:13: found 1, expected the key in single quotes behind KEY
        GIVEN t TYPE {}
            recount: a.test.sql:1:14: found {}, expected the type of the events in single quotes behind TYPE
        GIVEN t AT '2024-01-01T00:00:00Z' {}
            recount: a.test.sql:1:9: AT stands before what it is the time of: AT 'time' GIVEN t
        GIVEN t {"n": 1,
          n: 2}
            recount: a.test.sql:2:3: this is not JSON: key must be a string
        GIVEN t {"n": 1
            recount: a.test.sql:1:15: this is not JSON: EOF while parsing an object
        GIVEN t
        1
            recount: a.test.sql:2:1: found 1, expected events of t: JSON, an event a line
        TEST 't' THEN
            recount: a.test.sql:1:15: found the end of the file, expected a row such as account/1, a query that begins with SELECT, WITH, VALUES or SHOW, or ERROR 'text'
        TEST 't' THEN account
            recount: a.test.sql:1:15: found account, expected a row such as account/1, a query that begins with SELECT, WITH, VALUES or SHOW, or ERROR 'text'
        TEST 't' THEN account/
            recount: a.test.sql:1:15: account/ has no key: write it as account/1
        TEST 't' THEN account/1
            recount: a.test.sql:1:24: found the end of the file, expected what account/1 must be: {"column": value}, NOTHING, or STOPPED 'reason'
        TEST 't' THEN account/1 80
            recount: a.test.sql:1:25: found 80, expected what account/1 must be: {"column": value}, NOTHING, or STOPPED 'reason'
        TEST 't' THEN account/1 [80]
            recount: a.test.sql:1:25: found [80], expected what account/1 must be: {"column": value}, NOTHING, or STOPPED 'reason'
        TEST 't' THEN account/1 {"balance": 80,}
            recount: a.test.sql:1:40: this is not JSON: trailing comma
        TEST 't' THEN account/1 AS OF '2024-01-01T00:00:00Z' {}
            recount: a.test.sql:1:25: AS OF alone does not say which time is meant: write FOR VALID_TIME AS OF for what had happened, FOR SYSTEM_TIME AS OF for what was recorded, or AS OF POSITION and a number
        TEST 't' THEN account/1 AS OF POSITION x {}
            recount: a.test.sql:1:40: found x, expected a number behind POSITION
        TEST 't' THEN account/1 FOR VALID_TIME {}
            recount: a.test.sql:1:40: found {}, expected AS behind VALID_TIME
        TEST 't' THEN account/1 FOR VALID_TIME AS OF {}
            recount: a.test.sql:1:46: found {}, expected a time such as '2024-01-02T09:00:00Z', or END OF '2023-12-31'
        TEST 't' THEN account/1 FOR VALID_TIME AS OF '2024-01-01' {}
            recount: a.test.sql:1:46: "2024-01-01" is not a time: write it as 2023-12-13T12:00:00Z, or END OF and a date for the end of a day
        TEST 't' THEN account/1 FOR VALID_TIME AS OF END OF '2024-01-32' {}
            recount: a.test.sql:1:53: "2024-01-32" is not a date: write it as 2023-12-31
        TEST 't' THEN account/1 FOR VALID_TIME ALL {}
            recount: a.test.sql:1:40: found ALL, expected AS behind VALID_TIME
        TEST 't' THEN account/1 FOR VERSION one {}
            recount: a.test.sql:1:37: found one, expected a number behind VERSION
        TEST 't' THEN account/1 FOR THE RECORD {}
            recount: a.test.sql:1:29: found THE, expected VALID_TIME, SYSTEM_TIME or VERSION behind FOR
        TEST 't' THEN account/1 FOR VERSION 1 FOR VERSION 2 {}
            recount: a.test.sql:1:39: a row is of one version, and as of one moment of each axis of time
        TEST 't' THEN account/1 AS OF POSITION 1 FOR SYSTEM_TIME AS OF '2024-01-01T00:00:00Z' {}
            recount: a.test.sql:1:42: a row is of one version, and as of one moment of each axis of time
        TEST 't' THEN SELECT 1
            recount: a.test.sql:1:15: this statement has no end: put a semicolon between the query and its rows
        TEST 't' THEN SELECT 1
        {"n": 1}
        THEN SELECT 2;
            recount: a.test.sql:1:15: this statement has no end: put a semicolon between the query and its rows
        TEST 't' THEN SELECT 1;
            recount: a.test.sql:1:24: found the end of the file, expected the rows of the query, such as {"balance": 80.00} and one a line, or NOTHING, or ERROR 'text'
        TEST 't' THEN SELECT 1; TEST 'b'
            recount: a.test.sql:1:25: found TEST, expected the rows of the query, such as {"balance": 80.00} and one a line, or NOTHING, or ERROR 'text'
        TEST 't' THEN SELECT 1; [1]
            recount: a.test.sql:1:25: found [1], expected the rows of the query, such as {"balance": 80.00} and one a line, or NOTHING, or ERROR 'text'
        TEST 't' THEN SELECT 1; {"n": 1}
         {"m": 1}
            recount: a.test.sql:2:2: this row does not name the columns that the first one names: all rows of a query name the same
        TEST 't' THEN SELECT 1; ERROR
            recount: a.test.sql:1:30: found the end of the file, expected a piece of what is said in single quotes behind ERROR
        TEST 't' THEN SELECT 1; ERROR ''
            recount: a.test.sql:1:31: say which error: write a piece of its text behind ERROR
        TEST 't' THEN ERROR 'x'
            recount: a.test.sql:1:10: THEN ERROR stands right behind the GIVEN or the statement of its test that is refused
        TEST 't' THEN SELECT 1; {} THEN ERROR 'x'
            recount: a.test.sql:1:28: THEN ERROR stands right behind the GIVEN or the statement of its test that is refused
        CREATE TOPIC t (a MONEY);
            recount: a.test.sql:1:19: MONEY is not a type here: write DECIMAL(18,2)
        CREATE TOPIC t (a BIGINT);
          CREATE ENTITY e FROM t KEY (a)
         STATE (n BIGINT)
           WHEN ANY THEN SET n = m;
            recount: a.test.sql:4:26: there is no column m: the event has a, the state n
        CREATE TOPIC t (a BIGINT); GIVEN t {}
         {"a": "x"}
            recount: a.test.sql:2:2: a "x" is a string, and the column is BIGINT: write a number without quotes
        INSERT INTO t VALUES (1);
            recount: a.test.sql:1:1: there is no topic, entity or view t: none exists yet, see CREATE TOPIC
    "#]].assert_eq(&shown);
}
