//! Statements that define topics, entities and views, from their text.
//!
//! ```text
//! CREATE TOPIC name ["(" column {"," column} ")"] {event | clause}
//! ALTER TOPIC name ADD [COLUMN] column [DEFAULT literal]
//! ALTER TOPIC name ALTER [COLUMN] name TYPE type                       -- to a wider one
//! DROP TOPIC name
//! column = name type {NOT NULL | FROM string | UNIT (SECONDS|MILLIS|MICROS|NANOS) | FORMAT string}
//! event  = EVENT name [AS string] ["(" column {"," column} ")"]
//! clause = KEY "(" name {"," name} ")" | TYPE "(" name ")" | TIMESTAMP BY name | TAG name "(" name ")"
//!        | PARTITIONS number | ON ERROR (REFUSE|KEEP)
//! ```
//!
//! Those about entities are in `entity.rs`, those about views in `view.rs`.
//!
//! Names fold as in Postgres; the field of a column is the name as written. Tokens are sqlparser's. What a
//! definition must fulfil by itself is checked here; what depends on the topics that exist, in the catalogue.

use recount_types::TopicName;
use sqlparser::tokenizer::Location;

use crate::schema::{Column, ColumnType, TopicDefinition};
use crate::store::Defined;

mod check;
mod entity;
mod error;
mod expression;
mod parser;
mod tokens;
mod view;

pub use entity::{Action, AlterEntity, CreateEntity, DropEntity, Lookup, Rule, SkipEvent, StateColumn};
pub use error::{ParseError, Problem};
pub use view::{CreateView, DropView, ViewEntity, ViewRead};

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// CREATE TOPIC.
    CreateTopic(TopicDefinition),
    /// ALTER TOPIC.
    AlterTopic(AlterTopic),
    /// DROP TOPIC.
    DropTopic(TopicName),
    /// CREATE ENTITY.
    CreateEntity(Box<CreateEntity>),
    /// ALTER ENTITY.
    AlterEntity(AlterEntity),
    /// DROP ENTITY.
    DropEntity(DropEntity),
    /// CREATE MATERIALIZED VIEW.
    CreateView(Box<CreateView>),
    /// DROP MATERIALIZED VIEW.
    DropView(DropView),
}

/// A name as written, and as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// Folded to lower case, unless it was quoted.
    pub folded: String,
    /// As written, without quotes.
    pub written: String,
    /// Where it is.
    pub at: Location,
}

/// ALTER TOPIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTopic {
    /// Which.
    pub name: TopicName,
    /// What changes.
    pub alteration: Alteration,
}

/// What ALTER TOPIC changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alteration {
    /// A column more, nullable or with a default. Events of before stay as they are.
    AddColumn(Column),
    /// A column gets a type that has every value of its present one.
    WidenColumn {
        /// Its name.
        column: String,
        /// Its new type.
        column_type: ColumnType,
    },
}

impl Statement {
    /// The words that it begins with.
    pub fn name(&self) -> &'static str {
        match self {
            Statement::CreateTopic(_) => "CREATE TOPIC",
            Statement::AlterTopic(_) => "ALTER TOPIC",
            Statement::DropTopic(_) => "DROP TOPIC",
            Statement::CreateEntity(_) => "CREATE ENTITY",
            Statement::AlterEntity(_) => "ALTER ENTITY",
            Statement::DropEntity(_) => "DROP ENTITY",
            Statement::CreateView(_) => "CREATE MATERIALIZED VIEW",
            Statement::DropView(_) => "DROP MATERIALIZED VIEW",
        }
    }

    /// What it is about.
    pub(crate) fn defines(&self) -> Defined {
        match self {
            Statement::CreateTopic(_) | Statement::AlterTopic(_) | Statement::DropTopic(_) => Defined::Topic,
            Statement::CreateEntity(_) | Statement::AlterEntity(_) | Statement::DropEntity(_) => {
                Defined::Entity
            }
            Statement::CreateView(_) | Statement::DropView(_) => Defined::View,
        }
    }
}

/// Reads one statement, with or without a semicolon after it.
pub fn parse(sql: &str) -> Result<Statement, ParseError> {
    parser::statement(&mut tokens::Tokens::new(sql, &expression::Expressions::default())?)
}

#[cfg(test)]
mod tests;
