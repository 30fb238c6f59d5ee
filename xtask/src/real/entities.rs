//! Entities on the bank's transactions: every balance at every month's end, and at moments of the import, against sums
//! made here; and the bank's own running column, in SQL.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::berka::{Berka, Row};
use crate::run;
use crate::written::decimal;

const SCRIPT: &str = "CREATE TOPIC transactions (account_id BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL,
    at TIMESTAMPTZ NOT NULL, balance DECIMAL(18,2) NOT NULL) KEY (account_id) TIMESTAMP BY at;
  CREATE ENTITY account FROM transactions
    STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, bank DECIMAL(18,2) NOT NULL DEFAULT 0)
    WHEN ANY THEN SET balance = state.balance + amount, bank = event.balance;";

/// The previous balance of the bank and the amount, against the bank's balance.
const RUNNING: &str = "SELECT count(*) FILTER (WHERE diff = 0), count(*) FILTER (WHERE diff > 0 AND diff <= 0.10),
    count(*) FILTER (WHERE diff > 0.10)
  FROM (SELECT abs(coalesce(lag(v.bank) OVER (PARTITION BY v.account_id ORDER BY v._position), 0) + t.amount - v.bank) AS diff
          FROM account FOR SYSTEM_TIME ALL AS v JOIN transactions AS t ON t._position = v._position) AS d";
/// What the data's description says of it.
const RUNNING_EXPECTED: &str = "44966,2031,0";
/// Moments of the import that are asked about.
const MOMENTS: usize = 50;

/// Runs the checks in a database of their own.
pub(super) fn check(berka: &Berka, program: &Path, dir: &Path) -> Result<()> {
    let database = dir.join("entities.db");
    if database.exists() {
        fs::remove_dir_all(&database)?;
    }
    let csv = dir.join("entities.csv");
    let mut text = "account_id,amount,at,balance\n".to_owned();
    for row in &berka.rows {
        let (amount, balance) = (decimal(row.cents, 2), decimal(row.balance_cents, 2));
        text.push_str(&format!("{},{amount},{}T00:00:00Z,{balance}\n", row.account, row.date));
    }
    fs::write(&csv, text).with_context(|| csv.display().to_string())?;
    let command = |word: &str| {
        let mut command = Command::new(program);
        command.arg(word).arg(&database);
        command
    };
    // Each is another process: the entity is folded anew for every question.
    let sql = |statement: &str| {
        let answer = run::output(command("sql").args(["--format", "csv", "--command", statement]))?;
        Ok::<_, anyhow::Error>(
            answer.replace('\r', "").lines().skip(1).map(str::to_owned).collect::<Vec<_>>(),
        )
    };
    run::output(command("sql").args(["--command", SCRIPT]))?;
    run::output(command("import").arg("transactions").arg(&csv))?;

    let ends = month_ends();
    for end in &ends {
        let statement =
            format!("SELECT account_id, balance FROM account FOR VALID_TIME AS OF END OF '{end}' ORDER BY 1");
        let expected = sums(berka.rows.iter().filter(|row| row.date <= *end));
        ensure!(sql(&statement)? == expected, "balances at the end of {end} differ");
    }
    let positions = sql("SELECT _position FROM transactions ORDER BY 1")?;
    ensure!(positions.len() == berka.rows.len(), "{} of {} events", positions.len(), berka.rows.len());
    for moment in 1..=MOMENTS {
        // An import's append has 500 rows, and its progress behind them; a position within it is the one before it.
        let count = (berka.rows.len() - 1) * moment / MOMENTS / 500 * 500;
        let before = positions[count].parse::<u64>()? - 1;
        let statement = format!("SELECT account_id, balance FROM account AS OF POSITION {before} ORDER BY 1");
        ensure!(sql(&statement)? == sums(&berka.rows[..count]), "balances as of position {before} differ");
    }
    let running = sql(RUNNING)?.join("\n");
    ensure!(running == RUNNING_EXPECTED, "the running column: {running}, expected {RUNNING_EXPECTED}");
    println!(
        "entities: balances at {} ends of months and {MOMENTS} moments of the import exact; running column {running}",
        ends.len()
    );
    Ok(())
}

/// The balance of each account, as the query shows it.
fn sums<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<String> {
    let mut sums: BTreeMap<u64, i64> = BTreeMap::new();
    for row in rows {
        *sums.entry(row.account).or_default() += row.cents;
    }
    sums.into_iter().map(|(account, cents)| format!("{account},{}", decimal(cents, 2))).collect()
}

/// The last day of each month that the data covers.
fn month_ends() -> Vec<String> {
    let days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let of_1993 = days.iter().enumerate().map(|(month, day)| format!("1993-{:02}-{day}", month + 1));
    let of_1994 = days.iter().take(3).enumerate().map(|(month, day)| format!("1994-{:02}-{day}", month + 1));
    of_1993.chain(of_1994).collect()
}
