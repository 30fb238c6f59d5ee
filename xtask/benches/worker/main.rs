//! The measured and the killed programs, one file each: what `cargo xtask bench` and `cargo xtask rigs` start,
//! in processes of their own. Each prints figures as one line of JSON; if it listens, its address first.

mod account;
mod answer;
mod asof;
mod dice;
mod echo;
mod embedded;
mod fill;
mod fold;
mod frames;
mod http;
mod raw;
mod replay;
mod restart;
mod rig;
mod roll;

use clap::Parser;

/// The binary's own: see `docs/decisions/0006`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
enum Work {
    /// pwrite + fdatasync in a loop
    Raw(raw::Arguments),
    /// The raw loop behind a TCP server
    EchoServer(echo::ServerArguments),
    /// One client of it
    EchoClient(echo::ClientArguments),
    /// Appends through the embedded library
    Embedded(embedded::Arguments),
    /// Appends over HTTP
    Http(http::Arguments),
    /// Fills a database
    Fill(fill::Arguments),
    /// The first answers after a start
    Restart(restart::Arguments),
    /// Appends that meet rolls, flushes and merges
    Roll(roll::Arguments),
    /// Folds decoded events
    Fold(fold::Arguments),
    /// Folds a journal
    FoldJournal(fold::JournalArguments),
    /// Appends while an entity is rebuilt
    Replay(replay::Arguments),
    /// Questions about the past
    Asof(asof::Arguments),
    /// Appends numbered events, prints each acknowledgement
    RigAppend(rig::AppendArguments),
    /// Opens, and holds every acknowledgement against what is there
    RigCheck(rig::CheckArguments),
    /// Lists the frames of a database
    RigFrames(frames::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Work::parse() {
        Work::Raw(arguments) => raw::run(&arguments),
        Work::EchoServer(arguments) => echo::serve(&arguments),
        Work::EchoClient(arguments) => echo::drive(&arguments),
        Work::Embedded(arguments) => embedded::run(&arguments),
        Work::Http(arguments) => http::run(&arguments),
        Work::Fill(arguments) => fill::run(&arguments),
        Work::Restart(arguments) => restart::run(&arguments),
        Work::Roll(arguments) => roll::run(&arguments),
        Work::Fold(arguments) => fold::run(&arguments),
        Work::FoldJournal(arguments) => fold::run_journal(&arguments),
        Work::Replay(arguments) => replay::run(&arguments),
        Work::Asof(arguments) => asof::run(&arguments),
        Work::RigAppend(arguments) => rig::append(&arguments),
        Work::RigCheck(arguments) => rig::check(&arguments),
        Work::RigFrames(arguments) => frames::run(&arguments),
    }
}
