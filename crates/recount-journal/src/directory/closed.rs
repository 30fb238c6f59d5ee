//! CLOSED: the marker of a clean close. It says where the journal ends, so that whatever ends earlier is damaged.
//!
//! It counts only together with the manifest of its epoch. Every opening takes the next epoch before it writes, so a
//! marker that comes back after its removal, which may not have reached the disk, says nothing.

use std::path::Path;

use recount_env::Env;
use recount_types::{Epoch, Lsn};

use super::{field, hex, number, unhex};
use crate::error::OpenError;
use crate::segment::{Location, SegmentName};
use crate::text_file;

const NAME: &str = "CLOSED";

/// The contents of CLOSED.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The database's id.
    pub journal: [u8; 16],
    /// The manifest's epoch at the close.
    pub epoch: Epoch,
    /// The end of the last frame, a seal.
    pub end: Location,
    /// The last lsn used.
    pub last_lsn: Lsn,
}

impl Closed {
    fn lines(&self) -> String {
        format!(
            "recount closed 1\njournal {}\nepoch {}\nsegment {}\nend {}\nlast-lsn {}\n",
            hex(&self.journal),
            self.epoch.0,
            self.end.segment,
            self.end.offset,
            self.last_lsn.0
        )
    }

    fn parse(text: &str) -> Result<Closed, String> {
        let mut lines = text.lines();
        if field(lines.next(), "recount closed")? != "1" {
            return Err("is of an unknown version".to_owned());
        }
        let journal = unhex(field(lines.next(), "journal")?, "journal")?;
        let epoch = Epoch(number(field(lines.next(), "epoch")?, "epoch")?);
        let segment = SegmentName::parse(field(lines.next(), "segment")?).ok_or("names no segment")?;
        let offset = number(field(lines.next(), "end")?, "end")?;
        let last_lsn = Lsn(number(field(lines.next(), "last-lsn")?, "last-lsn")?);
        match lines.next() {
            None => Ok(Closed { journal, epoch, end: Location { segment, offset }, last_lsn }),
            Some(_) => Err("has lines after its last".to_owned()),
        }
    }

    /// Reads the marker of a close in `epoch`, the manifest's; `None` if there is none.
    pub async fn read(env: &Env, journal: &Path, epoch: Epoch) -> Result<Option<Closed>, OpenError> {
        let path = journal.join(NAME);
        let Some(text) = text_file::read(env, &path).await? else { return Ok(None) };
        let closed = Closed::parse(&text).map_err(|what| text_file::damaged(&path, what))?;
        if closed.epoch > epoch {
            let what = format!("tells of epoch {}, but the manifest knows none after {epoch}", closed.epoch);
            return Err(text_file::damaged(&path, what));
        }
        Ok(Some(closed).filter(|closed| closed.epoch == epoch))
    }

    /// Writes it: the last step of a clean close.
    pub async fn write(&self, env: &Env, journal: &Path) -> Result<(), OpenError> {
        text_file::write(env, journal, NAME, &self.lines()).await
    }

    /// Removes it, once a manifest of a later epoch is durable.
    pub async fn remove(env: &Env, journal: &Path) -> Result<(), OpenError> {
        let path = journal.join(NAME);
        match env.files.remove(&path).await {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(OpenError::io(format!("remove {}", path.display())))?,
        }
        env.files.sync_dir(journal).await.map_err(OpenError::io(format!("sync {}", journal.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_text_and_rejects() {
        let segment = SegmentName { first_lsn: Lsn(9), epoch: Epoch(2) };
        let closed = Closed {
            journal: [0xef; 16],
            epoch: Epoch(3),
            end: Location { segment, offset: 640 },
            last_lsn: Lsn(12),
        };
        let golden = "recount closed 1\njournal efefefefefefefefefefefefefefefef\nepoch 3\nsegment 00000000000000000009-0000000002\nend 640\nlast-lsn 12\n";
        assert_eq!(closed.lines(), golden);
        assert_eq!(Closed::parse(golden), Ok(closed));
        for (from, to) in
            [("closed 1", "closed 2"), ("end 640", "end -1"), ("last-lsn 12\n", "last-lsn 12\nx y\n")]
        {
            assert!(Closed::parse(&golden.replacen(from, to, 1)).is_err(), "{from} → {to}");
        }
    }
}
