//! Snapshots: what is folded again after a restart and for a question about the past, and what becomes of an answer when
//! a snapshot is damaged, gone, or of another history.

use std::path::Path;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use recount_env::block_on;
use recount_env::failing::failing;
use recount_types::Position;
use recount_views::{Moment, Settings, ViewError};

use crate::support::{Bank, at, valid};

const TRANSACTIONS: &str =
    "CREATE TOPIC transactions (account BIGINT NOT NULL, amount BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL)
    KEY (account) TIMESTAMP BY at";
const ACCOUNT: &str = "CREATE ENTITY account FROM transactions
    STATE (balance BIGINT NOT NULL DEFAULT 0, count BIGINT NOT NULL DEFAULT 0)
    WHEN (amount = 0) THEN ERROR 'nothing moves'
    WHEN ANY THEN SET balance = balance + amount, count = count + 1";

fn settings() -> Settings {
    Settings { snapshot_events: 10, ..Settings::default() }
}

/// The first of January 2024 and so many days.
fn day(number: u32) -> String {
    let time = recount_types::Time(1_704_067_200_000_000 + i64::from(number) * 86_400_000_000);
    recount_store::time::format_rfc3339(time)
}

/// A bank whose accounts 1 and 2 get 1 each, in turn, one a day.
fn bank(events: u32) -> (Bank, Vec<u64>) {
    let bank = Bank::with(settings());
    bank.run(TRANSACTIONS);
    bank.run(ACCOUNT);
    let positions = (0..events).map(|number| pay(&bank, number % 2 + 1, 1, number)).collect();
    (bank, positions)
}

