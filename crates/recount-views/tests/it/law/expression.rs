//! Random expressions of a type, over the names that can be used where they stand.

use super::ast::{Column, E, Fam, Kind, Node, Source, Topic, Ty, V};
use super::generate::{Rng, clock, date, plain, value};

/// The names that can be used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    known: Vec<Name>,
    /// A text of the state is taken once, else texts double with every event.
    state_text: bool,
}

#[derive(Debug, Clone)]
struct Name {
    source: Source,
    at: usize,
    ty: Ty,
    written: String,
    qualifiers: Vec<String>,
    /// Whether it can stand without a qualifier.
    alone: bool,
}

/// Digits that intermediate results keep below, so that 256 bits hold each of them.
const DIGITS_MAX: u32 = 70;

fn e(ty: Ty, node: Node) -> E {
    E { ty, node }
}

fn boxed(e: E) -> Box<E> {
    Box::new(e)
}

fn boolean(node: Node) -> E {
    e(Kind::Bool.ty(), node)
}

/// Whether somewhere in an expression something holds.
pub(crate) fn somewhere(e: &E, holds: &mut dyn FnMut(&E) -> bool) -> bool {
    if holds(e) {
        return true;
    }
    match &e.node {
        Node::Lit(..) | Node::Col(..) => false,
        Node::Math(_, a, b) | Node::Concat(a, b) | Node::Cmp(_, a, b) | Node::And(a, b) | Node::Or(a, b) => {
            somewhere(a, holds) || somewhere(b, holds)
        }
        Node::Neg(a)
        | Node::Not(a)
        | Node::IsNull(a, _)
        | Node::Is(a, ..)
        | Node::Round(a, _)
        | Node::Power(a, _)
        | Node::Trunc(_, a)
        | Node::Cast(a, _) => somewhere(a, holds),
        Node::Between(a, b, c, _) => somewhere(a, holds) || somewhere(b, holds) || somewhere(c, holds),
        Node::In(a, items, _) => somewhere(a, holds) || items.iter().any(|item| somewhere(item, holds)),
        Node::Case(a, branches, b) => {
            a.iter().chain(b).any(|e| somewhere(e, holds))
                || branches.iter().any(|(a, b)| somewhere(a, holds) || somewhere(b, holds))
        }
        Node::Call(_, all) => all.iter().any(|e| somewhere(e, holds)),
    }
}

impl Names {
    pub(crate) fn of_event(topic: &Topic, name: &str) -> Names {
        let mut names = Names::default();
        names.add(Source::Event, topic, name);
        let width = topic.columns.len();
        let pseudo = [
            ("_position", Kind::BigInt),
            ("_event_time", Kind::Tstz),
            ("_append_time", Kind::Tstz),
            ("_type", Kind::Text),
        ];
        for (at, (written, kind)) in pseudo.into_iter().enumerate() {
            names.known.push(Name {
                source: Source::Event,
                at: width + at,
                ty: kind.ty(),
                written: written.to_owned(),
                qualifiers: vec!["event".into(), name.to_owned()],
                alone: true,
            });
        }
        names
    }

    pub(crate) fn add(&mut self, source: Source, topic: &Topic, name: &str) {
        for (at, column) in topic.columns.iter().enumerate() {
            let mut qualifiers = vec![name.to_owned()];
            if source == Source::Event {
                qualifiers.push("event".into());
            }
            self.known.push(Name {
                source,
                at,
                ty: column.kind.ty(),
                written: column.written.clone(),
                qualifiers,
                alone: source == Source::Event,
            });
        }
    }

    pub(crate) fn add_state(&mut self, state: &[Column]) {
        for (at, column) in state.iter().enumerate() {
            let same = |name: &Name| name.alone && name.written.eq_ignore_ascii_case(&column.written);
            let twice = self.known.iter().any(same);
            self.known.iter_mut().filter(|name| same(name)).for_each(|name| name.alone = false);
            self.known.push(Name {
                source: Source::State,
                at,
                ty: column.kind.ty(),
                written: column.written.clone(),
                qualifiers: vec!["state".into()],
                alone: !twice,
            });
        }
    }

    /// A column by its name.
    pub(crate) fn column(&self, rng: &mut Rng, written: &str) -> Option<E> {
        self.known.iter().find(|name| name.written == written).map(|name| self.named(rng, name))
    }

