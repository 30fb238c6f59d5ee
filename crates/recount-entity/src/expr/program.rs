//! Programs: expressions of booleans, integers and decimals as steps on registers, which take a fraction of the time
//! that [`Expr::eval`] takes.
//!
//! A program gives the value that the expression has, or says that it cannot tell: where something is beyond its
//! registers, is not of the kind that it was made for, or is an error. It runs on registers of 64 bits first, then on
//! those of 128, and where neither can tell the expression is evaluated, so that a program knows neither numbers of
//! 256 bits nor errors.
//!
//! The value of an expression is in the accumulator; where the right side of an operation takes steps of its own,
//! that of the left side waits in a register.

use recount_types::column::{Column, Value, Values};

use super::{Comparison, Expr, Extreme, Rounding, TimeUnit, time};
use crate::table::layout::{Cell, Kind, Layout};
use crate::table::wide;

mod compile;
mod word;

use word::Word;

/// Registers that a program may use.
const REGISTERS: usize = 16;

/// An expression as steps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Program {
    steps: Box<[Step]>,
    /// What it does, if it only adds: most of what folds do.
    sum: Option<Sum>,
}

/// A number of the state and one of the event.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sum {
    cell: Cell,
    column: u32,
    wanted: Wanted,
}

/// What the values of a program are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Booleans: 0 or 1.
    Boolean,
    /// Integers of 64 bits.
    Integer,
    /// Decimals.
    Decimal,
    /// Integers or decimals.
    Number,
}

/// The number of a register; below [`REGISTERS`].
type Register = u8;

/// One step.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Load(Place),
    /// An operation on the accumulator and what is found in a place.
    With(Binary, Place),
    /// Puts the accumulator aside.
    Keep(Register),
    /// An operation on what was put aside and the accumulator.
    WithKept(Binary, Register),
    /// Whether there is no value, of whatever kind, in a place.
    IsNullAt(Place),
    Unary(Unary),
    CompareTexts(Comparison, Box<(TextPlace, TextPlace)>),
    Jump(u32),
    JumpIf(Test, u32),
}

/// Where a value is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Literal(Option<i64>),
    State(Cell),
    Event(u32, Wanted),
    Lookup(u32, u32, Wanted),
}

/// An operation on two values.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Binary {
    Add,
    Subtract,
    Multiply,
    Remainder,
    /// Cut towards zero.
    Quotient,
    /// Rounded, halves away from zero.
    Divide,
    Compare(Comparison),
    And,
    Or,
    /// The second if it is better than the first, or the only one.
    Better(Extreme),
}

/// An operation on one value.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Unary {
    /// Cannot tell beyond 64 bits.
    Integer,
    Times(i128),
    /// Rounded, halves away from zero, by a constant above zero.
    DividedBy(i128),
    CutOff(i128, Rounding),
    Negate,
    Absolute,
    Not,
    IsNull,
    Day,
    Midnight,
    Truncate(TimeUnit),
}

/// What a jump depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    True,
    False,
    NotTrue,
    Some,
}

/// Where a text is.
#[derive(Debug, Clone, PartialEq)]
enum TextPlace {
    Literal(Option<Box<str>>),
    State(Cell),
    Event(u32),
    Lookup(u32, u32),
}

/// What a program may look at; as [`super::Scope`], with the state as it lies in its row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) words: &'a [u64],
    pub(crate) texts: &'a [Option<Box<str>>],
    pub(crate) event: &'a [Column],
    pub(crate) row: usize,
    pub(crate) lookups: &'a [Option<&'a [Value<'static>]>],
}

/// The registers, to be used again and again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registers {
    small: [Option<i64>; REGISTERS],
    wide: [Option<i128>; REGISTERS],
}

impl Program {
    /// The steps for an expression, if there are some.
    pub(crate) fn of(expr: &Expr, wanted: Wanted, layout: &Layout) -> Option<Program> {
        let steps = compile::steps(expr, wanted, layout)?;
        let sum = Sum::of(&steps);
        Some(Program { steps, sum })
    }

    /// The value, which may be none; `None` if the program cannot tell within 64 bits.
    #[inline]
    pub(crate) fn run(&self, inputs: &Inputs<'_>, registers: &mut Registers) -> Option<Option<i64>> {
        match self.sum.and_then(|sum| sum.value(inputs)) {
            Some(value) => Some(Some(value)),
            None => self.run_on(inputs, &mut registers.small),
        }
    }

    /// The same within 128 bits.
    #[cold]
    pub(crate) fn run_wide(&self, inputs: &Inputs<'_>, registers: &mut Registers) -> Option<Option<i128>> {
        self.run_on(inputs, &mut registers.wide)
    }

