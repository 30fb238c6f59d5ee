//! One case: a database with random definitions lives through random steps, and answers as the naive evaluator does.

use std::fmt::Write as _;

use recount_store::{AppendRequest, EventWrite};
use recount_types::column::Value;
use recount_types::{NewEvent, Position, Time};
use recount_views::{Absent, Effect, Moment, Settings, ViewError};

use super::ast::{Entity, Kind, Topic, V};
use super::generate::{self, Rng, TIMES, clock, json};
use super::naive::{self, Event, Row};
use super::shown::{expected_rows, key_text, kind_of, kinds, reason, shown, state, values, written};
use crate::support::Bank;

/// What was seen of the things that the law is about.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counts {
    pub(crate) cases: u64,
    pub(crate) events: u64,
    pub(crate) answers: u64,
    pub(crate) rows: u64,
    pub(crate) absent: u64,
    pub(crate) stopped: u64,
    pub(crate) set: u64,
    pub(crate) deleted: u64,
    pub(crate) found: u64,
    pub(crate) late: u64,
    pub(crate) replaced: u64,
    pub(crate) reopened: u64,
    pub(crate) skipped: u64,
    pub(crate) spoiled: u64,
    pub(crate) snapshots: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Counts) {
        for (mine, other) in self.all().into_iter().zip(other.clone().all()) {
            *mine += *other;
        }
    }

    fn all(&mut self) -> [&mut u64; 15] {
        [
            &mut self.cases,
            &mut self.events,
            &mut self.answers,
            &mut self.rows,
            &mut self.absent,
            &mut self.stopped,
            &mut self.set,
            &mut self.deleted,
            &mut self.found,
            &mut self.late,
            &mut self.replaced,
            &mut self.reopened,
            &mut self.skipped,
            &mut self.spoiled,
            &mut self.snapshots,
        ]
    }

    pub(crate) fn has_zero(&mut self) -> bool {
        self.all().into_iter().any(|count| *count == 0)
    }
}

pub(super) struct Case {
    is_crowd: bool,
    pub(super) rng: Rng,
    pub(super) bank: Option<Bank>,
    topics: Vec<Topic>,
    /// The versions of each entity.
    pub(super) entities: Vec<Vec<Entity>>,
    skipped: Vec<Vec<u64>>,
    all: Vec<Event>,
    /// What happened, to be read by whoever looks for a mistake.
    told: String,
    pub(super) counts: Counts,
}

pub(super) type Done = Result<(), String>;

/// Runs a case; the error tells all about a mismatch.
pub(crate) fn run(seed: u64) -> Result<Counts, String> {
    let mut rng = Rng(seed);
    let mut topics = vec![generate::topic(&mut rng, "a", false)];
    for at in 0..rng.below(3) {
        topics.push(generate::topic(&mut rng, ["b", "c"][at], true));
    }
    // Some cases have more keys than a page of rows, and more than are folded again stream by stream.
    let is_crowd = seed % 50 == 49;
    if is_crowd {
        topics[0].columns[0].kind = Kind::BigInt;
    }
    // In some cases hardly any, in others one at every append.
    let snapshot_events = [1, 2, 7, 30, 1000][rng.below(5)];
    let mut case = Case {
        is_crowd,
        rng,
        bank: Some(Bank::with(Settings { snapshot_events, ..Settings::default() })),
        topics,
        entities: Vec::new(),
        skipped: Vec::new(),
        all: Vec::new(),
        told: String::new(),
        counts: Counts { cases: 1, ..Counts::default() },
    };
    let done = case.live();
    if let Some(bank) = case.bank.take() {
        bank.close();
    }
    done.map(|()| case.counts)
        .map_err(|error| format!("seed {seed}\n{}\n{error}\nagain: cargo xtask law --case {seed}", case.told))
}

