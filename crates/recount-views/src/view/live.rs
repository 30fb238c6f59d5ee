//! One view, kept up to date: its circuit, its rows, and where it is.
//!
//! It begins with one large epoch, read in parts, of everything up to the head; then each epoch takes the appends of some
//! positions in one step. Whoever needs it at some position takes it there, a part at a time, in turns with others who do; a task beside
//! does so when nobody asks.

use std::mem::take;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use parking_lot::{Mutex as FairMutex, MutexGuard as FairGuard};
use recount_env::{Env, Tasks, block_on};
use recount_flow::circuit::Stepped;
use recount_flow::delta::Delta;
use recount_flow::failures::Failures;
use recount_flow::operator::FlowError;
use recount_flow::relation::{Frozen, Relation};
use recount_store::{DdlError, From, ReadError, ReadRequest, Scope, Store};
use recount_types::{Position, TopicName, ViewId};

use super::ahead::Ahead;
use super::keep::{self, Start, Taken};
use super::recent::{OfEpoch, Recent, RowChanged};
use super::{Compiled, Explained, HeldMemory, ViewInfo, ViewRows, ViewStatus, WhatIsRead};
use crate::budget::Share;
use crate::error::ViewError;
use crate::feed::rounded_down;
use crate::live::RETRY_US;
use crate::lock;
use crate::pace::Pace;
use crate::snapshot::ViewSnapshots;

/// Positions in an epoch, if no append is longer.
const EPOCH_POSITIONS: u64 = 4096;
/// An epoch ends with the append that brings it beyond so many bytes.
const EPOCH_BYTES: usize = 8 << 20;

/// The longest pause before what failed is tried again.
const RETRY_US_MAX: u64 = 3_600_000_000;

/// Makes the circuit anew.
type Make = Box<dyn Fn() -> Result<Compiled, DdlError> + Send + Sync>;

/// One view.
pub(crate) struct LiveView {
    pub(crate) id: ViewId,
    pub(crate) info: ViewInfo,
    /// What it reads.
    pub(crate) read: WhatIsRead,
    pub(super) store: Store,
    env: Env,
    make: Make,
    pub(super) state: FairMutex<State>,
    /// How it was after the last part, for those who only look.
    shown: Mutex<ViewStatus>,
    failed: Mutex<Option<Failed>>,
    pace: Mutex<Pace>,
    pub(super) snapshots: Arc<ViewSnapshots>,
    /// Its circuit, hashed.
    pub(super) circuit: [u8; 32],
    /// A snapshot of it was taken, and is not written yet.
    pub(super) is_writing: AtomicBool,
    /// That snapshot, until somebody begins to write it.
    pub(super) taken: Mutex<Option<Taken>>,
    /// The position of its snapshot; 0 = there is none.
    pub(super) kept: AtomicU64,
}

/// Why a view does not go on.
struct Failed {
    error: ViewError,
    /// When it is tried again, in boot-time µs; `u64::MAX` = never.
    again: u64,
    /// How long it waits then.
    pause: u64,
}

/// What an epoch changes.
pub(super) struct State {
    /// None after a failure: it begins anew.
    pub(super) compiled: Option<Compiled>,
    pub(super) rows: Relation,
    pub(super) position: u64,
    pub(super) start: Start,
    first: Option<First>,
    /// What is read of the first epoch meanwhile.
    ahead: Option<Ahead>,
    /// How many rows it read that are in no snapshot, and with how many one may be due.
    pub(super) unsaved: u64,
    pub(super) due_at: u64,
    /// The last changes, once somebody follows them.
    pub(super) recent: Option<Recent>,
    /// Those of the epoch that is under way.
    of_epoch: OfEpoch,
    /// Positions in an epoch: fewer where so many appends made too much at once.
    epoch_positions: u64,
    /// Where and why rows and groups could not be computed, and how many.
    pub(super) errors: Arc<Failures>,
    pub(super) memory: Share,
}

/// The first epoch, under way.
#[derive(Debug, Clone, Copy)]
struct First {
    until: u64,
    /// The source that is being read.
    source: usize,
}

