//! What a name in a statement stands for: a topic, or a relation that others keep.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::common::DFSchema;
use recount_store::columns::columns_of;
use recount_store::schema::ColumnType;
use recount_store::{Store, TopicInfo};

use crate::arrays::{field, nearest};
use crate::error::QueryError;
use crate::pseudo::Pseudo;
use crate::relations::{Described, DescribedColumn, Periods, Relations};

/// What a name stands for.
#[derive(Debug)]
pub(crate) struct Relation {
    pub(crate) name: String,
    /// Which definition; `None` = today's.
    pub(crate) version: Option<u32>,
    pub(crate) kind: Kind,
    /// Its columns: those of `*`, then the others.
    pub(crate) schema: SchemaRef,
    /// How many columns `*` has.
    pub(crate) visible: usize,
}

/// The kinds of relations.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A topic: its columns, then its pseudo-columns.
    Topic { topic: TopicInfo, columns: Vec<(String, ColumnType)>, pseudo: Vec<Pseudo>, shown: Shown },
    /// A relation that others keep, and for each column of the schema its place there.
    Kept { described: Described, places: Vec<usize> },
}

/// Which events of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Those that fit its columns.
    Fitting,
    /// The others.
    Misfits,
}

/// What the relation of a topic's misfits, or of what a view could not compute, ends with.
pub(crate) const ERRORS: &str = "_errors";

impl Relation {
    /// The relation of a name.
    pub(crate) fn find(
        store: &Store,
        relations: &dyn Relations,
        name: &str,
        version: Option<u32>,
        periods: Periods,
    ) -> Result<Relation, QueryError> {
        if let Some(topic) = store.topic(name).filter(|topic| !topic.name.is_system()) {
            if version.is_some() {
                return Err(QueryError::Invalid(format!(
                    "{name} is a topic: it has no versions of a definition. Leave FOR VERSION out"
                )));
            }
            if periods.each {
                return Err(each_of_events(name));
            }
            return Ok(Relation::of_topic(topic, periods));
        }
        if let Some(described) = relations.describe(name, version, periods)? {
            return Ok(Relation::kept(name, version, described));
        }
        let of_errors = name.strip_suffix(ERRORS).and_then(|name| store.topic(name));
        match of_errors.filter(|topic| !topic.name.is_system()) {
            Some(_) if version.is_some() => Err(QueryError::Invalid(format!(
                "{name} shows the events of a topic: it has no versions of a definition. Leave FOR VERSION out"
            ))),
            Some(_) if periods.each => Err(each_of_events(name)),
            Some(topic) => Ok(Relation::of_misfits(topic, periods)),
            None => Err(unknown(store, relations, name)),
        }
    }

    /// The events that do not fit a topic.
    fn of_misfits(topic: TopicInfo, periods: Periods) -> Relation {
        let (pseudo, visible) = Pseudo::of_errors(periods);
        let fields: Vec<Field> = pseudo.iter().map(|pseudo| pseudo.field()).collect();
        Relation {
            name: errors_of(topic.name.as_str()),
            version: None,
            visible,
            kind: Kind::Topic { topic, columns: Vec::new(), pseudo, shown: Shown::Misfits },
            schema: Arc::new(Schema::new(fields)),
        }
    }

    fn of_topic(topic: TopicInfo, periods: Periods) -> Relation {
        let declared = columns_of(&topic.definition);
        Relation::of_columns(topic, declared, Pseudo::all(periods))
    }

    /// A topic with these columns only, if that was settled before: one that came later is not there.
    pub(crate) fn of_topic_with(topic: TopicInfo, columns: Option<&[String]>) -> Relation {
        let mut declared = columns_of(&topic.definition);
        if let Some(columns) = columns {
            let place = |name: &str| columns.iter().position(|column| column == name);
            declared.retain(|(name, ..)| place(name).is_some());
            declared.sort_by_key(|(name, ..)| place(name));
        }
        Relation::of_columns(topic, declared, Pseudo::all(Periods::default()))
    }

    fn of_columns(
        topic: TopicInfo,
        declared: Vec<(String, ColumnType, bool)>,
        pseudo: Vec<Pseudo>,
    ) -> Relation {
        let fields =
            declared.iter().map(|(name, column_type, nullable)| field(name, *column_type, *nullable));
        let fields: Vec<Field> = fields.chain(pseudo.iter().map(|pseudo| pseudo.field())).collect();
        let columns: Vec<_> =
            declared.into_iter().map(|(name, column_type, _)| (name, column_type)).collect();
        Relation {
            name: topic.name.to_string(),
            version: None,
            visible: columns.len(),
            kind: Kind::Topic { topic, columns, pseudo, shown: Shown::Fitting },
            schema: Arc::new(Schema::new(fields)),
        }
    }

