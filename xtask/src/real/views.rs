//! Views over the bank's transactions, kept up to date by a server while they are imported, and made again by one that opens the database
//! afterwards: each against the same worked out here, row by row.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::berka::{Berka, Row};
use crate::bench::server::Recount;
use crate::run;
use crate::written::decimal;

const TOPIC: &str = "CREATE TOPIC transactions (account_id BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL,
    at TIMESTAMPTZ NOT NULL, counter BIGINT) KEY (account_id) TIMESTAMP BY at";

/// Each view, its query, and what it is expected to have, a line a row.
type View = (&'static str, &'static str, fn(&[Row]) -> BTreeSet<String>);

const VIEWS: [View; 5] = [
    (
        "weeks",
        "SELECT CAST(window_start AS DATE) AS week, sum(amount) AS amount, count(*) AS n
           FROM tumble(transactions, at, INTERVAL '7 days') GROUP BY window_start",
        weeks,
    ),
    (
        "top",
        "SELECT account_id, balance FROM (SELECT account_id, sum(amount) AS balance FROM transactions GROUP BY account_id) AS b
           ORDER BY balance DESC, account_id LIMIT 10",
        top,
    ),
    (
        "running",
        "SELECT account_id, at, _position AS place,
                sum(amount) OVER (PARTITION BY account_id ORDER BY _position ROWS UNBOUNDED PRECEDING) AS balance
           FROM transactions",
        |rows| running(rows).into_iter().map(|(account, day, cents)| format!("{account},{day},{}", decimal(cents, 2))).collect(),
    ),
    (
        "overdrawn",
        "SELECT account_id, count(DISTINCT at) AS days FROM running WHERE balance < 0 GROUP BY account_id",
        overdrawn,
    ),
    (
        "transfers",
        "SELECT t.account_id, t.counter, count(*) AS n, sum(t.amount) AS amount FROM transactions AS t
           JOIN (SELECT DISTINCT account_id FROM transactions) AS a ON a.account_id = t.counter GROUP BY t.account_id, t.counter",
        transfers,
    ),
];

/// Runs the checks in a database of their own.
pub(super) fn check(berka: &Berka, program: &Path, dir: &Path) -> Result<()> {
    let (database, csv) = (dir.join("views.db"), dir.join("views.csv"));
    if database.exists() {
        fs::remove_dir_all(&database)?;
    }
    let mut text = "account_id,amount,at,counter\n".to_owned();
    for row in &berka.rows {
        let counter = row.counter.map(|counter| counter.to_string()).unwrap_or_default();
        text.push_str(&format!(
            "{},{},{}T00:00:00Z,{counter}\n",
            row.account,
            decimal(row.cents, 2),
            row.date
        ));
    }
    fs::write(&csv, text).with_context(|| csv.display().to_string())?;
    let run = |target: &str, words: &[&str]| {
        let mut command = Command::new(program);
        command.arg(words[0]).arg(target).args(&words[1..]);
        run::output(&mut command)
    };
    let path = database.display().to_string();
    run(&path, &["sql", "--command", TOPIC])?;
    for (name, query, _) in VIEWS {
        run(&path, &["sql", "--command", &format!("CREATE MATERIALIZED VIEW {name} AS {query}")])?;
    }
    let mut shown = 0;
    for times in ["while it is imported", "again"] {
        let server = Recount::of(program.to_path_buf()).serve(&path)?;
        let url = format!("http://{}", server.address);
        // Every view is up to date before the first row comes.
        run(&url, &["sql", "--command", "SELECT count(*) FROM overdrawn"])?;
        if shown == 0 {
            run(&url, &["import", "transactions", &csv.display().to_string()])?;
        }
        for (name, _, expected) in VIEWS {
            let columns = if name == "running" { "account_id, CAST(at AS DATE), balance" } else { "*" };
            let answer = run(
                &url,
                &["sql", "--format", "csv", "--command", &format!("SELECT {columns} FROM {name}")],
            )?;
            let lines = answer.replace('\r', "");
            let rows: Vec<&str> = lines.lines().skip(1).collect();
            let (distinct, expected) =
                (rows.iter().map(|row| (*row).to_owned()).collect::<BTreeSet<_>>(), expected(&berka.rows));
            ensure!(name != "running" || rows.len() == berka.rows.len(), "{} running balances", rows.len());
            ensure!(
                distinct == expected,
                "view {name}, {times}: {} rows, {} expected, such as {:?} instead of {:?}",
                distinct.len(),
                expected.len(),
                distinct.difference(&expected).next(),
                expected.difference(&distinct).next()
            );
            shown += rows.len();
        }
    }
    println!(
        "views: {} of them equal to what is worked out row by row, {shown} rows, kept and made again",
        VIEWS.len()
    );
    Ok(())
}

