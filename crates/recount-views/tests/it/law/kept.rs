//! What a case does with snapshots: it loses and damages them, and compares them with those of another run.

use std::collections::BTreeMap;
use std::path::Path;

use recount_env::block_on;
use recount_views::Moment;

use super::run::{Case, Done};
use crate::support::{Bank, overwrite};

impl Case {
    /// Snapshots are lost, or damaged.
    pub(super) fn spoil(&mut self) -> Done {
        let bank = self.bank.as_ref().expect("it is open");
        for (path, mut bytes) in bank.files("db/snapshots") {
            let path = Path::new(&path);
            // The task beside may have removed it meanwhile, or just begun to write it.
            match self.rng.below(4) {
                0 => drop(block_on(bank.env.files.remove(path))),
                1 if !bytes.is_empty() => {
                    let at = self.rng.below(bytes.len());
                    bytes[at] ^= 1 << self.rng.below(8);
                    block_on(overwrite(&bank.env, path, &bytes));
                }
                _ => continue,
            }
            self.counts.spoiled += 1;
        }
        self.tell("-- snapshots spoiled");
        Ok(())
    }

    /// Another run over the same journal, without stops and without questions, leaves the same snapshots.
    pub(super) fn same_snapshots(&mut self) -> Done {
        let Some(bank) = self.bank.take() else { return Ok(()) };
        bank.views.close();
        let _ = block_on(bank.store.close());
        let (mine, journal): (BTreeMap<_, _>, BTreeMap<_, _>) =
            bank.files("db").into_iter().partition(|(path, _)| path.starts_with("db/snapshots/"));
        let other = Bank::of_files(&journal, bank.settings.clone());
        for versions in &self.entities {
            for version in 1..=versions.len() as u32 {
                let name = &versions[0].name;
                other
                    .views
                    .rows(name, Some(version), None, Moment::default())
                    .map_err(|error| error.to_string())?;
            }
        }
        other.views.close();
        let theirs = other.files("db/snapshots");
        other.close();
        for (path, manifest) in theirs.iter().filter(|(path, _)| path.ends_with(".manifest")) {
            // Taken on closing, or before an event was passed over: not of the same moment.
            let Some(found) = mine.get(path) else { continue };
            let lines = |bytes: &[u8], name: &str| {
                let text = String::from_utf8_lossy(bytes).into_owned();
                text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect::<Vec<_>>()
            };
            if ["closing", "skipped"].iter().any(|name| lines(found, name) != lines(manifest, name)) {
                continue;
            }
            let stem = path.trim_end_matches("manifest").trim_end_matches('.');
            for (path, bytes) in theirs.iter().filter(|(path, _)| path.starts_with(stem)) {
                self.counts.snapshots += 1;
                if mine.get(path) != Some(bytes) {
                    let text = |bytes: Option<&Vec<u8>>| {
                        bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                    };
                    return Err(format!(
                        "{path} is\n{:?}\nand in another run\n{:?}",
                        text(mine.get(path)),
                        text(Some(bytes))
                    ));
                }
            }
        }
        Ok(())
    }
}
