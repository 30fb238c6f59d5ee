//! Views of a database that is killed, on a real disk: in the middle of reading everything, of following, of being replaced, of a snapshot.
//! After each kill every view has the rows that its query has, and at the end those of a database without snapshots.
//!
//! `kills_few` is a few of them; `cargo xtask law --views --kills 200` many.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use recount_env::{block_on, real};
use recount_query::{Outcome, QueryCompiler, SessionSettings, Settings, Sql};
use recount_store::{OpenOptions, Store};
use recount_views::Views;

use crate::support::shown;

/// Of each append the amounts add up to nothing.
const TOPIC: &str = "CREATE TOPIC a (k INT NOT NULL, x DECIMAL(18,2) NOT NULL, word TEXT)";

/// What views are of.
const QUERIES: &[&str] = &[
    "SELECT k, sum(x) AS s, count(*) AS n FROM a GROUP BY k",
    "SELECT sum(x) AS s, count(*) AS n FROM a",
    "SELECT k, word FROM a WHERE x > 5000",
    "SELECT k, max(x) AS high, min(word) AS first FROM a GROUP BY k HAVING count(*) > 3",
    "SELECT DISTINCT word FROM a",
    "SELECT k, x, word FROM a ORDER BY x DESC, k, word LIMIT 7",
    "SELECT k, x, sum(x) OVER (PARTITION BY k ORDER BY x ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s FROM a",
    "SELECT l.k, r.word FROM (SELECT k, count(*) AS n FROM a GROUP BY k) AS l LEFT JOIN (SELECT word, max(k) AS k FROM a GROUP BY word) AS r ON l.k = r.k",
    "SELECT k, sum(x) / count(DISTINCT word) AS q FROM a GROUP BY k",
    // No account has two balances.
    "SELECT l.k FROM (SELECT k, sum(x) AS s FROM a GROUP BY k) AS l JOIN (SELECT k, sum(x) AS s FROM a GROUP BY k) AS r ON l.k = r.k WHERE l.s <> r.s",
];

const VIEWS: u64 = 5;

/// A small generator of numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// A database on disk.
struct Opened {
    store: Store,
    views: Views,
    sql: Sql,
    runtime: tokio::runtime::Runtime,
}

impl Opened {
    fn new(path: &Path, snapshot_events: u64) -> Opened {
        let env = real::env();
        let store = block_on(Store::open(env.clone(), path, OpenOptions::default())).unwrap();
        let settings = recount_views::Settings { snapshot_events, ..recount_views::Settings::default() };
        let views = Views::open_with(store.clone(), env, settings, Arc::new(QueryCompiler::default()));
        let sql = Sql::new(store.clone(), views.clone(), Settings::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Opened { store, views, sql, runtime }
    }

    /// The rows of a statement, sorted, or what it says.
    fn run(&self, statement: &str) -> Vec<String> {
        let said = self.runtime.block_on(async {
            match self.sql.run(statement, &SessionSettings::default()).await.unwrap() {
                Outcome::Executed(executed) => executed.statement.to_string(),
                Outcome::Rows(answer) => shown(answer).await.unwrap(),
            }
        });
        let mut rows: Vec<String> = said.lines().map(str::to_owned).collect();
        rows.sort();
        rows
    }

    fn close(self) {
        self.views.close();
        block_on(self.store.close()).unwrap();
    }
}

/// The one that is killed: works until then, and says what at.
#[test]
#[ignore = "is started, and killed, by the others"]
fn killed() {
    let Some(path) = std::env::var_os("RECOUNT_KILLED").map(PathBuf::from) else { return };
    let mut dice = Dice(std::env::var("RECOUNT_KILLED_SEED").unwrap().parse().unwrap());
    let say = |what: &str| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "at: {what}").unwrap();
        out.flush().unwrap();
    };
    say("restart");
    let opened = Opened::new(&path, 100);
    if opened.store.topic("a").is_none() {
        opened.run(TOPIC);
    }
    loop {
        match dice.below(20) {
            0..14 => {
                say("append");
                let one = |dice: &mut Dice| {
                    let (from, to, cents) = (dice.below(300), dice.below(300), dice.below(1_000_000));
                    let (euros, cents, word) = (cents / 100, cents % 100, dice.below(40));
                    format!("({from}, -{euros}.{cents:02}, 'w{word}'), ({to}, {euros}.{cents:02}, 'w{word}')")
                };
                let count = 1 + dice.below(30);
                let rows: Vec<String> = (0..count).map(|_| one(&mut dice)).collect();
                opened.run(&format!("INSERT INTO a VALUES {}", rows.join(", ")));
            }
            14..16 => {
                say("declare");
                let (view, query) = (dice.below(VIEWS), QUERIES[dice.below(QUERIES.len() as u64) as usize]);
                opened.run(&format!("CREATE OR REPLACE MATERIALIZED VIEW v{view} AS {query}"));
            }
            16 => {
                say("drop");
                let view = dice.below(VIEWS);
                if opened.views.view(&format!("v{view}")).is_ok() {
                    opened.run(&format!("DROP MATERIALIZED VIEW v{view}"));
                }
            }
            _ => {
                say("read");
                for info in opened.views.views() {
                    opened.run(&format!("SELECT * FROM {}", info.name));
                }
            }
        }
    }
}

