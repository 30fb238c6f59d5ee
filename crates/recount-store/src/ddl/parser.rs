//! From tokens to statements, by recursive descent.

use recount_types::TopicName;
use recount_types::limits::{PARTITIONS_MAX, TYPE_BYTES_MAX};
use sqlparser::ast::{Expr, Value};
use sqlparser::tokenizer::{Location, Token};

use super::check::{self, Declared};
use super::error::{ParseError, Problem};
use super::tokens::{Tokens, error_at};
use super::{AlterTopic, Alteration, Ident, Statement, entity, view};
use crate::json;
use crate::schema::{
    Column, ColumnType, EventDefinition, OnError, TagDefinition, TimeFormat, TimeUnit, TopicDefinition,
};

const CLAUSES: &str = "EVENT, KEY, TYPE, TIMESTAMP BY, TAG, PARTITIONS, ON ERROR or the end";
const TOPIC: &str = "the name of a topic";

pub(super) fn statement(tokens: &mut Tokens<'_>) -> Result<Statement, ParseError> {
    let verb = ["CREATE", "ALTER", "DROP"].into_iter().find(|verb| tokens.take_word(verb));
    let Some(verb) = verb else {
        return Err(tokens.error(Problem::Statement { found: tokens.found() }));
    };
    let or_replace = verb == "CREATE" && tokens.take_word("OR");
    if or_replace {
        tokens.word("REPLACE")?;
    }
    let (statement, expected) = if tokens.take_word("ENTITY") {
        match verb {
            "CREATE" => {
                let create = entity::create_entity(tokens, or_replace)?;
                let expected = if create.otherwise.is_some() { "the end" } else { "WHEN, ELSE or the end" };
                (Statement::CreateEntity(Box::new(create)), expected)
            }
            "ALTER" => (Statement::AlterEntity(entity::alter_entity(tokens)?), "the end"),
            _ => {
                let drop = entity::drop_entity(tokens)?;
                let expected = if drop.version.is_some() { "the end" } else { "VERSION or the end" };
                (Statement::DropEntity(drop), expected)
            }
        }
    } else if !or_replace && tokens.take_word("TOPIC") {
        match verb {
            "CREATE" => (Statement::CreateTopic(create_topic(tokens)?), CLAUSES),
            "ALTER" => (Statement::AlterTopic(alter_topic(tokens)?), "the end"),
            _ => (Statement::DropTopic(topic_name(tokens, TOPIC)?), "the end"),
        }
    } else if verb != "ALTER" && tokens.take_word("MATERIALIZED") {
        match verb {
            "CREATE" => (Statement::CreateView(Box::new(view::create_view(tokens, or_replace)?)), "the end"),
            _ => (Statement::DropView(view::drop_view(tokens)?), "the end"),
        }
    } else if !or_replace && verb != "ALTER" && tokens.peek_word().is_some_and(is_view) {
        return Err(tokens.error(Problem::PlainView { verb }));
    } else if or_replace {
        return Err(tokens.expected("ENTITY or MATERIALIZED VIEW"));
    } else {
        return Err(tokens.error(Problem::Statement { found: tokens.found() }));
    };
    if tokens.take(&Token::SemiColon) {
        return match tokens.peek() {
            None => Ok(statement),
            Some(_) => Err(tokens.error(Problem::More { found: tokens.found() })),
        };
    }
    if tokens.peek().is_some() { Err(tokens.expected(expected)) } else { Ok(statement) }
}

fn is_view(word: &str) -> bool {
    word.eq_ignore_ascii_case("VIEW")
}

