//! What the demo shows of a restart: the same answers, from rows that were kept in a snapshot.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use recount::{Database, Moment};

use super::measured::{Measured, millis};
use super::rules::Asked;
use crate::cli::failure::Failure;
use crate::cli::sql;

/// Closes and opens the database, and asks again what was asked before.
pub(super) fn again(
    out: &mut impl Write,
    database: Database,
    directory: &Path,
    asked: &[Asked],
    measured: &mut Measured,
) -> Result<Database, Failure> {
    let began = Instant::now();
    database.close()?;
    drop(database);
    let closed = millis(began.elapsed());
    let began = Instant::now();
    let database = Database::open(directory)?;
    let opened = millis(began.elapsed());
    for (number, Asked { statement, answer }) in asked.iter().enumerate() {
        let began = Instant::now();
        if sql::table_of(&database, statement)? != *answer {
            return Err(Failure::new(format!("after a restart another answer is given to: {statement}")));
        }
        if number == 0 {
            let first = millis(began.elapsed());
            writeln!(
                out,
                "Closed in {closed}, opened again in {opened}; the first answer took {first}: {}.",
                origin(&database)?
            )?;
            measured.keep("restart", format!("{opened} to open, {first} to the first answer"));
        }
    }
    writeln!(out, "All {} answers are the same as before.", asked.len())?;
    Ok(database)
}

/// What the rows are folded from.
fn origin(database: &Database) -> Result<String, Failure> {
    let origin = database.views().origin("account", None, None, Moment::default())?;
    Ok(match origin.snapshot {
        Some(position) => {
            let after = origin.events.events;
            format!("from the snapshot at position {position}, and {after} events behind it")
        }
        None => "folded from the first event, because so few need no snapshot".to_owned(),
    })
}
