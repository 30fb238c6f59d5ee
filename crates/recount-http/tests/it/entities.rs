//! Entities and queries over HTTP.

use expect_test::{Expect, expect};

use crate::server::Server;

async fn bank() -> Server {
    let server = Server::start().await;
    for statement in [
        "CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL, timestamp TIMESTAMPTZ NOT NULL UNIT SECONDS)
           KEY (accountId) TIMESTAMP BY timestamp",
        "CREATE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
           WHEN (amount = 0) THEN ERROR 'nothing' WHEN ANY THEN SET balance = balance + amount",
    ] {
        assert_eq!(server.post("/sql", "text/plain", statement).await.status, 200);
    }
    for (account, amount, time) in
        [(1, "100", 1_701_432_000), (1, "-20.5", 1_702_468_800), (2, "0", 1_702_468_800)]
    {
        let event = format!(r#"{{"accountId": {account}, "amount": {amount}, "timestamp": {time}}}"#);
        assert_eq!(server.post("/topics/transactions/events", "application/json", &event).await.status, 201);
    }
    server
}

async fn check(server: &Server, target: &str, expected: Expect) {
    let answer = server.get(target).await;
    let text = regex_free(&answer.text());
    expected.assert_eq(&format!("{} {text}", answer.status));
}

/// Append times are those of the clock.
fn regex_free(text: &str) -> String {
    let mut parts = text.split("\"appendTime\":\"");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('"').unwrap();
        shown.push_str(&format!("\"appendTime\":\"TIME\"{rest}"));
    }
    shown
}

