//! The law of operators: in however many steps rows come and go, the sum of what an operator gave up to an
//! append is what its definition makes of what came up to it. Definitions are in `naive`; appends and how they
//! are cut into steps are random.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::naive::{Row, aggregate, columns, distinct, join, row, top, types, window};
use super::*;
use crate::codec::Damaged;
use crate::saved::Saved;

/// A row that came or went, with its input, how often, and the append.
type Change = (usize, Row, i64, u64);

/// What is given to an operator.
#[derive(Debug, Clone)]
struct Given {
    appends: Vec<Vec<Change>>,
    /// How many appends each epoch has, in turn.
    epochs: Vec<usize>,
    /// In how many steps an append comes that has an epoch of its own, in turn.
    steps: Vec<usize>,
    part_bytes: usize,
    /// After which epochs operators begin anew with what was saved, in turn.
    restarts: Vec<bool>,
}

/// Makes an operator.
type Make<'a> = &'a dyn Fn() -> Box<dyn Operator>;

fn given() -> impl Strategy<Value = Given> {
    let row = (prop::option::of(0..2i64), 0..5i64);
    let weight = prop_oneof![4 => Just(1i64), 1 => Just(2), 3 => Just(-1), 1 => Just(-3)];
    let append = prop::collection::vec((0..2usize, row, weight), 1..8);
    let appends = (prop::collection::vec(append, 1..6), any::<bool>());
    let cuts = prop::collection::vec(1..4usize, 1..4);
    let restarts = prop::collection::vec(any::<bool>(), 1..4);
    (appends, cuts.clone(), cuts, prop_oneof![Just(0), Just(200), Just(1 << 20)], restarts).prop_map(
        |((appends, ends_empty), epochs, steps, part_bytes, restarts)| {
            let mut given = Given { appends: Vec::new(), epochs, steps, part_bytes, restarts };
            let mut there: BTreeMap<(usize, Row), i64> = BTreeMap::new();
            let mut append = |changes: Vec<(usize, Row, i64)>, there: &mut BTreeMap<_, i64>| {
                let stamp = given.appends.len() as u64 * 3 + 5;
                let mut stamped = Vec::new();
                for (input, row, weight) in changes {
                    *there.entry((input, row)).or_default() += weight;
                    stamped.push((input, row, weight, stamp));
                }
                // What went too often within an append comes at its end.
                for (&(input, row), count) in there.iter_mut().filter(|(_, count)| **count < 0) {
                    stamped.push((input, row, -*count, stamp));
                    *count = 0;
                }
                given.appends.push(stamped);
            };
            appends.into_iter().for_each(|changes| append(changes, &mut there));
            let rest: Vec<_> = there.iter().map(|(&(input, row), &count)| (input, row, -count)).collect();
            let rest: Vec<_> = rest.into_iter().filter(|(_, _, weight)| *weight != 0).collect();
            if ends_empty && !rest.is_empty() {
                append(rest, &mut there);
            }
            given
        },
    )
}

/// Rows of the inputs as of an append, each as often as it is there.
fn as_of(given: &Given, stamp: u64) -> [Vec<Row>; 2] {
    let mut there: [BTreeMap<Row, i64>; 2] = Default::default();
    for &(input, row, weight, _) in given.appends.iter().flatten().filter(|change| change.3 <= stamp) {
        *there[input].entry(row).or_default() += weight;
    }
    there.map(|rows| {
        rows.into_iter().flat_map(|(row, count)| std::iter::repeat_n(row, count as usize)).collect()
    })
}

/// The changes of one input, in two batches whose stamps overlap.
fn deltas(changes: &[Change], input: usize) -> Vec<Delta> {
    let of_input: Vec<&Change> = changes.iter().filter(|change| change.0 == input).collect();
    let half = |odd: usize| {
        let changes: Vec<&&Change> = of_input.iter().skip(odd).step_by(2).collect();
        Delta {
            columns: columns(&changes.iter().map(|change| change.1).collect::<Vec<_>>()),
            weights: changes.iter().map(|change| change.2).collect(),
            stamps: changes.iter().map(|change| change.3).collect(),
        }
    };
    [half(0), half(1)].into_iter().filter(|delta| !delta.is_empty()).collect()
}

