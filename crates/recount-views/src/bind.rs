//! Binding: from a statement to the fold that it declares, checked against the topics that exist.
//!
//! ```text
//!  names.rs       what a name means: the state's column, the event's, a looked-up row's
//!  expression.rs  operators, and the one type that their sides are made to be of
//!  function.rs    functions and casts
//!  literal.rs     constants
//!  types.rs       types and what operations make of them
//!  lookup.rs      LOOKUP … ON … AS OF
//! ```

use recount_entity::expr::Expr;
use recount_entity::fold::{self, Fold, LOOKUPS_MAX, Prepared};
use recount_store::ddl::{Action, CreateEntity, Ident, ParseError, Rule, StateColumn};
use recount_store::schema::{ColumnType, TopicDefinition};
use recount_types::column::Value;
use sqlparser::ast::{self, Spanned};

mod expression;
mod function;
mod literal;
mod lookup;
mod names;
mod types;

use expression::Binder;
pub use lookup::BoundLookup;
pub use names::EventColumn;
use names::{Names, Place, folded};
use types::{Type, Typed, domain};

/// An entity as bound to its topics.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// What happens to a key.
    pub fold: Fold,
    /// The key, of columns of the event.
    pub key: Vec<Expr>,
    /// Whether keys are those of the topic's streams.
    pub by_stream: bool,
    /// What is read of each event.
    pub event_columns: Vec<EventColumn>,
    /// What is read of the topics that are looked up.
    pub lookups: Vec<BoundLookup>,
    /// The columns of a row: those of the key, then those of the state.
    pub columns: Vec<RowColumn>,
    /// Each rule's condition, as it was written.
    pub rules: Vec<String>,
}

/// A column of an entity's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether it can be null.
    pub nullable: bool,
}

/// Binds an entity to its topic and to the topics that it looks up, in their order.
pub fn bind(
    entity: &CreateEntity,
    topic: &TopicDefinition,
    looked_up: &[&TopicDefinition],
) -> Result<Bound, ParseError> {
    let topic_name = entity.alias.as_ref().unwrap_or(&entity.topic).folded.clone();
    let mut names = Names::new(topic, topic_name);
    let (key, key_columns, by_stream) = key(entity, topic, &mut names)?;
    let mut columns = key_columns;
    if entity.lookups.len() > LOOKUPS_MAX {
        let at = entity.lookups[LOOKUPS_MAX].alias.at;
        return Err(ParseError::at(at, format!("an entity has at most {LOOKUPS_MAX} LOOKUPs")));
    }
    for (lookup, topic) in entity.lookups.iter().zip(looked_up) {
        names.add_lookup(lookup.alias.folded.clone(), topic);
    }
    let mut lookups = Vec::new();
    for (number, lookup) in entity.lookups.iter().enumerate() {
        lookups.push(lookup::bind(lookup, number, &mut names)?);
    }
    let mut state = Vec::new();
    for column in &entity.state {
        if columns.iter().any(|known: &RowColumn| known.name == column.name.folded) {
            let message =
                format!("{} is the entity's key already: give the state another name", column.name.folded);
            return Err(ParseError::at(column.name.at, message));
        }
        state.push(state_column(column, &mut names)?);
        names.add_state(column.name.folded.clone(), column.column_type);
        columns.push(RowColumn {
            name: column.name.folded.clone(),
            column_type: column.column_type,
            nullable: column.nullable,
        });
    }
    let mut rules = Vec::new();
    let written = entity.rules.iter().map(when).collect();
    for rule in &entity.rules {
        let events =
            rule.events.as_ref().map(|events| events.iter().map(|event| number_of(event, topic)).collect());
        let events = events.transpose()?;
        let mut binder = Binder { names: &mut names, place: Place::Rule, at: rule.at };
        let condition = rule.condition.as_ref().map(|condition| binder.condition(condition)).transpose()?;
        rules.push(fold::Rule { events, condition, action: action(&rule.action, entity, &mut names)? });
    }
    let otherwise = match &entity.otherwise {
        Some(otherwise) => action(otherwise, entity, &mut names)?,
        None => fold::Action::Ignore,
    };
    let (event_columns, lookup_columns) = names.lookups();
    let (bound, specifications) = lookups
        .into_iter()
        .zip(lookup_columns)
        .map(|(lookup, columns)| (BoundLookup { columns, ..lookup.rows }, lookup.fold))
        .unzip();
    let by_event_time = entity.order_by_event_time;
    let prepared = Prepared::default();
    let fold = Fold { state, lookups: specifications, rules, otherwise, by_event_time, prepared };
    Ok(Bound { fold, key, by_stream, event_columns, lookups: bound, columns, rules: written })
}

