//! One case, from its seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::logical_expr::TableSource;
use recount_flow::circuit::{Circuit, Stepped};
use recount_flow::codec::RowCodec;
use recount_flow::delta::Delta;
use recount_flow::operator::FlowError;
use recount_flow::saved::Saved;

use super::chance::Chance;
use super::coverage::Coverage;
use super::judge;
use super::query::Maker;
use super::reference::Reference;
use super::table::{self, Row};
use crate::flow::lower::{Lowered, Scanned, Tables, lower};
use crate::flow::rewrite::rewrite;

/// Why a case ended early.
#[derive(Debug)]
pub(super) enum Ended {
    /// The query is not supported.
    Refused(String),
    Differs(String),
}

/// Rows with how often each is there, by their bytes.
type Rows = BTreeMap<Vec<u8>, i64>;

/// A change that was given: its append, the row, its weight.
type Given = (u64, Vec<u8>, i64);

/// Changes of one table.
#[derive(Debug, Clone)]
struct Change {
    table: usize,
    row: Row,
    weight: i64,
}

pub(super) fn case(seed: u64, coverage: &mut Coverage) -> Result<(), Ended> {
    let mut chance = Chance::new(seed);
    let tables = 1 + chance.below(2) as usize;
    let depth = 1 + chance.below(4) as u32;
    let relation = Maker { chance: &mut chance, tables, made: 0 }.query(depth);
    let refused =
        |error: datafusion::error::DataFusionError| Ended::Refused(first_line(&error.strip_backtrace()));
    let (sql, may_fail) = (relation.written(), relation.may_fail());
    let reference = Reference::new(&relation.meant(), tables).map_err(refused)?;
    let plan = reference.planned(&sql).map_err(refused)?;
    let rewritten = rewrite(plan, &reference.state).map_err(refused)?;
    if std::env::var_os("RECOUNT_LAW_CASE").is_some() {
        println!("{sql}\n{}", rewritten.display_indent_schema());
    }
    let appends = log(&mut chance, tables);
    // Where no row goes, less is kept; anew, without that knowledge, everything.
    let only_comes = appends.iter().flatten().all(|change| change.weight > 0);
    let lowered = lower(&rewritten, &reference.state, &OfCase { only_comes }).map_err(|error| {
        let text = error.strip_backtrace();
        Ended::Refused(text.split(" cannot be kept").next().unwrap_or(&text).to_owned())
    })?;
    assert!(depth == 0 || relation.node.operators() > 0 || sql.starts_with("SELECT * FROM"));
    coverage.add(&relation.node);
    // So small that joins give every row by itself, or as large as it usually is.
    let in_parts = |lowered: Lowered| match seed % 3 {
        0 => Lowered { circuit: lowered.circuit.with_part_bytes(1), ..lowered },
        _ => lowered,
    };
    let lowered = in_parts(lowered);
    let again = || lower(&rewritten, &reference.state, &OfCase { only_comes }).map(in_parts).map_err(refused);
    let mut run = Run::new(lowered, may_fail, &sql, rewritten.display_indent().to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut next = 0;
    // The first epoch is the bootstrap: everything with one stamp, in parts.
    let first = chance.below(appends.len() as u64 / 2 + 1) as usize;
    run.bootstrap(&appends[..first], first as u64, &mut chance)?;
    let mut checks = vec![(first, run.total.clone())];
    next += first;
    // At some ends of epochs the circuit is another one, which goes on from what that one has saved; at least once.
    let (mut restarts, mut restarted) = (Chance::new(!seed), false);
    while next < appends.len() {
        if restarts.one_in(3) || !restarted {
            run.restart(again()?);
            restarted = true;
        }
        let count = (1 + chance.below(4) as usize).min(appends.len() - next);
        checks.extend(run.epoch(&appends[next..next + count], next)?);
        next += count;
    }
    let mut rows: Vec<Vec<Row>> = vec![Vec::new(); tables];
    let mut done = 0;
    for (until, total) in checks {
        appends[done..until].iter().for_each(|append| apply(&mut rows, append));
        done = until;
        coverage.count_append();
        rows.iter().zip(&reference.tables).for_each(|(rows, table)| table.set(rows.clone()));
        let asked = std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                // Its planner does not take every plan as it is.
                let as_it_is = if until == appends.len() && !may_fail {
                    reference.rows_of(&rewritten).await.ok()
                } else {
                    None
                };
                if let Some(rows) = as_it_is { Ok(rows) } else { reference.rows().await }
            })
        });
        // Built with checks, its last_value() subtracts one from the length of nothing.
        let batches =
            std::panic::catch_unwind(asked).map_err(|_| Ended::Refused("the reference panics".to_owned()))?;
        // What it cannot plan says nothing about what was kept.
        let batches = batches.map_err(|error| {
            Ended::Refused(format!("the reference: {}", first_line(&error.strip_backtrace())))
        })?;
        run.compare(until, &total, &batches).map_err(|ended| match ended {
            Ended::Differs(how) => Ended::Differs(format!("{how}\n{}", written(&rows))),
            refused => refused,
        })?;
    }
    // All rows in one epoch: as many of them cannot be computed as are left of those that came and went.
    let lowered = lower(&rewritten, &reference.state, &OfCase { only_comes: false }).map_err(refused)?;
    let mut anew = Run::new(lowered, may_fail, &sql, run.plan.clone());
    let all = |(table, rows): (usize, &Vec<Row>)| {
        rows.iter().map(move |row| Change { table, row: row.clone(), weight: 1 }).collect::<Vec<_>>()
    };
    let all: Vec<Vec<Change>> = rows.iter().enumerate().map(all).collect();
    anew.bootstrap(&all, appends.len() as u64, &mut chance)?;
    judge::ask(seed, &relation.judged(), &rows, &run.values());
    if (&anew.total, &anew.failures) != (&run.total, &run.failures) {
        let how = format!(
            "anew {} and failures {:?}, step by step {} and {:?}\n{}",
            anew.shown(&anew.total),
            anew.failures,
            run.shown(&run.total),
            run.failures,
            written(&rows)
        );
        return Err(run.differs(appends.len(), &how));
    }
    if !only_comes && entries(&anew.lowered.circuit) != entries(&run.lowered.circuit) {
        return Err(run.differs(appends.len(), "what it saves is not what it would have saved anew"));
    }
    Ok(())
}

