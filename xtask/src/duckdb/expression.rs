//! Random expressions on which Recount and DuckDB must agree, written for both.
//!
//! They are total: digits are counted, so that no sum or product leaves 64 bits or DuckDB's 38 digits. They are written with
//! as few brackets as precedence needs, because reading them is judged too. Left out, since the two differ by rule:
//!
//! * quotients of decimals: Recount keeps 12 digits, DuckDB makes a DOUBLE;
//! * values beyond 38 digits and 64 bits, and their errors: Recount computes in 256 bits, DuckDB does not;
//! * texts that are not ASCII: upper and lower case outside of it depend on tables of each.

use crate::dice::Dice;

/// A type, and how large its values become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) family: Family,
    /// Digits before the point.
    whole: u32,
    /// Digits behind it.
    pub(super) scale: u32,
}

impl Type {
    fn is_narrow(self) -> bool {
        self.family == Family::Decimal && self.whole + self.scale <= NARROW_DIGITS_MAX
    }
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Boolean,
    Integer,
    Decimal,
    Text,
    Date,
    Timestamp,
}

/// A column that expressions name.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) declared: &'static str,
    pub(super) of: Type,
}

/// An expression. Columns are written behind an `@`.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    pub(super) of: Type,
    recount: String,
    duckdb: String,
    binds: Binds,
}

/// How strongly the outermost operator binds, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binds {
    Or,
    And,
    Not,
    Comparison,
    Concat,
    Sum,
    Product,
    /// Brackets, calls, columns, constants.
    Whole,
}

use Family::{Boolean, Date, Decimal, Integer, Text, Timestamp};

/// DuckDB's widest decimal.
const DECIMAL_DIGITS_MAX: u32 = 38;
/// What DuckDB computes in 64 bits: of two of these it makes no wider one, and fails.
const NARROW_DIGITS_MAX: u32 = 18;
/// What an integer surely holds.
const INTEGER_DIGITS_MAX: u32 = 18;
/// What an integer is beside a decimal.
const INTEGER_AS_DECIMAL: u32 = 19;

const FAMILIES: [Family; 6] = [Boolean, Integer, Decimal, Text, Date, Timestamp];

const fn number(family: Family, whole: u32, scale: u32) -> Type {
    Type { family, whole, scale }
}

const fn plain(family: Family) -> Type {
    Type { family, whole: 0, scale: 0 }
}

/// The columns.
pub(super) const COLUMNS: [Column; 13] = [
    Column { name: "n", declared: "BIGINT", of: number(Integer, 4, 0) },
    Column { name: "m", declared: "BIGINT", of: number(Integer, 2, 0) },
    Column { name: "big", declared: "BIGINT", of: number(Integer, 19, 0) },
    Column { name: "amount", declared: "DECIMAL(9,2)", of: number(Decimal, 7, 2) },
    Column { name: "rate", declared: "DECIMAL(7,6)", of: number(Decimal, 1, 6) },
    Column { name: "wide", declared: "DECIMAL(20,4)", of: number(Decimal, 16, 4) },
    Column { name: "note", declared: "TEXT", of: plain(Text) },
    Column { name: "word", declared: "TEXT", of: plain(Text) },
    Column { name: "ok", declared: "BOOLEAN", of: plain(Boolean) },
    Column { name: "flag", declared: "BOOLEAN", of: plain(Boolean) },
    Column { name: "day", declared: "DATE", of: plain(Date) },
    Column { name: "since", declared: "TIMESTAMPTZ", of: plain(Timestamp) },
    Column { name: "until", declared: "TIMESTAMPTZ", of: plain(Timestamp) },
];

impl Expression {
    /// Of any type.
    pub(super) fn random(dice: &mut Dice) -> Self {
        let family = *dice.pick(&FAMILIES);
        of(dice, family, 4)
    }

    /// For Recount, with columns qualified by `prefix`.
    pub(super) fn recount(&self, prefix: &str) -> String {
        self.recount.replace('@', prefix)
    }

    pub(super) fn duckdb(&self) -> String {
        self.duckdb.replace('@', "")
    }

