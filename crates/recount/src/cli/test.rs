//! `test`: tests of one's own rules, from files that people write.
//!
//! ```text
//!  cursor.rs   a file from its beginning to its end
//!  file.rs     what it says: statements and events, then tests
//!  run.rs      one test, in a database of its own
//!  compare.rs  rows that are expected beside rows that are found
//! ```

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;

mod compare;
mod cursor;
mod file;
mod run;

use file::TestFile;
use run::{Ended, Failed};

const EXAMPLE: &str = "A file:
  CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL) KEY (accountId);
  CREATE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
    WHEN ANY THEN SET balance = balance + amount;

  TEST 'what is paid out is taken off'
  AT '2024-01-02T09:00:00Z'
  GIVEN transactions
  {\"accountId\": 1, \"amount\": 100.00}
  {\"accountId\": 1, \"amount\": -20.00}
  THEN account/1 {\"balance\": 80.00}
  THEN SELECT count(*) AS n FROM transactions;
  {\"n\": 2}

docs/test-files.md has all that a file can say. Exit code: 0 all hold, 1 a test failed, 2 a file cannot be run.";

/// Arguments of `test`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// Files of tests; of a directory, all that are named *.test.sql
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Only tests whose name has this in it
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

/// Bytes of a file at most.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// How a test file in a directory is named.
const SUFFIX: &str = ".test.sql";

/// Below a test that failed, so many lines at most.
const LINES_BELOW_MAX: usize = 60;

/// How the tests ended.
#[derive(Debug, Default)]
struct Count {
    passed: usize,
    failed: usize,
    unusable: usize,
}

/// Runs the tests of the files, one after the other.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut paths = Vec::new();
    for path in &arguments.files {
        find(path, &mut paths)?;
    }
    let mut count = Count::default();
    for path in &paths {
        let name = path.display().to_string();
        let read = read(path).and_then(|text| file::parse(&text).map_err(|error| format!("{name}:{error}")));
        match read {
            Ok(file) => run_file(&name, &file, arguments.filter.as_deref(), &mut count)?,
            Err(what) => {
                count.unusable += 1;
                eprintln!("recount: {what}");
            }
        }
    }
    summary(&count, arguments)
}

fn summary(count: &Count, arguments: &Arguments) -> Result<(), Failure> {
    let all = count.passed + count.failed;
    let of = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    if count.unusable > 0 {
        let ran = match (all, count.failed) {
            (0, _) => "no test was run".to_owned(),
            (_, 0) => format!("{} passed", of(all, "test")),
            (_, failed) => format!("{failed} of {} failed", of(all, "test")),
        };
        return Err(Failure::usage(format!("{} cannot be run; {ran}", of(count.unusable, "file"))));
    }
    if let (0, Some(filter)) = (all, &arguments.filter) {
        return Err(Failure::usage(format!("no test has {filter:?} in its name")));
    }
    if count.failed > 0 {
        return Err(Failure::new(format!("{} of {} failed", count.failed, of(all, "test"))));
    }
    writeln!(io::stdout(), "{} passed", of(all, "test"))?;
    Ok(())
}

/// The files that a path means.
fn find(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let before = found.len();
    walk(path, found)?;
    if found.len() == before {
        return Err(Failure::usage(format!("{}: there is no file *{SUFFIX} in it", path.display())));
    }
    Ok(())
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(format!("{}: {error}", directory.display()));
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        entries.push((entry.path(), entry.file_type().map_err(failed)?));
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (path, file_type) in entries {
        // A link to a directory is not followed: it may lead back here.
        if file_type.is_dir() {
            walk(&path, found)?;
        } else if path.to_string_lossy().ends_with(SUFFIX) {
            found.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let mut text = Vec::new();
    File::open(path).map_err(failed)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        let what = format!("it is larger than {} MiB: split it", FILE_BYTES_MAX >> 20);
        return Err(format!("{}: {what}", path.display()));
    }
    String::from_utf8(text).map_err(|_| format!("{}: it is not text in UTF-8", path.display()))
}

fn run_file(name: &str, file: &TestFile, filter: Option<&str>, count: &mut Count) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for test in file.tests.iter().filter(|test| filter.is_none_or(|filter| test.name.contains(filter))) {
        match run::run(file, test)? {
            Ended::Failed(failures) if failures.is_empty() => {
                count.passed += 1;
                writeln!(out, "ok      {name}: {}", test.name)?;
            }
            Ended::Failed(failures) => {
                count.failed += 1;
                writeln!(out, "FAILED  {name}: {}", test.name)?;
                for failed in &failures {
                    tell(&mut out, name, failed)?;
                }
            }
            Ended::Unusable(failed) => {
                count.unusable += 1;
                eprintln!("recount: {name}:{}:{}: {}", failed.at.line, failed.at.column, failed.what);
                return Ok(());
            }
        }
    }
    Ok(())
}

fn tell(out: &mut impl Write, name: &str, failed: &Failed) -> io::Result<()> {
    writeln!(out, "  {name}:{}:{}: {}", failed.at.line, failed.at.column, failed.what)?;
    if failed.below.iter().any(|line| line.starts_with(['-', '+'])) {
        writeln!(out, "    (- expected, + found)")?;
    }
    for line in failed.below.iter().take(LINES_BELOW_MAX) {
        writeln!(out, "    {line}")?;
    }
    if failed.below.len() > LINES_BELOW_MAX {
        writeln!(out, "    … {} lines more", failed.below.len() - LINES_BELOW_MAX)?;
    }
    Ok(())
}
