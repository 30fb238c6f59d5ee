//! Why a statement was refused or failed.

use datafusion::error::DataFusionError;
use recount_store::{AppendError, DdlError, ReadError};
use recount_types::{Kind, Position};
use recount_views::ViewError;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::Location;

/// Why a statement was refused or failed. A statement that fails has stored nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// The text is wrong at a place.
    #[error("line {line}, column {column}: {what}")]
    At {
        /// From 1.
        line: u64,
        /// In characters, from 1.
        column: u64,
        /// What is wrong there, and what to do.
        what: String,
    },
    /// The statement is wrong.
    #[error("{0}")]
    Invalid(String),
    /// It names something that does not exist.
    #[error("{0}")]
    NotFound(String),
    /// It asks for a position that is not there in time.
    #[error(
        "the database is at position {head}, and {wanted} did not come within {seconds} s: ask again later"
    )]
    Behind {
        /// The position that was to be waited for.
        wanted: Position,
        /// The newest one.
        head: Position,
        /// How long it waited.
        seconds: u64,
    },
    /// It needs more memory than it may take.
    #[error(
        "the statement needs more memory than the {} MiB that all statements share: narrow it, or serve with more --query-memory",
        limit >> 20
    )]
    Memory {
        /// How much there is, bytes.
        limit: usize,
    },
    /// A read failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The append of an INSERT was refused.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A definition was refused or failed.
    #[error(transparent)]
    Ddl(#[from] DdlError),
    /// An entity cannot be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// What it reads was replaced while it was planned: it is to be planned again.
    #[error("{0}")]
    Replaced(String),
    /// It failed while it ran.
    #[error("{0}")]
    Failed(String),
}

impl QueryError {
    /// What it asks of the caller.
    pub fn kind(&self) -> Kind {
        match self {
            QueryError::At { .. } | QueryError::Invalid(_) | QueryError::Failed(_) => Kind::Invalid,
            QueryError::Replaced(_) => Kind::Conflict,
            QueryError::NotFound(_) => Kind::NotFound,
            QueryError::Behind { .. } | QueryError::Memory { .. } => Kind::Busy,
            QueryError::Read(error) => error.kind(),
            QueryError::Append(error) => error.kind(),
            QueryError::Ddl(error) => error.kind(),
            QueryError::View(error) => error.kind(),
        }
    }

    pub(crate) fn at(at: Location, what: impl Into<String>) -> QueryError {
        QueryError::At { line: at.line, column: at.column, what: what.into() }
    }

    /// What the parser says, with the place in front.
    pub(crate) fn from_parser(error: ParserError) -> QueryError {
        let text = match error {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
            ParserError::RecursionLimitExceeded => {
                return QueryError::Invalid(
                    "the statement is nested too deeply: write it flatter".to_owned(),
                );
            }
        };
        let place = text.rsplit_once(" at Line: ").and_then(|(what, place)| {
            let (line, column) = place.split_once(", Column: ")?;
            let at = Location::new(line.parse().ok()?, column.parse().ok()?);
            Some(QueryError::at(at, lower_first(what)))
        });
        place.unwrap_or_else(|| QueryError::Invalid(lower_first(&text)))
    }

    /// What DataFusion says, in our words where they are ours.
    pub(crate) fn from_datafusion(error: DataFusionError, memory_limit: usize) -> QueryError {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => QueryError::Memory { limit: memory_limit },
            DataFusionError::External(inner) => match inner.downcast_ref::<QueryError>() {
                Some(ours) => ours.clone(),
                None => QueryError::Failed(inner.to_string()),
            },
            DataFusionError::Execution(text) | DataFusionError::Plan(text) if text.contains(COERCION) => {
                let ours = text.rsplit_once(COERCION).map_or("", |(_, ours)| ours);
                QueryError::Invalid(ours.split(". No function matches").next().unwrap_or(ours).to_owned())
            }
            DataFusionError::Execution(text) => QueryError::Failed(text.clone()),
            DataFusionError::Plan(text) => QueryError::Invalid(lower_first(text)),
            DataFusionError::NotImplemented(text) if text.contains("ScalarSubquery") => QueryError::Invalid(
                "a subquery is not supported in this place: put it into FROM or WITH".to_owned(),
            ),
            DataFusionError::NotImplemented(text)
                if text.contains("InSubquery(") || text.contains("Exists(") =>
            {
                let what =
                    "IN (SELECT …) and EXISTS are conditions of WHERE: in this place, join what is selected";
                QueryError::Invalid(what.to_owned())
            }
            DataFusionError::NotImplemented(text) => {
                QueryError::Invalid(format!("not supported: {}", lower_first(text)))
            }
            DataFusionError::SQL(inner, _) => QueryError::from_parser((**inner).clone()),
            DataFusionError::ArrowError(inner, _) => QueryError::Failed(inner.to_string()),
            other => QueryError::Invalid(lower_first(&other.strip_backtrace())),
        }
    }
}

/// Behind this is what a function of ours says of its arguments.
const COERCION: &str = "coercion failed with: Error during planning: ";

/// One of ours on its way through DataFusion.
impl From<QueryError> for DataFusionError {
    fn from(error: QueryError) -> DataFusionError {
        DataFusionError::External(Box::new(error))
    }
}

/// Error texts begin small.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let second_is_small = text.chars().nth(1).is_some_and(char::is_lowercase);
    match chars.next() {
        Some(first) if second_is_small => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}
