//! Topics: created, dropped, kept through restarts; their ids are never used again.

use expect_test::expect;
use recount_env::block_on;
use recount_store::{ReadRequest, Scope};

use crate::support::{Bench, all};

fn execute(bench: &Bench, sql: &str) -> String {
    match block_on(bench.store.execute(sql)) {
        Ok(executed) => format!("{} {} at {}", executed.statement, executed.name, executed.position),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_dropped_topic_is_hidden_and_its_name_is_free() {
    let bench = Bench::new();
    bench.script("a/1\nb/1");
    let created = ["a", "b"].map(|name| bench.store.topic(name).unwrap().created.0);
    assert_eq!(created, [1, 2]);
    let before = bench.store.topic("a").unwrap().id;
    expect!["DROP TOPIC a at 5"].assert_eq(&execute(&bench, "DROP TOPIC a"));
    assert!(bench.store.topic("a").is_none());
    assert_eq!(bench.positions(all()), [4]);
    expect!["there is no topic a. Create it first: CREATE TOPIC a"].assert_eq(&bench.append("a/1"));
    expect!["CREATE TOPIC a at 6"].assert_eq(&execute(&bench, "CREATE TOPIC a"));
    assert!(bench.store.topic("a").unwrap().id > before);
    expect!["7=a/1@0"].assert_eq(&bench.append("a/1"));
    let bench = bench.reopen();
    assert_eq!(bench.positions(all()), [4, 7]);
    let names: Vec<String> = bench.store.topics().iter().map(|topic| topic.name.to_string()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn what_cannot_be_created_or_dropped() {
    let bench = Bench::new();
    expect!["topic a exists already"].assert_eq(&execute(&bench, "CREATE TOPIC a"));
    expect!["there is no topic c"].assert_eq(&execute(&bench, "DROP TOPIC c"));
    assert!(execute(&bench, "CREATE TOPIC big PARTITIONS 100000").contains("limit of 100000"));
}

/// Every segment begins with all definitions, in one frame of limited size: too many once stopped the process at the
/// next roll.
#[test]
fn definitions_beyond_the_limit_are_refused() {
    let bench = Bench::new();
    let columns: Vec<String> =
        (0..900).map(|at| format!("a_column_with_a_long_name_{at:034} BIGINT")).collect();
    let columns = columns.join(", ");
    let refused = (0..200).find_map(|at| {
        let answer = execute(&bench, &format!("CREATE TOPIC t{at} ({columns})"));
        (!answer.starts_with("CREATE TOPIC")).then_some((at, answer))
    });
    let (count, answer) = refused.expect("there is a limit");
    assert!(count > 10, "{count}");
    assert!(answer.contains("dropped topics included, would have") && answer.contains("6291456"), "{answer}");
    execute(&bench, "DROP TOPIC t0");
    assert!(execute(&bench, &format!("CREATE TOPIC other ({columns})")).contains("dropped topics included"));
    let bench = bench.reopen();
    assert!(execute(&bench, &format!("CREATE TOPIC other ({columns})")).contains("dropped topics included"));
    assert_eq!(bench.append("a/1").split('=').nth(1), Some("a/1@0"));
}

#[test]
fn definitions_are_events() {
    let bench = Bench::new();
    let events = bench.events(ReadRequest::all(Scope::All { system: true }));
    let streams: Vec<String> = events.iter().filter_map(|event| Some(event.stream()?.to_string())).collect();
    assert_eq!(streams, ["_catalog/a", "_catalog/b"]);
}
