//! OVER: columns beside a row that are computed from the rows of its partition, in an order.
//!
//! Rule: what an append may change of a partition is computed as it was and as it is: the rows from the first one on that came or went, and
//! those before it that look so far ahead. What they were goes, what they are comes, and what is the same stays. State: the rows of each
//! partition, in order, and for some of them what is to be known of all rows before, so that nothing is computed from the first row on.
//! Rows that the order leaves equal are ordered by all of their columns. Saved are the rows, by partition; what is before some of them is found
//! again when their partition changes.
//!
//! Where it is known that only the first rows of each partition are wanted, and all there is to compute are their numbers, no others are given; and
//! where rows only come, no others are kept.

use std::collections::{BTreeMap, VecDeque};
use std::mem::{replace, take};
use std::ops::Bound;

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use super::aggregate::{Kept, Value, column};
use super::given::Given;
use super::ordered::{Ordered, Place};
use crate::codec::{Damaged, Order, RowCodec, Rows, put_count, sort_keys};
use crate::delta::Delta;
use crate::expr::Failure;
use crate::operator::{Epoch, FlowError, Operator, Out};
use crate::saved::{Reader, Saved, put_bytes};
use crate::state::{Held, Table};

mod function;

use function::{Before, Rest, peers};
pub use function::{Frame, WindowFunction, WindowKind};

/// Rows from one that is noted to the next, about.
const NOTED_ROWS: usize = 128;

/// See the module. Its result has the columns of the input, then one for each function.
#[derive(Debug)]
pub struct Window {
    /// The columns of a row.
    codec: RowCodec,
    /// Those by which rows are parted.
    partition: Vec<usize>,
    keys: RowCodec,
    order: Vec<(usize, Order)>,
    functions: Vec<WindowFunction>,
    /// How many rows before and behind a row functions look at; none if at all.
    reach: Option<(usize, usize)>,
    /// What is kept of all rows before one is small enough to be noted.
    is_noted: bool,
    /// All functions number rows: their values are not looked at.
    is_of_numbers: bool,
    /// How many rows of a partition are given, at most.
    first: u64,
    /// Others are not kept.
    only_first: bool,
    partitions: Table<Partition>,
    /// The partitions that an append touched, as long as more of it may come.
    touched: VecDeque<Box<[u8]>>,
    /// Tells appends from one another.
    append: u64,
}

#[derive(Debug, Default)]
struct Partition {
    rows: Ordered,
    /// What is before some rows, by what they are sorted by.
    noted: BTreeMap<Box<[u8]>, Before>,
    noted_bytes: usize,
    /// What the append changes that touched it last. One that there was nothing of before is changed at once.
    coming: Vec<(Place, i64)>,
    coming_bytes: usize,
    /// The append that touched it last, and the one that made it.
    append: u64,
    made: u64,
}

impl Held for Partition {
    fn heap_bytes(&self) -> usize {
        self.rows.bytes() + self.noted_bytes + self.coming_bytes
    }
}

/// Rows of the result with how often each is there, and what could not be computed.
#[derive(Debug, Default)]
struct Shown {
    rows: BTreeMap<Box<[u8]>, i64>,
    failures: BTreeMap<String, i64>,
}

impl Window {
    /// Of an input with columns of these types; a type that cannot be compared otherwise.
    pub fn new(
        types: Vec<DataType>,
        partition: Vec<usize>,
        order: Vec<(usize, Order)>,
        mut functions: Vec<WindowFunction>,
    ) -> Result<Window, DataType> {
        for function in &mut functions {
            if let WindowKind::Aggregate(call, _) = &mut function.kind {
                // What goes is computed anew, without it.
                call.only_comes = true;
                call.check(&types)?;
            }
        }
        let reach = functions.iter().map(WindowFunction::reach);
        let reach = reach.reduce(|one, other| Some((one?.0.max(other?.0), one?.1.max(other?.1))));
        let is_noted = functions.iter().all(WindowFunction::keeps_little);
        let is_of_numbers = functions.iter().all(WindowFunction::is_number);
        let keys = RowCodec::new(partition.iter().map(|&column| types[column].clone()))?;
        let codec = RowCodec::new(types)?;
        Ok(Window {
            codec,
            partition,
            keys,
            order,
            functions,
            reach: reach.unwrap_or_default(),
            is_noted,
            is_of_numbers,
            first: u64::MAX,
            only_first: false,
            partitions: Table::new(),
            touched: VecDeque::new(),
            append: 1,
        })
    }

