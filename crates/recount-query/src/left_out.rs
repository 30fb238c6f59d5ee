//! What was left out of an answer about an entity, as notices say it: keys that stopped at an event, and events that nothing could
//! be made of.

use recount_entity::key::Key;
use recount_views::{EntityInfo, key_text};

use crate::relation::{errors_of, in_sql};

/// So many keys are named; the others are counted.
const NAMED_MAX: usize = 10;
/// A key is cut after so many characters.
const KEY_CHARS_MAX: usize = 60;

/// What was left out of one entity.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    named: Vec<String>,
    count: usize,
}

impl LeftOut {
    /// Adds a key that stopped at a position.
    pub(crate) fn add(&mut self, info: &EntityInfo, key: &Key, position: u64) {
        self.count += 1;
        if self.named.len() < NAMED_MAX {
            let key = key_text(key, &info.columns[..info.key_width]);
            let cut = match key.char_indices().nth(KEY_CHARS_MAX) {
                Some((end, _)) => format!("{}…", &key[..end]),
                None => key,
            };
            self.named.push(format!("{cut} (position {position})"));
        }
    }

    /// What to say; nothing if there were none.
    pub(crate) fn notice(&self, info: &EntityInfo) -> Option<String> {
        let what = match self.count {
            0 => return None,
            1 => "1 key that stopped is left out".to_owned(),
            count => format!("{count} keys that stopped are left out"),
        };
        let more = match self.count - self.named.len() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let named = self.named.join(", ");
        Some(format!("of {} version {}, {what}: {named}{more}. See SHOW STOPPED", info.name, info.version))
    }
}

/// What to say of events that do not fit their topic's columns, or have no key; nothing if there were none.
pub(crate) fn of_events(info: &EntityInfo, unfit: u64) -> Option<String> {
    if unfit == 0 {
        return None;
    }
    let mut errors: Vec<String> = Vec::new();
    for topic in &info.topics {
        let errors_of = in_sql(&errors_of(topic.as_str()));
        if !errors.contains(&errors_of) {
            errors.push(errors_of);
        }
    }
    let (name, version, errors) = (&info.name, info.version, errors.join(", "));
    Some(format!(
        "of {name} version {version}, events that do not fit their topic's columns, or have no key, are left out: see {errors}"
    ))
}
