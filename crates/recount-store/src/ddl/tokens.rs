//! The tokens of a statement, without the white space between them, read one after the other.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::Ident;
use super::error::{ParseError, Problem};

/// A cursor over tokens.
pub(super) struct Tokens {
    list: Vec<TokenWithSpan>,
    at: usize,
    end: Location,
}

impl Tokens {
    pub(super) fn new(sql: &str) -> Result<Tokens, ParseError> {
        let mut list = Tokenizer::new(&PostgreSqlDialect {}, sql)
            .tokenize_with_location()
            .map_err(|error| error_at(error.location, Problem::Token(error.message)))?;
        list.retain(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
        let lines = sql.split('\n').count() as u64;
        let last_line = sql.rsplit('\n').next().unwrap_or_default();
        let end = Location::new(lines, last_line.chars().count() as u64 + 1);
        Ok(Tokens { list, at: 0, end })
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.list.get(self.at).map(|token| &token.token)
    }

    /// Where the next token is.
    pub(super) fn location(&self) -> Location {
        self.list.get(self.at).map_or(self.end, |token| token.span.start)
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    /// Takes the next token if it is the unquoted word `word`.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let is_it = self.peek_word().is_some_and(|next| next.eq_ignore_ascii_case(word));
        self.at += usize::from(is_it);
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
        self.at += usize::from(is_it);
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
