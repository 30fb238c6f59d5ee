//! Entities of a database.

pub mod bind;
