//! Rows at many times at once.

use std::collections::BTreeMap;

use recount_types::{Position, Time};
use recount_views::{Moment, Series, Settings, ViewError};

use crate::support::{Bank, instant, shown};

const TOPIC: &str = "CREATE TOPIC t (k BIGINT NOT NULL, amount INT NOT NULL, at TIMESTAMPTZ NOT NULL, due TIMESTAMPTZ) KEY (k) TIMESTAMP BY at";
const RATES: &str = "CREATE TOPIC rates (k BIGINT NOT NULL, rate INT NOT NULL, since TIMESTAMPTZ NOT NULL) KEY (k) TIMESTAMP BY since";
const RULES: &str = "STATE (s BIGINT NOT NULL DEFAULT 0, n BIGINT)
    WHEN (amount = 0) THEN DELETE WHEN (amount = 1) THEN IGNORE WHEN (s + amount < 0) THEN ERROR 'below zero'
    WHEN ANY THEN SET s = s + amount, n = coalesce(n, 0) * 2 + amount";

fn event(key: u64, amount: i64, second: u64, due: u64) -> String {
    format!(
        r#"{{"k": {key}, "amount": {amount}, "at": "2023-12-01T00:00:{second:02}Z", "due": "2023-12-01T00:00:{due:02}Z"}}"#
    )
}

fn second(number: i64) -> Time {
    Time(instant("2023-12-01T00:00:00Z").0 + number * 1_000_000)
}

/// A row: its state or that it stopped, its position, the greatest time of its events.
type Rows = BTreeMap<String, String>;

fn text(
    present: bool,
    stopped: Option<&recount_entity::table::Stopped>,
    state: Vec<String>,
    at: (u64, i64),
) -> Option<String> {
    match stopped {
        Some(stopped) => Some(format!("stopped at {}: {}", stopped.position, stopped.reason)),
        None if present => Some(format!("{} at {} {}", state.join(" "), at.0, at.1)),
        None => None,
    }
}

fn of_series(series: &Series, number: usize) -> Rows {
    let mut rows = Rows::new();
    for (key, points) in series.keys() {
        let Some(point) = points.iter().rev().find(|point| point.from <= number) else { continue };
        let state = point.state.iter().map(shown).collect();
        let row = text(point.present, point.stopped.as_ref(), state, (point.position, point.event_time));
        rows.extend(row.map(|row| (format!("{:?}", key.values().unwrap()), row)));
    }
    rows
}

fn as_of(bank: &Bank, entity: &str, moment: Moment) -> Rows {
    let (_, frozen) = bank.views.rows(entity, None, None, moment).unwrap();
    let mut rows = Rows::new();
    for (row, state) in frozen.rows() {
        let state = state.iter().map(|value| shown(&value)).collect();
        let shown = text(row.present, row.stopped, state, (row.position, row.event_time));
        rows.extend(shown.map(|shown| (format!("{:?}", row.key.values().unwrap()), shown)));
    }
    rows
}

fn bank() -> Bank {
    let bank = Bank::new();
    for statement in [TOPIC, RATES] {
        bank.run(statement);
    }
    let looking = RULES.replace("s = s + amount", "s = s + amount * coalesce(r.rate, 1)");
    for (name, clauses, rules) in [
        ("plain", "", RULES),
        ("timed", "ORDER BY EVENT TIME", RULES),
        ("looking", "LOOKUP rates AS r ON r.k = 7 AS OF at", &looking),
        ("ahead", "LOOKUP rates AS r ON r.k = 7 AS OF due", &looking),
        ("ahead_timed", "ORDER BY EVENT TIME LOOKUP rates AS r ON r.k = 7 AS OF due", &looking),
        ("keyed", "KEY (k % 2) ORDER BY EVENT TIME", RULES),
    ] {
        assert_eq!(
            bank.run(&format!("CREATE ENTITY {name} FROM t {clauses} {rules}")),
            format!("CREATE ENTITY {name}")
        );
    }
    bank
}

