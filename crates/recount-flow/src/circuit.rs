//! Operators joined together.
//!
//! ```text
//!  source ─► operator ─► operator ─► result
//!  source ──────────────────┘
//! ```
//!
//! A step runs every operator, each after those that it reads. An operator that makes too much at once gives it in parts: those behind it
//! take one before it makes the next.

use std::fmt::Debug;
use std::mem::take;

use crate::codec::Damaged;
use crate::delta::Delta;
use crate::expr::Failure;
use crate::operator::{Epoch, FlowError, Operator, Out};
use crate::saved::Saved;

/// Where an operator reads: a source, or another operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The source of this number.
    Source(usize),
    /// The operator of this number, which was added before.
    Operator(usize),
}

/// Operators joined together; the last one's result is the circuit's.
#[derive(Debug)]
pub struct Circuit {
    nodes: Vec<Node>,
    part_bytes: usize,
}

#[derive(Debug)]
struct Node {
    operator: Box<dyn Operator>,
    inputs: Vec<Input>,
    /// What came for each input.
    waiting: Vec<Vec<Delta>>,
    /// What it is for, in words.
    label: String,
}

/// What is known of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described<'a> {
    /// What it is called.
    pub name: &'static str,
    /// What it is for; empty if that goes without saying.
    pub label: &'a str,
    /// What it reads.
    pub inputs: &'a [Input],
    /// How many of what it keeps.
    pub keeps: Option<(usize, &'static str)>,
    /// About the memory that it takes.
    pub bytes: usize,
}

/// What a step gave, or a part of it.
#[derive(Debug, Default)]
pub struct Stepped {
    /// Changes of the result.
    pub rows: Vec<Delta>,
    /// Rows and groups that could not be computed, with the number of the operator.
    pub failures: Vec<(usize, Failure)>,
}

/// Bytes that an operator makes at a time, about.
const PART_BYTES: usize = 8 << 20;

impl Default for Circuit {
    fn default() -> Circuit {
        Circuit::new()
    }
}

impl Circuit {
    /// A circuit without operators.
    pub fn new() -> Circuit {
        Circuit { nodes: Vec::new(), part_bytes: PART_BYTES }
    }

    /// The same, of which an operator makes about so many bytes at a time.
    pub fn with_part_bytes(self, part_bytes: usize) -> Circuit {
        Circuit { part_bytes, ..self }
    }

    /// Adds an operator that reads what was added before.
    pub fn add(&mut self, operator: Box<dyn Operator>, inputs: Vec<Input>) -> Input {
        let number = self.nodes.len();
        let known = |input: &Input| !matches!(input, Input::Operator(other) if *other >= number);
        assert!(inputs.iter().all(known), "an operator reads what was added before it");
        let waiting = vec![Vec::new(); inputs.len()];
        self.nodes.push(Node { operator, inputs, waiting, label: String::new() });
        Input::Operator(number)
    }

    /// Says what the operator is for that was added last.
    pub fn label(&mut self, label: String) {
        if let Some(last) = self.nodes.last_mut() {
            last.label = label;
        }
    }

