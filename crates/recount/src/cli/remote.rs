//! A server reached over HTTP.

use std::io::{BufRead, BufReader, Read};

use bytes::Bytes;
use recount::{Expected, Stopped};
use recount_types::Kind;
use serde_json::Value;

use super::failure::Failure;

/// Requests at a time, and connections that are kept for them.
pub(super) const REQUESTS_MAX: usize = 1024;
/// Bytes read at a time.
const PIECE_BYTES: usize = 64 << 10;

/// A server's address.
#[derive(Debug)]
pub(crate) struct Remote {
    base: String,
    agent: ureq::Agent,
}

impl Remote {
    /// The server at `url`, such as `http://127.0.0.1:7400`.
    pub(crate) fn new(url: &str) -> Remote {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let config =
            config.max_idle_connections(REQUESTS_MAX).max_idle_connections_per_host(REQUESTS_MAX).build();
        Remote { base: url.trim_end_matches('/').to_owned(), agent: config.into() }
    }

    /// GET with query parameters; the lines of the answer.
    pub(crate) fn get(
        &self,
        path: &str,
        query: &[(&str, String)],
        accept: &str,
    ) -> Result<impl Iterator<Item = std::io::Result<String>> + use<>, Failure> {
        let mut request = self.agent.get(format!("{}{path}", self.base)).header("Accept", accept);
        for (name, value) in query {
            request = request.query(*name, value);
        }
        let answer = request.call().map_err(|error| self.unreachable(&error))?;
        Ok(BufReader::new(checked(answer)?.into_body().into_reader()).lines())
    }

    /// GET of one JSON document.
    pub(crate) fn get_json(&self, path: &str) -> Result<Value, Failure> {
        let text: Result<Vec<String>, _> = self.get(path, &[], "application/json")?.collect();
        parse(&text?.join("\n"))
    }

    /// POST of a body; the JSON answer.
    pub(crate) fn post(
        &self,
        path: &str,
        query: &[(&str, String)],
        headers: &[(&str, String)],
        content_type: &str,
        body: &[u8],
    ) -> Result<Value, Refused> {
        let mut request =
            self.agent.post(format!("{}{path}", self.base)).header("Content-Type", content_type);
        for (name, value) in query {
            request = request.query(*name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.send(body).map_err(|error| self.unreachable(&error))?;
        let mut text = String::new();
        checked(answer)?.into_body().into_reader().read_to_string(&mut text).map_err(Failure::from)?;
        Ok(parse(&text)?)
    }

    /// Runs a statement; its rows in the format of a media type. `stopped` as the server's parameter.
    pub(crate) fn run_sql(
        &self,
        statement: &str,
        stopped: Stopped,
        accept: &str,
    ) -> Result<SqlAnswer<impl Iterator<Item = Result<Bytes, Failure>> + use<>>, Failure> {
        let mut request = self.agent.post(format!("{}/sql", self.base)).header("Content-Type", "text/plain");
        if stopped == Stopped::Skip {
            request = request.query("stopped", "skip");
        }
        let answer = request.header("Accept", accept).send(statement.as_bytes());
        let answer = checked(answer.map_err(|error| self.unreachable(&error))?)?;
        let has_rows = answer.headers().contains_key("recount-as-of");
        let notices = answer.headers().get_all("recount-notice").iter();
        let notices = notices.map(|notice| decoded(notice.as_bytes())).collect();
        let mut reader = answer.into_body().into_reader();
        let mut executed = None;
        if !has_rows {
            let mut text = String::new();
            reader.read_to_string(&mut text)?;
            executed = Some(parse(&text)?);
        }
        let pieces = std::iter::from_fn(move || {
            let mut piece = vec![0; PIECE_BYTES];
            match reader.read(&mut piece) {
                Ok(0) => None,
                Ok(read) => {
                    piece.truncate(read);
                    Some(Ok(piece.into()))
                }
                Err(error) => Some(Err(Failure::new(format!("the answer broke off: {error}")))),
            }
        });
        Ok(SqlAnswer { executed, notices, pieces })
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::new(format!("{} does not answer: {error}. Is `recount serve` running there?", self.base))
    }
}

/// The answer to a statement.
#[derive(Debug)]
pub(crate) struct SqlAnswer<I> {
    /// What it did, if it has no rows.
    pub(crate) executed: Option<Value>,
    /// What should be known about its rows, unless that is among the bytes.
    pub(crate) notices: Vec<String>,
    /// Its rows, as bytes.
    pub(crate) pieces: I,
}

fn parse(answer: &str) -> Result<Value, Failure> {
    serde_json::from_str(answer)
        .map_err(|error| Failure::new(format!("the server's answer is not JSON: {error}")))
}

/// Bytes as they stand in a path or a header: unreserved characters (RFC 3986) as they are, others as `%XX`.
pub(super) fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte))
            }
            _ => text += &format!("%{byte:02X}"),
        }
    }
    text
}

/// A text of which some bytes are written `%XX`.
fn decoded(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let hex = text.get(at + 1..at + 3).filter(|_| text[at] == b'%');
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(text[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a stream is expected to be like, as headers and bodies say it.
pub(super) fn expected_text(expected: Expected) -> String {
    match expected {
        Expected::Any => "any".to_owned(),
        Expected::NoStream => "no-stream".to_owned(),
        Expected::Exists => "exists".to_owned(),
        Expected::Exact(revision) => revision.to_string(),
    }
}

/// A problem (RFC 9457) that a server answered with.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The last part of its type.
    pub(crate) name: String,
    /// What is wrong and what to do.
    pub(crate) what: String,
    /// The event that is wrong, if one is.
    pub(crate) index: Option<usize>,
    kind: Kind,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure::Of { what: problem.what, kind: problem.kind }
    }
}

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The server says what is wrong.
    Problem(Problem),
    /// It did not answer, or not as a server of ours does.
    Failed(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Refused {
        Refused::Failed(failure)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Failure {
        match refused {
            Refused::Problem(problem) => problem.into(),
            Refused::Failed(failure) => failure,
        }
    }
}

/// The answer, unless it is a problem.
fn checked(answer: ureq::http::Response<ureq::Body>) -> Result<ureq::http::Response<ureq::Body>, Refused> {
    let status = answer.status().as_u16();
    if status < 400 {
        return Ok(answer);
    }
    let mut text = String::new();
    answer.into_body().into_reader().take(1 << 20).read_to_string(&mut text).map_err(Failure::from)?;
    let problem: Value = serde_json::from_str(&text).unwrap_or_default();
    let member = |name: &str| problem.get(name).and_then(Value::as_str);
    let kind = match status {
        403 => Kind::Denied,
        404 => Kind::NotFound,
        409 => Kind::Conflict,
        500 => Kind::Corrupt,
        503 | 507 => Kind::Unavailable,
        _ => Kind::Invalid,
    };
    let name = member("type").and_then(|name| name.rsplit(':').next()).unwrap_or_default().to_owned();
    let what = member("detail").or(member("title"));
    let what = what.map_or_else(|| format!("the server answered with status {status}"), str::to_owned);
    let index = problem.get("index").and_then(Value::as_u64).and_then(|index| index.try_into().ok());
    Err(Refused::Problem(Problem { name, what, index, kind }))
}
