//! Entities of a database: declared in SQL, folded from events, kept up to date, asked about any moment.
//!
//! ```text
//!  bind.rs     from a statement to a fold, checked against the topics
//!  feed.rs     events of a topic, as a fold takes them
//!  replica.rs  the rows of one entity up to a position
//!  live.rs     one version of an entity, kept up to date; pace.rs how fast it does so
//!  snapshot.rs rows at a position, kept in files
//!  views.rs    all of them: the catalogue followed, questions answered
//!  view.rs     queries whose rows are kept up to date by incremental operators
//!  changes.rs  the rows as they change from a position on
//! ```
//!
//! Everything here is derived: it is folded again from the events whenever it is not at hand.

use std::sync::{Mutex, MutexGuard};

pub mod bind;
mod budget;
mod changes;
mod error;
mod feed;
mod key_text;
mod live;
mod pace;
mod past;
mod replica;
pub mod shown;
mod snapshot;
pub mod view;
mod views;

pub use budget::HeldRows;
pub use changes::{After, BadPlace, Change, Changes, Ended, Place, Told};
pub use error::ViewError;
pub use key_text::shown as key_text;
pub use live::Status;
pub use past::{Absent, Answer, Folded, Moment, Origin, RowState, StepRow};
pub use recount_entity::fold::Effect;
pub use replica::series::{Point, Series};
pub use snapshot::SnapshotError;
pub use views::{EntityInfo, Settings, StoppedKey, Views};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