/// What an operator gives: how often a row came, by append.
type Sums = BTreeMap<u64, BTreeMap<String, i64>>;

/// What an operator saves.
fn entries(operator: &dyn Operator) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut saved = Saved::default();
    operator.save(&mut saved);
    saved.sorted().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

/// An operator that goes on from what another one has saved; what it saves itself is the same.
fn restarted(operator: &dyn Operator, make: Make<'_>) -> Box<dyn Operator> {
    let saved = entries(operator);
    let mut other = make();
    for (key, value) in &saved {
        other.load(key, value).unwrap();
        let cut = value.split_last().map_or(&value[..], |(_, rest)| rest);
        assert_eq!(make().load(key, cut), Err(Damaged), "{}", operator.name());
        assert_eq!(make().load(key, &[value, &[0][..]].concat()), Err(Damaged), "{}", operator.name());
    }
    other.loaded();
    assert_eq!((entries(&*other), other.keeps()), (saved, operator.keeps()), "{}", operator.name());
    other
}

/// What an operator gives, and the one that did last.
fn run(given: &Given, make: Make<'_>, inputs: usize) -> (Sums, Box<dyn Operator>) {
    let (mut sums, mut operator) = (Sums::new(), make());
    let (mut appends, mut number) = (&given.appends[..], 0);
    while !appends.is_empty() {
        let count = given.epochs[number % given.epochs.len()].min(appends.len());
        let changes: Vec<Change> = appends[..count].concat();
        appends = &appends[count..];
        let stamp = changes[changes.len() - 1].3;
        let part_bytes = (count == 1).then_some(given.part_bytes);
        let steps = if count == 1 { given.steps[number % given.steps.len()] } else { 1 };
        let length = changes.len() / steps + 1;
        number += 1;
        for step in 0..steps {
            let of_step =
                &changes[(step * length).min(changes.len())..((step + 1) * length).min(changes.len())];
            let of_step = if inputs == 1 {
                vec![[deltas(of_step, 0), deltas(of_step, 1)].concat()]
            } else {
                vec![deltas(of_step, 0), deltas(of_step, 1)]
            };
            let epoch = Epoch { stamp, ends: step + 1 == steps, part_bytes };
            let mut out = Out::default();
            operator.step(of_step, epoch, &mut out).unwrap();
            add(&mut sums, &out, changes[0].3..=stamp);
            while out.more {
                out = Out::default();
                operator.go_on(epoch, &mut out).unwrap();
                add(&mut sums, &out, changes[0].3..=stamp);
            }
        }
        if given.restarts[number % given.restarts.len()] {
            operator = restarted(&*operator, make);
        }
    }
    (sums, operator)
}

/// Adds what was given in an epoch with these stamps.
fn add(sums: &mut Sums, out: &Out, stamps: std::ops::RangeInclusive<u64>) {
    for delta in &out.rows {
        assert!(!delta.is_empty());
        for row in 0..delta.len() {
            let values: Vec<String> = delta.columns.iter().map(|column| shown(column, row)).collect();
            let (stamp, weight) = (delta.stamps[row], delta.weights[row]);
            assert!(stamps.contains(&stamp) && weight != 0, "{weight:+} at {stamp}");
            *sums.entry(stamp).or_default().entry(values.join(" ")).or_default() += weight;
        }
    }
    for failure in &out.failures {
        assert!(stamps.contains(&failure.stamp) && failure.weight != 0, "{failure:?}");
        let of_stamp = sums.entry(failure.stamp).or_default();
        *of_stamp.entry(format!("fails: {}", failure.reason)).or_default() += failure.weight;
    }
}

