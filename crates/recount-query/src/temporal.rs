//! The clauses of time behind the name of a relation, cut out of the tokens before the parser sees them:
//!
//! ```text
//! name [FOR VERSION int] {FOR (SYSTEM_TIME|VALID_TIME) (AS OF e | FROM e TO e | BETWEEN e AND e | ALL) | AS OF POSITION int}
//! e = a constant expression | END OF 'date'
//! FOR VALID_TIME AS OF EACH "(" query ")"     many times at once: those that the query gives
//! ```
//!
//! DataFusion ignores such clauses, and the parser takes `AS OF` for an alias. So a name with clauses is replaced by
//! a made-up one, and whoever walks the parsed statement ([`crate::names`]) must meet each made-up name exactly once,
//! as a relation: a clause that stands anywhere else is an error, and none is lost.

use recount_store::time::parse_date;
use recount_types::Time;
use sqlparser::ast::{Expr, Ident, Query};
use sqlparser::dialect::{Dialect, Precedence};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Word};

use crate::dialect::DIALECT;
use crate::error::QueryError;
use crate::statement::DEPTH_MAX;
use crate::tokens::{is_word, word};

const DAY_US: i64 = 86_400_000_000;

/// A name with clauses of time.
#[derive(Debug)]
pub(crate) struct Cut {
    /// The name that stands in its place.
    pub(crate) made_up: String,
    /// The name itself.
    pub(crate) name: Ident,
    /// Its clauses.
    pub(crate) clauses: Clauses,
    /// Where they begin.
    pub(crate) at: Location,
}

/// Clauses of time. Without any: now, today's definition.
#[derive(Debug, Default)]
pub(crate) struct Clauses {
    pub(crate) version: Option<u32>,
    pub(crate) position: Option<u64>,
    pub(crate) system: Option<Axis>,
    pub(crate) valid: Option<Axis>,
}

impl Clauses {
    /// Whether they ask about now.
    pub(crate) fn are_of_now(&self) -> bool {
        self.position.is_none() && self.system.is_none() && self.valid.is_none()
    }
}

/// What is wanted of one axis of time.
#[derive(Debug)]
pub(crate) enum Axis {
    /// A moment.
    AsOf(TimeText),
    /// Each of the moments that a query gives.
    Each(Location, Box<Query>),
    /// A stretch, with or without its end; `None` = all.
    Span(Option<(TimeText, TimeText, End)>),
}

/// Whether the end of a stretch is part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Inclusive,
    Exclusive,
}

/// A moment as written.
#[derive(Debug)]
pub(crate) struct TimeText {
    pub(crate) at: Location,
    pub(crate) written: Written,
}

/// How a moment is written.
#[derive(Debug)]
pub(crate) enum Written {
    /// An expression that is still to be evaluated.
    Expr(Box<Expr>),
    /// The last µs of a day.
    EndOf(Time),
}

/// Cuts all clauses of time out of a statement's tokens.
pub(crate) fn cut(mut tokens: Vec<TokenWithSpan>) -> Result<(Vec<TokenWithSpan>, Vec<Cut>), QueryError> {
    tokens.retain(|token| token.token != Token::EOF);
    let places: Vec<usize> =
        (0..tokens.len()).filter(|&place| !matches!(tokens[place].token, Token::Whitespace(_))).collect();
    let prefix = unused_prefix(&tokens);
    let mut cutter = Cutter { tokens: &tokens, places: &places, next: 0 };
    let mut cuts = Vec::new();
    let mut replaced = Vec::new();
    while cutter.next < places.len() {
        if cutter.clause().is_none() {
            cutter.next += 1;
            continue;
        }
        let at = cutter.location();
        let first = cutter.next;
        let (place, name) = cutter.name_before(at)?;
        let clauses = cutter.clauses()?;
        let made_up = format!("{prefix}{}", cuts.len());
        let removed = places[first]..cutter.place();
        replaced.push((place, removed, made_up.clone()));
        cuts.push(Cut { made_up, name, clauses, at });
    }
    for (place, removed, made_up) in replaced {
        tokens[place].token = Token::Word(Word {
            value: made_up,
            quote_style: Some('"'),
            keyword: sqlparser::keywords::Keyword::NoKeyword,
        });
        for token in &mut tokens[removed] {
            token.token = Token::Whitespace(sqlparser::tokenizer::Whitespace::Space);
        }
    }
    Ok((tokens, cuts))
}

