//! Reading ahead: while a view takes some events in, the next ones are read beside.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use recount_env::Tasks;
use recount_flow::delta::Delta;
use recount_flow::operator::FlowError;

use super::Source;
use crate::error::ViewError;

/// What a source gave.
pub(super) type Given = Result<Option<Delta>, ViewError>;

/// A source that reads its next changes beside.
pub(super) struct Ahead(Receiver<(Box<dyn Source>, Given)>);

/// What stands in its place meanwhile.
#[derive(Debug)]
pub(super) struct Away {
    name: String,
    unfit: u64,
    stopped: Option<(u64, ViewError)>,
}

/// The next changes of a source, which ends at a position.
pub(super) fn next(source: &mut dyn Source, until: u64) -> Given {
    let next = source.next()?;
    source.end(until)?;
    Ok(next)
}

impl Ahead {
    /// Takes a source away.
    pub(super) fn begin(tasks: &Arc<dyn Tasks>, source: &mut Box<dyn Source>, until: u64) -> Ahead {
        let away = Away { name: source.name(), unfit: source.unfit(), stopped: source.stopped() };
        let mut source = std::mem::replace(source, Box::new(away));
        let (sender, receiver) = channel();
        let read = async move {
            let given = next(&mut *source, until);
            // Nobody may wait for it any more.
            let _ = sender.send((source, given));
        };
        tasks.spawn("recount-view-reads", Box::pin(read));
        Ahead(receiver)
    }

    /// Puts the source back, and gives what it read; waits for it.
    pub(super) fn end(self, place: &mut Box<dyn Source>) -> Given {
        let (source, given) = self.0.recv().map_err(|_| FlowError::Panicked)?;
        *place = source;
        given
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
