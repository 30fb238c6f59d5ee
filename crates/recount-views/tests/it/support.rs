//! A database with entities, and its answers as texts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use recount_env::{Clock, Env, OpenMode, block_on, memory};
use recount_store::{AppendRequest, EventWrite, OpenOptions, Store};
use recount_types::column::Value;
use recount_types::{NewEvent, Position, Time};
use recount_views::{Effect, Moment, Settings, Views};

/// A database whose clock goes on by one second with each append.
pub(crate) struct Bank {
    pub(crate) env: Env,
    pub(crate) store: Store,
    pub(crate) views: Views,
    clock: Arc<Seconds>,
    pub(crate) settings: Settings,
}

#[derive(Debug)]
struct Seconds(AtomicI64);

impl Clock for Seconds {
    fn now_us(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }

    fn boottime_us(&self) -> u64 {
        self.now_us() as u64
    }

    fn boot_id(&self) -> [u8; 16] {
        [0; 16]
    }
}

impl Bank {
    pub(crate) fn new() -> Bank {
        Bank::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Bank {
        let clock = Arc::new(Seconds(AtomicI64::new(1_700_000_000_000_000)));
        let env = Env { clock: clock.clone(), ..memory::memory_env() };
        let store = block_on(Store::open(env.clone(), Path::new("db"), OpenOptions::default())).unwrap();
        let views = Views::open(store.clone(), env.clone(), settings.clone());
        Bank { env, store, views, clock, settings }
    }

    pub(crate) fn reopen(self) -> Bank {
        self.views.close();
        block_on(self.store.close()).unwrap();
        let store = block_on(Store::open(self.env.clone(), Path::new("db"), OpenOptions::default())).unwrap();
        let views = Views::open(store.clone(), self.env.clone(), self.settings.clone());
        Bank { store, views, ..self }
    }

    /// Every file of the database, or of a folder of it.
    pub(crate) fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        block_on(read_all(&self.env, folder, &mut files));
        files
    }

    /// Another database with these files.
    pub(crate) fn of_files(files: &BTreeMap<String, Vec<u8>>, settings: Settings) -> Bank {
        Bank::of_files_in(files, settings, |env| env)
    }

    /// The same, in a changed world.
    pub(crate) fn of_files_in(
        files: &BTreeMap<String, Vec<u8>>,
        settings: Settings,
        change: impl FnOnce(Env) -> Env,
    ) -> Bank {
        let clock = Arc::new(Seconds(AtomicI64::new(1_800_000_000_000_000)));
        let env = Env { clock: clock.clone(), ..memory::memory_env() };
        block_on(async {
            for (path, bytes) in files {
                let path = Path::new(path);
                for folder in path.parent().unwrap().ancestors().collect::<Vec<_>>().into_iter().rev() {
                    let _ = env.files.create_dir(folder).await;
                }
                put(&env, path, bytes).await;
            }
        });
        let env = change(env);
        let store = block_on(Store::open(env.clone(), Path::new("db"), OpenOptions::default())).unwrap();
        let views = Views::open(store.clone(), env.clone(), settings.clone());
        Bank { env, store, views, clock, settings }
    }

    /// The clock goes on by a second.
    pub(crate) fn tick(&self) {
        self.clock.0.fetch_add(1_000_000, Ordering::AcqRel);
    }

    pub(crate) fn close(self) {
        self.views.close();
        block_on(self.store.close()).unwrap();
    }

    pub(crate) fn run(&self, sql: &str) -> String {
        match self.views.execute(sql) {
            Ok(executed) => format!("{} {}", executed.statement, executed.name),
            Err(error) => error.to_string(),
        }
    }

    /// Appends one event, with a type before the payload if it has one: `deposited {"amount": 1}`.
    pub(crate) fn append(&self, topic: &str, event: &str) -> u64 {
        self.append_all(topic, &[event])
    }

    /// Appends several, all or none; the position of the last.
    pub(crate) fn append_all(&self, topic: &str, events: &[&str]) -> u64 {
        self.tick();
        let events = events.iter().map(|event| {
            let at = event.find('{').unwrap_or(0);
            let event_type = Some(event[..at].trim()).filter(|text| !text.is_empty()).map(str::to_owned);
            let event =
                NewEvent { payload: event[at..].to_owned().into(), event_type, ..NewEvent::default() };
            EventWrite { topic: topic.parse().unwrap(), key: None, event }
        });
        let request = AppendRequest { events: events.collect(), ..AppendRequest::default() };
        block_on(self.store.append(request)).unwrap().position().0
    }