    /// A view whose query is planned.
    pub(crate) fn of_plan(name: &str, schema: &DFSchema) -> Relation {
        let column = |field: &FieldRef| DescribedColumn {
            name: field.name().clone(),
            column_type: nearest(field).unwrap_or(ColumnType::Text),
            nullable: field.is_nullable(),
            hidden: false,
        };
        let columns = schema.fields().iter().map(column).collect();
        Relation::kept(name, None, Described { version: None, columns, key: Vec::new() })
    }

    /// A relation that others keep with these columns only, if that was settled before: one that came later is not there.
    pub(crate) fn kept_with(name: &str, described: Described, columns: Option<&[String]>) -> Relation {
        let mut relation = Relation::kept(name, None, described);
        let Some(columns) = columns else { return relation };
        let place = |field: &FieldRef| columns.iter().position(|column| column == field.name());
        let fields: Vec<FieldRef> = relation.schema.fields().iter().cloned().collect();
        let Kind::Kept { places, .. } = &mut relation.kind else { return relation };
        let mut all: Vec<(FieldRef, usize)> = fields.into_iter().zip(std::mem::take(places)).collect();
        let hidden = all.split_off(relation.visible);
        all.retain(|(field, _)| place(field).is_some());
        all.sort_by_key(|(field, _)| place(field));
        relation.visible = all.len();
        all.extend(hidden);
        let (fields, kept): (Vec<FieldRef>, Vec<usize>) = all.into_iter().unzip();
        (*places, relation.schema) = (kept, Arc::new(Schema::new(fields)));
        relation
    }

    fn kept(name: &str, version: Option<u32>, described: Described) -> Relation {
        let is_hidden = |&place: &usize| described.columns[place].hidden;
        let (hidden, shown): (Vec<usize>, Vec<usize>) = (0..described.columns.len()).partition(is_hidden);
        let visible = shown.len();
        let places: Vec<usize> = shown.into_iter().chain(hidden).collect();
        let field_of = |&place: &usize| {
            let column = &described.columns[place];
            field(&column.name, column.column_type, column.nullable)
        };
        let schema = Arc::new(Schema::new(places.iter().map(field_of).collect::<Vec<_>>()));
        let version = described.version.or(version);
        Relation { name: name.to_owned(), version, kind: Kind::Kept { described, places }, schema, visible }
    }

    /// Whether others keep it.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self.kind, Kind::Kept { .. })
    }

    /// The columns of `*`.
    pub(crate) fn visible_columns(&self) -> Vec<String> {
        self.schema.fields().iter().take(self.visible).map(|field| field.name().clone()).collect()
    }

    /// The type of a column, unless it is one that only topics have.
    pub(crate) fn column_type(&self, column: &str) -> Option<ColumnType> {
        match &self.kind {
            Kind::Topic { columns, .. } => {
                columns.iter().find(|(name, _)| name == column).map(|(_, column_type)| *column_type)
            }
            Kind::Kept { described, .. } => {
                let found = described.columns.iter().find(|known| known.name == column);
                found.map(|known| known.column_type)
            }
        }
    }
}

fn each_of_events(name: &str) -> QueryError {
    QueryError::Invalid(format!(
        "{name} has events, and AS OF EACH is for entities: events up to a time are those WHERE _event_time <= it"
    ))
}

/// The relation of what does not fit a topic.
pub(crate) fn errors_of(topic: &str) -> String {
    format!("{topic}{ERRORS}")
}

/// The error of an unknown name, with the names that are most like it.
fn unknown(store: &Store, relations: &dyn Relations, name: &str) -> QueryError {
    let mut names: Vec<String> = store.topics().iter().map(|topic| topic.name.to_string()).collect();
    names.extend(relations.names());
    let wanted = name.to_lowercase();
    let near = (wanted.len() / 3).max(2);
    let mut close: Vec<(usize, String)> = names
        .iter()
        .map(|known| (distance(&known.to_lowercase(), &wanted), known.clone()))
        .filter(|(distance, known)| *distance <= near || known.to_lowercase().contains(&wanted))
        .collect();
    close.sort();
    let shown: Vec<String> = close.into_iter().take(3).map(|(_, known)| in_sql(&known)).collect();
    QueryError::NotFound(match shown.as_slice() {
        [] if names.is_empty() => {
            format!("there is no topic, entity or view {}: none exists yet, see CREATE TOPIC", in_sql(name))
        }
        [] => format!("there is no topic, entity or view {}", in_sql(name)),
        close => {
            format!("there is no topic, entity or view {}. Do you mean {}?", in_sql(name), close.join(" or "))
        }
    })
}

/// A name as a statement has it: in double quotes unless it is a plain word.
pub(crate) fn in_sql(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.is_empty() && name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// How many letters differ (Levenshtein 1965).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (number, letter) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], number + 1);
        for (place, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[right.len()]
}
