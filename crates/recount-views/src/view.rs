//! Views: queries whose rows are kept up to date by circuits of incremental operators.
//!
//! What a query means is known to whoever plans queries, who is plugged in here as a [`Compiler`].

use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;

use recount_flow::circuit::{Circuit, Input};
use recount_flow::delta::Delta;
use recount_flow::failures::Failures;
use recount_flow::layout::RowLayout;
use recount_flow::relation::Frozen;
use recount_store::catalogue::Catalogue;
use recount_store::ddl::{CreateView, ViewEntity, ViewRead};
use recount_store::{DdlError, Store};
use recount_types::{EntityId, TopicName};

use crate::bind::RowColumn;
use crate::budget::{Budget, Share};
use crate::error::ViewError;
use crate::replica::{Confines, Plan, Replica};
use crate::snapshot::Snapshots;
use crate::views::plan;

mod ahead;
mod all;
mod at;
mod changes;
mod entity;
mod keep;
mod live;
mod recent;

pub use all::{FrozenAll, definition};
pub(crate) use all::{KnownViews, WhatIsRead, views_still_fit};
pub use changes::{BadViewPlace, ViewChange, ViewChanges, ViewPlace, ViewTold};
use entity::Of;
pub use entity::{EntityFeed, RowChange};
pub(crate) use live::LiveView;

/// Plans the queries of views.
pub trait Compiler: Debug + Send + Sync {
    /// The circuit of a view's query. A view that was declared before knows what it read then, and `*` means the same columns for ever.
    fn compile(&self, ground: &Ground, view: &CreateView, declared: bool) -> Result<Compiled, DdlError>;
}

/// What the queries of views are planned on: topics, entities and views as one catalogue has them.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Where events are read.
    pub store: Store,
    /// What there is.
    pub catalogue: Arc<Catalogue>,
    feeds: Feeds,
}

/// An entity that a query reads.
#[derive(Debug, Clone)]
pub struct EntityColumns {
    /// The version.
    pub version: u32,
    /// The columns of its rows: those of the key, then those of the state.
    pub columns: Vec<RowColumn>,
    /// How many of them are the key's.
    pub key_width: usize,
}

/// What rows of entities are read from.
#[derive(Clone)]
pub(crate) struct Feeds {
    pub(crate) seed: u64,
    pub(crate) budget: Arc<Budget>,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) snapshot_events: u64,
}

impl Debug for Feeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feeds").finish_non_exhaustive()
    }
}

impl Ground {
    pub(crate) fn new(store: Store, catalogue: Arc<Catalogue>, feeds: Feeds) -> Ground {
        Ground { store, catalogue, feeds }
    }

    /// An entity, of which the version answers that is asked for, or today's. `None` = there is none of this name.
    pub fn entity(&self, name: &str, version: Option<u32>) -> Result<Option<EntityColumns>, DdlError> {
        let Some((_, version, plan)) = self.plan(name, version)? else { return Ok(None) };
        let (columns, key_width) = (plan.bound.columns.clone(), plan.bound.key.len());
        Ok(Some(EntityColumns { version, columns, key_width }))
    }

    /// Some columns of the rows of an entity as they come and go.
    pub fn feed(&self, name: &str, version: u32, columns: Vec<usize>) -> Result<EntityFeed, DdlError> {
        let found = self.plan(name, Some(version))?;
        let (id, version, plan) =
            found.ok_or_else(|| DdlError::Unknown(format!("there is no entity {name}")))?;
        let Feeds { seed, budget, snapshots, snapshot_events } = &self.feeds;
        let replica = Replica::new(&self.store, plan.clone(), Confines::default(), *seed, budget.share());
        let name =
            TopicName::parse(name).map_err(|_| DdlError::Unknown(format!("there is no entity {name}")))?;
        let (snapshots, interval) = (snapshots.clone(), *snapshot_events);
        let of = Of { id, name, version, plan, columns, snapshots, interval };
        Ok(EntityFeed::new(of, replica, budget.share()))
    }

    fn plan(&self, name: &str, version: Option<u32>) -> Result<Option<(EntityId, u32, Plan)>, DdlError> {
        let found = TopicName::parse(name).ok().and_then(|name| self.catalogue.entity(&name).cloned());
        let Some(entity) = found else { return Ok(None) };
        let version = version.unwrap_or(entity.current);
        let Some(of_version) = entity.versions.get(&version) else {
            return Err(DdlError::Unknown(format!("entity {name} has no version {version}")));
        };
        let plan = plan(&self.catalogue, &entity, of_version).map_err(DdlError::Invalid)?;
        Ok(Some((entity.id, version, plan)))
    }
}

/// A query as a circuit.
#[derive(Debug)]
pub struct Compiled {
    /// Its operators.
    pub circuit: Circuit,
    /// What it reads, by the numbers of the circuit's sources.
    pub sources: Vec<Box<dyn Source>>,
    /// The columns of its result.
    pub columns: Vec<RowColumn>,
    /// How rows of the result are kept, by a key if they have one.
    pub layout: RowLayout,
    /// The topics that it reads itself, each once.
    pub reads: Vec<ViewRead>,
    /// The entities that it reads itself, each version once.
    pub entities: Vec<ViewEntity>,
    /// The views that it reads, each once.
    pub views: Vec<TopicName>,
}

/// The changes of a relation, read from events.
pub trait Source: Debug + Send {
    /// What it reads, in words.
    fn name(&self) -> String;

    /// Where a view goes on from what it saved at a position: comes nearer to where the changes behind it begin; whether it is there.
    fn resume(&mut self, position: u64) -> Result<bool, ViewError>;

