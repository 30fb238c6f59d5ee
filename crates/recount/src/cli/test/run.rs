//! One test: a database of its own in memory, whose clock shows what the file says.

use recount::{
    AppendError, Database, EventWrite, Format, ManualClock, NewEvent, Output, Position, QueryError,
    TopicName, ViewError,
};
use recount_views::shown::values_json;
use serde_json::{Map, Value};

use super::compare::{Found, differences};
use super::cursor::Place;
use super::file::{CLOCK_START, Given, RowExpected, RowOf, RowsExpected, Step, Test, TestFile, What};
use crate::cli::build;
use crate::cli::failure::Failure;
use crate::cli::target::Target;
use crate::cli::why;

/// An answer that is larger is no answer to compare, bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// How many steps of a row are shown, the last ones.
const STEPS_SHOWN_MAX: usize = 20;

/// What does not hold.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) at: Place,
    pub(super) what: String,
    /// Lines to show below it.
    pub(super) below: Vec<String>,
}

impl Failed {
    fn new(at: Place, what: impl Into<String>) -> Failed {
        Failed { at, what: what.into(), below: Vec::new() }
    }
}

/// How a test ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// All of it holds, if this is empty.
    Failed(Vec<Failed>),
    /// What every test begins with is refused.
    Unusable(Failed),
}

/// Runs a test.
pub(super) fn run(file: &TestFile, test: &Test) -> Result<Ended, Failure> {
    let clock = ManualClock::new(CLOCK_START);
    let database = Database::memory_with_clock(&clock)?;
    let bench = Bench { database, clock };
    let ended = bench.play(file, test);
    bench.database.close()?;
    Ok(ended)
}

struct Bench {
    database: Database,
    clock: ManualClock,
}

impl Bench {
    fn play(&self, file: &TestFile, test: &Test) -> Ended {
        for step in &file.background {
            if let Err(failed) = self.step(step) {
                return Ended::Unusable(failed);
            }
        }
        let mut failures = Vec::new();
        for step in &test.steps {
            let is_look = matches!(step.what, What::Row(_) | What::Rows { .. });
            if let Err(failed) = self.step(step) {
                failures.push(failed);
                // What was not done makes no sense of what follows; what was looked at changes nothing.
                if !is_look {
                    break;
                }
            }
        }
        Ended::Failed(failures)
    }

    fn step(&self, step: &Step) -> Result<(), Failed> {
        match &step.what {
            What::Clock(time) => {
                self.clock.set(*time);
                Ok(())
            }
            What::Given(given) => {
                let done = self.append(given).map_err(|(at, said)| Failed::new(at.unwrap_or(step.at), said));
                as_expected(step.at, "these events are", done, given.refused.as_deref())
            }
            What::Statement { text, refused } => {
                let done = self.execute(text).map_err(|failure| located(step.at, &failure.to_string()));
                as_expected(step.at, "this statement is", done, refused.as_deref())
            }
            What::Row(row) => self.row(step.at, row),
            What::Rows { query, ordered, expected } => self.rows(step.at, query, *ordered, expected),
        }
    }

    /// Appends events. An error may be about one of them.
    fn append(&self, given: &Given) -> Result<(), (Option<Place>, String)> {
        let topic = TopicName::parse(&given.topic).map_err(|error| (None, error.to_string()))?;
        let event = |(_, payload): &(Place, String)| EventWrite {
            topic: topic.clone(),
            key: given.key.clone().map(|key| key.into_bytes().into()),
            event: NewEvent {
                payload: payload.clone().into(),
                event_type: given.event_type.clone(),
                ..NewEvent::default()
            },
        };
        match self.database.append(given.events.iter().map(event).collect()) {
            Ok(_) => Ok(()),
            Err(AppendError::BadEvent { index, what }) => {
                Err((given.events.get(index).map(|(at, _)| *at), what))
            }
            Err(error) => Err((None, Failure::from(error).to_string())),
        }
    }

