//! Entities in a database in memory.

mod entities;
mod law;
mod support;