    /// Says how many events did not fit up to where it resumes, as far as it does not know that itself.
    fn left_out(&mut self, unfit: u64);

    /// Begins with the changes at positions in (`after`, `until`], which are whole appends.
    fn begin(&mut self, after: u64, until: u64) -> Result<(), ViewError>;

    /// The next of them, stamped with the last position of their append; `None` at the end.
    fn next(&mut self) -> Result<Option<Delta>, ViewError>;

    /// Others that read with it what it has begun with, at most so many: each change then comes from one of them. It is read to the end, and so are
    /// they; then it takes them back.
    fn helpers(&mut self, _most: usize) -> Result<Vec<Box<dyn Source>>, ViewError> {
        Ok(Vec::new())
    }

    /// Takes a helper back that was read to its end.
    fn take_back(&mut self, _helper: Box<dyn Source>) {}

    /// Ends with the changes up to a position; what was read beyond does not count, and comes again.
    fn end(&mut self, until: u64) -> Result<(), ViewError>;

    /// How many keys of an entity stopped, and why one of them did.
    fn stopped(&self) -> Option<(u64, ViewError)> {
        None
    }

    /// Events that do not fit their topic's columns, and were left out up to where it ended.
    fn unfit(&self) -> u64;
}

/// Views without anybody who plans queries: none can be declared.
#[derive(Debug, Clone, Copy)]
pub struct NoCompiler;

impl Compiler for NoCompiler {
    fn compile(&self, _: &Ground, view: &CreateView, _: bool) -> Result<Compiled, DdlError> {
        Err(DdlError::Invalid(format!("view {} needs what plans queries, and nothing here does", view.name)))
    }
}

/// A view as it is known.
#[derive(Debug, Clone)]
pub struct ViewInfo {
    /// Its name.
    pub name: TopicName,
    /// The columns of its rows.
    pub columns: Vec<RowColumn>,
    /// The columns that tell its rows apart, by their numbers; none if that is not known of any.
    pub key: Vec<usize>,
    /// The topics that it reads, itself or through other views.
    pub topics: Vec<TopicName>,
    /// The statement that declares it.
    pub text: String,
}

/// How a view is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ViewStatus {
    /// Everything up to this position is in its rows.
    pub position: u64,
    /// Its rows.
    pub rows: u64,
    /// About the memory that its rows and its operators take.
    pub bytes: usize,
    /// Rows and groups that could not be computed, and are left out.
    pub errors: u64,
    /// Events that do not fit their topic's columns, and are left out.
    pub unfit: u64,
    /// Up to where it need not be read again after a restart.
    pub kept: Option<u64>,
    /// How many positions it comes nearer to the head in a second, if it is behind and that is known.
    pub per_second: Option<u64>,
    /// Why it does not go on.
    pub failed: Option<ViewError>,
}

/// An operator of a view, or what one reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// How many operators are above it.
    pub depth: usize,
    /// What it is.
    pub text: String,
    /// How many of what it keeps.
    pub keeps: Option<(usize, &'static str)>,
    /// About the memory that it takes.
    pub bytes: usize,
}

impl Compiled {
    /// The operators, each above what it reads.
    pub(crate) fn explained(&self) -> Vec<Explained> {
        let operators = self.circuit.described();
        let (mut rows, mut seen) = (Vec::new(), vec![false; operators.len()]);
        let mut open: Vec<(usize, Input)> =
            operators.len().checked_sub(1).map(|last| (0, Input::Operator(last))).into_iter().collect();
        while let Some((depth, input)) = open.pop() {
            let number = match input {
                Input::Source(source) => {
                    let text = self.sources[source].name();
                    rows.push(Explained { depth, text, keeps: None, bytes: 0 });
                    continue;
                }
                Input::Operator(number) => number,
            };
            let of = &operators[number];
            if std::mem::replace(&mut seen[number], true) {
                // It is one operator, which several read.
                let text = format!("{number} {} (the one above)", of.name);
                rows.push(Explained { depth, text, keeps: None, bytes: 0 });
                continue;
            }
            let text = match of.label {
                "" => format!("{number} {}", of.name),
                label => format!("{number} {}: {label}", of.name),
            };
            rows.push(Explained { depth, text, keeps: of.keeps, bytes: of.bytes });
            open.extend(of.inputs.iter().rev().map(|input| (depth + 1, *input)));
        }
        rows
    }
}

impl ViewStatus {
    /// In a word: it is being built, up to date or nearly so, or does not go on.
    pub fn state(&self) -> &'static str {
        match (&self.failed, self.position) {
            (Some(_), _) => "failed",
            (None, 0) => "building",
            (None, _) => "live",
        }
    }
}

/// The rows of a view as they were at one moment, and what is to be said of them.
#[derive(Debug, Clone)]
pub struct ViewRows {
    /// The view.
    pub info: ViewInfo,
    rows: Frozen,
    /// Rows and groups that could not be computed.
    pub errors: u64,
    failures: Arc<Failures>,
    /// Events that do not fit their topic's columns, and are left out.
    pub unfit: u64,
    /// How many keys of entities stopped, and why one of them did: their rows are not there.
    pub stopped: Option<(u64, ViewError)>,
    /// What they alone take; whoever reads them holds it as long as that.
    pub memory: HeldMemory,
}

/// Memory of rows that nothing else keeps; given back with the last copy.
#[derive(Debug, Clone, Default)]
pub struct HeldMemory {
    _share: Option<Arc<Share>>,
}

impl ViewRows {
    /// Why rows and groups could not be computed: where, the reason, and how many.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &str, i64)> {
        self.failures.iter()
    }
}

impl Deref for ViewRows {
    type Target = Frozen;

    fn deref(&self) -> &Frozen {
        &self.rows
    }
}
