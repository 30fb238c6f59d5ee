//! Topics, appends and reads on a directory; exit codes.

use expect_test::expect;

use crate::program::{Directory, Running};

#[test]
fn the_first_minute() {
    let dir = Directory::new("first-minute");
    dir.check(
        &["topic", "bank.db", "create", "transactions"],
        "",
        expect![[r#"
        {"position":1,"statement":"CREATE TOPIC","topic":"transactions"}
    "#]],
    );
    dir.check(
        &["append", "bank.db", "transactions", "--key", "1"],
        "{\"amount\": -20.0}\n\n{\"amount\": 5}\n",
        expect![[r#"
            {"duplicate":false,"position":2,"revision":0,"stream":"transactions/1"}
            {"duplicate":false,"position":3,"revision":1,"stream":"transactions/1"}
        "#]],
    );
    dir.check(
        &["append", "bank.db", "transactions", "--type", "opened", "--tag", "a:b"],
        "[1]",
        expect![[r#"
        {"duplicate":false,"position":4,"revision":null,"stream":null}
    "#]],
    );
    dir.check(&["read", "bank.db"], "", expect![[r#"
        {"position":2,"stream":"transactions/1","topic":"transactions","key":"1","partition":0,"offset":0,"eventTime":"TIME","appendTime":"TIME","data":{"amount": -20.0}}
        {"position":3,"stream":"transactions/1","topic":"transactions","key":"1","partition":0,"offset":1,"eventTime":"TIME","appendTime":"TIME","data":{"amount": 5}}
        {"position":4,"topic":"transactions","partition":0,"offset":2,"type":"opened","eventTime":"TIME","appendTime":"TIME","tags":["a:b"],"data":[1]}
    "#]]);
    dir.check(&["read", "bank.db", "transactions/1", "--backward", "--limit", "1"], "", expect![[r#"
        {"position":3,"stream":"transactions/1","topic":"transactions","key":"1","revision":1,"partition":0,"offset":1,"eventTime":"TIME","appendTime":"TIME","data":{"amount": 5}}
    "#]]);
    dir.check(&["read", "bank.db", "transactions/1", "--revision", "1"], "", expect![[r#"
        {"position":3,"stream":"transactions/1","topic":"transactions","key":"1","revision":1,"partition":0,"offset":1,"eventTime":"TIME","appendTime":"TIME","data":{"amount": 5}}
    "#]]);
    dir.check(&["read", "bank.db", "transactions", "--type", "opened"], "", expect![[r#"
        {"position":4,"topic":"transactions","partition":0,"offset":2,"type":"opened","eventTime":"TIME","appendTime":"TIME","tags":["a:b"],"data":[1]}
    "#]]);
    dir.check(&["read", "bank.db", "--tag", "a:c"], "", expect![[""]]);
    dir.check(&["read", "bank.db", "--after", "2", "--position", "3"], "", expect![[r#"
        {"position":3,"stream":"transactions/1","topic":"transactions","key":"1","partition":0,"offset":1,"eventTime":"TIME","appendTime":"TIME","data":{"amount": 5}}
    "#]]);
    dir.check(&["export", "bank.db", "transactions"], "", expect![[r#"
        {"position":2,"stream":"transactions/1","topic":"transactions","key":"1","partition":0,"offset":0,"eventTime":"TIME","appendTime":"TIME","data":{"amount": -20.0}}
        {"position":3,"stream":"transactions/1","topic":"transactions","key":"1","partition":0,"offset":1,"eventTime":"TIME","appendTime":"TIME","data":{"amount": 5}}
        {"position":4,"topic":"transactions","partition":0,"offset":2,"type":"opened","eventTime":"TIME","appendTime":"TIME","tags":["a:b"],"data":[1]}
    "#]]);
    dir.check(
        &["topic", "bank.db", "list"],
        "",
        expect![[r#"
        {"created":1,"definition":{"name":"transactions"},"id":16,"name":"transactions","partitions":1}
    "#]],
    );
    dir.check(
        &["topic", "bank.db", "drop", "transactions"],
        "",
        expect![[r#"
        {"position":5,"statement":"DROP TOPIC","topic":"transactions"}
    "#]],
    );
    dir.check(&["read", "bank.db"], "", expect![[""]]);
    // How many seals there are among the frames depends on how fast the machine is.
    let verified = dir.run(&["verify", "bank.db"], "");
    assert!(verified.starts_with("ok: "), "{verified}");
    assert!(
        verified.ends_with(" frames, head 5, 2 events, 1 streams, index and journal agree\n"),
        "{verified}"
    );
}

#[test]
fn a_conflict_is_3() {
    let dir = Directory::new("conflict");
    dir.run(&["topic", "bank.db", "create", "transactions"], "");
    let append = ["append", "bank.db", "transactions", "--key", "1", "--expected", "no-stream"];
    // The second line finds the stream that the first has made.
    dir.check(&append, "{\"n\":1}\n{\"n\":2}\n", expect![[r#"
        {"duplicate":false,"position":2,"revision":0,"stream":"transactions/1"}
        recount: transactions line 2: conflict: transactions/1 is at revision 0, you expected no stream. Read transactions/1 and decide again
        exit code 3
    "#]]);
    let again = ["append", "bank.db", "transactions", "--key", "1", "--expected", "7"];
    dir.check(&again, "{\"n\":2}", expect![[r#"
        recount: transactions line 1: conflict: transactions/1 is at revision 0, you expected 7. Read transactions/1 and decide again
        exit code 3
    "#]]);
    let with_id = ["append", "bank.db", "transactions", "--key", "1", "--id", "x"];
    dir.run(&with_id, "{\"n\":3}");
    dir.check(
        &with_id,
        "{\"n\":3}",
        expect![[r#"
        {"duplicate":true,"position":3,"revision":1,"stream":"transactions/1"}
    "#]],
    );
    dir.check(&with_id, "{\"n\":4}", expect![[r#"
        recount: transactions line 1: conflict: the id "x" was used in topic transactions at position 3, for other content or in another append. Use a new id
        exit code 3
    "#]]);
}

#[test]
fn wrong_use_is_2_and_failure_1() {
    let dir = Directory::new("wrong-use");
    dir.check(
        &["read", "bank.db"],
        "",
        expect![[r#"
        recount: bank.db is not a Recount database: it has no FORMAT file
        exit code 1
    "#]],
    );
    dir.run(&["topic", "bank.db", "create", "transactions"], "");
    dir.check(
        &["read", "bank.db", "nothing"],
        "",
        expect![[r#"
        recount: there is no topic nothing
        exit code 1
    "#]],
    );
    dir.check(
        &["read", "bank.db", "a b/1"],
        "",
        expect![[r#"
        recount: "a b" is not a topic name: use 1 to 249 letters, digits, dots, underscores or dashes
        exit code 2
    "#]],
    );
    dir.check(
        &["read", "bank.db", "transactions", "--revision", "1"],
        "",
        expect![[r#"
        recount: only a read of one stream can begin at a revision
        exit code 2
    "#]],
    );
    dir.check(
        &["append", "bank.db", "nothing"],
        "{}",
        expect![[r#"
        recount: nothing line 1: there is no topic nothing. Create it first: CREATE TOPIC nothing
        exit code 1
    "#]],
    );
    dir.check(
        &["append", "bank.db", "_imports"],
        "{}",
        expect![[r#"
        recount: _imports line 1: topic _imports belongs to the system; only Recount itself writes to it
        exit code 1
    "#]],
    );
    dir.check(&["append", "bank.db", "transactions"], "{}\n{oops}\n", expect![[r#"
        {"duplicate":false,"position":2,"revision":null,"stream":null}
        recount: transactions line 2: event 0: the payload is not JSON: at byte 2, found 'o', expected a key in double quotes. Correct it, or give its content type. Nothing of this append was stored
        exit code 2
    "#]]);
    dir.check(
        &["append", "bank.db", "transactions", "--expected", "0"],
        "{}",
        expect![[r#"
        recount: transactions line 1: --expected needs a stream: give its --key
        exit code 2
    "#]],
    );
    dir.check(&["append", "bank.db", "transactions", "--expected", "five"], "{}", expect![[r#"
        error: invalid value 'five' for '--expected <EXPECTED>': "five" is not any, no-stream, exists or a revision

        For more information, try '--help'.
        exit code 2
    "#]]);
    dir.check(
        &["topic", "bank.db", "create", "transactions"],
        "",
        expect![[r#"
        recount: topic transactions exists already
        exit code 3
    "#]],
    );
    dir.check(
        &["topic", "bank.db", "drop", "nothing"],
        "",
        expect![[r#"
        recount: there is no topic nothing
        exit code 1
    "#]],
    );
    dir.check(&["serve", "bank.db", "--listen", "0.0.0.0:7400"], "", expect![[r#"
        recount: 0.0.0.0:7400 is not a loopback address: there is no security yet, so only this machine may connect. Listen on 127.0.0.1:7400 (--listen)
        exit code 1
    "#]]);
    dir.check(&["read", "http://127.0.0.1:1"], "", expect![[r#"
        recount: http://127.0.0.1:1 does not answer: io: Connection refused (os error 111). Is `recount serve` running there?
        exit code 1
    "#]]);
}

#[test]
fn following_ends_with_the_signal_and_closes_the_database() {
    let dir = Directory::new("follow");
    dir.run(&["topic", "bank.db", "create", "transactions"], "");
    dir.run(&["append", "bank.db", "transactions", "--key", "1"], "{\"n\":1}");
    let mut follower = Running::start(&dir, &["read", "bank.db", "transactions", "--follow"]);
    assert!(follower.line().contains("{\"n\":1}"));
    assert!(matches!(follower.interrupt(), Some(0 | 130)));
    let seen = dir.run(&["inspect", "bank.db"], "");
    assert!(seen.contains("closed cleanly"), "{seen}");
}
