//! What is recorded, and how it is written: as JSON, as CSV, as a row of an INSERT, for the script.

use serde_json::{Value, json};

use super::bank::Place;
use crate::written::{decimal, utc};

/// Something that is recorded.
#[derive(Debug, Clone)]
pub(super) enum Record {
    Transaction(Transaction),
    Rate(Rate),
}

/// An amount on an account.
#[derive(Debug, Clone)]
pub(super) struct Transaction {
    pub(super) id: usize,
    pub(super) account: usize,
    pub(super) product: &'static str,
    pub(super) cents: i64,
    pub(super) seconds: i64,
}

/// What a product pays from a time on.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    pub(super) id: usize,
    pub(super) product: &'static str,
    pub(super) millionths: i64,
    pub(super) since_us: i64,
}

impl Record {
    pub(super) fn topic(&self) -> &'static str {
        match self {
            Record::Transaction(_) => "transactions",
            Record::Rate(_) => "rates",
        }
    }

    /// A payload.
    pub(super) fn json(&self) -> String {
        let member = |(name, text, quoted): &(&str, String, bool)| {
            if *quoted { format!("\"{name}\": \"{text}\"") } else { format!("\"{name}\": {text}") }
        };
        let members: Vec<String> = self.fields().iter().map(member).collect();
        format!("{{{}}}", members.join(", "))
    }

    /// The first line of a CSV file.
    pub(super) fn header(&self) -> String {
        let names: Vec<&str> = self.fields().into_iter().map(|(name, ..)| name).collect();
        names.join(",")
    }

    /// A line of it.
    pub(super) fn csv(&self) -> String {
        let texts: Vec<String> = self.fields().into_iter().map(|(_, text, _)| text).collect();
        texts.join(",")
    }

    /// The values of an INSERT, in the order of the declaration.
    pub(super) fn row(&self) -> String {
        match self {
            Record::Transaction(Transaction { account, product, cents, seconds, .. }) => {
                let (amount, at) = (decimal(*cents, 2), utc(seconds * 1_000_000));
                format!("({account}, {amount}, '{at}', '{product}')")
            }
            Record::Rate(Rate { product, millionths, since_us, .. }) => {
                format!("('{product}', {}, '{}')", decimal(*millionths, 6), utc(*since_us))
            }
        }
    }

    /// As the script reads it.
    pub(super) fn given(&self, place: &Place) -> Value {
        let Place { position, last, recorded } = place;
        match self {
            Record::Transaction(Transaction { account, product, cents, seconds, .. }) => json!({
                "position": position, "last": last, "recorded": recorded, "account": account, "product": product,
                "amount": decimal(*cents, 2), "seconds": seconds,
            }),
            Record::Rate(Rate { product, millionths, since_us, .. }) => json!({
                "position": position, "last": last, "recorded": recorded, "product": product,
                "rate": decimal(*millionths, 6), "since": utc(*since_us),
            }),
        }
    }

    /// Name, text, and whether it is a text. `id` is no column: imports know rows by it.
    fn fields(&self) -> Vec<(&'static str, String, bool)> {
        match self {
            Record::Transaction(Transaction { id, account, product, cents, seconds }) => vec![
                ("accountId", account.to_string(), false),
                ("amount", decimal(*cents, 2), false),
                ("timestamp", seconds.to_string(), false),
                ("product", (*product).to_owned(), true),
                ("id", format!("t{id}"), true),
            ],
            Record::Rate(Rate { id, product, millionths, since_us }) => vec![
                ("product", (*product).to_owned(), true),
                ("rate", decimal(*millionths, 6), false),
                ("since", utc(*since_us), true),
                ("id", format!("r{id}"), true),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_written_in_four_ways() {
        let transaction = Transaction { id: 7, account: 2, product: "loan", cents: -5, seconds: 951_868_799 };
        let record = Record::Transaction(transaction);
        assert_eq!(
            record.json(),
            r#"{"accountId": 2, "amount": -0.05, "timestamp": 951868799, "product": "loan", "id": "t7"}"#
        );
        assert_eq!(record.header(), "accountId,amount,timestamp,product,id");
        assert_eq!(record.csv(), "2,-0.05,951868799,loan,t7");
        assert_eq!(record.row(), "(2, -0.05, '2000-02-29T23:59:59.000000Z', 'loan')");
        let rate = Record::Rate(Rate { id: 1, product: "fixed", millionths: 51_234, since_us: -1 });
        assert_eq!(rate.row(), "('fixed', 0.051234, '1969-12-31T23:59:59.999999Z')");
    }
}
