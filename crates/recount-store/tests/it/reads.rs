//! Reads: every scope, every beginning, both directions, as of any position.

use expect_test::expect;
use recount_env::block_on;
use recount_store::{From, OpenOptions, QueryItem, ReadRequest, Scope};
use recount_types::{Position, Revision, Tag, Time};

use crate::support::{Bench, all, of_stream, of_topic};

fn filled() -> Bench {
    let bench = Bench::new();
    bench.script(
        "a/1:opened #owner:ann
        a/1:moved b/1:opened #owner:bob a/2:opened #owner:ann
        b
        a/1:moved #owner:ann #city:ulm",
    );
    bench
}

#[test]
fn everything_a_topic_a_stream() {
    for bench in [filled(), filled().reopen()] {
        expect![[r#"
            3 a/1 opened owner:ann {}
            4 a/1 moved {}
            5 b/1 opened owner:bob {}
            6 a/2 opened owner:ann {}
            7 b/- {}
            8 a/1 moved owner:ann,city:ulm {}
        "#]]
        .assert_eq(&bench.read(all()));
        expect![[r#"
            3 a/1@0 opened owner:ann {}
            4 a/1@1 moved {}
            8 a/1@2 moved owner:ann,city:ulm {}
        "#]]
        .assert_eq(&bench.read(of_stream("a/1")));
        assert_eq!(bench.positions(of_topic("b")), [5, 7]);
        assert!(bench.positions(of_stream("a/none")).is_empty());
        let system = ReadRequest::all(Scope::All { system: true });
        assert_eq!(bench.positions(system), [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}

#[test]
fn beginnings() {
    let bench = filled();
    let from = |request: ReadRequest, from| bench.positions_from(request, from);
    assert_eq!(from(all(), From::Position(Position(6))), ([6, 7, 8].to_vec(), [6, 5, 4, 3].to_vec()));
    assert_eq!(from(all(), From::After(Position(6))), ([7, 8].to_vec(), [5, 4, 3].to_vec()));
    assert_eq!(from(of_topic("a"), From::Position(Position(5))), ([6, 8].to_vec(), [4, 3].to_vec()));
    assert_eq!(from(of_topic("a"), From::After(Position(4))), ([6, 8].to_vec(), [3].to_vec()));
    assert_eq!(from(of_stream("a/1"), From::Revision(Revision(1))), ([4, 8].to_vec(), [4, 3].to_vec()));
    assert_eq!(from(of_stream("a/1"), From::Revision(Revision(9))), (vec![], [8, 4, 3].to_vec()));
    assert_eq!(from(all(), From::Position(Position(99))), (vec![], [8, 7, 6, 5, 4, 3].to_vec()));
    let revision = ReadRequest { from: From::Revision(Revision(0)), ..all() };
    assert!(block_on(bench.store.read(revision)).is_err());
}

impl Bench {
    fn positions_from(&self, request: ReadRequest, from: From) -> (Vec<u64>, Vec<u64>) {
        let request = ReadRequest { from, ..request };
        let positions = |request| self.events(request).iter().map(|event| event.position.0).collect();
        let backward = ReadRequest { direction: recount_store::Direction::Backward, ..request.clone() };
        (positions(request), positions(backward))
    }
}

#[test]
fn as_of_rounds_down_to_whole_appends() {
    let bench = filled();
    for (as_of, last) in [(0, 0), (2, 2), (3, 3), (4, 3), (5, 3), (6, 6), (7, 7), (99, 8)] {
        let request = ReadRequest { as_of: Position(as_of), ..ReadRequest::all(Scope::All { system: true }) };
        let cursor = block_on(bench.store.read(request.clone())).unwrap();
        assert_eq!(cursor.as_of(), Position(last), "as of {as_of}");
        assert_eq!(bench.positions(request), (1..=last).collect::<Vec<_>>(), "as of {as_of}");
    }
    let request = ReadRequest { as_of: Position(5), ..of_topic("a") };
    assert_eq!(bench.positions(request), [3]);
}

#[test]
fn filters_by_type_and_tag() {
    let bench = filled();
    let item = |types: &[&str], tags: &[&str]| QueryItem {
        types: types.iter().map(|name| (*name).to_owned()).collect(),
        tags: tags.iter().map(|tag| Tag::parse(tag).unwrap()).collect(),
    };
    let filtered = |request: ReadRequest, filter: &[QueryItem]| {
        bench.positions(ReadRequest { filter: filter.to_vec(), ..request })
    };
    assert_eq!(filtered(all(), &[item(&["opened"], &[])]), [3, 5, 6]);
    assert_eq!(filtered(all(), &[item(&["opened", "moved"], &["owner:ann"])]), [3, 6, 8]);
    assert_eq!(filtered(all(), &[item(&[], &["owner:ann", "city:ulm"])]), [8]);
    assert_eq!(filtered(all(), &[item(&["opened"], &["owner:bob"]), item(&["moved"], &[])]), [4, 5, 8]);
    assert_eq!(filtered(of_topic("a"), &[item(&["opened"], &[])]), [3, 6]);
    assert_eq!(filtered(of_stream("a/1"), &[item(&["moved"], &[])]), [4, 8]);
    assert!(filtered(all(), &[item(&["nothing"], &[])]).is_empty());
    assert_eq!(filtered(all(), &[item(&[], &[]), item(&["moved"], &[])]), [3, 4, 5, 6, 7, 8]);
}

#[test]
fn limits() {
    let bench = filled();
    let limited = |limit| bench.events(ReadRequest { limit: Some(limit), ..all() }).len();
    assert_eq!([0, 1, 6, 7].map(limited), [0, 1, 6, 6]);
}

#[test]
fn positions_by_time() {
    let bench = filled();
    let events = bench.events(ReadRequest::all(Scope::All { system: true }));
    let at = |time| block_on(bench.store.position_at(time)).unwrap().0;
    for event in &events {
        let whole = events.iter().filter(|other| other.append_time <= event.append_time).count() as u64;
        assert_eq!(at(event.append_time), whole);
        let before = events.iter().filter(|other| other.append_time < event.append_time).count() as u64;
        assert_eq!(at(Time(event.append_time.0 - 1)), before);
    }
    let future = block_on(bench.store.position_at(Time(i64::MAX))).unwrap_err();
    expect!["that time has not come yet: nobody knows what will be appended until then"]
        .assert_eq(&future.to_string());
    let third = events[2].append_time;
    let from = ReadRequest { from: From::Time(third), ..ReadRequest::all(Scope::All { system: true }) };
    assert_eq!(bench.events(from).first().map(|event| event.position.0), Some(3));
}

#[test]
fn what_does_not_exist() {
    let bench = filled();
    let unknown = block_on(bench.store.read(of_topic("c"))).unwrap_err();
    expect!["there is no topic c"].assert_eq(&unknown.to_string());
}

/// What EXPLAIN says of a read must be what the read does: as many events, named by parts of the index that have them.
#[test]
fn how_much_a_read_goes_through() {
    let item = |types: &[&str], tags: &[&str]| QueryItem {
        types: types.iter().map(|name| (*name).to_owned()).collect(),
        tags: tags.iter().map(|tag| Tag::parse(tag).unwrap()).collect(),
    };
    let filtered = |item| ReadRequest { filter: vec![item], ..of_topic("a") };
    let requests = [
        (of_stream("a/1"), true),
        (of_stream("a/none"), true),
        (filtered(item(&["opened"], &[])), true),
        (filtered(item(&["opened", "moved"], &[])), true),
        (filtered(item(&[], &["owner:ann"])), true),
        (filtered(item(&["moved"], &["owner:ann"])), false),
        (ReadRequest { filter: vec![item(&["moved"], &[])], ..of_stream("a/1") }, false),
        (of_topic("a"), false),
        (of_topic("b"), false),
        (all(), false),
    ];
    let small = OpenOptions { memtable_bytes_max: 1, ..OpenOptions::default() };
    for (bench, on_disk) in [(filled(), false), (filled().reopen_with(small), true)] {
        let whole = block_on(bench.store.extent(&of_stream("a/1"), Position::MAX)).unwrap();
        assert_eq!(whole.runs.is_empty(), !on_disk, "{whole:?}");
        for (request, exact) in &requests {
            for after in 0..=8 {
                for until in 0..=9 {
                    let request = ReadRequest { from: From::After(Position(after)), ..request.clone() };
                    let extent = block_on(bench.store.extent(&request, Position(until))).unwrap();
                    let events = bench.events(request.clone());
                    let read = events.iter().map(|event| event.position.0).filter(|&at| at <= until);
                    let read: Vec<u64> = read.collect();
                    let what = format!("{request:?} up to {until}: {extent}, but {read:?}");
                    if *exact {
                        assert_eq!(extent.events, read.len() as u64, "{what}");
                    }
                    assert!(extent.events >= read.len() as u64, "{what}");
                    assert!(extent.events <= until.saturating_sub(after), "{what}");
                    assert!(extent.exact == *exact || extent.events == 0, "{what}");
                    let named = |position| extent.runs.iter().any(|run| run.contains(&position));
                    if request.scope != (Scope::All { system: false }) {
                        assert!(read.iter().all(|&position| extent.in_memory || named(position)), "{what}");
                        assert!(on_disk || extent.runs.is_empty(), "{what}");
                    }
                }
            }
        }
    }
}
