//! Programs beside the expressions that they are made of.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;
use recount_types::column::Form;

use super::*;
use crate::decimal::Number;
use crate::expr::{Class, Datum, EvalError, Operator, Scope};
use crate::fold::{Domain, StateColumn};
use crate::table::Table;

/// Random expressions and values, from a seed.
struct Chance(u64);

impl Chance {
    /// A number below `limit`. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", SplitMix64.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    fn integer(&mut self) -> i64 {
        let near = self.below(5) as i64 - 2;
        match self.below(6) {
            0 => i64::MAX - near.abs(),
            1 => i64::MIN + near.abs(),
            2 => near,
            3 => 10i64.pow(self.below(19) as u32) + near,
            // A time of these years.
            4 => 1_700_000_000_000_000 + self.below(1 << 50) as i64,
            _ => self.below(100_000) as i64 - 50_000,
        }
    }

    fn decimal(&mut self) -> i128 {
        let near = i128::from(self.below(5)) - 2;
        match self.below(6) {
            0 => self.integer().into(),
            1 => i128::from(self.one_of(&[i64::MAX, i64::MIN])) + near,
            2 => self.one_of(&[i128::MAX - 2, i128::MIN + 2]) + near,
            3 => 10i128.pow(self.below(38) as u32) * self.one_of(&[1, -1]) + near,
            _ => near,
        }
    }

    fn value(&mut self, kind: Wanted) -> Value<'static> {
        match kind {
            _ if self.below(8) == 0 => Value::Null,
            Wanted::Boolean => Value::Boolean(self.below(2) == 1),
            Wanted::Integer => Value::Integer(self.integer()),
            Wanted::Decimal | Wanted::Number => Value::Decimal(self.decimal()),
        }
    }

    fn text(&mut self) -> Value<'static> {
        match self.below(4) {
            0 => Value::Null,
            _ => Value::Text(self.one_of(&["", "a", "b", "ab", "ä"]).into()),
        }
    }

    /// A column of each of [`COLUMNS`].
    fn values(&mut self) -> Vec<Value<'static>> {
        let small = |value: Value<'static>| match value {
            Value::Decimal(value) => Value::Decimal(value % 10i128.pow(18)),
            other => other,
        };
        vec![
            self.value(Wanted::Boolean),
            self.value(Wanted::Integer),
            small(self.value(Wanted::Decimal)),
            self.value(Wanted::Decimal),
            self.text(),
        ]
    }

    fn leaf(&mut self, kind: Wanted) -> Expr {
        let column = match kind {
            // Now and then what nobody would have bound.
            _ if self.below(60) == 0 => self.below(5) as usize,
            Wanted::Boolean => 0,
            Wanted::Integer => 1,
            Wanted::Decimal => self.one_of(&[2, 3]),
            Wanted::Number => self.one_of(&[1, 2, 3]),
        };
        match self.below(4) {
            0 => Expr::Literal(self.value(kind)),
            1 => Expr::State(column),
            2 => Expr::Event(column),
            _ => Expr::Lookup(self.below(2) as usize, column),
        }
    }

    fn text_leaf(&mut self) -> Box<Expr> {
        Box::new(match self.below(4) {
            0 => Expr::Literal(self.text()),
            1 => Expr::State(4),
            2 => Expr::Event(4),
            _ => Expr::Lookup(0, 4),
        })
    }

    fn boxed(&mut self, kind: Wanted, depth: u32) -> Box<Expr> {
        Box::new(self.expr(kind, depth))
    }

    fn several(&mut self, kind: Wanted, depth: u32) -> Vec<Expr> {
        (0..1 + self.below(3)).map(|_| self.expr(kind, depth)).collect()
    }

    fn expr(&mut self, kind: Wanted, depth: u32) -> Expr {
        use Operator::*;
        let Some(depth) = depth.checked_sub(1) else { return self.leaf(kind) };
        match self.below(8) {
            0 => return self.leaf(kind),
            1 => return Expr::Coalesce(self.several(kind, depth)),
            2 => {
                let branches = (0..1 + self.below(2))
                    .map(|_| (self.expr(Wanted::Boolean, depth), self.expr(kind, depth)))
                    .collect();
                return Expr::Case(branches, self.boxed(kind, depth));
            }
            3 => {
                let extreme = self.one_of(&[Extreme::Greatest, Extreme::Least]);
                return Expr::Extreme(extreme, class(kind), self.several(kind, depth));
            }
            _ => {}
        }
        match kind {
            Wanted::Boolean => match self.below(6) {
                0 => Expr::And(self.boxed(kind, depth), self.boxed(kind, depth)),
                1 => Expr::Or(self.boxed(kind, depth), self.boxed(kind, depth)),
                2 => Expr::Not(self.boxed(kind, depth)),
                3 => {
                    let of = self.one_of(&[Wanted::Boolean, Wanted::Integer, Wanted::Decimal]);
                    Expr::IsNull(self.boxed(of, depth))
                }
                4 => Expr::Compare(self.comparison(), Class::Text, self.text_leaf(), self.text_leaf()),
                _ => {
                    let of = self.one_of(&[Wanted::Boolean, Wanted::Integer, Wanted::Decimal]);
                    let (left, right) = (self.boxed(of, depth), self.boxed(of, depth));
                    Expr::Compare(self.comparison(), class(of), left, right)
                }
            },
            Wanted::Integer => match self.below(6) {
                0 => Expr::Negate(Class::Integer, self.boxed(kind, depth)),
                1 => Expr::Absolute(Class::Integer, self.boxed(kind, depth)),
                2 => Expr::Day(self.boxed(kind, depth)),
                3 => Expr::Midnight(self.boxed(kind, depth)),
                4 => {
                    let unit =
                        self.one_of(&[TimeUnit::Second, TimeUnit::Week, TimeUnit::Quarter, TimeUnit::Year]);
                    Expr::Truncate(unit, self.boxed(kind, depth))
                }
                _ => {
                    let operator = self.one_of(&[Add, Subtract, Multiply, Divide, Remainder]);
                    let (left, right) = (self.boxed(kind, depth), self.boxed(kind, depth));
                    Expr::Arithmetic(operator, Class::Integer, left, right)
                }
            },
            Wanted::Decimal | Wanted::Number => match self.below(8) {
                0 => Expr::Negate(Class::Decimal, self.boxed(kind, depth)),
                1 => Expr::Absolute(Class::Decimal, self.boxed(kind, depth)),
                2 => {
                    let digits = self.one_of(&[0, 2, 9, 20, 38, 40]);
                    let of = self.one_of(&[Wanted::Integer, Wanted::Decimal]);
                    Expr::Widen(self.boxed(of, depth), digits)
                }
                3 => {
                    let rounding = self.one_of(&[Rounding::Nearest, Rounding::Down, Rounding::Up]);
                    let digits = self.one_of(&[0, 1, 6, 19, 38, 39]);
                    Expr::Shorten(self.boxed(Wanted::Decimal, depth), digits, rounding)
                }
                4 | 5 => {
                    let digits = self.one_of(&[-39, -20, -6, -1, 0, 1, 6, 20]);
                    Expr::Divide(
                        self.boxed(Wanted::Decimal, depth),
                        self.boxed(Wanted::Decimal, depth),
                        digits,
                    )
                }
                _ => {
                    let operator = self.one_of(&[Add, Subtract, Multiply, Remainder]);
                    let (left, right) =
                        (self.boxed(Wanted::Decimal, depth), self.boxed(Wanted::Decimal, depth));
                    Expr::Arithmetic(operator, Class::Decimal, left, right)
                }
            },
        }
    }

    fn comparison(&mut self) -> Comparison {
        use Comparison::*;
        self.one_of(&[Equal, Unequal, Less, AtMost, Greater, AtLeast])
    }
}