/// What a circuit saves.
fn entries(circuit: &Circuit) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut saved = Saved::default();
    circuit.save(&[], &mut saved);
    saved.sorted().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

/// What is appended: rows come, and some of those that are there go.
fn log(chance: &mut Chance, tables: usize) -> Vec<Vec<Change>> {
    let mut there: Vec<Vec<Row>> = vec![Vec::new(); tables];
    let count = 10 + chance.below(6);
    let going = chance.below(4);
    let append = |_| {
        let changes = 1 + chance.below(4);
        let mut append = Vec::new();
        for _ in 0..changes {
            let table = chance.below(tables as u64) as usize;
            let rows = &mut there[table];
            if !rows.is_empty() && chance.below(4) < going {
                let row = rows.swap_remove(chance.below(rows.len() as u64) as usize);
                append.push(Change { table, row, weight: -1 });
            } else {
                let row =
                    if !rows.is_empty() && chance.one_in(5) { chance.one_of(rows) } else { Row::any(chance) };
                rows.push(row.clone());
                append.push(Change { table, row, weight: 1 });
            }
        }
        // In an append there is no order.
        if chance.one_in(2) {
            append.reverse();
        }
        append
    };
    (0..count).map(append).collect()
}

/// What goes may have come with the same append.
fn apply(rows: &mut [Vec<Row>], append: &[Change]) {
    for change in append.iter().filter(|change| change.weight > 0) {
        rows[change.table].push(change.row.clone());
    }
    for change in append.iter().filter(|change| change.weight < 0) {
        let rows = &mut rows[change.table];
        let at = rows.iter().position(|row| *row == change.row).unwrap();
        rows.swap_remove(at);
    }
}