    #[inline]
    fn run_on<W: Word>(&self, inputs: &Inputs<'_>, kept: &mut [Option<W>; REGISTERS]) -> Option<Option<W>> {
        // An operation on two columns is most of the conditions and sums that there are.
        if let [Step::Load(left), Step::With(binary, right)] = &*self.steps {
            return binary.of(left.value(inputs)?, right.value(inputs)?);
        }
        let mut value = None;
        let mut at = 0;
        while let Some(step) = self.steps.get(at) {
            at += 1;
            value = match step {
                Step::Load(place) => place.value(inputs)?,
                Step::With(binary, place) => binary.of(value, place.value(inputs)?)?,
                Step::Keep(register) => {
                    kept[usize::from(*register) % REGISTERS] = value;
                    value
                }
                Step::WithKept(binary, register) => {
                    binary.of(kept[usize::from(*register) % REGISTERS], value)?
                }
                Step::IsNullAt(place) => truth(Some(place.is_null(inputs))),
                Step::Unary(unary) => unary.of(value)?,
                Step::CompareTexts(comparison, places) => {
                    let (left, right) = (places.0.text(inputs)?, places.1.text(inputs)?);
                    truth(left.zip(right).map(|(left, right)| comparison.holds(left.cmp(right))))
                }
                Step::Jump(to) => {
                    at = *to as usize;
                    value
                }
                Step::JumpIf(test, to) => {
                    if test.holds(value) {
                        at = *to as usize;
                    }
                    value
                }
            };
        }
        Some(value)
    }
}

impl Sum {
    fn of(steps: &[Step]) -> Option<Sum> {
        let (Step::Load(Place::State(cell)), Step::With(Binary::Add, Place::Event(column, wanted))) =
            (steps.first()?, steps.get(1)?)
        else {
            return None;
        };
        // It is within 64 bits anyhow.
        let ends = matches!(
            (wanted, &steps[2..]),
            (Wanted::Decimal, []) | (Wanted::Integer, [Step::Unary(Unary::Integer)])
        );
        (ends && cell.kind != Kind::Wide).then_some(Sum { cell: *cell, column: *column, wanted: *wanted })
    }

    /// The sum, if there are two numbers and all are within 64 bits.
    #[inline]
    fn value(&self, inputs: &Inputs<'_>) -> Option<i64> {
        let (column, row) = (&inputs.event[self.column as usize], inputs.row);
        if self.cell.is_null(inputs.words) || !column.valid[row] {
            return None;
        }
        let by = match (self.wanted, &column.values) {
            (Wanted::Decimal, Values::Decimal(values)) => values[row].try_into().ok()?,
            (Wanted::Integer, Values::Integer(values)) => values[row],
            _ => return None,
        };
        (inputs.words[self.cell.at] as i64).checked_add(by)
    }
}

impl Place {
    /// The value; `None` if it is of another kind or does not fit.
    #[inline]
    fn value<W: Word>(&self, inputs: &Inputs<'_>) -> Option<Option<W>> {
        match self {
            Place::Literal(value) => Some(value.map(W::from_i64)),
            Place::State(cell) => {
                if cell.is_null(inputs.words) {
                    return Some(None);
                }
                match cell.kind {
                    Kind::Wide => W::from_i128(wide(inputs.words, cell.at)).map(Some),
                    _ => Some(Some(W::from_i64(inputs.words[cell.at] as i64))),
                }
            }
            Place::Event(column, wanted) => {
                let (column, row) = (&inputs.event[*column as usize], inputs.row);
                if !column.valid[row] {
                    return Some(None);
                }
                match (wanted, &column.values) {
                    (Wanted::Decimal | Wanted::Number, Values::Decimal(values)) => {
                        W::from_i128(values[row]).map(Some)
                    }
                    (Wanted::Integer | Wanted::Number, Values::Integer(values)) => {
                        Some(Some(W::from_i64(values[row])))
                    }
                    (Wanted::Boolean, Values::Boolean(values)) => Some(Some(W::from_i64(values[row].into()))),
                    _ => None,
                }
            }
            Place::Lookup(lookup, column, wanted) => match inputs.lookups[*lookup as usize] {
                Some(row) => wanted.word(&row[*column as usize]),
                None => Some(None),
            },
        }
    }

    #[inline]
    fn is_null(&self, inputs: &Inputs<'_>) -> bool {
        match self {
            Place::Literal(value) => value.is_none(),
            Place::State(cell) => cell.is_null(inputs.words),
            Place::Event(column, _) => !inputs.event[*column as usize].valid[inputs.row],
            Place::Lookup(lookup, column, _) => {
                inputs.lookups[*lookup as usize].is_none_or(|row| row[*column as usize].is_null())
            }
        }
    }
}