fn class(kind: Wanted) -> Class {
    match kind {
        Wanted::Boolean => Class::Boolean,
        Wanted::Integer => Class::Integer,
        Wanted::Decimal | Wanted::Number => Class::Decimal,
    }
}

const COLUMNS: [(Domain, Form); 5] = [
    (Domain::Boolean, Form::Boolean),
    (Domain::Integer(i64::MIN, i64::MAX), Form::Integer),
    (Domain::Decimal(18, 2), Form::Decimal),
    (Domain::Decimal(38, 2), Form::Decimal),
    (Domain::Text, Form::Text),
];

/// What expressions look at.
struct World {
    table: Table,
    layout: Layout,
    state: Vec<Value<'static>>,
    event: Vec<Column>,
    found: Vec<Value<'static>>,
}

impl World {
    fn new(chance: &mut Chance) -> World {
        let column =
            |(domain, _)| StateColumn { name: "c".into(), domain, nullable: true, default: Value::Null };
        let columns = COLUMNS.map(column);
        let mut table = Table::new(&columns, 1);
        let state = chance.values();
        let slot = table.find_or_add(b"k").unwrap();
        state.iter().enumerate().for_each(|(column, value)| table.edit(slot).set(column, value.clone()));
        let event = COLUMNS.iter().zip(chance.values()).map(|((_, form), value)| {
            let mut column = Column::new(*form);
            column.push(&value);
            column
        });
        World { table, layout: Layout::of(&columns), state, event: event.collect(), found: chance.values() }
    }

