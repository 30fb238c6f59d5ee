//! Operators joined together.
//!
//! ```text
//!  source ─► operator ─► operator ─► result
//!  source ──────────────────┘
//! ```
//!
//! Each step runs every operator once, each after those that it reads.

use std::fmt::Debug;

use crate::delta::Delta;
use crate::expr::Failure;
use crate::operator::{Epoch, FlowError, Operator, Out};

/// Where an operator reads: a source, or another operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The source of this number.
    Source(usize),
    /// The operator of this number, which was added before.
    Operator(usize),
}

/// Operators joined together; the last one's result is the circuit's.
#[derive(Debug, Default)]
pub struct Circuit {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    operator: Box<dyn Operator>,
    inputs: Vec<Input>,
}

/// What a step gave.
#[derive(Debug, Default)]
pub struct Stepped {
    /// Changes of the result.
    pub rows: Vec<Delta>,
    /// Rows and groups that could not be computed, with the number of the operator.
    pub failures: Vec<(usize, Failure)>,
}

impl Circuit {
    /// A circuit without operators.
    pub fn new() -> Circuit {
        Circuit::default()
    }

    /// Adds an operator that reads what was added before.
    pub fn add(&mut self, operator: Box<dyn Operator>, inputs: Vec<Input>) -> Input {
        let number = self.nodes.len();
        let known = |input: &Input| !matches!(input, Input::Operator(other) if *other >= number);
        assert!(inputs.iter().all(known), "an operator reads what was added before it");
        self.nodes.push(Node { operator, inputs });
        Input::Operator(number)
    }

    /// One step: the changes of each source, by its number.
    pub fn step(&mut self, sources: &[Vec<Delta>], epoch: Epoch) -> Result<Stepped, FlowError> {
        let mut results: Vec<Vec<Delta>> = Vec::with_capacity(self.nodes.len());
        let mut failures = Vec::new();
        for (number, node) in self.nodes.iter_mut().enumerate() {
            let inputs = node.inputs.iter().map(|input| match *input {
                Input::Source(source) => sources.get(source).cloned().unwrap_or_default(),
                Input::Operator(other) => results[other].clone(),
            });
            let mut out = Out::default();
            node.operator.step(inputs.collect(), epoch, &mut out)?;
            failures.extend(out.failures.into_iter().map(|failure| (number, failure)));
            results.push(out.rows);
        }
        Ok(Stepped { rows: results.pop().unwrap_or_default(), failures })
    }

    /// About the memory that all state takes.
    pub fn bytes(&self) -> usize {
        self.nodes.iter().map(|node| node.operator.bytes()).sum()
    }
}