    /// The same, of which only so many rows of each partition are wanted, the first ones, and at least one; `only_comes` says whether no row goes
    /// again. All are given where functions are more than numbers of rows.
    pub fn with_first(self, first: u64, only_comes: bool) -> Window {
        if !self.is_of_numbers || first == 0 {
            return self;
        }
        Window { first, only_first: only_comes, ..self }
    }

    /// The result's rows.
    fn result(&self) -> Result<RowCodec, FlowError> {
        let results = self.functions.iter().map(|function| &function.result);
        RowCodec::new(self.codec.types().iter().chain(results).cloned())
            .map_err(|data_type| FlowError::Arrow(format!("no column of {data_type}")))
    }

    /// Which rows of those with these peers are noted.
    fn noted(&self, peers: &[(usize, usize)]) -> Vec<usize> {
        if !self.is_noted || self.reach.is_none() {
            return Vec::new();
        }
        let (mut noted, mut last) = (Vec::new(), 0);
        for (row, (first, _)) in peers.iter().enumerate() {
            if *first == row && row - last >= NOTED_ROWS {
                noted.push(row);
                last = row;
            }
        }
        noted
    }

    /// What a partition shows from some place in the order on, or from one before it; and what is to be noted of rows behind that.
    fn shown(
        &self,
        partition: &Partition,
        from: &[u8],
        notes: &mut BTreeMap<Box<[u8]>, Before>,
    ) -> Result<Shown, FlowError> {
        let mut shown = Shown::default();
        let (from, before) = partition.nearest(from);
        let places = self.wanted(partition, from, &before);
        let Some(first) = partition.rows.first().filter(|_| !places.is_empty()) else { return Ok(shown) };
        if self.is_of_numbers {
            self.numbered(&places, &before, notes, |row| *shown.rows.entry(row.into()).or_default() += 1);
            return Ok(shown);
        }
        let (behind, _) = self.reach.unwrap_or_default();
        let context = partition.rows.last_before(from, behind);
        let peers = peers(&places);
        let noted = self.noted(&peers);
        let rest = Rest {
            columns: self.codec.decode(context.iter().chain(&places).map(|place| place.row()))?,
            context: context.len(),
            first: self.codec.decode([first.row()])?,
            peers,
            before: &before,
            noted: &noted,
        };
        let (mut kept, mut kept_then) = (before.kept.iter(), vec![Vec::new(); noted.len()]);
        let results = self.functions.iter().map(|function| {
            let kept = if let WindowKind::Aggregate(..) = function.kind { kept.next() } else { None };
            function.values(&rest, kept, &mut kept_then)
        });
        let results: Vec<Vec<Result<Value, String>>> = results.collect::<Result<_, FlowError>>()?;
        note(&places, &rest.peers, &before, noted.iter().copied().zip(kept_then), notes);
        let failed = |row: usize| results.iter().find_map(|values| values[row].as_ref().err());
        let mut good = Vec::new();
        for row in 0..places.len() {
            match failed(row) {
                Some(reason) => *shown.failures.entry(reason.clone()).or_default() += 1,
                None => good.push(row),
            }
        }
        let mut all = self.codec.decode(good.iter().map(|&row| places[row].row()))?;
        for (function, values) in self.functions.iter().zip(&results) {
            let null = Value::Null;
            let values: Vec<&Value> = good.iter().map(|&row| values[row].as_ref().unwrap_or(&null)).collect();
            all.push(column(values.into_iter(), &function.result)?);
        }
        for row in self.result()?.encode(&all, good.len()).iter() {
            *shown.rows.entry(row.into()).or_default() += 1;
        }
        Ok(shown)
    }