/// Kills a database that works, so often; how often at what.
fn kill(rounds: u64) -> BTreeMap<String, u64> {
    let directory = std::env::temp_dir().join(format!("recount-kills-{}", std::process::id()));
    let database = directory.join("db");
    fs::create_dir_all(&directory).unwrap();
    let (mut dice, mut counts) = (Dice(rounds), BTreeMap::<String, u64>::new());
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "kills::killed", "--nocapture"])
            .env("RECOUNT_KILLED", &database)
            .env("RECOUNT_KILLED_SEED", (round + 1).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (at, lines) = (Arc::new(Mutex::new(String::new())), BufReader::new(child.stdout.take().unwrap()));
        let follows = {
            let at = at.clone();
            std::thread::spawn(move || {
                let says = |line: String| line.split_once("at: ").map(|(_, at)| at.to_owned());
                lines
                    .lines()
                    .map_while(Result::ok)
                    .filter_map(says)
                    .for_each(|line| *at.lock().unwrap() = line);
            })
        };
        // The moment is any.
        std::thread::sleep(Duration::from_millis(20 + dice.below(600)));
        assert!(
            child.try_wait().unwrap().is_none(),
            "round {round}: it ended by itself, in {}",
            directory.display()
        );
        child.kill().unwrap();
        child.wait().unwrap();
        follows.join().unwrap();
        *counts.entry(at.lock().unwrap().clone()).or_default() += 1;
        let files = || fs::read_dir(database.join("snapshots")).into_iter().flatten();
        let names: Vec<String> =
            files().filter_map(|file| file.unwrap().file_name().into_string().ok()).collect();
        let whole = |part: &String| {
            part.strip_suffix(".part").is_some_and(|stem| names.contains(&format!("{stem}.manifest")))
        };
        if names.iter().any(|name| name.ends_with(".tmp") || name.ends_with(".part") && !whole(name)) {
            *counts.entry("snapshot".to_owned()).or_default() += 1;
        }
        if database.exists() {
            *counts.entry("views that went on".to_owned()).or_default() += compare(&database, round);
        }
    }
    // As if there had never been a snapshot.
    if let Err(error) = fs::remove_dir_all(database.join("snapshots")) {
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
    assert_eq!(compare(&database, rounds), 0);
    fs::remove_dir_all(&directory).unwrap();
    counts
}

/// Every view has the rows that its query has; how many of them went on from a snapshot.
fn compare(database: &Path, round: u64) -> u64 {
    // It takes none itself, so that the next one finds what the kill left.
    let opened = Opened::new(database, u64::MAX);
    let mut resumed = 0;
    for info in opened.views.views() {
        let (_, query) = info.text.split_once(" AS ").unwrap();
        let kept = opened.run(&format!("SELECT * FROM {}", info.name));
        assert_eq!(kept, opened.run(query), "round {round}, in {}: {}", database.display(), info.text);
        if query == QUERIES[1] && kept.len() > 1 && !kept.iter().any(|row| row == "NULL | 0") {
            assert!(kept[0].starts_with("0.00 | "), "transfers add up to nothing: {kept:?}");
        }
        resumed += u64::from(opened.views.view_status(info.name.as_str()).unwrap().kept.is_some());
    }
    opened.close();
    resumed
}

#[test]
fn kills_few() {
    kill(4);
}

#[test]
#[ignore = "takes long: cargo xtask law --views --kills 200"]
fn kills_many() {
    let rounds = std::env::var("RECOUNT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let counts = kill(rounds);
    let said: Vec<String> = counts.iter().map(|(at, count)| format!("{count} {at}")).collect();
    println!("{rounds} kills, at: {}", said.join(", "));
    for at in ["restart", "append", "declare", "snapshot", "views that went on"] {
        assert!(rounds < 100 || counts.get(at).is_some_and(|count| *count > 0), "none at {at}");
    }
}
