//! Expressions: sqlparser's, in Postgres' dialect, with bounds.
//!
//! sqlparser counts how deep it is in most of its recursion, but not in all; it tries some forms twice at each
//! level; and a long chain of operators becomes a tree as deep as it is long. So the dialect says no to what is
//! beyond the limits, at the two places where it is asked about every operand and every operator.

use std::any::TypeId;
use std::cell::Cell;

use recount_types::limits::{EXPRESSION_DEPTH_MAX, EXPRESSION_TOKENS_MAX};
use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::error::Problem;

/// Most operands that sqlparser may try for one expression, those that it takes back included.
const OPERANDS_MAX: usize = 20 * EXPRESSION_TOKENS_MAX;

/// Postgres' dialect as far as expressions go, and how much of the present one was read. Without `'a': 1` as the
/// argument of a function, for which every argument would be read twice.
#[derive(Debug, Default)]
pub(super) struct Expressions {
    /// Where the expression ends at the latest, as a number of tokens.
    end: Cell<usize>,
    operands: Cell<usize>,
}

impl Expressions {
    /// A parser of these tokens, without white space.
    pub(super) fn parser(&self, tokens: Vec<TokenWithSpan>) -> Parser<'_> {
        Parser::new(self).with_recursion_limit(EXPRESSION_DEPTH_MAX).with_tokens_with_locations(tokens)
    }

    /// One expression, at which `parser` is.
    pub(super) fn parse(&self, parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
        self.end.set(parser.index() + EXPRESSION_TOKENS_MAX);
        self.operands.set(0);
        parser.parse_expr()
    }

    fn is_beyond(&self, parser: &Parser<'_>) -> bool {
        parser.index() > self.end.get() || self.operands.get() > OPERANDS_MAX
    }
}

/// What is refused before sqlparser sees it, if these tokens are: queries, and types that it would follow without
/// a bound.
pub(super) fn refused(tokens: [&Token; 3]) -> Option<Problem> {
    let keyword = |token: &Token| match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    };
    let [first, second, third] = tokens;
    match (keyword(first), second) {
        (Some(Keyword::ARRAY), Token::Lt) | (Some(Keyword::TABLE), Token::LParen) => {
            return Some(Problem::OtherType { found: first.to_string(), instead: "JSON" });
        }
        _ => {}
    }
    let is_query = match keyword(second).filter(|_| first == &Token::LParen) {
        Some(Keyword::SELECT | Keyword::WITH) => true,
        Some(
            Keyword::VALUES
            | Keyword::TABLE
            | Keyword::INSERT
            | Keyword::UPDATE
            | Keyword::DELETE
            | Keyword::MERGE,
        ) => matches!(third, Token::Word(_) | Token::LParen),
        _ => false,
    };
    is_query.then_some(Problem::Query)
}

impl Dialect for Expressions {
    fn dialect(&self) -> TypeId {
        PostgreSqlDialect {}.dialect()
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        self.operands.set(self.operands.get() + 1);
        if self.is_beyond(parser) {
            return Some(Err(ParserError::RecursionLimitExceeded));
        }
        // Anything would do for sqlparser, even ELSE after a column of this name, and of intervals in intervals
        // it does not count the depth.
        let of_interval = matches!(&parser.get_current_token().token, Token::Word(word) if word.keyword == Keyword::INTERVAL);
        let is_text = matches!(parser.peek_token_ref().token, Token::SingleQuotedString(_));
        let what = || ParserError::ParserError("an interval is written as INTERVAL '1 day'".to_owned());
        (of_interval && !is_text).then(|| Err(what()))
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        if self.is_beyond(parser) {
            return Some(Err(ParserError::RecursionLimitExceeded));
        }
        PostgreSqlDialect {}.get_next_precedence(parser)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        PostgreSqlDialect {}.prec_value(precedence)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        PostgreSqlDialect {}.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        PostgreSqlDialect {}.is_identifier_part(ch)
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        keyword == Keyword::CASE || PostgreSqlDialect {}.is_reserved_for_identifier(keyword)
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_factorial_operator(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn supports_interval_options(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }
}
