//! Views go on from what they kept when their database is opened again, and from the first event where that cannot be.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use recount_env::{Env, OpenMode, block_on};
use recount_views::Settings;

use crate::support::Bench;
use crate::views::Bank;

/// The statements of a bank, with an entity of which a key stops.
const BANK: &[&str] = &[
    "CREATE TOPIC a (k INT, x INT, t TIMESTAMPTZ)",
    "CREATE TOPIC b (k INT, y DOUBLE, word TEXT)",
    "CREATE ENTITY e FROM a KEY (k) STATE (total INT DEFAULT 0) WHEN ANY THEN SET total = total + 10 / x",
];

/// Views of all operators that keep something.
const VIEWS: &[(&str, &str)] = &[
    (
        "groups",
        "SELECT k, count(*) AS n, sum(x) AS s, min(x) AS low, count(DISTINCT x) AS d FROM a GROUP BY k",
    ),
    ("total", "SELECT count(*) AS n, sum(y) AS s, string_agg(word, ',' ORDER BY word) AS words FROM b"),
    ("nothing", "SELECT count(*) AS n FROM a WHERE x > 1000"),
    ("each", "SELECT DISTINCT k FROM a"),
    ("first", "SELECT k, x FROM a ORDER BY x DESC, k LIMIT 2"),
    ("joined", "SELECT a.x, b.word FROM a LEFT JOIN b ON a.k = b.k"),
    ("running", "SELECT k, x, sum(x) OVER (PARTITION BY k ORDER BY x) AS s FROM a"),
    ("failing", "SELECT k, 10 / x AS q FROM a"),
    ("of_entity", "SELECT k, total FROM e"),
    ("of_view", "SELECT sum(n) AS n FROM groups"),
];

const FIRST: &[&str] = &[
    "INSERT INTO a VALUES (1, 5, '2024-01-01T00:00:00Z'), (1, 2, '2024-01-02T00:00:00Z'), (NULL, 5, '2024-01-02T00:00:00Z')",
    "INSERT INTO b VALUES (1, 0.5, 'one'), (7, 1e20, 'seven'), (NULL, -0.25, 'none')",
    "INSERT INTO a VALUES (3, 0, '2024-01-03T00:00:00Z'), (2, 1, '2024-01-03T00:00:00Z')",
];

const LATER: &[&str] = &[
    "INSERT INTO a VALUES (1, 5, '2024-01-01T00:00:00Z'), (3, 9, '2024-01-02T00:00:00Z'), (4, 0, '2024-01-02T00:00:00Z')",
    "INSERT INTO b VALUES (3, -1e20, 'three'), (2, 3.5, 'two')",
];

fn settings() -> Settings {
    Settings { snapshot_events: 1, ..Settings::default() }
}

fn bank() -> Bank {
    let bank = Bank::of(Bench::with_settings(settings()));
    bank.declare(BANK);
    bank.declare(FIRST);
    for (name, query) in VIEWS {
        bank.declare(&[&format!("CREATE MATERIALIZED VIEW {name} AS {query}")]);
    }
    bank
}

