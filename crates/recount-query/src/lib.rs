//! SQL over topics, entities and views, as of any moment. One statement a call; statements never change an event.
//!
//! ```text
//!  sql.rs         every statement: definitions, SHOW, and what the engine runs
//!  set.rs         SET: what holds for the statements of a session
//!  engine.rs      a query from its text to its answer
//!  temporal.rs    cuts the clauses of time out of the tokens, before the parser sees them
//!  names.rs       walks the statement: resolves names, expands `*`, so that nothing is silently ignored
//!  moment.rs      what a clause of time means: positions and times
//!  functions.rs   exact arithmetic on decimals
//!  plan.rs        the statement as a plan of DataFusion, with our types and functions
//!  constants.rs   columns that DataFusion takes for constant, and are not; push_down.rs conditions that it must not push
//!  relation.rs    what a name stands for; topic.rs, relations.rs the two kinds of it, entities.rs one of these
//!  kept.rs        entities and views together, at one position
//!  flow.rs        the queries of views as circuits of incremental operators
//!  narrow.rs      what the filters of a scan say about keys, positions, types and tags
//!  scan.rs        the scan of a relation in DataFusion's plan
//!  insert.rs      INSERT INTO a topic: one append
//!  format.rs      answers as JSON, JSON lines, CSV, Arrow
//! ```
//!
//! Every statement reads at one position. DataFusion plans and computes; it never reaches files, the network or
//! options of its own.

mod answer;
mod arrays;
mod cells;
mod constants;
mod dependencies;
mod depth;
mod dialect;
mod engine;
mod entities;
mod error;
mod explain;
mod flow;
mod format;
mod functions;
mod insert;
mod join_keys;
mod kept;
mod left_out;
mod mixed;
mod moment;
mod names;
mod narrow;
mod plan;
mod pseudo;
mod push_down;
#[cfg(test)]
mod reference;
mod relation;
mod relations;
mod scan;
mod set;
mod settings;
mod show;
mod sql;
mod statement;
mod temporal;
mod tokens;
mod topic;
mod view_at;
mod windows;

pub use answer::{Answer, Notices};
pub use datafusion::arrow;
pub use engine::Engine;
pub use entities::Entities;
pub use error::QueryError;
pub use flow::QueryCompiler;
pub use format::{Format, Formatted, objects, type_name};
pub use kept::Kept;
pub use moment::{Moment, Span};
pub use relations::{
    Described, DescribedColumn, Given, NoRelations, OfView, Periods, Pinned, Relations, Rows, Wanted,
};
pub use settings::{SessionSettings, Settings, Stopped};
pub use sql::{Outcome, Sql};
