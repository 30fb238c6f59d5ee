//! Limits, and stopping.

use std::time::Duration;

use recount_http::Limits;

use crate::client::Connection;
use crate::server::Server;

#[tokio::test]
async fn a_large_body_is_refused() {
    let server = Server::start().await;
    let body = vec![b' '; (8 << 20) + 1];
    // Announced as too large: refused before it is sent.
    let mut connection = Connection::open(server.address).await;
    let head = format!("POST /append HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    connection.send(head.as_bytes()).await;
    let answer = connection.answer().await;
    assert_eq!((answer.status, answer.json()["bytesMax"].as_u64()), (413, Some(8 << 20)));
    // Not announced.
    let mut connection = Connection::open(server.address).await;
    connection.send(b"POST /append HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    connection.send(format!("{:x}\r\n", body.len()).as_bytes()).await;
    connection.send(&body).await;
    assert_eq!(connection.answer().await.status, 413);
}

#[tokio::test]
async fn too_many_events_are_refused() {
    let server = Server::start().await;
    let lines = "1\n".repeat(10_001);
    let array = format!("[{}1]", "1,".repeat(10_000));
    for (content_type, body) in [("application/x-ndjson", lines), ("application/json", array)] {
        let answer = server.post("/topics/t/events", content_type, body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("more than 10000"), "{}", answer.text());
    }
    let one = r#"{"topic":"t","data":1},"#;
    let body = format!("{{\"events\":[{}{}]}}", one.repeat(10_000), one.trim_end_matches(','));
    let answer = server.post("/append", "application/json", body).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("more than 10000"), "{}", answer.text());
    assert_eq!(server.store.head().0, 1);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_so() {
    let server = Server::with(Limits { connections_max: 2, ..Limits::default() }).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut connection = Connection::open(server.address).await;
        connection.request("GET", "/health/live", "", b"").await;
        assert_eq!(connection.answer().await.status, 200);
        held.push(connection);
    }
    let answer = server.get("/health/live").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    drop(held);
    while server.get("/health/live").await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let server = Server::with(Limits { head_timeout: Duration::from_millis(50), ..Limits::default() }).await;
    let mut connection = Connection::open(server.address).await;
    connection.send(b"GET /health/live HTTP/1.1\r\nhost").await;
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn stopping_answers_what_was_asked_and_nothing_more() {
    let server = Server::start().await;
    let address = server.address;
    let mut idle = Connection::open(address).await;
    idle.request("GET", "/health/ready", "", b"").await;
    assert_eq!(idle.answer().await.status, 200);
    // A request whose body is still to come.
    let mut running = Connection::open(address).await;
    running
        .send(
            b"POST /topics/t/events HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n",
        )
        .await;
    assert_eq!(running.head().await.status, 100);
    let stopped = server.stop();
    assert!(idle.is_closed().await);
    running.send(b"{}").await;
    let answer = running.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (201, Some("close")));
    stopped.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn requests_that_do_not_end_are_left_behind() {
    let server = Server::with(Limits { drain_timeout: Duration::from_millis(50), ..Limits::default() }).await;
    let mut running = Connection::open(server.address).await;
    running
        .send(
            b"POST /topics/t/events HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n",
        )
        .await;
    assert_eq!(running.head().await.status, 100);
    server.stop().await.unwrap();
}
