//! From tokens to statements about entities, by recursive descent.

use recount_types::Position;
use recount_types::number::NUMBER_MAX;
use sqlparser::ast::Expr;
use sqlparser::tokenizer::Token;

use super::check;
use super::{Action, AlterEntity, CreateEntity, DropEntity, Lookup, Rule, SkipEvent, StateColumn};
use crate::ddl::Ident;
use crate::ddl::error::{ParseError, Problem};
use crate::ddl::parser::{column_type, new_topic_name, topic_name};
use crate::ddl::tokens::{Tokens, error_at};

const ENTITY: &str = "the name of an entity";
const COLUMN: &str = "the name of a column";

/// What follows CREATE [OR REPLACE] ENTITY, up to its last rule.
pub(in crate::ddl) fn create_entity(
    tokens: &mut Tokens<'_>,
    or_replace: bool,
) -> Result<CreateEntity, ParseError> {
    tokens.refuse_queries()?;
    let name = new_topic_name(tokens, ENTITY)?;
    tokens.word("FROM")?;
    let topic = tokens.name("the name of a topic")?;
    let alias = alias(tokens)?;
    let key = if tokens.take_word("KEY") { key(tokens)? } else { Vec::new() };
    let order_by_event_time = tokens.take_word("ORDER");
    if order_by_event_time {
        ["BY", "EVENT", "TIME"].into_iter().try_for_each(|word| tokens.word(word))?;
    }
    let mut lookups = Vec::new();
    while tokens.take_word("LOOKUP") {
        lookups.push(lookup(tokens)?);
    }
    if !tokens.take_word("STATE") {
        return Err(tokens.expected(if order_by_event_time || !lookups.is_empty() {
            "LOOKUP or STATE"
        } else if key.is_empty() {
            "KEY, ORDER BY EVENT TIME, LOOKUP or STATE"
        } else {
            "ORDER BY EVENT TIME, LOOKUP or STATE"
        }));
    }
    let state = state(tokens)?;
    let (rules, otherwise) = rules(tokens)?;
    let text = tokens.text().to_owned();
    let create = CreateEntity {
        name,
        or_replace,
        topic,
        alias,
        key,
        order_by_event_time,
        lookups,
        state,
        rules,
        otherwise,
        text,
    };
    check::check(&create)?;
    Ok(create)
}

/// What follows ALTER ENTITY.
pub(in crate::ddl) fn alter_entity(tokens: &mut Tokens<'_>) -> Result<AlterEntity, ParseError> {
    const EVENT: &str = "the position of an event, or its id in single quotes";
    let name = topic_name(tokens, ENTITY)?;
    tokens.word("SKIP")?;
    tokens.word("EVENT")?;
    let at = tokens.location();
    let skip = match tokens.peek() {
        Some(Token::SingleQuotedString(_)) => SkipEvent::Id(tokens.string(EVENT)?),
        _ => SkipEvent::Position(Position(tokens.integer(EVENT)?)),
    };
    match &skip {
        SkipEvent::Position(Position(1..=NUMBER_MAX)) => {}
        SkipEvent::Id(id) if !id.is_empty() => {}
        _ => return Err(error_at(at, Problem::NoEvent)),
    }
    Ok(AlterEntity { name, skip })
}

/// What follows DROP ENTITY.
pub(in crate::ddl) fn drop_entity(tokens: &mut Tokens<'_>) -> Result<DropEntity, ParseError> {
    let name = topic_name(tokens, ENTITY)?;
    if !tokens.take_word("VERSION") {
        return Ok(DropEntity { name, version: None });
    }
    let at = tokens.location();
    let version = tokens.integer("the number of a version")?;
    match u32::try_from(version) {
        Ok(version @ 1..) => Ok(DropEntity { name, version: Some(version) }),
        _ => Err(error_at(at, Problem::Version { found: version })),
    }
}

fn alias(tokens: &mut Tokens<'_>) -> Result<Option<Ident>, ParseError> {
    if !tokens.take_word("AS") {
        let clauses = ["KEY", "ORDER", "LOOKUP", "STATE", "WHEN"];
        let is_clause = |word: &str| clauses.iter().any(|clause| word.eq_ignore_ascii_case(clause));
        let is_name = matches!(tokens.peek(), Some(Token::Word(_)));
        if !is_name || tokens.peek_word().is_some_and(is_clause) {
            return Ok(None);
        }
    }
    tokens.name("another name for the topic").map(Some)
}

fn key(tokens: &mut Tokens<'_>) -> Result<Vec<Expr>, ParseError> {
    let mut key = Vec::new();
    tokens.token(&Token::LParen)?;
    loop {
        key.push(tokens.expr()?);
        if tokens.take(&Token::RParen) {
            return Ok(key);
        }
        if !tokens.take(&Token::Comma) {
            return Err(tokens.expected("a comma or a closing parenthesis"));
        }
    }
}

