//! What names in a rule mean: columns of the state, of the event, of a row that was looked up.

use recount_entity::expr::Expr;
use recount_store::columns::columns_of;
use recount_store::schema::{ColumnType, TopicDefinition};
use sqlparser::ast::Ident;

use super::types::{Type, Typed};

/// What a fold reads of each event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventColumn {
    /// A column of the topic.
    Topic(String, ColumnType),
    /// Its position.
    Position,
    /// When it happened.
    EventTime,
    /// When it was appended.
    AppendTime,
    /// Its type.
    EventType,
}

/// The names that expressions can use, and the columns that they did use.
#[derive(Debug)]
pub(super) struct Names<'a> {
    topic: &'a TopicDefinition,
    topic_name: String,
    state: Vec<(String, ColumnType)>,
    lookups: Vec<LookupNames<'a>>,
    pub(super) event_columns: Vec<EventColumn>,
}

#[derive(Debug)]
pub(super) struct LookupNames<'a> {
    pub(super) alias: String,
    pub(super) topic: &'a TopicDefinition,
    /// The columns that are kept of each row.
    pub(super) columns: Vec<(String, ColumnType)>,
}

/// Where an expression stands, and so what it may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a rule: everything.
    Rule,
    /// In KEY or AS OF: columns of the event.
    Event(&'static str),
    /// In ON, on the side of the look-up of this number: its columns, as columns of the event.
    Lookup(usize),
}

