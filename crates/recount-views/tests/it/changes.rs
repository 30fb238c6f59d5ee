//! Changes of rows: told once each, from anywhere.

use std::collections::BTreeMap;

use recount_entity::key::Key;
use recount_entity::table::Stopped;
use recount_types::Position;
use recount_types::column::Value;
use recount_views::{After, Change, Changes, Ended, Moment, Place, Settings, Told, ViewError};

use crate::support::{Bank, at, shown};

const TOPIC: &str = "CREATE TOPIC t (k BIGINT NOT NULL, amount INT NOT NULL, at TIMESTAMPTZ NOT NULL) KEY (k) TIMESTAMP BY at";
const RATES: &str = "CREATE TOPIC rates (k BIGINT NOT NULL, rate INT NOT NULL, since TIMESTAMPTZ NOT NULL) KEY (k) TIMESTAMP BY since";
const RULES: &str = "STATE (s BIGINT NOT NULL DEFAULT 0, n TEXT)
    WHEN (amount = 0) THEN DELETE WHEN (amount = 1) THEN IGNORE WHEN (s + amount < 0) THEN ERROR 'below zero'
    WHEN ANY THEN SET s = s + amount, n = n || 'x'";

/// A row, or why there is none.
type State = (Option<Vec<Value<'static>>>, Option<Stopped>);
type Rows = BTreeMap<String, State>;

fn event(key: u64, amount: i64, second: u64) -> String {
    format!(r#"{{"k": {key}, "amount": {amount}, "at": "2023-12-01T00:00:{second:02}Z"}}"#)
}

/// Everything that is told until it has caught up.
fn told(changes: &mut Changes) -> Vec<Change> {
    let mut all = Vec::new();
    loop {
        match changes.tell().unwrap() {
            Told::Changes(some) => {
                assert_eq!(changes.place(), some.last().map_or(changes.place(), |change| change.place));
                all.extend(some);
            }
            Told::CaughtUp(place) => {
                assert_eq!(changes.place(), place);
                return all;
            }
            Told::Ended(ended) => panic!("{ended}"),
        }
    }
}

fn from(bank: &Bank, name: &str, after: u64) -> Changes {
    bank.views.changes(name, None, None, After::Position(Position(after))).unwrap()
}

fn name(key: &Key) -> String {
    key.values().unwrap().iter().map(shown).collect()
}

fn apply<'a>(rows: &mut Rows, changes: impl IntoIterator<Item = &'a Change>) {
    for change in changes {
        let now = (change.state.clone(), change.stopped.clone());
        let before = match now {
            (None, None) => rows.remove(&name(&change.key)),
            _ => rows.insert(name(&change.key), now.clone()),
        };
        assert_ne!(before.unwrap_or((None, None)), now, "{change:?} changes nothing");
    }
}

/// The rows as of a position, asked in the other way.
fn rows(bank: &Bank, entity: &str, position: u64) -> Rows {
    let (_, frozen) = bank.views.rows(entity, None, None, at(position)).unwrap();
    let row = |(row, state): (recount_entity::table::Row<'_>, recount_entity::table::State<'_>)| {
        let shown = (row.present && row.stopped.is_none()).then(|| state.to_vec());
        (name(&row.key.to_key()), (shown, row.stopped.cloned()))
    };
    frozen.rows().map(row).filter(|(_, state)| *state != (None, None)).collect()
}

/// Changes lead to the rows as of every position where an append ends, and go on from each place as if nothing had
/// happened.
fn check(bank: &Bank, entity: &str, ends: &[u64]) -> Vec<Change> {
    let all = told(&mut from(bank, entity, 0));
    let mut built = Rows::new();
    let mut rest = all.as_slice();
    for &end in ends {
        let until = rest.partition_point(|change| change.place.position.0 <= end);
        let (now, after) = rest.split_at(until);
        apply(&mut built, now);
        assert_eq!(built, rows(bank, entity, end), "{entity} at {end}");
        assert_eq!(told(&mut from(bank, entity, end)), after, "{entity} from {end}");
        rest = after;
    }
    assert!(rest.is_empty());
    for (at, change) in all.iter().enumerate() {
        let place = change.place.to_string().parse::<Place>().unwrap();
        let mut resumed = bank.views.changes(entity, None, None, After::Place(place)).unwrap();
        assert_eq!(told(&mut resumed), all[at + 1..], "{entity} from {place}");
    }
    all
}

#[test]
fn changes_from_anywhere_lead_to_the_rows() {
    let bank = Bank::new();
    for statement in [TOPIC, RATES] {
        bank.run(statement);
    }
    let looking_up = RULES.replace("s = s + amount", "s = s + amount * coalesce(r.rate, 1)");
    for (name, clauses, rules) in [
        ("plain", "", RULES),
        ("timed", "ORDER BY EVENT TIME", RULES),
        ("looking", "LOOKUP rates AS r ON r.k = 7 AS OF at", &looking_up),
        ("keyed", "KEY (k % 2) ORDER BY EVENT TIME", RULES),
    ] {
        let run = bank.run(&format!("CREATE ENTITY {name} FROM t {clauses} {rules}"));
        assert_eq!(run, format!("CREATE ENTITY {name}"));
    }
    let mut ends = Vec::new();
    for (key, amount, second) in [
        (1, 5, 1),
        (2, 3, 2),
        (1, 1, 3),
        (1, -2, 2),
        (3, 0, 1),
        (2, 0, 5),
        (2, 4, 4),
        (3, -4, 6),
        (3, 9, 5),
        (3, 2, 7),
    ] {
        ends.push(bank.append("t", &event(key, amount, second)));
    }
    // Several events, several of one key, and one that belongs before all, in one append.
    let (a, b, c, d) = (event(1, 2, 9), event(4, 6, 8), event(1, 3, 0), event(2, -50, 9));
    ends.push(bank.append_all("t", &[&a, &b, &c, &d]));
    for (rate, second) in [(10, 0), (10, 0), (2, 4), (-9, 9), (3, 59)] {
        let rate = format!(r#"{{"k": 7, "rate": {rate}, "since": "2023-12-01T00:00:{second:02}Z"}}"#);
        ends.push(bank.append("rates", &rate));
        ends.push(bank.append("t", &event(5, rate.len() as i64, 30)));
    }
    for entity in ["plain", "timed", "looking", "keyed"] {
        let all = check(&bank, entity, &ends);
        assert!(all.len() > 5, "{entity}: {}", all.len());
    }
    let several = told(&mut from(&bank, "looking", 0));
    let places: Vec<String> = several.iter().map(|change| change.place.to_string()).collect();
    assert!(places.iter().any(|place| place.contains('+')), "{places:?}");
    // One key, whether it is a stream or not.
    for (entity, key) in [("plain", "1"), ("timed", "3"), ("looking", "1"), ("keyed", "1")] {
        let mut changes = bank.views.changes(entity, None, Some(key), After::Position(Position(0))).unwrap();
        let of_key: Vec<_> = told(&mut from(&bank, entity, 0))
            .into_iter()
            .filter(|change| name(&change.key) == key)
            .map(|change| (change.place.position, change.state, change.stopped, change.append_time))
            .collect();
        let alone: Vec<_> = told(&mut changes)
            .into_iter()
            .map(|change| (change.place.position, change.state, change.stopped, change.append_time))
            .collect();
        assert_eq!(alone, of_key, "{entity}/{key}");
        assert!(!alone.is_empty());
    }
}

#[test]
fn many_changes_come_some_at_a_time() {
    let bank = Bank::new();
    for statement in [TOPIC, RATES] {
        bank.run(statement);
    }
    bank.run("CREATE ENTITY e FROM t LOOKUP rates AS r ON r.k = 7 AS OF at STATE (s BIGINT) WHEN ANY THEN SET s = coalesce(r.rate, amount)");
    let events: Vec<String> = (0..3000).map(|key| event(key, 5, 1)).collect();
    for some in events.chunks(1500) {
        let some: Vec<&str> = some.iter().map(String::as_str).collect();
        bank.append_all("t", &some);
    }
    let end = bank.append("rates", r#"{"k": 7, "rate": 2, "since": "2023-12-01T00:00:00Z"}"#);
    let all = told(&mut from(&bank, "e", 0));
    assert_eq!(all.len(), 6000);
    let mut built = Rows::new();
    apply(&mut built, &all);
    assert_eq!(built, rows(&bank, "e", end));
    let place = all[4321].place;
    assert_eq!(place.to_string(), format!("1.0:{end}+1322"));
    let mut resumed = bank.views.changes("e", None, None, After::Place(place)).unwrap();
    assert_eq!(told(&mut resumed), all[4322..]);
}

#[test]
fn it_goes_on_when_more_is_appended() {
    let bank = Bank::new();
    bank.run(TOPIC);
    bank.run(&format!("CREATE ENTITY e FROM t {RULES}"));
    let mut changes = from(&bank, "e", 2);
    assert_eq!(told(&mut changes), []);
    for amount in [3, 1, 4] {
        let end = bank.append("t", &event(1, amount, 1));
        recount_env::block_on(changes.moved()).unwrap();
        let told = told(&mut changes);
        assert_eq!(told.len(), usize::from(amount != 1));
        assert_eq!(changes.place().position.0, end);
    }
    // A wider column: what is appended from now on is read with it.
    bank.run("ALTER TOPIC t ALTER COLUMN amount TYPE BIGINT");
    bank.append("t", &event(1, 5_000_000_000, 1));
    let after = told(&mut changes);
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].state.as_ref().map(|state| shown(&state[0])), Some("5000000007".to_owned()));
}

#[test]
fn it_ends_when_the_rows_become_others() {
    let bank = Bank::new();
    bank.run(TOPIC);
    bank.run(&format!("CREATE ENTITY e FROM t {RULES}"));
    let first = bank.append("t", &event(1, 5, 1));
    let bad = bank.append("t", &event(2, -5, 1));
    let (mut any, mut pinned) = (from(&bank, "e", 0), from(&bank, "e", 0));
    assert_eq!(told(&mut any).len(), 2);
    let place = any.place();
    bank.run(&format!("ALTER ENTITY e SKIP EVENT {bad}"));
    assert_eq!(any.tell().unwrap(), Told::Ended(Ended::Skipped));
    assert_eq!(pinned.tell().unwrap(), Told::Ended(Ended::Skipped), "nothing was told yet");
    let refused = |after: After, version| bank.views.changes("e", version, None, after).unwrap_err();
    assert_eq!(
        refused(After::Place(place), None).to_string(),
        format!(
            "the changes up to 1.0:{bad} are of another version of e, or of before an event was passed over: read its rows again, then follow them from the position of that answer (version 1 answers now)"
        )
    );
    any = from(&bank, "e", first);
    pinned = bank.views.changes("e", Some(1), None, After::Position(Position(first))).unwrap();
    told(&mut any);
    told(&mut pinned);
    bank.run(&format!("CREATE OR REPLACE ENTITY e FROM t {}", RULES.replace("'x'", "'y'")));
    while bank.views.entity("e", None).unwrap().version == 1 {
        std::thread::yield_now();
    }
    assert_eq!(any.tell().unwrap(), Told::Ended(Ended::Replaced(2)));
    bank.append("t", &event(1, 5, 1));
    assert_eq!(told(&mut pinned).len(), 1, "this version was asked for, and goes on");
    assert!(matches!(refused(After::Place(any.place()), None), ViewError::FoldedAnew { version: 2, .. }));
    bank.run("DROP ENTITY e VERSION 1");
    assert_eq!(pinned.tell().unwrap(), Told::Ended(Ended::Dropped));
    any = from(&bank, "e", 0);
    bank.run("DROP ENTITY e");
    assert_eq!(any.tell().unwrap(), Told::Ended(Ended::Dropped));
    let later = After::Position(Position(999));
    bank.run(&format!("CREATE ENTITY e FROM t {RULES}"));
    assert!(refused(later, None).to_string().starts_with("position 999 does not exist yet: the newest is "));
    assert_eq!(refused(later, Some(3)).to_string(), "entity e has no version 3: it has 1");
    let key = bank.views.changes("e", None, Some("x"), After::Position(Position(0))).unwrap_err();
    assert_eq!(key.to_string(), "\"x\" is not a key: it is of k BIGINT");
}

/// What is found and not taken yet is memory too.
#[test]
fn it_fails_when_there_is_no_memory_for_it() {
    let bank = Bank::with(Settings { entity_bytes: 3 << 20, ..Settings::default() });
    bank.run("CREATE TOPIC t (k BIGINT NOT NULL, text TEXT NOT NULL) KEY (k)");
    bank.run("CREATE ENTITY e FROM t STATE (s TEXT) WHEN ANY THEN SET s = text");
    for number in 0..300 {
        bank.append("t", &format!(r#"{{"k": 1, "text": "{number:020000}"}}"#));
    }
    assert_eq!(bank.views.rows("e", None, None, Moment::default()).unwrap().1.rows().count(), 1);
    let mut changes = from(&bank, "e", 0);
    assert!(matches!(changes.tell(), Err(ViewError::Memory { .. })));
    // Near the head there is little to be found.
    let mut changes = from(&bank, "e", bank.store.head().0 - 10);
    assert_eq!(told(&mut changes).len(), 10);
    assert_eq!(bank.views.rows("e", None, None, at(100)).unwrap().1.rows().count(), 1, "it was given back");
}
