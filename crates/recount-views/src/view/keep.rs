//! What a view keeps over a restart, and how it goes on from that.
//!
//! ```text
//!  key                            value
//!  e │ operator 4 │ reason        how many rows and groups it could not compute for that reason
//!  o │ operator 4 │ its own key   an entry of an operator
//!  r │ row                        how often it is there
//!  s │ source 4                   how many events it left out because they do not fit
//! ```
//!
//! Numbers in keys are big-endian, in values varints in zigzag form.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use recount_env::block_on;
use recount_flow::codec::Damaged;
use recount_flow::failures::Failures;
use recount_flow::relation::Relation;
use recount_flow::saved::{self, Saved};
use recount_store::Store;
use recount_types::ViewId;
use recount_types::varint::{put_i64, take_i64};

use super::live::{LiveView, State};
use super::recent::Recent;
use super::{Compiled, WhatIsRead};
use crate::budget::Share;
use crate::error::ViewError;
use crate::feed::last_recorded;
use crate::lock;
use crate::snapshot::{ViewManifest, ViewSnapshot, schedule};

/// So many blocks of a snapshot are taken at a time.
const BLOCKS_TOGETHER: usize = 64;

/// How a view begins.
pub(super) enum Start {
    /// It was not looked whether there is a snapshot before this position that can be used.
    Before(u64),
    /// From a snapshot, of which so many blocks are taken.
    From(Box<ViewSnapshot>, usize),
    /// From the first event.
    Anew,
}

/// What a snapshot is made of.
pub(crate) struct Taken {
    pub(super) manifest: ViewManifest,
    pub(super) saved: Saved,
    /// What it takes, until it is dropped.
    pub(super) _memory: Share,
}

/// What is kept, hashed: the entries of one plan mean nothing to another.
fn plan_hash(text: &str, read: &WhatIsRead, circuit: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let version = env!("CARGO_PKG_VERSION");
    hasher.update(format!("{version}\n{}\n{text}\n{read:?}\n", saved::VERSION).as_bytes());
    *hasher.update(circuit).finalize().as_bytes()
}

/// A circuit before its first step, all of it hashed.
pub(super) fn circuit_hash(compiled: &Compiled) -> [u8; 32] {
    let sources: Vec<String> = compiled.sources.iter().map(|source| source.name()).collect();
    let of = format!("{sources:?}\n{:?}\n{:?}", compiled.layout, compiled.circuit);
    *blake3::hash(of.as_bytes()).as_bytes()
}

/// Whether the journal has the events that a snapshot was made of. It may be an older copy, or have lost its tail, and have gone on with
/// others since.
fn is_of_journal(store: &Store, manifest: &ViewManifest) -> Result<bool, ViewError> {
    let last = block_on(last_recorded(store, manifest.position))?;
    let of = last.map(|event| (event.position.0, event.append_time.0));
    Ok(of == Some((manifest.last, manifest.append_time)))
}

impl LiveView {
    /// Takes what it keeps, if enough was read since the last snapshot that it is time for another one: after `interval` rows at least.
    /// Whether it did; [`LiveView::keep_taken`] writes it.
    pub(crate) fn take(&self, interval: u64, is_closing: bool) -> bool {
        let state = if is_closing { Some(self.state.lock()) } else { self.state.try_lock() };
        let Some(mut state) = state else { return false };
        if !state.is_due(interval, is_closing) || self.is_writing.swap(true, Ordering::AcqRel) {
            return false;
        }
        // What is written takes no more memory than what it is made of.
        let mut memory = state.memory.another();
        let plan = plan_hash(&self.info.text, &self.read, &self.circuit);
        let taken = memory.set(state.bytes()).and_then(|()| state.taken(&self.store, self.id, plan));
        // If it fails it is for later, too.
        (state.unsaved, state.due_at) = (0, 0);
        drop(state);
        let taken = taken.unwrap_or_else(|error| {
            tracing::warn!(view = %self.info.name, %error, "no snapshot is taken; it is tried again later");
            None
        });
        let Some((manifest, saved)) = taken else {
            self.is_writing.store(false, Ordering::Release);
            return false;
        };
        *lock(&self.taken) = Some(Taken { manifest, saved, _memory: memory });
        true
    }