    /// What the program tells, within 64 and within 128 bits; and what the expression says.
    fn check(&mut self, expr: &Expr, kind: Wanted) -> Result<Told, TestCaseError> {
        let found = [Some(&self.found[..]), None];
        let scope = Scope { state: &self.state, event: &self.event, row: 0, lookups: &found };
        let expected = expr.eval(&scope);
        let Some(program) = Program::of(expr, kind, &self.layout) else { return Ok(Told::Never) };
        let slot = self.table.find(b"k").unwrap();
        let row = self.table.edit(slot);
        let inputs =
            Inputs { words: row.words(), texts: row.texts(), event: &self.event, row: 0, lookups: &found };
        // Whatever is left there.
        let mut registers = Registers { small: [Some(7); REGISTERS], wide: [Some(7); REGISTERS] };
        let shown = |value: Option<i128>| match (value, kind) {
            (None, _) => Datum::Null,
            (Some(value), Wanted::Boolean) => Datum::Boolean(value == 1),
            (Some(value), Wanted::Integer) => Datum::Integer(value as i64),
            (Some(value), Wanted::Decimal | Wanted::Number) => Datum::Decimal(Number::Small(value)),
        };
        let small = program.run(&inputs, &mut registers);
        if let Some(value) = small {
            prop_assert_eq!(Ok(shown(value.map(i128::from))), expected.clone(), "in 64 bits: {:?}", expr);
        }
        let wide = program.run_wide(&inputs, &mut registers);
        if let Some(value) = wide {
            prop_assert_eq!(Ok(shown(value)), expected.clone(), "in 128 bits: {:?}", expr);
        }
        prop_assert!(small.is_none() || wide.is_some(), "128 bits hold what 64 do: {:?}", expr);
        Ok(match (small, wide) {
            (Some(_), _) => Told::Small,
            (None, Some(_)) => Told::Wide,
            (None, None) => Told::Not(expected.err()),
        })
    }
}

/// How much a program told.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    Never,
    Small,
    Wide,
    Not(Option<EvalError>),
}

fn run(seed: u64) -> Result<Told, TestCaseError> {
    let mut chance = Chance(seed);
    let mut world = World::new(&mut chance);
    let kind = chance.one_of(&[Wanted::Boolean, Wanted::Integer, Wanted::Decimal]);
    let depth = chance.below(5) as u32;
    world.check(&chance.expr(kind, depth), kind)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]
    #[test]
    fn a_program_tells_what_the_expression_says_or_nothing(seed in any::<u64>()) {
        run(seed)?;
    }
}

/// That the cases above see everything: values of each size, what 128 bits do not hold, and every error.
#[test]
fn random_expressions_reach_every_end() {
    let mut seen = Vec::new();
    for seed in 0..20_000 {
        let told = run(seed).unwrap();
        if !seen.contains(&told) {
            seen.push(told);
        }
    }
    let errors =
        [EvalError::DivisionByZero, EvalError::Integer, EvalError::Decimal, EvalError::Time, EvalError::Kind];
    let wanted = errors.map(|error| Told::Not(Some(error)));
    for told in [Told::Never, Told::Small, Told::Wide, Told::Not(None)].into_iter().chain(wanted) {
        assert!(seen.contains(&told), "never {told:?}, but {seen:?}");
    }
}