fn pay(bank: &Bank, account: u32, amount: i64, number: u32) -> u64 {
    let event = format!(r#"{{"account": {account}, "amount": {amount}, "at": "{}"}}"#, day(number));
    bank.append("transactions", &event)
}

/// Closes and opens, once all of it is folded.
fn reopened(bank: Bank) -> Bank {
    bank.rows_at("account", None, Moment::default());
    bank.reopen()
}

/// Waits until the task beside has nothing to do.
fn caught_up(bank: &Bank) {
    while bank.views.progress("account", 1).unwrap() != bank.store.head().0 {
        std::thread::yield_now();
    }
}

fn begins_at(bank: &Bank, key: Option<&str>, moment: Moment) -> u64 {
    let key = key.map(|key| bank.views.key("account", None, key).unwrap());
    let origin = bank.views.origin("account", None, key.as_ref(), moment);
    origin.unwrap().snapshot.map_or(0, |position| position.0)
}

fn names(bank: &Bank) -> Vec<String> {
    let names = bank.files("db/snapshots").into_keys();
    names.map(|path| path.trim_start_matches("db/snapshots/").to_owned()).collect()
}

fn manifests(bank: &Bank) -> Vec<u64> {
    let names = names(bank).into_iter().filter(|name| name.ends_with(".manifest"));
    names.map(|name| name[22..42].parse().unwrap()).collect()
}

#[test]
fn rows_are_kept_every_so_many_events_and_when_the_database_is_closed() {
    let (bank, positions) = bank(35);
    assert_eq!(bank.row("account", "1"), "1 18 18");
    let bank = reopened(bank);
    // Marks are ten positions apart: the first one at or behind each ten events. The last was taken on closing.
    let (first, last) = (positions[0], positions[34]);
    assert_eq!(first, 3, "two positions are of the definitions");
    assert_eq!(manifests(&bank), [20, 30, last]);
    assert_eq!(begins_at(&bank, None, Moment::default()), last);
    assert_eq!(bank.rows_at("account", None, Moment::default()), ["1 18 18", "2 17 17"]);
    // The next one takes the place of the one from closing.
    for number in 35..48 {
        pay(&bank, 1, 1, number);
    }
    assert_eq!(bank.row("account", "1"), "1 31 31");
    let bank = reopened(bank);
    assert_eq!(manifests(&bank), [20, 30, 40, 50]);
    bank.close();
}

#[test]
fn a_question_about_the_past_begins_at_the_nearest_snapshot_that_knows_no_more() {
    let (bank, positions) = bank(60);
    assert_eq!(bank.row("account", "1"), "1 30 30");
    let bank = reopened(bank);
    assert_eq!(manifests(&bank), [20, 30, 40, 50, 60, 62]);
    for (asked, begins) in [(1, 0), (19, 0), (20, 20), (39, 30), (62, 62)] {
        assert_eq!(begins_at(&bank, None, at(asked)), begins, "at {asked}");
        let counted = positions.iter().filter(|&&position| position <= asked).count() as u32;
        let rows = (1..=2).map(|account| (counted + 2 - account) / 2).enumerate();
        let rows: Vec<_> = rows
            .filter(|(_, count)| *count > 0)
            .map(|(at, count)| format!("{} {count} {count}", at + 1))
            .collect();
        assert_eq!(bank.rows_at("account", None, at(asked)), rows, "at {asked}");
    }
    // Few rows may know of later times; those are folded again. For one key, its own row must not.
    assert_eq!(begins_at(&bank, None, valid(&day(30))), 62);
    assert_eq!(bank.rows_at("account", None, valid(&day(30))), ["1 16 16", "2 15 15"]);
    assert_eq!(begins_at(&bank, Some("1"), valid(&day(30))), 30, "the event of day 30 is at position 33");
    assert_eq!(bank.row_at("account", "1", valid(&day(30))), "1 16 16");
    let both = Moment { position: Some(Position(20)), ..valid(&day(30)) };
    assert_eq!(begins_at(&bank, Some("1"), both), 20);
    assert_eq!(bank.row_at("account", "1", both), "1 9 9");
    bank.close();
}

/// More keys than may be folded again one by one.
#[test]
fn one_event_of_the_future_does_not_keep_snapshots_from_questions_about_valid_time() {
    let bank = Bank::with(settings());
    bank.run(TRANSACTIONS);
    bank.run(ACCOUNT);
    for account in (0..100).cycle().take(2000) {
        pay(&bank, account, 1, 0);
    }
    pay(&bank, 5, 10, 2_900_000);
    for account in 100..400 {
        pay(&bank, account, 1, 1);
    }
    pay(&bank, 7, 1, 2);
    let bank = reopened(bank);
    let all = manifests(&bank);
    let newest = *all.last().unwrap();
    assert_eq!(begins_at(&bank, None, valid(&day(1))), newest);
    let rows = bank.rows_at("account", None, valid(&day(1)));
    assert_eq!((rows.len(), rows[5].as_str(), rows[7].as_str()), (400, "5 20 20", "7 20 20"));
    // Three hundred accounts had no events on day 0: a snapshot that knows them is of no use.
    assert_eq!(begins_at(&bank, None, valid(&day(0))), all[all.len() - 2]);
    assert_eq!(bank.rows_at("account", None, valid(&day(0))).len(), 100);
    bank.close();
}

/// A key that stopped in a snapshot is known to have stopped, before any row was taken out of it.
#[test]
fn stopped_keys_are_kept_and_go_on_when_an_event_is_passed_over() {
    let (bank, _) = bank(9);
    let wrong = pay(&bank, 2, 0, 9);
    for number in 10..30 {
        pay(&bank, number % 2 + 1, 1, number);
    }
    let stopped =
        |bank: &Bank| bank.views.stopped().unwrap().into_iter().map(|key| key.key).collect::<Vec<_>>();
    assert!(bank.row("account", "2").contains("nothing moves"));
    let bank = reopened(bank);
    caught_up(&bank);
    assert!(bank.row("account", "2").contains("nothing moves"));
    let status = bank.views.status("account", None).unwrap();
    assert_eq!((status.keys, status.stopped), (2, 1));
    assert_eq!(stopped(&bank), ["2"]);
    bank.run(&format!("ALTER ENTITY account SKIP EVENT {wrong}"));
    assert_eq!(bank.row("account", "2"), "2 14 14");
    assert_eq!(stopped(&bank), Vec::<String>::new());
    // Snapshots from before it was passed over serve still.
    let bank = reopened(bank);
    assert_eq!(begins_at(&bank, None, at(20)), 20);
    assert_eq!(bank.rows_at("account", None, at(20))[1], "2 8 8");
    bank.close();
}

/// A bank of 500 accounts, of which the first one stopped, in a snapshot, and without memory for so many rows.
fn bank_without_room() -> Bank {
    let bank = Bank::with(settings());
    bank.run(TRANSACTIONS);
    bank.run(ACCOUNT);
    for account in 0..500 {
        pay(&bank, account, if account == 0 { 0 } else { 1 }, 0);
    }
    let mut bank = reopened(bank);
    bank.settings.entity_bytes = 20_000;
    let bank = bank.reopen();
    caught_up(&bank);
    bank
}

/// Whoever asks for one key after another has all rows taken out of the snapshot, though no event comes.
#[test]
fn rows_that_are_asked_for_one_by_one_count_in_the_limit_of_memory() {
    let bank = bank_without_room();
    let answers: Vec<String> = (1..500).map(|key| bank.row("account", &key.to_string())).collect();
    assert_eq!(answers[0], "1 1 1");
    assert!(answers[498].contains("memory"), "{}", answers[498]);
    assert_eq!(bank.row("account", "1"), "1 1 1", "one that is there is answered still");
    bank.close();
}

/// Rows that are taken out of a snapshot may find no room. Those that did are in memory, and are not counted twice.
#[test]
fn keys_are_counted_once_when_there_is_no_room_for_all_rows() {
    let bank = bank_without_room();
    let counted = |bank: &Bank| {
        let status = bank.views.status("account", None).unwrap();
        (status.keys, status.stopped)
    };
    assert_eq!(bank.row("account", "7"), "7 1 1");
    assert_eq!(counted(&bank), (500, 1));
    let all = bank.views.rows("account", None, None, Moment::default()).map(drop);
    assert!(matches!(all, Err(ViewError::Memory { .. })), "{all:?}");
    assert_eq!(counted(&bank), (500, 1));
    bank.close();
}

/// A topic that gets a column, and an event that is passed over, cost no fold from the first event: the rows go on.
#[test]
fn rows_go_on_when_a_topic_grows() {
    let (bank, positions) = bank(35);
    assert_eq!(bank.row("account", "1"), "1 18 18");
    bank.run("ALTER TOPIC transactions ADD COLUMN note TEXT");
    assert_eq!(bank.row("account", "1"), "1 18 18");
    let bank = reopened(bank);
    assert_eq!(begins_at(&bank, None, at(positions[34])), 30);
    pay(&bank, 1, 1, 36);
    assert_eq!(bank.row("account", "1"), "1 19 19");
    bank.close();
}

#[test]
fn what_is_damaged_or_gone_is_left_out_and_removed() {
    let (bank, _) = bank(40);
    assert_eq!(bank.row("account", "1"), "1 20 20");
    let bank = reopened(bank);
    assert_eq!(manifests(&bank), [20, 30, 40, 42]);
    bank.views.close();
    block_on(bank.store.close()).unwrap();
    let mut files = bank.files("db");
    let mut damage = |position: u64, file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        change(files.get_mut(&format!("db/snapshots/0000000001-0000000001-{position:020}{file}")).unwrap());
    };
    damage(42, ".manifest", &|bytes| bytes[20] ^= 1);
    damage(40, "-0.part", &|bytes| bytes[0] ^= 1);
    damage(30, "-0.part", &|bytes| bytes.truncate(9));
    let bank = Bank::of_files(&files, settings());
    assert_eq!(bank.rows_at("account", None, at(42)), ["1 20 20", "2 20 20"]);
    // Those at marks are taken again on the way.
    assert!(!manifests(&bank).contains(&42));
    let bank = bank.reopen();
    caught_up(&bank);
    let path = "db/snapshots/0000000001-0000000001-00000000000000000020-0.part";
    block_on(bank.env.files.remove(Path::new(path))).unwrap();
    let bank = reopened(bank);
    assert_eq!(bank.rows_at("account", None, at(20)), ["1 9 9", "2 9 9"]);
    assert!(!manifests(&bank).contains(&20), "what is left of one that is not all there is removed");
    assert_eq!(bank.rows_at("account", None, at(42)), ["1 20 20", "2 20 20"]);
    assert_eq!(bank.row("account", "2"), "2 20 20");
    bank.close();
}

