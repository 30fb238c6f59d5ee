//! recount-index
