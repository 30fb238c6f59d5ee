//! Window functions: their values for rows of a partition that are beside each other, up to its last one.

use std::mem::size_of;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::super::aggregate::{Call, Kept, Value};
use super::super::ordered::Place;
use crate::codec::{RowCodec, Rows};
use crate::operator::FlowError;

/// A function of a row and its partition.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowFunction {
    /// What it is.
    pub kind: WindowKind,
    /// The type of its result.
    pub result: DataType,
}

/// What a window function is.
#[derive(Debug, Clone, PartialEq)]
pub enum WindowKind {
    /// The number of the row, from 1.
    RowNumber,
    /// The number of the first row that the order leaves equal to it.
    Rank,
    /// How many different places in the order come up to it.
    DenseRank,
    /// The value of a column so many rows before, or behind if that is negative; without one a value as a row of its type.
    Lag(usize, i64, Box<[u8]>),
    /// The value of a column in the first row.
    First(usize),
    /// The value of a column in the last row of the frame.
    Last(usize, Frame),
    /// An aggregate function of the frame.
    Aggregate(Call, Frame),
}

/// Which rows of the partition count, from the first one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Up to the row.
    Rows,
    /// Up to the last one that the order leaves equal to it.
    Range,
    /// All.
    Whole,
}

/// What is known of the rows before one that the order tells apart from the row before it.
#[derive(Debug, Clone, Default)]
pub(super) struct Before {
    /// How many they are.
    pub(super) rows: usize,
    /// How many different places in the order they have.
    pub(super) places: usize,
    /// What aggregates keep of them, in the order of the functions; none of them before the first row.
    pub(super) kept: Vec<Kept>,
}

impl Before {
    pub(super) fn bytes(&self) -> usize {
        let kept = self.kept.iter().map(|kept| size_of::<Kept>() + kept.heap_bytes());
        size_of::<Before>() + kept.sum::<usize>()
    }
}

/// Rows of a partition from one on that the order tells apart from the row before it, up to the last one.
pub(super) struct Rest<'a> {
    /// Their columns, and before them those of a few rows more.
    pub(super) columns: Vec<ArrayRef>,
    /// How many these are.
    pub(super) context: usize,
    /// Those of the first row of the partition.
    pub(super) first: Vec<ArrayRef>,
    /// For each of the rows the first that the order leaves equal to it, and the one behind the last.
    pub(super) peers: Vec<(usize, usize)>,
    pub(super) before: &'a Before,
    /// At these rows, each the first that the order leaves equal, it is noted what is before.
    pub(super) noted: &'a [usize],
}

impl WindowFunction {
    /// How many rows before a row, and behind it, its value may be taken from, beside what is kept of all before it; none if of all.
    pub(super) fn reach(&self) -> Option<(usize, usize)> {
        match &self.kind {
            WindowKind::Last(_, Frame::Whole) | WindowKind::Aggregate(_, Frame::Whole) => None,
            WindowKind::Lag(_, offset, _) => {
                let rows = usize::try_from(offset.unsigned_abs()).ok()?;
                Some(if *offset < 0 { (0, rows) } else { (rows, 0) })
            }
            _ => Some((0, 0)),
        }
    }

    /// Whether it is the number of a row, or of its place.
    pub(super) fn is_number(&self) -> bool {
        matches!(self.kind, WindowKind::RowNumber | WindowKind::Rank | WindowKind::DenseRank)
            && matches!(self.result, DataType::UInt64 | DataType::Int64)
    }

    /// Whether what is kept of rows for it stays small however many they are.
    pub(super) fn keeps_little(&self) -> bool {
        !matches!(&self.kind, WindowKind::Aggregate(call, _) if call.grows_in_frame())
    }

    /// Its values. What an aggregate keeps before each of the rows that are noted is added to `noted`, row by row.
    pub(super) fn values(
        &self,
        rest: &Rest<'_>,
        kept: Option<&Kept>,
        noted: &mut [Vec<Kept>],
    ) -> Result<Vec<Result<Value, String>>, FlowError> {
        let Rest { columns, context, peers, before, .. } = rest;
        let count = peers.len();
        let number = |number: usize| Ok(Value::Integer(number as i64));
        let at = |column: usize, place: &dyn Fn(usize) -> Option<usize>, none: &[u8]| {
            let bytes = encoded(&columns[column])?;
            let value = |row| Ok(Value::Bytes(place(row).map_or(none, |row| bytes.row(row)).into()));
            Ok((0..count).map(value).collect())
        };
        Ok(match &self.kind {
            WindowKind::RowNumber => (1..=count).map(|row| number(before.rows + row)).collect(),
            WindowKind::Rank => peers.iter().map(|(first, _)| number(before.rows + first + 1)).collect(),
            WindowKind::DenseRank => {
                let mut rank = before.places;
                let rank_of = |(row, (first, _)): (usize, &(usize, usize))| {
                    rank += usize::from(row == *first);
                    number(rank)
                };
                peers.iter().enumerate().map(rank_of).collect()
            }
            WindowKind::Lag(column, offset, none) => {
                let all = context + count;
                let place = |row: usize| {
                    let row = i64::try_from(context + row).ok()?.checked_sub(*offset)?;
                    usize::try_from(row).ok().filter(|row| *row < all)
                };
                return at(*column, &place, none);
            }
            WindowKind::First(column) => {
                let value = Value::Bytes(encoded(&rest.first[*column])?.row(0).into());
                (0..count).map(|_| Ok(value.clone())).collect()
            }
            WindowKind::Last(column, frame) => {
                let place = |row: usize| Some(context + frame.end(row, peers) - 1);
                return at(*column, &place, &[]);
            }
            WindowKind::Aggregate(call, frame) => {
                let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
                let argument = call.argument(columns, context + count);
                let mut kept = kept.cloned().unwrap_or_else(|| call.begin(&types));
                let (mut taken, mut next) = (0, rest.noted.iter().zip(noted).peekable());
                let value = |row: usize| {
                    if let Some((_, noted)) = next.next_if(|(at, _)| **at == row) {
                        noted.push(kept.clone());
                    }
                    while taken < frame.end(row, peers) {
                        call.take(&mut kept, &argument, context + taken, 1);
                        taken += 1;
                    }
                    call.value(&kept)
                };
                (0..count).map(value).collect()
            }
        })
    }
}

/// The values of a column as rows.
fn encoded(values: &ArrayRef) -> Result<Rows, FlowError> {
    let codec = RowCodec::new([values.data_type().clone()]);
    let codec = codec.map_err(|data_type| FlowError::Arrow(format!("no column of {data_type}")))?;
    Ok(codec.encode(std::slice::from_ref(values), values.len()))
}

impl Frame {
    /// Where the frame of a row ends.
    fn end(self, row: usize, peers: &[(usize, usize)]) -> usize {
        match self {
            Frame::Rows => row + 1,
            Frame::Range => peers[row].1,
            Frame::Whole => peers.len(),
        }
    }
}

/// For each row the first that the order leaves equal to it, and the one behind the last.
pub(super) fn peers(places: &[&Place]) -> Vec<(usize, usize)> {
    let mut peers = Vec::with_capacity(places.len());
    for equal in places.chunk_by(|a, b| a.key() == b.key()) {
        let first = peers.len();
        peers.extend(std::iter::repeat_n((first, first + equal.len()), equal.len()));
    }
    peers
}
