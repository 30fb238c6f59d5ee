//! UNION ALL: the rows of all inputs.
//!
//! Rule: `ΔO = ΔI₁ + ΔI₂ + …`. State: none.

use crate::delta::Delta;
use crate::operator::{Epoch, FlowError, Operator, Out};
use crate::saved::Saved;

/// See the module. Its inputs have the same types.
#[derive(Debug, Clone, Copy, Default)]
pub struct Union;

impl Operator for Union {
    fn step(&mut self, inputs: Vec<Vec<Delta>>, _: Epoch, out: &mut Out) -> Result<(), FlowError> {
        inputs.into_iter().flatten().for_each(|rows| out.push(rows));
        Ok(())
    }

    fn is_monotone(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "union"
    }

    fn bytes(&self) -> usize {
        0
    }

    fn save(&self, _: &mut Saved) {}
}