/// Runs an operator, and compares what it gave with what its definition makes of the inputs, as of each append.
fn holds(
    given: &Given,
    make: Make<'_>,
    inputs: usize,
    definition: impl Fn([&[Row]; 2]) -> Vec<String>,
    kept: impl Fn([&[Row]; 2]) -> Option<usize>,
) -> Result<(), TestCaseError> {
    let (sums, operator) = run(given, make, inputs);
    let one_by_one = Given { epochs: vec![1], steps: vec![1], restarts: vec![false], ..given.clone() };
    let (_, other) = run(&one_by_one, make, inputs);
    prop_assert_eq!(entries(&*operator), entries(&*other), "what {} saves", operator.name());
    let mut sum: BTreeMap<String, i64> = BTreeMap::new();
    for append in &given.appends {
        let stamp = append[0].3;
        for (row, weight) in sums.get(&stamp).into_iter().flatten() {
            *sum.entry(row.clone()).or_default() += weight;
        }
        sum.retain(|_, weight| *weight != 0);
        let rows = there(given, stamp, inputs);
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for row in definition([&rows[0], &rows[1]]) {
            *expected.entry(row).or_default() += 1;
        }
        prop_assert_eq!(&sum, &expected, "{} as of {}", operator.name(), stamp);
    }
    let rows = there(given, u64::MAX, inputs);
    prop_assert_eq!(operator.keeps().map(|(count, _)| count), kept([&rows[0], &rows[1]]));
    Ok(())
}

/// The rows of the inputs as of an append; of one input those of both.
fn there(given: &Given, stamp: u64, inputs: usize) -> [Vec<Row>; 2] {
    let [mut left, right] = as_of(given, stamp);
    if inputs == 1 {
        left.extend(right);
        return [left, Vec::new()];
    }
    [left, right]
}

/// How many different rows there are.
fn different(rows: &[Row]) -> usize {
    rows.iter().collect::<BTreeSet<_>>().len()
}

/// How many different keys; of all rows one without them.
fn keys(rows: &[Row], by_key: bool) -> usize {
    rows.iter().map(|row| row.0.filter(|_| by_key)).collect::<BTreeSet<_>>().len()
}

fn orders() -> impl Strategy<Value = (usize, Order)> {
    (prop_oneof![Just(1usize), Just(2), Just(5)], any::<(bool, bool)>())
        .prop_map(|(column, (descending, nulls_last))| (column, Order { descending, nulls_last }))
}

/// Whether two numbers are alike; it cannot be told of some.
fn alike(a: i64, b: i64) -> Result<bool, String> {
    if a + b == 5 { Err(format!("{a} and {b}")) } else { Ok((a + b) % 2 == 0) }
}

/// The same of the numbers of both sides of a join.
#[derive(Debug)]
struct Alike;

