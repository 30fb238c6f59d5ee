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
    check(&server, "/entities/account/1", expect![[""]]).await;
    check(&server, "/entities/account/1?position=4", expect![[""]]).await;
    check(&server, "/entities/account/1?valid_as_of=2023-12-10T00:00:00Z", expect![[""]]).await;
    check(&server, "/entities/account/1?valid_as_of=2022-12-10T00:00:00Z", expect![[""]]).await;
    check(&server, "/entities/account/1?min_position=6&version=1", expect![[""]]).await;
    check(&server, "/entities/account/1?steps=true", expect![[""]]).await;
    check(&server, "/entities/account/2", expect![[""]]).await;
    check(&server, "/entities/account/3", expect![[""]]).await;
    check(&server, "/entities/account/x", expect![[""]]).await;
    check(&server, "/entities/accounts/1", expect![[""]]).await;
    check(&server, "/entities/account/1?version=2", expect![[""]]).await;
    check(&server, "/entities/account/1?as_of=2023-12-10T00:00:00Z", expect![[""]]).await;
    check(&server, "/entities/account/1?position=4&system_as_of=2023-12-10T00:00:00Z", expect![[""]]).await;
    check(&server, "/entities/account/1?position=99", expect![[""]]).await;
    check(&server, "/entities/account/1?verson=1", expect![[""]]).await;
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
        ("application/json", expect![[""]]),
        ("application/x-ndjson", expect![[""]]),
        ("text/csv", expect![[""]]),
        ("*/*", expect![[""]]),
    ] {
        let head = format!("Content-Type: text/plain\r\nAccept: {accept}\r\n");
        let answer = server.request("POST", "/sql", &head, sql.as_bytes()).await;
        let shown =
            format!("{} {}\n{}", answer.status, answer.header("content-type").unwrap(), answer.text());
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
        ("SELECT * FROM account AS OF POSITION 4", expect![[""]]),
        ("SELECT * FROM account", expect![[""]]),
        ("SELECT * FROM acount", expect![[""]]),
        ("UPDATE account SET balance = 0", expect![[""]]),
        ("SHOW STOPPED", expect![[""]]),
        ("SHOW NOTHING", expect![[""]]),
        ("INSERT INTO transactions VALUES (3, 1.5, '2024-01-01T00:00:00Z')", expect![[""]]),
        ("CREATE ENTITY account FROM transactions STATE (n INT) WHEN ANY THEN SET n = 1", expect![[""]]),
        ("CREATE ENTITY other FROM transactions STATE (n INT) WHEN ANY THEN SET n = m", expect![[""]]),
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
}
