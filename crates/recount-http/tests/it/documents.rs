//! Documents made from the code say what the code says. `UPDATE_EXPECT=1 cargo test -p recount-http` makes them anew.

use std::collections::BTreeSet;

use expect_test::expect_file;
use serde_json::Value;

use crate::server::Server;

#[test]
fn openapi_document_is_current() {
    expect_file!["../../../../docs/openapi.json"].assert_eq(&recount_http::openapi::document());
}

#[test]
fn metrics_document_is_current() {
    expect_file!["../../../../docs/metrics.md"].assert_eq(&recount_http::metrics::document());
}

#[tokio::test]
async fn every_described_endpoint_answers() {
    let server = Server::start().await;
    for statement in [
        "CREATE TOPIC n (n INT NOT NULL) KEY (n)",
        "CREATE ENTITY e FROM n STATE (s INT) WHEN ANY THEN SET s = n",
        "CREATE MATERIALIZED VIEW v AS SELECT n FROM n",
    ] {
        assert_eq!(server.post("/sql", "text/plain", statement).await.status, 200);
    }
    server.post("/topics/n/events", "application/json", r#"{"n": 1}"#).await;
    let document: Value = server.get("/openapi.json").await.json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let target = path
            .replace("{topic}", "t")
            .replace("{entity}", "e")
            .replace("{view}", "v")
            .replace("{key}", "1");
        for (method, operation) in methods.as_object().unwrap() {
            let answer = server.request(&method.to_uppercase(), &target, "", b"{}").await;
            assert!(![404, 405].contains(&answer.status), "{method} {path}");
            assert!(operation["responses"].get(answer.status.to_string()).is_some(), "{method} {path}");
        }
    }
}

#[test]
fn every_reference_is_defined() {
    let document: Value = serde_json::from_str(&recount_http::openapi::document()).unwrap();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.len() > 5);
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

fn collect<'a>(value: &'a Value, references: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn metrics_are_those_of_the_document() {
    let server = Server::start().await;
    server.append("k", "{}").await;
    let text = server.get("/metrics").await.text();
    let document = recount_http::metrics::document();
    let names: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let listed: BTreeSet<&str> =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(names, listed);
    for line in [
        "recount_head_position 2",
        "recount_http_requests_total{endpoint=\"appendToTopic\",status=\"2xx\"} 1",
        "recount_http_request_seconds_count{endpoint=\"appendToTopic\"} 1",
        "recount_http_request_seconds_bucket{endpoint=\"appendToTopic\",le=\"+Inf\"} 1",
        "recount_http_connections 1",
    ] {
        assert!(text.lines().any(|given| given == line), "{line} in {text}");
    }
}