    /// A column of a family.
    pub(crate) fn column_of(&self, rng: &mut Rng, fam: Fam) -> Option<E> {
        let usable = |name: &&Name| {
            name.ty.fam == fam && !(self.state_text && fam == Fam::Text && name.source == Source::State)
        };
        let known: Vec<&Name> = self.known.iter().filter(usable).collect();
        (!known.is_empty()).then(|| *rng.pick(&known)).map(|name| self.named(rng, name))
    }

    fn named(&self, rng: &mut Rng, name: &Name) -> E {
        let cased = |rng: &mut Rng, text: &str| match rng.below(6) {
            0 => text.to_ascii_uppercase(),
            1 => format!("\"{}\"", text.to_ascii_lowercase()),
            _ => text.to_ascii_lowercase(),
        };
        let mut text = cased(rng, &name.written);
        if !name.alone || rng.percent(25) {
            text = format!("{}.{text}", rng.pick(&name.qualifiers));
        }
        e(name.ty, Node::Col(name.source, name.at, text))
    }

    /// A column or a constant.
    pub(crate) fn leaf(&self, rng: &mut Rng, fam: Fam) -> E {
        if rng.percent(72)
            && let Some(column) = self.column_of(rng, fam)
        {
            return column;
        }
        constant(rng, fam)
    }

