//! A test file that is read from its beginning to its end: words, texts, JSON and statements, and where each stands.

use std::fmt;

use serde_json::Value;

use crate::cli::sql::end_of_statement;

/// Where something stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// From 1.
    pub(super) line: u64,
    /// In characters, from 1.
    pub(super) column: u64,
}

impl Place {
    /// A place that is counted from this one, such as one in a statement that begins here.
    pub(super) fn within(self, inner: Place) -> Place {
        let column = if inner.line == 1 { self.column + inner.column - 1 } else { inner.column };
        Place { line: self.line + inner.line - 1, column }
    }
}

/// What is wrong with a file, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) at: Place,
    pub(super) what: String,
}

impl Malformed {
    pub(super) fn at(at: Place, what: impl Into<String>) -> Malformed {
        Malformed { at, what: what.into() }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.at.line, self.at.column, self.what)
    }
}

/// How far a file was read.
pub(super) struct Cursor<'a> {
    rest: &'a str,
    place: Place,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Cursor<'a> {
        Cursor { rest: text, place: Place { line: 1, column: 1 } }
    }

    /// Where it is.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next character.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// The next word in capital letters; empty if something else follows.
    pub(super) fn peek_word(&self) -> String {
        self.rest[..self.word_bytes()].to_ascii_uppercase()
    }

    /// What follows up to a space, shortened, for a message.
    pub(super) fn peek_shown(&self) -> String {
        let shown: String = self.rest.chars().take_while(|c| !c.is_whitespace()).take(40).collect();
        if shown.is_empty() { "the end of the file".to_owned() } else { shown }
    }

    fn word_bytes(&self) -> usize {
        self.rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        let lines = taken.matches('\n').count() as u64;
        let last = taken.rsplit('\n').next().unwrap_or(taken).chars().count() as u64;
        let column = if lines == 0 { self.place.column + last } else { last + 1 };
        self.place = Place { line: self.place.line + lines, column };
        self.rest = rest;
        taken
    }

    /// Passes over spaces and comments.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        loop {
            let spaces = self.rest.len() - self.rest.trim_start().len();
            self.take(spaces);
            if self.rest.starts_with("--") {
                self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                let end = self.rest[2..].find("*/");
                let end = end.ok_or_else(|| Malformed::at(self.place, "the comment has no end: write */"))?;
                self.take(end + 4);
            } else {
                return Ok(());
            }
        }
    }

    /// Passes over spaces, comments, and semicolons that end what needs none.
    pub(super) fn skip_to_step(&mut self) -> Result<(), Malformed> {
        self.skip()?;
        while self.rest.starts_with(';') {
            self.take(1);
            self.skip()?;
        }
        Ok(())
    }

    /// Takes a word if it is the next one.
    pub(super) fn eat(&mut self, word: &str) -> Result<bool, Malformed> {
        self.skip()?;
        let found = self.peek_word() == word;
        if found {
            self.take(self.word_bytes());
        }
        Ok(found)
    }

    /// Takes a word that must be the next one.
    pub(super) fn expect(&mut self, word: &str, behind: &str) -> Result<(), Malformed> {
        if self.eat(word)? {
            return Ok(());
        }
        let what = format!("found {}, expected {word} behind {behind}", self.peek_shown());
        Err(Malformed::at(self.place, what))
    }

    /// Takes everything up to a space or a `stop`.
    pub(super) fn until_space_or(&mut self, stop: Option<char>) -> &'a str {
        let ends = |c: char| c.is_whitespace() || c == ';' || Some(c) == stop;
        self.take(self.rest.find(ends).unwrap_or(self.rest.len()))
    }

    /// Takes one character, if it is the next.
    pub(super) fn eat_char(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.take(c.len_utf8());
        }
        found
    }

    /// Takes a text in single quotes; a quote in it is doubled. `what` says what it is, with an example.
    pub(super) fn quoted(&mut self, what: &str) -> Result<String, Malformed> {
        self.skip()?;
        let at = self.place;
        if !self.rest.starts_with('\'') {
            return Err(Malformed::at(at, format!("found {}, expected {what}", self.peek_shown())));
        }
        let mut text = String::new();
        let mut from = 1;
        while let Some(end) = self.rest[from..].find('\'') {
            text.push_str(&self.rest[from..from + end]);
            from += end + 1;
            if !self.rest[from..].starts_with('\'') {
                self.take(from);
                return Ok(text);
            }
            text.push('\'');
            from += 1;
        }
        Err(Malformed::at(at, "the text has no end: put a single quote behind it, and double those in it"))
    }

    /// Takes a JSON value, and its text as it stands there.
    pub(super) fn json(&mut self) -> Result<(Value, &'a str), Malformed> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        let next = values.next();
        let bytes = values.byte_offset();
        match next {
            Some(Ok(value)) => Ok((value, self.take(bytes))),
            Some(Err(error)) => {
                let inner = Place { line: error.line().max(1) as u64, column: error.column().max(1) as u64 };
                let text = error.to_string();
                let what = text.split(" at line ").next().unwrap_or(&text).to_owned();
                Err(Malformed::at(self.place.within(inner), format!("this is not JSON: {what}")))
            }
            None => Err(Malformed::at(self.place, "found the end of the file, expected JSON")),
        }
    }

    /// Takes a statement and its semicolon. `hint` says what to do if it has none.
    pub(super) fn statement(&mut self, hint: &str) -> Result<&'a str, Malformed> {
        let at = self.place;
        let no_end = || Malformed::at(at, format!("this statement has no end: {hint}"));
        let end = end_of_statement(self.rest).ok_or_else(no_end)?;
        // Nothing of SQL begins a line so: the semicolon found is another's.
        let is_other = |line: &str| {
            let line = line.trim_start();
            let quoted_after =
                |word: &str| line.strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with('\''));
            line.starts_with('{') || quoted_after("TEST") || quoted_after("AT")
        };
        if self.rest[..end].lines().skip(1).any(is_other) {
            return Err(no_end());
        }
        let text = self.take(end);
        self.take(1);
        Ok(text.trim_end())
    }
}

