//! Events on the journal: topics, streams, conditional appends, reads, subscriptions, the catalogue.
//! **API boundary**: fronts see this crate and nothing below it.
//!
//! An append, end to end:
//!
//! ```text
//!  append.rs      checks the request against the catalogue, evaluates its conditions on the immutable runs
//!  sequencer.rs   under one lock: rechecks what came since, gives positions and offsets, adds to the forming group
//!  drive.rs       the leader among the waiting callers hands the group to the journal: one write, one sync
//!  group.rs       the bytes of that group
//! ```
//!
//! A read goes `read.rs` → index (runs and memtable) → `locate.rs` → journal. Nothing is visible before its sync.

pub mod append;
mod background;
pub mod catalogue;
pub mod cloudevents;
pub mod columns;
pub mod condition;
pub mod ddl;
mod drive;
pub mod error;
mod forming;
pub mod group;
mod json;
mod locate;
mod open;
mod partition;
mod pending;
mod pieces;
pub mod read;
mod record;
pub mod salvage;
pub mod schema;
mod sequencer;
pub mod shown;
mod slot;
mod state;
pub mod stats;
mod store;
pub mod subscribe;
pub mod time;
pub mod transaction;

pub use append::{AppendRequest, Appended, AppendedEvent, EventWrite};
pub use catalogue::{Catalogue, EntityState, EntityVersion, TopicInfo, TopicState, ViewState};
pub use condition::{Condition, EventQuery, Expected, QueryItem};
pub use error::{AppendError, CloseError, DdlError, ReadError};
pub use open::{OpenOptions, OpenStoreError};
pub use read::{Direction, EventCursor, Extent, From, ReadRequest, Scope};
pub use record::EventView;
pub use recount_journal::{Corruption, OpenError};
pub use stats::Stats;
pub use store::{Defined, Executed, Store};
pub use subscribe::{Delivery, SubscribeRequest, Subscription};
pub use transaction::ProduceRequest;
