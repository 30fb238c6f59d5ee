//! Lists the frames of a closed database, one line of JSON each, for the rig that compares them with the
//! system calls that wrote them.

use std::path::PathBuf;

use anyhow::Result;
use recount_env::block_on;
use recount_journal::directory::Holder;
use recount_journal::{OpenMode, Recovery, Settings, TailDecision};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    dir: PathBuf,
}

/// Reads every frame; opens without starting, so nothing is written.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let env = recount_env::real::env();
    let holder = Holder { pid: std::process::id(), address: None };
    block_on(async {
        let recovery = Recovery::open(
            &env,
            &arguments.dir,
            Settings::default(),
            OpenMode::Open,
            &holder,
            TailDecision::Refuse,
        )
        .await?;
        let reader = recovery.reader();
        let Some(first) = reader.first() else { return Ok(()) };
        let mut frames = reader.frames(first);
        while let Some(frame) = frames.next().await? {
            println!(
                "{}",
                json!({
                    "file": frame.location.segment.file_name(),
                    "offset": frame.location.offset,
                    "length": frame.header.frame_bytes(),
                    "kind": frame.header.kind.name(),
                    "first_position": frame.header.first_position.0,
                    "count": frame.header.count,
                })
            );
        }
        Ok(())
    })
}
