//! Entities: what they answer, now and about the past.

use expect_test::expect;

use recount_views::{Moment, ViewError};

use crate::support::{Bank, at, valid};

const TRANSACTIONS: &str =
    "CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL,
    timestamp TIMESTAMPTZ NOT NULL) KEY (accountId) TIMESTAMP BY timestamp";
const ACCOUNT: &str =
    "CREATE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
    WHEN ANY THEN SET balance = balance + amount";
const RATES: &str =
    "CREATE TOPIC rates (product TEXT NOT NULL, rate DECIMAL(9,6) NOT NULL, since TIMESTAMPTZ NOT NULL)
    KEY (product) TIMESTAMP BY since";
const INTEREST: &str = "CREATE OR REPLACE ENTITY account FROM transactions
    LOOKUP rates AS r ON r.product = 'savings' AS OF timestamp
    STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, last TIMESTAMPTZ)
    WHEN ANY THEN SET last = timestamp, balance = balance + amount
      + round(balance * coalesce(r.rate, 0) * coalesce(days(last, timestamp), 0) / 365, 2)";

fn transaction(account: u32, amount: &str, time: &str) -> String {
    format!(r#"{{"accountId": {account}, "amount": {amount}, "timestamp": "{time}"}}"#)
}

fn bank() -> Bank {
    let bank = Bank::new();
    assert_eq!(bank.run(TRANSACTIONS), "CREATE TOPIC transactions");
    bank
}

#[test]
fn a_balance_now_and_as_of_both_axes() {
    let bank = bank();
    assert_eq!(bank.run(ACCOUNT), "CREATE ENTITY account");
    let first = bank.append("transactions", &transaction(1, "100", "2023-12-01T00:00:00Z"));
    bank.append("transactions", &transaction(2, "7.5", "2023-12-02T00:00:00Z"));
    let second = bank.append("transactions", &transaction(1, "-20.00", "2023-12-13T12:00:00Z"));
    // A late one: it happened before the second.
    bank.append("transactions", &transaction(1, "1", "2023-12-05T00:00:00Z"));
    assert_eq!(bank.row("account", "1"), "1 8100d");
    assert_eq!(bank.row("account", "2"), "2 750d");
    assert_eq!(bank.row("account", "3"), "0 rows: no event has this key");
    assert_eq!(bank.row_at("account", "1", at(first)), "1 10000d");
    assert_eq!(bank.row_at("account", "1", at(second)), "1 8000d");
    assert_eq!(
        bank.row_at("account", "2", at(first)),
        format!("0 rows: the first event was recorded at position {}", first + 1)
    );
    assert_eq!(bank.row_at("account", "1", valid("2023-12-12T00:00:00Z")), "1 10100d");
    assert_eq!(bank.row_at("account", "1", valid("2023-12-13T12:00:00Z")), "1 8100d");
    assert_eq!(
        bank.row_at("account", "1", valid("2023-11-30T00:00:00Z")),
        "0 rows: the first event happened at 2023-12-01T00:00:00Z"
    );
    let both = Moment { position: at(second).position, ..valid("2023-12-12T00:00:00Z") };
    assert_eq!(bank.row_at("account", "1", both), "1 10000d");
    assert_eq!(bank.rows_at("account", None, Default::default()), ["1 8100d", "2 750d"]);
    assert_eq!(bank.rows_at("account", None, at(first)), ["1 10000d"]);
    let bank = bank.reopen();
    assert_eq!(bank.rows_at("account", None, Default::default()), ["1 8100d", "2 750d"]);
    assert_eq!(bank.row("account", "x"), r#""x" is not a key: it is of accountid BIGINT"#);
    assert_eq!(bank.row("accounts", "1"), "there is no entity accounts");
}

#[test]
fn interest_is_the_same_whatever_comes_first() {
    let events = [
        ("transactions", transaction(1, "100", "2023-12-01T00:00:00Z")),
        ("transactions", transaction(1, "-20", "2023-12-13T12:00:00Z")),
        ("transactions", transaction(2, "1000", "2023-06-01T00:00:00Z")),
        ("transactions", transaction(2, "1000", "2024-06-01T00:00:00Z")),
        ("rates", r#"{"product": "savings", "rate": 0.04, "since": "2023-01-01T00:00:00Z"}"#.to_owned()),
        ("rates", r#"{"product": "savings", "rate": 0.05, "since": "2023-12-10T00:00:00Z"}"#.to_owned()),
        ("rates", r#"{"product": "current", "rate": 0.5, "since": "2023-12-11T00:00:00Z"}"#.to_owned()),
    ];
    // 100 × 0.05 × 12 / 365 = 0.164…; 1000 × 0.05 × 366 / 365 = 50.136…
    let expected = ["1 8016d 1702468800000000", "2 205014d 1717200000000000"];
    for order in [[0, 1, 2, 3, 4, 5, 6], [4, 5, 6, 0, 1, 2, 3], [0, 4, 2, 6, 1, 5, 3], [6, 5, 4, 0, 1, 2, 3]]
    {
        let bank = bank();
        bank.run(RATES);
        bank.run(INTEREST);
        for at in order {
            bank.append(events[at].0, &events[at].1);
            // Looked at after each append, so that there are as many epochs.
            let _ = bank.row("account", "1");
        }
        assert_eq!(bank.rows_at("account", None, Default::default()), expected, "{order:?}");
        assert_eq!(
            bank.reopen().rows_at("account", None, Default::default()),
            expected,
            "{order:?} after reopening"
        );
    }
}

#[test]
fn a_rate_is_corrected_and_what_was_believed_before_can_still_be_asked() {
    let bank = bank();
    bank.run(RATES);
    bank.run(INTEREST);
    bank.append("transactions", &transaction(1, "100", "2023-12-01T00:00:00Z"));
    bank.append("rates", r#"{"product": "savings", "rate": 0.05, "since": "2023-12-10T00:00:00Z"}"#);
    let believed = bank.append("transactions", &transaction(1, "-20", "2023-12-13T12:00:00Z"));
    assert_eq!(bank.row("account", "1"), "1 8016d 1702468800000000");
    bank.append("rates", r#"{"product": "savings", "rate": 0.10, "since": "2023-12-10T00:00:00Z"}"#);
    assert_eq!(bank.row("account", "1"), "1 8033d 1702468800000000");
    assert_eq!(bank.row_at("account", "1", at(believed)), "1 8016d 1702468800000000");
    assert_eq!(bank.row_at("account", "1", at(believed - 1)), "1 10000d 1701388800000000");
    expect![[r#"
        - -> 10000d 1701388800000000
        10000d 1701388800000000 -> 8033d 1702468800000000
    "#]]
    .assert_eq(&bank.steps("account", "1"));
    // As recorded, the balance of before the correction was there too.
    assert_eq!(
        bank.versions("account"),
        ["1 10000d 1701388800000000", "1 8016d 1702468800000000", "1 8033d 1702468800000000"]
    );
}

#[test]
fn order_by_event_time_folds_late_events_where_they_belong() {
    let bank = bank();
    bank.run(
        "CREATE ENTITY path FROM transactions ORDER BY EVENT TIME
           STATE (amounts TEXT NOT NULL DEFAULT '', at TIMESTAMPTZ) WHEN (amount < 0) THEN SET amounts = amounts || '-', at = timestamp
           ELSE SET amounts = amounts || '+', at = timestamp",
    );
    bank.append("transactions", &transaction(1, "1", "2023-01-01T00:00:00Z"));
    bank.append("transactions", &transaction(1, "2", "2023-01-03T00:00:00Z"));
    let before = bank.append("transactions", &transaction(1, "3", "2023-01-04T00:00:00Z"));
    assert_eq!(bank.row("path", "1"), "1 '+++' 1672790400000000");
    bank.append("transactions", &transaction(1, "-4", "2023-01-02T00:00:00Z"));
    assert_eq!(bank.row("path", "1"), "1 '+-++' 1672790400000000");
    // Of two with one time the one recorded first comes first.
    bank.append("transactions", &transaction(1, "-5", "2023-01-01T00:00:00Z"));
    assert_eq!(bank.row("path", "1"), "1 '+--++' 1672790400000000");
    assert_eq!(bank.row_at("path", "1", at(before)), "1 '+++' 1672790400000000");
    assert_eq!(bank.row_at("path", "1", valid("2023-01-02T00:00:00Z")), "1 '+--' 1672617600000000");
    assert_eq!(bank.reopen().row("path", "1"), "1 '+--++' 1672790400000000");
}

#[test]
fn typed_events_delete_ignore_and_stop() {
    let bank = Bank::new();
    bank.run(
        "CREATE TOPIC bank (account_id BIGINT NOT NULL) EVENT deposited (amount DECIMAL(18,2) NOT NULL)
           EVENT withdrawn (amount DECIMAL(18,2) NOT NULL) EVENT closed EVENT noted KEY (account_id)",
    );
    let declared = bank.run(
        "CREATE ENTITY acct FROM bank STATE (balance DECIMAL(5,2) NOT NULL DEFAULT 0)
           WHEN deposited THEN SET balance = balance + amount
           WHEN withdrawn AND (amount > balance) THEN ERROR 'insufficient funds'
           WHEN withdrawn THEN SET balance = balance - amount
           WHEN closed THEN DELETE
           WHEN noted THEN IGNORE",
    );
    assert_eq!(declared, "CREATE ENTITY acct");
    bank.append("bank", r#"deposited {"account_id": 1, "amount": 50}"#);
    bank.append("bank", r#"noted {"account_id": 1}"#);
    bank.append("bank", r#"deposited {"account_id": 2, "amount": 1}"#);
    let bad = bank.append("bank", r#"withdrawn {"account_id": 1, "amount": 60}"#);
    bank.append("bank", r#"withdrawn {"account_id": 1, "amount": 10}"#);
    let stopped = format!(
        "acct/1 stopped at position {bad}: insufficient funds. Look at it with recount why acct/1; then correct the rule with CREATE OR REPLACE ENTITY, or pass the event over: ALTER ENTITY acct SKIP EVENT {bad}"
    );
    assert_eq!(bank.row("acct", "1"), stopped);
    assert_eq!(bank.row("acct", "2"), "2 100d", "the others go on");
    expect![[r#"
        - -> 5000d
        5000d -> 5000d Ignored
        5000d -> 5000d stopped: insufficient funds
        5000d -> 5000d Waits
    "#]]
    .assert_eq(&bank.steps("acct", "1"));
    assert_eq!(bank.run("ALTER ENTITY acct SKIP EVENT 1"), "topic bank has no event at position 1");
    assert_eq!(bank.run("ALTER ENTITY acct SKIP EVENT 'x'"), "topic bank has no event with the id 'x'");
    assert_eq!(bank.run(&format!("ALTER ENTITY acct SKIP EVENT {bad}")), "ALTER ENTITY acct");
    assert_eq!(bank.row("acct", "1"), "1 4000d");
    let too_much = bank.append("bank", r#"deposited {"account_id": 2, "amount": 999}"#);
    assert!(bank.row("acct", "2").starts_with(&format!(
        "acct/2 stopped at position {too_much}: SET balance: 1000.00 is beyond the column's type: declare a wider one."
    )));
    bank.append("bank", r#"closed {"account_id": 1}"#);
    assert_eq!(bank.row("acct", "1"), "0 rows: its events made no row, or ended it");
    bank.append("bank", r#"deposited {"account_id": 1, "amount": 3}"#);
    assert_eq!(bank.row("acct", "1"), "1 300d", "a new state");
    let bank = bank.reopen();
    assert_eq!(bank.row("acct", "1"), "1 300d");
}

#[test]
fn a_new_version_is_built_beside_and_takes_over() {
    let bank = bank();
    bank.run(ACCOUNT);
    bank.append("transactions", &transaction(1, "100", "2023-12-01T00:00:00Z"));
    assert_eq!(bank.row("account", "1"), "1 10000d");
    assert_eq!(
        bank.run(&ACCOUNT.replace("ENTITY account", "ENTITY transactions")),
        "transactions is the name of a topic: topics, entities and views share their names, choose another one"
    );
    let replaced = bank.run(
        "CREATE OR REPLACE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, count INT NOT NULL DEFAULT 0)
           WHEN ANY THEN SET balance = balance + amount, count = count + 1",
    );
    assert_eq!(replaced, "CREATE ENTITY account");
    // The task beside makes it take over as soon as it has caught up.
    while !bank.views.entities().iter().any(|entity| entity.version == 2 && entity.current) {
        std::thread::yield_now();
    }
    assert_eq!(bank.row("account", "1"), "1 10000d 1");
    assert_eq!(bank.rows_at("account", Some(1), Default::default()), ["1 10000d"]);
    assert_eq!(bank.run("DROP ENTITY account VERSION 1"), "DROP ENTITY account");
    assert!(bank.views.entity("account", Some(1)).is_err());
    assert_eq!(bank.run("DROP ENTITY account"), "DROP ENTITY account");
    assert_eq!(bank.row("account", "1"), "there is no entity account");
}

/// The text of a key with a day, a TIMESTAMP or several columns was not the one that is read: a day was shown as a
/// number, texts in an array without their quotes. So no error's hint could be followed. Now it is the stream's text.
#[test]
fn a_key_is_shown_as_it_is_read_and_as_its_stream_is_named() {
    for (columns, payload, expected) in [
        ("a DATE NOT NULL", r#"{"a": "2023-12-13"}"#, "2023-12-13"),
        ("a TIMESTAMP NOT NULL", r#"{"a": "2023-12-13T01:02:03"}"#, "2023-12-13T01:02:03.000000"),
        ("a TIMESTAMPTZ NOT NULL", r#"{"a": "2023-12-13T01:02:03+01:00"}"#, "2023-12-13T00:02:03.000000Z"),
        ("a DECIMAL(9,2) NOT NULL", r#"{"a": -0.5}"#, "-0.50"),
        ("a TEXT NOT NULL", r#"{"a": "[x]"}"#, "[x]"),
        ("a TEXT NOT NULL, b INT NOT NULL", r#"{"a": "x,\"y", "b": 2}"#, r#"["x,\"y",2]"#),
        (
            "a BOOLEAN NOT NULL, b DATE NOT NULL",
            r#"{"a": true, "b": "2024-02-29"}"#,
            r#"[true,"2024-02-29"]"#,
        ),
    ] {
        let bank = Bank::new();
        let key = if columns.contains(',') && columns.contains(" b ") { "a, b" } else { "a" };
        bank.run(&format!("CREATE TOPIC t ({columns}) KEY ({key})"));
        bank.run("CREATE ENTITY e FROM t STATE (n INT NOT NULL DEFAULT 0) WHEN ANY THEN SET n = n + 1");
        bank.append("t", payload);
        let info = bank.views.entity("e", None).unwrap();
        let (_, frozen) = bank.views.rows("e", None, None, Default::default()).unwrap();
        let (row, _) = frozen.rows().next().unwrap();
        let shown = recount_views::key_text(&row.key.to_key(), &info.columns[..info.key_width]);
        assert_eq!(shown, expected);
        assert_eq!(bank.views.key("e", None, &shown), Ok(row.key.to_key()));
        let stream = recount_store::Scope::Stream(recount_types::StreamName {
            topic: "t".parse().unwrap(),
            key: shown.into(),
        });
        let read = recount_store::ReadRequest::all(stream);
        let found = recount_env::block_on(async { bank.store.read(read).await?.next().await });
        assert!(found.unwrap().is_some(), "{expected} is no stream");
    }
}

/// Asked about both axes, a key without a row said that its events had ended it, where its only event recorded by
/// then had not happened yet: the first event was looked for among those recorded later too.
#[test]
fn why_there_is_no_row_goes_by_what_was_recorded_then() {
    let bank = bank();
    bank.run(ACCOUNT);
    let first = bank.append("transactions", &transaction(1, "100", "2023-12-05T00:00:00Z"));
    bank.append("transactions", &transaction(1, "1", "2023-12-01T00:00:00Z"));
    let believed = Moment { position: at(first).position, ..valid("2023-12-02T00:00:00Z") };
    assert_eq!(
        bank.row_at("account", "1", believed),
        "0 rows: the first event happened at 2023-12-05T00:00:00Z"
    );
    assert_eq!(bank.row_at("account", "1", valid("2023-12-02T00:00:00Z")), "1 100d");
}

/// Where the second expression of KEY failed, the first one's value was left as a key of its own, and a row appeared
/// that nobody can ask for. An event without a key belongs to no row.
#[test]
fn an_event_whose_key_fails_half_way_makes_no_row() {
    let bank = Bank::new();
    bank.run("CREATE TOPIC t (a BIGINT NOT NULL, b BIGINT) KEY (a)");
    let declared = bank.run(
        "CREATE ENTITY e FROM t KEY (a, 10 / b) STATE (n INT NOT NULL DEFAULT 0) WHEN ANY THEN SET n = n + 1",
    );
    assert_eq!(declared, "CREATE ENTITY e");
    bank.append_all("t", &[r#"{"a": 1, "b": 0}"#, r#"{"a": 2, "b": 5}"#, r#"{"a": 3, "b": null}"#]);
    assert_eq!(bank.rows_at("e", None, Moment::default()), ["2 2 1"]);
    let (_, frozen) = bank.views.rows("e", None, None, Moment::default()).unwrap();
    assert_eq!(frozen.rows().count(), 1);
}

/// There are no keys of DOUBLE, so a look-up by one found nothing, ever, and nobody said so.
#[test]
fn a_lookup_by_a_double_is_refused() {
    let bank = bank();
    bank.run("CREATE TOPIC d (k DOUBLE NOT NULL, j BIGINT NOT NULL) KEY (j)");
    let refused = bank.run(
        "CREATE ENTITY e FROM transactions LOOKUP d AS r ON r.k = accountId AS OF timestamp
           STATE (n BIGINT) WHEN ANY THEN SET n = r.j",
    );
    assert!(refused.contains("ON cannot find rows by a DOUBLE, which is not exact"), "{refused}");
}

#[test]
fn a_position_within_an_append_is_the_one_before_it() {
    let bank = bank();
    bank.run(ACCOUNT);
    let time = "2023-12-01T00:00:00Z";
    let first = bank.append("transactions", &transaction(1, "100", time));
    let both = [transaction(1, "-30", time), transaction(2, "30", time)];
    let last = bank.append_all("transactions", &[&both[0], &both[1]]);
    assert_eq!(last, first + 2);
    assert_eq!(
        bank.rows_at("account", None, at(last - 1)),
        ["1 10000d"],
        "half of the transfer is never seen"
    );
    assert_eq!(bank.row_at("account", "1", at(last - 1)), "1 10000d");
    assert_eq!(bank.rows_at("account", None, at(last)), ["1 7000d", "2 3000d"]);
}

/// `AS OF` a stopped key, versions as recorded: the key stopped at an event before its last, after it was folded again,
/// and only the step of the last was looked at, which says nothing of a reason.
#[test]
fn versions_of_a_key_that_stopped_when_it_was_folded_again_say_so() {
    let bank = bank();
    bank.run(
        "CREATE ENTITY account FROM transactions ORDER BY EVENT TIME STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
           WHEN (balance + amount < 0) THEN ERROR 'overdrawn' WHEN ANY THEN SET balance = balance + amount",
    );
    for (amount, day) in [("5", 10), ("-4", 20), ("1", 25), ("-3", 15)] {
        bank.append("transactions", &transaction(1, amount, &format!("2023-12-{day}T00:00:00Z")));
    }
    let mut reasons = Vec::new();
    let mut visit = |step: recount_views::StepRow| reasons.extend(step.reason);
    bank.views.versions("account", None, None, Default::default(), &mut visit).unwrap();
    assert_eq!(reasons, ["overdrawn"]);
}

#[test]
fn a_state_that_doubles_stops_before_it_takes_all_memory() {
    let bank = bank();
    bank.run("CREATE ENTITY loud FROM transactions STATE (s TEXT NOT NULL DEFAULT 'a') WHEN ANY THEN SET s = s || s");
    for _ in 0..25 {
        bank.append("transactions", &transaction(1, "1", "2023-12-01T00:00:00Z"));
    }
    assert!(bank.row("loud", "1").contains("SET s: a text is longer than 1048576 bytes"));
}

/// Pages of an answer about the past were given back to the limit when the answer was made, and not when it was read:
/// any number of slow readers could hold any number of copies of all rows.
#[test]
fn an_answer_about_the_past_counts_for_as_long_as_it_is_held() {
    let mut bank = bank();
    bank.run(ACCOUNT);
    for account in 0..1000 {
        bank.append("transactions", &transaction(account, "1", "2023-12-01T00:00:00Z"));
    }
    let before = bank.append("transactions", &transaction(1, "1", "2023-12-02T00:00:00Z"));
    bank.append("transactions", &transaction(1, "1", "2023-12-03T00:00:00Z"));
    assert_eq!(bank.rows_at("account", None, Moment::default()).len(), 1000);
    bank.settings.entity_bytes = bank.views.status("account", None).unwrap().bytes * 5 / 2;
    let bank = bank.reopen();
    assert_eq!(bank.rows_at("account", None, Moment::default()).len(), 1000);
    let ask = || bank.views.rows("account", None, None, at(before)).map(|(_, rows)| rows);
    let held = ask().unwrap();
    assert!(matches!(ask(), Err(ViewError::Memory { .. })));
    assert_eq!(held.rows().count(), 1000);
    drop(held);
    assert_eq!(ask().unwrap().rows().count(), 1000);
    bank.close();
}

/// Rows that are looked up were all read before anybody asked whether there was room for them.
#[test]
fn memory_is_looked_at_while_rows_of_a_lookup_are_read() {
    let mut bank = bank();
    bank.run("CREATE TOPIC limits (k BIGINT NOT NULL, name TEXT NOT NULL) KEY (k)");
    let name = "x".repeat(100);
    let limits: Vec<String> = (0..9_000).map(|k| format!(r#"{{"k": {k}, "name": "{name}"}}"#)).collect();
    bank.append_all("limits", &limits.iter().map(String::as_str).collect::<Vec<_>>());
    bank.append("transactions", &transaction(1, "1", "2023-12-01T00:00:00Z"));
    bank.settings.entity_bytes = 1 << 19;
    let bank = bank.reopen();
    bank.run(
        "CREATE ENTITY e FROM transactions LOOKUP limits AS l ON l.k = accountId AS OF timestamp
           STATE (name TEXT) WHEN ANY THEN SET name = l.name",
    );
    let asked = bank.views.rows("e", None, None, Moment::default()).map(drop);
    let Err(ViewError::Memory { bytes, .. }) = asked else { panic!("{asked:?}") };
    // About 220 bytes a row: the first look, at 4,096 of them, finds that they are too many.
    assert!(bytes < 1 << 20, "{bytes}");
    bank.close();
}