    /// Writes the snapshot that was taken, if nobody has begun to: the task beside, or closing, which does not wait for that.
    pub(crate) fn keep_taken(&self) {
        let taken = lock(&self.taken).take();
        let Some(taken) = taken else { return };
        match self.snapshots.write(&taken.manifest, &taken.saved) {
            Ok(()) => self.kept.store(taken.manifest.position, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(view = %self.info.name, %error, "no snapshot is kept; it is taken again later");
            }
        }
        self.is_writing.store(false, Ordering::Release);
    }

    /// The position of the newest snapshot up to a position.
    pub(super) fn newest_snapshot(&self, until: u64) -> Option<u64> {
        let plan = plan_hash(&self.info.text, &self.read, &self.circuit);
        let newest = self.snapshots.newest(self.id, &plan, until);
        newest.map(|snapshot| snapshot.manifest.position)
    }

    /// A part of the way to where it was when its newest snapshot up to `wanted` was taken; false if it begins with the first event.
    pub(super) fn resume(&self, state: &mut State, wanted: u64) -> Result<bool, ViewError> {
        if let Start::Before(position) = state.start {
            let plan = plan_hash(&self.info.text, &self.read, &self.circuit);
            let newest = self.snapshots.newest(self.id, &plan, wanted.min(position.saturating_sub(1)));
            state.start = match newest {
                Some(snapshot) if !is_of_journal(&self.store, &snapshot.manifest)? => {
                    self.snapshots
                        .discard(&snapshot.damaged("was made of events that the journal does not have"));
                    Start::Before(snapshot.manifest.position)
                }
                Some(snapshot) => Start::From(Box::new(snapshot), 0),
                None => Start::Anew,
            };
        }
        match state.resume() {
            Err(ViewError::Snapshot(error)) => {
                self.snapshots.discard(&error);
                let before = state.start.position();
                state.forget();
                state.start = Start::Before(before);
                Ok(true)
            }
            Ok(Some(position)) => {
                self.kept.store(position, Ordering::Relaxed);
                Ok(true)
            }
            other => other.map(|_| !matches!(state.start, Start::Anew)),
        }
    }
}

impl Default for Start {
    fn default() -> Start {
        Start::Before(u64::MAX)
    }
}

impl Start {
    /// Of the snapshot that it begins from; else of the first event.
    fn position(&self) -> u64 {
        match self {
            Start::Before(position) => *position,
            Start::From(snapshot, _) => snapshot.manifest.position,
            Start::Anew => 0,
        }
    }
}

impl State {
    /// What it keeps, as of where it is; none before the first event.
    fn taken(
        &self,
        store: &Store,
        view: ViewId,
        plan: [u8; 32],
    ) -> Result<Option<(ViewManifest, Saved)>, ViewError> {
        let (Some(compiled), position) = (&self.compiled, self.position) else { return Ok(None) };
        let Some(last) = block_on(last_recorded(store, position))? else { return Ok(None) };
        let (last, append_time) = (last.position.0, last.append_time.0);
        let mut saved = Saved::default();
        let mut value = Vec::new();
        let mut push = |saved: &mut Saved, key: &[u8], number: i64| {
            value.clear();
            put_i64(&mut value, number);
            saved.push(key, &value);
        };
        for (operator, reason, count) in self.errors.iter() {
            saved.begin(&[b"e", &(operator as u32).to_be_bytes()[..]].concat());
            push(&mut saved, reason.as_bytes(), count);
        }
        compiled.circuit.save(b"o", &mut saved);
        saved.begin(b"r");
        self.rows.freeze().save(&mut saved);
        saved.begin(b"s");
        for (number, source) in compiled.sources.iter().enumerate() {
            push(&mut saved, &(number as u32).to_be_bytes(), source.unfit() as i64);
        }
        let manifest = ViewManifest { view, position, last, append_time, plan };
        Ok(Some((manifest, saved)))
    }

