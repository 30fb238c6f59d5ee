//! The walk over a JSON text (RFC 8259): its syntax, its depth, its keys; and where the declared fields are.
//!
//! Stricter than the RFC where it leaves a choice: a key occurs once in an object, a string is valid Unicode.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::mem::take;

use recount_types::limits::JSON_DEPTH_MAX;

use super::paths::Paths;
use super::shape::{Member, Shape};
use super::string::{read_escape, unescaped};

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
    /// What stands between the quotes of a string, which has no escapes.
    String(&'a str),
    /// The same of one that has some.
    Escaped(&'a str),
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
    scan(payload, &Paths::default(), &mut Shape::default()).map(drop)
}

/// Checks that a payload is JSON, and finds the values of columns. `shape` is that of others of the same paths.
pub(crate) fn scan<'a>(payload: &'a [u8], paths: &Paths, shape: &mut Shape) -> Result<Vec<Raw<'a>>, BadJson> {
    let text = std::str::from_utf8(payload).map_err(|error| BadJson::Utf8 { at: error.valid_up_to() + 1 })?;
    let mut scanner = Scanner::new(text, paths, shape);
    scanner.whole(&Live::All).map_err(|bad| *bad)?;
    Ok(scanner.found)
}

/// Reads a text that is one JSON value.
pub(crate) fn single(text: &str) -> Result<Raw<'_>, BadJson> {
    let (paths, mut shape) = (Paths::default(), Shape::default());
    Scanner::new(text, &paths, &mut shape).whole(&NONE).map_err(|bad| *bad)
}

/// What is found, or why not: in a box, so that what is found fits into registers.
type Scanned<T> = Result<T, Box<BadJson>>;

/// The paths that lead through the value at hand.
enum Live {
    /// Every one, at the top.
    All,
    Some(Vec<usize>),
}

/// No path.
const NONE: Live = Live::Some(Vec::new());

/// The bit by which a key that leads to columns is remembered; none of those beyond the first ones.
fn bit_of(step: usize) -> u64 {
    u32::try_from(step).ok().and_then(|step| 1u64.checked_shl(step)).unwrap_or(0)
}

/// How many bytes come before the first one that ends a string, begins an escape or is a control character.
fn plain_bytes(sixteen: &[u8; 16]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    // The highest bit of each byte of `of` that is less than `than`, and perhaps of some behind the first of these.
    let less = |of: u64, than: u8| of.wrapping_sub(ONES * u64::from(than)) & !of & (ONES << 7);
    let special = |word: u64| {
        let is = |byte: u8| less(word ^ (ONES * u64::from(byte)), 1);
        less(word, b' ') | is(b'"') | is(b'\\')
    };
    let both = u128::from_le_bytes(*sixteen);
    let (first, second) = (special(both as u64), special((both >> 64) as u64));
    let bits = if first != 0 { first.trailing_zeros() } else { 64 + second.trailing_zeros() };
    (bits / 8) as usize
}

/// An object with more keys than this has them looked up in a tree.
const KEYS_COMPARED_MAX: usize = 24;

struct Scanner<'a, 'p> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// The keys of the objects that are open, those of the innermost last; but for those of the outermost that lead to columns.
    keys: Vec<Cow<'a, str>>,
    paths: &'p Paths,
    shape: &'p mut Shape,
    /// Which of the first of these occurred, a bit each, and which is expected next.
    seen: u64,
    next: usize,
    found: Vec<Raw<'a>>,
}

