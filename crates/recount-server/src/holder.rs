//! Who listens on a port, as far as Linux lets us see: for the message that a port is in use.

use std::fs;
use std::path::{Path, PathBuf};

/// `TCP_LISTEN`, as the tables write it.
const LISTEN: &str = "0A";

/// The process that listens on a TCP port, such as `python3 (pid 812)`; `None` if it cannot be seen.
pub(crate) fn of_port(port: u16) -> Option<String> {
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = fs::read_to_string(table) else { continue };
        if let Some(inode) = listening_inode(&text, port)
            && let Some(process) = process_with(&format!("socket:[{inode}]"))
        {
            let name = fs::read_to_string(process.join("comm")).ok()?;
            let pid = process.file_name()?.to_string_lossy().into_owned();
            return Some(format!("{} (pid {pid})", name.trim()));
        }
    }
    None
}

/// The inode of the socket that listens on `port`: the tenth column of the line whose second ends in the port.
fn listening_inode(table: &str, port: u16) -> Option<&str> {
    let ending = format!(":{port:04X}");
    table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>()).find_map(|columns| {
        let listens = columns.get(1)?.ends_with(&ending) && *columns.get(3)? == LISTEN;
        listens.then(|| columns.get(9).copied()).flatten()
    })
}

/// The directory of the process that has `socket` open.
fn process_with(socket: &str) -> Option<PathBuf> {
    let processes = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    processes.filter(|path| path.file_name().is_some_and(is_number)).find(|path| {
        let files = fs::read_dir(path.join("fd")).into_iter().flatten().flatten();
        files
            .map(|file| file.path())
            .any(|file| fs::read_link(file).is_ok_and(|target| target == Path::new(socket)))
    })
}

fn is_number(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1CE8 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 11 1 0000 100 0 0 10 0
   1: 0100007F:1CE8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 98765 1 0000 100 0 0 10 0
";

    #[test]
    fn finds_who_listens_not_who_is_connected() {
        assert_eq!(listening_inode(TABLE, 7400), Some("98765"));
        assert_eq!(listening_inode(TABLE, 7401), None);
        assert_eq!(listening_inode("", 7400), None);
    }
}
