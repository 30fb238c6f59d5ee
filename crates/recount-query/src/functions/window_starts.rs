//! Where the windows of time begin that a time is in: see [`crate::windows`].

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Int64Array, ListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type, IntervalMonthDayNano, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::exact;
use crate::arrays::timestamptz;

pub(crate) const WINDOW_STARTS: &str = "window_starts";

const DAY_US: i64 = 86_400_000_000;
/// Most windows that a row is in: a day that slides by the minute. A batch of rows has a list of so many each.
const WINDOWS_MAX: i64 = 1_440;

/// The function, of a time, of how far windows are apart, and of how long they are.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct WindowStarts {
    signature: Signature,
}

impl Default for WindowStarts {
    fn default() -> WindowStarts {
        WindowStarts { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for WindowStarts {
    fn name(&self) -> &str {
        WINDOW_STARTS
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let time = match types.first() {
            Some(DataType::Timestamp(_, Some(_)) | DataType::Null) => timestamptz(),
            Some(DataType::Timestamp(_, None)) => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => return Err(exact::plan("windows of time are of a TIMESTAMPTZ or a TIMESTAMP")),
        };
        Ok([time].into_iter().chain(types.iter().skip(1).cloned()).collect())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let time = types.first().cloned().unwrap_or_else(timestamptz);
        Ok(DataType::List(Arc::new(Field::new_list_field(time, true))))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let [time, ..] = args.arg_fields else { return Err(exact::plan("windows are of a time")) };
        let lengths = args.scalar_arguments.iter().skip(1);
        let lengths: Vec<i64> = lengths.filter_map(|length| *length).map(length_us).collect::<Result<_>>()?;
        if let [slide, size] = *lengths
            && (size - 1) / slide >= WINDOWS_MAX
        {
            let what = format!("a row would be in more than {WINDOWS_MAX} windows: let them slide farther");
            return Err(exact::plan(&what));
        }
        let list = self.return_type(std::slice::from_ref(time.data_type()))?;
        Ok(Arc::new(Field::new(self.name(), list, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [times, lengths @ ..] = args.args.as_slice() else {
            return Err(exact::plan("windows are of a time"));
        };
        let length = |length: &ColumnarValue| match length {
            ColumnarValue::Scalar(length) => length_us(length),
            ColumnarValue::Array(_) => Err(exact::plan("the length of a window is a constant")),
        };
        let lengths = lengths.iter().map(length).collect::<Result<Vec<_>>>()?;
        let [slide, size] = *lengths else { return Err(exact::plan("windows have a length")) };
        let times = times.to_array(args.number_rows)?;
        let data_type = times.data_type().clone();
        let times = cast(&times, &DataType::Int64)?;
        let (mut starts, mut counts) = (Vec::new(), Vec::with_capacity(times.len()));
        for time in times.as_primitive::<Int64Type>() {
            let before = starts.len();
            starts.extend(time.into_iter().flat_map(|time| windows(time, slide, size)));
            counts.push(starts.len() - before);
        }
        let starts = cast(&Int64Array::from(starts), &data_type)?;
        let item = Arc::new(Field::new_list_field(data_type, true));
        let lists = ListArray::try_new(item, OffsetBuffer::from_lengths(counts), starts, None)?;
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
}

/// The starts of the windows that a time is in, the first window first. One begins at 1970-01-01T00:00:00Z.
fn windows(time: i64, slide: i64, size: i64) -> impl Iterator<Item = i64> {
    let last = time.div_euclid(slide).checked_mul(slide);
    let begins = move |last: i64| {
        let count = (size - (time - last) - 1).div_euclid(slide) + 1;
        (0..count).rev().filter_map(move |back| last.checked_sub(back.checked_mul(slide)?))
    };
    last.into_iter().flat_map(begins)
}

/// An interval, µs.
fn length_us(length: &ScalarValue) -> Result<i64> {
    let parts = match length {
        ScalarValue::IntervalMonthDayNano(Some(parts)) => *parts,
        ScalarValue::IntervalDayTime(Some(parts)) => {
            let nanoseconds = i64::from(parts.milliseconds) * 1_000_000;
            IntervalMonthDayNano::new(0, parts.days, nanoseconds)
        }
        _ => return Err(exact::plan("the length of a window is a constant INTERVAL")),
    };
    let IntervalMonthDayNano { months, days, nanoseconds } = parts;
    if months != 0 {
        let instead = "group by date_trunc('month', time) instead";
        return Err(exact::plan(&format!("windows have a fixed length, which months have not: {instead}")));
    }
    let us = (i64::from(days).checked_mul(DAY_US))
        .and_then(|us| us.checked_add(nanoseconds / 1000))
        .filter(|us| *us > 0 && nanoseconds % 1000 == 0);
    us.ok_or_else(|| exact::plan("the length of a window is at least one microsecond, and a multiple of it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_that_a_time_is_in() {
        let of = |time, slide, size| windows(time, slide, size).collect::<Vec<_>>();
        assert_eq!(of(0, 10, 10), [0]);
        assert_eq!(of(9, 10, 10), [0]);
        assert_eq!(of(10, 10, 10), [10]);
        assert_eq!(of(-1, 10, 10), [-10]);
        assert_eq!(of(25, 10, 30), [0, 10, 20]);
        assert_eq!(of(20, 10, 30), [0, 10, 20]);
        assert_eq!(of(25, 10, 25), [10, 20]);
        assert_eq!(of(24, 10, 25), [0, 10, 20]);
        assert_eq!(of(3, 10, 4), [0]);
        assert!(of(4, 10, 4).is_empty(), "between two windows");
        // Each window begins at a multiple, up to the time, and ends behind it.
        for time in -50..50 {
            for (slide, size) in [(1, 1), (3, 7), (7, 3), (5, 20)] {
                let expected: Vec<i64> =
                    (-100..100).filter(|s| s % slide == 0 && (*s..*s + size).contains(&time)).collect();
                assert_eq!(of(time, slide, size), expected, "{time} {slide} {size}");
            }
        }
        assert!(of(i64::MIN + 1, 10, 20).is_empty(), "it would begin before all times");
    }
}
