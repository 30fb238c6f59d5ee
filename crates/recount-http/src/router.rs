//! Who answers which endpoint.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::endpoints::{Described, ENDPOINTS, Endpoint, Method};
use crate::front::Front;
use crate::problem::Problem;
use crate::{append, entities, health, openapi, read, sql, topics, views};

/// The endpoints of a store.
pub(crate) fn router(front: Arc<Front>) -> Router {
    let mut router = Router::new();
    for described in &ENDPOINTS {
        router = router.route(described.path, method_router(described));
        if described.endpoint == Endpoint::ReadStream {
            // Keys may be empty, and may have slashes.
            router = router.route("/streams/{topic}/", method_router(described));
            router = router.route("/streams/{topic}/{key}/{*rest}", method_router(described));
        }
        if described.endpoint == Endpoint::ReadEntity {
            router = router.route("/entities/{entity}/", method_router(described));
            router = router.route("/entities/{entity}/{key}/{*rest}", method_router(described));
        }
    }
    router
        .fallback(async |request: Request| Problem::no_such_path(request.uri().path()))
        .method_not_allowed_fallback(async |request: Request| {
            Problem::no_such_method(request.method().as_str(), request.uri().path())
        })
        .with_state(front)
}

fn method_router(described: &Described) -> MethodRouter<Arc<Front>> {
    let endpoint = described.endpoint;
    let filter = match described.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
    };
    on(filter, move |State(front): State<Arc<Front>>, request: Request| async move {
        let began_us = front.clock.boottime_us();
        let response = answer(&front, endpoint, request).await.unwrap_or_else(Problem::into_response);
        let took_us = front.clock.boottime_us().saturating_sub(began_us);
        front.counts.answered(endpoint, response.status().as_u16(), took_us);
        response
    })
}

async fn answer(front: &Arc<Front>, endpoint: Endpoint, request: Request) -> Result<Response, Problem> {
    match endpoint {
        Endpoint::AppendToTopic => append::answer(front, request).await,
        Endpoint::Append => append::many::answer(front, request).await,
        Endpoint::ReadTopic => read::topic(front, &request.into_parts().0).await,
        Endpoint::ReadStream => read::stream(front, &request.into_parts().0).await,
        Endpoint::ReadEverything => read::everything(front, &request.into_parts().0).await,
        Endpoint::Sql => sql::answer(front, request).await,
        Endpoint::ListTopics => topics::list(front, &request),
        Endpoint::ShowTopic => topics::show(front, &request),
        Endpoint::ListEntities => entities::list(front, &request.into_parts().0).await,
        Endpoint::ShowEntity => entities::show(front, &request.into_parts().0).await,
        Endpoint::ReadEntity => entities::read(front, &request.into_parts().0).await,
        Endpoint::ListViews => views::list(front, &request.into_parts().0).await,
        Endpoint::ReadView => views::read(front, &request.into_parts().0).await,
        Endpoint::Live => health::live(&request),
        Endpoint::Ready => health::ready(front, &request),
        Endpoint::Metrics => health::metrics(front, &request),
        Endpoint::OpenApi => openapi::answer(&request),
    }
}