    /// The type of a column that keeps its values.
    pub(super) fn kept_as(&self) -> String {
        match self.of.family {
            Boolean => "BOOLEAN".into(),
            Integer => "BIGINT".into(),
            Decimal => format!("DECIMAL({DECIMAL_DIGITS_MAX},{})", self.of.scale),
            Text => "TEXT".into(),
            Date => "DATE".into(),
            Timestamp => "TIMESTAMPTZ".into(),
        }
    }

    fn both(of: Type, binds: Binds, text: String) -> Self {
        Self { of, recount: text.clone(), duckdb: text, binds }
    }

    /// With brackets, where it would bind more weakly than what it stands in.
    fn inside(&self, binds: Binds) -> (String, String) {
        if self.binds < binds {
            (format!("({})", self.recount), format!("({})", self.duckdb))
        } else {
            (self.recount.clone(), self.duckdb.clone())
        }
    }
}

/// Operands put into a text with a `?` for each.
fn made(of: Type, binds: Binds, text: &str, operands: &[(&Expression, Binds)]) -> Expression {
    made_apart(of, binds, (text, text), operands)
}

/// The same where the two write it in different ways.
fn made_apart(
    of: Type,
    binds: Binds,
    (recount, duckdb): (&str, &str),
    operands: &[(&Expression, Binds)],
) -> Expression {
    let (mut made, inside): (Expression, Vec<_>) = (
        Expression { of, recount: String::new(), duckdb: String::new(), binds },
        operands.iter().map(|(operand, binds)| operand.inside(*binds)).collect(),
    );
    for (at, piece) in recount.split('?').enumerate() {
        made.recount.push_str(piece);
        made.recount.push_str(inside.get(at).map_or("", |(recount, _)| recount));
    }
    for (at, piece) in duckdb.split('?').enumerate() {
        made.duckdb.push_str(piece);
        made.duckdb.push_str(inside.get(at).map_or("", |(_, duckdb)| duckdb));
    }
    made
}

fn call(of: Type, name: &str, operands: &[Expression]) -> Expression {
    let marks = vec!["?"; operands.len()].join(", ");
    let operands: Vec<_> = operands.iter().map(|operand| (operand, Binds::Or)).collect();
    made(of, Binds::Whole, &format!("{name}({marks})"), &operands)
}

/// An operator that binds to the left.
fn binary(of: Type, binds: Binds, text: &str, a: &Expression, b: &Expression, right: Binds) -> Expression {
    made(of, binds, text, &[(a, binds), (b, right)])
}

fn of(dice: &mut Dice, family: Family, depth: u32) -> Expression {
    if depth == 0 || dice.percent(15) {
        return leaf(dice, family);
    }
    let depth = depth - 1;
    if dice.percent(30) {
        return choice(dice, family, depth);
    }
    match family {
        Boolean => condition(dice, depth),
        Integer => integer(dice, depth),
        Decimal => decimal(dice, depth),
        Text => {
            let a = of(dice, Text, depth);
            match dice.below(4) {
                0 => call(plain(Text), "lower", &[a]),
                1 => call(plain(Text), "upper", &[a]),
                _ => {
                    let b = of(dice, Text, depth);
                    binary(plain(Text), Binds::Concat, "? || ?", &a, &b, Binds::Sum)
                }
            }
        }
        Date => {
            made(plain(Date), Binds::Whole, "CAST(? AS DATE)", &[(&of(dice, Timestamp, depth), Binds::Or)])
        }
        Timestamp if dice.percent(25) => made(
            plain(Timestamp),
            Binds::Whole,
            "CAST(? AS TIMESTAMPTZ)",
            &[(&of(dice, Date, depth), Binds::Or)],
        ),
        Timestamp => {
            let unit = *dice.pick(&["second", "minute", "hour", "day", "week", "month", "quarter", "year"]);
            let text = format!("date_trunc('{unit}', ?)");
            made(plain(Timestamp), Binds::Whole, &text, &[(&of(dice, Timestamp, depth), Binds::Or)])
        }
    }
}