/// A beginning of names that the statement has nowhere.
fn unused_prefix(tokens: &[TokenWithSpan]) -> String {
    let used = |prefix: &str| {
        tokens.iter().any(|token| matches!(&token.token, Token::Word(word) if word.value.starts_with(prefix)))
    };
    let mut prefix = "time of ".to_owned();
    while used(&prefix) {
        prefix.push('_');
    }
    prefix
}

/// A kind of clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clause {
    Version,
    System,
    Valid,
    Position,
    /// `AS OF '…'`, which does not say which time.
    Bare,
}

/// Walks the tokens that are not white space.
struct Cutter<'a> {
    tokens: &'a [TokenWithSpan],
    places: &'a [usize],
    next: usize,
}

impl Cutter<'_> {
    fn peek(&self, ahead: usize) -> &Token {
        let place = self.places.get(self.next + ahead);
        place.map_or(&Token::EOF, |&place| &self.tokens[place].token)
    }

    /// Where the next token is among all tokens.
    fn place(&self) -> usize {
        self.places.get(self.next).copied().unwrap_or(self.tokens.len())
    }

    fn location(&self) -> Location {
        match self.tokens.get(self.place()) {
            Some(token) => token.span.start,
            None => self.tokens.last().map_or(Location::new(1, 1), |token| token.span.end),
        }
    }

    fn is(&self, ahead: usize, wanted: &str) -> bool {
        is_word(self.peek(ahead), wanted)
    }

    /// The clause that begins here.
    fn clause(&self) -> Option<Clause> {
        if self.is(0, "for") {
            let spans = ["as", "from", "between", "all"].iter().any(|word| self.is(2, word));
            return match self.peek(1) {
                token if is_word(token, "system_time") && spans => Some(Clause::System),
                token if is_word(token, "valid_time") && spans => Some(Clause::Valid),
                token if is_word(token, "version") && matches!(self.peek(2), Token::Number(..)) => {
                    Some(Clause::Version)
                }
                _ => None,
            };
        }
        if !(self.is(0, "as") && self.is(1, "of")) {
            return None;
        }
        match self.peek(2) {
            token if is_word(token, "position") => Some(Clause::Position),
            Token::SingleQuotedString(_) | Token::Number(..) | Token::LParen | Token::Placeholder(_) => {
                Some(Clause::Bare)
            }
            token if is_word(token, "system") && self.is(3, "time") => Some(Clause::Bare),
            token => {
                const BEGIN: [&str; 9] = [
                    "timestamp",
                    "timestamptz",
                    "date",
                    "now",
                    "current_timestamp",
                    "current_date",
                    "cast",
                    "end",
                    "interval",
                ];
                let begins =
                    word(token).is_some_and(|word| BEGIN.iter().any(|x| x.eq_ignore_ascii_case(word)));
                begins.then_some(Clause::Bare)
            }
        }
    }

    /// The name that the clause before the cursor belongs to.
    fn name_before(&self, at: Location) -> Result<(usize, Ident), QueryError> {
        let place = self.next.checked_sub(1).map(|before| self.places[before]);
        let found = place.and_then(|place| match &self.tokens[place].token {
            Token::Word(word) => Some((
                place,
                Ident {
                    value: word.value.clone(),
                    quote_style: word.quote_style,
                    span: self.tokens[place].span,
                },
            )),
            _ => None,
        });
        let (place, name) = found.ok_or_else(|| misplaced(at))?;
        let after_period = self
            .next
            .checked_sub(2)
            .is_some_and(|before| self.tokens[self.places[before]].token == Token::Period);
        if after_period {
            return Err(QueryError::at(
                name.span.start,
                "names have no schema before them: write a name with a period in it in double quotes, \"a.b\"",
            ));
        }
        Ok((place, name))
    }

    /// The clauses that follow each other from here on.
    fn clauses(&mut self) -> Result<Clauses, QueryError> {
        let mut clauses = Clauses::default();
        while let Some(clause) = self.clause() {
            let at = self.location();
            let twice = |is: bool, what: &str| match is {
                true => Err(QueryError::at(at, format!("{what} is given twice"))),
                false => Ok(()),
            };
            match clause {
                Clause::Version => {
                    twice(clauses.version.is_some(), "FOR VERSION")?;
                    self.next += 2;
                    clauses.version = Some(self.integer("a version")? as u32);
                }
                Clause::Position => {
                    twice(clauses.position.is_some(), "AS OF POSITION")?;
                    self.next += 3;
                    clauses.position = Some(self.integer("a position")?);
                }
                Clause::System => {
                    twice(clauses.system.is_some(), "FOR SYSTEM_TIME")?;
                    self.next += 2;
                    clauses.system = Some(self.axis()?);
                    if let Some(Axis::Each(at, _)) = &clauses.system {
                        return Err(QueryError::at(
                            *at,
                            "EACH is for FOR VALID_TIME: FOR SYSTEM_TIME ALL has every version, from _system_from to before _system_to",
                        ));
                    }
                }
                Clause::Valid => {
                    twice(clauses.valid.is_some(), "FOR VALID_TIME")?;
                    self.next += 2;
                    clauses.valid = Some(self.axis()?);
                }
                Clause::Bare => {
                    return Err(QueryError::at(
                        at,
                        "AS OF must say which time: FOR SYSTEM_TIME AS OF … = as it was recorded then, FOR VALID_TIME AS OF … = what had happened by then, as known now; or AS OF POSITION …",
                    ));
                }
            }
            if clauses.position.is_some() && matches!(clauses.system, Some(Axis::AsOf(_))) {
                return Err(QueryError::at(
                    at,
                    "FOR SYSTEM_TIME AS OF and AS OF POSITION both say as recorded when: give one of them",
                ));
            }
        }
        Ok(clauses)
    }

    fn axis(&mut self) -> Result<Axis, QueryError> {
        if self.is(0, "all") {
            self.next += 1;
            return Ok(Axis::Span(None));
        }
        if self.is(0, "as") {
            self.next += 1;
            self.word("OF")?;
            if self.is(0, "each") && *self.peek(1) == Token::LParen {
                return self.each();
            }
            return Ok(Axis::AsOf(self.instant()?));
        }
        let (between, end) =
            if self.is(0, "between") { ("AND", End::Inclusive) } else { ("TO", End::Exclusive) };
        self.next += 1;
        let from = self.instant()?;
        self.word(between)?;
        Ok(Axis::Span(Some((from, self.instant()?, end))))
    }

    /// `EACH (query)`.
    fn each(&mut self) -> Result<Axis, QueryError> {
        let at = self.location();
        self.next += 1;
        let query = self.parsed(|parser| {
            parser.expect_token(&Token::LParen)?;
            let query = parser.parse_query()?;
            parser.expect_token(&Token::RParen)?;
            Ok(query)
        })?;
        Ok(Axis::Each(at, query))
    }

    fn instant(&mut self) -> Result<TimeText, QueryError> {
        let at = self.location();
        if self.is(0, "end") && self.is(1, "of") {
            self.next += 2;
            let at = self.location();
            let day = match self.peek(0) {
                Token::SingleQuotedString(text) => parse_date(text.as_bytes()),
                _ => None,
            };
            let day = day.ok_or_else(|| QueryError::at(at, "END OF wants a day: END OF '2023-12-31'"))?;
            self.next += 1;
            return Ok(TimeText { at, written: Written::EndOf(Time((day + 1) * DAY_US - 1)) });
        }
        let expr = self.parsed(|parser| parser.parse_subexpr(DIALECT.prec_value(Precedence::Between)))?;
        Ok(TimeText { at, written: Written::Expr(Box::new(expr)) })
    }

    /// What the parser makes of the tokens from here on; they are taken.
    fn parsed<T>(
        &mut self,
        parse: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
    ) -> Result<T, QueryError> {
        let rest = self.tokens[self.place()..].to_vec();
        let mut parser =
            Parser::new(&DIALECT).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(rest);
        let parsed = parse(&mut parser).map_err(QueryError::from_parser)?;
        let end = self.place() + parser.index();
        self.next = self.places.partition_point(|&place| place < end);
        Ok(parsed)
    }

    fn word(&mut self, wanted: &str) -> Result<(), QueryError> {
        if !self.is(0, wanted) {
            return Err(self.expected(wanted));
        }
        self.next += 1;
        Ok(())
    }

    fn integer(&mut self, what: &str) -> Result<u64, QueryError> {
        let number = match self.peek(0) {
            Token::Number(digits, _) => {
                digits.parse::<u64>().ok().filter(|&number| number <= u32::MAX.into() || what == "a position")
            }
            _ => None,
        };
        let number = number.ok_or_else(|| self.expected(what))?;
        self.next += 1;
        Ok(number)
    }

    fn expected(&self, what: &str) -> QueryError {
        let found = match self.peek(0) {
            Token::EOF => "the end".to_owned(),
            token => token.to_string(),
        };
        QueryError::at(self.location(), format!("found {found}, expected {what}"))
    }
}

/// The error of a clause that follows no name of a relation.
pub(crate) fn misplaced(at: Location) -> QueryError {
    QueryError::at(
        at,
        "a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x",
    )
}
