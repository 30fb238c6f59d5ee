//! Imports: once however often they are run, and stopped at the line that is wrong.

use expect_test::expect;

use crate::program::Directory;

const CSV: &str = "acct,amount,when\n1,-20.50,2023-01-01\n2,7,2023-01-02T03:04:05Z\n1,\"a, b\",2023-01-03\n";

#[test]
fn a_file_is_imported_once() {
    let dir = Directory::new("import");
    dir.run(&["topic", "bank.db", "create", "transactions"], "");
    dir.write("t.csv", CSV);
    let import = ["import", "bank.db", "transactions", "t.csv", "--key", "acct", "--time", "when"];
    dir.check(
        &import,
        "",
        expect![[r#"
        3 rows imported, 0 rows were there before
    "#]],
    );
    dir.check(
        &import,
        "",
        expect![[r#"
        0 rows imported, 3 rows were there before
    "#]],
    );
    dir.check(&["read", "bank.db"], "", expect![[r#"
        {"position":2,"stream":"transactions/1","topic":"transactions","key":"1","partition":0,"offset":0,"eventTime":"2023-01-01T00:00:00Z","appendTime":"TIME","data":{"acct":1,"amount":-20.50,"when":"2023-01-01"}}
        {"position":3,"stream":"transactions/2","topic":"transactions","key":"2","partition":0,"offset":1,"eventTime":"2023-01-02T03:04:05Z","appendTime":"TIME","data":{"acct":2,"amount":7,"when":"2023-01-02T03:04:05Z"}}
        {"position":4,"stream":"transactions/1","topic":"transactions","key":"1","partition":0,"offset":2,"eventTime":"2023-01-03T00:00:00Z","appendTime":"TIME","data":{"acct":1,"amount":"a, b","when":"2023-01-03"}}
    "#]]);
    dir.check(&["read", "bank.db", "_imports"], "", expect![[r#"
        {"position":5,"stream":"_imports/8a9e1cdf289e4e27f72eabbcc4e7218c0c60a799cb491c2a630280afd798ca31/transactions","topic":"_imports","key":"8a9e1cdf289e4e27f72eabbcc4e7218c0c60a799cb491c2a630280afd798ca31/transactions","partition":0,"offset":0,"eventTime":"TIME","appendTime":"TIME","data":{"line":4,"rows":3}}
    "#]]);
}

#[test]
fn a_longer_file_leaves_out_the_ids_that_are_there() {
    let dir = Directory::new("import-ids");
    dir.run(&["topic", "bank.db", "create", "transactions"], "");
    dir.write("a.jsonl", "{\"id\":1,\"n\":1}\n\n{\"id\":2,\"n\":2}\n");
    dir.check(
        &["import", "bank.db", "transactions", "a.jsonl", "--id", "id"],
        "",
        expect![[r#"
        2 rows imported, 0 rows were there before
    "#]],
    );
    dir.write("b.jsonl", "{\"id\":2,\"n\":2}\n{\"id\":3,\"n\":3}\n");
    dir.check(
        &["import", "bank.db", "transactions", "b.jsonl", "--id", "id"],
        "",
        expect![[r#"
        1 rows imported, 1 rows were there before
    "#]],
    );
    dir.write("c.jsonl", "{\"id\":4,\"n\":4}\n{\"id\":3,\"n\":0}\n");
    dir.check(&["import", "bank.db", "transactions", "c.jsonl", "--id", "id"], "", expect![[r#"
        recount: c.jsonl line 2: conflict: the id "3" was used in topic transactions at position 5, for other content or in another append. Use a new id
        exit code 3
    "#]]);
}

#[test]
fn a_wrong_line_is_named_and_its_append_is_not_made() {
    let dir = Directory::new("import-wrong");
    dir.run(&["topic", "bank.db", "create", "transactions"], "");
    let good: String = (1..=500).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    dir.write("t.jsonl", &format!("{good}{{\"n\":501}}\n{{oops}}\n"));
    dir.check(&["import", "bank.db", "transactions", "t.jsonl"], "", expect![[r#"
        recount: t.jsonl line 502: the payload is not JSON: at byte 2, found 'o', expected a key in double quotes. Correct it, or give its content type. Nothing from line 501 on was stored
        exit code 2
    "#]]);
    dir.check(&["read", "bank.db", "--backward", "--limit", "1"], "", expect![[r#"
        {"position":501,"topic":"transactions","partition":0,"offset":499,"eventTime":"TIME","appendTime":"TIME","data":{"n":500}}
    "#]]);
    dir.check(
        &["import", "bank.db", "nothing", "t.jsonl"],
        "",
        expect![[r#"
        recount: there is no topic nothing. Create it first: CREATE TOPIC nothing
        exit code 1
    "#]],
    );
    dir.check(
        &["import", "bank.db", "transactions", "absent.csv"],
        "",
        expect![[r#"
        recount: absent.csv: No such file or directory (os error 2)
        exit code 1
    "#]],
    );
    dir.write("t.csv", CSV);
    dir.check(
        &["import", "bank.db", "transactions", "t.csv", "--key", "account"],
        "",
        expect![[r#"
        recount: t.csv line 2: there is no value in column account
        exit code 2
    "#]],
    );
}

#[test]
fn through_a_server_it_is_the_same() {
    let (here, there) = (Directory::new("import-here"), Directory::new("import-there"));
    let server = there.serve("bank.db");
    let both = |arguments: &[&str]| {
        let (told, other) = (there.run(arguments, ""), here.run(arguments, ""));
        let differs = told.lines().zip(other.lines()).find(|(told, other)| told != other);
        assert_eq!((differs, told.len()), (None, other.len()), "{arguments:?}");
        told
    };
    let write = |name: &str, text: &str| {
        here.write(name, text);
        there.write(name, text);
    };
    both(&["topic", "bank.db", "create", "transactions"]);
    write("t.csv", CSV);
    let import = ["import", "bank.db", "transactions", "t.csv", "--key", "acct", "--time", "when"];
    for told in ["3 rows imported, 0 rows were there before\n", "0 rows imported, 3 rows were there before\n"]
    {
        assert_eq!(both(&import), told);
    }
    // Every third row is there by its id when all are imported.
    let row = |n: u32| format!("{{\"id\":\"n/{n} é\",\"n\":{n}}}\n");
    write("third.jsonl", &(0..1000).step_by(3).map(row).collect::<String>());
    write("all.jsonl", &(0..1000).map(row).collect::<String>());
    let ids = |file| ["import", "bank.db", "transactions", file, "--id", "id"];
    assert_eq!(both(&ids("third.jsonl")), "334 rows imported, 0 rows were there before\n");
    assert_eq!(both(&ids("all.jsonl")), "666 rows imported, 334 rows were there before\n");
    assert_eq!(both(&ids("all.jsonl")), "0 rows imported, 1000 rows were there before\n");
    // One row by itself, the only one of a file and the last one of a longer one.
    write("one.jsonl", &row(3));
    write("501.jsonl", &(0..501).map(row).collect::<String>());
    assert_eq!(both(&ids("one.jsonl")), "0 rows imported, 1 rows were there before\n");
    assert_eq!(both(&ids("501.jsonl")), "0 rows imported, 501 rows were there before\n");
    write("other.jsonl", "{\"id\":\"x\"}\n{\"id\":\"n/6 é\",\"n\":0}\n");
    assert!(
        both(&ids("other.jsonl"))
            .starts_with("recount: other.jsonl line 2: conflict: the id \"n/6 é\" was used")
    );
    for wrong in ["{oops}", "\u{1}", "{\"id\":1,\"id\":2}"] {
        write("wrong.jsonl", &format!("{{\"n\":1}}\n\n{wrong}\n"));
        assert!(
            both(&["import", "bank.db", "transactions", "wrong.jsonl"])
                .starts_with("recount: wrong.jsonl line 3: ")
        );
    }
    both(&["import", "bank.db", "nothing", "t.csv"]);
    both(&["read", "bank.db", "_imports"]);
    assert_eq!(both(&["export", "bank.db"]).lines().count(), 3 + 1000 + 1);
    let by_url = ["import", &server.url, "transactions", "t.csv", "--key", "acct", "--time", "when"];
    assert_eq!(there.run(&by_url, ""), "0 rows imported, 3 rows were there before\n");
}

/// Lines were told by counting line feeds: of a file with CR alone every row had line 1, and an import that was stopped
/// after its first append left the others out when it was run again.
#[test]
fn every_row_has_a_line_however_lines_end() {
    let dir = Directory::new("import-lines");
    dir.run(&["topic", "bank.db", "create", "transactions"], "");
    for (name, end) in [("lf", "\n"), ("crlf", "\r\n"), ("cr", "\r")] {
        let rows: String = (2..=501).map(|line| format!("{line},{name}{end}")).collect();
        dir.write("t.csv", &format!("line,x{end}{rows}502,wrong\t{end}"));
        let told = dir.run(&["import", "bank.db", "transactions", "t.csv", "--key", "none"], "");
        assert!(told.starts_with("recount: t.csv line 2: "), "{name}: {told}");
        let told = dir.run(&["import", "bank.db", "transactions", "t.csv", "--key", "line"], "");
        assert_eq!(told, "501 rows imported, 0 rows were there before\n", "{name}");
        let progress = dir.run(&["read", "bank.db", "_imports", "--backward", "--limit", "2"], "");
        assert!(progress.contains("\"line\":501,\"rows\":500}"), "{name}: {progress}");
        assert!(progress.contains("\"line\":502,\"rows\":1}"), "{name}: {progress}");
    }
}

#[test]
fn a_row_that_is_too_long_is_named_and_does_not_fill_memory() {
    let dir = Directory::new("import-long");
    dir.run(&["topic", "bank.db", "create", "transactions"], "");
    let long = "x".repeat(4 << 20);
    dir.write("t.jsonl", &format!("{{\"n\":1}}\n{{\"n\":\"{long}\"}}\n"));
    dir.write("t.csv", &format!("a,b\n1,2\n3,\"{long}\n5,6\n"));
    let limit = "it is longer than 1048576 bytes, the limit of an event\nexit code 2\n";
    let told = dir.run(&["import", "bank.db", "transactions", "t.jsonl"], "");
    assert_eq!(told, format!("recount: t.jsonl line 2: {limit}"));
    let told = dir.run(&["import", "bank.db", "transactions", "t.csv"], "");
    assert_eq!(told, format!("recount: t.csv after line 2: {limit}"));
    let told = dir.run(&["append", "bank.db", "transactions"], &format!("\n{{\"n\":\"{long}\"}}\n"));
    assert_eq!(told, format!("recount: transactions line 2: {limit}").replace("code 2", "code 1"));
    assert_eq!(dir.run(&["read", "bank.db"], ""), "");
}
