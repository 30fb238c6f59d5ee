//! What every [`Files`](recount_env::Files) does, on Linux, in memory and on a simulated machine without faults.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use recount_env::sim::World;
use recount_env::{Env, OpenMode, block_on, memory, real};

use crate::machine::{class_of, read_all};

#[test]
fn linux_conforms() {
    let env = real::env();
    let name = format!("recount-env-{:032x}", u128::from_le_bytes(env.random()));
    let root = std::env::temp_dir().join(name);
    struct Removed<'a>(&'a Path);
    impl Drop for Removed<'_> {
        fn drop(&mut self) {
            std::fs::remove_dir_all(self.0).unwrap();
        }
    }
    block_on(env.files.create_dir(&root)).unwrap();
    let removed = Removed(&root);
    block_on(conforms(env.clone(), root.clone()));
    block_on(needs_parents(env, root.clone()));
    drop(removed);
}

#[test]
fn memory_conforms() {
    let env = memory::memory_env();
    block_on(env.files.create_dir(Path::new("m"))).unwrap();
    block_on(conforms(env, PathBuf::from("m")));
}

#[test]
fn memories_share_nothing() {
    let env = memory::memory_env();
    block_on(env.files.open(Path::new("m"), OpenMode::CreateNew)).map(drop).unwrap();
    let other = memory::memory_env();
    let found = block_on(other.files.open(Path::new("m"), OpenMode::Read)).map(drop);
    assert_eq!(found.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn the_simulated_machine_conforms() {
    for seed in 0..20 {
        let world = World::new(seed, class_of);
        let (process, env) = world.start();
        let ended = process.run(async move {
            let root = PathBuf::from("/s");
            env.files.create_dir(&root).await.unwrap();
            conforms(env.clone(), root.clone()).await;
            needs_parents(env, root).await;
        });
        ended.unwrap();
    }
}

async fn conforms(env: Env, root: PathBuf) {
    creates_and_opens(&env, &root).await;
    reads_and_writes(&env, &root).await;
    sets_lengths(&env, &root).await;
    renames_and_removes(&env, &root).await;
    a_file_outlives_its_name(&env, &root).await;
    locks(&env, &root).await;
    nothing_happens_before_it_is_polled(&env, &root).await;
    let unknown = env.files.list(&root.join("absent")).await;
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::NotFound);
    env.files.zero_fill_pointless(&root).await.unwrap();
}

async fn creates_and_opens(env: &Env, root: &Path) {
    let path = root.join("created");
    for mode in [OpenMode::Read, OpenMode::ReadWrite] {
        let absent = env.files.open(&path, mode).await.map(drop);
        assert_eq!(absent.unwrap_err().kind(), ErrorKind::NotFound);
    }
    let file = env.files.open(&path, OpenMode::CreateNew).await.unwrap();
    let again = env.files.open(&path, OpenMode::CreateNew).await.map(drop);
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    file.write_at(0, b"one").await.unwrap();
    let reader = env.files.open(&path, OpenMode::Read).await.unwrap();
    assert_eq!(read_all(&*reader).await, b"one");
    let writer = env.files.open(&path, OpenMode::ReadWrite).await.unwrap();
    writer.write_at(0, b"two").await.unwrap();
    writer.sync_data().await.unwrap();
    env.files.sync_dir(root).await.unwrap();
    assert_eq!(read_all(&*reader).await, b"two");

    let directory = root.join("sub");
    env.files.create_dir(&directory).await.unwrap();
    for taken in [&directory, &path] {
        let again = env.files.create_dir(taken).await;
        assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
    let again = env.files.open(&directory, OpenMode::CreateNew).await.map(drop);
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    env.files.open(&directory.join("inner"), OpenMode::CreateNew).await.unwrap();
    env.files.open(&root.join("a"), OpenMode::CreateNew).await.unwrap();
    assert_eq!(env.files.list(root).await.unwrap(), ["a", "created", "sub"]);
    assert_eq!(env.files.list(&directory).await.unwrap(), ["inner"]);
}

async fn reads_and_writes(env: &Env, root: &Path) {
    let file = env.files.open(&root.join("bytes"), OpenMode::CreateNew).await.unwrap();
    assert_eq!(file.len().await.unwrap(), 0);
    let mut buf = [7; 8];
    assert_eq!(file.read_at(0, &mut buf).await.unwrap(), 0);
    assert_eq!(file.read_at(1 << 40, &mut buf).await.unwrap(), 0);
    assert_eq!(buf, [7; 8]);

    // Past the end: zeros between.
    file.write_at(1000, b"abcdef").await.unwrap();
    assert_eq!(file.len().await.unwrap(), 1006);
    assert_eq!(file.read_at(996, &mut buf).await.unwrap(), 8);
    assert_eq!(&buf, b"\0\0\0\0abcd");
    // Up to the end.
    let mut buf = [7; 8];
    assert_eq!(file.read_at(1003, &mut buf).await.unwrap(), 3);
    assert_eq!(&buf, b"def\x07\x07\x07\x07\x07");
    // Over what is there.
    file.write_at(1001, b"BC").await.unwrap();
    file.write_at(5000, b"").await.unwrap();
    assert_eq!(file.len().await.unwrap(), 1006);
    assert_eq!(&read_all(&*file).await[1000..], b"aBCdef");
    assert_eq!(file.read_at(1000, &mut []).await.unwrap(), 0);

    // Larger than one sector or page, at an odd place.
    let many: Vec<u8> = (0..20_000u32).map(|at| (at % 251) as u8).collect();
    file.write_at(333, &many).await.unwrap();
    file.sync_data().await.unwrap();
    let all = read_all(&*file).await;
    assert_eq!(all.len(), 20_333);
    assert_eq!(&all[..333], [0; 333]);
    assert_eq!(&all[333..], many);
}

async fn sets_lengths(env: &Env, root: &Path) {
    let file = env.files.open(&root.join("length"), OpenMode::CreateNew).await.unwrap();
    file.set_len(700).await.unwrap();
    assert_eq!(read_all(&*file).await, [0; 700]);
    file.write_at(0, &[1; 1500]).await.unwrap();
    file.sync_data().await.unwrap();
    file.set_len(600).await.unwrap();
    file.set_len(1500).await.unwrap();
    file.sync_data().await.unwrap();
    let all = read_all(&*file).await;
    assert_eq!((&all[..600], &all[600..]), (&[1; 600][..], &[0; 900][..]));
}

async fn renames_and_removes(env: &Env, root: &Path) {
    let (from, to) = (root.join("from"), root.join("to"));
    let absent = env.files.rename(&from, &to).await;
    assert_eq!(absent.unwrap_err().kind(), ErrorKind::NotFound);
    let absent = env.files.remove(&from).await;
    assert_eq!(absent.unwrap_err().kind(), ErrorKind::NotFound);

    for (path, bytes) in [(&from, b"new"), (&to, b"old")] {
        let file = env.files.open(path, OpenMode::CreateNew).await.unwrap();
        file.write_at(0, bytes).await.unwrap();
    }
    let replaced = env.files.open(&to, OpenMode::Read).await.unwrap();
    env.files.rename(&from, &to).await.unwrap();
    let now = env.files.open(&to, OpenMode::Read).await.unwrap();
    assert_eq!(read_all(&*now).await, b"new");
    assert_eq!(read_all(&*replaced).await, b"old");
    env.files.rename(&to, &to).await.unwrap();
    let gone = env.files.open(&from, OpenMode::Read).await.map(drop);
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotFound);

    let onto_directory = env.files.rename(&to, &root.join("sub")).await;
    assert_eq!(onto_directory.unwrap_err().kind(), ErrorKind::IsADirectory);
    env.files.remove(&to).await.unwrap();
    let gone = env.files.open(&to, OpenMode::Read).await.map(drop);
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotFound);
    env.files.open(&to, OpenMode::CreateNew).await.unwrap();
    env.files.sync_dir(root).await.unwrap();
}

