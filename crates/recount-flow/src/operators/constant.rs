//! VALUES, a query without FROM: rows that are always there.
//!
//! Rule: they come with the first epoch, which is that in which a view begins. State: whether they came.

use arrow_array::ArrayRef;

use crate::codec::Damaged;
use crate::delta::Delta;
use crate::operator::{Epoch, FlowError, Operator, Out};
use crate::saved::Saved;

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

    fn save(&self, saved: &mut Saved) {
        if self.came {
            saved.push(&[], &[]);
        }
    }

    fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damaged> {
        self.came = true;
        if key.is_empty() && value.is_empty() { Ok(()) } else { Err(Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int64Array;

    use super::*;

    /// They come once, over restarts too.
    #[test]
    fn they_come_once() {
        let constant = || Constant::new(vec![Arc::new(Int64Array::from(vec![7, 8]))], 2);
        let came = |constant: &mut Constant| {
            let mut out = Out::default();
            constant.step(vec![], Epoch { stamp: 5, ends: true, part_bytes: None }, &mut out).unwrap();
            out.rows.iter().map(Delta::len).sum::<usize>()
        };
        let entries = |constant: &Constant| {
            let mut saved = Saved::default();
            constant.save(&mut saved);
            saved.sorted().map(|(key, value)| (key.to_vec(), value.to_vec())).collect::<Vec<_>>()
        };
        let mut first = constant();
        assert_eq!(entries(&first), []);
        assert_eq!((came(&mut first), came(&mut first)), (2, 0));
        let [(key, value)] = &entries(&first)[..] else { panic!("it saves that they came") };
        let mut again = constant();
        again.load(key, value).unwrap();
        assert_eq!(
            (came(&mut again), again.load(b"x", b""), again.load(b"", b"x")),
            (0, Err(Damaged), Err(Damaged))
        );
    }
}
