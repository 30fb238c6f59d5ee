//! DISTINCT, UNION: each row once.
//!
//! Rule: a row comes when its weight becomes positive, and goes when it stops to be. State: the weight of each row, saved by the row.
//!
//! While an epoch lasts a weight may be negative, because a row goes before it comes; what is told of that adds up to nothing.

use arrow_schema::DataType;

use crate::codec::{Damaged, RowCodec};
use crate::delta::Delta;
use crate::operator::{Epoch, FlowError, Operator, Out};
use crate::saved::{Reader, Saved, put_number};
use crate::state::Table;

/// See the module.
#[derive(Debug)]
pub struct Distinct {
    codec: RowCodec,
    weights: Table<i64>,
}

impl Distinct {
    /// Of rows with columns of these types; a type that cannot be compared otherwise.
    pub fn new(types: Vec<DataType>) -> Result<Distinct, DataType> {
        Ok(Distinct { codec: RowCodec::new(types)?, weights: Table::new() })
    }
}

impl Operator for Distinct {
    fn step(&mut self, inputs: Vec<Vec<Delta>>, _: Epoch, out: &mut Out) -> Result<(), FlowError> {
        let Some(rows) = Delta::merged(inputs.into_iter().flatten().collect())? else { return Ok(()) };
        let keys = self.codec.encode(&rows.columns, rows.len());
        let (mut numbers, mut weights) = (Vec::new(), Vec::new());
        for (row, key) in keys.iter().enumerate() {
            let (before, after) = self.weights.edit(
                key,
                || 0,
                |weight| {
                    let before = *weight;
                    *weight += rows.weights[row];
                    (before, *weight)
                },
            );
            if after == 0 {
                self.weights.remove(key);
            }
            if (before > 0) != (after > 0) {
                numbers.push(row as u32);
                weights.push(if before > 0 { -1 } else { 1 });
            }
        }
        let taken = rows.taken(&numbers)?;
        out.push(Delta { weights, ..taken });
        Ok(())
    }

    fn is_monotone(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "distinct"
    }

    fn keeps(&self) -> Option<(usize, &'static str)> {
        Some((self.weights.len(), "rows"))
    }

    fn bytes(&self) -> usize {
        self.weights.bytes()
    }

    fn save(&self, saved: &mut Saved) {
        let mut value = Vec::new();
        for (row, weight) in self.weights.iter() {
            value.clear();
            put_number(&mut value, *weight);
            saved.push(row, &value);
        }
    }

    fn load(&mut self, row: &[u8], value: &[u8]) -> Result<(), Damaged> {
        let mut value = Reader(value);
        let weight = value.number()?;
        self.weights.edit(row, || weight, |_| ());
        value.end()
    }
}
