//! The operators, each with its rule and its state.

mod aggregate;
mod constant;
mod distinct;
mod filter;
mod given;
mod join;
mod ordered;
mod project;
mod top;
mod union;
mod unnest;
mod window;

pub use aggregate::{Aggregate, Call, Function};
pub use constant::Constant;
pub use distinct::Distinct;
pub use filter::Filter;
pub use join::{Join, JoinKind, On};
pub use project::Project;
pub use top::Top;
pub use union::Union;
pub use unnest::Unnest;
pub use window::{Frame, Window, WindowFunction, WindowKind};

#[cfg(test)]
mod tests;
