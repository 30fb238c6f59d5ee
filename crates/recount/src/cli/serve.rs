//! `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use recount::OpenOptions;
use recount_server::{Settings, serve};

use super::failure::Failure;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the database; created if it is empty or absent
    #[arg(value_name = "DB")]
    directory: PathBuf,
    /// Where to listen; only loopback addresses until there is security
    #[arg(long, env = "RECOUNT_LISTEN", default_value = "127.0.0.1:7400")]
    listen: SocketAddr,
    /// Memory for the rows of all entities and views together, and what views need to keep theirs, in MiB
    #[arg(long, env = "RECOUNT_ENTITY_MEMORY", default_value_t = 2048, value_parser = clap::value_parser!(u16).range(1..))]
    entity_memory: u16,
    /// Memory that all queries together may take for sorting, grouping and joining, and for views over time, in MiB
    #[arg(long, env = "RECOUNT_QUERY_MEMORY", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    query_memory: u16,
    /// If the last group of the journal is damaged and may not have been acknowledged: drop it
    #[arg(long)]
    accept_tail_loss: bool,
    /// Accept that the clock jumped ahead since the database was last written
    #[arg(long)]
    accept_clock: bool,
}

/// Serves until it is told to stop.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let options = OpenOptions {
        accept_tail_loss: arguments.accept_tail_loss,
        accept_clock: arguments.accept_clock,
        ..OpenOptions::default()
    };
    let mut settings = Settings::new(&arguments.directory);
    settings.listen = arguments.listen;
    settings.options = options;
    settings.query.memory_bytes = usize::from(arguments.query_memory) << 20;
    settings.views.entity_bytes = usize::from(arguments.entity_memory) << 20;
    let directory = arguments.directory.display().to_string();
    let on_ready = |address| {
        crate::allocator::give_back();
        crate::allocator::keep_for_a_while();
        eprintln!("recount: serving {directory} at http://{address}");
    };
    serve(settings, on_ready).map_err(|error| Failure::Of { kind: error.kind(), what: error.to_string() })
}
