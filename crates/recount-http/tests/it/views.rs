//! Views over HTTP.

use expect_test::{Expect, expect};

use crate::entities::Follower;
use crate::server::Server;

async fn bank() -> Server {
    let server = Server::start().await;
    for statement in [
        "CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL, note TEXT, timestamp TIMESTAMPTZ NOT NULL UNIT SECONDS)
           KEY (accountId) TIMESTAMP BY timestamp",
        "CREATE MATERIALIZED VIEW balances AS SELECT accountid, sum(amount) AS balance, max(note) AS \"the note\" FROM transactions GROUP BY accountid",
    ] {
        assert_eq!(server.post("/sql", "text/plain", statement).await.status, 200);
    }
    for (account, amount, note, time) in
        [(1, "100", "a", 1_701_432_000), (1, "-20.5", "it's", 1_702_468_800), (2, "7", "b", 1_702_468_800)]
    {
        let event = format!(
            r#"{{"accountId": {account}, "amount": {amount}, "note": "{note}", "timestamp": {time}}}"#
        );
        assert_eq!(server.post("/topics/transactions/events", "application/json", &event).await.status, 201);
    }
    server
}

async fn check(server: &Server, target: &str, expected: Expect) {
    let answer = server.get(target).await;
    expected.assert_eq(&format!("{} {}", answer.status, answer.text()));
}

