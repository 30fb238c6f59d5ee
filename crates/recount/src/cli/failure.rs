//! Why a command failed, and with which exit code.

use std::io;

use recount::{AppendError, CloseError, DdlError, OpenStoreError, QueryError, ReadError, ViewError};
use recount_types::Kind;

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The reader of stdout went away.
    #[error("nobody reads the output any more")]
    BrokenPipe,
    /// Something in the words of whom it happened to, and its kind.
    #[error("{what}")]
    Of {
        /// What is wrong and what to do.
        what: String,
        /// What kind of failure it is.
        kind: Kind,
    },
}

impl Failure {
    /// A failure that is no conflict and no damage.
    pub(crate) fn new(what: impl Into<String>) -> Failure {
        Failure::Of { what: what.into(), kind: Kind::Unavailable }
    }

    /// Wrong use.
    pub(crate) fn usage(what: impl Into<String>) -> Failure {
        Failure::Of { what: what.into(), kind: Kind::Invalid }
    }

    /// 1 failed, 3 conflict, 4 corrupt. (2, usage, is clap's, and that of what only we can check.)
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::BrokenPipe => 0,
            Failure::Of { kind, .. } => match kind {
                Kind::Invalid => 2,
                Kind::Conflict => 3,
                Kind::Corrupt => 4,
                Kind::NotFound | Kind::Denied | Kind::Busy | Kind::Unavailable | Kind::Closed => 1,
            },
        }
    }

    /// The same with more words before it.
    pub(crate) fn context(self, before: &str) -> Failure {
        match self {
            Failure::Of { what, kind } => Failure::Of { what: format!("{before}: {what}"), kind },
            broken => broken,
        }
    }

    /// The same, where a command that it advises to run names the database.
    pub(crate) fn of_database(self, database: &str) -> Failure {
        const ADVICE: &str = "Look at it with recount why ";
        match self {
            Failure::Of { what, kind } => {
                let advice = format!("{ADVICE}{} ", shell_word(database));
                Failure::Of { what: what.replacen(ADVICE, &advice, 1), kind }
            }
            broken => broken,
        }
    }
}

/// A text as one word for a shell.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:[]".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// An error with its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

macro_rules! from_kind {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::Of { what: chain(&error), kind: error.kind() }
            }
        }
    )*};
}

from_kind!(AppendError, DdlError, OpenStoreError, QueryError, ReadError, ViewError);

impl From<CloseError> for Failure {
    fn from(error: CloseError) -> Failure {
        Failure::new(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::BrokenPipe
        } else {
            Failure::new(error.to_string())
        }
    }
}
