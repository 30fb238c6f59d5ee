//! Conditions by type and tag, evaluated on the immutable runs.

use recount_index::{Bounds, RunSet, Term, TermKind};
use recount_types::{Position, TopicId};

use crate::catalogue::Catalogue;
use crate::condition::EventQuery;
use crate::error::{AppendError, ReadError};
use crate::sequencer::{PreparedQuery, SCAN_MAX};

/// A query as terms: one a topic and alternative.
pub(super) fn prepare(
    catalogue: &Catalogue,
    query: &EventQuery,
    after: Position,
) -> Result<Vec<PreparedQuery>, AppendError> {
    let narrow = |item: &crate::condition::QueryItem| !item.types.is_empty() || !item.tags.is_empty();
    if query.items.is_empty() || !query.items.iter().all(narrow) {
        let what = "a condition must name at least one type or tag in each of its items".to_owned();
        return Err(AppendError::BadRequest { what });
    }
    let topics: Vec<TopicId> = if query.topics.is_empty() {
        catalogue.topics().filter(|topic| !topic.name.is_system()).map(|topic| topic.id).collect()
    } else {
        let id = |name| {
            let topic = catalogue.by_name(name);
            topic.map(|t| t.id).ok_or_else(|| AppendError::UnknownTopic { topic: name.to_string() })
        };
        query.topics.iter().map(id).collect::<Result<_, _>>()?
    };
    let mut prepared = Vec::with_capacity(topics.len() * query.items.len());
    for topic in topics {
        for item in &query.items {
            let term = |kind, value: &str| Term::of(kind, topic, value.as_bytes()).as_bytes().to_vec();
            prepared.push(PreparedQuery {
                types: item.types.iter().map(|name| term(TermKind::EventType, name)).collect(),
                tags: item.tags.iter().map(|tag| term(TermKind::Tag, tag.as_str())).collect(),
                after,
            });
        }
    }
    Ok(prepared)
}

/// Fails if an event that the runs know matches after the query's position.
pub(super) async fn check_on_runs(runs: &RunSet, query: &PreparedQuery) -> Result<(), AppendError> {
    if query.after.0 >= runs.covered_to_position() {
        return Ok(());
    }
    let found = match_on_runs(runs, query).await?;
    match found {
        Some(at) => Err(AppendError::Matched { after: query.after, at }),
        None => Ok(()),
    }
}

async fn match_on_runs(runs: &RunSet, query: &PreparedQuery) -> Result<Option<Position>, AppendError> {
    let bounds = Bounds::between(query.after.0, u64::MAX);
    let mut rarest: Option<(u64, &Vec<u8>)> = None;
    for tag in &query.tags {
        let count = runs.count_between(tag, bounds.after, bounds.until).await.map_err(ReadError::from)?;
        if rarest.is_none_or(|(least, _)| count < least) {
            rarest = Some((count, tag));
        }
    }
    let drivers: Vec<&Vec<u8>> = match rarest {
        Some((_, tag)) => vec![tag],
        None => query.types.iter().collect(),
    };
    let mut looked_at = 0;
    for driver in drivers {
        let mut postings = runs.postings(driver, bounds);
        while let Some(posting) = postings.next().await.map_err(ReadError::from)? {
            looked_at += 1;
            if looked_at > SCAN_MAX {
                return Err(AppendError::ScanLimit { limit: SCAN_MAX, after: query.after });
            }
            if meets(runs, query, posting.position).await? {
                return Ok(Some(Position(posting.position)));
            }
        }
    }
    Ok(None)
}

async fn meets(runs: &RunSet, query: &PreparedQuery, position: u64) -> Result<bool, AppendError> {
    for tag in &query.tags {
        if !has(runs, tag, position).await? {
            return Ok(false);
        }
    }
    if query.types.is_empty() {
        return Ok(true);
    }
    for event_type in &query.types {
        if has(runs, event_type, position).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn has(runs: &RunSet, term: &[u8], position: u64) -> Result<bool, AppendError> {
    Ok(runs.count_between(term, position - 1, position).await.map_err(ReadError::from)? > 0)
}