#[tokio::test]
async fn rows_and_steps() {
    let server = bank().await;
    check(&server, "/entities/account/1", expect![[r#"200 {"entity":"account","version":1,"key":"1","position":6,"row":{"accountid":1,"balance":79.50},"lastPosition":5,"lastEventTime":"2023-12-13T12:00:00Z"}"#]]).await;
    check(&server, "/entities/account/1?position=4", expect![[r#"200 {"entity":"account","version":1,"key":"1","position":4,"row":{"accountid":1,"balance":100.00},"lastPosition":4,"lastEventTime":"2023-12-01T12:00:00Z"}"#]]).await;
    check(&server, "/entities/account/1?valid_as_of=2023-12-10T00:00:00Z", expect![[r#"200 {"entity":"account","version":1,"key":"1","position":6,"row":{"accountid":1,"balance":100.00},"lastPosition":4,"lastEventTime":"2023-12-01T12:00:00Z"}"#]]).await;
    check(&server, "/entities/account/1?valid_as_of=2022-12-10T00:00:00Z", expect![[r#"404 {"detail":"0 rows: the first event happened at 2023-12-01T12:00:00Z","status":404,"title":"What is named does not exist","type":"urn:recount:problem:not-found"}"#]]).await;
    check(&server, "/entities/account/1?min_position=6&version=1", expect![[r#"200 {"entity":"account","version":1,"key":"1","position":6,"row":{"accountid":1,"balance":79.50},"lastPosition":5,"lastEventTime":"2023-12-13T12:00:00Z"}"#]]).await;
    check(&server, "/entities/account/1?steps=true", expect![[r#"200 {"entity":"account","version":1,"key":"1","position":6,"steps":[{"position":4,"eventTime":"2023-12-01T12:00:00Z","appendTime":"TIME","effect":"set","before":null,"after":{"balance":100.00},"rule":"WHEN ANY"},{"position":5,"eventTime":"2023-12-13T12:00:00Z","appendTime":"TIME","effect":"set","before":{"balance":100.00},"after":{"balance":79.50},"rule":"WHEN ANY"}]}"#]]).await;
    check(&server, "/entities/account/2", expect![[r#"409 {"detail":"account/2 stopped at position 6: nothing. Look at it with recount why account/2; then correct the rule with CREATE OR REPLACE ENTITY, or pass the event over: ALTER ENTITY account SKIP EVENT 6","entity":"account","key":"2","position":6,"reason":"nothing","status":409,"title":"The key stopped at an event","type":"urn:recount:problem:stopped"}"#]]).await;
    check(&server, "/entities/account/3", expect![[r#"404 {"detail":"0 rows: no event has this key","status":404,"title":"What is named does not exist","type":"urn:recount:problem:not-found"}"#]]).await;
    check(&server, "/entities/account/x", expect![[r#"400 {"detail":"\"x\" is not a key: it is of accountid BIGINT","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#]]).await;
    check(&server, "/entities/accounts/1", expect![[r#"404 {"detail":"there is no entity accounts","status":404,"title":"What is named does not exist","type":"urn:recount:problem:not-found"}"#]]).await;
    check(&server, "/entities/account/1?version=2", expect![[r#"404 {"detail":"entity account has no version 2: it has 1","status":404,"title":"What is named does not exist","type":"urn:recount:problem:not-found"}"#]]).await;
    check(&server, "/entities/account/1?as_of=2023-12-10T00:00:00Z", expect![[r#"400 {"detail":"as_of leaves open which time is meant. system_as_of: as recorded by that time; valid_as_of: as true at that time. Or give position: as of that position","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#]]).await;
    check(&server, "/entities/account/1?position=4&system_as_of=2023-12-10T00:00:00Z", expect![[r#"400 {"detail":"position and system_as_of both say as of when: give one of them","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#]]).await;
    check(&server, "/entities/account/1?position=99", expect![[r#"400 {"detail":"position 99 does not exist yet: the newest is 6","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#]]).await;
    check(&server, "/entities/account/1?verson=1", expect![[r#"400 {"detail":"there is no parameter \"verson\" here; there are version, position, system_as_of, valid_as_of, min_position, steps","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#]]).await;
    let listed = server.get("/entities").await.json();
    assert_eq!(listed["entities"][0]["name"], "account");
    assert_eq!(listed["entities"][0]["stopped"], 1);
    assert_eq!(listed["entities"][0]["columns"][0]["key"], true);
}

#[tokio::test]
async fn queries_in_every_format() {
    let server = bank().await;
    let sql = "SELECT * FROM account WHERE accountid = 1";
    for (accept, expected) in [
        (
            "application/json",
            expect![[r#"
            200 application/json
            {"position":6,"columns":[{"name":"accountid","type":"BIGINT"},{"name":"balance","type":"DECIMAL(18,2)"}],"rows":[[1,79.50]],"notices":[]}
        "#]],
        ),
        (
            "application/x-ndjson",
            expect![[r#"
            200 application/x-ndjson
            {"accountid":1,"balance":79.50}
        "#]],
        ),
        (
            "text/csv",
            expect![[r#"
                200 text/csv; charset=utf-8; header=present
                accountid,balance
                1,79.50
            "#]],
        ),
        (
            "*/*",
            expect![[r#"
            200 application/json
            {"position":6,"columns":[{"name":"accountid","type":"BIGINT"},{"name":"balance","type":"DECIMAL(18,2)"}],"rows":[[1,79.50]],"notices":[]}
        "#]],
        ),
    ] {
        let head = format!("Content-Type: text/plain\r\nAccept: {accept}\r\n");
        let answer = server.request("POST", "/sql", &head, sql.as_bytes()).await;
        let shown = format!(
            "{} {}\n{}",
            answer.status,
            answer.header("content-type").unwrap(),
            answer.text().replace("\r\n", "\n")
        );
        expected.assert_eq(&shown);
        assert_eq!(answer.header("recount-as-of"), Some("6"));
    }
    let head = "Content-Type: text/plain\r\nAccept: application/vnd.apache.arrow.stream\r\n";
    let answer = server.request("POST", "/sql", head, sql.as_bytes()).await;
    assert_eq!(
        (answer.status, &answer.body[..4]),
        (200, &[0xFF; 4][..]),
        "the continuation marker of Arrow's IPC"
    );
    for (sql, expected) in [
        (
            "SELECT * FROM account AS OF POSITION 4",
            expect![[r#"
            200 {"position":6,"columns":[{"name":"accountid","type":"BIGINT"},{"name":"balance","type":"DECIMAL(18,2)"}],"rows":[[1,100.00]],"notices":[]}
        "#]],
        ),
        (
            "SELECT * FROM account",
            expect![[
                r#"409 {"detail":"account/2 stopped at position 6: nothing. Look at it with recount why account/2; then correct the rule with CREATE OR REPLACE ENTITY, or pass the event over: ALTER ENTITY account SKIP EVENT 6","entity":"account","key":"2","position":6,"reason":"nothing","status":409,"title":"The key stopped at an event","type":"urn:recount:problem:stopped"}"#
            ]],
        ),
        (
            "SELECT * FROM acount",
            expect![[
                r#"404 {"detail":"there is no topic or entity acount. Do you mean account?","status":404,"title":"What is named does not exist","type":"urn:recount:problem:not-found"}"#
            ]],
        ),
        (
            "UPDATE account SET balance = 0",
            expect![[
                r#"400 {"detail":"events are never changed or removed: append one that corrects the others, with INSERT INTO topic (…) VALUES (…) or an append","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#
            ]],
        ),
        (
            "SHOW STOPPED",
            expect![[r#"
            200 {"position":6,"columns":[{"name":"entity","type":"TEXT"},{"name":"version","type":"BIGINT"},{"name":"key","type":"TEXT"},{"name":"position","type":"BIGINT"},{"name":"reason","type":"TEXT"}],"rows":[["account",1,"2",6,"nothing"]],"notices":[]}
        "#]],
        ),
        (
            "SHOW NOTHING",
            expect![[
                r#"400 {"detail":"SHOW shows TOPICS, ENTITIES or STOPPED","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#
            ]],
        ),
        (
            "INSERT INTO transactions VALUES (3, 1.5, '2024-01-01T00:00:00Z')",
            expect![[r#"
            200 {"position":7,"columns":[{"name":"inserted","type":"BIGINT"},{"name":"position","type":"BIGINT"}],"rows":[[1,7]],"notices":[]}
        "#]],
        ),
        (
            "CREATE ENTITY account FROM transactions STATE (n INT) WHEN ANY THEN SET n = 1",
            expect![[
                r#"409 {"detail":"entity account exists already: write CREATE OR REPLACE ENTITY to give it another definition","status":409,"title":"A condition does not hold","type":"urn:recount:problem:conflict"}"#
            ]],
        ),
        (
            "CREATE ENTITY other FROM transactions STATE (n INT) WHEN ANY THEN SET n = m",
            expect![[
                r#"400 {"detail":"line 1, column 75: there is no column m: the event has accountid, amount, timestamp, the state n","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#
            ]],
        ),
    ] {
        let answer = server.post("/sql", "text/plain", sql).await;
        expected.assert_eq(&format!("{} {}", answer.status, answer.text()));
    }
    let later = server.post("/sql?position=99", "text/plain", "SELECT 1").await;
    assert_eq!(
        (later.status, later.json()["detail"].as_str()),
        (400, Some("position 99 has not come yet: the newest is 7"))
    );
    assert_eq!(server.post("/sql?min_position=7", "text/plain", "SELECT 1").await.status, 200);
    assert_eq!(server.post("/sql?min_position=7", "text/plain", "SHOW TOPICS").await.status, 200);
    let of_now = server.post("/sql?position=7", "text/plain", "SHOW TOPICS").await;
    assert_eq!((of_now.status, of_now.json()["status"].as_u64()), (400, Some(400)), "{}", of_now.text());
}
