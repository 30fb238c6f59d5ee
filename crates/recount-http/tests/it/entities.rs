//! Entities and queries over HTTP.

use expect_test::{Expect, expect};

use crate::client::Connection;
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
    let behind = &listed["entities"][0]["behind"];
    assert_eq!((behind, &listed["entities"][0]["secondsLeft"]), (&0.into(), &0.into()), "it was just read");
    assert!(listed["entities"][0]["eventsPerSecond"].is_null());
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
                r#"404 {"detail":"there is no topic, entity or view acount. Do you mean account?","status":404,"title":"What is named does not exist","type":"urn:recount:problem:not-found"}"#
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
                r#"400 {"detail":"SHOW shows TOPICS, ENTITIES, VIEWS or STOPPED","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#
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

/// The other forms have no place for a notice, so that whoever reads them must find it in the head.
#[tokio::test]
async fn a_request_may_leave_stopped_keys_out() {
    let server = bank().await;
    let notice = "of account version 1, 1 key that stopped is left out: 2 (position 6). See SHOW STOPPED";
    for (target, sql) in [
        ("/sql?stopped=skip", "SELECT * FROM account"),
        ("/sql", "SET stopped = 'skip'; SELECT * FROM account"),
        (
            "/sql?stopped=skip",
            "SET stopped = 'fail'; SET stopped TO skip; SELECT * FROM account FOR SYSTEM_TIME ALL LIMIT 1",
        ),
    ] {
        for accept in ["application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream"] {
            let head = format!("Content-Type: text/plain\r\nAccept: {accept}\r\n");
            let answer = server.request("POST", target, &head, sql.as_bytes()).await;
            assert_eq!((answer.status, answer.header("recount-notice")), (200, Some(notice)), "{sql}");
        }
        let answer = server.post(target, "text/plain", sql).await;
        assert_eq!((answer.status, answer.header("recount-notice")), (200, None));
        assert_eq!(answer.json()["notices"], serde_json::json!([notice]));
        assert_eq!(answer.json()["rows"].as_array().map(Vec::len), Some(1));
    }
    let refused = [
        (
            "/sql?stopped=skip",
            "SET stopped = 'fail'; SELECT * FROM account",
            409,
            "account/2 stopped at position 6: nothing.",
        ),
        ("/sql", "SELECT * FROM account", 409, "account/2 stopped at position 6: nothing."),
        (
            "/sql",
            "SET stopped = 'skip'",
            400,
            "a setting holds for the statement behind it: SET stopped = 'skip'; SELECT …",
        ),
        (
            "/sql",
            "SET stopped = 'skip'; SELECT *\nFROM nothing",
            404,
            "there is no topic, entity or view nothing",
        ),
        ("/sql", "SET stopped = 'skip'; SELECT 1 1", 400, "line 1, column 32: "),
        (
            "/sql",
            "SELECT 1; SET stopped = 'skip'",
            400,
            "line 1, column 11: found SET after the end of the statement: run one statement at a time",
        ),
        ("/sql?stopped=1", "SELECT 1", 400, "the parameter stopped is \"1\", it must be fail or skip"),
    ];
    for (target, sql, status, detail) in refused {
        let answer = server.post(target, "text/plain", sql).await;
        let said = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(answer.status == status && said.starts_with(detail), "{sql}: {} {said}", answer.status);
    }
    let names = server.post("/sql", "text/plain", "CREATE TOPIC names (name TEXT NOT NULL) KEY (name)").await;
    assert_eq!(names.status, 200);
    server
        .post("/sql", "text/plain", "CREATE ENTITY named FROM names STATE (n INT) WHEN ANY THEN ERROR 'no'")
        .await;
    server.post("/topics/names/events", "application/json", r#"{"name": "50 % Ä\r\nX: y"}"#).await;
    let head = "Content-Type: text/plain\r\nAccept: text/csv\r\n";
    let answer = server.request("POST", "/sql?stopped=skip", head, b"SELECT * FROM named").await;
    let notice = answer.header("recount-notice").unwrap();
    assert!(notice.contains("left out: 50 %25 %C3%84%0D%0AX: y (position "), "{notice}");
}

/// A subscriber to changes.
pub(crate) struct Follower {
    connection: Connection,
    text: String,
}

impl Follower {
    pub(crate) async fn start(server: &Server, target: &str, head: &str) -> Follower {
        let mut connection = Connection::open(server.address).await;
        connection.request("GET", target, &format!("accept: text/event-stream\r\n{head}"), b"").await;
        let answer = connection.head().await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
        Follower { connection, text: String::new() }
    }

    /// The messages up to one with this word, likewise.
    pub(crate) async fn until(&mut self, word: &str) -> String {
        let mut shown = String::new();
        loop {
            let message = self.next(1).await;
            shown += &message;
            if message.contains(word) || message == "the end\n" {
                return shown;
            }
        }
    }

    /// The next messages, on one line each; those that there are if it ends.
    async fn next(&mut self, count: usize) -> String {
        let mut shown = String::new();
        for _ in 0..count {
            while !self.text.contains("\n\n") {
                let Some(chunk) = self.connection.chunk().await else { return shown + "the end\n" };
                self.text += std::str::from_utf8(&chunk).unwrap();
            }
            let end = self.text.find("\n\n").unwrap();
            let message: String = self.text.drain(..end + 2).collect();
            shown += &regex_free(&message.trim_end().replace('\n', " "));
            shown.push('\n');
        }
        shown
    }
}

async fn transaction(server: &Server, account: u32, amount: &str, time: u64) {
    let event = format!(r#"{{"accountId": {account}, "amount": {amount}, "timestamp": {time}}}"#);
    assert_eq!(server.post("/topics/transactions/events", "application/json", &event).await.status, 201);
}

#[tokio::test]
async fn changes_are_followed() {
    let server = bank().await;
    let mut all = Follower::start(&server, "/entities/account", "").await;
    expect![[r#"
        id: 1.0:4 data: {"position":4,"appendTime":"TIME","eventTime":"2023-12-01T12:00:00Z","key":"1","row":{"accountid":1,"balance":100.00}}
        id: 1.0:5 data: {"position":5,"appendTime":"TIME","eventTime":"2023-12-13T12:00:00Z","key":"1","row":{"accountid":1,"balance":79.50}}
        id: 1.0:6 data: {"position":6,"appendTime":"TIME","eventTime":"2023-12-13T12:00:00Z","key":"2","row":null,"stopped":{"position":6,"reason":"nothing"}}
        event: caught-up id: 1.0:6 data: {"position":6}
    "#]].assert_eq(&all.next(4).await);
    let mut one = Follower::start(&server, "/entities/account/1?after=4", "").await;
    expect![[r#"
        id: 1.0:5 data: {"position":5,"appendTime":"TIME","eventTime":"2023-12-13T12:00:00Z","key":"1","row":{"accountid":1,"balance":79.50}}
        event: caught-up id: 1.0:6 data: {"position":6}
    "#]].assert_eq(&one.next(2).await);
    transaction(&server, 3, "7", 1_702_468_800).await;
    expect![[r#"
        event: caught-up id: 1.0:7 data: {"position":7}
    "#]]
    .assert_eq(&one.next(1).await);
    let told = all.next(2).await;
    assert!(told.starts_with("id: 1.0:7 ") && told.contains("caught-up id: 1.0:7 "), "{told}");
    transaction(&server, 1, "-9.5", 1_702_468_900).await;
    expect![[r#"
        id: 1.0:8 data: {"position":8,"appendTime":"TIME","eventTime":"2023-12-13T12:01:40Z","key":"1","row":{"accountid":1,"balance":70.00}}
        event: caught-up id: 1.0:8 data: {"position":8}
    "#]].assert_eq(&one.next(2).await);
    let told = all.next(2).await;
    assert!(told.starts_with("id: 1.0:8 ") && told.contains("caught-up id: 1.0:8 "), "{told}");
    for (last, expected) in [("1.0:6", "7"), ("1.0:7", "8"), ("1.0:8", "caught-up")] {
        let mut resumed =
            Follower::start(&server, "/entities/account", &format!("last-event-id: {last}\r\n")).await;
        assert!(resumed.next(1).await.contains(expected), "{last}");
    }
    let replace =
        "CREATE OR REPLACE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
        WHEN ANY THEN SET balance = balance + amount";
    assert_eq!(server.post("/sql", "text/plain", replace).await.status, 200);
    let told = one.next(100).await;
    assert!(told.ends_with("\"reason\":\"version 2 answers now\"}\nthe end\n"), "{told}");
    let answer = server
        .request("GET", "/entities/account", "accept: text/event-stream\r\nlast-event-id: 1.0:8\r\n", b"")
        .await;
    assert_eq!(
        (answer.status, answer.json()["type"].as_str()),
        (409, Some("urn:recount:problem:folded-anew"))
    );
    assert_eq!(answer.json()["version"], 2);
    let mut pinned =
        Follower::start(&server, "/entities/account?version=1", "last-event-id: 1.0:7\r\n").await;
    assert!(pinned.next(1).await.contains("id: 1.0:8 "));
    let stopped = server.stop();
    assert!(pinned.next(100).await.ends_with("the end\n"));
    stopped.await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused() {
    let server = bank().await;
    let events = "accept: text/event-stream\r\n";
    for (target, head, status, detail) in [
        (
            "/entities/account/1",
            "last-event-id: 12\r\n",
            400,
            "Last-Event-ID is \"12\": it is not a place such as 1.0:12",
        ),
        (
            "/entities/account",
            "last-event-id: 1.0:99\r\n",
            400,
            "position 99 does not exist yet: the newest is 6",
        ),
        ("/entities/account?after=99", "", 400, "position 99 does not exist yet: the newest is 6"),
        (
            "/entities/account?after=9&from=9",
            "",
            400,
            "from and after both say where to begin: give one of them",
        ),
        (
            "/entities/account?position=4",
            "",
            400,
            "changes go on: position is for reads. Give from or after, a position",
        ),
        (
            "/entities/account?limit=4",
            "",
            400,
            "there is no parameter \"limit\" here; there are version, from, after",
        ),
        ("/entities/account/x", "", 400, "\"x\" is not a key: it is of accountid BIGINT"),
        ("/entities/acount", "", 404, "there is no entity acount"),
        ("/entities/account?version=2", "", 404, "entity account has no version 2: it has 1"),
    ] {
        let answer = server.request("GET", target, &format!("{events}{head}"), b"").await;
        let said = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(answer.status == status && said.starts_with(detail), "{target}: {} {said}", answer.status);
    }
    // A read does not resume.
    for target in ["/entities/account", "/entities/account/1"] {
        let answer = server.request("GET", target, "last-event-id: 1.0:4\r\n", b"").await;
        assert_eq!(answer.status, 400, "{target}");
    }
    let shown = server.get("/entities/account?version=1").await.json();
    assert_eq!(
        (shown["entities"][0]["name"].as_str(), shown["entities"][0]["version"].as_u64()),
        (Some("account"), Some(1))
    );
    assert_eq!(server.get("/entities/acount").await.status, 404);
    assert_eq!(server.get("/entities/account?after=1").await.status, 400);
}
