//! The relations beside topics: entities and views, read at one position.

use recount_flow::relation::{Batches, Frozen};
use recount_store::ddl::CreateView;
use recount_types::Position;
use recount_views::view::ViewRows;
use recount_views::{ViewError, Views};

use crate::entities::Entities;
use crate::error::QueryError;
use crate::relation::{errors_of, in_sql};
use crate::relations::{Described, DescribedColumn, Given, Periods, Pinned, Relations, Rows, Wanted};
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
    views: Vec<ViewRows>,
}

/// The rows of a view.
struct RowsOf {
    batches: Batches,
    columns: Vec<usize>,
    notices: Vec<String>,
}

impl Kept {
    /// What `views` keeps.
    pub fn new(views: Views) -> Kept {
        Kept { entities: Entities::new(views.clone()), views }
    }

    fn is_view(&self, name: &str) -> bool {
        !matches!(self.views.view(name), Err(ViewError::NotFound(_)))
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
        let info = match self.views.view(name) {
            Ok(info) => info,
            Err(ViewError::NotFound(_)) => return self.entities.describe(name, version, periods),
            Err(error) => return Err(error.into()),
        };
        let refused = |what: &str| Err(QueryError::Invalid(format!("{} is a view: {what}", in_sql(name))));
        if version.is_some() {
            return refused("it has no versions of a definition. Leave FOR VERSION out");
        }
        if periods.system || periods.valid {
            return refused("versions of its rows are not kept. Ask with AS OF, one moment at a time");
        }
        if periods.each {
            return refused("AS OF EACH is for entities. Ask with AS OF, one moment at a time");
        }
        let columns = info.columns.iter().map(DescribedColumn::of).collect();
        Ok(Some(Described { version: None, columns, key: Vec::new() }))
    }

    fn pin(
        &self,
        wanted: &[(String, Option<u32>)],
        at_least: Position,
    ) -> Result<(Position, Box<dyn Pinned>), QueryError> {
        let (views, entities): (Vec<_>, Vec<_>) =
            wanted.iter().cloned().partition(|(name, _)| self.is_view(name));
        if views.is_empty() {
            let (position, entities) = self.entities.pin(&entities, at_least)?;
            return Ok((position, Box::new(PinnedKept { entities, views: Vec::new() })));
        }
        let of_entities: Vec<(&str, Option<u32>)> =
            entities.iter().map(|(name, version)| (name.as_str(), *version)).collect();
        let of_views: Vec<&str> = views.iter().map(|(name, _)| name.as_str()).collect();
        let (position, held, views) = self.views.freeze_all(&of_entities, &of_views, at_least)?;
        let frozen = entities.into_iter().zip(held).collect();
        let entities = self.entities.pinned(position, frozen);
        Ok((position, Box::new(PinnedKept { entities, views })))
    }

    fn definition(&self, name: &str) -> Result<Option<CreateView>, QueryError> {
        Ok(self.views.view_definition(name)?)
    }
}

impl PinnedKept {
    fn view(&self, wanted: &Wanted) -> Option<&ViewRows> {
        self.views.iter().find(|rows| rows.info.name.as_str() == wanted.name)
    }
}

impl Pinned for PinnedKept {
    fn rows(&self, wanted: &Wanted) -> Result<Box<dyn Rows>, QueryError> {
        let Some(rows) = self.view(wanted) else { return self.entities.rows(wanted) };
        let types = rows.info.columns.iter().map(|column| (column.name.clone(), column.column_type));
        if wanted.types.as_ref().is_some_and(|planned| !types.eq(planned.iter().cloned())) {
            let name = in_sql(&wanted.name);
            return Err(QueryError::Failed(format!("view {name} became another one meanwhile: ask again")));
        }
        let mut notices = notices(rows);
        match (&rows.stopped, wanted.stopped) {
            (Some((_, first)), Stopped::Fail) => return Err(first.clone().into()),
            (Some((count, first)), Stopped::Skip) => notices.push(left_out(rows, *count, first)),
            (None, _) => {}
        }
        let (batches, columns) = (Frozen::clone(rows).batches(), wanted.columns.clone());
        Ok(Box::new(RowsOf { batches, columns, notices }))
    }

    fn how(&self, wanted: &Wanted) -> Result<String, QueryError> {
        match self.view(wanted) {
            Some(_) => Ok("kept up to date".to_owned()),
            None => self.entities.how(wanted),
        }
    }
}

impl Rows for RowsOf {
    fn next(&mut self) -> Result<Option<Given>, QueryError> {
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
    if let Some(reason) = &rows.reason {
        let what = match rows.errors {
            1 => "1 row or group could not be computed, and is left out".to_owned(),
            count => format!("{count} rows or groups could not be computed, and are left out"),
        };
        notices.push(format!("of view {name}, {what}: {reason}"));
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
