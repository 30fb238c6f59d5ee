//! `duckdb`: random expressions, evaluated by a query over a topic, by a rule over an event, by a rule over a state, and by
//! DuckDB, which shares no code with us, on the same rows. All four must agree.
//!
//! What is left out because the two differ by rule stands in [`expression`].

mod expression;
mod judge;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::dice::Dice;
use crate::run;
use expression::{COLUMNS, Expression, Family};
pub(crate) use judge::Judge;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many expressions
    #[arg(long, default_value_t = 1_200)]
    expressions: usize,
    /// Of everything that is random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where databases lie while this runs; kept if it fails
    #[arg(long, default_value = "/var/tmp/recount-duckdb")]
    dir: PathBuf,
}

/// Expressions that are evaluated together, and on how many rows.
const TOGETHER: usize = 30;
const ROWS: usize = 40;
/// Differences that are shown.
const SHOWN_MAX: usize = 10;

/// A value, as text without what a type alone adds; none is NULL.
type Shown = Option<String>;

/// Evaluates and compares.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let judge = Judge::installed(&run::target()?)?;
    let program = run::tested_program()?;
    let mut dice = Dice::new(arguments.seed);
    let (mut done, mut values, mut differing) = (0, 0, Vec::new());
    while done < arguments.expressions && differing.len() < SHOWN_MAX {
        let count = TOGETHER.min(arguments.expressions - done);
        let batch = Batch::random(&mut dice, count);
        values += batch.compare(&program, &judge, &arguments.dir, &mut differing).with_context(|| {
            format!("in {}, with seed {}, after {done} expressions", arguments.dir.display(), arguments.seed)
        })?;
        done += count;
    }
    if !differing.is_empty() {
        bail!("with seed {}:\n{}", arguments.seed, differing.join("\n"));
    }
    fs::remove_dir_all(&arguments.dir)?;
    println!("duckdb: {done} expressions, {values} values, the same in queries, in rules and in DuckDB");
    Ok(())
}

/// Expressions and the rows that they are evaluated on.
struct Batch {
    expressions: Vec<Expression>,
    rows: Vec<String>,
}

impl Batch {
    fn random(dice: &mut Dice, count: usize) -> Self {
        let expressions = (0..count).map(|_| Expression::random(dice)).collect();
        Self { expressions, rows: table::inserted(dice, ROWS) }
    }

    /// Adds what differs; returns how many values were compared that are not NULL.
    fn compare(
        &self,
        program: &Path,
        judge: &Judge,
        dir: &Path,
        differing: &mut Vec<String>,
    ) -> Result<usize> {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        fs::create_dir_all(dir)?;
        let statements =
            [table::declaration("TABLE"), format!("INSERT INTO t VALUES {}", self.rows.join(",\n"))];
        let expressions: Vec<String> = self.expressions.iter().map(Expression::duckdb).collect();
        let of_duckdb = judge.values(dir, &statements, &expressions)?;
        ensure!(of_duckdb.len() == ROWS, "DuckDB answered {} rows", of_duckdb.len());

        let database = dir.join("db");
        sql(program, &database, &dir.join("declarations.sql"), &self.declarations())?;
        let answer = sql(program, &database, &dir.join("questions.sql"), &self.questions())?;
        let of_recount: Vec<&str> = answer.lines().collect();
        ensure!(of_recount.len() == 3 * ROWS, "{} rows instead of {}", of_recount.len(), 3 * ROWS);

        let mut values = 0;
        for (at, expression) in self.expressions.iter().enumerate() {
            let family = expression.of.family;
            for row in 0..ROWS {
                let duckdb = shown(family, of_duckdb[row][at].clone());
                let recount = [0, 1, 2].map(|way| value(of_recount[way * ROWS + row], at, family));
                let [query, event, state] = recount;
                let (query, event, state) = (query?, event?, state?);
                values += usize::from(duckdb.is_some());
                if [&query, &event, &state].iter().any(|value| **value != duckdb) {
                    differing.push(format!(
                        "{}\n  for DuckDB {}\n  on {}\n  query {query:?}, rule over the event {event:?}, rule over the state {state:?}, DuckDB {duckdb:?}",
                        expression.recount(""),
                        expression.duckdb(),
                        self.rows[row]
                    ));
                    break;
                }
            }
        }
        Ok(values)
    }