/// What most rules are made of takes a few steps, and none of the slow way.
#[test]
fn common_shapes_have_programs() {
    let boxed = Box::new;
    let add = |left, right| Expr::Arithmetic(Operator::Add, Class::Decimal, boxed(left), boxed(right));
    let times = |left, right| Expr::Arithmetic(Operator::Multiply, Class::Decimal, boxed(left), boxed(right));
    let number = |value| Expr::Literal(Value::Decimal(value));
    let days = Expr::Arithmetic(
        Operator::Subtract,
        Class::Integer,
        boxed(Expr::Day(boxed(Expr::Event(1)))),
        boxed(Expr::Day(boxed(Expr::State(1)))),
    );
    let days = Expr::Widen(boxed(Expr::Coalesce(vec![days, Expr::Literal(Value::Integer(0))])), 0);
    let rate = Expr::Coalesce(vec![Expr::Lookup(0, 2), number(0)]);
    let interest = Expr::Divide(boxed(times(times(Expr::State(2), rate), days)), boxed(number(365)), -6);
    let is = Expr::Compare(
        Comparison::Equal,
        Class::Text,
        boxed(Expr::Event(4)),
        boxed(Expr::Literal(Value::Text("credit".into()))),
    );
    let signed =
        Expr::Case(vec![(is, Expr::Event(2))], boxed(Expr::Negate(Class::Decimal, boxed(Expr::Event(2)))));
    let world = World::new(&mut Chance(1));
    for (expr, steps) in [
        (add(Expr::State(2), Expr::Event(2)), 2),
        (add(add(Expr::State(2), Expr::Event(2)), interest), 22),
        (add(Expr::State(2), signed), 9),
    ] {
        let program = Program::of(&expr, Wanted::Decimal, &world.layout);
        assert_eq!(program.map(|program| program.steps.len()), Some(steps), "{expr:?}");
    }
}

/// Where all values are of their kind and small, programs tell: evaluated, an expression has the same value and takes many times as
/// long, so that nothing but the time would show it.
#[test]
fn programs_tell_whatever_is_small() {
    use Operator::*;
    let values = [
        vec![
            Value::Boolean(true),
            Value::Integer(5),
            Value::Decimal(200),
            Value::Decimal(30),
            Value::Text("a".into()),
        ],
        vec![
            Value::Boolean(false),
            Value::Integer(2),
            Value::Decimal(7),
            Value::Decimal(3),
            Value::Text("b".into()),
        ],
        vec![Value::Null; 5],
    ];
    let boxed = Box::new;
    for (state, event, found) in [(0, 1, 0), (1, 0, 1), (2, 0, 2), (0, 2, 1), (2, 2, 2)] {
        let mut world = World::new(&mut Chance(1));
        world.state = values[state].clone();
        world.found = values[found].clone();
        let slot = world.table.find(b"k").unwrap();
        for (column, (state, event)) in values[state].iter().zip(&values[event]).enumerate() {
            world.table.edit(slot).set(column, state.clone());
            world.event[column].clear();
            world.event[column].push(event);
        }
        let mut tells = |expr: Expr, kind| {
            let told = world.check(&expr, kind).unwrap();
            assert_eq!(told, Told::Small, "{expr:?} of rows {state}, {event}, {found}");
        };
        let all = [(0, Wanted::Boolean), (1, Wanted::Integer), (2, Wanted::Decimal), (3, Wanted::Decimal)];
        for (column, kind) in all {
            let literal = || Expr::Literal(values[0][column].clone());
            let places = || {
                let places = [Expr::State(column), Expr::Event(column), literal()];
                places.into_iter().chain([Expr::Lookup(0, column), Expr::Lookup(1, column)])
            };
            for place in places() {
                tells(place.clone(), kind);
                if !matches!(place, Expr::Literal(_)) {
                    tells(Expr::IsNull(boxed(place.clone())), Wanted::Boolean);
                }
                let less =
                    Expr::Compare(Comparison::Less, class(kind), boxed(place.clone()), boxed(literal()));
                tells(less, Wanted::Boolean);
                let first = Expr::Coalesce(vec![place.clone(), literal()]);
                tells(first, kind);
                let least =
                    Expr::Extreme(Extreme::Least, class(kind), vec![place.clone(), Expr::State(column)]);
                tells(least, kind);
                if kind == Wanted::Boolean {
                    tells(Expr::And(boxed(place.clone()), boxed(Expr::State(0))), kind);
                    tells(Expr::Or(boxed(place.clone()), boxed(Expr::Event(0))), kind);
                    tells(Expr::Not(boxed(place)), kind);
                    continue;
                }
                for operator in [Add, Subtract, Multiply, Remainder] {
                    let sides = [boxed(Expr::State(column)), boxed(place.clone())];
                    let [left, right] = sides;
                    tells(Expr::Arithmetic(operator, class(kind), left, right), kind);
                }
                tells(Expr::Negate(class(kind), boxed(place.clone())), kind);
                tells(Expr::Absolute(class(kind), boxed(place.clone())), kind);
                if kind == Wanted::Integer {
                    tells(
                        Expr::Arithmetic(Divide, Class::Integer, boxed(place.clone()), boxed(literal())),
                        kind,
                    );
                    tells(Expr::Day(boxed(place.clone())), kind);
                    tells(Expr::Widen(boxed(place), 1), Wanted::Decimal);
                } else {
                    tells(Expr::Divide(boxed(place.clone()), boxed(literal()), 1), kind);
                    tells(Expr::Shorten(boxed(place), 1, Rounding::Nearest), kind);
                }
            }
        }
        let texts = || {
            let literal = Expr::Literal(Value::Text("a".into()));
            [Expr::State(4), Expr::Event(4), literal, Expr::Lookup(0, 4), Expr::Lookup(1, 4)]
        };
        for (left, right) in texts().into_iter().flat_map(|left| texts().map(|right| (left.clone(), right))) {
            tells(Expr::Compare(Comparison::Equal, Class::Text, boxed(left), boxed(right)), Wanted::Boolean);
        }
    }
}

