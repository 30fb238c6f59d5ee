//! Statements about entities: the folds of a topic's streams into rows.
//!
//! ```text
//! CREATE [OR REPLACE] ENTITY name FROM topic [[AS] alias] [KEY "(" expr {"," expr} ")"] [ORDER BY EVENT TIME]
//!        {LOOKUP relation AS alias ON expr AS OF expr}
//!        STATE "(" name type [NOT NULL] [DEFAULT literal] {"," …} ")" {rule} [ELSE action]
//! ALTER ENTITY name SKIP EVENT (position | id in quotes)
//! DROP ENTITY name [VERSION number]
//! rule   = WHEN (ANY [AND "(" expr ")"] | event {"," event} [AND "(" expr ")"] | "(" expr ")") THEN action
//! action = SET name "=" expr {"," name "=" expr} | DELETE | IGNORE | ERROR string
//! ```
//!
//! Expressions are sqlparser's, in Postgres' dialect. What names in them mean, and whether types fit, is not known
//! here: the crate that binds them checks it, and says so with [`super::ParseError::at`].

use recount_types::{Position, TopicName};
use sqlparser::ast::Expr;
use sqlparser::tokenizer::Location;

use super::Ident;
use crate::schema::ColumnType;

mod check;
mod parser;

pub(super) use parser::{alter_entity, create_entity, drop_entity};

/// CREATE ENTITY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateEntity {
    /// Its name.
    pub name: TopicName,
    /// OR REPLACE: where there is one of this name, this is its next version.
    pub or_replace: bool,
    /// The topic whose events it folds.
    pub topic: Ident,
    /// Another name for the topic, in expressions.
    pub alias: Option<Ident>,
    /// What groups events into rows; empty = the topic's KEY.
    pub key: Vec<Expr>,
    /// Events are folded in the order of their times, not of their positions.
    pub order_by_event_time: bool,
    /// Rows of other relations that expressions may use.
    pub lookups: Vec<Lookup>,
    /// The columns of a row beside its key.
    pub state: Vec<StateColumn>,
    /// What events do. The first that fits is taken.
    pub rules: Vec<Rule>,
    /// What events do that no rule fits.
    pub otherwise: Option<Action>,
    /// The statement as written, without its semicolon.
    pub text: String,
}

/// A row of another relation, by key and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The relation.
    pub relation: Ident,
    /// The row's name in expressions.
    pub alias: Ident,
    /// Which rows.
    pub on: Expr,
    /// The newest row at this time is taken.
    pub as_of: Expr,
}

/// A column of an entity's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateColumn {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Its value before the first event: a literal, perhaps with a minus sign.
    pub default: Option<Expr>,
}

/// What some events do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The events by their names; `None` = any.
    pub events: Option<Vec<Ident>>,
    /// What must hold besides.
    pub condition: Option<Expr>,
    /// What happens.
    pub action: Action,
    /// Where its WHEN is.
    pub at: Location,
}

/// What an event does to a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Columns get values, all computed from the row as it was.
    Set(Vec<(Ident, Expr)>),
    /// The row goes.
    Delete,
    /// Nothing.
    Ignore,
    /// The event is an error, with this text.
    Error(String),
}

/// ALTER ENTITY … SKIP EVENT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterEntity {
    /// Which entity.
    pub name: TopicName,
    /// The event that it shall not fold.
    pub skip: SkipEvent,
}

/// How SKIP EVENT names an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipEvent {
    /// By its position.
    Position(Position),
    /// By its id.
    Id(String),
}

/// DROP ENTITY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropEntity {
    /// Which entity.
    pub name: TopicName,
    /// Only this version of it.
    pub version: Option<u32>,
}

#[cfg(test)]
mod tests;