    /// The topic, an entity that computes from an event, and one that keeps the event and computes from its state.
    fn declarations(&self) -> String {
        let states = |count: usize| {
            let kept = (0..count).map(|at| format!("s{at} {}", self.expressions[at].kept_as()));
            kept.collect::<Vec<_>>().join(", ")
        };
        let set = |prefix: &str| {
            let set = self.expressions.iter().enumerate();
            set.map(|(at, expression)| format!("s{at} = {}", expression.recount(prefix))).collect::<Vec<_>>()
        };
        let keep: Vec<String> =
            COLUMNS.iter().map(|column| format!("{0} = event.{0}", column.name)).collect();
        let (topic, states) = (table::declaration("TOPIC"), states(self.expressions.len()));
        let rows = [self.rows.clone(), table::without_values(ROWS)].concat().join(",\n");
        format!(
            "{topic} KEY (k);
CREATE ENTITY by_event FROM t STATE ({states})
  WHEN (step = 1) THEN SET {};
CREATE ENTITY by_state FROM t STATE ({}, {states})
  WHEN (step = 1) THEN SET {}
  WHEN (step = 2) THEN SET {};
INSERT INTO t VALUES {rows};\n",
            set("event.").join(",\n    "),
            table::columns(),
            keep.join(", "),
            set("state.").join(",\n    ")
        )
    }

    fn questions(&self) -> String {
        let queried: Vec<String> = self
            .expressions
            .iter()
            .enumerate()
            .map(|(at, expression)| format!("{} AS s{at}", expression.recount("")))
            .collect();
        let kept: Vec<String> = (0..self.expressions.len()).map(|at| format!("s{at}")).collect();
        let (queried, kept) = (queried.join(",\n  "), kept.join(", "));
        format!(
            "SELECT {queried} FROM t WHERE step = 1 ORDER BY k;
SELECT {kept} FROM by_event ORDER BY k;
SELECT {kept} FROM by_state ORDER BY k;\n"
        )
    }
}

fn sql(program: &Path, database: &Path, file: &Path, script: &str) -> Result<String> {
    fs::write(file, script).with_context(|| file.display().to_string())?;
    let mut command = Command::new(program);
    command.arg("sql").arg(database).args(["--format", "jsonl", "--file"]).arg(file);
    run::output(&mut command)
}

/// One value of a row of JSON.
fn value(row: &str, at: usize, family: Family) -> Result<Shown> {
    let row: Value = serde_json::from_str(row)?;
    let value = row.get(format!("s{at}")).with_context(|| format!("a row without s{at}: {row}"))?;
    let text = match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    Ok(shown(family, text))
}

/// Without zeros behind the point; times as RFC 3339.
fn shown(family: Family, text: Shown) -> Shown {
    let text = text?;
    let short = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    Some(match family {
        Family::Decimal => match short(&text).as_str() {
            "-0" => "0".to_owned(),
            short => short.to_owned(),
        },
        Family::Timestamp => {
            let utc = text.trim_end_matches('Z').trim_end_matches("+00").replace(' ', "T");
            format!("{}Z", short(&utc))
        }
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_one_whatever_their_type_adds() {
        let shown = |family, text: &str| shown(family, Some(text.to_owned())).unwrap_or_default();
        assert_eq!(shown(Family::Decimal, "-0.500"), "-0.5");
        assert_eq!(shown(Family::Decimal, "100"), "100");
        assert_eq!(shown(Family::Decimal, "0.00"), "0");
        assert_eq!(shown(Family::Timestamp, "1969-12-31 23:59:59.5+00"), "1969-12-31T23:59:59.5Z");
        assert_eq!(shown(Family::Timestamp, "1969-12-31T23:59:59.500000Z"), "1969-12-31T23:59:59.5Z");
        assert_eq!(shown(Family::Text, "1.00"), "1.00");
    }
}
