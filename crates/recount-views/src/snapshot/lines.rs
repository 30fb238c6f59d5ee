//! Manifests as lines of text, `name value` each, in their order; the last one is a checksum of those before it.

use std::iter::Peekable;
use std::str::{FromStr, Lines};

/// Lines being written.
pub(super) struct Writer(String);

impl Writer {
    pub(super) fn new() -> Writer {
        Writer(String::new())
    }

    pub(super) fn line(&mut self, name: &str, value: impl ToString) {
        self.0 += &format!("{name} {}\n", value.to_string());
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let crc = crc32c::crc32c(self.0.as_bytes());
        format!("{}crc32c {crc:08x}\n", self.0).into_bytes()
    }
}

/// Lines being read.
pub(super) struct Reader<'a>(Peekable<Lines<'a>>);

impl<'a> Reader<'a> {
    /// Checks the checksum.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Reader<'a>, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is not text")?;
        let body = text.strip_suffix('\n').ok_or("does not end with its checksum line")?;
        let (lines, last) = text.split_at(body.rfind('\n').map_or(0, |at| at + 1));
        if last != format!("crc32c {:08x}\n", crc32c::crc32c(lines.as_bytes())) {
            return Err("fails its checksum".to_owned());
        }
        Ok(Reader(lines.lines().peekable()))
    }

    /// The value of the next line, which is to have this name.
    pub(super) fn line(&mut self, name: &str) -> Result<&'a str, String> {
        self.another(name).ok_or_else(|| format!("has no line {name:?} where it belongs"))
    }

    /// The value of the next line, if it has this name.
    pub(super) fn another(&mut self, name: &str) -> Option<&'a str> {
        let of = |line: &'a str| line.strip_prefix(name)?.strip_prefix(' ');
        let value = of(self.0.peek()?)?;
        self.0.next();
        Some(value)
    }

    /// The value of the next line as it is written in one way only.
    pub(super) fn number<T: FromStr + ToString>(&mut self, name: &str) -> Result<T, String> {
        number(self.line(name)?)
    }

    /// The same, of hexadecimal digits.
    pub(super) fn hex<const N: usize>(&mut self, name: &str) -> Result<[u8; N], String> {
        unhex(self.line(name)?)
    }

    /// No line may be left.
    pub(super) fn end(mut self) -> Result<(), String> {
        self.0.next().map_or(Ok(()), |line| Err(format!("has an unknown line {line:?}")))
    }
}

/// A value in its one spelling.
pub(super) fn number<T: FromStr + ToString>(text: &str) -> Result<T, String> {
    let value = text.parse::<T>().ok().filter(|value| value.to_string() == text);
    value.ok_or_else(|| format!("has {text:?} where a number belongs"))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let mut out = [0; N];
    for (at, byte) in out.iter_mut().enumerate() {
        let pair = text.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        *byte = pair.ok_or("has too few hexadecimal digits")?;
    }
    if hex(&out) == text { Ok(out) } else { Err("has other than hexadecimal digits".to_owned()) }
}
