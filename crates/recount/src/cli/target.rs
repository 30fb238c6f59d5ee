//! The database argument: a directory opened here, or a server.

use std::path::Path;

use recount::{Database, OpenOptions, OpenStoreError};
use recount_journal::OpenError;

use super::failure::Failure;
use super::interrupt;
use super::remote::Remote;

/// A database to work on.
#[derive(Debug)]
pub(crate) enum Target {
    /// Opened by this process.
    Local(Database),
    /// Served by another.
    Remote(Remote),
}

impl Target {
    /// Works on the database that `argument` names, and closes it cleanly however the work ends. A directory that
    /// a server holds is reached through it.
    pub(crate) fn with(
        argument: &str,
        create: bool,
        work: impl FnOnce(&Target) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let work = |target: &Target| work(target).map_err(|failure| failure.of_database(argument));
        if argument.starts_with("http://") {
            return work(&Target::Remote(Remote::new(argument)));
        }
        match open(argument, create) {
            Ok(database) => closing(database, |database| work(&Target::Local(database))),
            Err(OpenStoreError::Journal(OpenError::Locked { address: Some(address), .. })) => {
                work(&Target::Remote(Remote::new(&address)))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Works on the database in a directory: what only the process that opens it can do.
pub(crate) fn with_directory(
    argument: &str,
    create: bool,
    work: impl FnOnce(&Database) -> Result<(), Failure>,
) -> Result<(), Failure> {
    directory(argument)?;
    closing(open(argument, create)?, |database| work(&database))
}

/// The directory that `argument` names, for those who look at the files.
pub(crate) fn directory(argument: &str) -> Result<&Path, Failure> {
    if argument.starts_with("http://") {
        return Err(Failure::usage("this needs the directory of the database, not the URL of a server"));
    }
    Ok(Path::new(argument))
}

/// Closes what the work leaves open: a command that fails leaves nothing to recover.
fn closing(database: Database, work: impl FnOnce(Database) -> Result<(), Failure>) -> Result<(), Failure> {
    interrupt::close_when_interrupted(database.clone());
    let done = work(database.clone());
    let closed = database.close();
    done?;
    Ok(closed?)
}

fn open(directory: &str, create: bool) -> Result<Database, OpenStoreError> {
    let options = OpenOptions { create, ..OpenOptions::default() };
    let database = Database::open_with(Path::new(directory), options)?;
    for note in database.store().notes() {
        eprintln!("recount: note: {note}");
    }
    Ok(database)
}
