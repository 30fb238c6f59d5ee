//! Runs the built command in a directory of its own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use expect_test::Expect;

/// A directory that is removed at the end.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Directory {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recount"));
        command.args(arguments).current_dir(&self.0).env_remove("RECOUNT_LISTEN").env_remove("RECOUNT_LOG");
        command
    }

    /// What the command prints, how it ends, with times written as TIME and the directory as DIR.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> String {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input has ended by now.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let mut text = String::from_utf8(output.stdout).unwrap();
        text += &String::from_utf8(output.stderr).unwrap();
        if !output.status.success() {
            text += &format!("exit code {}\n", output.status.code().unwrap());
        }
        scrub(&text).replace(&self.0.display().to_string(), "DIR")
    }

    pub(crate) fn check(&self, arguments: &[&str], input: &str, expect: Expect) {
        expect.assert_eq(&self.run(arguments, input));
    }

    /// What is seen on a terminal where these lines are typed at the prompt of `recount sql bank.db`: without what moves
    /// the cursor, and with durations written as TIME. What was typed is remembered in the directory.
    pub(crate) fn typed(&self, lines: &[&str]) -> String {
        let command = format!("{} sql bank.db", env!("CARGO_BIN_EXE_recount"));
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .current_dir(&self.0)
            .env("TERM", "xterm")
            .env("XDG_STATE_HOME", self.0.join("state"))
            .env_remove("RECOUNT_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let keys: String = lines.iter().map(|line| format!("{line}\r")).collect();
        child.stdin.take().unwrap().write_all(keys.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{:?}", output.status);
        let text = String::from_utf8(output.stdout).unwrap();
        let mut parts = text.split('\u{1b}');
        let mut seen = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            // A sequence is a bracket, numbers, and a letter.
            let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |letter| letter + 1);
            seen += &part[end..];
        }
        let seen = seen.replace('\r', "");
        let is_duration = |line: &str| line.strip_suffix(" ms").is_some_and(|ms| ms.parse::<f64>().is_ok());
        let lines = seen.lines().map(str::trim_end);
        lines
            .map(|line| if is_duration(line) { "TIME ms\n".to_owned() } else { format!("{line}\n") })
            .collect()
    }

    /// Starts a server on a free port.
    pub(crate) fn serve(&self, database: &str) -> Server {
        self.started(&mut self.command(&["serve", database, "--listen", "127.0.0.1:0"]))
    }

    /// The same, from a shell that ran `before`.
    pub(crate) fn serve_after(&self, before: &str, database: &str) -> Server {
        let script = format!("{before} && exec \"$0\" serve \"$1\" --listen 127.0.0.1:0");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_recount"), database]).current_dir(&self.0);
        self.started(&mut shell)
    }

    fn started(&self, command: &mut Command) -> Server {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let url = line.trim_end().rsplit(' ').next().unwrap().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{line}");
        Server { child, url, _stderr: stderr }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server that is killed unless it was stopped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    _stderr: BufReader<ChildStderr>,
}

impl Server {
    pub(crate) fn stop(mut self) {
        signal(&self.child, "TERM");
        assert!(self.child.wait().unwrap().success());
    }

    /// The port, as it stands in messages.
    pub(crate) fn port(&self) -> &str {
        self.url.rsplit(':').next().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that goes on until it is told to stop.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Running {
    pub(crate) fn start(directory: &Directory, arguments: &[&str]) -> Running {
        let mut child = directory.command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        scrub(&self.lines.next().unwrap().unwrap())
    }

    /// The next lines.
    pub(crate) fn told(&mut self, lines: usize) -> String {
        (0..lines).map(|_| self.line() + "\n").collect()
    }

    pub(crate) fn interrupt(&mut self) -> Option<i32> {
        signal(&self.child, "INT");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
}

/// Writes TIME for every append time, and for event times that are the same.
pub(crate) fn scrub(text: &str) -> String {
    const NAME: &str = "\"appendTime\":\"";
    let mut scrubbed = text.to_owned();
    while let Some(at) = scrubbed.find(NAME) {
        let rest = &scrubbed[at + NAME.len()..];
        let time = rest[..rest.find('"').unwrap()].to_owned();
        // One that is TIME has the time of one before it.
        if time != "TIME" {
            scrubbed = scrubbed.replace(&time, "TIME");
        }
        scrubbed = scrubbed.replacen(NAME, "\"appendTime\": \"", 1);
    }
    scrubbed.replace("\"appendTime\": \"", NAME)
}
