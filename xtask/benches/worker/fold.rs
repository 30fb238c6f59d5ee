//! Folding on one core: events that are decoded already, by an entity bound from SQL or by a loop written by hand for the
//! one sum; and events as they lie in the journal. Of what is decoded the thread's processor time counts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use recount_entity::expr::Scope;
use recount_entity::fold::{Events, Fold, Keys, NO_EVENT, key_of};
use recount_entity::lookup::LookupTable;
use recount_entity::table::Table;
use recount_env::block_on;
use recount_store::columns::form_of;
use recount_store::ddl::{self, Statement};
use recount_store::schema::{ColumnType, TopicDefinition};
use recount_types::column::{Column, Value, Values};
use recount_views::bind::{Bound, BoundLookup, EventColumn, bind};
use recount_views::{Moment, Settings, Views};
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::account;
use crate::answer;
use crate::dice::Dice;
use crate::embedded;

const RATES: &str = "CREATE TOPIC rates (product TEXT NOT NULL, rate DECIMAL(9,6) NOT NULL, \
                     since TIMESTAMPTZ NOT NULL) KEY (product) TIMESTAMP BY since";
const INTEREST: &str = "CREATE ENTITY account FROM transactions LOOKUP rates AS r ON r.product = 'savings' AS OF timestamp \
                        STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, last TIMESTAMPTZ) \
                        WHEN ANY THEN SET last = timestamp, balance = balance + amount \
                        + round(balance * coalesce(r.rate, 0) * coalesce(days(last, timestamp), 0) / 365, 2)";

/// Events that are handed over together.
const BATCH: u64 = 4096;
/// The events happen within these µs, from the beginning on.
const BEGIN: i64 = 1_600_000_000_000_000;
const SPAN: i64 = 20_000_000_000_000;
/// The rate changes every 30 days.
const RATES_COUNT: i64 = 10;
const RATE_SPAN: i64 = 30 * 24 * 3600 * 1_000_000;
const SEED: u64 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// A hash map from account to sum, in a loop
    Hand,
    /// The same, as an entity
    Balance,
    /// An entity that adds interest, at rates that it looks up
    Interest,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(value_enum)]
    what: What,
    /// Accounts, chosen uniformly
    #[arg(long)]
    keys: u64,
    #[arg(long)]
    events: u64,
}

/// Folds events that are decoded already; prints how many a second, with and without making the rows' keys.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let statement = if arguments.what == What::Interest { INTEREST } else { account::CREATE };
    let bound = bound(statement)?;
    let lookups: Vec<_> = bound.lookups.iter().map(rates).collect::<Result<_>>()?;
    let mut batches = batches(&bound, arguments)?;
    let amount = column(&bound, "amount")?;
    let expected: i128 =
        batches.iter().map(|events| decimals(&events.columns[amount]).iter().sum::<i128>()).sum();

    let (keys, folding, sum) = match arguments.what {
        What::Hand => by_hand(&bound, &batches)?,
        _ => by_entity(&bound, &lookups, &mut batches)?,
    };
    ensure!((sum == expected) == lookups.is_empty(), "a sum of {sum}, without interest {expected}");
    let per_second = |took: Duration| arguments.events as f64 / took.as_secs_f64();
    answer::print(&BTreeMap::from([
        ("per_second", per_second(keys + folding)),
        ("fold_per_second", per_second(folding)),
    ]))
}

/// The time, and the sum of all balances.
fn by_hand(bound: &Bound, batches: &[Events]) -> Result<(Duration, Duration, i128)> {
    let (account, amount) = (column(bound, "accountid")?, column(bound, "amount")?);
    let mut balances: HashMap<i64, i128, FixedState> = HashMap::with_hasher(FixedState::with_seed(SEED));
    let began = thread_time();
    for events in batches {
        for (account, amount) in
            integers(&events.columns[account]).iter().zip(decimals(&events.columns[amount]))
        {
            *balances.entry(*account).or_insert(0) += amount;
        }
    }
    let took = thread_time() - began;
    Ok((Duration::ZERO, took, balances.values().sum()))
}

/// The times that making keys and folding took, and the sum of all balances.
fn by_entity(
    bound: &Bound,
    lookups: &[LookupTable],
    batches: &mut [Events],
) -> Result<(Duration, Duration, i128)> {
    let fold: &Fold = &bound.fold;
    let mut table = Table::new(&fold.state, SEED);
    let (mut making, mut folding) = (Duration::ZERO, Duration::ZERO);
    // Events are read into the same memory again and again.
    let mut keys = Keys::default();
    for events in batches {
        let began = thread_time();
        keys.clear();
        ensure!(keys.extend_of(&bound.key, &events.columns, events.len()) == 0, "a key cannot be made");
        let made = thread_time();
        std::mem::swap(&mut events.keys, &mut keys);
        fold.apply(&mut table, lookups, events, |_| {})?;
        std::mem::swap(&mut events.keys, &mut keys);
        making += made - began;
        folding += thread_time() - made;
    }
    let mut sum = 0;
    for slot in table.slots() {
        ensure!(table.row(slot).stopped.is_none(), "a key stopped");
        let Value::Decimal(balance) = table.state(slot).get(0) else { bail!("a balance is no decimal") };
        sum += balance;
    }
    Ok((making, folding, sum))
}

