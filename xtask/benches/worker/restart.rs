//! The first answers after a start: from before the database is opened until a point read, then an append, then a
//! row of an entity, as it is after that append, were answered.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use recount_env::block_on;
use recount_store::{Direction, ReadRequest, Scope};
use recount_types::{StreamName, TopicName};
use recount_views::Moment;

use crate::account;
use crate::answer;
use crate::embedded::{TOPIC, open, request};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    dir: PathBuf,
    /// The account to read
    #[arg(long)]
    account: u64,
}

/// Opens with its entities, reads the newest event of one account, appends one event, reads the account's row.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let began = Instant::now();
    let store = open(&arguments.dir)?;
    let views = account::open(&store)?;
    let opened = began.elapsed();
    let topic = TopicName::parse(TOPIC)?;
    let stream = StreamName { topic: topic.clone(), key: arguments.account.to_string().into() };
    let read = ReadRequest {
        direction: Direction::Backward,
        limit: Some(1),
        ..ReadRequest::all(Scope::Stream(stream))
    };
    let newest =
        block_on(async { store.read(read).await?.next().await })?.context("the account has no event")?;
    let answered = began.elapsed();
    ensure!(newest.revision.is_some(), "a stream's event without revision");
    let done = block_on(store.append(request(&topic, std::iter::once(arguments.account))))?;
    let appended = began.elapsed();
    let key = arguments.account.to_string();
    let answer = views.row(account::NAME, None, &key, Moment::default(), done.position())?;
    let told = began.elapsed();
    let row = answer.row.map_err(|absent| anyhow!("the account has no row: {absent}"))?;
    ensure!(row.position == done.position(), "a row of {} and not of {}", row.position, done.position());
    answer::print(&BTreeMap::from([
        ("open_s", opened.as_secs_f64()),
        ("first_read_s", answered.as_secs_f64()),
        ("first_append_s", appended.as_secs_f64()),
        ("first_row_s", told.as_secs_f64()),
    ]))?;
    Ok(block_on(store.close())?)
}
