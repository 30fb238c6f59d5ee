//! Columns of the store as arrays of Arrow, and types of columns as types of Arrow.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int16Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::arrow::error::ArrowError;
use recount_store::schema::ColumnType;
use recount_types::column::{Column, Values};

/// The only time zone there is.
pub(crate) const UTC: &str = "+00:00";

/// Where a field says what its texts are.
const TYPE: &str = "recount.type";
const JSON: &str = "JSON";

/// Instants.
pub(crate) fn timestamptz() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

/// The type of a column.
pub(crate) fn data_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::SmallInt => DataType::Int16,
        ColumnType::Int => DataType::Int32,
        ColumnType::BigInt => DataType::Int64,
        ColumnType::Decimal { precision, scale } => DataType::Decimal128(precision, scale as i8),
        ColumnType::Double => DataType::Float64,
        ColumnType::Text | ColumnType::Json => DataType::Utf8,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::TimestampTz => timestamptz(),
    }
}

/// The field of a column in a schema. A JSON column says so beside its type, which is that of texts.
pub(crate) fn field(name: &str, column_type: ColumnType, nullable: bool) -> Field {
    let field = Field::new(name, data_type(column_type), nullable);
    match column_type {
        ColumnType::Json => field.with_metadata([(TYPE.to_owned(), JSON.to_owned())].into()),
        _ => field,
    }
}

/// The type of column that has all values of a field, or as many digits of them as a column can have; `None` = there is none.
pub(crate) fn nearest(field: &Field) -> Option<ColumnType> {
    const DIGITS_MAX: u64 = 38;
    let digits = |precision: u8, scale: i8| {
        ColumnType::decimal(u64::from(precision).min(DIGITS_MAX), u64::try_from(scale).ok()?)
    };
    Some(match field.data_type() {
        DataType::Boolean => ColumnType::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => ColumnType::SmallInt,
        DataType::Int32 | DataType::UInt16 => ColumnType::Int,
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => ColumnType::BigInt,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => digits(*precision, *scale)?,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => ColumnType::Double,
        DataType::Utf8 if is_json(field) => ColumnType::Json,
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnType::Text,
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Timestamp(_, None) => ColumnType::Timestamp,
        DataType::Timestamp(_, Some(_)) => ColumnType::TimestampTz,
        _ => return None,
    })
}

/// Whether the texts of a field are JSON.
pub(crate) fn is_json(field: &Field) -> bool {
    field.metadata().get(TYPE).is_some_and(|name| name == JSON)
}

/// A column as an array. Numbers of 64 and more bits and texts are moved, not copied.
pub(crate) fn array(column: Column, column_type: ColumnType) -> Result<ArrayRef, ArrowError> {
    let nulls = column.valid.contains(&false).then(|| NullBuffer::from(column.valid));
    Ok(match (column.values, column_type) {
        (Values::Boolean(values), _) => Arc::new(BooleanArray::new(values.into(), nulls)),
        (Values::Double(values), _) => Arc::new(Float64Array::new(values.into(), nulls)),
        (Values::Decimal(values), ColumnType::Decimal { precision, scale }) => {
            let array = Decimal128Array::new(values.into(), nulls);
            Arc::new(array.with_precision_and_scale(precision, scale as i8)?)
        }
        (Values::Integer(values), ColumnType::SmallInt) => {
            Arc::new(Int16Array::new(narrowed(&values, |value| value as i16), nulls))
        }
        (Values::Integer(values), ColumnType::Int) => {
            Arc::new(Int32Array::new(narrowed(&values, |value| value as i32), nulls))
        }
        (Values::Integer(values), ColumnType::Date) => {
            Arc::new(Date32Array::new(narrowed(&values, |value| value as i32), nulls))
        }
        (Values::Integer(values), ColumnType::Timestamp) => {
            Arc::new(TimestampMicrosecondArray::new(values.into(), nulls))
        }
        (Values::Integer(values), ColumnType::TimestampTz) => {
            Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone(UTC))
        }
        (Values::Integer(values), _) => Arc::new(Int64Array::new(values.into(), nulls)),
        (Values::Text(texts), _) => {
            let ends = std::iter::once(0).chain(texts.ends.iter().copied());
            let offsets: Option<Vec<i32>> = ends.map(|end| i32::try_from(end).ok()).collect();
            let offsets = offsets.ok_or(ArrowError::OffsetOverflowError(texts.bytes.len()))?;
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(StringArray::try_new(offsets, texts.bytes.into_bytes().into(), nulls)?)
        }
        (Values::Decimal(_), other) => {
            return Err(ArrowError::SchemaError(format!("decimals in a column that is {other}")));
        }
    })
}

/// Values that the column's decoder has checked to fit.
fn narrowed<T: datafusion::arrow::datatypes::ArrowNativeType>(
    values: &[i64],
    narrow: impl Fn(i64) -> T,
) -> ScalarBuffer<T> {
    values.iter().map(|&value| narrow(value)).collect::<Vec<T>>().into()
}