fn leaf(dice: &mut Dice, family: Family) -> Expression {
    if dice.percent(75) {
        let columns: Vec<&Column> = COLUMNS.iter().filter(|column| column.of.family == family).collect();
        let column = *dice.pick(&columns);
        return Expression::both(column.of, Binds::Whole, format!("@{}", column.name));
    }
    if dice.percent(12) {
        let kind = match family {
            Decimal => "DECIMAL(9,2)",
            _ => COLUMNS.iter().find(|column| column.of.family == family).map_or("TEXT", |c| c.declared),
        };
        let of = if family == Decimal { number(Decimal, 7, 2) } else { number(family, 1, 0) };
        // Rules have no cast to BOOLEAN.
        let null =
            if family == Boolean { "nullif(TRUE, TRUE)".to_owned() } else { format!("CAST(NULL AS {kind})") };
        return Expression::both(of, Binds::Whole, null);
    }
    let text = |of, text: &str| Expression::both(of, Binds::Whole, text.to_owned());
    match family {
        Boolean => text(plain(Boolean), dice.pick::<&str>(&["TRUE", "FALSE"])),
        Integer => {
            let constant: &str = dice.pick::<&str>(&["0", "1", "2", "7", "365", "(-1)", "(-30)"]);
            let recount = constant.to_owned();
            // DuckDB's constants have 32 bits, and two of them overflow.
            let duckdb = format!("CAST({constant} AS BIGINT)");
            Expression { of: number(Integer, 3, 0), recount, duckdb, binds: Binds::Whole }
        }
        Decimal => {
            let (constant, whole, scale) = *dice.pick(&[
                ("0.5", 1, 1),
                ("2.675", 1, 3),
                ("(-0.05)", 1, 2),
                ("100.00", 3, 2),
                ("(-1.5)", 1, 1),
            ]);
            text(number(Decimal, whole, scale), constant)
        }
        Text => text(plain(Text), dice.pick::<&str>(&["''", "'a'", "'Ab'", "'it''s'", "'zebra'", "' '"])),
        Date => text(plain(Date), dice.pick::<&str>(&["DATE '2024-02-29'", "DATE '1969-12-31'"])),
        Timestamp => {
            let constants =
                ["TIMESTAMPTZ '2024-02-29T12:00:00Z'", "TIMESTAMPTZ '1969-12-31T23:59:59.999999Z'"];
            text(plain(Timestamp), dice.pick::<&str>(&constants))
        }
    }
}

fn integer(dice: &mut Dice, depth: u32) -> Expression {
    match dice.below(10) {
        0 => return call(number(Integer, 4, 0), "length", &[of(dice, Text, depth)]),
        1 => {
            let (from, to) = (*dice.pick(&[Date, Timestamp]), *dice.pick(&[Date, Timestamp]));
            let (a, b) = (of(dice, from, depth), of(dice, to, depth));
            let text = ("days(?, ?)", "date_diff('day', CAST(? AS DATE), CAST(? AS DATE))");
            return made_apart(
                number(Integer, 6, 0),
                Binds::Whole,
                text,
                &[(&a, Binds::Or), (&b, Binds::Or)],
            );
        }
        _ => {}
    }
    let a = of(dice, Integer, depth);
    match dice.below(7) {
        0 => call(a.of, "abs", &[a]),
        1 => made(a.of, Binds::Whole, "(-?)", &[(&a, Binds::Whole)]),
        2 => {
            let divisor = *dice.pick(&["3", "7", "(-2)", "365"]);
            let text = (format!("? / {divisor}"), format!("? // CAST({divisor} AS BIGINT)"));
            made_apart(a.of, Binds::Product, (&text.0, &text.1), &[(&a, Binds::Product)])
        }
        3 => {
            let divisor = *dice.pick(&["3", "7", "(-2)", "365"]);
            made(a.of, Binds::Product, &format!("? % {divisor}"), &[(&a, Binds::Product)])
        }
        _ => arithmetic(dice, a, Integer, depth),
    }
}

