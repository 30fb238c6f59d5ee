//! INSERT INTO a topic: the rows of a query as payloads, appended as one append, all or none.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, SchemaRef};
use recount_store::time::{format_rfc3339, parse_rfc3339};
use recount_store::{AppendRequest, EventWrite, TopicInfo};
use recount_types::limits::{APPEND_BYTES_MAX, APPEND_EVENTS_MAX};
use recount_types::{NewEvent, TopicName};
use sqlparser::ast::{Insert, ObjectName, Query, TableObject};

use crate::answer::Answer;
use crate::cells::{instant, is_null, push_text};
use crate::error::QueryError;
use crate::names::folded;
use crate::relation::in_sql;

mod payload;

use payload::Payloads;

/// What a column of an INSERT becomes.
#[derive(Debug, Clone)]
enum Target {
    /// A field of the payload.
    Column(String),
    Key,
    Type,
    Id,
    EventTime,
}

/// The parts of an INSERT, once its form was checked.
#[derive(Debug)]
pub(crate) struct Into {
    pub(crate) topic: String,
    columns: Vec<String>,
}

impl Into {
    /// Takes an INSERT apart, its query too; refuses what it cannot do.
    pub(crate) fn new(insert: Insert) -> Result<(Into, Box<Query>), QueryError> {
        let plain = insert.or.is_none()
            && !insert.ignore
            && insert.table_alias.is_none()
            && !insert.overwrite
            && insert.assignments.is_empty()
            && insert.partitioned.is_none()
            && insert.after_columns.is_empty()
            && insert.on.is_none()
            && insert.returning.is_none()
            && insert.output.is_none()
            && !insert.replace_into
            && insert.insert_alias.is_none()
            && insert.settings.is_none()
            && insert.format_clause.is_none()
            && insert.multi_table_insert_type.is_none();
        if !plain {
            return Err(QueryError::Invalid(
                "INSERT appends events and nothing else: INSERT INTO topic (columns) VALUES (…) or SELECT …"
                    .to_owned(),
            ));
        }
        let TableObject::TableName(name) = &insert.table else {
            return Err(QueryError::Invalid("INSERT INTO wants the name of a topic".to_owned()));
        };
        let source = insert.source.ok_or_else(|| {
            QueryError::Invalid("INSERT INTO wants VALUES (…) or SELECT … behind the columns".to_owned())
        })?;
        let columns: Vec<String> = insert.columns.iter().map(one_name).collect::<Result<_, _>>()?;
        Ok((Into { topic: one_name(name)?, columns }, source))
    }

    /// What the columns become: those of the statement, or those that the topic declares.
    fn targets(&self, topic: &TopicInfo) -> Result<Vec<Target>, QueryError> {
        let declared: Vec<String> = recount_store::columns::columns_of(&topic.definition)
            .into_iter()
            .map(|(name, ..)| name)
            .collect();
        if self.columns.is_empty() {
            return Ok(declared.into_iter().map(Target::Column).collect());
        }
        let mut targets = Vec::with_capacity(self.columns.len());
        for (place, column) in self.columns.iter().enumerate() {
            if self.columns[..place].contains(column) {
                return Err(QueryError::Invalid(format!("column {} is named twice", in_sql(column))));
            }
            targets.push(match column.as_str() {
                "_key" => Target::Key,
                "_type" => Target::Type,
                "_id" => Target::Id,
                "_event_time" => Target::EventTime,
                _ if declared.contains(column) => Target::Column(column.clone()),
                _ => {
                    return Err(QueryError::Invalid(format!(
                        "topic {} has no column {}: there are {}; and _key, _type, _id and _event_time can be given",
                        topic.name,
                        in_sql(column),
                        declared.join(", ")
                    )));
                }
            });
        }
        Ok(targets)
    }

    /// All rows of the source as events of one append.
    pub(crate) async fn request(
        &self,
        topic: &TopicInfo,
        mut rows: Answer,
    ) -> Result<AppendRequest, QueryError> {
        let targets = self.targets(topic)?;
        let schema = rows.schema();
        if schema.fields().len() != targets.len() {
            return Err(QueryError::Invalid(format!(
                "the rows have {} values, and {} columns are to be filled",
                schema.fields().len(),
                targets.len()
            )));
        }
        let fields: Vec<(usize, &str)> = targets
            .iter()
            .enumerate()
            .filter_map(|(place, target)| match target {
                Target::Column(name) => Some((place, name.as_str())),
                _ => None,
            })
            .collect();
        let payloads = Payloads::new(&topic.definition, &fields, &schema)?;
        let mut events = Vec::new();
        let mut bytes = 0;
        while let Some(batch) = rows.next().await? {
            if events.len() + batch.num_rows() > APPEND_EVENTS_MAX {
                return Err(QueryError::Invalid(format!(
                    "the statement makes more than {APPEND_EVENTS_MAX} events, the limit of one append: insert them in parts. Nothing was stored"
                )));
            }
            for row in 0..batch.num_rows() {
                let event = event(&topic.name, &targets, &payloads, &schema, &batch, row)?;
                bytes += event.event.payload.len();
                events.push(event);
            }
            if bytes > APPEND_BYTES_MAX {
                return Err(QueryError::Invalid(format!(
                    "the statement makes more than {} MiB of events, the limit of one append: insert them in parts. Nothing was stored",
                    APPEND_BYTES_MAX >> 20
                )));
            }
        }
        Ok(AppendRequest { events, ..AppendRequest::default() })
    }
}

fn event(
    topic: &TopicName,
    targets: &[Target],
    payloads: &Payloads<'_>,
    schema: &SchemaRef,
    batch: &RecordBatch,
    row: usize,
) -> Result<EventWrite, QueryError> {
    let mut event = NewEvent { payload: payloads.payload(batch, row)?.into(), ..NewEvent::default() };
    let mut key = None;
    for ((target, column), field) in targets.iter().zip(batch.columns()).zip(schema.fields()) {
        if is_null(column, row) {
            continue;
        }
        match target {
            Target::Column(_) => {}
            Target::Key => key = Some(key_bytes(column, row)),
            Target::Type => event.event_type = Some(text(column, row)),
            Target::Id => event.id = Some(text(column, row)),
            Target::EventTime => event.time = Some(time(column, field, row)?),
        }
    }
    Ok(EventWrite { topic: topic.clone(), key: key.map(bytes::Bytes::from), event })
}

fn key_bytes(column: &ArrayRef, row: usize) -> Vec<u8> {
    match column.data_type() {
        DataType::Binary => column.as_binary::<i32>().value(row).to_vec(),
        _ => text(column, row).into_bytes(),
    }
}

fn text(column: &ArrayRef, row: usize) -> String {
    let mut text = String::new();
    push_text(&mut text, column, row);
    text
}

fn time(column: &ArrayRef, field: &Field, row: usize) -> Result<recount_types::Time, QueryError> {
    match field.data_type() {
        DataType::Timestamp(unit, Some(_)) => Ok(instant(column, *unit, row)),
        _ => parse_rfc3339(&text(column, row))
            .map_err(|error| QueryError::Invalid(format!("_event_time: {error}"))),
    }
}

/// A name of one part, folded.
fn one_name(name: &ObjectName) -> Result<String, QueryError> {
    match name.0.as_slice() {
        [part] => part.as_ident().map(folded),
        _ => None,
    }
    .ok_or_else(|| {
        QueryError::Invalid(format!(
            "{name}: names have no schema before them; write one with a period in quotes"
        ))
    })
}

/// An instant as the text that payloads have.
pub(super) fn rfc3339(us: i64) -> String {
    format_rfc3339(recount_types::Time(us))
}