fn lookup(tokens: &mut Tokens<'_>) -> Result<Lookup, ParseError> {
    let relation = tokens.name("the name of a topic")?;
    tokens.word("AS")?;
    let alias = tokens.name("a name for the row")?;
    tokens.word("ON")?;
    let on = tokens.expr()?;
    if !tokens.take_word("AS") {
        return Err(tokens.expected("AS OF and a time"));
    }
    let at = tokens.location();
    if tokens.take_word("RECORDED") {
        return Err(error_at(at, Problem::AsRecorded));
    }
    tokens.word("OF")?;
    let as_of = tokens.expr()?;
    Ok(Lookup { relation, alias, on, as_of })
}

fn state(tokens: &mut Tokens<'_>) -> Result<Vec<StateColumn>, ParseError> {
    let mut columns = Vec::new();
    tokens.token(&Token::LParen)?;
    loop {
        let name = tokens.name(COLUMN)?;
        let column_type = column_type(tokens)?;
        let nullable = !tokens.take_word("NOT");
        if !nullable {
            tokens.word("NULL")?;
        }
        let mut default = None;
        let at = tokens.location();
        if tokens.take_word("DEFAULT") {
            default = Some(tokens.literal()?);
        }
        let has_default = default.is_some();
        let column = StateColumn { name, column_type, nullable, default };
        check::default(&column, at)?;
        columns.push(column);
        if tokens.take(&Token::RParen) {
            return Ok(columns);
        }
        if !tokens.take(&Token::Comma) {
            return Err(tokens.expected(match (nullable, has_default) {
                (_, true) => "a comma or a closing parenthesis (NOT NULL stands before DEFAULT)",
                (true, false) => "NOT NULL, DEFAULT, a comma or a closing parenthesis",
                (false, false) => "DEFAULT, a comma or a closing parenthesis",
            }));
        }
    }
}

fn rules(tokens: &mut Tokens<'_>) -> Result<(Vec<Rule>, Option<Action>), ParseError> {
    let (mut rules, mut otherwise): (Vec<Rule>, Option<Action>) = (Vec::new(), None);
    loop {
        let at = tokens.location();
        let clause = if tokens.take_word("WHEN") {
            "WHEN"
        } else if !rules.is_empty() && tokens.take_word("ELSE") {
            "ELSE"
        } else if rules.is_empty() {
            return Err(tokens.error(Problem::NoRule { found: tokens.found() }));
        } else {
            return Ok((rules, otherwise));
        };
        if otherwise.is_some() {
            return Err(error_at(at, Problem::AfterElse(clause)));
        }
        if rules.last().is_some_and(|rule| rule.events.is_none() && rule.condition.is_none()) {
            return Err(error_at(at, Problem::Unreachable));
        }
        if clause == "ELSE" {
            otherwise = Some(action(tokens)?);
            continue;
        }
        let (events, condition) = when(tokens)?;
        if !tokens.take_word("THEN") {
            return Err(tokens.expected(match (&events, &condition) {
                (_, Some(_)) => "THEN (all of a condition stands in parentheses)",
                (Some(_), None) => "a comma, AND (condition) or THEN",
                (None, None) => "AND (condition) or THEN",
            }));
        }
        rules.push(Rule { events, condition, action: action(tokens)?, at });
    }
}

/// The events of a rule and its condition.
fn when(tokens: &mut Tokens<'_>) -> Result<(Option<Vec<Ident>>, Option<Expr>), ParseError> {
    if tokens.peek() == Some(&Token::LParen) {
        return Ok((None, Some(in_parentheses(tokens)?)));
    }
    let mut events = None;
    if !tokens.take_word("ANY") {
        let mut names = vec![tokens.name("ANY, the name of an event, or a condition in parentheses")?];
        while tokens.take(&Token::Comma) {
            names.push(tokens.name("the name of an event")?);
        }
        events = Some(names);
    }
    let condition = if tokens.take_word("AND") { Some(in_parentheses(tokens)?) } else { None };
    Ok((events, condition))
}

fn in_parentheses(tokens: &mut Tokens<'_>) -> Result<Expr, ParseError> {
    if !tokens.take(&Token::LParen) {
        return Err(tokens.expected("a condition in parentheses"));
    }
    let expr = tokens.expr()?;
    if !tokens.take(&Token::RParen) {
        return Err(tokens.expected("an operator or a closing parenthesis"));
    }
    Ok(expr)
}

fn action(tokens: &mut Tokens<'_>) -> Result<Action, ParseError> {
    if tokens.take_word("DELETE") {
        Ok(Action::Delete)
    } else if tokens.take_word("IGNORE") {
        Ok(Action::Ignore)
    } else if tokens.take_word("ERROR") {
        tokens.string("what is wrong, in single quotes").map(Action::Error)
    } else if tokens.take_word("SET") {
        let mut columns = Vec::new();
        loop {
            let column = tokens.name(COLUMN)?;
            tokens.token(&Token::Eq)?;
            columns.push((column, tokens.expr()?));
            if !tokens.take(&Token::Comma) {
                return Ok(Action::Set(columns));
            }
        }
    } else {
        Err(tokens.expected("SET, DELETE, IGNORE or ERROR"))
    }
}
