//! What the rigs run: writers that append numbered events and print each acknowledgement at once, and a
//! checker that opens the database and holds every acknowledgement against what is there.
//!
//! Writer *w* appends events 0, 1, 2, … to stream `numbers/w`, each on condition that the stream is where
//! the one before left it. Lines on stdout, one write each: `ack WRITER NUMBER POSITION`, `full WRITER NUMBER`
//! when the disk is full (it tries again), `failed WHY` before it gives up.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use recount_env::block_on;
use recount_store::{AppendRequest, Condition, EventWrite, Expected, OpenOptions, ReadRequest, Scope, Store};
use recount_types::{Event, Kind, NewEvent, Revision, StreamName, TopicName};
use serde_json::json;

const TOPIC: &str = "numbers";
/// Long enough that a small disk fills.
const PADDING_BYTES: usize = 300;
const UNTIL_RETRY: Duration = Duration::from_millis(20);

#[derive(Debug, clap::Args)]
pub(crate) struct AppendArguments {
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    writers: u32,
    /// By each writer
    #[arg(long)]
    events: u64,
    /// Of the first segment; the largest are four times as long
    #[arg(long)]
    segment_bytes: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    acknowledged: PathBuf,
}

/// Appends until everything is there or something fails. One writer runs on the first thread, so that a
/// tracer which counts in that thread sees the journal's calls.
pub(crate) fn append(arguments: &AppendArguments) -> Result<()> {
    let result = append_all(arguments);
    if let Err(error) = &result {
        say(&format!("failed {error:#}\n"))?;
    }
    result
}

fn append_all(arguments: &AppendArguments) -> Result<()> {
    let mut options = OpenOptions::default();
    options.journal.segment_bytes_min = arguments.segment_bytes;
    options.journal.segment_bytes_max = arguments.segment_bytes * 4;
    let store = open(&arguments.dir, options)?;
    block_on(store.execute(&format!("CREATE TOPIC {TOPIC}")))?;
    if arguments.writers == 1 {
        write(&store, 0, arguments.events)?;
    } else {
        thread::scope(|scope| {
            let writers: Vec<_> = (0..arguments.writers)
                .map(|writer| {
                    let store = &store;
                    scope.spawn(move || write(store, writer, arguments.events))
                })
                .collect();
            writers
                .into_iter()
                .try_for_each(|writer| writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?)
        })?;
    }
    Ok(block_on(store.close())?)
}

fn write(store: &Store, writer: u32, events: u64) -> Result<()> {
    let stream = StreamName { topic: TopicName::parse(TOPIC)?, key: writer.to_string().into() };
    for number in 0..events {
        let expected =
            number.checked_sub(1).map_or(Expected::NoStream, |last| Expected::Exact(Revision(last)));
        loop {
            let request = AppendRequest {
                events: vec![EventWrite {
                    topic: stream.topic.clone(),
                    key: Some(stream.key.clone()),
                    event: NewEvent { payload: payload(writer, number).into(), ..NewEvent::default() },
                }],
                conditions: vec![Condition::Stream { stream: stream.clone(), expected }],
                deadline: None,
            };
            match block_on(store.append(request)) {
                Ok(appended) => break say(&format!("ack {writer} {number} {}\n", appended.position()))?,
                Err(error) if error.kind() == Kind::Unavailable => {
                    say(&format!("full {writer} {number}\n"))?;
                    thread::sleep(UNTIL_RETRY);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Opens, reads everything, compares, closes.
pub(crate) fn check(arguments: &CheckArguments) -> Result<()> {
    let acknowledged = fs::read_to_string(&arguments.acknowledged)?;
    let acks: Vec<Ack> =
        acknowledged.lines().filter_map(|line| line.strip_prefix("ack ")).map(ack).collect::<Result<_>>()?;
    if acks.is_empty() && !arguments.dir.exists() {
        println!("{}", json!({ "events": 0, "acknowledged": 0, "digest": 0 }));
        return Ok(());
    }
    let store = open(&arguments.dir, OpenOptions::default())?;
    let events = if store.topic(TOPIC).is_some() { read_all(&store)? } else { Vec::new() };
    let positions = hold(&events)?;
    for ack in &acks {
        let Some((writer, number)) = positions.get(&ack.position) else {
            bail!("acknowledged and lost: {ack:?}");
        };
        ensure!(
            (*writer, *number) == (ack.writer, ack.number),
            "{ack:?}, but that position holds {writer} {number}"
        );
    }
    let mut digest = DefaultHasher::new();
    for event in &events {
        (event.position.0, event.append_time.0, &event.payload[..]).hash(&mut digest);
    }
    block_on(store.close())?;
    println!("{}", json!({ "events": events.len(), "acknowledged": acks.len(), "digest": digest.finish() }));
    Ok(())
}

/// Every writer's events in order without gap, positions increasing. Returns who wrote what, by position.
fn hold(events: &[Event]) -> Result<BTreeMap<u64, (u32, u64)>> {
    let mut next: BTreeMap<u32, u64> = BTreeMap::new();
    let mut positions = BTreeMap::new();
    let mut last = 0;
    for event in events {
        let position = event.position.0;
        ensure!(position > last, "position {position} after {last}");
        last = position;
        let (writer, number) = numbers(&event.payload).with_context(|| format!("position {position}"))?;
        let expected = next.entry(writer).or_default();
        ensure!(number == *expected, "writer {writer}: {number} at position {position}, expected {expected}");
        *expected += 1;
        positions.insert(position, (writer, number));
    }
    Ok(positions)
}

fn read_all(store: &Store) -> Result<Vec<Event>> {
    let request = ReadRequest::all(Scope::Topic(TopicName::parse(TOPIC)?));
    block_on(async {
        let mut cursor = store.read(request).await?;
        let mut events = Vec::new();
        while let Some(event) = cursor.next().await? {
            events.push(event);
        }
        Ok(events)
    })
}

fn open(dir: &Path, options: OpenOptions) -> Result<Store> {
    let store = block_on(Store::open(recount_env::real::env(), dir, options));
    store.with_context(|| format!("cannot open {}", dir.display()))
}

/// A line on stdout in one write, so that what was said before a kill was said.
fn say(line: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    Ok(stdout.flush()?)
}

fn payload(writer: u32, number: u64) -> String {
    json!({ "writer": writer, "number": number, "padding": "x".repeat(PADDING_BYTES) }).to_string()
}

fn numbers(payload: &[u8]) -> Result<(u32, u64)> {
    let value: serde_json::Value = serde_json::from_slice(payload)?;
    let field =
        |name: &str| value.get(name).and_then(serde_json::Value::as_u64).context("not one of our events");
    Ok((u32::try_from(field("writer")?)?, field("number")?))
}

#[derive(Debug)]
struct Ack {
    writer: u32,
    number: u64,
    position: u64,
}

fn ack(text: &str) -> Result<Ack> {
    let words: Vec<&str> = text.split(' ').collect();
    let [writer, number, position] = words[..] else { bail!("{text:?} is no acknowledgement") };
    Ok(Ack { writer: writer.parse()?, number: number.parse()?, position: position.parse()? })
}
