//! An HTTP client that costs as little as possible, since it shares the processors with what it measures:
//! one thread, any number of keep-alive connections, one request in flight on each, requests made in
//! advance. Knows only what the server sends: a status line, a content length, a body.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use rustix::event::epoll;

use crate::answer::Timings;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    topic: String,
    #[arg(long)]
    connections: u32,
    /// Events in a request
    #[arg(long)]
    batch: u32,
    /// Each connection writes to so many streams of its own
    #[arg(long)]
    streams: u32,
    #[arg(long)]
    seconds: u64,
}

/// Sends for the given time; prints events a second.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut connections = Vec::new();
    for number in 0..arguments.connections {
        let connection = Connection::open(arguments, number)?;
        let data = epoll::EventData::new_u64(u64::from(number));
        epoll::add(&poll, &connection.socket, data, epoll::EventFlags::IN)?;
        connections.push(connection);
    }
    let mut timings = Timings::begin(arguments.seconds);
    for connection in &mut connections {
        connection.send()?;
    }
    let mut ready = Vec::with_capacity(connections.len());
    let mut in_flight = connections.len();
    while in_flight > 0 {
        ready.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut ready), None)?;
        for event in &ready {
            let connection =
                connections.get_mut(event.data.u64() as usize).context("an unknown connection")?;
            if !connection.receive()? {
                continue;
            }
            timings.note(connection.sent);
            if timings.goes_on() {
                connection.send()?;
            } else {
                in_flight -= 1;
            }
        }
    }
    timings.print(arguments.batch, &[])
}

struct Connection {
    socket: TcpStream,
    requests: Vec<Vec<u8>>,
    next: usize,
    sent: Instant,
    received: Vec<u8>,
}

impl Connection {
    fn open(arguments: &Arguments, number: u32) -> Result<Self> {
        let socket = TcpStream::connect(arguments.address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let first = number * arguments.streams;
        let requests = (first..first + arguments.streams).map(|stream| request(arguments, stream)).collect();
        Ok(Self { socket, requests, next: 0, sent: Instant::now(), received: Vec::new() })
    }

    fn send(&mut self) -> Result<()> {
        let request = self.requests.get(self.next).context("no request")?;
        self.next = (self.next + 1) % self.requests.len();
        self.sent = Instant::now();
        let written = self.socket.write(request)?;
        ensure!(written == request.len(), "the socket's buffer is smaller than a request");
        Ok(())
    }

    /// Reads what is there; true if that completes the answer.
    fn receive(&mut self) -> Result<bool> {
        let mut buffer = [0; 16 << 10];
        match self.socket.read(&mut buffer) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let whole = is_whole_success(&self.received)?;
        if whole {
            self.received.clear();
        }
        Ok(whole)
    }
}

fn request(arguments: &Arguments, stream: u32) -> Vec<u8> {
    let event = format!("{{\"accountId\": {stream}, \"amount\": -20.0, \"timestamp\": 1702468800}}\n");
    let body = event.repeat(arguments.batch as usize);
    let kind = if arguments.batch == 1 { "application/json" } else { "application/x-ndjson" };
    format!(
        "POST /topics/{}/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        arguments.topic,
        body.len()
    )
    .into_bytes()
}

/// Whether `received` is a complete answer; an error if it is none of success.
fn is_whole_success(received: &[u8]) -> Result<bool> {
    let Some(head_bytes) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(false);
    };
    let head = str::from_utf8(&received[..head_bytes])?;
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    let length: usize = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .context("an answer without content length")?;
    if !status.starts_with("HTTP/1.1 2") {
        bail!("{status}: {}", String::from_utf8_lossy(&received[head_bytes..]));
    }
    Ok(received.len() >= head_bytes + 4 + length)
}
