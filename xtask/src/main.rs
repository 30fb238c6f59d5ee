//! The project's commands: `cargo xtask` lists them, one file each. This program only starts other
//! programs and looks at files; it depends on no other crate of the workspace, so that it runs while
//! they do not compile. What is measured or killed lives in `benches/worker`.

mod api;
mod bench;
mod check;
mod demo;
mod dice;
mod duckdb;
mod fuzz;
mod interest;
mod law;
mod mutants;
mod nexmark;
mod real;
mod rigs;
mod run;
mod sim;
mod slt;
mod test;
mod tidy;
mod written;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's commands", version)]
struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Everything that must hold: check, all tests, smoke runs of interest, NEXMark and the simulation. CI runs exactly this
    Test(test::Arguments),
    /// Formatting, lints, tidy, licences
    Check,
    /// Architecture, bans, size of files, licences, doubled dependencies, drift of the documents
    Tidy,
    /// Simulate the store on a faulty machine, from seeds
    Sim(sim::Arguments),
    /// Random entities and events, held against a naive evaluator, from seeds
    Law(law::Arguments),
    /// Random expressions, in rules and in queries, held against DuckDB (Python 3 with venv, PyPI)
    Duckdb(duckdb::Arguments),
    /// Interest that a bank pays, to the cent, held against a script with exact fractions (Python 3)
    Interest(interest::Arguments),
    /// NEXMark's queries as views, held against the same queries asked ad hoc
    Nexmark(nexmark::Arguments),
    /// Measure beside a peer, against a bar
    Bench(bench::Arguments),
    /// A real bank's transactions, held against the bank's own figures
    Real(real::Arguments),
    /// Queries that DataFusion publishes with their answers, ad hoc and as views over data that comes in epochs (curl, tar, crates.io, GitHub)
    Slt(slt::Arguments),
    /// The real kernel: kill, EIO and ENOSPC at every call; failing disk; power cuts; full disk (root)
    Rigs(rigs::Arguments),
    /// Requests made from the OpenAPI description, valid and not, to a running server (Python 3, pip)
    Api(api::Arguments),
    /// Feed decoders with what nobody would send (nightly compiler)
    Fuzz(fuzz::Arguments),
    /// Change the code in small ways and see whether its tests notice
    Mutants(mutants::Arguments),
    /// `recount demo bank`, built for speed
    Demo(demo::Arguments),
}

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> anyhow::Result<()> {
    match Arguments::parse().task {
        None => {
            println!("{}", Arguments::command().render_help());
            Ok(())
        }
        Some(Task::Test(arguments)) => test::run(&arguments),
        Some(Task::Check) => check::run(),
        Some(Task::Tidy) => tidy::run(),
        Some(Task::Sim(arguments)) => sim::run(&arguments),
        Some(Task::Law(arguments)) => law::run(&arguments),
        Some(Task::Duckdb(arguments)) => duckdb::run(&arguments),
        Some(Task::Interest(arguments)) => interest::run(&arguments),
        Some(Task::Nexmark(arguments)) => nexmark::run(&arguments),
        Some(Task::Bench(arguments)) => bench::run(&arguments),
        Some(Task::Real(arguments)) => real::run(&arguments),
        Some(Task::Slt(arguments)) => slt::run(&arguments),
        Some(Task::Rigs(arguments)) => rigs::run(&arguments),
        Some(Task::Api(arguments)) => api::run(&arguments),
        Some(Task::Fuzz(arguments)) => fuzz::run(&arguments),
        Some(Task::Mutants(arguments)) => mutants::run(&arguments),
        Some(Task::Demo(arguments)) => demo::run(&arguments),
    }
}

/// The names of the tasks, for the check that no document names another.
fn task_names() -> Vec<String> {
    Arguments::command().get_subcommands().map(|task| task.get_name().to_owned()).collect()
}
