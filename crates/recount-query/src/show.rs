//! SHOW, and EXPLAIN MATERIALIZED VIEW: what is defined, how far entities and views have come, which keys stopped, and what a view keeps.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, StringArray};
use datafusion::arrow::datatypes::Field;
use recount_store::Store;
use recount_views::view::{ViewInfo, ViewStatus};
use recount_views::{ViewError, Views};

use crate::error::QueryError;

/// What to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// The topics.
    Topics,
    /// The entities, each version.
    Entities,
    /// The views.
    Views,
    /// Keys that stopped at an event.
    Stopped,
    /// The operators of a view.
    View(String),
}

impl What {
    /// Reads what stands behind SHOW, in capital letters.
    pub(crate) fn parse(words: &[&str]) -> Result<What, QueryError> {
        match words {
            ["TOPICS"] | ["TOPICS", ""] => Ok(What::Topics),
            ["ENTITIES"] | ["ENTITIES", ""] => Ok(What::Entities),
            ["VIEWS"] | ["VIEWS", ""] => Ok(What::Views),
            ["STOPPED"] | ["STOPPED", ""] => Ok(What::Stopped),
            _ => Err(QueryError::Invalid("SHOW shows TOPICS, ENTITIES, VIEWS or STOPPED".to_owned())),
        }
    }
}

/// The columns and rows to show.
pub(crate) fn rows(
    what: What,
    store: &Store,
    views: &Views,
) -> Result<(Vec<Field>, Vec<ArrayRef>), QueryError> {
    match what {
        What::Topics => Ok(topics(store)),
        What::Entities => Ok(entities(store, views)),
        What::Views => Ok(kept(store, views)),
        What::Stopped => stopped(views),
        What::View(name) => explained(&name, views),
    }
}

/// The operators of a view, the last one first, and what each keeps.
fn explained(name: &str, views: &Views) -> Result<(Vec<Field>, Vec<ArrayRef>), QueryError> {
    let rows = views.explain_view(name)?;
    let keeps = |keeps: Option<(usize, &str)>| {
        keeps.map(|(count, what)| format!("{count} {what}")).unwrap_or_default()
    };
    Ok(of(vec![
        ("operator", texts(rows.iter().map(|row| format!("{}{}", "  ".repeat(row.depth), row.text)))),
        ("keeps", texts(rows.iter().map(|row| keeps(row.keeps)))),
        ("bytes", numbers(rows.iter().map(|row| row.bytes as u64))),
    ]))
}

fn topics(store: &Store) -> (Vec<Field>, Vec<ArrayRef>) {
    let topics = store.topics();
    let columns = |topic: &recount_store::TopicInfo| {
        let columns = topic.definition.columns.iter();
        columns.map(|column| format!("{} {}", column.name, column.column_type)).collect::<Vec<_>>().join(", ")
    };
    of(vec![
        ("name", texts(topics.iter().map(|topic| topic.name.to_string()))),
        ("columns", texts(topics.iter().map(columns))),
        ("key", texts(topics.iter().map(|topic| topic.definition.key.join(", ")))),
        ("created", numbers(topics.iter().map(|topic| topic.created.0))),
    ])
}

fn entities(store: &Store, views: &Views) -> (Vec<Field>, Vec<ArrayRef>) {
    let head = store.head().0;
    let known: Vec<_> = views
        .entities()
        .into_iter()
        .filter_map(|info| {
            let status = views.status(info.name.as_str(), Some(info.version)).ok()?;
            Some((info, status))
        })
        .collect();
    let error = |info: &recount_views::EntityInfo| {
        let progress = views.progress(info.name.as_str(), info.version);
        progress.err().map(|error| error.to_string()).unwrap_or_default()
    };
    let current = BooleanArray::from_iter(known.iter().map(|(info, _)| Some(info.current)));
    of(vec![
        ("name", texts(known.iter().map(|(info, _)| info.name.to_string()))),
        ("version", numbers(known.iter().map(|(info, _)| info.version.into()))),
        ("current", Arc::new(current)),
        ("keys", numbers(known.iter().map(|(_, status)| status.keys as u64))),
        ("stopped", numbers(known.iter().map(|(_, status)| status.stopped as u64))),
        ("position", numbers(known.iter().map(|(_, status)| status.position))),
        ("behind", numbers(known.iter().map(|(_, status)| head.saturating_sub(status.position)))),
        ("bytes", numbers(known.iter().map(|(_, status)| status.bytes as u64))),
        ("error", texts(known.iter().map(|(info, _)| error(info)))),
        ("unfit_events", numbers(known.iter().map(|(_, status)| status.unfit))),
    ])
}

