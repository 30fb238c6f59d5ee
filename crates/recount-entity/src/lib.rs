//! Folds.

pub mod decimal;
pub mod expr;
pub mod fold;
pub mod key;
pub mod lookup;
pub mod table;
