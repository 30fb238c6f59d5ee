//! Waits until a version of an entity has folded everything that there is, with its progress.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use recount::Database;

use super::failure::Failure;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until the version answers. A key that stopped does not hold it up.
pub(super) fn wait(database: &Database, entity: &str, version: u32) -> Result<(), Failure> {
    let head = database.head().0;
    let bar = if io::stderr().is_terminal() { ProgressBar::new(head) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{bar:40} position {pos} of {len}  {per_sec}  {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    loop {
        let position = database.views().progress(entity, version)?;
        bar.set_position(position);
        if position >= head && database.views().entity(entity, None)?.version >= version {
            bar.finish_and_clear();
            return Ok(());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