fn weeks(rows: &[Row]) -> BTreeSet<String> {
    let mut weeks: BTreeMap<i64, (i64, u64)> = BTreeMap::new();
    for row in rows {
        let (cents, count) = weeks.entry(days(&row.date) / 7 * 7).or_default();
        *cents += row.cents;
        *count += 1;
    }
    let line = |(day, (cents, count)): (i64, (i64, u64))| {
        let utc = crate::written::utc(day * 86_400_000_000);
        format!("{},{},{count}", utc.split('T').next().unwrap_or_default(), decimal(cents, 2))
    };
    weeks.into_iter().map(line).collect()
}

fn top(rows: &[Row]) -> BTreeSet<String> {
    let mut sums: BTreeMap<u64, i64> = BTreeMap::new();
    rows.iter().for_each(|row| *sums.entry(row.account).or_default() += row.cents);
    let mut sums: Vec<(u64, i64)> = sums.into_iter().collect();
    sums.sort_by_key(|(account, cents)| (-cents, *account));
    sums.into_iter().take(10).map(|(account, cents)| format!("{account},{}", decimal(cents, 2))).collect()
}

/// The balance of each account behind each of its transactions.
fn running(rows: &[Row]) -> Vec<(u64, &str, i64)> {
    let mut sums: BTreeMap<u64, i64> = BTreeMap::new();
    let behind = |row| {
        let Row { account, cents, date, .. }: &Row = row;
        let sum = sums.entry(*account).or_default();
        *sum += cents;
        (*account, date.as_str(), *sum)
    };
    rows.iter().map(behind).collect()
}

fn overdrawn(rows: &[Row]) -> BTreeSet<String> {
    let mut days: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
    for (account, day, cents) in running(rows) {
        if cents < 0 {
            days.entry(account).or_default().insert(day);
        }
    }
    days.into_iter().map(|(account, days)| format!("{account},{}", days.len())).collect()
}

fn transfers(rows: &[Row]) -> BTreeSet<String> {
    let accounts: BTreeSet<u64> = rows.iter().map(|row| row.account).collect();
    let mut sums: BTreeMap<(u64, u64), (u64, i64)> = BTreeMap::new();
    for row in rows {
        if let Some(counter) = row.counter.filter(|counter| accounts.contains(counter)) {
            let (count, cents) = sums.entry((row.account, counter)).or_default();
            *count += 1;
            *cents += row.cents;
        }
    }
    let line = |((account, counter), (count, cents)): ((u64, u64), (u64, i64))| {
        format!("{account},{counter},{count},{}", decimal(cents, 2))
    };
    sums.into_iter().map(line).collect()
}

/// Days since 1970-01-01, of a date of 1993 or 1994.
fn days(date: &str) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let number = |range: std::ops::Range<usize>| date[range].parse::<i64>().unwrap_or_default();
    let (year, month, day) = (number(0..4), number(5..7) as usize, number(8..10));
    8_401 + (year - 1993) * 365 + BEFORE[month - 1] + day - 1
}
