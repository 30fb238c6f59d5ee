//! JOIN: rows of both sides whose keys are equal, and for which a condition holds.
//!
//! Rule of an inner join: `ΔO = ΔL ⋈ R + L′ ⋈ ΔR`, append by append, where `L′` has what came to the left with the append already. State:
//! the rows of each side by key; saved so, with how often each is there and how many partners it has.
//!
//! A row of a side that is kept (the left one of a left join, both of a full one) is given with nulls as long as it has no partner;
//! semi and anti joins give a row of the left as long as it has one, or has none. So of each such row is kept how many partners it has.
//! While an epoch lasts that number may be negative, because a partner goes before it comes: only above 0 does it have one.
//!
//! Where rows of a side of an inner join only come, they are kept as they come, and nothing is looked for among them.
//!
//! A step may make many more rows than came: of one append it gives them in parts, each of what some of its rows are joined to.

use std::mem::take;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow_schema::DataType;

use super::given::Given;
use crate::codec::{Damaged, RowCodec, Rows};
use crate::delta::Delta;
use crate::expr::{Expr, Failure, evaluate};
use crate::operator::{Epoch, FlowError, Operator, Out};
use crate::saved::{Reader, Saved, put_bytes, put_number};
use crate::state::Table;

mod group;
mod pile;

use group::{Group, Known};
use pile::Pile;

/// Which rows a join gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs.
    Inner,
    /// Pairs, and rows of the left without a partner.
    Left,
    /// Pairs, and rows of the right without a partner.
    Right,
    /// Pairs, and rows of both sides without a partner.
    Full,
    /// Rows of the left that have a partner.
    Semi,
    /// Rows of the left that have none.
    Anti,
}

/// What a join is of.
#[derive(Debug, Clone)]
pub struct On {
    /// The columns of each side whose values are to be equal.
    pub keys: [Vec<usize>; 2],
    /// Nulls are equal to one another.
    pub nulls_are_equal: bool,
    /// A condition on the columns of the left, then those of the right. A pair for which it cannot be computed fails.
    pub condition: Option<Arc<dyn Expr>>,
}

/// See the module.
#[derive(Debug)]
pub struct Join {
    kind: JoinKind,
    on: On,
    sides: [Side; 2],
    /// The step that is under way.
    step: Option<Step>,
}

/// A step that is given in parts.
#[derive(Debug)]
struct Step {
    coming: [Coming; 2],
    events: Vec<Event>,
    /// Those that were joined.
    done: usize,
    /// Those whose row weighed nothing then, and may be gone at the end.
    gone: Vec<Event>,
}

/// One side.
#[derive(Debug)]
struct Side {
    rows: RowCodec,
    keys: RowCodec,
    /// Its rows by key.
    known: Table<Group>,
    /// Where they are instead if they only come.
    piles: Table<Pile>,
    only_comes: bool,
}

/// Of a pair beside its rows.
const PAIR_BYTES: usize = 40;

/// Pairs of a row that came to one side with rows that the other side has.
#[derive(Default)]
struct Pairs {
    /// The row that came, by its number.
    numbers: Vec<u32>,
    others: Rows,
    /// What the row of the other side weighs.
    other_weights: Vec<i64>,
    weights: Vec<i64>,
    stamps: Vec<u64>,
}

/// What comes to one side in a step.
#[derive(Debug)]
struct Coming {
    delta: Delta,
    rows: Rows,
    keys: Rows,
    /// Whether a row's key can equal another; nulls may not.
    has_key: Vec<bool>,
}

/// A row that comes, in the order in which all of them do.
#[derive(Debug, Clone, Copy)]
struct Event {
    side: usize,
    row: usize,
}

impl Join {
    /// Of two inputs with columns of these types, the left ones first; a type that cannot be compared otherwise.
    pub fn new(kind: JoinKind, on: On, types: [Vec<DataType>; 2]) -> Result<Join, DataType> {
        let side = |number: usize| -> Result<Side, DataType> {
            let types: &Vec<DataType> = &types[number];
            let keys = RowCodec::new(on.keys[number].iter().map(|&column| types[column].clone()))?;
            let (known, piles) = (Table::new(), Table::new());
            Ok(Side { rows: RowCodec::new(types.iter().cloned())?, keys, known, piles, only_comes: false })
        };
        let sides = [side(0)?, side(1)?];
        Ok(Join { kind, on, sides, step: None })
    }

