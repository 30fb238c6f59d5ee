//! Why an entity or a view cannot be read.

use recount_entity::table::Full;
use recount_flow::operator::FlowError;
use recount_store::ReadError;
use recount_types::Kind;

use crate::snapshot::SnapshotError;

/// Why an entity cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// There is none of this name, or no such version.
    #[error("{0}")]
    NotFound(String),
    /// The question itself is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// The states of entities are larger than they may be.
    #[error(
        "its rows need {} MiB, others have {}, and all may have {}: allow more with --entity-memory, or keep fewer rows",
        bytes.div_ceil(1 << 20), others.div_ceil(1 << 20), bytes_max >> 20
    )]
    Memory {
        /// What it needs.
        bytes: usize,
        /// What others have.
        others: usize,
        /// What all may have.
        bytes_max: usize,
    },
    /// It has not come as far as the question.
    #[error(
        "{entity} is at position {position} of {wanted}, and did not arrive in time: ask again, or look at its progress with SHOW ENTITIES or SHOW VIEWS"
    )]
    Behind {
        /// The entity, and its version.
        entity: String,
        /// Where it is.
        position: u64,
        /// Where it should be.
        wanted: u64,
    },
    /// A key stopped at an event that could not be folded.
    #[error(
        "{entity}/{key} stopped at position {position}: {reason}. Look at it with recount why {entity}/{key}; then correct the rule with CREATE OR REPLACE ENTITY, or pass the event over: ALTER ENTITY {entity} SKIP EVENT {position}"
    )]
    Stopped {
        /// The entity.
        entity: String,
        /// The key.
        key: String,
        /// The event.
        position: u64,
        /// Why.
        reason: String,
    },
    /// What was told of its changes is of rows that are no more.
    #[error(
        "the changes up to {place} are of another version of {entity}, or of before an event was passed over: read its rows again, then follow them from the position of that answer (version {version} answers now)"
    )]
    FoldedAnew {
        /// The entity.
        entity: String,
        /// The version that answers.
        version: u32,
        /// What was told.
        place: String,
    },
    /// Reading events failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A snapshot cannot be used. It is folded again without it.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The operators of a view cannot go on.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// It has too many keys.
    #[error(transparent)]
    Full(#[from] Full),
}

impl ViewError {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            ViewError::NotFound(_) => Kind::NotFound,
            ViewError::BadRequest(_) => Kind::Invalid,
            ViewError::Memory { .. } | ViewError::Full(_) | ViewError::Snapshot(_) | ViewError::Flow(_) => {
                Kind::Unavailable
            }
            ViewError::Behind { .. } => Kind::Busy,
            ViewError::Stopped { .. } | ViewError::FoldedAnew { .. } => Kind::Conflict,
            ViewError::Read(error) => error.kind(),
        }
    }
}