/// The key: its expressions, its columns, and whether it is the topic's.
fn key(
    entity: &CreateEntity,
    topic: &TopicDefinition,
    names: &mut Names<'_>,
) -> Result<(Vec<Expr>, Vec<RowColumn>, bool), ParseError> {
    let of_topic: Vec<ast::Expr> = topic
        .key
        .iter()
        .map(|name| ast::Expr::Identifier(ast::Ident::with_quote('"', name.as_str())))
        .collect();
    let written = if entity.key.is_empty() { &of_topic } else { &entity.key };
    if written.is_empty() {
        let message = format!(
            "topic {} declares no KEY: write KEY (…) behind its name, with what its events are grouped by",
            entity.topic.folded
        );
        return Err(ParseError::at(entity.topic.at, message));
    }
    let (mut exprs, mut columns) = (Vec::new(), Vec::<RowColumn>::new());
    for expr in written {
        let mut binder = Binder { names: &mut *names, place: Place::Event("KEY"), at: entity.topic.at };
        let typed = binder.bind(expr)?;
        let at = if expr.span().start.line == 0 { entity.topic.at } else { expr.span().start };
        let Some(column_type) = key_type(typed.kind) else {
            let message = format!("KEY cannot be {}: equal ones must have one text", typed.kind);
            return Err(ParseError::at(at, message));
        };
        let name = match expr {
            ast::Expr::Identifier(name) => folded(name),
            ast::Expr::CompoundIdentifier(parts) => parts.last().map(folded).unwrap_or_default(),
            _ if written.len() == 1 => "key".to_owned(),
            _ => format!("key{}", columns.len() + 1),
        };
        if columns.iter().any(|known| known.name == name) {
            return Err(ParseError::at(at, format!("KEY names {name} twice")));
        }
        let column_type = exact_type(&typed, names).unwrap_or(column_type);
        columns.push(RowColumn { name, column_type, nullable: false });
        exprs.push(typed.expr);
    }
    let by_stream = !topic.key.is_empty()
        && exprs.len() == topic.key.len()
        && exprs.iter().zip(&topic.key).all(|(expr, name)| match expr {
            Expr::Event(at) => {
                matches!(&names.event_columns[*at], EventColumn::Topic(column, _) if column == name)
            }
            _ => false,
        });
    Ok((exprs, columns, by_stream))
}

/// The type that values of a key are shown with; none if they cannot be keys.
fn key_type(kind: Type) -> Option<ColumnType> {
    match kind {
        Type::Boolean => Some(ColumnType::Boolean),
        Type::Integer => Some(ColumnType::BigInt),
        Type::Decimal { precision, scale } => ColumnType::decimal(u64::from(precision).min(38), scale.into()),
        Type::Text => Some(ColumnType::Text),
        Type::Date => Some(ColumnType::Date),
        Type::Timestamp => Some(ColumnType::Timestamp),
        Type::TimestampTz => Some(ColumnType::TimestampTz),
        Type::Double | Type::Json | Type::Null => None,
    }
}

/// The declared type of a column that stands alone.
fn exact_type(typed: &Typed, names: &Names<'_>) -> Option<ColumnType> {
    match typed.expr {
        Expr::Event(at) => Some(names.event_columns[at].column_type()),
        _ => None,
    }
}

fn state_column(column: &StateColumn, names: &mut Names<'_>) -> Result<fold::StateColumn, ParseError> {
    let mut bound = fold::StateColumn {
        name: column.name.folded.clone(),
        domain: domain(column.column_type),
        nullable: column.nullable,
        default: Value::Null,
    };
    let Some(default) = &column.default else {
        if column.nullable {
            return Ok(bound);
        }
        let message = format!("{} is NOT NULL: add DEFAULT and its value before the first event", bound.name);
        return Err(ParseError::at(column.name.at, message));
    };
    let mut binder = Binder { names, place: Place::Event("DEFAULT"), at: column.name.at };
    let typed = binder.bind(default)?;
    let expr = stored(typed, column.column_type, &bound.name)
        .map_err(|message| ParseError::at(column.name.at, message))?;
    let nothing = recount_entity::expr::Scope { state: &[], event: &[], row: 0, lookups: &[] };
    let value = expr.eval(&nothing).map_err(|error| error.to_string());
    let value = value.and_then(|datum| bound.value(datum).map_err(|error| error.to_string()));
    bound.default = value
        .map_err(|error| ParseError::at(column.name.at, format!("the DEFAULT of {}: {error}", bound.name)))?;
    Ok(bound)
}

