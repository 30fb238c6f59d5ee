//! A case in a database: the same queries as views over topics. After every append a view has the rows that its query has there, and it has
//! had them at every position before; whether it was declared first or later, whatever is appended at once, and after restarts. The versions of its
//! rows over time say the same.
//!
//! Rows of topics only come; those of entities, which stand in the place of some topics, go as well.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use recount_env::memory::memory_env;
use recount_env::{Env, OpenMode, block_on};
use recount_store::time::format_rfc3339;
use recount_store::{AppendRequest, EventWrite, From, OpenOptions, ReadRequest, Scope, Store};
use recount_types::{NewEvent, Position, Time, TopicName};
use recount_views::{Settings as OfViews, Views};

use super::chance::Chance;
use super::query::Maker;
use super::run::Ended;
use super::table::Row;
use crate::flow::QueryCompiler;
use crate::settings::{SessionSettings, Settings};
use crate::sql::{Outcome, Sql};

const COLUMNS: &str =
    "k BIGINT, n INT NOT NULL, v DECIMAL(18,2), t TEXT, d DOUBLE, b BOOLEAN, ts TIMESTAMPTZ";

/// The topic of an entity.
fn events_of(entity: &str) -> String {
    format!("events_{entity}")
}

/// Declares what a table of the query is: a topic, or an entity with the same columns. Its rows go, change, and turn out late.
fn declare(bench: &mut Bench, chance: &mut Chance, table: usize, of_entities: &[bool]) {
    let name = super::reference::name(table);
    if !of_entities[table] {
        let happened = bench.chance.one_of(&["", " TIMESTAMP BY ts"]);
        bench.rows(&format!("CREATE TOPIC {name} ({COLUMNS}){happened}")).unwrap();
        return;
    }
    let topic = events_of(&name);
    let columns = COLUMNS.replacen("k BIGINT", "k BIGINT NOT NULL", 1);
    bench.rows(&format!("CREATE TOPIC {topic} ({columns}) KEY (k) TIMESTAMP BY ts")).unwrap();
    let order = chance.one_of(&["", " ORDER BY EVENT TIME"]);
    // The first table has nothing to look up.
    let (lookup, v) = match table > 0 && !of_entities[0] && chance.one_in(2) {
        true => (" LOOKUP t0 AS r ON r.k = k AS OF ts", "coalesce(r.v, event.v)"),
        false => ("", "event.v"),
    };
    bench
        .rows(&format!(
            "CREATE ENTITY {name} FROM {topic}{order}{lookup}
             STATE (n BIGINT NOT NULL DEFAULT 0, v DECIMAL(18,2), t TEXT, d DOUBLE, b BOOLEAN, ts TIMESTAMPTZ)
             WHEN (event.n = -1) THEN DELETE
             WHEN (event.n = 0) THEN SET n = state.n + 1
             WHEN ANY THEN SET n = event.n, v = {v}, t = event.t, d = event.d, b = event.b, ts = event.ts"
        ))
        .unwrap();
}

/// A database that can be closed and opened.
struct Bench {
    env: Env,
    open: Option<(Store, Views, Sql)>,
    runtime: tokio::runtime::Runtime,
    /// For what must not change cases.
    chance: Chance,
}

/// Queries of more operators are of fewer rows.
const OPERATORS_FEW: usize = 5;

/// How often a view went on from a snapshot.
pub(super) static RESUMED: AtomicU64 = AtomicU64::new(0);

impl Bench {
    fn new(seed: u64) -> Bench {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut bench = Bench { env: memory_env(), open: None, runtime, chance: Chance::new(!seed) };
        bench.reopen();
        bench
    }

    /// Closes the database and opens it again. Views may have saved much, little or nothing, and something may have become of that.
    fn reopen(&mut self) {
        if let Some((store, views, _)) = self.open.take() {
            views.close();
            block_on(store.close()).unwrap();
        }
        if self.chance.one_in(4) {
            self.damage_a_snapshot();
        }
        let snapshot_events = self.chance.one_of(&[1, 3, 10, 1 << 20]);
        let open = Store::open(self.env.clone(), Path::new("/db"), OpenOptions::default());
        let store = block_on(open).unwrap();
        let compiler = Arc::new(QueryCompiler::default());
        let settings = OfViews { snapshot_events, ..OfViews::default() };
        let views = Views::open_with(store.clone(), self.env.clone(), settings, compiler);
        let sql = Sql::new(store.clone(), views.clone(), Settings::default()).unwrap();
        self.open = Some((store, views, sql));
    }

