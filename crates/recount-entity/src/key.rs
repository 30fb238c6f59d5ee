//! Keys of entities: one or more values as bytes that sort as the values do. Snapshots have them
//! (docs/format-snapshot.md): the bytes never change.
//!
//! ```text
//!  value    1 tag  payload
//!  boolean  02     00 or 01
//!  integer  03     8 bytes, big-endian, the sign bit turned
//!  decimal  04     16 bytes, the same
//!  text     05     its bytes, 00 as 00 FF, then 00 00
//! ```

use std::borrow::Cow;
use std::fmt;

use recount_types::column::Value;

pub(crate) mod long;
pub(crate) mod words;

/// The tag of integers.
const INTEGER: u8 = 3;

/// Keys of up to so many bytes need no memory of their own.
const INLINE_BYTES: usize = 22;

/// A key.
#[derive(Clone)]
pub struct Key(Repr);

#[derive(Clone)]
enum Repr {
    Inline(u8, [u8; INLINE_BYTES]),
    Heap(Box<[u8]>),
}

/// A key that lies in a table.
#[derive(Clone, Copy)]
pub struct KeyRef<'a>(Place<'a>);

#[derive(Clone, Copy)]
enum Place<'a> {
    /// Up to 15 bytes, and their number in the last one.
    Short([u8; 16]),
    Long(&'a [u8]),
}

/// Bytes that are no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no key")]
pub struct BadKey;

impl Key {
    /// The key of these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Key {
        if bytes.len() > INLINE_BYTES {
            return Key(Repr::Heap(bytes.into()));
        }
        let mut inline = [0; INLINE_BYTES];
        inline[..bytes.len()].copy_from_slice(bytes);
        Key(Repr::Inline(bytes.len() as u8, inline))
    }

    /// The key of these values; `None` if one is null or a floating point number, of which there are no keys.
    pub fn of<'a>(values: impl IntoIterator<Item = Value<'a>>) -> Option<Key> {
        let mut bytes = Vec::new();
        for value in values {
            push(&mut bytes, &value)?;
        }
        Some(Key::from_bytes(&bytes))
    }

    /// Its bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(len, bytes) => &bytes[..usize::from(*len)],
            Repr::Heap(bytes) => bytes,
        }
    }

    /// Its values.
    pub fn values(&self) -> Result<Vec<Value<'static>>, BadKey> {
        values(self.as_bytes())
    }

    /// Memory beside the key itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline(..) => 0,
            Repr::Heap(bytes) => bytes.len(),
        }
    }
}

impl<'a> KeyRef<'a> {
    /// The key of up to 15 bytes, with their number in the last one.
    #[inline]
    pub(crate) fn short(bytes: [u8; 16]) -> KeyRef<'a> {
        KeyRef(Place::Short(bytes))
    }

    /// The key of these bytes.
    #[inline]
    pub(crate) fn long(bytes: &'a [u8]) -> KeyRef<'a> {
        KeyRef(Place::Long(bytes))
    }

    /// Its bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Place::Short(bytes) => &bytes[..usize::from(bytes[15])],
            Place::Long(bytes) => bytes,
        }
    }

    /// Its values.
    pub fn values(&self) -> Result<Vec<Value<'static>>, BadKey> {
        values(self.as_bytes())
    }

    /// The key, to be kept.
    pub fn to_key(&self) -> Key {
        Key::from_bytes(self.as_bytes())
    }
}

fn values(bytes: &[u8]) -> Result<Vec<Value<'static>>, BadKey> {
    let mut rest = bytes;
    let mut values = Vec::new();
    while let Some((&tag, after)) = rest.split_first() {
        let (value, after) = read(tag, after).ok_or(BadKey)?;
        values.push(value);
        rest = after;
    }
    Ok(values)
}

/// Adds a value to the bytes of a key; `None` if it cannot be part of one.
#[inline]
pub fn push(bytes: &mut Vec<u8>, value: &Value<'_>) -> Option<()> {
    match value {
        Value::Null | Value::Double(_) => return None,
        Value::Boolean(value) => bytes.extend([2, u8::from(*value)]),
        Value::Integer(value) => {
            let mut tagged = [INTEGER; 9];
            tagged[1..].copy_from_slice(&(*value ^ i64::MIN).to_be_bytes());
            bytes.extend_from_slice(&tagged);
        }
        Value::Decimal(value) => {
            bytes.push(4);
            bytes.extend((*value ^ i128::MIN).to_be_bytes());
        }
        Value::Text(text) => {
            bytes.push(5);
            for &byte in text.as_bytes() {
                bytes.push(byte);
                if byte == 0 {
                    bytes.push(0xFF);
                }
            }
            bytes.extend([0, 0]);
        }
    }
    Some(())
}

