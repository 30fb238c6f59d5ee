//! Requests as bytes on a connection to a server: any answer but 5xx, and the server goes on. The first byte
//! chooses a method, a path and a content type, so that bodies are reached; 0 sends all as it comes.

#![no_main]

use std::cell::RefCell;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use recount_http::Limits;
use recount_store::{OpenOptions, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

const STARTS: &[(&str, &str)] = &[
    ("POST /topics/t/events?key=a", "application/json"),
    ("POST /topics/t/events?key=a", "application/x-ndjson"),
    ("POST /topics/t/events?key=a", "application/cloudevents+json"),
    ("POST /topics/t/events?key=a", "application/cloudevents-batch+json"),
    ("POST /topics/t/events", "text/plain"),
    ("POST /append", "application/json"),
    ("POST /sql", "text/plain"),
    ("POST /sql", "application/json"),
];
const REQUESTS_MAX: u32 = 5000;

struct Open {
    runtime: Runtime,
    address: std::net::SocketAddr,
    requests: u32,
    /// Kept alive between requests.
    socket: Option<TcpStream>,
}

thread_local! {
    static OPEN: RefCell<Option<Open>> = const { RefCell::new(None) };
}

fuzz_target!(|data: &[u8]| {
    OPEN.with_borrow_mut(|open| {
        if open.as_ref().is_some_and(|open| open.requests >= REQUESTS_MAX) {
            *open = None;
        }
        let open = open.get_or_insert_with(start);
        open.requests += 1;
        let Some((&choice, body)) = data.split_first() else { return };
        let start = usize::from(choice).checked_sub(1).and_then(|choice| STARTS.get(choice));
        let answer = match start {
            None => open.runtime.block_on(send(open.address, body)),
            Some(start) => {
                let socket = open.socket.take();
                let (answer, socket) = open.runtime.block_on(ask(socket, open.address, start, body));
                open.socket = socket;
                answer
            }
        };
        let head = answer.get(..12).unwrap_or_default();
        // A database that is full of what was sent may be busy, never broken.
        assert!(!head.starts_with(b"HTTP/1.1 5"), "{}", String::from_utf8_lossy(&answer));
    });
});

fn start() -> Open {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let address = runtime.block_on(async {
        let env = recount_env::memory::memory_env();
        let clock = env.clock.clone();
        let store = Store::open(env, ":memory:".as_ref(), OpenOptions::default()).await.expect("it opens");
        store.execute("CREATE TOPIC t").await.expect("a topic");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(recount_http::serve(listener, store, clock, Limits::default(), std::future::pending()));
        address
    });
    Open { runtime, address, requests: 0, socket: None }
}

/// Sends bytes as they come, says that nothing more comes, and reads what is answered: a subscription is left
/// after a moment.
async fn send(address: std::net::SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let conversation = async {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(request).await?;
        socket.shutdown().await?;
        (&mut socket).take(1 << 20).read_to_end(&mut answer).await
    };
    let _ = tokio::time::timeout(Duration::from_millis(100), conversation).await;
    answer
}

/// Sends a request with this body and reads its answer; keeps the connection if the server does.
async fn ask(
    socket: Option<TcpStream>,
    address: std::net::SocketAddr,
    (start, kind): &(&str, &str),
    body: &[u8],
) -> (Vec<u8>, Option<TcpStream>) {
    let mut socket = match socket {
        Some(socket) => socket,
        None => TcpStream::connect(address).await.expect("the server listens"),
    };
    let head = format!(
        "{start} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = Vec::new();
    if socket.write_all(&[head.as_bytes(), body].concat()).await.is_err() {
        return (answer, None);
    }
    loop {
        match socket.read_buf(&mut answer).await {
            Ok(count) if count > 0 => {}
            _ => return (answer, None),
        }
        if is_whole(&answer) {
            return (answer, Some(socket));
        }
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(head_bytes) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..head_bytes]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    length.is_some_and(|length| answer.len() >= head_bytes + 4 + length)
}
