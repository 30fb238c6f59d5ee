//! A fold: from the state of a key and an event to its next state, by the first rule that matches.
//!
//! Pure: the same events in the same order give the same states, wherever batches of them are cut. A fold that looks
//! things up, or goes by event time, can be told something that belongs before what it has folded already; it then
//! marks the key as *late*, and the key is folded again from its first event.
//!
//! A key whose event cannot be folded stops there, with its state of before; the events behind it wait.

use std::fmt;

use recount_types::column::{Column, Value};

use crate::expr::{EvalError, Expr, Inputs, Program, Registers, Scope};
use crate::key::KeyRef;
use crate::lookup::LookupTable;
use crate::table::{Full, RowMut, Slot, State, Stopped, Table};

mod domain;
mod keys;
mod prepared;

pub use domain::{Domain, StateColumn, Unfit};
use keys::push_key;
pub use keys::{Keys, key_of};
pub use prepared::Prepared;
use prepared::{OfSet, Programs};

/// Most look-ups of a fold.
pub const LOOKUPS_MAX: usize = 8;

/// A fold.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    /// The columns of the state.
    pub state: Vec<StateColumn>,
    /// What is looked up; at most [`LOOKUPS_MAX`].
    pub lookups: Vec<Lookup>,
    /// The rules, tried one after another.
    pub rules: Vec<Rule>,
    /// What becomes of events that no rule matches.
    pub otherwise: Action,
    /// Folds in the order of event times, then of positions; else of positions.
    pub by_event_time: bool,
    /// How its expressions are computed; `Prepared::default()` at first.
    pub prepared: Prepared,
}

/// A look-up.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    /// Whether anything is looked up for an event.
    pub condition: Option<Expr>,
    /// The key of the row, from columns of the event.
    pub key: Vec<Expr>,
    /// The time of the row, µs, from columns of the event.
    pub as_of: Expr,
}

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The numbers of the events it is for; `None` = any.
    pub events: Option<Vec<u16>>,
    /// And only if this holds.
    pub condition: Option<Expr>,
    /// What it does.
    pub action: Action,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Changes columns of the state; the expressions see it as it was.
    Set(Vec<(usize, Expr)>),
    /// Ends the state: the next event finds a new one.
    Delete,
    /// Nothing.
    Ignore,
    /// Refuses the event: the key stops.
    Error(String),
}

/// The number of an event that its topic does not name.
pub const NO_EVENT: u16 = u16::MAX;

/// Events of one topic, in the order in which they are to be folded.
#[derive(Debug, Clone, Default)]
pub struct Events {
    /// The columns that expressions name.
    pub columns: Vec<Column>,
    /// The keys. An event whose key is empty belongs to no row.
    pub keys: Keys,
    /// Which of the topic's events each is, or [`NO_EVENT`].
    pub numbers: Vec<u16>,
    /// Positions.
    pub positions: Vec<u64>,
    /// Event times, µs.
    pub times: Vec<i64>,
    /// Append times, µs.
    pub appended: Vec<i64>,
    /// The position of the last event of the append of each.
    pub ends: Vec<u64>,
}

/// What an event did to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The state is another one, or was written again.
    Set,
    /// The state ended.
    Deleted,
    /// Nothing.
    Ignored,
    /// It could not be folded; the key stopped.
    Stopped,
    /// The key had stopped before.
    Waits,
    /// It belongs before what was folded already.
    Late,
}

/// A step of a fold, as it is told to whoever watches.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The rows, after the step.
    pub table: &'a Table,
    /// The row.
    pub slot: Slot,
    /// The event, by its number among those given.
    pub event: usize,
    /// The rule that matched.
    pub rule: Option<usize>,
    /// The rows that were looked up.
    pub lookups: &'a [Option<&'a [Value<'static>]>],
    /// What it did.
    pub effect: Effect,
}

