//! `demo bank`: a million transactions, one account's history and balances, balances as an entity as of any moment, the same
//! after a restart, a new rule beside the old, a kill -9, and the same again.

use std::fs;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use recount::{Database, Direction, EventWrite, NewEvent, ReadRequest, Scope, StreamName, TopicName};
use recount_store::time::{format_rfc3339, parse_rfc3339};
use recount_types::Time;
use serde_json::Value;

use super::failure::Failure;
use super::interrupt;

mod measured;
mod restart;
mod rules;

use measured::{Measured, Sizes, millis, per_second};

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    demo: Demo,
}

#[derive(Debug, Subcommand)]
enum Demo {
    /// A bank: a million transactions, balances now and as of a date, and a crash in between
    Bank(Bank),
    /// Appends to the demo's database until it is killed
    #[command(hide = true)]
    Victim {
        /// The database
        directory: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Bank {
    /// How many transactions to make up
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Use transactions of your own: CSV with the columns accountId, amount and timestamp (seconds)
    #[arg(long)]
    csv: Option<PathBuf>,
    /// Keep the database in this directory, which must be empty or absent
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// Accounts that the made-up transactions are spread over.
const ACCOUNTS: u64 = 1000;
/// Transactions of one append.
const CHUNK: usize = 500;
const REMOVALS_MAX: usize = 100;
/// The late one is of so long before the date that is asked about.
const LATE_SECONDS: i64 = 3600;
const TOPIC: &str = "transactions";
const CREATE: &str = "CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL,
  timestamp TIMESTAMPTZ NOT NULL UNIT SECONDS) KEY (accountId) TIMESTAMP BY timestamp";

/// Runs the demo.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.demo {
        Demo::Bank(bank) => match &bank.keep {
            Some(directory) => show(bank, directory),
            None => show_and_remove(bank),
        },
        Demo::Victim { directory } => victim(directory),
    }
}

/// The same in a folder that is removed afterwards, or when the demo is interrupted. The database lies within it: once
/// the folder is gone, it cannot be opened anew.
fn show_and_remove(bank: &Bank) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("recount-demo-{}", std::process::id()));
    fs::create_dir(&folder)
        .map_err(|error| Failure::new(format!("cannot make the folder {}: {error}", folder.display())))?;
    let interrupted = folder.clone();
    interrupt::when_interrupted(move || remove(&interrupted));
    let shown = show(bank, &folder.join("bank.db"));
    remove(&folder);
    shown
}

/// Removes a folder; false if that cannot be done. It may be written to meanwhile: then once more.
fn remove(directory: &Path) -> bool {
    (0..REMOVALS_MAX).any(|_| fs::remove_dir_all(directory).is_ok() || !directory.exists())
}

