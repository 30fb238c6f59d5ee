//! Reading ahead: while a view takes some events in, the next ones are read beside.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use recount_env::Tasks;
use recount_flow::delta::Delta;
use recount_flow::operator::FlowError;

use super::Source;
use crate::error::ViewError;

/// What a source gave; `None` = there is no more.
pub(super) type Given = Result<Option<Delta>, ViewError>;

/// Changes that were read and not taken yet, at most.
const READ_AHEAD: usize = 2;
/// How many read them: decoding what a topic has is most of what many views cost.
const READERS: usize = 2;

/// A source that is read beside, to its end.
pub(super) struct Ahead {
    read: Receiver<Read>,
    /// How many read still.
    readers: usize,
    source: Option<Box<dyn Source>>,
    helpers: Vec<Box<dyn Source>>,
}

/// What is read.
enum Read {
    Rows(Delta),
    /// A reader ended, or failed; whether it is the source itself.
    End(Box<dyn Source>, bool, Result<(), ViewError>),
}

/// What stands in its place meanwhile.
#[derive(Debug)]
pub(super) struct Away {
    name: String,
    unfit: u64,
    stopped: Option<(u64, ViewError)>,
}

impl Ahead {
    /// Takes a source away, which is to be read up to a position and has begun with that.
    pub(super) fn begin(
        tasks: &Arc<dyn Tasks>,
        source: &mut Box<dyn Source>,
        until: u64,
    ) -> Result<Ahead, ViewError> {
        let helpers = source.helpers(READERS - 1)?;
        let away = Away { name: source.name(), unfit: source.unfit(), stopped: source.stopped() };
        let source = std::mem::replace(source, Box::new(away));
        let (sender, read) = sync_channel(READ_AHEAD);
        let readers = 1 + helpers.len();
        let all = [(source, true)].into_iter().chain(helpers.into_iter().map(|helper| (helper, false)));
        for (source, is_source) in all {
            let sender = sender.clone();
            let task = async move { read_all(source, is_source, until, &sender) };
            tasks.spawn("recount-view-reads", Box::pin(task));
        }
        Ok(Ahead { read, readers, source: None, helpers: Vec::new() })
    }

    /// The next changes; waits for them. At the end the source is back in its place.
    pub(super) fn next(&mut self, place: &mut Box<dyn Source>) -> Given {
        while self.readers > 0 {
            match self.read.recv().map_err(|_| FlowError::Panicked)? {
                Read::Rows(rows) => return Ok(Some(rows)),
                Read::End(source, is_source, ended) => {
                    ended?;
                    self.readers -= 1;
                    if is_source { self.source = Some(source) } else { self.helpers.push(source) }
                }
            }
        }
        if let Some(mut source) = self.source.take() {
            self.helpers.drain(..).for_each(|helper| source.take_back(helper));
            *place = source;
        }
        Ok(None)
    }
}

/// Reads a source to its end.
fn read_all(mut source: Box<dyn Source>, is_source: bool, until: u64, sender: &SyncSender<Read>) {
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
    let _ = sender.send(Read::End(source, is_source, ended));
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