/// Whether the outermost query of a statement says in which order its rows come.
pub(super) fn is_ordered(query: &str) -> bool {
    let (mut rest, mut depth, mut last_was_order) = (Cursor::new(query), 0i32, false);
    loop {
        if rest.skip().is_err() {
            return false;
        }
        let word = rest.peek_word();
        if !word.is_empty() {
            if depth == 0 && last_was_order && word == "BY" {
                return true;
            }
            last_was_order = word == "ORDER";
            rest.take(rest.word_bytes());
            continue;
        }
        last_was_order = false;
        match rest.peek() {
            None => return false,
            Some(quote @ ('\'' | '"')) => {
                let end = rest.rest[1..].find(quote).map_or(rest.rest.len(), |end| end + 2);
                rest.take(end);
            }
            Some(other) => {
                depth += i32::from(other == '(') - i32::from(other == ')');
                rest.take(other.len_utf8());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters() {
        let mut cursor = Cursor::new("é '…''s' -- comment\n  /* two\nlines */ word");
        assert_eq!(cursor.eat("E"), Ok(false));
        assert!(cursor.eat_char('é'));
        assert_eq!(cursor.quoted("a text"), Ok("…'s".to_owned()));
        assert_eq!(cursor.place(), Place { line: 1, column: 9 });
        cursor.skip().unwrap();
        assert_eq!(cursor.place(), Place { line: 3, column: 10 });
        assert_eq!(cursor.place().within(Place { line: 1, column: 3 }), Place { line: 3, column: 12 });
        assert_eq!(cursor.place().within(Place { line: 2, column: 3 }), Place { line: 4, column: 3 });
        assert_eq!(cursor.peek_word(), "WORD");
    }

    #[test]
    fn only_the_outermost_order_counts() {
        for (query, ordered) in [
            ("SELECT a FROM t ORDER BY a", true),
            ("SELECT a FROM t order -- by\n by a", true),
            ("SELECT a FROM t", false),
            ("SELECT row_number() OVER (ORDER BY a) FROM t", false),
            ("SELECT 'ORDER BY' FROM t", false),
            ("SELECT \"ORDER BY\", 'it''s' FROM (SELECT 1 ORDER BY 1) /* ORDER BY */", false),
            ("WITH a AS (SELECT 1) SELECT * FROM a ORDER BY 1", true),
        ] {
            assert_eq!(is_ordered(query), ordered, "{query}");
        }
    }
}
