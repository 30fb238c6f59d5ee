//! Which records are not in the list, decided from their text alone, before any answer is seen. `docs/slt.md` says it in words.

use std::collections::BTreeMap;

use super::records::{Record, What};
use super::tables::Table;
use super::tokens::Token;

/// A rule, by the number that it has in `docs/slt.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// Not a query of rows.
    NoQuery = 1,
    /// Expects a refusal.
    Refused = 2,
    /// Reads what is no table of rows.
    Source = 3,
    /// Has to do with a type that Recount lacks.
    Type = 4,
    /// Is written in words that are not in Recount's grammar.
    Grammar = 5,
    /// Its answer is left open by what it says.
    Open = 6,
    /// Is under a setting that changes what queries mean.
    Setting = 7,
}

/// How many rules there are.
pub(crate) const RULES: usize = 7;

/// Types of values that no column of Recount has, as they are named.
const TYPES: &[&str] = &[
    "UNSIGNED",
    "TINYINT",
    "FLOAT",
    "REAL",
    "FLOAT4",
    "STRUCT",
    "NAMED_STRUCT",
    "MAP",
    "ARROW_TYPEOF",
    "BYTEA",
    "BLOB",
    "BINARY",
    "UNION_EXTRACT",
    "UNION_TAG",
    "STRUCT_EXTRACT",
    "ARROW_METADATA",
    "ARROW_FIELD",
    "WITH_METADATA",
    "DIGEST",
    "MD5",
    "SHA256",
    "DATE64",
    "DURATION",
];
/// What is cast to Arrow's types of these names has a type of Recount.
const ARROW_TYPES: &[&str] = &[
    "'Int16'",
    "'Int32'",
    "'Int64'",
    "'Float64'",
    "'Utf8'",
    "'Boolean'",
    "'Date32'",
    "'Timestamp(Microsecond, None)'",
];

/// Settings under which queries mean something else.
const SETTINGS: &[&str] = &[
    "default_null_ordering",
    "time_zone",
    "parse_float_as_decimal",
    "enable_ident_normalization",
    "dialect",
];

/// The rule by which a record is not in the list, if there is one.
pub(crate) fn left_out(
    record: &Record,
    tokens: &[Token<'_>],
    tables: &BTreeMap<String, Table>,
    foreign: &[String],
    setting: bool,
) -> Option<Rule> {
    let first = tokens.first()?;
    let has = |word: &str| tokens.iter().any(|token| token.is(word));
    if !["SELECT", "WITH", "VALUES", "(", "FROM", "TABLE"].iter().any(|word| first.is(word))
        || has("INFORMATION_SCHEMA")
    {
        return Some(Rule::NoQuery);
    }
    if matches!(record.what, What::Refused) {
        return Some(Rule::Refused);
    }
    if setting {
        return Some(Rule::Setting);
    }
    let read: Vec<&Table> = read(tokens, tables).collect();
    if let Some(rule) = read.iter().find_map(|table| table.impossible) {
        return Some(rule);
    }
    if unknown(tokens, tables)
        || tokens.iter().any(|token| token.name().is_some_and(|name| foreign.contains(&name)))
        || tokens.windows(2).any(|two| two[0].is("FROM") && two[1].text.starts_with('\''))
    {
        return Some(Rule::Source);
    }
    if has_other_type(tokens, &read) {
        return Some(Rule::Type);
    }
    if first.is("FROM") || not_in_grammar(tokens) {
        return Some(Rule::Grammar);
    }
    let hashed = |line: &String| line.contains(" values hashing to ");
    let only_hash = matches!(&record.what, What::Query { expected, .. } if expected.iter().any(hashed));
    (only_hash || open(tokens)).then_some(Rule::Open)
}

/// The tables that a query names.
pub(crate) fn read<'a>(
    tokens: &[Token<'_>],
    tables: &'a BTreeMap<String, Table>,
) -> impl Iterator<Item = &'a Table> {
    let names: Vec<String> = tokens.iter().filter_map(Token::name).collect();
    tables.values().filter(move |table| names.contains(&table.name))
}

