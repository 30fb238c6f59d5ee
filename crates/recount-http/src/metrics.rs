//! Metrics: every number that `GET /metrics` gives, in one list, in Prometheus' text format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>). `docs/metrics.md` is made from it.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use recount_store::Stats;

use crate::endpoints::{ENDPOINT_COUNT, ENDPOINTS, Endpoint};

/// A number of the store.
struct OfStore {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&Stats) -> f64,
}

const fn counter(name: &'static str, help: &'static str, value: fn(&Stats) -> f64) -> OfStore {
    OfStore { name, kind: "counter", help, value }
}

const fn gauge(name: &'static str, help: &'static str, value: fn(&Stats) -> f64) -> OfStore {
    OfStore { name, kind: "gauge", help, value }
}

const OF_STORE: &[OfStore] = &[
    gauge("recount_head_position", "The newest visible position.", |stats| stats.head.0 as f64),
    gauge(
        "recount_last_append_time_seconds",
        "When the newest append was made, seconds since 1970.",
        |stats| stats.last_append_time.0 as f64 / 1e6,
    ),
    counter("recount_appended_events_total", "Events appended.", |stats| stats.appended_events as f64),
    counter("recount_appends_total", "Appends made.", |stats| stats.appends as f64),
    counter("recount_refused_appends_total", "Appends refused when they were sequenced.", |stats| {
        stats.refusals as f64
    }),
    counter("recount_journal_groups_total", "Commit groups written.", |stats| stats.groups as f64),
    counter("recount_journal_group_bytes_total", "Bytes of commit groups.", |stats| stats.group_bytes as f64),
    counter("recount_journal_syncs_total", "Syncs of the journal.", |stats| stats.syncs as f64),
    counter("recount_journal_rolls_total", "Rolls to a new segment.", |stats| stats.rolls as f64),
    counter("recount_journal_roll_waits_total", "Rolls that waited for the next segment.", |stats| {
        stats.roll_waits as f64
    }),
    gauge("recount_journal_segments", "Segments of the journal.", |stats| stats.segments as f64),
    gauge(
        "recount_index_memtable_bytes",
        "Bytes of the index that are in memory only, estimated.",
        |stats| stats.memtable_bytes as f64,
    ),
    gauge("recount_index_runs", "Runs of the index.", |stats| stats.runs as f64),
    gauge("recount_index_run_bytes", "Bytes of those runs.", |stats| stats.run_bytes as f64),
    counter("recount_index_flushes_total", "Runs written from memory.", |stats| stats.flushes as f64),
    counter("recount_index_merges_total", "Merges of runs.", |stats| stats.merges as f64),
    counter("recount_index_failures_total", "Times that the index could not be written.", |stats| {
        stats.index_failures as f64
    }),
    gauge("recount_topics", "Topics, the system's included.", |stats| stats.topics as f64),
];

const CONNECTIONS: (&str, &str) = ("recount_http_connections", "Open connections.");
const SUBSCRIPTIONS: (&str, &str) = ("recount_http_subscriptions", "Running subscriptions.");
const REQUESTS: (&str, &str) =
    ("recount_http_requests_total", "Requests answered, by endpoint and class of status.");
const SECONDS: (&str, &str) = (
    "recount_http_request_seconds",
    "Time from the head of a request to the head of its answer, seconds, by endpoint.",
);

/// Upper bounds of the histogram's buckets, µs.
const BUCKETS_US: [u64; 14] =
    [50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 1_000_000, 5_000_000];
/// 2xx, 4xx, 5xx.
const CLASSES: [&str; 3] = ["2xx", "4xx", "5xx"];

/// Something that goes up and down.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    /// One more.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub(crate) fn subtract(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the front counts itself.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connections: Gauge,
    pub(crate) subscriptions: Gauge,
    endpoints: [OfEndpoint; ENDPOINT_COUNT],
}

#[derive(Debug, Default)]
struct OfEndpoint {
    classes: [AtomicU64; CLASSES.len()],
    /// The last is of those beyond every bound.
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Counts {
    /// Counts an answer.
    pub(crate) fn answered(&self, endpoint: Endpoint, status: u16, took_us: u64) {
        let counts = &self.endpoints[endpoint as usize];
        let class = match status {
            0..400 => 0,
            400..500 => 1,
            _ => 2,
        };
        let bucket = BUCKETS_US.partition_point(|&bound| bound < took_us);
        counts.classes[class].fetch_add(1, Ordering::Relaxed);
        counts.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        counts.sum_us.fetch_add(took_us, Ordering::Relaxed);
    }

    /// All metrics.
    pub(crate) fn text(&self, stats: &Stats) -> String {
        let mut out = String::with_capacity(16 << 10);
        for metric in OF_STORE {
            head(&mut out, metric.name, metric.kind, metric.help);
            let _ = writeln!(out, "{} {}", metric.name, (metric.value)(stats));
        }
        for ((name, help), gauge) in [(CONNECTIONS, &self.connections), (SUBSCRIPTIONS, &self.subscriptions)]
        {
            head(&mut out, name, "gauge", help);
            let _ = writeln!(out, "{name} {}", gauge.0.load(Ordering::Relaxed));
        }
        head(&mut out, REQUESTS.0, "counter", REQUESTS.1);
        for (described, counts) in ENDPOINTS.iter().zip(&self.endpoints) {
            for (class, count) in CLASSES.iter().zip(&counts.classes) {
                let (name, count) = (REQUESTS.0, count.load(Ordering::Relaxed));
                let _ = writeln!(out, "{name}{{endpoint=\"{}\",status=\"{class}\"}} {count}", described.id);
            }
        }
        head(&mut out, SECONDS.0, "histogram", SECONDS.1);
        for (described, counts) in ENDPOINTS.iter().zip(&self.endpoints) {
            histogram(&mut out, described.id, counts);
        }
        out
    }
}

fn histogram(out: &mut String, endpoint: &str, counts: &OfEndpoint) {
    let name = SECONDS.0;
    let mut count = 0;
    let bounds = BUCKETS_US.iter().map(|&bound| (bound as f64 / 1e6).to_string()).chain(["+Inf".to_owned()]);
    for (bound, bucket) in bounds.zip(&counts.buckets) {
        count += bucket.load(Ordering::Relaxed);
        let _ = writeln!(out, "{name}_bucket{{endpoint=\"{endpoint}\",le=\"{bound}\"}} {count}");
    }
    let seconds = counts.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
    let _ = writeln!(out, "{name}_sum{{endpoint=\"{endpoint}\"}} {seconds}");
    let _ = writeln!(out, "{name}_count{{endpoint=\"{endpoint}\"}} {count}");
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// The list as a document.
pub fn document() -> String {
    let mut out = String::from(
        "# Metrics\n\n`GET /metrics` gives these in Prometheus' text format. Counters count from the start of the \
         process. Made from the list in\n`crates/recount-http/src/metrics.rs`.\n\n\
         | metric | kind | what |\n|---|---|---|\n",
    );
    let own =
        [(CONNECTIONS, "gauge"), (SUBSCRIPTIONS, "gauge"), (REQUESTS, "counter"), (SECONDS, "histogram")];
    let own = own.iter().map(|&((name, help), kind)| (name, kind, help));
    for (name, kind, help) in OF_STORE.iter().map(|metric| (metric.name, metric.kind, metric.help)).chain(own)
    {
        let _ = writeln!(out, "| `{name}` | {kind} | {help} |");
    }
    out
}
