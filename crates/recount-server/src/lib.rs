//! The server process: settings → parts started in order → drained in reverse.
//!
//! ```text
//!  runtime ─▶ socket ─▶ store ─▶ address into LOCK ─▶ entities ─▶ HTTP          SIGINT or SIGTERM: back from right to left
//! ```
//!
//! The socket comes before the store, so that a busy port costs no recovery. Listens on loopback only, because
//! nothing here asks who is there.

mod holder;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use recount_env::{block_on, real};
use recount_http::Limits;
use recount_query::{QueryCompiler, QueryError, Sql};
use recount_store::{CloseError, OpenOptions, OpenStoreError, Store};
use recount_types::Kind;
use recount_views::Views;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The port unless another is given.
pub const PORT: u16 = 7400;

/// What to serve, and where.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Directory of the database.
    pub directory: PathBuf,
    /// Where to listen: a loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How to open the database.
    pub options: OpenOptions,
    /// How to keep its entities.
    pub views: recount_views::Settings,
    /// How to run queries.
    pub query: recount_query::Settings,
}

impl Settings {
    /// The database in `directory`, served at the usual address.
    pub fn new(directory: impl Into<PathBuf>) -> Settings {
        let listen = SocketAddr::from(([127, 0, 0, 1], PORT));
        let views = recount_views::Settings::default();
        let query = recount_query::Settings::default();
        Settings { directory: directory.into(), listen, options: OpenOptions::default(), views, query }
    }
}

/// Why a server could not start, or did not end cleanly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can be reached from other machines.
    #[error(
        "{0} is not a loopback address: there is no security yet, so only this machine may connect. Listen on 127.0.0.1:{PORT} (--listen)"
    )]
    NotLoopback(SocketAddr),
    /// The port is taken.
    #[error("port {} is in use{}. Stop that, or choose another with --listen 127.0.0.1:PORT", address.port(), describe(holder))]
    PortBusy {
        /// Where it should have listened.
        address: SocketAddr,
        /// Who listens there, if that can be seen.
        holder: Option<String>,
    },
    /// Listening failed for another reason.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The runtime or its signals could not be had.
    #[error("the operating system refused: {0}")]
    Runtime(io::Error),
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] OpenStoreError),
    /// Queries could not be prepared.
    #[error(transparent)]
    Query(QueryError),
    /// The database was not closed cleanly.
    #[error(transparent)]
    Close(#[from] CloseError),
}

impl ServeError {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            ServeError::NotLoopback(_) => Kind::Denied,
            ServeError::PortBusy { .. } => Kind::Busy,
            ServeError::Listen { .. } | ServeError::Runtime(_) | ServeError::Close(_) => Kind::Unavailable,
            ServeError::Open(error) => error.kind(),
            ServeError::Query(error) => error.kind(),
        }
    }
}

fn describe(holder: &Option<String>) -> String {
    holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default()
}

/// Serves a database until SIGINT or SIGTERM, then closes it. `on_ready` is told where it listens once it is open.
pub fn serve(settings: Settings, on_ready: impl FnOnce(SocketAddr)) -> Result<(), ServeError> {
    if !settings.listen.ip().is_loopback() {
        return Err(ServeError::NotLoopback(settings.listen));
    }
    // One more than there are cores: a thread that syncs for others does nothing else meanwhile.
    let threads = std::thread::available_parallelism().map_or(1, usize::from) + 1;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    runtime.map_err(ServeError::Runtime)?.block_on(run(settings, on_ready))
}

async fn run(settings: Settings, on_ready: impl FnOnce(SocketAddr)) -> Result<(), ServeError> {
    // Connections and segments are open files, and the usual limit is 1,024 of them.
    if let Err(error) = real::raise_files_limit() {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let env = real::env();
    let address = settings.listen;
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            return Err(ServeError::PortBusy { address, holder: holder::of_port(address.port()) });
        }
        Err(source) => return Err(ServeError::Listen { address, source }),
    };
    let address = listener.local_addr().map_err(|source| ServeError::Listen { address, source })?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Runtime)?;
    let stop = async move {
        let name = stopped(&mut interrupt, &mut terminate).await;
        tracing::info!(signal = name, "stopping");
    };

    let (clock, directory, options) = (env.clock.clone(), settings.directory, settings.options);
    let store = block_on(Store::open(env.clone(), &directory, options))?;
    for note in store.notes() {
        tracing::warn!(note, "opened");
    }
    block_on(store.announce(&format!("http://{address}")))?;
    let views = Views::open_with(store.clone(), env, settings.views, Arc::new(QueryCompiler::default()));
    let sql = Sql::new(store.clone(), views.clone(), settings.query).map_err(ServeError::Query)?;
    on_ready(address);
    recount_http::serve(listener, store.clone(), views.clone(), sql, clock, Limits::default(), stop).await;
    views.close();
    block_on(store.close())?;
    Ok(())
}

async fn stopped(interrupt: &mut Signal, terminate: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}