    /// The same, of sides of which is known whether no row goes again.
    pub fn with_only_coming(mut self, only_comes: [bool; 2]) -> Join {
        if self.kind == JoinKind::Inner {
            self.sides.iter_mut().zip(only_comes).for_each(|(side, only_comes)| side.only_comes = only_comes);
        }
        self
    }

    fn coming(&self, side: usize, input: Vec<Delta>) -> Result<Coming, FlowError> {
        let delta = Delta::merged(input)?.unwrap_or_default();
        if delta.is_empty() {
            let (rows, keys) = (Rows::default(), Rows::default());
            return Ok(Coming { delta, rows, keys, has_key: Vec::new() });
        }
        let rows = self.sides[side].rows.encode(&delta.columns, delta.len());
        let keys: Vec<ArrayRef> = self.on.keys[side].iter().map(|&key| delta.columns[key].clone()).collect();
        // An array of nothing but nulls does not say so of each.
        let is_null = |row: usize| keys.iter().any(|key| key.is_null(row) || key.data_type().is_null());
        let has_key = (0..delta.len()).map(|row| self.on.nulls_are_equal || !is_null(row)).collect();
        let keys = self.sides[side].keys.encode(&keys, delta.len());
        Ok(Coming { delta, rows, keys, has_key })
    }

    /// Finds the pairs of what comes, which is known afterwards: of the first rows, until these have more bytes than `bytes_max`. How many
    /// rows these are.
    fn pair(
        &mut self,
        coming: &[Coming; 2],
        events: &[Event],
        bytes_max: usize,
        gone: &mut Vec<Event>,
    ) -> ([Pairs; 2], usize) {
        let mut pairs = [Pairs::default(), Pairs::default()];
        let mut bytes = 0;
        for (number, &event) in events.iter().enumerate() {
            let Event { side, row } = event;
            if bytes > bytes_max {
                return (pairs, number);
            }
            let Coming { delta, rows, keys, has_key } = &coming[side];
            if !has_key[row] {
                continue;
            }
            let (key, own, weight) = (keys.row(row), rows.row(row), delta.weights[row]);
            let mut pair = |(other, of_other): (&[u8], i64)| {
                if of_other != 0 {
                    pairs[side].push(row, (other, of_other), weight, delta.stamps[row]);
                    bytes += own.len() + other.len() + PAIR_BYTES;
                }
            };
            let others = &self.sides[1 - side];
            if others.only_comes {
                others.piles.get(key).iter().flat_map(|pile| pile.iter()).for_each(&mut pair);
            } else {
                let known = others.known.get(key);
                let rows = known.iter().flat_map(|group| group.iter());
                rows.for_each(|(other, known)| pair((other, known.weight)));
            }
            if self.sides[side].only_comes {
                self.sides[side].piles.edit(key, Pile::default, |pile| pile.push(own, weight));
                continue;
            }
            let now = self.sides[side].known.edit(key, Group::default, |group| {
                let known = group.of(own);
                known.weight += weight;
                known.weight
            });
            if now == 0 {
                gone.push(event);
            }
        }
        (pairs, events.len())
    }

