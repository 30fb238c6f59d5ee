//! Flink SQL as a peer: the jars of its wheel on PyPI, in one Java process with a cluster of its own, configured by `Nexmark.java` as its
//! documentation has it for throughput: state on the heap, objects reused, mini-batches, distinct aggregates split.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::run;

const VERSION: &str = "2.3.0";
const WARM: Duration = Duration::from_secs(60);
const SOURCE: &str = "xtask/src/nexmark/flink/Nexmark.java";
/// What a row of it says to a reader of the report.
pub(crate) const STATES: &str = "Flink SQL 2.3.0, Java 17, parallelism 2, heap state, object reuse, mini-batches of 50,000 and 2 s, blackhole; a job's own time";

/// What Flink asks to be opened of Java 17.
const OPENED: [&str; 5] = ["java.lang", "java.net", "java.io", "java.nio", "java.util"];

/// A running Java process. Killed on drop.
#[derive(Debug)]
pub(crate) struct Flink {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    dir: PathBuf,
}

impl Flink {
    /// Installs it in the folder where cargo builds, if it is not there, and starts it with tables, declared by statements in which PATH stands for
    /// the folder `events`. What it needs lies in `dir`.
    pub(crate) fn start(tables_of: &str, events: &Path, dir: &Path) -> Result<Self> {
        run::need("javac", "openjdk-17-jdk-headless")?;
        let jars = installed(&run::target()?.join(format!("flink-{VERSION}")))?;
        let (classes, tables) = (dir.join("classes"), dir.join("tables.sql"));
        let mut javac = Command::new("javac");
        javac.arg("-cp").arg(&jars).arg("-d").arg(&classes).arg(run::root().join(SOURCE));
        run::output(&mut javac)?;
        fs::write(&tables, tables_of.replace("PATH", &events.display().to_string()))?;
        let mut java = Command::new("java");
        java.args(["-Xms4g", "-Xmx8g", "-XX:+UseParallelGC", "-XX:+IgnoreUnrecognizedVMOptions"]);
        java.args(OPENED.map(|name| format!("--add-opens=java.base/{name}=ALL-UNNAMED")));
        java.arg("-cp").arg(format!("{}:{jars}", classes.display())).arg("Nexmark").arg(&tables);
        java.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(fs::File::create(dir.join("flink.log"))?);
        let mut child = java.spawn().context("cannot start Java")?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (input, output) = (input.context("no stdin")?, BufReader::new(output.context("no stdout")?));
        let mut flink = Self { child, input, output, dir: dir.to_path_buf() };
        flink.line("ready")?;
        Ok(flink)
    }

    /// Runs queries, one after the other and again, until it has been long enough.
    pub(crate) fn warm(&mut self, queries: &[&str]) -> Result<()> {
        let began = Instant::now();
        let mut runs = 0;
        while runs < queries.len() || began.elapsed() < WARM {
            self.seconds(queries[runs % queries.len()])?;
            runs += 1;
        }
        eprintln!("Flink is warm after {runs} jobs in {:.0} s", began.elapsed().as_secs_f64());
        Ok(())
    }

    /// Runs a query over all events; returns the seconds that the job ran.
    pub(crate) fn seconds(&mut self, query: &str) -> Result<f64> {
        let file = self.dir.join("query.sql");
        fs::write(&file, query)?;
        writeln!(self.input, "{}", file.display())?;
        let ms: f64 = self.line("ms ")?.parse()?;
        Ok(ms / 1000.0)
    }

    /// The rest of the next line that begins so.
    fn line(&mut self, beginning: &str) -> Result<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line)? > 0 {
            if let Some(rest) = line.strip_prefix(beginning) {
                return Ok(rest.trim().to_owned());
            }
            line.clear();
        }
        bail!("Flink ended:\n{}", fs::read_to_string(self.dir.join("flink.log")).unwrap_or_default())
    }
}

impl Drop for Flink {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("warning: Flink did not end: {error}");
        }
    }
}

/// The class path of its jars in `folder`, installed there if they are not.
fn installed(folder: &Path) -> Result<String> {
    let lib = folder.join("pyflink/lib");
    if !lib.exists() {
        run::need("pip", "python3-pip")?;
        let package = format!("apache-flink-libraries=={VERSION}");
        let mut pip = Command::new("pip");
        pip.args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary",
            ":all:",
        ]);
        run::loud(pip.arg("--target").arg(folder).arg(&package))
            .with_context(|| format!("{package} cannot be had from PyPI: it needs the network once"))?;
    }
    ensure!(lib.exists(), "{} is not there", lib.display());
    Ok(format!("{}/*", lib.display()))
}
