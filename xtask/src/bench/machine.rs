//! What was measured on: processor, cores, memory, kernel, file system, and whether it was busy.

use std::fmt;
use std::fs;
use std::path::Path;
use std::thread;

use anyhow::Result;
use serde::Serialize;

/// Facts a figure depends on.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    memory_gib: f64,
    kernel: String,
    file_system: String,
    device: String,
    load_before: f64,
}

impl Machine {
    /// This machine; `dir` is where the data will lie.
    pub(crate) fn this(dir: &Path) -> Result<Self> {
        let field = |file: &str, name: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory_kib: f64 =
            field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0.0);
        let (file_system, device) = mount_of(dir)?;
        let load = fs::read_to_string("/proc/loadavg")?;
        let load_before = load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0);
        if load_before > 0.5 {
            eprintln!("warning: the machine is busy (load {load_before}); figures will be distorted");
        }
        Ok(Self {
            cpu: field("/proc/cpuinfo", "model name"),
            cores: thread::available_parallelism()?.get(),
            memory_gib: (memory_kib / 1_048_576.0 * 10.0).round() / 10.0,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            file_system,
            device,
            load_before,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} cores, {} GiB, Linux {}, {} on {}, load before {}",
            self.cpu,
            self.cores,
            self.memory_gib,
            self.kernel,
            self.file_system,
            self.device,
            self.load_before
        )
    }
}

/// File system type and device of the mount that holds `dir`.
fn mount_of(dir: &Path) -> Result<(String, String)> {
    let dir = fs::canonicalize(dir)?;
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let best = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?, words.next()?))
        })
        .filter(|(_, point, _)| dir.starts_with(point))
        .max_by_key(|(_, point, _)| point.len());
    Ok(best.map(|(device, _, kind)| (kind.to_owned(), device.to_owned())).unwrap_or_default())
}