impl Case {
    fn live(&mut self) -> Done {
        for at in 0..self.topics.len() {
            let sql = self.topics[at].sql();
            self.execute(&sql)?;
        }
        for at in 0..1 + usize::from(self.rng.percent(20)) {
            let entity = generate::entity(&mut self.rng, ["e", "f"][at], &self.topics);
            self.execute(&entity.sql(&self.topics, false))?;
            self.entities.push(vec![entity]);
            self.skipped.push(Vec::new());
        }
        for _ in 0..10 + self.rng.below(if self.is_crowd { 8 } else { 40 }) {
            self.step()?;
        }
        for at in 0..self.entities.len() {
            self.ask(at, None, Moment::default())?;
        }
        if self.counts.spoiled == 0 && self.rng.percent(30) { self.same_snapshots() } else { Ok(()) }
    }

    fn step(&mut self) -> Done {
        let entity = self.rng.below(self.entities.len());
        let versions = self.entities[entity].len();
        let version = self.rng.percent(25).then(|| 1 + self.rng.below(versions) as u32);
        match self.rng.below(100) {
            0..48 => self.append(),
            48..50 => self.together(),
            50..62 => self.ask(entity, version, Moment::default()),
            62..72 => {
                let moment = self.moment();
                self.ask(entity, version, moment)
            }
            72..82 => {
                let moment = if self.rng.percent(40) { Moment::default() } else { self.moment() };
                self.ask_one(entity, version, moment)
            }
            82..90 => {
                let moment = if self.rng.percent(50) { Moment::default() } else { self.moment() };
                self.steps(entity, version, moment)
            }
            90..92 => self.reopen(),
            92 => self.spoil(),
            93..95 => self.replace(entity),
            95..98 => self.skip(entity),
            _ => self.status(entity, version),
        }
    }

    fn bank(&self) -> &Bank {
        self.bank.as_ref().expect("it is open")
    }

    pub(super) fn tell(&mut self, text: &str) {
        let _ = writeln!(self.told, "{text}");
    }

    fn execute(&mut self, sql: &str) -> Done {
        self.tell(&format!("{sql};"));
        self.bank().views.execute(sql).map(drop).map_err(|error| format!("it is refused: {error}"))
    }

    fn append(&mut self) -> Done {
        let mut writes = Vec::new();
        let mut events = Vec::new();
        let many = if self.is_crowd && self.rng.percent(30) { 250 } else { 5 };
        for _ in 0..1 + self.rng.below(many) {
            let topic = if self.rng.percent(if self.is_crowd { 95 } else { 70 }) {
                0
            } else {
                self.rng.below(self.topics.len())
            };
            let (write, event) = self.event(topic);
            writes.push(write);
            events.push(event);
        }
        self.bank().tick();
        let request = AppendRequest { events: writes, ..AppendRequest::default() };
        let appended = recount_env::block_on(self.bank().store.append(request));
        let appended = appended.map_err(|error| format!("an append is refused: {error}"))?;
        for (mut event, place) in events.into_iter().zip(&appended.events) {
            event.position = place.position.0;
            event.appended = appended.append_time.0;
            if event.time == i64::MIN {
                event.time = event.appended;
            }
            let columns = self.topics[event.topic].columns.len();
            let places = [event.position as i64, event.time, event.appended].map(V::Int);
            event.values.splice(columns..columns, places);
            self.counts.events += 1;
            self.all.push(event);
        }
        self.tell(&format!("-- at {}", appended.position()));
        Ok(())
    }

