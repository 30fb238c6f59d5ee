//! recount-server
