//! WHERE, HAVING: the rows for which a condition holds.
//!
//! Rule: `ΔO = σ(ΔI)`. State: none. A row for which the condition cannot be computed fails.

use std::sync::Arc;

use arrow_array::cast::AsArray;

use crate::delta::Delta;
use crate::expr::{Expr, evaluate};
use crate::operator::{Epoch, FlowError, Operator, Out};
use crate::saved::Saved;

/// See the module.
#[derive(Debug)]
pub struct Filter {
    condition: [Arc<dyn Expr>; 1],
}

impl Filter {
    /// Of a condition, which is BOOLEAN.
    pub fn new(condition: Arc<dyn Expr>) -> Filter {
        Filter { condition: [condition] }
    }
}

impl Operator for Filter {
    fn step(&mut self, inputs: Vec<Vec<Delta>>, _: Epoch, out: &mut Out) -> Result<(), FlowError> {
        for rows in inputs.into_iter().flatten() {
            let evaluated = evaluate(&self.condition, rows)?;
            out.failures.extend(evaluated.failures);
            if let [holds] = evaluated.values.as_slice() {
                out.push(evaluated.rows.filtered(holds.as_boolean())?);
            }
        }
        Ok(())
    }

    fn is_monotone(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "filter"
    }

    fn bytes(&self) -> usize {
        0
    }

    fn save(&self, _: &mut Saved) {}
}
