//! Clauses of time as moments: their expressions evaluated, their times looked up.

use std::future::poll_fn;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::physical_plan::execute_stream;
use recount_store::Store;
use recount_store::time::{parse_date, parse_rfc3339, parse_without_zone};
use recount_types::{Position, Time};
use sqlparser::ast::Query;
use sqlparser::tokenizer::Location;

use super::blocking;
use crate::error::QueryError;
use crate::moment::{Moment, Span};
use crate::names;
use crate::plan::Planner;
use crate::relations::Periods;
use crate::temporal::{Axis, Clauses, End, TimeText, Written};

/// Clauses whose expressions are evaluated.
#[derive(Debug, Default)]
pub(super) struct Times {
    position: Option<Position>,
    system_time: Option<Time>,
    system_span: Option<Span>,
    valid_time: Option<Time>,
    valid_each: Option<Vec<Time>>,
    valid_span: Option<Span>,
}

/// Most times that EACH is for.
const TIMES_MAX: usize = 10_000;

/// Evaluates the expressions of clauses.
pub(super) async fn evaluate(planner: &Planner<'_>, clauses: Clauses) -> Result<Times, QueryError> {
    let mut times = Times { position: clauses.position.map(Position), ..Times::default() };
    match clauses.system {
        Some(Axis::AsOf(instant)) => times.system_time = Some(time(planner, instant)?),
        Some(Axis::Span(stretch)) => times.system_span = Some(span(planner, stretch)?),
        // It was refused when it was read.
        Some(Axis::Each(..)) | None => {}
    }
    match clauses.valid {
        Some(Axis::AsOf(instant)) => times.valid_time = Some(time(planner, instant)?),
        Some(Axis::Each(at, query)) => times.valid_each = Some(each(planner, at, *query).await?),
        Some(Axis::Span(stretch)) => times.valid_span = Some(span(planner, stretch)?),
        None => {}
    }
    Ok(times)
}

impl Times {
    /// Whether they leave it at the moment of the statement.
    pub(super) fn are_now(&self) -> bool {
        self.position.is_none()
            && self.system_time.is_none()
            && self.system_span.is_none()
            && self.valid_time.is_none()
            && self.valid_each.is_none()
            && self.valid_span.is_none()
    }

    /// The moment in a statement that reads at `at`.
    pub(super) async fn resolve(self, store: &Store, at: Position) -> Result<Moment, QueryError> {
        let mut position = at;
        if let Some(wanted) = self.position {
            if wanted > at {
                return Err(QueryError::Invalid(format!(
                    "AS OF POSITION {wanted} has not come yet: the statement reads at position {at}"
                )));
            }
            position = wanted;
        }
        if let Some(time) = self.system_time {
            let store = store.clone();
            let found = blocking(move || recount_env::block_on(store.position_at(time))).await??;
            position = found.min(at);
        }
        Ok(Moment {
            position,
            valid_time: self.valid_time,
            valid_each: self.valid_each,
            system_span: self.system_span,
            valid_span: self.valid_span,
        })
    }
}

fn span(planner: &Planner<'_>, stretch: Option<(TimeText, TimeText, End)>) -> Result<Span, QueryError> {
    let Some((from, until, end)) = stretch else { return Ok(Span::default()) };
    let at = until.at;
    let (from, until) = (time(planner, from)?, time(planner, until)?);
    let before = Time(until.0.saturating_add(i64::from(end == End::Inclusive)));
    if before <= from {
        return Err(QueryError::at(at, "the stretch of time ends before it begins"));
    }
    Ok(Span { from: Some(from), before: Some(before) })
}

fn time(planner: &Planner<'_>, instant: TimeText) -> Result<Time, QueryError> {
    let at = instant.at;
    let expr = match instant.written {
        Written::EndOf(time) => return Ok(time),
        Written::Expr(expr) => expr,
    };
    let shown = expr.to_string();
    let value = planner.constant(*expr).map_err(|error| {
        QueryError::at(at, format!("{shown} is not a time: {}", QueryError::from_datafusion(error, 0)))
    })?;
    let value = value.ok_or_else(|| {
        QueryError::at(at, format!("{shown} is not constant: a clause of time takes one time for all rows"))
    })?;
    time_of(&value, at, &shown)
}

