//! ARCHITECTURE.md's invariants, held against the sources: who may name the outside world, who may name
//! tokio, who may know topics and events. Test code may name anything.

use super::Metadata;
use super::source::Source;

/// Packages that may use the outside world directly: the one that wraps it, and the commands, which run
/// programs on a developer's machine and are part of nothing.
const WORLD: &[&str] = &["recount-env", "xtask"];

/// Packages at the edge, on which no stored byte depends: they read a user's files, measure, and wait for people.
const EDGE: &[&str] = &["recount-env", "recount-http", "recount-server", "recount", "recount-sim", "xtask"];

/// Packages that speak to sockets.
const NETWORK: &[&str] = &["recount-http", "recount-server", "recount", "xtask"];

/// The one package that names DataFusion.
const QUERIES: &str = "recount-query";

/// Packages on which the order of events depends; they wait through recount-env.
const NO_RUNTIME: &[&str] = &[
    "recount-types",
    "recount-env",
    "recount-journal",
    "recount-index",
    "recount-store",
    "recount-sim",
    "recount-entity",
    "recount-views",
];

struct Ban {
    /// A path or a word in the code.
    name: &'static str,
    allowed: &'static [&'static str],
    why: &'static str,
}

const BANS: &[Ban] = &[
    Ban { name: "std::fs", allowed: EDGE, why: "files come from recount-env" },
    Ban { name: "std::thread", allowed: EDGE, why: "tasks come from recount-env" },
    Ban { name: "thread::spawn", allowed: EDGE, why: "tasks come from recount-env" },
    Ban { name: "SystemTime", allowed: WORLD, why: "the clock comes from recount-env" },
    Ban { name: "Instant", allowed: EDGE, why: "the clock comes from recount-env" },
    Ban { name: "rand", allowed: &[], why: "randomness comes from recount-env" },
    Ban { name: "getrandom", allowed: WORLD, why: "randomness comes from recount-env" },
    Ban { name: "RandomState", allowed: WORLD, why: "randomness comes from recount-env" },
    Ban { name: "rustix", allowed: WORLD, why: "system calls are made in recount-env" },
    Ban { name: "libc", allowed: &[], why: "system calls are made in recount-env, through rustix" },
    Ban { name: "TcpStream", allowed: NETWORK, why: "only fronts and the command line speak to sockets" },
    Ban { name: "TcpListener", allowed: NETWORK, why: "only fronts speak to sockets" },
    Ban { name: "UdpSocket", allowed: &[], why: "no protocol of ours uses it" },
];

/// A package that must not know a word of another one's vocabulary.
const FOREIGN: &[(&str, &str, &str)] = &[("recount-journal", "topic", "bodies are opaque to the journal")];

/// Findings.
pub(crate) fn check(metadata: &Metadata, sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for package in metadata.members().filter(|package| NO_RUNTIME.contains(&package.name.as_str())) {
        for dependency in package.dependencies.iter().filter(|d| d.name.starts_with("tokio")) {
            findings.push(format!(
                "{} depends on {}: it waits through recount-env",
                package.name, dependency.name
            ));
        }
    }
    for package in metadata.members().filter(|package| package.name != QUERIES) {
        if package.dependencies.iter().any(|dependency| dependency.name.starts_with("datafusion")) {
            findings.push(format!("{} depends on DataFusion: only {QUERIES} does", package.name));
        }
    }
    for source in sources {
        for (number, line) in source.production_lines() {
            let place = format!("{}:{number}", source.path);
            findings.extend(
                banned(&source.package, line).map(|ban| format!("{place}: names {}: {}", ban.name, ban.why)),
            );
            findings.extend(
                foreign(&source.package, line).map(|(word, why)| format!("{place}: knows {word}: {why}")),
            );
        }
    }
    findings
}

fn banned<'a>(package: &'a str, line: &'a str) -> impl Iterator<Item = &'static Ban> + 'a {
    BANS.iter().filter(move |ban| !ban.allowed.contains(&package) && names(line, ban.name))
}

fn foreign<'a>(package: &'a str, line: &'a str) -> impl Iterator<Item = (&'static str, &'static str)> + 'a {
    FOREIGN
        .iter()
        .filter(move |(owner, word, _)| {
            *owner == package && identifiers(line).any(|name| contains_word(name, word))
        })
        .map(|(_, word, why)| (*word, *why))
}

/// Whether a line of code names `path`, plainly or within the braces of a `use` of its parent.
fn names(line: &str, path: &str) -> bool {
    match path.split_once("::") {
        None => identifiers(line).any(|name| name == path),
        Some((parent, child)) => {
            let grouped = format!("{parent}::{{");
            let plain = line.match_indices(path).any(|(at, _)| {
                !line[..at].ends_with(is_word) && !line[at + path.len()..].starts_with(is_word)
            });
            plain
                || line
                    .find(&grouped)
                    .is_some_and(|at| group(&line[at + grouped.len()..]).any(|name| name == child))
        }
    }
}

/// The first identifiers of the members of a `{…}` group whose opening brace is just behind us.
fn group(inside: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    inside
        .split_inclusive([',', '{', '}'])
        .scan((), move |(), part| {
            let at_top = depth == 0;
            depth += part.matches('{').count() as i32 - part.matches('}').count() as i32;
            (depth >= -1).then_some((at_top, part))
        })
        .filter(|(at_top, _)| *at_top)
        .filter_map(|(_, part)| identifiers(part).next())
}

fn identifiers(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

/// `topic_name`, `TopicId` and `topics` know topics; `isotopic` does not.
fn contains_word(identifier: &str, word: &str) -> bool {
    let mut snake = String::new();
    for c in identifier.chars() {
        if c.is_uppercase() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake.split('_').any(|part| part == word || part.strip_suffix('s') == Some(word))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_plain_and_in_groups() {
        for line in [
            "use std::fs;",
            "std::fs::read(x)",
            "use std::{io, fs};",
            "use std::{io::{self, Read}, fs::File};",
        ] {
            assert!(names(line, "std::fs"), "{line}");
        }
        for line in
            ["use std::fsx;", "use std::{io, fmt};", "use std::{io::{fs}};", "let fs = 1;", "mystd::fs"]
        {
            assert!(!names(line, "std::fs"), "{line}");
        }
    }

    #[test]
    fn a_word_is_found_in_identifiers_only_as_a_word() {
        assert!(contains_word("TopicId", "topic") && contains_word("of_topics", "topic"));
        assert!(!contains_word("isotopic", "topic") && !contains_word("prevent", "event"));
    }

    #[test]
    fn only_the_owner_may_name_the_world() {
        assert_eq!(banned("recount-store", "let now = Instant::now();").count(), 1);
        assert_eq!(banned("recount-env", "let now = Instant::now();").count(), 0);
        assert_eq!(foreign("recount-journal", "struct TopicId;").count(), 1);
        assert_eq!(foreign("recount-store", "struct TopicId;").count(), 0);
    }
}
