//! The frozen list: which files, byte for byte, and how many queries of each; and the differences that are known, each with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::plan::Plan;
use crate::run;

const LIST: &str = "xtask/src/slt/list.txt";
const DIFFERENCES: &str = "xtask/src/slt/differences.txt";

/// Where the files are published.
const CRATES: &str = "https://static.crates.io/crates";
const DATAFUSION: &str = "https://raw.githubusercontent.com/apache/datafusion";
const TESTING: &str =
    "https://raw.githubusercontent.com/apache/arrow-testing/9cfebfef8982fb8612e0a2c59059752bd32321a3";

/// What is frozen.
#[derive(Debug)]
pub(crate) struct List {
    /// The version of DataFusion whose files they are.
    version: String,
    /// The files of queries, in order.
    pub(crate) names: Vec<String>,
    /// The line of every file, by its path.
    entries: BTreeMap<String, String>,
}

impl List {
    /// Reads it.
    pub(crate) fn read() -> Result<List> {
        let text = fs::read_to_string(run::root().join(LIST)).context(LIST)?;
        let mut list = List { version: String::new(), names: Vec::new(), entries: BTreeMap::new() };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["datafusion", version] => version.clone_into(&mut list.version),
                [_, path, ref counts @ ..] => {
                    if !counts.is_empty() {
                        list.names.push(path.to_owned());
                    }
                    list.entries.insert(path.to_owned(), line.to_owned());
                }
                _ => anyhow::bail!("{LIST}: what is `{line}`?"),
            }
        }
        let lock = fs::read_to_string(run::root().join("Cargo.lock"))?;
        let locked =
            lock.lines().skip_while(|line| *line != "name = \"datafusion\"").nth(1).unwrap_or_default();
        ensure!(
            locked == format!("version = \"{}\"", list.version),
            "the list is of DataFusion {}, Cargo.lock has {locked}: freeze it anew",
            list.version
        );
        Ok(list)
    }

    /// Brings the files to a folder, from where they are published.
    pub(crate) fn fetch(&self, folder: &Path) -> Result<()> {
        if folder.join("test_files").exists() {
            return Ok(());
        }
        let name = format!("datafusion-sqllogictest-{}", self.version);
        let archive = folder.join(format!("{name}.crate"));
        download(&format!("{CRATES}/datafusion-sqllogictest/{name}.crate"), &archive)?;
        for path in self.entries.keys().filter(|path| !self.names.contains(path)) {
            let url = match path.strip_prefix("testing/") {
                Some(path) => format!("{TESTING}/{path}"),
                None if path.starts_with("core/") => {
                    format!("{DATAFUSION}/{}/datafusion/{path}", self.version)
                }
                None => continue,
            };
            download(&url, &folder.join(path))?;
        }
        let unpack = ["-xzf", &archive.display().to_string(), "--strip-components=1", "-C"];
        run::loud(Command::new("tar").args(unpack).arg(folder))
    }

    /// Every file has the bytes that it had, and the queries of the list are as many.
    pub(crate) fn check(&self, files: &Path, plans: &[(String, Plan)]) -> Result<()> {
        let now = self.lines(files, plans)?;
        for (path, line) in now {
            let frozen = &self.entries[&path];
            ensure!(*frozen == line, "not the frozen list:\n  {frozen}\n  {line}");
        }
        Ok(())
    }

    /// Writes it anew, of the same files.
    pub(crate) fn freeze(&self, files: &Path, plans: &[(String, Plan)]) -> Result<()> {
        let mut text = format!(
            "# Written by `cargo xtask slt --freeze`; docs/slt.md says when. SHA-256, file; of those with queries how many are in the list,\n\
             # and how many each rule of docs/slt.md leaves out.\ndatafusion {}\n",
            self.version
        );
        for (_, line) in self.lines(files, plans)? {
            text += &line;
            text.push('\n');
        }
        fs::write(run::root().join(LIST), text).context(LIST)
    }

    fn lines(&self, files: &Path, plans: &[(String, Plan)]) -> Result<Vec<(String, String)>> {
        let data = self.entries.keys().filter(|path| !self.names.contains(path));
        let data = data.map(|path| (path.clone(), path.clone(), String::new()));
        let queries = plans.iter().map(|(name, plan)| {
            let left_out = plan.left_out.map(|count| count.to_string());
            let counts = format!(" {} of {} {}", plan.queries().count(), plan.all(), left_out.join(" "));
            (name.clone(), format!("test_files/{name}"), counts)
        });
        let line = |(path, file, counts): (String, String, String)| -> Result<(String, String)> {
            let sum = run::output(Command::new("sha256sum").arg(files.join(file)))?;
            let sum = sum.split(' ').next().unwrap_or_default();
            Ok((path.clone(), format!("{sum} {path}{counts}")))
        };
        data.chain(queries).map(line).collect()
    }
}

fn download(url: &str, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(Path::new(".")))?;
    run::loud(Command::new("curl").args(["-sSfL", "-o"]).arg(to).arg(url))
}

/// Differences with a reason, by file and line: of the query ad hoc, and of its view.
#[derive(Debug)]
pub(crate) struct Known {
    reasons: BTreeMap<(String, usize), String>,
    seen: BTreeSet<(String, usize)>,
}

impl Known {
    /// Reads them: `file:line reason`.
    pub(crate) fn read() -> Result<Known> {
        let path: PathBuf = run::root().join(DIFFERENCES);
        let text = fs::read_to_string(&path).context(DIFFERENCES)?;
        let reason = |line: &str| -> Result<((String, usize), String)> {
            let (place, reason) = line.split_once(' ').with_context(|| line.to_owned())?;
            let (file, number) = place.split_once(':').with_context(|| line.to_owned())?;
            Ok(((file.to_owned(), number.parse()?), reason.to_owned()))
        };
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        Ok(Known { reasons: lines.map(reason).collect::<Result<_>>()?, seen: BTreeSet::new() })
    }

    /// The reason for a difference.
    pub(crate) fn reason(&mut self, file: &str, line: usize) -> Option<&str> {
        let place = (file.to_owned(), line);
        let reason = self.reasons.get(&place)?;
        self.seen.insert(place);
        Some(reason)
    }

    /// Those that were none, of a file.
    pub(crate) fn vanished(&self, file: &str) -> Vec<String> {
        let gone = self.reasons.keys().filter(|place| place.0 == file && !self.seen.contains(*place));
        gone.map(|(file, line)| format!("{file}:{line}")).collect()
    }
}
