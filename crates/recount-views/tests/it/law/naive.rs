//! The naive evaluator: all events in a list, and each question answered from the first of them. Written from the
//! specification, and sharing nothing with the code that it judges.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

use super::ast::{Action, Column, E, Entity, Fam, Kind, Node, Source, Topic, V};

#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) topic: usize,
    pub(crate) position: u64,
    pub(crate) time: i64,
    pub(crate) appended: i64,
    /// Which of its topic's events.
    pub(crate) number: Option<usize>,
    /// Of the topic's columns, then position, event time, append time, type.
    pub(crate) values: Vec<V>,
}

/// Why a key stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    ByZero,
    Integer,
    Time,
    Null,
    Size,
    Said(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) event: usize,
    pub(crate) effect: &'static str,
    pub(crate) rule: Option<usize>,
    pub(crate) after: Option<Vec<V>>,
    pub(crate) found: Vec<bool>,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) key: Vec<V>,
    pub(crate) state: Vec<V>,
    pub(crate) present: bool,
    pub(crate) stopped: Option<(u64, Why)>,
    /// The last event that was folded.
    pub(crate) position: u64,
    /// The greatest time of its events.
    pub(crate) time: i64,
    pub(crate) steps: Vec<Step>,
}

/// What an expression sees.
#[derive(Clone, Copy)]
struct Scope<'a> {
    state: &'a [V],
    event: &'a [V],
    row: &'a [V],
    found: &'a [Option<&'a Event>],
}

/// Every key with an event, as of position `p` and time `t`.
pub(crate) fn rows(
    entity: &Entity,
    topics: &[Topic],
    all: &[Event],
    skipped: &[u64],
    p: u64,
    t: i64,
) -> Vec<Row> {
    let known = |event: &&Event| event.position <= p && event.time <= t;
    let mut rows: Vec<(Vec<V>, Vec<usize>)> = Vec::new();
    for (at, event) in all.iter().enumerate().filter(|(_, event)| known(event)) {
        if event.topic != entity.topic || skipped.contains(&event.position) {
            continue;
        }
        let of_event = Scope { state: &[], event: &event.values, row: &[], found: &[] };
        let key: Result<Vec<V>, Why> = match entity.key.as_slice() {
            [] => Ok(topics[entity.topic].key.iter().map(|&column| event.values[column].clone()).collect()),
            key => key.iter().map(|e| eval(e, of_event)).collect(),
        };
        let Some(key) = key.ok().filter(|key| !key.contains(&V::Null)) else { continue };
        match rows.iter_mut().find(|(other, _)| *other == key) {
            Some((_, events)) => events.push(at),
            None => rows.push((key, vec![at])),
        }
    }
    let lookup = |topic: usize| all.iter().filter(known).filter(move |event| event.topic == topic);
    let fold = |(key, mut events): (Vec<V>, Vec<usize>)| {
        events.sort_by_key(|&at| (if entity.by_time { all[at].time } else { 0 }, all[at].position));
        let time = events.iter().map(|&at| all[at].time).max().unwrap_or(i64::MIN);
        let defaults: Vec<V> =
            entity.state.iter().map(|c| c.default.clone().map_or(V::Null, |(v, _)| v)).collect();
        let mut row = Row {
            key,
            state: defaults.clone(),
            present: false,
            stopped: None,
            position: 0,
            time,
            steps: Vec::new(),
        };
        for at in events {
            let event = &all[at];
            let (mut rule, mut found) = (None, Vec::new());
            let effect = if row.stopped.is_some() {
                "Waits"
            } else {
                match step(entity, &row.state, event, &lookup, &mut rule, &mut found) {
                    Err(why) => {
                        row.stopped = Some((event.position, why));
                        "Stopped"
                    }
                    Ok(done) => {
                        row.position = event.position;
                        match done {
                            Some(Some(state)) => {
                                (row.state, row.present) = (state, true);
                                "Set"
                            }
                            Some(None) => {
                                (row.state, row.present) = (defaults.clone(), false);
                                "Deleted"
                            }
                            None => "Ignored",
                        }
                    }
                }
            };
            let after = row.present.then(|| row.state.clone());
            row.steps.push(Step { event: at, effect, rule, after, found });
        }
        row
    };
    rows.into_iter().map(fold).collect()
}

