//! `view`: views beside DataFusion's batch over the same events (the same query asked ad hoc, in the same server) and beside Flink SQL over the same
//! lines (as `nexmark` is timed): how long it takes until a view is there, for a linear aggregate and for a join; how long after an acknowledgement a view shows the append, while ten of them are kept up to date;
//! and the memory of a key.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::client::Client;
use super::contract::{Bar, Claim, Figure, Report, Side};
use super::flink::{self, Flink};
use super::server::{Recount, Server};
use crate::dice::Dice;

const STREAMS: u64 = 100_000;
/// Views that are kept up to date at once.
const VIEWS: usize = 10;
/// Events in an append, and appends a second.
const APPEND: usize = 20;
const APPENDS_A_SECOND: u64 = 1000;
/// Events in an append that one view follows.
const EPOCH: usize = 1000;
/// Such appends: few beside what there is, which is what the others are timed over.
const EPOCHS: usize = 300;
/// Of so many appends one is looked for.
const LOOKED_FOR: u64 = 20;

const LINEAR: &str =
    "SELECT accountid, sum(amount) AS balance, count(*) AS n FROM transactions GROUP BY accountid";
const JOIN: &str = "SELECT o.region, sum(t.amount) AS balance, count(*) AS n FROM transactions AS t \
                    JOIN owners AS o ON o.account = t.accountid GROUP BY o.region";

/// The same in Flink's words, over the same lines.
const TABLES: &str = include_str!("view/tables.sql");
const FLINK_LINEAR: &str =
    "SELECT accountId, SUM(amount) AS balance, COUNT(*) AS n FROM transactions GROUP BY accountId";
const FLINK_JOIN: &str = "SELECT o.region, SUM(t.amount) AS balance, COUNT(*) AS n FROM transactions AS t \
                          JOIN owners AS o ON o.account = t.accountId GROUP BY o.region";
/// A join keeps all rows of both sides. Of more events than these they have no room on Flink's heap of 8 GiB, and it is left out; nor have they
/// in the 2 GiB that a server takes unless it is allowed more.
const EVENTS_MANY: u64 = 20_000_000;
const MEMORY_OF_MANY: [&str; 2] = ["--entity-memory", "12288"];
/// Flink reads a file with one reader.
const PARTS: u64 = 2;

const CLAIMS: &[Claim] = &[
    Claim {
        what: "a linear aggregate is there",
        ours: "bootstrap, linear",
        peer: "batch, linear",
        bar: Bar::RatioAtLeast(0.5),
    },
    Claim {
        what: "a join is there",
        ours: "bootstrap, join",
        peer: "batch, join",
        bar: Bar::RatioAtLeast(0.25),
    },
    Claim {
        what: "a linear aggregate, beside Flink",
        ours: "bootstrap, linear",
        peer: "Flink, linear",
        bar: Bar::RatioAtLeast(1.0),
    },
    Claim {
        what: "a join, beside Flink",
        ours: "bootstrap, join",
        peer: "Flink, join",
        bar: Bar::RatioAtLeast(1.0),
    },
    Claim {
        what: "followed at 1,000-event epochs, events/s a core",
        ours: "followed, a core",
        peer: "",
        bar: Bar::AtLeast(300_000.0),
    },
    Claim { what: "append to visible, p99, ms", ours: "visible, p99", peer: "", bar: Bar::AtMost(5.0) },
    Claim { what: "appended meanwhile, events/s", ours: "appended", peer: "", bar: Bar::AtLeast(19_000.0) },
];

