//! The versions of an entity's rows over time.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use recount_entity::key::Key;
use recount_store::schema::ColumnType;
use recount_types::{Column, Value};
use recount_views::{EntityInfo, Folded, StepRow, ViewError, Views};

use super::{BATCH_ROWS, Place, empty, stopped_error};
use crate::error::QueryError;
use crate::left_out::{LeftOut, of_events};
use crate::moment::{Moment, Span};
use crate::relations::{Given, Rows};
use crate::settings::Stopped;

/// Batches of steps that are made ahead.
const BATCHES_AHEAD: usize = 2;

/// Over what versions are asked for.
pub(super) struct Over {
    pub(super) views: Views,
    pub(super) info: EntityInfo,
    pub(super) moment: Moment,
    pub(super) key: Option<Key>,
}

impl Over {
    /// Tells of each step, over the axis that is asked about.
    fn steps(&self, visit: &mut (dyn FnMut(StepRow) + Send)) -> Result<Folded, ViewError> {
        let Over { views, info, moment, key } = self;
        let as_of = recount_views::Moment { position: Some(moment.position), valid_until: moment.valid_time };
        let (name, version) = (info.name.as_str(), Some(info.version));
        if moment.system_span.is_some() {
            views.versions(name, version, key.as_ref(), as_of, visit)
        } else {
            views.steps(name, version, key.as_ref(), as_of, visit)
        }
    }
}

/// The versions of rows over time, made on a thread of their own that ends when nobody wants more.
pub(super) struct Steps {
    batches: Receiver<Made>,
    notices: Vec<String>,
}

impl Steps {
    pub(super) fn begin(
        over: Over,
        shape: Vec<(ColumnType, Place)>,
        stopped: Stopped,
    ) -> Result<Steps, QueryError> {
        let (mut left_out, mut notices) = (HashSet::new(), Vec::new());
        if stopped == Stopped::Skip {
            // A key may stop after many versions, of which none is to come: that is known only afterwards.
            let mut found = LeftOut::default();
            over.steps(&mut |step| {
                if step.reason.is_some() && left_out.insert(step.key.clone()) {
                    found.add(&over.info, &step.key, step.position.0);
                }
            })?;
            notices.extend(found.notice(&over.info));
        }
        let (sender, batches) = sync_channel(BATCHES_AHEAD);
        let views = over.views.clone();
        let maker = Maker {
            columns: empty(&shape),
            shape,
            last: HashMap::new(),
            system: over.moment.system_span,
            valid: over.moment.valid_span,
            info: over.info.clone(),
            left_out,
            open: true,
            sender,
        };
        views.beside("recount-versions", move || maker.run(&over));
        Ok(Steps { batches, notices })
    }
}

impl Rows for Steps {
    fn next(&mut self) -> Result<Option<Given>, QueryError> {
        match self.batches.recv() {
            Ok(Made::Rows(rows)) => Ok(Some(Given::Columns(rows))),
            Ok(Made::All(notice)) => {
                self.notices.extend(notice);
                Ok(None)
            }
            Ok(Made::Failed(error)) => Err(error),
            Err(_) => Err(QueryError::Failed("the versions broke off".to_owned())),
        }
    }

    fn notices(&self) -> Vec<String> {
        self.notices.clone()
    }
}

/// What the thread tells.
enum Made {
    Rows(Vec<Column>),
    /// There are no more; what to say of events that were left out.
    All(Option<String>),
    Failed(QueryError),
}

/// Makes batches of steps.
struct Maker {
    columns: Vec<Column>,
    shape: Vec<(ColumnType, Place)>,
    /// The last step of each key, of which it is not known yet when its version ends.
    last: HashMap<Key, (StepRow, i64)>,
    system: Option<Span>,
    valid: Option<Span>,
    info: EntityInfo,
    /// Keys of which no version is wanted.
    left_out: HashSet<Key>,
    open: bool,
    sender: SyncSender<Made>,
}

impl Maker {
    fn run(mut self, over: &Over) {
        let done = over.steps(&mut |step: StepRow| self.step(step));
        self.end_all();
        let rest = std::mem::replace(&mut self.columns, empty(&self.shape));
        // Nobody may want it any more.
        let _ = match done {
            Err(error) => self.sender.send(Made::Failed(error.into())),
            Ok(folded) => {
                let all = Made::All(of_events(&self.info, folded.unfit));
                self.sender.send(Made::Rows(rest)).and_then(|()| self.sender.send(all))
            }
        };
    }

    fn step(&mut self, step: StepRow) {
        if !self.open || self.left_out.contains(&step.key) {
            return;
        }
        if let Some(reason) = &step.reason {
            let error = stopped_error(&self.info, &step.key, step.position.0, reason);
            self.open = false;
            let _ = self.sender.send(Made::Failed(error));
            return;
        }
        // Steps seen in the fold's order come key by key; versions as recorded come across keys.
        if self.system.is_none() && !self.last.contains_key(&step.key) {
            self.end_all();
        }
        // As seen now, a version is true from the greatest event time that it has seen.
        let before = self.last.remove(&step.key);
        let from = before.as_ref().map_or(step.event_time.0, |(_, before)| step.event_time.0.max(*before));
        if let Some((last, valid_from)) = before {
            self.end_version(&last, valid_from, Some((&step, from)));
        }
        self.last.insert(step.key.clone(), (step, from));
        if self.columns.first().is_some_and(|column| column.len() >= BATCH_ROWS) {
            let full = std::mem::replace(&mut self.columns, empty(&self.shape));
            self.open = self.sender.send(Made::Rows(full)).is_ok();
        }
    }

    /// Ends what goes on, in the order in which it began.
    fn end_all(&mut self) {
        let mut open: Vec<(StepRow, i64)> = self.last.drain().map(|(_, last)| last).collect();
        open.sort_by_key(|(step, _)| step.position);
        for (step, valid_from) in open {
            self.end_version(&step, valid_from, None);
        }
    }

    /// Adds the version that a step made, now that it is known when it ends.
    fn end_version(&mut self, step: &StepRow, valid_from: i64, next: Option<(&StepRow, i64)>) {
        let Some(after) = &step.after else { return };
        let (system_from, system_to) = (step.append_time.0, next.map(|(next, _)| next.append_time.0));
        let valid_to = next.map(|(_, from)| from);
        let overlaps = |span: Option<Span>, from: i64, to: Option<i64>| {
            span.is_none_or(|span| {
                span.before.is_none_or(|before| from < before.0)
                    && span.from.is_none_or(|start| to.is_none_or(|to| to > start.0))
            })
        };
        if !overlaps(self.system, system_from, system_to) || !overlaps(self.valid, valid_from, valid_to) {
            return;
        }
        let key = step.key.values().unwrap_or_default();
        let time = |time: Option<i64>| time.map_or(Value::Null, Value::Integer);
        for (column, (_, place)) in self.columns.iter_mut().zip(&self.shape) {
            match place {
                Place::Own(at) => column.push(key.get(*at).unwrap_or_else(|| &after[at - key.len()])),
                Place::Position => column.push(&Value::Integer(step.position.0 as i64)),
                Place::EventTime => column.push(&Value::Integer(step.event_time.0)),
                Place::AppendTime | Place::SystemFrom => column.push(&Value::Integer(system_from)),
                Place::SystemTo => column.push(&time(system_to)),
                Place::ValidFrom => column.push(&Value::Integer(valid_from)),
                Place::ValidTo => column.push(&time(valid_to)),
                Place::ValidAt => column.push(&Value::Null),
            }
        }
    }
}
