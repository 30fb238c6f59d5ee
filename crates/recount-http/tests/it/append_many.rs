//! `POST /append`.

use serde_json::{Value, json};

use crate::client::Answer;
use crate::server::Server;

async fn append(server: &Server, body: Value) -> Answer {
    server.post("/append", "application/json", body.to_string()).await
}

#[tokio::test]
async fn several_streams_and_topics_go_together() {
    let server = Server::start().await;
    assert_eq!(server.post("/sql", "text/plain", "CREATE TOPIC u").await.json()["position"], 2);
    let answer = append(
        &server,
        json!({
            "events": [
                { "topic": "t", "key": "1", "data": {"amount": -5}, "type": "Paid", "id": "x", "tags": ["c:1"],
                  "time": "2023-12-13T12:00:00Z", "headers": [["trace", "a%FF"]] },
                { "topic": "u", "key": "%C3%A9", "dataBase64": "AP8=", "contentType": "image/png" },
                { "topic": "u", "data": null },
                { "topic": "u", "data": "é", "contentType": "application/json; charset=utf-8" },
            ],
            "conditions": [
                { "stream": "t/1", "expected": "no-stream" },
                { "stream": "t/2", "expected": "any" },
                { "noMatch": { "topics": ["t"], "items": [{ "types": ["Paid"], "tags": ["c:1"] }] }, "after": 0 },
            ],
        }),
    )
    .await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(
        answer.json()["events"],
        json!([
            { "position": 3, "stream": "t/1", "revision": 0 },
            { "position": 4, "stream": "u/%C3%A9", "revision": 0 },
            { "position": 5 },
            { "position": 6 },
        ])
    );
    let events = server.get("/events").await.json()["events"].clone();
    assert_eq!(events[0]["headers"], json!([["trace", "a%FF"]]));
    assert_eq!(events[0]["data"], json!({"amount": -5}));
    assert_eq!((&events[1]["key"], &events[1]["dataBase64"]), (&"%C3%A9".into(), &"AP8=".into()));
    assert_eq!(events[2].get("data"), Some(&Value::Null));
    assert_eq!(events[3].get("data"), Some(&"é".into()));
}

#[tokio::test]
async fn all_or_none_under_conditions() {
    let server = Server::start().await;
    server.append("1", "{}").await;
    let events = json!([{ "topic": "t", "key": "2", "data": {}, "tags": ["c:7"] }]);
    let stale =
        append(&server, json!({ "events": events, "conditions": [{ "stream": "t/1", "expected": 4 }] }))
            .await;
    assert_eq!((stale.status, stale.json()["actual"].as_u64()), (409, Some(0)));
    assert_eq!(append(&server, json!({ "events": events })).await.status, 201);
    let matched = append(
        &server,
        json!({ "events": events, "conditions": [{ "noMatch": { "items": [{ "tags": ["c:7"] }] }, "after": 2 }] }),
    )
    .await;
    let problem = matched.json();
    assert_eq!(
        (matched.status, problem["after"].as_u64(), problem["position"].as_u64()),
        (409, Some(2), Some(3))
    );
    let mixed = append(&server, json!({ "events": [events[0], { "topic": "none", "data": {} }] })).await;
    assert_eq!((mixed.status, mixed.json()["topic"].as_str()), (404, Some("none")));
    assert_eq!(server.get("/topics/t/events").await.positions(), [2, 3]);
}

#[tokio::test]
async fn what_is_wrong_is_said_and_where() {
    let server = Server::start().await;
    for (body, status, part) in [
        (json!({}), 400, "missing field `events`"),
        (json!({ "events": [] }), 400, "no events"),
        (json!({ "events": [{ "topic": "t" }] }), 400, "event 0: it has no data"),
        (json!({ "events": [{ "topic": "t", "data": 1, "dataBase64": "" }] }), 400, "give one of them"),
        (json!({ "events": [{ "topic": "a b", "data": {} }] }), 400, "event 0: \"a b\" is not a topic name"),
        (json!({ "events": [{ "topic": "t", "data": {}, "key": "%" }] }), 400, "write % as %25"),
        (json!({ "events": [{ "topic": "t", "data": {}, "time": "now" }] }), 400, "\"now\" is not a time"),
        (json!({ "events": [{ "topic": "t", "dataBase64": "A" }] }), 400, "not base64"),
        (json!({ "events": [{ "topic": "t", "data": {}, "tag": [] }] }), 400, "unknown field `tag`"),
        (
            json!({ "events": [{ "topic": "t", "data": {} }], "conditions": [{ "after": 1 }] }),
            400,
            "condition 0",
        ),
        (
            json!({ "events": [{ "topic": "t", "data": {} }], "conditions": [{ "stream": "t/1", "expected": -1 }] }),
            400,
            "the body is not an append",
        ),
        (json!({ "events": [{ "topic": "_catalog", "data": {} }] }), 403, "belongs to the system"),
    ] {
        let answer = append(&server, body.clone()).await;
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, status, "{body}: {detail}");
        assert!(detail.contains(part), "{body}: {detail}");
    }
    assert_eq!(server.post("/append", "text/plain", "{}").await.status, 415);
    assert_eq!(server.store.head().0, 1);
}
