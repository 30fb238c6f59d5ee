//! What a circuit reads, a moment at a time.

use std::future::poll_fn;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::array::cast::AsArray;
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use recount_flow::delta::Delta;
use tokio::runtime::Handle;

use super::Reads;

/// Where a row says when it came or went, by the places of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamped {
    /// All rows came at once.
    AtOnce,
    /// It came at the time in this column, and stays.
    At(usize),
    /// It came at the one and went at the other, if it went.
    FromTo(usize, usize),
}

/// The stamp of before all times.
pub(super) const ALWAYS: u64 = 0;

/// A time, in µs, as a stamp: in the same order.
pub(super) fn stamp(time: i64) -> u64 {
    (time as u64 ^ (1 << 63)).max(ALWAYS + 1)
}

/// A stamp as a time; `None` = from before all times.
pub(super) fn time(stamp: u64) -> Option<i64> {
    (stamp != ALWAYS).then_some((stamp ^ (1 << 63)) as i64)
}

/// A stream that a circuit reads.
pub(super) struct Stream {
    rows: SendableRecordBatchStream,
    reads: Reads,
    runtime: Handle,
    /// Of the versions of an entity.
    memory: MemoryReservation,
    /// What came, in the order of stamps, and how many of it are taken.
    came: Delta,
    taken: usize,
    ended: bool,
}

impl Stream {
    pub(super) fn new(
        rows: SendableRecordBatchStream,
        reads: Reads,
        runtime: Handle,
        memory: MemoryReservation,
    ) -> Stream {
        Stream { rows, reads, runtime, memory, came: Delta::default(), taken: 0, ended: false }
    }

    /// About the memory of what came last, which nobody else counts.
    pub(super) fn bytes(&self) -> usize {
        if let Stamped::FromTo(..) = self.reads.stamped { 0 } else { self.came.bytes() }
    }

    /// The next rows, of one stamp whatever they say.
    pub(super) fn at_once(&mut self) -> Result<Option<Delta>> {
        let batch = self.batch()?;
        Ok(batch.map(|batch| self.delta(&batch, vec![ALWAYS; batch.num_rows()])))
    }

    /// The stamp of the next row; `None` at the end.
    pub(super) fn next_stamp(&mut self) -> Result<Option<u64>> {
        while self.taken == self.came.len() && !self.ended {
            (self.came, self.taken) = (self.load()?.unwrap_or_default(), 0);
        }
        Ok(self.came.stamps.get(self.taken).copied())
    }

    /// The next rows up to a stamp, as of that stamp; there may be more.
    pub(super) fn take(&mut self, stamp: u64) -> Result<Vec<Delta>> {
        if self.next_stamp()?.is_none_or(|next| next > stamp) {
            return Ok(Vec::new());
        }
        let first = self.taken;
        let count = self.came.stamps[first..].iter().take_while(|of_row| **of_row <= stamp).count();
        self.taken += count;
        Ok(vec![Delta {
            columns: self.came.columns.iter().map(|column| column.slice(first, count)).collect(),
            weights: self.came.weights[first..self.taken].to_vec(),
            stamps: vec![stamp; count],
        }])
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let rows = &mut self.rows;
        let batch = self.runtime.block_on(poll_fn(|context| rows.as_mut().poll_next(context))).transpose()?;
        self.ended = batch.is_none();
        Ok(batch)
    }

    fn delta(&self, batch: &RecordBatch, stamps: Vec<u64>) -> Delta {
        let columns = batch.columns()[..self.reads.width].to_vec();
        Delta { columns, weights: vec![1; stamps.len()], stamps }
    }

    /// The next rows; of versions, all.
    fn load(&mut self) -> Result<Option<Delta>> {
        let place = match self.reads.stamped {
            Stamped::AtOnce => return self.at_once(),
            Stamped::FromTo(from, to) => return self.all_versions(from, to),
            Stamped::At(place) => place,
        };
        let batch = self.batch()?;
        Ok(batch.map(|batch| self.delta(&batch, stamps_in(&batch, place).map(at_or_always).collect())))
    }

    /// Every row as it came and as it went; they are in no order.
    fn all_versions(&mut self, from: usize, to: usize) -> Result<Option<Delta>> {
        let (mut all, mut bytes) = (Vec::new(), 0);
        while let Some(batch) = self.batch()? {
            let came = self.delta(&batch, stamps_in(&batch, from).map(at_or_always).collect());
            let gone: Vec<Option<u64>> = stamps_in(&batch, to).collect();
            let (rows, stamps): (Vec<u32>, Vec<u64>) =
                (0..).zip(gone).filter_map(|(row, stamp)| Some((row, stamp?))).unzip();
            let went = Delta { weights: vec![-1; rows.len()], stamps, ..came.taken(&rows)? };
            // Twice while they are put in order.
            bytes += 2 * (came.bytes() + went.bytes());
            self.memory.try_resize(bytes)?;
            all.extend([came, went]);
        }
        let all = Delta::merged(all)?;
        self.memory.try_resize(all.as_ref().map_or(0, Delta::bytes))?;
        Ok(all)
    }
}

fn at_or_always(stamp: Option<u64>) -> u64 {
    stamp.unwrap_or(ALWAYS)
}

/// The times in a column, as stamps.
fn stamps_in(batch: &RecordBatch, place: usize) -> impl Iterator<Item = Option<u64>> {
    let times = batch.column(place).as_primitive::<TimestampMicrosecondType>();
    times.iter().map(|time| time.map(stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_in_the_order_of_times() {
        let times = [i64::MIN + 1, -1, 0, 1, i64::MAX];
        let stamps = times.map(stamp);
        assert!(stamps.is_sorted() && stamps[0] > ALWAYS);
        assert_eq!(stamps.map(time), times.map(Some));
        assert_eq!((time(ALWAYS), stamp(i64::MIN)), (None, ALWAYS + 1));
    }
}
