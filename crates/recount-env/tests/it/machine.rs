//! A simulated machine with one directory, `/d`, and short ways to use it.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use recount_env::sim::World;
use recount_env::sim::faults::Site;
use recount_env::{Env, File, OpenMode};

pub(crate) fn class_of(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("log") => "log",
        Some("tmp") => "tmp",
        _ => "other",
    }
}

pub(crate) fn site(operation: &'static str, class: &'static str) -> Site {
    Site { operation, class }
}

/// A machine on which `/d` is there for good.
pub(crate) fn machine(seed: u64) -> World {
    let world = World::new(seed, class_of);
    run(&world, |env| async move {
        env.files.create_dir(Path::new("/d")).await.unwrap();
        env.files.sync_dir(Path::new("/")).await.unwrap();
    });
    world
}

/// Runs a process that does `task` and then is killed.
pub(crate) fn run<T, F>(world: &World, task: impl FnOnce(Env) -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (process, env) = world.start();
    let result = process.run(task(env));
    world.kill();
    result.unwrap_or_else(|ended| panic!("{ended:?} after\n{}", world.trace().join("\n")))
}

/// Makes a file with these bytes, durable with its name.
pub(crate) async fn durable(env: &Env, path: &str, bytes: &[u8]) -> Arc<dyn File> {
    let path = Path::new(path);
    let file = env.files.open(path, OpenMode::CreateNew).await.unwrap();
    file.write_at(0, bytes).await.unwrap();
    file.sync_data().await.unwrap();
    env.files.sync_dir(path.parent().unwrap()).await.unwrap();
    file
}

pub(crate) async fn read_all(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![0; file.len().await.unwrap() as usize];
    let read = file.read_at(0, &mut bytes).await.unwrap();
    bytes.truncate(read);
    bytes
}

pub(crate) fn bytes(world: &World, path: &str) -> Option<Vec<u8>> {
    world.disk(|disk| disk.bytes(Path::new(path)))
}
