//! Columns to bytes.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::i256;
use arrow_schema::{DataType, TimeUnit};
use memchr::memchr;

use super::{Order, Rows};

/// What a null begins with, where it comes first and where it comes last.
pub(super) const NULL: u8 = 0;
const NULL_LAST: u8 = 2;
/// What all other values begin with.
pub(super) const VALUE: u8 = 1;
/// In a text: a zero, and the end.
pub(super) const ZERO: [u8; 2] = [0, 0xFF];
pub(super) const END: [u8; 2] = [0, 1];
/// In a list: one more value, and the end.
pub(super) const ITEM: u8 = 1;
pub(super) const NO_ITEM: u8 = 0;

/// Bytes of a value that is not null, if all values of the type have as many.
pub(super) fn width(data_type: &DataType) -> Option<usize> {
    Some(match data_type {
        DataType::Null => 0,
        DataType::Boolean | DataType::Int8 | DataType::UInt8 => 1,
        DataType::Int16 | DataType::UInt16 => 2,
        DataType::Int32 | DataType::UInt32 | DataType::Date32 => 4,
        DataType::Int64
        | DataType::UInt64
        | DataType::Float64
        | DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _) => 8,
        DataType::Decimal128(..) => 16,
        DataType::Decimal256(..) => 32,
        _ => return None,
    })
}

/// The rows of some columns, each sorted in its order.
pub(super) fn rows<'a>(columns: impl IntoIterator<Item = (&'a ArrayRef, Order)>, rows: usize) -> Rows {
    let columns: Vec<_> = columns.into_iter().map(|(array, order)| Writer::new(array, order)).collect();
    let mut lengths = vec![0; rows];
    columns.iter().for_each(|column| column.add_lengths(&mut lengths));
    let mut bounds = Vec::with_capacity(rows + 1);
    let mut end = 0;
    bounds.push(0);
    for length in &lengths {
        end += length;
        bounds.push(end);
    }
    let mut bytes = vec![0; end];
    let mut ends = lengths;
    ends.copy_from_slice(&bounds[..rows]);
    columns.iter().for_each(|column| column.write(&mut bytes, &mut ends));
    Rows { bytes, bounds }
}

/// A column about to be written.
struct Writer<'a> {
    array: &'a ArrayRef,
    order: Order,
    /// The items of lists, each as a row.
    items: Option<Rows>,
    /// No text has a zero in it.
    is_plain: bool,
}

impl<'a> Writer<'a> {
    fn new(array: &'a ArrayRef, order: Order) -> Writer<'a> {
        let items = array.as_list_opt::<i32>().map(|lists| items(lists.values()));
        let is_plain = texts(array).is_some_and(|(offsets, bytes)| {
            let ends = offsets.first().zip(offsets.last());
            ends.is_none_or(|(start, end)| memchr(0, &bytes[*start as usize..*end as usize]).is_none())
        });
        Writer { array, order, items, is_plain }
    }

    /// Adds the bytes that each value takes.
    fn add_lengths(&self, lengths: &mut [usize]) {
        let fixed = width(self.array.data_type());
        if let Some(width) = fixed.filter(|_| self.array.logical_null_count() == 0) {
            lengths.iter_mut().for_each(|length| *length += 1 + width);
            return;
        }
        if let Some((offsets, _)) =
            texts(self.array).filter(|_| self.is_plain && self.array.null_count() == 0)
        {
            for (length, ends) in lengths.iter_mut().zip(offsets.windows(2)) {
                *length += 1 + (ends[1] - ends[0]) as usize + END.len();
            }
            return;
        }
        for (row, length) in lengths.iter_mut().enumerate() {
            *length += 1 + match fixed {
                _ if is_null(self.array, row) => 0,
                Some(width) => width,
                None => self.length(row),
            };
        }
    }

    /// Bytes of a value that is not null.
    fn length(&self, row: usize) -> usize {
        match &self.items {
            Some(items) => self.items_of(row).map(|item| 1 + items.row(item).len()).sum::<usize>() + 1,
            None => {
                let bytes = bytes_of(self.array, row);
                bytes.len() + bytes.iter().filter(|byte| **byte == 0).count() + END.len()
            }
        }
    }

    /// The items of a list, by their number among those of all lists.
    fn items_of(&self, row: usize) -> Range<usize> {
        let offsets = self.array.as_list::<i32>().value_offsets();
        offsets[row] as usize..offsets[row + 1] as usize
    }

    /// Writes the value of each row where that goes on.
    fn write(&self, out: &mut [u8], ends: &mut [usize]) {
        let Writer { array, order, .. } = *self;
        macro_rules! primitive {
            ($type:ty, $bytes:expr) => {{
                let values = array.as_primitive::<$type>().values();
                fixed(array, order, out, ends, |row| $bytes(values[row]))
            }};
        }
        match array.data_type() {
            DataType::Boolean => {
                let values = array.as_boolean();
                fixed(array, order, out, ends, |row| [u8::from(values.value(row))])
            }
            DataType::Int8 => primitive!(Int8Type, |value: i8| [value as u8 ^ 0x80]),
            DataType::Int16 => primitive!(Int16Type, |value| signed::<2>(i16::to_be_bytes(value))),
            DataType::Int32 => primitive!(Int32Type, |value| signed::<4>(i32::to_be_bytes(value))),
            DataType::Int64 => primitive!(Int64Type, |value| signed::<8>(i64::to_be_bytes(value))),
            DataType::UInt8 => primitive!(UInt8Type, u8::to_be_bytes),
            DataType::UInt16 => primitive!(UInt16Type, u16::to_be_bytes),
            DataType::UInt32 => primitive!(UInt32Type, u32::to_be_bytes),
            DataType::UInt64 => primitive!(UInt64Type, u64::to_be_bytes),
            DataType::Date32 => primitive!(Date32Type, |value| signed::<4>(i32::to_be_bytes(value))),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                primitive!(TimestampMicrosecondType, |value| signed::<8>(i64::to_be_bytes(value)))
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                primitive!(TimestampNanosecondType, |value| signed::<8>(i64::to_be_bytes(value)))
            }
            DataType::Float64 => primitive!(Float64Type, double),
            DataType::Decimal128(..) => {
                primitive!(Decimal128Type, |value| signed::<16>(i128::to_be_bytes(value)))
            }
            DataType::Decimal256(..) => {
                primitive!(Decimal256Type, |value| signed::<32>(i256::to_be_bytes(value)))
            }
            _ => {
                for (row, end) in ends.iter_mut().enumerate() {
                    let start = *end;
                    self.write_one(row, out, end);
                    invert(order, &mut out[start..*end]);
                }
            }
        }
    }

