//! Statements: which ones there are, and what to do instead of those that there are not.

use sqlparser::ast::{Insert, Query, Statement as Ast};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::dialect::DIALECT;
use crate::error::QueryError;
use crate::temporal::{self, Cut};
use crate::{tokens, windows};

/// How deeply a statement may be nested.
pub(crate) const DEPTH_MAX: usize = 50;

/// A statement.
#[derive(Debug)]
pub(crate) enum Statement {
    /// SELECT, WITH, VALUES.
    Query(Box<Query>),
    /// EXPLAIN of one.
    Explain(Box<Query>),
    /// INSERT INTO.
    Insert(Box<Insert>),
}

/// Reads one statement, with or without a semicolon behind it, and the clauses of time that were cut out of it.
pub(crate) fn parse(sql: &str) -> Result<(Statement, Vec<Cut>), QueryError> {
    let (tokens, cuts) = temporal::cut(tokens::tokens(sql)?)?;
    let ast = ast(tokens).map_err(|error| with_names(error, &cuts))?;
    let mut statement = allowed(ast)?;
    let expanded = match &mut statement {
        Statement::Query(query) | Statement::Explain(query) => windows::expand(query),
        Statement::Insert(insert) => insert.source.as_deref_mut().map_or(Ok(()), windows::expand),
    };
    expanded.map_err(|error| with_names(error, &cuts))?;
    Ok((statement, cuts))
}

fn ast(tokens: Vec<TokenWithSpan>) -> Result<Ast, QueryError> {
    let mut parser = Parser::new(&DIALECT).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens);
    while parser.consume_token(&Token::SemiColon) {}
    if parser.peek_token_ref().token == Token::EOF {
        return Err(QueryError::Invalid("there is no statement".to_owned()));
    }
    let ast = parser.parse_statement().map_err(QueryError::from_parser)?;
    while parser.consume_token(&Token::SemiColon) {}
    let next = parser.peek_token();
    if next.token != Token::EOF {
        let what =
            format!("found {} after the end of the statement: run one statement at a time", next.token);
        return Err(QueryError::at(next.span.start, what));
    }
    Ok(ast)
}

/// The error, with the names that the statement has.
fn with_names(error: QueryError, cuts: &[Cut]) -> QueryError {
    let renamed = |text: String| {
        cuts.iter()
            .fold(text, |text, cut| text.replace(&format!("\"{}\"", cut.made_up), &cut.name.to_string()))
    };
    match error {
        QueryError::At { line, column, what } => QueryError::At { line, column, what: renamed(what) },
        QueryError::Invalid(what) => QueryError::Invalid(renamed(what)),
        other => other,
    }
}

fn allowed(ast: Ast) -> Result<Statement, QueryError> {
    let refused = |what: &str| Err(QueryError::Invalid(what.to_owned()));
    match ast {
        Ast::Query(query) => Ok(Statement::Query(query)),
        Ast::Explain { statement, analyze: false, .. } => match *statement {
            Ast::Query(query) => Ok(Statement::Explain(query)),
            _ => refused("EXPLAIN explains SELECT, WITH and VALUES"),
        },
        Ast::Explain { .. } => refused("EXPLAIN ANALYZE is not there: use EXPLAIN"),
        Ast::Insert(insert) => Ok(Statement::Insert(Box::new(insert))),
        Ast::Update(_) | Ast::Delete(_) | Ast::Merge(_) | Ast::Truncate(_) => refused(
            "events are never changed or removed: append one that corrects the others, with INSERT INTO topic (…) VALUES (…) or an append",
        ),
        Ast::CreateTable(_) => refused("there are no tables: events live in topics, see CREATE TOPIC"),
        Ast::CreateView(_) => refused("a view is declared alone: CREATE MATERIALIZED VIEW … AS SELECT …"),
        Ast::CreateIndex(_) => refused(
            "there are no indexes to create: KEY, TYPE and TAG of a topic are indexed, see CREATE TOPIC",
        ),
        Ast::Copy { .. } => refused("COPY is not there: use INSERT INTO topic, an append, or recount import"),
        Ast::StartTransaction { .. } | Ast::Commit { .. } | Ast::Rollback { .. } => refused(
            "every statement reads at one position and every INSERT is one append: there are no transactions over several statements",
        ),
        other => {
            let text = other.to_string();
            let words: Vec<&str> = text.split_whitespace().take(2).collect();
            Err(QueryError::Invalid(format!(
                "{} is not a statement here: those are SELECT, WITH, VALUES, EXPLAIN, INSERT INTO topic, SHOW TOPICS, ENTITIES, VIEWS or STOPPED, SET before one of them, CREATE, ALTER and DROP of TOPIC and ENTITY, and CREATE and DROP MATERIALIZED VIEW",
                words.join(" ")
            )))
        }
    }
}
