//! The server: accepts connections within a limit, hands their requests to the endpoints, and drains them when it
//! is told to stop.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use recount_env::Clock;
use recount_query::Sql;
use recount_store::Store;
use recount_views::Views;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::eager::Eager;
use crate::front::Front;
use crate::problem::Problem;
use crate::router::router;

/// Limits of a server.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most connections at a time.
    pub connections_max: usize,
    /// How long the head of a request may take to arrive, and a connection may idle.
    pub head_timeout: Duration,
    /// How long running requests may take when the server stops.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 1024,
            head_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Connections beyond the limit that are told so at a time; those beyond wait to be accepted.
const REFUSED_MAX: usize = 16;

/// Serves `store`, its entities and its SQL to those who connect to `listener` until `stop` is ready; then takes no more connections, ends
/// subscriptions and answers what was asked. The store stays open.
pub async fn serve(
    listener: TcpListener,
    store: Store,
    views: Views,
    sql: Sql,
    clock: Arc<dyn Clock>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let front = Arc::new(Front::new(store, views, sql, clock));
    let router = router(front.clone());
    let connections_max = limits.connections_max;
    let refusing = Router::new().fallback(async move |_: Request| -> Result<_, Infallible> {
        Ok(Problem::too_many_connections(connections_max).into_response())
    });
    let open = Arc::new(Semaphore::new(limits.connections_max));
    let refused = Arc::new(Semaphore::new(REFUSED_MAX));
    let accepting = async {
        loop {
            let stream = accept(&listener).await;
            let (permit, router) = match open.clone().try_acquire_owned() {
                Ok(permit) => (permit, router.clone()),
                Err(_) => match refused.clone().acquire_owned().await {
                    Ok(permit) => (permit, refusing.clone()),
                    Err(_) => return,
                },
            };
            let front = front.clone();
            let head_timeout = limits.head_timeout;
            tokio::spawn(async move {
                front.counts.connections.add();
                connection(&front, stream, router, head_timeout).await;
                front.counts.connections.subtract();
                drop(permit);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    drop(listener);
    front.stop();
    let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
    if tokio::time::timeout(limits.drain_timeout, open.acquire_many(all)).await.is_err() {
        let left = limits.connections_max - open.available_permits();
        tracing::warn!(connections = left, "some requests did not end in time");
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                // Out of file descriptors, most likely: others must be closed first.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(front: &Front, stream: TcpStream, router: Router, head_timeout: Duration) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was lost");
        return;
    }
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head_timeout).max_header_size(128 << 10);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let served = async {
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = front.stopped() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    let ended = Eager::new(pin!(served)).await;
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection was lost");
    }
}
