//! The HTTP front as its clients see it: over a loopback port, on a database in memory.

mod append;
mod append_many;
mod client;
mod documents;
mod follow;
mod limits;
mod problems;
mod read;
mod server;
