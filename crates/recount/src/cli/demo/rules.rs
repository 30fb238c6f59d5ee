//! What the demo shows of entities: balances as rows, as of both axes of time, and the same history under a new rule.

use std::io::Write;
use std::time::Instant;

use recount::Database;

use super::measured::{Measured, millis, per_second};
use crate::cli::failure::Failure;
use crate::cli::{build, sql};

const ACCOUNT: &str = "CREATE ENTITY account FROM transactions ORDER BY EVENT TIME
  STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
  WHEN ANY THEN SET balance = balance + amount";

const RATES: &str =
    "CREATE TOPIC rates (product TEXT NOT NULL, rate DECIMAL(9,6) NOT NULL, since TIMESTAMPTZ NOT NULL)
  KEY (product) TIMESTAMP BY since";

const INTEREST: &str = "CREATE OR REPLACE ENTITY account FROM transactions ORDER BY EVENT TIME
  LOOKUP rates AS r ON r.product = 'savings' AS OF timestamp
  STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, last TIMESTAMPTZ)
  WHEN ANY THEN SET last = timestamp, balance = balance + amount
    + round(balance * coalesce(r.rate, 0) * coalesce(days(last, timestamp), 0) / 365, 2)";

/// Statements that are longer are shown as they are written.
const ONE_LINE_MAX: usize = 150;

/// A statement, and what it answered.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) statement: String,
    pub(super) answer: String,
}

/// Declares the entity; shows balances, and the row of one account now, as of a date, as recorded by a time, and both. Returns
/// what was asked.
pub(super) fn declare(
    out: &mut impl Write,
    database: &Database,
    key: &str,
    date: &str,
    recorded: &str,
    measured: &mut Measured,
) -> Result<Vec<Asked>, Failure> {
    writeln!(out, "Nobody has to read them all: a balance is declared, and kept up to date.\n{ACCOUNT}\n")?;
    let began = Instant::now();
    database.execute(ACCOUNT)?;
    build::wait(database, "account", 1)?;
    told(out, database, began, ("folding", measured))?;
    let mut asked = Vec::new();
    let of_account = |as_of: &str| format!("SELECT * FROM account{as_of} WHERE accountId = {key}");
    for (why, statement) in [
        ("The richest:", "SELECT * FROM account ORDER BY balance DESC, accountId LIMIT 3".to_owned()),
        ("One account, now:", of_account("")),
        ("As of a date, by all that is known today:", of_account(&format!(" FOR VALID_TIME AS OF '{date}'"))),
        (
            "As it was recorded before the late one came:",
            of_account(&format!(" FOR SYSTEM_TIME AS OF '{recorded}'")),
        ),
        (
            "And both: that date, as it was known then:",
            of_account(&format!(" FOR SYSTEM_TIME AS OF '{recorded}' FOR VALID_TIME AS OF '{date}'")),
        ),
    ] {
        writeln!(out, "{why}")?;
        let answer = ask(out, database, &statement)?;
        asked.push(Asked { statement, answer });
    }
    let began = Instant::now();
    let all = format!("SELECT count(*), sum(balance) FROM account FOR VALID_TIME AS OF '{date}'");
    sql::table_of(database, &all)?;
    measured.keep("all balances as of a date", millis(began.elapsed()));
    Ok(asked)
}

/// Loads rates, replaces the rule by one with interest, and shows both side by side.
pub(super) fn replace(
    out: &mut impl Write,
    database: &Database,
    key: &str,
    measured: &mut Measured,
) -> Result<(), Failure> {
    writeln!(
        out,
        "\nThe rule was too simple: the bank pays interest. The rates of all those years come now:"
    )?;
    database.execute(RATES)?;
    ask(out, database, &rates())?;
    writeln!(out, "\n{INTEREST}\n")?;
    let began = Instant::now();
    database.execute(INTEREST)?;
    build::wait(database, "account", 2)?;
    told(out, database, began, ("folding with interest", measured))?;
    writeln!(out, "One history under two rules, step by step; the last five:")?;
    ask(
        out,
        database,
        &format!(
            "SELECT o._event_time AS at, o.balance AS without, n.balance AS with_interest
  FROM account FOR VERSION 1 FOR VALID_TIME ALL AS o JOIN account FOR VALID_TIME ALL AS n ON n._position = o._position
  WHERE n.accountId = {key} AND o.accountId = {key} ORDER BY at DESC, o._position DESC LIMIT 5"
        ),
    )?;
    writeln!(out, "The accounts that differ most:")?;
    ask(
        out,
        database,
        "SELECT n.accountid, o.balance AS without, n.balance AS with_interest, n.balance - o.balance AS difference
  FROM account AS n JOIN account FOR VERSION 1 AS o USING (accountid)
  ORDER BY abs(n.balance - o.balance) DESC, n.accountid LIMIT 5",
    )
    .map(drop)
}

/// Runs a statement and shows what it answers, with the time that it took.
pub(super) fn ask(out: &mut impl Write, database: &Database, statement: &str) -> Result<String, Failure> {
    let one_line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    let began = Instant::now();
    let table = sql::table_of(database, statement)?;
    let took = millis(began.elapsed());
    let shown: String = if one_line.len() > ONE_LINE_MAX { statement.to_owned() } else { one_line };
    writeln!(out, "> {shown};   ({took})\n{table}")?;
    Ok(table)
}

fn told(
    out: &mut impl Write,
    database: &Database,
    began: Instant,
    (what, measured): (&'static str, &mut Measured),
) -> Result<(), Failure> {
    let took = began.elapsed();
    let keys = database.views().status("account", None)?.keys;
    let events = database.head().0;
    let rate = per_second(events, took);
    let seconds = took.as_secs_f64();
    writeln!(out, "{events} events folded into {keys} rows in {seconds:.1} s: {rate:.0} a second\n")?;
    measured.keep(what, format!("{rate:.0} events a second"));
    Ok(())
}

/// A rate for each half of a year.
fn rates() -> String {
    let rows: Vec<String> = (0..12)
        .map(|n| {
            let (year, month) = (2019 + n / 2, if n % 2 == 0 { "01" } else { "07" });
            format!("('savings', 0.0{:02}5, '{year}-{month}-01T00:00:00Z')", 10 + (n * 7) % 30)
        })
        .collect();
    format!("INSERT INTO rates VALUES\n  {}", rows.join(",\n  "))
}
