//! Random rows, as statements for both.

use super::expression::{COLUMNS, Column};
use crate::dice::Dice;
use crate::written::decimal;

/// The table, without what follows its columns. Rows of step 1 have values, rows of step 2 have none.
pub(super) fn declaration(kind: &str) -> String {
    format!("CREATE {kind} t (k BIGINT NOT NULL, step BIGINT NOT NULL, {})", columns())
}

/// The columns, declared.
pub(super) fn columns() -> String {
    let columns: Vec<String> =
        COLUMNS.iter().map(|column| format!("{} {}", column.name, column.declared)).collect();
    columns.join(", ")
}

/// So many rows of step 1.
pub(super) fn inserted(dice: &mut Dice, rows: usize) -> Vec<String> {
    (1..=rows)
        .map(|k| {
            let values: Vec<String> = COLUMNS.iter().map(|column| value(dice, column)).collect();
            format!("({k}, 1, {})", values.join(", "))
        })
        .collect()
}

/// And those of step 2.
pub(super) fn without_values(rows: usize) -> Vec<String> {
    let nulls = vec!["NULL"; COLUMNS.len()].join(", ");
    (1..=rows).map(|k| format!("({k}, 2, {nulls})")).collect()
}

fn value(dice: &mut Dice, column: &Column) -> String {
    if dice.percent(18) {
        return "NULL".to_owned();
    }
    let quoted = |text: &str| format!("'{text}'");
    match column.name {
        "n" => match dice.below(3) {
            0 => dice.between(-2, 2).to_string(),
            _ => dice.between(-9999, 9999).to_string(),
        },
        "m" => dice.between(-20, 20).to_string(),
        "big" => (*dice.pick(&["9223372036854775807", "-9223372036854775807", "0", "4611686018427387904"]))
            .to_owned(),
        "amount" => match dice.below(4) {
            0 => "0.00".to_owned(),
            1 => "-9999999.99".to_owned(),
            _ => decimal(dice.between(-100_000, 100_000), 2),
        },
        "rate" => match dice.below(4) {
            0 => "9.999999".to_owned(),
            1 => "-0.000001".to_owned(),
            _ => decimal(dice.between(-2_000_000, 2_000_000), 6),
        },
        "wide" => match dice.below(4) {
            0 => "9999999999999999.9999".to_owned(),
            1 => decimal(dice.between(-20_000, 20_000) * 50, 4),
            _ => decimal(dice.between(-9_000_000_000_000_000, 9_000_000_000_000_000), 4),
        },
        "note" | "word" => {
            quoted(dice.pick::<&str>(&["", "a", "Ab", "ab", "zebra", "it''s", " x", "Z", "10", "9"]))
        }
        "ok" | "flag" => (*dice.pick(&["TRUE", "FALSE"])).to_owned(),
        "day" => quoted(dice.pick::<&str>(&[
            "2024-02-29",
            "2024-03-01",
            "1970-01-01",
            "1969-12-31",
            "2000-02-29",
            "2023-01-01",
        ])),
        _ => quoted(dice.pick::<&str>(&[
            "2024-02-29T23:59:59.999999Z",
            "2024-03-01T00:00:00Z",
            "1969-12-31T23:59:59.5Z",
            "1970-01-01T00:00:00Z",
            "2024-12-30T12:30:00Z",
            "2023-01-01T00:00:00.000001Z",
            "1900-03-01T07:08:09Z",
        ])),
    }
}
