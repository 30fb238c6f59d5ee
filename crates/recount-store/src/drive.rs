//! Driving the journal: the leader among the waiting callers writes the next group on its own thread.
//!
//! One caller leads at a time. It drives one group after another until its own append is answered, then passes
//! the lead to a caller that waits. The future of the group being written lives here and not in the leader's
//! own future, so that a caller may go away at any moment: somebody else polls it on. A caller may also stay and not
//! poll: after a while the background task leads in its place.
//!
//! ```text
//!  roll, if the segment is full ── take the forming group ── encode ── write ── sync ── answer
//! ```

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, TryLockError};
use std::task::{Context, Poll, Wake, Waker};

use recount_env::turn::yield_turn;
use recount_journal::{JournalError, Room, Writer};
use recount_types::Lsn;

use crate::error::{AppendError, chain};
use crate::forming::Waiter;
use crate::slot::{Answer, Slot};
use crate::state;
use crate::store::{Inner, lock};

/// A leader that wrote so many groups of one append lets ready tasks go first again, to see whether there are others.
const ALONE_MAX: u32 = 16;

/// Who holds the writer.
enum Driver {
    /// Nobody.
    Idle(Box<Writer>),
    /// A group that is being written; it gives the writer back.
    Running(Pin<Box<dyn Future<Output = Box<Writer>> + Send>>),
    /// The journal is closed.
    Gone,
}

/// What became of polling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Polled {
    /// A group is done; there may be another one.
    Done,
    /// The journal is closed: whatever is asked for now is not written any more.
    NoWriter,
}

/// An open database: what its parts share, and the group being written, which refers to them.
pub(crate) struct Database {
    pub(crate) inner: Arc<Inner>,
    driver: Mutex<Driver>,
    pollers: Arc<Pollers>,
}

/// Who polls the group being written: usually one. An I/O wakes only who polled last, so all are woken from here: if there
/// are two leaders, each hears of the end of the group, whoever polled it to its end.
#[derive(Default)]
struct Pollers(Mutex<Vec<Waker>>);