fn decimal(dice: &mut Dice, depth: u32) -> Expression {
    let a = of(dice, Decimal, depth);
    match dice.below(8) {
        0 => call(a.of, "abs", &[a]),
        1 => made(a.of, Binds::Whole, "(-?)", &[(&a, Binds::Whole)]),
        2 | 3 => {
            let digits = dice.below(a.of.scale as usize + 1) as u32;
            // DuckDB keeps the width.
            let of = number(Decimal, a.of.whole + a.of.scale - digits, digits);
            made(of, Binds::Whole, &format!("round(?, {digits})"), &[(&a, Binds::Or)])
        }
        _ => {
            let family = if dice.percent(25) { Integer } else { Decimal };
            arithmetic(dice, a, family, depth)
        }
    }
}

/// A sum, difference or product, if its digits are not too many.
fn arithmetic(dice: &mut Dice, a: Expression, beside: Family, depth: u32) -> Expression {
    let b = of(dice, beside, depth);
    let is_product = dice.percent(40);
    let result = if is_product { product(a.of, b.of) } else { sum(a.of, b.of) };
    let Some(result) = result else { return a };
    let (a, b) = if dice.percent(50) { (b, a) } else { (a, b) };
    let (sign, binds, right) = match (is_product, dice.percent(60)) {
        (true, _) => ("*", Binds::Product, Binds::Whole),
        (false, true) => ("+", Binds::Sum, Binds::Product),
        (false, false) => ("-", Binds::Sum, Binds::Product),
    };
    let text = format!("? {sign} ?");
    if a.of.is_narrow() && b.of.is_narrow() && !result.is_narrow() {
        let wide = format!("CAST(? AS DECIMAL({},{})) {sign} ?", NARROW_DIGITS_MAX + 1, a.of.scale);
        return made_apart(result, binds, (&text, &wide), &[(&a, binds), (&b, right)]);
    }
    binary(result, binds, &text, &a, &b, right)
}

fn sum(a: Type, b: Type) -> Option<Type> {
    let common = common(a, b)?;
    fitting(Type { whole: common.whole + 1, ..common })
}

fn product(a: Type, b: Type) -> Option<Type> {
    let (a, b) = beside(a, b);
    fitting(Type { whole: a.whole + b.whole, scale: a.scale + b.scale, ..a })
}

/// The type that both become, if there is one.
fn common(a: Type, b: Type) -> Option<Type> {
    let (a, b) = beside(a, b);
    fitting(Type { whole: a.whole.max(b.whole), scale: a.scale.max(b.scale), ..a })
}

fn beside(a: Type, b: Type) -> (Type, Type) {
    let decimal = |of: Type| match of.family {
        Integer => number(Decimal, INTEGER_AS_DECIMAL, 0),
        _ => of,
    };
    if a.family == Decimal || b.family == Decimal { (decimal(a), decimal(b)) } else { (a, b) }
}

fn fitting(of: Type) -> Option<Type> {
    let digits_max = if of.family == Integer { INTEGER_DIGITS_MAX } else { DECIMAL_DIGITS_MAX };
    (of.whole + of.scale <= digits_max).then_some(of)
}

/// COALESCE, greatest, least, NULLIF, CASE.
fn choice(dice: &mut Dice, family: Family, depth: u32) -> Expression {
    let (several, result) = several(dice, family, depth);
    match dice.below(6) {
        0 | 1 => call(result, "coalesce", &several),
        2 => call(result, "greatest", &several),
        3 => call(result, "least", &several),
        4 if several.len() > 1 => call(several[0].of, "nullif", &several[..2]),
        _ => case(dice, several, result, depth),
    }
}

fn case(dice: &mut Dice, results: Vec<Expression>, result: Type, depth: u32) -> Expression {
    let has_else = results.len() > 1 && dice.percent(60);
    let branches = results.len() - usize::from(has_else);
    let by_value = dice.percent(30);
    let compared = *dice.pick(&[Integer, Text, Decimal]);
    let mut operands = Vec::new();
    let mut text = "CASE".to_owned();
    if by_value {
        operands.push(of(dice, compared, depth));
        text.push_str(" ?");
    }
    for (at, then) in results.into_iter().enumerate() {
        if at < branches {
            let when = match operands.first().filter(|_| by_value).map(|operand| operand.of) {
                Some(operand) => comparable(dice, operand, depth),
                None => of(dice, Boolean, depth),
            };
            operands.push(when);
            text.push_str(" WHEN ? THEN ?");
        } else {
            text.push_str(" ELSE ?");
        }
        operands.push(then);
    }
    text.push_str(" END");
    let operands: Vec<_> = operands.iter().map(|operand| (operand, Binds::Or)).collect();
    made(result, Binds::Whole, &text, &operands)
}

