//! Queries that are kept up to date, as circuits of incremental operators.
//!
//! A view's query is planned over what it reads (definition.rs), bound and rewritten by DataFusion's rules that make subqueries joins and
//! conditions keys (rewrite.rs), and each of its nodes becomes operators (lower.rs, expr.rs), which read changes of topics (changes.rs) and of
//! entities (entity.rs). Of another moment than now its circuit is run once over what was there then (past.rs).
//! What has no operator is refused by name, with what to write instead (refusal.rs).

mod changes;
mod compile;
mod definition;
mod entity;
mod expr;
#[cfg(test)]
mod law;
mod lower;
mod past;
mod refusal;
mod rewrite;
mod same_by_both;

pub use compile::QueryCompiler;
pub(crate) use definition::{As, define};
pub(crate) use past::{Asked, PastView, hidden, reads_by_operators};
pub(crate) use rewrite::rewrite;
pub(crate) use same_by_both::is_same_by_both;
