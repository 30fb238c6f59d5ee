//! Tests of the index from outside.

mod crash;
mod speed;
