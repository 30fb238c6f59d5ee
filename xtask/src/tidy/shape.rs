//! How a file looks: it says what it is first, holds one idea, and leaves nothing for later.

use super::source::Source;

const CODE_LINES_MAX: usize = 600;

/// Words that promise work instead of doing it. Split, so that this file does not hold them.
const PROMISES: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
const STUBS: &[&str] = &[concat!("to", "do!"), concat!("unimple", "mented!")];

/// Findings.
pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let path = &source.path;
        if !source.text.starts_with("//!") {
            findings.push(format!(
                "{path}: does not start with `//!`: say what it is, its invariants, what it does not do"
            ));
        }
        if source.code_lines() > CODE_LINES_MAX {
            findings.push(format!(
                "{path}: {} lines of code, at most {CODE_LINES_MAX}: it holds two ideas",
                source.code_lines()
            ));
        }
        for (number, line) in (1..).zip(source.text.lines()) {
            if let Some(word) = PROMISES.iter().find(|word| has_word(line, word)) {
                findings.push(format!("{path}:{number}: {word}: do it, or file an issue"));
            }
        }
        for (number, line) in (1..).zip(source.code.lines()) {
            if let Some(stub) = STUBS.iter().find(|stub| line.contains(**stub)) {
                findings.push(format!("{path}:{number}: {stub}: nothing is stubbed"));
            }
        }
    }
    findings
}

/// The ten largest files, so that growth is seen before it is forbidden.
pub(crate) fn print_largest(sources: &[Source]) {
    let mut sizes: Vec<(usize, &str)> = sources.iter().map(|s| (s.code_lines(), s.path.as_str())).collect();
    sizes.sort_by(|a, b| b.cmp(a));
    let total: usize = sizes.iter().map(|(lines, _)| lines).sum();
    eprintln!("tidy: {} files, {total} lines of code; the largest:", sizes.len());
    for (lines, path) in sizes.iter().take(10) {
        eprintln!("  {lines:>5}  {path}");
    }
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric()).any(|part| part == word)
}