fn show(bank: &Bank, directory: &Path) -> Result<(), Failure> {
    let (mut out, mut measured) = (io::stdout(), Measured::default());
    let path = directory.display().to_string();
    writeln!(out, "A new bank in {path}\n\n{CREATE}\n")?;
    let database = Database::open(directory)?;
    database.execute(CREATE)?;
    let began = Instant::now();
    let count = match &bank.csv {
        Some(file) => fill_from_csv(&database, file)?,
        None => fill(&database, bank.events)?,
    };
    let took = began.elapsed();
    let rate = per_second(count, took);
    let bytes = Sizes::of(directory)?.events() / count.max(1);
    writeln!(
        out,
        "{count} transactions in {:.1} s: {rate:.0} a second, each append fsynced; {bytes} bytes each on disk\n",
        took.as_secs_f64()
    )?;
    measured.keep("appends", format!("{rate:.0} events a second, {CHUNK} an append, each append fsynced"));
    let account = first_account(&database)?;
    let (date, recorded) = (date_within(&steps(&database, &account)?), last_recorded(&database)?);
    late(&mut out, &database, &account, date)?;
    let before = balances(&mut out, &database, &account, date)?;
    let key = recount_types::name::KeyText(&account.key).to_string();
    writeln!(out)?;
    let (shown_date, recorded) = (format_rfc3339(date), format_rfc3339(recorded));
    let asked = rules::declare(&mut out, &database, &key, &shown_date, &recorded, &mut measured)?;
    let database = restart::again(&mut out, database, directory, &asked, &mut measured)?;
    rules::replace(&mut out, &database, &key, &mut measured)?;
    database.close()?;
    drop(database);

    writeln!(
        out,
        "\nNow the worst: another process appends, and is killed with SIGKILL in the middle of it."
    )?;
    let acknowledged = kill_a_writer(directory)?;
    let began = Instant::now();
    let database = Database::open(directory)?;
    let opened = millis(began.elapsed());
    writeln!(
        out,
        "It had {acknowledged} appends acknowledged. Opened again in {opened}: head at position {}.",
        database.head()
    )?;
    measured.keep("after kill -9", format!("{opened} to open"));
    let survived = database.stream_length(&stream("victim")?)?;
    if survived < acknowledged {
        return Err(Failure::new(format!("{} acknowledged appends are lost", acknowledged - survived)));
    }
    writeln!(out, "All {acknowledged} are there ({survived} in all; the last may have been on its way).\n")?;
    let after = balances(&mut out, &database, &account, date)?;
    rules::ask(&mut out, &database, &format!("SELECT * FROM account WHERE accountId = {key}"))?;
    if before != after {
        return Err(Failure::new("the balances differ after the crash"));
    }
    database.close()?;
    writeln!(out, "\nThe same, to the cent.\n")?;
    measured.keep("on disk", Sizes::of(directory)?.to_string());
    measured.tell(&mut out)?;
    go_on(&mut out, bank, &path, &key)
}

/// What to do next.
fn go_on(out: &mut impl Write, bank: &Bank, path: &str, key: &str) -> Result<(), Failure> {
    if bank.keep.is_none() {
        writeln!(
            out,
            "\nGo on: keep it next time with --keep bank.db, and ask yourself: recount sql bank.db"
        )?;
        return Ok(());
    }
    writeln!(out, "\nGo on with:")?;
    for (command, what) in [
        (format!("recount sql {path}"), "ask yourself; \\? helps"),
        (format!("recount why {path} account/{key}"), "every step to a balance"),
        (format!("recount diff {path} account 1 2"), "what the new rule changed, and where first"),
        (format!("recount serve {path}"), "the same over HTTP"),
    ] {
        writeln!(out, "  {command:<width$}  {what}", width = "recount diff  account 1 2".len() + path.len())?;
    }
    Ok(())
}

/// When the newest event was recorded.
fn last_recorded(database: &Database) -> Result<Time, Failure> {
    let scope = Scope::All { system: true };
    let request = ReadRequest { direction: Direction::Backward, limit: Some(1), ..ReadRequest::all(scope) };
    let event = database.read_with(request)?.next().transpose()?;
    Ok(event.map_or(Time(0), |event| event.append_time))
}

/// Records a transaction that happened before a date, after all the others.
fn late(out: &mut impl Write, database: &Database, account: &StreamName, date: Time) -> Result<(), Failure> {
    let seconds = date.0.div_euclid(1_000_000) - LATE_SECONDS;
    let payload = format!(
        "{{\"accountId\": {}, \"amount\": 500.00, \"timestamp\": {seconds}}}",
        recount_types::name::KeyText(&account.key)
    );
    let event = NewEvent { payload: payload.into(), ..NewEvent::default() };
    database.append(vec![EventWrite { topic: account.topic.clone(), key: None, event }])?;
    let time = format_rfc3339(Time(seconds * 1_000_000));
    writeln!(out, "And one that comes late: 500.00 on {account}, of {time}.\n")?;
    Ok(())
}

fn stream(key: &str) -> Result<StreamName, Failure> {
    let topic = if key == "victim" { "victims" } else { TOPIC };
    StreamName::parse(&format!("{topic}/{key}")).map_err(|error| Failure::usage(error.to_string()))
}

