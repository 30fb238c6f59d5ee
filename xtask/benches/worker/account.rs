//! The entity that the benches fold: the balance of every account.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use recount_store::Store;
use recount_views::{Settings, Views};

pub(crate) const NAME: &str = "account";
pub(crate) const CREATE: &str = "CREATE ENTITY account FROM transactions \
                                 STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0) WHEN ANY THEN SET balance = balance + amount";
pub(crate) const REPLACE: &str = "CREATE OR REPLACE ENTITY account FROM transactions \
                                  STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0) WHEN ANY THEN SET balance = balance + amount";

/// Between two looks at how far it is.
const PAUSE: Duration = Duration::from_millis(2);

/// The entities of a database, this one among them: kept up to date from now on.
pub(crate) fn open(store: &Store) -> Result<Views> {
    let views = Views::open(store.clone(), recount_env::real::env(), Settings::default());
    if views.entities().is_empty() {
        views.execute(CREATE)?;
    }
    Ok(views)
}

/// Waits until the version that answers is where the database is.
pub(crate) fn catch_up(views: &Views, store: &Store) -> Result<()> {
    let version = version(views)?;
    let head = store.head().0;
    while views.progress(NAME, version)? < head {
        pause();
    }
    Ok(())
}

/// The version that answers.
pub(crate) fn version(views: &Views) -> Result<u32> {
    Ok(views.entity(NAME, None)?.version)
}

pub(crate) fn pause() {
    thread::sleep(PAUSE);
}
