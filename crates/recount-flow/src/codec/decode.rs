//! Bytes to columns.

use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, PrimitiveBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, BinaryArray, ListArray, NullArray, StringArray};
use arrow_buffer::{Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, i256};
use arrow_schema::{DataType, TimeUnit};
use memchr::memchr;

use super::Damaged;
use super::encode::{END, ITEM, NO_ITEM, NULL, VALUE, ZERO};

/// Reads the next value of each row, which goes on behind it.
pub(super) fn column(data_type: &DataType, rows: &mut [&[u8]]) -> Result<ArrayRef, Damaged> {
    macro_rules! primitive {
        ($type:ty, $value:expr) => {
            Arc::new(primitive::<$type, _>(data_type, rows, $value)?) as ArrayRef
        };
    }
    Ok(match data_type {
        DataType::Null => {
            for row in rows.iter_mut() {
                if begins(row)? {
                    return Err(Damaged);
                }
            }
            Arc::new(NullArray::new(rows.len()))
        }
        DataType::Boolean => {
            let mut values = BooleanBuilder::with_capacity(rows.len());
            for row in rows {
                values.append_option(match fixed(row)? {
                    None => None,
                    Some([0]) => Some(false),
                    Some([1]) => Some(true),
                    Some(_) => return Err(Damaged),
                });
            }
            Arc::new(values.finish())
        }
        DataType::Int8 => primitive!(Int8Type, |bytes| i8::from_be_bytes(signed(bytes))),
        DataType::Int16 => primitive!(Int16Type, |bytes| i16::from_be_bytes(signed(bytes))),
        DataType::Int32 => primitive!(Int32Type, |bytes| i32::from_be_bytes(signed(bytes))),
        DataType::Int64 => primitive!(Int64Type, |bytes| i64::from_be_bytes(signed(bytes))),
        DataType::UInt8 => primitive!(UInt8Type, u8::from_be_bytes),
        DataType::UInt16 => primitive!(UInt16Type, u16::from_be_bytes),
        DataType::UInt32 => primitive!(UInt32Type, u32::from_be_bytes),
        DataType::UInt64 => primitive!(UInt64Type, u64::from_be_bytes),
        DataType::Date32 => primitive!(Date32Type, |bytes| i32::from_be_bytes(signed(bytes))),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            primitive!(TimestampMicrosecondType, |bytes| i64::from_be_bytes(signed(bytes)))
        }
        DataType::Timestamp(_, _) => {
            primitive!(TimestampNanosecondType, |bytes| i64::from_be_bytes(signed(bytes)))
        }
        DataType::Float64 => primitive!(Float64Type, double),
        DataType::Decimal128(..) => {
            primitive!(Decimal128Type, |bytes| i128::from_be_bytes(signed(bytes)))
        }
        DataType::Decimal256(..) => {
            primitive!(Decimal256Type, |bytes| i256::from_be_bytes(signed(bytes)))
        }
        DataType::Utf8 => {
            let (offsets, bytes, nulls) = escaped(rows)?;
            Arc::new(StringArray::try_new(offsets, bytes, nulls).map_err(|_| Damaged)?)
        }
        DataType::List(item) => {
            let mut items: Vec<&[u8]> = Vec::new();
            let mut ends = vec![0i32];
            let mut nulls = NullBufferBuilder::new(rows.len());
            for row in rows {
                let is_value = begins(row)?;
                nulls.append(is_value);
                if is_value {
                    list(item.data_type(), row, &mut items)?;
                }
                ends.push(i32::try_from(items.len()).map_err(|_| Damaged)?);
            }
            let values = column(item.data_type(), &mut items)?;
            let offsets = OffsetBuffer::new(ends.into());
            Arc::new(ListArray::try_new(item.clone(), offsets, values, nulls.finish()).map_err(|_| Damaged)?)
        }
        _ => {
            let (offsets, bytes, nulls) = escaped(rows)?;
            Arc::new(BinaryArray::try_new(offsets, bytes, nulls).map_err(|_| Damaged)?)
        }
    })
}

/// Finds where the items of a list begin.
fn list<'a>(item: &DataType, row: &mut &'a [u8], items: &mut Vec<&'a [u8]>) -> Result<(), Damaged> {
    loop {
        match take(row, 1)? {
            [ITEM] => {
                items.push(row);
                skip(item, row)?;
            }
            [NO_ITEM] => return Ok(()),
            _ => return Err(Damaged),
        }
    }
}

/// Passes over a value.
fn skip(data_type: &DataType, row: &mut &[u8]) -> Result<(), Damaged> {
    column(data_type, std::slice::from_mut(row)).map(drop)
}

fn take<'a>(row: &mut &'a [u8], count: usize) -> Result<&'a [u8], Damaged> {
    row.split_off(..count).ok_or(Damaged)
}

/// Whether a value comes, or else a null.
fn begins(row: &mut &[u8]) -> Result<bool, Damaged> {
    match take(row, 1)? {
        [VALUE] => Ok(true),
        [NULL] => Ok(false),
        _ => Err(Damaged),
    }
}

/// A value of so many bytes.
fn fixed<const N: usize>(row: &mut &[u8]) -> Result<Option<[u8; N]>, Damaged> {
    if !begins(row)? {
        return Ok(None);
    }
    let mut bytes = [0; N];
    bytes.copy_from_slice(take(row, N)?);
    Ok(Some(bytes))
}

fn primitive<T: ArrowPrimitiveType, const N: usize>(
    data_type: &DataType,
    rows: &mut [&[u8]],
    value: impl Fn([u8; N]) -> T::Native,
) -> Result<arrow_array::PrimitiveArray<T>, Damaged> {
    let mut values = PrimitiveBuilder::<T>::with_capacity(rows.len());
    for row in rows {
        values.append_option(fixed(row)?.map(&value));
    }
    Ok(values.finish().with_data_type(data_type.clone()))
}

/// Reads a text of each row: where each begins and the last ends, their bytes, and which are null.
fn escaped(rows: &mut [&[u8]]) -> Result<(OffsetBuffer<i32>, Buffer, Option<NullBuffer>), Damaged> {
    let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(rows.len() + 1));
    let mut nulls = NullBufferBuilder::new(rows.len());
    ends.push(0);
    for row in rows {
        let is_value = begins(row)?;
        nulls.append(is_value);
        let mut goes_on = is_value;
        while goes_on {
            let zero = memchr(0, row).ok_or(Damaged)?;
            bytes.extend_from_slice(take(row, zero)?);
            match take(row, 2)? {
                two if two == ZERO => bytes.push(0),
                two if two == END => goes_on = false,
                _ => return Err(Damaged),
            }
        }
        ends.push(i32::try_from(bytes.len()).map_err(|_| Damaged)?);
    }
    Ok((OffsetBuffer::new(ends.into()), bytes.into(), nulls.finish()))
}

fn signed<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    bytes[0] ^= 0x80;
    bytes
}

fn double(bytes: [u8; 8]) -> f64 {
    let bits = u64::from_be_bytes(bytes);
    let sign = 1u64 << 63;
    f64::from_bits(if bits & sign == 0 { !bits } else { bits ^ sign })
}
