//! Tests of the index from outside.

mod speed;