impl Pollers {
    fn add(&self, waker: &Waker) {
        let mut wakers = lock(&self.0);
        if !wakers.iter().any(|other| other.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    /// The group is done: wakes all but the one that knows.
    fn end(&self, knows: &Waker) {
        for waker in std::mem::take(&mut *lock(&self.0)) {
            if !waker.will_wake(knows) {
                waker.wake();
            }
        }
    }
}

impl Wake for Pollers {
    fn wake(self: Arc<Self>) {
        let wakers = std::mem::take(&mut *lock(&self.0));
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Waits for the answer to a slot, leading when it is its turn.
pub(crate) async fn answer(database: &Database, slot: Arc<Slot>) -> Answer {
    let guard = Guard { database, slot };
    let mut yielded = false;
    poll_fn(|cx| {
        let slot = &guard.slot;
        if slot.leads_or_registers(cx) {
            // Tasks that are ready now may have appends for this group: they go first, once.
            if !std::mem::replace(&mut yielded, true) && !database.is_alone() {
                yield_turn(cx);
                return Poll::Pending;
            }
            database.lead(slot, cx);
        }
        slot.take_or_register(cx).map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// Passes the lead on if its caller goes away.
struct Guard<'a> {
    database: &'a Database,
    slot: Arc<Slot>,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if self.slot.abandon() {
            self.database.pass_on_lead();
        }
    }
}

impl Database {
    /// A database whose journal is written by `writer`.
    pub(crate) fn new(inner: Arc<Inner>, writer: Writer) -> Database {
        Database { inner, driver: Mutex::new(Driver::Idle(Box::new(writer))), pollers: Arc::default() }
    }

    /// True if there is one caller, as it seems: nobody is waited for then.
    fn is_alone(&self) -> bool {
        !self.inner.alone.load(Ordering::Relaxed).is_multiple_of(ALONE_MAX)
    }

    /// Takes the writer away: nothing is written any more. `None` if a group is being written, or it was taken.
    pub(crate) fn take_writer(&self) -> Option<Box<Writer>> {
        let mut driver = lock(&self.driver);
        match std::mem::replace(&mut *driver, Driver::Gone) {
            Driver::Idle(writer) => Some(writer),
            other => {
                *driver = other;
                None
            }
        }
    }

    /// Drives groups until the slot is answered or nothing is left to do, then passes the lead on.
    fn lead(&self, slot: &Slot, cx: &mut Context<'_>) {
        while let Poll::Ready(polled) = self.poll_group(cx) {
            let mut sequencer = lock(&self.inner.sequencer);
            if polled == Polled::NoWriter || !sequencer.has_work() {
                sequencer.driving = false;
                slot.resign();
                return;
            }
            if slot.is_answered() && sequencer.next_leader().any(|next| next.make_leader()) {
                slot.resign();
                return;
            }
        }
    }

    /// The leader went away: another caller leads, or else the background task.
    fn pass_on_lead(&self) {
        let mut sequencer = lock(&self.inner.sequencer);
        if !sequencer.next_leader().any(|next| next.make_leader()) {
            sequencer.driving = false;
            drop(sequencer);
            self.inner.signals.activity.notify();
        }
    }

    /// Polls the group being written, or begins one. Ready when one group is done.
    fn poll_group(&self, cx: &mut Context<'_>) -> Poll<Polled> {
        let mut driver = lock(&self.driver);
        if matches!(*driver, Driver::Idle(_))
            && let Driver::Idle(writer) = std::mem::replace(&mut *driver, Driver::Gone)
        {
            *driver = Driver::Running(Box::pin(run_group(self.inner.clone(), writer)));
        }
        match &mut *driver {
            Driver::Running(group) => {
                self.pollers.add(cx.waker());
                let waker = Waker::from(self.pollers.clone());
                let Poll::Ready(writer) = group.as_mut().poll(&mut Context::from_waker(&waker)) else {
                    return Poll::Pending;
                };
                *driver = Driver::Idle(writer);
                drop(driver);
                self.pollers.end(cx.waker());
                Poll::Ready(Polled::Done)
            }
            Driver::Idle(_) | Driver::Gone => Poll::Ready(Polled::NoWriter),
        }
    }

    /// True if a group, or a seal, was begun and is not done.
    fn is_writing(&self) -> bool {
        matches!(*lock(&self.driver), Driver::Running(_))
    }

    /// True while somebody polls the group that is being written.
    pub(crate) fn is_polled(&self) -> bool {
        matches!(self.driver.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Writes all that was accepted, whoever leads: there may be two for a while.
    pub(crate) async fn drain(&self) {
        while lock(&self.inner.sequencer).has_work() || self.is_writing() {
            if poll_fn(|cx| self.poll_group(cx)).await == Polled::NoWriter {
                return;
            }
        }
    }

    /// Leads until nothing is left to do, or somebody else leads.
    pub(crate) async fn drive(&self) {
        let slot = Arc::new(Slot::default());
        {
            let mut sequencer = lock(&self.inner.sequencer);
            if sequencer.driving || !sequencer.has_work() {
                return;
            }
            sequencer.driving = true;
        }
        slot.make_leader();
        // It counts as answered: it leads only as long as nobody waits.
        slot.answer(Answer::Again);
        let guard = Guard { database: self, slot };
        poll_fn(|cx| {
            if guard.slot.leads() {
                self.lead(&guard.slot, cx);
            }
            if guard.slot.leads() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }
}

async fn run_group(inner: Arc<Inner>, mut writer: Box<Writer>) -> Box<Writer> {
    if let Err(error) = roll_if_wanted(&inner, &mut writer).await {
        return refuse(&inner, writer, error);
    }
    let taken = {
        let mut sequencer = lock(&inner.sequencer);
        let location = writer.next_location();
        let room = |in_flight| match writer.room_after(Some(in_flight)) {
            Room::Bytes(bytes) => Some(bytes),
            Room::Roll => None,
        };
        let taken = sequencer.take(location, room, &*inner.env.clock);
        if sequencer.take_new_deadline() {
            inner.signals.activity.notify();
        }
        taken
    };
    let Some(taken) = taken else {
        return seal_if_asked(&inner, writer).await;
    };
    if taken.froze {
        inner.signals.index_work.notify();
    }
    let (spec, waiters) = taken.forming.finish(taken.append_time);
    let in_a_row = if waiters.len() > 1 { 0 } else { inner.alone.load(Ordering::Relaxed).wrapping_add(1) };
    inner.alone.store(in_a_row, Ordering::Relaxed);
    let head = spec.first_position.0 + u64::from(spec.count) - 1;
    match writer.write(spec).await {
        Ok(frame) => {
            inner.head.store(head, Ordering::Release);
            inner.last_sync_us.store(inner.env.clock.boottime_us(), Ordering::Relaxed);
            let later = lock(&inner.sequencer).durable();
            for waiter in waiters.into_iter().chain(later) {
                waiter.durable(&frame.header);
            }
            inner.visible.notify();
            if inner.sealed.swap(false, Ordering::AcqRel) {
                inner.signals.activity.notify();
            }
        }
        Err(error) => fail(&inner, waiters, &error),
    }
    writer
}

async fn roll_if_wanted(inner: &Inner, writer: &mut Writer) -> Result<(), JournalError> {
    let wanted = {
        let mut sequencer = lock(&inner.sequencer);
        sequencer.wants_roll().map(|bytes| {
            let room = writer.room_after(None);
            if matches!(room, Room::Bytes(room) if room >= bytes) {
                (bytes, None)
            } else {
                let froze = sequencer.freeze(Lsn(writer.next_lsn().0 - 1));
                (bytes, Some((sequencer.state().encode(), froze)))
            }
        })
    };
    let Some((bytes, roll)) = wanted else { return Ok(()) };
    if let Some((state, froze)) = roll {
        if froze {
            inner.signals.index_work.notify();
        }
        writer.roll(&state, bytes).await?;
    }
    let room = match writer.room_after(None) {
        Room::Bytes(room) => room,
        Room::Roll => unreachable!("a segment that was just begun has room"),
    };
    lock(&inner.sequencer).begin_group(room, &*inner.env.clock);
    Ok(())
}

async fn seal_if_asked(inner: &Inner, mut writer: Box<Writer>) -> Box<Writer> {
    let (asked, position, seal) = {
        let mut sequencer = lock(&inner.sequencer);
        let asked = std::mem::take(&mut sequencer.seal_requested);
        (asked, sequencer.next_position(), state::encode_seal(sequencer.time_floor, &sequencer.clock))
    };
    if asked && !writer.is_sealed() {
        match writer.seal(position, seal).await {
            Ok(()) => inner.sealed.store(true, Ordering::Release),
            Err(error) => fail(inner, Vec::new(), &error),
        }
    }
    writer
}

/// The next segment could not be had: the appends that wait for it are refused, nothing else happened.
fn refuse(inner: &Inner, writer: Box<Writer>, error: JournalError) -> Box<Writer> {
    if matches!(error, JournalError::Failed { .. }) {
        fail(inner, Vec::new(), &error);
    } else {
        let error = AppendError::StorageFull { what: chain(&error) };
        lock(&inner.sequencer).fail_queued(&error);
    }
    writer
}

fn fail(inner: &Inner, waiters: Vec<Waiter>, error: &JournalError) {
    let what = error.to_string();
    tracing::error!(%what, "the journal closed itself");
    let more = lock(&inner.sequencer).fail(&what);
    for waiter in waiters.into_iter().chain(more) {
        waiter.failed(AppendError::Closed { what: what.clone() });
    }
    inner.visible.notify();
}

#[cfg(test)]
mod tests;
