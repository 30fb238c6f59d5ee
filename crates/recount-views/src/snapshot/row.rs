//! Rows as they lie in a snapshot, and the rows that are looked up.
//!
//! ```text
//!  row      flags 1 │ varint position │ zigzag event time │ [zigzag greatest time of a look-up] │ varint events
//!           [varint position, text: where and why it stopped] │ [cells of the state]
//!  flags    1 it has a state │ 2 it stopped │ 4 something was looked up
//!  looked   cells                                  of one row that is looked up; its key is the key, time, position
//!  cell     0 none │ 1 false │ 2 true │ 3 zigzag integer │ 4 varint: low half, high half of a zigzag decimal
//!           5 double, 8 bytes │ 6 text
//!  text     varint length │ bytes
//! ```
//!
//! The state of a row without one is that before the first event, and is not written. Nothing is trusted when it is
//! read: a cell that its column cannot hold is damage.

use recount_entity::expr::Datum;
use recount_entity::fold::StateColumn;
use recount_entity::key::Key;
use recount_entity::table::{Row, SavedRow, State, Stopped};
use recount_types::column::{Form, Value};
use recount_types::varint::{put_i64, put_u64, take_i64, take_u64};

use super::part::take_bytes;

const PRESENT: u8 = 1;
const STOPPED: u8 = 2;
const LOOKED_UP: u8 = 4;
/// No time: nothing was looked up, or no event was seen.
const NO_TIME: i64 = i64::MIN;

/// Adds the bytes of a row.
pub(super) fn put_row(out: &mut Vec<u8>, row: &Row<'_>, state: State<'_>) {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    out.push(
        flag(row.present, PRESENT)
            | flag(row.stopped.is_some(), STOPPED)
            | flag(row.lookup_time != NO_TIME, LOOKED_UP),
    );
    put_u64(out, row.position);
    put_i64(out, row.event_time);
    if row.lookup_time != NO_TIME {
        put_i64(out, row.lookup_time);
    }
    put_u64(out, row.events);
    if let Some(stopped) = row.stopped {
        put_u64(out, stopped.position);
        put_text(out, &stopped.reason);
    }
    if row.present {
        state.iter().for_each(|value| put_cell(out, &value));
    }
}

/// Reads a row; `defaults` is the state of one that has none.
pub(super) fn read_row(
    key: &[u8],
    mut bytes: &[u8],
    columns: &[StateColumn],
    defaults: &[Value<'static>],
) -> Option<SavedRow> {
    let rest = &mut bytes;
    let (&flags, after) = rest.split_first()?;
    *rest = after;
    let position = take_u64(rest).ok()?;
    let event_time = take_i64(rest).ok()?;
    let lookup_time = if flags & LOOKED_UP == 0 { NO_TIME } else { take_i64(rest).ok()? };
    let events = take_u64(rest).ok()?;
    let stopped = if flags & STOPPED == 0 {
        None
    } else {
        let position = take_u64(rest).ok()?;
        Some(Stopped { position, reason: take_text(rest)? })
    };
    let present = flags & PRESENT != 0;
    let mut state = defaults.to_vec();
    if present {
        for (cell, column) in state.iter_mut().zip(columns) {
            let value = take_cell(rest)?;
            let kept = column.value(Datum::from(value.borrowed())).ok()?;
            if kept != value && !matches!(value, Value::Double(_)) {
                return None;
            }
            *cell = value;
        }
    }
    let known = flags & !(PRESENT | STOPPED | LOOKED_UP) == 0;
    let whole = known && rest.is_empty() && Key::from_bytes(key).values().is_ok();
    whole.then_some(SavedRow { present, stopped, position, event_time, lookup_time, events, state })
}

/// Adds the bytes of a row that is looked up.
pub(super) fn put_looked_up(out: &mut Vec<u8>, values: &[Value<'static>]) {
    values.iter().for_each(|value| put_cell(out, value));
}

/// Reads a row that is looked up, of columns of these forms.
pub(super) fn read_looked_up(mut bytes: &[u8], forms: &[Form]) -> Option<Box<[Value<'static>]>> {
    let values: Option<Box<[_]>> = forms
        .iter()
        .map(|&form| take_cell(&mut bytes).filter(|value| value.is_null() || form_of(value) == Some(form)))
        .collect();
    values.filter(|_| bytes.is_empty())
}

/// The key that a row which is looked up has in a part: its own, then its time and position, so that they sort.
pub(super) fn looked_up_key(key: &Key, time: i64, position: u64) -> Vec<u8> {
    let mut bytes = key.as_bytes().to_vec();
    bytes.extend_from_slice(&(time ^ i64::MIN).to_be_bytes());
    bytes.extend_from_slice(&position.to_be_bytes());
    bytes
}

/// What a key of a part says: the row's own, its time, its position.
pub(super) fn read_looked_up_key(bytes: &[u8]) -> Option<(Key, i64, u64)> {
    let (rest, position) = bytes.split_last_chunk()?;
    let (key, time) = rest.split_last_chunk()?;
    let key = Key::from_bytes(key);
    key.values().ok()?;
    Some((key, i64::from_be_bytes(*time) ^ i64::MIN, u64::from_be_bytes(*position)))
}

fn form_of(value: &Value<'_>) -> Option<Form> {
    Some(match value {
        Value::Null => return None,
        Value::Boolean(_) => Form::Boolean,
        Value::Integer(_) => Form::Integer,
        Value::Decimal(_) => Form::Decimal,
        Value::Double(_) => Form::Double,
        Value::Text(_) => Form::Text,
    })
}

fn put_cell(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => out.push(0),
        Value::Boolean(value) => out.push(1 + u8::from(*value)),
        Value::Integer(value) => {
            out.push(3);
            put_i64(out, *value);
        }
        Value::Decimal(value) => {
            out.push(4);
            let zigzag = (value << 1 ^ value >> 127) as u128;
            put_u64(out, zigzag as u64);
            put_u64(out, (zigzag >> 64) as u64);
        }
        Value::Double(value) => {
            out.push(5);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Value::Text(text) => {
            out.push(6);
            put_text(out, text);
        }
    }
}

fn take_cell(rest: &mut &[u8]) -> Option<Value<'static>> {
    let (&tag, after) = rest.split_first()?;
    *rest = after;
    Some(match tag {
        0 => Value::Null,
        1 | 2 => Value::Boolean(tag == 2),
        3 => Value::Integer(take_i64(rest).ok()?),
        4 => {
            let zigzag = u128::from(take_u64(rest).ok()?) | u128::from(take_u64(rest).ok()?) << 64;
            Value::Decimal((zigzag >> 1) as i128 ^ -((zigzag & 1) as i128))
        }
        5 => {
            let (bits, after) = rest.split_first_chunk()?;
            *rest = after;
            Value::Double(f64::from_bits(u64::from_le_bytes(*bits)))
        }
        6 => Value::Text(take_text(rest)?.into()),
        _ => return None,
    })
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_u64(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    String::from_utf8(take_bytes(rest)?.to_vec()).ok()
}

#[cfg(test)]
mod tests;