    /// Gives the rows at places behind some others, each with its numbers, as often as it is there; and what is to be noted.
    fn numbered(
        &self,
        places: &[&Place],
        before: &Before,
        notes: &mut BTreeMap<Box<[u8]>, Before>,
        mut give: impl FnMut(&[u8]),
    ) {
        let peers = peers(places);
        let noted = self.noted(&peers);
        note(places, &peers, before, noted.into_iter().map(|row| (row, Vec::new())), notes);
        let (mut bytes, mut of_places) = (Vec::new(), before.places);
        for (row, (place, (first, _))) in places.iter().zip(&peers).enumerate() {
            of_places += usize::from(row == *first);
            bytes.clear();
            bytes.extend_from_slice(place.row());
            for WindowFunction { kind, result } in &self.functions {
                let number = match kind {
                    WindowKind::DenseRank => of_places,
                    WindowKind::Rank => before.rows + first + 1,
                    _ => before.rows + row + 1,
                };
                put_count(&mut bytes, number as u64, result);
            }
            give(&bytes);
        }
    }

    /// Gives what an append changed, until that has more bytes than `bytes_max`.
    fn end_append(
        &mut self,
        stamp: u64,
        bytes_max: usize,
        given: &mut Given,
        failures: &mut Vec<Failure>,
    ) -> Result<(), FlowError> {
        while given.bytes() <= bytes_max
            && let Some(key) = self.touched.pop_front()
        {
            self.end_partition(&key, stamp, given, failures)?;
        }
        if self.touched.is_empty() {
            self.append += 1;
        }
        Ok(())
    }

    /// Keeps what was noted of a partition, or forgets it if it has no rows.
    fn keep(&mut self, key: &[u8], notes: BTreeMap<Box<[u8]>, Before>) {
        if self.partitions.get(key).is_some_and(|partition| partition.rows.is_empty()) {
            self.partitions.remove(key);
        } else if !notes.is_empty() {
            self.partitions.edit(key, Partition::default, |partition| partition.note(notes));
        }
    }

