//! Subscriptions.

use std::collections::VecDeque;

use crate::client::Connection;
use crate::server::Server;

/// A subscriber.
struct Follower {
    connection: Connection,
    text: String,
    messages: VecDeque<String>,
}

impl Follower {
    async fn start(server: &Server, target: &str, head: &str) -> Follower {
        let mut connection = Connection::open(server.address).await;
        connection.request("GET", target, &format!("accept: text/event-stream\r\n{head}"), b"").await;
        let answer = connection.head().await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
        Follower { connection, text: String::new(), messages: VecDeque::new() }
    }

    /// The next message: `12` for an event, `=12` for caught up, both with the id checked; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        while self.messages.is_empty() {
            self.text += std::str::from_utf8(&self.connection.chunk().await?).unwrap();
            while let Some(end) = self.text.find("\n\n") {
                let message: String = self.text.drain(..end + 2).collect();
                self.messages.push_back(message);
            }
        }
        let message = self.messages.pop_front().unwrap();
        let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let data: serde_json::Value = serde_json::from_str(field("data: ")).unwrap();
        assert_eq!(field("id: "), data["position"].to_string());
        let mark = if field("event: ") == "caught-up" { "=" } else { "" };
        Some(format!("{mark}{}", data["position"]))
    }

    async fn expect(&mut self, messages: &[&str]) {
        for expected in messages {
            assert_eq!(self.next().await.as_deref(), Some(*expected));
        }
    }
}

#[tokio::test]
async fn catches_up_then_follows() {
    let server = Server::start().await;
    server.append("a", "{}").await;
    server.append("b", "{}").await;
    let mut all = Follower::start(&server, "/topics/t/events", "").await;
    let mut one = Follower::start(&server, "/streams/t/b?after=3", "").await;
    all.expect(&["2", "3", "=3"]).await;
    one.expect(&["=3"]).await;
    server.append("a", "{}").await;
    all.expect(&["4", "=4"]).await;
    one.expect(&["=4"]).await;
    server.append("b", "{}").await;
    all.expect(&["5", "=5"]).await;
    one.expect(&["5", "=5"]).await;
}

#[tokio::test]
async fn resumes_exactly_after_the_last_id() {
    let server = Server::start().await;
    for _ in 0..4 {
        server.append("a", "{}").await;
    }
    for last in 1..=5u64 {
        let mut follower =
            Follower::start(&server, "/events?after=0", &format!("last-event-id: {last}\r\n")).await;
        for position in last + 1..=5 {
            follower.expect(&[&position.to_string()]).await;
        }
        follower.expect(&["=5"]).await;
    }
}

#[tokio::test]
async fn a_slow_reader_misses_nothing() {
    let server = Server::start().await;
    let mut slow = Follower::start(&server, "/events", "").await;
    slow.expect(&["=1"]).await;
    let payload = format!("{{\"x\":\"{}\"}}", "x".repeat(500_000));
    for _ in 0..40 {
        server.append("k", &payload).await;
    }
    let mut seen = Vec::new();
    while seen.last() != Some(&41) {
        let message = slow.next().await.unwrap();
        seen.extend(message.parse::<u64>().ok());
    }
    assert_eq!(seen, (2..=41).collect::<Vec<_>>());
}

#[tokio::test]
async fn refuses_what_has_an_end() {
    let server = Server::start().await;
    for (target, head) in [
        ("/events?direction=backward", ""),
        ("/events?limit=1", ""),
        ("/events?position=1", ""),
        ("/events?time=2023-12-13T12:00:00Z", ""),
        ("/streams/t/k?revision=1", ""),
        ("/events", "last-event-id: x\r\n"),
        ("/events", "last-event-id: 2\r\n"),
    ] {
        let head = format!("accept: text/event-stream\r\n{head}");
        let answer = server.request("GET", target, &head, b"").await;
        assert_eq!(answer.status, 400, "{target} {head}");
    }
}

/// A read would have ignored it, and answered from the beginning.
#[tokio::test]
async fn a_read_does_not_resume() {
    let server = Server::start().await;
    for accept in ["application/json", "application/x-ndjson"] {
        let head = format!("accept: {accept}\r\nlast-event-id: 1\r\n");
        let answer = server.request("GET", "/events", &head, b"").await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("give after=POSITION"), "{}", answer.text());
    }
}

#[tokio::test]
async fn ends_when_the_server_stops() {
    let server = Server::start().await;
    let mut follower = Follower::start(&server, "/events", "").await;
    follower.expect(&["=1"]).await;
    let stopped = server.stop();
    assert_eq!(follower.next().await, None);
    stopped.await.unwrap();
}

#[tokio::test]
async fn ends_when_the_reader_goes_away() {
    let server = Server::start().await;
    let running = async |server: &Server| {
        let metrics = server.get("/metrics").await.text();
        metrics.lines().any(|line| line == "recount_http_subscriptions 1")
    };
    let mut follower = Follower::start(&server, "/events", "").await;
    follower.expect(&["=1"]).await;
    assert!(running(&server).await);
    drop(follower);
    while running(&server).await {
        tokio::task::yield_now().await;
    }
}
