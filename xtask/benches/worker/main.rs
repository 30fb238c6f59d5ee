//! The measured programs, one file each: what `cargo xtask bench` starts, in processes of their own. Each
//! prints one line of JSON, or, if it listens, its address first.

mod answer;
mod echo;
mod raw;

use clap::Parser;

#[derive(Debug, Parser)]
enum Work {
    /// pwrite + fdatasync in a loop
    Raw(raw::Arguments),
    /// The raw loop behind a TCP server
    EchoServer(echo::ServerArguments),
    /// One client of it
    EchoClient(echo::ClientArguments),
}

fn main() -> anyhow::Result<()> {
    match Work::parse() {
        Work::Raw(arguments) => raw::run(&arguments),
        Work::EchoServer(arguments) => echo::serve(&arguments),
        Work::EchoClient(arguments) => echo::drive(&arguments),
    }
}