fn kept(store: &Store, views: &Views) -> (Vec<Field>, Vec<ArrayRef>) {
    let head = store.head().0;
    let columns = |info: &ViewInfo| {
        let columns = info.columns.iter().map(|column| format!("{} {}", column.name, column.column_type));
        columns.collect::<Vec<_>>().join(", ")
    };
    let status = |info: ViewInfo| {
        let status = views.view_status(info.name.as_str()).ok()?;
        Some((info.name.to_string(), columns(&info), status))
    };
    // Those that cannot be planned any more have nothing but a reason.
    let broken = views.broken_views().into_iter().map(|(name, why)| {
        let failed = Some(ViewError::BadRequest(why));
        (name.to_string(), String::new(), ViewStatus { failed, ..ViewStatus::default() })
    });
    let known: Vec<_> = views.views().into_iter().filter_map(status).chain(broken).collect();
    let failed = |status: &ViewStatus| {
        let failed = status.failed.as_ref();
        failed.map(|error| error.to_string()).unwrap_or_default()
    };
    of(vec![
        ("name", texts(known.iter().map(|(name, ..)| name.clone()))),
        ("columns", texts(known.iter().map(|(_, columns, _)| columns.clone()))),
        ("state", texts(known.iter().map(|(.., status)| status.state().to_owned()))),
        ("rows", numbers(known.iter().map(|(.., status)| status.rows))),
        ("position", numbers(known.iter().map(|(.., status)| status.position))),
        ("behind", numbers(known.iter().map(|(.., status)| head.saturating_sub(status.position)))),
        ("per_second", optional(known.iter().map(|(.., status)| status.per_second))),
        ("bytes", numbers(known.iter().map(|(.., status)| status.bytes as u64))),
        ("snapshot", optional(known.iter().map(|(.., status)| status.kept))),
        ("errors", numbers(known.iter().map(|(.., status)| status.errors))),
        ("unfit_events", numbers(known.iter().map(|(.., status)| status.unfit))),
        ("error", texts(known.iter().map(|(.., status)| failed(status)))),
    ])
}

fn stopped(views: &Views) -> Result<(Vec<Field>, Vec<ArrayRef>), QueryError> {
    let keys = views.stopped()?;
    Ok(of(vec![
        ("entity", texts(keys.iter().map(|key| key.entity.to_string()))),
        ("version", numbers(keys.iter().map(|key| key.version.into()))),
        ("key", texts(keys.iter().map(|key| key.key.clone()))),
        ("position", numbers(keys.iter().map(|key| key.position.0))),
        ("reason", texts(keys.iter().map(|key| key.reason.clone()))),
    ]))
}

fn of(columns: Vec<(&str, ArrayRef)>) -> (Vec<Field>, Vec<ArrayRef>) {
    let field = |(name, array): &(&str, ArrayRef)| {
        Field::new(*name, array.data_type().clone(), array.null_count() > 0)
    };
    let fields = columns.iter().map(field).collect();
    (fields, columns.into_iter().map(|(_, array)| array).collect())
}

fn texts(values: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn optional(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(Int64Array::from_iter(values.map(|value| value.map(|value| value as i64))))
}

fn numbers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.map(|value| value as i64)))
}