#[tokio::test]
async fn rows_of_a_view() {
    let server = bank().await;
    check(&server, "/views/balances", expect![[r#"
        200 {"position":6,"columns":[{"name":"accountid","type":"BIGINT"},{"name":"balance","type":"DECIMAL(28,2)"},{"name":"the note","type":"TEXT"}],"rows":[[1,79.50,"it's"],[2,7.00,"b"]],"notices":[]}
    "#]]).await;
    check(&server, "/views/balances?accountid=1", expect![[r#"
        200 {"position":6,"columns":[{"name":"accountid","type":"BIGINT"},{"name":"balance","type":"DECIMAL(28,2)"},{"name":"the note","type":"TEXT"}],"rows":[[1,79.50,"it's"]],"notices":[]}
    "#]]).await;
    check(&server, "/views/balances?the+note=it's&accountid=1", expect![[r#"
        200 {"position":6,"columns":[{"name":"accountid","type":"BIGINT"},{"name":"balance","type":"DECIMAL(28,2)"},{"name":"the note","type":"TEXT"}],"rows":[[1,79.50,"it's"]],"notices":[]}
    "#]]).await;
    check(&server, "/views/balances?limit=1&offset=1&position=5", expect![[r#"
        200 {"position":5,"columns":[{"name":"accountid","type":"BIGINT"},{"name":"balance","type":"DECIMAL(28,2)"},{"name":"the note","type":"TEXT"}],"rows":[],"notices":[]}
    "#]]).await;
    check(&server, "/views/balances?position=3", expect![[r#"
        200 {"position":3,"columns":[{"name":"accountid","type":"BIGINT"},{"name":"balance","type":"DECIMAL(28,2)"},{"name":"the note","type":"TEXT"}],"rows":[],"notices":[]}
    "#]]).await;
    check(&server, "/views/balances?valid_as_of=2023-12-10T00:00:00Z", expect![[r#"
        200 {"position":6,"columns":[{"name":"accountid","type":"BIGINT"},{"name":"balance","type":"DECIMAL(28,2)"},{"name":"the note","type":"TEXT"}],"rows":[[1,100.00,"a"]],"notices":[]}
    "#]]).await;
    check(&server, "/views/balances?accountid=one", expect![[r#"400 {"detail":"Cast error: Cannot cast string 'one' to value of Int64 type","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#]]).await;
    check(&server, "/views/balances?account=1", expect![[r#"400 {"detail":"there is no parameter \"account\" here; there are accountid, balance, the note, position, system_as_of, valid_as_of, min_position, stopped, limit, offset","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#]]).await;
    check(&server, "/views/balances?limit=1000000", expect![[r#"400 {"detail":"the parameter limit is \"1000000\", it must be a number of rows, at most 100000","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#]]).await;
    check(&server, "/views/balances?position=3&system_as_of=2023-12-10T00:00:00Z", expect![[r#"400 {"detail":"position and system_as_of both say as of when: give one of them","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#]]).await;
    check(&server, "/views/balances?as_of=2023-12-10T00:00:00Z", expect![[r#"400 {"detail":"as_of leaves open which time is meant. system_as_of: as recorded by that time; valid_as_of: as true at that time. Or give position: as of that position","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#]]).await;
    check(&server, "/views/transactions", expect![[r#"404 {"detail":"there is no view transactions","status":404,"title":"What is named does not exist","type":"urn:recount:problem:not-found"}"#]]).await;
    check(&server, "/views/nothing", expect![[r#"404 {"detail":"there is no view nothing","status":404,"title":"What is named does not exist","type":"urn:recount:problem:not-found"}"#]]).await;
    let listed = server.get("/views").await.json();
    let view = &listed["views"][0];
    assert_eq!((&view["name"], &view["rows"], &view["behind"]), (&"balances".into(), &2.into(), &0.into()));
    assert_eq!((&view["secondsLeft"], &view["error"]), (&0.into(), &serde_json::Value::Null));
    assert_eq!((&view["state"], &view["columns"][1]["type"]), (&"live".into(), &"DECIMAL(28,2)".into()));
    assert_eq!(view["topics"], serde_json::json!(["transactions"]));
}

/// All rows, then each change with its append; resumed where it was; ended when the view is of another query.
#[tokio::test]
async fn changes_of_a_view() {
    let server = bank().await;
    let mut changes = Follower::start(&server, "/views/balances", "").await;
    let first = changes.until("caught-up").await;
    expect![[r#"
        data: {"position":6,"weight":1,"row":{"accountid":1,"balance":79.50,"the note":"it's"}}
        data: {"position":6,"weight":1,"row":{"accountid":2,"balance":7.00,"the note":"b"}}
        event: caught-up id: 3:6 data: {"position":6}
    "#]]
    .assert_eq(&first);
    let append = async |events: &str| {
        assert_eq!(server.post("/topics/transactions/events", "application/json", events).await.status, 201);
    };
    append(r#"[{"accountId": 2, "amount": 1, "timestamp": 1702468800}, {"accountId": 3, "amount": 5, "timestamp": 1702468800}]"#).await;
    let second = changes.until("caught-up").await;
    expect![[r#"
        id: 3:6+1 data: {"position":8,"weight":-1,"row":{"accountid":2,"balance":7.00,"the note":"b"}}
        id: 3:6+2 data: {"position":8,"weight":1,"row":{"accountid":2,"balance":8.00,"the note":"b"}}
        id: 3:8 data: {"position":8,"weight":1,"row":{"accountid":3,"balance":5.00,"the note":null}}
        event: caught-up id: 3:8 data: {"position":8}
    "#]]
    .assert_eq(&second);
    append(r#"{"accountId": 3, "amount": -5, "timestamp": 1702468800}"#).await;
    expect![[r#"
        id: 3:8+1 data: {"position":9,"weight":1,"row":{"accountid":3,"balance":0.00,"the note":null}}
        id: 3:9 data: {"position":9,"weight":-1,"row":{"accountid":3,"balance":5.00,"the note":null}}
        event: caught-up id: 3:9 data: {"position":9}
    "#]]
    .assert_eq(&changes.until("caught-up").await);
    drop(changes);
    let resumed = async |place: &str| {
        let head = format!("last-event-id: {place}\r\n");
        Follower::start(&server, "/views/balances", &head).await
    };
    // In the middle of an append, and behind it; then one that is of another query, or of before what is kept.
    expect![[r#"
        id: 3:6+2 data: {"position":8,"weight":1,"row":{"accountid":2,"balance":8.00,"the note":"b"}}
        id: 3:8 data: {"position":8,"weight":1,"row":{"accountid":3,"balance":5.00,"the note":null}}
        id: 3:8+1 data: {"position":9,"weight":1,"row":{"accountid":3,"balance":0.00,"the note":null}}
        id: 3:9 data: {"position":9,"weight":-1,"row":{"accountid":3,"balance":5.00,"the note":null}}
        event: caught-up id: 3:9 data: {"position":9}
    "#]]
    .assert_eq(&resumed("3:6+1").await.until("caught-up").await);
    expect![[r#"
        id: 3:8+1 data: {"position":9,"weight":1,"row":{"accountid":3,"balance":0.00,"the note":null}}
        id: 3:9 data: {"position":9,"weight":-1,"row":{"accountid":3,"balance":5.00,"the note":null}}
        event: caught-up id: 3:9 data: {"position":9}
    "#]]
    .assert_eq(&resumed("3:8").await.until("caught-up").await);
    expect![[r#"
        event: ended data: {"position":8,"reason":"the view is of another query now"}
    "#]]
    .assert_eq(&resumed("2:8").await.until("ended").await);
    expect![[r#"
        event: ended data: {"position":5,"reason":"it is so far behind that the changes are not kept any more"}
    "#]].assert_eq(&resumed("3:5").await.until("ended").await);
    let mut changes = resumed("3:9").await;
    changes.until("caught-up").await;
    let replaced = "CREATE OR REPLACE MATERIALIZED VIEW balances AS SELECT accountid FROM transactions";
    assert_eq!(server.post("/sql", "text/plain", replaced).await.status, 200);
    let told = changes.until("ended").await;
    // Its position may be told of before.
    let ended = told.lines().last().unwrap_or_default();
    assert!(ended.contains("\"reason\":\"the view is of another query now\""), "{told}");
    let refused = async |target: &str, head: &str| {
        let head = format!("accept: text/event-stream\r\n{head}");
        let answer = server.request("GET", target, &head, b"").await;
        format!("{} {}\n", answer.status, answer.json()["detail"].as_str().unwrap_or_default())
    };
    let said = [
        refused("/views/balances", "last-event-id: 12\r\n").await,
        refused("/views/balances", "last-event-id: 3:99\r\n").await,
        refused("/views/balances?position=4", "").await,
        refused("/views/nothing", "").await,
    ];
    expect![[r#"
        400 Last-Event-ID is "12": it is not a place such as 3:12, which changes have for an id
        400 position 99 does not exist yet: the newest is 10
        400 changes go on: position is for reads. They begin with all rows, or behind Last-Event-ID
        404 there is no view nothing
    "#]]
    .assert_eq(&said.concat());
    check(&server, "/views/balances?limit=1&position=x", expect![[r#"400 {"detail":"the parameter position is \"x\", it must be a position: digits, at most 9223372036854775807","status":400,"title":"The request is wrong","type":"urn:recount:problem:bad-request"}"#]]).await;
}
