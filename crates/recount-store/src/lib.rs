//! recount-store
