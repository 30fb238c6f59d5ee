//! unnest: a row once for each item of a list, with the item in the place of the list.
//!
//! Rule: `ΔO = unnest(ΔI)`. State: none. Of several lists the n-th items come together; a shorter one has nulls behind its last.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ListArray, UInt32Array};
use arrow_select::take::take;

use crate::delta::Delta;
use crate::operator::{Epoch, FlowError, Operator, Out};

/// See the module.
#[derive(Debug)]
pub struct Unnest {
    /// The columns that are lists.
    lists: Vec<usize>,
}

impl Unnest {
    /// Of the columns of these numbers, which are lists; a row without an item is not there.
    pub fn new(lists: Vec<usize>) -> Unnest {
        Unnest { lists }
    }

    fn unnested(&self, rows: &Delta) -> Result<Delta, FlowError> {
        let lists: Vec<&ListArray> =
            self.lists.iter().map(|&column| rows.columns[column].as_list::<i32>()).collect();
        let length = |list: &ListArray, row: usize| match list.is_valid(row) {
            true => list.value_length(row) as usize,
            false => 0,
        };
        let count = |row: usize| lists.iter().map(|list| length(list, row)).max().unwrap_or(0);
        let numbers: Vec<u32> =
            (0..rows.len()).flat_map(|row| std::iter::repeat_n(row as u32, count(row))).collect();
        let mut given = rows.taken(&numbers)?;
        for (&column, list) in self.lists.iter().zip(&lists) {
            let items: UInt32Array = (0..rows.len())
                .flat_map(|row| {
                    let (first, length) = (list.value_offsets()[row] as u32, length(list, row));
                    (0..count(row)).map(move |item| (item < length).then_some(first + item as u32))
                })
                .collect();
            given.columns[column] = take(list.values(), &items, None)?;
        }
        Ok(given)
    }
}

impl Operator for Unnest {
    fn step(&mut self, inputs: Vec<Vec<Delta>>, _: Epoch, out: &mut Out) -> Result<(), FlowError> {
        for rows in inputs.iter().flatten() {
            out.push(self.unnested(rows)?);
        }
        Ok(())
    }

    fn name(&self) -> &'static str {
        "unnest"
    }

    fn bytes(&self) -> usize {
        0
    }
}
