//! A client of the server over HTTP that costs little: one connection, one request at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn to(address: SocketAddr) -> Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// A statement, and its answer.
    pub(crate) fn sql(&mut self, sql: &str) -> Result<Value> {
        self.post("/sql", "text/plain", sql).with_context(|| sql.to_owned())
    }

    /// Declares a view `built`, and how long it takes until it is there.
    pub(crate) fn built(&mut self, query: &str) -> Result<Duration> {
        let began = Instant::now();
        self.sql(&format!("CREATE MATERIALIZED VIEW built AS {query}"))?;
        self.until_there(0, "SELECT count(*) FROM built")?;
        Ok(began.elapsed())
    }

    /// Asks until what is asked, at `position` or later, has arrived.
    pub(crate) fn until_there(&mut self, position: u64, sql: &str) -> Result<()> {
        loop {
            match self.post(&format!("/sql?min_position={position}"), "text/plain", sql) {
                Err(error) if format!("{error:#}").contains("did not arrive in time") => {}
                done => return done.map(drop),
            }
        }
    }

    /// One request, and its answer as JSON; an error if it is not a success.
    pub(crate) fn post(&mut self, target: &str, content_type: &str, body: &str) -> Result<Value> {
        self.send(target, content_type, body)?;
        let bytes = self.receive()?;
        serde_json::from_slice(&bytes).with_context(|| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The first half of a request.
    pub(crate) fn send(&mut self, target: &str, content_type: &str, body: &str) -> Result<()> {
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: bench\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Ok(self.stream.get_mut().write_all((head + body).as_bytes())?)
    }

    /// The answer to what was sent; an error if it is not a success.
    pub(crate) fn receive(&mut self) -> Result<Vec<u8>> {
        let status: u16 = self.line()?.split(' ').nth(1).context("no status")?.parse()?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                None => break,
                Some(("content-length", value)) => length = value.parse()?,
                Some(("transfer-encoding", "chunked")) => chunked = true,
                Some(_) => {}
            }
        }
        let mut bytes = Vec::new();
        if chunked {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16)?;
                self.take(size, &mut bytes)?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else {
            self.take(length, &mut bytes)?;
        }
        if !(200..300).contains(&status) {
            bail!("{status}: {}", String::from_utf8_lossy(&bytes));
        }
        Ok(bytes)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        ensure!(line.ends_with('\n'), "the server closed the connection");
        Ok(line.trim_end().to_owned())
    }

    fn take(&mut self, length: usize, bytes: &mut Vec<u8>) -> Result<()> {
        let before = bytes.len();
        bytes.resize(before + length, 0);
        Ok(self.stream.read_exact(&mut bytes[before..])?)
    }
}
