//! Views go on from what they kept when their database is opened again, and from the first event where that cannot be.

use std::path::{Path, PathBuf};

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
    let files = block_on(env.files.list("/db/snapshots".as_ref())).unwrap();
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

/// What another query kept means nothing to a view; nor does what was kept before a topic had another column.
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
