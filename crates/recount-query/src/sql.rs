//! Every statement: definitions go to whoever keeps entities and views, SHOW is answered here, the engine runs the rest.

use std::sync::Arc;

use recount_store::{Executed, Store};
use recount_views::Views;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use crate::answer::Answer;
use crate::engine::{Engine, blocking};
use crate::error::QueryError;
use crate::kept::Kept;
use crate::names::folded;
use crate::settings::{SessionSettings, Settings};
use crate::show;
use crate::tokens;

/// Runs statements on a database. Wants to be called within a Tokio runtime.
#[derive(Debug)]
pub struct Sql {
    store: Store,
    views: Views,
    engine: Engine,
}

/// What a statement did.
#[derive(Debug)]
pub enum Outcome {
    /// It defined something.
    Executed(Executed),
    /// It has rows for an answer.
    Rows(Answer),
}

/// Who runs a statement.
enum Route {
    Definition,
    Show(show::What),
    Query,
}

impl Sql {
    /// Statements on the topics of a store, and on the entities and views of `views`.
    pub fn new(store: Store, views: Views, settings: Settings) -> Result<Sql, QueryError> {
        let kept = Arc::new(Kept::new(views.clone()));
        let engine = Engine::new(store.clone(), kept, settings)?;
        Ok(Sql { store, views, engine })
    }

    /// Runs one statement, behind any SET statements, which hold for it.
    pub async fn run(&self, sql: &str, session: &SessionSettings) -> Result<Outcome, QueryError> {
        let mut session = session.clone();
        let Some(sql) = session.take_sets(sql)? else {
            let what = "a setting holds for the statement behind it: SET stopped = 'skip'; SELECT …";
            return Err(QueryError::Invalid(what.to_owned()));
        };
        let (sql, session) = (&*sql, &session);
        let route = route(sql)?;
        if !matches!(route, Route::Query) {
            if session.position.is_some() {
                let what = "a position is for queries: definitions and SHOW are of now";
                return Err(QueryError::Invalid(what.to_owned()));
            }
            self.engine.wait_for(session).await?;
        }
        match route {
            Route::Definition => {
                let (views, sql) = (self.views.clone(), sql.to_owned());
                Ok(Outcome::Executed(blocking(move || views.execute(&sql)).await??))
            }
            Route::Show(what) => {
                let (store, views) = (self.store.clone(), self.views.clone());
                let (fields, columns) = blocking(move || show::rows(what, &store, &views)).await??;
                Ok(Outcome::Rows(self.engine.given(fields, columns, self.store.head())?))
            }
            Route::Query => Ok(Outcome::Rows(self.engine.query(sql, session).await?)),
        }
    }
}

fn route(sql: &str) -> Result<Route, QueryError> {
    let tokens = tokens::tokens(sql)?;
    let words: Vec<String> = tokens
        .iter()
        .filter(|token| !tokens::is_space(&token.token))
        .take(4)
        .map(|token| tokens::word(&token.token).unwrap_or_default().to_ascii_uppercase())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(match words.as_slice() {
        ["CREATE" | "ALTER" | "DROP", "TOPIC" | "ENTITY" | "MATERIALIZED" | "VIEW", ..] => Route::Definition,
        ["CREATE", "OR", "REPLACE", "ENTITY" | "TOPIC" | "MATERIALIZED" | "VIEW"] => Route::Definition,
        ["SHOW", what @ ..] => Route::Show(show::What::parse(what)?),
        ["EXPLAIN", "MATERIALIZED", "VIEW", ..] => Route::Show(show::What::View(explained(&tokens)?)),
        _ => Route::Query,
    })
}

/// The view that EXPLAIN MATERIALIZED VIEW names.
fn explained(tokens: &[TokenWithSpan]) -> Result<String, QueryError> {
    let mut rest = tokens.iter().filter(|token| !tokens::is_space(&token.token)).skip(3);
    let name = match rest.next().map(|token| &token.token) {
        Some(Token::Word(word)) => folded(&word.to_ident(Span::empty())),
        _ => {
            return Err(QueryError::Invalid("EXPLAIN MATERIALIZED VIEW explains a view: name it".to_owned()));
        }
    };
    match rest.find(|token| token.token != Token::SemiColon) {
        Some(other) => Err(QueryError::at(
            other.span.start,
            format!("found {} behind the name of a view, where the statement ends", other.token),
        )),
        None => Ok(name),
    }
}
