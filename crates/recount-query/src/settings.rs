//! Settings of the engine and of a session.

use std::time::Duration;

use recount_types::Position;

/// Settings of an [`Engine`](crate::Engine).
#[derive(Debug, Clone)]
pub struct Settings {
    /// How much memory all statements together may take for sorting, grouping and joining, and for views over time, bytes.
    pub memory_bytes: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { memory_bytes: 256 << 20 }
    }
}

/// What holds for the statements of one session.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// Statements read as of this position, instead of the newest.
    pub position: Option<Position>,
    /// Statements wait until the database has this position.
    pub min_position: Option<Position>,
    /// How long they wait at most.
    pub wait: Duration,
    /// What they do about keys of entities that stopped at an event.
    pub stopped: Stopped,
}

/// What a statement does about keys that stopped at an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stopped {
    /// It fails when it reaches one, and names it.
    #[default]
    Fail,
    /// It leaves them out, and says so.
    Skip,
}

impl Default for SessionSettings {
    fn default() -> SessionSettings {
        SessionSettings {
            position: None,
            min_position: None,
            wait: Duration::from_secs(10),
            stopped: Stopped::default(),
        }
    }
}
