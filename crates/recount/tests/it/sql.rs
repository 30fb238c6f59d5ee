//! SQL at the command line: statements, why a row is as it is, and two versions side by side.

use expect_test::expect;

use crate::program::Directory;

const SCRIPT: &str = "CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL,
  timestamp TIMESTAMPTZ NOT NULL UNIT SECONDS) KEY (accountId) TIMESTAMP BY timestamp;
-- a balance
CREATE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
  WHEN ANY THEN SET balance = balance + amount;
INSERT INTO transactions VALUES (1, 100, '2023-12-01T12:00:00Z'), (1, -20, '2023-12-13T12:00:00Z'), (2, 7.25, '2023-12-02T00:00:00Z');
";

fn bank(name: &str) -> Directory {
    let directory = Directory::new(name);
    directory.write("bank.sql", SCRIPT);
    let said = directory.run(&["sql", "bank.db", "--file", "bank.sql"], "");
    expect![[r#"
        {"position":1,"statement":"CREATE TOPIC","topic":"transactions"}
        {"entity":"account","position":2,"statement":"CREATE ENTITY","version":1}
        {"inserted":3,"position":5}
    "#]]
    .assert_eq(&said);
    directory
}

#[test]
fn statements_from_a_file_the_command_line_and_standard_input() {
    let directory = bank("sql-statements");
    directory.check(
        &["sql", "bank.db", "-c", "SELECT * FROM account"],
        "",
        expect![[r#"
        {"accountid":1,"balance":80.00}
        {"accountid":2,"balance":7.25}
    "#]],
    );
    let csv =
        directory.run(&["sql", "bank.db", "--format", "csv"], "SELECT * FROM account; SELECT 1 AS one;");
    assert_eq!(csv, "accountid,balance\r\n1,80.00\r\n2,7.25\r\none\r\n1\r\n");
    directory.check(
        &[
            "sql",
            "bank.db",
            "--format",
            "table",
            "-c",
            "SELECT * FROM account FOR VALID_TIME AS OF '2023-12-01T12:00:00Z'",
        ],
        "",
        expect![[r#"
            accountid  balance
            ─────────  ───────
                    1   100.00
            1 row
        "#]],
    );
    directory.check(
        &[
            "sql",
            "bank.db",
            "--format",
            "json",
            "-c",
            "SELECT * FROM account FOR VALID_TIME AS OF '2022-12-01T12:00:00Z'",
        ],
        "",
        expect![[r#"
            {"position":5,"columns":[{"name":"accountid","type":"BIGINT"},{"name":"balance","type":"DECIMAL(18,2)"}],"rows":[],"notices":[]}
        "#]],
    );
    directory.check(
        &["sql", "bank.db"],
        "SELECT 1;\n\nSELECT * FROM acount;",
        expect![[r#"
        {"1":1}
        recount: line 3: there is no topic, entity or view acount. Do you mean account?
        exit code 1
    "#]],
    );
    directory.check(&["sql", "bank.db", "-c", "SELECT count(*) AS n FROM account; SHOW ENTITIES"], "", expect![[r#"
        {"n":2}
        {"name":"account","version":1,"current":true,"keys":2,"stopped":0,"position":5,"behind":0,"bytes":1176,"error":"","unfit_events":0}
    "#]]);
    directory.check(
        &["sql", "bank.db", "-f", "none.sql"],
        "",
        expect![[r#"
        recount: none.sql: No such file or directory (os error 2)
        exit code 1
    "#]],
    );
}

#[test]
fn what_a_stopped_key_advises_can_be_run() {
    let directory = Directory::new("sql-stopped");
    let stopping = SCRIPT.replace("WHEN ANY", "WHEN (amount < 0) THEN ERROR 'overdrawn' WHEN ANY");
    directory.write("bank.sql", &stopping);
    directory.run(&["sql", "bank.db", "--file", "bank.sql"], "");
    directory.run(&["sql", "it's a bank.db", "--file", "bank.sql"], "");
    let select = "SELECT * FROM account";
    directory.check(&["sql", "bank.db", "-c", select], "", expect![[r#"
        recount: line 1: account/1 stopped at position 4: overdrawn. Look at it with recount why bank.db account/1; then correct the rule with CREATE OR REPLACE ENTITY, or pass the event over: ALTER ENTITY account SKIP EVENT 4
        exit code 3
    "#]]);
    directory.check(&["sql", "it's a bank.db", "-c", select], "", expect![[r#"
        recount: line 1: account/1 stopped at position 4: overdrawn. Look at it with recount why 'it'\''s a bank.db' account/1; then correct the rule with CREATE OR REPLACE ENTITY, or pass the event over: ALTER ENTITY account SKIP EVENT 4
        exit code 3
    "#]]);
    let server = directory.serve("bank.db");
    let said = directory.run(&["sql", &server.url, "-c", select], "");
    assert!(said.contains(&format!("recount why {} account/1;", server.url)), "{said}");
    // A directory that a server holds is reached through it, and is what the command line names.
    let said = directory.run(&["sql", "bank.db", "-c", select], "");
    assert!(said.contains("recount why bank.db account/1;"), "{said}");
}

#[test]
fn why_and_diff() {
    let directory = bank("sql-why");
    directory.check(&["why", "bank.db", "account/1"], "", expect![[r#"
        {"after":{"balance":100.00},"appendTime":"TIME","before":null,"effect":"set","eventTime":"2023-12-01T12:00:00Z","position":3,"rule":"WHEN ANY"}
        {"after":{"balance":80.00},"appendTime":"TIME","before":{"balance":100.00},"effect":"set","eventTime":"2023-12-13T12:00:00Z","position":4,"rule":"WHEN ANY"}
    "#]]);
    directory.check(
        &["why", "bank.db", "account/1", "--valid-as-of", "2023-12-02T00:00:00Z"],
        "",
        expect![[r#"
            {"after":{"balance":100.00},"appendTime":"TIME","before":null,"effect":"set","eventTime":"2023-12-01T12:00:00Z","position":3,"rule":"WHEN ANY"}
        "#]],
    );
    directory.check(&["why", "bank.db", "account/3"], "", expect![[""]]);
    directory.check(
        &["why", "bank.db", "account"],
        "",
        expect![[r#"
        recount: "account" is not a row: write it as entity/key
        exit code 2
    "#]],
    );
    let replace = "CREATE OR REPLACE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
        WHEN (amount = 7.25) THEN IGNORE WHEN (amount < 0) THEN SET balance = balance + amount - 1 WHEN ANY THEN SET balance = balance + amount";
    directory.check(
        &["sql", "bank.db", "-c", replace],
        "",
        expect![[r#"
        {"entity":"account","position":6,"statement":"CREATE ENTITY","version":2}
    "#]],
    );
    directory.check(&["diff", "bank.db", "account", "1", "2"], "", expect![[r#"
        {"firstDifference":{"eventTime":"2023-12-13T12:00:00Z","position":4},"key":{"accountid":1},"new":{"balance":79.00},"old":{"balance":80.00}}
        {"firstDifference":{"eventTime":"2023-12-02T00:00:00Z","position":5},"key":{"accountid":2},"new":null,"old":{"balance":7.25}}
        2 keys differ in balance
    "#]]);
    let server = directory.serve("bank.db");
    directory.check(&["diff", &server.url, "account", "1", "2"], "", expect![[r#"
        {"firstDifference":{"eventTime":"2023-12-13T12:00:00Z","position":4},"key":{"accountid":1},"new":{"balance":79.00},"old":{"balance":80.00}}
        {"firstDifference":{"eventTime":"2023-12-02T00:00:00Z","position":5},"key":{"accountid":2},"new":null,"old":{"balance":7.25}}
        2 keys differ in balance
    "#]]);
    directory.check(&["why", &server.url, "account/2"], "", expect![[r#"
        {"after":null,"appendTime":"TIME","before":null,"effect":"ignored","eventTime":"2023-12-02T00:00:00Z","position":5,"rule":"WHEN (amount = 7.25)"}
    "#]]);
    directory.check(
        &["sql", &server.url, "-c", "SELECT balance FROM account WHERE accountid = 2"],
        "",
        expect![""],
    );
    directory.check(
        &["sql", &server.url, "-c", "DROP ENTITY account VERSION 7"],
        "",
        expect![[r#"
        recount: line 1: entity account has no version 7: there are 1, 2
        exit code 2
    "#]],
    );
    directory.check(
        &["diff", &server.url, "account", "1", "3"],
        "",
        expect![[r#"
        recount: there is no version 3 of an entity account
        exit code 1
    "#]],
    );
}

/// What is set in a script holds for the statements behind it, in a directory and through a server alike; notices do not get
/// among the rows.
#[test]
fn a_script_leaves_stopped_keys_out() {
    let directory = bank("sql-stopped");
    let replace =
        "CREATE OR REPLACE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
        WHEN (amount = 7.25) THEN ERROR 'odd' WHEN ANY THEN SET balance = balance + amount";
    directory.run(&["sql", "bank.db", "-c", replace], "");
    let script = "SET stopped = 'skip';\nSELECT * FROM account;\nSELECT sum(balance) AS all FROM account;\nSET stopped = 'fail';\nSELECT 1;\nSELECT * FROM account";
    let local = directory.run(&["sql", "bank.db"], script);
    expect![[r#"
        {"accountid":1,"balance":80.00}
        {"all":80.00}
        {"1":1}
        notice: of account version 2, 1 key that stopped is left out: 2 (position 5). See SHOW STOPPED
        notice: of account version 2, 1 key that stopped is left out: 2 (position 5). See SHOW STOPPED
        recount: line 6: account/2 stopped at position 5: odd. Look at it with recount why bank.db account/2; then correct the rule with CREATE OR REPLACE ENTITY, or pass the event over: ALTER ENTITY account SKIP EVENT 5
        exit code 3
    "#]]
    .assert_eq(&local);
    directory.check(
        &["sql", "bank.db", "--format", "table", "-c", "SET stopped TO skip; SELECT * FROM account"],
        "",
        expect![[r#"
            stopped is skip
            accountid  balance
            ─────────  ───────
                    1    80.00
            1 row
            of account version 2, 1 key that stopped is left out: 2 (position 5). See SHOW STOPPED
        "#]],
    );
    directory.check(&["sql", "bank.db", "-c", "SELECT 1;\nSET stopped = 'no'"], "", expect![[r#"
        {"1":1}
        recount: line 2: line 1, column 15: stopped is 'fail' (what reads a stopped key fails and names it) or 'skip' (the rest comes, with a notice), not 'no'
        exit code 2
    "#]]);
    let server = directory.serve("bank.db");
    let served = directory.run(&["sql", &server.url], script);
    assert_eq!(served.replace(&server.url, "bank.db"), local);
}

/// A terminal: what a person types, keys included, and what is seen on the screen. All of it is typed ahead, as it is when
/// several lines are pasted: the prompt once dropped whatever was typed while a statement ran.
#[test]
fn typed_at_a_prompt() {
    let directory = bank("sql-prompt");
    let tab = "\t";
    let seen = directory.typed(&[
        "\\?",
        "\\d",
        "\\d account",
        "\\timing",
        &format!("SEL{tab} balance FROM acc{tab} WHERE accountid = 1;"),
        "\\timing",
        "SELECT 1 AS",
        "  one;",
        "nonsense;",
        "\\x",
        "\\q",
    ]);
    for expected in [
        "A statement ends with a semicolon.",
        "accountid BIGINT, amount DECIMAL(18,2), timestamp TIMESTAMPTZ",
        "column     type\n─────────  ─────────────\naccountid  BIGINT\nbalance    DECIMAL(18,2)\n2 rows\n",
        "timing is on\n",
        "balance\n───────\n  80.00\n1 row\nTIME ms\n",
        "timing is off\n",
        "one\n───\n  1\n1 row\n> ",
        "line 1, column 1: expected: an SQL statement, found: nonsense\n",
        "there is no command \\x. \\? for help\n",
    ] {
        assert!(seen.contains(expected), "{expected:?} is missing in\n{seen}");
    }
    // The next time, the key up brings back what was typed: \q, \x, nonsense, and the statement before.
    let up = "\u{1b}[A";
    let seen = directory.typed(&[&format!("{up}{up}{up}{up}"), "\\q"]);
    assert!(seen.contains("one\n───\n  1\n1 row\n"), "{seen}");
}
