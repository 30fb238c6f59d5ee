//! Documents name only what is there: tasks of `cargo xtask`, files of the checkout, tests that
//! docs/testing.md points at.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::source::Source;
use crate::task_names;

/// Findings.
pub(crate) fn check(root: &Path, sources: &[Source]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in documents(root)? {
        let text = fs::read_to_string(root.join(&path)).with_context(|| path.clone())?;
        for (number, line) in (1..).zip(text.lines()) {
            let place = format!("{path}:{number}");
            findings.extend(unknown_tasks(line).map(|task| format!("{place}: no task `cargo xtask {task}`")));
            for code in spans(line) {
                if is_path(code) && !root.join(code).exists() {
                    findings.push(format!("{place}: no file {code}"));
                }
                if let Some((package, test)) = test_name(code)
                    && !sources.iter().any(|s| s.package == package && declares(&s.text, test))
                {
                    findings.push(format!("{place}: {package} has no test {test}"));
                }
            }
        }
    }
    Ok(findings)
}

fn documents(root: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for folder in ["", "docs", "docs/decisions"] {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".md") {
                paths.push(if folder.is_empty() { name } else { format!("{folder}/{name}") });
            }
        }
    }
    paths.sort();
    Ok(paths)
}

fn unknown_tasks(line: &str) -> impl Iterator<Item = &str> {
    let names = task_names();
    line.match_indices("cargo xtask ")
        .map(|(at, prefix)| &line[at + prefix.len()..])
        .filter_map(|rest| rest.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next())
        .filter(move |task| !task.is_empty() && !names.iter().any(|name| name == task))
}

/// What stands between back-ticks.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn is_path(code: &str) -> bool {
    let folders = ["crates/", "docs/", "xtask/", "fuzz/", ".ci/"];
    folders.iter().any(|folder| code.starts_with(folder)) && !code.contains([' ', '*', '{', '<'])
}

/// `crate::…::test` as docs/testing.md writes a test's name: package, then the function.
fn test_name(code: &str) -> Option<(&str, &str)> {
    let (package, rest) = code.split_once("::")?;
    let package_like = package == "recount" || package == "xtask" || package.starts_with("recount-");
    let test = rest.rsplit("::").next()?;
    let name_like =
        |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    (package_like && package.contains(['-', 'x']) && name_like(test)).then_some((package, test))
}

fn declares(text: &str, test: &str) -> bool {
    text.match_indices(test)
        .any(|(at, _)| text[..at].ends_with("fn ") && text[at + test.len()..].starts_with('('))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognized() {
        assert_eq!(
            unknown_tasks("run `cargo xtask tidy` or cargo xtask nothing-such").collect::<Vec<_>>(),
            ["nothing-such"]
        );
        assert_eq!(test_name("recount-journal::frame::golden"), Some(("recount-journal", "golden")));
        assert_eq!(test_name("recount::Database::open(dir)"), None);
        assert!(is_path("docs/format.md") && !is_path("docs/{a,b}.md") && !is_path("journal/"));
        assert!(declares("fn golden() {", "golden") && !declares("fn golden_bytes() {", "golden"));
    }
}
