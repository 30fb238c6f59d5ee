//! Rows as bytes that sort as the rows do: keys of state, and what is kept of rows.
//!
//! ```text
//!  row     the values, one behind the other
//!  value   00                                             null: before all others
//!          01 then its bytes                              another
//!  bytes   BOOLEAN            00 or 01
//!          an integer, a date, a time, a decimal          big-endian, the sign flipped
//!          DOUBLE             big-endian, negative ones inverted, else the sign flipped; -0 as 0, every NaN as one
//!          a text, bytes      each 00 as 00 FF; 00 01 behind the last
//!          a list             01 and a value, for each; 00 behind the last
//! ```
//!
//! A column that is to sort the other way round has all of its bytes inverted. Nulls may come last instead: then a null is 02.
//! Equal rows have equal bytes, and the other way round. These bytes are kept on disk: they never change.

use std::mem::size_of;
use std::ops::Range;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

mod decode;
mod encode;
#[cfg(test)]
mod tests;

/// How a column sorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order {
    /// The greatest value first.
    pub descending: bool,
    /// Nulls behind all values, whatever else.
    pub nulls_last: bool,
}

/// Encodes and decodes rows of one shape; they sort by each column upwards, nulls first.
#[derive(Debug, Clone, PartialEq)]
pub struct RowCodec {
    types: Vec<DataType>,
}

/// Bytes that are no row of the shape: they are damaged, or another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes of a row are damaged")]
pub struct Damaged;

/// Some rows as bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    bytes: Vec<u8>,
    /// Where each begins, and where the last ends.
    bounds: Vec<usize>,
}

impl RowCodec {
    /// A codec of rows with columns of these types; a type that it cannot take otherwise.
    pub fn new(types: impl IntoIterator<Item = DataType>) -> Result<RowCodec, DataType> {
        let types: Vec<_> = types.into_iter().collect();
        match types.iter().find(|data_type| !is_known(data_type)) {
            Some(unknown) => Err(unknown.clone()),
            None => Ok(RowCodec { types }),
        }
    }

    /// The types of its columns.
    pub fn types(&self) -> &[DataType] {
        &self.types
    }

    /// The rows of some columns, which are of the codec's types.
    pub fn encode(&self, columns: &[ArrayRef], rows: usize) -> Rows {
        let types = columns.iter().map(|array| array.data_type());
        assert!(
            types.clone().eq(&self.types),
            "columns of {:?} are of {:?}",
            self.types,
            types.collect::<Vec<_>>()
        );
        encode::rows(columns.iter().map(|array| (array, Order::default())), rows)
    }

    /// The columns of some rows.
    pub fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>, Damaged> {
        let mut rest: Vec<&[u8]> = rows.into_iter().collect();
        let columns = self.types.iter().map(|data_type| decode::column(data_type, &mut rest));
        let columns = columns.collect::<Result<_, _>>()?;
        if rest.iter().all(|rest| rest.is_empty()) { Ok(columns) } else { Err(Damaged) }
    }
}

/// Rows that sort by each column in its order. They are compared, never decoded.
pub fn sort_keys(columns: &[(ArrayRef, Order)], rows: usize) -> Rows {
    encode::rows(columns.iter().map(|(array, order)| (array, *order)), rows)
}

/// Appends a count as the value of a column of 64 bits, without a sign or with one.
pub(crate) fn put_count(row: &mut Vec<u8>, count: u64, data_type: &DataType) {
    let sign = if *data_type == DataType::UInt64 { 0 } else { 1 << 63 };
    row.push(1);
    row.extend_from_slice(&(count ^ sign).to_be_bytes());
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds one.
    pub fn push(&mut self, row: &[u8]) {
        self.push_parts(&[row]);
    }

    /// Adds one that is given in parts.
    pub(crate) fn push_parts(&mut self, parts: &[&[u8]]) {
        if self.bounds.is_empty() {
            self.bounds.push(0);
        }
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.bounds.push(self.bytes.len());
    }

    /// About the memory that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.capacity() + self.bounds.capacity() * size_of::<usize>()
    }

    /// The bytes of one.
    pub fn row(&self, row: usize) -> &[u8] {
        &self.bytes[self.range(row)]
    }

    /// All, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|row| self.row(row))
    }

    fn range(&self, row: usize) -> Range<usize> {
        self.bounds[row]..self.bounds[row + 1]
    }
}

/// Whether values of a type can be rows' values.
fn is_known(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => is_known(item.data_type()),
        other => encode::width(other).is_some() || matches!(other, DataType::Utf8 | DataType::Binary),
    }
}
