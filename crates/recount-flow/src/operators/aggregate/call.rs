//! Aggregate functions: what each keeps of a group, and makes of it.

use std::collections::BTreeMap;
use std::mem::size_of;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type, Float64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Decimal128Array, Decimal256Array, Float64Array};
use arrow_buffer::i256;
use arrow_schema::DataType;

use super::exact::ExactSum;
use super::ordered::Ordered;
use super::seen::Seen;
use super::value::Value;
use super::wide::Wide;
use crate::codec::{Damaged, Order, RowCodec, Rows, sort_keys};
use crate::moments::{Deviation, Moments};
use crate::saved::{Reader, put_bytes, put_number};

/// A function of the rows of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Function {
    /// How many rows.
    CountRows,
    /// How many values that are not null.
    Count,
    /// The sum: of decimals in 320 bits and an error if it is beyond the type of the result, of doubles rounded once.
    Sum,
    /// A variance or a standard deviation, of decimals.
    Deviation(Deviation),
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// Whether all are true.
    BoolAnd,
    /// Whether one is true.
    BoolOr,
    /// The value of the first row in the call's order.
    First,
    /// The value of the last row in the call's order.
    Last,
    /// The values of all rows in the call's order, nulls too.
    ArrayAgg,
    /// The texts of all rows in the call's order, with this between them.
    StringAgg(Box<str>),
}

/// A function, and what of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The function.
    pub function: Function,
    /// The column that it is of; none of [`Function::CountRows`].
    pub argument: Option<usize>,
    /// A BOOLEAN column: only rows for which it is true count.
    pub filter: Option<usize>,
    /// Equal values count once.
    pub distinct: bool,
    /// The columns by which its rows are ordered, where the function depends on that. Rows that are alike there are ordered by the
    /// argument.
    pub order: Vec<(usize, Order)>,
    /// The type of the result.
    pub result: DataType,
    /// No row that it is of goes again: what cannot matter any more is forgotten.
    pub only_comes: bool,
}

/// How often each of some values came, in their order.
type Values = BTreeMap<Box<[u8]>, i64>;

/// What is kept of a group for one call.
#[derive(Debug, Clone)]
pub(in crate::operators) enum Kept {
    Count(i64),
    /// The sum, and of how many.
    Exact(Wide, i64),
    Doubles(ExactSum, i64),
    /// And how many digits they have behind the point.
    Moments(Box<Moments>, u8),
    /// For the least or greatest.
    Values(Values),
    /// How many are true, and false.
    Truths(i64, i64),
    /// In an order.
    Ordered(Ordered),
    /// The values that were seen, and what is kept of each once.
    Distinct(Seen, Box<Kept>),
}

/// The argument of a call for some rows.
pub(in crate::operators) struct Argument<'a> {
    array: Option<&'a ArrayRef>,
    typed: Typed<'a>,
    filter: Option<&'a BooleanArray>,
    /// The values as bytes, where they are compared.
    bytes: Option<Rows>,
    /// Where the values are in the call's order.
    places: Option<Rows>,
}