    /// An expression of a family.
    pub(crate) fn expr(&mut self, rng: &mut Rng, fam: Fam, depth: u32) -> E {
        if depth == 0 || rng.percent(22) {
            let leaf = self.leaf(rng, fam);
            self.state_text |= fam == Fam::Text && matches!(leaf.node, Node::Col(Source::State, ..));
            return leaf;
        }
        let depth = depth - 1;
        if rng.percent(28) {
            return self.choice(rng, fam, depth);
        }
        match fam {
            Fam::Bool => self.condition(rng, depth),
            Fam::Int | Fam::Dec | Fam::Dbl => self.number(rng, fam, depth),
            Fam::Text => {
                let a = boxed(self.expr(rng, fam, depth));
                match rng.below(4) {
                    0 => e(a.ty, Node::Call("lower", vec![*a])),
                    1 => e(a.ty, Node::Call("upper", vec![*a])),
                    _ => e(a.ty, Node::Concat(a, boxed(self.expr(rng, fam, depth)))),
                }
            }
            Fam::Date => {
                let from = *rng.pick(&[Fam::Ts, Fam::Tstz]);
                e(Kind::Date.ty(), Node::Cast(boxed(self.expr(rng, from, depth)), Kind::Date))
            }
            Fam::Ts | Fam::Tstz => {
                let kind = if fam == Fam::Ts { Kind::Ts } else { Kind::Tstz };
                if rng.percent(30) {
                    return e(kind.ty(), Node::Cast(boxed(self.expr(rng, Fam::Date, depth)), kind));
                }
                let units = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];
                let unit = *rng.pick(&units);
                e(kind.ty(), Node::Trunc(unit, boxed(self.expr(rng, fam, depth))))
            }
            Fam::Json => self.leaf(rng, fam),
        }
    }

    fn number(&mut self, rng: &mut Rng, fam: Fam, depth: u32) -> E {
        let a = self.expr(rng, fam, depth);
        let ty = a.ty;
        match rng.below(14) {
            0 => e(ty, Node::Neg(boxed(a))),
            1 => e(ty, Node::Call("abs", vec![a])),
            2 if fam == Fam::Int => e(ty, Node::Call("length", vec![self.expr(rng, Fam::Text, depth)])),
            3 if fam == Fam::Int => {
                let fams = [Fam::Date, Fam::Ts, Fam::Tstz];
                let (from, to) = (*rng.pick(&fams), *rng.pick(&fams));
                e(ty, Node::Call("days", vec![self.expr(rng, from, depth), self.expr(rng, to, depth)]))
            }
            4 if fam == Fam::Int => e(ty, Node::Power(boxed(a), rng.below(4) as u32)),
            4 if fam == Fam::Dec => {
                let exponent = rng.below(4) as u32;
                let ty = Ty { whole: ty.whole * exponent + 1, scale: ty.scale * exponent, ..ty };
                if ty.whole + ty.scale > DIGITS_MAX || ty.scale > 38 {
                    return a;
                }
                e(ty, Node::Power(boxed(a), exponent))
            }
            2 | 3 if fam == Fam::Dec => {
                let name = if rng.percent(50) { "floor" } else { "ceil" };
                e(Ty { whole: ty.whole + 1, scale: 0, ..ty }, Node::Call(name, vec![a]))
            }
            5 if fam == Fam::Dec => rounded(a, rng.below(7) as u32),
            6 if fam == Fam::Dec => {
                let from = *rng.pick(&[Fam::Int, Fam::Dec]);
                let (a, scale) = (self.expr(rng, from, depth), rng.below(9) as u32);
                let ty = Ty { fam, whole: a.ty.whole + 1, scale };
                if ty.whole + ty.scale.max(a.ty.scale) > DIGITS_MAX {
                    return self.leaf(rng, fam);
                }
                e(ty, Node::Cast(boxed(a), Kind::Dec(38, scale)))
            }
            7 if fam == Fam::Dec => {
                let quotient = self.quotient(rng, a, depth);
                rounded(quotient, *rng.pick(&[0, 2, 4, 6, 10, 11, 11]))
            }
            5..7 if fam == Fam::Int => {
                let name = *rng.pick(&["floor", "ceil"]);
                if rng.percent(50) {
                    return e(ty, Node::Round(boxed(a), rng.below(3) as u32));
                }
                e(ty, Node::Call(name, vec![a]))
            }
            2..5 if fam == Fam::Dbl => {
                let from = *rng.pick(&[Fam::Int, Fam::Dec]);
                e(ty, Node::Cast(boxed(self.expr(rng, from, depth)), Kind::Dbl))
            }
            8 if fam == Fam::Dec => self.quotient(rng, a, depth),
            8 => {
                let divisor = self.divisor(rng, fam, depth);
                e(ty, Node::Math('/', boxed(a), boxed(divisor)))
            }
            9 => {
                let b = self.divisor(rng, fam, depth);
                self.sum('%', a, b)
            }
            10 | 11 => {
                let b = self.beside(rng, fam, depth);
                let ty = match fam {
                    Fam::Dec => Ty { whole: ty.whole + b.ty.whole, scale: ty.scale + b.ty.scale, ..ty },
                    _ => ty,
                };
                if ty.whole + ty.scale > DIGITS_MAX {
                    return a;
                }
                let (a, b) = if fam != Fam::Dbl && rng.percent(50) { (b, a) } else { (a, b) };
                e(ty, Node::Math('*', boxed(a), boxed(b)))
            }
            _ => {
                let b = self.beside(rng, fam, depth);
                let (a, b) = if fam != Fam::Dbl && rng.percent(50) { (b, a) } else { (a, b) };
                self.sum(if rng.percent(60) { '+' } else { '-' }, a, b)
            }
        }
    }

    fn sum(&self, sign: char, a: E, b: E) -> E {
        let ty = match (a.ty.fam, b.ty.fam) {
            (Fam::Dec, _) | (_, Fam::Dec) => {
                let (whole, scale) = (a.ty.whole.max(b.ty.whole) + 1, a.ty.scale.max(b.ty.scale));
                if whole + scale > DIGITS_MAX {
                    return if a.ty.fam == Fam::Dec { a } else { b };
                }
                Ty { fam: Fam::Dec, whole, scale }
            }
            (Fam::Dbl, _) => a.ty,
            _ => b.ty,
        };
        e(ty, Node::Math(sign, boxed(a), boxed(b)))
    }

    fn quotient(&mut self, rng: &mut Rng, a: E, depth: u32) -> E {
        let b = self.divisor(rng, Fam::Dec, depth);
        let ty = Ty { fam: Fam::Dec, whole: a.ty.whole + b.ty.scale, scale: 12 };
        // What is divided gets the digits that the quotient and the divisor have; or the divisor those of the dividend.
        let digits = a.ty.whole + a.ty.scale + 12 + b.ty.scale;
        if digits.max(b.ty.whole + b.ty.scale + a.ty.scale) > DIGITS_MAX {
            return a;
        }
        e(ty, Node::Math('/', boxed(a), boxed(b)))
    }

    /// Mostly not zero.
    fn divisor(&mut self, rng: &mut Rng, fam: Fam, depth: u32) -> E {
        if rng.percent(25) {
            return self.beside(rng, fam, depth);
        }
        // Of the quotients by 17 and 19 the last digits are all there are.
        let n = *rng.pick(&[1i64, 3, -7, 17, -19, 17, 365]);
        match fam {
            Fam::Dec if rng.percent(50) => {
                let value = V::Dec(n.into(), 1);
                let text = plain(&value, Kind::Dec(5, 1));
                e(Kind::Dec(5, 1).ty(), Node::Lit(value, format!("({text})")))
            }
            _ => e(Kind::BigInt.ty(), Node::Lit(V::Int(n), format!("({n})"))),
        }
    }

    /// What can stand beside a value of a family, behind it.
    fn beside(&mut self, rng: &mut Rng, fam: Fam, depth: u32) -> E {
        match fam {
            Fam::Dec if rng.percent(25) => self.expr(rng, Fam::Int, depth),
            Fam::Dbl if rng.percent(20) => self.expr(rng, Fam::Int, depth),
            Fam::Dbl if rng.percent(20) => {
                // Exact as written, and a DOUBLE beside one.
                let value = V::Dec((*rng.pick(&[5, 25, -15])).into(), 1);
                let text = plain(&value, Kind::Dec(5, 1));
                e(Kind::Dbl.ty(), Node::Lit(value, text))
            }
            Fam::Date if rng.percent(20) => e(Kind::Date.ty(), quoted(rng, Kind::Date)),
            Fam::Ts if rng.percent(20) => e(Kind::Ts.ty(), quoted(rng, Kind::Ts)),
            Fam::Tstz if rng.percent(20) => e(Kind::Tstz.ty(), quoted(rng, Kind::Tstz)),
            _ if rng.percent(6) => {
                let ty = Ty { fam, whole: 1, scale: 0 };
                e(ty, Node::Lit(V::Null, "NULL".into()))
            }
            _ => self.expr(rng, fam, depth),
        }
    }

    /// Several of a family that are made to be of one type, the first of the family itself; and that type.
    fn several(&mut self, rng: &mut Rng, fam: Fam, depth: u32, count: usize) -> (Vec<E>, Ty) {
        let first = self.expr(rng, fam, depth);
        let mut ty = first.ty;
        let mut all = vec![first];
        for _ in 1..count {
            let other = self.beside(rng, fam, depth);
            if fam == Fam::Dec {
                let (whole, scale) = (ty.whole.max(other.ty.whole), ty.scale.max(other.ty.scale));
                if whole + scale > DIGITS_MAX {
                    continue;
                }
                ty = Ty { fam, whole, scale };
            }
            all.push(other);
        }
        (all, ty)
    }

    fn choice(&mut self, rng: &mut Rng, fam: Fam, depth: u32) -> E {
        let count = 1 + rng.below(3);
        match rng.below(6) {
            0 | 1 => {
                let (all, ty) = self.several(rng, fam, depth, count);
                e(ty, Node::Call("coalesce", all))
            }
            2 if fam != Fam::Json => {
                let (all, ty) = self.several(rng, fam, depth, count);
                e(ty, Node::Call(if rng.percent(50) { "greatest" } else { "least" }, all))
            }
            3 if fam != Fam::Json => {
                let (mut all, _) = self.several(rng, fam, depth, 2);
                if all.len() < 2 {
                    return all.remove(0);
                }
                e(all[0].ty, Node::Call("nullif", all))
            }
            _ => {
                let (results, ty) = self.several(rng, fam, depth, count + 1);
                let by_value = rng.percent(40);
                let of = *rng.pick(&[Fam::Int, Fam::Text, Fam::Dec, Fam::Tstz, Fam::Bool]);
                let operand = by_value.then(|| self.expr(rng, of, depth));
                let mut results = results.into_iter();
                let otherwise = rng.percent(70).then(|| results.next()).flatten();
                let mut branches = Vec::new();
                for result in results {
                    let when = match &operand {
                        Some(operand) => self.comparable(rng, operand, depth),
                        None => self.expr(rng, Fam::Bool, depth),
                    };
                    branches.push((when, result));
                }
                match (branches.is_empty(), otherwise) {
                    (true, Some(only)) => only,
                    (true, None) => constant(rng, fam),
                    (_, otherwise) => e(ty, Node::Case(operand.map(boxed), branches, otherwise.map(boxed))),
                }
            }
        }
    }

    /// What can be compared with a value.
    fn comparable(&mut self, rng: &mut Rng, with: &E, depth: u32) -> E {
        let other = self.beside(rng, with.ty.fam, depth);
        let digits = with.ty.whole.max(other.ty.whole) + with.ty.scale.max(other.ty.scale);
        if digits > DIGITS_MAX { constant(rng, with.ty.fam) } else { other }
    }

    pub(crate) fn comparison(&mut self, rng: &mut Rng, depth: u32) -> E {
        let fams =
            [Fam::Bool, Fam::Int, Fam::Int, Fam::Dec, Fam::Dbl, Fam::Text, Fam::Date, Fam::Ts, Fam::Tstz];
        let a = {
            let fam = *rng.pick(&fams);
            self.expr(rng, fam, depth)
        };
        let sign = *rng.pick(&["=", "<>", "<", "<=", ">", ">="]);
        let b = self.comparable(rng, &a, depth);
        boolean(Node::Cmp(sign, boxed(a), boxed(b)))
    }

    fn condition(&mut self, rng: &mut Rng, depth: u32) -> E {
        if rng.percent(8) {
            return self.guarded(rng);
        }
        let negated = rng.percent(40);
        match rng.below(12) {
            0 | 1 => boolean(Node::And(
                boxed(self.expr(rng, Fam::Bool, depth)),
                boxed(self.expr(rng, Fam::Bool, depth)),
            )),
            2 | 3 => boolean(Node::Or(
                boxed(self.expr(rng, Fam::Bool, depth)),
                boxed(self.expr(rng, Fam::Bool, depth)),
            )),
            4 => boolean(Node::Not(boxed(self.expr(rng, Fam::Bool, depth)))),
            5 => {
                let fam = *rng.pick(&[Fam::Int, Fam::Dec, Fam::Json, Fam::Text, Fam::Tstz]);
                boolean(Node::IsNull(boxed(self.expr(rng, fam, depth)), negated))
            }
            6 => boolean(Node::Is(boxed(self.expr(rng, Fam::Bool, depth)), rng.percent(50), negated)),
            7 | 8 => {
                let fam = *rng.pick(&[Fam::Int, Fam::Dec, Fam::Text, Fam::Date, Fam::Tstz, Fam::Dbl]);
                let a = self.expr(rng, fam, depth);
                if rng.percent(50) {
                    let items = (0..1 + rng.below(3)).map(|_| self.comparable(rng, &a, depth)).collect();
                    return boolean(Node::In(boxed(a), items, negated));
                }
                let (low, high) = (self.comparable(rng, &a, depth), self.comparable(rng, &a, depth));
                boolean(Node::Between(boxed(a), boxed(low), boxed(high), negated))
            }
            _ => self.comparison(rng, depth),
        }
    }

    /// A quotient that is looked at only where there is one.
    fn guarded(&mut self, rng: &mut Rng) -> E {
        let (n, d) = (self.leaf(rng, Fam::Int), self.leaf(rng, Fam::Int));
        let whole = |n: i64| boxed(e(Kind::BigInt.ty(), Node::Lit(V::Int(n), n.to_string())));
        let quotient = e(Kind::BigInt.ty(), Node::Math(*rng.pick(&['/', '%']), boxed(n), boxed(d.clone())));
        let large = boxed(boolean(Node::Cmp(">", boxed(quotient), whole(0))));
        if rng.percent(50) {
            boolean(Node::And(boxed(boolean(Node::Cmp("<>", boxed(d), whole(0)))), large))
        } else {
            boolean(Node::Or(boxed(boolean(Node::Cmp("=", boxed(d), whole(0)))), large))
        }
    }

    /// What a column of the state is set to.
    pub(crate) fn assigned(&mut self, rng: &mut Rng, column: &Column) -> E {
        self.state_text = false;
        let ty = column.kind.ty();
        if column.nullable && rng.percent(5) {
            return e(ty, Node::Lit(V::Null, "NULL".into()));
        }
        let fam = match ty.fam {
            Fam::Dec | Fam::Dbl if rng.percent(20) => Fam::Int,
            fam => fam,
        };
        let mut value = self.expr(rng, fam, 4);
        // As interest is computed.
        if fam == Fam::Dec && rng.percent(35) {
            let (a, depth) = (self.leaf(rng, fam), rng.below(3) as u32);
            value = rounded(self.quotient(rng, a, depth), ty.scale);
        }
        // A running sum.
        let is_number = matches!(fam, Fam::Int | Fam::Dec | Fam::Dbl);
        if is_number && rng.percent(40) {
            let own = self.known.iter().filter(|name| name.source == Source::State);
            if let Some(own) = own.clone().find(|name| name.written == column.written && name.ty.fam == fam) {
                let own = self.named(rng, &own.clone());
                value = self.sum('+', own, value);
            }
        }
        if !column.nullable && rng.percent(85) {
            let kind = match fam {
                Fam::Int => Kind::Int,
                _ => column.kind,
            };
            let otherwise = self::value(rng, kind, 4);
            let scale = value.ty.scale.max(kind.ty().scale);
            if value.ty.whole.max(kind.ty().whole) + scale <= DIGITS_MAX {
                let ty = Ty { whole: value.ty.whole.max(kind.ty().whole), scale, ..value.ty };
                let constant = literal(rng, otherwise, kind);
                value = e(ty, Node::Call("coalesce", vec![value, constant]));
            }
        }
        if value.ty.scale > ty.scale && ty.fam == Fam::Dec { rounded(value, ty.scale) } else { value }
    }
}

