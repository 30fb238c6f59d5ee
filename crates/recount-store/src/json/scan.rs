//! The walk over a JSON text (RFC 8259): its syntax, its depth, its keys; and where the declared fields are.
//!
//! Stricter than the RFC where it leaves a choice: a key occurs once in an object, a string is valid Unicode.

use std::borrow::Cow;
use std::collections::BTreeSet;

use recount_types::limits::JSON_DEPTH_MAX;

use super::string::{read_escape, unescaped};
use crate::schema::{Column, EventDefinition};

/// A value as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Raw<'a> {
    /// `null`, or missing.
    Null,
    /// `true`.
    True,
    /// `false`.
    False,
    /// A number, verbatim.
    Number(&'a str),
    /// What stands between the quotes of a string.
    String(&'a str),
    /// An object or array, verbatim.
    Nested(&'a str),
}

/// Why a text is not JSON that we accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadJson {
    /// Not UTF-8.
    #[error("byte {at} is not UTF-8")]
    Utf8 {
        /// Byte, from 1.
        at: usize,
    },
    /// Something else belongs there.
    #[error("at byte {at}, found {found}, expected {expected}")]
    Expected {
        /// Byte, from 1.
        at: usize,
        /// What is there.
        found: String,
        /// What may be there.
        expected: &'static str,
    },
    /// A string is not text.
    #[error("the string that begins at byte {at} {what}")]
    String {
        /// Byte, from 1.
        at: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A key occurs twice in one object.
    #[error("the key {key:?} at byte {at} occurs twice in its object")]
    DuplicateKey {
        /// The key.
        key: String,
        /// Byte of the second, from 1.
        at: usize,
    },
    /// Nested too deeply.
    #[error("it is nested deeper than {JSON_DEPTH_MAX} levels, the limit")]
    Depth,
}

/// Checks that a payload is JSON.
pub(crate) fn validate(payload: &[u8]) -> Result<(), BadJson> {
    scan(payload, &[], &[]).map(drop)
}

/// Checks that a payload is JSON, and finds the values of `columns`, then those of the columns of `events`.
pub(crate) fn scan<'a>(
    payload: &'a [u8],
    columns: &[Column],
    events: &[EventDefinition],
) -> Result<Vec<Raw<'a>>, BadJson> {
    let text = std::str::from_utf8(payload).map_err(|error| BadJson::Utf8 { at: error.valid_up_to() + 1 })?;
    let count = columns.len() + events.iter().map(|event| event.columns.len()).sum::<usize>();
    let found = vec![Raw::Null; count];
    let mut scanner = Scanner { text, bytes: payload, at: 0, keys: Vec::new(), columns, events, found };
    scanner.whole(&Live::All(count)).map_err(|bad| *bad)?;
    Ok(scanner.found)
}

/// Reads a text that is one JSON value.
pub(crate) fn single(text: &str) -> Result<Raw<'_>, BadJson> {
    let bytes = text.as_bytes();
    let found = Vec::new();
    let mut scanner = Scanner { text, bytes, at: 0, keys: Vec::new(), columns: &[], events: &[], found };
    scanner.whole(&Live::All(0)).map_err(|bad| *bad)
}

/// What is found, or why not: in a box, so that what is found fits into registers.
type Scanned<T> = Result<T, Box<BadJson>>;

/// The paths that lead through the value at hand.
enum Live {
    /// The first so many: every one, at the top; none, where no path leads.
    All(usize),
    Some(Vec<usize>),
}

/// An object with more keys than this has them looked up in a tree.
const KEYS_COMPARED_MAX: usize = 24;

struct Scanner<'a, 'p> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// The keys of the objects that are open, those of the innermost last.
    keys: Vec<Cow<'a, str>>,
    columns: &'p [Column],
    events: &'p [EventDefinition],
    found: Vec<Raw<'a>>,
}

