//! Reading ahead: while a view takes some events in, the next ones are read beside.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use recount_env::Tasks;
use recount_flow::delta::Delta;
use recount_flow::operator::FlowError;

use super::Source;
use crate::error::ViewError;

/// What a source gave; `None` = there is no more.
pub(super) type Given = Result<Option<Delta>, ViewError>;

/// Changes that were read and not taken yet, at most.
const READ_AHEAD: usize = 2;

/// A source that is read beside, to its end.
pub(super) struct Ahead(Receiver<Read>);

/// What is read.
enum Read {
    Rows(Delta),
    /// It ended, or failed.
    End(Box<dyn Source>, Result<(), ViewError>),
}

/// What stands in its place meanwhile.
#[derive(Debug)]
pub(super) struct Away {
    name: String,
    unfit: u64,
    stopped: Option<(u64, ViewError)>,
}

impl Ahead {
    /// Takes a source away, which is to be read up to a position.
    pub(super) fn begin(tasks: &Arc<dyn Tasks>, source: &mut Box<dyn Source>, until: u64) -> Ahead {
        let away = Away { name: source.name(), unfit: source.unfit(), stopped: source.stopped() };
        let mut source = std::mem::replace(source, Box::new(away));
        let (sender, receiver) = sync_channel(READ_AHEAD);
        let read = async move {
            let ended = loop {
                match source.next().and_then(|rows| source.end(until).map(|()| rows)) {
                    Ok(Some(rows)) => {
                        if sender.send(Read::Rows(rows)).is_err() {
                            // Nobody waits for it any more.
                            return;
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            let _ = sender.send(Read::End(source, ended));
        };
        tasks.spawn("recount-view-reads", Box::pin(read));
        Ahead(receiver)
    }

    /// The next changes; waits for them. At the end the source is back in its place.
    pub(super) fn next(&self, place: &mut Box<dyn Source>) -> Given {
        match self.0.recv().map_err(|_| FlowError::Panicked)? {
            Read::Rows(rows) => Ok(Some(rows)),
            Read::End(source, ended) => {
                *place = source;
                ended.map(|()| None)
            }
        }
    }
}

impl Source for Away {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn resume(&mut self, _: u64) -> Result<bool, ViewError> {
        Err(self.is_away())
    }

    fn left_out(&mut self, _: u64) {}

    fn begin(&mut self, _: u64, _: u64) -> Result<(), ViewError> {
        Err(self.is_away())
    }

    fn next(&mut self) -> Given {
        Err(self.is_away())
    }

    fn end(&mut self, _: u64) -> Result<(), ViewError> {
        Err(self.is_away())
    }

    fn stopped(&self) -> Option<(u64, ViewError)> {
        self.stopped.clone()
    }

    fn unfit(&self) -> u64 {
        self.unfit
    }
}

impl Away {
    /// Nobody asks it.
    fn is_away(&self) -> ViewError {
        ViewError::BadRequest(format!("{} is being read already", self.name))
    }
}
