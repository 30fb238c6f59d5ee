//! Why a text is not a statement.

use recount_types::limits::{
    EXPRESSION_DEPTH_MAX, EXPRESSION_TOKENS_MAX, PARTITIONS_MAX, STATEMENT_BYTES_MAX,
};
use sqlparser::tokenizer::Location;

use crate::schema::{BadFormat, ColumnType};

/// What is wrong with a statement, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ParseError {
    /// From 1.
    pub line: u64,
    /// In characters, from 1.
    pub column: u64,
    /// What is wrong there.
    pub problem: Problem,
}

impl ParseError {
    /// An error that whoever binds a statement's expressions found, in the words of `message`.
    pub fn at(location: Location, message: String) -> ParseError {
        let problem = Problem::Other(message);
        ParseError { line: location.line, column: location.column, problem }
    }
}

/// What is wrong with a statement, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It cannot be cut into tokens.
    #[error("{0}")]
    Token(String),
    /// It is longer than any statement may be.
    #[error("the statement has {bytes} bytes, the limit is {STATEMENT_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// An expression that would take too much memory or time to look at.
    #[error(
        "the expression is too large: it may have {EXPRESSION_TOKENS_MAX} words, numbers and signs, nested {EXPRESSION_DEPTH_MAX} levels deep. Split it over several columns"
    )]
    Expression,
    /// A query where only events and state are to be seen.
    #[error(
        "a query cannot stand here: for rows of other relations write LOOKUP, and a name that is such a word in double quotes"
    )]
    Query,
    /// What whoever binds expressions found.
    #[error("{0}")]
    Other(String),
    /// No statement begins so.
    #[error(
        "found {found}; the statements are CREATE, ALTER and DROP TOPIC, CREATE, ALTER and DROP ENTITY, and CREATE and DROP MATERIALIZED VIEW"
    )]
    Statement {
        /// What is there.
        found: String,
    },
    /// A view that is not kept.
    #[error("the rows of a view are kept up to date here: write {verb} MATERIALIZED VIEW")]
    PlainView {
        /// CREATE or DROP.
        verb: &'static str,
    },
    /// Something else belongs there.
    #[error("found {found}, expected {expected}")]
    Expected {
        /// What is there.
        found: String,
        /// What may be there.
        expected: String,
    },
    /// More follows the statement.
    #[error("found {found} after the end of the statement: run one statement at a time")]
    More {
        /// What is there.
        found: String,
    },
    /// Not a name of topics.
    #[error("{0}")]
    Name(#[from] recount_types::name::InvalidName),
    /// The name is the system's.
    #[error("{name:?} is reserved: {why}")]
    Reserved {
        /// The name.
        name: String,
        /// Which names are, and what to do.
        why: &'static str,
    },
    /// A name for two things.
    #[error("{what} {name} is defined twice")]
    Duplicate {
        /// The kind of thing.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Events share a name for two types.
    #[error(
        "column {name} is {here} here and {there} in another event: give it one type, or another name with FROM '{name}'"
    )]
    TwoTypes {
        /// The name.
        name: String,
        /// The type here.
        here: ColumnType,
        /// The type elsewhere.
        there: ColumnType,
    },
    /// A clause is given twice.
    #[error("{0} is given twice")]
    Twice(&'static str),
    /// A clause names no column.
    #[error("{clause} names {name}, which is not a column of every event: there {known}")]
    UnknownColumn {
        /// The clause.
        clause: &'static str,
        /// The name.
        name: String,
        /// The columns that there are, as the end of the sentence.
        known: String,
    },
    /// A clause names a column that it cannot use.
    #[error("{clause} cannot use {name}, which is {column_type}: it must be {must}")]
    UnfitColumn {
        /// The clause.
        clause: &'static str,
        /// The column.
        name: String,
        /// Its type.
        column_type: ColumnType,
        /// What it must be.
        must: &'static str,
    },
    /// A key that may be null.
    #[error("KEY names {name}, which may be null: write NOT NULL behind its type")]
    NullableKey {
        /// The column.
        name: String,
    },
    /// No such type.
    #[error(
        "{found} is not a type; the types are BOOLEAN, SMALLINT, INT, BIGINT, DECIMAL(p,s), DOUBLE, TEXT, DATE, TIMESTAMP, TIMESTAMPTZ and JSON"
    )]
    Type {
        /// What is there.
        found: String,
    },
    /// A type of other systems.
    #[error("{found} is not a type here: write {instead}")]
    OtherType {
        /// What is there.
        found: String,
        /// What to write.
        instead: &'static str,
    },
    /// A DECIMAL of no size.
    #[error(
        "DECIMAL({precision},{scale}) does not exist: the first number is 1 to 38 digits in all, the second how many of them are decimals"
    )]
    DecimalSize {
        /// Digits in all.
        precision: u64,
        /// Decimals.
        scale: u64,
    },
    /// An option that its type has no use for.
    #[error("{option} belongs to {to}, and column {name} is {column_type}")]
    Option {
        /// The option.
        option: &'static str,
        /// The types that have it.
        to: &'static str,
        /// The column.
        name: String,
        /// Its type.
        column_type: ColumnType,
    },
    /// Not a pattern.
    #[error("{0}")]
    Format(#[from] BadFormat),
    /// A pattern that does not say enough, or too much, for its column.
    #[error("{0}")]
    FormatOf(&'static str),
    /// A path with an empty name in it.
    #[error("the path {path:?} has an empty name: write it as 'field' or 'outer.inner'")]
    Path {
        /// The path.
        path: String,
    },
    /// A number of partitions that no topic can have.
    #[error("a topic has 1 to {PARTITIONS_MAX} partitions, not {found}")]
    Partitions {
        /// What is there.
        found: String,
    },
    /// A column that old events have no value for.
    #[error("column {name} is NOT NULL, and events of before have no value for it: add DEFAULT and a value")]
    NoDefault {
        /// The column.
        name: String,
    },
    /// A default only ALTER TOPIC has.
    #[error("DEFAULT belongs to ALTER TOPIC … ADD COLUMN, where events of before lack the column")]
    Default,
    /// A default that is not of the column's type.
    #[error("the default does not fit: {0}")]
    BadDefault(String),
    /// LOOKUP by position.
    #[error(
        "LOOKUP … AS RECORDED is not supported yet: write AS OF and the time to look at, such as AS OF timestamp"
    )]
    AsRecorded,
    /// An alias that means something else.
    #[error("{name} cannot be another name: state, event and param mean something in expressions")]
    Alias {
        /// The alias.
        name: String,
    },
    /// A SET of what is no column.
    #[error("SET names {name}, which is not a column of STATE: there are {known}")]
    NotState {
        /// The name.
        name: String,
        /// The columns that there are.
        known: String,
    },
    /// An entity without rules.
    #[error("found {found}, expected WHEN: an entity needs a rule, such as WHEN ANY THEN SET …")]
    NoRule {
        /// What is there.
        found: String,
    },
    /// A rule behind one that takes every event.
    #[error("nothing after WHEN ANY is ever reached: put it before, or write WHEN ANY AND (condition)")]
    Unreachable,
    /// A column that one SET names twice.
    #[error("SET names {name} twice: every column gets one value, computed from the row as it was")]
    SetTwice {
        /// The column.
        name: String,
    },
    /// An event that one rule names twice.
    #[error("this WHEN names the event {name} twice")]
    EventTwice {
        /// The event.
        name: String,
    },
    /// No position or id.
    #[error("no event has this position or id: positions begin at 1, and an id is not empty")]
    NoEvent,
    /// No number of a version.
    #[error("no entity has a version {found}: they begin at 1")]
    Version {
        /// What is there.
        found: u64,
    },
    /// A rule behind ELSE.
    #[error("ELSE is the last rule, and there is one: put {0} before it")]
    AfterElse(&'static str),
    /// An event type that is too long, or empty.
    #[error("an event type has 1 to {} bytes", recount_types::limits::TYPE_BYTES_MAX)]
    EventType,
    /// A name of tags that is not one.
    #[error("{name:?} cannot name a tag: it is not empty, has no colon and is short")]
    TagName {
        /// The name.
        name: String,
    },
}
