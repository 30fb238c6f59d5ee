//! `GET /views` and `GET /views/{view}`: how views are, and their rows: those with some values in some columns, now or as of any moment of
//! either axis, in the order of their columns, a page at a time; or, by `Accept: text/event-stream`, all rows and then their changes.

use std::fmt::Write;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::Response;
use recount_query::{Outcome, SessionSettings};
use recount_store::schema::ColumnType;
use recount_store::time::format_rfc3339;
use recount_views::ViewError;
use recount_views::bind::RowColumn;
use recount_views::shown::view_json;
use serde_json::{Value, json};

use crate::append::number;
use crate::front::Front;
use crate::parameters::{AsOf, Parameters};
use crate::path;
use crate::problem::Problem;
use crate::read::{batch, is_subscription, refuse_to_resume};
use crate::sql;
use crate::topics::json_response;

mod follow;

/// The names of the parameters beside columns.
const PARAMETERS: [&str; 7] =
    ["position", "system_as_of", "valid_as_of", "min_position", "stopped", "limit", "offset"];
/// Rows in a page.
pub(crate) const LIMIT_DEFAULT: u64 = 1000;
pub(crate) const LIMIT_MAX: u64 = 100_000;

/// Lists the views.
pub(crate) async fn list(front: &Arc<Front>, request: &Parts) -> Result<Response, Problem> {
    Parameters::parse(request.uri.query())?.finish(&[])?;
    let (views, head) = (front.views.clone(), front.store.head().0);
    let listed: Result<Vec<Value>, ViewError> = batch(async move || {
        let views_with = views.views().into_iter().map(|info| {
            let status = views.view_status(info.name.as_str())?;
            Ok(view_json(&info, &status, head))
        });
        views_with.collect()
    })
    .await;
    Ok(json_response(&json!({ "views": listed? })))
}

/// Reads rows of a view, or follows their changes.
pub(crate) async fn read(front: &Arc<Front>, request: &Parts) -> Result<Response, Problem> {
    let name = path::view(request.uri.path())?;
    if is_subscription(&request.headers) {
        return follow::answer(front, request, name).await;
    }
    refuse_to_resume(request)?;
    let (views, wanted) = (front.views.clone(), name.clone());
    let info = batch(async move || views.view(&wanted)).await?;
    let (query, session) = asked(Parameters::parse(request.uri.query())?, &name, &info.columns)?;
    match front.sql.run(&query, &session).await? {
        Outcome::Rows(answer) => sql::rows(answer, sql::format(&request.headers)).await,
        Outcome::Executed(_) => Err(Problem::bad_request("this is no query")),
    }
}

/// The query that a request stands for, and what holds for it.
fn asked(
    mut parameters: Parameters,
    name: &str,
    columns: &[RowColumn],
) -> Result<(String, SessionSettings), Problem> {
    let AsOf { position, system, valid } = parameters.take_as_of()?;
    let session = SessionSettings { position, ..sql::settings(&mut parameters)? };
    let few = format!("a number of rows, at most {LIMIT_MAX}");
    let few_enough = |text: &str| number(text).filter(|&limit| limit <= LIMIT_MAX);
    let limit = parameters.take_as("limit", &few, few_enough)?.unwrap_or(LIMIT_DEFAULT);
    let offset = parameters.take_as("offset", "a number of rows", number)?.unwrap_or(0);
    let mut query = format!("SELECT * FROM {}", quoted(name));
    // Writing to a text does not fail.
    for (axis, time) in [("SYSTEM", system), ("VALID", valid)] {
        if let Some(time) = time {
            let _ = write!(query, " FOR {axis}_TIME AS OF '{}'", format_rfc3339(time));
        }
    }
    let mut conditions = Vec::new();
    for column in columns.iter().filter(|column| !PARAMETERS.contains(&column.name.as_str())) {
        if let Some(value) = parameters.take(&column.name)? {
            conditions.push(format!("{} = {}", quoted(&column.name), literal(&value, column.column_type)));
        }
    }
    let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).chain(PARAMETERS).collect();
    parameters.finish(&known)?;
    if !conditions.is_empty() {
        let _ = write!(query, " WHERE {}", conditions.join(" AND "));
    }
    let order: Vec<String> = (1..=columns.len()).map(|number| number.to_string()).collect();
    let _ = write!(query, " ORDER BY {} LIMIT {limit} OFFSET {offset}", order.join(", "));
    Ok((query, session))
}

/// A name as a query has it; a word of SQL, too.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value as a query has it; what it cannot be read as is an error of the query.
fn literal(value: &str, column_type: ColumnType) -> String {
    let text = format!("'{}'", value.replace('\'', "''"));
    match column_type {
        ColumnType::Text | ColumnType::Json => text,
        other => format!("CAST({text} AS {other})"),
    }
}