    /// An event without its place: its values are those of the columns, then its type.
    fn event(&mut self, number: usize) -> (EventWrite, Event) {
        let topic = &self.topics[number];
        let rng = &mut self.rng;
        let known = (!topic.events.is_empty()).then(|| rng.below(topic.events.len()));
        let event_type = match known {
            Some(known) => Some(topic.events[known].1.clone()),
            None => rng.percent(30).then(|| "other".to_owned()),
        };
        let (mut values, mut fields) = (Vec::new(), Vec::new());
        for (at, column) in topic.columns.iter().enumerate() {
            let is_here = column.of.is_none() || column.of == known;
            let few = match (topic.key.contains(&at), rng.percent(6)) {
                (true, _) => 3,
                (false, true) => 9,
                (false, false) => 6,
            };
            let value = match is_here && !(column.nullable && rng.percent(25)) {
                true if self.is_crowd && (number, at) == (0, 0) => V::Int(rng.below(2000) as i64),
                true => generate::value(rng, column.kind, few),
                false => V::Null,
            };
            // Missing is null.
            if is_here && !(value == V::Null && rng.percent(50)) {
                fields.push(format!("\"{}\": {}", column.written, json(rng, &value, column.kind)));
            }
            values.push(value);
        }
        let stamped = topic.timestamp_by.map_or(V::Null, |at| values[at].clone());
        let given = (topic.timestamp_by.is_none() && rng.percent(60)).then(|| *rng.pick(&TIMES));
        let time = match stamped {
            V::Int(time) => time,
            _ => given.unwrap_or(i64::MIN),
        };
        values.push(event_type.clone().map_or(V::Null, V::Text));
        let payload = format!("{{{}}}", fields.join(", "));
        let _ = writeln!(
            self.told,
            "{} {} {payload} {}",
            topic.name,
            event_type.as_deref().unwrap_or("-"),
            given.map_or(String::new(), clock)
        );
        let event = Event { topic: number, position: 0, time, appended: 0, number: known, values };
        let new =
            NewEvent { payload: payload.into(), event_type, time: given.map(Time), ..NewEvent::default() };
        (EventWrite { topic: topic.name.parse().expect("a name"), key: None, event: new }, event)
    }

    fn moment(&mut self) -> Moment {
        let head = self.bank().store.head();
        let position = self.rng.percent(65).then(|| self.rng.below(head.0 as usize + 1) as u64);
        let position = position.map(|position| Position(self.rounded(position)));
        let near = [-1, 0, 0, 0, 1][self.rng.below(5)];
        let time = match self.all.last() {
            Some(last) if self.rng.percent(25) => last.appended,
            _ => *self.rng.pick(&TIMES),
        };
        let valid_until = (position.is_none() || self.rng.percent(45)).then_some(Time(time + near));
        Moment { position, valid_until }
    }

    /// A position within an append is the one before it.
    fn rounded(&self, mut position: u64) -> u64 {
        let appended = |position| {
            let at = self.all.binary_search_by_key(&position, |event| event.position).ok()?;
            Some(self.all[at].appended)
        };
        while appended(position).is_some() && appended(position) == appended(position + 1) {
            position -= 1;
        }
        position
    }

    /// The version that is meant.
    fn definition(&self, entity: usize, version: Option<u32>) -> &Entity {
        let versions = &self.entities[entity];
        &versions[version.map_or(versions.len(), |version| version as usize) - 1]
    }

    fn expected(&self, entity: usize, version: Option<u32>, position: Position, moment: Moment) -> Vec<Row> {
        let definition = self.definition(entity, version);
        let until = moment.valid_until.map_or(i64::MAX, |time| time.0);
        naive::rows(definition, &self.topics, &self.all, &self.skipped[entity], position.0, until)
    }

    fn differs<T>(
        &self,
        entity: usize,
        version: Option<u32>,
        moment: Moment,
        what: &str,
    ) -> Result<T, String> {
        Err(format!("{} {version:?} as of {moment:?}: {what}", self.entities[entity][0].name))
    }

    /// All rows.
    fn ask(&mut self, entity: usize, version: Option<u32>, moment: Moment) -> Done {
        let name = self.entities[entity][0].name.clone();
        self.tell(&format!("-- all rows of {name} {version:?} {moment:?}"));
        let head = self.bank().store.head();
        let (position, frozen) = match self.bank().views.rows(&name, version, None, moment) {
            Ok(found) => found,
            Err(error) => return self.differs(entity, version, moment, &error.to_string()),
        };
        let expected = self.expected(entity, version, position, moment);
        // A new version takes over while it is asked, and that has a position.
        let newest = self.bank().store.head();
        let wanted = moment.position.map_or(head..=newest, |position| position..=position);
        if !wanted.contains(&position) {
            return self.differs(entity, version, moment, &format!("it is at {position}, not at {wanted:?}"));
        }
        self.count(&expected);
        let definition = self.definition(entity, version);
        let (found, wanted) = (shown(&frozen), expected_rows(definition, &expected));
        if found != wanted {
            let what = format!("it has\n{}\nand not\n{}", found.join("\n"), wanted.join("\n"));
            return self.differs(entity, version, moment, &what);
        }
        // The text of a key is read as that key.
        let info = self.bank().views.entity(&name, version).map_err(|error| error.to_string())?;
        for (row, _) in frozen.rows() {
            let key = row.key.to_key();
            let text = recount_views::key_text(&key, &info.columns[..info.key_width]);
            let again = self.bank().views.key(&name, version, &text);
            if again.as_ref() != Ok(&key) {
                let what = format!("the key {:?} is shown as {text}, which is {again:?}", key);
                return self.differs(entity, version, moment, &what);
            }
        }
        Ok(())
    }

