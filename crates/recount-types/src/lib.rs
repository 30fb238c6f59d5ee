//! The nouns of Recount: numbers with types, names, events, limits, and the record batch codec.
//! Pure values and codecs: no I/O, no configuration, no serialization to JSON.

pub mod batch;
pub mod column;
pub mod event;
pub mod kind;
pub mod limits;
pub mod name;
pub mod number;
pub mod varint;

pub use column::{Column, Form, Value};
pub use event::{Event, NewEvent, Tag};
pub use kind::Kind;
pub use name::{StreamName, TopicName};
pub use number::{EntityId, Epoch, Lsn, Offset, Partition, Position, Revision, Time, TopicId, ViewId};
