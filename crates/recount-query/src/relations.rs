//! Relations that are not topics: entities and views. Whoever keeps them plugs them in here.

use std::fmt::Debug;

use datafusion::arrow::array::ArrayRef;
use recount_store::ddl::CreateView;
use recount_store::schema::ColumnType;
use recount_types::{Column, Position, Value};
use recount_views::bind::RowColumn;

use crate::error::QueryError;
use crate::moment::Moment;
use crate::settings::Stopped;

/// What there is beside topics. Names are folded; topics and relations share one set of names.
pub trait Relations: Send + Sync + Debug {
    /// The names of all relations, for errors.
    fn names(&self) -> Vec<String>;

    /// What a relation is like. `None` = there is none of this name; an error says what is wrong with the version
    /// or the periods that are asked for.
    fn describe(
        &self,
        name: &str,
        version: Option<u32>,
        periods: Periods,
    ) -> Result<Option<Described>, QueryError>;

    /// The statement that declares the view that a name is of, which can be computed as of any moment, and what of the view it names; `None` = it
    /// is something else.
    fn definition(&self, name: &str) -> Result<Option<(CreateView, OfView)>, QueryError> {
        let _ = name;
        Ok(None)
    }

    /// Takes relations of these names and versions as they are at one and the same position, `at_least` or a later
    /// one; that is the position at which the statement reads everything. May take long; called on a thread that
    /// may block.
    fn pin(
        &self,
        wanted: &[(String, Option<u32>)],
        at_least: Position,
    ) -> Result<(Position, Box<dyn Pinned>), QueryError>;
}

/// The relations of a statement as they were taken.
pub trait Pinned: Send + Sync {
    /// What a statement wants of one of them, at the position of the pin or at another moment. May take long.
    fn rows(&self, wanted: &Wanted) -> Result<Box<dyn Rows>, QueryError>;

    /// Says that no more rows will be asked for: what is still being made for [`Pinned::rows`] may be broken off.
    fn abandon(&self) {}

    /// How those rows are come by, for EXPLAIN.
    fn how(&self, wanted: &Wanted) -> Result<String, QueryError>;
}

/// Over which axes the versions of rows are asked for, instead of the rows at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Periods {
    /// `FOR SYSTEM_TIME FROM … | BETWEEN … | ALL`.
    pub system: bool,
    /// `FOR VALID_TIME FROM … | BETWEEN … | ALL`.
    pub valid: bool,
    /// `FOR VALID_TIME AS OF EACH …`: the rows at many times.
    pub each: bool,
}

/// What a name shows of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfView {
    /// Its rows.
    Rows,
    /// What could not be computed: by the operator, as EXPLAIN MATERIALIZED VIEW numbers them, and the reason.
    Errors,
}

impl OfView {
    /// The columns of what could not be computed.
    pub(crate) fn error_columns() -> Vec<DescribedColumn> {
        let column = |(name, column_type): (&str, ColumnType)| DescribedColumn {
            name: name.to_owned(),
            column_type,
            nullable: false,
            hidden: false,
        };
        let columns =
            [("operator", ColumnType::BigInt), ("reason", ColumnType::Text), ("count", ColumnType::BigInt)];
        columns.map(column).to_vec()
    }
}

/// What a relation is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Which of its definitions this is, if it has several; from here on that one is meant.
    pub version: Option<u32>,
    /// Its columns.
    pub columns: Vec<DescribedColumn>,
    /// Names of the columns that tell its rows apart: an equality with each of them is handed to
    /// [`Pinned::rows`].
    pub key: Vec<String>,
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Not part of `*`, such as `_position`.
    pub hidden: bool,
}

impl DescribedColumn {
    /// A column of `*`.
    pub(crate) fn of(column: &RowColumn) -> DescribedColumn {
        DescribedColumn {
            name: column.name.clone(),
            column_type: column.column_type,
            nullable: column.nullable,
            hidden: false,
        }
    }
}

/// What a statement wants of a relation.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Which of its definitions; `None` = today's.
    pub version: Option<u32>,
    /// As of when.
    pub moment: Moment,
    /// All columns as they were when the statement was planned, where it matters that they still are.
    pub types: Option<Vec<(String, ColumnType)>>,
    /// The columns that are read, as places in [`Described::columns`]; none if rows are only counted.
    pub columns: Vec<usize>,
    /// Only rows whose columns of the key have these values, in the key's order. Others may be given: they are
    /// filtered again.
    pub key: Option<Vec<Value<'static>>>,
    /// What to do about rows that stand still, because something went wrong with them.
    pub stopped: Stopped,
}

/// Some rows: of each wanted column as many values.
#[derive(Debug)]
pub enum Given {
    /// As columns of the store.
    Columns(Vec<Column>),
    /// As arrays of the types that the columns have.
    Arrays(Vec<ArrayRef>),
    /// So many, of which no column is wanted.
    Counted(usize),
}

/// The rows of a relation. Dropped when nobody wants more.
pub trait Rows: Send {
    /// The next rows. `None` at the end.
    fn next(&mut self) -> Result<Option<Given>, QueryError>;

    /// What should be known about them. Asked before the first of them comes, and after the last.
    fn notices(&self) -> Vec<String> {
        Vec::new()
    }
}

/// No relations but topics.
#[derive(Debug, Clone, Copy)]
pub struct NoRelations;

impl Relations for NoRelations {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn describe(&self, _: &str, _: Option<u32>, _: Periods) -> Result<Option<Described>, QueryError> {
        Ok(None)
    }

    fn pin(
        &self,
        _: &[(String, Option<u32>)],
        at_least: Position,
    ) -> Result<(Position, Box<dyn Pinned>), QueryError> {
        Ok((at_least, Box::new(NoRelations)))
    }
}

impl Pinned for NoRelations {
    fn rows(&self, wanted: &Wanted) -> Result<Box<dyn Rows>, QueryError> {
        Err(QueryError::NotFound(format!("there is no relation {}", wanted.name)))
    }

    fn how(&self, wanted: &Wanted) -> Result<String, QueryError> {
        self.rows(wanted).map(|_| String::new())
    }
}