    fn execute(&self, statement: &str) -> Result<(), Failure> {
        match self.database.sql(statement)? {
            Output::Executed(executed) => match executed.version {
                // The version of before answers until the new one has caught up.
                Some(version) if version > 1 && !executed.statement.starts_with("DROP") => {
                    build::wait(&self.database, executed.name.as_str(), version)
                }
                _ => Ok(()),
            },
            Output::Rows(mut rows) => rows.try_for_each(|batch| Ok(batch.map(drop)?)),
        }
    }

    fn row(&self, at: Place, row: &RowOf) -> Result<(), Failed> {
        let RowOf { entity, key, expected, .. } = row;
        let name = format!("{entity}/{key}");
        let (what, mut below) = match (self.found(row), expected) {
            (Err(Unread::Stopped(reason)), RowExpected::Stopped(wanted)) => {
                if wanted.as_ref().is_none_or(|wanted| reason.contains(wanted.as_str())) {
                    return Ok(());
                }
                (format!("{name} stopped for another reason: {reason}"), Vec::new())
            }
            (Err(Unread::Stopped(reason)), _) => (format!("{name} stopped: {reason}"), Vec::new()),
            (Err(Unread::Failed(failure)), _) => return Err(Failed::new(at, failure.to_string())),
            (Ok(Err(_)), RowExpected::Nothing) => return Ok(()),
            (Ok(Err(why)), _) => (format!("there is no row {name}: {why}"), Vec::new()),
            (Ok(Ok(found)), RowExpected::Values(values)) => {
                let lines = differences(std::slice::from_ref(values), &found, true);
                match lines.map_err(|error| Failed::new(at, error))? {
                    lines if lines.is_empty() => return Ok(()),
                    lines => (format!("{name} is not as expected"), lines),
                }
            }
            (Ok(Ok(found)), RowExpected::Nothing) => (format!("there is a row {name}"), every_line(&found)),
            (Ok(Ok(found)), RowExpected::Stopped(_)) => (format!("{name} did not stop"), every_line(&found)),
        };
        below.extend(self.steps(row));
        Err(Failed { at, what, below })
    }

    /// The row, or why there is none.
    fn found(&self, row: &RowOf) -> Result<Result<Found, String>, Unread> {
        let views = self.database.views();
        let info = views.entity(&row.entity, row.asked.version)?;
        let moment = row.asked.moment(&self.database).map_err(Unread::Failed)?;
        let answer = views.row(&row.entity, Some(info.version), &row.key, moment, Position::ZERO)?;
        let state = match answer.row {
            Ok(state) => state,
            Err(absent) => return Ok(Err(absent.to_string())),
        };
        let values: Map<String, Value> = serde_json::from_str(&values_json(&state.values, &info.columns))
            .map_err(|error| Unread::Failed(Failure::new(error.to_string())))?;
        let columns =
            info.columns.iter().map(|column| (column.name.clone(), column.column_type.to_string())).collect();
        let value = |name: &String| values.get(name).cloned().unwrap_or_default();
        let rows = vec![info.columns.iter().map(|column| value(&column.name)).collect()];
        Ok(Ok(Found { columns, rows }))
    }

    /// How the row came to be, as `recount why` shows it.
    fn steps(&self, row: &RowOf) -> Vec<String> {
        let target = Target::Local(self.database.clone());
        // What is told is why the test failed; that there are no steps to tell is no failure more.
        let Ok(answer) = why::steps(&target, &row.entity, &row.key, &row.asked) else { return Vec::new() };
        let none = Vec::new();
        let steps = answer.get("steps").and_then(Value::as_array).unwrap_or(&none);
        if steps.is_empty() {
            return Vec::new();
        }
        let passed = steps.len().saturating_sub(STEPS_SHOWN_MAX);
        let mut lines = vec!["its steps:".to_owned()];
        lines.extend((passed > 0).then(|| format!("  … {passed} before")));
        for step in &steps[passed..] {
            lines.extend(why::step_lines(step).into_iter().map(|line| format!("  {}", line.trim_end())));
        }
        lines
    }

