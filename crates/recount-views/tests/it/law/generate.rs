//! Random topics, entities and values, from a seed: well typed, so that the binder must take them.

use super::ast::{Action, Column, E, Entity, Fam, Kind, Lookup, Node, Rule, Source, Topic, V};
use super::expression::{Names, somewhere};
use super::naive::{calendar, ten};

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug)]
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Times that events have: few, so that they tie and come late. µs.
pub(crate) const TIMES: [i64; 9] = [
    -86_400_000_001,           // 1969-12-30T23:59:59.999999Z
    1_672_531_199_999_999,     // the last µs of 2022
    1_672_531_200_000_000,     // 2023-01-01
    1_672_574_400_000_000,     // its noon
    1_672_617_600_000_000,     // 2023-01-02
    1_677_628_800_000_000 - 1, // the end of February
    1_677_628_800_000_000,
    1_709_164_800_000_000, // 2024-02-29
    1_735_689_600_000_000, // 2025-01-01, after every append
];

const TEXTS: [&str; 8] = ["a", "B", "", "ä", "x y", "it's", "a\"b\\", "0"];
const JSONS: [&str; 4] = [r#"{"a": [1, 2.50]}"#, "[]", r#""x""#, "12.0"];

/// A time as text, without its zone.
pub(crate) fn clock(us: i64) -> String {
    let (day, rest) = (us.div_euclid(86_400_000_000), us.rem_euclid(86_400_000_000));
    let seconds = rest / 1_000_000;
    let part = if rest % 1_000_000 == 0 { String::new() } else { format!(".{:06}", rest % 1_000_000) };
    format!("{}T{:02}:{:02}:{:02}{part}", date(day), seconds / 3600, seconds / 60 % 60, seconds % 60)
}

pub(crate) fn date(day: i64) -> String {
    let (year, month, day) = calendar(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A decimal with all of its digits.
pub(crate) fn digits(n: &num_bigint::BigInt, scale: u32) -> String {
    let text = format!("{:0>width$}", n.magnitude().to_string(), width = scale as usize + 1);
    let (whole, part) = text.split_at(text.len() - scale as usize);
    let sign = if n.sign() == num_bigint::Sign::Minus { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// A value of a type, as one of the first `few` that come to mind.
pub(crate) fn value(rng: &mut Rng, kind: Kind, few: usize) -> V {
    let at = rng.below(few.max(1));
    match kind {
        Kind::Bool => V::Bool(at.is_multiple_of(2)),
        Kind::SmallInt => V::Int([1, 2, -3, 0, 7, 10, 32_767][at % 7]),
        Kind::Int => V::Int([1, 2, -3, 0, 7, 10, -2_147_483_648][at % 7]),
        Kind::BigInt => V::Int([1, 2, -3, 0, 7, 10, 100, i64::MAX, i64::MIN][at % 9]),
        Kind::Dec(precision, scale) => {
            let greatest = ten(precision) - 1;
            let n = match at {
                7.. if few > 7 && rng.percent(20) => greatest,
                0..3 => [5, -125, 100][at].into(),
                _ => (rng.below(4000) as i64 - 1500).into(),
            };
            V::Dec(n % ten(precision), scale)
        }
        Kind::Dbl => V::Dbl([0.5, -1.25, 3.0, 0.0, 0.1, 1e10, 2.0][at % 7]),
        Kind::Text => V::Text(TEXTS[at % 8].to_owned()),
        Kind::Date => V::Int(TIMES[at % 9].div_euclid(86_400_000_000)),
        Kind::Ts | Kind::Tstz => V::Int(TIMES[at % 9]),
        Kind::Json => V::Text(JSONS[at % 4].to_owned()),
    }
}

/// A value in a payload.
pub(crate) fn json(rng: &mut Rng, value: &V, kind: Kind) -> String {
    match (value, kind) {
        (V::Null, _) => "null".into(),
        (V::Bool(value), _) => value.to_string(),
        (V::Int(day), Kind::Date) => format!("\"{}\"", date(*day)),
        (V::Int(us), Kind::Ts) => format!("\"{}\"", clock(*us)),
        (V::Int(us), Kind::Tstz) if rng.percent(30) => format!("\"{}+02:00\"", clock(*us + 7_200_000_000)),
        (V::Int(us), Kind::Tstz) => format!("\"{}Z\"", clock(*us)),
        (V::Int(n), _) if n.unsigned_abs() < 1 << 40 && rng.percent(10) => format!("{n}.0"),
        (V::Int(n), _) => n.to_string(),
        (V::Dec(n, scale), _) => match rng.below(4) {
            0 => format!("\"{}\"", digits(n, *scale)),
            1 if *scale > 0 => format!("{}00", digits(n, *scale)),
            2 if *scale > 0 => format!("{n}e-{scale}"),
            _ => digits(n, *scale),
        },
        (V::Dbl(n), _) => format!("{n:?}"),
        (V::Text(text), Kind::Json) => text.clone(),
        (V::Text(text), _) => serde_json::Value::from(text.as_str()).to_string(),
    }
}

/// A constant as SQL has it where its type is known, as behind DEFAULT.
pub(crate) fn plain(value: &V, kind: Kind) -> String {
    match (value, kind) {
        (V::Null, _) => "NULL".into(),
        (V::Bool(value), _) => value.to_string(),
        (V::Int(day), Kind::Date) => format!("'{}'", date(*day)),
        (V::Int(us), Kind::Ts) => format!("'{}'", clock(*us)),
        (V::Int(us), Kind::Tstz) => format!("'{}Z'", clock(*us)),
        (V::Int(n), _) => n.to_string(),
        (V::Dec(n, scale), _) => digits(n, *scale),
        (V::Dbl(n), _) => n.to_string(),
        (V::Text(text), _) => format!("'{}'", text.replace('\'', "''")),
    }
}

pub(crate) fn kind(rng: &mut Rng) -> Kind {
    match rng.below(16) {
        0 => Kind::Bool,
        1 => Kind::SmallInt,
        2 => Kind::Int,
        3..6 => Kind::BigInt,
        6..10 => *rng.pick(&[
            Kind::Dec(18, 2),
            Kind::Dec(9, 6),
            Kind::Dec(5, 0),
            Kind::Dec(38, 11),
            Kind::Dec(30, 11),
            Kind::Dec(4, 4),
        ]),
        10 => Kind::Dbl,
        11 => Kind::Text,
        12 => Kind::Date,
        13 => Kind::Ts,
        14 => Kind::Tstz,
        _ => *rng.pick(&[Kind::Json, Kind::Text, Kind::Tstz]),
    }
}

fn written(rng: &mut Rng, name: String) -> String {
    if rng.percent(25) { name.to_ascii_uppercase() } else { name }
}

pub(crate) fn topic(rng: &mut Rng, name: &str, is_looked_up: bool) -> Topic {
    let mut columns = Vec::new();
    let width = 1 + usize::from(rng.percent(30));
    for at in 0..width {
        let kind = *rng.pick(&[
            Kind::BigInt,
            Kind::Text,
            Kind::BigInt,
            Kind::Date,
            Kind::Int,
            Kind::Bool,
            Kind::Dec(9, 2),
            Kind::Tstz,
            Kind::Ts,
        ]);
        let written = written(rng, format!("k{at}"));
        columns.push(Column { written, kind, nullable: false, of: None, default: None });
    }
    let timestamp_by = rng.percent(if is_looked_up { 85 } else { 60 }).then(|| {
        let nullable = rng.percent(10);
        columns.push(Column {
            written: "happened".into(),
            kind: Kind::Tstz,
            nullable,
            of: None,
            default: None,
        });
        columns.len() - 1
    });
    let mut events = Vec::new();
    if !is_looked_up && rng.percent(40) {
        for (at, name) in ["opened", "moved", "closed"].into_iter().enumerate().take(1 + rng.below(3)) {
            let type_name = if rng.percent(30) { format!("com.acme.{at}") } else { name.to_owned() };
            events.push((name.to_owned(), type_name));
        }
    }
    for at in 0..1 + rng.below(5) {
        let (written, kind, nullable) = (written(rng, format!("c{at}")), kind(rng), rng.percent(25));
        let of = (!events.is_empty() && rng.percent(40)).then(|| rng.below(events.len()));
        columns.push(Column { written, kind, nullable, of, default: None });
    }
    Topic { name: name.to_owned(), columns, events, key: (0..width).collect(), timestamp_by }
}

/// An entity of the first topic; any can be looked up.
pub(crate) fn entity(rng: &mut Rng, name: &str, topics: &[Topic]) -> Entity {
    let topic = &topics[0];
    let alias = rng.percent(30).then(|| "t".to_owned());
    let mut names = Names::of_event(topic, alias.as_deref().unwrap_or(&topic.name));
    let mut entity = Entity {
        name: name.to_owned(),
        topic: 0,
        alias,
        key: Vec::new(),
        by_time: rng.percent(45),
        lookups: Vec::new(),
        state: Vec::new(),
        rules: Vec::new(),
        otherwise: None,
    };
    if rng.percent(25) {
        entity.key = keys(rng, &names);
    }
    for at in 0..*rng.pick(&[0, 0, 0, 1, 1, 2, 3]) {
        let of = if rng.percent(10) { 0 } else { rng.below(topics.len()) };
        if let Some(lookup) = lookup(rng, topics, of, at, &names) {
            entity.lookups.push(lookup);
        }
    }
    for (number, lookup) in entity.lookups.iter().enumerate() {
        names.add(Source::Lookup(number), &topics[lookup.topic], &lookup.alias);
    }
    for at in 0..1 + rng.below(4) {
        let kind = kind(rng);
        let nullable = rng.percent(40) || kind == Kind::Json;
        let default = ((!nullable || rng.percent(40)) && kind != Kind::Json).then(|| {
            let value = value(rng, kind, 6);
            (value.clone(), plain(&value, kind))
        });
        // Sometimes a column of the event has the same name.
        let shared = topic.columns.iter().find(|c| c.written.eq_ignore_ascii_case(&format!("c{at}")));
        let free = entity.key.is_empty() && shared.is_some();
        let written = if free && rng.percent(30) { format!("c{at}") } else { format!("s{at}") };
        entity.state.push(Column { written, kind, nullable, of: None, default });
    }
    names.add_state(&entity.state);
    for at in 0..1 + rng.below(4) {
        let events = (!topic.events.is_empty() && rng.percent(50)).then(|| {
            let first = rng.below(topic.events.len());
            (first..topic.events.len()).take(1 + rng.below(2)).collect::<Vec<_>>()
        });
        let condition = (at == 0 || rng.percent(60)).then(|| names.expr(rng, Fam::Bool, 3));
        let is_last = events.is_none() && condition.is_none();
        let action = action(rng, &mut names, &entity.state);
        entity.rules.push(Rule { events, condition, action });
        if is_last {
            return entity;
        }
    }
    if rng.percent(70) {
        entity.otherwise = Some(action(rng, &mut names, &entity.state));
    }
    entity
}

/// KEY of another kind than the topic's.
fn keys(rng: &mut Rng, names: &Names) -> Vec<E> {
    let mut keys: Vec<E> = Vec::new();
    for _ in 0..1 + usize::from(rng.percent(30)) {
        let fam = *rng.pick(&[Fam::Int, Fam::Text, Fam::Bool, Fam::Date, Fam::Dec, Fam::Tstz]);
        let key = if rng.percent(50) { names.leaf(rng, fam) } else { names.clone().expr(rng, fam, 2) };
        let is_column = |e: &E| matches!(e.node, Node::Col(..));
        let same = |other: &E| other.sql().to_lowercase() == key.sql().to_lowercase();
        let has_null = somewhere(&key, &mut |e| matches!(e.node, Node::Lit(V::Null, _)));
        // A decimal that can have more than 38 digits has no type to be shown with, and NULL among decimals no scale.
        if !has_null
            && key.ty.whole + key.ty.scale <= 38
            && somewhere(&key, &mut |e| is_column(e))
            && !keys.iter().any(|other| same(other) || (is_column(other) && is_column(&key)))
        {
            keys.push(key);
        }
    }
    keys
}

fn lookup(rng: &mut Rng, topics: &[Topic], of: usize, at: usize, names: &Names) -> Option<Lookup> {
    let (topic, alias) = (&topics[of], format!("r{at}"));
    let mut row = Names::default();
    row.add(Source::Row, topic, &alias);
    let mut equal = Vec::new();
    for _ in 0..1 + usize::from(rng.percent(20)) {
        let key = &topic.columns[*rng.pick(&topic.key)];
        let fam = key.kind.ty().fam;
        let left = row.column(rng, &key.written)?;
        let right = match rng.below(10) {
            0..7 => names.column_of(rng, fam).unwrap_or_else(|| names.leaf(rng, fam)),
            _ => names.clone().expr(rng, fam, 2),
        };
        // A constant is a condition on the row alone.
        let names_columns = somewhere(&right, &mut |e| matches!(e.node, Node::Col(..)));
        if names_columns && left.ty.whole.max(right.ty.whole) + left.ty.scale.max(right.ty.scale) <= 38 {
            equal.push((left, right));
        }
    }
    let condition = |names: &Names, rng: &mut Rng| {
        let condition = names.clone().comparison(rng, 1);
        somewhere(&condition, &mut |e| matches!(e.node, Node::Col(..))).then_some(condition)
    };
    let mut of_row: Vec<E> = rng.percent(25).then(|| condition(&row, rng)).flatten().into_iter().collect();
    let of_event = rng.percent(15).then(|| condition(names, rng)).flatten().into_iter().collect();
    if equal.is_empty() {
        let key = &topic.columns[topic.key[0]];
        let value = value(rng, key.kind, 2);
        let text = plain(&value, key.kind);
        let left = row.column(rng, &key.written)?;
        let right = E { ty: key.kind.ty(), node: Node::Lit(value, text) };
        let ty = Kind::Bool.ty();
        of_row.push(E { ty, node: Node::Cmp("=", Box::new(left), Box::new(right)) });
    }
    let as_of = match rng.below(10) {
        0..6 => names.column_of(rng, Fam::Tstz).unwrap_or_else(|| names.leaf(rng, Fam::Tstz)),
        _ => names.clone().expr(rng, Fam::Tstz, 2),
    };
    Some(Lookup { topic: of, alias, equal, of_row, of_event, as_of })
}

fn action(rng: &mut Rng, names: &mut Names, state: &[Column]) -> Action {
    match rng.below(20) {
        0..2 => Action::Delete,
        2..4 => Action::Ignore,
        4 => Action::Error(format!("no {}", rng.below(3))),
        _ => {
            let mut columns: Vec<usize> = (0..state.len()).filter(|_| rng.percent(70)).collect();
            if columns.is_empty() {
                columns.push(rng.below(state.len()));
            }
            if rng.percent(30) {
                columns.reverse();
            }
            Action::Set(columns.into_iter().map(|at| (at, names.assigned(rng, &state[at]))).collect())
        }
    }
}
