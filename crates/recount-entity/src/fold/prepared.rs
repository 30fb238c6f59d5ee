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

    /// The values, if programs tell all of them within 64 bits and the columns can keep them.
    #[inline]
    pub(super) fn values(
        &self,
        inputs: &Inputs<'_>,
        registers: &mut Registers,
    ) -> Option<[Option<i64>; FEW]> {
        if !self.whole {
            return None;
        }
        let mut values = [None; FEW];
        for (value, assignment) in values.iter_mut().zip(self.assignments.iter().flatten()) {
            *value = assignment.small(inputs, registers)?;
        }
        Some(values)
    }

    /// The column, if it is the only one and has a program.
    #[inline]
    pub(super) fn single(&self) -> Option<&Assignment> {
        if let [assignment] = &*self.assignments { assignment.as_ref() } else { None }
    }

    /// Puts them into their columns.
    #[inline]
    pub(super) fn write(&self, values: &[Option<i64>; FEW], row: &mut RowMut<'_>) {
        for (value, assignment) in values.iter().zip(self.assignments.iter().flatten()) {
            assignment.write(*value, row);
        }
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
        Some(Assignment { program, cell, least, greatest, nullable: column.nullable })
    }

    /// The value, if the program tells it within 64 bits and the column can keep it.
    #[inline]
    pub(super) fn small(&self, inputs: &Inputs<'_>, registers: &mut Registers) -> Option<Option<i64>> {
        let value = self.program.run(inputs, registers)?;
        self.fits(value.map(i128::from)).then_some(value)
    }

    /// Puts it into the column.
    #[inline]
    pub(super) fn write(&self, value: Option<i64>, row: &mut RowMut<'_>) {
        row.set_number(self.cell, value);
    }

    /// Whether the column can keep a value.
    #[inline]
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