fn create_topic(tokens: &mut Tokens<'_>) -> Result<TopicDefinition, ParseError> {
    let name = new_topic_name(tokens, TOPIC)?;
    let mut definition = TopicDefinition::untyped(name);
    let mut declared = Declared::default();
    if tokens.peek() == Some(&Token::LParen) {
        definition.columns = columns(tokens, &mut declared, None)?;
    }
    let mut seen: Vec<&'static str> = Vec::new();
    loop {
        let at = tokens.location();
        let mut once = |clause: &'static str| {
            if seen.contains(&clause) {
                return Err(error_at(at, Problem::Twice(clause)));
            }
            seen.push(clause);
            Ok(())
        };
        if tokens.take_word("EVENT") {
            definition.events.push(event(tokens, &mut declared)?);
        } else if tokens.take_word("KEY") {
            once("KEY")?;
            declared.key = names(tokens)?;
        } else if tokens.take_word("TYPE") {
            once("TYPE")?;
            declared.type_by = Some(name_in_parentheses(tokens)?);
        } else if tokens.take_word("TIMESTAMP") {
            tokens.word("BY")?;
            once("TIMESTAMP BY")?;
            let bare = tokens.peek() != Some(&Token::LParen);
            let name = if bare { tokens.name("the name of a column")? } else { name_in_parentheses(tokens)? };
            declared.timestamp_by = Some(name);
        } else if tokens.take_word("TAG") {
            let tag = tokens.name("the name of a tag")?;
            declared.tags.push((tag, name_in_parentheses(tokens)?));
        } else if tokens.take_word("PARTITIONS") {
            once("PARTITIONS")?;
            definition.partitions = partitions(tokens)?;
        } else if tokens.take_word("ON") {
            tokens.word("ERROR")?;
            once("ON ERROR")?;
            definition.on_error = on_error(tokens)?;
        } else {
            break;
        }
    }
    check::check(&definition, &declared)?;
    definition.key = declared.key.into_iter().map(|name| name.folded).collect();
    definition.type_by = declared.type_by.map(|name| name.folded);
    definition.timestamp_by = declared.timestamp_by.map(|name| name.folded);
    let tags = declared.tags.into_iter();
    definition.tags =
        tags.map(|(tag, column)| TagDefinition { name: tag.folded, column: column.folded }).collect();
    Ok(definition)
}

fn alter_topic(tokens: &mut Tokens<'_>) -> Result<AlterTopic, ParseError> {
    let name = topic_name(tokens, TOPIC)?;
    if tokens.take_word("ALTER") {
        tokens.take_word("COLUMN");
        let column = tokens.name("the name of a column")?.folded;
        tokens.word("TYPE")?;
        let column_type = column_type(tokens)?;
        return Ok(AlterTopic { name, alteration: Alteration::WidenColumn { column, column_type } });
    }
    if !tokens.take_word("ADD") {
        return Err(tokens.expected("ADD COLUMN or ALTER COLUMN"));
    }
    tokens.take_word("COLUMN");
    let at = tokens.location();
    let mut column = column(tokens)?;
    if tokens.take_word("DEFAULT") {
        let at = tokens.location();
        let literal = literal_json(&tokens.literal()?);
        json::check_default(&column, &literal)
            .map_err(|error| error_at(at, Problem::BadDefault(error.to_string())))?;
        column.default = (literal != "null").then_some(literal);
    }
    if !column.nullable && column.default.is_none() {
        return Err(error_at(at, Problem::NoDefault { name: column.name }));
    }
    Ok(AlterTopic { name, alteration: Alteration::AddColumn(column) })
}

/// The name of a topic, or of what shares its names: `what` says which.
pub(super) fn topic_name(tokens: &mut Tokens<'_>, what: &str) -> Result<TopicName, ParseError> {
    let name = tokens.name(what)?;
    if matches!(tokens.peek(), Some(Token::Period | Token::Minus)) {
        return Err(
            tokens.expected("a name of letters, digits and underscores, or any name in double quotes")
        );
    }
    TopicName::parse(&name.folded).map_err(|error| error_at(name.at, error))
}

/// A name that users may give.
pub(super) fn new_topic_name(tokens: &mut Tokens<'_>, what: &str) -> Result<TopicName, ParseError> {
    let at = tokens.location();
    let name = topic_name(tokens, what)?;
    let why = match name.as_str() {
        text if text.starts_with('_') => "names that begin with an underscore are the system's",
        text if text.ends_with("_errors") => {
            "names that end in _errors show the errors of another topic or view"
        }
        _ => return Ok(name),
    };
    Err(error_at(at, Problem::Reserved { name: name.to_string(), why }))
}

fn event(tokens: &mut Tokens<'_>, declared: &mut Declared) -> Result<EventDefinition, ParseError> {
    let name = tokens.name("the name of an event")?;
    let mut type_name = name.written.clone();
    if tokens.take_word("AS") {
        let at = tokens.location();
        type_name = tokens.string("the event's type in single quotes")?;
        if !(1..=TYPE_BYTES_MAX).contains(&type_name.len()) {
            return Err(error_at(at, Problem::EventType));
        }
    }
    let event_number = declared.events.len();
    declared.events.push(name.clone());
    let columns = match tokens.peek() {
        Some(Token::LParen) => columns(tokens, declared, Some(event_number))?,
        _ => Vec::new(),
    };
    Ok(EventDefinition { name: name.folded, type_name, columns })
}

