//! The database argument: a directory opened here, or a server.

use std::path::Path;

use recount::{Database, OpenOptions, OpenStoreError};
use recount_journal::OpenError;

use super::failure::Failure;
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
    /// Opens the database that `argument` names. A directory that a server holds is reached through it.
    pub(crate) fn open(argument: &str, create: bool) -> Result<Target, Failure> {
        if argument.starts_with("http://") {
            return Ok(Target::Remote(Remote::new(argument)));
        }
        match open_local(argument, create) {
            Ok(database) => Ok(Target::Local(database)),
            Err(OpenStoreError::Journal(OpenError::Locked { address: Some(address), .. })) => {
                Ok(Target::Remote(Remote::new(&address)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a directory; what only the process that opens it can do.
    pub(crate) fn open_directory(argument: &str, create: bool) -> Result<Database, Failure> {
        if argument.starts_with("http://") {
            return Err(Failure::usage("this needs the directory of the database, not the URL of a server"));
        }
        Ok(open_local(argument, create)?)
    }

    /// Closes it cleanly.
    pub(crate) fn close(self) -> Result<(), Failure> {
        match &self {
            Target::Local(database) => Ok(database.close()?),
            Target::Remote(_) => Ok(()),
        }
    }
}

/// A command that fails closes the database all the same: nothing is left to recover.
impl Drop for Target {
    fn drop(&mut self) {
        if let Target::Local(database) = self {
            let _ = database.close();
        }
    }
}

fn open_local(directory: &str, create: bool) -> Result<Database, OpenStoreError> {
    let options = OpenOptions { create, ..OpenOptions::default() };
    let database = Database::open_with(Path::new(directory), options)?;
    for note in database.store().notes() {
        eprintln!("recount: note: {note}");
    }
    Ok(database)
}
