//! The changes of an entity's rows.

use recount_flow::delta::Delta;
use recount_store::columns::form_of;
use recount_store::schema::ColumnType;
use recount_types::Column;
use recount_views::ViewError;
use recount_views::view::{self, EntityFeed, Ground};

use crate::arrays;
use crate::error::QueryError;
use crate::relation::{Kind, Relation};

/// See the module.
#[derive(Debug)]
pub(super) struct EntityChanges {
    feed: EntityFeed,
    types: Vec<ColumnType>,
    name: String,
}

impl EntityChanges {
    /// Some columns of an entity, by their places in its schema; `None` = all.
    pub(super) fn new(
        ground: &Ground,
        relation: &Relation,
        columns: Option<Vec<usize>>,
    ) -> Result<EntityChanges, QueryError> {
        let Kind::Kept { described, places } = &relation.kind else {
            return Err(QueryError::Invalid(format!("{} is no entity", relation.name)));
        };
        let columns = columns.unwrap_or_else(|| (0..places.len()).collect());
        let places: Vec<usize> = columns.into_iter().map(|column| places[column]).collect();
        let types = places.iter().map(|&place| described.columns[place].column_type).collect();
        let version = relation.version.unwrap_or(1);
        let names: Vec<&str> = places.iter().map(|&place| described.columns[place].name.as_str()).collect();
        let name = format!("entity {} version {version}: {}", relation.name, names.join(", "));
        let feed = ground.feed(&relation.name, version, places)?;
        Ok(EntityChanges { feed, types, name })
    }
}

impl view::Source for EntityChanges {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn resume(&mut self, position: u64) -> Result<bool, ViewError> {
        self.feed.resume(position)
    }

    /// The entity knows it itself.
    fn left_out(&mut self, _: u64) {}

    fn begin(&mut self, after: u64, until: u64) -> Result<(), ViewError> {
        self.feed.begin(after, until)
    }

    fn next(&mut self) -> Result<Option<Delta>, ViewError> {
        let Some(changes) = self.feed.next_rows()? else { return Ok(None) };
        let array = |(column, column_type): (usize, &ColumnType)| {
            let mut values = Column::new(form_of(*column_type));
            changes.iter().for_each(|change| values.push(&change.values[column]));
            let array = arrays::array(values, *column_type);
            array.map_err(|error| ViewError::BadRequest(error.to_string()))
        };
        Ok(Some(Delta {
            columns: self.types.iter().enumerate().map(array).collect::<Result<_, _>>()?,
            weights: changes.iter().map(|change| change.weight).collect(),
            stamps: changes.iter().map(|change| change.stamp).collect(),
        }))
    }

    fn end(&mut self, until: u64) -> Result<(), ViewError> {
        self.feed.end(until)
    }

    fn unfit(&self) -> u64 {
        self.feed.unfit()
    }

    fn stopped(&self) -> Option<(u64, ViewError)> {
        self.feed.stopped()
    }
}
