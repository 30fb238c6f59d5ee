//! `GET /entities`, `GET /entities/{entity}` and `GET /entities/{entity}/{key}`: the row of a key, or the steps that led to
//! it, now or as of any moment of either axis; or, by `Accept: text/event-stream`, the changes of one or all rows.
//!
//! Folding blocks while it waits for a disk, so it runs on threads that may.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{StatusCode, header as headers};
use axum::response::{IntoResponse, Response};
use recount_env::block_on;
use recount_types::{Kind, Position};
use recount_views::shown::{entity_json, row_answer, steps_answer};
use recount_views::{EntityInfo, Moment, ViewError, Views};
use serde_json::{Value, json};

use crate::front::Front;
use crate::parameters::{AsOf, Parameters};
use crate::path;
use crate::problem::Problem;
use crate::read::{batch, is_subscription, refuse_to_resume};
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

/// What is asked of an entity.
struct Asked {
    entity: String,
    key: String,
    version: Option<u32>,
    as_of: AsOf,
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
        let asked = Asked {
            entity,
            key,
            version: parameters.take_as("version", VERSION, |text| text.parse().ok())?,
            as_of: parameters.take_as_of()?,
            min_position: parameters.take_position("min_position")?.unwrap_or(Position::ZERO),
            steps: parameters.take_as("steps", "true or false", |text| text.parse().ok())?.unwrap_or(false),
        };
        parameters.finish(PARAMETERS)?;
        Ok(asked)
    }

    fn answer(self, front: &Front) -> Result<String, Problem> {
        let AsOf { position, system, valid } = self.as_of;
        let position = match system {
            Some(time) => Some(block_on(front.store.position_at(time))?),
            None => position,
        };
        let moment = Moment { position, valid_until: valid };
        let asked = (self.entity.as_str(), self.version, self.key.as_str());
        if self.steps {
            return Ok(steps_answer(&front.views, asked, moment, self.min_position)?);
        }
        row_answer(&front.views, asked, moment, self.min_position)?
            .map_err(|absent| Problem::of_kind(Kind::NotFound, format!("0 rows: {absent}")))
    }
}