/// Whether it reads a table that no statement of the file has made.
fn unknown(tokens: &[Token<'_>], tables: &BTreeMap<String, Table>) -> bool {
    let within =
        |at: usize| tokens.get(at - 1).is_some_and(|t| t.is("WITH") || t.is("RECURSIVE") || t.is(","));
    let own: Vec<String> =
        (1..tokens.len()).filter(|at| within(*at)).filter_map(|at| tokens[at].name()).collect();
    let mut selects = vec![false];
    for (at, token) in tokens.iter().enumerate() {
        let behind = at.checked_sub(1).map(|at| tokens[at]);
        match token.text.to_ascii_uppercase().as_str() {
            "(" => selects.push(false),
            ")" => {
                selects.pop();
            }
            "SELECT" => selects.last_mut().into_iter().for_each(|select| *select = true),
            word @ ("FROM" | "JOIN") => {
                let of_rows = word == "JOIN"
                    || selects.last() == Some(&true) && !behind.is_some_and(|behind| behind.is("DISTINCT"));
                let Some(next) = tokens.get(at + 1).filter(|_| of_rows) else { continue };
                let no_table = ["VALUES", "LATERAL", "UNNEST", "SELECT"].iter().any(|word| next.is(word))
                    || tokens.get(at + 2).is_some_and(|mark| mark.is("(") || mark.is("."));
                let name = next.name().filter(|_| !no_table);
                if name.is_some_and(|name| !tables.contains_key(&name) && !own.contains(&name)) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

/// Whether the columns of a table that says no types are of one that Recount lacks.
pub(crate) fn makes_other_types(tokens: &[Token<'_>]) -> bool {
    let of_other = ["INTERVAL", "[", "{", "ARRAY", "MAKE_ARRAY", "ARRAY_AGG"];
    has_other_type(tokens, &[])
        || tokens.iter().any(|token| of_other.iter().any(|word| token.is(word)))
        || tokens.windows(2).any(|two| two[0].is("X") && two[1].text.starts_with('\''))
}

/// Whether this statement sets what queries mean; `Some(false)` if it takes that back.
pub(crate) fn setting(tokens: &[Token<'_>]) -> Option<bool> {
    let named = tokens.iter().any(|token| SETTINGS.contains(&token.text.to_ascii_lowercase().as_str()));
    let first = tokens.first().filter(|_| named)?;
    let back = first.is("RESET") || tokens.last().is_some_and(|last| last.text.contains("nulls_max"));
    (first.is("SET") || first.is("RESET")).then_some(!back)
}

fn has_other_type(tokens: &[Token<'_>], read: &[&Table]) -> bool {
    let names_type = tokens.iter().enumerate().any(|(at, token)| {
        let behind = at.checked_sub(1).map_or("", |at| tokens[at].text);
        let of_a_day = token.is("TIME")
            && (behind == ":"
                || behind.eq_ignore_ascii_case("AS")
                || tokens.get(at + 1).is_some_and(|next| next.text.starts_with('\'')));
        of_a_day || behind != "." && TYPES.iter().any(|name| token.is(name))
    });
    let casts =
        tokens.iter().enumerate().filter(|(_, token)| token.is("ARROW_CAST") || token.is("ARROW_TRY_CAST"));
    let cast_to_other = casts.into_iter().any(|(at, _)| {
        let end = super::tokens::closing(tokens, at + 1).unwrap_or(tokens.len());
        tokens.get(end - 1).is_none_or(|to| !ARROW_TYPES.contains(&to.text))
    });
    let other = |name: &String| read.iter().any(|table| table.other.contains(name));
    let names_column = tokens.iter().filter_map(Token::name).any(|name| other(&name));
    // A star that does not multiply, and is not the one of count(*).
    let star = tokens.iter().enumerate().any(|(at, token)| {
        let before = at.checked_sub(1).map_or("", |at| tokens[at].text).to_ascii_uppercase();
        token.is("*") && ["SELECT", "DISTINCT", "ALL", ",", "."].contains(&before.as_str())
    });
    names_type || cast_to_other || names_column || star && read.iter().any(|table| !table.other.is_empty())
}

fn not_in_grammar(tokens: &[Token<'_>]) -> bool {
    let two = |a: &str, b: &str| tokens.windows(2).any(|two| two[0].is(a) && two[1].is(b));
    let marks = ["{", "["].iter().any(|mark| {
        // An index behind a value, or ARRAY[…], is in the grammar.
        tokens.iter().enumerate().any(|(at, token)| {
            token.is(mark)
                && at.checked_sub(1).is_none_or(|at| {
                    !tokens[at].is("ARRAY") && !tokens[at].is("]") && tokens[at].name().is_none()
                })
        })
    });
    marks
        || two("BY", "NAME")
        || two("*", "EXCLUDE")
        || tokens.windows(3).any(|three| three[0].is("*") && three[1].is("EXCEPT") && three[2].is("("))
        || two("*", "REPLACE")
        || ["QUALIFY", "PIVOT", "UNPIVOT"].iter().any(|word| tokens.iter().any(|token| token.is(word)))
}

/// Whether it takes so many rows of some, and does not say which; or is random.
fn open(tokens: &[Token<'_>]) -> bool {
    let mut ordered = vec![false];
    for (at, token) in tokens.iter().enumerate() {
        let next_is = |word: &str| tokens.get(at + 1).is_some_and(|next| next.is(word));
        let a_column = at > 0 && tokens[at - 1].is(".");
        if token.is("(") {
            ordered.push(false);
        } else if token.is(")") {
            ordered.pop();
        } else if token.is("ORDER") && next_is("BY") {
            ordered.pop();
            ordered.push(true);
        } else if token.is("UNION") || token.is("SELECT") {
            ordered.pop();
            ordered.push(false);
        }
        let takes_some = ["LIMIT", "OFFSET", "FETCH"].iter().any(|word| token.is(word));
        let differs_each_time =
            ["RANDOM", "UUID", "NOW", "CURRENT_DATE", "CURRENT_TIMESTAMP", "CURRENT_TIME"]
                .iter()
                .any(|word| token.is(word));
        if differs_each_time || takes_some && !a_column && ordered.last() == Some(&false) {
            return true;
        }
    }
    false
}