/// What one event does: another state, none (`Some(None)`), or nothing.
fn step<'a, I: Iterator<Item = &'a Event>>(
    entity: &Entity,
    state: &[V],
    event: &Event,
    rows: &impl Fn(usize) -> I,
    rule: &mut Option<usize>,
    told: &mut Vec<bool>,
) -> Result<Option<Option<Vec<V>>>, Why> {
    let of_event = Scope { state: &[], event: &event.values, row: &[], found: &[] };
    let mut found: Vec<Option<&Event>> = Vec::new();
    for lookup in &entity.lookups {
        let mut wanted = true;
        for condition in &lookup.of_event {
            wanted = wanted && eval(condition, of_event)? == V::Bool(true);
        }
        let time = if wanted { eval(&lookup.as_of, of_event)? } else { V::Null };
        let V::Int(time) = time else {
            found.push(None);
            continue;
        };
        let mut key = Vec::new();
        for (_, e) in &lookup.equal {
            // Nothing equals NULL, so the rest is not looked at.
            if !key.contains(&V::Null) {
                key.push(eval(e, of_event)?);
            }
        }
        if key.contains(&V::Null) {
            found.push(None);
            continue;
        }
        let is_it = |row: &&Event| {
            let of_row = Scope { row: &row.values, ..of_event };
            row.time <= time
                && lookup.of_row.iter().all(|e| eval(e, of_row) == Ok(V::Bool(true)))
                && lookup.equal.iter().zip(&key).all(|((e, _), value)| {
                    eval(e, of_row).is_ok_and(|of_row| order(&of_row, value) == Some(Ordering::Equal))
                })
        };
        found.push(rows(lookup.topic).filter(is_it).max_by_key(|row| (row.time, row.position)));
    }
    *told = found.iter().map(Option::is_some).collect();
    let scope = Scope { state, event: &event.values, row: &[], found: &found };
    for (at, candidate) in entity.rules.iter().enumerate() {
        let fits = candidate
            .events
            .as_ref()
            .is_none_or(|events| event.number.is_some_and(|number| events.contains(&number)));
        if !fits {
            continue;
        }
        *rule = Some(at);
        match &candidate.condition {
            Some(condition) if eval(condition, scope)? != V::Bool(true) => *rule = None,
            _ => break,
        }
    }
    let action = rule.map_or(entity.otherwise.as_ref(), |at| Some(&entity.rules[at].action));
    match action {
        None | Some(Action::Ignore) => Ok(None),
        Some(Action::Delete) => Ok(Some(None)),
        Some(Action::Error(text)) => Err(Why::Said(text.clone())),
        Some(Action::Set(columns)) => {
            let mut next = state.to_vec();
            for (at, e) in columns {
                next[*at] = kept(eval(e, scope)?, &entity.state[*at])?;
            }
            Ok(Some(Some(next)))
        }
    }
}

/// A value as a column keeps it.
fn kept(value: V, column: &Column) -> Result<V, Why> {
    let fits = |limit: i64, value: i64| (-limit - 1..=limit).contains(&value);
    match (column.kind, as_type(value, column.kind.ty().fam, column.kind.ty().scale)) {
        (_, V::Null) if !column.nullable => Err(Why::Null),
        (Kind::SmallInt, V::Int(value)) if !fits(32_767, value) => Err(Why::Size),
        (Kind::Int, V::Int(value)) if !fits(2_147_483_647, value) => Err(Why::Size),
        (Kind::Dec(precision, _), V::Dec(n, _)) if n.magnitude() >= ten(precision).magnitude() => {
            Err(Why::Size)
        }
        (_, value) => Ok(value),
    }
}