/// An entity as the database binds it.
fn bound(statement: &str) -> Result<Bound> {
    let Statement::CreateEntity(entity) = ddl::parse(statement)? else { bail!("declares no entity") };
    let rates = topic(RATES)?;
    let looked_up = vec![&rates; entity.lookups.len()];
    Ok(bind(&entity, &topic(embedded::CREATE)?, &looked_up)?)
}

fn topic(statement: &str) -> Result<TopicDefinition> {
    let Statement::CreateTopic(topic) = ddl::parse(statement)? else { bail!("declares no topic") };
    Ok(topic)
}

/// Events with the columns that the entity uses, without keys.
fn batches(bound: &Bound, arguments: &Arguments) -> Result<Vec<Events>> {
    let mut dice = Dice(1);
    let mut batches = Vec::new();
    for first in (0..arguments.events).step_by(BATCH as usize) {
        let form = |column: &EventColumn| anyhow::Ok(Column::new(form_of(of_topic(column)?.1)));
        let columns: Result<_> = bound.event_columns.iter().map(form).collect();
        let mut events = Events { columns: columns?, ..Events::default() };
        for number in first..arguments.events.min(first + BATCH) {
            let time = BEGIN + (i128::from(SPAN) * i128::from(number) / i128::from(arguments.events)) as i64;
            let account = dice.below(arguments.keys) as i64;
            let amount = i128::from(dice.below(200_000)) - 90_000;
            for (column, values) in bound.event_columns.iter().zip(&mut events.columns) {
                values.push(&match of_topic(column)?.0 {
                    "accountid" => Value::Integer(account),
                    "amount" => Value::Decimal(amount),
                    "timestamp" => Value::Integer(time),
                    other => bail!("no values for {other}"),
                });
            }
            events.numbers.push(NO_EVENT);
            events.positions.push(number + 1);
            events.times.push(time);
            events.appended.push(time);
        }
        batches.push(events);
    }
    Ok(batches)
}

/// What there is to be looked up.
fn rates(lookup: &BoundLookup) -> Result<LookupTable> {
    let mut table = LookupTable::new(SEED);
    for number in 0..RATES_COUNT {
        let time = BEGIN + number * RATE_SPAN;
        let mut columns = Vec::new();
        for (name, column_type) in &lookup.columns {
            let mut column = Column::new(form_of(*column_type));
            column.push(&match name.as_str() {
                "product" => Value::Text("savings".into()),
                "rate" => Value::Decimal(35_000 + 100 * i128::from(number)),
                other => bail!("no values for {other}"),
            });
            columns.push(column);
        }
        let scope = Scope { state: &[], event: &columns, row: 0, lookups: &[] };
        let key = key_of(&lookup.key, &scope)?.context("a rate without key")?;
        let values = columns.iter().map(|column| column.get(0).into_owned()).collect();
        table.insert(key, time, number as u64 + 1, values);
    }
    Ok(table)
}

fn column(bound: &Bound, wanted: &str) -> Result<usize> {
    let is_wanted = |column: &EventColumn| matches!(column, EventColumn::Topic(name, _) if name == wanted);
    let found = bound.event_columns.iter().position(is_wanted);
    found.with_context(|| format!("{wanted} is not read"))
}

fn of_topic(column: &EventColumn) -> Result<(&str, ColumnType)> {
    let EventColumn::Topic(name, column_type) = column else { bail!("{column:?} is not of the topic") };
    Ok((name, *column_type))
}

fn decimals(column: &Column) -> &[i128] {
    if let Values::Decimal(values) = &column.values { values } else { &[] }
}

fn integers(column: &Column) -> &[i64] {
    if let Values::Integer(values) = &column.values { values } else { &[] }
}

fn thread_time() -> Duration {
    processor_time(ClockId::ThreadCPUTime)
}

fn processor_time(clock: ClockId) -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    Duration::new(tv_sec.unsigned_abs(), u32::try_from(tv_nsec).unwrap_or(0))
}

#[derive(Debug, clap::Args)]
pub(crate) struct JournalArguments {
    /// A database with the entity
    #[arg(long)]
    dir: PathBuf,
    /// The events in it
    #[arg(long)]
    events: u64,
}

/// Folds what lies in a journal, from the first event on; prints how many events a second, of the clock and of all
/// processors' time.
pub(crate) fn run_journal(arguments: &JournalArguments) -> Result<()> {
    let snapshots = arguments.dir.join("snapshots");
    if snapshots.exists() {
        std::fs::remove_dir_all(snapshots)?;
    }
    let store = embedded::open(&arguments.dir)?;
    let (began, used) = (Instant::now(), processor_time(ClockId::ProcessCPUTime));
    let views = Views::open(store.clone(), recount_env::real::env(), Settings::default());
    let (_, rows) = views.rows(account::NAME, None, None, Moment::default())?;
    let (took, used) = (began.elapsed(), processor_time(ClockId::ProcessCPUTime) - used);
    let mut sum = 0;
    for (_, state) in rows.rows() {
        let Value::Decimal(balance) = state.get(0) else { bail!("a balance is no decimal") };
        sum += balance;
    }
    ensure!(sum == i128::from(arguments.events) * embedded::CENTS, "the balances sum up to {sum}");
    block_on(store.close())?;
    let events = arguments.events as f64;
    answer::print(&BTreeMap::from([
        ("per_second", events / took.as_secs_f64()),
        ("per_processor_second", events / used.as_secs_f64()),
    ]))
}
