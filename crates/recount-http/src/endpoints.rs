//! The endpoints, in one list: method, path, what it is for. `router.rs` says who answers, `openapi.rs` describes
//! them to programs. Adding one is adding a line here and an arm in each of the two.

/// An endpoint; its number is its place in [`ENDPOINTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    AppendToTopic,
    Append,
    ReadTopic,
    ReadStream,
    ReadEverything,
    Sql,
    ListTopics,
    ShowTopic,
    ListEntities,
    ShowEntity,
    ReadEntity,
    ListViews,
    ReadView,
    Live,
    Ready,
    Metrics,
    OpenApi,
}

/// What is known of an endpoint.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) endpoint: Endpoint,
    /// Its name in metrics and for programs.
    pub(crate) id: &'static str,
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) summary: &'static str,
}

/// The methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

/// How many there are.
pub(crate) const ENDPOINT_COUNT: usize = 17;

/// All endpoints, in the order of [`Endpoint`].
pub(crate) const ENDPOINTS: [Described; ENDPOINT_COUNT] = [
    post(Endpoint::AppendToTopic, "appendToTopic", "/topics/{topic}/events", "Append events to a topic"),
    post(Endpoint::Append, "append", "/append", "Append events to several streams and topics, all or none"),
    get(Endpoint::ReadTopic, "readTopic", "/topics/{topic}/events", "Read or follow the events of a topic"),
    get(
        Endpoint::ReadStream,
        "readStream",
        "/streams/{topic}/{key}",
        "Read or follow the events of a stream",
    ),
    get(Endpoint::ReadEverything, "readEverything", "/events", "Read or follow all events"),
    post(
        Endpoint::Sql,
        "sql",
        "/sql",
        "Run a statement: a definition, a query as of any moment, INSERT INTO a topic, SHOW",
    ),
    get(Endpoint::ListTopics, "listTopics", "/topics", "List the topics"),
    get(Endpoint::ShowTopic, "showTopic", "/topics/{topic}", "Show a topic"),
    get(Endpoint::ListEntities, "listEntities", "/entities", "List the entities, and how far each has come"),
    get(
        Endpoint::ShowEntity,
        "showEntity",
        "/entities/{entity}",
        "Show an entity, and how far it has come; or follow the changes of its rows",
    ),
    get(
        Endpoint::ReadEntity,
        "readEntity",
        "/entities/{entity}/{key}",
        "Read the row of a key, now or as of any moment, or the steps that led to it; or follow its changes",
    ),
    get(Endpoint::ListViews, "listViews", "/views", "List the views, and how far each has come"),
    get(
        Endpoint::ReadView,
        "readView",
        "/views/{view}",
        "Read the rows of a view, now or as of any moment; or follow their changes",
    ),
    get(Endpoint::Live, "live", "/health/live", "Whether the process answers"),
    get(Endpoint::Ready, "ready", "/health/ready", "Whether appends and reads are served"),
    get(Endpoint::Metrics, "metrics", "/metrics", "Metrics in Prometheus' text format"),
    get(Endpoint::OpenApi, "openApi", "/openapi.json", "This description"),
];

const fn get(endpoint: Endpoint, id: &'static str, path: &'static str, summary: &'static str) -> Described {
    Described { endpoint, id, method: Method::Get, path, summary }
}

const fn post(endpoint: Endpoint, id: &'static str, path: &'static str, summary: &'static str) -> Described {
    Described { endpoint, id, method: Method::Post, path, summary }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_endpoint_is_at_its_place() {
        for (index, described) in ENDPOINTS.iter().enumerate() {
            assert_eq!(described.endpoint as usize, index, "{}", described.id);
        }
    }
}
