//! Views: queries whose rows are kept up to date by circuits of incremental operators.
//!
//! What a query means is known to whoever plans queries, who is plugged in here as a [`Compiler`].

use std::fmt::Debug;
use std::ops::Deref;

use recount_flow::circuit::Circuit;
use recount_flow::codec::RowCodec;
use recount_flow::delta::Delta;
use recount_flow::relation::Frozen;
use recount_store::catalogue::Catalogue;
use recount_store::ddl::{CreateView, ViewRead};
use recount_store::{DdlError, Store};
use recount_types::TopicName;

use crate::bind::RowColumn;
use crate::error::ViewError;

mod all;
mod live;

pub(crate) use all::KnownViews;
pub use all::{FrozenAll, definition};
pub(crate) use live::LiveView;

/// Plans the queries of views.
pub trait Compiler: Debug + Send + Sync {
    /// The circuit of a view's query, over topics as `catalogue` has them. `reads` is what it read when it was declared,
    /// if that is known: `*` means the same columns for ever.
    fn compile(
        &self,
        store: &Store,
        catalogue: &Catalogue,
        view: &CreateView,
        reads: Option<&[ViewRead]>,
    ) -> Result<Compiled, DdlError>;
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
    /// Rows of the result as bytes.
    pub codec: RowCodec,
    /// The topics that it reads itself, each once.
    pub reads: Vec<ViewRead>,
    /// The views that it reads, each once.
    pub views: Vec<TopicName>,
}

/// The changes of a relation, read from events.
pub trait Source: Debug + Send {
    /// Begins with the changes at positions in (`after`, `until`], which are whole appends.
    fn begin(&mut self, after: u64, until: u64) -> Result<(), ViewError>;

    /// The next of them, stamped with the last position of their append; `None` at the end.
    fn next(&mut self) -> Result<Option<Delta>, ViewError>;

    /// Ends with the changes up to a position; what was read beyond does not count.
    fn end(&mut self, until: u64);

    /// Events that do not fit their topic's columns, and were left out up to where it ended.
    fn unfit(&self) -> u64;
}

/// Views without anybody who plans queries: none can be declared.
#[derive(Debug, Clone, Copy)]
pub struct NoCompiler;

impl Compiler for NoCompiler {
    fn compile(
        &self,
        _: &Store,
        _: &Catalogue,
        view: &CreateView,
        _: Option<&[ViewRead]>,
    ) -> Result<Compiled, DdlError> {
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
    /// How many positions it comes nearer to the head in a second, if it is behind and that is known.
    pub per_second: Option<u64>,
    /// Why it does not go on.
    pub failed: Option<ViewError>,
}

/// The rows of a view as they were at one moment, and what is to be said of them.
#[derive(Debug, Clone)]
pub struct ViewRows {
    /// The view.
    pub info: ViewInfo,
    rows: Frozen,
    /// Rows and groups that could not be computed.
    pub errors: u64,
    /// Why one of them could not.
    pub reason: Option<String>,
    /// Events that do not fit their topic's columns, and are left out.
    pub unfit: u64,
}

impl Deref for ViewRows {
    type Target = Frozen;

    fn deref(&self) -> &Frozen {
        &self.rows
    }
}
