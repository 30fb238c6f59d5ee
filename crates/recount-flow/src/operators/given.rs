//! Rows of a result on their way, as bytes.

use crate::codec::{Damaged, RowCodec, Rows};
use crate::delta::Delta;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Given {
    rows: Rows,
    weights: Vec<i64>,
    stamps: Vec<u64>,
}

impl Given {
    /// Adds a row.
    pub(super) fn push(&mut self, row: &[u8], weight: i64, stamp: u64) {
        self.rows.push(row);
        self.weights.push(weight);
        self.stamps.push(stamp);
    }

    /// Of the rows.
    pub(super) fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    /// All of them, which are of this shape.
    pub(super) fn delta(self, codec: &RowCodec) -> Result<Delta, Damaged> {
        let columns = codec.decode(self.rows.iter())?;
        Ok(Delta { columns, weights: self.weights, stamps: self.stamps })
    }
}
