//! `export`: events as JSON lines; `--salvage` of a database that cannot be opened.

use recount::{ReadRequest, Scope};

use super::failure::Failure;
use super::read::{Printer, all_over_http, parse_scope};
use super::target::Target;

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory or URL
    #[arg(value_name = "DB")]
    database: String,
    /// A topic or a stream; nothing = everything
    scope: Option<String>,
    /// Print what can be read of a damaged database, without opening it for writing; tells of damage on stderr
    #[arg(long)]
    salvage: bool,
}

/// Writes events to standard output.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.salvage {
        return super::inspect::salvage(&arguments.database, arguments.scope.as_deref());
    }
    Target::with(&arguments.database, false, |target| match target {
        Target::Local(database) => {
            let scope: Scope = parse_scope(arguments.scope.as_deref(), false)?;
            let mut printer = Printer::for_a_program();
            for event in database.read_with(ReadRequest::all(scope))? {
                printer.print(&event?)?;
            }
            printer.flush()
        }
        Target::Remote(remote) => all_over_http(remote, arguments.scope.as_deref()),
    })
}