    /// The operators, by their numbers.
    pub fn described(&self) -> Vec<Described<'_>> {
        fn described(node: &Node) -> Described<'_> {
            Described {
                name: node.operator.name(),
                label: &node.label,
                inputs: &node.inputs,
                keeps: node.operator.keeps(),
                bytes: node.operator.bytes(),
            }
        }
        self.nodes.iter().map(described).collect()
    }

    /// One step of the epoch that ends with the append at `stamp`, and, if it `ends`, its last one: the changes of each source, by its number.
    /// What it gives is given to `give`, in parts.
    pub fn step<E: From<FlowError>>(
        &mut self,
        sources: Vec<Vec<Delta>>,
        (stamp, ends): (u64, bool),
        give: &mut dyn FnMut(Stepped) -> Result<(), E>,
    ) -> Result<(), E> {
        let is_of_one = |rows: &Delta| rows.stamps.iter().all(|of_row| *of_row == stamp);
        let part_bytes = sources.iter().flatten().all(is_of_one).then_some(self.part_bytes);
        for (number, rows) in sources.into_iter().enumerate() {
            self.hand_on(Input::Source(number), 0, rows);
        }
        self.run(0, Epoch { stamp, ends, part_bytes }, give)
    }

    /// Runs the operators from one on.
    fn run<E: From<FlowError>>(
        &mut self,
        from: usize,
        epoch: Epoch,
        give: &mut dyn FnMut(Stepped) -> Result<(), E>,
    ) -> Result<(), E> {
        for number in from..self.nodes.len() {
            let node = &mut self.nodes[number];
            let inputs = node.waiting.iter_mut().map(take).collect();
            let mut out = Out::default();
            node.operator.step(inputs, epoch, &mut out)?;
            while take(&mut out.more) {
                self.give(number, take(&mut out), give)?;
                self.run(number + 1, Epoch { ends: false, ..epoch }, give)?;
                self.nodes[number].operator.go_on(epoch, &mut out)?;
            }
            self.give(number, out, give)?;
        }
        Ok(())
    }

    /// Gives what an operator made to those that read it.
    fn give<E>(
        &mut self,
        number: usize,
        Out { rows, failures, .. }: Out,
        give: &mut dyn FnMut(Stepped) -> Result<(), E>,
    ) -> Result<(), E> {
        let failures: Vec<(usize, Failure)> = failures.into_iter().map(|failure| (number, failure)).collect();
        let behind = number + 1;
        let rows = if behind == self.nodes.len() {
            rows
        } else {
            self.hand_on(Input::Operator(number), behind, rows);
            Vec::new()
        };
        if rows.is_empty() && failures.is_empty() { Ok(()) } else { give(Stepped { rows, failures }) }
    }

    /// Leaves rows with the operators that read them, which are behind `from`.
    fn hand_on(&mut self, given: Input, from: usize, rows: Vec<Delta>) {
        if rows.is_empty() {
            return;
        }
        for Node { inputs, waiting, .. } in &mut self.nodes[from..] {
            for (input, waiting) in inputs.iter().zip(waiting) {
                if *input == given {
                    waiting.extend(rows.iter().cloned());
                }
            }
        }
    }

    /// Adds the state of all operators, as of the end of an epoch, to what a restart goes on from. Keys begin with `start`.
    pub fn save(&self, start: &[u8], saved: &mut Saved) {
        for (number, node) in self.nodes.iter().enumerate() {
            saved.begin(&[start, &(number as u32).to_be_bytes()].concat());
            node.operator.save(saved);
        }
    }

    /// Takes an entry, of which the key is told without `start`; before the first step, and in the order of keys.
    pub fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damaged> {
        let (number, key) = key.split_first_chunk().ok_or(Damaged)?;
        let node = self.nodes.get_mut(u32::from_be_bytes(*number) as usize).ok_or(Damaged)?;
        node.operator.load(key, value)
    }

    /// Says that all entries were loaded.
    pub fn loaded(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.operator.loaded());
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
    use crate::codec::Order;
    use crate::operators::{Distinct, Top, Union};

    fn rows(values: &[i64], stamp: u64) -> Vec<Delta> {
        let (weights, stamps) = (vec![1; values.len()], vec![stamp; values.len()]);
        vec![Delta { columns: vec![Arc::new(Int64Array::from(values.to_vec()))], weights, stamps }]
    }

    fn values(stepped: &Stepped) -> Vec<i64> {
        let rows = stepped.rows.iter();
        rows.flat_map(|delta| delta.columns[0].as_primitive::<Int64Type>().values().to_vec()).collect()
    }

    /// What a step gives; nothing fails.
    fn step(circuit: &mut Circuit, sources: Vec<Vec<Delta>>, stamp: u64) -> Vec<i64> {
        let mut all = Vec::new();
        let mut give = |stepped: Stepped| {
            assert!(stepped.failures.is_empty());
            all.extend(values(&stepped));
            Ok::<(), FlowError>(())
        };
        circuit.step(sources, (stamp, true), &mut give).unwrap();
        all
    }

    /// ```text
    ///  0 ─┬─► union ─► distinct ─► union ─► result
    ///  1 ─┘                          ▲
    ///  1 ────────────────────────────┘
    /// ```
    #[test]
    fn each_operator_reads_what_was_added_before() {
        let mut circuit = Circuit::new();
        assert!(step(&mut circuit, vec![], 1).is_empty());
        assert_eq!(circuit.bytes(), 0);
        let both = circuit.add(Box::new(Union), vec![Input::Source(0), Input::Source(1)]);
        assert_eq!(both, Input::Operator(0));
        let distinct = circuit.add(Box::new(Distinct::new(vec![DataType::Int64]).unwrap()), vec![both]);
        circuit.label("each once".to_owned());
        circuit.add(Box::new(Union), vec![distinct, Input::Source(1)]);
        let mut given = step(&mut circuit, vec![rows(&[1, 2], 1), rows(&[2, 3], 1)], 1);
        given.sort_unstable();
        assert_eq!(given, [1, 2, 2, 3, 3]);
        assert!(circuit.bytes() > 3 * 9, "the three rows that are distinct");
        let described = circuit.described();
        let names: Vec<&str> = described.iter().map(|operator| operator.name).collect();
        assert_eq!(names, ["union", "distinct", "union"]);
        let bytes = circuit.bytes();
        let (keeps, inputs) = (Some((3, "rows")), [both]);
        let of = Described { name: "distinct", label: "each once", inputs: &inputs, keeps, bytes };
        assert_eq!(described[1], of);
        // A source that has nothing need not be there.
        assert!(step(&mut circuit, vec![rows(&[1], 2)], 2).is_empty(), "1 is there already");
    }

    /// An operator that gives each of its rows by itself; a part that is not taken ends the step.
    #[test]
    fn what_is_given_in_parts_is_taken_in_parts() {
        let mut circuit = Circuit::new();
        let parts = circuit.add(Box::<OneByOne>::default(), vec![Input::Source(0)]);
        let again = circuit.add(Box::<OneByOne>::default(), vec![parts]);
        circuit.add(Box::new(Union), vec![again, Input::Source(0)]);
        let mut parts = Vec::new();
        let mut give = |stepped: Stepped| {
            parts.push(values(&stepped));
            Ok::<(), FlowError>(())
        };
        circuit.step(vec![rows(&[1, 2, 3], 1)], (1, true), &mut give).unwrap();
        assert_eq!(parts, [vec![1, 1, 2, 3], vec![2], vec![3]]);
        let mut count = 0;
        let mut give = |_: Stepped| {
            count += 1;
            if count == 2 { Err(FlowError::Negative) } else { Ok(()) }
        };
        let broken = circuit.step(vec![rows(&[1, 2, 3], 1)], (1, true), &mut give);
        assert_eq!((broken, count), (Err(FlowError::Negative), 2));
    }

    /// What is known of the epoch of each step.
    #[derive(Debug)]
    struct Epochs(std::sync::mpsc::Sender<Epoch>);

    impl Operator for Epochs {
        fn step(&mut self, _: Vec<Vec<Delta>>, epoch: Epoch, _: &mut Out) -> Result<(), FlowError> {
            self.0.send(epoch).unwrap();
            Ok(())
        }

        fn name(&self) -> &'static str {
            "epochs"
        }

        fn bytes(&self) -> usize {
            0
        }

        fn save(&self, _: &mut Saved) {}
    }

    /// Of one append; of several nothing may come in parts, as no part may be before an earlier append.
    #[test]
    fn an_epoch_ends_with_its_last_part() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let mut circuit = Circuit::new();
        let parts = circuit.add(Box::<OneByOne>::default(), vec![Input::Source(0)]);
        circuit.add(Box::new(Epochs(sender)), vec![parts]);
        step(&mut circuit, vec![rows(&[1, 2, 3], 7)], 7);
        let epoch = |ends| Epoch { stamp: 7, ends, part_bytes: Some(8 << 20) };
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [epoch(false), epoch(false), epoch(true)]);

        let (sender, receiver) = std::sync::mpsc::channel();
        let mut circuit = Circuit::new().with_part_bytes(9);
        circuit.add(Box::new(Epochs(sender)), vec![Input::Source(0)]);
        step(&mut circuit, vec![rows(&[1], 7)], 7);
        step(&mut circuit, vec![[rows(&[1], 7), rows(&[2], 8)].concat()], 8);
        let epoch = |stamp, part_bytes| Epoch { stamp, ends: true, part_bytes };
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [epoch(7, Some(9)), epoch(8, None)]);
    }

    #[derive(Debug, Default)]
    struct OneByOne(std::collections::VecDeque<Delta>);

    impl Operator for OneByOne {
        fn step(&mut self, inputs: Vec<Vec<Delta>>, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
            for rows in inputs.iter().flatten() {
                (0..rows.len()).for_each(|row| self.0.push_back(rows.taken(&[row as u32]).unwrap()));
            }
            self.go_on(epoch, out)
        }

        fn go_on(&mut self, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
            assert_eq!(epoch.part_bytes, Some(PART_BYTES));
            out.rows.extend(self.0.pop_front());
            out.more = !self.0.is_empty();
            Ok(())
        }

        fn name(&self) -> &'static str {
            "one by one"
        }

        fn bytes(&self) -> usize {
            0
        }

        fn save(&self, _: &mut Saved) {}
    }

    /// What an operator shows is made of what was loaded, and not shown again.
    #[test]
    fn operators_are_told_when_all_is_loaded() {
        let circuit = || {
            let mut circuit = Circuit::new();
            let top = Top::new(vec![DataType::Int64], vec![(0, Order::default())], 0, 1, false).unwrap();
            circuit.add(Box::new(top), vec![Input::Source(0)]);
            circuit
        };
        let (mut one, mut other) = (circuit(), circuit());
        assert_eq!(step(&mut one, vec![rows(&[5, 3], 1)], 1), [3]);
        let mut saved = Saved::default();
        one.save(b"", &mut saved);
        saved.sorted().for_each(|(key, value)| other.load(key, value).unwrap());
        other.loaded();
        assert!(step(&mut other, vec![rows(&[4], 2)], 2).is_empty());
        assert_eq!(step(&mut other, vec![rows(&[2], 3)], 3).len(), 2, "3 goes, 2 comes");
    }

    /// Entries of an operator are behind its number; what is of none is damaged.
    #[test]
    fn another_circuit_goes_on_from_what_was_saved() {
        let circuit = || {
            let mut circuit = Circuit::new();
            let union = circuit.add(Box::new(Union), vec![Input::Source(0)]);
            let distinct = || Box::new(Distinct::new(vec![DataType::Int64]).unwrap());
            let first = circuit.add(distinct(), vec![union]);
            circuit.add(distinct(), vec![first, union]);
            circuit
        };
        let (mut one, mut other) = (circuit(), circuit());
        assert_eq!(step(&mut one, vec![rows(&[1, 1, 2], 1)], 1), [1, 2]);
        let mut saved = Saved::default();
        one.save(b"o", &mut saved);
        let weights: Vec<(&[u8], &[u8])> = saved.sorted().collect();
        assert_eq!(weights.len(), 4);
        assert!(weights.iter().all(|(key, _)| key.starts_with(b"o\0\0\0")));
        for (key, value) in weights {
            other.load(&key[1..], value).unwrap();
        }
        other.loaded();
        assert_eq!(other.described()[2].keeps, Some((2, "rows")));
        assert_eq!(step(&mut other, vec![rows(&[2, 3], 2)], 2), [3]);
        for wrong in [&b"\0\0\0\x03row"[..], b"\0\0\0\0row", b"\0\0"] {
            assert_eq!(other.load(wrong, &[2]), Err(Damaged));
        }
    }

    #[test]
    #[should_panic(expected = "an operator reads what was added before it")]
    fn no_operator_reads_itself() {
        Circuit::new().add(Box::new(Union), vec![Input::Operator(0)]);
    }
}
