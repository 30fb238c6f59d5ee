//! The relations beside topics: entities and views, read at one position.

use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::array::ArrayRef;
use recount_flow::relation::{Batches, Frozen};
use recount_store::columns::form_of;
use recount_store::ddl::CreateView;
use recount_store::schema::ColumnType;
use recount_types::{Column, Position, Value};
use recount_views::view::{HeldMemory, ViewRows};
use recount_views::{ViewError, Views};

use crate::arrays;
use crate::entities::Entities;
use crate::error::QueryError;
use crate::flow;
use crate::moment::Moment;
use crate::plan::BATCH_ROWS;
use crate::relation::{ERRORS, errors_of, in_sql};
use crate::relations::{Described, DescribedColumn, Given, OfView, Periods, Pinned, Relations, Rows, Wanted};
use crate::settings::Stopped;

/// The entities and views of a database.
#[derive(Debug, Clone)]
pub struct Kept {
    entities: Entities,
    views: Views,
}

/// Entities and views frozen at one position.
struct PinnedKept {
    entities: Box<dyn Pinned>,
    kept: Kept,
    position: Position,
    views: Vec<ViewRows>,
    /// Nobody asks any more.
    abandoned: AtomicBool,
}

/// The rows of a view.
struct RowsOf {
    batches: Batches,
    columns: Vec<usize>,
    notices: Vec<String>,
    /// How many rows are left, if they are only counted.
    counted: Option<usize>,
    _memory: HeldMemory,
}

impl Kept {
    /// What `views` keeps.
    pub fn new(views: Views) -> Kept {
        Kept { entities: Entities::new(views.clone()), views }
    }

    /// The view that a name is of: its rows, or its errors.
    fn view_of(&self, name: &str) -> Option<(String, OfView)> {
        let is_view = |name: &str| !matches!(self.views.view(name), Err(ViewError::NotFound(_)));
        if is_view(name) {
            return Some((name.to_owned(), OfView::Rows));
        }
        let view = name.strip_suffix(ERRORS).filter(|name| is_view(name))?;
        Some((view.to_owned(), OfView::Errors))
    }
}

impl Relations for Kept {
    fn names(&self) -> Vec<String> {
        let mut names = self.entities.names();
        names.extend(self.views.views().iter().map(|view| view.name.to_string()));
        names
    }

    fn describe(
        &self,
        name: &str,
        version: Option<u32>,
        periods: Periods,
    ) -> Result<Option<Described>, QueryError> {
        let Some((view, shown)) = self.view_of(name) else {
            return self.entities.describe(name, version, periods);
        };
        let info = self.views.view(&view)?;
        let refused = |what: &str| Err(QueryError::Invalid(format!("{} is a view: {what}", in_sql(name))));
        if version.is_some() {
            return refused("it has no versions of a definition. Leave FOR VERSION out");
        }
        let (columns, key) = match shown {
            OfView::Rows => {
                let key = info.key.iter().map(|&column| info.columns[column].name.clone());
                let own = info.columns.iter().map(DescribedColumn::of);
                (own.chain(flow::hidden(periods)).collect(), key.collect())
            }
            OfView::Errors => (OfView::error_columns(), Vec::new()),
        };
        Ok(Some(Described { version: None, columns, key }))
    }

    fn pin(
        &self,
        wanted: &[(String, Option<u32>)],
        at_least: Position,
    ) -> Result<(Position, Box<dyn Pinned>), QueryError> {
        let (views, entities): (Vec<_>, Vec<_>) =
            wanted.iter().cloned().partition(|(name, _)| self.view_of(name).is_some());
        if views.is_empty() {
            let (position, entities) = self.entities.pin(&entities, at_least)?;
            let (kept, views, abandoned) = (self.clone(), Vec::new(), AtomicBool::new(false));
            return Ok((position, Box::new(PinnedKept { entities, kept, position, views, abandoned })));
        }
        let of_entities: Vec<(&str, Option<u32>)> =
            entities.iter().map(|(name, version)| (name.as_str(), *version)).collect();
        let of_views: Vec<(String, OfView)> =
            views.iter().filter_map(|(name, _)| self.view_of(name)).collect();
        let names: Vec<&str> = of_views.iter().map(|(view, _)| view.as_str()).collect();
        let (position, held, views) = self.views.freeze_all(&of_entities, &names, at_least)?;
        let frozen = entities.into_iter().zip(held).collect();
        let entities = self.entities.pinned(position, frozen);
        let (kept, abandoned) = (self.clone(), AtomicBool::new(false));
        Ok((position, Box::new(PinnedKept { entities, kept, position, views, abandoned })))
    }

    fn definition(&self, name: &str) -> Result<Option<(CreateView, OfView)>, QueryError> {
        let Some((view, of)) = self.view_of(name) else { return Ok(None) };
        Ok(self.views.view_definition(&view)?.map(|definition| (definition, of)))
    }
}

impl PinnedKept {
    /// The rows of a view as they were frozen, if they are wanted as of then.
    fn frozen(&self, name: &str, moment: &Moment) -> Option<&ViewRows> {
        let frozen = self.views.iter().find(|rows| rows.info.name.as_str() == name);
        frozen.filter(|_| *moment == Moment::at(self.position))
    }
}