/// What all views say, and what they count beside.
fn said(bank: &Bank) -> String {
    let all = VIEWS.iter().map(|(name, _)| format!("SELECT * FROM {name} ORDER BY ALL"));
    let all: Vec<String> =
        all.chain(["SELECT * FROM failing_errors".to_owned(), "SHOW VIEWS".to_owned()]).collect();
    bank.with_stopped_left_out(&all.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The positions of snapshots, of the views in their order; those that are being written are waited for.
fn snapshots(bank: &Bank) -> Vec<String> {
    let shown = bank.run("SHOW VIEWS");
    let names: Vec<&str> = shown.lines().next().unwrap_or_default().split(" | ").collect();
    let place = names.iter().position(|name| *name == "snapshot").unwrap();
    shown.lines().skip(1).map(|line| line.split(" | ").nth(place).unwrap().to_owned()).collect()
}

/// Without SHOW VIEWS.
fn rows(said: &str) -> &str {
    said.split_once("> SHOW VIEWS").map_or(said, |(rows, _)| rows)
}

#[test]
fn a_view_goes_on_from_its_snapshot() {
    let bank = bank();
    let before = said(&bank);
    let bank = bank.reopen(settings(), |_| {});
    assert_eq!(rows(&said(&bank)), rows(&before));
    assert!(snapshots(&bank).iter().all(|position| position != "NULL"), "{:?}", snapshots(&bank));
    bank.declare(LATER);
    // As one that has read all events from the first one on.
    let anew = self::bank();
    anew.declare(LATER);
    assert_eq!(rows(&said(&bank)), rows(&said(&anew)));
}

/// The files of what views keep.
fn files(env: &Env) -> Vec<PathBuf> {
    let files = block_on(env.files.list("/db/snapshots".as_ref())).unwrap_or_default();
    let of_views = files.into_iter().filter(|file| file.starts_with("view-"));
    of_views.map(|file| Path::new("/db/snapshots").join(file)).collect()
}

/// What becomes of a file.
type Change = dyn Fn(&Env, &Path);

/// What is damaged, or cut, is left out and removed, and the view is as it was.
#[test]
fn a_snapshot_that_is_damaged_is_not_used() {
    let flip = |env: &Env, path: &Path| {
        block_on(async {
            let file = env.files.open(path, OpenMode::ReadWrite).await.unwrap();
            let mut byte = [0];
            file.read_at(40, &mut byte).await.unwrap();
            file.write_at(40, &[byte[0] ^ 1]).await.unwrap();
        });
    };
    let remove = |env: &Env, path: &Path| block_on(env.files.remove(path)).unwrap();
    let changes: [(&str, &Change); 2] = [("flipped", &flip), ("removed", &remove)];
    for (what, change) in changes {
        for ending in ["part", "manifest"] {
            let bank = bank();
            let before = said(&bank);
            let bank = bank.reopen(Settings::default(), |env| {
                let all = files(env);
                assert_eq!(all.len(), 2 * VIEWS.len(), "{all:?}");
                let of_kind = all.iter().filter(|path| path.extension().is_some_and(|of| of == ending));
                of_kind.for_each(|path| change(env, path));
            });
            assert_eq!(rows(&said(&bank)), rows(&before), "{ending} {what}");
            let kept = snapshots(&bank);
            assert!(kept.iter().all(|position| position == "NULL"), "{ending} {what}: {kept:?}");
        }
    }
}

/// What another query kept means nothing to a view; nor does what was kept before a topic had another column. What was dropped leaves no files
/// behind once the database is closed, even if the task beside never had a turn (closed at once, it left them there).
#[test]
fn a_snapshot_is_of_one_definition() {
    let bank = Bank::of(Bench::with_settings(settings()));
    bank.declare(&BANK[..1]);
    bank.declare(&FIRST[..1]);
    bank.declare(&["CREATE MATERIALIZED VIEW v AS SELECT k, sum(x) AS s FROM a GROUP BY k"]);
    bank.run("SELECT * FROM v");
    let bank = bank.reopen(Settings::default(), |_| {});
    bank.run("SELECT * FROM v");
    assert_ne!(snapshots(&bank), ["NULL"]);
    bank.declare(&["CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT k, max(x) AS s FROM a GROUP BY k"]);
    assert_eq!(snapshots(&bank), ["NULL"]);
    let said = bank.run("SELECT * FROM v ORDER BY k");
    let bank = bank.reopen(Settings::default(), |env| assert_eq!(files(env).len(), 2, "those of before"));
    assert_eq!(bank.run("SELECT * FROM v ORDER BY k"), said);
    assert_eq!(snapshots(&bank), ["NULL"]);
    bank.declare(&["DROP MATERIALIZED VIEW v"]);
    let bank = bank.reopen(settings(), |_| {});
    bank.declare(&["CREATE MATERIALIZED VIEW w AS SELECT k FROM a"]);
    bank.run("SELECT * FROM w");
    let _bank =
        bank.reopen(settings(), |env| assert_eq!(files(env).len(), 2, "those of the one that is there"));
}

/// As of a position, a view begins from the newest snapshot before it; from the one before that, where it is damaged.
#[test]
fn the_past_begins_from_a_snapshot() {
    let mut bank = Bank::of(Bench::with_settings(settings()));
    bank.declare(BANK);
    for (name, query) in VIEWS {
        bank.declare(&[&format!("CREATE MATERIALIZED VIEW {name} AS {query}")]);
    }
    let at = |bank: &Bank, position: u64| -> String {
        let of =
            |(name, _): &(&str, &str)| format!("SELECT * FROM {name} AS OF POSITION {position} ORDER BY ALL");
        let all: Vec<String> = VIEWS.iter().map(of).collect();
        bank.with_stopped_left_out(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut had = Vec::new();
    for statement in FIRST.iter().chain(LATER).chain(FIRST) {
        bank.declare(&[statement]);
        let position = bank.head();
        had.push((position, at(&bank, position)));
        // Closed before the task beside had a turn, the views would be where they were.
        said(&bank);
        bank = bank.reopen(settings(), |_| {});
    }
    let begins = |bank: &Bank, position: u64| {
        let explained = bank.run(&format!("EXPLAIN SELECT * FROM groups AS OF POSITION {position}"));
        explained.rsplit_once(", made ").unwrap().1.split(';').next().unwrap().to_owned()
    };
    let from: Vec<String> = had.iter().map(|(position, _)| begins(&bank, *position)).collect();
    let several: BTreeSet<&String> = from.iter().collect();
    assert!(
        several.len() > 1 && several.iter().all(|from| from.starts_with("from the snapshot")),
        "{from:?}"
    );
    for (position, rows) in &had {
        assert_eq!(at(&bank, *position), *rows);
    }
    let ((last, rows), from) = (had.last().unwrap(), from.last().unwrap());
    let position: u64 = from.rsplit_once(' ').unwrap().1.parse().unwrap();
    let bank = bank.reopen(settings(), |env| {
        let of_it = |path: &PathBuf| path.to_string_lossy().ends_with(&format!("{position:020}.part"));
        files(env).into_iter().filter(of_it).for_each(|path| block_on(env.files.remove(&path)).unwrap());
    });
    let before = begins(&bank, *last);
    assert!(before.starts_with("from the snapshot") && before != *from, "{before}");
    assert_eq!(at(&bank, *last), *rows);
}

/// What nobody asks for any more is not made; what is there is given.
#[test]
fn the_past_is_broken_off() {
    let bank = bank();
    let head = bank.head();
    bank.run("SELECT * FROM groups");
    assert_eq!(bank.unwanted("groups", head), "made");
    let said = bank.unwanted("groups", head - 3);
    assert!(said.starts_with("view groups is at position 0"), "{said}");
}

/// However far a snapshot comes before the disk is full: it is tried again later, and nothing half is taken.
#[test]
fn a_snapshot_while_the_disk_is_full() {
    let (mut partial, mut whole) = (0, 0);
    for operations in 0.. {
        let env = recount_env::memory::memory_env();
        let left = Arc::new(AtomicI64::new(operations));
        let bank = Bank::of(Bench::failing(&env, "snapshots", &left, settings()));
        bank.declare(&BANK[..2]);
        bank.declare(FIRST);
        bank.declare(&["CREATE MATERIALIZED VIEW v AS SELECT k, sum(x) AS s FROM a GROUP BY k"]);
        let rows = bank.run("SELECT * FROM v ORDER BY k");
        bank.close();
        let is_whole = left.load(Ordering::Acquire) > 0;
        let bank =
            Bank::of(Bench::failing(&env, "snapshots", &Arc::new(AtomicI64::new(i64::MAX)), settings()));
        assert_eq!(bank.run("SELECT * FROM v ORDER BY k"), rows, "{operations} operations");
        (partial, whole) = (partial + u32::from(!is_whole), whole + u32::from(is_whole));
        // There is room again.
        bank.declare(LATER);
        let rows = bank.run("SELECT * FROM v ORDER BY k");
        let bank = bank.reopen(settings(), |_| {});
        assert_eq!(bank.run("SELECT * FROM v ORDER BY k"), rows, "{operations} operations");
        assert_ne!(snapshots(&bank), ["NULL"], "{operations} operations");
        if whole == 2 {
            break;
        }
    }
    assert!(partial > 5, "{partial} were cut short");
}

/// What is written is there twice meanwhile: without memory for that, a view goes on without a snapshot.
#[test]
fn a_snapshot_without_memory_for_it() {
    let rows = |bank: &Bank| bank.run("SELECT count(*), sum(n) FROM v");
    let bank = Bank::of(Bench::with_settings(Settings { entity_bytes: 900_000, ..settings() }));
    bank.declare(&[
        "CREATE TOPIC a (k INT)",
        "CREATE MATERIALIZED VIEW v AS SELECT k, count(*) AS n FROM a GROUP BY k",
        "INSERT INTO a SELECT value FROM generate_series(1, 4000)",
    ]);
    let before = rows(&bank);
    let shown = bank.run("SHOW VIEWS");
    assert!(shown.contains("| live | 4000 |"), "{shown}");
    let bank = bank.reopen(Settings::default(), |env| assert!(files(env).is_empty(), "{shown}"));
    assert_eq!(rows(&bank), before);
    let bank = bank.reopen(Settings::default(), |_| {});
    assert_eq!(rows(&bank), before);
}

/// However far the first epoch comes before its events cannot be read: the view says so, and begins again when they can.
#[test]
fn events_that_cannot_be_read_in_the_middle() {
    let env = recount_env::memory::memory_env();
    let all = Arc::new(AtomicI64::new(i64::MAX));
    let open = |left: &Arc<AtomicI64>| Bank::of(Bench::failing(&env, "journal", left, Settings::default()));
    let bank = open(&all);
    bank.declare(&["CREATE TOPIC a (k INT)"]);
    for _ in 0..4 {
        bank.declare(&["INSERT INTO a SELECT value FROM generate_series(1, 10000)"]);
    }
    bank.close();
    let (mut failed, mut operations) = (0, 0);
    loop {
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let bank = open(&left);
        bank.declare(&["CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(k) AS s FROM a"]);
        left.store(operations, Ordering::Release);
        let said = bank.run("SELECT * FROM v");
        left.store(i64::MAX, Ordering::Release);
        if said.contains("error") {
            failed += 1;
            bank.now("2024-01-02T00:00:00Z");
        }
        assert_eq!(bank.run("SELECT * FROM v"), "n | s\n40000 | 200020000\n", "{operations}: {said}");
        bank.declare(&["DROP MATERIALIZED VIEW v"]);
        bank.close();
        if !said.contains("error") {
            break;
        }
        operations += 1;
    }
    assert!(failed > 3, "it failed {failed} times");
}
