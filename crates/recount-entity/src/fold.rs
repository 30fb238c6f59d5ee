//! A fold: from the state of a key and an event to its next state, by the first rule that matches.
//!
//! Pure: the same events in the same order give the same states, wherever batches of them are cut. A fold that looks
//! things up, or goes by event time, can be told something that belongs before what it has folded already; it then
//! marks the key as *late*, and the key is folded again from its first event.
//!
//! A key whose event cannot be folded stops there, with its state of before; the events behind it wait.

use std::sync::Arc;

use recount_types::column::{Column, Value};

use crate::expr::{Datum, EvalError, Expr, Scope};
use crate::key::Key;
use crate::lookup::LookupTable;
use crate::table::{Full, Row, RowMut, Slot, Stopped, Table};

mod domain;

pub use domain::{Domain, StateColumn, Unfit};

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

/// Events whose rows are looked for together, so few that all of them stay at hand.
const TOGETHER: usize = 128;

/// The number of an event that its topic does not name.
pub const NO_EVENT: u16 = u16::MAX;

/// Events of one topic, in the order in which they are to be folded.
#[derive(Debug, Clone, Default)]
pub struct Events {
    /// The columns that expressions name.
    pub columns: Vec<Column>,
    /// The keys, each of [`Key`]'s bytes, one behind the other. An event whose key is empty belongs to no row.
    pub keys: Vec<u8>,
    /// Where each ends.
    pub key_ends: Vec<usize>,
    /// Which of the topic's events each is, or [`NO_EVENT`].
    pub numbers: Vec<u16>,
    /// Positions.
    pub positions: Vec<u64>,
    /// Event times, µs.
    pub times: Vec<i64>,
    /// Append times, µs.
    pub appended: Vec<i64>,
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
    pub fn key(&self, event: usize) -> &[u8] {
        let start = if event == 0 { 0 } else { self.key_ends[event - 1] };
        &self.keys[start..self.key_ends[event]]
    }

    /// About the memory that they take.
    pub fn bytes(&self) -> usize {
        const PLACE: usize = 2 + 4 * 8;
        self.columns.iter().map(Column::bytes).sum::<usize>() + self.keys.len() + self.len() * PLACE
    }

    /// Adds an event of others.
    pub fn push_from(&mut self, others: &Events, event: usize) {
        if self.columns.is_empty() {
            self.columns = others.columns.iter().map(Column::empty_like).collect();
        }
        for (column, other) in self.columns.iter_mut().zip(&others.columns) {
            column.push(&other.get(event));
        }
        self.keys.extend_from_slice(others.key(event));
        self.key_ends.push(self.keys.len());
        self.numbers.push(others.numbers[event]);
        self.positions.push(others.positions[event]);
        self.times.push(others.times[event]);
        self.appended.push(others.appended[event]);
    }

