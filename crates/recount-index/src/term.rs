//! Terms: what an index looks up. Full bytes, never bare hashes: a collision would break the dense revisions
//! of a stream, and could be forged.
//!
//! ```text
//! ┌────────┬───────────────────┬───────────────────────────────────────────┐
//! │ kind 1 │ topic id 4, big e.│ value: < 1024 bytes as it is, or          │
//! │        │                   │ its first 992 bytes ‖ BLAKE3-256 of all   │
//! └────────┴───────────────────┴───────────────────────────────────────────┘
//! ```
//! A value part of exactly 1024 bytes is always the hashed form, so that no short value can pose as a long one.

use recount_types::TopicId;

/// Values of this many bytes or more are kept as a prefix and a hash.
pub const VALUE_BYTES_HASHED: usize = 1024;
/// Bytes kept of such a value, in front of its hash.
const PREFIX_BYTES: usize = VALUE_BYTES_HASHED - blake3::OUT_LEN;
/// The longest term.
pub const TERM_BYTES_MAX: usize = 1 + 4 + VALUE_BYTES_HASHED;

/// What a term's value is. The numbers are persisted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TermKind {
    /// Key bytes of a stream.
    Stream = 1,
    /// Event type.
    EventType = 2,
    /// Tag, `name:value`.
    Tag = 3,
    /// Id given by a client.
    ClientId = 4,
    /// No value: the first event of the topic in each commit group.
    Topic = 5,
}

/// A term being looked up or added. One is made once and refilled: setting it does not allocate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Term {
    bytes: Vec<u8>,
}

impl Term {
    /// An empty buffer.
    pub fn new() -> Term {
        Term { bytes: Vec::with_capacity(64) }
    }

    /// A term of its own.
    pub fn of(kind: TermKind, topic: TopicId, value: &[u8]) -> Term {
        let mut term = Term::new();
        term.set(kind, topic, value);
        term
    }

    /// Makes this the term of `value`, and returns its bytes.
    #[inline]
    pub fn set(&mut self, kind: TermKind, topic: TopicId, value: &[u8]) -> &[u8] {
        self.bytes.clear();
        self.bytes.push(kind as u8);
        self.bytes.extend_from_slice(&topic.0.to_be_bytes());
        if value.len() < VALUE_BYTES_HASHED {
            self.bytes.extend_from_slice(value);
        } else {
            self.bytes.extend_from_slice(&value[..PREFIX_BYTES]);
            self.bytes.extend_from_slice(blake3::hash(value).as_bytes());
        }
        &self.bytes
    }

    /// The stream of a key.
    #[inline]
    pub fn stream(&mut self, topic: TopicId, key: &[u8]) -> &[u8] {
        self.set(TermKind::Stream, topic, key)
    }

    /// The events of a type.
    #[inline]
    pub fn event_type(&mut self, topic: TopicId, event_type: &str) -> &[u8] {
        self.set(TermKind::EventType, topic, event_type.as_bytes())
    }

    /// The events that carry a tag, written `name:value`.
    #[inline]
    pub fn tag(&mut self, topic: TopicId, tag: &str) -> &[u8] {
        self.set(TermKind::Tag, topic, tag.as_bytes())
    }

    /// The event with an id given by its client.
    #[inline]
    pub fn client_id(&mut self, topic: TopicId, id: &str) -> &[u8] {
        self.set(TermKind::ClientId, topic, id.as_bytes())
    }

    /// The commit groups in which a topic has events.
    #[inline]
    pub fn topic(&mut self, topic: TopicId) -> &[u8] {
        self.set(TermKind::Topic, topic, &[])
    }

    /// The bytes last set.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for Term {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kind_topic_value() {
        let mut term = Term::new();
        assert_eq!(term.stream(TopicId(258), b"a"), [1, 0, 0, 1, 2, b'a']);
        assert_eq!(term.event_type(TopicId(1), "t"), [2, 0, 0, 0, 1, b't']);
        assert_eq!(term.tag(TopicId(1), "n:v"), [3, 0, 0, 0, 1, b'n', b':', b'v']);
        assert_eq!(term.client_id(TopicId(1), "i"), [4, 0, 0, 0, 1, b'i']);
        assert_eq!(term.topic(TopicId(1)), [5, 0, 0, 0, 1]);
    }

    #[test]
    fn long_values_keep_a_prefix_and_a_hash() {
        let mut value = vec![7; 1023];
        assert_eq!(Term::of(TermKind::Stream, TopicId(1), &value).as_bytes()[5..], value);
        value.push(7);
        let long = Term::of(TermKind::Stream, TopicId(1), &value);
        assert_eq!(long.as_bytes().len(), TERM_BYTES_MAX);
        assert_eq!(long.as_bytes()[5..997], value[..992]);
        assert_eq!(&long.as_bytes()[997..], blake3::hash(&value).as_bytes());
        // The value part of a long term, used as a value, is another term.
        let posing = long.as_bytes()[5..].to_vec();
        assert_ne!(Term::of(TermKind::Stream, TopicId(1), &posing), long);
    }
}
