//! Tables.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use recount_types::column::Value;

use super::*;
use crate::fold::Domain;
use crate::key::Key;
use crate::key::long::LongKeys;

fn key(number: i64) -> Vec<u8> {
    Key::of([Value::Integer(number)]).unwrap().as_bytes().to_vec()
}

fn table(domains: &[Domain]) -> Table {
    let column = |domain: &Domain| StateColumn {
        name: "c".to_owned(),
        domain: *domain,
        nullable: true,
        default: Value::Null,
    };
    Table::new(&domains.iter().map(column).collect::<Vec<_>>(), 7)
}

/// The row of a key that is new, with this state.
fn add(table: &mut Table, key: &[u8], state: &[Value<'static>]) -> Slot {
    assert_eq!(table.find(key), None);
    let slot = table.find_or_add(key).unwrap();
    state.iter().enumerate().for_each(|(column, value)| table.edit(slot).set(column, value.clone()));
    slot
}

const INTEGER: Domain = Domain::Integer(i64::MIN, i64::MAX);

#[test]
fn rows_are_found_by_key_and_stay_in_their_place() {
    let mut table = table(&[INTEGER, Domain::Text]);
    assert!(table.is_empty() && table.find(&key(0)).is_none());
    // Short keys and long ones, some of which differ in their last byte only.
    let key = |number: i64| if number % 3 == 0 { [&[5; 40], &*key(number)].concat() } else { key(number) };
    for number in 0..1000 {
        let slot = add(&mut table, &key(number), &[Value::Integer(number * 10)]);
        assert_eq!(table.find_or_add(&key(number)), Ok(slot), "found, not added");
    }
    assert_eq!((table.len(), table.is_empty()), (1000, false));
    for number in 0..1000 {
        let slot = table.find(&key(number)).unwrap();
        assert_eq!(table.state(slot), [Value::Integer(number * 10), Value::Null]);
        assert_eq!(table.row(slot).key.as_bytes(), key(number));
    }
    assert_eq!(table.find(&key(1000)), None);
    assert_eq!(table.find(&key(1002)), None);
    assert_eq!(table.slots().count(), 1000);
}

/// Keys that are looked for together: known, new, twice among the same, empty; while the index grows.
#[test]
fn many_keys_are_found_as_one_by_one() {
    let (mut together, mut single) = (table(&[INTEGER]), table(&[INTEGER]));
    for first in (0..3000).step_by(100) {
        let numbers = (first..first + 128).map(|number| number / 2 * 7 % 1500);
        let keys: Vec<Vec<u8>> =
            numbers.map(|number| if number == 11 { Vec::new() } else { key(number) }).collect();
        let mut of_events = Keys::default();
        keys.iter().for_each(|key| of_events.push(key));
        let mut search = together.search(&of_events);
        let slots = (0..keys.len()).map(|number| together.next_of(&mut search, &of_events, number));
        let slots = slots.collect::<Result<Vec<_>, _>>().unwrap();
        let expected: Vec<_> =
            keys.iter().map(|key| (!key.is_empty()).then(|| single.find_or_add(key).unwrap())).collect();
        assert_eq!(slots, expected);
    }
    assert_eq!(together.len(), 1499);
}

/// A row is its key's, whatever the hashes say: two accounts never become one.
#[test]
fn keys_whose_hashes_are_alike_are_told_apart() {
    let long = |last| [&[5; 39][..], &[last]].concat();
    for (one, other) in
        [(key(1), key(257)), (key(1), key(2)), (long(1), long(2)), (key(1), long(1)), (long(1), key(1))]
    {
        let mut table = table(&[INTEGER]);
        let slot = add(&mut table, &one, &[Value::Integer(1)]);
        let hash = table.sought(&other).hash;
        table.index.insert(hash, slot.0);
        assert_eq!((table.find(&one), table.find(&other)), (Some(slot), None));
        let next = table.find_or_add(&other).unwrap();
        assert_ne!(next, slot);
        assert_eq!((table.find(&one), table.find(&other)), (Some(slot), Some(next)));
    }
}

/// Values of every domain, at the ends of their range, null, and again; more columns than the first word of nulls has.
#[test]
fn states_come_back_as_they_were_set() {
    let domains = [
        Domain::Boolean,
        INTEGER,
        Domain::Decimal(18, 2),
        Domain::Decimal(38, 2),
        Domain::Double,
        Domain::Text,
    ];
    let ten = |digits| 10i128.pow(digits);
    let values: [[Value<'static>; 3]; 6] = [
        [Value::Boolean(true), Value::Null, Value::Boolean(false)],
        [Value::Integer(i64::MIN), Value::Null, Value::Integer(i64::MAX)],
        [Value::Decimal(1 - ten(18)), Value::Null, Value::Decimal(ten(18) - 1)],
        [Value::Decimal(1 - ten(38)), Value::Null, Value::Decimal(ten(38) - 1)],
        [Value::Double(-0.5), Value::Null, Value::Double(f64::INFINITY)],
        [Value::Text("ä".into()), Value::Null, Value::Text("".into())],
    ];
    for columns in [1, 6, 16, 17, 100] {
        let of = |column: usize| column % domains.len();
        let mut table = table(&(0..columns).map(|column| domains[of(column)]).collect::<Vec<_>>());
        let state: Vec<_> = (0..columns).map(|column| values[of(column)][column / 6 % 3].clone()).collect();
        let slots = [1, 2].map(|number| add(&mut table, &key(number), &state));
        assert_eq!(table.state(slots[1]).to_vec(), state);
        for column in 0..columns {
            for value in &values[of(column)] {
                table.edit(slots[0]).set(column, value.clone());
                let mut expected = table.state(slots[0]).to_vec();
                expected[column] = value.clone();
                assert_eq!(table.state(slots[0]).to_vec(), expected, "column {column} of {columns}");
                assert_eq!(table.state(slots[0]).get(column), *value);
            }
        }
        assert_eq!(table.state(slots[1]).to_vec(), state, "the other row is as it was");
        let row = table.row(slots[0]);
        assert_eq!((row.present, row.late, row.events, row.position), (false, false, 0, 0));
    }
}

/// A decimal of two words that is set as one of 64 bits keeps its sign, and nothing of what was there before.
#[test]
fn numbers_of_64_bits_fit_into_wide_columns() {
    let mut table = table(&[Domain::Decimal(38, 2)]);
    let slot = add(&mut table, &key(1), &[Value::Decimal(10i128.pow(37))]);
    for number in [-1, i64::MIN, 7, i64::MAX, 0] {
        let cell = table.layout.cells[0];
        table.edit(slot).set_number(cell, Some(number));
        assert_eq!(table.state(slot), [Value::Decimal(number.into())]);
    }
}

#[test]
fn what_was_frozen_does_not_change() {
    let mut table = table(&[INTEGER, Domain::Text]);
    // The second page begins.
    let page_rows = table.layout.page_rows();
    let rows = page_rows as i64 + 44;
    for number in 0..rows {
        let state = [Value::Integer(number), Value::Text("as it was".into())];
        let slot = add(&mut table, &key(number), &state);
        table.edit(slot).count_event(1);
    }
    let frozen = table.freeze();
    let slot = table.find(&key(rows - 1)).unwrap();
    let mut row = table.edit(slot);
    row.set(0, Value::Integer(-1));
    row.set(1, Value::Null);
    row.set_present(true);
    row.stop(Stopped { position: 1, reason: "why".to_owned() });
    // One that has no events yet, and one that turns out to have none.
    add(&mut table, &key(rows), &[Value::Null, Value::Null]);
    let slot = table.find(&key(0)).unwrap();
    table.edit(slot).begin();
    let before: Vec<_> = frozen.rows().collect();
    assert_eq!(before.len() as i64, rows);
    assert!(before.iter().all(|(row, _)| !row.present && row.stopped.is_none()));
    let (_, last) = before.last().unwrap();
    assert_eq!(*last, [Value::Integer(rows - 1), Value::Text("as it was".into())]);
    let after = table.freeze();
    assert_eq!(after.rows().count() as i64, rows - 1);
    assert!(after.at(slot).is_none() && frozen.at(slot).is_some(), "it has no events any more");
    let (row, state) = after.rows().last().unwrap();
    assert_eq!(state, [Value::Integer(-1), Value::Null]);
    assert_eq!(row.stopped.unwrap().reason, "why");
    let pages: Vec<_> = (0..3).map(|number| frozen.page(number).map(|rows| rows.count())).collect();
    assert_eq!(pages, [Some(page_rows), Some(44), None]);
}

/// A key that is looked for later is where it was when the rows were frozen, or was not there yet.
#[test]
fn keys_are_located_in_what_was_frozen_before() {
    let mut rows = table(&[INTEGER]);
    let slot = add(&mut rows, &key(1), &[Value::Integer(1)]);
    rows.edit(slot).count_event(1);
    let frozen = rows.freeze();
    rows.edit(slot).set(0, Value::Integer(2));
    let later = add(&mut rows, &key(2), &[Value::Integer(2)]);
    rows.edit(later).count_event(1);
    let states = |number| {
        let slot = frozen.slot(&rows.locate(&key(number))).unwrap();
        slot.and_then(|slot| frozen.at(slot)).map(|(_, state)| state.to_vec())
    };
    assert_eq!([1, 2, 3].map(states), [Some(vec![Value::Integer(1)]), None, None]);
    assert_eq!(frozen.slot(&rows.locate(&key(3))), Some(None));
    let mut other = table(&[INTEGER]);
    add(&mut other, &key(3), &[Value::Integer(3)]);
    assert_eq!(frozen.slot(&other.locate(&key(3))), None, "of another table nothing is known");
}

/// The same where the page had no place for the row that came next.
#[test]
fn a_key_behind_a_full_page_was_not_there_yet() {
    let mut rows = table(&[INTEGER]);
    for number in 0..40 {
        let frozen = rows.freeze();
        let next = add(&mut rows, &key(number), &[Value::Integer(number)]);
        rows.edit(next).count_event(1);
        assert!(frozen.at(next).is_none(), "{number}");
    }
}

/// The first page begins small and grows, with what its rows have beside their words; the others are whole.
#[test]
fn pages_take_the_memory_that_their_rows_need() {
    for domains in [&[INTEGER][..], &[Domain::Text], &[Domain::Decimal(38, 0); 100], &[Domain::Text; 40_000]]
    {
        let mut table = table(domains);
        let page_rows = table.layout.page_rows();
        let row = table.layout.words * 8 + table.layout.texts * size_of::<Option<Box<str>>>();
        assert!(page_rows == 1 || page_rows * row <= 256 * 1024, "{page_rows} rows of {row} bytes");
        let mut place = 16.min(page_rows);
        for rows in 1..=2 * page_rows + 1 {
            let slot = table.find_or_add(&key(rows as i64)).unwrap();
            assert_eq!(table.find(&key(rows as i64)), Some(slot));
            let whole = rows.next_multiple_of(page_rows);
            place = if rows > page_rows { whole } else { place.max(rows.next_power_of_two()) };
            // Seven words let the first row of a page begin where a line of the cache does.
            let pages = rows.div_ceil(page_rows) * (size_of::<Held>() + 7 * 8);
            assert_eq!(table.bytes(), place * row + pages + table.index.bytes(), "{rows} rows");
        }
        for rows in 1..=2 * page_rows + 1 {
            assert_eq!(table.row(table.find(&key(rows as i64)).unwrap()).key.as_bytes(), key(rows as i64));
        }
    }
}

/// What is recorded for a time at which something was looked up already makes its key late; what is of later times does not.
#[test]
fn a_key_is_late_for_what_it_has_looked_up() {
    let mut table = table(&[INTEGER]);
    let slot = add(&mut table, &key(1), &[Value::Integer(1)]);
    assert!(!table.mark_late(slot, 10), "nothing was looked up");
    table.edit(slot).looked_up(10);
    assert!(!table.mark_late(slot, 11) && !table.row(slot).late);
    assert!(table.mark_late(slot, 10) && table.row(slot).late);
}

/// A page is copied only while somebody reads it.
#[test]
fn pages_that_nobody_reads_any_more_are_written_where_they_are() {
    let mut table = table(&[INTEGER]);
    let slot = add(&mut table, &key(1), &[Value::Integer(1)]);
    table.edit(slot).count_event(1);
    let place = |table: &Table| table.page(slot).row(&table.layout, 0).as_ptr();
    let before = place(&table);
    drop(table.freeze());
    table.edit(slot).set(0, Value::Integer(2));
    assert_eq!(place(&table), before);
    let frozen = table.freeze();
    table.edit(slot).set(0, Value::Integer(3));
    assert_ne!(place(&table), before);
    assert_eq!(frozen.rows().next().unwrap().1, [Value::Integer(2)]);
    // Rows begin where lines of the cache do, in copies too.
    assert_eq!((before.align_offset(64), place(&table).align_offset(64)), (0, 0));
}

#[test]
fn memory_is_counted_and_given_back() {
    let mut table = table(&[Domain::Text]);
    let slot = add(&mut table, &[5; 100], &[Value::Text("1234".into())]);
    let before = table.bytes();
    table.edit(slot).set(0, Value::Text("x".repeat(1000).into()));
    assert_eq!(table.bytes(), before + 996);
    table.edit(slot).set(0, Value::Null);
    assert_eq!(table.bytes(), before - 4);
    let rows = 16 * (64 + 16);
    assert!(before > rows + 104, "{before} with {rows} of a page, 100 of a key, 4 of a text");
    table.edit(slot).stop(Stopped { position: 1, reason: "x".repeat(500) });
    assert!(table.bytes() > before + 500);
    table.edit(slot).begin();
    assert_eq!(table.bytes(), before - 4);
    assert_eq!(table.row(slot).stopped, None);
}

/// A row that was kept elsewhere is again what it was, in the place of whatever is there.
#[test]
fn rows_are_restored_as_they_were() {
    let mut table = table(&[INTEGER, Domain::Decimal(38, 2), Domain::Text]);
    let stopped = |reason: &str| Some(Stopped { position: 8, reason: reason.to_owned() });
    let row = |number: u64| SavedRow {
        present: number.is_multiple_of(2),
        stopped: stopped("why").filter(|_| number.is_multiple_of(3)),
        position: number * 10,
        event_time: number as i64 - 3,
        lookup_time: 4 - number as i64,
        events: number,
        state: vec![
            Value::Integer(number as i64),
            Value::Decimal(10i128.pow(37) + i128::from(number)),
            Value::Text("x".repeat(number as usize).into()),
        ],
    };
    for number in 1..8 {
        let slot = table.restore(&key(number), row(number as u64)).unwrap();
        assert_eq!(table.find(&key(number)), Some(slot));
    }
    let check = |table: &Table, number: u64, expected: &SavedRow| {
        let slot = table.find(&key(number as i64)).unwrap();
        let row = table.row(slot);
        let now = SavedRow {
            present: row.present,
            stopped: row.stopped.cloned(),
            position: row.position,
            event_time: row.event_time,
            lookup_time: row.lookup_time,
            events: row.events,
            state: table.state(slot).to_vec(),
        };
        assert_eq!(now, *expected);
        let latest = (number as i64 - 3).max(4 - number as i64);
        assert_eq!((row.latest_time(), now.latest_time(), row.late), (latest, latest, false));
    };
    (1..8).for_each(|number| check(&table, number, &row(number)));
    let before = table.bytes();
    table.restore(&key(1), SavedRow { stopped: stopped("another reason"), ..row(1) }).unwrap();
    assert!(table.bytes() > before);
    table.restore(&key(1), row(1)).unwrap();
    assert_eq!(table.bytes(), before, "what it had is given back");
    check(&table, 1, &row(1));
    // More events than are counted: there are no so many positions.
    let slot = table.restore(&key(2), SavedRow { events: u64::MAX, ..row(2) }).unwrap();
    table.edit(slot).count_event(0);
    assert_eq!(table.row(slot).events, (1 << 40) - 1);
    assert_eq!(table.state(slot).to_vec(), row(2).state);
}

/// A state is equal to one of the same values, and to no other.
#[test]
fn states_are_compared_by_their_values() {
    let mut table = table(&[INTEGER, Domain::Text]);
    let state = [Value::Integer(1), Value::Text("a".into())];
    let slots = [state.clone(), state.clone(), [Value::Integer(1), Value::Null]];
    let slots: Vec<Slot> =
        (1..).zip(&slots).map(|(number, state)| add(&mut table, &key(number), state)).collect();
    let states: Vec<State<'_>> = slots.iter().map(|slot| table.state(*slot)).collect();
    assert!(states[0] == states[1] && states[0] != states[2]);
    assert!(states[0] == state && states[2] != state);
}

/// The memory of a reason, in all of its parts; it is taken back from the row that has it.
#[test]
fn a_row_that_stops_and_goes_on_takes_memory_and_gives_it_back() {
    let mut table = table(&[INTEGER]);
    let slots = [1, 2].map(|number| add(&mut table, &key(number), &[Value::Null]));
    let before = table.bytes();
    let stopped = |reason: &str| Stopped { position: 1, reason: reason.to_owned() };
    let of_one = size_of::<usize>() * 4 + size_of::<Stopped>();
    table.edit(slots[0]).stop(stopped("12345"));
    assert_eq!(table.bytes(), before + of_one + 5);
    table.edit(slots[1]).stop(stopped("123"));
    assert_eq!(table.bytes(), before + 2 * of_one + 8);
    table.edit(slots[0]).begin();
    assert_eq!(table.bytes(), before + of_one + 3);
    assert_eq!(table.row(slots[0]).stopped, None);
    assert_eq!(table.row(slots[1]).stopped.map(|stopped| stopped.reason.as_str()), Some("123"));
    // It goes on and stops again at another place.
    table.edit(slots[1]).stop(stopped("1"));
    assert_eq!(table.bytes(), before + of_one + 1);
    assert!(table.edit(slots[1]).is_stopped() && !table.edit(slots[0]).is_stopped());
}

/// Long keys are counted with their place.
#[test]
fn long_keys_take_memory() {
    let mut table = table(&[INTEGER]);
    add(&mut table, &[5; 100], &[Value::Null]);
    let before = table.bytes();
    add(&mut table, &[5; 50], &[Value::Null]);
    assert_eq!(table.bytes(), before + LongKeys::bytes_of(&[5; 50]));
    assert!(LongKeys::bytes_of(&[5; 50]) >= 50);
}

/// The texts that a row has before its first event take memory, as others do.
#[test]
fn texts_of_a_row_that_begins_anew_are_counted() {
    let column = StateColumn {
        name: "c".to_owned(),
        domain: Domain::Text,
        nullable: false,
        default: Value::Text("none yet".into()),
    };
    let mut table = Table::new(&[column], 7);
    let slot = table.find_or_add(&key(1)).unwrap();
    table.edit(slot).begin();
    let before = table.bytes();
    table.edit(slot).set(0, Value::Text("much longer than before".into()));
    assert_eq!(table.bytes(), before + 15);
    table.edit(slot).begin();
    assert_eq!(table.bytes(), before);
    assert_eq!(table.state(slot), [Value::Text("none yet".into())]);
}
