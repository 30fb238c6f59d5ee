//! Changes of a relation.

use std::mem::size_of;

use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow_schema::ArrowError;
use arrow_select::{concat::concat, filter::filter, take::take};

/// Rows that came or went, in the order of the appends that did it.
///
/// Row `i` has the value `columns[c][i]` in column `c`. It came `weights[i]` times, or went as often if that is negative, with the
/// append at `stamps[i]`; stamps never fall.
#[derive(Debug, Clone, Default)]
pub struct Delta {
    /// The values, column by column.
    pub columns: Vec<ArrayRef>,
    /// How often each row came; never 0.
    pub weights: Vec<i64>,
    /// The position of the append that did it.
    pub stamps: Vec<u64>,
}

impl Delta {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// The same rows, with other columns.
    pub fn with_columns(self, columns: Vec<ArrayRef>) -> Delta {
        Delta { columns, ..self }
    }

    /// The rows for which `keep` holds: it is true there, neither false nor null.
    pub fn filtered(self, keep: &BooleanArray) -> Result<Delta, ArrowError> {
        let kept = |row: usize| keep.is_valid(row) && keep.value(row);
        let count = (0..self.len()).filter(|&row| kept(row)).count();
        if count == self.len() {
            return Ok(self);
        }
        let (mut weights, mut stamps) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for row in (0..self.len()).filter(|&row| kept(row)) {
            weights.push(self.weights[row]);
            stamps.push(self.stamps[row]);
        }
        let columns = self.columns.iter().map(|column| filter(column, keep)).collect::<Result<_, _>>()?;
        Ok(Delta { columns, weights, stamps })
    }

    /// The rows that came or went up to an append.
    pub fn until(mut self, stamp: u64) -> Delta {
        let count = self.stamps.partition_point(|&of_row| of_row <= stamp);
        self.columns.iter_mut().for_each(|column| *column = column.slice(0, count));
        self.weights.truncate(count);
        self.stamps.truncate(count);
        self
    }

    /// About the memory that its rows take.
    pub fn bytes(&self) -> usize {
        let of_columns: usize = self.columns.iter().map(|column| column.get_buffer_memory_size()).sum();
        of_columns + self.len() * (size_of::<i64>() + size_of::<u64>())
    }

    /// Some of the rows, by their numbers, in that order; stamps must not fall in it.
    pub fn taken(&self, rows: &[u32]) -> Result<Delta, ArrowError> {
        let numbers = UInt32Array::from(rows.to_vec());
        let columns = self.columns.iter().map(|column| take(column, &numbers, None));
        Ok(Delta {
            columns: columns.collect::<Result<_, _>>()?,
            weights: rows.iter().map(|&row| self.weights[row as usize]).collect(),
            stamps: rows.iter().map(|&row| self.stamps[row as usize]).collect(),
        })
    }

    /// The rows of several, in the order of their stamps; of one stamp in the order in which they are given.
    pub fn merged(deltas: Vec<Delta>) -> Result<Option<Delta>, ArrowError> {
        let mut deltas: Vec<Delta> = deltas.into_iter().filter(|delta| !delta.is_empty()).collect();
        if deltas.len() <= 1 {
            return Ok(deltas.pop());
        }
        let columns = (0..deltas[0].columns.len()).map(|column| {
            let parts: Vec<&dyn Array> = deltas.iter().map(|delta| &*delta.columns[column]).collect();
            concat(&parts)
        });
        let columns = columns.collect::<Result<_, _>>()?;
        let weights = deltas.iter().flat_map(|delta| delta.weights.iter().copied()).collect();
        let stamps: Vec<u64> = deltas.iter().flat_map(|delta| delta.stamps.iter().copied()).collect();
        let sorted = stamps.is_sorted();
        let all = Delta { columns, weights, stamps };
        if sorted {
            return Ok(Some(all));
        }
        let mut order: Vec<u32> = (0..all.len() as u32).collect();
        order.sort_by_key(|&row| all.stamps[row as usize]);
        all.taken(&order).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use proptest::prelude::*;

    use super::*;

    /// Rows by their value, weight and stamp.
    type Row = (i64, i64, u64);

    fn delta(rows: &[Row]) -> Delta {
        Delta {
            columns: vec![Arc::new(Int64Array::from(rows.iter().map(|row| row.0).collect::<Vec<_>>()))],
            weights: rows.iter().map(|row| row.1).collect(),
            stamps: rows.iter().map(|row| row.2).collect(),
        }
    }

    fn rows(delta: &Delta) -> Vec<Row> {
        let values = delta.columns[0].as_primitive::<Int64Type>().values();
        assert_eq!((values.len(), delta.weights.len()), (delta.len(), delta.stamps.len()));
        (0..delta.len()).map(|row| (values[row], delta.weights[row], delta.stamps[row])).collect()
    }

    fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
        rows.sort_by_key(|row| row.2);
        rows
    }

    #[test]
    fn the_memory_of_rows() {
        let hundred = vec![(7, 1, 1); 100];
        assert_eq!(delta(&hundred).bytes(), 100 * 3 * 8, "a value, a weight and a stamp each");
        assert_eq!(delta(&[]).bytes(), 0);
    }

    proptest! {
        #[test]
        fn rows_are_chosen_and_merged(
            parts in prop::collection::vec(prop::collection::vec((0..9i64, -3..3i64, 0..4u64), 0..5), 0..4),
            stamp in 0..5u64,
            keep in prop::collection::vec(prop::option::of(any::<bool>()), 5),
        ) {
            let parts: Vec<Vec<Row>> = parts.into_iter().map(sorted).collect();
            for part in &parts {
                let until: Vec<Row> = part.iter().filter(|row| row.2 <= stamp).copied().collect();
                prop_assert_eq!(rows(&delta(part).until(stamp)), until);
                let keep = &keep[..part.len()];
                let kept: Vec<Row> =
                    part.iter().zip(keep).filter(|(_, keep)| **keep == Some(true)).map(|(row, _)| *row).collect();
                prop_assert_eq!(rows(&delta(part).filtered(&BooleanArray::from(keep.to_vec())).unwrap()), kept);
            }
            let merged = Delta::merged(parts.iter().map(|part| delta(part)).collect()).unwrap();
            let all = sorted(parts.concat());
            prop_assert_eq!(merged.is_some(), !all.is_empty());
            prop_assert_eq!(merged.map_or(Vec::new(), |merged| rows(&merged)), all);
        }
    }
}