    /// The rows of a partition that are given, from some place in the order on, or from one before it.
    fn wanted<'a>(&self, partition: &'a Partition, from: &[u8], before: &Before) -> Vec<&'a Place> {
        let count = usize::try_from(self.first).unwrap_or(usize::MAX).saturating_sub(before.rows);
        partition.rows.from(from).take(count).collect()
    }

    /// Gives what an append changed of a partition.
    fn end_partition(
        &mut self,
        key: &[u8],
        stamp: u64,
        given: &mut Given,
        failures: &mut Vec<Failure>,
    ) -> Result<(), FlowError> {
        let Some(partition) = self.partitions.get(key) else { return Ok(()) };
        let mut notes = BTreeMap::new();
        if partition.made == self.append && self.is_of_numbers {
            // It showed nothing before.
            let places = self.wanted(partition, &[], &Before::default());
            self.numbered(&places, &Before::default(), &mut notes, |row| given.push(row, 1, stamp));
            self.keep(key, notes);
            return Ok(());
        }
        let (mut before, mut from) = (Shown::default(), Box::default());
        if let Some((first, _)) = partition.coming.iter().min() {
            from = partition.reached(first.key(), self.reach);
            before = self.shown(partition, &from, &mut BTreeMap::new())?;
            self.partitions.edit(key, Partition::default, Partition::take_coming);
        }
        if self.only_first {
            self.partitions.edit(key, Partition::default, |partition| partition.rows.truncate(self.first));
        }
        let mut now = Shown::default();
        if let Some(partition) = self.partitions.get(key) {
            now = self.shown(partition, &from, &mut notes)?;
            self.keep(key, notes);
        }
        for (row, weight) in differences(before.rows, now.rows) {
            given.push(&row, weight, stamp);
        }
        for (reason, weight) in differences(before.failures, now.failures) {
            failures.push(Failure { weight, stamp, reason });
        }
        Ok(())
    }

    /// Takes rows, and gives what all of their appends but the last one changed; which that is.
    fn take_rows(
        &mut self,
        delta: &Delta,
        given: &mut Given,
        failures: &mut Vec<Failure>,
    ) -> Result<u64, FlowError> {
        let (partitions, keys) = self.parted(delta);
        let behind = |row: usize| {
            let partition = self.partitions.get(partitions.row(row));
            partition.is_some_and(|partition| partition.rows.is_key_behind(self.first, keys.row(row)))
        };
        if self.only_first {
            // Most rows are none of the first, and need not be looked at.
            let near: Vec<u32> = (0..delta.len()).filter(|row| !behind(*row)).map(|row| row as u32).collect();
            if near.len() < delta.len() / 2 {
                let last = delta.stamps[delta.len() - 1];
                if !near.is_empty() {
                    let near = delta.taken(&near)?;
                    let until = self.take_parted(&near, self.parted(&near), given, failures)?;
                    if until < last {
                        self.end_append(until, usize::MAX, given, failures)?;
                    }
                }
                return Ok(last);
            }
        }
        self.take_parted(delta, (partitions, keys), given, failures)
    }

    /// Of each row its partition, and what it is sorted by.
    fn parted(&self, delta: &Delta) -> (Rows, Rows) {
        let parted: Vec<ArrayRef> =
            self.partition.iter().map(|&column| delta.columns[column].clone()).collect();
        let sorted: Vec<(ArrayRef, Order)> =
            self.order.iter().map(|&(column, order)| (delta.columns[column].clone(), order)).collect();
        (self.keys.encode(&parted, delta.len()), sort_keys(&sorted, delta.len()))
    }

    fn take_parted(
        &mut self,
        delta: &Delta,
        (partitions, keys): (Rows, Rows),
        given: &mut Given,
        failures: &mut Vec<Failure>,
    ) -> Result<u64, FlowError> {
        let rows = self.codec.encode(&delta.columns, delta.len());
        let mut append = delta.stamps[0];
        for row in 0..delta.len() {
            if delta.stamps[row] != append {
                self.end_append(append, usize::MAX, given, failures)?;
                append = delta.stamps[row];
            }
            let (key, append) = (partitions.row(row), self.append);
            let first = self.only_first.then_some(self.first);
            let place = (keys.row(row), rows.row(row));
            let is_first = self.partitions.edit(
                key,
                || Partition::new(append),
                |partition| partition.change(place, delta.weights[row], append, first),
            );
            if is_first {
                self.touched.push_back(key.into());
            }
        }
        Ok(append)
    }
}

impl Partition {
    /// Made by an append.
    fn new(append: u64) -> Partition {
        Partition { made: append, ..Partition::default() }
    }

    /// A row comes or goes; whether it makes a difference, and the append did not touch it before. It makes none behind the `first` rows, if
    /// no others are kept.
    fn change(&mut self, (key, row): (&[u8], &[u8]), weight: i64, append: u64, first: Option<u64>) -> bool {
        if first.is_some_and(|first| self.rows.is_behind(first, key, row)) {
            return false;
        }
        if self.made == append {
            // It showed nothing before.
            self.rows.change(key, row, weight);
            if let Some(first) = first {
                self.rows.truncate(first);
            }
        } else {
            let place = Place::new(key, row);
            self.coming_bytes += place.bytes();
            self.coming.push((place, weight));
        }
        replace(&mut self.append, append) != append
    }

    /// Changes what is to be changed.
    fn take_coming(&mut self) {
        self.coming_bytes = 0;
        for (place, weight) in take(&mut self.coming) {
            // What was before a row that is behind this one is something else now.
            let changed = self.noted.range::<[u8], _>((Bound::Excluded(place.key()), Bound::Unbounded));
            let changed: Vec<Box<[u8]>> = changed.map(|(key, _)| key.clone()).collect();
            for key in changed {
                let before = self.noted.remove(&key);
                self.noted_bytes -= before.map_or(0, |before| before.bytes() + key.len());
            }
            self.rows.change(place.key(), place.row(), weight);
        }
    }