fn eval(e: &E, s: Scope<'_>) -> Result<V, Why> {
    let value = match &e.node {
        Node::Lit(value, _) => value.clone(),
        Node::Col(Source::State, at, _) => s.state[*at].clone(),
        Node::Col(Source::Event, at, _) => s.event[*at].clone(),
        Node::Col(Source::Row, at, _) => s.row[*at].clone(),
        Node::Col(Source::Lookup(n), at, _) => s.found[*n].map_or(V::Null, |row| row.values[*at].clone()),
        Node::Math(sign, a, b) => math(*sign, e, eval(a, s)?, eval(b, s)?, 12)?,
        Node::Round(a, digits) => match &a.node {
            Node::Math('/', x, y) if a.ty.fam == Fam::Dec => math('/', a, eval(x, s)?, eval(y, s)?, *digits)?,
            _ => match eval(a, s)? {
                V::Dec(n, scale) if scale > *digits => V::Dec(nearest(n, ten(scale - digits)), *digits),
                other => other,
            },
        },
        Node::Neg(a) => math('-', a, as_type(V::Int(0), a.ty.fam, 0), eval(a, s)?, 0)?,
        Node::Concat(a, b) => match (eval(a, s)?, eval(b, s)?) {
            (V::Text(a), V::Text(b)) => V::Text(a + &b),
            _ => V::Null,
        },
        Node::Cmp(sign, a, b) => compared(sign, &eval(a, s)?, &eval(b, s)?),
        Node::And(a, b) => match eval(a, s)? {
            V::Bool(false) => V::Bool(false),
            a => and(a, eval(b, s)?),
        },
        Node::Or(a, b) => match eval(a, s)? {
            V::Bool(true) => V::Bool(true),
            a => not(and(not(a), not(eval(b, s)?))),
        },
        Node::Not(a) => not(eval(a, s)?),
        Node::IsNull(a, negated) => V::Bool((eval(a, s)? == V::Null) != *negated),
        Node::Is(a, wanted, negated) => V::Bool((eval(a, s)? == V::Bool(*wanted)) != *negated),
        Node::Between(a, low, high, negated) => {
            let value = eval(a, s)?;
            let both = match compared(">=", &value, &eval(low, s)?) {
                V::Bool(false) => V::Bool(false),
                from => and(from, compared("<=", &value, &eval(high, s)?)),
            };
            if *negated { not(both) } else { both }
        }
        Node::In(a, items, negated) => {
            let value = eval(a, s)?;
            let mut none = V::Bool(true);
            for item in items {
                if none != V::Bool(false) {
                    none = and(none, not(compared("=", &value, &eval(item, s)?)));
                }
            }
            if *negated { none } else { not(none) }
        }
        Node::Case(operand, branches, otherwise) => {
            for (when, then) in branches {
                let holds = match operand {
                    Some(operand) => compared("=", &eval(operand, s)?, &eval(when, s)?),
                    None => eval(when, s)?,
                };
                if holds == V::Bool(true) {
                    return Ok(as_type(eval(then, s)?, e.ty.fam, e.ty.scale));
                }
            }
            otherwise.as_ref().map_or(Ok(V::Null), |otherwise| eval(otherwise, s))?
        }
        Node::Power(a, exponent) => match eval(a, s)? {
            V::Int(n) => n.checked_pow(*exponent).map(V::Int).ok_or(Why::Integer)?,
            V::Dec(n, scale) => V::Dec(n.pow(*exponent), scale * exponent),
            other => other,
        },
        Node::Trunc(unit, a) => match eval(a, s)? {
            V::Int(us) => V::Int(begins(unit, us)?),
            other => other,
        },
        Node::Cast(a, kind) => match (eval(a, s)?, kind, a.ty.fam) {
            (V::Int(us), Kind::Date, Fam::Ts | Fam::Tstz) => V::Int(us.div_euclid(DAY)),
            (V::Int(day), Kind::Ts | Kind::Tstz, Fam::Date) => V::Int(midnight(day)?),
            (V::Dec(n, from), Kind::Dec(_, to), _) if from > *to => V::Dec(nearest(n, ten(from - to)), *to),
            (other, ..) => other,
        },
        Node::Call("coalesce", all) => {
            for one in all {
                let value = eval(one, s)?;
                if value != V::Null {
                    return Ok(as_type(value, e.ty.fam, e.ty.scale));
                }
            }
            V::Null
        }
        Node::Call(name @ ("greatest" | "least"), all) => {
            let mut best = V::Null;
            for one in all {
                let value = eval(one, s)?;
                let wanted = if *name == "greatest" { Ordering::Greater } else { Ordering::Less };
                if best == V::Null || order(&value, &best) == Some(wanted) {
                    best = value;
                }
            }
            best
        }
        Node::Call("nullif", pair) => {
            let value = eval(&pair[0], s)?;
            let equal = compared("=", &value, &eval(&pair[1], s)?) == V::Bool(true);
            if equal { V::Null } else { value }
        }
        Node::Call(name, all) => {
            let values: Vec<V> = all.iter().map(|e| eval(e, s)).collect::<Result<_, _>>()?;
            let day = |at: usize, n: i64| if all[at].ty.fam == Fam::Date { n } else { n.div_euclid(DAY) };
            match (*name, values.as_slice()) {
                (_, all) if all.contains(&V::Null) => V::Null,
                ("abs", [V::Int(n)]) => n.checked_abs().map(V::Int).ok_or(Why::Integer)?,
                ("abs", [V::Dec(n, scale)]) => V::Dec(n.magnitude().clone().into(), *scale),
                ("abs", [V::Dbl(n)]) => V::Dbl(n.abs()),
                ("floor", [V::Dec(n, scale)]) => V::Dec(floor(n.clone(), &ten(*scale)), 0),
                ("ceil", [V::Dec(n, scale)]) => V::Dec(-floor(-n, &ten(*scale)), 0),
                ("floor" | "ceil", [whole]) => whole.clone(),
                ("days", [V::Int(from), V::Int(to)]) => V::Int(day(1, *to) - day(0, *from)),
                ("lower", [V::Text(text)]) => V::Text(text.to_lowercase()),
                ("upper", [V::Text(text)]) => V::Text(text.to_uppercase()),
                ("length", [V::Text(text)]) => V::Int(text.chars().count() as i64),
                other => panic!("the evaluator has no {other:?}"),
            }
        }
    };
    Ok(as_type(value, e.ty.fam, e.ty.scale))
}

