//! unnest: a row once for each item of a list, with the item in the place of the list.
//!
//! Rule: `ΔO = unnest(ΔI)`. State: none. Of several lists the n-th items come together; a shorter one has nulls behind its last.
//!
//! Lists may be long, so a step may make many more rows than came: of one append it gives them in parts, each of what some of its rows
//! become.

use std::collections::VecDeque;
use std::mem::{replace, size_of};
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ListArray, UInt32Array, new_null_array};
use arrow_schema::DataType;
use arrow_select::take::take;

use crate::delta::Delta;
use crate::operator::{Epoch, FlowError, Operator, Out};
use crate::saved::Saved;

/// See the module.
#[derive(Debug)]
pub struct Unnest {
    /// The columns that are lists.
    lists: Vec<usize>,
    /// What of a step is still to come.
    coming: VecDeque<Coming>,
}

/// Rows whose lists are unnested.
#[derive(Debug)]
struct Coming {
    /// Without their lists, which would come once for each of their items.
    rows: Delta,
    lists: Vec<ListArray>,
    /// How many rows each of them becomes.
    counts: Vec<usize>,
    /// About the bytes of one of those.
    row_bytes: usize,
    /// How many were unnested.
    done: usize,
}

impl Unnest {
    /// Of the columns of these numbers, which are lists; a row without an item is not there.
    pub fn new(lists: Vec<usize>) -> Unnest {
        Unnest { lists, coming: VecDeque::new() }
    }

    fn coming(&self, mut rows: Delta) -> Coming {
        let none = new_null_array(&DataType::Null, rows.len());
        let list =
            |&column: &usize| replace(&mut rows.columns[column], none.clone()).as_list::<i32>().clone();
        let lists: Vec<ListArray> = self.lists.iter().map(list).collect();
        let count = |row: usize| lists.iter().map(|list| length(list, row)).max().unwrap_or(0);
        let counts = (0..rows.len()).map(count).collect();
        let kept: usize = rows.columns.iter().map(|column| column.get_buffer_memory_size()).sum();
        let item = |list: &ListArray| list.values().get_buffer_memory_size() / list.values().len().max(1);
        let items: usize = lists.iter().map(item).sum();
        let row_bytes = kept / rows.len().max(1) + items + size_of::<(i64, u64)>();
        Coming { rows, lists, counts, row_bytes, done: 0 }
    }

    /// What some of the rows become.
    fn unnested(&self, coming: &Coming, of: Range<usize>) -> Result<Delta, FlowError> {
        let Coming { rows, lists, counts, .. } = coming;
        let numbers: Vec<u32> =
            of.clone().flat_map(|row| std::iter::repeat_n(row as u32, counts[row])).collect();
        let mut given = rows.taken(&numbers)?;
        for (&column, list) in self.lists.iter().zip(lists) {
            let items: UInt32Array = (of.clone())
                .flat_map(|row| {
                    let (first, length) = (list.value_offsets()[row] as u32, length(list, row));
                    (0..counts[row]).map(move |item| (item < length).then_some(first + item as u32))
                })
                .collect();
            given.columns[column] = take(list.values(), &items, None)?;
        }
        Ok(given)
    }
}

/// How many items the list of a row has.
fn length(list: &ListArray, row: usize) -> usize {
    if list.is_valid(row) { list.value_length(row) as usize } else { 0 }
}

impl Operator for Unnest {
    fn step(&mut self, inputs: Vec<Vec<Delta>>, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
        self.coming = inputs.into_iter().flatten().map(|rows| self.coming(rows)).collect();
        self.go_on(epoch, out)
    }

    fn go_on(&mut self, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
        let bytes_max = epoch.bytes_max();
        let mut bytes = 0;
        while let Some(mut coming) = self.coming.pop_front() {
            let first = coming.done;
            while coming.done < coming.counts.len() && bytes <= bytes_max {
                bytes += coming.counts[coming.done] * coming.row_bytes;
                coming.done += 1;
            }
            out.push(self.unnested(&coming, first..coming.done)?);
            if coming.done < coming.counts.len() {
                self.coming.push_front(coming);
                return epoch.more(out);
            }
        }
        Ok(())
    }

    fn is_monotone(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "unnest"
    }

    fn bytes(&self) -> usize {
        0
    }

    fn save(&self, _: &mut Saved) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int64Type;
    use arrow_array::{ArrayRef, Int64Array};

    use super::*;

