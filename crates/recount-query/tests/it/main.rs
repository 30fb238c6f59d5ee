//! Tests of SQL over a database in memory.

mod decimals;
mod entities;
mod explain;
mod formats;
mod inserts;
mod refusals;
mod rules;
mod relations;
mod stars;
mod support;
mod temporal;
mod topics;