impl Events {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// The key of an event.
    #[inline]
    pub fn key(&self, event: usize) -> KeyRef<'_> {
        self.keys.get(event)
    }

    /// About the memory that they take.
    pub fn bytes(&self) -> usize {
        const PLACE: usize = 2 + 4 * 8;
        self.columns.iter().map(Column::bytes).sum::<usize>() + self.keys.bytes() + self.len() * PLACE
    }

    /// Adds an event of others.
    pub fn push_from(&mut self, others: &Events, event: usize) {
        if self.columns.is_empty() {
            self.columns = others.columns.iter().map(Column::empty_like).collect();
        }
        for (column, other) in self.columns.iter_mut().zip(&others.columns) {
            column.push(&other.get(event));
        }
        self.keys.push(others.key(event).as_bytes());
        self.numbers.push(others.numbers[event]);
        self.positions.push(others.positions[event]);
        self.times.push(others.times[event]);
        self.appended.push(others.appended[event]);
        self.ends.push(others.ends[event]);
    }

    /// Takes all of them away.
    pub fn clear(&mut self) {
        self.columns.iter_mut().for_each(Column::clear);
        self.keys.clear();
        self.numbers.clear();
        self.positions.clear();
        self.times.clear();
        self.appended.clear();
        self.ends.clear();
    }
}