    /// The second column has a list each, the third another.
    fn rows(first: i64, lists: &[(Option<i64>, i64)], stamp: u64) -> Delta {
        let list = |lengths: Vec<Option<i64>>| -> ArrayRef {
            let lists = lengths.into_iter().map(|length| length.map(|length| (0..length).map(Some)));
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists))
        };
        let ids: Int64Array = (first..first + lists.len() as i64).collect();
        let short = list(lists.iter().map(|(_, length)| Some(*length)).collect());
        let columns =
            vec![Arc::new(ids) as ArrayRef, list(lists.iter().map(|(length, _)| *length).collect()), short];
        Delta { columns, weights: vec![-2; lists.len()], stamps: vec![stamp; lists.len()] }
    }

    /// A row that a list becomes: what is beside the lists, an item of each, weight and stamp.
    #[test]
    fn the_bytes_of_a_row() {
        let unnest = Unnest::new(vec![1, 2]);
        let of = rows(0, &[(Some(30), 5), (None, 0), (Some(20), 0)], 9);
        let coming = unnest.coming(of.clone());
        let of_array = |array: &dyn Array| array.get_buffer_memory_size();
        let [long, short] = [1, 2].map(|column| of.columns[column].as_list::<i32>().values().clone());
        assert_eq!(
            coming.row_bytes,
            of_array(&of.columns[0]) / 3 + of_array(&long) / 50 + of_array(&short) / 5 + 16
        );
        assert_eq!(unnest.coming(rows(0, &[], 9)).row_bytes % 16, 0);
    }

    fn of(given: &[Delta]) -> Vec<(i64, Option<i64>, Option<i64>)> {
        let mut all = Vec::new();
        for delta in given {
            let of = |column: usize| delta.columns[column].as_primitive::<Int64Type>();
            let item = |column: usize, row: usize| of(column).is_valid(row).then(|| of(column).value(row));
            assert!(
                delta.weights.iter().all(|weight| *weight == -2)
                    && delta.stamps.iter().all(|stamp| *stamp == 9)
            );
            all.extend((0..delta.len()).map(|row| (of(0).value(row), item(1, row), item(2, row))));
        }
        all
    }

    /// A row with a long list becomes many: of one append they come in parts, which are never more than the rows of one row beyond what a
    /// part may have; several appends have to be taken one by one.
    #[test]
    fn long_lists_come_in_parts() {
        let first = rows(0, &[(Some(2), 1), (None, 0), (Some(0), 3), (Some(500), 0)], 9);
        let second = rows(4, &[(Some(1), 1), (Some(300), 400), (Some(1), 1)], 9);
        let mut expected = Vec::new();
        for (id, (long, short)) in
            [(2, 1), (0, 0), (0, 3), (500, 0), (1, 1), (300, 400), (1, 1)].into_iter().enumerate()
        {
            let item = |length: i64, item: i64| (item < length).then_some(item);
            expected.extend((0..long.max(short)).map(|at| (id as i64, item(long, at), item(short, at))));
        }
        for (part_bytes, parts) in [(None, 1..2), (Some(0), 6..7), (Some(1000), 2..7), (Some(1 << 24), 1..2)]
        {
            let mut unnest = Unnest::new(vec![1, 2]);
            let epoch = Epoch { stamp: 9, ends: true, part_bytes };
            let (mut given, mut count) = (Vec::new(), 0);
            let mut out = Out::default();
            unnest.step(vec![vec![first.clone(), second.clone()]], epoch, &mut out).unwrap();
            loop {
                count += 1;
                given.extend(of(&out.rows));
                let longest: usize = out.rows.iter().map(Delta::len).sum();
                assert!(part_bytes.is_none_or(|bytes| longest <= 500 + bytes / 16), "a part has {longest}");
                out.rows.clear();
                if !std::mem::take(&mut out.more) {
                    break;
                }
                unnest.go_on(epoch, &mut out).unwrap();
            }
            assert!(parts.contains(&count) && given == expected, "{part_bytes:?}: {count} parts");
        }
        let many = rows(0, &[(Some((64 << 20) / 20), 0), (Some((64 << 20) / 20), 0), (Some(1), 0)], 9);
        let epoch = Epoch { stamp: 9, ends: true, part_bytes: None };
        let stepped = Unnest::new(vec![1, 2]).step(vec![vec![many]], epoch, &mut Out::default());
        assert_eq!(stepped, Err(FlowError::TooLarge));
    }
}