    /// Writes a value whose length depends on it.
    fn write_one(&self, row: usize, out: &mut [u8], end: &mut usize) {
        let mut put = |bytes: &[u8]| {
            out[*end..][..bytes.len()].copy_from_slice(bytes);
            *end += bytes.len();
        };
        if is_null(self.array, row) {
            put(&[null(self.order)]);
            return;
        }
        put(&[VALUE]);
        if let Some(items) = &self.items {
            for item in self.items_of(row) {
                put(&[ITEM]);
                put(items.row(item));
            }
            put(&[NO_ITEM]);
            return;
        }
        let mut rest = bytes_of(self.array, row);
        while let Some(zero) = if self.is_plain { None } else { memchr(0, rest) } {
            put(&rest[..zero]);
            put(&ZERO);
            rest = &rest[zero + 1..];
        }
        put(rest);
        put(&END);
    }
}

/// Whether a value is null; those of the type that has nothing else are.
fn is_null(array: &ArrayRef, row: usize) -> bool {
    array.is_null(row) || *array.data_type() == DataType::Null
}

/// Each item as a row, whose nulls come first.
fn items(values: &ArrayRef) -> Rows {
    rows([(values, Order::default())], values.len())
}

/// Of texts, or of bytes, where each begins and the last ends; and what these are places in.
fn texts(array: &ArrayRef) -> Option<(&[i32], &[u8])> {
    match array.as_string_opt::<i32>() {
        Some(texts) => Some((texts.value_offsets(), texts.value_data())),
        None => array.as_binary_opt::<i32>().map(|texts| (texts.value_offsets(), texts.value_data())),
    }
}

/// The bytes of a text or of bytes.
fn bytes_of(array: &ArrayRef, row: usize) -> &[u8] {
    match array.as_string_opt::<i32>() {
        Some(texts) => texts.value(row).as_bytes(),
        None => array.as_binary::<i32>().value(row),
    }
}

/// Writes values of one width.
fn fixed<const N: usize>(
    array: &ArrayRef,
    order: Order,
    out: &mut [u8],
    ends: &mut [usize],
    bytes: impl Fn(usize) -> [u8; N],
) {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
    for (row, end) in ends.iter_mut().enumerate() {
        let start = *end;
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            out[start] = null(order);
            *end += 1;
        } else {
            let value = &mut out[start..][..1 + N];
            value[0] = VALUE;
            value[1..].copy_from_slice(&bytes(row));
            *end += 1 + N;
        }
        invert(order, &mut out[start..*end]);
    }
}

/// What a null is before it is inverted.
fn null(order: Order) -> u8 {
    // Inverted, what comes first comes last.
    if order.nulls_last == order.descending { NULL } else { NULL_LAST }
}

fn invert(order: Order, bytes: &mut [u8]) {
    if order.descending {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
}

fn signed<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    bytes[0] ^= 0x80;
    bytes
}

fn double(value: f64) -> [u8; 8] {
    let bits = folded(value).to_bits();
    let sign = 1u64 << 63;
    (if bits & sign == 0 { bits ^ sign } else { !bits }).to_be_bytes()
}

/// A DOUBLE as equal ones are.
fn folded(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else if value == 0.0 {
        0.0
    } else {
        value
    }
}