/// Makes files of events once, and a database of them; declares and drops views in every round.
pub(crate) fn run(bench: &Bench, events: u64) -> Result<Report> {
    let recount = Recount::build()?;
    let (folder, filled) = (bench.dir.join("events"), bench.dir.join("filled").display().to_string());
    eprintln!("making {events} events …");
    let files = write(&folder, events)?;
    recount.import(&filled, &files)?;
    let are_many = events > EVENTS_MANY;
    let server = recount.serve_with(&filled, if are_many { &MEMORY_OF_MANY } else { &[] })?;
    let mut client = Client::to(server.address)?;
    client.sql("CREATE TOPIC owners (account BIGINT NOT NULL, region BIGINT NOT NULL) KEY (account)")?;
    for first in (0..STREAMS).step_by(10_000) {
        let rows = format!("SELECT value, value % 50 FROM generate_series({first}, {}) AS s", first + 9_999);
        client.sql(&format!("INSERT INTO owners {rows}"))?;
    }
    let flink = if are_many {
        eprintln!("Flink is left out: a join of more than {EVENTS_MANY} events has no room on its heap");
        None
    } else {
        let mut flink = Flink::start(TABLES, &folder, &bench.dir)?;
        flink.warm(&[FLINK_LINEAR, FLINK_JOIN])?;
        Some(RefCell::new(flink))
    };
    let (address, seconds) = (server.address, bench.seconds);
    // The server closes what was idle for as long as the others took.
    let client = || Client::to(address);
    let allowed = if are_many { MEMORY_OF_MANY.join(" ") } else { "default memory".to_owned() };
    let states = format!("{events} events of {STREAMS} accounts, one server, {allowed}, HTTP");
    let per_second = |name| vec![Figure { name, unit: "events/s" }];
    let built = |query: &'static str| -> Result<Vec<f64>> {
        let mut client = client()?;
        let took = client.built(query)?;
        client.sql("DROP MATERIALIZED VIEW built")?;
        Ok(vec![events as f64 / took.as_secs_f64()])
    };
    let asked = |query: &'static str| -> Result<Vec<f64>> {
        let (mut client, began) = (client()?, Instant::now());
        // What nobody asks for would not be computed.
        client.sql(&format!("SELECT sum(balance), sum(n) FROM ({query}) AS q"))?;
        Ok(vec![events as f64 / began.elapsed().as_secs_f64()])
    };
    let mut sides = vec![
        Side {
            figures: per_second("bootstrap, linear"),
            states: states.clone(),
            run: Box::new(|| built(LINEAR)),
        },
        Side {
            figures: per_second("batch, linear"),
            states: states.clone(),
            run: Box::new(|| asked(LINEAR)),
        },
        Side {
            figures: per_second("bootstrap, join"),
            states: states.clone(),
            run: Box::new(|| built(JOIN)),
        },
        Side { figures: per_second("batch, join"), states: states.clone(), run: Box::new(|| asked(JOIN)) },
        Side {
            figures: per_second("followed, a core"),
            states: format!(
                "one view; appends of {EPOCH} events, one after the other, over HTTP; by the server's processor time, which has the journal and \
                 the index, too"
            ),
            run: Box::new(|| followed(&mut client()?, &server)),
        },
        Side {
            figures: vec![
                Figure { name: "visible, p50", unit: "ms" },
                Figure { name: "visible, p99", unit: "ms" },
                Figure { name: "appended", unit: "events/s" },
                Figure { name: "a key", unit: "bytes" },
            ],
            states: format!(
                "{VIEWS} views of {events} events; appends of {APPEND} events, {APPENDS_A_SECOND} a second, fsync each; every \
                 {LOOKED_FOR}th is looked for by SELECT at its position on another connection"
            ),
            run: Box::new(|| live(&mut client()?, address, seconds)),
        },
    ];
    if let Some(flink) = &flink {
        let of_flink = [("Flink, linear", FLINK_LINEAR), ("Flink, join", FLINK_JOIN)];
        sides.extend(of_flink.map(|(name, query)| Side {
            figures: per_second(name),
            states: flink::STATES.to_owned(),
            run: Box::new(move || Ok(vec![events as f64 / flink.borrow_mut().seconds(query)?])),
        }));
    }
    let is_measured = |claim: &&Claim| flink.is_some() || !claim.peer.starts_with("Flink");
    let claims: Vec<Claim> = CLAIMS.iter().filter(is_measured).copied().collect();
    Report::measure("view", bench.machine()?, bench.rounds, sides, &claims)
}

