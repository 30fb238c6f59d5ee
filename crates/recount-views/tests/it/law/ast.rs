//! What a case speaks about: values, expressions and definitions as the generator makes them, and their SQL.

use num_bigint::BigInt;

/// A value. Dates are days and times µs since 1970-01-01; a decimal is its digits and how many are after the point.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum V {
    Null,
    Bool(bool),
    Int(i64),
    Dec(BigInt, u32),
    Dbl(f64),
    Text(String),
}

/// A family of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fam {
    Bool,
    Int,
    Dec,
    Dbl,
    Text,
    Date,
    Ts,
    Tstz,
    Json,
}

/// The type of an expression: of numbers also a bound of the digits before the point, and the digits after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ty {
    pub(crate) fam: Fam,
    pub(crate) whole: u32,
    pub(crate) scale: u32,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    SmallInt,
    Int,
    BigInt,
    Dec(u32, u32),
    Dbl,
    Text,
    Date,
    Ts,
    Tstz,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    State,
    Event,
    Lookup(usize),
    /// In ON: the row that may be the one.
    Row,
}

#[derive(Debug, Clone)]
pub(crate) struct E {
    pub(crate) ty: Ty,
    pub(crate) node: Node,
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// With its text.
    Lit(V, String),
    /// With its name as written here.
    Col(Source, usize, String),
    /// `+ - * / %`
    Math(char, Box<E>, Box<E>),
    Neg(Box<E>),
    Concat(Box<E>, Box<E>),
    /// `= <> < <= > >=`
    Cmp(&'static str, Box<E>, Box<E>),
    And(Box<E>, Box<E>),
    Or(Box<E>, Box<E>),
    Not(Box<E>),
    /// IS [NOT] NULL.
    IsNull(Box<E>, bool),
    /// IS [NOT] TRUE, IS [NOT] FALSE.
    Is(Box<E>, bool, bool),
    Between(Box<E>, Box<E>, Box<E>, bool),
    In(Box<E>, Vec<E>, bool),
    Case(Option<Box<E>>, Vec<(E, E)>, Option<Box<E>>),
    Round(Box<E>, u32),
    Power(Box<E>, u32),
    Trunc(&'static str, Box<E>),
    Cast(Box<E>, Kind),
    /// abs floor ceil coalesce nullif greatest least days lower upper length
    Call(&'static str, Vec<E>),
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// As declared; the JSON field too.
    pub(crate) written: String,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    /// Of this event only.
    pub(crate) of: Option<usize>,
    /// A state's value before the first event, with its text.
    pub(crate) default: Option<(V, String)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// Names of events and the types that stand for them.
    pub(crate) events: Vec<(String, String)>,
    pub(crate) key: Vec<usize>,
    pub(crate) timestamp_by: Option<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    pub(crate) topic: usize,
    pub(crate) alias: String,
    /// Row side and event side.
    pub(crate) equal: Vec<(E, E)>,
    pub(crate) of_row: Vec<E>,
    pub(crate) of_event: Vec<E>,
    pub(crate) as_of: E,
}

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) events: Option<Vec<usize>>,
    pub(crate) condition: Option<E>,
    pub(crate) action: Action,
}

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Set(Vec<(usize, E)>),
    Delete,
    Ignore,
    Error(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Entity {
    pub(crate) name: String,
    pub(crate) topic: usize,
    pub(crate) alias: Option<String>,
    /// Empty = the topic's.
    pub(crate) key: Vec<E>,
    pub(crate) by_time: bool,
    pub(crate) lookups: Vec<Lookup>,
    pub(crate) state: Vec<Column>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) otherwise: Option<Action>,
}

impl Kind {
    pub(crate) fn ty(self) -> Ty {
        let (fam, whole, scale) = match self {
            Kind::Bool => (Fam::Bool, 1, 0),
            Kind::SmallInt | Kind::Int | Kind::BigInt => (Fam::Int, 19, 0),
            Kind::Dec(precision, scale) => (Fam::Dec, precision - scale, scale),
            Kind::Dbl => (Fam::Dbl, 1, 0),
            Kind::Text => (Fam::Text, 1, 0),
            Kind::Date => (Fam::Date, 1, 0),
            Kind::Ts => (Fam::Ts, 1, 0),
            Kind::Tstz => (Fam::Tstz, 1, 0),
            Kind::Json => (Fam::Json, 1, 0),
        };
        Ty { fam, whole, scale }
    }

