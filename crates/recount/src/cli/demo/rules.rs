//! What the demo shows of entities: balances as rows, as of both axes of time, and the same history under a new rule.

use std::io::Write;
use std::time::Instant;

use recount::{Database, Position};

use crate::cli::failure::Failure;
use crate::cli::{build, sql};

const ACCOUNT: &str = "CREATE ENTITY account FROM transactions
  STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
  WHEN ANY THEN SET balance = balance + amount";

const RATES: &str =
    "CREATE TOPIC rates (product TEXT NOT NULL, rate DECIMAL(9,6) NOT NULL, since TIMESTAMPTZ NOT NULL)
  KEY (product) TIMESTAMP BY since";

const INTEREST: &str = "CREATE OR REPLACE ENTITY account FROM transactions
  LOOKUP rates AS r ON r.product = 'savings' AS OF timestamp
  STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, last TIMESTAMPTZ)
  WHEN ANY THEN SET last = timestamp, balance = balance + amount
    + round(balance * coalesce(r.rate, 0) * coalesce(days(last, timestamp), 0) / 365, 2)";

/// Declares the entity; shows the row of an account now and as of a date and a position.
pub(super) fn declare(
    out: &mut impl Write,
    database: &Database,
    key: &str,
    date: &str,
    halfway: Position,
) -> Result<(), Failure> {
    writeln!(out, "Balances are declared, and folded from the events:\n{ACCOUNT}\n")?;
    let began = Instant::now();
    database.execute(ACCOUNT)?;
    build::wait(database, "account", 1)?;
    told(out, database, began)?;
    for statement in [
        format!("SELECT * FROM account WHERE accountId = {key}"),
        format!("SELECT * FROM account FOR VALID_TIME AS OF '{date}' WHERE accountId = {key}"),
        format!("SELECT * FROM account AS OF POSITION {halfway} WHERE accountId = {key}"),
    ] {
        ask(out, database, &statement)?;
    }
    Ok(())
}

/// Loads rates, replaces the rule by one with interest, and shows both side by side.
pub(super) fn replace(out: &mut impl Write, database: &Database, key: &str) -> Result<(), Failure> {
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
    told(out, database, began)?;
    writeln!(out, "One history under two rules:")?;
    ask(
        out,
        database,
        &format!(
            "SELECT o._event_time AS at, o.balance AS without, n.balance AS with_interest
  FROM account FOR VERSION 1 FOR VALID_TIME ALL AS o JOIN account FOR VALID_TIME ALL AS n ON n._position = o._position
  WHERE n.accountId = {key} AND o.accountId = {key} ORDER BY o._position DESC LIMIT 5"
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
}

/// Runs a statement and shows what it answers, with the time that it took.
pub(super) fn ask(out: &mut impl Write, database: &Database, statement: &str) -> Result<(), Failure> {
    let one_line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    let began = Instant::now();
    let table = sql::table_of(database, statement)?;
    let millis = began.elapsed().as_secs_f64() * 1000.0;
    let shown: String = if one_line.len() > 110 { statement.to_owned() } else { one_line };
    writeln!(out, "> {shown};   ({millis:.1} ms)\n{table}")?;
    Ok(())
}

fn told(out: &mut impl Write, database: &Database, began: Instant) -> Result<(), Failure> {
    let seconds = began.elapsed().as_secs_f64();
    let keys = database.views().status("account", None)?.keys;
    let events = database.head().0;
    writeln!(
        out,
        "{events} events folded into {keys} rows in {seconds:.1} s: {:.0} a second\n",
        events as f64 / seconds
    )?;
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
    format!("INSERT INTO rates VALUES {}", rows.join(", "))
}