    /// Takes the next blocks of the snapshot that it begins from; whether it was all of them.
    fn load_part(&mut self) -> Result<bool, ViewError> {
        let State { compiled: Some(compiled), start: Start::From(snapshot, done), rows, errors, .. } = self
        else {
            return Ok(true);
        };
        let blocks = *done..snapshot.blocks().min(*done + BLOCKS_TOGETHER);
        if blocks.is_empty() {
            return Ok(true);
        }
        *done = blocks.end;
        let mut entries = Entries { compiled, rows, errors: Arc::make_mut(errors) };
        for block in blocks {
            let mut load = |key: &[u8], value: &[u8]| {
                entries
                    .load(key, value)
                    .map_err(|Damaged| "has an entry that nothing of the view has saved".to_owned())
            };
            snapshot.entries_of(block, &mut load)?;
        }
        let bytes = self.bytes();
        self.memory.set(bytes)?;
        Ok(false)
    }

    /// A part of the way to where its snapshot was taken; the position, once it is there.
    fn resume(&mut self) -> Result<Option<u64>, ViewError> {
        if !self.load_part()? {
            return Ok(None);
        }
        let (Some(compiled), Start::From(snapshot, _)) = (&mut self.compiled, &self.start) else {
            return Ok(None);
        };
        let position = snapshot.manifest.position;
        for source in &mut compiled.sources {
            if !source.resume(position)? {
                return Ok(None);
            }
        }
        compiled.circuit.loaded();
        if self.rows.is_negative() {
            return Err(snapshot.damaged("has rows that went more often than they came").into());
        }
        (self.start, self.position, self.unsaved) = (Start::Anew, position, 0);
        // What it was before is not known, and so not what changed.
        self.recent = self.recent.take().map(|_| Recent::new(position));
        Ok(Some(position))
    }

    /// Whether so much was read since the last snapshot that another one is worth writing.
    fn is_due(&mut self, interval: u64, is_closing: bool) -> bool {
        if self.position == 0 || !is_closing && self.unsaved < self.due_at.max(interval) {
            return false;
        }
        let operators = self.compiled.as_ref().map(|compiled| compiled.circuit.described());
        let of_operators = operators.iter().flatten().filter_map(|operator| operator.keeps);
        let kept = self.rows.rows() + of_operators.map(|(count, _)| count as u64).sum::<u64>();
        if is_closing {
            return schedule::is_due_on_closing(self.unsaved, kept, interval);
        }
        // It is counted again only when there may have been enough.
        self.due_at = schedule::widened(kept, interval);
        self.unsaved >= self.due_at
    }
}

/// Where entries go.
struct Entries<'a> {
    compiled: &'a mut Compiled,
    rows: &'a mut Relation,
    errors: &'a mut Failures,
}

impl Entries<'_> {
    fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damaged> {
        let (section, key) = key.split_first().ok_or(Damaged)?;
        match section {
            b'o' => return self.compiled.circuit.load(key, value),
            b'r' => return self.rows.load(key, value),
            _ => {}
        }
        let (number, rest) = key.split_first_chunk().ok_or(Damaged)?;
        let number = u32::from_be_bytes(*number) as usize;
        let mut value = value;
        let count = take_i64(&mut value).map_err(|_| Damaged)?;
        let is_whole = match section {
            b'e' => {
                let reason = std::str::from_utf8(rest).map_err(|_| Damaged)?;
                self.errors.add_reason(number, reason.to_owned(), count);
                value.is_empty()
            }
            b's' => {
                let source = self.compiled.sources.get_mut(number).ok_or(Damaged)?;
                source.left_out(u64::try_from(count).map_err(|_| Damaged)?);
                value.is_empty() && rest.is_empty()
            }
            _ => false,
        };
        if is_whole { Ok(()) } else { Err(Damaged) }
    }
}
