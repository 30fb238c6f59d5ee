//! Queries of a case.

use super::chance::Chance;
use super::coverage::Node;
use super::reference::name;
use super::table::{COLUMNS, Kind};

/// What a column of a relation is: as of a table, or a sum of exact numbers, which is wider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Table(Kind),
    Wide,
}

/// A relation as it is written, with the operators that it is made of.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// With marks, see [`MARKS`].
    sql: String,
    columns: Vec<(String, Of)>,
    pub(super) node: Node,
}

/// Around a condition that cannot be computed for some rows, between it and when that is so, and behind it.
const MARKS: [char; 3] = ['\u{1}', '\u{2}', '\u{3}'];
/// Around what is written here and what DuckDB has for it, and between them.
const EITHER: [char; 3] = ['\u{4}', '\u{5}', '\u{6}'];

/// What is written in two ways.
fn either(ours: &str, duckdb: &str) -> String {
    let [before, between, behind] = EITHER;
    format!("{before}{ours}{between}{duckdb}{behind}")
}

impl Relation {
    /// The query.
    pub(super) fn written(&self) -> String {
        expanded(&self.ours(), MARKS, &|condition, _| format!("({condition})"))
    }

    /// What it is to mean: a row for which a condition cannot be computed is not there.
    pub(super) fn meant(&self) -> String {
        expanded(&self.ours(), MARKS, &without_failing)
    }

    /// The same for DuckDB.
    pub(super) fn judged(&self) -> String {
        let theirs = expanded(&self.sql, EITHER, &|_, theirs| theirs.to_owned());
        expanded(&theirs, MARKS, &without_failing)
    }

    /// Whether a condition of it cannot be computed for some rows.
    pub(super) fn may_fail(&self) -> bool {
        self.sql.contains(MARKS)
    }

    fn ours(&self) -> String {
        expanded(&self.sql, EITHER, &|ours, _| ours.to_owned())
    }

    /// How many columns it has.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }
}

fn without_failing(condition: &str, fails: &str) -> String {
    format!("CASE WHEN {fails} THEN false ELSE ({condition}) END")
}

/// A text with what is between marks made by `of`.
fn expanded(text: &str, marks: [char; 3], of: &dyn Fn(&str, &str) -> String) -> String {
    let mut parts = text.split(marks[0]);
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (marked, rest) = part.split_once(marks[2]).unwrap();
        let (one, other) = marked.split_once(marks[1]).unwrap();
        text.push_str(&of(one, other));
        text.push_str(rest);
    }
    text
}

/// Makes queries.
pub(super) struct Maker<'a> {
    pub(super) chance: &'a mut Chance,
    pub(super) tables: usize,
    /// Relations so far; each has a name of its own.
    pub(super) made: usize,
}

