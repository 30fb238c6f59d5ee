//! Names of topics and streams.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;

use crate::limits::{KEY_BYTES_MAX, TOPIC_NAME_BYTES_MAX};

/// The name of a topic: 1 to 249 of `a-z A-Z 0-9 . _ -`, not `.` or `..` (Kafka's rule).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

impl TopicName {
    /// Checks and makes a name.
    pub fn parse(text: &str) -> Result<TopicName, InvalidName> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fits = (1..=TOPIC_NAME_BYTES_MAX).contains(&text.len());
        if !fits || text == "." || text == ".." || !text.chars().all(allowed) {
            return Err(InvalidName::Topic(text.chars().take(80).collect()));
        }
        Ok(TopicName(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Names that begin with `_` are the system's.
    pub fn is_system(&self) -> bool {
        self.0.starts_with('_')
    }
}

impl FromStr for TopicName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<TopicName, InvalidName> {
        TopicName::parse(text)
    }
}

impl FromStr for StreamName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<StreamName, InvalidName> {
        StreamName::parse(text)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stream: the events of a topic that share a key. Written `topic/key`, where bytes of the key other than
/// printable ASCII without `%` are percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName {
    /// The topic.
    pub topic: TopicName,
    /// The key; may be empty.
    pub key: Bytes,
}

impl StreamName {
    /// Reads `topic/key`.
    pub fn parse(text: &str) -> Result<StreamName, InvalidName> {
        let invalid = || InvalidName::Stream(text.chars().take(80).collect());
        let (topic, key) = text.split_once('/').ok_or_else(invalid)?;
        let key = decode_key(key).ok_or_else(invalid)?;
        if key.len() > KEY_BYTES_MAX {
            return Err(InvalidName::KeyTooLong(key.len()));
        }
        Ok(StreamName { topic: TopicName::parse(topic)?, key: key.into() })
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, KeyText(&self.key))
    }
}

/// Shows key bytes as text: printable ASCII as it is, `%` and every other byte as `%XX`.
#[derive(Debug, Clone, Copy)]
pub struct KeyText<'a>(pub &'a [u8]);

impl fmt::Display for KeyText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' if *byte != b'%');
        for run in self.0.chunk_by(|left, right| is_plain(left) && is_plain(right)) {
            match std::str::from_utf8(run) {
                Ok(plain) if run.first().is_some_and(is_plain) => f.write_str(plain)?,
                _ => run.iter().try_for_each(|byte| write!(f, "%{byte:02X}"))?,
            }
        }
        Ok(())
    }
}

/// Reads what [`KeyText`] shows; other bytes stand for themselves. `None` if a `%` is not followed by two hex digits.
pub fn decode_key(text: &str) -> Option<Vec<u8>> {
    let mut key = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = (bytes.next()? as char).to_digit(16)?;
            let low = (bytes.next()? as char).to_digit(16)?;
            key.push((high * 16 + low) as u8);
        } else {
            key.push(byte);
        }
    }
    Some(key)
}

/// A text that is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Not a topic name.
    #[error("{0:?} is not a topic name: use 1 to 249 letters, digits, dots, underscores or dashes")]
    Topic(String),
    /// Not a stream name.
    #[error("{0:?} is not a stream: write topic/key, with % as %25")]
    Stream(String),
    /// The key exceeds its limit.
    #[error("the key has {0} bytes, the limit is 65536")]
    KeyTooLong(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_names_round_trip() {
        for key in [&b""[..], b"1", b"a b/c%", &[0, 255, b'~'], "é".as_bytes()] {
            let name = StreamName { topic: TopicName::parse("t").unwrap(), key: Bytes::copy_from_slice(key) };
            assert_eq!(StreamName::parse(&name.to_string()).unwrap(), name);
        }
        assert_eq!(StreamName::parse("t/a%2").unwrap_err(), InvalidName::Stream("t/a%2".into()));
        assert_eq!(StreamName::parse("a b/x").unwrap_err(), InvalidName::Topic("a b".into()));
    }
}
