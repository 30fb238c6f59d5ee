//! The manifest of a snapshot: what it is of, and which parts it has. Written last: without it there is no snapshot.
//!
//! ```text
//!  recount snapshot 1                    lines of text, the last one a checksum of those before it
//!  database 6f0a…                        the database's id, hex
//!  entity 3
//!  version 1
//!  position 1048560                      every event up to here is folded
//!  last 1048560                          the last event of any topic up to there, and its append time, µs
//!  append_time 1702468800000000
//!  plan 01ab…                            what was folded, hashed (plan_hash.rs)
//!  closing false                         taken when the database was closed, and not by the count of events
//!  events 1048000                        of the topic in all; before the last mark (schedule.rs)
//!  events_before 983040
//!  unfit 0                               events that do not fit the topic's columns
//!  rows 1000                             those without a state too
//!  stopped 0
//!  lookup_time 1702468800000000          the greatest that a look-up was made for; none = -9223372036854775808
//!  valid_from 1702468800000000           no more than 64 rows have events, or look-ups, of later times
//!  skipped 77                            an event that is passed over; one line each, ascending
//!  part 35000000                         bytes of each part: the rows, then what each LOOKUP looks up
//!  crc32c 1a2b3c4d
//! ```

use std::str::FromStr;

use recount_types::EntityId;

/// The version of this form, and of the parts'.
const VERSION: &str = "1";
/// Larger manifests are not ours.
pub(super) const BYTES_MAX: u64 = 16 << 20;

/// What a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) database: [u8; 16],
    pub(crate) entity: EntityId,
    pub(crate) version: u32,
    pub(crate) position: u64,
    pub(crate) last: u64,
    pub(crate) append_time: i64,
    pub(crate) plan: [u8; 32],
    pub(crate) closing: bool,
    pub(crate) events: u64,
    pub(crate) events_before: u64,
    pub(crate) unfit: u64,
    pub(crate) rows: u64,
    pub(crate) stopped: u64,
    pub(crate) lookup_time: i64,
    pub(crate) valid_from: i64,
    pub(crate) skipped: Vec<u64>,
    pub(crate) parts: Vec<u64>,
}

impl Manifest {
    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let Manifest { entity, version, position, last, append_time, closing, events, events_before, .. } =
            self;
        let Manifest { unfit, rows, stopped, lookup_time, valid_from, .. } = self;
        let mut text = format!(
            "recount snapshot {VERSION}\ndatabase {}\nentity {entity}\nversion {version}\nposition {position}\nlast {last}\n\
             append_time {append_time}\nplan {}\nclosing {closing}\nevents {events}\nevents_before {events_before}\n\
             unfit {unfit}\nrows {rows}\nstopped {stopped}\nlookup_time {lookup_time}\nvalid_from {valid_from}\n",
            hex(&self.database),
            hex(&self.plan),
        );
        self.skipped.iter().for_each(|position| text += &format!("skipped {position}\n"));
        self.parts.iter().for_each(|bytes| text += &format!("part {bytes}\n"));
        text += &format!("crc32c {:08x}\n", crc32c::crc32c(text.as_bytes()));
        text.into_bytes()
    }

    /// Reads it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Manifest, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is not text")?;
        let body = text.strip_suffix('\n').ok_or("does not end with its checksum line")?;
        let (lines, last) = text.split_at(body.rfind('\n').map_or(0, |at| at + 1));
        if last != format!("crc32c {:08x}\n", crc32c::crc32c(lines.as_bytes())) {
            return Err("fails its checksum".to_owned());
        }
        let mut lines = lines.lines().peekable();
        let mut line = |name: &str| {
            let rest = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            rest.map(str::to_owned).ok_or_else(|| format!("has no line {name:?} where it belongs"))
        };
        if line("recount snapshot")? != VERSION {
            return Err("is of an unknown version".to_owned());
        }
        let mut manifest = Manifest {
            database: unhex(&line("database")?)?,
            entity: EntityId(number(&line("entity")?)?),
            version: number(&line("version")?)?,
            position: number(&line("position")?)?,
            last: number(&line("last")?)?,
            append_time: number(&line("append_time")?)?,
            plan: unhex(&line("plan")?)?,
            closing: number(&line("closing")?)?,
            events: number(&line("events")?)?,
            events_before: number(&line("events_before")?)?,
            unfit: number(&line("unfit")?)?,
            rows: number(&line("rows")?)?,
            stopped: number(&line("stopped")?)?,
            lookup_time: number(&line("lookup_time")?)?,
            valid_from: number(&line("valid_from")?)?,
            skipped: Vec::new(),
            parts: Vec::new(),
        };
        for line in lines {
            match line.split_once(' ') {
                Some(("skipped", position)) if manifest.parts.is_empty() => {
                    manifest.skipped.push(number(position)?);
                }
                Some(("part", bytes)) => manifest.parts.push(number(bytes)?),
                _ => return Err(format!("has an unknown line {line:?}")),
            }
        }
        Ok(manifest)
    }
}

/// A value in its one spelling.
fn number<T: FromStr + ToString>(text: &str) -> Result<T, String> {
    let value = text.parse::<T>().ok().filter(|value| value.to_string() == text);
    value.ok_or_else(|| format!("has {text:?} where a number belongs"))
}

fn hex(bytes: &[u8]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            database: [0xcd; 16],
            entity: EntityId(3),
            version: 2,
            position: 1_048_560,
            last: 1_048_560,
            append_time: 1_702_468_800_000_001,
            plan: [0xab; 32],
            closing: true,
            events: 1_048_000,
            events_before: 983_040,
            unfit: 5,
            rows: 1000,
            stopped: 1,
            lookup_time: i64::MIN,
            valid_from: -1,
            skipped: vec![7, 77],
            parts: vec![35_000, 200],
        }
    }

    #[test]
    fn golden_text() {
        let golden = "recount snapshot 1\ndatabase cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\nentity 3\nversion 2\n\
            position 1048560\nlast 1048560\nappend_time 1702468800000001\nplan \
            abababababababababababababababababababababababababababababababab\nclosing true\nevents 1048000\n\
            events_before 983040\nunfit 5\nrows 1000\nstopped 1\nlookup_time -9223372036854775808\nvalid_from -1\n\
            skipped 7\nskipped 77\npart 35000\npart 200\n";
        let bytes = manifest().encode();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(text, format!("{golden}crc32c {:08x}\n", crc32c::crc32c(golden.as_bytes())));
        assert_eq!(Manifest::decode(&bytes), Ok(manifest()));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let bytes = manifest().encode();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(Manifest::decode(&flipped).is_err(), "bit of byte {at}");
            assert!(Manifest::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
        let text = String::from_utf8(bytes).unwrap();
        for (from, to, why) in [
            ("snapshot 1", "snapshot 2", "is of an unknown version"),
            ("entity 3", "entity +3", "has \"+3\" where a number belongs"),
            ("closing true", "closing yes", "has \"yes\" where a number belongs"),
            ("database cdcd", "database cdcx", "has too few hexadecimal digits"),
            ("database cdcd", "database CDcd", "has other than hexadecimal digits"),
            ("version 2\n", "", "has no line \"version\" where it belongs"),
            ("skipped 77\npart 35000\n", "part 35000\nskipped 77\n", "has an unknown line \"skipped 77\""),
        ] {
            let lines = text.rsplit_once("crc32c").unwrap().0.replace(from, to);
            let forged = format!("{lines}crc32c {:08x}\n", crc32c::crc32c(lines.as_bytes()));
            assert_eq!(Manifest::decode(forged.as_bytes()), Err(why.to_owned()), "{from} -> {to}");
        }
    }
}
