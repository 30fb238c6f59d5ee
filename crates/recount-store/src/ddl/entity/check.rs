//! What a definition of an entity must fulfil by itself.

use std::collections::HashSet;

use sqlparser::tokenizer::Location;

use super::{Action, CreateEntity, StateColumn};
use crate::ddl::Ident;
use crate::ddl::error::{ParseError, Problem};
use crate::ddl::parser::literal_json;
use crate::ddl::tokens::error_at;
use crate::json;
use crate::schema::Column;

/// Names that expressions use for other things.
const ALIASES_RESERVED: [&str; 3] = ["state", "event", "param"];

/// Checks the names that a definition gives, and those of its own that it uses.
pub(super) fn check(create: &CreateEntity) -> Result<(), ParseError> {
    aliases(create)?;
    let mut columns = HashSet::new();
    for column in &create.state {
        let name = &column.name;
        if name.folded.starts_with('_') {
            let why = "columns that begin with an underscore are the system's; use another name";
            return Err(error_at(name.at, Problem::Reserved { name: name.folded.clone(), why }));
        }
        if !columns.insert(name.folded.as_str()) {
            return Err(duplicate("column", name));
        }
    }
    let actions = create.rules.iter().map(|rule| &rule.action).chain(&create.otherwise);
    actions.into_iter().try_for_each(|action| targets(create, action))?;
    for rule in &create.rules {
        let mut events = HashSet::new();
        if let Some(again) = rule.events.iter().flatten().find(|event| !events.insert(&event.folded)) {
            return Err(error_at(again.at, Problem::EventTwice { name: again.folded.clone() }));
        }
    }
    Ok(())
}

/// Checks the default of a column, which is at `at`, against its type.
pub(super) fn default(column: &StateColumn, at: Location) -> Result<(), ParseError> {
    let Some(default) = &column.default else { return Ok(()) };
    let name = &column.name;
    if column.column_type.is_time() && matches!(literal_json(default).as_bytes()[0], b'-' | b'0'..=b'9') {
        let what = "write a time in single quotes, as '2023-12-13T12:00:00Z'".to_owned();
        return Err(error_at(at, Problem::BadDefault(what)));
    }
    let as_column = Column {
        name: name.folded.clone(),
        path: vec![name.written.clone()],
        column_type: column.column_type,
        nullable: column.nullable,
        unit: None,
        format: None,
        default: None,
    };
    json::check_default(&as_column, &literal_json(default))
        .map_err(|error| error_at(at, Problem::BadDefault(error.to_string())))
}

fn aliases(create: &CreateEntity) -> Result<(), ParseError> {
    let of_lookups = create.lookups.iter().map(|lookup| &lookup.alias);
    for alias in create.alias.iter().chain(of_lookups.clone()) {
        if ALIASES_RESERVED.contains(&alias.folded.as_str()) {
            return Err(error_at(alias.at, Problem::Alias { name: alias.folded.clone() }));
        }
    }
    let mut names = HashSet::from([&create.alias.as_ref().unwrap_or(&create.topic).folded]);
    match of_lookups.into_iter().find(|alias| !names.insert(&alias.folded)) {
        Some(again) => Err(duplicate("name", again)),
        None => Ok(()),
    }
}

fn targets(create: &CreateEntity, action: &Action) -> Result<(), ParseError> {
    let Action::Set(columns) = action else { return Ok(()) };
    let mut seen = HashSet::new();
    for (name, _) in columns {
        if !create.state.iter().any(|column| column.name.folded == name.folded) {
            let known: Vec<&str> = create.state.iter().map(|column| column.name.folded.as_str()).collect();
            let problem = Problem::NotState { name: name.folded.clone(), known: known.join(", ") };
            return Err(error_at(name.at, problem));
        }
        if !seen.insert(&name.folded) {
            return Err(error_at(name.at, Problem::SetTwice { name: name.folded.clone() }));
        }
    }
    Ok(())
}

fn duplicate(what: &'static str, name: &Ident) -> ParseError {
    error_at(name.at, Problem::Duplicate { what, name: name.folded.clone() })
}