impl Expr for Alike {
    fn evaluate(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, String> {
        let numbers = [1, types().len() + 1].map(|column| columns[column].as_primitive::<Int64Type>());
        let holds = (0..rows).map(|row| alike(numbers[0].value(row), numbers[1].value(row)));
        Ok(Arc::new(holds.collect::<Result<Vec<_>, _>>()?.into_iter().map(Some).collect::<BooleanArray>()))
    }
}

/// Functions of a window.
fn functions() -> Vec<WindowFunction> {
    let null: Box<[u8]> = [0].into();
    let mut kinds = vec![
        (WindowKind::RowNumber, DataType::UInt64),
        (WindowKind::Rank, DataType::UInt64),
        (WindowKind::DenseRank, DataType::Int64),
        (WindowKind::Lag(1, 1, null.clone()), DataType::Int64),
        (WindowKind::Lag(2, -2, null.clone()), DataType::Int64),
        (WindowKind::Lag(1, 0, null.clone()), DataType::Int64),
        (WindowKind::Lag(1, i64::MIN, null), DataType::Int64),
        (WindowKind::First(2), DataType::Int64),
    ];
    let frames = [Frame::Rows, Frame::Range, Frame::Whole];
    kinds.extend(frames.map(|frame| (WindowKind::Last(1, frame), DataType::Int64)));
    // Queries cannot give those an order there that need one.
    let needs_order = |call: &Call| matches!(call.function, Function::StringAgg(_)) || !call.order.is_empty();
    for (call, frame) in
        naive::calls().into_iter().filter(|call| !needs_order(call)).zip(frames.into_iter().cycle())
    {
        let result = call.result.clone();
        kinds.push((WindowKind::Aggregate(call, frame), result));
    }
    kinds.into_iter().map(|(kind, result)| WindowFunction { kind, result }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn of_single_rows(given in given()) {
        let exprs = || -> Vec<Arc<dyn Expr>> { vec![Arc::new(Of(odd)), Arc::new(Of(Ok))] };
        let fails = |number: i64| format!("fails: {}", odd(number).unwrap_err());
        let project = |row: &Row| odd(row.1).map_or_else(|_| fails(row.1), |value| format!("{value} {}", row.1));
        let all = |[rows, _]: [&[Row]; 2]| rows.iter().map(project).collect();
        holds(&given, &|| Box::new(Project::new(exprs())), 1, all, |_| None)?;
        let filter = |one: &Row| match odd(one.1) {
            Ok(value) => (value > -2).then(|| row(one)),
            Err(_) => Some(fails(one.1)),
        };
        let some = |[rows, _]: [&[Row]; 2]| rows.iter().filter_map(filter).collect();
        let above = || IsAboveZero(Of(|value| odd(value).map(|odd| odd + 2)));
        holds(&given, &|| Box::new(Filter::new(Arc::new(above()))), 1, some, |_| None)?;
        let both = |rows: [&[Row]; 2]| rows.concat().iter().map(row).collect();
        holds(&given, &|| Box::new(Union), 2, both, |_| None)?;
        let each_once = |[rows, _]: [&[Row]; 2]| distinct(rows);
        let make = || -> Box<dyn Operator> { Box::new(Distinct::new(types()).unwrap()) };
        holds(&given, &make, 1, each_once, |[rows, _]| Some(different(rows)))?;
    }

    #[test]
    fn of_first_rows(
        given in given(),
        order in orders(),
        skip in 0..3usize,
        fetch in prop_oneof![0..4usize, Just(usize::MAX)],
    ) {
        let make = || -> Box<dyn Operator> {
            Box::new(Top::new(types(), vec![order], skip as u64, fetch as u64, false).unwrap())
        };
        let definition = |[rows, _]: [&[Row]; 2]| top(rows, order, skip, fetch);
        holds(&given, &make, 1, definition, |[rows, _]| Some(different(rows)))?;
    }

    #[test]
    fn of_groups(given in given()) {
        for by_key in [false, true] {
            let make = || -> Box<dyn Operator> {
                Box::new(Aggregate::new(types(), usize::from(by_key), naive::calls()).unwrap())
            };
            let definition = |[rows, _]: [&[Row]; 2]| aggregate(rows, by_key);
            holds(&given, &make, 1, definition, |[rows, _]| Some(keys(rows, by_key)))?;
        }
    }

    #[test]
    fn of_windows(given in given(), by_key in any::<bool>(), order in orders()) {
        let partition = if by_key { vec![0] } else { vec![] };
        // Those that number rows are computed in another way where they are alone.
        let is_number = |function: &WindowFunction| {
            matches!(function.kind, WindowKind::RowNumber | WindowKind::Rank | WindowKind::DenseRank)
        };
        let numbers: Vec<WindowFunction> = functions().into_iter().filter(is_number).collect();
        prop_assert_eq!(numbers.len(), 3);
        for functions in [functions(), numbers] {
            let make = || -> Box<dyn Operator> {
                Box::new(Window::new(types(), partition.clone(), vec![order], functions.clone()).unwrap())
            };
            let definition = |[rows, _]: [&[Row]; 2]| window(rows, by_key, order, &functions);
            holds(&given, &make, 1, definition, |[rows, _]| Some(keys(rows, by_key)))?;
        }
    }

    /// Of each partition the first rows, whether rows go again or not.
    #[test]
    fn of_first_rows_of_windows(given in given(), by_key in any::<bool>(), order in orders(), first in 1u64..6) {
        let partition = if by_key { vec![0] } else { vec![] };
        let function = |kind, result| WindowFunction { kind, result };
        let functions = [
            function(WindowKind::Rank, DataType::UInt64),
            function(WindowKind::RowNumber, DataType::Int64),
        ];
        let definition = |[rows, _]: [&[Row]; 2]| {
            let is_first = |row: &String| row.rsplit(' ').next().unwrap().parse::<u64>().unwrap() <= first;
            window(rows, by_key, order, &functions).into_iter().filter(is_first).collect()
        };
        let mut comes = given.clone();
        comes.appends.iter_mut().flatten().for_each(|(_, _, weight, _)| *weight = weight.abs());
        for (given, only_comes) in [(given, false), (comes, true)] {
            let make = || -> Box<dyn Operator> {
                let window = Window::new(types(), partition.clone(), vec![order], functions.to_vec());
                Box::new(window.unwrap().with_first(first, only_comes))
            };
            holds(&given, &make, 1, definition, |[rows, _]| Some(keys(rows, by_key)))?;
        }
    }

    #[test]
    fn of_joins(
        given in given(),
        keys in prop_oneof![Just(vec![0]), Just(vec![2]), Just(vec![]), Just(vec![0, 1])],
        nulls_are_equal in any::<bool>(),
        has_condition in any::<bool>(),
    ) {
        for kind in JOINS {
            let make = || -> Box<dyn Operator> {
                let condition = has_condition.then(|| Arc::new(Alike) as Arc<dyn Expr>);
                let on = On { keys: [keys.clone(), keys.clone()], nulls_are_equal, condition };
                Box::new(Join::new(kind, on, [types(), types()]).unwrap())
            };
            let is_null = |row: &Row| keys.contains(&0) && row.0.is_none() || keys.contains(&2) && row.1 == 0;
            let has_key = |row: &Row| nulls_are_equal || !is_null(row);
            let equal = |a: &Row, b: &Row| {
                let same = |column: &usize| if *column == 0 { a.0 == b.0 } else { a.1 == b.1 };
                has_key(a) && has_key(b) && keys.iter().all(same)
            };
            let holds_for = if has_condition { alike } else { |_, _| Ok(true) };
            let kept = |rows: [&[Row]; 2]| {
                let with_key = rows.map(|rows| rows.iter().filter(|row| has_key(row)).copied().collect::<Vec<_>>());
                Some(with_key.iter().map(|rows| different(rows)).sum())
            };
            holds(&given, &make, 2, |rows| join(kind, rows, equal, holds_for), kept)?;
        }
        // Rows of one side or of both only come.
        for only_comes in [[true, true], [true, false], [false, true]] {
            let mut given = given.clone();
            let changes = given.appends.iter_mut().flatten().filter(|(input, ..)| only_comes[*input]);
            changes.for_each(|(_, _, weight, _)| *weight = weight.abs());
            let make = || -> Box<dyn Operator> {
                let condition = has_condition.then(|| Arc::new(Alike) as Arc<dyn Expr>);
                let on = On { keys: [keys.clone(), keys.clone()], nulls_are_equal, condition };
                let join = Join::new(JoinKind::Inner, on, [types(), types()]).unwrap();
                Box::new(join.with_only_coming(only_comes))
            };
            let is_null = |row: &Row| keys.contains(&0) && row.0.is_none() || keys.contains(&2) && row.1 == 0;
            let equal = |a: &Row, b: &Row| {
                let same = |column: &usize| if *column == 0 { a.0 == b.0 } else { a.1 == b.1 };
                (nulls_are_equal || !is_null(a) && !is_null(b)) && keys.iter().all(same)
            };
            let holds_for = if has_condition { alike } else { |_, _| Ok(true) };
            let definition = |rows: [&[Row]; 2]| join(JoinKind::Inner, rows, equal, holds_for);
            let kept = |rows: [&[Row]; 2]| {
                let of = |side: usize| {
                    let with_key = rows[side].iter().filter(|row| nulls_are_equal || !is_null(row));
                    let with_key: Vec<Row> = with_key.copied().collect();
                    if only_comes[side] { with_key.len() } else { different(&with_key) }
                };
                Some(of(0) + of(1))
            };
            holds(&given, &make, 2, definition, kept)?;
        }
    }
}

/// What a row is as a text and what it is in columns is the same.
#[test]
fn the_rows_are_of_their_types() {
    let rows = [(None, 0), (Some(1), 3)];
    let columns = columns(&rows);
    assert!(columns.iter().map(|column| column.data_type()).eq(&types()));
    for (number, of) in rows.iter().enumerate() {
        let values: Vec<String> = columns.iter().map(|column| shown(column, number)).collect();
        assert_eq!(values.join(" "), row(of));
    }
}
