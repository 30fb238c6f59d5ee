//! Whatever is sent, the answer is a success or a problem, and never the server's fault.

use recount_env::block_on;

use crate::server::Server;

#[tokio::test]
async fn problems_say_what_and_where() {
    let server = Server::start().await;
    for (method, target, status, name) in [
        ("GET", "/", 404, "no-such-path"),
        ("GET", "/topics/t/events/1", 404, "no-such-path"),
        ("DELETE", "/topics/t", 405, "no-such-method"),
        ("POST", "/events", 405, "no-such-method"),
        ("GET", "/topics/none/events", 404, "not-found"),
        ("GET", "/events?as_of=1", 400, "bad-request"),
        ("POST", "/topics/t/events", 400, "bad-event"),
    ] {
        let answer = server.request(method, target, "", b"").await;
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:recount:problem:{name}"));
        assert!(problem["title"].is_string() && problem["detail"].is_string());
    }
    let answer = server.request("DELETE", "/topics/t/events", "", b"").await;
    let mut allowed: Vec<&str> = answer.header("allow").unwrap().split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
}

#[tokio::test]
async fn no_input_is_the_servers_fault() {
    let server = Server::start().await;
    let deep = "[".repeat(100_000);
    let long_key = format!("/topics/t/events?key={}", "k".repeat(65_000));
    for (target, content_type, body) in [
        ("/topics/t/events", "application/json", ""),
        ("/topics/t/events", "application/json", "{"),
        ("/topics/t/events", "application/json", "nul"),
        ("/topics/t/events", "application/json", "[1,"),
        ("/topics/t/events", "application/json", "[] x"),
        ("/topics/t/events", "application/json", "[]"),
        ("/topics/t/events", "application/json", deep.as_str()),
        ("/topics/t/events", "application/json", "\"\\ud800\""),
        ("/topics/t/events", "application/x-ndjson", "\n\n"),
        ("/topics/t/events", "application/x-ndjson", "{}\n}"),
        (long_key.as_str(), "application/json", "{"),
        ("/topics/none/events", "application/json", "{}"),
        ("/append", "application/json", deep.as_str()),
        ("/append", "application/json", "{\"events\":[{\"topic\":\"t\",\"data\":[[[[}]}"),
        (
            "/append",
            "application/json",
            "{\"events\":[{\"topic\":\"t\",\"data\":1e999999}],\"conditions\":{}}",
        ),
        ("/sql", "text/plain", ""),
        ("/sql", "text/plain", "CREATE TOPIC _x"),
        ("/sql", "text/plain", deep.as_str()),
        ("/sql", "text/plain", "CREATE TOPIC \"\u{0}\""),
        ("/sql", "application/json", "{\"sql\":1}"),
    ] {
        let answer = server.post(target, content_type, body).await;
        let body: String = body.chars().take(40).collect();
        assert!((400..500).contains(&answer.status), "{target} {body}: {} {}", answer.status, answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{target} {body}");
    }
}

#[tokio::test]
async fn a_header_that_is_wrong_is_named() {
    let server = Server::start().await;
    for (head, name) in [
        ("recount-expected-revision: new\r\n", "recount-expected-revision"),
        ("recount-expected-revision: 1\r\nrecount-expected-revision: 2\r\n", "recount-expected-revision"),
        ("ce-time: noon\r\n", "ce-time"),
        ("ce-id: %\r\n", "ce-id"),
        ("recount-tags: x\r\n", "recount-tags"),
        ("recount-tags: a:%zz\r\n", "recount-tags"),
    ] {
        let answer = server.request("POST", "/topics/t/events?key=k", head, b"{}").await;
        assert_eq!(answer.status, 400, "{head}");
        assert!(answer.text().contains(name), "{head}: {}", answer.text());
    }
    let several = server.request("POST", "/topics/t/events", "ce-id: a\r\n", b"[1,2]").await;
    assert_eq!(several.status, 400);
}

#[tokio::test]
async fn a_closed_database_is_not_ready() {
    let server = Server::start().await;
    assert_eq!(server.get("/health/ready").await.json()["position"], 1);
    let store = server.store.clone();
    tokio::task::spawn_blocking(move || block_on(store.close())).await.unwrap().unwrap();
    let answer = server.post("/topics/t/events", "application/json", "{}").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, None));
    assert_eq!(server.get("/health/ready").await.status, 503);
    assert_eq!(server.get("/health/live").await.status, 200);
}
