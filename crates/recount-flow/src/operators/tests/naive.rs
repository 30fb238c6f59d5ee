//! What the operators' definitions make of rows, without anything incremental: rows are texts here, and are counted.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use arrow_buffer::i256;

use super::*;
use crate::moments::Deviation;

/// A key, which may be null, and a number from 0 to 4. All other columns follow from these.
pub(super) type Row = (Option<i64>, i64);

/// Its columns: all of a number but the first; null for 0, but the second.
pub(super) fn types() -> Vec<DataType> {
    vec![
        DataType::Int64,
        DataType::Int64,
        DataType::Int64,
        DataType::Decimal128(10, 2),
        DataType::Float64,
        DataType::Boolean,
        DataType::Utf8,
        DataType::Decimal256(40, 2),
    ]
}

pub(super) fn columns(rows: &[Row]) -> Vec<ArrayRef> {
    fn values<T, A: FromIterator<Option<T>> + Array + 'static>(
        rows: &[Row],
        value: impl Fn(i64) -> T,
    ) -> ArrayRef {
        Arc::new(rows.iter().map(|row| (row.1 != 0).then(|| value(row.1))).collect::<A>())
    }
    let money = rows.iter().map(|row| (row.1 != 0).then(|| quarters(row.1)));
    let wide = money.clone().map(|value| value.map(i256::from_i128));
    vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))),
        values::<_, Int64Array>(rows, |number| number),
        Arc::new(money.collect::<Decimal128Array>().with_precision_and_scale(10, 2).unwrap()),
        values::<_, Float64Array>(rows, |number| eighths(number) as f64 / 8.0),
        values::<_, BooleanArray>(rows, is_true),
        values::<_, StringArray>(rows, text),
        Arc::new(wide.collect::<Decimal256Array>().with_precision_and_scale(40, 2).unwrap()),
    ]
}

fn quarters(number: i64) -> i128 {
    i128::from(number - 2) * 25
}

fn eighths(number: i64) -> i64 {
    number - 2
}

fn is_true(number: i64) -> bool {
    number > 2
}

fn text(number: i64) -> String {
    format!("t{number}")
}

fn or_null<T: ToString>(value: Option<T>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

/// All columns of a row.
pub(super) fn row((key, number): &Row) -> String {
    let there = (*number != 0).then_some(*number);
    [
        or_null(*key),
        number.to_string(),
        or_null(there),
        or_null(there.map(quarters)),
        or_null(there.map(|number| eighths(number) as f64 / 8.0)),
        or_null(there.map(is_true)),
        or_null(there.map(text)),
        or_null(there.map(quarters)),
    ]
    .join(" ")
}

/// How many columns a row has, all of them null.
fn nulls() -> String {
    vec!["-"; types().len()].join(" ")
}

/// Calls of all functions.
pub(super) fn calls() -> Vec<Call> {
    let of = |function, argument, result| call(function, Some(argument), result);
    let distinct = |call| Call { distinct: true, ..call };
    let filtered = |call| Call { filter: Some(5), ..call };
    let ordered = |call, column, descending, nulls_last| Call {
        order: vec![(column, Order { descending, nulls_last })],
        ..call
    };
    let money = DataType::Decimal128(20, 2);
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int64, true)));
    let mut calls = vec![
        call(Function::CountRows, None, DataType::Int64),
        filtered(call(Function::CountRows, None, DataType::Int64)),
        of(Function::Count, 2, DataType::Int64),
        distinct(of(Function::Count, 2, DataType::Int64)),
        of(Function::Sum, 3, money.clone()),
        filtered(of(Function::Sum, 3, money.clone())),
        distinct(of(Function::Sum, 3, money)),
        of(Function::Sum, 4, DataType::Float64),
        of(Function::Min, 2, DataType::Int64),
        of(Function::Max, 2, DataType::Int64),
        of(Function::Max, 6, DataType::Utf8),
        of(Function::BoolAnd, 5, DataType::Boolean),
        of(Function::BoolOr, 5, DataType::Boolean),
        ordered(of(Function::First, 2, DataType::Int64), 5, false, true),
        ordered(of(Function::Last, 2, DataType::Int64), 5, true, false),
        filtered(ordered(of(Function::ArrayAgg, 2, list.clone()), 1, true, false)),
        ordered(of(Function::ArrayAgg, 2, list), 5, false, false),
        ordered(of(Function::StringAgg("+".into()), 6, DataType::LargeUtf8), 1, true, false),
        of(Function::StringAgg("".into()), 6, DataType::Utf8),
        of(Function::Sum, 7, DataType::Decimal256(50, 2)),
    ];
    for (of_all, is_root) in [(false, false), (false, true), (true, false), (true, true)] {
        let function = Function::Deviation(Deviation { of_all, is_root });
        calls.push(of(function.clone(), 3, DataType::Decimal128(38, 12)));
        calls.push(of(function, 7, DataType::Decimal256(76, 12)));
    }
    calls
}