/// Columns in parentheses, of the topic or of its event number `event`.
fn columns(
    tokens: &mut Tokens<'_>,
    declared: &mut Declared,
    event: Option<usize>,
) -> Result<Vec<Column>, ParseError> {
    let mut columns = Vec::new();
    tokens.token(&Token::LParen)?;
    loop {
        declared.columns.push((event, tokens.location()));
        columns.push(column(tokens)?);
        if tokens.peek_word().is_some_and(|word| word.eq_ignore_ascii_case("DEFAULT")) {
            return Err(tokens.error(Problem::Default));
        }
        if tokens.take(&Token::RParen) {
            return Ok(columns);
        }
        if !tokens.take(&Token::Comma) {
            return Err(tokens.expected("NOT NULL, FROM, UNIT, FORMAT, a comma or a closing parenthesis"));
        }
    }
}

fn column(tokens: &mut Tokens<'_>) -> Result<Column, ParseError> {
    let name = tokens.name("the name of a column")?;
    if name.folded.starts_with('_') {
        let why =
            "columns that begin with an underscore are the system's; use another name, with FROM 'the field'";
        return Err(error_at(name.at, Problem::Reserved { name: name.folded, why }));
    }
    let column_type = column_type(tokens)?;
    let (mut path, mut unit, mut format, mut nullable) = (None, None, None, true);
    loop {
        let at = tokens.location();
        let again =
            |given: bool, option| if given { Err(error_at(at, Problem::Twice(option))) } else { Ok(()) };
        if tokens.take_word("NOT") {
            tokens.word("NULL")?;
            again(!nullable, "NOT NULL")?;
            nullable = false;
        } else if tokens.take_word("FROM") {
            again(path.is_some(), "FROM")?;
            path = Some(field_path(tokens)?);
        } else if tokens.take_word("UNIT") {
            again(unit.is_some(), "UNIT")?;
            unit = Some(time_unit(tokens)?);
        } else if tokens.take_word("FORMAT") {
            again(format.is_some(), "FORMAT")?;
            let at = tokens.location();
            let pattern = tokens.string("a pattern in single quotes, as 'YYYY-MM-DD'")?;
            format = Some(TimeFormat::parse(&pattern).map_err(|error| error_at(at, error))?);
        } else {
            break;
        }
    }
    let path = path.unwrap_or_else(|| vec![name.written.clone()]);
    let column = Column { name: name.folded, path, column_type, nullable, unit, format, default: None };
    check::options(&column).map_err(|problem| error_at(name.at, problem))?;
    Ok(column)
}

fn field_path(tokens: &mut Tokens<'_>) -> Result<Vec<String>, ParseError> {
    let at = tokens.location();
    let text = tokens.string("the path of a field in single quotes, as 'outer.inner'")?;
    let path: Vec<String> = text.split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        return Err(error_at(at, Problem::Path { path: text }));
    }
    Ok(path)
}

fn time_unit(tokens: &mut Tokens<'_>) -> Result<TimeUnit, ParseError> {
    let units = [
        ("SECONDS", TimeUnit::Seconds),
        ("MILLIS", TimeUnit::Millis),
        ("MICROS", TimeUnit::Micros),
        ("NANOS", TimeUnit::Nanos),
    ];
    let found = units.into_iter().find(|(word, _)| tokens.take_word(word));
    found.map(|(_, unit)| unit).ok_or_else(|| tokens.expected("SECONDS, MILLIS, MICROS or NANOS"))
}

