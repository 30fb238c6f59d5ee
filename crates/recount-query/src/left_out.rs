//! Keys that stopped at an event and were left out of an answer, as a notice says it.

use recount_entity::key::Key;
use recount_views::{EntityInfo, key_text};

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
