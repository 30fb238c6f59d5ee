//! Appends: the request and the answer, and the way from one to the other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use recount_types::{NewEvent, Position, Revision, StreamName, Time, TopicName};

use crate::catalogue::{Catalogue, Change};
use crate::condition::Condition;
use crate::drive::{self, Database};
use crate::error::AppendError;
use crate::sequencer::Work;
use crate::slot::{Answer, Slot};
use crate::store::lock;

mod duplicate;
mod later;
mod prepare;
mod query;

pub(crate) use duplicate::position_of as position_of_id;
use prepare::Checked;
pub(crate) use prepare::prepare_batch;

/// Events to append, all or none, under conditions.
#[derive(Debug, Clone, Default)]
pub struct AppendRequest {
    /// The events, in order. They may go to several streams and topics.
    pub events: Vec<EventWrite>,
    /// What must hold.
    pub conditions: Vec<Condition>,
    /// How long to wait where the append has to wait for an open transaction; `None` = 30 s.
    pub deadline: Option<Duration>,
}

/// One event and where it goes.
#[derive(Debug, Clone)]
pub struct EventWrite {
    /// The topic; it must exist.
    pub topic: TopicName,
    /// The stream's key. `None` on a topic with a declared KEY: computed from the payload. `None` elsewhere: the
    /// event belongs to no stream. Given on a topic with a declared KEY: must equal the computed one.
    pub key: Option<Bytes>,
    /// The event.
    pub event: NewEvent,
}

/// The answer to an append: durable when it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Where each event went, in the order of the request.
    pub events: Vec<AppendedEvent>,
    /// When it was appended.
    pub append_time: Time,
    /// The same append had been made before (same ids, same content): this is its answer, nothing was added.
    pub duplicate: bool,
}

/// Where one event went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendedEvent {
    /// Its position.
    pub position: Position,
    /// Its stream, unless it belongs to none.
    pub stream: Option<StreamName>,
    /// Its revision in that stream. `None` too if the index could not be read: the event is stored, and the log says
    /// what is wrong.
    pub revision: Option<Revision>,
}

impl Appended {
    /// The position of the whole append: that of its last event.
    pub fn position(&self) -> Position {
        self.events.last().map_or(Position::ZERO, |event| event.position)
    }
}

/// On whose behalf an append is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// A user: no topic of the system.
    User,
    /// An importer, which keeps its progress in `_imports`.
    Importer,
    /// A statement, which records itself in `_catalog`.
    Catalogue,
}

/// A definition that an append records.
#[derive(Debug)]
pub(crate) struct Definition {
    /// The catalogue that it was planned on.
    pub(crate) catalogue: Arc<Catalogue>,
    /// What changes.
    pub(crate) change: Change,
}

/// Makes an append; evaluates it again as often as its grounds have changed.
pub(crate) async fn append(
    database: &Database,
    request: AppendRequest,
    writer: Writer,
) -> Result<Appended, AppendError> {
    loop {
        match prepare::prepare(&database.inner, &request, writer).await? {
            Checked::Duplicate(appended) => return Ok(appended),
            Checked::New(prepared, later) => {
                let slot = Arc::new(Slot::default());
                let answer = submit_at(database, Work::Append(prepared), slot.clone());
                match later.complete(&database.inner, &slot, answer).await {
                    Answer::Done(answer) => return answer,
                    Answer::Again => {}
                }
            }
        }
    }
}

/// Makes the append that records a definition; `None` = the catalogue is another by now.
pub(crate) async fn append_definition(
    database: &Database,
    request: AppendRequest,
    definition: Definition,
) -> Result<Option<Appended>, AppendError> {
    // Nobody is told the revision of a definition.
    let Checked::New(mut prepared, _) =
        prepare::prepare(&database.inner, &request, Writer::Catalogue).await?
    else {
        unreachable!("definitions have no ids");
    };
    prepared.catalogue = definition.catalogue;
    prepared.change = Some(definition.change);
    match submit(database, Work::Append(prepared)).await {
        Answer::Done(answer) => answer.map(Some),
        Answer::Again => Ok(None),
    }
}

pub(crate) async fn submit(database: &Database, work: Work) -> Answer {
    submit_at(database, work, Arc::default()).await
}

async fn submit_at(database: &Database, work: Work, slot: Arc<Slot>) -> Answer {
    let inner = &database.inner;
    let spent = {
        let mut sequencer = lock(&inner.sequencer);
        let spent = sequencer.submit(work, slot.clone(), &*inner.env.clock);
        if !sequencer.driving && sequencer.has_work() {
            sequencer.driving = true;
            slot.make_leader();
            if inner.is_sealed() {
                // Nothing else wakes the one who watches the leader.
                inner.signals.activity.notify();
            }
        }
        if sequencer.take_new_deadline() {
            inner.signals.activity.notify();
        }
        spent
    };
    drop(spent);
    drive::answer(database, slot).await
}
