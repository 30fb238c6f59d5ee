//! The rows of a view, and then their changes, each told once.
//!
//! ```text
//!  place      3:12       of the query declared at position 3: every change up to position 12 was told
//!             3:12+2     and the first two of the append behind it
//! ```

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::ArrayRef;
use recount_flow::codec::Damaged;
use recount_flow::layout::RowLayout;
use recount_flow::operator::FlowError;
use recount_flow::relation::Batches;
use recount_store::ReadError;
use recount_types::{Position, ViewId};

use super::ViewInfo;
use super::live::LiveView;
use crate::error::ViewError;
use crate::views::Views;

/// Changes that are told at once.
const TOLD_TOGETHER: usize = 256;

/// How far somebody who follows a view has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewPlace {
    /// Where the view's query was declared.
    pub defined: Position,
    /// Every change up to this position was told.
    pub position: Position,
    /// And so many of those behind it.
    pub told: usize,
}

/// What is told of a view.
#[derive(Debug)]
pub enum ViewTold {
    /// Rows as they are at the position where it begins.
    Rows(Vec<ArrayRef>, usize),
    /// The next changes, each with its place; none of them: it is still on its way.
    Changes(Vec<ArrayRef>, Vec<ViewChange>),
    /// Everything up to here was looked at.
    CaughtUp(ViewPlace),
    /// There are no more: the rows are to be read again.
    Ended(&'static str),
}

/// What a row did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewChange {
    /// What was told with it.
    pub place: ViewPlace,
    /// The append that did it, by the position of its last event.
    pub position: Position,
    /// How often the row came, or went if that is negative.
    pub weight: i64,
}

/// The rows of a view, and then their changes.
pub struct ViewChanges {
    views: Views,
    id: ViewId,
    live: Arc<LiveView>,
    place: ViewPlace,
    /// The rows that it begins with, as long as they are told.
    rows: Option<Batches>,
    layout: RowLayout,
    /// The last position told to be caught up with.
    caught_up: Option<Position>,
}

impl Views {
    /// The rows of a view as they are now and then their changes; or, of one who was told something before, the changes behind that.
    pub fn view_changes(&self, name: &str, after: Option<ViewPlace>) -> Result<ViewChanges, ViewError> {
        let live = self.inner().find_view(name)?;
        let (id, defined) = (live.id, self.defined(live.id).unwrap_or(Position::ZERO));
        let head = self.inner().store.head();
        let mut held = live.at(head.0, &self.inner().patience())?;
        held.watch();
        let frozen = held.frozen();
        let layout = frozen.layout().clone();
        let (place, rows) = match after {
            Some(place) if place.position > head => {
                return Err(ViewError::BadRequest(format!(
                    "position {} does not exist yet: the newest is {head}",
                    place.position
                )));
            }
            Some(place) => (place, None),
            None => {
                let place = ViewPlace { defined, position: Position(held.position()), told: 0 };
                (place, Some(frozen.batches()))
            }
        };
        drop(held);
        Ok(ViewChanges { views: self.clone(), id, live, place, rows, layout, caught_up: None })
    }

    fn defined(&self, id: ViewId) -> Option<Position> {
        self.inner().store.catalogue().view_by_id(id).map(|view| view.defined)
    }
}

impl ViewChanges {
    /// The view and its columns.
    pub fn info(&self) -> &ViewInfo {
        &self.live.info
    }

    /// What was told.
    pub fn place(&self) -> ViewPlace {
        self.place
    }

    /// Goes on, on a thread that may block. After an error there is nothing more.
    pub fn tell(&mut self) -> Result<ViewTold, ViewError> {
        if let Some(rows) = &mut self.rows {
            match rows.next_rows().map_err(damaged)? {
                Some((columns, count)) => return Ok(ViewTold::Rows(columns, count)),
                None => self.rows = None,
            }
        }
        match self.views.defined(self.id) {
            None => return Ok(ViewTold::Ended("the view was dropped")),
            Some(defined) if defined != self.place.defined => {
                return Ok(ViewTold::Ended("the view is of another query now"));
            }
            Some(_) => {}
        }
        let live = self.views.inner().find_view(self.live.info.name.as_str())?;
        if !Arc::ptr_eq(&live, &self.live) {
            return Ok(ViewTold::Ended("what the view reads was altered, and its rows were made again"));
        }
        let head = self.views.inner().store.head().0;
        let held = live.at(head, &self.views.inner().patience())?;
        let (position, found) =
            (held.position(), held.recent(self.place.position.0, self.place.told, TOLD_TOGETHER));
        drop(held);
        let Some(found) = found else {
            return Ok(ViewTold::Ended("it is so far behind that the changes are not kept any more"));
        };
        if found.is_empty() {
            return Ok(self.at(Position(position)));
        }
        let all = found.len() < TOLD_TOGETHER;
        let mut changes = Vec::with_capacity(found.len());
        for (number, change) in found.iter().enumerate() {
            self.place.told += 1;
            // Appends come whole: behind the last change of one, all of it was told.
            if found.get(number + 1).map_or(all, |next| next.stamp != change.stamp) {
                (self.place.position, self.place.told) = (Position(change.stamp), 0);
            }
            let (place, position) = (self.place, Position(change.stamp));
            changes.push(ViewChange { place, position, weight: change.weight });
        }
        let columns = self.layout.decode(found.iter().map(|change| &*change.row)).map_err(damaged)?;
        Ok(ViewTold::Changes(columns, changes))
    }

    fn at(&mut self, position: Position) -> ViewTold {
        let place = ViewPlace { position, told: 0, ..self.place };
        if self.place == place && self.caught_up == Some(position) {
            return ViewTold::Changes(Vec::new(), Vec::new());
        }
        (self.place, self.caught_up) = (place, Some(position));
        ViewTold::CaughtUp(place)
    }

    /// Waits until there may be something new. Does not block, and may be dropped.
    pub async fn moved(&self) -> Result<(), ViewError> {
        let store = &self.views.inner().store;
        let visible = store.visible();
        loop {
            let seen = visible.generation();
            if store.head() > self.place.position {
                return Ok(());
            }
            if store.is_closed() {
                return Err(ReadError::Closed.into());
            }
            visible.changed(seen).await;
        }
    }
}

fn damaged(error: Damaged) -> ViewError {
    ViewError::Flow(FlowError::Damaged(error))
}

impl fmt::Debug for ViewChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewChanges")
            .field("view", &self.live.info.name)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for ViewPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.defined, self.position)?;
        if self.told > 0 { write!(f, "+{}", self.told) } else { Ok(()) }
    }
}

/// A text that is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a place such as 3:12, which changes have for an id")]
pub struct BadViewPlace;

impl FromStr for ViewPlace {
    type Err = BadViewPlace;

    fn from_str(text: &str) -> Result<ViewPlace, BadViewPlace> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|number| digits && *number <= Position::MAX.0)
        };
        let parsed = || {
            let (defined, at) = text.split_once(':')?;
            let (position, told) = match at.split_once('+') {
                Some((position, told)) => {
                    (position, usize::try_from(number(told)?).ok().filter(|told| *told > 0)?)
                }
                None => (at, 0),
            };
            Some(ViewPlace {
                defined: Position(number(defined)?),
                position: Position(number(position)?),
                told,
            })
        };
        parsed().ok_or(BadViewPlace)
    }
}