    /// Changes a byte of a file of a view, or removes one.
    fn damage_a_snapshot(&mut self) {
        let directory = Path::new("/db/snapshots");
        let files = block_on(self.env.files.list(directory)).unwrap_or_default();
        let files: Vec<String> = files.into_iter().filter(|file| file.starts_with("view-")).collect();
        if files.is_empty() {
            return;
        }
        let path = directory.join(self.chance.one_of(&files));
        block_on(async {
            let file = self.env.files.open(&path, OpenMode::ReadWrite).await.unwrap();
            let length = file.len().await.unwrap();
            if length == 0 || self.chance.one_in(4) {
                self.env.files.remove(&path).await.unwrap();
                return;
            }
            let at = self.chance.below(length);
            let mut byte = [0];
            file.read_at(at, &mut byte).await.unwrap();
            file.write_at(at, &[byte[0] ^ 0x10]).await.unwrap();
        });
    }

    /// Counts a view that went on from a snapshot.
    fn count_resumed(&self) {
        let status = self.open().1.view_status("v");
        if status.is_ok_and(|status| status.kept.is_some()) {
            RESUMED.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn open(&self) -> &(Store, Views, Sql) {
        self.open.as_ref().unwrap()
    }

    fn head(&self) -> u64 {
        self.open().0.head().0
    }

    fn append(&self, changes: &[(usize, Row)], of_entities: &[bool]) {
        let event = |(table, row): &(usize, Row)| {
            let (name, mut row) = (super::reference::name(*table), row.clone());
            let topic = if of_entities[*table] { events_of(&name) } else { name };
            // Without a key it would belong to no row.
            row.k = row.k.or(of_entities[*table].then_some(0));
            let topic = TopicName::parse(&topic).unwrap();
            let event = NewEvent { payload: row.json().into(), ..NewEvent::default() };
            EventWrite { topic, key: None, event }
        };
        let events = changes.iter().map(event).collect();
        let request = AppendRequest { events, ..AppendRequest::default() };
        block_on(self.open().0.append(request)).unwrap();
    }

    /// When an event was appended, as it is written.
    fn append_time(&self, position: u64) -> String {
        let from = From::Position(Position(position));
        let request = ReadRequest { from, limit: Some(1), ..ReadRequest::all(Scope::All { system: true }) };
        let read = async { self.open().0.read(request).await.unwrap().next().await.unwrap().unwrap() };
        shown_time(block_on(read).append_time)
    }

    /// The rows of a query, as text and sorted; or why there are none.
    fn rows(&self, sql: &str) -> Result<Vec<String>, String> {
        self.runtime.block_on(async {
            let ran = self.open().2.run(sql, &SessionSettings::default()).await;
            let mut answer = match ran.map_err(|error| error.to_string())? {
                Outcome::Rows(answer) => answer,
                Outcome::Executed(_) => return Ok(Vec::new()),
            };
            let options = FormatOptions::default().with_null("NULL");
            let mut rows = Vec::new();
            while let Some(batch) = answer.next().await.map_err(|error| error.to_string())? {
                let columns: Vec<ArrayFormatter<'_>> = batch
                    .columns()
                    .iter()
                    .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
                    .collect();
                rows.extend((0..batch.num_rows()).map(|row| {
                    let value = |column: &ArrayFormatter<'_>| column.value(row).to_string();
                    columns.iter().map(value).collect::<Vec<_>>().join(" | ")
                }));
            }
            rows.extend(answer.notices().all().into_iter().map(|notice| format!("notice: {notice}")));
            rows.sort_unstable();
            Ok(rows)
        })
    }
}

pub(super) fn case(seed: u64) -> Result<(), Ended> {
    let mut chance = Chance::new(seed);
    let tables = 1 + chance.below(2) as usize;
    let depth = 1 + chance.below(4) as u32;
    let relation = Maker { chance: &mut chance, tables, made: 0 }.query(depth);
    let names: Vec<String> = (0..relation.width()).map(|number| format!("c{number}")).collect();
    let create = format!("CREATE MATERIALIZED VIEW v ({}) AS {}", names.join(", "), relation.written());
    if std::env::var_os("RECOUNT_LAW_CASE").is_some() {
        println!("{create}");
    }
    let mut bench = Bench::new(seed);
    let of_entities: Vec<bool> = (0..tables).map(|_| chance.one_in(3)).collect();
    for table in 0..tables {
        declare(&mut bench, &mut chance, table, &of_entities);
    }
    let appends = 10 + chance.below(6);
    let declared = chance.below(appends);
    let differs = |how: String| Ended::Differs(format!("{create}\n{how}"));
    // What the view had at which position.
    let mut had: Vec<(u64, Vec<String>)> = Vec::new();
    for number in 0..appends {
        if number == declared {
            bench.rows(&create).map_err(|why| Ended::Refused(of_view(&why)))?;
        }
        // Several at once have several positions, and are one epoch or more; but many joins of many rows take long.
        let at_once = 1 + chance.below(3);
        for _ in 0..if relation.node.operators() > OPERATORS_FEW { 1 } else { at_once } {
            let count = 1 + chance.below(4);
            let one = |_| (chance.below(tables as u64) as usize, Row::any(&mut chance));
            let changes: Vec<(usize, Row)> = (0..count).map(one).collect();
            bench.append(&changes, &of_entities);
        }
        if number < declared {
            continue;
        }
        let is_reopened = chance.one_in(6);
        if is_reopened {
            bench.reopen();
        }
        let at = bench.head();
        let asked = std::panic::AssertUnwindSafe(|| bench.rows(&relation.meant()));
        let asked = std::panic::catch_unwind(asked);
        // Built with checks, DataFusion's last_value() subtracts one from the length of nothing.
        let expected = match asked.map_err(|_| Ended::Refused("the query itself panics".to_owned()))? {
            Ok(expected) => expected,
            // What it cannot plan says nothing about the view.
            Err(why) => return Err(Ended::Refused(format!("the query itself: {why}"))),
        };
        let mut kept = bench.rows("SELECT * FROM v").map_err(differs)?;
        if is_reopened {
            bench.count_resumed();
        }
        let without_failures = |rows: &mut Vec<String>| {
            if relation.may_fail() {
                rows.retain(|row| !row.starts_with("notice: of view v, "));
            }
        };
        without_failures(&mut kept);
        if kept != expected {
            return Err(differs(format!("at position {at}\n kept     {kept:?}\n expected {expected:?}")));
        }
        had.push((at, kept));
        let (before, kept) = chance.one_of(&had);
        let mut again = bench.rows(&format!("SELECT * FROM v AS OF POSITION {before}")).map_err(differs)?;
        without_failures(&mut again);
        again.retain(|row| !row.starts_with("notice: 0 rows"));
        if again != kept {
            let how = format!("as of position {before}, at {at}\n computed {again:?}\n had      {kept:?}");
            return Err(differs(how));
        }
    }
    over_time(&mut bench, &names, &had, of_entities.contains(&true)).map_err(differs)
}

/// What the view had is what its versions say; and of what had happened by some time there is one answer, however it is asked for.
fn over_time(
    bench: &mut Bench,
    names: &[String],
    had: &[(u64, Vec<String>)],
    reads_entities: bool,
) -> Result<(), String> {
    let columns = names.join(", ");
    let rows = |bench: &Bench, sql: &str| -> Result<Vec<String>, String> {
        let mut rows = bench.rows(sql)?;
        rows.retain(|row| !row.starts_with("notice: "));
        Ok(rows)
    };
    let same = |sql: &str, found: Vec<String>, wanted: &[String]| {
        if found == wanted { Ok(()) } else { Err(format!("{sql}\n found  {found:?}\n wanted {wanted:?}")) }
    };
    let (position, kept) = bench.chance.one_of(had);
    let wanted: Vec<String> = kept.into_iter().filter(|row| !row.starts_with("notice: ")).collect();
    let at = bench.append_time(position);
    let sql = format!(
        "SELECT {columns} FROM v FOR SYSTEM_TIME ALL WHERE coalesce(_system_from <= {at}, true) AND coalesce(_system_to > {at}, true)"
    );
    same(&sql, rows(bench, &sql)?, &wanted)?;
    let sql = format!("SELECT {columns} FROM v FOR SYSTEM_TIME BETWEEN {at} AND {at}");
    same(&sql, rows(bench, &sql)?, &wanted)?;
    if reads_entities {
        return Ok(());
    }
    let day = bench.chance.below(4) as i64 - 1;
    let at = shown_time(Time(1_700_000_000_000_000 + day * 86_400_000_000));
    let wanted = rows(bench, &format!("SELECT * FROM v FOR VALID_TIME AS OF {at}"))?;
    let sql = format!(
        "SELECT {columns} FROM v FOR VALID_TIME ALL WHERE coalesce(_valid_from <= {at}, true) AND coalesce(_valid_to > {at}, true)"
    );
    same(&sql, rows(bench, &sql)?, &wanted)?;
    let others = format!("{}, {}", shown_time(Time(0)), shown_time(Time(1_800_000_000_000_000)));
    let each = others.replacen(", ", &format!("), ({at}), ("), 1);
    let sql =
        format!("SELECT {columns} FROM v FOR VALID_TIME AS OF EACH (VALUES ({each})) WHERE _valid_at = {at}");
    same(&sql, rows(bench, &sql)?, &wanted)
}

fn shown_time(time: Time) -> String {
    format!("'{}'::timestamptz", format_rfc3339(time))
}

/// A refusal without what is of this query alone.
fn of_view(why: &str) -> String {
    why.split(" cannot be kept").next().unwrap_or(why).lines().next().unwrap_or_default().to_owned()
}
