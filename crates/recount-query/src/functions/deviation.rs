//! `stddev(x)`, `var(x)` and their kin: of exact numbers exact, and rounded once; of doubles DataFusion's own, whose result depends on the
//! order of the rows.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, i256};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::stddev::{stddev_pop_udaf, stddev_udaf};
use datafusion::functions_aggregate::variance::{var_pop_udaf, var_samp_udaf};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, Signature, Volatility,
};
use recount_flow::moments::{Deviation, Moments, RESULT_SCALE};

use super::exact;

/// The functions, in the place of DataFusion's.
pub(super) fn all() -> Vec<Arc<AggregateUDF>> {
    let of = |double: Arc<AggregateUDF>| {
        let kind = deviation(double.name())?;
        let signature = Signature::user_defined(Volatility::Immutable);
        Some(Arc::new(AggregateUDF::from(OfNumbers { double, kind, signature })))
    };
    [stddev_udaf(), stddev_pop_udaf(), var_samp_udaf(), var_pop_udaf()].into_iter().filter_map(of).collect()
}

/// What a function of this name computes.
pub(crate) fn deviation(name: &str) -> Option<Deviation> {
    Some(match name {
        "stddev" => Deviation { of_all: false, is_root: true },
        "stddev_pop" => Deviation { of_all: true, is_root: true },
        "var" => Deviation { of_all: false, is_root: false },
        "var_pop" => Deviation { of_all: true, is_root: false },
        _ => return None,
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfNumbers {
    /// What it is of doubles.
    double: Arc<AggregateUDF>,
    kind: Deviation,
    signature: Signature,
}

impl AggregateUDFImpl for OfNumbers {
    fn name(&self) -> &str {
        self.double.name()
    }

    fn aliases(&self) -> &[String] {
        self.double.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [exact] if exact::is_exact(exact) && !exact.is_null() => {
                let (precision, scale) = exact::digits(exact)?;
                Ok(vec![DataType::Decimal256(precision, scale as i8)])
            }
            [DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Null] => {
                Ok(vec![DataType::Float64])
            }
            _ => Err(exact::plan(&format!("{} takes one number", self.name()))),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [exact] if exact::is_decimal(exact) => {
                let (precision, scale) = exact::digits(exact)?;
                // A deviation is at most as wide as the numbers, a variance as their squares; of a sample, √2 and 2 times that.
                let whole = u16::from(precision - scale) + 1;
                exact::decimal(if self.kind.is_root { whole } else { 2 * whole }, RESULT_SCALE.into())
            }
            _ => self.double.return_type(types),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        match args.expr_fields.first().map(|field| field.data_type()) {
            Some(exact) if exact::is_decimal(exact) => {
                let ((_, scale), result) = (exact::digits(exact)?, args.return_field.data_type().clone());
                let (kind, moments) = (self.kind, Moments::default());
                let seen = args.is_distinct.then(HashMap::new);
                Ok(Box::new(Exact { kind, scale, result, moments, seen }))
            }
            _ => self.double.accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        match args.input_fields.first().map(|field| field.data_type()) {
            Some(exact) if exact::is_decimal(exact) => {
                let name = datafusion::logical_expr::utils::format_state_name(args.name, "moments");
                Ok(vec![Arc::new(Field::new(name, DataType::Binary, true))])
            }
            _ => self.double.state_fields(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.expr_fields.first().is_some_and(|field| exact::is_decimal(field.data_type()))
            && self.double.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        self.double.create_groups_accumulator(args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.double.documentation()
    }
}

#[derive(Debug)]
struct Exact {
    kind: Deviation,
    /// Digits of the numbers behind the point.
    scale: u8,
    result: DataType,
    moments: Moments,
    /// Where equal numbers count once: how often each came.
    seen: Option<HashMap<i256, i64>>,
}

impl Exact {
    fn add_all(&mut self, values: &[ArrayRef], times: i64) -> Result<()> {
        if let Some(values) = values.first() {
            exact::numbers(values)?.iter().flatten().for_each(|value| self.add(value, times));
        }
        Ok(())
    }

    fn add(&mut self, value: i256, times: i64) {
        let Some(seen) = &mut self.seen else { return self.moments.add(value, times) };
        let count = seen.entry(value).or_default();
        let before = *count > 0;
        *count += times;
        let after = *count > 0;
        if !after {
            seen.remove(&value);
        }
        self.moments.add(value, i64::from(after) - i64::from(before));
    }
}

impl Accumulator for Exact {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add_all(values, 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add_all(values, -1)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let result = self.moments.result(self.kind, self.scale);
        let result = result.map_err(|error| DataFusionError::Execution(error.to_string()))?;
        let array = exact::array(std::iter::once(Ok(result)), &self.result)?;
        ScalarValue::try_from_array(&array, 0)
    }

    fn size(&self) -> usize {
        let seen = self.seen.as_ref().map_or(0, |seen| seen.capacity() * size_of::<(i256, i64)>());
        size_of_val(self) + self.moments.to_bytes().len() + seen
    }

    /// The moments, or all numbers that were seen.
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let state = match &self.seen {
            Some(seen) => seen.keys().flat_map(|value| value.to_le_bytes()).collect(),
            None => self.moments.to_bytes(),
        };
        Ok(vec![ScalarValue::Binary(Some(state))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states.iter().flat_map(|states| states.as_binary::<i32>().iter()).flatten() {
            if self.seen.is_some() {
                state.as_chunks().0.iter().for_each(|value| self.add(i256::from_le_bytes(*value), 1));
                continue;
            }
            let others = Moments::from_bytes(state);
            let damaged = || DataFusionError::Internal("what another part counted is damaged".to_owned());
            self.moments.merge(&others.ok_or_else(damaged)?);
        }
        Ok(())
    }
}