    fn rows(&self, at: Place, query: &str, ordered: bool, expected: &RowsExpected) -> Result<(), Failed> {
        let found = self.answer(query).map_err(|error| match error {
            // There is no database to look at.
            Unread::Stopped(what) => what,
            Unread::Failed(failure) => failure.to_string(),
        });
        match (found, expected) {
            (Err(said), RowsExpected::Error(wanted)) if said.contains(wanted.as_str()) => Ok(()),
            (Err(said), RowsExpected::Error(wanted)) => Err(another_error(at, wanted, &said)),
            (Err(said), RowsExpected::Rows(_)) => Err(located(at, &said)),
            (Ok(found), RowsExpected::Error(_)) => {
                let what = "the query has an answer, where an error is expected";
                Err(Failed { at, what: what.to_owned(), below: every_line(&found) })
            }
            (Ok(found), RowsExpected::Rows(rows)) => {
                let below = differences(rows, &found, ordered).map_err(|error| Failed::new(at, error))?;
                if below.is_empty() {
                    return Ok(());
                }
                Err(Failed { at, what: "the query has other rows than expected".to_owned(), below })
            }
        }
    }

    fn answer(&self, query: &str) -> Result<Found, Unread> {
        let rows = match self.database.sql(query)? {
            Output::Rows(rows) => rows,
            Output::Executed(_) => return Err(Unread::Failed(Failure::new("this is no query"))),
        };
        let mut text = Vec::new();
        for piece in rows.formatted(Format::Json) {
            text.extend_from_slice(&piece?);
            if text.len() > ANSWER_BYTES_MAX {
                let what = format!("the answer is larger than {} MiB: ask for less", ANSWER_BYTES_MAX >> 20);
                return Err(Unread::Failed(Failure::new(what)));
            }
        }
        let answer: Value = serde_json::from_slice(&text)
            .map_err(|error| Unread::Failed(Failure::new(format!("the answer is not JSON: {error}"))))?;
        let list = |member: &str| answer.get(member).and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |value: &Value, member: &str| {
            value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        Ok(Found {
            columns: list("columns")
                .iter()
                .map(|column| (text(column, "name"), text(column, "type")))
                .collect(),
            rows: list("rows").iter().map(|row| row.as_array().cloned().unwrap_or_default()).collect(),
        })
    }
}

/// Why something cannot be read.
enum Unread {
    /// A key stopped, for this reason.
    Stopped(String),
    Failed(Failure),
}

impl From<ViewError> for Unread {
    fn from(error: ViewError) -> Unread {
        match error {
            ViewError::Stopped { reason, .. } => Unread::Stopped(reason),
            error => Unread::Failed(error.into()),
        }
    }
}

impl From<QueryError> for Unread {
    fn from(error: QueryError) -> Unread {
        match error {
            QueryError::View(ViewError::Stopped { entity, key, position, reason }) => {
                Unread::Stopped(format!("{entity}/{key} stopped at position {position}: {reason}"))
            }
            error => Unread::Failed(error.into()),
        }
    }
}

/// Something was done, or refused as it should be.
fn as_expected(at: Place, what: &str, done: Result<(), Failed>, refused: Option<&str>) -> Result<(), Failed> {
    match (done, refused) {
        (done, None) => done,
        (Ok(()), Some(wanted)) => {
            Err(Failed::new(at, format!("{what} not refused, where an error with {wanted:?} is expected")))
        }
        (Err(failed), Some(wanted)) if failed.what.contains(wanted) => Ok(()),
        (Err(failed), Some(wanted)) => Err(another_error(at, wanted, &failed.what)),
    }
}

fn another_error(at: Place, wanted: &str, said: &str) -> Failed {
    let below = vec![format!("- …{wanted}…"), format!("+ {said}")];
    Failed { at, what: "the error is another than expected".to_owned(), below }
}

/// What a statement's error says, at its place in the file.
fn located(at: Place, said: &str) -> Failed {
    let place = |text: &str| {
        let (line, rest) = text.strip_prefix("line ")?.split_once(", column ")?;
        let (column, what) = rest.split_once(": ")?;
        Some((Place { line: line.parse().ok()?, column: column.parse().ok()? }, what.to_owned()))
    };
    match place(said) {
        Some((inner, what)) => Failed::new(at.within(inner), what),
        None => Failed::new(at, said),
    }
}

fn every_line(found: &Found) -> Vec<String> {
    // No row is expected, so that every one differs.
    differences(&[], found, true).unwrap_or_default()
}