async fn a_file_outlives_its_name(env: &Env, root: &Path) {
    let path = root.join("nameless");
    let file = env.files.open(&path, OpenMode::CreateNew).await.unwrap();
    env.files.remove(&path).await.unwrap();
    file.write_at(0, b"still").await.unwrap();
    file.sync_data().await.unwrap();
    assert_eq!(read_all(&*file).await, b"still");
}

async fn locks(env: &Env, root: &Path) {
    let path = root.join("LOCK");
    let lock = env.files.lock(&path).await.unwrap();
    let held = env.files.lock(&path).await.map(drop);
    assert_eq!(held.unwrap_err().kind(), ErrorKind::WouldBlock);
    // Advisory: the holder writes into it who it is.
    let file = env.files.open(&path, OpenMode::ReadWrite).await.unwrap();
    file.write_at(0, b"me").await.unwrap();
    drop(lock);
    let lock = env.files.lock(&path).await.unwrap();
    assert_eq!(read_all(&*file).await, b"me");
    drop(lock);
}

async fn nothing_happens_before_it_is_polled(env: &Env, root: &Path) {
    let path = root.join("unpolled");
    drop(env.files.create_dir(&path));
    drop(env.files.open(&path, OpenMode::CreateNew));
    let absent = env.files.list(&path).await;
    assert_eq!(absent.unwrap_err().kind(), ErrorKind::NotFound);
    let file = env.files.open(&path, OpenMode::CreateNew).await.unwrap();
    drop(file.write_at(0, b"never"));
    drop(file.set_len(9));
    assert_eq!(file.len().await.unwrap(), 0);
}

/// Not in memory, where paths are plain keys.
async fn needs_parents(env: Env, root: PathBuf) {
    let absent = root.join("absent");
    let inner = absent.join("inner");
    let errors = [
        env.files.open(&inner, OpenMode::CreateNew).await.map(drop),
        env.files.create_dir(&inner).await,
        env.files.lock(&inner).await.map(drop),
        env.files.rename(&root.join("a"), &inner).await,
        env.files.sync_dir(&absent).await,
    ];
    for error in errors {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    }
    let reader = env.files.open(&root.join("a"), OpenMode::Read).await.unwrap();
    reader.write_at(0, b"x").await.unwrap_err();
    reader.set_len(1).await.unwrap_err();
}
