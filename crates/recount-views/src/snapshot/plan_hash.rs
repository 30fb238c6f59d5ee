//! What a snapshot's rows were folded by, as one hash: rows are used again only by what would fold the same ones.
//!
//! ```text
//!  BLAKE3-256 of: semantics version │ the statement │ the topic: id, columns that are used, events
//!                 │ each topic that is looked up, the same            every text and list behind its length
//! ```
//!
//! Columns are hashed in the form that `_catalog` keeps. Columns that are not used do not count, so that a topic can
//! grow; nor do the events that are passed over, which stand in the manifest: those that are added later concern the rows of
//! few keys.

use recount_store::schema::{Column, TopicDefinition};

use crate::bind::{Bound, EventColumn};
use crate::replica::Source;

/// Counted up when the same definition folds the same events to other rows.
const SEMANTICS_VERSION: u32 = 1;

/// The hash of what a statement folds, bound to these topics.
pub(crate) fn plan_hash(statement: &str, bound: &Bound, topic: &Source, lookups: &[Source]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&SEMANTICS_VERSION.to_le_bytes());
    text(&mut hasher, statement);
    let used = bound.event_columns.iter().filter_map(|column| match column {
        EventColumn::Topic(name, _) => Some(name.as_str()),
        _ => None,
    });
    source(&mut hasher, topic, &used.collect::<Vec<_>>());
    for (lookup, looked_up) in bound.lookups.iter().zip(lookups) {
        let used: Vec<&str> = lookup.columns.iter().map(|(name, _)| name.as_str()).collect();
        source(&mut hasher, looked_up, &used);
    }
    *hasher.finalize().as_bytes()
}

fn source(hasher: &mut blake3::Hasher, source: &Source, used: &[&str]) {
    hasher.update(&source.id.0.to_le_bytes());
    let TopicDefinition { columns, events, .. } = &source.definition;
    columns_of(hasher, columns, used);
    number(hasher, events.len());
    for event in events {
        text(hasher, &event.name);
        text(hasher, &event.type_name);
        columns_of(hasher, &event.columns, used);
    }
}

fn columns_of(hasher: &mut blake3::Hasher, columns: &[Column], used: &[&str]) {
    let used: Vec<&Column> = columns.iter().filter(|column| used.contains(&column.name.as_str())).collect();
    number(hasher, used.len());
    for column in used {
        let form = serde_json::to_string(column);
        text(hasher, &form.expect("a column has a form: _catalog keeps it"));
    }
}

fn text(hasher: &mut blake3::Hasher, text: &str) {
    number(hasher, text.len());
    hasher.update(text.as_bytes());
}

fn number(hasher: &mut blake3::Hasher, number: usize) {
    hasher.update(&(number as u64).to_le_bytes());
}
