//! Queries as circuits of incremental operators.
//!
//! A plan of DataFusion is bound and rewritten by its rules that make subqueries joins and conditions keys; each of its nodes then
//! becomes operators. What has no operator is refused by name.

mod expr;
#[cfg(test)]
mod law;
mod lower;
mod rewrite;

pub(crate) use lower::{Lowered, lower};
pub(crate) use rewrite::rewrite;
