//! Watches the system calls of a healthy run: every answer follows a completed sync that began after the
//! last byte of the answer's frame had been written, with 1 writer and with 64. With one writer the syncs
//! are also counted: at least one an answer, and few more.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::trace::{self, Call};
use super::trial::{Load, Trial};
use crate::bench::Worker;
use crate::run;

/// A frame as `worker rig-frames` lists it.
#[derive(Debug, Deserialize)]
struct Frame {
    file: String,
    offset: u64,
    length: u64,
    kind: String,
    first_position: u64,
    count: u64,
}

impl Frame {
    fn holds(&self, position: u64) -> bool {
        self.kind == "data" && (self.first_position..self.first_position + self.count).contains(&position)
    }
}

/// With 1 writer, then with 64.
pub(crate) fn run(worker: &Worker, dir: &Path) -> Result<()> {
    run::need("strace", "strace")?;
    for load in [
        Load { writers: 1, events: 2000, segment_bytes: 65536 },
        Load { writers: 64, events: 60, segment_bytes: 65536 },
    ] {
        watch(worker, dir, load)
            .with_context(|| format!("{} writers; see {}", load.writers, dir.display()))?;
    }
    Ok(())
}

fn watch(worker: &Worker, dir: &Path, load: Load) -> Result<()> {
    let trial = Trial::fresh(worker, dir)?;
    let log = dir.join("strace").display().to_string();
    let calls = "trace=pwrite64,fdatasync,fsync,write";
    let strace = ["strace", "-f", "-qq", "-y", "-s", "96", "-e", calls, "-e", "signal=none", "-o", &log];
    let status = trial.append(&strace, load)?;
    ensure!(status.success(), "the workload failed: {:?}", trial.said("failed")?);

    let calls = trace::parse(&fs::read_to_string(&log)?);
    let listed = run::output(worker.command(&["rig-frames"]).arg("--dir").arg(&trial.database))?;
    let frames: Vec<Frame> = listed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;

    let answers: Vec<(u64, &Call)> = calls.iter().filter_map(|call| Some((answer(call)?, call))).collect();
    ensure!(answers.len() as u64 == u64::from(load.writers) * load.events, "{} answers", answers.len());
    for (position, answer) in &answers {
        let frame = frames.iter().find(|frame| frame.holds(*position));
        let frame = frame.with_context(|| format!("no frame holds position {position}"))?;
        covered(frame, answer, &calls)
            .with_context(|| format!("position {position}, {frame:?}, {answer:?}"))?;
    }
    let summary = if load.writers == 1 { count(&calls, &frames, &answers)? } else { String::new() };
    println!("order: {} writers, {} answers, each after its sync{summary}", load.writers, answers.len());
    Ok(())
}

/// Holds one answer against the calls before it.
fn covered(frame: &Frame, answer: &Call, calls: &[Call]) -> Result<()> {
    let last_byte = frame.offset + frame.length - 1;
    let write = calls.iter().find(|call| {
        call.name == "pwrite64"
            && is_of(call, &frame.file)
            && !is_filling(call)
            && call.range().is_some_and(|(start, end)| (start..end).contains(&last_byte))
    });
    let write = write.context("its last byte was never written")?;
    let sync = calls.iter().find(|call| {
        call.name == "fdatasync"
            && is_of(call, &frame.file)
            && call.result == Some(0)
            && call.began > write.ended
            && call.ended < answer.began
    });
    sync.map(drop).with_context(|| format!("no sync between {write:?} and the answer"))
}

/// Syncs of segments in use, from the first answer's frame on, beside the number of answers. Filling the next
/// segment and the manifest is done beside the writer, by another thread.
fn count(calls: &[Call], frames: &[Frame], answers: &[(u64, &Call)]) -> Result<String> {
    let data = frames.iter().find(|frame| frame.kind == "data").context("no data frame")?;
    let first = calls.iter().position(|call| {
        is_of(call, &data.file) && call.range().is_some_and(|(_, end)| end > data.offset) && !is_filling(call)
    });
    let syncs = calls[first.context("the first frame was not written")?..]
        .iter()
        .filter(|call| matches!(call.name.as_str(), "fdatasync" | "fsync"))
        .filter(|call| call.file().is_some_and(|path| path.ends_with(".journal")))
        .count();
    let answers = answers.len();
    let seals = frames.iter().filter(|frame| frame.kind == "seal").count();
    let rolls = frames.iter().filter(|frame| frame.kind == "prologue").count().saturating_sub(1);
    let most = answers + seals + 4 * rolls;
    ensure!(
        (answers..=most).contains(&syncs),
        "{syncs} syncs for {answers} answers, {seals} seals, {rolls} rolls: not within {answers}..={most}"
    );
    Ok(format!("; {syncs} syncs, {seals} seals, {rolls} rolls"))
}

/// The position in `write(1, "ack WRITER NUMBER POSITION\n")`.
fn answer(call: &Call) -> Option<u64> {
    let text = call.string().filter(|_| call.name == "write" && call.arguments.starts_with("1<"))?;
    let line = text.strip_prefix("ack ")?.strip_suffix("\\n")?;
    line.rsplit(' ').next()?.parse().ok()
}

fn is_of(call: &Call, file: &str) -> bool {
    call.file().is_some_and(|path| path.ends_with(file))
}

/// Zero-filling writes the same places before any frame does.
fn is_filling(call: &Call) -> bool {
    call.string().is_some_and(|text| text.replace("\\0", "").is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame { file: "a".into(), offset: 128, length: 300, kind: "data".into(), first_position: 1, count: 2 }
    }

    fn check(log: &str) -> Result<()> {
        let calls = trace::parse(log);
        let answer = calls.iter().find(|call| answer(call) == Some(2)).unwrap();
        covered(&frame(), answer, &calls)
    }

    const FILL: &str = "8 pwrite64(5</db/a>, \"\\0\\0\\0\"..., 4096, 0) = 4096\n8 fdatasync(5</db/a>) = 0\n";
    const WRITE: &str = "7 pwrite64(5</db/a>, \"RC\\1\"..., 4096, 0) = 4096\n";
    const SYNC: &str = "7 fdatasync(5</db/a>) = 0\n";
    const ACK: &str = "7 write(1</acks>, \"ack 0 1 2\\n\", 10) = 10\n";

    #[test]
    fn an_answer_after_its_sync_is_right() {
        check(&[FILL, WRITE, SYNC, ACK].concat()).unwrap();
    }

    #[test]
    fn an_answer_too_early_is_found() {
        assert!(check(&[FILL, WRITE, ACK, SYNC].concat()).is_err());
        assert!(check(&[FILL, ACK].concat()).is_err(), "zero-filling is no frame");
        assert!(
            check(&[WRITE, "7 fdatasync(5</db/a>) = -1 EIO (x)\n", ACK].concat()).is_err(),
            "a failed sync"
        );
        assert!(check(&[WRITE, "7 fdatasync(6</db/b>) = 0\n", ACK].concat()).is_err(), "another file's sync");
        let overlap =
            "8 fdatasync(5</db/a> <unfinished ...>\n".to_owned() + WRITE + "8 <... fdatasync resumed>) = 0\n";
        assert!(check(&(overlap + ACK)).is_err(), "a sync that began before the write ended");
    }
}