/// Made-up transactions, the same every time.
fn fill(database: &Database, events: u64) -> Result<u64, Failure> {
    let bar = bar(events);
    let topic = TopicName::parse(TOPIC).map_err(|error| Failure::usage(error.to_string()))?;
    let mut dice = Dice(42);
    let mut chunk = Vec::with_capacity(CHUNK);
    // 2023-12-13T12:00:00Z, and half a minute on for each.
    let first = 1_702_468_800 - 30 * events / 2;
    for n in 0..events {
        let account = 1 + dice.below(ACCOUNTS);
        let cents = dice.below(20_000) as i64 - 9_000;
        let amount =
            format!("{}{}.{:02}", if cents < 0 { "-" } else { "" }, cents.abs() / 100, cents.abs() % 100);
        let payload =
            format!("{{\"accountId\": {account}, \"amount\": {amount}, \"timestamp\": {}}}", first + 30 * n);
        let event = NewEvent { payload: payload.into(), ..NewEvent::default() };
        chunk.push(EventWrite { topic: topic.clone(), key: None, event });
        if chunk.len() == CHUNK {
            database.append(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)))?;
            bar.set_position(n);
        }
    }
    if !chunk.is_empty() {
        database.append(chunk)?;
    }
    bar.finish_and_clear();
    Ok(events)
}

fn fill_from_csv(database: &Database, file: &Path) -> Result<u64, Failure> {
    let name = file.display().to_string();
    let wrong = |error: csv::Error| Failure::usage(format!("{name}: {error}"));
    let topic = TopicName::parse(TOPIC).map_err(|error| Failure::usage(error.to_string()))?;
    let mut reader = csv::Reader::from_path(file).map_err(wrong)?;
    let headers = reader.headers().map_err(wrong)?.clone();
    let column = |wanted: &str| {
        let at = headers.iter().position(|header| header == wanted);
        at.ok_or_else(|| Failure::usage(format!("{name} has no column {wanted}")))
    };
    let columns = [column("accountId")?, column("amount")?, column("timestamp")?];
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut count = 0;
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let [account, amount, timestamp] = columns.map(|at| record.get(at).unwrap_or_default());
        let payload =
            format!("{{\"accountId\": {account}, \"amount\": {amount}, \"timestamp\": {timestamp}}}");
        let event = NewEvent { payload: payload.into(), ..NewEvent::default() };
        chunk.push(EventWrite { topic: topic.clone(), key: None, event });
        count += 1;
        if chunk.len() == CHUNK {
            database.append(std::mem::take(&mut chunk))?;
        }
    }
    if !chunk.is_empty() {
        database.append(chunk)?;
    }
    Ok(count)
}

fn first_account(database: &Database) -> Result<StreamName, Failure> {
    let topic = TopicName::parse(TOPIC).map_err(|error| Failure::usage(error.to_string()))?;
    let request = ReadRequest { limit: Some(1), ..ReadRequest::all(Scope::Topic(topic)) };
    let first = database.read_with(request)?.next().transpose()?;
    let stream = first.and_then(|event| event.stream());
    stream.ok_or_else(|| Failure::usage("there are no transactions"))
}

