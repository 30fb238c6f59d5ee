//! Folds.

pub mod decimal;
pub mod expr;
pub mod fold;
mod index;
pub mod key;
pub mod lookup;
pub mod table;
