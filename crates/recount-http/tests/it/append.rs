//! `POST /topics/{topic}/events`.

use recount_env::block_on;
use recount_store::{ReadRequest, Scope};

use crate::server::Server;

async fn payloads(server: &Server) -> Vec<String> {
    let store = server.store.clone();
    let read = move || {
        block_on(async {
            let mut cursor = store.read(ReadRequest::all(Scope::Topic("t".parse().unwrap()))).await.unwrap();
            let mut payloads = Vec::new();
            while let Some(event) = cursor.next().await.unwrap() {
                payloads.push(String::from_utf8(event.payload.to_vec()).unwrap());
            }
            payloads
        })
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

#[tokio::test]
async fn one_payload_is_answered_with_where_it_went() {
    let server = Server::start().await;
    let answer =
        server.post("/topics/t/events?key=1", "application/json; charset=utf-8", r#" {"a": 1.0 } "#).await;
    assert_eq!(answer.status, 201);
    let mut json = answer.json();
    let time = json["appendTime"].take();
    assert!(time.as_str().unwrap().ends_with('Z'));
    assert_eq!(
        json.to_string(),
        r#"{"appendTime":null,"duplicate":false,"events":[{"position":2,"revision":0,"stream":"t/1"}],"position":2}"#
    );
    let answer = server.post("/topics/t/events", "application/json", r#"{"a":2}"#).await;
    assert_eq!(answer.json()["events"].to_string(), r#"[{"position":3}]"#);
    assert_eq!(payloads(&server).await, [r#"{"a": 1.0 }"#, r#"{"a":2}"#]);
}

#[tokio::test]
async fn many_payloads_are_kept_byte_for_byte() {
    let server = Server::start().await;
    let body = r#"[ {"n": 1e2} , {"n":0.10} ]"#;
    let answer = server.post("/topics/t/events?key=k", "application/json", body).await;
    assert_eq!((answer.status, answer.json()["position"].as_u64()), (201, Some(3)));
    let body = "{\"n\":3}\r\n\n  {\"n\": 4}";
    let answer = server.post("/topics/t/events?key=k", "application/x-ndjson", body).await;
    assert_eq!(answer.json()["events"][1]["revision"], 3);
    assert_eq!(payloads(&server).await, [r#"{"n": 1e2}"#, r#"{"n":0.10}"#, r#"{"n":3}"#, r#"{"n": 4}"#]);
}

#[tokio::test]
async fn other_types_are_opaque() {
    let server = Server::start().await;
    let answer = server.post("/topics/t/events?key=k", "image/png", [0, 255]).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let event = &server.get("/streams/t/k").await.json()["events"][0];
    assert_eq!(
        (event["dataBase64"].as_str(), event["contentType"].as_str()),
        (Some("AP8="), Some("image/png"))
    );
    let answer = server.post("/topics/t/events", "application/x-www-form-urlencoded", "a=1").await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn keys_are_bytes() {
    let server = Server::start().await;
    for (key, path) in
        [("a%2Fb", "a/b"), ("%FF%00", "%ff%00"), ("a+b", "a%20b"), ("", ""), ("50%25", "50%25")]
    {
        server.append(key, "{}").await;
        let page = server.get(&format!("/streams/t/{path}")).await;
        assert_eq!(page.positions().len(), 1, "{key}");
    }
}

#[tokio::test]
async fn headers_say_id_type_time_and_tags() {
    let server = Server::start().await;
    let head = "ce-id: a%20b\r\nce-type: Paid\r\nce-time: 2023-12-13T12:00:00+01:00\r\nrecount-tags: c:1, d:x%2Cy\r\n";
    let answer = server.request("POST", "/topics/t/events?key=k", head, b"{}").await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let event = &server.get("/streams/t/k").await.json()["events"][0];
    assert_eq!(
        (&event["id"], &event["type"], &event["eventTime"], &event["tags"]),
        (&"a b".into(), &"Paid".into(), &"2023-12-13T11:00:00Z".into(), &serde_json::json!(["c:1", "d:x,y"]))
    );
    // The same again is the same append.
    let again = server.request("POST", "/topics/t/events?key=k", head, b"{}").await;
    assert_eq!((again.status, again.json()["duplicate"].as_bool()), (200, Some(true)));
    assert_eq!(again.json()["events"], answer.json()["events"]);
    // The same id for something else is not.
    let other = server.request("POST", "/topics/t/events?key=k", head, b"{\"x\":1}").await;
    assert_eq!((other.status, other.json()["id"].as_str()), (409, Some("a b")));
}

#[tokio::test]
async fn an_expected_revision_is_held() {
    let server = Server::start().await;
    let append = async |expected: &str| {
        let head = format!("recount-expected-revision: {expected}\r\n");
        server.request("POST", "/topics/t/events?key=k", &head, b"{}").await
    };
    assert_eq!(append("exists").await.status, 409);
    assert_eq!(append("no-stream").await.status, 201);
    assert_eq!(append("0").await.status, 201);
    assert_eq!(append("any").await.status, 201);
    let refused = append("1").await;
    assert_eq!(refused.status, 409);
    let problem = refused.json();
    assert_eq!(problem["type"], "urn:recount:problem:wrong-revision");
    assert_eq!(
        (&problem["stream"], &problem["expected"], &problem["actual"]),
        (&"t/k".into(), &1.into(), &2.into())
    );
    let nowhere = server.request("POST", "/topics/t/events", "recount-expected-revision: 0\r\n", b"{}").await;
    assert_eq!(nowhere.status, 400);
}

#[tokio::test]
async fn cloud_events_come_in_every_mode() {
    let server = Server::start().await;
    let one = |id: &str, more: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"/bank","type":"Paid","data":{{"n": 1.0}}{more}}}"#
        )
    };
    let structured = "application/cloudevents+json; charset=utf-8";
    let answer = server.post("/topics/t/events?key=k", structured, one("a", "")).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let batch =
        format!("[{},\n{}]", one("b", r#","partitionkey":"k""#), one("c", r#","partitionkey":"other""#));
    let answer = server.post("/topics/t/events", "application/cloudevents-batch+json", batch).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let head =
        "ce-specversion: 1.0\r\nce-id: d\r\nce-source: /bank\r\nce-type: Paid\r\nce-partitionkey: k\r\n";
    let answer = server.request("POST", "/topics/t/events", head, br#"{"n": 1.0}"#).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let events = server.get("/streams/t/k").await.json()["events"].clone();
    for (event, id) in events.as_array().unwrap().iter().zip(["a", "b", "d"]) {
        assert_eq!((event["id"].as_str(), event["type"].as_str()), (Some(id), Some("Paid")));
        assert_eq!(event["headers"].to_string(), r#"[["ce_source","/bank"]]"#);
        assert_eq!(event["data"].to_string(), r#"{"n":1.0}"#);
    }
    assert_eq!(events.as_array().unwrap().len(), 3);
    for (target, content_type, body) in [
        ("/topics/t/events", structured, one("e", "").replace("1.0", "0.3")),
        ("/topics/t/events", structured, "[]".to_owned()),
        ("/topics/t/events?key=x", structured, one("e", r#","partitionkey":"k""#)),
        ("/topics/t/events", "application/cloudevents-batch+json", one("e", "")),
    ] {
        assert_eq!(server.post(target, content_type, &body).await.status, 400, "{body}");
    }
}