/// Values that are computed with, rather than compared.
enum Typed<'a> {
    Decimal(&'a Decimal128Array),
    WideDecimal(&'a Decimal256Array),
    Double(&'a Float64Array),
    Boolean(&'a BooleanArray),
    Other,
}

impl<'a> Typed<'a> {
    fn of(array: &'a ArrayRef) -> Typed<'a> {
        match array.data_type() {
            DataType::Decimal128(..) => Typed::Decimal(array.as_primitive::<Decimal128Type>()),
            DataType::Decimal256(..) => Typed::WideDecimal(array.as_primitive::<Decimal256Type>()),
            DataType::Float64 => Typed::Double(array.as_primitive::<Float64Type>()),
            DataType::Boolean => Typed::Boolean(array.as_boolean()),
            _ => Typed::Other,
        }
    }
}

impl Call {
    /// Whether what is kept of a group may take more memory with each row.
    pub(in crate::operators) fn grows(&self) -> bool {
        let is_one = matches!(
            self.function,
            Function::CountRows | Function::Count | Function::Sum | Function::BoolAnd | Function::BoolOr
        );
        self.distinct || !is_one
    }

    /// Whether what is kept of rows that only come may take more memory with each of them.
    pub(in crate::operators) fn grows_in_frame(&self) -> bool {
        self.distinct || self.has_order()
    }

    /// Takes a row that came `weight` times into what is kept.
    #[inline]
    pub(in crate::operators) fn take(
        &self,
        kept: &mut Kept,
        argument: &Argument<'_>,
        row: usize,
        weight: i64,
    ) {
        if self.only_comes && self.is_beaten(kept, argument, row) {
            return;
        }
        kept.take(argument, row, weight);
        if self.only_comes {
            self.forget_beaten(kept);
        }
    }

    /// Whether the value of a row is not the least or the greatest, and never will be.
    fn is_beaten(&self, kept: &Kept, argument: &Argument<'_>, row: usize) -> bool {
        let (Kept::Values(values), Some(bytes)) = (kept, &argument.bytes) else { return false };
        let value = bytes.row(row);
        match self.function {
            Function::Min => values.last_key_value().is_some_and(|(least, _)| **least < *value),
            _ => values.first_key_value().is_some_and(|(greatest, _)| **greatest > *value),
        }
    }

    /// Forgets values that cannot be the least, the greatest, the first or the last any more.
    fn forget_beaten(&self, kept: &mut Kept) {
        match (kept, &self.function) {
            (Kept::Values(values), Function::Min) => {
                while values.len() > 1 {
                    values.pop_last();
                }
            }
            (Kept::Values(values), _) => {
                while values.len() > 1 {
                    values.pop_first();
                }
            }
            (Kept::Ordered(ordered), Function::First) => ordered.keep_first(),
            (Kept::Ordered(ordered), Function::Last) => ordered.keep_last(),
            _ => {}
        }
    }

    /// Whether it is of types that it can take.
    pub(in crate::operators) fn check(&self, types: &[DataType]) -> Result<(), DataType> {
        let Some(argument) = self.argument.map(|argument| &types[argument]) else { return Ok(()) };
        RowCodec::new([argument.clone()])?;
        RowCodec::new(self.order.iter().map(|(column, _)| types[*column].clone()))?;
        let fits = match self.function {
            Function::Sum => {
                matches!(argument, DataType::Decimal128(..) | DataType::Decimal256(..) | DataType::Float64)
            }
            Function::Deviation(_) => scale_of(argument).is_some(),
            Function::BoolAnd | Function::BoolOr => *argument == DataType::Boolean,
            Function::StringAgg(_) => *argument == DataType::Utf8,
            _ => true,
        };
        if fits { Ok(()) } else { Err(argument.clone()) }
    }

    /// What is kept of a group without rows.
    pub(in crate::operators) fn begin(&self, types: &[DataType]) -> Kept {
        let kept = match self.function {
            Function::CountRows | Function::Count => Kept::Count(0),
            Function::Sum if self.argument.is_some_and(|column| types[column] == DataType::Float64) => {
                Kept::Doubles(ExactSum::new(), 0)
            }
            Function::Sum => Kept::Exact(Wide::default(), 0),
            Function::Deviation(_) => {
                let scale = self.argument.and_then(|column| scale_of(&types[column]));
                Kept::Moments(Box::default(), scale.unwrap_or(0))
            }
            Function::Min | Function::Max => Kept::Values(Values::new()),
            Function::BoolAnd | Function::BoolOr => Kept::Truths(0, 0),
            Function::First | Function::Last | Function::ArrayAgg | Function::StringAgg(_) => {
                Kept::Ordered(Ordered::default())
            }
        };
        if self.distinct { Kept::Distinct(Seen::default(), Box::new(kept)) } else { kept }
    }

    /// Its argument for some rows.
    pub(in crate::operators) fn argument<'a>(&self, columns: &'a [ArrayRef], rows: usize) -> Argument<'a> {
        let array = self.argument.map(|column| &columns[column]);
        let has_order = self.has_order();
        let compares = self.distinct || has_order || matches!(self.function, Function::Min | Function::Max);
        let bytes = array.filter(|_| compares).and_then(|array| {
            let codec = RowCodec::new([array.data_type().clone()]).ok()?;
            Some(codec.encode(std::slice::from_ref(array), rows))
        });
        let places = array.filter(|_| has_order).map(|array| {
            let by = self.order.iter().map(|(column, order)| (columns[*column].clone(), *order));
            sort_keys(&by.chain([(array.clone(), Order::default())]).collect::<Vec<_>>(), rows)
        });
        let filter = self.filter.map(|column| columns[column].as_boolean());
        Argument { array, typed: array.map_or(Typed::Other, Typed::of), filter, bytes, places }
    }

    fn has_order(&self) -> bool {
        matches!(
            self.function,
            Function::First | Function::Last | Function::ArrayAgg | Function::StringAgg(_)
        )
    }

    /// Its value for a group, or why there is none.
    pub(in crate::operators) fn value(&self, kept: &Kept) -> Result<Value, String> {
        Ok(match kept {
            Kept::Count(count) => Value::Integer(*count),
            Kept::Exact(_, 0) | Kept::Doubles(_, 0) | Kept::Truths(0, 0) => Value::Null,
            Kept::Exact(sum, _) => Value::Exact(self.fitting(*sum)?),
            Kept::Doubles(sum, _) => Value::Double(sum.value()),
            Kept::Moments(moments, scale) => match self.function {
                Function::Deviation(of) => {
                    let result = moments.result(of, *scale).map_err(|error| error.to_string())?;
                    result.map_or(Value::Null, Value::Exact)
                }
                _ => Value::Null,
            },
            Kept::Truths(_, no) if self.function == Function::BoolAnd => Value::Boolean(*no == 0),
            Kept::Truths(yes, _) => Value::Boolean(*yes > 0),
            Kept::Values(values) => {
                let mut there = values.keys();
                let value = if self.function == Function::Min { there.next() } else { there.next_back() };
                value.map_or(Value::Null, |value| Value::Bytes(value.clone()))
            }
            Kept::Ordered(ordered) => match &self.function {
                Function::First => ordered.first(),
                Function::Last => ordered.last(),
                Function::StringAgg(between) => ordered.joined(between)?,
                _ => ordered.list(),
            },
            Kept::Distinct(_, kept) => return self.value(kept),
        })
    }

    /// A sum, if its type can hold it.
    fn fitting(&self, sum: Wide) -> Result<i256, String> {
        let digits = match self.result {
            DataType::Decimal128(digits, _) | DataType::Decimal256(digits, _) => digits,
            _ => 0,
        };
        let end = i256::from_i128(10).checked_pow(digits.into());
        sum.value()
            .filter(|sum| end.is_none_or(|end| *sum < end && *sum > -end))
            .ok_or_else(|| format!("a sum has more than {digits} digits"))
    }
}

impl Kept {
    /// Takes a row that came `weight` times.
    #[inline]
    fn take(&mut self, argument: &Argument<'_>, row: usize, weight: i64) {
        if argument.filter.is_some_and(|filter| !filter.is_valid(row) || !filter.value(row)) {
            return;
        }
        if let (Kept::Ordered(ordered), Some(places), Some(values)) =
            (&mut *self, &argument.places, &argument.bytes)
        {
            ordered.take(places, values, row, weight);
            return;
        }
        match argument.array {
            None => {
                if let Kept::Count(count) = self {
                    *count += weight;
                }
            }
            Some(array) if array.is_valid(row) => self.take_value(argument, row, weight),
            Some(_) => {}
        }
    }

    fn take_value(&mut self, argument: &Argument<'_>, row: usize, weight: i64) {
        let bytes = argument.bytes.as_ref();
        match (self, &argument.typed) {
            (Kept::Count(count), _) => *count += weight,
            (Kept::Exact(sum, count), Typed::Decimal(values)) => {
                sum.add_narrow(values.value(row), weight);
                *count += weight;
            }
            (Kept::Exact(sum, count), Typed::WideDecimal(values)) => {
                sum.add(values.value(row), weight);
                *count += weight;
            }
            (Kept::Moments(moments, _), Typed::Decimal(values)) => {
                moments.add(i256::from_i128(values.value(row)), weight);
            }
            (Kept::Moments(moments, _), Typed::WideDecimal(values)) => moments.add(values.value(row), weight),
            (Kept::Doubles(sum, count), Typed::Double(values)) => {
                sum.add(values.value(row), weight);
                *count += weight;
            }
            (Kept::Truths(yes, no), Typed::Boolean(values)) => {
                *(if values.value(row) { yes } else { no }) += weight
            }
            (Kept::Values(values), _) => {
                if let Some(bytes) = bytes {
                    count(values, bytes.row(row), weight);
                }
            }
            (Kept::Distinct(seen, kept), _) => {
                let Some(bytes) = bytes else { return };
                let (before, after) = seen.count(bytes.row(row), weight);
                match (before > 0, after > 0) {
                    (false, true) => kept.take_value(argument, row, 1),
                    (true, false) => kept.take_value(argument, row, -1),
                    _ => {}
                }
            }
            // What has an order is taken with its places; other types were refused.
            (
                Kept::Ordered(_) | Kept::Exact(..) | Kept::Moments(..) | Kept::Doubles(..) | Kept::Truths(..),
                _,
            ) => {}
        }
    }

    /// Appends it to what a restart goes on from.
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        match self {
            Kept::Count(count) => put_number(out, *count),
            Kept::Exact(sum, count) => {
                put_bytes(out, &sum.to_bytes());
                put_number(out, *count);
            }
            Kept::Doubles(sum, count) => {
                sum.save(out);
                put_number(out, *count);
            }
            Kept::Moments(moments, _) => put_bytes(out, &moments.to_bytes()),
            Kept::Values(values) => save_values(values, out),
            Kept::Truths(yes, no) => [yes, no].into_iter().for_each(|count| put_number(out, *count)),
            Kept::Ordered(ordered) => ordered.save(out),
            Kept::Distinct(seen, kept) => {
                seen.save(out);
                kept.save(out);
            }
        }
    }

    /// What was saved of the same call.
    pub(super) fn loaded(self, from: &mut Reader<'_>) -> Result<Kept, Damaged> {
        Ok(match self {
            Kept::Count(_) => Kept::Count(from.number()?),
            Kept::Exact(..) => Kept::Exact(Wide::from_bytes(from.bytes()?).ok_or(Damaged)?, from.number()?),
            Kept::Doubles(..) => Kept::Doubles(ExactSum::load(from)?, from.number()?),
            Kept::Moments(_, scale) => {
                Kept::Moments(Box::new(Moments::from_bytes(from.bytes()?).ok_or(Damaged)?), scale)
            }
            Kept::Values(_) => Kept::Values(load_values(from)?),
            Kept::Truths(..) => Kept::Truths(from.number()?, from.number()?),
            Kept::Ordered(_) => Kept::Ordered(Ordered::load(from)?),
            Kept::Distinct(_, kept) => Kept::Distinct(Seen::load(from)?, Box::new(kept.loaded(from)?)),
        })
    }

    /// Bytes on the heap.
    pub(in crate::operators) fn heap_bytes(&self) -> usize {
        match self {
            Kept::Doubles(..) => size_of::<ExactSum>() + 8 * 68,
            Kept::Moments(moments, _) => size_of::<Moments>() + moments.heap_bytes(),
            Kept::Values(values) => bytes_of(values),
            Kept::Ordered(ordered) => ordered.heap_bytes(),
            Kept::Distinct(seen, kept) => seen.heap_bytes() + size_of::<Kept>() + kept.heap_bytes(),
            _ => 0,
        }
    }
}

/// How many digits behind the point a decimal has.
fn scale_of(data_type: &DataType) -> Option<u8> {
    match data_type {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => u8::try_from(*scale).ok(),
        _ => None,
    }
}

/// Counts a value.
fn count(values: &mut Values, value: &[u8], weight: i64) {
    match values.get_mut(value) {
        Some(count) => {
            *count += weight;
            if *count == 0 {
                values.remove(value);
            }
        }
        None => {
            values.insert(value.into(), weight);
        }
    }
}

fn save_values(values: &Values, out: &mut Vec<u8>) {
    put_number(out, values.len() as i64);
    for (value, count) in values {
        put_bytes(out, value);
        put_number(out, *count);
    }
}

fn load_values(from: &mut Reader<'_>) -> Result<Values, Damaged> {
    (0..from.count()?).map(|_| Ok((from.bytes()?.into(), from.number()?))).collect()
}

/// About what a tree of so many values takes; their texts are counted as short ones.
fn bytes_of(values: &Values) -> usize {
    values.len()
        * (size_of::<(Box<[u8]>, i64)>() * 2 + values.first_key_value().map_or(0, |(key, _)| key.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_what_is_kept() {
        assert_eq!(Kept::Count(1).heap_bytes(), 0);
        // The digits of a sum of doubles, the numbers of a variance.
        let doubles = Kept::Doubles(ExactSum::new(), 0).heap_bytes();
        assert!((544..700).contains(&doubles), "{doubles}");
        let moments = Kept::Moments(Box::default(), 0).heap_bytes();
        assert!((size_of::<Moments>() + 1..200).contains(&moments), "{moments}");
        let three = || (1..4u8).map(|value| ([value; 100].into(), 1)).collect::<Values>();
        let values = Kept::Values(three()).heap_bytes();
        assert_eq!(values, 3 * (2 * size_of::<(Box<[u8]>, i64)>() + 100));
        let mut seen = Seen::default();
        seen.count(&[1; 100], 1);
        let distinct = Kept::Distinct(seen.clone(), Box::new(Kept::Values(three()))).heap_bytes();
        assert_eq!(distinct, values + size_of::<Kept>() + seen.heap_bytes());
    }
}