/// The rows of the tables, a table a line.
fn written(rows: &[Vec<Row>]) -> String {
    let table = |(number, rows): (usize, &Vec<Row>)| {
        let rows: Vec<String> = rows.iter().map(Row::written).collect();
        format!(" {} {}", super::reference::name(number), rows.join(", "))
    };
    rows.iter().enumerate().map(table).collect::<Vec<_>>().join("\n")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// What is known of the tables of a case.
struct OfCase {
    only_comes: bool,
}

impl Tables for OfCase {
    fn only_comes(&self, _: &Arc<dyn TableSource>) -> bool {
        self.only_comes
    }
}

struct Run {
    lowered: Lowered,
    codec: RowCodec,
    sql: String,
    plan: String,
    /// The sum of all changes so far.
    total: Rows,
    /// Whether there may be rows that cannot be computed.
    may_fail: bool,
    /// How many of them there are, for each reason.
    failures: BTreeMap<String, i64>,
}

impl Run {
    fn new(lowered: Lowered, may_fail: bool, sql: &str, plan: String) -> Run {
        let types = lowered.schema.fields().iter().map(|field| field.data_type().clone());
        let codec = RowCodec::new(types).unwrap();
        let (total, failures) = (Rows::new(), BTreeMap::new());
        Run { lowered, codec, sql: sql.to_owned(), plan, total, may_fail, failures }
    }

    /// Goes on with another circuit of the same plan, which begins with what this one has saved.
    fn restart(&mut self, mut lowered: Lowered) {
        for (key, value) in entries(&self.lowered.circuit) {
            lowered.circuit.load(&key, &value).unwrap();
        }
        lowered.circuit.loaded();
        assert_eq!(entries(&lowered.circuit), entries(&self.lowered.circuit));
        self.lowered = lowered;
    }

    /// The first epoch: all changes with one stamp, some at a time.
    fn bootstrap(&mut self, appends: &[Vec<Change>], stamp: u64, chance: &mut Chance) -> Result<(), Ended> {
        let all: Vec<(Change, u64)> =
            appends.iter().flatten().map(|change| (change.clone(), stamp)).collect();
        let part = 1 + chance.below(8) as usize;
        for part in all.chunks(part) {
            self.step(part, stamp, false)?;
        }
        let changes = self.step(&[], stamp, true)?;
        assert!(changes.iter().all(|(of, ..)| *of == stamp));
        Ok(())
    }

    /// An epoch of some appends; the rows after each of them.
    fn epoch(&mut self, appends: &[Vec<Change>], before: usize) -> Result<Vec<(usize, Rows)>, Ended> {
        let mut changes = Vec::new();
        for (number, append) in appends.iter().enumerate() {
            let stamp = (before + number + 1) as u64;
            changes.extend(append.iter().map(|change| (change.clone(), stamp)));
        }
        let until = before + appends.len();
        let mut total = self.total.clone();
        let given = self.step(&changes, until as u64, true)?;
        let mut after = Vec::new();
        for number in before + 1..=until {
            for (_, row, weight) in given.iter().filter(|(stamp, ..)| *stamp == number as u64) {
                add(&mut total, row.clone(), *weight);
            }
            after.push((number, total.clone()));
        }
        if total != self.total {
            return Err(self.differs(until, "changes are stamped with no append of the epoch"));
        }
        Ok(after)
    }

    /// One step; what it gave.
    fn step(&mut self, changes: &[(Change, u64)], stamp: u64, ends: bool) -> Result<Vec<Given>, Ended> {
        let of_table = |Scanned { name, columns: projection, .. }: &Scanned| {
            let table: usize = name[1..].parse().unwrap();
            let of: Vec<&(Change, u64)> =
                changes.iter().filter(|(change, _)| change.table == table).collect();
            let rows: Vec<Row> = of.iter().map(|(change, _)| change.row.clone()).collect();
            Delta {
                columns: match projection {
                    Some(places) => {
                        let all = table::columns(&rows);
                        places.iter().map(|&place| all[place].clone()).collect()
                    }
                    None => table::columns(&rows),
                },
                weights: of.iter().map(|(change, _)| change.weight).collect(),
                stamps: of.iter().map(|(_, stamp)| *stamp).collect(),
            }
        };
        let sources: Vec<Vec<Delta>> = self
            .lowered
            .sources
            .iter()
            .map(|source| vec![of_table(source)])
            .map(|deltas| deltas.into_iter().filter(|delta| !delta.is_empty()).collect())
            .collect();
        let (mut all, mut failures) = (Vec::new(), Vec::new());
        let mut give = |stepped: Stepped| {
            all.extend(stepped.rows);
            failures.extend(stepped.failures);
            Ok::<(), FlowError>(())
        };
        let stepped = self.lowered.circuit.step(sources, (stamp, ends), &mut give);
        stepped.map_err(|error| self.differs(stamp as usize, &error.to_string()))?;
        for (operator, failure) in failures {
            if !self.may_fail {
                let what = format!("operator {operator} fails: {}", failure.reason);
                return Err(self.differs(stamp as usize, &what));
            }
            *self.failures.entry(failure.reason).or_default() += failure.weight;
        }
        self.failures.retain(|_, count| *count != 0);
        let mut given = Vec::new();
        for delta in all {
            let rows = self.codec.encode(&delta.columns, delta.len());
            for (number, row) in rows.iter().enumerate() {
                let weight = delta.weights[number];
                add(&mut self.total, row.to_vec(), weight);
                given.push((delta.stamps[number], row.to_vec(), weight));
            }
        }
        Ok(given)
    }

    fn compare(&self, until: usize, total: &Rows, batches: &[RecordBatch]) -> Result<(), Ended> {
        let mut expected = Rows::new();
        for batch in batches {
            // Some of its rules make a sum of sums, which has more digits.
            let columns = batch.columns().iter().zip(self.codec.types());
            let columns: Vec<ArrayRef> =
                columns.map(|(column, wanted)| cast(column, wanted).unwrap()).collect();
            let rows = self.codec.encode(&columns, batch.num_rows());
            rows.iter().for_each(|row| add(&mut expected, row.to_vec(), 1));
        }
        if *total == expected {
            return Ok(());
        }
        let what = format!("\n kept     {}\n expected {}", self.shown(total), self.shown(&expected));
        Err(self.differs(until, &what))
    }

    /// Rows as texts, in no order; each once, with how often it is there.
    fn texts(&self, rows: &Rows) -> Vec<(i64, Vec<Option<String>>)> {
        let columns: Vec<ArrayRef> = self.codec.decode(rows.keys().map(Vec::as_slice)).unwrap();
        let options = FormatOptions::default();
        let formatted: Vec<_> =
            columns.iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        let row = |(number, weight): (usize, &i64)| {
            let values = columns.iter().zip(&formatted);
            let value = |(column, formatted): (&ArrayRef, &ArrayFormatter<'_>)| {
                column.is_valid(number).then(|| formatted.value(number).to_string())
            };
            (*weight, values.map(value).collect())
        };
        rows.values().enumerate().map(row).collect()
    }

    /// All rows now.
    fn values(&self) -> Vec<Vec<Option<String>>> {
        let rows = self.texts(&self.total).into_iter();
        rows.flat_map(|(weight, row)| std::iter::repeat_n(row, weight as usize)).collect()
    }

    fn shown(&self, rows: &Rows) -> String {
        let row = |(weight, values): (i64, Vec<Option<String>>)| {
            let values: Vec<String> =
                values.into_iter().map(|value| value.unwrap_or_else(|| "NULL".to_owned())).collect();
            format!("{weight}×({})", values.join(", "))
        };
        self.texts(rows).into_iter().map(row).collect::<Vec<_>>().join(" ")
    }

    fn differs(&self, until: usize, how: &str) -> Ended {
        Ended::Differs(format!("after append {until} of\n {}\n{}\n{how}", self.sql, self.plan))
    }
}

fn add(rows: &mut Rows, row: Vec<u8>, weight: i64) {
    let count = rows.entry(row.clone()).or_default();
    *count += weight;
    if *count == 0 {
        rows.remove(&row);
    }
}
