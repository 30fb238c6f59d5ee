//! HTTP: appends, reads and subscriptions as JSON, health and metrics. Speaks the protocol and holds no rules:
//! what may be appended is for the store to say.
//!
//! ```text
//!  serve.rs      connections ─▶ router.rs   path and method ─▶ append.rs, read.rs, topics.rs, entities.rs, sql.rs, health.rs
//!  eager.rs      how a connection is polled
//!  endpoints.rs  the list of what there is; openapi.rs describes it to programs
//!  problem.rs    every answer that is not a success
//! ```

mod append;
mod body;
mod changes;
mod eager;
mod endpoints;
mod entities;
mod front;
mod health;
pub mod metrics;
pub mod openapi;
mod parameters;
mod path;
mod problem;
mod read;
mod router;
mod serve;
mod sql;
mod topics;
mod views;

pub use serve::{Limits, serve};
