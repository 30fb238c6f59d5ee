//! What is told of a version of an entity that is being built.
//!
//! Its builder is held where it writes a snapshot, which it does every thousand events and without the lock of its rows: what is
//! seen then does not depend on how fast anything is.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use expect_test::expect;
use recount_env::memory::memory_env;
use recount_env::{Clock, Env, File, Files, Io, Lock, OpenMode};
use recount_http::Limits;
use recount_views::Settings;

use crate::server::Server;

/// Shows a millisecond more whenever it is looked at.
struct TickingClock(AtomicU64);

impl Clock for TickingClock {
    fn now_us(&self) -> i64 {
        1_704_067_200_000_000 + self.boottime_us() as i64
    }

    fn boottime_us(&self) -> u64 {
        self.0.fetch_add(1000, Ordering::AcqRel)
    }

    fn boot_id(&self) -> [u8; 16] {
        [0; 16]
    }
}

/// Where whoever makes a file waits, as long as it is shut.
#[derive(Default)]
struct Gate {
    /// How many may pass; `None` = all.
    passes: Mutex<(Option<u32>, bool)>,
    moved: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut state = self.passes.lock().unwrap();
        while state.0 == Some(0) {
            state.1 = true;
            self.moved.notify_all();
            state = self.moved.wait(state).unwrap();
        }
        state.0 = state.0.map(|passes| passes - 1);
    }

    /// Lets so many pass, and no more.
    fn shut_after(&self, passes: Option<u32>) {
        *self.passes.lock().unwrap() = (passes, false);
        self.moved.notify_all();
    }

    /// Returns once somebody waits.
    fn until_somebody_waits(&self) {
        let state = self.passes.lock().unwrap();
        drop(self.moved.wait_while(state, |state| !state.1).unwrap());
    }
}

struct GatedFiles(Arc<dyn Files>, Arc<Gate>);

impl Files for GatedFiles {
    fn open<'a>(&'a self, path: &'a Path, mode: OpenMode) -> Io<'a, Arc<dyn File>> {
        if mode == OpenMode::CreateNew {
            self.1.pass();
        }
        self.0.open(path, mode)
    }

    fn create_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        self.0.create_dir(path)
    }

    fn list<'a>(&'a self, path: &'a Path) -> Io<'a, Vec<String>> {
        self.0.list(path)
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> Io<'a, ()> {
        self.0.rename(from, to)
    }

    fn remove<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        self.0.remove(path)
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        self.0.sync_dir(path)
    }

    fn lock<'a>(&'a self, path: &'a Path) -> Io<'a, Box<dyn Lock>> {
        self.0.lock(path)
    }

    fn zero_fill_pointless<'a>(&'a self, path: &'a Path) -> Io<'a, Option<&'static str>> {
        self.0.zero_fill_pointless(path)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_far_a_new_version_is_and_how_long_it_will_take() {
    let gate = Arc::new(Gate::default());
    let env = memory_env();
    let env = Env {
        clock: Arc::new(TickingClock(AtomicU64::new(0))),
        files: Arc::new(GatedFiles(env.files.clone(), gate.clone())),
        ..env
    };
    let settings = Settings { snapshot_events: 1000, ..Settings::default() };
    let server = Server::with_views(Limits::default(), env, settings).await;
    let sql = async |statement: &str| {
        let answer = server.post("/sql", "text/plain", statement).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    };
    sql("CREATE TOPIC counts (id BIGINT NOT NULL) KEY (id)").await;
    sql("CREATE ENTITY total FROM counts STATE (n BIGINT NOT NULL DEFAULT 0) WHEN ANY THEN SET n = n + 1")
        .await;
    // In two appends, and so in two epochs.
    for _ in 0..2 {
        sql("INSERT INTO counts SELECT 1 FROM generate_series(1, 6000)").await;
    }
    sql("SELECT * FROM total").await;
    gate.shut_after(Some(0));
    sql("CREATE OR REPLACE ENTITY total FROM counts STATE (n BIGINT NOT NULL DEFAULT 0) WHEN ANY THEN SET n = n + 2")
        .await;
    let built = loop {
        gate.until_somebody_waits();
        let listed = server.get("/entities").await.json();
        let built = listed["entities"][1].clone();
        if built["position"] != 0 {
            break built;
        }
        // That was the first version, which is kept from time to time, too.
        gate.shut_after(Some(1));
    };
    let of = |shown: &serde_json::Value| {
        ["version", "current", "position", "head", "behind", "secondsLeft", "keys"]
            .map(|name| format!("{name} {}", shown[name]))
            .join(", ")
    };
    expect!["version 2, current false, position 6003, head 12004, behind 6001, secondsLeft 1, keys 1"]
        .assert_eq(&of(&built));
    let number = |name: &str| built[name].as_u64().unwrap();
    // The clock moves a little more or less, as others look at it.
    assert!(number("eventsPerSecond") > 1000, "{built}");
    assert_eq!(number("secondsLeft"), number("behind").div_ceil(number("eventsPerSecond")));
    let alone = server.get("/entities/total?version=2").await.json();
    assert_eq!(alone["entities"][0], built);
    // The version before answers meanwhile.
    assert_eq!(server.get("/entities/total/1").await.json()["row"]["n"], 12_000);
    gate.shut_after(None);
    let built = loop {
        let listed = server.get("/entities").await.json();
        let built = &listed["entities"][1];
        if built["current"] == true && built["position"] == 12_005 && built["head"] == 12_005 {
            break built.clone();
        }
    };
    expect!["version 2, current true, position 12005, head 12005, behind 0, secondsLeft 0, keys 1"]
        .assert_eq(&of(&built));
    assert!(built["eventsPerSecond"].is_null(), "{built}");
    assert_eq!(server.get("/entities/total/1").await.json()["row"]["n"], 24_000);
    server.stop().await.unwrap();
}