/// What a call makes of rows.
pub(super) fn value(call: &Call, rows: &[Row]) -> String {
    let counts = |row: &&Row| call.filter.is_none() || row.1 != 0 && is_true(row.1);
    let rows: Vec<Row> = rows.iter().filter(counts).copied().collect();
    let mut numbers: Vec<i64> = rows.iter().map(|row| row.1).filter(|number| *number != 0).collect();
    if call.distinct {
        numbers = numbers.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    }
    let mut ordered: Vec<i64> = rows.iter().map(|row| row.1).collect();
    ordered.sort_by(|&a, &b| {
        let orders = call.order.iter().map(|&(column, order)| compare(column, order, a, b));
        orders.fold(Ordering::Equal, Ordering::then).then(a.cmp(&b))
    });
    let item = |number: i64| or_null((number != 0).then_some(number));
    let some = |text: String| if numbers.is_empty() { "-".to_owned() } else { text };
    match &call.function {
        Function::CountRows => rows.len().to_string(),
        Function::Count => numbers.len().to_string(),
        Function::Sum if call.argument != Some(4) => {
            some(numbers.iter().map(|&number| quarters(number)).sum::<i128>().to_string())
        }
        Function::Sum => {
            some((numbers.iter().map(|&number| eighths(number)).sum::<i64>() as f64 / 8.0).to_string())
        }
        Function::Min => or_null(numbers.iter().min()),
        Function::Max if call.argument == Some(6) => or_null(numbers.iter().max().map(|max| text(*max))),
        Function::Max => or_null(numbers.iter().max()),
        Function::BoolAnd => some(numbers.iter().all(|number| is_true(*number)).to_string()),
        Function::BoolOr => some(numbers.iter().any(|number| is_true(*number)).to_string()),
        Function::First => or_null(ordered.first().map(|number| item(*number))),
        Function::Last => or_null(ordered.last().map(|number| item(*number))),
        Function::ArrayAgg if ordered.is_empty() => "-".to_owned(),
        Function::ArrayAgg => ordered.iter().map(|number| item(*number)).collect::<Vec<_>>().join(","),
        Function::StringAgg(between) => {
            let texts: Vec<String> =
                ordered.iter().filter(|number| **number != 0).map(|number| text(*number)).collect();
            some(texts.join(between))
        }
        Function::Deviation(of) => or_null(deviation(&numbers, *of)),
    }
}

/// In counts of 10⁻¹², of hundredths.
fn deviation(numbers: &[i64], of: Deviation) -> Option<i128> {
    let values: Vec<i128> = numbers.iter().map(|&number| quarters(number)).collect();
    let count = values.len() as i128;
    let less = i128::from(!of.of_all);
    if count <= less {
        return None;
    }
    let (sum, squares) =
        (values.iter().sum::<i128>(), values.iter().map(|value| value * value).sum::<i128>());
    let (dividend, divisor) = (count * squares - sum * sum, count * (count - less) * 10_000);
    // The greatest whole number that is not more than half a unit above the result.
    let (mut low, mut high) = (0i128, 10i128.pow(16));
    while low + 1 < high {
        let middle = (low + high) / 2;
        let twice = 2 * middle - 1;
        let fits = if of.is_root {
            let square = i256::from_i128(twice).wrapping_mul(i256::from_i128(twice));
            let all = i256::from_i128(dividend * 4).wrapping_mul(i256::from_i128(10i128.pow(24)));
            square.wrapping_mul(i256::from_i128(divisor)) <= all
        } else {
            twice * divisor <= 2 * dividend * 10i128.pow(12)
        };
        if fits { low = middle } else { high = middle }
    }
    Some(low)
}

/// How two numbers sort by what follows from them.
fn compare(column: usize, order: Order, a: i64, b: i64) -> Ordering {
    let of = |number: i64| match column {
        1 => Some(number),
        5 => (number != 0).then(|| i64::from(is_true(number))),
        _ => (number != 0).then_some(number),
    };
    let (a, b) = (of(a), of(b));
    match (a, b) {
        (Some(a), Some(b)) if order.descending => b.cmp(&a),
        (Some(a), Some(b)) => a.cmp(&b),
        _ if order.nulls_last => a.is_none().cmp(&b.is_none()),
        _ => a.is_some().cmp(&b.is_some()),
    }
}

/// Rows in an order; those that it leaves equal by themselves.
fn sorted(rows: &[Row], (column, order): (usize, Order)) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| compare(column, order, a.1, b.1).then(a.cmp(b)));
    rows
}

pub(super) fn distinct(rows: &[Row]) -> Vec<String> {
    rows.iter().collect::<BTreeSet<_>>().into_iter().map(row).collect()
}