/// The condition of a rule, as it was written.
fn when(rule: &Rule) -> String {
    let events = rule
        .events
        .as_ref()
        .map(|events| events.iter().map(|event| event.written.as_str()).collect::<Vec<_>>().join(", "));
    match (events, &rule.condition) {
        (None, None) => "WHEN ANY".to_owned(),
        (None, Some(condition)) => format!("WHEN ({condition})"),
        (Some(events), None) => format!("WHEN {events}"),
        (Some(events), Some(condition)) => format!("WHEN {events} AND ({condition})"),
    }
}

fn number_of(event: &Ident, topic: &TopicDefinition) -> Result<u16, ParseError> {
    let found = topic.events.iter().position(|known| known.name == event.folded);
    let known: Vec<_> = topic.events.iter().map(|event| event.name.as_str()).collect();
    let message = if known.is_empty() {
        format!("topic {} declares no events: write WHEN ANY, or WHEN (a condition)", topic.name)
    } else {
        format!("topic {} has no event {}: it has {}", topic.name, event.folded, known.join(", "))
    };
    found.and_then(|number| u16::try_from(number).ok()).ok_or_else(|| ParseError::at(event.at, message))
}

fn action(action: &Action, entity: &CreateEntity, names: &mut Names<'_>) -> Result<fold::Action, ParseError> {
    Ok(match action {
        Action::Delete => fold::Action::Delete,
        Action::Ignore => fold::Action::Ignore,
        Action::Error(text) => fold::Action::Error(text.clone()),
        Action::Set(assignments) => {
            let mut bound = Vec::new();
            for (target, value) in assignments {
                let column = entity.state.iter().position(|column| column.name.folded == target.folded);
                let Some(column) = column else {
                    let message = format!("SET names {}, which is no column of the state", target.folded);
                    return Err(ParseError::at(target.at, message));
                };
                let mut binder = Binder { names: &mut *names, place: Place::Rule, at: target.at };
                let typed = binder.bind(value)?;
                let declared = entity.state[column].column_type;
                let at = if value.span().start.line == 0 { target.at } else { value.span().start };
                let expr =
                    stored(typed, declared, &target.folded).map_err(|message| ParseError::at(at, message))?;
                bound.push((column, expr));
            }
            fold::Action::Set(bound)
        }
    })
}

/// A value as one that the column can keep, if its type fits.
fn stored(typed: Typed, column: ColumnType, name: &str) -> Result<Expr, String> {
    let wanted: Type = column.into();
    match (typed.kind, wanted) {
        (Type::Decimal { scale, .. }, Type::Decimal { scale: kept, .. }) if scale > kept => Err(format!(
            "the value has {scale} digits after the point, and {name} keeps {kept}: write round(…, {kept})"
        )),
        (Type::Decimal { .. } | Type::Integer, Type::Decimal { scale, .. }) => Ok(typed.at_scale(scale)),
        (from, to) if from == to || from == Type::Null => Ok(typed.expr),
        (Type::Integer, Type::Double) => Ok(Expr::Float(Box::new(typed.expr), 0)),
        (Type::Decimal { scale, .. }, Type::Double) if typed.literal.is_some() => {
            Ok(Expr::Float(Box::new(typed.expr), scale))
        }
        (Type::Text, to) => match &typed.literal {
            Some(types::Literal::Text(text)) => match literal::text_as(text, to)? {
                Some(constant) => Ok(constant.expr),
                None => Err(format!("the value is TEXT, and {name} is {column}")),
            },
            _ => Err(format!("the value is TEXT, and {name} is {column}")),
        },
        (Type::Decimal { .. }, Type::Double) => Err(format!(
            "the value is a DECIMAL, and {name} is DOUBLE, which is not exact: declare it as DECIMAL, or write CAST(… AS DOUBLE)"
        )),
        (from, _) => Err(format!("the value is {from}, and {name} is {column}")),
    }
}

#[cfg(test)]
mod tests;
