//! The tokens of a statement, with what stands between them; and how much nesting they may cause.

use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::dialect::DIALECT;
use crate::error::QueryError;

/// How deeply a statement may be nested: a level is an operator in a row of them, or a pair of parentheses. The
/// planner's stack is bounded, and it takes a few KiB for each.
const DEPTH_MAX: usize = 100;

/// Cuts a text into tokens.
pub(crate) fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>, QueryError> {
    let tokens = Tokenizer::new(&DIALECT, sql)
        .tokenize_with_location()
        .map_err(|error| QueryError::at(error.location, error.message))?;
    check_depth(&tokens)?;
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

fn check_depth(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    /// Inside of one pair of parentheses.
    #[derive(Default)]
    struct Level {
        /// Of what stands before the last comma.
        before: usize,
        /// Since then.
        depth: usize,
    }
    let mut outer = Vec::new();
    let mut level = Level::default();
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket => outer.push(std::mem::take(&mut level)),
            Token::RParen | Token::RBracket => {
                let inner = level.before.max(level.depth);
                // A parenthesis too many is the parser's to complain about.
                level = outer.pop().unwrap_or_default();
                level.depth = level.depth.max(inner) + 1;
            }
            Token::Comma | Token::SemiColon => {
                level.before = level.before.max(level.depth);
                level.depth = 0;
            }
            operator if is_operator(operator) => level.depth += 1,
            _ => {}
        }
        if level.depth > DEPTH_MAX {
            return Err(QueryError::at(
                token.span.start,
                format!(
                    "more than {DEPTH_MAX} operators and parentheses around each other: use IN, a list of VALUES, or several statements"
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
