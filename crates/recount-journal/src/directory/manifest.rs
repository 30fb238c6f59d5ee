//! The manifest: which files are the journal. A segment that is not listed is a leftover; a listed one that
//! is missing is corruption.
//!
//! The last segment listed may be *planned*: created and listed shortly before its first frame is written,
//! so that a roll costs no directory operation. It may still read as zeros, and of its prologue and first frame,
//! which are one write, nothing is proven until a second frame is there.

use std::path::{Path, PathBuf};

use recount_env::Env;
use recount_types::Epoch;
use recount_types::number::NUMBER_MAX;

use super::{field, hex, number, unhex};
use crate::error::OpenError;
use crate::segment::SegmentName;
use crate::text_file;

/// A segment as listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: SegmentName,
    /// The size of its file.
    pub bytes: u64,
    /// It was listed before its prologue was written. Otherwise its prologue was durable before it was listed.
    pub planned: bool,
}

/// One version of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its own number; the highest is the current one.
    pub number: u64,
    /// The database's id.
    pub journal: [u8; 16],
    /// The latest opening for writing.
    pub epoch: Epoch,
    /// The segments, oldest first.
    pub segments: Vec<Listed>,
}

impl Manifest {
    fn lines(&self) -> String {
        let mut text =
            format!("recount manifest 1\njournal {}\nepoch {}\n", hex(&self.journal), self.epoch.0);
        for segment in &self.segments {
            let kind = if segment.planned { "planned" } else { "segment" };
            text += &format!("{kind} {} {}\n", segment.name, segment.bytes);
        }
        text
    }

    fn parse(number_in_name: u64, text: &str) -> Result<Manifest, String> {
        let mut lines = text.lines();
        if field(lines.next(), "recount manifest")? != "1" {
            return Err("is of an unknown version".to_owned());
        }
        let journal = unhex(field(lines.next(), "journal")?, "journal")?;
        let epoch = Epoch(number(field(lines.next(), "epoch")?, "epoch")?);
        let mut segments: Vec<Listed> = Vec::new();
        for line in lines {
            let planned = line.starts_with("planned ");
            let kind = if planned { "planned" } else { "segment" };
            let (name, bytes) = field(Some(line), kind)?.split_once(' ').unwrap_or_default();
            let name = SegmentName::parse(name).ok_or("has a segment line without a segment's name")?;
            if segments.last().is_some_and(|last| last.name >= name || last.planned) {
                return Err("lists segments out of order".to_owned());
            }
            if name.epoch > epoch {
                return Err("lists a segment of a later epoch than its own".to_owned());
            }
            segments.push(Listed { name, bytes: number(bytes, kind)?, planned });
        }
        Ok(Manifest { number: number_in_name, journal, epoch, segments })
    }

    fn file_name(number: u64) -> String {
        format!("MANIFEST-{number:010}")
    }

    fn number_of(file_name: &str) -> Option<u64> {
        let number = file_name.strip_prefix("MANIFEST-")?.parse().ok()?;
        (Manifest::file_name(number) == file_name && number <= NUMBER_MAX).then_some(number)
    }

    /// The path of this version's file.
    pub fn path(&self, journal: &Path) -> PathBuf {
        journal.join(Manifest::file_name(self.number))
    }

    /// Reads the current one: the highest number. It is never replaced by an older one: if it is damaged, that is corruption.
    pub async fn read_current(env: &Env, journal: &Path) -> Result<Option<Manifest>, OpenError> {
        let names = match env.files.list(journal).await {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(OpenError::io(format!("list {}", journal.display())))?,
        };
        let Some(number) = names.iter().filter_map(|n| Manifest::number_of(n)).max() else { return Ok(None) };
        let path = journal.join(Manifest::file_name(number));
        let text = text_file::read(env, &path).await?;
        let text = text.ok_or_else(|| text_file::damaged(&path, "disappeared while opening"))?;
        Manifest::parse(number, &text).map(Some).map_err(|what| text_file::damaged(&path, what))
    }

    /// Writes this version, durably, then removes the version before it.
    pub async fn write(&self, env: &Env, journal: &Path) -> Result<(), OpenError> {
        text_file::write(env, journal, &Manifest::file_name(self.number), &self.lines()).await?;
        if let Some(before) = self.number.checked_sub(1) {
            // Best effort: a leftover older version is never read, and opening removes it.
            let _ = env.files.remove(&journal.join(Manifest::file_name(before))).await;
        }
        Ok(())
    }

    /// The files in the journal's directory that are not the journal's: older manifests, unlisted segments, temporaries.
    pub async fn leftovers(&self, env: &Env, journal: &Path) -> Result<Vec<PathBuf>, OpenError> {
        let names =
            env.files.list(journal).await.map_err(OpenError::io(format!("list {}", journal.display())))?;
        let listed = |name: &str| self.segments.iter().any(|s| s.name.file_name() == name);
        let ours = |name: &str| {
            name.ends_with(".tmp")
                || Manifest::number_of(name).is_some_and(|n| n < self.number)
                || (name.strip_suffix(".journal").and_then(SegmentName::parse).is_some() && !listed(name))
        };
        Ok(names.iter().filter(|name| ours(name)).map(|name| journal.join(name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use recount_types::Lsn;

    use super::*;

    #[test]
    fn golden_text_and_rejects() {
        let name = |lsn, epoch| SegmentName { first_lsn: Lsn(lsn), epoch: Epoch(epoch) };
        let manifest = Manifest {
            number: 4,
            journal: [0xcd; 16],
            epoch: Epoch(2),
            segments: vec![
                Listed { name: name(1, 1), bytes: 4096, planned: false },
                Listed { name: name(9, 2), bytes: 8192, planned: true },
            ],
        };
        let golden = "recount manifest 1\njournal cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\nepoch 2\nsegment 00000000000000000001-0000000001 4096\nplanned 00000000000000000009-0000000002 8192\n";
        assert_eq!(manifest.lines(), golden);
        assert_eq!(Manifest::parse(4, golden), Ok(manifest));
        for (from, to) in [
            ("manifest 1", "manifest 2"),
            ("epoch 2", "epoch x"),
            (" 4096", ""),
            (" 4096", " 04096"),
            ("00000009-0000000002", "00000001-0000000001"),
            ("segment 0", "segments 0"),
            ("segment 0", "planned 0"),
            ("epoch 2", "epoch 1"),
            ("epoch 2", "epoch 18446744073709551615"),
            ("00000000009-", "00000000000-"),
        ] {
            assert!(Manifest::parse(4, &golden.replacen(from, to, 1)).is_err(), "{from} → {to}");
        }
        assert_eq!(Manifest::number_of("MANIFEST-0000000007"), Some(7));
        assert_eq!(Manifest::number_of("MANIFEST-7"), None);
        assert_eq!(Manifest::number_of("MANIFEST-18446744073709551615"), None, "there is no number after it");
    }
}