pub(super) fn top(rows: &[Row], order: (usize, Order), skip: usize, fetch: usize) -> Vec<String> {
    sorted(rows, order).iter().skip(skip).take(fetch).map(row).collect()
}

/// The rows of each key; all of them without one.
fn parted(rows: &[Row], by_key: bool) -> Vec<(Option<i64>, Vec<Row>)> {
    if !by_key {
        return vec![(None, rows.to_vec())];
    }
    let keys: BTreeSet<Option<i64>> = rows.iter().map(|row| row.0).collect();
    keys.into_iter().map(|key| (key, rows.iter().filter(|row| row.0 == key).copied().collect())).collect()
}

pub(super) fn aggregate(rows: &[Row], by_key: bool) -> Vec<String> {
    let of = |(key, rows): (Option<i64>, Vec<Row>)| {
        let values = calls().iter().map(|call| value(call, &rows)).collect::<Vec<_>>();
        let key = by_key.then(|| or_null(key));
        key.into_iter().chain(values).collect::<Vec<_>>().join(" ")
    };
    parted(rows, by_key).into_iter().map(of).collect()
}

pub(super) fn window(
    rows: &[Row],
    by_key: bool,
    order: (usize, Order),
    functions: &[WindowFunction],
) -> Vec<String> {
    let mut result = Vec::new();
    for (_, rows) in parted(rows, by_key) {
        let rows = sorted(&rows, order);
        let is_peer = |a: usize, b: usize| compare(order.0, order.1, rows[a].1, rows[b].1).is_eq();
        for at in 0..rows.len() {
            let first = (0..=at).find(|&other| is_peer(other, at)).unwrap();
            let last = (at..rows.len()).rfind(|&other| is_peer(other, at)).unwrap();
            let end = |frame: Frame| match frame {
                Frame::Rows => at,
                Frame::Range => last,
                Frame::Whole => rows.len() - 1,
            };
            let column = |column: usize, row: &Row| match column {
                1 => row.1.to_string(),
                _ => or_null((row.1 != 0).then_some(row.1)),
            };
            let mut values = vec![row(&rows[at])];
            for function in functions {
                values.push(match &function.kind {
                    WindowKind::RowNumber => (at + 1).to_string(),
                    WindowKind::Rank => (first + 1).to_string(),
                    WindowKind::DenseRank => {
                        let begins = |&row: &usize| row == 0 || !is_peer(row - 1, row);
                        (0..=at).filter(begins).count().to_string()
                    }
                    WindowKind::Lag(of, offset, _) => {
                        let other = (at as i64)
                            .checked_sub(*offset)
                            .and_then(|row| rows.get(usize::try_from(row).ok()?));
                        other.map_or("-".to_owned(), |row| column(*of, row))
                    }
                    WindowKind::First(of) => column(*of, &rows[0]),
                    WindowKind::Last(of, frame) => column(*of, &rows[end(*frame)]),
                    WindowKind::Aggregate(call, frame) => value(call, &rows[..=end(*frame)]),
                });
            }
            result.push(values.join(" "));
        }
    }
    result
}

/// Whether two rows are joined; not if it cannot be told.
pub(super) type Holds = fn(i64, i64) -> Result<bool, String>;

pub(super) fn join(
    kind: JoinKind,
    [left, right]: [&[Row]; 2],
    equal: impl Fn(&Row, &Row) -> bool,
    holds: Holds,
) -> Vec<String> {
    let mut result = Vec::new();
    let mut partners = [vec![0; left.len()], vec![0; right.len()]];
    let gives_pairs = !matches!(kind, JoinKind::Semi | JoinKind::Anti);
    for (l, of_left) in left.iter().enumerate() {
        for (r, of_right) in right.iter().enumerate().filter(|(_, of_right)| equal(of_left, of_right)) {
            match holds(of_left.1, of_right.1) {
                Ok(true) => {
                    (partners[0][l], partners[1][r]) = (partners[0][l] + 1, partners[1][r] + 1);
                    result.extend(gives_pairs.then(|| format!("{} {}", row(of_left), row(of_right))));
                }
                Ok(false) => {}
                Err(reason) => result.push(format!("fails: {reason}")),
            }
        }
    }
    for (of_left, partners) in left.iter().zip(&partners[0]) {
        match kind {
            JoinKind::Left | JoinKind::Full if *partners == 0 => {
                result.push(format!("{} {}", row(of_left), nulls()))
            }
            JoinKind::Semi if *partners > 0 => result.push(row(of_left)),
            JoinKind::Anti if *partners == 0 => result.push(row(of_left)),
            _ => {}
        }
    }
    for (of_right, partners) in right.iter().zip(&partners[1]) {
        if matches!(kind, JoinKind::Right | JoinKind::Full) && *partners == 0 {
            result.push(format!("{} {}", nulls(), row(of_right)));
        }
    }
    result
}
