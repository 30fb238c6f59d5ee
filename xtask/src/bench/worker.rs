//! The program that does the measured work, `benches/worker`: built once for speed, started for each
//! sample in a process of its own. It answers with one line of JSON.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::run;

/// The built program.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    executable: PathBuf,
}

/// What a measured run answers: figures by name, and points of plots.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer(BTreeMap<String, Value>);

impl Answer {
    /// One of the figures.
    pub(crate) fn get(&self, name: &str) -> Result<f64> {
        let figure = self.0.get(name).and_then(Value::as_f64);
        figure.with_context(|| format!("the worker measured no {name}: {:?}", self.0))
    }

    /// The points of a plot.
    pub(crate) fn points(&self, name: &str) -> Result<Vec<(f64, f64)>> {
        let points = self.0.get(name).with_context(|| format!("the worker has no points of {name}"))?;
        serde_json::from_value(points.clone()).with_context(|| format!("points of {name}"))
    }
}

/// A worker or server that runs beside the measured one. Killed on drop.
#[derive(Debug)]
pub(crate) struct Beside {
    child: Child,
    /// Its first line: where it listens.
    pub(crate) address: String,
}

impl Worker {
    /// Builds the worker with the release profile.
    pub(crate) fn build() -> Result<Self> {
        let mut command = run::cargo(["build", "--release", "--locked", "-p", "xtask", "--bench", "worker"]);
        let messages = run::output(command.args(["--message-format", "json-render-diagnostics"]))?;
        let executable = messages.lines().find_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            let is_worker = message["target"]["name"] == "worker";
            message["executable"].as_str().filter(|_| is_worker).map(PathBuf::from)
        });
        Ok(Self { executable: executable.context("cargo built no worker")? })
    }

    /// The worker with a subcommand, for the caller to start.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.executable);
        command.args(words).env("RUST_BACKTRACE", "0");
        command
    }

    /// The worker with a subcommand, behind the words of a program that watches it, if there are any.
    pub(crate) fn traced(&self, tracer: &[&str], words: &[&str]) -> Command {
        let Some((program, options)) = tracer.split_first() else { return self.command(words) };
        let mut command = Command::new(program);
        command.args(options).arg(&self.executable).args(words).env("RUST_BACKTRACE", "0");
        command
    }

    /// Runs a subcommand to its end.
    pub(crate) fn measure(&self, words: &[&str]) -> Result<Answer> {
        let output = run::output(&mut self.command(words))?;
        serde_json::from_str(&output).with_context(|| format!("worker {words:?} answered {output:?}"))
    }

    /// Starts a subcommand that listens, and waits for its first line.
    pub(crate) fn beside(&self, words: &[&str]) -> Result<Beside> {
        Beside::start(&mut self.command(words))
    }
}

impl Beside {
    /// Starts a program that prints where it listens in its first line.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("{command:?}"))?;
        let mut address = String::new();
        if let Some(stdout) = child.stdout.as_mut() {
            BufReader::new(stdout).read_line(&mut address)?;
        }
        let beside = Self { child, address: address.trim().to_owned() };
        if beside.address.is_empty() {
            bail!("{command:?} ended without saying where it listens");
        }
        Ok(beside)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let killed = self.child.kill().and_then(|()| self.child.wait().map(drop));
        if let Err(error) = killed {
            eprintln!("warning: a program beside the bench did not end: {error}");
        }
    }
}
