//! A seed from beginning to end: run, crash, open, compare, and again.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use recount_env::sim::faults::{Counts, CrashAt, Fault, Faults, Site, Strike};
use recount_env::sim::rng::Rng;
use recount_env::sim::{Ended, Process, World};
use recount_journal::Settings;
use recount_store::{OpenOptions, OpenStoreError, ReadRequest, Scope, Store};
use recount_types::{Event, Kind};

use crate::check::{self, Finding};
use crate::model::{Model, Outcome};
use crate::workload::{self, SharedModel, lock};

/// What a seed did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// Operations of clients.
    pub operations: u64,
    /// Crashes and kills.
    pub crashes: u64,
    /// Events at the end.
    pub events: u64,
    /// It ended in a typed refusal after damage: which.
    pub refusal: Option<String>,
    /// Counts of the machine.
    pub counts: Counts,
    /// The disk at the end.
    pub digest: u64,
    /// What the store counted over all openings: rolls, flushes, merges.
    pub rolls: u64,
    /// Runs written.
    pub flushes: u64,
    /// Merges.
    pub merges: u64,
}

/// A seed that found something wrong.
#[derive(Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What is wrong.
    pub what: String,
    /// The machine's latest operations.
    pub trace: Vec<String>,
}

/// Operations that a seed makes at least.
const OPERATIONS_MIN: u64 = 200;
/// Openings after which a seed ends all the same.
const OPENINGS_MAX: u64 = 60;

/// Operations that most seeds never get to.
pub(crate) const RARE: [(&str, &str); 7] = [
    ("create", "quarantine"),
    ("write", "quarantine"),
    ("sync_data", "quarantine"),
    ("remove", "quarantine"),
    ("remove", "segment"),
    ("rename", "segment"),
    ("remove", "format"),
];

/// What kind of faults a seed meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Crashes and kills: all that was acknowledged must be there.
    Crash,
    /// Failing writes and syncs, full disks: the same.
    Fail,
    /// Flipped bits, lost and misdirected writes, failing reads: the same, or a typed refusal.
    Damage,
}

/// What a path is, for counting.
pub fn classify(path: &Path) -> &'static str {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match name {
        "LOCK" => "lock",
        "CLOSED" | "CLOSED.tmp" => "closed",
        "FORMAT" | "FORMAT.tmp" => "format",
        "next.tmp" => "next",
        "journal" | "index" | "quarantine" | "db" => "directory",
        _ if name.starts_with("MANIFEST-") => "manifest",
        _ if name.ends_with(".journal") => "segment",
        _ if name.ends_with(".run") || name.ends_with(".run.tmp") => "run",
        _ if name.ends_with(".bin") => "quarantine",
        _ => "directory",
    }
}

/// Plays a seed.
pub fn run_seed(seed: u64) -> Result<Played, Failure> {
    let mut run = Run::new(seed);
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| run.play()));
    let what = match result {
        Ok(Ok(())) => return Ok(run.outcome()),
        Ok(Err(what)) => what,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            format!("panic: {}", text.unwrap_or_default())
        }
    };
    Err(Failure { seed, what, trace: run.world.trace() })
}

struct Run {
    world: World,
    rng: Rng,
    mode: Mode,
    model: SharedModel,
    options: OpenOptions,
    root: PathBuf,
    crashes: u64,
    openings: u64,
    events: u64,
    refusal: Option<String>,
    rolls: u64,
    flushes: u64,
    merges: u64,
    /// See [`Faults::read_only_after_sync_dir`].
    read_only_after_sync_dir: bool,
    /// The database was opened once.
    created: bool,
}

/// Tasks refer to the machine, which has them: they must go for it to go.
impl Drop for Run {
    fn drop(&mut self) {
        self.world.kill();
    }
}

impl Run {
    fn new(seed: u64) -> Run {
        let world = World::new(seed, classify);
        let mut rng = Rng::new(seed ^ 0x5eed);
        let mode = match rng.below(10) {
            0..=5 => Mode::Crash,
            6..=7 => Mode::Fail,
            _ => Mode::Damage,
        };
        let segment_bytes_min = (4 + rng.below(13)) * 4096;
        let journal =
            Settings { segment_bytes_min, segment_bytes_max: 65536, tail_bytes_max: 4096 << rng.below(5) };
        let options = OpenOptions {
            journal,
            // Sometimes every group becomes a run, so that merges happen.
            memtable_bytes_max: if rng.below(3) == 0 { 1 } else { (12 << 10) + rng.below(64 << 10) as usize },
            accept_clock: true,
            ..OpenOptions::default()
        };
        let read_only_after_sync_dir = rng.below(2) == 0;
        Run {
            world,
            rng,
            mode,
            model: Arc::new(Mutex::new(Model::new(mode == Mode::Damage))),
            options,
            root: PathBuf::from("/db"),
            crashes: 0,
            openings: 0,
            events: 0,
            refusal: None,
            rolls: 0,
            flushes: 0,
            merges: 0,
            read_only_after_sync_dir,
            created: false,
        }
    }