fn read(tag: u8, bytes: &[u8]) -> Option<(Value<'static>, &[u8])> {
    match tag {
        2 => {
            let (&[value], rest) = bytes.split_first_chunk()?;
            (value <= 1).then_some((Value::Boolean(value == 1), rest))
        }
        INTEGER => {
            let (value, rest) = bytes.split_first_chunk()?;
            Some((Value::Integer(i64::from_be_bytes(*value) ^ i64::MIN), rest))
        }
        4 => {
            let (value, rest) = bytes.split_first_chunk()?;
            Some((Value::Decimal(i128::from_be_bytes(*value) ^ i128::MIN), rest))
        }
        5 => {
            let mut text = Vec::new();
            let mut rest = bytes;
            loop {
                match rest {
                    [0, 0, after @ ..] => {
                        let text = String::from_utf8(text).ok()?;
                        return Some((Value::Text(Cow::Owned(text)), after));
                    }
                    [0, 0xFF, after @ ..] => {
                        text.push(0);
                        rest = after;
                    }
                    [0, ..] | [] => return None,
                    [byte, after @ ..] => {
                        text.push(*byte);
                        rest = after;
                    }
                }
            }
        }
        _ => None,
    }
}

impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Key) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl std::hash::Hash for Key {
    #[inline]
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write(self.as_bytes());
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(self.as_bytes(), f)
    }
}

impl PartialEq for KeyRef<'_> {
    #[inline]
    fn eq(&self, other: &KeyRef<'_>) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for KeyRef<'_> {}

impl PartialEq<Key> for KeyRef<'_> {
    #[inline]
    fn eq(&self, other: &Key) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl fmt::Debug for KeyRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(self.as_bytes(), f)
    }
}

fn debug(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match values(bytes) {
        Ok(values) => f.debug_tuple("Key").field(&values).finish(),
        Err(BadKey) => f.debug_tuple("Key").field(&bytes).finish(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_of_keys() {
        let of = |values: &[Value<'static>]| {
            let key = Key::of(values.iter().cloned()).unwrap();
            key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        assert_eq!(of(&[Value::Boolean(false)]), "0200");
        assert_eq!(of(&[Value::Integer(1)]), "038000000000000001");
        assert_eq!(of(&[Value::Integer(-1), Value::Boolean(true)]), "037fffffffffffffff0201");
        assert_eq!(of(&[Value::Decimal(-2)]), "047ffffffffffffffffffffffffffffffe");
        assert_eq!(of(&[Value::Text("a\0b".into()), Value::Integer(0)]), "056100ff620000038000000000000000");
        assert_eq!(Key::of([Value::Null]), None);
        assert_eq!(Key::of([Value::Integer(1), Value::Double(1.0)]), None);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bytes in [
            &[1][..],
            &[2],
            &[2, 2],
            &[3, 0],
            &[4, 0],
            &[5],
            &[5, 97],
            &[5, 0],
            &[5, 0, 1],
            &[5, 255, 0, 0],
            &[6],
        ] {
            assert_eq!(Key::from_bytes(bytes).values(), Err(BadKey), "{bytes:?}");
        }
    }

    fn value() -> impl Strategy<Value = Value<'static>> {
        prop_oneof![
            any::<bool>().prop_map(Value::Boolean),
            any::<i64>().prop_map(Value::Integer),
            any::<i128>().prop_map(Value::Decimal),
            "[\0ab\u{7f}ä]{0,30}".prop_map(|text| Value::Text(text.into())),
        ]
    }

    fn rank(value: &Value<'_>) -> (u8, i128, String) {
        match value {
            Value::Boolean(value) => (2, (*value).into(), String::new()),
            Value::Integer(value) => (3, (*value).into(), String::new()),
            Value::Decimal(value) => (4, *value, String::new()),
            Value::Text(text) => (5, 0, text.to_string()),
            Value::Null | Value::Double(_) => unreachable!("no key has one"),
        }
    }

    proptest! {
        #[test]
        fn keys_give_back_their_values_and_sort_as_they_do(
            a in prop::collection::vec(value(), 0..4),
            b in prop::collection::vec(value(), 0..4),
        ) {
            let (x, y) = (Key::of(a.iter().cloned()).unwrap(), Key::of(b.iter().cloned()).unwrap());
            prop_assert_eq!(x.values().unwrap(), a.clone());
            prop_assert_eq!(Key::from_bytes(x.as_bytes()), x.clone());
            let ranks = |values: &[Value<'static>]| values.iter().map(rank).collect::<Vec<_>>();
            prop_assert_eq!(x.cmp(&y), ranks(&a).cmp(&ranks(&b)));
        }
    }
}
