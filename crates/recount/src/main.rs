//! The `recount` command.
//!
//! Data goes to stdout, everything else to stderr. Exit codes: 0 ok, 1 failed, 2 usage, 3 conflict, 4 corrupt.

mod allocator;
mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    allocator::keep_no_large_blocks();
    cli::main()
}
