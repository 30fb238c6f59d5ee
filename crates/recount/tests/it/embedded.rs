//! The library in a program's own process.

use recount::{
    Condition, Database, Delivery, EventWrite, Expected, From, ManualClock, NewEvent, ReadRequest, Revision,
    Scope, SubscribeRequest,
};
use recount_types::{Position, Time};

fn write(key: &str, payload: &str) -> EventWrite {
    let event = NewEvent { payload: payload.to_owned().into(), ..NewEvent::default() };
    EventWrite { topic: "t".parse().unwrap(), key: Some(key.to_owned().into()), event }
}

#[test]
fn a_clock_set_by_hand_gives_the_append_times() {
    let clock = ManualClock::new(Time(1_000_000));
    let db = Database::memory_with_clock(&clock).unwrap();
    db.execute("CREATE TOPIC t").unwrap();
    clock.set(Time(5_000_000));
    assert_eq!(db.append(vec![write("a", "1")]).unwrap().append_time, Time(5_000_000));
    clock.set(Time(9_000_000));
    assert_eq!(db.append(vec![write("a", "2")]).unwrap().append_time, Time(9_000_000));

    let stream = Scope::Stream("t/a".parse().unwrap());
    let request = ReadRequest { from: From::Time(Time(5_000_001)), ..ReadRequest::all(stream) };
    let events: Vec<_> = db.read_with(request).unwrap().map(|event| event.unwrap().payload).collect();
    assert_eq!(events, ["2"]);
}

#[test]
fn a_condition_that_does_not_hold_keeps_everything_out() {
    let db = Database::memory().unwrap();
    db.execute("CREATE TOPIC t").unwrap();
    db.append(vec![write("a", "1")]).unwrap();
    let stream = "t/a".parse().unwrap();
    let condition = Condition::Stream { stream, expected: Expected::Exact(Revision(1)) };
    db.append_if(vec![write("b", "1"), write("a", "2")], vec![condition]).unwrap_err();
    assert_eq!(db.stream_length(&"t/b".parse().unwrap()).unwrap(), 0);
}

#[test]
fn a_subscription_catches_up_and_ends_when_the_database_is_closed() {
    let db = Database::memory().unwrap();
    db.execute("CREATE TOPIC t").unwrap();
    db.append(vec![write("a", "1")]).unwrap();
    let scope = Scope::Topic("t".parse().unwrap());
    let request = SubscribeRequest { scope, after: Position(0), filter: Vec::new() };
    let mut deliveries = db.subscribe(request);
    assert!(matches!(deliveries.next(), Some(Ok(Delivery::Event(event))) if event.payload == "1"));
    assert!(matches!(deliveries.next(), Some(Ok(Delivery::CaughtUp(Position(2))))));
    db.close().unwrap();
    assert!(deliveries.next().is_none());
}

#[test]
fn a_database_may_be_closed_twice() {
    let db = Database::memory().unwrap();
    db.close().unwrap();
    db.close().unwrap();
    db.execute("CREATE TOPIC t").unwrap_err();
}
