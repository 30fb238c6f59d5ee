//! recount-sim
