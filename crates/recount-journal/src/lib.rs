//! The journal: the append-only, fsynced files that are the ground truth of a database.
//!
//! It frames opaque bodies, writes and syncs one frame at a time, recovers after a crash and reads back.
//! Invariant: it knows no topics, positions only as numbers to carry.
//!
//! ```text
//!  segment 1-1           segment 817-1 (active)                                  next (being zero-filled)
//!  [prologue|f1|..|f816] [prologue|f817|f818|f819|0000000000000000000000000000]  [00000000          ]
//!                                             ^ synced end: readers stop here
//! ```
//!
//! Read in this order: [`frame`] (bytes of one frame), [`segment`] (names, prologue), [`classify`] (what
//! damage means), [`core`] (the sans-I/O state machine of the writer), [`prepare`] (the next segment),
//! [`writer`] (drives both), [`recover`] (opening), [`reader`] (reading back), [`directory`] (FORMAT, LOCK,
//! manifest, marker of a clean close).

pub mod classify;
mod core;
pub mod directory;
pub mod error;
pub mod frame;
pub mod inspect;
mod mask;
mod prepare;
pub mod reader;
pub mod recover;
pub mod segment;
mod tail;
mod text_file;
mod writer;

pub use error::{Corruption, JournalError, OpenError};
pub use frame::{FrameHeader, FrameKind};
pub use reader::{Found, Frame, FrameCursor, Reader};
pub use recover::{OpenMode, Recovered, Recovery, Settings, TailDecision};
pub use segment::{Location, SegmentName};
pub use writer::{Counts, FrameSpec, Room, Writer};
