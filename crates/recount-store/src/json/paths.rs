//! Where the values of columns stand in payloads.

use crate::schema::{Column, TopicDefinition};

/// The keys that lead to the values of a topic's columns, those of every event, then those of one event after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paths {
    /// The keys of the outermost object that do, each once.
    steps: Vec<Step>,
    /// Of each column all keys.
    columns: Vec<Vec<String>>,
}

/// A key of the outermost object.
#[derive(Debug, Clone)]
pub(super) struct Step {
    key: String,
    /// The columns whose value it has.
    pub(super) ending: Vec<usize>,
    /// Those whose value is within its value.
    pub(super) passing: Vec<usize>,
}

/// The columns of every event, then those of one event after the other.
pub(super) fn all_columns(definition: &TopicDefinition) -> impl Iterator<Item = &Column> {
    let of_events = definition.events.iter().flat_map(|event| &event.columns);
    definition.columns.iter().chain(of_events)
}

impl Paths {
    pub(crate) fn of(definition: &TopicDefinition) -> Paths {
        let mut paths = Paths::default();
        for (number, column) in all_columns(definition).enumerate() {
            paths.columns.push(column.path.clone());
            let Some((first, rest)) = column.path.split_first() else { continue };
            let place = paths.steps.iter().position(|step| step.key == *first).unwrap_or_else(|| {
                paths.steps.push(Step { key: first.clone(), ending: Vec::new(), passing: Vec::new() });
                paths.steps.len() - 1
            });
            let step = &mut paths.steps[place];
            if rest.is_empty() { step.ending.push(number) } else { step.passing.push(number) }
        }
        paths
    }

    /// How many columns there are.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// The keys that lead to a column.
    pub(super) fn column(&self, number: usize) -> &[String] {
        &self.columns[number]
    }

    /// The number of a key of the outermost object. Fields mostly come in the order of columns: `near` is looked at first.
    pub(super) fn find(&self, key: &str, near: usize) -> Option<usize> {
        if self.steps.get(near).is_some_and(|step| step.key == key) {
            return Some(near);
        }
        self.steps.iter().position(|step| step.key == key)
    }

    pub(super) fn step(&self, number: usize) -> &Step {
        &self.steps[number]
    }
}