    /// Every version of every entity, at one position.
    fn together(&mut self) -> Done {
        self.tell("-- every version at once");
        let names: Vec<(String, u32, usize)> = (0..self.entities.len())
            .flat_map(|at| (1..=self.entities[at].len()).map(move |version| (at, version)))
            .map(|(at, version)| (self.entities[at][0].name.clone(), version as u32, at))
            .collect();
        let wanted: Vec<(&str, Option<u32>)> =
            names.iter().map(|(name, version, _)| (name.as_str(), Some(*version))).collect();
        let (position, all) =
            self.bank().views.freeze(&wanted, Position::ZERO).map_err(|error| error.to_string())?;
        for ((_, version, entity), frozen) in names.iter().zip(&all) {
            let expected = self.expected(*entity, Some(*version), position, Moment::default());
            let wanted = expected_rows(self.definition(*entity, Some(*version)), &expected);
            let found = shown(frozen);
            if found != wanted {
                let what = format!("it has\n{}\nand not\n{}", found.join("\n"), wanted.join("\n"));
                return self.differs(*entity, Some(*version), Moment::default(), &what);
            }
            self.count(&expected);
        }
        Ok(())
    }

    fn count(&mut self, rows: &[Row]) {
        self.counts.answers += 1;
        for row in rows {
            self.counts.rows += u64::from(row.present);
            self.counts.absent += u64::from(!row.present);
            self.counts.stopped += u64::from(row.stopped.is_some());
            for (at, step) in row.steps.iter().enumerate() {
                self.counts.set += u64::from(step.effect == "Set");
                self.counts.deleted += u64::from(step.effect == "Deleted");
                self.counts.found += u64::from(step.found.contains(&true));
                self.counts.late += u64::from(at > 0 && row.steps[at - 1].event > step.event);
            }
        }
    }

    /// The key of some event, mostly, and its text.
    fn some_key(&mut self, entity: usize, version: Option<u32>) -> Option<(Vec<V>, String)> {
        let rows = self.expected(entity, version, Position(u64::MAX), Moment::default());
        let key = if rows.is_empty() || self.rng.percent(5) {
            let kinds = kinds(self.definition(entity, version), &self.topics);
            kinds.iter().map(|&kind| generate::value(&mut self.rng, kind, 6)).collect()
        } else {
            self.rng.pick(&rows).key.clone()
        };
        let text = key_text(&key, &kinds(self.definition(entity, version), &self.topics));
        Some((key, text))
    }

