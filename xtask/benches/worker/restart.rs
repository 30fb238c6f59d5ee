//! The first answers after a start: from before the database is opened until a point read, and then an
//! append, were answered.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use recount_env::block_on;
use recount_store::{Direction, ReadRequest, Scope};
use recount_types::{StreamName, TopicName};

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

/// Opens, reads the newest event of one account, appends one event.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let began = Instant::now();
    let store = open(&arguments.dir)?;
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
    block_on(store.append(request(&topic, std::iter::once(arguments.account))))?;
    let appended = began.elapsed();
    answer::print(&BTreeMap::from([
        ("open_s", opened.as_secs_f64()),
        ("first_read_s", answered.as_secs_f64()),
        ("first_append_s", appended.as_secs_f64()),
    ]))?;
    Ok(block_on(store.close())?)
}
