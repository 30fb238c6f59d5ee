//! The tokens of a statement, without the white space between them, read one after the other.

use recount_types::limits::STATEMENT_BYTES_MAX;
use sqlparser::ast::{Expr, UnaryOperator};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, Tokenizer};

use super::Ident;
use super::error::{ParseError, Problem};
use super::expression::{Expressions, refused};

/// A cursor over tokens.
pub(super) struct Tokens<'a> {
    expressions: &'a Expressions,
    parser: Parser<'a>,
    sql: &'a str,
    end: Location,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(sql: &'a str, expressions: &'a Expressions) -> Result<Tokens<'a>, ParseError> {
        if sql.len() > STATEMENT_BYTES_MAX {
            return Err(error_at(Location::new(1, 1), Problem::TooLong { bytes: sql.len() }));
        }
        let mut list = Tokenizer::new(&PostgreSqlDialect {}, sql)
            .tokenize_with_location()
            .map_err(|error| error_at(error.location, Problem::Token(error.message)))?;
        list.retain(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
        let lines = sql.split('\n').count() as u64;
        let last_line = sql.rsplit('\n').next().unwrap_or_default();
        let end = Location::new(lines, last_line.chars().count() as u64 + 1);
        Ok(Tokens { expressions, parser: expressions.parser(list), sql, end })
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        match &self.parser.peek_token_ref().token {
            Token::EOF => None,
            token => Some(token),
        }
    }

    /// Where the next token is.
    pub(super) fn location(&self) -> Location {
        let token = self.parser.peek_token_ref();
        if token.token == Token::EOF { self.end } else { token.span.start }
    }

    pub(super) fn advance(&mut self) {
        self.parser.advance_token();
    }

    /// The text as written, from the first token to the last one that was taken.
    pub(super) fn text(&self) -> &'a str {
        let start = byte_at(self.sql, self.parser.token_at(0).span.start);
        let end = byte_at(self.sql, self.parser.get_current_token().span.end);
        self.sql.get(start..end).unwrap_or_default()
    }

    /// Takes everything up to a semicolon, in a text in which white space stands for all that was before it.
    pub(super) fn rest(&mut self) -> String {
        let start = byte_at(self.sql, self.location());
        while self.peek().is_some_and(|token| *token != Token::SemiColon) {
            self.advance();
        }
        let end = byte_at(self.sql, self.parser.get_current_token().span.end);
        let before = self.sql.get(..start).unwrap_or_default();
        let mut text: String = before.chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
        text.push_str(self.sql.get(start..end).unwrap_or_default());
        text
    }

    /// Refuses queries in all that follows.
    pub(super) fn refuse_queries(&self) -> Result<(), ParseError> {
        let mut at = self.parser.index();
        loop {
            let tokens = [at, at + 1, at + 2].map(|at| self.parser.token_at(at));
            if tokens[0].token == Token::EOF {
                return Ok(());
            }
            if let Some(problem) = refused(tokens.map(|token| &token.token)) {
                return Err(error_at(tokens[0].span.start, problem));
            }
            at += 1;
        }
    }

    /// An expression.
    pub(super) fn expr(&mut self) -> Result<Expr, ParseError> {
        let at = self.location();
        self.expressions.parse(&mut self.parser).map_err(|error| match error {
            ParserError::RecursionLimitExceeded => error_at(at, Problem::Expression),
            ParserError::ParserError(message) | ParserError::TokenizerError(message) => {
                translated(message, self.end)
            }
        })
    }

    /// A number, perhaps with a minus sign, a text in single quotes, TRUE, FALSE or NULL.
    pub(super) fn literal(&mut self) -> Result<Expr, ParseError> {
        const WHAT: &str = "a number, a text in single quotes, TRUE, FALSE or NULL";
        let negative = self.take(&Token::Minus);
        let fits = match self.peek() {
            Some(Token::Number(..)) => true,
            Some(Token::SingleQuotedString(_)) => !negative,
            Some(Token::Word(_)) => {
                let words = ["TRUE", "FALSE", "NULL"];
                let is_one = |word: &str| words.iter().any(|literal| word.eq_ignore_ascii_case(literal));
                !negative && self.peek_word().is_some_and(is_one)
            }
            _ => false,
        };
        if !fits {
            return Err(self.expected(WHAT));
        }
        let value =
            self.parser.parse_value().map_err(|error| self.error(Problem::Other(error.to_string())))?;
        let expr = Expr::Value(value);
        if !negative {
            return Ok(expr);
        }
        Ok(Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(expr) })
    }

    /// Takes the next token if it is the unquoted word `word`.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let is_it = self.peek_word().is_some_and(|next| next.eq_ignore_ascii_case(word));
        if is_it {
            self.advance();
        }
        is_it
    }

    /// The next token if it is an unquoted word.
    pub(super) fn peek_word(&self) -> Option<&str> {
        match self.peek() {
            Some(Token::Word(word)) if word.quote_style.is_none() => Some(&word.value),
            _ => None,
        }
    }

    pub(super) fn take(&mut self, token: &Token) -> bool {
        let is_it = self.peek() == Some(token);
        if is_it {
            self.advance();
        }
        is_it
    }

    pub(super) fn word(&mut self, word: &str) -> Result<(), ParseError> {
        if self.take_word(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    pub(super) fn token(&mut self, token: &Token) -> Result<(), ParseError> {
        if self.take(token) { Ok(()) } else { Err(self.expected(&token.to_string())) }
    }

    /// A name: a word, or anything in double quotes. `what` says whose.
    pub(super) fn name(&mut self, what: &str) -> Result<Ident, ParseError> {
        let at = self.location();
        let name = match self.peek() {
            Some(Token::Word(word)) => {
                let written = word.value.clone();
                let folded =
                    if word.quote_style.is_some() { written.clone() } else { written.to_ascii_lowercase() };
                Ident { folded, written, at }
            }
            _ => return Err(self.expected(what)),
        };
        if name.written.is_empty() {
            return Err(self.expected(what));
        }
        self.advance();
        Ok(name)
    }

    pub(super) fn string(&mut self, what: &str) -> Result<String, ParseError> {
        match self.peek() {
            Some(Token::SingleQuotedString(text)) => {
                let text = text.clone();
                self.advance();
                Ok(text)
            }
            _ => Err(self.expected(what)),
        }
    }

    pub(super) fn integer(&mut self, what: &str) -> Result<u64, ParseError> {
        match self.peek() {
            Some(Token::Number(digits, _)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                // Beyond 64 bits nothing fits that a statement counts.
                let number = digits.parse().unwrap_or(u64::MAX);
                self.advance();
                Ok(number)
            }
            _ => Err(self.expected(what)),
        }
    }

    /// What the next token is, for a person.
    pub(super) fn found(&self) -> String {
        self.peek().map_or_else(|| "the end".to_owned(), |token| token.to_string())
    }

    pub(super) fn expected(&self, what: &str) -> ParseError {
        self.error(Problem::Expected { found: self.found(), expected: what.to_owned() })
    }

    /// An error at the next token.
    pub(super) fn error(&self, problem: Problem) -> ParseError {
        error_at(self.location(), problem)
    }
}

pub(super) fn error_at(at: Location, problem: impl Into<Problem>) -> ParseError {
    ParseError { line: at.line, column: at.column, problem: problem.into() }
}

/// What sqlparser says, in our words; its place is in its text, if it has one.
fn translated(message: String, end: Location) -> ParseError {
    let (text, at) = match message.rsplit_once(" at Line: ") {
        Some((text, place)) => (text, location(place)),
        None => (message.as_str(), None),
    };
    let at = at.unwrap_or(end);
    let Some((expected, found)) =
        text.strip_prefix("Expected: ").and_then(|text| text.split_once(", found: "))
    else {
        return error_at(at, Problem::Other(text.to_owned()));
    };
    let found = if found == "EOF" { "the end" } else { found };
    error_at(at, Problem::Expected { found: found.to_owned(), expected: expected.to_owned() })
}

/// Reads `1, Column: 2`.
fn location(place: &str) -> Option<Location> {
    let (line, column) = place.split_once(", Column: ")?;
    Some(Location::new(line.parse().ok()?, column.parse().ok()?))
}

/// Where a place is in `sql`.
fn byte_at(sql: &str, at: Location) -> usize {
    let mut start = 0;
    let mut lines = sql.split('\n');
    for line in lines.by_ref().take(at.line.saturating_sub(1) as usize) {
        start += line.len() + 1;
    }
    let line = lines.next().unwrap_or_default();
    let columns = at.column.saturating_sub(1) as usize;
    start + line.char_indices().nth(columns).map_or(line.len(), |(byte, _)| byte)
}
