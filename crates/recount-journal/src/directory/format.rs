//! FORMAT: what this directory is.

use std::path::Path;

use recount_env::Env;

use super::{field, hex, number, unhex};
use crate::error::OpenError;
use crate::text_file;

const NAME: &str = "FORMAT";

/// The contents of FORMAT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// The database's id, in every frame.
    pub database: [u8; 16],
    /// Key of the hashes in index filters; random, so that collisions cannot be prepared.
    pub hash_key: [u8; 16],
    /// Features that any version may ignore.
    pub compatible: u64,
    /// Features that a reader may ignore, but not a writer.
    pub read_only_compatible: u64,
    /// Features that nobody may ignore.
    pub incompatible: u64,
}

impl Format {
    /// A new database's.
    pub fn create(env: &Env) -> Format {
        Format {
            database: env.random(),
            hash_key: env.random(),
            compatible: 0,
            read_only_compatible: 0,
            incompatible: 0,
        }
    }

    fn lines(&self) -> String {
        format!(
            "recount format 1\ndatabase {}\nhash-key {}\ncompatible {}\nread-only-compatible {}\nincompatible {}\n",
            hex(&self.database),
            hex(&self.hash_key),
            self.compatible,
            self.read_only_compatible,
            self.incompatible
        )
    }

    fn parse(text: &str) -> Result<Format, String> {
        let mut lines = text.lines();
        let version = field(lines.next(), "recount format")?;
        if version != "1" {
            return Err(format!("format version {version}"));
        }
        let format = Format {
            database: unhex(field(lines.next(), "database")?, "database")?,
            hash_key: unhex(field(lines.next(), "hash-key")?, "hash-key")?,
            compatible: number(field(lines.next(), "compatible")?, "compatible")?,
            read_only_compatible: number(
                field(lines.next(), "read-only-compatible")?,
                "read-only-compatible",
            )?,
            incompatible: number(field(lines.next(), "incompatible")?, "incompatible")?,
        };
        match lines.next() {
            None => Ok(format),
            Some(_) => Err("has lines after its last".to_owned()),
        }
    }

    /// Reads it; `None` if there is none.
    pub async fn read(env: &Env, root: &Path) -> Result<Option<Format>, OpenError> {
        let path = root.join(NAME);
        let Some(text) = text_file::read(env, &path).await? else { return Ok(None) };
        let too_new = |what: String| OpenError::TooNew { file: path.clone(), what };
        let format = Format::parse(&text).map_err(|what| {
            if what.starts_with("format version") { too_new(what) } else { text_file::damaged(&path, what) }
        })?;
        if format.incompatible != 0 || format.read_only_compatible != 0 {
            return Err(too_new(format!(
                "incompatible features {:x}, read-only-compatible features {:x}",
                format.incompatible, format.read_only_compatible
            )));
        }
        Ok(Some(format))
    }

    /// Writes it: the last step of creating a database.
    pub async fn write(&self, env: &Env, root: &Path) -> Result<(), OpenError> {
        text_file::write(env, root, NAME, &self.lines()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_text_and_rejects() {
        let format = Format {
            database: [0xab; 16],
            hash_key: [1; 16],
            compatible: 1,
            read_only_compatible: 0,
            incompatible: 0,
        };
        let golden = "recount format 1\ndatabase abababababababababababababababab\nhash-key 01010101010101010101010101010101\ncompatible 1\nread-only-compatible 0\nincompatible 0\n";
        assert_eq!(format.lines(), golden);
        assert_eq!(Format::parse(golden), Ok(format));
        for (from, to) in [
            ("format 1", "format 2"),
            ("abab", "ABab"),
            ("compatible 1", "compatible 01"),
            ("compatible 1", "compatible"),
            ("incompatible 0\n", "incompatible 0\nmore\n"),
            ("hash-key 01", "hash-key "),
        ] {
            assert!(Format::parse(&golden.replacen(from, to, 1)).is_err(), "{from} → {to}");
        }
    }
}
