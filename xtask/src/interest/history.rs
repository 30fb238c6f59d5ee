//! Random histories of a bank: transactions and rates, and the orders in which they may be recorded.
//!
//! Times meet on purpose: transactions of one second, rates from the second of a transaction, rates that correct
//! another of the same time; leap days and ends of years; rates before everything, between, and in the far future.

use super::record::{Rate, Record, Transaction};
use crate::dice::Dice;

const PRODUCTS: [&str; 3] = ["savings", "loan", "fixed"];
const DAY_SECONDS: i64 = 86_400;
/// 2019-06-01 to 2025-03-01.
const FROM_SECONDS: i64 = 1_559_347_200;
const TO_SECONDS: i64 = 1_740_787_200;
/// 2020-02-28 to 03-01, 2024-02-29, and the ends of 2023 and 2000-02-29.
const SPECIAL_SECONDS: [i64; 7] =
    [1_582_934_399, 1_582_934_400, 1_583_020_800, 1_709_164_800, 1_704_067_199, 1_704_067_200, 951_868_799];

/// The order in which a history is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    EventsFirst,
    RatesFirst,
    Mixed,
    /// Transactions come late too, and corrections before what they correct.
    Shuffled,
}

impl Order {
    pub(super) const ALL: [Order; 4] = [Order::EventsFirst, Order::RatesFirst, Order::Mixed, Order::Shuffled];

    /// For people and files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Order::EventsFirst => "events-first",
            Order::RatesFirst => "rates-first",
            Order::Mixed => "mixed",
            Order::Shuffled => "shuffled",
        }
    }
}

/// Transactions in the order in which they happened, and rates as they became known.
#[derive(Debug)]
pub(super) struct History {
    transactions: Vec<Transaction>,
    rates: Vec<Rate>,
}

impl History {
    /// About `events` transactions.
    pub(super) fn random(dice: &mut Dice, accounts: usize, events: usize) -> Self {
        let mut transactions = Vec::new();
        for id in 0..events {
            let account = 1 + dice.below(accounts);
            let (seconds, cents) = (time(dice, &transactions, account), amount(dice));
            let product = PRODUCTS[if dice.percent(10) { dice.below(3) } else { account % 3 }];
            transactions.push(Transaction { id: 2 * id, account, product, cents, seconds });
            // What was paid in is paid out at once: the balance is as it was, often zero.
            if dice.percent(8) {
                transactions.push(Transaction { id: 2 * id + 1, account, product, cents: -cents, seconds });
            }
        }
        transactions.sort_by_key(|transaction| transaction.seconds);

        let mut rates: Vec<Rate> = Vec::new();
        for id in 0..3 + events / 6 {
            let (mut product, mut since_us) = (*dice.pick(&PRODUCTS), since(dice, &transactions));
            if dice.percent(25) && !rates.is_empty() {
                let corrected = dice.pick(&rates);
                (product, since_us) = (corrected.product, corrected.since_us);
            }
            rates.push(Rate { id, product, millionths: rate(dice), since_us });
        }
        Self { transactions, rates }
    }

    /// All of it, in an order.
    pub(super) fn recorded(&self, order: Order, dice: &mut Dice) -> Vec<Record> {
        let transactions = self.transactions.iter().cloned().map(Record::Transaction);
        let rates = self.rates.iter().cloned().map(Record::Rate);
        match order {
            Order::EventsFirst => transactions.chain(rates).collect(),
            Order::RatesFirst => rates.chain(transactions).collect(),
            Order::Mixed => {
                let (mut transactions, mut rates) = (transactions.peekable(), rates.peekable());
                let share = self.rates.len() as f64 / (self.transactions.len() + self.rates.len()) as f64;
                let next = || {
                    let rate_first = dice.share() < share || transactions.peek().is_none();
                    if rate_first && rates.peek().is_some() { rates.next() } else { transactions.next() }
                };
                std::iter::from_fn(next).collect()
            }
            Order::Shuffled => {
                let mut all: Vec<Record> = transactions.chain(rates).collect();
                dice.shuffle(&mut all);
                all
            }
        }
    }

    /// A moment that is worth asking about: that of a record, just before one, or any.
    pub(super) fn moment_us(&self, dice: &mut Dice) -> i64 {
        let at = match dice.below(4) {
            0 => dice.pick(&self.rates).since_us,
            1 => dice.between(FROM_SECONDS, TO_SECONDS) * 1_000_000 + dice.between(0, 999_999),
            _ => dice.pick(&self.transactions).seconds * 1_000_000,
        };
        at - i64::from(dice.percent(30))
    }
}

fn time(dice: &mut Dice, known: &[Transaction], account: usize) -> i64 {
    let own: Vec<i64> =
        known.iter().filter(|other| other.account == account).map(|other| other.seconds).collect();
    match dice.below(10) {
        0 => *dice.pick(&SPECIAL_SECONDS),
        1 | 2 if !known.is_empty() => dice.pick(known).seconds,
        3 => {
            // Around midnight.
            let days = dice.between(FROM_SECONDS / DAY_SECONDS, TO_SECONDS / DAY_SECONDS);
            days * DAY_SECONDS + dice.between(-1, 1)
        }
        // A year, for which some rates pay half cents.
        4..8 if !own.is_empty() => dice.pick(&own) + 365 * DAY_SECONDS,
        _ => dice.between(FROM_SECONDS, TO_SECONDS),
    }
}

fn amount(dice: &mut Dice) -> i64 {
    match dice.below(8) {
        0 => 0,
        1 => dice.between(-9, 9),
        2 => dice.between(-100_000_000, 100_000_000),
        3 => dice.between(-50_000, 80_000),
        _ => dice.between(-10_000, 16_000) * 5,
    }
}

fn rate(dice: &mut Dice) -> i64 {
    match dice.below(8) {
        0 => 0,
        1 => 1,
        2 => dice.between(-10_000, 0),
        3 => dice.between(80_000, 120_000),
        4 | 5 => dice.between(1, 80_000),
        _ => 100_000,
    }
}

fn since(dice: &mut Dice, known: &[Transaction]) -> i64 {
    match dice.below(10) {
        // Before everything, and in 2099.
        0 => 0,
        1 => 4_070_908_800_000_000,
        2..6 => dice.pick(known).seconds * 1_000_000 + dice.between(-1, 1),
        _ => dice.between(FROM_SECONDS, TO_SECONDS) * 1_000_000 + dice.between(0, 999_999),
    }
}