impl Pinned for PinnedKept {
    fn rows(&self, wanted: &Wanted) -> Result<Box<dyn Rows>, QueryError> {
        let Some((name, shown)) = self.kept.view_of(&wanted.name) else { return self.entities.rows(wanted) };
        let made;
        let rows = match self.frozen(&name, &wanted.moment) {
            Some(rows) => rows,
            None => {
                let goes_on = || !self.abandoned.load(Ordering::Acquire);
                made = self.kept.views.view_at(&name, wanted.moment.position, &goes_on)?;
                &made
            }
        };
        if shown == OfView::Errors {
            return Ok(Box::new(ErrorsOf::new(rows, &wanted.columns)));
        }
        let types = rows.info.columns.iter().map(|column| (column.name.clone(), column.column_type));
        if wanted.types.as_ref().is_some_and(|planned| !types.eq(planned.iter().cloned())) {
            let name = in_sql(&wanted.name);
            return Err(QueryError::Replaced(format!("view {name} became another one meanwhile: ask again")));
        }
        let mut notices = notices(rows);
        match (&rows.stopped, wanted.stopped) {
            (Some((_, first)), Stopped::Fail) => return Err(first.clone().into()),
            (Some((count, first)), Stopped::Skip) => notices.push(left_out(rows, *count, first)),
            (None, _) => {}
        }
        let frozen = Frozen::clone(rows);
        let batches = match wanted.key.as_deref().and_then(|key| key_of(rows, key)) {
            Some(key) => frozen.batches_of(&key),
            None => frozen.batches(),
        };
        Ok(Box::new(RowsOf {
            batches,
            columns: wanted.columns.clone(),
            notices,
            counted: None,
            _memory: rows.memory.clone(),
        }))
    }

    fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        self.entities.abandon();
    }

    fn how(&self, wanted: &Wanted) -> Result<String, QueryError> {
        let Some((name, _)) = self.kept.view_of(&wanted.name) else { return self.entities.how(wanted) };
        if self.frozen(&name, &wanted.moment).is_some() {
            return Ok("kept up to date".to_owned());
        }
        Ok(match self.kept.views.view_at_begins(&name, wanted.moment.position)? {
            Some(position) => format!("made from the snapshot at position {position}"),
            None => "made anew".to_owned(),
        })
    }
}

/// The key of a view with these values, as its rows have it; none if they have it otherwise.
fn key_of(rows: &ViewRows, values: &[Value<'_>]) -> Option<Vec<ArrayRef>> {
    let columns = rows.info.key.iter().map(|&column| rows.info.columns[column].column_type);
    let array = |(column_type, value): (ColumnType, &Value<'_>)| {
        let mut column = Column::new(form_of(column_type));
        column.push(value);
        arrays::array(column, column_type).ok()
    };
    let key: Vec<ArrayRef> = columns.zip(values).map(array).collect::<Option<_>>()?;
    let is_kept_so = key.iter().map(|array| array.data_type()).eq(rows.layout().key_types());
    is_kept_so.then_some(key)
}

/// What a view could not compute.
struct ErrorsOf(Option<Given>);

impl ErrorsOf {
    fn new(rows: &ViewRows, columns: &[usize]) -> ErrorsOf {
        let types = OfView::error_columns();
        let mut given: Vec<Column> =
            columns.iter().map(|&column| Column::new(form_of(types[column].column_type))).collect();
        for (operator, reason, count) in rows.failures() {
            let values = [Value::Integer(operator as i64), Value::Text(reason.into()), Value::Integer(count)];
            given.iter_mut().zip(columns).for_each(|(given, &column)| given.push(&values[column]));
        }
        let counted = Given::Counted(rows.failures().count());
        ErrorsOf(Some(if columns.is_empty() { counted } else { Given::Columns(given) }))
    }
}

impl Rows for ErrorsOf {
    fn next(&mut self) -> Result<Option<Given>, QueryError> {
        Ok(self.0.take())
    }
}

impl Rows for RowsOf {
    fn next(&mut self) -> Result<Option<Given>, QueryError> {
        if self.columns.is_empty() {
            let left = match self.counted {
                Some(left) => left,
                None => self.batches.count(),
            };
            let count = left.min(BATCH_ROWS);
            self.counted = Some(left - count);
            return Ok((count > 0).then_some(Given::Counted(count)));
        }
        let next = self.batches.next_rows().map_err(|error| QueryError::Failed(error.to_string()))?;
        let Some((columns, _)) = next else { return Ok(None) };
        Ok(Some(Given::Arrays(self.columns.iter().map(|&column| columns[column].clone()).collect())))
    }

    fn notices(&self) -> Vec<String> {
        self.notices.clone()
    }
}

/// What is said of a view without the keys that stopped.
fn left_out(rows: &ViewRows, count: u64, first: &ViewError) -> String {
    let name = in_sql(rows.info.name.as_str());
    let keys = if count == 1 { "1 key".to_owned() } else { format!("{count} keys") };
    format!("view {name} is made without {keys} that stopped: {first}")
}

/// What is to be said of the rows of a view.
fn notices(rows: &ViewRows) -> Vec<String> {
    let mut notices = Vec::new();
    let name = in_sql(rows.info.name.as_str());
    if let Some((_, reason, _)) = rows.failures().next() {
        notices.push(failed(rows.info.name.as_str(), rows.errors, reason));
    }
    if rows.unfit > 0 {
        let errors = rows.info.topics.iter().map(|topic| in_sql(&errors_of(topic.as_str())));
        let errors = errors.collect::<Vec<_>>().join(", ");
        notices.push(format!(
            "of view {name}, events that do not fit their topic's columns are left out: see {errors}"
        ));
    }
    notices
}

/// What is to be said of rows and groups of a view that could not be computed.
pub(crate) fn failed(view: &str, count: u64, reason: &str) -> String {
    let what = match count {
        1 => "1 row or group could not be computed, and is left out".to_owned(),
        count => format!("{count} rows or groups could not be computed, and are left out"),
    };
    format!("of view {}, {what}: {reason}. All of them: {}", in_sql(view), in_sql(&errors_of(view)))
}