/// One to three that become of one type; numbers of both kinds.
fn several(dice: &mut Dice, family: Family, depth: u32) -> (Vec<Expression>, Type) {
    let first = of(dice, family, depth);
    let (mut result, mut several) = (first.of, vec![first]);
    for _ in 0..dice.below(3) {
        let family = if family == Decimal && dice.percent(20) { Integer } else { family };
        let other = of(dice, family, depth);
        let fits = if family == Integer && result.family == Integer {
            // Nothing is computed.
            Some(Type { whole: result.whole.max(other.of.whole), ..result })
        } else {
            common(result, other.of)
        };
        if let Some(of) = fits {
            result = of;
            several.push(other);
        }
    }
    (several, result)
}

fn condition(dice: &mut Dice, depth: u32) -> Expression {
    let boolean = plain(Boolean);
    let not = if dice.percent(40) { "NOT " } else { "" };
    match dice.below(12) {
        0..3 => {
            let (a, b) = (of(dice, Boolean, depth), of(dice, Boolean, depth));
            binary(boolean, Binds::And, "? AND ?", &a, &b, Binds::Not)
        }
        3..6 => {
            let (a, b) = (of(dice, Boolean, depth), of(dice, Boolean, depth));
            binary(boolean, Binds::Or, "? OR ?", &a, &b, Binds::And)
        }
        6 => made(boolean, Binds::Not, "NOT ?", &[(&of(dice, Boolean, depth), Binds::Not)]),
        7 => {
            let family = *dice.pick(&FAMILIES);
            let a = of(dice, family, depth);
            made(boolean, Binds::Comparison, &format!("? IS {not}NULL"), &[(&a, Binds::Concat)])
        }
        8 => {
            let value = *dice.pick(&["TRUE", "FALSE"]);
            let a = of(dice, Boolean, depth);
            made(boolean, Binds::Comparison, &format!("? IS {not}{value}"), &[(&a, Binds::Concat)])
        }
        9 => {
            let a = ordered(dice, depth);
            let (low, high) = (comparable(dice, a.of, depth), comparable(dice, a.of, depth));
            let operands = [(&a, Binds::Concat), (&low, Binds::Concat), (&high, Binds::Concat)];
            made(boolean, Binds::Comparison, &format!("? {not}BETWEEN ? AND ?"), &operands)
        }
        10 => {
            let a = ordered(dice, depth);
            let items: Vec<Expression> =
                (0..1 + dice.below(3)).map(|_| comparable(dice, a.of, depth)).collect();
            let marks = vec!["?"; items.len()].join(", ");
            let mut operands = vec![(&a, Binds::Concat)];
            operands.extend(items.iter().map(|item| (item, Binds::Or)));
            made(boolean, Binds::Comparison, &format!("? {not}IN ({marks})"), &operands)
        }
        _ => {
            let a = ordered(dice, depth);
            let b = comparable(dice, a.of, depth);
            let sign = *dice.pick(&["=", "<>", "<", "<=", ">", ">="]);
            let operands = [(&a, Binds::Concat), (&b, Binds::Concat)];
            made(boolean, Binds::Comparison, &format!("? {sign} ?"), &operands)
        }
    }
}

fn ordered(dice: &mut Dice, depth: u32) -> Expression {
    let family = *dice.pick(&FAMILIES);
    of(dice, family, depth)
}

/// What can be compared with a value.
fn comparable(dice: &mut Dice, with: Type, depth: u32) -> Expression {
    let family = match with.family {
        Decimal if dice.percent(25) => Integer,
        Integer if dice.percent(25) => Decimal,
        same => same,
    };
    let other = of(dice, family, depth);
    let same_integers = family == Integer && with.family == Integer;
    if same_integers || common(with, other.of).is_some() {
        return other;
    }
    // A decimal that has all digits there are.
    Expression::both(number(Decimal, 1, 0), Binds::Whole, "CAST(NULL AS DECIMAL(1,0))".to_owned())
}