/// A number as one of the type that its expression has.
fn as_type(value: V, fam: Fam, scale: u32) -> V {
    match (value, fam) {
        (V::Int(n), Fam::Dec) => V::Dec(BigInt::from(n) * ten(scale), scale),
        (V::Dec(n, from), Fam::Dec) if from < scale => V::Dec(n * ten(scale - from), scale),
        (V::Int(n), Fam::Dbl) => V::Dbl(n as f64),
        (V::Dec(n, scale), Fam::Dbl) => V::Dbl(double(&n, scale)),
        (value, _) => value,
    }
}

fn math(sign: char, e: &E, a: V, b: V, digits: u32) -> Result<V, Why> {
    if a == V::Null || b == V::Null {
        return Ok(V::Null);
    }
    match (e.ty.fam, a, b) {
        (Fam::Int, V::Int(_), V::Int(0)) if matches!(sign, '/' | '%') => Err(Why::ByZero),
        (Fam::Int, V::Int(a), V::Int(b)) => {
            let (a, b) = (i128::from(a), i128::from(b));
            let exact = match sign {
                '+' => a + b,
                '-' => a - b,
                '*' => a * b,
                '/' => a / b,
                _ => a % b,
            };
            i64::try_from(exact).map(V::Int).map_err(|_| Why::Integer)
        }
        (Fam::Dec, a, b) => {
            let (V::Dec(a, i), V::Dec(b, j)) = (as_type(a, Fam::Dec, 0), as_type(b, Fam::Dec, 0)) else {
                panic!("decimals")
            };
            let scale = i.max(j);
            let (x, y) = (&a * ten(scale - i), &b * ten(scale - j));
            match sign {
                '/' | '%' if b.sign() == Sign::NoSign => Err(Why::ByZero),
                '+' => Ok(V::Dec(x + y, scale)),
                '-' => Ok(V::Dec(x - y, scale)),
                '*' => Ok(V::Dec(a * b, i + j)),
                '/' => Ok(V::Dec(nearest(x * ten(digits), y), digits)),
                _ => Ok(V::Dec(x % y, scale)),
            }
        }
        (_, a, b) => {
            let (V::Dbl(a), V::Dbl(b)) = (as_type(a, Fam::Dbl, 0), as_type(b, Fam::Dbl, 0)) else {
                panic!("doubles")
            };
            match sign {
                '/' | '%' if b == 0.0 => Err(Why::ByZero),
                '+' => Ok(V::Dbl(a + b)),
                '-' => Ok(V::Dbl(a - b)),
                '*' => Ok(V::Dbl(a * b)),
                '/' => Ok(V::Dbl(a / b)),
                _ => Ok(V::Dbl(a % b)),
            }
        }
    }
}

fn and(a: V, b: V) -> V {
    match (&a, &b) {
        (V::Bool(false), _) | (_, V::Bool(false)) => V::Bool(false),
        (V::Bool(true), V::Bool(true)) => V::Bool(true),
        _ => V::Null,
    }
}

