//! `api`: schemathesis makes requests from the OpenAPI description, valid ones and others, and sends them to a server.
//! No answer may be a 5xx or of another shape than described, what is invalid must be refused, and the server must be there
//! at the end, in bounded memory.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::bench::server::Recount;
use crate::run;

const TOOL: &str = "schemathesis==4.32.5";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      response_headers_conformance,unsupported_method,allow_header_conformance,negative_data_rejection";
/// What the server may have used at its peak, MiB.
const PEAK_MIB_MAX: f64 = 256.0;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Examples of each operation and phase
    #[arg(long, default_value_t = 200)]
    examples: u32,
}

/// Starts a server of its own and tests it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = run::target()?.join("api");
    let tool = folder.join(TOOL);
    if !tool.is_dir() {
        run::need("python3", "python3")?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--root-user-action", "ignore", "--target"]);
        run::loud(pip.arg(&tool).arg(TOOL))?;
    }
    let database = folder.join("db");
    if database.exists() {
        fs::remove_dir_all(&database)?;
    }
    let server = Recount::build()?.serve(&database.display().to_string())?;
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", &tool).args(["-m", "schemathesis.cli", "run"]);
    command.arg(run::root().join("docs/openapi.json"));
    command.args(["--url", &format!("http://{}", server.address), "--checks", CHECKS]);
    command.args(["--max-examples", &arguments.examples.to_string(), "--continue-on-failure"]);
    // A subscription is an answer without an end.
    command.args(["--request-timeout", "10", "--no-color", "--warnings", "off"]);
    run::loud(command.current_dir(&folder))?;
    let peak = server.peak_mib()?;
    println!("the server used {peak:.0} MiB at most, the bound is {PEAK_MIB_MAX}");
    ensure!(peak <= PEAK_MIB_MAX, "the server used {peak:.0} MiB");
    Ok(())
}
