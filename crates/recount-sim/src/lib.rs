//! Seeded simulation of the whole store on a machine that crashes and lies.
//!
//! One seed decides the workload, the faults and the order of everything. [`run::run_seed`] plays it: clients
//! append, read and follow; the machine crashes; the store is opened again and compared with the [`model`].
//!
//! - [`model`]: what was asked, what was answered, what was ever seen. It knows nothing of the store's inside.
//! - [`workload`]: what clients do.
//! - [`check`]: what must hold after every opening.
//! - [`run`]: a seed from beginning to end.
//! - [`report`]: counts of operations and faults over many seeds.

pub mod check;
pub mod model;
pub mod report;
pub mod run;
pub mod workload;
