//! From an expression to the steps of its program.

use recount_types::column::Value;

use super::{Binary, Place, REGISTERS, Register, Step, Test, TextPlace, Unary, Wanted};
use crate::expr::{Class, Expr, Operator};
use crate::table::layout::{Kind, Layout};

/// The steps for an expression whose value is to be of this kind; `None` for what programs do not know.
pub(super) fn steps(expr: &Expr, wanted: Wanted, layout: &Layout) -> Option<Box<[Step]>> {
    let mut compiler = Compiler { layout, steps: Vec::new() };
    compiler.expr(expr, wanted, 0)?;
    Some(compiler.steps.into())
}

struct Compiler<'a> {
    layout: &'a Layout,
    steps: Vec<Step>,
}

impl Compiler<'_> {
    /// Adds what brings the value of an expression into the accumulator. The registers from `free` on may be used.
    fn expr(&mut self, expr: &Expr, wanted: Wanted, free: Register) -> Option<()> {
        if let Some(place) = self.place(expr, wanted) {
            self.steps.push(Step::Load(place));
            return Some(());
        }
        match expr {
            Expr::Case(branches, otherwise) => self.case(branches, otherwise, wanted, free)?,
            Expr::Coalesce(values) => self.coalesce(values, wanted, free)?,
            Expr::Arithmetic(operator, class, left, right) => {
                let of = self.class(*class, wanted)?;
                self.arithmetic(*operator, of, left, right, free)?;
            }
            Expr::Widen(value, digits) => {
                decimal(wanted)?;
                self.expr(value, Wanted::Number, free)?;
                if *digits > 0 {
                    self.unary(Unary::Times(power_of_ten(*digits)?));
                }
            }
            Expr::Divide(dividend, divisor, digits) => {
                decimal(wanted)?;
                self.divide(dividend, divisor, *digits, free)?;
            }
            Expr::Shorten(value, digits, rounding) => {
                decimal(wanted)?;
                self.expr(value, Wanted::Decimal, free)?;
                self.unary(Unary::CutOff(power_of_ten(*digits)?, *rounding));
            }
            Expr::Negate(class, value) => self.signed(Unary::Negate, *class, value, wanted, free)?,
            Expr::Absolute(class, value) => self.signed(Unary::Absolute, *class, value, wanted, free)?,
            Expr::Extreme(extreme, class, values) => {
                let of = self.class(*class, wanted)?;
                let (first, others) = values.split_first()?;
                self.expr(first, of, free)?;
                others.iter().try_for_each(|value| self.with(Binary::Better(*extreme), value, of, free))?;
            }
            Expr::Day(time) => self.of_integer(Unary::Day, time, wanted, free)?,
            Expr::Midnight(day) => self.of_integer(Unary::Midnight, day, wanted, free)?,
            Expr::Truncate(unit, time) => self.of_integer(Unary::Truncate(*unit), time, wanted, free)?,
            Expr::Compare(..) | Expr::And(..) | Expr::Or(..) | Expr::Not(_) | Expr::IsNull(_) => {
                (wanted == Wanted::Boolean).then_some(())?;
                self.truth(expr, free)?;
            }
            Expr::Literal(_)
            | Expr::State(_)
            | Expr::Event(_)
            | Expr::Lookup(..)
            | Expr::Float(..)
            | Expr::Power(..)
            | Expr::Concat(..)
            | Expr::Lower(_)
            | Expr::Upper(_)
            | Expr::Length(_) => return None,
        }
        Some(())
    }

    /// Adds an operation on the accumulator and the value of an expression.
    fn with(&mut self, binary: Binary, right: &Expr, wanted: Wanted, free: Register) -> Option<()> {
        if let Some(place) = self.place(right, wanted) {
            self.steps.push(Step::With(binary, place));
            return Some(());
        }
        let kept = self.keep(free)?;
        self.expr(right, wanted, free + 1)?;
        self.steps.push(Step::WithKept(binary, kept));
        Some(())
    }

    fn keep(&mut self, free: Register) -> Option<Register> {
        (usize::from(free) < REGISTERS).then(|| self.steps.push(Step::Keep(free)))?;
        Some(free)
    }

    fn unary(&mut self, unary: Unary) {
        self.steps.push(Step::Unary(unary));
    }

    /// Where the value of an expression is, if it takes no steps.
    fn place(&self, expr: &Expr, wanted: Wanted) -> Option<Place> {
        Some(match expr {
            Expr::Literal(value) => Place::Literal(wanted.word(value)?),
            Expr::State(column) => {
                let cell = *self.layout.cells.get(*column)?;
                let fits = match cell.kind {
                    Kind::Boolean => wanted == Wanted::Boolean,
                    Kind::Integer => matches!(wanted, Wanted::Integer | Wanted::Number),
                    Kind::Decimal | Kind::Wide => matches!(wanted, Wanted::Decimal | Wanted::Number),
                    Kind::Double | Kind::Text => false,
                };
                fits.then_some(Place::State(cell))?
            }
            Expr::Event(column) => Place::Event(number(*column)?, wanted),
            Expr::Lookup(lookup, column) => Place::Lookup(number(*lookup)?, number(*column)?, wanted),
            _ => return None,
        })
    }

    fn truth(&mut self, expr: &Expr, free: Register) -> Option<()> {
        match expr {
            Expr::Compare(comparison, Class::Text, left, right) => {
                let places = (self.text(left)?, self.text(right)?);
                self.steps.push(Step::CompareTexts(*comparison, Box::new(places)));
            }
            Expr::Compare(comparison, class, left, right) => {
                let of = wanted_of(*class)?;
                self.expr(left, of, free)?;
                self.with(Binary::Compare(*comparison), right, of, free)?;
            }
            Expr::And(left, right) => self.joined(left, right, Test::False, Binary::And, free)?,
            Expr::Or(left, right) => self.joined(left, right, Test::True, Binary::Or, free)?,
            Expr::Not(value) => {
                self.expr(value, Wanted::Boolean, free)?;
                self.unary(Unary::Not);
            }
            Expr::IsNull(value) => self.is_null(value, free)?,
            _ => return None,
        }
        Some(())
    }

    /// AND, OR: the right side is looked at unless the left decides.
    fn joined(
        &mut self,
        left: &Expr,
        right: &Expr,
        decides: Test,
        join: Binary,
        free: Register,
    ) -> Option<()> {
        self.expr(left, Wanted::Boolean, free)?;
        let jump = self.jump_if(decides);
        self.with(join, right, Wanted::Boolean, free)?;
        self.land(jump)
    }

    fn is_null(&mut self, value: &Expr, free: Register) -> Option<()> {
        let place = match value {
            Expr::State(column) => Place::State(*self.layout.cells.get(*column)?),
            // Of whatever kind they are, so that what is wanted makes no difference.
            Expr::Event(column) => Place::Event(number(*column)?, Wanted::Number),
            Expr::Lookup(lookup, column) => Place::Lookup(number(*lookup)?, number(*column)?, Wanted::Number),
            value => {
                self.expr(value, kind_of(value)?, free)?;
                self.unary(Unary::IsNull);
                return Some(());
            }
        };
        self.steps.push(Step::IsNullAt(place));
        Some(())
    }

    fn case(
        &mut self,
        branches: &[(Expr, Expr)],
        otherwise: &Expr,
        wanted: Wanted,
        free: Register,
    ) -> Option<()> {
        let mut ends = Vec::new();
        for (condition, value) in branches {
            self.expr(condition, Wanted::Boolean, free)?;
            let next = self.jump_if(Test::NotTrue);
            self.expr(value, wanted, free)?;
            ends.push(self.steps.len());
            self.steps.push(Step::Jump(0));
            self.land(next)?;
        }
        self.expr(otherwise, wanted, free)?;
        ends.into_iter().try_for_each(|end| self.land(end))
    }

    fn coalesce(&mut self, values: &[Expr], wanted: Wanted, free: Register) -> Option<()> {
        let (last, others) = values.split_last()?;
        let mut ends = Vec::new();
        for value in others {
            self.expr(value, wanted, free)?;
            ends.push(self.jump_if(Test::Some));
        }
        self.expr(last, wanted, free)?;
        ends.into_iter().try_for_each(|end| self.land(end))
    }

    fn arithmetic(
        &mut self,
        operator: Operator,
        of: Wanted,
        left: &Expr,
        right: &Expr,
        free: Register,
    ) -> Option<()> {
        let binary = match (operator, of) {
            (_, Wanted::Boolean) | (Operator::Divide, Wanted::Decimal) => return None,
            (Operator::Add, _) => Binary::Add,
            (Operator::Subtract, _) => Binary::Subtract,
            (Operator::Multiply, _) => Binary::Multiply,
            (Operator::Remainder, _) => Binary::Remainder,
            (Operator::Divide, _) => Binary::Quotient,
        };
        self.expr(left, of, free)?;
        self.with(binary, right, of, free)?;
        self.within(of);
        Some(())
    }

    /// A quotient; by a constant with its digits at once.
    fn divide(&mut self, dividend: &Expr, divisor: &Expr, digits: i16, free: Register) -> Option<()> {
        let power = power_of_ten(u8::try_from(digits.unsigned_abs()).ok()?)?;
        self.expr(dividend, Wanted::Decimal, free)?;
        if digits > 0 {
            self.unary(Unary::Times(power));
        }
        let behind = if digits < 0 { power } else { 1 };
        if let Expr::Literal(Value::Decimal(by)) = divisor
            && let Some(by) = by.checked_mul(behind).filter(|by| *by > 0)
        {
            self.unary(Unary::DividedBy(by));
            return Some(());
        }
        if behind == 1 {
            return self.with(Binary::Divide, divisor, Wanted::Decimal, free);
        }
        let kept = self.keep(free)?;
        self.expr(divisor, Wanted::Decimal, free + 1)?;
        self.unary(Unary::Times(behind));
        self.steps.push(Step::WithKept(Binary::Divide, kept));
        Some(())
    }

    fn signed(
        &mut self,
        unary: Unary,
        class: Class,
        value: &Expr,
        wanted: Wanted,
        free: Register,
    ) -> Option<()> {
        let of = self.class(class, wanted).filter(|of| *of != Wanted::Boolean)?;
        self.expr(value, of, free)?;
        self.unary(unary);
        self.within(of);
        Some(())
    }

    fn of_integer(&mut self, unary: Unary, value: &Expr, wanted: Wanted, free: Register) -> Option<()> {
        self.class(Class::Integer, wanted)?;
        self.expr(value, Wanted::Integer, free)?;
        self.unary(unary);
        Some(())
    }

    /// Integers are of 64 bits.
    fn within(&mut self, of: Wanted) {
        if of == Wanted::Integer {
            self.unary(Unary::Integer);
        }
    }

    /// What an operation on values of a class makes, if that is wanted.
    fn class(&self, class: Class, wanted: Wanted) -> Option<Wanted> {
        let of = wanted_of(class)?;
        let numbers = wanted == Wanted::Number && of != Wanted::Boolean;
        (of == wanted || numbers).then_some(of)
    }

    fn text(&self, expr: &Expr) -> Option<TextPlace> {
        Some(match expr {
            Expr::Literal(Value::Null) => TextPlace::Literal(None),
            Expr::Literal(Value::Text(text)) => TextPlace::Literal(Some(text.as_ref().into())),
            Expr::State(column) => {
                let cell = *self.layout.cells.get(*column)?;
                (cell.kind == Kind::Text).then_some(TextPlace::State(cell))?
            }
            Expr::Event(column) => TextPlace::Event(number(*column)?),
            Expr::Lookup(lookup, column) => TextPlace::Lookup(number(*lookup)?, number(*column)?),
            _ => return None,
        })
    }

    /// Adds a jump to a place that is not known yet.
    fn jump_if(&mut self, test: Test) -> usize {
        self.steps.push(Step::JumpIf(test, 0));
        self.steps.len() - 1
    }

    /// Makes a jump lead behind the steps so far.
    fn land(&mut self, jump: usize) -> Option<()> {
        let here = number(self.steps.len())?;
        match &mut self.steps[jump] {
            Step::Jump(to) | Step::JumpIf(_, to) => *to = here,
            _ => return None,
        }
        Some(())
    }
}