/// A number of the state and one of the event, which is what most folds add, are added without steps.
#[test]
fn a_sum_is_told_at_once_where_it_can_be() {
    let mut world = World::new(&mut Chance(1));
    let slot = world.table.find(b"k").unwrap();
    for (column, class, kind) in [
        (1, Class::Integer, Wanted::Integer),
        (2, Class::Decimal, Wanted::Decimal),
        (3, Class::Decimal, Wanted::Decimal),
    ] {
        let value = |number: i64| match kind {
            Wanted::Integer => Value::Integer(number),
            _ => Value::Decimal(number.into()),
        };
        let (left, right) = (Box::new(Expr::State(column)), Box::new(Expr::Event(column)));
        let sum = Program::of(&Expr::Arithmetic(Operator::Add, class, left, right), kind, &world.layout)
            .unwrap()
            .sum;
        // A decimal of two words is added as others are.
        assert_eq!(sum.is_some(), column != 3);
        let Some(sum) = sum else { continue };
        let mut of = |state: Value<'static>, event: Value<'static>| {
            world.table.edit(slot).set(column, state);
            world.event[column].clear();
            world.event[column].push(&event);
            let row = world.table.edit(slot);
            sum.value(&Inputs {
                words: row.words(),
                texts: row.texts(),
                event: &world.event,
                row: 0,
                lookups: &[],
            })
        };
        assert_eq!(of(value(40), value(2)), Some(42));
        assert_eq!(of(value(40), value(-50)), Some(-10));
        assert_eq!(of(Value::Null, value(2)), None);
        assert_eq!(of(value(40), Value::Null), None);
        assert_eq!(of(value(40), value(i64::MAX)), None);
    }
    let steps = |binary, ends: &[Step]| {
        let (left, right) = (Place::State(world.layout.cells[1]), Place::Event(1, Wanted::Integer));
        [&[Step::Load(left), Step::With(binary, right)], ends].concat()
    };
    let integer = [Step::Unary(Unary::Integer)];
    assert!(Sum::of(&steps(Binary::Add, &integer)).is_some());
    for other in [steps(Binary::Subtract, &integer), steps(Binary::Add, &[Step::Unary(Unary::Not)])] {
        assert_eq!(Sum::of(&other), None);
    }
}
