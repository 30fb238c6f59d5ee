//! recount-journal
