//! How fast the index is, on real files. Prints; asserts no time. Run it alone:
//! `cargo test --release -p recount-index --test it -- --ignored --nocapture`

use std::path::PathBuf;
use std::time::Instant;

use recount_env::{Env, block_on, real};
use recount_index::{Bounds, Memtable, RunSet, Term, merge_runs, plan_merge, unpaced};
use recount_types::TopicId;

const TOPIC: TopicId = TopicId(16);
const MEMTABLE_BYTES_MAX: usize = 32 << 20;

/// A directory of its own, removed at the end.
struct Scratch(PathBuf, Env);

impl Drop for Scratch {
    fn drop(&mut self) {
        for name in block_on(self.1.files.list(&self.0)).unwrap_or_default() {
            let _ = block_on(self.1.files.remove(&self.0.join(name)));
        }
    }
}

fn scratch(env: &Env) -> Scratch {
    let name = format!("recount-index-speed-{:016x}", u64::from_le_bytes(env.random()));
    Scratch(std::env::temp_dir().join(name), env.clone())
}

/// Keys in no order, each below `keys`.
fn key(n: u64, keys: u64) -> String {
    format!("account-{:09}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % keys)
}

/// The four terms of an event: stream, type, a tag with few values, topic.
fn add_event(memtable: &mut Memtable, term: &mut Term, position: u64, key: &str) {
    memtable.add(term.stream(TOPIC, key.as_bytes()), position, None);
    memtable.add(term.event_type(TOPIC, "transferred"), position, None);
    memtable.add(term.tag(TOPIC, ["bank:a", "bank:b", "bank:c"][position as usize % 3]), position, None);
    memtable.add(term.topic(TOPIC), position, None);
}

fn resident_bytes() -> usize {
    let env = real::env();
    let statm = block_on(async {
        let path = std::path::Path::new("/proc/self/statm");
        let file = env.files.open(path, recount_env::OpenMode::Read).await.expect("procfs is readable");
        let mut bytes = vec![0; 100];
        let n = file.read_at(0, &mut bytes).await.expect("procfs is readable");
        String::from_utf8(bytes[..n].to_vec()).expect("statm is text")
    });
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second number of statm is pages resident") * 4096
}

#[test]
#[ignore = "measures"]
fn adds() {
    let mut term = Term::new();
    for (what, distinct) in [("10 M streams", 10_000_000), ("100 k streams", 100_000), ("10 streams", 10)] {
        let keys: Vec<String> = (0..1_000_000).map(|n| key(n, distinct)).collect();
        let before = resident_bytes();
        let mut memtable = Memtable::new(&[7; 16]);
        let begin = Instant::now();
        let mut longest = 0;
        let mut position = 0;
        while memtable.bytes() < MEMTABLE_BYTES_MAX && position < 1_000_000 {
            let chunk = Instant::now();
            for _ in 0..100 {
                position += 1;
                add_event(&mut memtable, &mut term, position, &keys[position as usize - 1]);
            }
            longest = longest.max(chunk.elapsed().as_micros());
        }
        let ns = begin.elapsed().as_nanos() / u128::from(position);
        let resident = resident_bytes().saturating_sub(before);
        println!(
            "{what}: {ns} ns an event of 4 terms, longest 100 events {longest} us; {position} events, {} terms, \
             {} bytes counted, {resident} resident",
            memtable.terms(),
            memtable.bytes(),
        );
    }
}

#[test]
#[ignore = "measures"]
fn flushes_merges_and_cold_finds() {
    let env = real::env();
    let scratch = scratch(&env);
    let mut set = block_on(RunSet::open(&env, &scratch.0, [1; 16], &[7; 16])).unwrap().set;
    let (mut term, mut position, mut events_a_run) = (Term::new(), 0, 0);
    let keys = 10_000_000;
    let (mut flushing, mut merging, mut merged_bytes) = (0.0, 0.0, 0);
    for flush in 0..27 {
        let mut memtable = Memtable::new(&[7; 16]);
        let begin = position;
        while memtable.bytes() < MEMTABLE_BYTES_MAX {
            for _ in 0..100 {
                position += 1;
                add_event(&mut memtable, &mut term, position, &key(position, keys));
            }
        }
        events_a_run = position - begin;
        let begin = Instant::now();
        let run = block_on(set.write_run(&memtable, position, 0, &unpaced)).unwrap();
        flushing += begin.elapsed().as_secs_f64();
        if flush == 0 {
            println!("a run of {events_a_run} events: {} bytes, {} terms", run.file_bytes(), run.terms());
        }
        set = set.with(run);
        let begin = Instant::now();
        while let Some(range) = plan_merge(&set) {
            let run = block_on(merge_runs(&set, range, &unpaced)).unwrap();
            merged_bytes += run.file_bytes();
            set = set.replaced(run);
        }
        merging += begin.elapsed().as_secs_f64();
    }
    let bytes: u64 = set.runs().iter().map(|run| run.file_bytes()).sum();
    println!(
        "{position} events: {bytes} bytes in {} runs; a flush of {events_a_run} events {:.0} ms; merges wrote \
         {merged_bytes} bytes at {:.0} MB/s",
        set.runs().len(),
        flushing / 27.0 * 1000.0,
        merged_bytes as f64 / 1e6 / merging,
    );

    let set = block_on(RunSet::open(&env, &scratch.0, [1; 16], &[7; 16])).unwrap().set;
    for (what, from) in [("first", 0), ("again", 0), ("others", position / 2)] {
        let before = set.read_counts();
        let begin = Instant::now();
        let finds = 200_000;
        let mut lengths = 0;
        for n in from..from + finds {
            lengths +=
                block_on(set.stream_length(term.stream(TOPIC, key(n * 7 % position, keys).as_bytes())))
                    .unwrap();
        }
        let us = begin.elapsed().as_micros() as f64 / finds as f64;
        let after = set.read_counts();
        println!(
            "stream length, {what}: {us:.2} us, {:.2} block reads and {:.3} page reads each, {} cached; {lengths}",
            (after.blocks - before.blocks) as f64 / finds as f64,
            (after.pages - before.pages) as f64 / finds as f64,
            after.cached_bytes,
        );
    }
    let before = set.read_counts();
    let begin = Instant::now();
    for n in 0..200_000 {
        let absent = format!("absent-{n}");
        assert_eq!(block_on(set.stream_length(term.stream(TOPIC, absent.as_bytes()))).unwrap(), 0);
    }
    let us = begin.elapsed().as_micros() as f64 / 200_000.0;
    println!("stream length, absent: {us:.2} us, {} block reads", set.read_counts().blocks - before.blocks);

    let begin = Instant::now();
    let mut postings = set.postings(term.event_type(TOPIC, "transferred"), Bounds::default());
    let count = block_on(async {
        let mut count = 0;
        while postings.next().await.unwrap().is_some() {
            count += 1;
        }
        count
    });
    assert_eq!(count, position);
    println!("a list of {count}: {:.1} ns a posting", begin.elapsed().as_nanos() as f64 / count as f64);
}