/// Shows an account's latest events and its balance, now and as of a date; returns both balances.
fn balances(
    out: &mut impl Write,
    database: &Database,
    account: &StreamName,
    date: Time,
) -> Result<(i128, i128), Failure> {
    let scope = Scope::Stream(account.clone());
    let latest = ReadRequest { direction: Direction::Backward, limit: Some(5), ..ReadRequest::all(scope) };
    let mut latest: Vec<_> = database.read_with(latest)?.collect::<Result<_, _>>()?;
    latest.reverse();
    writeln!(out, "{account}, its last {} transactions:", latest.len())?;
    for event in &latest {
        let (cents, time) = parse(&event.payload)?;
        let revision = event.revision.map_or(0, |revision| revision.0);
        writeln!(out, "  revision {revision:>5}  {}  {:>12}", format_rfc3339(time), decimal(cents))?;
    }
    let began = Instant::now();
    let steps = steps(database, account)?;
    let events = steps.len();
    let now: i128 = steps.iter().map(|(cents, _)| cents).sum();
    let then: i128 = steps.iter().filter(|(_, time)| *time <= date).map(|(cents, _)| cents).sum();
    let took = millis(began.elapsed());
    writeln!(out, "  balance now                         {:>12}", decimal(now))?;
    writeln!(
        out,
        "  balance as of {}  {:>12}   ({events} events read in {took})",
        format_rfc3339(date),
        decimal(then)
    )?;
    Ok((now, then))
}

/// All transactions of an account.
fn steps(database: &Database, account: &StreamName) -> Result<Vec<(i128, Time)>, Failure> {
    database.read(Scope::Stream(account.clone()))?.map(|event| parse(&event?.payload)).collect()
}

/// New Year 2024 if the account has transactions before and after it, else when it had half of them.
fn date_within(steps: &[(i128, Time)]) -> Time {
    let middle = steps.get(steps.len() / 2).map_or(Time(0), |(_, time)| *time);
    let Ok(new_year) = parse_rfc3339("2024-01-01T00:00:00Z") else { return middle };
    let before = steps.iter().any(|(_, time)| *time <= new_year);
    let after = steps.iter().any(|(_, time)| *time > new_year);
    if before && after { new_year } else { middle }
}

/// Cents and time of a transaction, exactly.
fn parse(payload: &[u8]) -> Result<(i128, Time), Failure> {
    let wrong = || Failure::new(format!("not a transaction: {}", String::from_utf8_lossy(payload)));
    let value: Value = serde_json::from_slice(payload).map_err(|_| wrong())?;
    let amount = value.get("amount").map(ToString::to_string).ok_or_else(wrong)?;
    let seconds = value.get("timestamp").and_then(Value::as_i64).ok_or_else(wrong)?;
    let (whole, fraction) = amount.split_once('.').unwrap_or((&amount, ""));
    let digits: String = whole.chars().chain(format!("{fraction:0<2}").chars()).collect();
    let cents = digits.parse().map_err(|_| wrong())?;
    Ok((cents, Time(seconds * 1_000_000)))
}

fn decimal(cents: i128) -> String {
    format!("{}{}.{:02}", if cents < 0 { "-" } else { "" }, cents.abs() / 100, cents.abs() % 100)
}

/// Starts a process that appends, waits for a few hundred acknowledgements, and kills it.
fn kill_a_writer(directory: &Path) -> Result<u64, Failure> {
    let program = std::env::current_exe()?;
    let mut child =
        Command::new(program).args(["demo", "victim"]).arg(directory).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or_else(|| Failure::new("the victim has no output"))?;
    let mut acknowledged = 0;
    for line in BufReader::new(output).lines() {
        let line = line?;
        acknowledged = line.parse().map_err(|_| Failure::new(format!("the victim says {line}")))?;
        if acknowledged == 500 {
            child.kill()?;
        }
    }
    child.wait()?;
    Ok(acknowledged)
}

/// Appends and tells of each acknowledgement, for ever.
fn victim(directory: &Path) -> Result<(), Failure> {
    let database = Database::open(directory)?;
    database.execute("CREATE TOPIC victims")?;
    let stream = stream("victim")?;
    let mut out = io::stdout().lock();
    for n in 1u64.. {
        let event = NewEvent { payload: format!("{{\"n\": {n}}}").into(), ..NewEvent::default() };
        database.append(vec![EventWrite {
            topic: stream.topic.clone(),
            key: Some(stream.key.clone()),
            event,
        }])?;
        writeln!(out, "{n}")?;
        out.flush()?;
    }
    Ok(())
}

fn bar(events: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(events);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len}  {per_sec}  {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// SplitMix64: the same transactions every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}
