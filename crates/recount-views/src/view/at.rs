//! A view as it was at a position: made beside the one that is kept up to date, from its nearest snapshot before, and dropped again.

use std::sync::Arc;

use recount_env::block_on;
use recount_types::Position;

use super::{HeldMemory, ViewRows};
use crate::error::ViewError;
use crate::feed::rounded_down;
use crate::views::Views;

impl Views {
    /// The rows of a view as they were at a position, by its query of today. Takes long if no snapshot is near; called on a thread that may
    /// block. `goes_on` is asked on the way.
    pub fn view_at(
        &self,
        name: &str,
        position: Position,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<ViewRows, ViewError> {
        let inner = self.inner();
        let found = inner.find_view(name)?;
        let catalogue = inner.store.catalogue();
        let view = catalogue.view_by_id(found.id);
        let view = view.ok_or_else(|| ViewError::NotFound(format!("there is no view {name}")))?;
        // Of no event there is a count, too; the first of a database declares something.
        let position = block_on(rounded_down(&inner.store, position))?.0.max(1);
        if let Some(rows) = found.rows_at(position) {
            return Ok(rows);
        }
        let before = |why| ViewError::BadRequest(format!("view {name} cannot be read: {why}"));
        let made = inner.made(&catalogue, view, inner.budget.share_of_question()).map_err(before)?;
        let held = made.at(position, &|| goes_on() && !inner.store.is_closed())?;
        let (rows, bytes) = (held.rows(), held.bytes_of_rows());
        drop(held);
        // What its operators keep is given back.
        drop(made);
        let mut share = inner.budget.share_of_question();
        share.set(bytes)?;
        Ok(ViewRows { memory: HeldMemory { _share: Some(Arc::new(share)) }, ..rows })
    }

    /// The position of the snapshot from which [`Views::view_at`] would begin; `None` = it would begin with the first event.
    pub fn view_at_begins(&self, name: &str, position: Position) -> Result<Option<u64>, ViewError> {
        Ok(self.inner().find_view(name)?.newest_snapshot(position.0))
    }
}