impl Maker<'_> {
    /// A query of up to so many operators above one another.
    pub(super) fn query(&mut self, depth: u32) -> Relation {
        let Some(below) = depth.checked_sub(1) else { return self.table() };
        match self.chance.below(18) {
            0 | 1 => self.select(below),
            2 => self.distinct(below),
            3 | 4 => self.union(below),
            5 | 6 => self.group(below),
            7..=9 => self.join(below),
            10 => self.top(below),
            11 | 12 => self.window(below),
            13 => self.unnest(below),
            14 => self.windows_of_time(below),
            15 => self.first_rows(below),
            _ => self.exists(below),
        }
    }

    fn table(&mut self) -> Relation {
        if self.chance.one_in(20) {
            return self.values();
        }
        let number = self.chance.below(self.tables as u64) as usize;
        let columns = COLUMNS.map(|(name, kind)| (name.to_owned(), Of::Table(kind))).to_vec();
        Relation { sql: format!("SELECT * FROM {}", name(number)), columns, node: Node::new("scan", vec![]) }
    }

    /// Rows that are always there.
    fn values(&mut self) -> Relation {
        let alias = self.alias();
        let mut row = |_| {
            format!(
                "({}, {})",
                self.chance.one_of(&["0", "1", "2", "NULL"]),
                self.chance.one_of(&["'a'", "'b'", "NULL"])
            )
        };
        let rows: Vec<String> = (0..3).map(&mut row).collect();
        let columns = [("c0", Kind::Integer), ("c1", Kind::Text)];
        let columns = columns.map(|(name, kind)| (name.to_owned(), Of::Table(kind))).to_vec();
        // The first says of which types they are.
        let sql = format!("SELECT * FROM (VALUES (1, 'a'), {}) AS {alias}(c0, c1)", rows.join(", "));
        Relation { sql, columns, node: Node::new("values", vec![]) }
    }

    /// Its name in FROM.
    fn alias(&mut self) -> String {
        self.made += 1;
        format!("r{}", self.made)
    }

    /// Columns of a relation by a name.
    fn columns(relation: &Relation, alias: &str) -> Vec<(String, Of)> {
        relation.columns.iter().map(|(name, of)| (format!("{alias}.{name}"), *of)).collect()
    }

    /// Some of the columns and some expressions over them.
    fn chosen(&mut self, from: &[(String, Of)]) -> (String, Vec<(String, Of)>) {
        let count = 1 + self.chance.below(4) as usize;
        let mut columns = Vec::new();
        let mut written = Vec::new();
        for number in 0..count {
            let (expr, of) = if self.chance.one_in(3) {
                let kind = self.chance.one_of(&[Kind::Integer, Kind::Decimal, Kind::Text, Kind::Boolean]);
                (self.value(kind, from, 2), Of::Table(kind))
            } else {
                self.chance.one_of(from)
            };
            written.push(format!("{expr} AS c{number}"));
            columns.push((format!("c{number}"), of));
        }
        (written.join(", "), columns)
    }

    fn select(&mut self, below: u32) -> Relation {
        let (from, alias) = (self.query(below), self.alias());
        let of = Self::columns(&from, &alias);
        let (list, columns) = self.chosen(&of);
        let mut sql = format!("SELECT {list} FROM ({}) AS {alias}", from.sql);
        let mut node = from.node;
        if !self.chance.one_in(3) {
            let condition = self.condition(&of, 2);
            let condition = if self.chance.one_in(5) { self.failing(&of, &condition) } else { condition };
            sql.push_str(&format!(" WHERE {condition}"));
            node = Node::new("filter", vec![node]);
        }
        Relation { sql, columns, node: Node::new("project", vec![node]) }
    }

    fn distinct(&mut self, below: u32) -> Relation {
        let (from, alias) = (self.query(below), self.alias());
        let (list, columns) = self.chosen(&Self::columns(&from, &alias));
        let sql = format!("SELECT DISTINCT {list} FROM ({}) AS {alias}", from.sql);
        Relation { sql, columns, node: Node::new("distinct", vec![from.node]) }
    }

    fn union(&mut self, below: u32) -> Relation {
        let kinds: Vec<Kind> = (0..1 + self.chance.below(3))
            .map(|_| {
                self.chance.one_of(&[Kind::Integer, Kind::Decimal, Kind::Text, Kind::Time, Kind::Double])
            })
            .collect();
        let mut part = || {
            let (from, alias) = (self.query(below), self.alias());
            let of = Self::columns(&from, &alias);
            let list: Vec<String> = kinds
                .iter()
                .enumerate()
                .map(|(number, kind)| format!("{} AS c{number}", self.value(*kind, &of, 0)))
                .collect();
            (format!("SELECT {} FROM ({}) AS {alias}", list.join(", "), from.sql), from.node)
        };
        let ((left, left_node), (right, right_node)) = (part(), part());
        let columns = kinds.iter().enumerate().map(|(number, kind)| (format!("c{number}"), Of::Table(*kind)));
        let columns = columns.collect();
        let nodes = vec![left_node, right_node];
        if self.chance.one_in(2) {
            let node = Node::new("distinct", vec![Node::new("union", nodes)]);
            return Relation { sql: format!("({left}) UNION ({right})"), columns, node };
        }
        Relation { sql: format!("({left}) UNION ALL ({right})"), columns, node: Node::new("union", nodes) }
    }

    fn group(&mut self, below: u32) -> Relation {
        let (from, alias) = (self.query(below), self.alias());
        let of = Self::columns(&from, &alias);
        let width = self.chance.below(3) as usize;
        let (mut written, mut columns, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..width {
            let (expr, kind) = self.chance.one_of(&of);
            written.push(format!("{expr} AS c{number}"));
            columns.push((format!("c{number}"), kind));
            keys.push(expr);
        }
        let mut having = None;
        for number in width..width + 1 + self.chance.below(3) as usize {
            let (expr, kind) = self.function(&of);
            if self.chance.one_in(6) {
                having = Some(expr.clone());
            }
            written.push(format!("{expr} AS c{number}"));
            columns.push((format!("c{number}"), kind));
        }
        let mut sql = format!("SELECT {} FROM ({}) AS {alias}", written.join(", "), from.sql);
        let mut node = Node::new("aggregate", vec![from.node]);
        if !keys.is_empty() {
            sql.push_str(&format!(" GROUP BY {}", keys.join(", ")));
        }
        if let Some(expr) = having {
            sql.push_str(&format!(" HAVING {expr} IS NOT NULL AND count(*) <> 2"));
            node = Node::new("filter", vec![node]);
        }
        Relation { sql, columns, node }
    }

    /// An aggregate function.
    fn function(&mut self, of: &[(String, Of)]) -> (String, Of) {
        let distinct = if self.chance.one_in(4) { "DISTINCT " } else { "" };
        let filter = match self.chance.below(5) {
            0 => format!(" FILTER (WHERE {})", self.condition(of, 1)),
            _ => String::new(),
        };
        let (any, kind) = self.chance.one_of(of);
        if self.chance.one_in(5) {
            // All columns, so that rows in one place are alike.
            let order = self.order(of);
            let text = self.value(Kind::Text, of, 0);
            return match self.chance.below(4) {
                0 => {
                    let function = either("first_value", "first");
                    (format!("{function}({any} ORDER BY {order}){filter}"), kind)
                }
                1 => {
                    let function = either("last_value", "last");
                    (format!("{function}({any} ORDER BY {order}){filter}"), kind)
                }
                2 => {
                    let head = either("array_to_string(", "array_to_string(list_transform(");
                    let tail = either(", '-', '?')", ", lambda item: coalesce(item, '?')), '-')");
                    let array = format!("array_agg({text} ORDER BY {order}){filter}");
                    (format!("{head}{array}{tail}"), Of::Table(Kind::Text))
                }
                _ => {
                    let joined = format!("string_agg({text}, '+' ORDER BY {order}){filter}");
                    (format!("CAST({joined} AS TEXT)"), Of::Table(Kind::Text))
                }
            };
        }
        let (call, of) = match self.chance.below(9) {
            0 => ("count(*)".to_owned(), Of::Table(Kind::Integer)),
            1 => (format!("count({distinct}{any})"), Of::Table(Kind::Integer)),
            2 => (format!("sum({distinct}{})", self.value(Kind::Integer, of, 1)), Of::Wide),
            3 => (format!("sum({distinct}{})", self.value(Kind::Decimal, of, 1)), Of::Wide),
            4 => (format!("sum({distinct}{})", self.value(Kind::Double, of, 0)), Of::Table(Kind::Double)),
            5 => {
                let function = self.chance.one_of(&["bool_and", "bool_or"]);
                (format!("{function}({})", self.value(Kind::Boolean, of, 1)), Of::Table(Kind::Boolean))
            }
            6 => (format!("avg({})", self.value(Kind::Decimal, of, 1)), Of::Wide),
            7 => {
                let function = self.chance.one_of(&["stddev", "stddev_pop", "var_samp", "var_pop"]);
                let kind = self.chance.one_of(&[Kind::Integer, Kind::Decimal]);
                (format!("{function}({distinct}{})", self.value(kind, of, 1)), Of::Wide)
            }
            _ => (format!("{}({any})", self.chance.one_of(&["min", "max"])), kind),
        };
        // The filter of an average would be of both of its parts.
        if call.starts_with("avg") { (call, of) } else { (format!("{call}{filter}"), of) }
    }

    fn join(&mut self, below: u32) -> Relation {
        let (left, left_alias) = (self.query(below), self.alias());
        let (right, right_alias) = (self.query(below), self.alias());
        let of_left = Self::columns(&left, &left_alias);
        let of_right = Self::columns(&right, &right_alias);
        let kind = self.chance.one_of(&["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let both = [of_left.clone(), of_right.clone()].concat();
        let condition = self.on(&of_left, &of_right, &both);
        let mut from =
            format!("({}) AS {left_alias} {kind} ({}) AS {right_alias} ON {condition}", left.sql, right.sql);
        let name = match kind {
            "JOIN" => "inner join",
            "LEFT JOIN" => "left join",
            "RIGHT JOIN" => "right join",
            _ => "full join",
        };
        let (mut all, mut node) = (both, Node::new(name, vec![left.node, right.node]));
        if self.chance.one_in(5) {
            // Beside that join, on both of its sides.
            let (third, alias) = (self.table(), self.alias());
            let of_third = Self::columns(&third, &alias);
            let both = [all.clone(), of_third.clone()].concat();
            let condition = self.on(&all, &of_third, &both);
            from.push_str(&format!(" JOIN ({}) AS {alias} ON {condition}", third.sql));
            (all, node) = (both, Node::new("inner join", vec![node, third.node]));
        }
        let (list, columns) = self.chosen(&all);
        Relation { sql: format!("SELECT {list} FROM {from}"), columns, node }
    }

    /// An equality of two sides, and now and then more.
    fn on(&mut self, left: &[(String, Of)], right: &[(String, Of)], both: &[(String, Of)]) -> String {
        let kind = self.chance.one_of(&[Kind::Integer, Kind::Integer, Kind::Text]);
        let depth = self.chance.below(2) as u32;
        let mut on = String::new();
        for _ in 0..self.chance.one_of(&[1, 1, 1, 2]) {
            let equal = self.chance.one_of(&["=", "=", "=", "IS NOT DISTINCT FROM"]);
            let (one, other) = (self.value(kind, left, depth), self.value(kind, right, 0));
            on.push_str(&format!("{}{one} {equal} {other}", if on.is_empty() { "" } else { " AND " }));
        }
        if self.chance.one_in(3) {
            on.push_str(&format!(" AND {}", self.condition(both, 1)));
        }
        on
    }

    fn exists(&mut self, below: u32) -> Relation {
        let (from, alias) = (self.query(below), self.alias());
        let (other, other_alias) = (self.query(below), self.alias());
        let of = Self::columns(&from, &alias);
        let of_other = Self::columns(&other, &other_alias);
        let (list, columns) = self.chosen(&of);
        let both = [of.clone(), of_other.clone()].concat();
        let (name, condition) = match self.chance.below(5) {
            number @ (0 | 3) => {
                let member = self.value(Kind::Integer, &of, 0);
                let of_set = self.value(Kind::Integer, &of_other, 0);
                let set = format!("SELECT {of_set} FROM ({}) AS {other_alias}", other.sql);
                match number {
                    0 => ("semi join", format!("{member} IN ({set})")),
                    _ => ("not in", format!("{member} NOT IN ({set})")),
                }
            }
            4 => {
                let on = self.on(&of, &of_other, &both);
                let set = format!("SELECT 1 FROM ({}) AS {other_alias} WHERE {on}", other.sql);
                ("mark join", format!("({} OR EXISTS ({set}))", self.condition(&of, 1)))
            }
            number => {
                let on = self.on(&of, &of_other, &both);
                let set = format!("SELECT 1 FROM ({}) AS {other_alias} WHERE {on}", other.sql);
                if number == 1 {
                    ("semi join", format!("EXISTS ({set})"))
                } else {
                    ("anti join", format!("NOT EXISTS ({set})"))
                }
            }
        };
        let sql = format!("SELECT {list} FROM ({}) AS {alias} WHERE {condition}", from.sql);
        Relation { sql, columns, node: Node::new(name, vec![from.node, other.node]) }
    }

    /// Columns in some order, all of them: so that equal places are equal rows.
    fn order(&mut self, of: &[(String, Of)]) -> String {
        let first = self.chance.below(of.len() as u64) as usize;
        let column = |at: usize| {
            let direction = self.chance.one_of(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
            format!("{}{direction}", of[(first + at) % of.len()].0)
        };
        (0..of.len()).map(column).collect::<Vec<_>>().join(", ")
    }

    fn top(&mut self, below: u32) -> Relation {
        let (from, alias) = (self.query(below), self.alias());
        let of = Self::columns(&from, &alias);
        let list: Vec<String> =
            of.iter().enumerate().map(|(at, (name, _))| format!("{name} AS c{at}")).collect();
        let columns = of.iter().enumerate().map(|(at, (_, of))| (format!("c{at}"), *of)).collect();
        let order = self.order(&of);
        let mut sql = format!("(SELECT {} FROM ({}) AS {alias} ORDER BY {order}", list.join(", "), from.sql);
        sql.push_str(&format!(" LIMIT {}", 1 + self.chance.below(4)));
        if self.chance.one_in(3) {
            sql.push_str(&format!(" OFFSET {}", self.chance.below(3)));
        }
        sql.push(')');
        Relation { sql, columns, node: Node::new("top", vec![from.node]) }
    }

    fn window(&mut self, below: u32) -> Relation {
        let (from, alias) = (self.query(below), self.alias());
        let of = Self::columns(&from, &alias);
        let (mut list, mut columns) = self.chosen(&of);
        let partition = match self.chance.below(3) {
            0 => String::new(),
            _ => format!("PARTITION BY {} ", self.chance.one_of(&of).0),
        };
        // Functions of peers need no order of all columns.
        let (one, _) = self.chance.one_of(&of);
        let (all, peers) = (format!("ORDER BY {}", self.order(&of)), format!("ORDER BY {one}"));
        let integer = self.value(Kind::Integer, &of, 1);
        let decimal = self.value(Kind::Decimal, &of, 1);
        let (any, kind) = self.chance.one_of(&of);
        let number = Of::Table(Kind::Integer);
        let (call, order, kind) = match self.chance.below(9) {
            0 => ("CAST(row_number() OVER (".to_owned(), format!("{all}) AS BIGINT)"), number),
            1 => ("CAST(rank() OVER (".to_owned(), format!("{peers}) AS BIGINT)"), number),
            2 => ("CAST(dense_rank() OVER (".to_owned(), format!("{peers}) AS BIGINT)"), number),
            3 => {
                let function = self.chance.one_of(&["lag", "lead"]);
                let more = self.chance.one_of(&["", ", 2"]);
                (format!("{function}({any}{more}) OVER ("), format!("{all})"), kind)
            }
            4 => {
                let rest = self.chance.one_of(&[", 1, 7", ", 3, 0"]);
                (format!("lag({integer}{rest}) OVER ("), format!("{all})"), number)
            }
            5 => {
                let function = self.chance.one_of(&["first_value", "last_value"]);
                (format!("{function}({any}) OVER ("), format!("{all})"), kind)
            }
            6 => (format!("sum({decimal}) OVER ("), format!("{all} ROWS UNBOUNDED PRECEDING)"), Of::Wide),
            7 => {
                let call = self.chance.one_of(&["count", "min", "max"]);
                let of = if call == "count" { number } else { kind };
                (format!("{call}({any}) OVER ("), format!("{peers})"), of)
            }
            _ => (format!("sum({integer}) OVER ("), ")".to_owned(), Of::Wide),
        };
        let at = columns.len();
        list.push_str(&format!(", {call}{partition}{order} AS c{at}"));
        columns.push((format!("c{at}"), kind));
        let sql = format!("SELECT {list} FROM ({}) AS {alias}", from.sql);
        Relation { sql, columns, node: Node::new("window", vec![from.node]) }
    }

    /// Of each partition the first rows of an order, as everybody writes it.
    fn first_rows(&mut self, below: u32) -> Relation {
        let (from, alias, numbered) = (self.query(below), self.alias(), self.alias());
        let of = Self::columns(&from, &alias);
        let partition = match self.chance.below(3) {
            0 => String::new(),
            _ => format!("PARTITION BY {} ", self.chance.one_of(&of).0),
        };
        let inner = format!(
            "SELECT {alias}.*, row_number() OVER ({partition}ORDER BY {}) AS place FROM ({}) AS {alias}",
            self.order(&of),
            from.sql
        );
        let of = Self::columns(&from, &numbered);
        let (mut list, mut columns) = self.chosen(&of);
        if self.chance.one_in(2) {
            list.push_str(&format!(", CAST({numbered}.place AS BIGINT) AS c{}", columns.len()));
            columns.push((format!("c{}", columns.len()), Of::Table(Kind::Integer)));
        }
        let mut condition =
            format!("{numbered}.place {}", self.chance.one_of(&["<= 1", "<= 2", "< 4", "= 1", "= 2"]));
        if self.chance.one_in(4) {
            let more = self.condition(&of, 1);
            condition = match self.chance.below(3) {
                0 => format!("{condition} OR {more}"),
                1 => format!("{condition} AND {}", self.failing(&of, &more)),
                _ => format!("{more} AND {condition}"),
            };
        }
        let sql = format!("SELECT {list} FROM ({inner}) AS {numbered} WHERE {condition}");
        Relation { sql, columns, node: Node::new("first rows", vec![from.node]) }
    }

    /// Each row once for each of some values.
    fn unnest(&mut self, below: u32) -> Relation {
        let (from, alias) = (self.query(below), self.alias());
        let of = Self::columns(&from, &alias);
        let kind = self.chance.one_of(&[Kind::Integer, Kind::Text]);
        let items: Vec<String> = (0..1 + self.chance.below(3)).map(|_| self.value(kind, &of, 1)).collect();
        let (array, unnested) = (either("make_array", "list_value"), self.alias());
        let inner = format!(
            "SELECT {alias}.*, unnest({array}({})) AS item FROM ({}) AS {alias}",
            items.join(", "),
            from.sql
        );
        let mut of = Self::columns(&from, &unnested);
        of.push((format!("{unnested}.item"), Of::Table(kind)));
        let (list, columns) = self.chosen(&of);
        let sql = format!("SELECT {list} FROM ({inner}) AS {unnested}");
        Relation { sql, columns, node: Node::new("unnest", vec![from.node]) }
    }

    /// Each row once for each window of time that it is in.
    fn windows_of_time(&mut self, below: u32) -> Relation {
        let (from, alias) = (self.query(below), self.alias());
        let time = from.columns.iter().position(|(_, of)| *of == Of::Table(Kind::Time));
        let time = match time {
            Some(at) => from.columns[at].0.clone(),
            None => self.literal(Kind::Time),
        };
        // Days, in hours, apart and long.
        let (slide, size) = self.chance.one_of(&[(24, 24), (24, 36), (36, 60), (48, 24), (24, 72)]);
        let ours = match slide == size {
            true => format!("tumble({alias}, {time}, INTERVAL '{size} hours')"),
            false => format!("hop({alias}, {time}, INTERVAL '{slide} hours', INTERVAL '{size} hours')"),
        };
        // A window that begins at a multiple of the slide, for every one that may have the time in it.
        let theirs = format!(
            "(SELECT {alias}.*, to_timestamp(s.number * {slide} * 3600) AS window_start, \
             to_timestamp((s.number * {slide} + {size}) * 3600) AS window_end \
             FROM {alias}, range(9836, 20000) AS s(number) \
             WHERE epoch({time}) >= s.number * {slide} * 3600 AND epoch({time}) < (s.number * {slide} + {size}) * 3600)"
        );
        let mut of = Self::columns(&from, &alias);
        let bounds =
            ["window_start", "window_end"].map(|name| (format!("{alias}.{name}"), Of::Table(Kind::Time)));
        of.extend(bounds);
        let (list, columns) = self.chosen(&of);
        let sql = format!(
            "(WITH {alias} AS ({}) SELECT {list} FROM {} AS {alias})",
            from.sql,
            either(&ours, &theirs)
        );
        Relation { sql, columns, node: Node::new("windows", vec![from.node]) }
    }

    /// An expression of a kind, which can be computed for every row.
    fn value(&mut self, kind: Kind, of: &[(String, Of)], depth: u32) -> String {
        let fitting: Vec<&String> =
            of.iter().filter(|(_, known)| *known == Of::Table(kind)).map(|(name, _)| name).collect();
        let Some(below) = depth.checked_sub(1).filter(|_| !self.chance.one_in(3)) else {
            return match fitting.as_slice() {
                [] => self.literal(kind),
                _ if self.chance.one_in(12) => self.literal(kind),
                some => self.chance.one_of(some).clone(),
            };
        };
        match self.chance.below(4) {
            0 => {
                let (condition, one, other) =
                    (self.condition(of, below), self.value(kind, of, below), self.value(kind, of, below));
                format!("CASE WHEN {condition} THEN {one} ELSE {other} END")
            }
            1 => format!("coalesce({}, {})", self.value(kind, of, below), self.literal(kind)),
            _ => {
                let (left, right) = (self.value(kind, of, below), self.value(kind, of, below));
                match kind {
                    Kind::Integer => format!("(({left} + {right}) % 7)"),
                    // Of the type that the columns have.
                    Kind::Decimal => format!("CAST(({left} - {right}) % 1000 AS DECIMAL(18, 2))"),
                    Kind::Text => format!("CASE WHEN {left} < {right} THEN {left} ELSE {right} END"),
                    Kind::Boolean => format!("({left} AND {right})"),
                    Kind::Double | Kind::Time => left,
                }
            }
        }
    }

    fn literal(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Integer => self.chance.one_of(&["0", "1", "2"]).to_owned(),
            Kind::Decimal => {
                format!("CAST({} AS DECIMAL(18, 2))", self.chance.one_of(&["0.50", "1.00", "-0.50"]))
            }
            Kind::Text => self.chance.one_of(&["'a'", "'b'", "''"]).to_owned(),
            Kind::Boolean => self.chance.one_of(&["true", "false"]).to_owned(),
            Kind::Double => format!("CAST({} AS DOUBLE)", self.chance.one_of(&["0.25", "1.5"])),
            Kind::Time => "CAST('2023-11-15T22:13:20Z' AS TIMESTAMPTZ)".to_owned(),
        }
    }

    /// A condition with another one beside it that cannot be computed for every row.
    fn failing(&mut self, of: &[(String, Of)], other: &str) -> String {
        let kind = self.chance.one_of(&[Kind::Integer, Kind::Integer, Kind::Text]);
        let fitting: Vec<&String> =
            of.iter().filter(|(_, known)| *known == Of::Table(kind)).map(|(name, _)| name).collect();
        let Some(&column) = fitting.get(self.chance.below(7) as usize % fitting.len().max(1)) else {
            return other.to_owned();
        };
        let (condition, fails) = match kind {
            Kind::Text => (format!("CAST({column} AS BIGINT) = 1"), format!("{column} IS NOT NULL")),
            _ if self.chance.one_in(2) => (format!("7 % {column} = 1"), format!("{column} = 0")),
            _ => (format!("10 / {column} > 6"), format!("{column} = 0")),
        };
        let [before, between, behind] = MARKS;
        // Not the other way round: of `this OR true` the optimizer leaves nothing that could fail.
        match self.chance.below(3) {
            0 => format!("({other}) AND {before}{condition}{between}{fails}{behind}"),
            1 => format!("({other}) OR {before}{condition}{between}{fails}{behind}"),
            _ => format!("{before}{condition}{between}{fails}{behind}"),
        }
    }

    /// A condition.
    fn condition(&mut self, of: &[(String, Of)], depth: u32) -> String {
        if let Some(below) = depth.checked_sub(1).filter(|_| self.chance.one_in(3)) {
            let (left, right) = (self.condition(of, below), self.condition(of, below));
            return match self.chance.below(3) {
                0 => format!("({left} AND {right})"),
                1 => format!("({left} OR {right})"),
                _ => format!("NOT ({left})"),
            };
        }
        match self.chance.below(4) {
            0 => format!("{} IS {}NULL", self.chance.one_of(of).0, self.chance.one_of(&["", "NOT "])),
            1 => self.value(Kind::Boolean, of, 0),
            _ => {
                let kind =
                    self.chance.one_of(&[Kind::Integer, Kind::Decimal, Kind::Text, Kind::Time, Kind::Double]);
                let comparison = self.chance.one_of(&["=", "<>", "<", ">=", "IS DISTINCT FROM"]);
                format!("{} {comparison} {}", self.value(kind, of, 0), self.value(kind, of, 0))
            }
        }
    }
}
