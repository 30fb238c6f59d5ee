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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_schema::DataType;

    use super::*;
    use crate::operators::{Distinct, Union};

    fn rows(values: &[i64], stamp: u64) -> Vec<Delta> {
        let (weights, stamps) = (vec![1; values.len()], vec![stamp; values.len()]);
        vec![Delta { columns: vec![Arc::new(Int64Array::from(values.to_vec()))], weights, stamps }]
    }

    /// ```text
    ///  0 ─┬─► union ─► distinct ─► union ─► result
    ///  1 ─┘                          ▲
    ///  1 ────────────────────────────┘
    /// ```
    #[test]
    fn each_operator_reads_what_was_added_before() {
        let mut circuit = Circuit::new();
        assert!(circuit.step(&[], Epoch { stamp: 1, ends: true }).unwrap().rows.is_empty());
        assert_eq!(circuit.bytes(), 0);
        let both = circuit.add(Box::new(Union), vec![Input::Source(0), Input::Source(1)]);
        assert_eq!(both, Input::Operator(0));
        let distinct = circuit.add(Box::new(Distinct::new(vec![DataType::Int64]).unwrap()), vec![both]);
        circuit.add(Box::new(Union), vec![distinct, Input::Source(1)]);
        let stepped = circuit.step(&[rows(&[1, 2], 1), rows(&[2, 3], 1)], Epoch { stamp: 1, ends: true });
        let stepped = stepped.unwrap();
        assert!(stepped.failures.is_empty());
        let mut given: Vec<i64> = Vec::new();
        for delta in &stepped.rows {
            given.extend(delta.columns[0].as_primitive::<Int64Type>().values());
        }
        given.sort_unstable();
        assert_eq!(given, [1, 2, 2, 3, 3]);
        assert!(circuit.bytes() > 3 * 9, "the three rows that are distinct");
        // A source that has nothing need not be there.
        let stepped = circuit.step(&[rows(&[1], 2)], Epoch { stamp: 2, ends: true }).unwrap();
        assert!(stepped.rows.iter().all(Delta::is_empty), "1 is there already");
    }

    #[test]
    #[should_panic(expected = "an operator reads what was added before it")]
    fn no_operator_reads_itself() {
        Circuit::new().add(Box::new(Union), vec![Input::Operator(0)]);
    }
}
