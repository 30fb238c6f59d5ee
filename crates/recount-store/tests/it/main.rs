//! The store as its fronts see it, on memory and on the simulated machine.

mod appends;
mod files;
mod reads;
mod subscriptions;
mod support;
mod topics;
mod transactions;
