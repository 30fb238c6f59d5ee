//! An operation of a process: takes its time, is counted, may be where the process stops.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Core;
use super::faults::{CRASHES, Faults, Site};
use super::handle::Handle;
use crate::Io;

/// How much of an operation is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// As much of it as the seed says; nobody hears of it.
    Part,
}

/// One operation: begins when first polled, is done when its time is over.
struct Operation<'a, T, A: FnMut(&mut Core, Site, Extent) -> io::Result<T>> {
    handle: &'a Handle,
    kind: &'static str,
    path: &'a Path,
    act: A,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    New,
    InFlight(u64),
    Over,
}

impl<T, A: FnMut(&mut Core, Site, Extent) -> io::Result<T> + Unpin> Future for Operation<'_, T, A> {
    type Output = io::Result<T>;

    /// Stops the process if that is due; then this never ends.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let this = self.get_mut();
        let mut core = this.handle.world.lock();
        if core.incarnation != this.handle.incarnation || core.stopped {
            return Poll::Pending;
        }
        match this.stage {
            Stage::New => {
                this.stage = Stage::InFlight(core.begin_io(cx.waker().clone()));
                return Poll::Pending;
            }
            Stage::InFlight(id) => match core.in_flight.get_mut(&id) {
                Some(io) if !io.ended => {
                    io.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                _ => core.in_flight.remove(&id),
            },
            Stage::Over => return Poll::Pending,
        };
        this.stage = Stage::Over;
        let site = Site { operation: this.kind, class: (core.classify)(this.path) };
        let crashes = core.crash_due(site);
        core.counts.operation(site);
        core.note(format!("{} {}", this.kind, this.path.display()));
        if !crashes {
            return Poll::Ready((this.act)(&mut core, site, Extent::Whole));
        }
        let (name, extent) = match core.rng.below(3) {
            0 => (CRASHES[0], None),
            1 => (CRASHES[1], Some(Extent::Part)),
            _ => (CRASHES[2], Some(Extent::Whole)),
        };
        core.counts.fault(name, site);
        let unheard = extent.map(|extent| (this.act)(&mut core, site, extent));
        core.note(name.to_owned());
        core.stopped = true;
        drop(core);
        // A lock that nobody has any more comes back here.
        drop(unheard);
        Poll::Pending
    }
}

/// An operation that nobody waits for any more may be done all the same: wholly, in part, or not.
impl<T, A: FnMut(&mut Core, Site, Extent) -> io::Result<T>> Drop for Operation<'_, T, A> {
    fn drop(&mut self) {
        let Stage::InFlight(id) = self.stage else { return };
        let mut core = self.handle.world.lock();
        let forgotten = core.in_flight.remove(&id);
        let incarnation = self.handle.incarnation;
        if core.incarnation == incarnation || core.ending == Some(incarnation) {
            let (extent, name) = match core.rng.below(3) {
                0 => (None, "not done"),
                1 => (Some(Extent::Part), "done in part"),
                _ => (Some(Extent::Whole), "done"),
            };
            core.note(format!("{} {} is dropped, {name}", self.kind, self.path.display()));
            // Faults are for those who hear of them.
            let none = Faults { capacity_bytes: core.faults.capacity_bytes, ..Faults::default() };
            let faults = std::mem::replace(&mut core.faults, none);
            let site = Site { operation: self.kind, class: (core.classify)(self.path) };
            let unheard = extent.map(|extent| (self.act)(&mut core, site, extent));
            core.faults = faults;
            drop(core);
            // A lock that nobody has any more comes back here.
            drop(unheard);
        }
        drop(forgotten);
    }
}

impl Handle {
    pub(super) fn operate<'a, T: Send + 'a>(
        &'a self,
        kind: &'static str,
        path: &'a Path,
        act: impl FnMut(&mut Core, Site, Extent) -> io::Result<T> + Unpin + Send + 'a,
    ) -> Io<'a, T> {
        Box::pin(Operation { handle: self, kind, path, act, stage: Stage::New })
    }
}
