//! LOCK: one directory, one process. The lock is the operating system's; the text only says who holds it.

use std::path::Path;

use recount_env::{Env, Lock, OpenMode};

use crate::error::OpenError;

const NAME: &str = "LOCK";
const TEXT_BYTES_MAX: usize = 1024;

/// Who holds a database, as written into LOCK.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Where it serves, such as `http://127.0.0.1:7400`.
    pub address: Option<String>,
}

impl Holder {
    fn encode(&self) -> String {
        format!("pid {}\naddress {}\n", self.pid, self.address.as_deref().unwrap_or("-"))
    }

    fn parse(text: &str) -> Option<Holder> {
        let mut lines = text.lines();
        let pid = lines.next()?.strip_prefix("pid ")?.parse().ok()?;
        let address = lines.next()?.strip_prefix("address ")?;
        Some(Holder { pid, address: (address != "-").then(|| address.to_owned()) })
    }

    /// Reads who holds `root`; `None` if the text says nothing of use. Says nothing of whether it is still held.
    pub async fn read(env: &Env, root: &Path) -> Option<Holder> {
        let file = env.files.open(&root.join(NAME), OpenMode::Read).await.ok()?;
        let mut bytes = vec![0; TEXT_BYTES_MAX];
        let read = file.read_at(0, &mut bytes).await.ok()?;
        Holder::parse(std::str::from_utf8(bytes.get(..read)?).ok()?)
    }
}

/// The lock, held until dropped.
pub struct HeldLock {
    _lock: Box<dyn Lock>,
}

impl std::fmt::Debug for HeldLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeldLock")
    }
}

impl HeldLock {
    /// Takes the lock of `root` and writes the holder into it.
    pub async fn take(env: &Env, root: &Path, holder: &Holder) -> Result<HeldLock, OpenError> {
        let path = root.join(NAME);
        let lock = match env.files.lock(&path).await {
            Ok(lock) => lock,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                let known = Holder::read(env, root).await;
                return Err(OpenError::Locked {
                    directory: root.to_owned(),
                    holder: known.as_ref().map_or("another process".to_owned(), |h| match &h.address {
                        Some(address) => format!("process {}, which serves it at {address}", h.pid),
                        None => format!("process {}", h.pid),
                    }),
                    address: known.and_then(|h| h.address),
                });
            }
            Err(e) => return Err(OpenError::io(format!("lock {}", path.display()))(e)),
        };
        let held = HeldLock { _lock: lock };
        held.announce(env, root, holder).await?;
        Ok(held)
    }

    /// Replaces the text, for instance once a server knows its address. It needs no durability.
    pub async fn announce(&self, env: &Env, root: &Path, holder: &Holder) -> Result<(), OpenError> {
        let path = root.join(NAME);
        let failed = || OpenError::io(format!("write {}", path.display()));
        let file = env.files.open(&path, OpenMode::ReadWrite).await.map_err(failed())?;
        file.set_len(0).await.map_err(failed())?;
        file.write_at(0, holder.encode().as_bytes()).await.map_err(failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holder_round_trips() {
        for address in [None, Some("http://127.0.0.1:7400".to_owned())] {
            let holder = Holder { pid: 12, address };
            assert_eq!(Holder::parse(&holder.encode()), Some(holder));
        }
        assert_eq!(Holder::parse(""), None);
        assert_eq!(Holder::parse("pid x\naddress -\n"), None);
    }
}
