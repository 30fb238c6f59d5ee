//! Statements about views: queries whose rows are kept up to date.
//!
//! ```text
//! CREATE [OR REPLACE] MATERIALIZED VIEW name ["(" column {"," column} ")"] AS query
//! DROP MATERIALIZED VIEW name
//! ```
//!
//! What the query means is not known here: whoever plans queries checks it, and says which topics it reads.

use recount_types::TopicName;
use sqlparser::tokenizer::Token;

use super::Ident;
use super::error::{ParseError, Problem};
use super::parser::{new_topic_name, topic_name};
use super::tokens::{Tokens, error_at};

const VIEW: &str = "the name of a view";

/// CREATE MATERIALIZED VIEW.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateView {
    /// Its name.
    pub name: TopicName,
    /// It may take the place of one of the same name.
    pub or_replace: bool,
    /// Other names for the columns of the query; empty = the query's own.
    pub columns: Vec<Ident>,
    /// The query, in a text in which every line and column is that of the statement.
    pub query: String,
    /// The topics that the query reads; filled in by whoever plans it, as the next are.
    pub reads: Vec<ViewRead>,
    /// The entities that it reads.
    pub entities: Vec<ViewEntity>,
    /// The views that it reads.
    pub views: Vec<TopicName>,
    /// The statement as written, without its semicolon.
    pub text: String,
}

/// A topic that a view reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewRead {
    /// Its name.
    pub topic: TopicName,
    /// The columns that `*` stands for in the query, for ever.
    pub columns: Vec<String>,
}

/// An entity that a view reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewEntity {
    /// Its name.
    pub entity: TopicName,
    /// This version; the one that answers otherwise.
    pub version: Option<u32>,
    /// The columns that `*` stands for in the query, for ever.
    pub columns: Vec<String>,
}

/// DROP MATERIALIZED VIEW.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropView {
    /// Which view.
    pub name: TopicName,
}

/// What follows CREATE MATERIALIZED.
pub(super) fn create_view(tokens: &mut Tokens<'_>, or_replace: bool) -> Result<CreateView, ParseError> {
    tokens.word("VIEW")?;
    let name = new_topic_name(tokens, VIEW)?;
    let mut columns: Vec<Ident> = Vec::new();
    if tokens.take(&Token::LParen) {
        loop {
            let column = tokens.name("the name of a column")?;
            if columns.iter().any(|known| known.folded == column.folded) {
                let problem = Problem::Duplicate { what: "column", name: column.folded };
                return Err(error_at(column.at, problem));
            }
            columns.push(column);
            if tokens.take(&Token::RParen) {
                break;
            }
            if !tokens.take(&Token::Comma) {
                return Err(tokens.expected("a comma or a closing parenthesis"));
            }
        }
    }
    if !tokens.take_word("AS") {
        return Err(tokens.expected(if columns.is_empty() { "AS, or columns in parentheses" } else { "AS" }));
    }
    if tokens.peek().is_none_or(|token| *token == Token::SemiColon) {
        return Err(tokens.expected("a query"));
    }
    let query = tokens.rest();
    let (reads, entities, views) = (Vec::new(), Vec::new(), Vec::new());
    let text = tokens.text().to_owned();
    Ok(CreateView { name, or_replace, columns, query, reads, entities, views, text })
}

/// What follows DROP MATERIALIZED.
pub(super) fn drop_view(tokens: &mut Tokens<'_>) -> Result<DropView, ParseError> {
    tokens.word("VIEW")?;
    Ok(DropView { name: topic_name(tokens, VIEW)? })
}
