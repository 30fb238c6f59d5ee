//! A server for one test, and requests to it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use recount_env::memory::memory_env;
use recount_env::{Env, block_on};
use recount_http::Limits;
use recount_query::{QueryCompiler, Sql};
use recount_store::{OpenOptions, Store};
use recount_views::{Settings, Views};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::{Answer, Connection};

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) store: Store,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// A server of a new database with the topic `t`, created at position 1.
    pub(crate) async fn start() -> Server {
        Server::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Server {
        Server::with_views(limits, memory_env(), Settings::default()).await
    }

    /// The same with entities in an environment of their own.
    pub(crate) async fn with_views(limits: Limits, of_views: Env, settings: Settings) -> Server {
        let env = memory_env();
        let clock = env.clock.clone();
        let store = block_on(Store::open(env, Path::new("/db"), OpenOptions::default())).unwrap();
        store.execute("CREATE TOPIC t").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = store.clone();
        let views = Views::open_with(store.clone(), of_views, settings, Arc::new(QueryCompiler::default()));
        let sql = Sql::new(store.clone(), views.clone(), recount_query::Settings::default()).unwrap();
        let task = tokio::spawn(async move {
            recount_http::serve(listener, served, views, sql, clock, limits, async { drop(stopped.await) })
                .await;
        });
        Server { address, store, stop, task }
    }

    /// One request on a connection of its own.
    pub(crate) async fn request(&self, method: &str, target: &str, head: &str, body: &[u8]) -> Answer {
        let mut connection = Connection::open(self.address).await;
        connection.request(method, target, head, body).await;
        connection.answer().await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.request("GET", target, "", b"").await
    }

    pub(crate) async fn post(&self, target: &str, content_type: &str, body: impl AsRef<[u8]>) -> Answer {
        self.request("POST", target, &format!("content-type: {content_type}\r\n"), body.as_ref()).await
    }

    /// Appends a payload to the stream `t/key`.
    pub(crate) async fn append(&self, key: &str, payload: &str) -> u64 {
        let answer = self.post(&format!("/topics/t/events?key={key}"), "application/json", payload).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["position"].as_u64().unwrap()
    }

    /// Tells it to stop, without waiting for it.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.task
    }
}
