//! `GET /entities`, `GET /entities/{entity}` and `GET /entities/{entity}/{key}`: the row of a key, or the steps that led to
//! it, now or as of any moment of either axis; or, by `Accept: text/event-stream`, the changes of one or all rows.
//!
//! Folding blocks while it waits for a disk, so it runs on threads that may.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{StatusCode, header as headers};
use axum::response::{IntoResponse, Response};
use recount_env::block_on;
use recount_store::time::parse_rfc3339;
use recount_types::{Kind, Position, Time};
use recount_views::shown::{entity_json, row_answer, steps_answer};
use recount_views::{EntityInfo, Moment, ViewError, Views};
use serde_json::{Value, json};

use crate::append::number;
use crate::front::Front;
use crate::parameters::{Parameters, header};
use crate::path;
use crate::problem::Problem;
use crate::read::{NOT_RESUMED, batch, is_subscription};
use crate::topics::json_response;

mod follow;

/// The names of the parameters.
const PARAMETERS: &[&str] = &["version", "position", "system_as_of", "valid_as_of", "min_position", "steps"];

/// What a version is like.
const VERSION: &str = "a version: 1 or more";

/// Lists the entities.
pub(crate) async fn list(front: &Arc<Front>, request: &Parts) -> Result<Response, Problem> {
    Parameters::parse(request.uri.query())?.finish(&[])?;
    let (views, head) = (front.views.clone(), front.store.head().0);
    let entities: Result<Vec<Value>, ViewError> =
        batch(async move || views.entities().iter().map(|info| shown(&views, info, head)).collect()).await;
    Ok(json_response(&json!({ "entities": entities? })))
}

/// Shows the versions of an entity, or follows its changes.
pub(crate) async fn show(front: &Arc<Front>, request: &Parts) -> Result<Response, Problem> {
    let entity = path::entity(request.uri.path())?;
    if is_subscription(&request.headers) {
        return follow::answer(front, request, entity, None).await;
    }
    refuse_to_resume(request)?;
    let mut parameters = Parameters::parse(request.uri.query())?;
    let version = parameters.take_as("version", VERSION, |text| text.parse().ok())?;
    parameters.finish(&["version"])?;
    let (views, head) = (front.views.clone(), front.store.head().0);
    let versions: Result<Vec<Value>, ViewError> = batch(async move || {
        let name = views.entity(&entity, version)?.name;
        let wanted =
            |info: &EntityInfo| info.name == name && version.is_none_or(|wanted| wanted == info.version);
        views.entities().iter().filter(|info| wanted(info)).map(|info| shown(&views, info, head)).collect()
    })
    .await;
    Ok(json_response(&json!({ "entities": versions? })))
}

fn shown(views: &Views, info: &EntityInfo, head: u64) -> Result<Value, ViewError> {
    let status = views.status(info.name.as_str(), Some(info.version))?;
    Ok(entity_json(info, &status, head))
}

/// A read would ignore it, and answer from the beginning.
fn refuse_to_resume(request: &Parts) -> Result<(), Problem> {
    match header(&request.headers, "last-event-id")? {
        Some(_) => Err(Problem::bad_request(NOT_RESUMED)),
        None => Ok(()),
    }
}

/// What is asked of an entity.
struct Asked {
    entity: String,
    key: String,
    version: Option<u32>,
    position: Option<Position>,
    system_as_of: Option<Time>,
    valid_as_of: Option<Time>,
    min_position: Position,
    steps: bool,
}

/// Reads a row, or its steps.
pub(crate) async fn read(front: &Arc<Front>, request: &Parts) -> Result<Response, Problem> {
    if is_subscription(&request.headers) {
        let (entity, key) = path::entity_and_key(request.uri.path())?;
        return follow::answer(front, request, entity, Some(key)).await;
    }
    refuse_to_resume(request)?;
    let asked = Asked::parse(request)?;
    let front = front.clone();
    let answer: Result<String, Problem> = batch(async move || asked.answer(&front)).await;
    Ok((StatusCode::OK, [(headers::CONTENT_TYPE, "application/json")], answer?).into_response())
}

impl Asked {
    fn parse(request: &Parts) -> Result<Asked, Problem> {
        let (entity, key) = path::entity_and_key(request.uri.path())?;
        let mut parameters = Parameters::parse(request.uri.query())?;
        if parameters.take_bytes("as_of")?.is_some() {
            return Err(Problem::bad_request(
                "as_of leaves open which time is meant. system_as_of: as recorded by that time; valid_as_of: as true \
                 at that time. Or give position: as of that position",
            ));
        }
        let position = "a position: digits, at most 9223372036854775807";
        let time = "a time such as 2023-12-13T12:00:00Z";
        let instant = |text: &str| parse_rfc3339(text).ok();
        let asked = Asked {
            entity,
            key,
            version: parameters.take_as("version", VERSION, |text| text.parse().ok())?,
            position: parameters.take_as("position", position, number)?.map(Position),
            system_as_of: parameters.take_as("system_as_of", time, instant)?,
            valid_as_of: parameters.take_as("valid_as_of", time, instant)?,
            min_position: Position(parameters.take_as("min_position", position, number)?.unwrap_or(0)),
            steps: parameters.take_as("steps", "true or false", |text| text.parse().ok())?.unwrap_or(false),
        };
        parameters.finish(PARAMETERS)?;
        if asked.position.is_some() && asked.system_as_of.is_some() {
            return Err(Problem::bad_request(
                "position and system_as_of both say as of when: give one of them",
            ));
        }
        Ok(asked)
    }

    fn answer(self, front: &Front) -> Result<String, Problem> {
        let position = match self.system_as_of {
            Some(time) => Some(block_on(front.store.position_at(time))?),
            None => self.position,
        };
        let moment = Moment { position, valid_until: self.valid_as_of };
        let asked = (self.entity.as_str(), self.version, self.key.as_str());
        if self.steps {
            return Ok(steps_answer(&front.views, asked, moment, self.min_position)?);
        }
        row_answer(&front.views, asked, moment, self.min_position)?
            .map_err(|absent| Problem::of_kind(Kind::NotFound, format!("0 rows: {absent}")))
    }
}
