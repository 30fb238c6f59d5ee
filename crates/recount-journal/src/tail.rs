//! The tail: the newest frames in memory, so that whoever follows the head reads no file. Bounded in bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::reader::Frame;
use crate::segment::Location;

/// The newest frames, oldest first.
#[derive(Debug)]
pub(crate) struct Tail {
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    bytes_max: usize,
}

impl Tail {
    pub(crate) fn new(bytes_max: usize) -> Tail {
        Tail { frames: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Adds the newest frame and drops the oldest beyond the bound.
    pub(crate) fn push(&mut self, frame: Arc<Frame>) {
        self.bytes += cost(&frame);
        self.frames.push_back(frame);
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.frames.pop_front()
        {
            self.bytes -= cost(&oldest);
        }
    }

    /// The frame that begins at `location`, if it is among the newest.
    pub(crate) fn get(&self, location: &Location) -> Option<Arc<Frame>> {
        let at = self.frames.binary_search_by(|frame| frame.location.cmp(location)).ok()?;
        self.frames.get(at).cloned()
    }
}

fn cost(frame: &Frame) -> usize {
    size_of::<Frame>() + frame.body.capacity()
}
