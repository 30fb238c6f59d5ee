//! `tidy`: what the compiler cannot know. Every finding names a file and what to do; all are printed
//! before the task fails.
//!
//! Parts: [`edges`] holds ARCHITECTURE.md's table against the dependencies, [`bans`] holds its
//! invariants against the sources, [`shape`] knows how a file looks, [`licences`] reads deny.toml,
//! [`documents`] finds documents that name what is not there. [`source`] strips comments and literals.

mod bans;
mod documents;
mod edges;
mod licences;
mod shape;
mod source;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::run;
use source::Source;

/// What `cargo metadata` says, as far as we look.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

impl Metadata {
    fn of_workspace() -> Result<Self> {
        let json = run::output(&mut run::cargo(["metadata", "--format-version", "1", "--locked"]))?;
        serde_json::from_str(&json).context("cargo metadata")
    }

    fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }
}

/// Runs every part.
pub(crate) fn run() -> Result<()> {
    let root = run::root();
    let metadata = Metadata::of_workspace()?;
    let sources = Source::all(&root)?;

    let mut findings = edges::check(&root, &metadata)?;
    findings.extend(bans::check(&metadata, &sources));
    findings.extend(shape::check(&sources));
    findings.extend(licences::check(&root, &metadata)?);
    findings.extend(documents::check(&root, &sources)?);

    shape::print_largest(&sources);
    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings", findings.len());
    }
    Ok(())
}