/// `round`; a quotient is rounded once, to these digits.
fn rounded(a: E, digits: u32) -> E {
    let ty = match (&a.node, a.ty.scale > digits) {
        (Node::Math('/', ..), _) => Ty { scale: digits, ..a.ty },
        (_, true) => Ty { whole: a.ty.whole + 1, scale: digits, ..a.ty },
        (_, false) => a.ty,
    };
    e(ty, Node::Round(boxed(a), digits))
}

/// A time in quotes, which is one only beside another.
fn quoted(rng: &mut Rng, kind: Kind) -> Node {
    let value = value(rng, kind, 9);
    let text = plain(&value, kind);
    Node::Lit(value, text)
}

fn constant(rng: &mut Rng, fam: Fam) -> E {
    let kind = match fam {
        Fam::Bool => Kind::Bool,
        Fam::Int => *rng.pick(&[Kind::Int, Kind::Int, Kind::Int, Kind::BigInt]),
        Fam::Dec => *rng.pick(&[Kind::Dec(4, 2), Kind::Dec(5, 1), Kind::Dec(9, 4)]),
        Fam::Dbl => Kind::Dbl,
        Fam::Text => Kind::Text,
        Fam::Date => Kind::Date,
        Fam::Ts => Kind::Ts,
        Fam::Tstz => Kind::Tstz,
        Fam::Json => {
            return e(Kind::Json.ty(), Node::Lit(V::Null, "NULL".into()));
        }
    };
    let few = if rng.percent(5) { 9 } else { 6 };
    let value = value(rng, kind, few);
    literal(rng, value, kind)
}

/// A constant that says its type by itself.
fn literal(rng: &mut Rng, value: V, kind: Kind) -> E {
    let typed = |rng: &mut Rng, name: &str, text: String| match rng.below(3) {
        0 => format!("{name} '{text}'"),
        1 => format!("CAST('{text}' AS {name})"),
        _ => format!("'{text}'::{name}"),
    };
    let text = match (&value, kind) {
        (V::Int(day), Kind::Date) => typed(rng, "DATE", date(*day)),
        (V::Int(us), Kind::Ts) => typed(rng, "TIMESTAMP", clock(*us)),
        (V::Int(us), Kind::Tstz) => typed(rng, "TIMESTAMPTZ", clock(*us) + "Z"),
        (V::Dbl(n), _) => format!("CAST({n} AS DOUBLE)"),
        (V::Int(_) | V::Dec(..), _) => format!("({})", plain(&value, kind)),
        _ => plain(&value, kind),
    };
    // A constant with no digits after its point is an integer.
    let ty = if let Kind::Dec(_, 0) = kind { Kind::Dec(19, 0).ty() } else { kind.ty() };
    e(ty, Node::Lit(value, text))
}
