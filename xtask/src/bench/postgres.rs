//! Postgres 15 as a peer: a fresh cluster with its defaults (fsync on) on a free loopback port, driven by
//! pgbench over TCP with prepared statements. Stopped and removed on drop.
//!
//! Its events table does what Recount does and no more: a global position to read everything in order
//! (primary key), a stream by text key with dense versions (unique, which is also the condition), a type,
//! JSON that is checked, and a time. Clients count versions themselves and never collide, which spares
//! Postgres the read that an application would make.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::run;

const BIN: &str = "/usr/lib/postgresql/15/bin";
const USER: &str = "postgres";

/// What a row of it says to a reader of the report.
pub(crate) const STATES: &str = "Postgres 15 defaults, fsync = on, pgbench -M prepared over loopback TCP";

/// A running cluster.
#[derive(Debug)]
pub(crate) struct Postgres {
    folder: PathBuf,
    port: u16,
}

impl Postgres {
    /// Makes a cluster in `folder`/postgres and starts it. Needs root, since Postgres refuses to run as root
    /// and must be given to another user.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        run::need(&format!("{BIN}/pgbench"), "postgresql-15")?;
        let folder = folder.join("postgres");
        fs::create_dir_all(&folder)?;
        run::output(Command::new("chown").arg(USER).arg(&folder))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let cluster = Self { folder, port };
        let data = cluster.data();
        run::output(
            cluster.program("initdb").args(["--auth=trust", "--username=postgres", "-D"]).arg(&data),
        )?;
        let options = format!("-p {port} -k {} -c listen_addresses=127.0.0.1", cluster.folder.display());
        let mut start = cluster.program("pg_ctl");
        start
            .arg("-D")
            .arg(&data)
            .arg("-l")
            .arg(cluster.folder.join("log"))
            .args(["-w", "-o", &options, "start"]);
        run::silent(&mut start)?;
        Ok(cluster)
    }

    /// Empties the table, then inserts for `seconds` with `clients` clients, `batch` events a transaction.
    /// Returns events a second.
    pub(crate) fn append(&self, clients: u32, batch: u32, seconds: u64) -> Result<f64> {
        self.sql(
            "DROP TABLE IF EXISTS events; \
             CREATE TABLE events (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
             stream text NOT NULL, version bigint NOT NULL, type text NOT NULL, data jsonb NOT NULL, \
             recorded timestamptz NOT NULL DEFAULT now(), UNIQUE (stream, version))",
        )?;
        let script = self.folder.join(format!("append-{batch}.sql"));
        fs::write(&script, append_script(batch))?;
        let mut pgbench = self.program("pgbench");
        pgbench.args([
            "-n",
            "-M",
            "prepared",
            "-h",
            "127.0.0.1",
            "-U",
            USER,
            "-D",
            "version=0",
            "-D",
            PAYLOAD,
        ]);
        pgbench.args([
            "-p",
            &self.port.to_string(),
            "-c",
            &clients.to_string(),
            "-j",
            &clients.min(2).to_string(),
        ]);
        pgbench.args(["-T", &seconds.to_string(), "-f"]).arg(&script).arg("postgres");
        let output = run::output(&mut pgbench)?;
        let transactions = tps(&output).with_context(|| format!("pgbench said no tps:\n{output}"))?;
        Ok(transactions * f64::from(batch))
    }

    fn sql(&self, sql: &str) -> Result<()> {
        let mut psql = self.program("psql");
        psql.args(["-q", "-h", "127.0.0.1", "-U", USER, "-p", &self.port.to_string(), "-c", sql, "postgres"]);
        run::output(&mut psql).map(drop)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("runuser");
        command.current_dir(&self.folder).args(["-u", USER, "--"]).arg(Path::new(BIN).join(name));
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let stop =
            run::silent(self.program("pg_ctl").arg("-D").arg(self.data()).args(["-m", "immediate", "stop"]));
        if let Err(error) = stop.and_then(|()| Ok(fs::remove_dir_all(&self.folder)?)) {
            eprintln!("warning: {error:#}");
        }
    }
}

/// The same event that Recount is sent. As a parameter, it crosses the wire and is parsed every time, as a
/// client's would; as a literal, Postgres would parse it once.
const PAYLOAD: &str = r#"payload={"accountId": 1, "amount": -20.0, "timestamp": 1702468800}"#;

/// Every client writes streams of its own, so that (stream, version) never collides and never waits.
fn append_script(batch: u32) -> String {
    let row = |index| format!("('account-' || :stream, :version + {index}, 'booked', :payload)");
    let rows: Vec<String> = (0..batch).map(row).collect();
    format!(
        "\\set stream random(1, 1000) * 64 + :client_id\n\\set version :version + {batch}\n\
         INSERT INTO events (stream, version, type, data) VALUES {};\n",
        rows.join(", ")
    )
}

fn tps(output: &str) -> Option<f64> {
    let line = output.lines().find(|line| line.starts_with("tps = "))?;
    line.split(' ').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pgbench_is_understood() {
        assert_eq!(tps("x\ntps = 3812.500000 (without initial connection time)\n"), Some(3812.5));
        assert_eq!(tps("nothing"), None);
        assert_eq!(append_script(16).matches("booked").count(), 16);
    }
}
