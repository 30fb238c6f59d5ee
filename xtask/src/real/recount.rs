//! The built command line, used as a person would use it on one database.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use super::berka::cents;
use crate::run;

const TOPIC: &str = "transactions";
const CREATE: &str = "CREATE TOPIC transactions (account_id BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL, \
                      date DATE NOT NULL, trans_id BIGINT NOT NULL) KEY (account_id)";

/// The program and a database directory.
#[derive(Debug)]
pub(crate) struct Recount<'a> {
    program: &'a Path,
    database: PathBuf,
}

impl<'a> Recount<'a> {
    /// Builds the program for speed.
    pub(crate) fn build() -> Result<PathBuf> {
        run::loud(&mut run::cargo(["build", "--release", "--locked", "--bin", "recount"]))?;
        Ok(run::target()?.join("release/recount"))
    }

    /// A database that is not there yet, with its topic made.
    pub(crate) fn create(program: &'a Path, database: &Path) -> Result<Self> {
        let recount = Self { program, database: database.to_path_buf() };
        run::output(recount.command("topic").args(["create", CREATE]))?;
        Ok(recount)
    }

    /// Imports a CSV file; idempotent by `trans_id`.
    pub(crate) fn import(&self, csv: &Path) -> Result<()> {
        run::output(&mut self.importer(csv)).map(drop)
    }

    /// Starts an import to be killed.
    pub(crate) fn start_import(&self, csv: &Path) -> Result<Child> {
        let mut command = self.importer(csv);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("cannot start the import")
    }

    /// All events in the order of positions: account, cents, transaction.
    pub(crate) fn events(&self) -> Result<Vec<(u64, i64, u64)>> {
        let lines = run::output(self.command("read").arg(TOPIC))?;
        lines.lines().map(|line| event(line).with_context(|| line.to_owned())).collect()
    }

    fn importer(&self, csv: &Path) -> Command {
        let mut command = self.command("import");
        command.arg(TOPIC).arg(csv).args(["--id", "trans_id", "--time", "date"]);
        command
    }

    fn command(&self, word: &str) -> Command {
        let mut command = Command::new(self.program);
        command.arg(word).arg(&self.database);
        command
    }
}

fn event(line: &str) -> Result<(u64, i64, u64)> {
    let event: Value = serde_json::from_str(line)?;
    let data = event.get("data").context("an event without data")?;
    let whole = |name: &str| data.get(name).and_then(Value::as_u64).with_context(|| format!("no {name}"));
    let amount = data.get("amount").context("no amount")?;
    let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
    Ok((whole("account_id")?, cents(&text)?, whole("trans_id")?))
}