    /// One row.
    fn ask_one(&mut self, entity: usize, version: Option<u32>, moment: Moment) -> Done {
        let Some((key, text)) = self.some_key(entity, version) else { return Ok(()) };
        let name = self.entities[entity][0].name.clone();
        self.tell(&format!("-- {name}/{text} {version:?} {moment:?}"));
        let answer = self.bank().views.row(&name, version, &text, moment, Position::ZERO);
        let position = moment.position.unwrap_or_else(|| self.bank().store.head());
        let known = self.expected(entity, version, position, moment);
        let row = known.iter().find(|row| row.key == key);
        let definition = self.definition(entity, version);
        let wanted = match row {
            Some(row) if row.stopped.is_some() => {
                row.stopped.as_ref().map(|(position, why)| format!("stopped {position} {}", reason(why)))
            }
            Some(row) if row.present => Some(format!(
                "{:?} {:?} {} {}",
                values(&row.key),
                state(definition, &row.state),
                row.position,
                row.time
            )),
            _ => None,
        };
        let wanted = wanted.unwrap_or_else(|| format!("{:?}", self.absent(entity, version, &key, moment)));
        let found = match answer {
            Ok(answer) => match answer.row {
                Ok(row) => format!(
                    "{:?} {:?} {} {}",
                    row.values[..key.len()].iter().map(written).collect::<Vec<_>>(),
                    row.values[key.len()..].iter().map(written).collect::<Vec<_>>(),
                    row.position,
                    row.event_time.0
                ),
                Err(absent) => format!("{absent:?}"),
            },
            Err(ViewError::Stopped { position, reason, .. }) => {
                format!("stopped {position} {}", kind_of(&reason))
            }
            Err(error) => error.to_string(),
        };
        self.counts.answers += 1;
        if found != wanted {
            let what = format!("{text} is\n{found}\nand not\n{wanted}");
            return self.differs(entity, version, moment, &what);
        }
        Ok(())
    }

    /// Why a key has no row.
    fn absent(&self, entity: usize, version: Option<u32>, key: &[V], moment: Moment) -> Absent {
        let times = |position: Position| {
            let rows = self.expected(entity, version, position, Moment::default());
            let row = rows.into_iter().find(|row| row.key == key);
            let steps = row.map(|row| row.steps).unwrap_or_default();
            steps
                .iter()
                .map(|step| (self.all[step.event].position, self.all[step.event].time))
                .collect::<Vec<_>>()
        };
        let ever = times(Position(u64::MAX));
        let recorded = times(moment.position.unwrap_or(Position(u64::MAX)));
        let first_recorded = ever.iter().map(|(position, _)| *position).min();
        let first_happened = recorded.iter().map(|(_, time)| *time).min();
        match (first_recorded, first_happened) {
            (None, _) => Absent::Never,
            (Some(position), None) => Absent::RecordedLater(Position(position)),
            (_, Some(time)) if moment.valid_until.is_some_and(|asked| asked.0 < time) => {
                Absent::Later(Time(time))
            }
            _ => Absent::Ended,
        }
    }

