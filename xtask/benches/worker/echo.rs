//! The least that a durable server can do: take a request of fixed size over loopback TCP, append and
//! sync as the raw loop does, send an answer of fixed size. One connection at a time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use crate::answer::Timings;
use crate::raw::RawWriter;

/// About as long as the HTTP request of one event, and its answer.
const REQUEST_BYTES: usize = 256;
const ANSWER_BYTES: usize = 192;

#[derive(Debug, clap::Args)]
pub(crate) struct ServerArguments {
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    bytes: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ClientArguments {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    seconds: u64,
}

/// Prints the address, then serves until it is killed.
pub(crate) fn serve(arguments: &ServerArguments) -> Result<()> {
    let mut writer = RawWriter::create(&arguments.dir, arguments.bytes)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    loop {
        let (mut client, _) = listener.accept()?;
        client.set_nodelay(true)?;
        let mut request = [0; REQUEST_BYTES];
        while client.read_exact(&mut request).is_ok() {
            writer.append()?;
            client.write_all(&[1; ANSWER_BYTES])?;
        }
    }
}

/// Asks and waits, for the given time.
pub(crate) fn drive(arguments: &ClientArguments) -> Result<()> {
    let mut server = TcpStream::connect(arguments.address)?;
    server.set_nodelay(true)?;
    let mut answer = [0; ANSWER_BYTES];
    let mut timings = Timings::begin(arguments.seconds);
    while timings.goes_on() {
        let began = Instant::now();
        server.write_all(&[2; REQUEST_BYTES])?;
        server.read_exact(&mut answer)?;
        timings.note(began);
    }
    timings.print(1, &[])
}