impl LiveView {
    /// A view of what `make` makes, which has made `compiled`.
    pub(crate) fn new(
        (id, name, text, topics): (ViewId, TopicName, String, Vec<TopicName>),
        read: WhatIsRead,
        (make, compiled): (Make, Compiled),
        (store, env, memory): (Store, Env, Share),
        snapshots: Arc<ViewSnapshots>,
    ) -> LiveView {
        let circuit = keep::circuit_hash(&compiled);
        let (columns, key) = (compiled.columns.clone(), compiled.layout.key().to_vec());
        let info = ViewInfo { name, columns, key, topics, text };
        let rows = Relation::new(compiled.layout.clone());
        let (errors, first, compiled) = (Arc::default(), None, Some(compiled));
        let epoch_positions = EPOCH_POSITIONS;
        let state = State {
            compiled,
            rows,
            position: 0,
            start: Start::default(),
            first,
            ahead: None,
            unsaved: 0,
            due_at: 0,
            recent: None,
            of_epoch: OfEpoch::new(),
            epoch_positions,
            errors,
            memory,
        };
        let (state, shown) = (FairMutex::new(state), Mutex::default());
        let (failed, pace) = (Mutex::new(None), Mutex::default());
        let (is_writing, kept) = (AtomicBool::new(false), AtomicU64::new(0));
        LiveView {
            id,
            info,
            read,
            store,
            env,
            make,
            state,
            shown,
            failed,
            pace,
            snapshots,
            circuit,
            is_writing,
            taken: Mutex::default(),
            kept,
        }
    }

    /// One epoch, or a part of the first one, towards `wanted`; true if there is more to do.
    pub(crate) fn epoch(&self, wanted: u64) -> Result<bool, ViewError> {
        // Whoever has it takes it there himself.
        let Some(mut state) = self.state.try_lock() else { return Ok(false) };
        if state.position >= wanted {
            return Ok(false);
        }
        self.step(&mut state, wanted)?;
        Ok(state.position < wanted)
    }

    /// Its rows at `wanted` or behind it, for as long as the guard is held. `goes_on` is asked between epochs.
    pub(crate) fn at(&self, wanted: u64, goes_on: &dyn Fn() -> bool) -> Result<Held<'_>, ViewError> {
        loop {
            // Others who want it there take their turns, each a part.
            let mut held = Held { view: self, state: self.state.lock() };
            if held.state.position >= wanted {
                return Ok(held);
            }
            held.part(wanted, goes_on)?;
        }
    }

    /// Its rows, if it is at this position and nobody moves it.
    pub(super) fn rows_at(&self, position: u64) -> Option<ViewRows> {
        let held = Held { view: self, state: self.state.try_lock()? };
        (held.state.position == position).then(|| held.rows())
    }

    /// Its operators; none while it begins anew.
    pub(crate) fn explained(&self) -> Vec<Explained> {
        self.state.lock().compiled.as_ref().map(Compiled::explained).unwrap_or_default()
    }

    pub(crate) fn status(&self) -> ViewStatus {
        let shown = lock(&self.shown).clone();
        let failed = lock(&self.failed).as_ref().map(|failed| failed.error.clone());
        let kept = Some(self.kept.load(Ordering::Relaxed)).filter(|position| *position > 0);
        ViewStatus { per_second: lock(&self.pace).per_second(), failed, kept, ..shown }
    }

    fn step(&self, state: &mut State, wanted: u64) -> Result<(), ViewError> {
        let now = self.env.clock.boottime_us();
        let mut pause = RETRY_US;
        if let Some(failed) = &*lock(&self.failed) {
            if now < failed.again {
                return Err(failed.error.clone());
            }
            pause = failed.pause;
        }
        lock(&self.pace).begins(now, state.position);
        // Half a step must not be taken for a whole one.
        let part = AssertUnwindSafe(|| self.part(state, wanted));
        let done = catch_unwind(part).unwrap_or(Err(ViewError::Flow(FlowError::Panicked)));
        if let Err(error) = &done {
            // What an epoch left that was cut short is of no position.
            state.forget();
            let again = match error {
                // Others may have given memory back, or the machine may have recovered.
                ViewError::Memory { .. } | ViewError::Read(ReadError::Io { .. }) => now + pause,
                ViewError::Read(ReadError::Closed) => now,
                // One append can be joined in parts.
                ViewError::Flow(FlowError::TooLarge) if state.epoch_positions > 1 => {
                    state.epoch_positions /= 16;
                    now
                }
                _ => u64::MAX,
            };
            // It reads everything again each time.
            let pause = (pause * 2).min(RETRY_US_MAX);
            *lock(&self.failed) = Some(Failed { error: error.clone(), again, pause });
        } else if state.position >= wanted {
            *lock(&self.failed) = None;
        }
        lock(&self.pace).ends(self.env.clock.boottime_us(), state.position, state.position >= wanted);
        *lock(&self.shown) = state.status();
        done
    }

    fn part(&self, state: &mut State, wanted: u64) -> Result<(), ViewError> {
        if state.compiled.is_none() {
            let made = (self.make)().map_err(|error| ViewError::BadRequest(error.to_string()))?;
            state.compiled = Some(made);
        }
        if state.position == 0 {
            if !self.resume(state, wanted)? {
                state.first_part(wanted, &self.env.tasks)?;
            }
        } else {
            let until = self.end_of_epoch(state, wanted)?;
            state.live(&self.store, until)?;
        }
        let bytes = state.bytes();
        state.memory.set(bytes)
    }

    /// The end of some append, not far behind where the view is.
    fn end_of_epoch(&self, state: &State, wanted: u64) -> Result<u64, ViewError> {
        let State { position, epoch_positions, .. } = *state;
        if wanted - position <= epoch_positions {
            return Ok(wanted);
        }
        block_on(async {
            let before = rounded_down(&self.store, Position(position + epoch_positions)).await?.0;
            if before > position {
                return Ok(before.min(wanted));
            }
            // One append has more positions than that.
            let from = From::After(Position(position));
            let request = ReadRequest { from, ..ReadRequest::all(Scope::All { system: true }) };
            let mut cursor = self.store.read(request).await?;
            while cursor.load().await? {
                if let Some(event) = cursor.take()? {
                    return Ok(event.append_end.0.min(wanted));
                }
            }
            Ok(wanted)
        })
    }
}

