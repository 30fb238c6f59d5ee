//! Which operators cases had, and which above which.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// An operator of a query, and those that it reads.
#[derive(Debug, Clone)]
pub(super) struct Node {
    name: &'static str,
    inputs: Vec<Node>,
}

impl Node {
    pub(super) fn new(name: &'static str, inputs: Vec<Node>) -> Node {
        Node { name, inputs }
    }

    /// How many operators there are, tables apart.
    pub(super) fn operators(&self) -> usize {
        usize::from(!self.inputs.is_empty()) + self.inputs.iter().map(Node::operators).sum::<usize>()
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    operators: BTreeMap<&'static str, u64>,
    /// An operator, and one that it reads.
    pairs: BTreeMap<(&'static str, &'static str), u64>,
    appends: u64,
}

impl Coverage {
    pub(super) fn add(&mut self, node: &Node) {
        if !node.inputs.is_empty() {
            *self.operators.entry(node.name).or_default() += 1;
        }
        for input in &node.inputs {
            if !input.inputs.is_empty() {
                *self.pairs.entry((node.name, input.name)).or_default() += 1;
            }
            self.add(input);
        }
    }

    pub(super) fn count_append(&mut self) {
        self.appends += 1;
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: BTreeSet<&str> = self.operators.keys().copied().collect();
        writeln!(f, "{} appends checked", self.appends)?;
        write!(f, "{:<12}", "above \\ below")?;
        names.iter().try_for_each(|name| write!(f, "{name:>12}"))?;
        for above in &names {
            write!(f, "\n{above:<13}")?;
            for below in &names {
                write!(f, "{:>12}", self.pairs.get(&(above, below)).unwrap_or(&0))?;
            }
        }
        let all = names.len() * names.len();
        writeln!(f, "\n{} of {all} pairs of operators", self.pairs.len())
    }
}