/// Somebody restores an older copy of the journal, and it goes on with other events. The snapshots beside it
/// have the same database, the same entity and the same positions, but tell of events that are not there any more.
#[test]
fn snapshots_of_events_that_the_journal_does_not_have_are_not_believed() {
    let (bank, _) = bank(15);
    bank.rows_at("account", None, Moment::default());
    bank.views.close();
    block_on(bank.store.close()).unwrap();
    let older = bank.files("db");
    let bank = Bank::of_files(&older, settings());
    for number in 15..30 {
        pay(&bank, 1, 1, number);
    }
    assert_eq!(bank.row("account", "1"), "1 23 23");
    bank.rows_at("account", None, Moment::default());
    bank.views.close();
    block_on(bank.store.close()).unwrap();
    let mut mixed = older.clone();
    mixed.extend(bank.files("db/snapshots"));
    let bank = Bank::of_files(&mixed, settings());
    bank.tick();
    for number in 15..30 {
        pay(&bank, 2, 7, number);
    }
    assert_eq!(bank.rows_at("account", None, at(32)), ["1 8 8", "2 112 22"]);
    assert_eq!(bank.row("account", "1"), "1 8 8");
    assert_eq!(bank.row("account", "2"), "2 112 22");
    bank.close();
}

/// The same, where the topic of the entity has the events that its snapshot knows, and other topics do not: what was lost
/// is a rate that was looked up, or a note that stood where now a payment stands.
#[test]
fn snapshots_are_not_believed_when_the_journal_lost_events_of_other_topics() {
    let rates = "CREATE TOPIC rates (name TEXT NOT NULL, rate BIGINT NOT NULL, since TIMESTAMPTZ NOT NULL)
        KEY (name) TIMESTAMP BY since";
    let interest = "CREATE ENTITY account FROM transactions LOOKUP rates AS r ON r.name = 'all' AS OF at
        STATE (balance BIGINT NOT NULL DEFAULT 0)
        WHEN ANY THEN SET balance = balance + amount * coalesce(r.rate, 1)";
    let rate = |rate: u32| format!(r#"{{"name": "all", "rate": {rate}, "since": "{}"}}"#, day(0));
    let payment = format!(r#"{{"account": 1, "amount": 100, "at": "{}"}}"#, day(9));
    let note = r#"{"text": "nothing"}"#.to_owned();
    for (entity, lost, instead, row) in [
        (interest, ("rates", rate(5)), ("rates", rate(3)), "1 15"),
        (ACCOUNT, ("notes", note), ("transactions", payment), "1 105 6"),
    ] {
        let bank = Bank::with(settings());
        for sql in [TRANSACTIONS, rates, "CREATE TOPIC notes", entity] {
            bank.run(sql);
        }
        for number in 0..5 {
            pay(&bank, 1, 1, number);
        }
        let older = bank.files("db");
        bank.append(lost.0, &lost.1);
        let bank = reopened(bank);
        let taken = *manifests(&bank).last().unwrap();
        assert_eq!(taken, bank.store.head().0, "on closing");
        let mut mixed = older;
        mixed.extend(bank.files("db/snapshots"));
        bank.close();
        let bank = Bank::of_files(&mixed, settings());
        bank.append(instead.0, &instead.1);
        assert_eq!(bank.store.head().0, taken, "events of another history lie where the lost ones did");
        assert_eq!(bank.row("account", "1"), row, "{entity}");
        assert_eq!(bank.rows_at("account", None, at(taken)), [row], "{entity}");
        bank.close();
    }
}

#[test]
fn what_a_crash_or_a_dropped_entity_leaves_is_removed() {
    let (bank, _) = bank(25);
    assert_eq!(bank.row("account", "1"), "1 13 13");
    bank.rows_at("account", None, Moment::default());
    bank.views.close();
    block_on(bank.store.close()).unwrap();
    let mut files = bank.files("db");
    let stem = "db/snapshots/0000000001-0000000001-00000000000000000099";
    for (name, bytes) in [("-0.part", "x"), ("-1.part.tmp", "x"), (".manifest.tmp", "x")] {
        files.insert(format!("{stem}{name}"), bytes.as_bytes().to_vec());
    }
    files.insert("db/snapshots/notes.txt".to_owned(), b"not ours".to_vec());
    let bank = Bank::of_files(&files, settings());
    assert_eq!(begins_at(&bank, None, Moment::default()), 27);
    assert_eq!(manifests(&bank), [20, 27]);
    assert!(!names(&bank).iter().any(|name| name.contains("00099")), "{:?}", names(&bank));
    bank.run("DROP ENTITY account");
    let bank = bank.reopen();
    let another = ACCOUNT.replace("ENTITY account", "ENTITY another");
    bank.run(&another);
    assert_eq!(bank.row("another", "1"), "1 13 13");
    while names(&bank).iter().any(|name| name.starts_with("0000000001-")) {
        std::thread::yield_now();
    }
    assert!(names(&bank).contains(&"notes.txt".to_owned()));
    bank.close();
}

/// The folder of snapshots fails at each operation in turn, and from there on: the rows are right all the same, and whoever
/// opens the files afterwards, as after a crash there, finds whole snapshots or none.
#[test]
fn rows_are_right_whatever_operation_on_snapshots_fails() {
    let (bank, _) = bank(25);
    bank.views.close();
    block_on(bank.store.close()).unwrap();
    let mut journal = bank.files("db");
    journal.retain(|path, _| !path.starts_with("db/snapshots"));
    let expected = ["1 13 13", "2 12 12"];
    let mut operations = 0;
    loop {
        let left = Arc::new(AtomicI64::new(operations));
        let bank = Bank::of_files_in(&journal, settings(), |env| failing(&env, "snapshots", left.clone()));
        assert_eq!(bank.rows_at("account", None, Moment::default()), expected, "{operations} operations");
        bank.views.close();
        assert_eq!(
            bank.rows_at("account", None, at(24)),
            ["1 11 11", "2 11 11"],
            "{operations} operations, then"
        );
        block_on(bank.store.close()).unwrap();
        let failed = left.swap(i64::MAX, Ordering::AcqRel) < 0;
        let after = Bank::of_files(&bank.files("db"), settings());
        assert_eq!(
            after.rows_at("account", None, at(24)),
            ["1 11 11", "2 11 11"],
            "{operations} operations, opened"
        );
        assert_eq!(
            after.rows_at("account", None, Moment::default()),
            expected,
            "{operations} operations, opened"
        );
        // One that is being written goes by itself.
        while names(&after).iter().any(|name| name.ends_with(".tmp")) {
            std::thread::yield_now();
        }
        after.close();
        if !failed {
            break;
        }
        operations += 1;
    }
    assert!(operations > 15, "it failed at {operations} operations at most");
}
