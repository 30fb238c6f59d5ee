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

/// The first sentence, on one line.
fn first_sentence(text: &str) -> String {
    let line =
        text.trim().split("\n\n").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.find(". ").map_or(line.len(), |end| end + 1);
    line[..end].replace('|', "\\|")
}

#[test]
fn reference_is_what_the_functions_say() {
    let state = session(1 << 20).unwrap();
    let mut sections: BTreeMap<String, Functions> = BTreeMap::new();
    let mut silent = BTreeSet::new();
    let mut add = |kind: &str, name: &str, documentation: Option<&Documentation>| {
        let ours = OURS.iter().find(|(ours, ..)| *ours == name);
        let (section, syntax, description) = match (ours, documentation) {
            (Some((_, syntax, description)), _) => ("Math Functions", *syntax, (*description).to_owned()),
            (None, Some(known)) => {
                (known.doc_section.label, &*known.syntax_example, first_sentence(&known.description))
            }
            (None, None) => {
                silent.insert(name.to_owned());
                return;
            }
        };
        let section = if kind == "scalar" { section.to_owned() } else { format!("{kind}: {section}") };
        let syntax = syntax.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        sections.entry(section).or_default().insert(name.to_owned(), (syntax, description));
    };
    // Under each of its names a function is there once: under its own.
    for (name, function) in
        state.scalar_functions().iter().filter(|(name, function)| *name == function.name())
    {
        add("scalar", name, function.documentation());
    }
    for (name, function) in
        state.aggregate_functions().iter().filter(|(name, function)| *name == function.name())
    {
        add("Aggregates", name, function.documentation());
    }
    for (name, function) in
        state.window_functions().iter().filter(|(name, function)| *name == function.name())
    {
        add("Windows", name, function.documentation());
    }
    let mut text = HEAD.to_owned();
    for (section, functions) in sections {
        let _ = write!(text, "\n## {section}\n\n| function | what it does |\n|---|---|\n");
        for (syntax, description) in functions.values() {
            let _ = writeln!(text, "| `{syntax}` | {description} |");
        }
    }
    // What `round` of a quotient becomes.
    assert_eq!(silent, BTreeSet::from(["round_quotient".to_owned()]));
    expect_file!["../../../docs/sql-functions.md"].assert_eq(&text);
}