    pub(crate) fn sql(self) -> String {
        match self {
            Kind::Bool => "BOOLEAN".into(),
            Kind::SmallInt => "SMALLINT".into(),
            Kind::Int => "INT".into(),
            Kind::BigInt => "BIGINT".into(),
            Kind::Dec(precision, scale) => format!("DECIMAL({precision},{scale})"),
            Kind::Dbl => "DOUBLE".into(),
            Kind::Text => "TEXT".into(),
            Kind::Date => "DATE".into(),
            Kind::Ts => "TIMESTAMP".into(),
            Kind::Tstz => "TIMESTAMPTZ".into(),
            Kind::Json => "JSON".into(),
        }
    }
}

impl E {
    pub(crate) fn sql(&self) -> String {
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        let list = |es: &[E]| es.iter().map(E::sql).collect::<Vec<_>>().join(", ");
        match &self.node {
            Node::Lit(_, text) | Node::Col(_, _, text) => text.clone(),
            Node::Math(sign, a, b) => format!("({} {sign} {})", a.sql(), b.sql()),
            Node::Neg(a) => format!("(- {})", a.sql()),
            Node::Concat(a, b) => format!("({} || {})", a.sql(), b.sql()),
            Node::Cmp(sign, a, b) => format!("({} {sign} {})", a.sql(), b.sql()),
            Node::And(a, b) => format!("({} AND {})", a.sql(), b.sql()),
            Node::Or(a, b) => format!("({} OR {})", a.sql(), b.sql()),
            Node::Not(a) => format!("(NOT {})", a.sql()),
            Node::IsNull(a, negated) => format!("({} IS {}NULL)", a.sql(), not(negated)),
            Node::Is(a, wanted, negated) => {
                format!("({} IS {}{})", a.sql(), not(negated), if *wanted { "TRUE" } else { "FALSE" })
            }
            Node::Between(a, low, high, negated) => {
                format!("({} {}BETWEEN {} AND {})", a.sql(), not(negated), low.sql(), high.sql())
            }
            Node::In(a, items, negated) => format!("({} {}IN ({}))", a.sql(), not(negated), list(items)),
            Node::Case(operand, branches, otherwise) => {
                let mut text = "CASE".to_owned();
                operand.iter().for_each(|operand| text += &format!(" {}", operand.sql()));
                for (when, then) in branches {
                    text += &format!(" WHEN {} THEN {}", when.sql(), then.sql());
                }
                otherwise.iter().for_each(|otherwise| text += &format!(" ELSE {}", otherwise.sql()));
                text + " END"
            }
            Node::Round(a, 0) => format!("round({})", a.sql()),
            Node::Round(a, digits) => format!("round({}, {digits})", a.sql()),
            Node::Power(a, exponent) => format!("power({}, {exponent})", a.sql()),
            Node::Trunc(unit, a) => format!("date_trunc('{unit}', {})", a.sql()),
            Node::Cast(a, kind) => format!("CAST({} AS {})", a.sql(), kind.sql()),
            Node::Call(name, arguments) => format!("{name}({})", list(arguments)),
        }
    }
}

fn column(column: &Column) -> String {
    let mut text = format!("{} {}", column.written, column.kind.sql());
    text += if column.nullable { "" } else { " NOT NULL" };
    column.default.iter().for_each(|(_, default)| text += &format!(" DEFAULT {default}"));
    text
}

fn columns<'a>(all: impl Iterator<Item = &'a Column>) -> String {
    all.map(column).collect::<Vec<_>>().join(", ")
}

impl Topic {
    pub(crate) fn sql(&self) -> String {
        let common = columns(self.columns.iter().filter(|column| column.of.is_none()));
        let mut text = format!("CREATE TOPIC {} ({common})", self.name);
        for (number, (name, type_name)) in self.events.iter().enumerate() {
            text += &format!(" EVENT {name}");
            if name != type_name {
                text += &format!(" AS '{type_name}'");
            }
            let own = columns(self.columns.iter().filter(|column| column.of == Some(number)));
            text += &if own.is_empty() { own } else { format!(" ({own})") };
        }
        let key: Vec<_> = self.key.iter().map(|&at| self.columns[at].written.as_str()).collect();
        text += &if key.is_empty() { String::new() } else { format!(" KEY ({})", key.join(", ")) };
        if let Some(at) = self.timestamp_by {
            text += &format!(" TIMESTAMP BY {}", self.columns[at].written);
        }
        text
    }
}

impl Entity {
    pub(crate) fn sql(&self, topics: &[Topic], replace: bool) -> String {
        let topic = &topics[self.topic];
        let mut text = format!(
            "CREATE {}ENTITY {} FROM {}",
            if replace { "OR REPLACE " } else { "" },
            self.name,
            topic.name
        );
        self.alias.iter().for_each(|alias| text += &format!(" AS {alias}"));
        if !self.key.is_empty() {
            text += &format!(" KEY ({})", self.key.iter().map(E::sql).collect::<Vec<_>>().join(", "));
        }
        text += if self.by_time { " ORDER BY EVENT TIME" } else { "" };
        for lookup in &self.lookups {
            let mut on: Vec<String> =
                lookup.equal.iter().map(|(row, event)| format!("{} = {}", row.sql(), event.sql())).collect();
            on.extend(lookup.of_row.iter().chain(&lookup.of_event).map(E::sql));
            let (name, as_of) = (&topics[lookup.topic].name, lookup.as_of.sql());
            text += &format!("\n  LOOKUP {name} AS {} ON {} AS OF {as_of}", lookup.alias, on.join(" AND "));
        }
        text += &format!("\n  STATE ({})", columns(self.state.iter()));
        for rule in &self.rules {
            let events = rule.events.as_ref().map(|events| {
                events.iter().map(|&event| topic.events[event].0.clone()).collect::<Vec<_>>().join(", ")
            });
            text += &match (events, &rule.condition) {
                (None, Some(condition)) => format!("\n  WHEN ({})", condition.sql()),
                (Some(events), Some(condition)) => format!("\n  WHEN {events} AND ({})", condition.sql()),
                (Some(events), None) => format!("\n  WHEN {events}"),
                (None, None) => "\n  WHEN ANY".to_owned(),
            };
            text += &format!(" THEN {}", self.action(&rule.action));
        }
        self.otherwise.iter().for_each(|action| text += &format!("\n  ELSE {}", self.action(action)));
        text
    }

    fn action(&self, action: &Action) -> String {
        match action {
            Action::Delete => "DELETE".into(),
            Action::Ignore => "IGNORE".into(),
            Action::Error(text) => format!("ERROR '{text}'"),
            Action::Set(columns) => {
                let set = columns.iter().map(|(at, e)| format!("{} = {}", self.state[*at].written, e.sql()));
                format!("SET {}", set.collect::<Vec<_>>().join(", "))
            }
        }
    }
}
