//! recount-http
