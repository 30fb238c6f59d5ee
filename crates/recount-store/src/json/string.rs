//! Strings of JSON: what stands between the quotes, read and written.

use std::borrow::Cow;
use std::fmt::Write;

/// A text as a JSON string, quotes included; only what must be escaped is.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_quoted(&mut out, text);
    out
}

/// Adds a text as a JSON string.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        match special.as_bytes()[0] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
        rest = &special[1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// The text of a string, given what stands between its quotes, whose escapes were checked.
pub(crate) fn unescaped(inner: &str) -> Cow<'_, str> {
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        match read_escape(escape) {
            Some((character, after)) => {
                out.push(character);
                rest = after;
            }
            None => rest = escape,
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// What an escape stands for, and what follows it; `escape` begins behind the backslash. `None` if it is none, or
/// half of a surrogate pair.
pub(super) fn read_escape(escape: &str) -> Option<(char, &str)> {
    let (&kind, _) = escape.as_bytes().split_first()?;
    let character = match kind {
        b'"' | b'\\' | b'/' => char::from(kind),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let (high, rest) = read_hex(&escape[1..])?;
            if !(0xd800..0xdc00).contains(&high) {
                return Some((char::from_u32(high)?, rest));
            }
            let (low, rest) = read_hex(rest.strip_prefix("\\u")?)?;
            let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
            return Some((char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)?, rest));
        }
        _ => return None,
    };
    Some((character, &escape[1..]))
}

fn read_hex(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let value =
        digits.bytes().try_fold(0, |value, byte| Some(value * 16 + char::from(byte).to_digit(16)?))?;
    Some((value, rest))
}

/// The strings of a JSON array of strings, as [`push_quoted`] writes it, without white space; `None` for one that
/// is malformed, which is the last.
pub(crate) fn strings(array: &str) -> impl Iterator<Item = Option<Cow<'_, str>>> {
    let inner = array.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let mut rest = inner.unwrap_or("?");
    let mut first = true;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let item = if std::mem::take(&mut first) { Some(rest) } else { rest.strip_prefix(',') };
        let string = item.and_then(|item| item.strip_prefix('"')).and_then(split_string);
        rest = string.as_ref().map_or("", |(_, after)| after);
        Some(string.map(|(inner, _)| unescaped(inner)))
    })
}

/// What stands before the closing quote, its escapes checked, and what after it.
fn split_string(text: &str) -> Option<(&str, &str)> {
    let mut rest = text;
    loop {
        let at = rest.find(|c: char| c < ' ' || c == '"' || c == '\\')?;
        let special = &rest[at..];
        match special.as_bytes()[0] {
            b'"' => return Some((&text[..text.len() - special.len()], &special[1..])),
            b'\\' => rest = read_escape(&special[1..])?.1,
            _ => return None,
        }
    }
}
