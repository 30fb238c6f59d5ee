//! Answers: rows as they come, and what should be known about them.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use recount_types::Position;
use tokio::sync::OwnedSemaphorePermit;

use crate::error::QueryError;
use crate::scan::Source;

/// The answer to a statement. Its rows are computed as they are taken; dropping it ends that.
pub struct Answer {
    pub(crate) position: Position,
    pub(crate) inserted: Option<u64>,
    pub(crate) notices: Notices,
    pub(crate) stream: SendableRecordBatchStream,
    pub(crate) memory_bytes: usize,
    /// The topics that are read as of a moment, as long as no row has come.
    pub(crate) past: Vec<Arc<Source>>,
    /// Its turn, if it needs one; given back with it.
    pub(crate) _turn: Option<OwnedSemaphorePermit>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("position", &self.position).finish_non_exhaustive()
    }
}

impl Answer {
    /// Names and types of its columns.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// The position that it was read at; of an INSERT, the position of its append.
    pub fn position(&self) -> Position {
        self.position
    }

    /// How many events an INSERT appended; `None` for other statements.
    pub fn inserted(&self) -> Option<u64> {
        self.inserted
    }

    /// What should be known about the rows taken so far.
    pub fn notices(&self) -> Notices {
        self.notices.clone()
    }

    /// The next rows; `None` at the end. After an error there are no more.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        loop {
            let next = poll_fn(|context| self.stream.as_mut().poll_next(context)).await;
            match next {
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => {
                    self.past.clear();
                    return Ok(Some(batch));
                }
                Some(Err(error)) => return Err(QueryError::from_datafusion(error, self.memory_bytes)),
                None => {
                    for source in std::mem::take(&mut self.past) {
                        self.notices.add(source.why_empty().await?);
                    }
                    return Ok(None);
                }
            }
        }
    }
}

/// Sentences for a person, collected while rows are computed.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    sentences: Arc<Mutex<Vec<String>>>,
}

impl Notices {
    /// All so far.
    pub fn all(&self) -> Vec<String> {
        self.lock().clone()
    }

    pub(crate) fn add_all(&self, sentences: Vec<String>) {
        sentences.into_iter().for_each(|sentence| self.add(sentence));
    }

    pub(crate) fn add(&self, sentence: String) {
        let mut sentences = self.lock();
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.sentences.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
