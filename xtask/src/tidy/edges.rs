//! The table of crates in docs/ARCHITECTURE.md, held against the dependencies that exist: every crate
//! has a row, every row a crate, and no crate depends on one that its row does not list.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Metadata;

const DOCUMENT: &str = "docs/ARCHITECTURE.md";

/// What a row allows.
#[derive(Debug, PartialEq, Eq)]
enum Allowed {
    Everything,
    Only(Vec<String>),
}

/// Findings.
pub(crate) fn check(root: &Path, metadata: &Metadata) -> Result<Vec<String>> {
    let text = fs::read_to_string(root.join(DOCUMENT)).context(DOCUMENT)?;
    let table = table(&text)?;
    let members: Vec<&str> = metadata.members().map(|package| package.name.as_str()).collect();

    let mut findings = Vec::new();
    for name in table.keys().filter(|name| !members.contains(&name.as_str())) {
        findings.push(format!("{DOCUMENT} lists {name}, which is no crate of the workspace: remove the row"));
    }
    for package in metadata.members() {
        let Some(allowed) = table.get(&package.name) else {
            findings.push(format!("{DOCUMENT} lacks a row for {}", package.name));
            continue;
        };
        let Allowed::Only(allowed) = allowed else { continue };
        for dependency in &package.dependencies {
            let internal = members.contains(&dependency.name.as_str()) && dependency.name != package.name;
            if internal && !allowed.contains(&dependency.name) {
                let kind = dependency.kind.as_deref().map(|kind| format!(" ({kind})")).unwrap_or_default();
                let edge = format!("{} imports {}{kind}", package.name, dependency.name);
                findings.push(format!("{edge}, which {DOCUMENT} does not allow"));
            }
        }
    }
    Ok(findings)
}

/// Reads the rows between the header `| crate | … | may import |` and the next line that is no row.
fn table(text: &str) -> Result<BTreeMap<String, Allowed>> {
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip_while(|line| !(line.starts_with("| crate |") && line.ends_with("| may import |")))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    if rows.is_empty() {
        bail!("{DOCUMENT} has no table of crates with the header `| crate | … | may import |`");
    }
    let mut table = BTreeMap::new();
    for row in rows {
        let [name, _, imports] = row[..] else {
            bail!("{DOCUMENT}: a row of the table of crates has not three cells")
        };
        let imports = match imports {
            "everything" => Allowed::Everything,
            list => Allowed::Only(
                list.split(',')
                    .map(str::trim)
                    .filter(|short| !short.is_empty())
                    .map(
                        |short| {
                            if short == "recount" { short.to_owned() } else { format!("recount-{short}") }
                        },
                    )
                    .collect(),
            ),
        };
        table.insert(name.trim_matches('`').to_owned(), imports);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{Dependency, Package};

    #[test]
    fn rows_are_read() {
        let text = "x\n| crate | one line | may import |\n|---|---|---|\n| `recount-types` | nouns | |\n\
                    | `recount-store` | events | types, env |\n| `xtask` | commands | everything |\n\nrest";
        let table = table(text).unwrap();
        assert_eq!(table["recount-types"], Allowed::Only(vec![]));
        assert_eq!(table["recount-store"], Allowed::Only(vec!["recount-types".into(), "recount-env".into()]));
        assert_eq!(table["xtask"], Allowed::Everything);
    }

    #[test]
    fn an_edge_that_is_not_listed_is_found() {
        let package = |name: &str, dependencies: &[&str]| Package {
            id: name.into(),
            name: name.into(),
            version: "0.1.0".into(),
            license: None,
            source: None,
            dependencies: dependencies.iter().map(|d| Dependency { name: (*d).into(), kind: None }).collect(),
        };
        let packages = vec![package("recount-types", &["recount-env"]), package("recount-env", &[])];
        let metadata =
            Metadata { workspace_members: packages.iter().map(|p| p.id.clone()).collect(), packages };
        let folder = std::env::temp_dir().join(format!("xtask-edges-{}", std::process::id()));
        fs::create_dir_all(folder.join("docs")).unwrap();
        let table = "| crate | one line | may import |\n|---|---|---|\n| `recount-types` | | |\n| `recount-env` | | |\n";
        fs::write(folder.join(DOCUMENT), table).unwrap();
        let findings = check(&folder, &metadata).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(findings, [format!("recount-types imports recount-env, which {DOCUMENT} does not allow")]);
    }
}