impl State {
    /// A part of the first epoch, which ends at what was wanted when it began.
    fn first_part(&mut self, wanted: u64, tasks: &Arc<dyn Tasks>) -> Result<(), ViewError> {
        let State { compiled, first, ahead, unsaved, .. } = self;
        let Some(compiled) = compiled else { return Ok(()) };
        let under_way = match *first {
            Some(first) => first,
            None => {
                let begun = First { until: wanted, source: 0 };
                compiled.sources.iter_mut().try_for_each(|source| source.begin(0, begun.until))?;
                *first.insert(begun)
            }
        };
        let First { until, source } = under_way;
        let mut changes: Vec<Vec<Delta>> = vec![Vec::new(); compiled.sources.len()];
        let ends = match compiled.sources.get_mut(source) {
            None => true,
            Some(read) => {
                let reading = match ahead {
                    Some(reading) => reading,
                    None => ahead.insert(Ahead::begin(tasks, read, until)?),
                };
                match reading.next(read)? {
                    Some(mut rows) => {
                        *unsaved += rows.len() as u64;
                        rows.stamps.fill(until);
                        changes[source].push(rows);
                    }
                    None => (*first, *ahead) = (Some(First { until, source: source + 1 }), None),
                }
                false
            }
        };
        self.run(changes, until, ends)?;
        if ends {
            (self.first, self.position) = (None, until);
            self.check()?;
            // What it was before is not known, and so not what changed.
            self.of_epoch.clear();
            self.recent = self.recent.take().map(|_| Recent::new(until));
        }
        Ok(())
    }

    /// An epoch of all appends up to `until`, or up to an earlier one if these have many bytes.
    fn live(&mut self, store: &Store, mut until: u64) -> Result<(), ViewError> {
        let Some(compiled) = &mut self.compiled else { return Ok(()) };
        let mut changes: Vec<Vec<Delta>> = Vec::with_capacity(compiled.sources.len());
        let mut bytes = 0;
        for source in &mut compiled.sources {
            source.begin(self.position, until)?;
            let mut of_source = Vec::new();
            while let Some(rows) = source.next()? {
                bytes += rows.bytes();
                let last = rows.stamps.last().copied();
                of_source.push(rows);
                if let Some(last) = last.filter(|_| bytes > EPOCH_BYTES) {
                    // More of the append of the last row may come; what was before it is all there.
                    let before = block_on(rounded_down(store, Position(last - 1)))?.0;
                    if before > self.position {
                        until = before;
                        break;
                    }
                }
            }
            changes.push(of_source);
        }
        compiled.sources.iter_mut().try_for_each(|source| source.end(until))?;
        let changes: Vec<Vec<Delta>> = changes
            .into_iter()
            .map(|rows| rows.into_iter().map(|rows| rows.until(until)).collect())
            .collect();
        self.unsaved += changes.iter().flatten().map(|rows| rows.len() as u64).sum::<u64>();
        self.run(changes, until, true)?;
        self.position = until;
        self.check()?;
        if let Some(recent) = &mut self.recent {
            recent.add(take(&mut self.of_epoch));
        }
        Ok(())
    }

