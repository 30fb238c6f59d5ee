//! A Rust source file of the workspace, with its comments and literals blanked out, so that a word in
//! prose is no use of it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// One source file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// The package it belongs to: the folder's name.
    pub(crate) package: String,
    /// As it is on disk.
    pub(crate) text: String,
    /// The same lines with comments, strings and characters blanked.
    pub(crate) code: String,
    /// Whether only tests see it: `tests/`, `tests.rs`, `benches/`, `fuzz/`.
    pub(crate) only_tests: bool,
}

impl Source {
    /// Every `.rs` file of the workspace, sorted by path.
    pub(crate) fn all(root: &Path) -> Result<Vec<Self>> {
        let mut paths = Vec::new();
        for folder in ["crates", "xtask", "fuzz"] {
            walk(&root.join(folder), &mut paths)?;
        }
        paths.sort();
        paths
            .iter()
            .map(|path| {
                let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
                let relative = path.strip_prefix(root)?.to_string_lossy().into_owned();
                Ok(Self::new(relative, text))
            })
            .collect()
    }

    fn new(path: String, text: String) -> Self {
        let mut parts = path.split('/');
        let package = match parts.next() {
            Some("crates") => parts.next().unwrap_or_default(),
            first => first.unwrap_or_default(),
        };
        let only_tests = path
            .split('/')
            .any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "fuzz" | "testing.rs"));
        Self { package: package.to_owned(), code: blank(&text), only_tests, path, text }
    }

    /// Numbered code lines up to the inline test module, which by habit is the last item.
    pub(crate) fn production_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.code.lines().position(|line| line.trim() == "#[cfg(test)]");
        let end = if self.only_tests { 0 } else { tests.unwrap_or(usize::MAX) };
        self.code.lines().take(end).enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Lines that hold code.
    pub(crate) fn code_lines(&self) -> usize {
        self.code.lines().filter(|line| !line.trim().is_empty()).count()
    }
}

fn walk(folder: &Path, paths: &mut Vec<std::path::PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            walk(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

/// Replaces the inside of comments, strings and character literals by spaces; keeps every line break.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(c) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if c == '"' {
            string(rest)
        } else if c == 'r' && !is_word(previous) && is_raw_string(&rest[1..]) {
            raw_string(rest)
        } else if c == '\'' {
            character(rest)
        } else {
            0
        };
        if skip == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            let (literal, after) = rest.split_at(skip);
            out.extend(literal.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = after;
        }
        previous = c;
    }
    out
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn is_raw_string(after_r: &str) -> bool {
    after_r.trim_start_matches('#').starts_with('"')
}

fn raw_string(text: &str) -> usize {
    let hashes = text[1..].len() - text[1..].trim_start_matches('#').len();
    let open = 1 + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    text[open..].find(&close).map_or(text.len(), |at| open + at + close.len())
}

/// A character literal, or 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            text[2..].char_indices().skip(1).find(|&(_, c)| c == '\'').map_or(0, |(at, _)| 2 + at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_and_literals_are_blanked() {
        let text = "a // std::fs\nb \"std::fs \\\" x\" c /* std /* fs */ */ d 'x' '\\'' '\\u{1}' e<'a> r#\"f \" g\"# h";
        assert_eq!(blank(text).split_whitespace().collect::<Vec<_>>(), ["a", "b", "c", "d", "e<'a>", "h"]);
        assert_eq!(blank(text).len(), text.len());
    }

    #[test]
    fn the_inline_test_module_is_no_production_code() {
        let source =
            Source::new("crates/x/src/a.rs".into(), "fn a() {}\n#[cfg(test)]\nmod tests {}\n".into());
        assert_eq!(source.production_lines().collect::<Vec<_>>(), [(1, "fn a() {}")]);
        assert_eq!(source.package, "x");
    }
}
