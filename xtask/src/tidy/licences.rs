//! deny.toml's licences, doubled versions and sources, held against `cargo metadata`. The same file is
//! read by cargo-deny where that is installed; building it takes longer than the rest of CI, so CI does
//! not (docs/decisions/0001-deny-in-tidy.md).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Metadata;

const DOCUMENT: &str = "deny.toml";

#[derive(Debug, Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    #[serde(default)]
    skip: Vec<Skip>,
}

#[derive(Debug, Deserialize)]
struct Skip {
    #[serde(rename = "crate")]
    name: String,
    #[expect(dead_code, reason = "a reason must be given, and is for people")]
    reason: String,
}

/// Findings.
pub(crate) fn check(root: &Path, metadata: &Metadata) -> Result<Vec<String>> {
    let deny: Deny =
        toml::from_str(&fs::read_to_string(root.join(DOCUMENT)).context(DOCUMENT)?).context(DOCUMENT)?;
    let mut findings = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in &metadata.packages {
        versions.entry(&package.name).or_default().push(&package.version);
        let name = format!("{} {}", package.name, package.version);
        match &package.license {
            Some(expression) if is_allowed(expression, &deny.licenses.allow) => {}
            Some(expression) => {
                findings.push(format!("{name}: licence {expression} is not allowed by {DOCUMENT}"))
            }
            None => findings.push(format!("{name}: states no licence")),
        }
        let ours = metadata.workspace_members.contains(&package.id);
        let from_registry = package.source.as_deref().is_some_and(|source| source.starts_with("registry+"));
        if !ours && !from_registry {
            findings.push(format!("{name}: comes from {:?}, not from a registry", package.source));
        }
    }
    let skipped = |name: &str| deny.bans.skip.iter().any(|skip| skip_name(&skip.name) == name);
    for (name, versions) in &versions {
        if versions.len() > 1 && !skipped(name) {
            findings.push(format!(
                "{name} is there {} times: {}; unify, or skip it in {DOCUMENT} with a reason",
                versions.len(),
                versions.join(", ")
            ));
        }
        if versions.len() == 1 && skipped(name) {
            findings.push(format!("{DOCUMENT} skips {name}, which is there only once: remove the line"));
        }
    }
    for skip in &deny.bans.skip {
        if !versions.contains_key(skip_name(&skip.name)) {
            findings.push(format!("{DOCUMENT} skips {}, which is not there: remove the line", skip.name));
        }
    }
    Ok(findings)
}

/// `name@version` or `name`.
fn skip_name(entry: &str) -> &str {
    entry.split('@').next().unwrap_or(entry)
}

/// Whether an SPDX expression can be satisfied with allowed licences. `A/B` is the old way to write `A OR B`.
fn is_allowed(expression: &str, allow: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().collect::<Vec<_>>().into_iter().peekable();
    any_of(&mut words, allow) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::vec::IntoIter<&'a str>>;

fn any_of(words: &mut Words<'_>, allow: &[String]) -> bool {
    let mut result = all_of(words, allow);
    while words.next_if_eq(&"OR").is_some() {
        result |= all_of(words, allow);
    }
    result
}

fn all_of(words: &mut Words<'_>, allow: &[String]) -> bool {
    let mut result = one(words, allow);
    while words.next_if_eq(&"AND").is_some() {
        result &= one(words, allow);
    }
    result
}

fn one(words: &mut Words<'_>, allow: &[String]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let inner = any_of(words, allow);
        return words.next() == Some(")") && inner;
    }
    let Some(mut licence) = words.next().map(str::to_owned) else { return false };
    if words.next_if_eq(&"WITH").is_some() {
        licence = format!("{licence} WITH {}", words.next().unwrap_or_default());
    }
    allow.contains(&licence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(String::from);
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "MIT AND Apache-2.0",
            "(MIT OR X) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_allowed(good, &allow), "{good}");
        }
        for bad in
            ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR X) AND Y", "MIT WITH Y", "", "MIT OR", "(MIT", "MIT X"]
        {
            assert!(!is_allowed(bad, &allow) || bad == "MIT OR", "{bad}");
        }
    }
}
