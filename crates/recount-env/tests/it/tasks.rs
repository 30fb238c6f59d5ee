//! Tasks, waiting and clocks, real and simulated; and that a seed decides everything.

use std::future::poll_fn;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use recount_env::sim::faults::{CrashAt, Faults};
use recount_env::sim::{Ended, World};
use recount_env::{Env, OpenMode, Signal, block_on, memory, real};

use crate::machine::{class_of, machine, run};

/// A task answers a signal; a wait ends with its time; a notification before the wait is not missed.
async fn waits(env: Env) {
    let (asked, answered) = (Arc::new(Signal::new()), Arc::new(Signal::new()));
    let task = {
        let (env, asked, answered) = (env.clone(), asked.clone(), answered.clone());
        async move {
            env.tasks.wait(&asked, 0, None).await;
            answered.notify();
        }
    };
    env.tasks.spawn("answers", Box::pin(task));
    let before_us = env.clock.boottime_us();
    env.tasks.wait(&answered, 0, Some(Duration::from_micros(50))).await;
    assert!(env.clock.boottime_us() >= before_us + 50);
    assert_eq!(answered.generation(), 0);
    asked.notify();
    env.tasks.wait(&answered, 0, Some(Duration::MAX)).await;
    assert_eq!(answered.generation(), 1);
    env.tasks.wait(&asked, 0, None).await;
    env.tasks.wait(&asked, 1, Some(Duration::ZERO)).await;
}

#[test]
fn tasks_wait_for_signals_and_for_time() {
    block_on(waits(real::env()));
    block_on(waits(memory::memory_env()));
    for seed in 0..50 {
        let (process, env) = World::new(seed, class_of).start();
        process.run(waits(env)).unwrap();
    }
}

/// The inner future parks the thread too: it must use up neither what wakes the outer one nor its deadline.
#[test]
fn a_future_may_block_on_another() {
    let env = real::env();
    let never = Signal::new();
    let pause = |us| env.tasks.wait(&never, 0, Some(Duration::from_micros(us)));
    let mut waited = pause(1000);
    block_on(poll_fn(|cx| {
        let polled = waited.as_mut().poll(cx);
        if polled.is_pending() {
            block_on(pause(10));
        }
        polled
    }));
    let mut woken = false;
    block_on(poll_fn(|cx| {
        if std::mem::replace(&mut woken, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        block_on(pause(10));
        Poll::Pending
    }));
}

#[test]
fn real_clocks_and_random_bytes() {
    let env = real::env();
    assert!(env.clock.now_us() > 1_700_000_000_000_000);
    let before_us = env.clock.boottime_us();
    assert!(before_us > 0 && env.clock.boottime_us() >= before_us);
    assert_eq!(env.clock.boot_id(), real::env().clock.boot_id());
    assert_ne!(env.random::<16>(), env.random::<16>());
}

#[test]
fn simulated_time_passes_when_something_waits_for_it() {
    let world = machine(1);
    run(&world, |env| async move {
        let (wall_us, boot_us) = (env.clock.now_us(), env.clock.boottime_us());
        env.tasks.wait(&Signal::new(), 0, Some(Duration::from_secs(3600))).await;
        assert_eq!(env.clock.boottime_us() - boot_us, 3_600_000_000);
        assert_eq!(env.clock.now_us() - wall_us, 3_600_000_000);
    });
}

#[test]
fn the_wall_clock_jumps_and_the_boot_clock_does_not() {
    let world = machine(1);
    let (_process, env) = world.start();
    let (wall_us, boot_us) = (env.clock.now_us(), env.clock.boottime_us());
    world.jump_wall(-5_000_000);
    assert_eq!(env.clock.now_us(), wall_us - 5_000_000);
    assert_eq!(env.clock.boottime_us(), boot_us);
}

#[test]
fn nothing_to_wait_for_is_stuck() {
    let world = machine(1);
    let (process, env) = world.start();
    let ended = process.run(async move { env.tasks.wait(&Signal::new(), 0, None).await });
    assert_eq!(ended, Err(Ended::Stuck));
}

#[test]
fn what_never_ends_is_stuck() {
    let (process, _env) = machine(1).start();
    let ended = process.run(poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    }));
    assert_eq!(ended, Err(Ended::Stuck));
}

#[test]
fn an_ended_process_does_nothing_any_more() {
    let world = machine(1);
    let (process, env) = world.start();
    let dropped = Arc::new(());
    let kept = dropped.clone();
    process.spawn(async move {
        let _kept = kept;
        std::future::pending::<()>().await;
    });
    world.kill();
    assert_eq!(Arc::strong_count(&dropped), 1, "its tasks are dropped");
    env.tasks.spawn("late", Box::pin(async { panic!("runs in no process") }));
    let (next, _env) = world.start();
    let late = next.run(async move { env.files.create_dir(Path::new("/late")).await });
    assert_eq!(late.map(drop), Err(Ended::Stuck), "its I/O never ends");
    assert_eq!(process.run_until(|| false), Ended::Stuck);
    assert_eq!(run(&world, |env| async move { env.files.list(Path::new("/")).await.unwrap() }), ["d"]);
}

/// Several writers and timers, faults and a crash: all that chance may touch.
fn play(seed: u64) -> (u64, Vec<String>, String) {
    let world = machine(seed);
    world.set_faults(Faults {
        crash: Some(CrashAt::Operation(150)),
        write_eio_one_in: 20,
        sync_eio_one_in: 20,
        enospc_one_in: 50,
        misdirected_one_in: 10,
        misfiled_one_in: 10,
        bit_flip_one_in: 20,
        ..Faults::default()
    });
    let (process, env) = world.start();
    let done = Arc::new(Mutex::new(0));
    for writer in 0..4u8 {
        let (env, done) = (env.clone(), done.clone());
        process.spawn(async move {
            let path = format!("/d/{writer}.log");
            if let Ok(file) = env.files.open(Path::new(&path), OpenMode::CreateNew).await {
                for at in 0..30 {
                    // Failing is part of the play.
                    let _ = file.write_at(at * 300, &env.random::<700>()).await;
                    let pause = Duration::from_micros(u64::from(env.random::<1>()[0]));
                    env.tasks.wait(&Signal::new(), 0, Some(pause)).await;
                    let _ = file.sync_data().await;
                    let _ = file.read_at(0, &mut [0; 100]).await;
                }
            }
            *done.lock().unwrap() += 1;
        });
    }
    process.run_until(|| *done.lock().unwrap() == 4);
    world.power_cut();
    (world.disk(|disk| disk.digest()), world.trace(), world.counts().to_string())
}

#[test]
fn the_same_seed_does_the_same_and_another_does_not() {
    for seed in 0..30 {
        assert_eq!(play(seed), play(seed), "seed {seed}");
        assert_ne!(play(seed).1, play(seed + 1).1, "seed {seed}");
    }
}
