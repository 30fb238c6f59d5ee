//! Queries that are kept up to date, as circuits of incremental operators.
//!
//! A view's query is planned over what it reads (definition.rs), bound and rewritten by DataFusion's rules that make subqueries joins and
//! conditions keys (rewrite.rs), and each of its nodes becomes operators (lower.rs, expr.rs), which read changes of topics (changes.rs) and of
//! entities (entity.rs).
//! What has no operator is refused by name, with what to write instead (refusal.rs).

mod changes;
mod compile;
mod definition;
mod entity;
mod expr;
#[cfg(test)]
mod law;
mod lower;
mod refusal;
mod rewrite;

pub use compile::QueryCompiler;
pub(crate) use definition::{As, define};
