//! The server as a process sees it: addresses it refuses, and a life from start to signal.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;

use recount_env::{block_on, real};
use recount_server::{ServeError, Settings, serve};
use recount_store::{OpenOptions, Store};
use recount_types::{Kind, Position};

/// A directory that is removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("recount-server-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Directory(path)
    }

    fn settings(&self, listen: &str) -> Settings {
        Settings { listen: listen.parse().unwrap(), ..Settings::new(&self.0) }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn refused(settings: Settings) -> ServeError {
    serve(settings, |address| panic!("serves at {address}")).unwrap_err()
}

#[test]
fn only_loopback_is_listened_on() {
    let directory = Directory::new("loopback");
    for address in ["0.0.0.0:0", "192.0.2.1:7400", "[::]:7400"] {
        let error = refused(directory.settings(address));
        assert!(matches!(error, ServeError::NotLoopback(_)), "{error}");
        assert_eq!(error.kind(), Kind::Denied);
        assert!(error.to_string().contains("--listen"), "{error}");
    }
    assert!(!directory.0.exists());
}

#[test]
fn a_busy_port_is_named_with_its_holder() {
    let directory = Directory::new("busy");
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let error = refused(directory.settings(&address.to_string())).to_string();
    assert!(error.starts_with(&format!("port {} is in use by ", address.port())), "{error}");
    assert!(error.contains(&format!("(pid {})", std::process::id())), "{error}");
    assert!(error.contains("--listen"), "{error}");
    // Nothing was opened, nor made.
    assert!(!directory.0.exists());
}

#[test]
fn serves_until_it_is_told_to_stop_and_closes_the_database() {
    let directory = Directory::new("life");
    let settings = directory.settings("127.0.0.1:0");
    let (ready, address) = mpsc::channel();
    let server = std::thread::spawn(move || serve(settings, |address| ready.send(address).unwrap()));
    let address = address.recv().unwrap();
    let request = |path: &str, body: &str| post(address, path, body);
    assert!(request("/sql", r#"{"sql":"CREATE TOPIC t"}"#).starts_with("HTTP/1.1 200 "));
    assert!(request("/topics/t/events?key=1", "{}").starts_with("HTTP/1.1 201 "));
    // Another process is told where the database is served.
    let busy = match block_on(Store::open(real::env(), &directory.0, OpenOptions::default())) {
        Ok(_) => panic!("opened twice"),
        Err(error) => error.to_string(),
    };
    assert!(busy.contains(&format!("http://{address}")), "{busy}");
    let signalled = Command::new("kill").args(["-TERM", &std::process::id().to_string()]).status().unwrap();
    assert!(signalled.success());
    server.join().unwrap().unwrap();
    assert!(TcpStream::connect(address).is_err());
    let store = block_on(Store::open(real::env(), &directory.0, OpenOptions::default())).unwrap();
    assert_eq!(store.head(), Position(2));
    assert_eq!(store.notes(), [] as [String; 0]);
    block_on(store.close()).unwrap();
}

fn post(address: SocketAddr, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
