//! SET: settings of a session. A text may begin with some; they hold for the statement behind them, and, at a prompt or in
//! a script, for those that follow.
//!
//! ```text
//!  SET stopped = 'skip' | 'fail' | DEFAULT;      TO may stand for =
//! ```

use std::borrow::Cow;

use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use crate::error::QueryError;
use crate::settings::{SessionSettings, Stopped};
use crate::tokens;

impl SessionSettings {
    /// Takes the SET statements off the front of a text. What is left stands where it stood, so that errors name the right
    /// line and column; `None` = nothing is left. If one of them is wrong, none of them holds.
    pub fn take_sets<'a>(&mut self, sql: &'a str) -> Result<Option<Cow<'a, str>>, QueryError> {
        let tokens = tokens::tokens(sql)?;
        let mut rest: Vec<&TokenWithSpan> =
            tokens.iter().filter(|token| !tokens::is_space(&token.token)).collect();
        let mut settings = self.clone();
        let mut any = false;
        loop {
            let begins = rest.iter().position(|token| token.token != Token::SemiColon).unwrap_or(rest.len());
            rest.drain(..begins);
            if !rest.first().is_some_and(|token| tokens::is_word(&token.token, "set")) {
                break;
            }
            let end = rest.iter().position(|token| token.token == Token::SemiColon).unwrap_or(rest.len());
            let statement: Vec<&TokenWithSpan> = rest.drain(..end).collect();
            settings.set(&statement)?;
            any = true;
        }
        if !any {
            return Ok(Some(Cow::Borrowed(sql)));
        }
        *self = settings;
        Ok(rest.first().map(|first| Cow::Owned(blanked(sql, first.span.start))))
    }

    /// Sets what `SET name = value` says.
    fn set(&mut self, statement: &[&TokenWithSpan]) -> Result<(), QueryError> {
        let [set, rest @ ..] = statement else { return Ok(()) };
        let wrong = |at: Location, what: String| Err(QueryError::at(at, what));
        let [name, equals, value @ ..] = rest else {
            return wrong(set.span.start, "a setting is written SET stopped = 'skip'".to_owned());
        };
        let known = tokens::word(&name.token).is_some_and(|name| name.eq_ignore_ascii_case("stopped"));
        if !known {
            let what = format!("there is no setting {}: there is stopped, 'fail' or 'skip'", name.token);
            return wrong(name.span.start, what);
        }
        if equals.token != Token::Eq && !tokens::is_word(&equals.token, "to") {
            return wrong(equals.span.start, format!("found {}: write SET stopped = 'skip'", equals.token));
        }
        let text = match value {
            [one] => match &one.token {
                Token::SingleQuotedString(text) => Some(text.to_ascii_lowercase()),
                other => tokens::word(other).map(str::to_ascii_lowercase),
            },
            _ => None,
        };
        self.stopped = match text.as_deref() {
            Some("fail" | "default") => Stopped::Fail,
            Some("skip") => Stopped::Skip,
            _ => {
                let shown: Vec<String> = value.iter().map(|token| token.token.to_string()).collect();
                let at = value.first().unwrap_or(equals).span.start;
                return wrong(
                    at,
                    format!(
                        "stopped is 'fail' (what reads a stopped key fails and names it) or 'skip' (the rest comes, with a notice), not {}",
                        if shown.is_empty() { "nothing".to_owned() } else { shown.join(" ") }
                    ),
                );
            }
        };
        Ok(())
    }
}

/// The text with spaces in the place of what stands before `until`.
fn blanked(sql: &str, until: Location) -> String {
    let (mut line, mut column) = (1, 1);
    let mut out = String::with_capacity(sql.len());
    for c in sql.chars() {
        let is_before = (line, column) < (until.line, until.column);
        out.push(if is_before && c != '\n' { ' ' } else { c });
        (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(sql: &str) -> String {
        let mut settings = SessionSettings::default();
        match settings.take_sets(sql) {
            Ok(rest) => format!("{:?} {rest:?}", settings.stopped),
            Err(error) => {
                assert_eq!(settings.stopped, Stopped::Fail, "{sql}");
                error.to_string()
            }
        }
    }

    #[test]
    fn sets_come_first_and_leave_the_rest_where_it_stands() {
        for (sql, expected) in [
            ("SELECT 1", r#"Fail Some("SELECT 1")"#),
            ("SET stopped = 'skip'", "Skip None"),
            (";; set STOPPED to SKIP ;\n-- ä\n;", "Skip None"),
            ("SET stopped = 'skip';SELECT 1; x", r#"Skip Some("                     SELECT 1; x")"#),
            ("SET stopped\n = 'skip' /* ä */; ä", r#"Skip Some("           \n                   ä")"#),
            (
                "SET stopped = 'skip'; SET stopped = DEFAULT; SELECT",
                &format!("Fail Some({:?})", format!("{}SELECT", " ".repeat(45))),
            ),
            ("SELECT 1; SET stopped = 'skip'", r#"Fail Some("SELECT 1; SET stopped = 'skip'")"#),
            ("", r#"Fail Some("")"#),
        ] {
            assert_eq!(taken(sql), expected, "{sql}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_sets_nothing() {
        let values =
            "(what reads a stopped key fails and names it) or 'skip' (the rest comes, with a notice), not";
        for (sql, expected) in [
            ("SET", "line 1, column 1: a setting is written SET stopped = 'skip'".to_owned()),
            ("SET stopped", "line 1, column 1: a setting is written SET stopped = 'skip'".to_owned()),
            ("SET stopped = ", format!("line 1, column 13: stopped is 'fail' {values} nothing")),
            (
                "SET stopped = 'skip'; SET stopped = 1",
                format!("line 1, column 37: stopped is 'fail' {values} 1"),
            ),
            (
                "SET stopped = 'skip' SELECT 1",
                format!("line 1, column 15: stopped is 'fail' {values} 'skip' SELECT 1"),
            ),
            ("SET stopped 'skip'", "line 1, column 13: found 'skip': write SET stopped = 'skip'".to_owned()),
            (
                "SET read = 'stale'",
                "line 1, column 5: there is no setting read: there is stopped, 'fail' or 'skip'".to_owned(),
            ),
            (
                "SET TIME ZONE 'UTC'",
                "line 1, column 5: there is no setting TIME: there is stopped, 'fail' or 'skip'".to_owned(),
            ),
        ] {
            assert_eq!(taken(sql), expected, "{sql}");
        }
    }
}