    fn steps(&mut self, entity: usize, version: Option<u32>, moment: Moment) -> Done {
        let one = if self.rng.percent(60) { self.some_key(entity, version) } else { None };
        let name = self.entities[entity][0].name.clone();
        let text = one.as_ref().map_or("every key", |(_, text)| text.as_str());
        self.tell(&format!("-- steps of {name}: {text} {version:?} {moment:?}"));
        let views = &self.bank().views;
        let key = match &one {
            Some((_, text)) => Some(views.key(&name, version, text).map_err(|error| error.to_string())?),
            None => None,
        };
        let mut found = Vec::new();
        let mut visit = |step: recount_views::StepRow| {
            if key.as_ref().is_some_and(|key| *key != step.key) {
                return;
            }
            let text = |state: Option<Vec<Value<'static>>>| {
                state.map(|state| state.iter().map(written).collect::<Vec<_>>())
            };
            let seen = matches!(step.effect, Effect::Set | Effect::Deleted | Effect::Ignored);
            let rows: Vec<bool> = step.lookups.iter().filter(|_| seen).map(Option::is_some).collect();
            let rule = step.rule.filter(|_| seen);
            found.push(format!(
                "{:?} {} {} {} {:?} rule {rule:?} {:?} -> {:?} {rows:?} {}",
                step.key.values().unwrap_or_default().iter().map(written).collect::<Vec<_>>(),
                step.position,
                step.event_time.0,
                step.append_time.0,
                step.effect,
                text(step.before),
                text(step.after),
                step.reason.map_or(String::new(), |reason| kind_of(&reason))
            ));
        };
        let done = views.steps(&name, version, key.as_ref(), moment, &mut visit);
        let position = match done {
            Ok(folded) => folded.position,
            Err(error) => return self.differs(entity, version, moment, &error.to_string()),
        };
        let definition = self.definition(entity, version);
        let mut wanted = Vec::new();
        for row in self.expected(entity, version, position, moment) {
            if one.as_ref().is_some_and(|(key, _)| *key != row.key) {
                continue;
            }
            let mut before = None;
            for step in &row.steps {
                let seen = matches!(step.effect, "Set" | "Deleted" | "Ignored");
                let event = &self.all[step.event];
                let text = |at: &Option<Vec<V>>| at.as_ref().map(|at| state(definition, at));
                let why = row.stopped.as_ref().filter(|_| step.effect == "Stopped");
                wanted.push(format!(
                    "{:?} {} {} {} {} rule {:?} {:?} -> {:?} {:?} {}",
                    values(&row.key),
                    event.position,
                    event.time,
                    event.appended,
                    step.effect,
                    step.rule.filter(|_| seen),
                    text(&before),
                    text(&step.after),
                    if seen { step.found.clone() } else { Vec::new() },
                    why.map_or(String::new(), |(_, why)| reason(why))
                ));
                before = step.after.clone();
            }
        }
        self.counts.answers += 1;
        if one.is_none() {
            // Keys come in an order of their own.
            let first = |text: &String| text[..text.find(']').unwrap_or(0)].to_owned();
            found.sort_by_key(first);
            wanted.sort_by_key(first);
        }
        if found != wanted {
            let what = format!("its steps are\n{}\nand not\n{}", found.join("\n"), wanted.join("\n"));
            return self.differs(entity, version, moment, &what);
        }
        Ok(())
    }

    fn reopen(&mut self) -> Done {
        self.tell("-- closed and opened");
        self.bank = self.bank.take().map(Bank::reopen);
        self.counts.reopened += 1;
        Ok(())
    }

    fn replace(&mut self, entity: usize) -> Done {
        let name = self.entities[entity][0].name.clone();
        let next = generate::entity(&mut self.rng, &name, &self.topics);
        self.execute(&next.sql(&self.topics, true))?;
        self.entities[entity].push(next);
        let newest = self.entities[entity].len() as u32;
        self.counts.replaced += 1;
        let is_it = |info: &recount_views::EntityInfo| {
            info.name.as_str() == name && info.version == newest && info.current
        };
        for _ in 0..2_000_000 {
            if self.bank().views.entities().iter().any(is_it) {
                return Ok(());
            }
            std::thread::yield_now();
        }
        Err(format!("version {newest} does not take over"))
    }

    fn skip(&mut self, entity: usize) -> Done {
        let events: Vec<u64> =
            self.all.iter().filter(|event| event.topic == 0).map(|event| event.position).collect();
        let skipped = &self.skipped[entity];
        let events: Vec<u64> = events.into_iter().filter(|position| !skipped.contains(position)).collect();
        if events.is_empty() {
            return Ok(());
        }
        // Mostly one that a key stopped at.
        let head = self.bank().store.head();
        let stopped: Vec<u64> = self
            .expected(entity, None, head, Moment::default())
            .iter()
            .filter_map(|row| row.stopped.as_ref().map(|(position, _)| *position))
            .collect();
        let position = match stopped.is_empty() || self.rng.percent(30) {
            true => *self.rng.pick(&events),
            false => *self.rng.pick(&stopped),
        };
        let name = self.entities[entity][0].name.clone();
        self.execute(&format!("ALTER ENTITY {name} SKIP EVENT {position}"))?;
        self.skipped[entity].push(position);
        self.counts.skipped += 1;
        Ok(())
    }

    fn status(&mut self, entity: usize, version: Option<u32>) -> Done {
        self.ask(entity, version, Moment::default())?;
        let name = self.entities[entity][0].name.clone();
        let status = self.bank().views.status(&name, version).map_err(|error| error.to_string())?;
        let keys = self.expected(entity, version, Position(status.position), Moment::default()).len();
        if status.keys != keys {
            let what = format!("{status:?}, and not {keys} keys");
            return self.differs(entity, version, Moment::default(), &what);
        }
        Ok(())
    }
}
