//! Incremental operators: changes of relations in, changes of relations out.
//!
//! ```text
//!  changes of topics      Delta { columns, weights, stamps }
//!        │
//!     Operator ─► Operator ─► …     each keeps what it needs of the past
//!        │
//!  changes of the result
//! ```

pub mod circuit;
pub mod codec;
pub mod delta;
pub mod expr;
pub mod failures;
pub mod layout;
pub mod moments;
pub mod operator;
pub mod operators;
pub mod relation;
pub mod saved;
mod state;