    /// A step of the epoch that ends at `until`.
    fn run(&mut self, changes: Vec<Vec<Delta>>, until: u64, ends: bool) -> Result<(), ViewError> {
        let Some(mut compiled) = self.compiled.take() else { return Ok(()) };
        let of_circuit = compiled.circuit.bytes();
        let mut give = |stepped: Stepped| {
            self.add(stepped);
            // What operators keep more is seen at the end.
            let bytes = self.rows.bytes() + self.errors.bytes() + of_circuit;
            self.memory.set(bytes)
        };
        compiled.circuit.step(changes, (until, ends), &mut give)?;
        self.compiled = Some(compiled);
        Ok(())
    }

    fn add(&mut self, stepped: Stepped) {
        for rows in &stepped.rows {
            let bytes = self.rows.add(rows);
            if self.recent.is_some() && self.first.is_none() {
                for (number, row) in bytes.iter().enumerate() {
                    *self.of_epoch.entry((rows.stamps[number], row.into())).or_default() +=
                        rows.weights[number];
                }
            }
        }
        if !stepped.failures.is_empty() {
            let errors = Arc::make_mut(&mut self.errors);
            stepped.failures.into_iter().for_each(|(operator, failure)| errors.add(operator, failure));
        }
    }

    fn check(&self) -> Result<(), ViewError> {
        if self.rows.is_negative() {
            return Err(ViewError::Flow(FlowError::Negative));
        }
        Ok(())
    }

    pub(super) fn forget(&mut self) {
        self.compiled = None;
        self.rows.clear();
        (self.position, self.first, self.unsaved) = (0, None, 0);
        (self.start, self.ahead) = (Start::default(), None);
        self.of_epoch.clear();
        self.errors = Arc::default();
        // Less is always to be had.
        let _ = self.memory.set(0);
    }

    pub(super) fn bytes(&self) -> usize {
        let circuit = self.compiled.as_ref().map_or(0, |compiled| compiled.circuit.bytes());
        let recent = self.recent.as_ref().map_or(0, Recent::bytes);
        self.rows.bytes() + circuit + self.errors.bytes() + recent
    }

    fn status(&self) -> ViewStatus {
        ViewStatus {
            position: self.position,
            rows: self.rows.rows(),
            bytes: self.bytes(),
            errors: self.errors.count(),
            unfit: self.unfit(),
            kept: None,
            per_second: None,
            failed: None,
        }
    }

    /// How many keys of entities stopped, and why one of them did.
    fn stopped(&self) -> Option<(u64, ViewError)> {
        let sources = self.compiled.iter().flat_map(|compiled| &compiled.sources);
        sources
            .filter_map(|source| source.stopped())
            .reduce(|(count, first), (more, _)| (count + more, first))
    }

    fn unfit(&self) -> u64 {
        self.compiled.iter().flat_map(|compiled| &compiled.sources).map(|source| source.unfit()).sum()
    }
}

/// A view that nobody else moves.
pub(crate) struct Held<'a> {
    view: &'a LiveView,
    state: FairGuard<'a, State>,
}

impl Held<'_> {
    pub(crate) fn position(&self) -> u64 {
        self.state.position
    }

    /// The memory of its rows.
    pub(crate) fn bytes_of_rows(&self) -> usize {
        self.state.rows.bytes()
    }

    /// Keeps the last changes from now on.
    pub(crate) fn watch(&mut self) {
        let position = self.state.position;
        self.state.recent.get_or_insert_with(|| Recent::new(position));
    }

    /// Changes behind a position; see [`Recent::after`].
    pub(crate) fn recent(&self, position: u64, told: usize, limit: usize) -> Option<Vec<RowChanged>> {
        self.state.recent.as_ref()?.after(position, told, limit)
    }

    /// Its rows as they are now.
    pub(crate) fn frozen(&self) -> Frozen {
        self.state.rows.freeze()
    }

    /// Takes it to `wanted`.
    pub(crate) fn catch_up(&mut self, wanted: u64, goes_on: &dyn Fn() -> bool) -> Result<(), ViewError> {
        while self.state.position < wanted {
            self.part(wanted, goes_on)?;
        }
        Ok(())
    }

    /// Takes it nearer to `wanted`.
    fn part(&mut self, wanted: u64, goes_on: &dyn Fn() -> bool) -> Result<(), ViewError> {
        if !goes_on() {
            let (entity, position) = (format!("view {}", self.view.info.name), self.state.position);
            return Err(ViewError::Behind { entity, position, wanted });
        }
        self.view.step(&mut self.state, wanted)
    }

    /// Its rows as they are now.
    pub(crate) fn rows(&self) -> ViewRows {
        ViewRows {
            info: self.view.info.clone(),
            rows: self.state.rows.freeze(),
            errors: self.state.errors.count(),
            failures: self.state.errors.clone(),
            unfit: self.state.unfit(),
            stopped: self.state.stopped(),
            memory: HeldMemory::default(),
        }
    }
}
