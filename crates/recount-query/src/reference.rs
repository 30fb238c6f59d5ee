//! `docs/sql-functions.md`, generated from what the functions say of themselves: it changes when they do, by
//! `UPDATE_EXPECT=1 cargo test -p recount-query reference`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use datafusion::logical_expr::Documentation;
use expect_test::expect_file;

use crate::plan::session;

const HEAD: &str = "# Functions of queries\n\n\
    Generated from the functions themselves. Rules of entities have fewer, listed in [sql.md](sql.md), with the same names and \
    meanings.\n";

/// Those of ours.
const OURS: &[(&str, &str, &str)] = &[
    ("days", "days(from, to)", "Days from the date of one time to that of another, in UTC: an integer."),
    (
        "round",
        "round(number[, digits])",
        "Rounds to so many digits behind the point, half away from zero; a quotient of decimals once.",
    ),
];

/// A function by its name: how it is called, and what it does.
type Functions = BTreeMap<String, (String, String)>;

/// A text as it stands in a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn first_sentence(text: &str) -> String {
    let mut text = cell(text.trim().split("\n\n").next().unwrap_or_default());
    text.truncate(text.find(". ").map_or(text.len(), |end| end + 1));
    text
}

#[test]
fn reference_is_what_the_functions_say() {
    let state = session(1 << 20).unwrap();
    let scalar = state.scalar_functions().iter();
    let scalar = scalar.map(|(name, function)| ("", name, function.name(), function.documentation()));
    let aggregates = state.aggregate_functions().iter();
    let aggregates =
        aggregates.map(|(name, function)| ("Aggregates: ", name, function.name(), function.documentation()));
    let windows = state.window_functions().iter();
    let windows =
        windows.map(|(name, function)| ("Windows: ", name, function.name(), function.documentation()));
    let mut sections: BTreeMap<String, Functions> = BTreeMap::new();
    let mut silent = BTreeSet::new();
    for (kind, name, own_name, documentation) in scalar.chain(aggregates).chain(windows) {
        if name != own_name {
            // It is there under its own.
            continue;
        }
        let ours = OURS.iter().find(|(ours, ..)| ours == name);
        let (section, syntax, description) = match (ours, documentation) {
            (Some((_, syntax, description)), _) => ("Math Functions", *syntax, (*description).to_owned()),
            (None, Some(Documentation { doc_section, syntax_example, description, .. })) => {
                (doc_section.label, &**syntax_example, first_sentence(description))
            }
            (None, None) => {
                silent.insert(name.as_str());
                continue;
            }
        };
        let functions = sections.entry(format!("{kind}{section}")).or_default();
        functions.insert(name.clone(), (cell(syntax), description));
    }
    // What `round` of a quotient becomes, and windows in FROM.
    assert_eq!(silent, BTreeSet::from(["round_quotient", "window_starts"]));
    let mut text = HEAD.to_owned();
    for (section, functions) in sections {
        let _ = write!(text, "\n## {section}\n\n| function | what it does |\n|---|---|\n");
        for (syntax, description) in functions.values() {
            let _ = writeln!(text, "| `{syntax}` | {description} |");
        }
    }
    expect_file!["../../../docs/sql-functions.md"].assert_eq(&text);
}
