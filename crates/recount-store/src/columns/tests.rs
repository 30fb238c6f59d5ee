//! Columns out of payloads.

use expect_test::{Expect, expect};

use super::*;
use crate::ddl::{Statement, parse};

const BANK: &str = "CREATE TOPIC bank (account BIGINT NOT NULL, note TEXT)
    EVENT deposited (amount DECIMAL(18,2) NOT NULL) EVENT moved AS 'v1.moved' (amount DECIMAL(18,2), at TIMESTAMPTZ)
    EVENT closed";

fn topic(sql: &str) -> TopicDefinition {
    match parse(sql) {
        Ok(Statement::CreateTopic(definition)) => definition,
        other => panic!("{other:?}"),
    }
}

fn check(sql: &str, names: &[&str], events: &[(Option<&str>, &str)], expected: Expect) {
    let mut decoder = ColumnDecoder::new(&topic(sql), names);
    let mut columns = decoder.empty();
    let mut shown = String::new();
    for (event_type, payload) in events {
        match decoder.decode(*event_type, payload.as_bytes(), &mut columns) {
            Ok(()) => {
                let last = columns.first().map_or(0, |column| column.len() - 1);
                let row: Vec<_> = columns.iter().map(|column| column.get(last)).collect();
                shown.push_str(&format!("{row:?}\n"));
            }
            Err(error) => shown.push_str(&format!("{error}\n")),
        }
        assert!(columns.iter().all(|column| column.len() == columns[0].len()), "all or none have the row");
    }
    expected.assert_eq(&shown);
}

#[test]
fn columns_of_a_topic_and_of_its_events() {
    let shown: Vec<_> = columns_of(&topic(BANK)).iter().map(|(a, b, c)| format!("{a} {b} {c}")).collect();
    assert_eq!(
        shown,
        ["account BIGINT false", "note TEXT true", "amount DECIMAL(18,2) true", "at TIMESTAMPTZ true"]
    );
    assert_eq!(
        columns_of(&topic("CREATE TOPIC t")),
        [("data".to_owned(), ColumnType::Json, true)],
        "an opaque topic has its payload"
    );
}

#[test]
fn events_have_values_in_their_own_columns_only() {
    check(
        BANK,
        &["amount", "account", "at"],
        &[
            (Some("deposited"), r#"{"account": 1, "amount": "2.50", "at": 7}"#),
            (Some("v1.moved"), r#"{"account": 1, "amount": null, "at": "1970-01-01T00:00:01Z"}"#),
            (Some("closed"), r#"{"account": 2, "amount": 9}"#),
            (None, r#"{"account": 3, "amount": 9}"#),
        ],
        expect![[r#"
            [Decimal(250), Integer(1), Null]
            [Null, Integer(1), Integer(1000000)]
            [Null, Integer(2), Null]
            [Null, Integer(3), Null]
        "#]],
    );
}

#[test]
fn a_payload_that_does_not_fit_adds_nothing() {
    check(
        BANK,
        &["account", "amount"],
        &[
            (Some("deposited"), r#"{"account": 1, "amount": 2.505}"#),
            (Some("deposited"), r#"{"account": 1}"#),
            (Some("deposited"), "[]"),
            (Some("deposited"), "{"),
            (Some("deposited"), r#"{"account": 4, "amount": 1}"#),
        ],
        expect![[r#"
            amount "2.505" has 3 decimals, the column allows 2
            amount is missing or null, and the column is NOT NULL
            the payload is not an object: the topic's columns are its fields
            the payload is not JSON: at byte 2, found the end, expected a key in double quotes
            [Integer(4), Decimal(100)]
        "#]],
    );
}

#[test]
fn the_payload_of_an_opaque_topic_is_its_column() {
    check(
        "CREATE TOPIC t",
        &["data", "other"],
        &[(None, r#"[1, 2.50]"#), (None, "\u{1}")],
        expect![[r#"
            [Text("[1, 2.50]"), Null]
            [Null, Null]
        "#]],
    );
}

/// Columns begin with room for as much as those had that were filled before.
#[test]
fn columns_have_room_for_as_much_as_before() {
    let mut decoder = ColumnDecoder::new(&topic("CREATE TOPIC t (a INT, b TEXT)"), &["a", "b"]);
    let room = |decoder: &ColumnDecoder| match decoder.empty().as_slice() {
        [Column { values: Values::Integer(a), .. }, Column { values: Values::Text(b), .. }] => {
            (a.capacity(), b.bytes.capacity(), b.ends.capacity())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(room(&decoder), (0, 0, 0));
    let mut columns = decoder.empty();
    for _ in 0..100 {
        decoder.decode(None, br#"{"a":1,"b":"0123456789abcdef"}"#, &mut columns).unwrap();
    }
    decoder.filled(&columns);
    assert_eq!(room(&decoder), (100, 1800, 100));
}
