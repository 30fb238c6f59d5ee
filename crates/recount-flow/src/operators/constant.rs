//! VALUES, a query without FROM: rows that are always there.
//!
//! Rule: they come with the first epoch, which is that in which a view begins. State: whether they came.

use arrow_array::ArrayRef;

use crate::delta::Delta;
use crate::operator::{Epoch, FlowError, Operator, Out};

/// See the module.
#[derive(Debug)]
pub struct Constant {
    columns: Vec<ArrayRef>,
    rows: usize,
    came: bool,
}

impl Constant {
    /// So many rows with these columns.
    pub fn new(columns: Vec<ArrayRef>, rows: usize) -> Constant {
        Constant { columns, rows, came: false }
    }
}

impl Operator for Constant {
    fn step(&mut self, _: Vec<Vec<Delta>>, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
        if !self.came {
            self.came = true;
            let (weights, stamps) = (vec![1; self.rows], vec![epoch.stamp; self.rows]);
            out.push(Delta { columns: self.columns.clone(), weights, stamps });
        }
        Ok(())
    }

    fn is_monotone(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "constant"
    }

    fn bytes(&self) -> usize {
        0
    }
}
