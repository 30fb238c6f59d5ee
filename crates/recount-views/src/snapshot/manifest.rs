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

use recount_types::EntityId;

use super::lines::{Reader, Writer, hex, number};

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
        let mut lines = Writer::new();
        lines.line("recount snapshot", VERSION);
        lines.line("database", hex(&self.database));
        lines.line("entity", self.entity);
        lines.line("version", self.version);
        lines.line("position", self.position);
        lines.line("last", self.last);
        lines.line("append_time", self.append_time);
        lines.line("plan", hex(&self.plan));
        lines.line("closing", self.closing);
        lines.line("events", self.events);
        lines.line("events_before", self.events_before);
        lines.line("unfit", self.unfit);
        lines.line("rows", self.rows);
        lines.line("stopped", self.stopped);
        lines.line("lookup_time", self.lookup_time);
        lines.line("valid_from", self.valid_from);
        self.skipped.iter().for_each(|position| lines.line("skipped", position));
        self.parts.iter().for_each(|bytes| lines.line("part", bytes));
        lines.finish()
    }

    /// Reads it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Manifest, String> {
        let mut lines = Reader::new(bytes)?;
        if lines.line("recount snapshot")? != VERSION {
            return Err("is of an unknown version".to_owned());
        }
        let mut manifest = Manifest {
            database: lines.hex("database")?,
            entity: EntityId(lines.number("entity")?),
            version: lines.number("version")?,
            position: lines.number("position")?,
            last: lines.number("last")?,
            append_time: lines.number("append_time")?,
            plan: lines.hex("plan")?,
            closing: lines.number("closing")?,
            events: lines.number("events")?,
            events_before: lines.number("events_before")?,
            unfit: lines.number("unfit")?,
            rows: lines.number("rows")?,
            stopped: lines.number("stopped")?,
            lookup_time: lines.number("lookup_time")?,
            valid_from: lines.number("valid_from")?,
            skipped: Vec::new(),
            parts: Vec::new(),
        };
        while let Some(position) = lines.another("skipped") {
            manifest.skipped.push(number(position)?);
        }
        while let Some(bytes) = lines.another("part") {
            manifest.parts.push(number(bytes)?);
        }
        lines.end()?;
        Ok(manifest)
    }
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
