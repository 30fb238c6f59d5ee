//! The command line: one database argument everywhere, a directory or the URL of a server.

mod append;
mod bench;
mod build;
mod demo;
mod diff;
mod export;
mod failure;
mod import;
mod inspect;
mod interrupt;
mod lines;
mod read;
mod remote;
mod serve;
mod sql;
mod target;
mod test;
mod topic;
mod verify;
mod why;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use failure::Failure;

/// An event-sourcing database: every change is kept, every state is recomputed.
#[derive(Debug, Parser)]
#[command(name = "recount", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  recount demo bank
  recount topic bank.db create 'CREATE TOPIC transactions'
  echo '{\"accountId\": 1, \"amount\": -20.0}' | recount append bank.db transactions --key 1
  recount read bank.db transactions/1
  recount serve bank.db

DB is a directory, or the URL of a server such as http://127.0.0.1:7400.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a database over HTTP, to this machine only
    Serve(serve::Arguments),
    /// Append events: a JSON payload a line
    Append(append::Arguments),
    /// Read events of a stream, a topic, or everything
    Read(read::Arguments),
    /// List, show, create and drop topics
    Topic(topic::Arguments),
    /// Run SQL: from the command line, a file, standard input, or typed at a prompt
    Sql(sql::Arguments),
    /// Compare two versions of an entity: which keys differ, and at which step first
    Diff(diff::Arguments),
    /// Show how the row of an entity came to be: each event, the state before and after it, the rule, what was looked up
    Why(why::Arguments),
    /// Run tests of your own rules: given these events, then these rows
    Test(test::Arguments),
    /// Import a CSV or JSON lines file; run it again to go on where it stopped
    Import(import::Arguments),
    /// Write events as JSON lines
    Export(export::Arguments),
    /// Show in words what the files of a database hold, without changing anything
    Inspect(inspect::Arguments),
    /// Read everything and check it, the index against the journal too
    Verify(verify::Arguments),
    /// Measure durable appends on this machine
    Bench(bench::Arguments),
    /// Show what it does
    Demo(demo::Arguments),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Runs the command; its error is told and becomes the exit code.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("RECOUNT_LOG");
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| "warn".into()))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let done = match arguments.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Append(arguments) => append::run(&arguments),
        Command::Read(arguments) => read::run(&arguments),
        Command::Topic(arguments) => topic::run(&arguments),
        Command::Sql(arguments) => sql::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Why(arguments) => why::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "recount", &mut io::stdout());
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if interrupt::came() => ExitCode::from(interrupt::EXIT_CODE),
        // Whoever read our output has seen enough.
        Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "recount: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
