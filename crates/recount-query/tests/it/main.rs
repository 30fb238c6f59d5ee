//! SQL over a database in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod asof;
mod consistency;
mod constants;
mod decimals;
mod dependencies;
mod entities;
mod explain;
mod formats;
mod inserts;
mod join_keys;
mod joined_views;
mod kills;
mod misfits;
mod mixed;
mod precedence;
mod refusals;
mod relations;
mod rules;
mod series;
mod stars;
mod support;
mod temporal;
mod topics;
mod view_snapshots;
mod views;
mod views_of_entities;
mod views_over_time;
mod windows;