    /// Takes all of them away.
    pub fn clear(&mut self) {
        self.columns.iter_mut().for_each(Column::clear);
        self.keys.clear();
        self.key_ends.clear();
        self.numbers.clear();
        self.positions.clear();
        self.times.clear();
        self.appended.clear();
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

    /// Folds events in their order. `lookups` has everything that is known up to the last of them.
    pub fn apply(
        &self,
        table: &mut Table,
        lookups: &[LookupTable],
        events: &Events,
        mut watch: impl FnMut(Step<'_>),
    ) -> Result<(), Full> {
        let defaults = self.defaults();
        let mut scratch = Vec::new();
        let mut slots = Vec::with_capacity(TOGETHER);
        for first in (0..events.len()).step_by(TOGETHER) {
            let some = first..(first + TOGETHER).min(events.len());
            table.find_or_add_all(some.clone().map(|event| events.key(event)), &defaults, &mut slots)?;
            for (event, slot) in some.zip(&slots) {
                if let Some(slot) = *slot {
                    self.step(table, slot, lookups, events, event, &mut scratch, &mut watch);
                }
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
        self.forget(table, slot);
        let mut scratch = Vec::new();
        for event in order {
            self.step(table, slot, lookups, events, event, &mut scratch, &mut watch);
        }
    }

    /// The key as before its first event.
    fn forget(&self, table: &mut Table, slot: Slot) {
        let mut row = table.edit(slot);
        row.row.reset();
        self.reset_state(&mut row);
    }

    fn reset_state(&self, row: &mut RowMut<'_>) {
        for (column, state) in self.state.iter().enumerate() {
            row.set(column, state.default.clone());
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one step sees everything; a struct of them would be made for each"
    )]
    #[inline]
    fn step(
        &self,
        table: &mut Table,
        slot: Slot,
        lookups: &[LookupTable],
        events: &Events,
        event: usize,
        scratch: &mut Vec<Value<'static>>,
        watch: &mut impl FnMut(Step<'_>),
    ) {
        let (position, time) = (events.positions[event], events.times[event]);
        let mut row = table.edit(slot);
        row.row.events += 1;
        let late = row.row.late || (self.by_event_time && time < row.row.event_time);
        row.row.event_time = row.row.event_time.max(time);
        if late || row.row.stopped.is_some() {
            row.row.late = late;
            let effect = if late { Effect::Late } else { Effect::Waits };
            watch(Step { table, slot, event, rule: None, lookups: &[], effect });
            return;
        }
        let mut found = [None; LOOKUPS_MAX];
        let (rule, done) = match self.look_up(row.row, lookups, events, event, &mut found) {
            Ok(()) => self.decide(row.state, events, event, &found, scratch),
            Err(error) => (None, Err(format!("LOOKUP: {error}"))),
        };
        let effect = match done {
            Ok(Action::Set(columns)) => {
                for ((column, _), value) in columns.iter().zip(scratch.drain(..)) {
                    row.set(*column, value);
                }
                (row.row.present, row.row.position) = (true, position);
                Effect::Set
            }
            Ok(Action::Delete) => {
                self.reset_state(&mut row);
                (row.row.present, row.row.position) = (false, position);
                Effect::Deleted
            }
            Ok(Action::Ignore | Action::Error(_)) => {
                row.row.position = position;
                Effect::Ignored
            }
            Err(reason) => {
                row.row.stopped = Some(Arc::new(Stopped { position, reason }));
                Effect::Stopped
            }
        };
        watch(Step { table, slot, event, rule, lookups: &found[..self.lookups.len()], effect });
    }

    /// What is looked up for an event.
    #[inline]
    fn look_up<'a>(
        &self,
        row: &mut Row,
        lookups: &'a [LookupTable],
        events: &Events,
        event: usize,
        found: &mut [Option<&'a [Value<'static>]>; LOOKUPS_MAX],
    ) -> Result<(), EvalError> {
        for (number, lookup) in self.lookups.iter().enumerate() {
            let scope = Scope { state: &[], event: &events.columns, row: event, lookups: &[] };
            if let Some(condition) = &lookup.condition
                && !condition.holds(&scope)?
            {
                continue;
            }
            let time = match lookup.as_of.eval(&scope)? {
                Datum::Integer(time) => time,
                Datum::Null => continue,
                _ => return Err(EvalError::Kind),
            };
            let Some(key) = key_of(&lookup.key, &scope)? else { continue };
            found[number] = lookups[number].find(&key, time);
            row.lookup_time = row.lookup_time.max(time);
        }
        Ok(())
    }

    /// The rule and the action for an event, with the values of a SET in `values`; or why it cannot be folded.
    #[inline]
    fn decide<'a>(
        &'a self,
        state: &[Value<'static>],
        events: &Events,
        event: usize,
        found: &[Option<&[Value<'static>]>; LOOKUPS_MAX],
        values: &mut Vec<Value<'static>>,
    ) -> (Option<usize>, Result<&'a Action, String>) {
        let scope = Scope { state, event: &events.columns, row: event, lookups: found };
        let number = events.numbers[event];
        let mut chosen = None;
        for (at, rule) in self.rules.iter().enumerate() {
            if rule.events.as_ref().is_some_and(|events| !events.contains(&number)) {
                continue;
            }
            match rule.condition.as_ref().map_or(Ok(true), |condition| condition.holds(&scope)) {
                Ok(true) => {
                    chosen = Some(at);
                    break;
                }
                Ok(false) => {}
                Err(error) => return (Some(at), Err(format!("WHEN: {error}"))),
            }
        }
        let action = chosen.map_or(&self.otherwise, |at| &self.rules[at].action);
        let done = match action {
            Action::Set(columns) => self.assign(columns, &scope, values),
            Action::Error(text) => Err(text.clone()),
            Action::Delete | Action::Ignore => Ok(()),
        };
        (chosen, done.map(|()| action))
    }

    /// The values of a SET.
    #[inline]
    fn assign(
        &self,
        columns: &[(usize, Expr)],
        scope: &Scope<'_>,
        values: &mut Vec<Value<'static>>,
    ) -> Result<(), String> {
        values.clear();
        for (column, expr) in columns {
            let column = &self.state[*column];
            let value = expr.eval(scope).map_err(|error| format!("SET {}: {error}", column.name))?;
            values.push(column.value(value).map_err(|error| format!("SET {}: {error}", column.name))?);
        }
        Ok(())
    }
}

/// The key that expressions make; `None` if one of them is null.
pub fn key_of(exprs: &[Expr], scope: &Scope<'_>) -> Result<Option<Key>, EvalError> {
    let mut bytes = Vec::new();
    Ok(push_key(&mut bytes, exprs, scope)?.then(|| Key::from_bytes(&bytes)))
}

/// Adds the bytes of the key that expressions make; false if one of them is null, and so there is none. Adds none
/// of them where there is no key.
pub fn push_key(bytes: &mut Vec<u8>, exprs: &[Expr], scope: &Scope<'_>) -> Result<bool, EvalError> {
    let before = bytes.len();
    let mut push = |expr: &Expr| {
        let value = domain::plain(expr.eval(scope)?).ok_or(EvalError::Decimal)?;
        Ok(crate::key::push(bytes, &value).is_some())
    };
    let pushed = exprs.iter().try_fold(true, |all, expr| Ok(all && push(expr)?));
    if pushed != Ok(true) {
        bytes.truncate(before);
    }
    pushed
}

#[cfg(test)]
mod tests;
