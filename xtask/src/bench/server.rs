//! The built server, as a person would start it, on a free loopback port.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::run;

const PATIENCE: Duration = Duration::from_secs(60);

/// The topic that the worker appends to.
pub(crate) const CREATE: &str = "CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL, \
                                 timestamp TIMESTAMPTZ NOT NULL UNIT SECONDS) KEY (accountId) TIMESTAMP BY timestamp";

/// The program.
#[derive(Debug, Clone)]
pub(crate) struct Recount {
    program: PathBuf,
}

/// A running server. Killed on drop.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Recount {
    /// Builds it with the release profile.
    pub(crate) fn build() -> Result<Self> {
        run::loud(&mut run::cargo(["build", "--release", "--locked", "--bin", "recount"]))?;
        Ok(Self::of(run::target()?.join("release/recount")))
    }

    /// One that is built.
    pub(crate) fn of(program: PathBuf) -> Self {
        Self { program }
    }

    /// Serves a database, with its topic made if it is new.
    pub(crate) fn serve(&self, database: &str) -> Result<Server> {
        if !Path::new(database).exists() {
            self.create(database)?;
        }
        self.serve_as_is(database)
    }

    /// Serves a database as it is; one that is not there yet is empty.
    pub(crate) fn serve_as_is(&self, database: &str) -> Result<Server> {
        self.serve_with(database, &[])
    }

    /// The same, with more arguments.
    pub(crate) fn serve_with(&self, database: &str, arguments: &[&str]) -> Result<Server> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(&self.program);
        command.args(["serve", database, "--listen", &address.to_string()]).args(arguments);
        command.stderr(Stdio::null());
        let mut server = Server { child: command.spawn().context("cannot start the server")?, address };
        let since = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(server.child.try_wait()?.is_none(), "the server ended at once");
            ensure!(since.elapsed() < PATIENCE, "the server does not listen after {PATIENCE:?}");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Makes the topic of a new database.
    fn create(&self, database: &str) -> Result<()> {
        run::output(Command::new(&self.program).args(["topic", database, "create", CREATE])).map(drop)
    }

    /// Makes a new database of files of JSON lines.
    pub(crate) fn import(&self, database: &str, files: &[PathBuf]) -> Result<()> {
        self.create(database)?;
        for file in files {
            run::output(Command::new(&self.program).args(["import", database, "transactions"]).arg(file))?;
        }
        Ok(())
    }

    /// Reads the newest events of one stream, through a running server.
    pub(crate) fn read(&self, server: &Server, stream: &str) -> Result<String> {
        let url = format!("http://{}", server.address);
        run::output(Command::new(&self.program).args(["read", &url, stream, "--backward", "--limit", "10"]))
    }
}

impl Server {
    /// What it has computed so far, on all cores, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        // Linux counts in hundredths for whoever reads them here, whatever it ticks in.
        const TICKS: f64 = 100.0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name of the program, in brackets, may have spaces; the times are the 12th and 13th behind it.
        let behind = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = behind.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>());
        Ok(ticks.sum::<Result<f64, _>>()? / TICKS)
    }

    /// Anonymous memory that is resident, in MiB.
    pub(crate) fn anonymous_mib(&self) -> Result<f64> {
        self.status_mib("RssAnon:")
    }

    /// The most memory that was ever resident, in MiB.
    pub(crate) fn peak_mib(&self) -> Result<f64> {
        self.status_mib("VmHWM:")
    }

    fn status_mib(&self, field: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context("the server is gone")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("warning: the server did not end: {error}");
        }
    }
}
