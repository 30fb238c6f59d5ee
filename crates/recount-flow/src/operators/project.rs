//! SELECT: other columns of the same rows.
//!
//! Rule: `ΔO = π(ΔI)`. State: none. A row of which a column cannot be computed fails.

use std::sync::Arc;

use crate::delta::Delta;
use crate::expr::{Expr, evaluate};
use crate::operator::{Epoch, FlowError, Operator, Out};
use crate::saved::Saved;

/// See the module.
#[derive(Debug)]
pub struct Project {
    columns: Vec<Arc<dyn Expr>>,
}

impl Project {
    /// Of the columns of the result.
    pub fn new(columns: Vec<Arc<dyn Expr>>) -> Project {
        Project { columns }
    }
}

impl Operator for Project {
    fn step(&mut self, inputs: Vec<Vec<Delta>>, _: Epoch, out: &mut Out) -> Result<(), FlowError> {
        for rows in inputs.into_iter().flatten() {
            let evaluated = evaluate(&self.columns, rows)?;
            out.failures.extend(evaluated.failures);
            out.push(evaluated.rows.with_columns(evaluated.values));
        }
        Ok(())
    }

    fn is_monotone(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "project"
    }

    fn bytes(&self) -> usize {
        0
    }

    fn save(&self, _: &mut Saved) {}
}
