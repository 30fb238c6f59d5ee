//! Starts other programs, says which, and fails in words when they fail.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// `cargo` in the root of the checkout.
pub(crate) fn cargo<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> Result<PathBuf> {
    let json = output(&mut cargo(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&json)?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .context("cargo metadata names no target directory")
}

/// `recount` as its tests use it. Built in any other way, dependencies have other features, and everything is built again.
pub(crate) fn tested_program() -> Result<PathBuf> {
    loud(&mut cargo(["test", "--quiet", "--workspace", "--locked", "--no-run"]))?;
    Ok(target()?.join("debug/recount"))
}

/// Runs `command`, printing it first; its output goes where ours goes.
pub(crate) fn loud(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", words(command));
    let status = command.status().with_context(|| format!("cannot start `{}`", words(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", words(command));
    }
    Ok(())
}

/// Runs `command` silently and returns what it wrote to stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", words(command)))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}\n{}", words(command), output.status, error.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` wrote no UTF-8", words(command)))
}

/// Runs `command` silently and returns how it ended.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.with_context(|| format!("cannot start `{}`", words(command)))
}

/// Runs `command` silently, its output to nowhere: for programs that leave a server behind, which would
/// keep a pipe open.
pub(crate) fn silent(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("`{}` failed: {status}", words(command));
    }
    Ok(())
}

/// Whether a program of this name is on the path, or is there, if it is a path itself.
pub(crate) fn exists(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Makes sure that `program` is there: installs Debian's `package` when root, else says what to do.
pub(crate) fn need(program: &str, package: &str) -> Result<()> {
    if exists(program) {
        return Ok(());
    }
    if !exists("apt-get") || !is_root() {
        bail!("`{program}` is missing: as root, run `apt-get install {package}`");
    }
    let noninteractive = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        command
    };
    loud(&mut noninteractive(&["update", "-q"]))?;
    loud(&mut noninteractive(&["install", "-qy", "--no-install-recommends", package]))?;
    if !exists(program) {
        bail!("`{package}` is installed, but `{program}` is not there");
    }
    Ok(())
}

/// Whether we may mount, trace and install.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn words(command: &Command) -> String {
    let mut words = command.get_program().to_string_lossy().into_owned();
    if let Some(name) = Path::new(&words).file_name() {
        words = name.to_string_lossy().into_owned();
    }
    for argument in command.get_args() {
        words.push(' ');
        words.push_str(&argument.to_string_lossy());
    }
    words
}

/// Makes what is read from now on come from the disk.
pub(crate) fn drop_caches() -> Result<()> {
    output(&mut Command::new("sync"))?;
    fs::write("/proc/sys/vm/drop_caches", "3").context("only root can drop the caches")
}