impl Binary {
    /// The result, of which there is none without both values; `None` if it cannot be told.
    #[inline]
    fn of<W: Word>(self, left: Option<W>, right: Option<W>) -> Option<Option<W>> {
        if let Some((left, right)) = left.zip(right)
            && let Some(result) = self.arithmetic(left, right)
        {
            return result.map(Some);
        }
        Some(match self {
            Binary::Compare(comparison) => {
                let sides = left.zip(right);
                truth(sides.map(|(left, right)| comparison.holds(left.cmp(&right))))
            }
            Binary::And => truth(match (left.map(W::is_zero), right.map(W::is_zero)) {
                (Some(true), _) | (_, Some(true)) => Some(false),
                (Some(false), Some(false)) => Some(true),
                _ => None,
            }),
            Binary::Or => truth(match (left.map(W::is_zero), right.map(W::is_zero)) {
                (Some(false), _) | (_, Some(false)) => Some(true),
                (Some(true), Some(true)) => Some(false),
                _ => None,
            }),
            Binary::Better(extreme) => match (left, right, extreme) {
                (left, None, _) => left,
                (None, right, _) => right,
                (Some(left), Some(right), Extreme::Greatest) => Some(left.max(right)),
                (Some(left), Some(right), Extreme::Least) => Some(left.min(right)),
            },
            _ => None,
        })
    }

    /// The result of arithmetic, `Some(None)` if it cannot be told; `None` if it is none.
    #[inline]
    fn arithmetic<W: Word>(self, left: W, right: W) -> Option<Option<W>> {
        Some(match self {
            Binary::Add => left.add(right),
            Binary::Subtract => left.subtract(right),
            Binary::Multiply => left.multiply(right),
            Binary::Remainder => left.remainder(right),
            Binary::Quotient => left.quotient(right),
            Binary::Divide => left.divide(right),
            Binary::Compare(_) | Binary::And | Binary::Or | Binary::Better(_) => return None,
        })
    }
}

impl Unary {
    /// The result, of which there is none without a value; `None` if it cannot be told.
    #[inline]
    fn of<W: Word>(self, value: Option<W>) -> Option<Option<W>> {
        let Some(value) = value else {
            return Some(if self == Unary::IsNull { truth(Some(true)) } else { None });
        };
        let result = match self {
            Unary::Integer => value.to_i64().map(W::from_i64),
            Unary::Times(by) => value.multiply(W::from_i128(by)?),
            Unary::DividedBy(by) | Unary::CutOff(by, Rounding::Nearest) => value.divide(W::from_i128(by)?),
            Unary::CutOff(by, Rounding::Down) => value.cut(W::from_i128(by)?, false),
            Unary::CutOff(by, Rounding::Up) => value.cut(W::from_i128(by)?, true),
            Unary::Negate => value.negate(),
            Unary::Absolute => value.absolute(),
            Unary::Not => Some(W::from_i64(value.is_zero().into())),
            Unary::IsNull => Some(W::from_i64(0)),
            Unary::Day => value.to_i64().map(|time| W::from_i64(time::day(time))),
            Unary::Midnight => Some(W::from_i64(time::midnight(value.to_i64()?).ok()?)),
            Unary::Truncate(unit) => Some(W::from_i64(time::truncate(unit, value.to_i64()?).ok()?)),
        };
        result.map(Some)
    }
}

/// A truth as a word.
#[inline]
fn truth<W: Word>(value: Option<bool>) -> Option<W> {
    value.map(|value| W::from_i64(value.into()))
}

impl Test {
    #[inline]
    fn holds<W: Word>(self, value: Option<W>) -> bool {
        match self {
            Test::True => value.is_some_and(|value| !value.is_zero()),
            Test::False => value.is_some_and(W::is_zero),
            Test::NotTrue => value.is_none_or(W::is_zero),
            Test::Some => value.is_some(),
        }
    }
}

impl Wanted {
    /// A value as a word; `None` if it is of another kind or does not fit.
    #[inline]
    fn word<W: Word>(self, value: &Value<'_>) -> Option<Option<W>> {
        match (self, value) {
            (_, Value::Null) => Some(None),
            (Wanted::Boolean, Value::Boolean(value)) => Some(truth(Some(*value))),
            (Wanted::Integer | Wanted::Number, Value::Integer(value)) => Some(Some(W::from_i64(*value))),
            (Wanted::Decimal | Wanted::Number, Value::Decimal(value)) => W::from_i128(*value).map(Some),
            _ => None,
        }
    }
}

impl TextPlace {
    /// The text; `None` if there is something else.
    #[inline]
    fn text<'a>(&'a self, inputs: &Inputs<'a>) -> Option<Option<&'a str>> {
        match self {
            TextPlace::Literal(text) => Some(text.as_deref()),
            TextPlace::State(cell) => Some(inputs.texts[cell.at].as_deref()),
            TextPlace::Event(column) => {
                let column = &inputs.event[*column as usize];
                match &column.values {
                    _ if !column.valid[inputs.row] => Some(None),
                    Values::Text(texts) => Some(Some(texts.get(inputs.row))),
                    _ => None,
                }
            }
            TextPlace::Lookup(lookup, column) => {
                let Some(row) = inputs.lookups[*lookup as usize] else { return Some(None) };
                match &row[*column as usize] {
                    Value::Null => Some(None),
                    Value::Text(text) => Some(Some(text)),
                    _ => None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