pub(super) fn column_type(tokens: &mut Tokens<'_>) -> Result<ColumnType, ParseError> {
    let Some(word) = tokens.peek_word() else { return Err(tokens.expected("a type")) };
    let word = word.to_ascii_uppercase();
    let at = tokens.location();
    tokens.advance();
    Ok(match word.as_str() {
        "BOOLEAN" | "BOOL" => ColumnType::Boolean,
        "SMALLINT" | "INT2" => ColumnType::SmallInt,
        "INT" | "INTEGER" | "INT4" => ColumnType::Int,
        "BIGINT" | "INT8" => ColumnType::BigInt,
        "DECIMAL" | "NUMERIC" => decimal(tokens, at)?,
        "DOUBLE" => {
            tokens.take_word("PRECISION");
            ColumnType::Double
        }
        "FLOAT8" => ColumnType::Double,
        "TEXT" => ColumnType::Text,
        "VARCHAR" => unbounded_text(tokens)?,
        "CHARACTER" => {
            tokens.word("VARYING")?;
            unbounded_text(tokens)?
        }
        "DATE" => ColumnType::Date,
        "TIMESTAMP" => {
            let zoned = tokens.take_word("WITH");
            if zoned || tokens.take_word("WITHOUT") {
                tokens.word("TIME")?;
                tokens.word("ZONE")?;
            }
            if zoned { ColumnType::TimestampTz } else { ColumnType::Timestamp }
        }
        "TIMESTAMPTZ" => ColumnType::TimestampTz,
        "JSON" => ColumnType::Json,
        other => {
            let instead = match other {
                "JSONB" => "JSON, which keeps the text as it is",
                "REAL" | "FLOAT4" | "FLOAT" => "DOUBLE, or DECIMAL(p,s) for money",
                "STRING" | "CHAR" | "UUID" => "TEXT",
                "DATETIME" => "TIMESTAMPTZ for instants, or TIMESTAMP for what a clock on the wall shows",
                "TINYINT" => "SMALLINT",
                "MONEY" => "DECIMAL(18,2)",
                _ => return Err(error_at(at, Problem::Type { found: word })),
            };
            return Err(error_at(at, Problem::OtherType { found: word, instead }));
        }
    })
}

fn decimal(tokens: &mut Tokens<'_>, at: Location) -> Result<ColumnType, ParseError> {
    if !tokens.take(&Token::LParen) {
        return Err(tokens.expected("(digits, decimals), as in DECIMAL(18,2)"));
    }
    let precision = tokens.integer("the number of digits")?;
    let scale = if tokens.take(&Token::Comma) { tokens.integer("the number of decimals")? } else { 0 };
    tokens.token(&Token::RParen)?;
    ColumnType::decimal(precision, scale)
        .ok_or_else(|| error_at(at, Problem::DecimalSize { precision, scale }))
}

fn unbounded_text(tokens: &Tokens<'_>) -> Result<ColumnType, ParseError> {
    if tokens.peek() == Some(&Token::LParen) {
        let instead = "TEXT, which has no length";
        return Err(tokens.error(Problem::OtherType { found: "VARCHAR(n)".to_owned(), instead }));
    }
    Ok(ColumnType::Text)
}

fn partitions(tokens: &mut Tokens<'_>) -> Result<u32, ParseError> {
    let at = tokens.location();
    let found = tokens.found();
    let number = tokens.integer("the number of partitions")?;
    if !(1..=PARTITIONS_MAX as u64).contains(&number) {
        return Err(error_at(at, Problem::Partitions { found }));
    }
    Ok(number as u32)
}

fn on_error(tokens: &mut Tokens<'_>) -> Result<OnError, ParseError> {
    if tokens.take_word("REFUSE") {
        Ok(OnError::Refuse)
    } else if tokens.take_word("KEEP") {
        Ok(OnError::Keep)
    } else {
        Err(tokens.expected("REFUSE or KEEP"))
    }
}

/// Names in parentheses.
fn names(tokens: &mut Tokens<'_>) -> Result<Vec<Ident>, ParseError> {
    let mut names = Vec::new();
    tokens.token(&Token::LParen)?;
    loop {
        names.push(tokens.name("the name of a column")?);
        if tokens.take(&Token::RParen) {
            return Ok(names);
        }
        if !tokens.take(&Token::Comma) {
            return Err(
                tokens.expected("a comma or a closing parenthesis (a column by its name, no expression)")
            );
        }
    }
}

fn name_in_parentheses(tokens: &mut Tokens<'_>) -> Result<Ident, ParseError> {
    tokens.token(&Token::LParen)?;
    let name = tokens.name("the name of a column")?;
    if !tokens.take(&Token::RParen) {
        return Err(tokens.expected("a closing parenthesis (one column by its name, no expression)"));
    }
    Ok(name)
}

/// A literal as JSON.
pub(super) fn literal_json(literal: &Expr) -> String {
    match literal {
        Expr::UnaryOp { expr, .. } => format!("-{}", literal_json(expr)),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => json::quoted(text),
            Value::Number(digits, _) => digits.to_string(),
            other => other.to_string().to_ascii_lowercase(),
        },
        other => unreachable!("no literal was read: {other}"),
    }
}
