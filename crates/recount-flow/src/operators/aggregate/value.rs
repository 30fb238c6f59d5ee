//! Results of aggregate functions, and columns of them.

use std::sync::Arc;

use arrow_array::builder::{Decimal128Builder, Decimal256Builder};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, LargeStringArray, StringArray, UInt64Array,
    new_null_array,
};
use arrow_buffer::i256;
use arrow_schema::DataType;

use crate::codec::RowCodec;
use crate::operator::FlowError;

/// The result of a function for a group.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::operators) enum Value {
    Null,
    Integer(i64),
    /// A decimal, a count of its scale.
    Exact(i256),
    Double(f64),
    Boolean(bool),
    Text(String),
    /// A value of any type, as a row of it.
    Bytes(Box<[u8]>),
}

/// What a null of any type is as a row.
const NULL: &[u8] = &[0];

/// A column of results of one function.
pub(in crate::operators) fn column<'a>(
    values: impl Iterator<Item = &'a Value> + Clone,
    data_type: &DataType,
) -> Result<ArrayRef, FlowError> {
    Ok(match values.clone().find(|value| **value != Value::Null) {
        Some(Value::Integer(_)) => {
            let values =
                values.map(|value| if let Value::Integer(value) = value { Some(*value) } else { None });
            integers(values, data_type)
        }
        Some(Value::Double(_)) => {
            let values =
                values.map(|value| if let Value::Double(value) = value { Some(*value) } else { None });
            Arc::new(values.collect::<Float64Array>())
        }
        Some(Value::Boolean(_)) => {
            let values =
                values.map(|value| if let Value::Boolean(value) = value { Some(*value) } else { None });
            Arc::new(values.collect::<BooleanArray>())
        }
        Some(Value::Text(_)) => {
            let values =
                values.map(|value| if let Value::Text(value) = value { Some(value.as_str()) } else { None });
            match data_type {
                DataType::LargeUtf8 => Arc::new(values.collect::<LargeStringArray>()),
                _ => Arc::new(values.collect::<StringArray>()),
            }
        }
        Some(Value::Exact(_)) => {
            let values =
                values.map(|value| if let Value::Exact(value) = value { Some(*value) } else { None });
            decimals(values, data_type)?
        }
        None => new_null_array(data_type, values.count()),
        _ => {
            let rows = values.map(|value| if let Value::Bytes(bytes) = value { &**bytes } else { NULL });
            let codec = RowCodec::new([data_type.clone()]);
            let codec = codec.map_err(|data_type| FlowError::Arrow(format!("no column of {data_type}")))?;
            codec.decode(rows)?.swap_remove(0)
        }
    })
}

fn integers(values: impl Iterator<Item = Option<i64>>, data_type: &DataType) -> ArrayRef {
    if *data_type == DataType::UInt64 {
        return Arc::new(
            values.map(|value| value.and_then(|value| u64::try_from(value).ok())).collect::<UInt64Array>(),
        );
    }
    Arc::new(values.collect::<Int64Array>())
}

fn decimals(values: impl Iterator<Item = Option<i256>>, data_type: &DataType) -> Result<ArrayRef, FlowError> {
    Ok(if let DataType::Decimal256(..) = data_type {
        let mut column = Decimal256Builder::new().with_data_type(data_type.clone());
        values.for_each(|value| column.append_option(value));
        Arc::new(column.finish())
    } else {
        let mut column = Decimal128Builder::new().with_data_type(data_type.clone());
        values.for_each(|value| column.append_option(value.and_then(i256::to_i128)));
        Arc::new(column.finish())
    })
}