/// Writes the events, in parts, and the owners; returns the files of events.
fn write(folder: &Path, count: u64) -> Result<Vec<PathBuf>> {
    let (transactions, owners) = (folder.join("transactions"), folder.join("owners"));
    fs::create_dir_all(&transactions)?;
    fs::create_dir_all(&owners)?;
    let mut dice = Dice::new(1);
    let mut paths = Vec::new();
    for part in 0..PARTS {
        let path = transactions.join(format!("part-{part}.jsonl"));
        let mut file = BufWriter::new(File::create(&path)?);
        for number in (part..count).step_by(PARTS as usize) {
            let (account, cents) = (dice.below(STREAMS as usize), dice.between(-100_000, 100_000));
            let (sign, cents) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
            let (whole, cents, time) = (cents / 100, cents % 100, 1_702_468_800 + number / 100);
            writeln!(
                file,
                r#"{{"accountId": {account}, "amount": {sign}{whole}.{cents:02}, "timestamp": {time}}}"#
            )?;
        }
        file.flush()?;
        paths.push(path);
    }
    let mut file = BufWriter::new(File::create(owners.join("part-0.jsonl"))?);
    for account in 0..STREAMS {
        writeln!(file, r#"{{"account": {account}, "region": {}}}"#, account % 50)?;
    }
    file.flush()?;
    Ok(paths)
}

/// A view that follows appends of [`EPOCH`] events: how many for each second that the server computes.
fn followed(client: &mut Client, server: &Server) -> Result<Vec<f64>> {
    client.built(LINEAR)?;
    let (mut writer, mut position) = (Client::to(server.address)?, 0);
    let bodies: Vec<String> = (0..16).map(|number| body(number * 7_919, EPOCH)).collect();
    let computed = server.cpu_seconds()?;
    for number in 0..EPOCHS {
        position = append(&mut writer, &bodies[number % bodies.len()])?;
    }
    client.until_there(position, "SELECT n FROM built WHERE accountid = 1")?;
    let computed = server.cpu_seconds()? - computed;
    client.sql("DROP MATERIALIZED VIEW built")?;
    Ok(vec![(EPOCHS * EPOCH) as f64 / computed])
}

/// So many events of accounts behind one, as a body.
fn body(account: u64, count: usize) -> String {
    let event = |number: usize| {
        let account = (account + number as u64 * 131) % STREAMS;
        format!(r#"{{"accountId": {account}, "amount": 1.25, "timestamp": 1702468800}}"#)
    };
    format!("[{}]", (0..count).map(event).collect::<Vec<_>>().join(","))
}

/// Appends a body; where that ends.
fn append(writer: &mut Client, body: &str) -> Result<u64> {
    let answer = writer.post("/topics/transactions/events", "application/json", body)?;
    answer["position"].as_u64().with_context(|| format!("no position in {answer}"))
}

/// Ten views, and appends that are looked for in them.
fn live(client: &mut Client, address: SocketAddr, seconds: u64) -> Result<Vec<f64>> {
    for view in 0..VIEWS {
        client.sql(&format!("CREATE MATERIALIZED VIEW live{view} AS {LINEAR}"))?;
        client.until_there(0, &format!("SELECT count(*) FROM live{view}"))?;
    }
    let (acknowledged, looked_for) = std::sync::mpsc::channel::<(u64, Instant, u64)>();
    let reader = std::thread::spawn(move || -> Result<Vec<f64>> {
        let mut client = Client::to(address)?;
        let mut latencies = Vec::new();
        for (position, at, account) in looked_for {
            let view = latencies.len() % VIEWS;
            let target = format!("/sql?min_position={position}");
            client.post(
                &target,
                "text/plain",
                &format!("SELECT n FROM live{view} WHERE accountid = {account}"),
            )?;
            latencies.push(at.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(latencies)
    });
    let (mut writer, began, mut appends) = (Client::to(address)?, Instant::now(), 0u64);
    while began.elapsed() < Duration::from_secs(seconds) {
        let due = began + Duration::from_micros(appends * 1_000_000 / APPENDS_A_SECOND);
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(early);
        }
        let account = appends * 7_919 % STREAMS;
        let position = append(&mut writer, &body(account, APPEND))?;
        if appends.is_multiple_of(LOOKED_FOR) {
            acknowledged.send((position, Instant::now(), account))?;
        }
        appends += 1;
    }
    let appended = (appends * APPEND as u64) as f64 / began.elapsed().as_secs_f64();
    drop(acknowledged);
    let mut latencies = reader.join().ok().context("the reader panicked")??;
    latencies.sort_by(f64::total_cmp);
    ensure!(!latencies.is_empty(), "nothing was looked for");
    let percentile = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    let shown = client.sql("SHOW VIEWS")?;
    let row = &shown["rows"][0];
    let columns: Vec<&str> = shown["columns"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|column| column["name"].as_str())
        .collect();
    let cell = |name: &str| -> Result<f64> {
        let at = columns.iter().position(|column| *column == name).with_context(|| format!("no {name}"))?;
        row[at].as_f64().with_context(|| format!("{name} is no number"))
    };
    let a_key = cell("bytes")? / cell("rows")?;
    for view in 0..VIEWS {
        client.sql(&format!("DROP MATERIALIZED VIEW live{view}"))?;
    }
    Ok(vec![percentile(50), percentile(99), appended, a_key])
}
