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

fn bank() -> Directory {
    let directory = Directory::new("sql");
    directory.write("bank.sql", SCRIPT);
    directory.check(&["sql", "bank.db", "--file", "bank.sql"], "", expect![[""]]);
    directory
}

#[test]
fn statements_from_a_file_the_command_line_and_standard_input() {
    let directory = bank();
    directory.check(&["sql", "bank.db", "-c", "SELECT * FROM account"], "", expect![[""]]);
    directory.check(
        &["sql", "bank.db", "--format", "csv"],
        "SELECT * FROM account; SELECT 1 AS one;",
        expect![[""]],
    );
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
        expect![[""]],
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
        expect![[""]],
    );
    directory.check(&["sql", "bank.db"], "SELECT 1;\n\nSELECT * FROM acount;", expect![[""]]);
    directory.check(&["sql", "bank.db", "-c", "SHOW ENTITIES"], "", expect![[""]]);
    directory.check(&["sql", "bank.db", "-f", "none.sql"], "", expect![[""]]);
}

#[test]
fn why_and_diff() {
    let directory = bank();
    directory.check(&["why", "bank.db", "account/1"], "", expect![[""]]);
    directory.check(
        &["why", "bank.db", "account/1", "--valid-as-of", "2023-12-02T00:00:00Z"],
        "",
        expect![[""]],
    );
    directory.check(&["why", "bank.db", "account/3"], "", expect![[""]]);
    directory.check(&["why", "bank.db", "account"], "", expect![[""]]);
    let replace = "CREATE OR REPLACE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
        WHEN (amount < 0) THEN SET balance = balance + amount - 1 WHEN ANY THEN SET balance = balance + amount";
    directory.check(&["sql", "bank.db", "-c", replace], "", expect![[""]]);
    directory.check(&["diff", "bank.db", "account", "1", "2"], "", expect![[""]]);
    let server = directory.serve("bank.db");
    directory.check(&["diff", &server.url, "account", "1", "2"], "", expect![[""]]);
    directory.check(&["why", &server.url, "account/2"], "", expect![[""]]);
    directory.check(
        &["sql", &server.url, "-c", "SELECT balance FROM account WHERE accountid = 2"],
        "",
        expect![[""]],
    );
    directory.check(&["sql", &server.url, "-c", "DROP ENTITY account VERSION 7"], "", expect![[""]]);
    directory.check(&["diff", &server.url, "account", "1", "3"], "", expect![[""]]);
}
