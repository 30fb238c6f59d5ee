//! The tokens of a statement, with what stands between them; and how much nesting they may cause.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::error::QueryError;

/// The dialect of all statements.
pub(crate) const DIALECT: PostgreSqlDialect = PostgreSqlDialect {};

/// Most operators in a row, without a comma or a parenthesis between them. Each is a level of nesting for the
/// planner, whose stack is bounded.
const OPERATORS_MAX: usize = 500;

/// Cuts a text into tokens.
pub(crate) fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>, QueryError> {
    let tokens = Tokenizer::new(&DIALECT, sql)
        .tokenize_with_location()
        .map_err(|error| QueryError::at(error.location, error.message))?;
    check_operators(&tokens)?;
    Ok(tokens)
}

/// The word, unless it is quoted.
pub(crate) fn word(token: &Token) -> Option<&str> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(&word.value),
        _ => None,
    }
}

/// Whether it only separates others.
pub(crate) fn is_space(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_) | Token::EOF)
}

/// Whether it is this word, not quoted.
pub(crate) fn is_word(token: &Token, wanted: &str) -> bool {
    word(token).is_some_and(|word| word.eq_ignore_ascii_case(wanted))
}

fn check_operators(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    // Operators since the last comma, in each of the parentheses that are open.
    let mut outer = Vec::new();
    let mut count = 0;
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket => outer.push(std::mem::take(&mut count)),
            // A parenthesis too many is the parser's to complain about.
            Token::RParen | Token::RBracket => count = outer.pop().unwrap_or(count),
            Token::Comma | Token::SemiColon => count = 0,
            operator if is_operator(operator) => count += 1,
            _ => {}
        }
        if count > OPERATORS_MAX {
            return Err(QueryError::at(
                token.span.start,
                format!(
                    "more than {OPERATORS_MAX} operators in a row: use IN, a list of VALUES, or several statements"
                ),
            ));
        }
    }
    Ok(())
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(_) => word(token).is_some_and(|word| {
            const WORDS: [&str; 12] = [
                "and",
                "or",
                "not",
                "union",
                "intersect",
                "except",
                "join",
                "like",
                "ilike",
                "is",
                "at",
                "collate",
            ];
            WORDS.iter().any(|operator| operator.eq_ignore_ascii_case(word))
        }),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Whitespace(_)
        | Token::Period
        | Token::Placeholder(_)
        | Token::EOF
        | Token::LParen
        | Token::RParen => false,
        _ => true,
    }
}