    fn outcome(&self) -> Played {
        Played {
            operations: lock(&self.model).operations,
            crashes: self.crashes,
            events: self.events,
            refusal: self.refusal.clone(),
            counts: self.world.counts(),
            digest: self.world.disk(|disk| disk.digest()),
            rolls: self.rolls,
            flushes: self.flushes,
            merges: self.merges,
        }
    }

    fn play(&mut self) -> Result<(), String> {
        let followed = Arc::new(Mutex::new(0));
        self.world.disk(|_| ());
        while self.refusal.is_none() {
            let enough = lock(&self.model).operations >= OPERATIONS_MIN && self.crashes > 0;
            if enough || self.openings > OPENINGS_MAX {
                return self.end();
            }
            self.openings += 1;
            self.phase(&followed)?;
        }
        Ok(())
    }

    /// Opens with faults about, works until a crash or for a while, and stops in some way.
    fn phase(&mut self, followed: &Arc<Mutex<u64>>) -> Result<(), String> {
        let faults = self.faults_of_phase();
        self.world.set_faults(faults);
        let (process, env) = self.world.start();
        let (root, options) = (self.root.clone(), self.options.clone());
        let opened = process.run({
            let env = env.clone();
            async move { Store::open(env, &root, options).await }
        });
        let store = match opened {
            Ok(Ok(store)) => {
                self.created = true;
                store
            }
            Ok(Err(error)) => return self.open_failed(&error),
            Err(Ended::Crashed) => {
                self.stop_machine();
                return Ok(());
            }
            Err(ended) => return Err(format!("opening is {ended:?}")),
        };
        let model = self.model.clone();
        let clients = 1 + self.rng.below(4);
        let running = Arc::new(Mutex::new(clients));
        let operations = 1 + self.rng.below(80);
        {
            let (store, model, world, running) =
                (store.clone(), model.clone(), self.world.clone(), running.clone());
            let spawner = process.spawner();
            process.spawn(async move {
                if !workload::create_topics(&store, &model).await {
                    *running.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = 0;
                    return;
                }
                for number in 0..clients {
                    let (store, model, world, running) =
                        (store.clone(), model.clone(), world.clone(), running.clone());
                    spawner.spawn(async move {
                        workload::client(world, store, model, number, operations).await;
                        *running.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) -= 1;
                    });
                }
            });
        }
        process.spawn(workload::subscriber(store.clone(), model.clone(), followed.clone()));
        let finished = || {
            *running.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) == 0
                || lock(&model).failure.is_some()
        };
        let ended = process.run_until(finished);
        self.count(&store);
        let failures = store.stats().index_failures;
        if self.mode == Mode::Crash && failures > 0 {
            return Err(format!("the index could not be written {failures} times, without a fault"));
        }
        // A subscriber may be the first to see what a disk lost.
        let failure = lock(&self.model).failure.clone();
        if let Some(what) = failure {
            return self.damaged(what);
        }
        match ended {
            Ended::Done if self.rng.below(3) == 0 => {
                let closed = process.run({
                    let store = store.clone();
                    async move { store.close().await }
                });
                drop(store);
                match closed {
                    Ok(_) => self.stop_process(),
                    Err(Ended::Crashed) => self.stop_machine(),
                    Err(ended) => return Err(format!("closing is {ended:?}")),
                }
            }
            Ended::Done | Ended::Crashed => {
                drop(store);
                self.stop_machine();
            }
            Ended::Stuck => return Err("nothing can happen any more".to_owned()),
        }
        // Else the next phase opens what is left, with faults about.
        if self.rng.below(2) == 0 { self.verify(false) } else { Ok(()) }
    }

    fn faults_of_phase(&mut self) -> Faults {
        let mut faults =
            Faults { read_only_after_sync_dir: self.read_only_after_sync_dir, ..Faults::default() };
        let counts = self.world.counts();
        let sites: Vec<Site> = counts.sites().map(|(site, _)| site).collect();
        faults.crash = match (self.rng.below(4), self.some_site(&sites)) {
            (0, _) => None,
            // Sites that most operations are not at have their share.
            (1, site) => Some(CrashAt::Site(site, self.soon(&counts, site))),
            _ => Some(CrashAt::Operation(counts.operations + self.rng.below(600))),
        };
        let mut one_in = |often: u64, rarely: u64| [0, often, rarely][self.rng.below(3) as usize];
        let kinds: &[Fault] = match self.mode {
            Mode::Crash => &[],
            Mode::Fail => {
                faults.write_eio_one_in = one_in(60, 400);
                faults.enospc_one_in = one_in(30, 200);
                let sync_eio_one_in = one_in(60, 400);
                // Where the process may go on, a directory whose sync failed while the database was created may be
                // lost for good, whatever is synced in it later: docs/durability.md says to create it elsewhere.
                if self.created || self.read_only_after_sync_dir {
                    faults.sync_eio_one_in = sync_eio_one_in;
                    &[Fault::WriteEio, Fault::NoSpace, Fault::SyncEio]
                } else {
                    &[Fault::WriteEio, Fault::NoSpace]
                }
            }
            Mode::Damage => {
                faults.bit_flip_one_in = one_in(100, 1000);
                faults.lost_write_one_in = one_in(100, 1000);
                faults.misdirected_one_in = one_in(100, 1000);
                faults.misplaced_one_in = one_in(200, 1000);
                faults.misfiled_one_in = one_in(200, 1000);
                faults.read_eio_one_in = one_in(30, 300);
                &[
                    Fault::BitFlip,
                    Fault::LostWrite,
                    Fault::MisdirectedWrite,
                    Fault::MisplacedWrite,
                    Fault::MisfiledWrite,
                    Fault::ReadEio,
                ]
            }
        };
        let site = self.some_site(&sites);
        let kinds: Vec<Fault> =
            kinds.iter().copied().filter(|kind| kind.strikes_at(site.operation)).collect();
        if let Some(&fault) = kinds.get(self.rng.below(kinds.len() as u64) as usize) {
            faults.strike = Some(Strike { fault, site, n: self.soon(&counts, site) });
        }
        faults
    }

    /// One of the kinds of operations met so far, or of those that few seeds meet, each as likely as any other.
    fn some_site(&mut self, sites: &[Site]) -> Site {
        let at = self.rng.below((sites.len() + RARE.len()) as u64) as usize;
        sites.get(at).copied().unwrap_or_else(|| {
            let (operation, class) = RARE[at - sites.len()];
            Site { operation, class }
        })
    }

    /// One of the next few operations at a site, the very next if there will hardly be another.
    fn soon(&mut self, counts: &Counts, site: Site) -> u64 {
        let rare = RARE.contains(&(site.operation, site.class));
        counts.of(site) + if rare { 0 } else { self.rng.below(4) }
    }

    /// The process is killed; the machine boots again if nothing can be written any more.
    fn stop_process(&self) {
        if self.world.disk(|disk| disk.is_read_only()) { self.world.power_cut() } else { self.world.kill() }
    }

    /// The power fails or the process is killed.
    fn stop_machine(&mut self) {
        self.crashes += 1;
        if self.rng.below(3) == 0 { self.stop_process() } else { self.world.power_cut() }
    }

    fn open_failed(&mut self, error: &OpenStoreError) -> Result<(), String> {
        match (self.mode, error.kind()) {
            // A fault of this phase; the machine goes on.
            (Mode::Fail, Kind::Unavailable) | (Mode::Damage, Kind::Unavailable) => {
                self.stop_machine();
                Ok(())
            }
            (Mode::Damage, Kind::Corrupt | Kind::Invalid) => {
                self.refusal = Some(error.to_string());
                Ok(())
            }
            _ => Err(format!("opening fails: {error}")),
        }
    }

    /// Opens without faults and compares everything with the model.
    fn verify(&mut self, settle: bool) -> Result<(), String> {
        self.world.set_faults(Faults::default());
        let (process, env) = self.world.start();
        let (root, options, model) = (self.root.clone(), self.options.clone(), self.model.clone());
        let store = match process.run(async move { Store::open(env, &root, options).await }) {
            Ok(Ok(store)) => store,
            Ok(Err(error)) if error.kind() == Kind::Unavailable => {
                return Err(format!("opening fails without a fault: {error}"));
            }
            Ok(Err(error)) => return self.open_failed(&error),
            Err(ended) => return Err(format!("opening is {ended:?}")),
        };
        if settle {
            self.settle(&process, &store)?;
        }
        let events = match process.run({
            let store = store.clone();
            async move { check::read_all(&store, ReadRequest::all(Scope::All { system: true })).await }
        }) {
            Ok(Ok(events)) => events,
            Ok(Err(error)) if self.mode == Mode::Damage => {
                self.refusal = Some(error.to_string());
                return Ok(());
            }
            Ok(Err(error)) => return Err(format!("reading fails: {error}")),
            Err(ended) => return Err(format!("reading is {ended:?}")),
        };
        self.compare(&process, &store, &model, &events, settle)?;
        self.events = events.len() as u64;
        let closed = process.run({
            let store = store.clone();
            async move { store.close().await }
        });
        drop(store);
        match (closed, self.rng.below(2)) {
            (Ok(Ok(())), 0) => self.world.kill(),
            (Ok(Ok(())), _) => self.world.power_cut(),
            (other, _) => return Err(format!("closing without faults: {other:?}")),
        }
        Ok(())
    }

    fn compare(
        &mut self,
        process: &Process,
        store: &Store,
        model: &SharedModel,
        events: &[Event],
        settled: bool,
    ) -> Result<(), String> {
        let head = store.head();
        let visible: Vec<Event> = events.to_vec();
        {
            let mut model = lock(model);
            check::check_log(&mut model, &visible, head, settled).or_else(|what| self.damaged(what))?;
            if settled {
                check::check_settled(&model, &visible).or_else(|what| self.damaged(what))?;
            }
        }
        let live = lock(model).topics.clone();
        let checked = process.run({
            let store = store.clone();
            async move { check::check_reads(&store, &visible, &live).await }
        });
        match checked {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Finding::Refused(what))) if self.mode == Mode::Damage => {
                self.refusal = Some(what);
                Ok(())
            }
            Ok(Err(Finding::Refused(what) | Finding::Wrong(what))) => Err(what),
            Err(ended) => Err(format!("checking is {ended:?}")),
        }
    }

    /// What a lying disk may do and no journal can notice: a write that was synced and is not there, or zeros that were
    /// meant for the next segment and lie on the newest groups (seed 1464 lost six events so). Counted apart.
    fn damaged(&mut self, what: String) -> Result<(), String> {
        let lost = [Fault::LostWrite.name(), Fault::MisplacedWrite.name()];
        // Runs and locks are no part of the log.
        let lied = self.world.counts().faults().any(|(fault, site, _)| {
            let zeros = fault == Fault::MisfiledWrite.name() && site.class == "next";
            zeros || lost.contains(&fault) && !matches!(site.class, "run" | "lock" | "quarantine")
        });
        if self.mode == Mode::Damage && lied {
            self.refusal = Some(format!("residue: {what}"));
            return Ok(());
        }
        Err(what)
    }

    /// Aborts what is open, so that everything acknowledged gets its position.
    fn settle(&mut self, process: &Process, store: &Store) -> Result<(), String> {
        let unended = |outcome: &Outcome| !matches!(outcome, Outcome::Committed | Outcome::Aborted);
        let open: Vec<u64> = lock(&self.model)
            .transactions
            .iter()
            .filter(|(_, o)| unended(o))
            .map(|(&producer, _)| producer)
            .collect();
        let (store, model) = (store.clone(), self.model.clone());
        let ended = process.run(async move {
            for producer in open {
                // One that may have been committed before keeps that outcome: this abort finds it ended.
                let before = lock(&model).transactions.get(&producer).copied();
                workload::end(&store, &model, producer, false).await;
                if before == Some(Outcome::MaybeCommitted) {
                    lock(&model).transactions.insert(producer, Outcome::MaybeCommitted);
                }
            }
        });
        ended.map_err(|ended| format!("ending transactions is {ended:?}"))
    }

    fn end(&mut self) -> Result<(), String> {
        self.verify(true)
    }

    fn count(&mut self, store: &Store) {
        let stats = store.stats();
        self.rolls += stats.rolls;
        self.flushes += stats.flushes;
        self.merges += stats.merges;
    }
}
