//! Reads: pages, lines, and what the parameters mean.

use crate::client::Answer;
use crate::server::Server;

/// Positions 2 to 6: of the streams t/a and t/b in turns.
async fn filled() -> Server {
    let server = Server::start().await;
    for n in 0..5 {
        let (key, kind) = if n % 2 == 0 { ("a", "Even") } else { ("b", "Odd") };
        let head = format!("ce-type: {kind}\r\nrecount-tags: n:{n},all:x\r\n");
        let body = format!("{{\"n\":{n}}}");
        let answer =
            server.request("POST", &format!("/topics/t/events?key={key}"), &head, body.as_bytes()).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    server
}

#[tokio::test]
async fn parameters_select_events() {
    let server = filled().await;
    for (target, positions) in [
        ("/topics/t/events", &[2, 3, 4, 5, 6][..]),
        ("/events", &[2, 3, 4, 5, 6]),
        ("/events?system=true", &[1, 2, 3, 4, 5, 6]),
        ("/streams/t/a", &[2, 4, 6]),
        ("/streams/t/a?revision=1", &[4, 6]),
        ("/streams/t/none", &[]),
        ("/events?from=3", &[3, 4, 5, 6]),
        ("/events?after=3", &[4, 5, 6]),
        ("/events?after=99", &[]),
        ("/events?direction=backward", &[6, 5, 4, 3, 2]),
        ("/events?direction=backward&after=4", &[3, 2]),
        ("/events?limit=2", &[2, 3]),
        ("/events?type=Odd", &[3, 5]),
        ("/events?type=Odd&type=Even&tag=n%3A2", &[4]),
        ("/topics/t/events?tag=all:x&tag=n:3", &[5]),
        ("/events?position=4", &[2, 3, 4]),
        ("/events?time=2001-01-01T00:00:00Z&limit=1", &[2]),
        ("/events?system_as_of=2001-01-01T00:00:00Z", &[]),
    ] {
        assert_eq!(server.get(target).await.positions(), positions, "{target}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_as_of_one_position() {
    let server = filled().await;
    let mut next = "/topics/t/events?limit=2&tag=all:x".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = server.get(&next).await;
        assert_eq!(page.json()["asOf"], 6);
        pages.push(page.positions());
        // What comes meanwhile is not in this read.
        server.append("a", "{}").await;
        match page.json()["next"].as_str() {
            Some(more) => next = more.to_owned(),
            None => break,
        }
    }
    assert_eq!(pages, [vec![2, 3], vec![4, 5], vec![6]]);
}

#[tokio::test]
async fn a_page_stays_small_when_payloads_are_large() {
    let server = Server::start().await;
    let payload = format!("{{\"x\":\"{}\"}}", "x".repeat(900_000));
    for _ in 0..12 {
        server.append("k", &payload).await;
    }
    let page = server.get("/streams/t/k").await;
    let events = page.positions().len();
    assert!((9..12).contains(&events), "{events}");
    let rest = server.get(page.json()["next"].as_str().unwrap()).await;
    assert_eq!(events + rest.positions().len(), 12);
    let lines = server.request("GET", "/streams/t/k", "accept: application/x-ndjson\r\n", b"").await;
    assert_eq!(lines.text().lines().count(), 12);
}

#[tokio::test]
async fn lines_are_the_same_events() {
    let server = filled().await;
    let page = server.get("/streams/t/a").await;
    let lines =
        server.request("GET", "/streams/t/a", "accept: text/html, application/x-ndjson;q=1\r\n", b"").await;
    assert_eq!(
        (lines.header("content-type"), lines.header("recount-as-of")),
        (Some("application/x-ndjson"), Some("6"))
    );
    let events: Vec<String> = lines.text().lines().map(str::to_owned).collect();
    assert!(page.text().starts_with(&format!("{{\"events\":[{}],", events.join(","))), "{}", page.text());
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    let server = filled().await;
    for (target, part) in [
        ("/events?as_of=2023-12-13T12:00:00Z", "system_as_of: as recorded by that time; valid_as_of"),
        ("/events?limit=0", "a number from 1 to 10000"),
        ("/events?limit=10001", "a number from 1 to 10000"),
        ("/events?limit=1&limit=2", "given 2 times"),
        ("/events?from=-1", "it must be a position"),
        ("/events?from=9223372036854775808", "it must be a position"),
        ("/events?from=1&after=1", "give one of them"),
        ("/events?position=1&system_as_of=2001-01-01T00:00:00Z", "give one of them"),
        ("/events?system_as_of=9999-01-01T00:00:00Z", "has not come yet"),
        ("/events?direction=up", "forward or backward"),
        ("/events?time=yesterday", "a time such as"),
        ("/events?tag=x", "name:value"),
        ("/events?colour=red", "there is no parameter \"colour\" here; there are from, after"),
        ("/events?type=%FF", "not UTF-8"),
        ("/events?type=%F", "two hex digits"),
        ("/events?revision=1", "revision"),
        ("/topics/t/events?system=true", "GET /events"),
        ("/topics/a%20b/events", "not a topic name"),
        ("/streams/t/%zz", "two hex digits"),
        ("/topics?x=1", "there is no parameter \"x\" here"),
    ] {
        let answer: Answer = server.get(target).await;
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 400, "{target}: {detail}");
        assert!(detail.contains(part), "{target}: {detail}");
    }
}

#[tokio::test]
async fn topics_are_shown() {
    let server = Server::start().await;
    let list = server.get("/topics").await.json();
    assert_eq!((&list["topics"][0]["name"], &list["topics"][0]["created"]), (&"t".into(), &1.into()));
    assert_eq!(server.get("/topics/t").await.json(), list["topics"][0]);
    assert_eq!(server.get("/topics/none").await.status, 404);
    let created = server.post("/sql", "application/json", r#"{"sql":"CREATE TOPIC u"}"#).await;
    assert_eq!(created.json().to_string(), r#"{"position":2,"statement":"CREATE TOPIC","topic":"u"}"#);
    assert_eq!(server.post("/sql", "text/plain", "CREATE TOPIC u").await.status, 409);
    assert_eq!(server.post("/sql", "text/plain", "DROP TOPIC none").await.status, 404);
    assert_eq!(server.post("/sql", "text/plain", "SELEKT 1").await.status, 400);
    assert_eq!(server.post("/sql", "text/plain", [0xff]).await.status, 400);
    assert_eq!(server.post("/sql", "image/png", "x").await.status, 415);
}