    /// A row, now.
    pub(crate) fn row(&self, name: &str, key: &str) -> String {
        self.row_at(name, key, Moment::default())
    }

    pub(crate) fn row_at(&self, name: &str, key: &str, moment: Moment) -> String {
        match self.views.row(name, None, key, moment, Position::ZERO) {
            Ok(answer) => match answer.row {
                Ok(row) => row.values.iter().map(shown).collect::<Vec<_>>().join(" "),
                Err(absent) => format!("0 rows: {absent}"),
            },
            Err(error) => error.to_string(),
        }
    }

    /// All rows, sorted by key.
    pub(crate) fn rows_at(&self, name: &str, version: Option<u32>, moment: Moment) -> Vec<String> {
        let (_, frozen) = self.views.rows(name, version, None, moment).unwrap();
        let mut rows: Vec<_> = frozen
            .rows()
            .filter(|(row, _)| row.present)
            .map(|(row, state)| {
                let values = row.key.values().unwrap();
                let stopped = if row.stopped.is_some() { " stopped" } else { "" };
                let texts: Vec<_> = values.iter().chain(&state.to_vec()).map(shown).collect();
                (row.key.to_key(), texts.join(" ") + stopped)
            })
            .collect();
        rows.sort();
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// The versions of all rows, as recorded.
    pub(crate) fn versions(&self, name: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut visit = |step: recount_views::StepRow| {
            let key: Vec<_> = step.key.values().unwrap().iter().map(shown).collect();
            let state = step
                .after
                .map_or("-".to_owned(), |state| state.iter().map(shown).collect::<Vec<_>>().join(" "));
            all.push(format!("{} {state}", key.join(" ")));
        };
        self.views.versions(name, None, None, Moment::default(), &mut visit).unwrap();
        all
    }

    /// The steps of a key.
    pub(crate) fn steps(&self, name: &str, key: &str) -> String {
        let key = self.views.key(name, None, key).unwrap();
        let mut text = String::new();
        let told = &mut text;
        let mut visit = |step: recount_views::StepRow| {
            let state = |state: &Option<Vec<Value<'static>>>| {
                state
                    .as_ref()
                    .map_or("-".to_owned(), |state| state.iter().map(shown).collect::<Vec<_>>().join(" "))
            };
            let effect = match step.effect {
                Effect::Stopped => format!(" stopped: {}", step.reason.unwrap_or_default()),
                Effect::Set => String::new(),
                other => format!(" {other:?}"),
            };
            told.push_str(&format!("{} -> {}{effect}\n", state(&step.before), state(&step.after)));
        };
        self.views.steps(name, None, Some(&key), Moment::default(), &mut visit).unwrap();
        text
    }
}

async fn read_all(env: &Env, folder: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for name in env.files.list(Path::new(folder)).await.unwrap_or_default() {
        let path = format!("{folder}/{name}");
        match env.files.open(Path::new(&path), OpenMode::Read).await {
            Ok(file) => {
                let mut bytes = vec![0; file.len().await.unwrap() as usize];
                file.read_at(0, &mut bytes).await.unwrap();
                files.insert(path, bytes);
            }
            Err(_) => Box::pin(read_all(env, &path, files)).await,
        }
    }
}

/// Writes over a file, if it is there.
pub(crate) async fn overwrite(env: &Env, path: &Path, bytes: &[u8]) {
    if let Ok(file) = env.files.open(path, OpenMode::ReadWrite).await {
        file.write_at(0, bytes).await.unwrap();
    }
}

/// Writes a file anew.
pub(crate) async fn put(env: &Env, path: &Path, bytes: &[u8]) {
    let _ = env.files.remove(path).await;
    env.files.open(path, OpenMode::CreateNew).await.unwrap().write_at(0, bytes).await.unwrap();
}

pub(crate) fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Decimal(value) => format!("{value}d"),
        Value::Double(value) => value.to_string(),
        Value::Text(text) => format!("'{text}'"),
    }
}

pub(crate) fn at(position: u64) -> Moment {
    Moment { position: Some(Position(position)), ..Moment::default() }
}

pub(crate) fn valid(time: &str) -> Moment {
    Moment { valid_until: Some(instant(time)), ..Moment::default() }
}

pub(crate) fn instant(time: &str) -> Time {
    recount_store::time::parse_rfc3339(time).unwrap()
}