impl Fold {
    /// The state before the first event.
    pub fn defaults(&self) -> Vec<Value<'static>> {
        self.state.iter().map(|column| column.default.clone()).collect()
    }

    /// Whether what comes later can change what was folded already.
    pub fn is_retroactive(&self) -> bool {
        self.by_event_time || !self.lookups.is_empty()
    }

    /// Folds events in their order. `lookups` has everything that is known up to the last of them. The table is one for
    /// this fold's state.
    pub fn apply(
        &self,
        table: &mut Table,
        lookups: &[LookupTable],
        events: &Events,
        mut watch: impl FnMut(Step<'_>),
    ) -> Result<(), Full> {
        let programs = self.programs(table);
        let (mut scratch, mut search) = (Scratch::default(), table.search(&events.keys));
        for event in 0..events.len() {
            if let Some(slot) = table.next_of(&mut search, &events.keys, event)? {
                let at = At { programs, lookups, events, event };
                self.step(table, slot, at, &mut scratch, &mut watch);
            }
        }
        Ok(())
    }

    /// Folds a key again. `order` are the numbers of all of its events, in the fold's order.
    pub fn refold(
        &self,
        table: &mut Table,
        slot: Slot,
        lookups: &[LookupTable],
        events: &Events,
        order: impl IntoIterator<Item = usize>,
        mut watch: impl FnMut(Step<'_>),
    ) {
        let programs = self.programs(table);
        table.edit(slot).begin();
        let mut scratch = Scratch::default();
        for event in order {
            let at = At { programs, lookups, events, event };
            self.step(table, slot, at, &mut scratch, &mut watch);
        }
    }

    fn programs(&self, table: &Table) -> &Programs {
        let programs = self.prepared.programs(self);
        assert!(programs.layout == *table.layout(), "the table is for the states of another fold");
        programs
    }

    #[inline]
    fn step(
        &self,
        table: &mut Table,
        slot: Slot,
        at: At<'_>,
        scratch: &mut Scratch,
        watch: &mut impl FnMut(Step<'_>),
    ) {
        let mut row = table.edit(slot);
        let before_others = row.count_event(at.events.times[at.event]);
        let late = row.is_late() || (self.by_event_time && before_others);
        if late || row.is_stopped() {
            if late {
                row.set_late();
            }
            let effect = if late { Effect::Late } else { Effect::Waits };
            watch(Step { table, slot, event: at.event, rule: None, lookups: &[], effect });
            return;
        }
        if self.lookups.is_empty() {
            let (rule, effect) = self.go(&mut row, at, &[], scratch);
            watch(Step { table, slot, event: at.event, rule, lookups: &[], effect });
            return;
        }
        let mut found = [None; LOOKUPS_MAX];
        let (rule, effect) = match self.look_up(&mut row, at, &mut found, scratch) {
            Ok(()) => self.go(&mut row, at, &found, scratch),
            Err(error) => at.stop(&mut row, None, format_args!("LOOKUP: {error}")),
        };
        watch(Step { table, slot, event: at.event, rule, lookups: &found[..self.lookups.len()], effect });
    }

    /// Goes on by the rule for an event; the rule, and what it did.
    #[inline]
    fn go(
        &self,
        row: &mut RowMut<'_>,
        at: At<'_>,
        found: &[Option<&[Value<'static>]>],
        scratch: &mut Scratch,
    ) -> (Option<usize>, Effect) {
        let rule = match self.choose(row, at, found, &mut scratch.registers) {
            Ok(rule) => rule,
            Err((rule, error)) => return at.stop(row, Some(rule), format_args!("WHEN: {error}")),
        };
        let set = rule.map_or(&at.programs.otherwise, |rule| &at.programs.rules[rule].set);
        if !set.run(row, Inputs { lookups: found, ..at.inputs_of_event() }, &mut scratch.registers) {
            return self.act(rule, row, at, found, scratch);
        }
        row.set_present(true);
        row.set_position(at.events.positions[at.event]);
        (rule, Effect::Set)
    }

    /// Does what programs alone do not do.
    #[inline(never)]
    fn act(
        &self,
        rule: Option<usize>,
        row: &mut RowMut<'_>,
        at: At<'_>,
        found: &[Option<&[Value<'static>]>],
        scratch: &mut Scratch,
    ) -> (Option<usize>, Effect) {
        let (action, set) = match rule {
            Some(rule) => (&self.rules[rule].action, &at.programs.rules[rule].set),
            None => (&self.otherwise, &at.programs.otherwise),
        };
        let effect = match action {
            Action::Set(columns) => {
                let sight = Sight { state: Some(row), inputs: at.inputs(row, found) };
                let values = match self.assign(columns, set, &sight, scratch) {
                    Ok(values) => values,
                    Err(reason) => return at.stop(row, rule, format_args!("{reason}")),
                };
                columns.iter().zip(values).for_each(|((column, _), value)| row.set(*column, value));
                row.set_present(true);
                Effect::Set
            }
            Action::Delete => {
                row.begin_state();
                row.set_present(false);
                Effect::Deleted
            }
            Action::Ignore => Effect::Ignored,
            Action::Error(reason) => return at.stop(row, rule, format_args!("{reason}")),
        };
        row.set_position(at.events.positions[at.event]);
        (rule, effect)
    }

    /// What is looked up for an event.
    #[inline]
    fn look_up<'a>(
        &self,
        row: &mut RowMut<'_>,
        at: At<'a>,
        found: &mut [Option<&'a [Value<'static>]>; LOOKUPS_MAX],
        scratch: &mut Scratch,
    ) -> Result<(), EvalError> {
        for (number, lookup) in self.lookups.iter().enumerate() {
            let programs = &at.programs.lookups[number];
            let sight = Sight { state: None, inputs: at.inputs_of_event() };
            if let Some(condition) = &lookup.condition
                && !sight.holds(condition, &programs.condition, &mut scratch.registers)?
            {
                continue;
            }
            let known = programs.as_of.as_ref();
            let time = match known.and_then(|program| program.run(&sight.inputs, &mut scratch.registers)) {
                Some(None) => continue,
                Some(Some(time)) => time,
                None => match sight.scope(|scope| lookup.as_of.eval(scope).map(domain::integer))? {
                    Some(Some(time)) => time,
                    Some(None) => continue,
                    None => return Err(EvalError::Kind),
                },
            };
            scratch.key.clear();
            if !sight.scope(|scope| push_key(&mut scratch.key, &lookup.key, scope))? {
                continue;
            }
            found[number] = at.lookups[number].find(&scratch.key, time);
            row.looked_up(time);
        }
        Ok(())
    }

    /// The rule for an event; or the rule that it cannot be told of, and why.
    #[inline]
    fn choose(
        &self,
        row: &RowMut<'_>,
        at: At<'_>,
        found: &[Option<&[Value<'static>]>],
        registers: &mut Registers,
    ) -> Result<Option<usize>, (usize, EvalError)> {
        let number = at.events.numbers[at.event];
        for (rule_number, (rule, programs)) in self.rules.iter().zip(&at.programs.rules).enumerate() {
            if rule.events.as_ref().is_some_and(|events| !events.contains(&number)) {
                continue;
            }
            let Some(condition) = &rule.condition else { return Ok(Some(rule_number)) };
            let sight = Sight { state: Some(row), inputs: at.inputs(row, found) };
            match sight.holds(condition, &programs.condition, registers) {
                Ok(true) => return Ok(Some(rule_number)),
                Ok(false) => {}
                Err(error) => return Err((rule_number, error)),
            }
        }
        Ok(None)
    }

    /// The values of a SET that programs alone do not tell.
    fn assign(
        &self,
        columns: &[(usize, Expr)],
        set: &OfSet,
        sight: &Sight<'_>,
        scratch: &mut Scratch,
    ) -> Result<Vec<Value<'static>>, String> {
        let mut values = Vec::with_capacity(columns.len());
        for ((column, expr), assignment) in columns.iter().zip(&set.assignments) {
            if let Some(assignment) = assignment
                && let Some(value) = assignment.value(&sight.inputs, &mut scratch.registers)
            {
                values.push(value);
                continue;
            }
            let column = &self.state[*column];
            values.push(sight.scope(|scope| {
                let value = expr.eval(scope).map_err(|error| format!("SET {}: {error}", column.name))?;
                column.value(value).map_err(|error| format!("SET {}: {error}", column.name))
            })?);
        }
        Ok(values)
    }
}

/// An event, and what else is known where it is folded.
#[derive(Debug, Clone, Copy)]
struct At<'a> {
    programs: &'a Programs,
    lookups: &'a [LookupTable],
    events: &'a Events,
    event: usize,
}

impl<'a> At<'a> {
    /// Stops the key at the event.
    #[cold]
    fn stop(
        &self,
        row: &mut RowMut<'_>,
        rule: Option<usize>,
        reason: fmt::Arguments<'_>,
    ) -> (Option<usize>, Effect) {
        row.stop(Stopped { position: self.events.positions[self.event], reason: reason.to_string() });
        (rule, Effect::Stopped)
    }

    /// What programs see of the event alone.
    #[inline]
    fn inputs_of_event(&self) -> Inputs<'a> {
        Inputs { words: &[], texts: &[], event: &self.events.columns, row: self.event, lookups: &[] }
    }

    /// What programs see.
    #[inline]
    fn inputs<'b>(&self, row: &'b RowMut<'_>, lookups: &'b [Option<&'b [Value<'static>]>]) -> Inputs<'b>
    where
        'a: 'b,
    {
        Inputs { words: row.words(), texts: row.texts(), lookups, ..self.inputs_of_event() }
    }
}

/// What is used again from step to step.
#[derive(Debug, Default)]
struct Scratch {
    registers: Registers,
    key: Vec<u8>,
}

/// What expressions see.
struct Sight<'a> {
    state: Option<&'a RowMut<'a>>,
    inputs: Inputs<'a>,
}

impl Sight<'_> {
    /// As expressions see it.
    fn scope<T>(&self, with: impl FnOnce(&Scope<'_>) -> T) -> T {
        let state: Vec<Value<'_>> = self.state.map(RowMut::state).iter().flat_map(State::iter).collect();
        let Inputs { event, row, lookups, .. } = self.inputs;
        with(&Scope { state: &state, event, row, lookups })
    }

    /// Whether a condition holds.
    #[inline]
    fn holds(
        &self,
        condition: &Expr,
        program: &Option<Program>,
        registers: &mut Registers,
    ) -> Result<bool, EvalError> {
        match program.as_ref().and_then(|program| program.run(&self.inputs, registers)) {
            Some(value) => Ok(value == Some(1)),
            // Nearly always an error, or what there is no program for.
            None => self.scope(|scope| condition.holds(scope)),
        }
    }
}

#[cfg(test)]
mod tests;
