//! Ctrl-C and SIGTERM while a command works on a directory: the database is closed, and nothing is left to recover.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use recount::Database;
use tokio::signal::unix::{SignalKind, signal};

/// The exit code of a command that was interrupted, as shells have it: 128 + SIGINT.
pub(super) const EXIT_CODE: u8 = 130;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// True once a signal came: that the database is closed is then no news.
pub(super) fn came() -> bool {
    INTERRUPTED.load(Ordering::Acquire)
}

/// Closes the database at a signal. Without it, a signal ends the process, and the next opening recovers.
pub(super) fn close_when_interrupted(database: Database) {
    when_interrupted(move || database.close().is_ok());
}

/// Waits for a signal beside the work; then does this, which says whether it went well, and ends the process.
pub(super) fn when_interrupted(then: impl FnOnce() -> bool + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let Ok(runtime) = runtime else { return };
    let signals = {
        let _context = runtime.enter();
        signal(SignalKind::interrupt())
            .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)))
    };
    let Ok((mut interrupt, mut terminate)) = signals else { return };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        INTERRUPTED.store(true, Ordering::Release);
        process::exit(if then() { EXIT_CODE.into() } else { 1 });
    });
}
