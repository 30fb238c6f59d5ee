//! A fold's expressions as programs, beside the expressions themselves.

use std::sync::OnceLock;

use recount_types::column::Value;

use crate::expr::{Expr, Inputs, Program, Registers, Wanted};
use crate::table::RowMut;
use crate::table::layout::{Cell, Kind, Layout};

use super::{Action, Domain, Fold, StateColumn};

/// How the expressions of a fold are computed: found out when it is first applied. It belongs to the fold's other
/// fields, and begins anew where one of them changes; a fold that is copied finds it out again.
#[derive(Debug, Default)]
pub struct Prepared(OnceLock<Box<Programs>>);

/// A program for each expression that has one; the others are evaluated.
#[derive(Debug)]
pub(super) struct Programs {
    /// The rows that they are made for.
    pub(super) layout: Layout,
    pub(super) lookups: Vec<OfLookup>,
    pub(super) rules: Vec<OfRule>,
    pub(super) otherwise: OfSet,
}

#[derive(Debug)]
pub(super) struct OfLookup {
    pub(super) condition: Option<Program>,
    pub(super) as_of: Option<Program>,
}

#[derive(Debug)]
pub(super) struct OfRule {
    pub(super) condition: Option<Program>,
    pub(super) set: OfSet,
}

/// The columns of a SET; none where there is another action.
#[derive(Debug, Default)]
pub(super) struct OfSet {
    pub(super) assignments: Vec<Option<Assignment>>,
    /// There are few columns, and a program for each.
    whole: bool,
}

/// A column of a SET.
#[derive(Debug)]
pub(super) struct Assignment {
    program: Program,
    cell: Cell,
    least: i128,
    greatest: i128,
    /// The least and the greatest, or what is nearest to them within 64 bits.
    small: (i64, i64),
    nullable: bool,
}

/// Most columns of a SET that are computed together.
const FEW: usize = 8;

impl OfSet {
    fn of(action: &Action, state: &[StateColumn], layout: &Layout) -> OfSet {
        let Action::Set(columns) = action else { return OfSet::default() };
        let assignment = |(column, expr): &(usize, Expr)| {
            Assignment::of(&state[*column], layout.cells[*column], expr, layout)
        };
        let assignments: Vec<_> = columns.iter().map(assignment).collect();
        let whole = assignments.len() <= FEW && assignments.iter().all(Option::is_some);
        OfSet { assignments, whole }
    }

    /// Changes the columns, if programs tell all of their values within 64 bits and the columns can keep these; whether
    /// they do. Of the row `inputs` need nothing.
    #[inline]
    pub(super) fn run(&self, row: &mut RowMut<'_>, inputs: Inputs<'_>, registers: &mut Registers) -> bool {
        match &*self.assignments {
            [Some(single)] => {
                let inputs = Inputs { words: row.words(), texts: row.texts(), ..inputs };
                let Some(value) = single.small(&inputs, registers) else { return false };
                row.set_number(single.cell, value);
                true
            }
            few if self.whole => OfSet::run_few(few, row, inputs, registers),
            _ => false,
        }
    }

    fn run_few(
        few: &[Option<Assignment>],
        row: &mut RowMut<'_>,
        inputs: Inputs<'_>,
        registers: &mut Registers,
    ) -> bool {
        let inputs = Inputs { words: row.words(), texts: row.texts(), ..inputs };
        let mut values = [None; FEW];
        // All of them see the state as it was.
        for (value, assignment) in values.iter_mut().zip(few.iter().flatten()) {
            let Some(small) = assignment.small(&inputs, registers) else { return false };
            *value = small;
        }
        for (value, assignment) in values.iter().zip(few.iter().flatten()) {
            row.set_number(assignment.cell, *value);
        }
        true
    }
}

impl Assignment {
    fn of(column: &StateColumn, cell: Cell, expr: &Expr, layout: &Layout) -> Option<Assignment> {
        let (wanted, least, greatest) = match column.domain {
            Domain::Boolean => (Wanted::Boolean, 0, 1),
            Domain::Integer(least, greatest) => (Wanted::Integer, least.into(), greatest.into()),
            Domain::Decimal(digits, _) => {
                let greatest = 10i128.checked_pow(digits.into())? - 1;
                (Wanted::Decimal, -greatest, greatest)
            }
            Domain::Double | Domain::Text => return None,
        };
        let program = Program::of(expr, wanted, layout)?;
        let near = |bound: i128| bound.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        let small = (near(least), near(greatest));
        Some(Assignment { program, cell, least, greatest, small, nullable: column.nullable })
    }

    /// The value, if the program tells it within 64 bits and the column can keep it.
    #[inline]
    pub(super) fn small(&self, inputs: &Inputs<'_>, registers: &mut Registers) -> Option<Option<i64>> {
        let value = self.program.run(inputs, registers)?;
        let (least, greatest) = self.small;
        value.map_or(self.nullable, |value| least <= value && value <= greatest).then_some(value)
    }

    /// Whether the column can keep a value.
    fn fits(&self, value: Option<i128>) -> bool {
        value.map_or(self.nullable, |value| self.least <= value && value <= self.greatest)
    }

    /// The value, if the program tells it within 128 bits and the column can keep it.
    pub(super) fn value(&self, inputs: &Inputs<'_>, registers: &mut Registers) -> Option<Value<'static>> {
        let value = match self.program.run(inputs, registers) {
            Some(value) => value.map(i128::from),
            None => self.program.run_wide(inputs, registers)?,
        };
        self.fits(value).then_some(())?;
        Some(match (value, self.cell.kind) {
            (None, _) => Value::Null,
            (Some(value), Kind::Boolean) => Value::Boolean(value != 0),
            (Some(value), Kind::Integer) => Value::Integer(value as i64),
            (Some(value), _) => Value::Decimal(value),
        })
    }
}

impl Prepared {
    #[inline]
    pub(super) fn programs(&self, fold: &Fold) -> &Programs {
        self.0.get_or_init(|| Box::new(Programs::of(fold)))
    }
}

impl Programs {
    fn of(fold: &Fold) -> Programs {
        let layout = Layout::of(&fold.state);
        // A look-up sees no state.
        let nothing = Layout::of(&[]);
        let truth = |expr: &Option<Expr>, layout| Program::of(expr.as_ref()?, Wanted::Boolean, layout);
        let set = |action| OfSet::of(action, &fold.state, &layout);
        let lookups = fold.lookups.iter().map(|lookup| OfLookup {
            condition: truth(&lookup.condition, &nothing),
            as_of: Program::of(&lookup.as_of, Wanted::Integer, &nothing),
        });
        let rules = fold
            .rules
            .iter()
            .map(|rule| OfRule { condition: truth(&rule.condition, &layout), set: set(&rule.action) });
        Programs {
            lookups: lookups.collect(),
            rules: rules.collect(),
            otherwise: set(&fold.otherwise),
            layout,
        }
    }
}

impl Clone for Prepared {
    fn clone(&self) -> Prepared {
        Prepared::default()
    }
}

impl PartialEq for Prepared {
    /// It follows from the other fields.
    fn eq(&self, _: &Prepared) -> bool {
        true
    }
}
