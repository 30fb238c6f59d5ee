//! Batches of producers that do not wait for positions, and their transactions.
//!
//! A batch has its offsets as soon as it is durable. It has positions at once too, unless it is part of an open
//! transaction or lies behind one in its partition; then it gets them when its turn comes (see `pending`).

use recount_types::{Partition, TopicName};

use crate::append::{self, EventWrite};
use crate::drive::Database;
use crate::error::AppendError;
use crate::sequencer::Work;
use crate::slot::Answer;
use crate::store::Store;

/// A batch for one partition.
#[derive(Debug, Clone)]
pub struct ProduceRequest {
    /// The topic; it must exist.
    pub topic: TopicName,
    /// The partition; it must exist.
    pub partition: Partition,
    /// The producer of whose transaction it is part; the first batch opens the transaction.
    pub transaction: Option<u64>,
    /// The events, all of `topic`.
    pub events: Vec<EventWrite>,
}

impl Store {
    /// Appends a producer's batch. When this resolves, it is on disk and has offsets.
    pub async fn produce(&self, request: ProduceRequest) -> Result<(), AppendError> {
        let ProduceRequest { topic, partition, transaction, events } = request;
        let produce = append::prepare_batch(&self.database.inner, &topic, partition, transaction, &events)?;
        done(&self.database, Work::Produce(Box::new(produce))).await
    }

    /// Ends a producer's transaction. When this resolves, that is on disk. Without an open transaction it does nothing
    /// but mark the end.
    pub async fn end_transaction(&self, producer: u64, committed: bool) -> Result<(), AppendError> {
        done(&self.database, Work::End { producer, committed }).await
    }
}

async fn done(database: &Database, work: Work) -> Result<(), AppendError> {
    match append::submit(database, work).await {
        Answer::Done(answer) => answer.map(|_| ()),
        Answer::Again => unreachable!("only appends with conditions are evaluated again"),
    }
}
