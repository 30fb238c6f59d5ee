//! What the endpoints share: the store, the clock, counts, and whether the server is stopping.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use recount_env::Clock;
use recount_query::Sql;
use recount_store::{AppendError, AppendRequest, Appended, Store};
use recount_types::Kind;
use recount_views::Views;
use tokio::sync::{Semaphore, watch};

use crate::body::LARGE_BODIES_MAX;
use crate::metrics::Counts;
use crate::problem::Problem;

/// Shared by all endpoints.
pub(crate) struct Front {
    pub(crate) store: Store,
    pub(crate) views: Views,
    pub(crate) sql: Sql,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counts: Counts,
    /// Room for bodies that are not small.
    pub(crate) large_bodies: Semaphore,
    stopping: watch::Sender<bool>,
    /// An append was told that the database is closed.
    closed: AtomicBool,
}

impl Front {
    /// The front of a store.
    pub(crate) fn new(store: Store, views: Views, sql: Sql, clock: Arc<dyn Clock>) -> Front {
        let (stopping, _) = watch::channel(false);
        Front {
            store,
            views,
            sql,
            clock,
            counts: Counts::default(),
            large_bodies: Semaphore::new(LARGE_BODIES_MAX),
            stopping,
            closed: AtomicBool::new(false),
        }
    }

    /// Appends, and notices if the database has closed itself.
    pub(crate) async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        self.noticing(self.store.append(request).await)
    }

    /// The same for what may have the progress of an import in it.
    pub(crate) async fn append_with_progress(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        self.noticing(self.store.append_system(request).await)
    }

    fn noticing(&self, appended: Result<Appended, AppendError>) -> Result<Appended, AppendError> {
        if appended.as_ref().is_err_and(|error| error.kind() == Kind::Closed) {
            self.closed.store(true, Ordering::Relaxed);
        }
        appended
    }

    /// Ends what would go on for ever.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Waits until the server stops.
    pub(crate) async fn stopped(&self) {
        // The sender lives as long as `self`.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Refuses if appends cannot be answered any more.
    pub(crate) fn ready(&self) -> Result<(), Problem> {
        if *self.stopping.borrow() {
            return Err(Problem::stopping());
        }
        if self.closed.load(Ordering::Relaxed) {
            return Err(Problem::of_kind(Kind::Closed, "the database closed itself: see the server's log"));
        }
        Ok(())
    }
}