fn number(of: usize) -> Option<u32> {
    of.try_into().ok()
}

fn power_of_ten(digits: u8) -> Option<i128> {
    10i128.checked_pow(digits.into())
}

fn decimal(wanted: Wanted) -> Option<()> {
    matches!(wanted, Wanted::Decimal | Wanted::Number).then_some(())
}

fn wanted_of(class: Class) -> Option<Wanted> {
    match class {
        Class::Boolean => Some(Wanted::Boolean),
        Class::Integer => Some(Wanted::Integer),
        Class::Decimal => Some(Wanted::Decimal),
        Class::Double | Class::Text => None,
    }
}

/// The kind of an expression's values, where the expression alone says it.
fn kind_of(expr: &Expr) -> Option<Wanted> {
    match expr {
        Expr::Arithmetic(_, class, ..)
        | Expr::Negate(class, _)
        | Expr::Absolute(class, _)
        | Expr::Extreme(_, class, _) => wanted_of(*class),
        Expr::Widen(..) | Expr::Divide(..) | Expr::Shorten(..) => Some(Wanted::Decimal),
        Expr::Day(_) | Expr::Midnight(_) | Expr::Truncate(..) => Some(Wanted::Integer),
        Expr::Compare(..) | Expr::And(..) | Expr::Or(..) | Expr::Not(_) | Expr::IsNull(_) => {
            Some(Wanted::Boolean)
        }
        _ => None,
    }
}