impl<'a, 'p> Scanner<'a, 'p> {
    fn whole(&mut self, live: &Live) -> Scanned<Raw<'a>> {
        let value = self.value(0, live)?;
        self.skip_space();
        if self.at < self.bytes.len() { Err(self.expected("the end")) } else { Ok(value) }
    }

    /// A value, `depth` containers deep.
    fn value(&mut self, depth: usize, live: &Live) -> Scanned<Raw<'a>> {
        self.skip_space();
        let start = self.at;
        match self.bytes.get(start) {
            Some(b'"') => self.string().map(|(inner, _)| Raw::String(inner)),
            Some(b'-' | b'0'..=b'9') => self.number().map(Raw::Number),
            Some(b'{') => {
                self.object(depth + 1, live)?;
                Ok(Raw::Nested(&self.text[start..self.at]))
            }
            Some(b'[') => {
                self.array(depth + 1)?;
                Ok(Raw::Nested(&self.text[start..self.at]))
            }
            Some(b't') => self.word("true", Raw::True),
            Some(b'f') => self.word("false", Raw::False),
            Some(b'n') => self.word("null", Raw::Null),
            _ => Err(self.expected("a value")),
        }
    }

    fn object(&mut self, depth: usize, live: &Live) -> Scanned<()> {
        if depth > JSON_DEPTH_MAX {
            return Err(Box::new(BadJson::Depth));
        }
        let first_key = self.keys.len();
        let mut many: Option<BTreeSet<Cow<'a, str>>> = None;
        self.at += 1;
        self.skip_space();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.skip_space();
            let key_at = self.at;
            if self.bytes.get(key_at) != Some(&b'"') {
                return Err(self.expected("a key in double quotes"));
            }
            let key = match self.string()? {
                (key, true) => unescaped(key),
                (key, false) => Cow::Borrowed(key),
            };
            let is_new = match &mut many {
                Some(many) => many.insert(key.clone()),
                None => !self.keys[first_key..].contains(&key),
            };
            if !is_new {
                let key = key.chars().take(80).collect();
                return Err(Box::new(BadJson::DuplicateKey { key, at: key_at + 1 }));
            }
            self.skip_space();
            if !self.take(b':') {
                return Err(self.expected("a colon"));
            }
            self.member(depth, &key, live)?;
            if many.is_none() {
                self.keys.push(key);
                if self.keys.len() - first_key > KEYS_COMPARED_MAX {
                    many = Some(self.keys.drain(first_key..).collect());
                }
            }
            self.skip_space();
            if self.take(b'}') {
                self.keys.truncate(first_key);
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.expected("a comma or a closing brace"));
            }
        }
    }

    /// The value of a key of an object `depth` containers deep; kept where a path ends here.
    fn member(&mut self, depth: usize, key: &str, live: &Live) -> Scanned<()> {
        let mut ending = None;
        let (mut more_ending, mut passing) = (Vec::new(), Vec::new());
        let mut sort = |at: usize, path: &[String]| {
            if path.get(depth - 1).is_none_or(|name| name != key) {
                return;
            }
            match path.len() == depth {
                true if ending.is_none() => ending = Some(at),
                true => more_ending.push(at),
                false => passing.push(at),
            }
        };
        match live {
            Live::All(0) => {}
            Live::All(_) => {
                let of_events = self.events.iter().flat_map(|event| &event.columns);
                self.columns
                    .iter()
                    .chain(of_events)
                    .enumerate()
                    .for_each(|(at, column)| sort(at, &column.path));
            }
            Live::Some(live) => live.iter().for_each(|&at| sort(at, self.path(at))),
        }
        let live = if passing.is_empty() { Live::All(0) } else { Live::Some(passing) };
        let value = self.value(depth, &live)?;
        for at in ending.into_iter().chain(more_ending) {
            self.found[at] = value;
        }
        Ok(())
    }

    fn path(&self, at: usize) -> &'p [String] {
        let of_events = self.events.iter().flat_map(|event| &event.columns);
        self.columns.iter().chain(of_events).nth(at).map_or(&[], |column| &column.path)
    }

    fn array(&mut self, depth: usize) -> Scanned<()> {
        if depth > JSON_DEPTH_MAX {
            return Err(Box::new(BadJson::Depth));
        }
        self.at += 1;
        self.skip_space();
        if self.take(b']') {
            return Ok(());
        }
        let none = Live::All(0);
        loop {
            self.value(depth, &none)?;
            self.skip_space();
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.expected("a comma or a closing bracket"));
            }
        }
    }

    /// What stands between the quotes of the string that begins here, and whether it has escapes.
    fn string(&mut self) -> Scanned<(&'a str, bool)> {
        let start = self.at + 1;
        let (mut at, mut has_escapes) = (start, false);
        let wrong = |what| Box::new(BadJson::String { at: start, what });
        loop {
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok((&self.text[start..at], has_escapes));
                }
                Some(b'\\') => {
                    has_escapes = true;
                    let after = read_escape(&self.text[at + 1..]).map(|(_, after)| after.len());
                    let after = after.ok_or_else(|| wrong("has an escape that stands for no character"))?;
                    at = self.bytes.len() - after;
                }
                Some(0..b' ') => return Err(wrong("has a control character: escape it")),
                Some(_) => at += 1,
                None => return Err(wrong("has no end")),
            }
        }
    }

    fn number(&mut self) -> Scanned<&'a str> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Scanned<()> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    fn word(&mut self, word: &str, value: Raw<'a>) -> Scanned<Raw<'a>> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_it = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(is_it);
        is_it
    }

    fn skip_space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    #[cold]
    fn expected(&self, expected: &'static str) -> Box<BadJson> {
        let found = self.text[self.at..].chars().next();
        let found = found.map_or_else(|| "the end".to_owned(), |character| format!("{character:?}"));
        Box::new(BadJson::Expected { at: self.at + 1, found, expected })
    }
}