    fn note(&mut self, notes: BTreeMap<Box<[u8]>, Before>) {
        for (key, before) in notes {
            let bytes = before.bytes() + key.len();
            let known = self.noted.insert(key, before);
            // It is the same, of the same row.
            self.noted_bytes += if known.is_none() { bytes } else { 0 };
        }
    }

    /// The last place in the order, up to one, of which it is known what is before.
    fn nearest(&self, from: &[u8]) -> (&[u8], Before) {
        let known = self.noted.range::<[u8], _>((Bound::Unbounded, Bound::Included(from))).next_back();
        known.map_or_else(Default::default, |(key, before)| (&**key, before.clone()))
    }

    /// The first place in the order where a change at one may make a difference.
    fn reached(&self, key: &[u8], reach: Option<(usize, usize)>) -> Box<[u8]> {
        match reach {
            None => Box::default(),
            Some((_, 0)) => key.into(),
            Some((_, ahead)) => {
                self.rows.last_before(key, ahead).first().map_or(key.into(), |place| place.key().into())
            }
        }
    }
}

impl Window {
    /// Gives what the last append of an epoch changed, or a part of that.
    fn end(&mut self, stamp: u64, epoch: Epoch, mut given: Given, out: &mut Out) -> Result<(), FlowError> {
        let bytes_max = epoch.part_bytes.unwrap_or(usize::MAX);
        self.end_append(stamp, bytes_max, &mut given, &mut out.failures)?;
        out.more = !self.touched.is_empty();
        if !out.more {
            // The first epoch touches all partitions there are, later ones few.
            self.touched = VecDeque::new();
        }
        out.push(given.delta(&self.result()?)?);
        Ok(())
    }
}

impl Operator for Window {
    fn step(&mut self, inputs: Vec<Vec<Delta>>, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
        let mut given = Given::default();
        let mut stamp = epoch.stamp;
        if let Some(delta) = Delta::merged(inputs.into_iter().flatten().collect())? {
            stamp = self.take_rows(&delta, &mut given, &mut out.failures)?;
        }
        if epoch.ends {
            return self.end(stamp, epoch, given, out);
        }
        out.push(given.delta(&self.result()?)?);
        Ok(())
    }

    fn go_on(&mut self, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
        self.end(epoch.stamp, epoch, Given::default(), out)
    }

    fn name(&self) -> &'static str {
        if self.first < u64::MAX { "first rows" } else { "window" }
    }

    fn keeps(&self) -> Option<(usize, &'static str)> {
        Some((self.partitions.len(), "partitions"))
    }

    fn bytes(&self) -> usize {
        self.partitions.bytes()
    }

    fn save(&self, saved: &mut Saved) {
        let mut start = Vec::new();
        for (partition, of) in self.partitions.iter() {
            start.clear();
            put_bytes(&mut start, partition);
            of.rows.save(&start, saved);
        }
    }

    fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damaged> {
        let mut key = Reader(key);
        let partition = key.bytes()?;
        self.partitions.edit(partition, Partition::default, |of| of.rows.load(key.0, value))
    }
}

/// Notes what is before some rows, with what aggregates keep of it.
fn note(
    places: &[&Place],
    peers: &[(usize, usize)],
    before: &Before,
    noted: impl Iterator<Item = (usize, Vec<Kept>)>,
    notes: &mut BTreeMap<Box<[u8]>, Before>,
) {
    for (row, kept) in noted {
        let of_places = peers[..row].chunk_by(|one, other| one == other).count();
        let before = Before { rows: before.rows + row, places: before.places + of_places, kept };
        notes.insert(places[row].key().into(), before);
    }
}

/// What came and went.
fn differences<T: Ord>(before: BTreeMap<T, i64>, now: BTreeMap<T, i64>) -> BTreeMap<T, i64> {
    let mut differences = now;
    for (value, count) in before {
        *differences.entry(value).or_default() -= count;
    }
    differences.retain(|_, weight| *weight != 0);
    differences
}

#[cfg(test)]
mod tests;
