//! The Berka data: a bank's transactions with the bank's own running balances, read once, as the truth
//! that a database is held against. Amounts are exact, in cents.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;

use crate::written::decimal;

const TRANSACTIONS: &str = "berka/trans_1993-01-01_1994-03-30.csv.gz";
const BALANCES: &str = "berka/final_balances.csv";

/// Dimes (0.10) of |running sum − the bank's balance|, and on how many rows: the bank rounds interest.
pub(crate) const HISTOGRAM: [usize; 8] = [27_119, 16_622, 2_782, 390, 40, 12, 16, 16];

/// One transaction.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) account: u64,
    /// `1993-01-01`.
    pub(crate) date: String,
    /// Signed: a credit is positive.
    pub(crate) cents: i64,
    /// What the bank says the balance is afterwards.
    pub(crate) balance_cents: i64,
    /// The account at the other end, where it is known.
    pub(crate) counter: Option<u64>,
    sequence: u64,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Berka {
    /// By date, then account, then sequence in the account.
    pub(crate) rows: Vec<Row>,
    balances: BTreeMap<u64, i64>,
}

impl Berka {
    /// Reads both files under `data`.
    pub(crate) fn read(data: &Path) -> Result<Self> {
        let path = data.join(TRANSACTIONS);
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text)?;
        let mut rows: Vec<Row> = text
            .lines()
            .enumerate()
            .skip(1)
            .map(|(index, line)| row(line).with_context(|| format!("{TRANSACTIONS}:{}", index + 1)))
            .collect::<Result<_>>()?;
        rows.sort_by(|a, b| (&a.date, a.account, a.sequence).cmp(&(&b.date, b.account, b.sequence)));

        let path = data.join(BALANCES);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let balances = text.lines().skip(1).map(balance).collect::<Result<_>>()?;
        Ok(Self { rows, balances })
    }

    /// As a CSV file with the header `account_id,amount,date,trans_id`.
    pub(crate) fn csv<'a>(rows: impl IntoIterator<Item = &'a Row>) -> String {
        let mut csv = "account_id,amount,date,trans_id\n".to_owned();
        for row in rows {
            csv.push_str(&format!("{},{},{},{}\n", row.account, decimal(row.cents, 2), row.date, row.id));
        }
        csv
    }

    /// Holds events (account, cents, transaction), in the order of their streams, against the bank:
    /// every transaction once and in order, sums exact, differences to the bank's balances as known.
    pub(crate) fn check(&self, events: impl IntoIterator<Item = (u64, i64, u64)>) -> Result<()> {
        let mut expected: BTreeMap<u64, Vec<&Row>> = BTreeMap::new();
        for row in &self.rows {
            expected.entry(row.account).or_default().push(row);
        }
        let mut sums: BTreeMap<u64, (usize, i64)> = BTreeMap::new();
        let mut histogram = [0; HISTOGRAM.len()];
        for (account, cents, id) in events {
            let (index, sum) = sums.entry(account).or_default();
            let row = expected.get(&account).and_then(|rows| rows.get(*index));
            let row = row.with_context(|| format!("account {account} has no transaction {id}"))?;
            ensure!(
                row.id == id && row.cents == cents,
                "account {account}, event {index}: {id} {cents}, not {row:?}"
            );
            *index += 1;
            *sum += cents;
            let difference = (*sum - row.balance_cents).unsigned_abs() as usize;
            let bin = histogram.get_mut(difference / 10).filter(|_| difference.is_multiple_of(10));
            *bin.with_context(|| {
                format!("account {account}: differs from the bank by {difference} cents")
            })? += 1;
        }
        for (account, balance) in &self.balances {
            let (count, sum) = sums.get(account).copied().unwrap_or_default();
            let rows = expected.get(account).map_or(0, Vec::len);
            ensure!(count == rows, "account {account} has {count} events, not {rows}");
            ensure!(sum == *balance, "account {account} sums to {sum} cents, not {balance}");
        }
        ensure!(sums.len() == self.balances.len(), "{} accounts, not {}", sums.len(), self.balances.len());
        ensure!(
            histogram == HISTOGRAM,
            "differences to the bank's balances: {histogram:?}, not {HISTOGRAM:?}"
        );
        Ok(())
    }
}

/// `-20.00` as cents; at most two decimals.
pub(crate) fn cents(text: &str) -> Result<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 2 || !all_digits(whole) || !all_digits(fraction) {
        bail!("{text:?} is no amount");
    }
    Ok(sign * format!("{whole}{fraction:0<2}").parse::<i64>()?)
}

fn row(line: &str) -> Result<Row> {
    let cells: Vec<&str> = line.split(',').collect();
    let [id, account, date, kind, _, amount, balance, _, _, counter, sequence] = cells[..] else {
        bail!("{} cells, not 11", cells.len());
    };
    let sign = match kind {
        "PRIJEM" => 1,
        "VYDAJ" | "VYBER" => -1,
        other => bail!("unknown type {other}"),
    };
    let (Some(year), Some(month), Some(day)) = (date.get(..2), date.get(2..4), date.get(4..)) else {
        bail!("{date:?} is no date");
    };
    Ok(Row {
        id: id.parse()?,
        account: account.parse()?,
        date: format!("19{year}-{month}-{day}"),
        cents: sign * cents(amount)?,
        balance_cents: cents(balance)?,
        counter: if counter.is_empty() { None } else { Some(counter.parse()?) },
        sequence: sequence.parse()?,
    })
}

fn balance(line: &str) -> Result<(u64, i64)> {
    let cells: Vec<&str> = line.split(',').collect();
    let [account, _, _, sum] = cells[..] else { bail!("{BALANCES}: {line}") };
    Ok((account.parse()?, cents(sum)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, value) in [("900.00", 90_000), ("-0.1", -10), ("7", 700), ("-12.34", -1234)] {
            assert_eq!(cents(text).unwrap(), value);
        }
        for bad in ["", "-", ".5", "1.234", "1e3", "1.-2", "+1"] {
            assert!(cents(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_row_is_signed_and_dated() {
        let row = row("5,576,930101,VYDAJ,VYBER,900.50,99.50,,,,3").unwrap();
        assert_eq!(Berka::csv([&row]), "account_id,amount,date,trans_id\n576,-900.50,1993-01-01,5\n");
    }
}
