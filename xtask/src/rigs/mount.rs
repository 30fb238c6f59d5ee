//! Mounts, loop devices and programs that end when they go out of scope, in reverse order of their making.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::run;

/// A mounted file system.
#[derive(Debug)]
pub(crate) struct Mount {
    point: PathBuf,
}

impl Mount {
    /// `mount words… point`; makes the mount point.
    pub(crate) fn new(words: &[&str], point: &Path) -> Result<Self> {
        fs::create_dir_all(point)?;
        run::output(Command::new("mount").args(words).arg(point))?;
        Ok(Self { point: point.to_path_buf() })
    }

    /// An image file or device, mounted.
    pub(crate) fn image(image: &Path, options: &str, point: &Path) -> Result<Self> {
        Self::new(&["-o", options, &image.display().to_string()], point)
    }

    pub(crate) fn point(&self) -> &Path {
        &self.point
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        complain(run::output(Command::new("umount").arg(&self.point)));
    }
}

/// A block device over a file.
#[derive(Debug)]
pub(crate) struct LoopDevice {
    pub(crate) path: PathBuf,
}

impl LoopDevice {
    pub(crate) fn over(file: &Path) -> Result<Self> {
        let path = run::output(Command::new("losetup").args(["-f", "--show"]).arg(file))?;
        Ok(Self { path: PathBuf::from(path.trim()) })
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        complain(run::output(Command::new("losetup").arg("-d").arg(&self.path)));
    }
}

/// A program that runs in the background, silently; killed and waited for on drop.
#[derive(Debug)]
pub(crate) struct Background(Child);

impl Background {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self(child.with_context(|| format!("{command:?}"))?))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        complain(self.0.kill().and_then(|()| self.0.wait()).map_err(Into::into));
    }
}

/// Makes an image file of `size` with a file system on it.
pub(crate) fn make_image(path: &Path, size: &str, mkfs: &[&str]) -> Result<()> {
    run::output(Command::new("truncate").args(["-s", size]).arg(path))?;
    make_file_system(path, mkfs)
}

pub(crate) fn make_file_system(device: &Path, mkfs: &[&str]) -> Result<()> {
    let [program, options @ ..] = mkfs else { return Ok(()) };
    run::output(Command::new(program).args(options).arg(device)).map(drop)
}

fn complain<T>(result: Result<T>) {
    if let Err(error) = result {
        eprintln!("warning: {error:#}");
    }
}
