//! DuckDB as its Python wheel has it, in a child process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use crate::run;

const VERSION: &str = "2.0.0";
const SCRIPT: &str = "xtask/src/duckdb/judge.py";

/// A Python that has it.
#[derive(Debug)]
pub(crate) struct Judge {
    python: PathBuf,
}

impl Judge {
    /// The one that is installed in `folder`, or now is.
    pub(crate) fn installed(folder: &Path) -> Result<Self> {
        run::need("python3", "python3-venv")?;
        let environment = folder.join(format!("duckdb-{VERSION}"));
        let judge = Self { python: environment.join("bin/python") };
        if !judge.works() {
            let (python, package) = (&judge.python, format!("duckdb=={VERSION}"));
            run::loud(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
                .context("needs Python's venv: on Debian, as root, run `apt-get install python3-venv`")?;
            let mut pip = Command::new(python);
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--only-binary",
                ":all:",
            ]);
            run::loud(pip.arg(&package)).with_context(|| {
                format!("{package} cannot be had from PyPI: it needs the network once, and a wheel for this machine")
            })?;
        }
        Ok(judge)
    }

    /// The Python.
    pub(crate) fn python(&self) -> &Path {
        &self.python
    }

    /// The values of expressions for each row of the table that the statements make. Its input lies in `folder`.
    pub(super) fn values(
        &self,
        folder: &Path,
        statements: &[String],
        expressions: &[String],
    ) -> Result<Vec<Vec<Option<String>>>> {
        let input = folder.join("judge.json");
        let given = json!({ "statements": statements, "expressions": expressions }).to_string();
        fs::write(&input, given).with_context(|| input.display().to_string())?;
        let mut command = Command::new(&self.python);
        command.arg(run::root().join(SCRIPT)).stdin(File::open(&input)?);
        Ok(serde_json::from_str(&run::output(&mut command)?)?)
    }

    fn works(&self) -> bool {
        let mut command = Command::new(&self.python);
        let version = run::output(command.args(["-c", "import duckdb; print(duckdb.__version__)"]));
        version.is_ok_and(|version| version.trim() == VERSION)
    }
}
