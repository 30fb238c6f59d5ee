//! Conditions of an append, and the queries by type and tag that conditions and reads share.

use recount_types::{Position, Revision, StreamName, Tag, TopicName};

/// What a stream must be like for an append to go ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expected {
    /// Anything.
    Any,
    /// It has no event.
    NoStream,
    /// It has an event.
    Exists,
    /// Its last event has exactly this revision.
    Exact(Revision),
}

/// One condition of an append. All of them must hold, also about streams that the append does not write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// About a stream, as it was before this append.
    Stream {
        /// The stream.
        stream: StreamName,
        /// What it must be like.
        expected: Expected,
    },
    /// No event matches the query after this position
    /// (dynamic consistency boundary, <https://dcb.events/specification/>).
    NoMatch {
        /// The query.
        query: EventQuery,
        /// The position up to which the caller has seen everything.
        after: Position,
    },
}

/// A query by type and tag: an event matches if it is in one of `topics` and matches one of `items`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventQuery {
    /// The topics; empty = all that are not the system's.
    pub topics: Vec<TopicName>,
    /// The alternatives; empty = every event matches.
    pub items: Vec<QueryItem>,
}

/// One alternative: the event has one of `types` (any type if empty) and all of `tags`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryItem {
    /// Types, of which the event has one; empty = any.
    pub types: Vec<String>,
    /// Tags, all of which the event has.
    pub tags: Vec<Tag>,
}

impl QueryItem {
    /// True if an event of this type with these tags matches.
    pub fn matches(&self, event_type: Option<&str>, tags: &[Tag]) -> bool {
        let type_fits =
            self.types.is_empty() || event_type.is_some_and(|t| self.types.iter().any(|x| x == t));
        type_fits && self.tags.iter().all(|tag| tags.contains(tag))
    }
}

/// True if one of the alternatives matches, or there are none.
pub fn any_matches(items: &[QueryItem], event_type: Option<&str>, tags: &[Tag]) -> bool {
    items.is_empty() || items.iter().any(|item| item.matches(event_type, tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alternative_is_enough_and_needs_a_type_and_all_tags() {
        let tag = |text: &str| Tag::parse(text).unwrap();
        let item = |types: &[&str], tags: &[&str]| QueryItem {
            types: types.iter().map(|name| (*name).to_owned()).collect(),
            tags: tags.iter().map(|text| tag(text)).collect(),
        };
        let tags = [tag("a:1"), tag("b:2")];
        let matches = |items: &[QueryItem]| any_matches(items, Some("moved"), &tags);
        assert!(matches(&[]));
        assert!(matches(&[item(&["made", "moved"], &["a:1", "b:2"])]));
        assert!(matches(&[item(&["made"], &[]), item(&[], &["b:2"])]));
        assert!(!matches(&[item(&["made"], &["a:1"])]));
        assert!(!matches(&[item(&["moved"], &["a:1", "c:3"])]));
        assert!(!any_matches(&[item(&["moved"], &[])], None, &tags));
    }
}