impl<'a> Names<'a> {
    pub(super) fn new(topic: &'a TopicDefinition, topic_name: String) -> Names<'a> {
        Names { topic, topic_name, state: Vec::new(), lookups: Vec::new(), event_columns: Vec::new() }
    }

    pub(super) fn add_lookup(&mut self, alias: String, topic: &'a TopicDefinition) -> usize {
        self.lookups.push(LookupNames { alias, topic, columns: Vec::new() });
        self.lookups.len() - 1
    }

    pub(super) fn add_state(&mut self, name: String, column_type: ColumnType) {
        self.state.push((name, column_type));
    }

    pub(super) fn lookups(self) -> (Vec<EventColumn>, Vec<Vec<(String, ColumnType)>>) {
        (self.event_columns, self.lookups.into_iter().map(|lookup| lookup.columns).collect())
    }

    /// The look-up that this name qualifies columns of.
    pub(super) fn lookup_number(&self, qualifier: &Ident) -> Option<usize> {
        let name = folded(qualifier);
        self.lookups.iter().position(|lookup| lookup.alias == name)
    }

    /// What a name without a qualifier means.
    pub(super) fn plain(&mut self, name: &Ident, place: Place) -> Result<Typed, String> {
        let name = folded(name);
        if let Place::Lookup(lookup) = place {
            // Without a qualifier it is the event's, and so does not belong on this side.
            let alias = &self.lookups[lookup].alias;
            return Err(format!("{name} is not a column of {alias}"));
        }
        let in_state = self.state_column(&name);
        let in_event = self.event_column(&name);
        match (in_state, in_event, place) {
            (Some(_), Some(_), Place::Rule) => Err(format!(
                "{name} is a column of the state and of the event: write state.{name} or event.{name}"
            )),
            (_, Some(event), _) => Ok(self.event(event)),
            (Some(state), None, Place::Rule) => Ok(state),
            (Some(_), None, Place::Event(clause)) => {
                Err(format!("{clause} can use columns of the event only, and {name} is one of the state"))
            }
            _ => Err(self.unknown(&name, place)),
        }
    }

    /// What a name behind a qualifier means.
    pub(super) fn qualified(
        &mut self,
        qualifier: &Ident,
        name: &Ident,
        place: Place,
    ) -> Result<Typed, String> {
        let (before, name) = (folded(qualifier), folded(name));
        if let Some(lookup) = self.lookup_number(qualifier) {
            return match place {
                Place::Rule => self.lookup_column(lookup, &name),
                // A row is read as an event, so its columns are those of one here.
                Place::Lookup(this) if this == lookup => {
                    let typed = self.lookup_column(lookup, &name)?;
                    Ok(match typed.expr {
                        Expr::Lookup(_, column) => Typed::new(Expr::Event(column), typed.kind),
                        _ => typed,
                    })
                }
                Place::Lookup(_) => Err(format!("{before}.{name} belongs to another look-up")),
                Place::Event(clause) => Err(format!(
                    "{clause} can use columns of the event only, and {before}.{name} is looked up"
                )),
            };
        }
        if before == "state" && place == Place::Rule {
            let found = self.state_column(&name);
            return found
                .ok_or_else(|| format!("the state has no column {name}: it has {}", list(&self.state)));
        }
        if before == "event" || before == self.topic_name {
            let found = self.event_column(&name);
            return match found {
                Some(event) => Ok(self.event(event)),
                None => Err(self.unknown(&name, Place::Event("event"))),
            };
        }
        let mut qualifiers = vec!["event".to_owned(), self.topic_name.clone()];
        if place == Place::Rule {
            qualifiers.insert(0, "state".to_owned());
        }
        qualifiers.extend(self.lookups.iter().map(|lookup| lookup.alias.clone()));
        Err(format!("there is no {before} here: columns belong to {}", qualifiers.join(", ")))
    }

    fn state_column(&self, name: &str) -> Option<Typed> {
        let at = self.state.iter().position(|(column, _)| column == name)?;
        Some(Typed::new(Expr::State(at), self.state[at].1.into()))
    }

    fn event_column(&self, name: &str) -> Option<EventColumn> {
        match name {
            "_position" => Some(EventColumn::Position),
            "_event_time" => Some(EventColumn::EventTime),
            "_append_time" => Some(EventColumn::AppendTime),
            "_type" => Some(EventColumn::EventType),
            _ => columns_of(self.topic)
                .into_iter()
                .find(|(column, ..)| column == name)
                .map(|(column, column_type, _)| EventColumn::Topic(column, column_type)),
        }
    }

    /// The column among those that are read of each event.
    fn event(&mut self, column: EventColumn) -> Typed {
        let kind = column.kind();
        let known = self.event_columns.iter().position(|other| *other == column);
        let at = known.unwrap_or_else(|| {
            self.event_columns.push(column);
            self.event_columns.len() - 1
        });
        Typed::new(Expr::Event(at), kind)
    }

    fn lookup_column(&mut self, lookup: usize, name: &str) -> Result<Typed, String> {
        let names = &mut self.lookups[lookup];
        let columns = columns_of(names.topic);
        let found = columns.iter().find(|(column, ..)| column == name);
        let Some((column, column_type, _)) = found else {
            let known: Vec<_> = columns.iter().map(|(column, ..)| column.as_str()).collect();
            return Err(format!("{} has no column {name}: it has {}", names.alias, known.join(", ")));
        };
        let known = names.columns.iter().position(|(other, _)| other == column);
        let at = known.unwrap_or_else(|| {
            names.columns.push((column.clone(), *column_type));
            names.columns.len() - 1
        });
        Ok(Typed::new(Expr::Lookup(lookup, at), (*column_type).into()))
    }

    fn unknown(&self, name: &str, place: Place) -> String {
        let columns: Vec<_> = columns_of(self.topic).into_iter().map(|(column, ..)| column).collect();
        let mut text = format!("there is no column {name}: the event has {}", columns.join(", "));
        if place == Place::Rule {
            text.push_str(&format!(", the state {}", list(&self.state)));
        }
        text
    }
}

impl EventColumn {
    /// The type of its values.
    pub(crate) fn column_type(&self) -> ColumnType {
        match self {
            EventColumn::Topic(_, column_type) => *column_type,
            EventColumn::Position => ColumnType::BigInt,
            EventColumn::EventTime | EventColumn::AppendTime => ColumnType::TimestampTz,
            EventColumn::EventType => ColumnType::Text,
        }
    }

    fn kind(&self) -> Type {
        self.column_type().into()
    }
}

fn list(columns: &[(String, ColumnType)]) -> String {
    columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// A name as Postgres folds it.
pub(super) fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_ascii_lowercase() }
}