/// The times that a query gives, which reads nothing of the database.
async fn each(planner: &Planner<'_>, at: Location, mut query: Query) -> Result<Vec<Time>, QueryError> {
    let failed = |error| match QueryError::from_datafusion(error, 0) {
        QueryError::Invalid(what) => QueryError::at(at, format!("EACH: {what}")),
        other => other,
    };
    let nothing = |name: &str, _: Option<u32>, _: Periods| {
        let what =
            "the times of EACH come from VALUES or generate_series, not from a topic or entity such as";
        Err(QueryError::at(at, format!("{what} {name}")))
    };
    names::resolve(&mut query, Vec::new(), &nothing)?;
    let plan = planner.query(query).map_err(failed)?;
    let columns = plan.schema().fields().len();
    if columns != 1 {
        return Err(QueryError::at(at, format!("EACH wants one column of times, and is given {columns}")));
    }
    let physical = planner.state.create_physical_plan(&plan).await.map_err(failed)?;
    let mut rows = execute_stream(physical, planner.state.task_ctx()).map_err(failed)?;
    let mut times = Vec::new();
    while let Some(batch) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
        let batch = batch.map_err(failed)?;
        if times.len() + batch.num_rows() > TIMES_MAX {
            return Err(QueryError::at(at, format!("EACH is for at most {TIMES_MAX} times")));
        }
        for row in 0..batch.num_rows() {
            let value = ScalarValue::try_from_array(batch.column(0), row).map_err(failed)?;
            times.push(time_of(&value, at, &value.to_string())?);
        }
    }
    Ok(times)
}

fn time_of(value: &ScalarValue, at: Location, shown: &str) -> Result<Time, QueryError> {
    match value {
        ScalarValue::TimestampSecond(Some(s), Some(_)) => Ok(Time(s.saturating_mul(1_000_000))),
        ScalarValue::TimestampMillisecond(Some(ms), Some(_)) => Ok(Time(ms.saturating_mul(1000))),
        ScalarValue::TimestampMicrosecond(Some(us), Some(_)) => Ok(Time(*us)),
        ScalarValue::TimestampNanosecond(Some(ns), Some(_)) => Ok(Time(ns.div_euclid(1000))),
        ScalarValue::Date32(Some(_)) | ScalarValue::Date64(Some(_)) => Err(a_day(at, shown)),
        value if value.is_null() => Err(QueryError::at(at, format!("{shown} is NULL, which is no time"))),
        value => match value.try_as_str().flatten() {
            Some(text) => text_time(at, text, shown),
            None if matches!(value.data_type(), DataType::Timestamp(..)) => Err(no_zone(at, shown)),
            None => {
                Err(QueryError::at(at, format!("{shown} is not a time: write it as '2023-12-13T12:00:00Z'")))
            }
        },
    }
}

fn text_time(at: Location, text: &str, shown: &str) -> Result<Time, QueryError> {
    match parse_rfc3339(text) {
        Ok(time) => Ok(time),
        Err(_) if parse_date(text.as_bytes()).is_some() => Err(a_day(at, shown)),
        Err(_) if parse_without_zone(text).is_some() => Err(no_zone(at, shown)),
        Err(error) => Err(QueryError::at(at, error.to_string())),
    }
}

fn a_day(at: Location, shown: &str) -> QueryError {
    QueryError::at(at, format!("{shown} is a whole day: write a time, or END OF 'date' for its last moment"))
}

fn no_zone(at: Location, shown: &str) -> QueryError {
    QueryError::at(at, format!("{shown} has no zone: write it as '2023-12-13T12:00:00Z'"))
}
