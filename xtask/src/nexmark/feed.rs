//! Lines of events as bodies of `POST /append`: each event goes to the topic of its kind, cut out of its line as it is.

use std::io::BufRead;

use anyhow::{Context, Result};

/// Bytes of a body at most: an append has 7 MiB.
const BODY_BYTES: usize = 6 << 20;

/// Events, a line each.
#[derive(Debug)]
pub(crate) struct Feed<R> {
    lines: R,
    line: Vec<u8>,
}

impl<R: BufRead> Feed<R> {
    pub(crate) fn of(lines: R) -> Self {
        Self { lines, line: Vec::new() }
    }

    /// The next events, so many or fewer, as one append; how many there are is returned with it. None if there are no more.
    pub(crate) fn body(&mut self, events: usize) -> Result<Option<(usize, String)>> {
        let mut body = b"{\"events\":[".to_vec();
        let mut taken = 0;
        while taken < events && body.len() < BODY_BYTES && self.next_line()? {
            let (topic, payload) = event(&self.line)?;
            body.extend_from_slice(if taken == 0 { b"{\"topic\":\"" } else { b",{\"topic\":\"" });
            body.extend_from_slice(topic.as_bytes());
            body.extend_from_slice(b"\",\"data\":");
            body.extend_from_slice(payload);
            body.push(b'}');
            taken += 1;
        }
        body.extend_from_slice(b"]}");
        Ok((taken > 0).then_some((taken, String::from_utf8(body)?)))
    }

    fn next_line(&mut self) -> Result<bool> {
        self.line.clear();
        Ok(self.lines.read_until(b'\n', &mut self.line)? > 0)
    }
}

/// Topic and payload of a line.
fn event(line: &[u8]) -> Result<(&'static str, &[u8])> {
    let whole = line.strip_suffix(b"}\n");
    let cut = |prefix: &str| whole?.strip_prefix(prefix.as_bytes());
    cut("{\"event_type\":2,\"bid\":")
        .map(|payload| ("bid", payload))
        .or_else(|| Some(("auction", cut("{\"event_type\":1,\"auction\":")?)))
        .or_else(|| Some(("person", cut("{\"event_type\":0,\"person\":")?)))
        .with_context(|| format!("not an event: {}", String::from_utf8_lossy(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_cut_out_of_their_lines() {
        let lines = "{\"event_type\":0,\"person\":{\"id\":1}}\n{\"event_type\":1,\"auction\":{\"id\":2}}\n{\"event_type\":2,\"bid\":{}}\n";
        let mut feed = Feed::of(lines.as_bytes());
        let bodies: Vec<_> = std::iter::from_fn(|| feed.body(2).unwrap()).collect();
        let first = r#"{"events":[{"topic":"person","data":{"id":1}},{"topic":"auction","data":{"id":2}}]}"#;
        let second = r#"{"events":[{"topic":"bid","data":{}}]}"#;
        assert_eq!(bodies, [(2, first.to_owned()), (1, second.to_owned())]);
        assert!(event(b"{}\n").is_err() && event(b"{\"event_type\":2,\"bid\":{}}").is_err());
    }
}