    /// Which pairs the condition holds for, and these as rows of the result.
    fn holding(
        &self,
        side: usize,
        coming: &Coming,
        pairs: &Pairs,
        failures: &mut Vec<Failure>,
    ) -> Result<(Vec<bool>, Delta), FlowError> {
        let count = pairs.numbers.len();
        let own = coming.delta.taken(&pairs.numbers)?.columns;
        let others = self.sides[1 - side].rows.decode(pairs.others.iter())?;
        let mut columns = if side == 0 { [own, others].concat() } else { [others, own].concat() };
        let width = columns.len();
        let numbers: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..count as u32));
        columns.push(numbers);
        let all = Delta { columns, weights: pairs.weights.clone(), stamps: pairs.stamps.clone() };
        let (mut holding, mut held) = (all, vec![true; count]);
        if let Some(condition) = &self.on.condition {
            let evaluated = evaluate(std::slice::from_ref(condition), holding)?;
            failures.extend(evaluated.failures);
            held = vec![false; count];
            holding = match evaluated.values.as_slice() {
                [holds] => evaluated.rows.filtered(holds.as_boolean())?,
                _ => evaluated.rows,
            };
            if !holding.is_empty() {
                let numbers = holding.columns[width].as_primitive::<UInt32Type>();
                numbers.values().iter().for_each(|&pair| held[pair as usize] = true);
            }
        }
        holding.columns.truncate(width);
        Ok((held, holding))
    }

    /// Whether rows of a side are given for the sake of their partners, or for want of any.
    fn asks(&self, side: usize) -> bool {
        match self.kind {
            JoinKind::Inner => false,
            JoinKind::Left | JoinKind::Semi | JoinKind::Anti => side == 0,
            JoinKind::Right => side == 1,
            JoinKind::Full => true,
        }
    }

    /// Counts partners, and finds the rows that are given because they have some or none.
    fn count(
        &mut self,
        coming: &[Coming; 2],
        events: &[Event],
        pairs: &[Pairs; 2],
        held: &[Vec<bool>; 2],
    ) -> [Given; 2] {
        let mut singles = [Given::default(), Given::default()];
        let mut next = [0, 0];
        let is_given = |partners: i64| (partners > 0) == (self.kind == JoinKind::Semi);
        let asks = [self.asks(0), self.asks(1)];
        for &Event { side, row } in events {
            let Coming { delta, rows, keys, has_key } = &coming[side];
            let (weight, stamp, key) = (delta.weights[row], delta.stamps[row], keys.row(row));
            let pairs = &pairs[side];
            let first = next[side];
            let count = pairs.numbers[first..].iter().take_while(|&&number| number as usize == row).count();
            next[side] += count;
            let held = (first..first + count).filter(|&pair| held[side][pair]);
            let mut partners = 0;
            for pair in held {
                partners += pairs.other_weights[pair];
                if !asks[1 - side] {
                    continue;
                }
                let other = pairs.others.row(pair);
                let (before, after) = self.sides[1 - side].known.edit(key, Group::default, |group| {
                    let known = group.of(other);
                    let before = known.partners;
                    known.partners += weight;
                    (before, known.partners)
                });
                if is_given(before) != is_given(after) {
                    let sign = if is_given(after) { 1 } else { -1 };
                    singles[1 - side].push(other, sign * pairs.other_weights[pair], stamp);
                }
            }
            if asks[side] {
                if has_key[row] {
                    let known = &mut self.sides[side].known;
                    known.edit(key, Group::default, |group| group.of(rows.row(row)).partners = partners);
                }
                if is_given(partners) {
                    singles[side].push(rows.row(row), weight, stamp);
                }
            }
        }
        singles
    }

    /// Forgets rows that are gone.
    fn forget(&mut self, Step { coming, gone, .. }: &Step) {
        for &Event { side, row } in gone {
            let (key, row) = (coming[side].keys.row(row), coming[side].rows.row(row));
            let known = &mut self.sides[side].known;
            let is_empty = known.edit(key, Group::default, |group| {
                group.forget(row);
                group.is_empty()
            });
            if is_empty {
                known.remove(key);
            }
        }
    }

    /// Rows of one side as rows of the result.
    fn single(&self, side: usize, singles: Given) -> Result<Delta, FlowError> {
        let mut delta = singles.delta(&self.sides[side].rows)?;
        if !matches!(self.kind, JoinKind::Semi | JoinKind::Anti) {
            let (count, own) = (delta.len(), take(&mut delta.columns));
            let others = self.sides[1 - side].rows.types().iter();
            let nulls: Vec<ArrayRef> = others.map(|data_type| new_null_array(data_type, count)).collect();
            delta.columns = if side == 0 { [own, nulls].concat() } else { [nulls, own].concat() };
        }
        Ok(delta)
    }
}

impl Join {
    /// Joins some of what came, and gives it.
    fn part(&mut self, step: &mut Step, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
        let (coming, events) = (&step.coming, &step.events[step.done..]);
        let (pairs, count) = self.pair(coming, events, epoch.bytes_max(), &mut step.gone);
        let events = &events[..count];
        step.done += count;
        let mut held = [Vec::new(), Vec::new()];
        for side in [0, 1] {
            if pairs[side].numbers.is_empty() {
                continue;
            }
            let (of_side, rows) = self.holding(side, &coming[side], &pairs[side], &mut out.failures)?;
            held[side] = of_side;
            if !matches!(self.kind, JoinKind::Semi | JoinKind::Anti) {
                out.push(rows);
            }
        }
        if self.kind != JoinKind::Inner {
            let [left, right] = self.count(coming, events, &pairs, &held);
            out.push(self.single(0, left)?);
            out.push(self.single(1, right)?);
        }
        Ok(())
    }
}

