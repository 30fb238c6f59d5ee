//! What DuckDB, which shares no code with us, is asked: cases are printed, with what was kept at their end.

use serde_json::json;

use super::reference::name;
use super::table::Row;

/// The columns of every table, as DuckDB has them.
const COLUMNS: &str =
    "k BIGINT, n BIGINT, v DECIMAL(18,2), t VARCHAR, d DOUBLE, b BOOLEAN, ts TIMESTAMP WITH TIME ZONE";

/// Prints a case, if RECOUNT_LAW_JUDGED is set: the tables, the query, and its rows.
pub(super) fn ask(seed: u64, query: &str, tables: &[Vec<Row>], kept: &[Vec<Option<String>>]) {
    if std::env::var_os("RECOUNT_LAW_JUDGED").is_none() {
        return;
    }
    let mut statements = Vec::new();
    for (number, rows) in tables.iter().enumerate() {
        statements.push(format!("CREATE OR REPLACE TABLE {} ({COLUMNS})", name(number)));
        if !rows.is_empty() {
            let rows: Vec<String> = rows.iter().map(Row::written).collect();
            statements.push(format!("INSERT INTO {} VALUES {}", name(number), rows.join(", ")));
        }
    }
    let case = json!({ "case": seed, "statements": statements, "query": query, "kept": kept });
    println!("judged: {case}");
}