impl<'a, 'p> Scanner<'a, 'p> {
    fn new(text: &'a str, paths: &'p Paths, shape: &'p mut Shape) -> Scanner<'a, 'p> {
        let found = vec![Raw::Null; paths.len()];
        let (bytes, keys) = (text.as_bytes(), Vec::new());
        Scanner { text, bytes, at: 0, keys, paths, shape, seen: 0, next: 0, found }
    }

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
            Some(b'"') => self.string().map(|(inner, has_escapes)| match has_escapes {
                true => Raw::Escaped(inner),
                false => Raw::String(inner),
            }),
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
        let is_outermost = matches!(live, Live::All);
        let like = if is_outermost { self.like_shape()? } else { 0 };
        // Where the value before ended.
        let mut from = self.at;
        if like == 0 {
            self.at += 1;
        }
        self.skip_space();
        if self.take(b'}') {
            if like > 0 && like == self.shape.members().len() {
                self.shape.hit();
            }
            return Ok(());
        }
        if like > 0 && !self.take(b',') {
            return Err(self.expected("a comma or a closing brace"));
        }
        let mut learned = (is_outermost && self.shape.miss()).then(|| self.shape.members()[..like].to_vec());
        self.remember(like);
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
            let step = match live {
                Live::All => self.paths.find(&key, self.next),
                Live::Some(_) => None,
            };
            let bit = step.map_or(0, bit_of);
            let is_new = match &mut many {
                _ if bit != 0 => self.seen & bit == 0,
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
            if let Some(learned) = &mut learned {
                let literal = self.text[from..self.at].into();
                learned.push(Member { literal, key: (*key).into(), step });
            }
            match (step, live) {
                (Some(step), _) => self.outermost(step)?,
                (None, Live::Some(live)) if !live.is_empty() => self.member(depth, &key, live)?,
                _ => self.value(depth, &NONE).map(drop)?,
            }
            if bit != 0 {
                self.seen |= bit;
            } else if many.is_none() {
                self.keys.push(key);
                if self.keys.len() - first_key > KEYS_COMPARED_MAX {
                    many = Some(self.keys.drain(first_key..).collect());
                }
            }
            from = self.at;
            self.skip_space();
            if self.take(b'}') {
                self.keys.truncate(first_key);
                learned.into_iter().for_each(|learned| self.shape.learn(learned));
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.expected("a comma or a closing brace"));
            }
        }
    }

    /// Goes through the members of the outermost object as long as it looks like others; how many these are.
    fn like_shape(&mut self) -> Scanned<usize> {
        let shape = take(&mut *self.shape);
        let mut count = 0;
        let mut go_through = || {
            for Member { literal, step, .. } in shape.members() {
                if !self.bytes[self.at..].starts_with(literal.as_bytes()) {
                    break;
                }
                self.at += literal.len();
                match *step {
                    Some(step) => self.outermost(step)?,
                    None => self.value(1, &NONE).map(drop)?,
                }
                count += 1;
            }
            Ok(())
        };
        let done = go_through();
        *self.shape = shape;
        done.map(|()| count)
    }

    /// Remembers the keys of the first members of the shape, which occurred.
    fn remember(&mut self, count: usize) {
        for Member { key, step, .. } in &self.shape.members()[..count] {
            match step.map_or(0, bit_of) {
                0 => self.keys.push(Cow::Owned(key.to_string())),
                bit => self.seen |= bit,
            }
        }
    }

    /// The value of a key of the outermost object that leads to columns.
    fn outermost(&mut self, number: usize) -> Scanned<()> {
        self.next = number + 1;
        let step = self.paths.step(number);
        let value = match step.passing.as_slice() {
            [] => self.value(1, &NONE)?,
            passing => self.value(1, &Live::Some(passing.to_vec()))?,
        };
        step.ending.iter().for_each(|&column| self.found[column] = value);
        Ok(())
    }

    /// The value of a key of an object within that, `depth` containers deep; kept where a path ends here.
    fn member(&mut self, depth: usize, key: &str, live: &[usize]) -> Scanned<()> {
        let (mut ending, mut passing) = (Vec::new(), Vec::new());
        for &column in live {
            let path = self.paths.column(column);
            if path.get(depth - 1).is_some_and(|name| name == key) {
                if path.len() == depth { ending.push(column) } else { passing.push(column) }
            }
        }
        let value = self.value(depth, &Live::Some(passing))?;
        ending.into_iter().for_each(|column| self.found[column] = value);
        Ok(())
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
        loop {
            self.value(depth, &NONE)?;
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
            while let Some(sixteen) = self.bytes.get(at..).and_then(<[u8]>::first_chunk) {
                let plain = plain_bytes(sixteen);
                at += plain;
                if plain < sixteen.len() {
                    break;
                }
            }
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