/// The judge asks about each time on its own.
fn check(bank: &Bank, position: Option<Position>) {
    let times: Vec<i64> = vec![30, -1, 0, 5, 4, 9, 9, 12, 20, 59];
    for entity in ["plain", "timed", "looking", "ahead", "ahead_timed", "keyed"] {
        let asked = times.iter().map(|time| second(*time)).collect();
        let series = bank.views.series(entity, None, None, position, asked).unwrap();
        assert_eq!(series.times().len(), 9, "in order, each once");
        for (number, &time) in series.times().iter().enumerate() {
            let moment = Moment { position, valid_until: Some(Time(time)) };
            assert_eq!(of_series(&series, number), as_of(bank, entity, moment), "{entity} at {time}");
        }
        let key = bank.views.key(entity, None, "1").unwrap();
        let of_key = bank.views.series(entity, None, Some(&key), position, vec![second(9)]).unwrap();
        let moment = Moment { position, valid_until: Some(second(9)) };
        let name = format!("{:?}", key.values().unwrap());
        assert_eq!(of_series(&of_key, 0).get(&name), as_of(bank, entity, moment).get(&name), "{entity}/1");
    }
}

#[test]
fn every_time_is_answered_as_if_it_were_asked_alone() {
    let bank = bank();
    // Some in order, with ties and gaps.
    for (key, amount, at) in
        [(1, 5, 1), (2, 3, 4), (1, 6, 5), (1, -2, 5), (2, 0, 9), (3, 2, 12), (1, 1, 20), (1, 7, 40)]
    {
        bank.append("t", &event(key, amount, at, at));
    }
    check(&bank, None);
    let ordered = bank.store.head();
    // Rates, before and after what they are for; looked up as of a time that is yet to come.
    for (rate, since) in [(10, 4), (3, 0), (-20, 11), (2, 25)] {
        bank.append(
            "rates",
            &format!(r#"{{"k": 7, "rate": {rate}, "since": "2023-12-01T00:00:{since:02}Z"}}"#),
        );
    }
    for (key, amount, at, due) in
        [(4, 5, 2, 10), (4, 5, 6, 12), (5, 9, 1, 59), (5, 3, 29, 29), (6, -4, 5, 5), (6, 4, 6, 6)]
    {
        bank.append("t", &event(key, amount, at, due));
    }
    check(&bank, None);
    // Late ones: before what was there, some of which had stopped the key or had deleted it.
    for (key, amount, at) in [(1, 50, 0), (2, 8, 8), (6, 6, 4), (3, -9, 1), (3, 0, 11), (2, 4, 30), (4, 1, 3)]
    {
        bank.append("t", &event(key, amount, at, at + 3));
    }
    check(&bank, None);
    check(&bank, Some(ordered));
}

#[test]
fn it_fails_when_there_is_no_memory_for_it() {
    // Every event is between two times.
    let bank = Bank::with(Settings { entity_bytes: 1 << 20, ..Settings::default() });
    bank.run(TOPIC);
    bank.run(&format!("CREATE ENTITY e FROM t {RULES}"));
    let all: Vec<String> = (0..9000)
        .map(|number| {
            format!(
                r#"{{"k": 1, "amount": 2, "at": "2023-12-01T00:{:02}:{:02}.{}Z"}}"#,
                number / 600,
                number / 10 % 60,
                number % 10
            )
        })
        .collect();
    bank.append_all("t", &all.iter().map(String::as_str).collect::<Vec<_>>());
    let asked = (0..900_000).step_by(100).map(|ms| Time(second(0).0 + ms * 1000)).collect();
    let failed = bank.views.series("e", None, None, None, asked).map(|series| series.times().len());
    assert!(matches!(failed, Err(ViewError::Memory { .. })), "{failed:?}");
    let few = (0..50).map(second).collect();
    assert_eq!(bank.views.series("e", None, None, None, few).unwrap().keys().len(), 1, "it was given back");
}
