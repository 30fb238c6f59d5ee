//! The same commands on a database that a server holds: by its directory and by its URL.

use expect_test::expect;

use crate::program::{Directory, Running};

#[test]
fn a_directory_that_is_served_is_reached_through_its_server() {
    let dir = Directory::new("served");
    let server = dir.serve("bank.db");
    dir.check(
        &["topic", "bank.db", "create", "transactions"],
        "",
        expect![[r#"
        {"position":1,"statement":"CREATE TOPIC","topic":"transactions"}
    "#]],
    );
    // A key with everything that means something in a URL.
    let append = ["append", "bank.db", "transactions", "--key", "a b/c%?&#é"];
    dir.check(
        &append,
        "{\"n\":1}\n{\"n\":2}\n",
        expect![[r#"
        {"duplicate":false,"position":2,"revision":0,"stream":"transactions/a b/c%25?&#%C3%A9"}
        {"duplicate":false,"position":3,"revision":1,"stream":"transactions/a b/c%25?&#%C3%A9"}
    "#]],
    );
    let with_all = [
        "append",
        &server.url,
        "transactions",
        "--id",
        "x é",
        "--type",
        "a,b",
        "--tag",
        "t:1,2",
        "--tag",
        "u:%",
    ];
    dir.check(
        &with_all,
        "{\"n\":3}",
        expect![[r#"
        {"duplicate":false,"position":4,"revision":null,"stream":null}
    "#]],
    );
    dir.check(
        &with_all,
        "{\"n\":3}",
        expect![[r#"
        {"duplicate":true,"position":4,"revision":null,"stream":null}
    "#]],
    );
    dir.check(&["read", "bank.db", "transactions/a b/c%25?&#é", "--revision", "1"], "", expect![[r#"
        {"position":3,"stream":"transactions/a b/c%25?&#%C3%A9","topic":"transactions","key":"a b/c%25?&#%C3%A9","revision":1,"partition":0,"offset":1,"eventTime":"TIME","appendTime":"TIME","data":{"n":2}}
    "#]]);
    dir.check(&["read", &server.url, "--backward", "--limit", "1"], "", expect![[r#"
        {"position":4,"topic":"transactions","partition":0,"offset":2,"id":"x é","type":"a,b","eventTime":"TIME","appendTime":"TIME","tags":["t:1,2","u:%"],"data":{"n":3}}
    "#]]);
    dir.check(&["read", "bank.db", "--tag", "t:1,2", "--type", "a,b"], "", expect![[r#"
        {"position":4,"topic":"transactions","partition":0,"offset":2,"id":"x é","type":"a,b","eventTime":"TIME","appendTime":"TIME","tags":["t:1,2","u:%"],"data":{"n":3}}
    "#]]);
    dir.check(
        &["topic", "bank.db", "show", "transactions"],
        "",
        expect![[r#"
        {"created":1,"definition":{"name":"transactions"},"id":16,"name":"transactions","partitions":1}
    "#]],
    );
    dir.check(
        &["topic", "bank.db", "list"],
        "",
        expect![[r#"
        {"created":1,"definition":{"name":"transactions"},"id":16,"name":"transactions","partitions":1}
    "#]],
    );
    let served = dir.run(&["export", "bank.db"], "");
    let stale = ["append", "bank.db", "transactions", "--key", "a b/c%?&#é", "--expected", "0"];
    dir.check(&stale, "{}", expect![[r#"
        recount: transactions line 1: conflict: transactions/a b/c%25?&#%C3%A9 is at revision 1, you expected 0. Read from 1 and decide again
        exit code 3
    "#]]);
    dir.check(
        &["read", "bank.db", "nothing"],
        "",
        expect![[r#"
        recount: there is no topic nothing
        exit code 1
    "#]],
    );
    dir.check(
        &["topic", "bank.db", "create", "transactions"],
        "",
        expect![[r#"
        recount: topic transactions exists already
        exit code 3
    "#]],
    );
    server.stop();
    // Closed cleanly, and the same from the directory.
    let seen = dir.run(&["inspect", "bank.db"], "");
    assert!(seen.contains("closed cleanly"), "{seen}");
    assert_eq!(dir.run(&["export", "bank.db"], ""), served);
}

#[test]
fn followers_see_what_is_appended() {
    let dir = Directory::new("follow-served");
    let server = dir.serve("bank.db");
    dir.run(&["topic", "bank.db", "create", "transactions"], "");
    let mut follower = Running::start(&dir, &["read", &server.url, "transactions", "--follow"]);
    for n in 0..3 {
        dir.run(&["append", "bank.db", "transactions", "--key", "1"], &format!("{{\"n\":{n}}}"));
        let line = follower.line();
        assert!(line.ends_with(&format!("\"data\":{{\"n\":{n}}}}}")), "{line}");
    }
    server.stop();
    assert!(follower.child.wait().unwrap().success());
}

/// SUBSCRIBE tells the rows of a view and then what changes, to a program line by line, and ends where it is told to.
#[test]
fn subscribers_see_a_view_change() {
    let dir = Directory::new("subscribe");
    let server = dir.serve("bank.db");
    let sql = |statement: &str| dir.run(&["sql", &server.url, "-c", statement], "");
    sql("CREATE TOPIC t (account INT NOT NULL, amount INT NOT NULL)");
    sql("INSERT INTO t VALUES (1, 10), (2, 20)");
    sql(
        "CREATE MATERIALIZED VIEW \"per-account\" AS SELECT account, sum(amount) AS total FROM t GROUP BY account",
    );
    let mut subscriber = Running::start(&dir, &["sql", &server.url, "-c", "SUBSCRIBE TO \"per-account\""]);
    expect![[r#"
        {"position":4,"row":{"account":1,"total":10},"weight":1}
        {"position":4,"row":{"account":2,"total":20},"weight":1}
        {"position":4}
    "#]]
    .assert_eq(&subscriber.told(3));
    sql("INSERT INTO t VALUES (1, -4), (3, 7)");
    expect![[r#"
        {"position":6,"row":{"account":1,"total":6},"weight":1}
        {"position":6,"row":{"account":1,"total":10},"weight":-1}
        {"position":6,"row":{"account":3,"total":7},"weight":1}
        {"position":6}
    "#]]
    .assert_eq(&subscriber.told(4));
    // All that is wanted is there already, or comes.
    dir.check(
        &["sql", &server.url, "-c", "SUBSCRIBE \"per-account\" UP TO POSITION 6"],
        "",
        expect![[r#"
            {"position":6,"row":{"account":1,"total":6},"weight":1}
            {"position":6,"row":{"account":2,"total":20},"weight":1}
            {"position":6,"row":{"account":3,"total":7},"weight":1}
            {"position":6}
        "#]],
    );
    let table =
        ["sql", &server.url, "--format", "table", "-c", "SUBSCRIBE TO \"per-account\" UP TO POSITION 8"];
    let mut table = Running::start(&dir, &table);
    expect![[r#"
        account  total
        ───────  ─────
              1      6
              2     20
              3      7
        3 rows
        as of position 6

    "#]]
    .assert_eq(&table.told(8));
    sql("INSERT INTO t VALUES (2, 1)");
    expect![[r#"
        account  total
        ───────  ─────
              1      6
              2     21
              3      7
        3 rows
        as of position 7

    "#]]
    .assert_eq(&table.told(8));
    sql("INSERT INTO t VALUES (9, 9)");
    expect![[r#"
        account  total
        ───────  ─────
              1      6
              2     21
              3      7
              9      9
        4 rows
        as of position 8

    "#]]
    .assert_eq(&table.told(9));
    assert!(table.child.wait().unwrap().success());
    // What cannot be, in words.
    let refused =
        ["SUBSCRIBE TO nothing", "SUBSCRIBE TO \"per-account\" UP TO POSITION 2", "SUBSCRIBE TO (SELECT 1)"]
            .map(sql);
    expect![[r#"
        recount: line 1: there is no view nothing
        exit code 1
        recount: line 1: view per-account is at position 8 already: ask for its rows, AS OF POSITION 2
        exit code 1
        recount: line 1: SUBSCRIBE follows a view: declare the query as one, CREATE MATERIALIZED VIEW name AS …, and follow that
        exit code 2
    "#]].assert_eq(&refused.concat());
    let mut waiting = Running::start(&dir, &["sql", &server.url, "-c", "SUBSCRIBE TO \"per-account\""]);
    waiting.told(5);
    server.stop();
    assert_eq!(waiting.child.wait().unwrap().code(), Some(1));
    dir.check(&["sql", "bank.db", "-c", "SUBSCRIBE TO \"per-account\""], "", expect![[r#"
        recount: line 1: SUBSCRIBE tells what others append, and nobody else can while this process has the database open: run recount serve, and give its URL
        exit code 2
    "#]]);
}

#[test]
fn what_is_taken_is_named() {
    let dir = Directory::new("taken");
    let server = dir.serve("bank.db");
    let listen = format!("127.0.0.1:{}", server.port());
    let told = dir.run(&["serve", "other.db", "--listen", &listen], "");
    assert!(
        told.contains(&format!("port {} is in use", server.port())) && told.contains("--listen"),
        "{told}"
    );
    assert!(!dir.path().join("other.db").exists());
    let told = dir.run(&["serve", "bank.db", "--listen", "127.0.0.1:0"], "");
    assert!(told.contains(&format!("in use by process {}", server.pid())), "{told}");
    assert!(told.contains(&server.url), "{told}");
    let told = dir.run(&["verify", "bank.db"], "");
    assert!(told.contains(&server.url), "{told}");
    server.stop();
}

/// 1,024 connections and the files of a large database are more than the soft limit that most systems begin with.
#[test]
fn a_server_may_open_as_many_files_as_the_system_allows() {
    let dir = Directory::new("limits");
    let server = dir.serve_after("ulimit -Sn 64", "bank.db");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
    assert_ne!(numbers[0], "64", "{line}");
    server.stop();
}

#[test]
fn a_bench_says_how_many_appends_it_made() {
    let dir = Directory::new("bench");
    let server = dir.serve("bank.db");
    for (database, writers) in
        [("other.db", "1"), ("other.db", "3"), (server.url.as_str(), "3"), ("bank.db", "1")]
    {
        let told = dir.run(&["bench", database, "--writers", writers, "--seconds", "0.05"], "");
        let appends: u64 = told.split(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{told}"));
        assert!(appends >= writers.parse().unwrap() && told.contains("/s, each fsynced; p50 "), "{told}");
    }
    for (wrong, why) in [
        (["--seconds", "-1"], "a number from 0 to 86400"),
        (["--seconds", "inf"], "a number from 0 to 86400"),
        (["--seconds", "x"], "a number of seconds"),
        (["--writers", "0"], "not in 1..=1024"),
    ] {
        let [name, value] = wrong;
        let told = dir.run(&["bench", "other.db", &format!("{name}={value}")], "");
        assert!(told.contains(why) && told.ends_with("exit code 2\n"), "{told}");
    }
    server.stop();
}

/// `inspect http://…` said that the URL was no database, and not what to do.
#[test]
fn what_looks_at_files_says_that_it_needs_the_directory() {
    let dir = Directory::new("url");
    let url = "http://127.0.0.1:7400";
    for command in
        [&["inspect", url][..], &["inspect", url, "frames"], &["verify", url], &["export", "--salvage", url]]
    {
        let told = dir.run(command, "");
        let expected =
            "recount: this needs the directory of the database, not the URL of a server\nexit code 2\n";
        assert_eq!(told, expected, "{command:?}");
    }
}