impl Operator for Join {
    fn step(&mut self, inputs: Vec<Vec<Delta>>, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
        let mut inputs = inputs.into_iter();
        let mut coming = |side| self.coming(side, inputs.next().unwrap_or_default());
        let coming = [coming(0)?, coming(1)?];
        let events = events([&coming[0].delta.stamps, &coming[1].delta.stamps]);
        self.step = Some(Step { coming, events, done: 0, gone: Vec::new() });
        self.go_on(epoch, out)
    }

    fn go_on(&mut self, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
        let Some(mut step) = self.step.take() else { return Ok(()) };
        self.part(&mut step, epoch, out)?;
        if step.done == step.events.len() {
            self.forget(&step);
            return Ok(());
        }
        self.step = Some(step);
        epoch.more(out)
    }

    fn is_monotone(&self) -> bool {
        matches!(self.kind, JoinKind::Inner | JoinKind::Semi)
    }

    fn name(&self) -> &'static str {
        match self.kind {
            JoinKind::Inner => "inner join",
            JoinKind::Left => "left join",
            JoinKind::Right => "right join",
            JoinKind::Full => "full join",
            JoinKind::Semi => "semi join",
            JoinKind::Anti => "anti join",
        }
    }

    fn keeps(&self) -> Option<(usize, &'static str)> {
        let known = |side: &Side| side.known.values().map(Group::len).sum::<usize>();
        let piled = |side: &Side| side.piles.values().map(Pile::count).sum::<usize>();
        Some((self.sides.iter().map(|side| known(side) + piled(side)).sum(), "rows"))
    }

    fn bytes(&self) -> usize {
        self.sides.iter().map(|side| side.known.bytes() + side.piles.bytes()).sum()
    }

    fn save(&self, saved: &mut Saved) {
        let (mut entry, mut value) = (Vec::new(), Vec::new());
        for (number, side) in self.sides.iter().enumerate() {
            let mut save = |key: &[u8], row: &[u8], Known { weight, partners }: Known| {
                entry.clear();
                entry.push(number as u8);
                put_bytes(&mut entry, key);
                entry.extend_from_slice(row);
                value.clear();
                put_number(&mut value, weight);
                put_number(&mut value, partners);
                saved.push(&entry, &value);
            };
            for (key, group) in side.known.iter() {
                group.iter().for_each(|(row, known)| save(key, row, known));
            }
            for (key, pile) in side.piles.iter() {
                let rows = pile.sorted().into_iter();
                rows.for_each(|(row, weight)| save(key, row, Known { weight, partners: 0 }));
            }
        }
    }

    fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damaged> {
        let (number, rest) = key.split_first().ok_or(Damaged)?;
        let side = self.sides.get_mut(usize::from(*number)).ok_or(Damaged)?;
        let (mut rest, mut value) = (Reader(rest), Reader(value));
        let (key, weight, partners) = (rest.bytes()?, value.number()?, value.number()?);
        if side.only_comes {
            side.piles.edit(key, Pile::default, |pile| pile.push(rest.0, weight));
        } else {
            side.known.edit(key, Group::default, |group| *group.of(rest.0) = Known { weight, partners });
        }
        value.end()
    }
}

/// All rows that come in the order of their appends; of one append those of the left first.
fn events(stamps: [&[u64]; 2]) -> Vec<Event> {
    let of = |side: usize| (0..stamps[side].len()).map(move |row| Event { side, row });
    let mut events: Vec<Event> = of(0).chain(of(1)).collect();
    events.sort_by_key(|event| stamps[event.side][event.row]);
    events
}

impl Pairs {
    fn push(&mut self, number: usize, (other, other_weight): (&[u8], i64), weight: i64, stamp: u64) {
        self.numbers.push(number as u32);
        self.others.push(other);
        self.other_weights.push(other_weight);
        self.weights.push(weight * other_weight);
        self.stamps.push(stamp);
    }
}