fn not(a: V) -> V {
    if let V::Bool(a) = a { V::Bool(!a) } else { V::Null }
}

fn compared(sign: &str, a: &V, b: &V) -> V {
    order(a, b).map_or(V::Null, |order| {
        V::Bool(match sign {
            "=" => order.is_eq(),
            "<>" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            _ => order.is_ge(),
        })
    })
}

/// How two values compare; not if one is missing.
fn order(a: &V, b: &V) -> Option<Ordering> {
    let number = |v: &V, fam: Fam, scale: u32| as_type(v.clone(), fam, scale);
    Some(match (a, b) {
        (V::Null, _) | (_, V::Null) => return None,
        (V::Bool(a), V::Bool(b)) => a.cmp(b),
        (V::Int(a), V::Int(b)) => a.cmp(b),
        (V::Text(a), V::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (V::Dbl(_), _) | (_, V::Dbl(_)) => match (number(a, Fam::Dbl, 0), number(b, Fam::Dbl, 0)) {
            (V::Dbl(a), V::Dbl(b)) if a.is_nan() || b.is_nan() => a.is_nan().cmp(&b.is_nan()),
            (V::Dbl(a), V::Dbl(b)) => a.partial_cmp(&b)?,
            other => panic!("compared {other:?}"),
        },
        _ => {
            let scale = [a, b].map(|v| if let V::Dec(_, scale) = v { *scale } else { 0 });
            let scale = scale[0].max(scale[1]);
            match (number(a, Fam::Dec, scale), number(b, Fam::Dec, scale)) {
                (V::Dec(a, _), V::Dec(b, _)) => a.cmp(&b),
                other => panic!("compared {other:?}"),
            }
        }
    })
}

pub(crate) fn ten(digits: u32) -> BigInt {
    BigInt::from(10).pow(digits)
}

fn floor(n: BigInt, by: &BigInt) -> BigInt {
    let rest = ((&n % by) + by) % by;
    (n - rest) / by
}

/// `n ÷ by` to the nearest, halves away from zero.
fn nearest(n: BigInt, by: BigInt) -> BigInt {
    let below = n.sign() != by.sign();
    let (n, by) = (BigInt::from(n.magnitude().clone()), BigInt::from(by.magnitude().clone()));
    let size: BigInt = (n * 2 + &by) / (by * 2);
    if below { -size } else { size }
}

pub(crate) fn double(n: &BigInt, scale: u32) -> f64 {
    format!("{n}e-{scale}").parse().expect("a number")
}

const DAY: i64 = 86_400_000_000;

/// The first µs of a day of the years 1 to 9999.
fn midnight(day: i64) -> Result<i64, Why> {
    if (-719_162..=2_932_896).contains(&day) { Ok(day * DAY) } else { Err(Why::Time) }
}

/// The first µs of the unit that a time lies in.
fn begins(unit: &str, us: i64) -> Result<i64, Why> {
    let day = us.div_euclid(DAY);
    let (_, month, of_month) = calendar(day);
    let back = |months: u32| {
        let mut first = day - i64::from(of_month) + 1;
        (0..months).for_each(|_| first -= i64::from(calendar(first - 1).2));
        midnight(first)
    };
    match unit {
        "second" => Ok(us.div_euclid(1_000_000) * 1_000_000),
        "minute" => Ok(us.div_euclid(60_000_000) * 60_000_000),
        "hour" => Ok(us.div_euclid(3_600_000_000) * 3_600_000_000),
        "day" => Ok(day * DAY),
        "week" => midnight((day - 4).div_euclid(7) * 7 + 4),
        "month" => back(0),
        "quarter" => back((month - 1) % 3),
        _ => back(month - 1),
    }
}

/// The year, month and day of the month of a day since 1970-01-01, counted year by year.
pub(crate) fn calendar(day: i64) -> (i64, u32, u32) {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut left) = (1970, day);
    while left < 0 {
        year -= 1;
        left += 365 + i64::from(leap(year));
    }
    while left >= 365 + i64::from(leap(year)) {
        left -= 365 + i64::from(leap(year));
        year += 1;
    }
    let february = 28 + i64::from(leap(year));
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < days {
            break;
        }
        left -= days;
        month += 1;
    }
    (year, month, left as u32 + 1)
}
