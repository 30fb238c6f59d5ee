//! What events say by their topic's definition, and how records keep it.

use expect_test::{Expect, expect};
use recount_types::batch::{BatchBuilder, RecordIndex};
use recount_types::name::KeyText;
use recount_types::{Event, Offset, Partition, Position, Revision, Time, TopicName};

use super::*;
use crate::catalogue::TopicState;
use crate::ddl::{Statement, parse};
use crate::group::Entry;
use crate::json::{Paths, Shape};
use crate::locate::Placed;
use crate::schema::TopicDefinition;

fn topic(sql: &str) -> TopicDefinition {
    match parse(&format!("CREATE TOPIC t {sql}")) {
        Ok(Statement::CreateTopic(definition)) => definition,
        other => panic!("{other:?}"),
    }
}

fn event(payload: &str) -> NewEvent {
    NewEvent { payload: payload.to_owned().into(), ..NewEvent::default() }
}

fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
}

fn show(definition: &TopicDefinition, event: &NewEvent) -> String {
    match facts(definition, event) {
        Ok(facts) => {
            let key = facts.key.map_or("-".to_owned(), |key| KeyText(&key).to_string());
            let time = facts.time.map_or("-".to_owned(), format_rfc3339);
            let tags: Vec<&str> = facts.tags.iter().map(Tag::as_str).collect();
            format!("{key} {} {time} {}", facts.event_type.as_deref().unwrap_or("-"), tags.join(" "))
        }
        Err(error) => error,
    }
}

fn check(sql: &str, event: &NewEvent, expected: Expect) {
    expected.assert_eq(&show(&topic(sql), event));
}

const TYPED: &str = "(id BIGINT NOT NULL, amount DECIMAL(18,2), kind TEXT, at TIMESTAMPTZ UNIT SECONDS)
    KEY (id) TYPE (kind) TIMESTAMP BY at TAG owner (id) TAG kind (kind)";

#[test]
fn declared_by_the_topic() {
    check(
        TYPED,
        &event(r#"{"id":7,"kind":"paid","at":1702468800}"#),
        expect!["7 paid 2023-12-13T12:00:00Z owner:7 kind:paid"],
    );
    check(TYPED, &event(r#"{"id":7.0}"#), expect!["7 - - owner:7"]);
    let said = NewEvent {
        event_type: Some("paid".into()),
        time: Some(Time(1)),
        tags: vec![tag("owner:7"), tag("x:y")],
        ..event(r#"{"id":7}"#)
    };
    check(TYPED, &said, expect!["7 paid 1970-01-01T00:00:00.000001Z owner:7 x:y"]);
    check(
        TYPED,
        &event(r#"{"id":7,"amount":12.345}"#),
        expect![[
            r#"amount "12.345" has 3 decimals, the column allows 2. Round it, or widen the column: ALTER TOPIC t ALTER COLUMN amount TYPE DECIMAL(19,3)"#
        ]],
    );
    check(
        "(\"A\" DECIMAL(38,2) NOT NULL, b DECIMAL(9,2) NOT NULL) KEY (b)",
        &event(r#"{"A":1.234,"b":1}"#),
        expect![[r#"A "1.234" has 3 decimals, the column allows 2. Round it"#]],
    );
    check(
        "(\"A\" DECIMAL(9,2) NOT NULL, b DECIMAL(9,2) NOT NULL) KEY (b)",
        &event(r#"{"A":1.234,"b":1}"#),
        expect![[
            r#"A "1.234" has 3 decimals, the column allows 2. Round it, or widen the column: ALTER TOPIC t ALTER COLUMN "A" TYPE DECIMAL(10,3)"#
        ]],
    );
    check(
        "(a DECIMAL(9,2) NOT NULL, b DECIMAL(9,2) NOT NULL) KEY (b)",
        &event(r#"{"a":1,"b":1.001}"#),
        expect![[r#"b "1.001" has 3 decimals, the column allows 2. Round it"#]],
    );
    check(TYPED, &event("[]"), expect!["the payload is not an object: the topic's columns are its fields"]);
    check(
        TYPED,
        &event("{"),
        expect!["the payload is not JSON: at byte 2, found the end, expected a key in double quotes"],
    );
    check(
        TYPED,
        &NewEvent { content_type: Some("text/xml".into()), ..event("<a/>") },
        expect![[r#"the content type is "text/xml", and topic t has columns: send JSON"#]],
    );
    check(
        TYPED,
        &NewEvent { content_type: Some("application/x+JSON; q=1".into()), ..event(r#"{"id":1}"#) },
        expect!["1 - - owner:1"],
    );
}

#[test]
fn said_twice_it_must_agree() {
    let full = r#"{"id":7,"kind":"paid","at":1702468800}"#;
    check(
        TYPED,
        &NewEvent { event_type: Some("paid".into()), ..event(full) },
        expect!["7 paid 2023-12-13T12:00:00Z owner:7 kind:paid"],
    );
    check(
        TYPED,
        &NewEvent { event_type: Some("sent".into()), ..event(full) },
        expect![[
            r#"the event type "sent" was given, but the topic's TYPE makes it "paid": leave it out, or change the payload"#
        ]],
    );
    check(
        TYPED,
        &NewEvent { time: Some(Time(1_702_468_800_000_000)), ..event(full) },
        expect!["7 paid 2023-12-13T12:00:00Z owner:7 kind:paid"],
    );
    check(
        TYPED,
        &NewEvent { time: Some(Time(0)), ..event(full) },
        expect![
            "the time 1970-01-01T00:00:00Z was given, but the topic's TIMESTAMP BY makes it 2023-12-13T12:00:00Z: leave it out, or change the payload"
        ],
    );
    check(
        TYPED,
        &NewEvent { tags: vec![tag("owner:8")], ..event(full) },
        expect![[
            r#"the tag "owner:8" was given, but the topic's TAG makes it "owner:7": leave it out, or change the payload"#
        ]],
    );
    check(
        TYPED,
        &NewEvent { tags: vec![tag("owner:7"), tag("owner:8")], ..event(full) },
        expect![[
            r#"the tag "owner:8" was given, but the topic's TAG makes it "owner:7": leave it out, or change the payload"#
        ]],
    );
}

#[test]
fn keys_have_one_text() {
    for (columns, payload, expected) in [
        ("a BIGINT NOT NULL", r#"{"a":1e2}"#, "100"),
        ("a DECIMAL(9,2) NOT NULL", r#"{"a":"1.5"}"#, "1.50"),
        ("a DECIMAL(9,0) NOT NULL", r#"{"a":-1}"#, "-1"),
        ("a TEXT NOT NULL", r#"{"a":"x/\u00e4%"}"#, "x/%C3%A4%25"),
        ("a TEXT NOT NULL", r#"{"a":""}"#, ""),
        ("a BOOLEAN NOT NULL", r#"{"a":true}"#, "true"),
        ("a DATE NOT NULL", r#"{"a":"2023-12-13"}"#, "2023-12-13"),
        ("a TIMESTAMP NOT NULL", r#"{"a":"2023-12-13T12:00:00"}"#, "2023-12-13T12:00:00.000000"),
        ("a TIMESTAMPTZ NOT NULL", r#"{"a":"2023-12-13T13:00:00.5+01:00"}"#, "2023-12-13T12:00:00.500000Z"),
    ] {
        let facts = facts(&topic(&format!("({columns}) KEY (a)")), &event(payload)).unwrap();
        assert_eq!(KeyText(&facts.key.unwrap()).to_string(), expected, "{columns}");
    }
    check(
        "(a TEXT NOT NULL, b DECIMAL(9,2) NOT NULL, c DATE NOT NULL, d BOOLEAN NOT NULL) KEY (b, a, c, d)",
        &event(r#"{"a":"q\"\u0001ä","b":1,"c":"2023-12-13","d":false}"#),
        expect![[r#"[1.00,"q\"\u0001%C3%A4","2023-12-13",false] - - "#]],
    );
}

#[test]
fn typed_events() {
    let bank = "(id BIGINT NOT NULL) EVENT deposited (amount DECIMAL(9,2) NOT NULL) EVENT closed AS 'v1.closed' KEY (id)";
    let typed = |name: &str, payload: &str| NewEvent { event_type: Some(name.into()), ..event(payload) };
    check(bank, &typed("deposited", r#"{"id":1,"amount":2}"#), expect!["1 deposited - "]);
    check(
        bank,
        &typed("deposited", r#"{"id":1}"#),
        expect!["amount is missing or null, and the column is NOT NULL"],
    );
    check(bank, &typed("v1.closed", r#"{"id":1,"amount":"not looked at"}"#), expect!["1 v1.closed - "]);
    check(
        bank,
        &typed("closed", r#"{"id":1}"#),
        expect![[r#"the event type is "closed", and topic t has only deposited, v1.closed"#]],
    );
    check(
        bank,
        &event(r#"{"id":1}"#),
        expect!["the event has no type; those of topic t are deposited, v1.closed"],
    );
    check("EVENT a EVENT b", &typed("a", "[]"), expect!["- a - "]);
    check(
        "EVENT a EVENT b",
        &typed("c", "[]"),
        expect![[r#"the event type is "c", and topic t has only a, b"#]],
    );
}

#[test]
fn untyped_topics() {
    check("", &event("[1]"), expect!["- - - "]);
    check(
        "",
        &event("x"),
        expect![
            "the payload is not JSON: at byte 1, found 'x', expected a value. Correct it, or give its content type"
        ],
    );
    check(
        "",
        &event(""),
        expect![
            "the payload is not JSON: at byte 1, found the end, expected a value. Correct it, or give its content type"
        ],
    );
    check("", &NewEvent { content_type: Some("text/xml".into()), ..event("<a/>") }, expect!["- - - "]);
    check(
        "",
        &NewEvent { content_type: Some("application/json".into()), ..event("<a/>") },
        expect![
            "the payload is not JSON: at byte 1, found '<', expected a value. Correct it, or give its content type"
        ],
    );
}

#[test]
fn limits_and_reserved_names() {
    check(
        "",
        &NewEvent { id: Some(String::new()), ..event("1") },
        expect!["the id is empty: give one, or leave it out"],
    );
    check(
        "",
        &NewEvent { id: Some("x".repeat(256)), ..event("1") },
        expect!["the id has 256 bytes, the limit is 255"],
    );
    check(
        "",
        &NewEvent { event_type: Some("x".repeat(256)), ..event("1") },
        expect!["the event type has 256 bytes, the limit is 255"],
    );
    check(
        "",
        &NewEvent { content_type: Some("x".repeat(256)), ..event("1") },
        expect!["the content type has 256 bytes, the limit is 255"],
    );
    check(
        "",
        &NewEvent { time: Some(Time(i64::MAX)), ..event("1") },
        expect!["the event's time is outside the years 0001 to 9999"],
    );
    for name in ["ce_id", "CE_x", "recount-y", "Content-Type"] {
        let event = NewEvent { headers: vec![(name.to_owned(), "".into())], ..event("1") };
        assert!(facts(&topic(""), &event).unwrap_err().contains("is reserved"), "{name}");
    }
    check(
        "",
        &NewEvent { headers: vec![("h".into(), vec![0; 65_535].into())], ..event("1") },
        expect!["- - - "],
    );
    check(
        "",
        &NewEvent { headers: vec![("h".into(), vec![0; 65_536].into())], ..event("1") },
        expect!["the event's headers have 65537 bytes, the limit is 65536"],
    );
    let long = format!("{{\"id\":1,\"kind\":\"{}\"}}", "x".repeat(252));
    check(
        TYPED,
        &event(&long),
        expect![[
            r#"tag "kind:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" is not of the form name:value of at most 256 bytes"#
        ]],
    );
    let long = format!("{{\"id\":1,\"kind\":\"{}\"}}", "x".repeat(256));
    check(TYPED, &event(&long), expect!["the event type has 256 bytes, the limit is 255"]);
}

/// A record as it lies in a batch.
struct Stored {
    batch: Bytes,
    own_time: bool,
}

type Headers<'a> = Vec<(&'a [u8], Option<&'a [u8]>)>;

impl Stored {
    fn new(key: Option<&[u8]>, value: &[u8], time: Option<i64>, headers: Headers<'_>) -> Stored {
        let mut builder = BatchBuilder::new(4);
        builder.push(time.unwrap_or(0), key, Some(value), headers.into_iter());
        Stored { batch: builder.finish().into(), own_time: time.is_some() }
    }

    fn record(&self) -> RawRecord<'_> {
        let record = RecordIndex::new(&self.batch).unwrap().get(&self.batch, 0).unwrap();
        RawRecord {
            offset: Offset(4),
            timestamp_ms: self.own_time.then_some(record.timestamp_ms),
            key: record.key,
            value: record.value,
            headers: record.headers(),
            batch: &self.batch,
        }
    }

    fn decode(&self, revision: Option<Revision>) -> Result<Event, ReadError> {
        decode(&placed(self.record()), &state(), revision)
    }
}

fn stored(encoded: &Encoded) -> Stored {
    let headers = encoded.headers.iter().map(|(name, value)| (name.as_bytes(), Some(&value[..]))).collect();
    let time = encoded.own_time.then_some(encoded.timestamp_ms);
    Stored::new(encoded.key.as_deref(), &encoded.value, time, headers)
}

fn placed(record: RawRecord<'_>) -> Placed<'_> {
    let entry = Entry {
        topic: TopicId(16),
        partition: Partition(0),
        base_offset: Offset(0),
        base_position: None,
        count: 1,
        bytes: 0,
        schema: 1,
        transactional: false,
        control: false,
        crc: 0,
    };
    Placed { position: Position(9), append_time: Time(77), append_end: Position(9), entry, record }
}

fn facts(definition: &TopicDefinition, event: &NewEvent) -> Result<Facts, String> {
    super::facts(definition, (&Paths::of(definition), &mut Shape::default()), event)
}

fn state() -> TopicState {
    TopicState {
        id: TopicId(16),
        name: TopicName::parse("t").unwrap(),
        definition: topic(""),
        paths: Paths::default(),
        schema: 1,
        created: Position(1),
        dropped: false,
    }
}

fn write(event: &NewEvent) -> Encoded {
    encode(facts(&topic(""), event).unwrap(), Some("k".into()), event).unwrap()
}

fn full() -> NewEvent {
    NewEvent {
        payload: "<a/>".into(),
        content_type: Some("text/xml".into()),
        id: Some("e-1".into()),
        event_type: Some("paid".into()),
        time: Some(Time(-1)),
        tags: vec![tag("a:1"), tag("b:\"x\"\n"), tag("a:1")],
        headers: vec![("h".into(), "1".into()), ("h".into(), "2".into())],
    }
}

/// Kept in journals: a change here needs a reader of the old form.
#[test]
fn golden_headers() {
    let encoded = write(&full());
    let mut shown = format!("{} {:?} {:?}\n", encoded.timestamp_ms, encoded.key, encoded.value);
    for (name, value) in &encoded.headers {
        shown += &format!("{name}: {value:?}\n");
    }
    expect![[r#"
        -1 Some(b"k") b"<a/>"
        ce_id: b"e-1"
        ce_type: b"paid"
        ce_time: b"1969-12-31T23:59:59.999999Z"
        content-type: b"text/xml"
        recount-tags: b"[\"a:1\",\"b:\\\"x\\\"\\n\",\"a:1\"]"
        h: b"1"
        h: b"2"
    "#]]
    .assert_eq(&shown);
}

#[test]
fn what_is_written_is_read() {
    let whole = Time(1_702_468_800_123_000);
    let times = [None, Some(Time(0)), Some(whole), Some(Time(whole.0 + 1)), Some(Time(-1))];
    for time in times.into_iter().chain([Some(crate::time::TIME_MIN), Some(crate::time::TIME_MAX)]) {
        for template in [event("1"), full()] {
            let event = NewEvent { time, ..template };
            let encoded = write(&event);
            let has_text = encoded.headers.iter().any(|(name, _)| name == TIME);
            assert_eq!(has_text, time.is_some_and(|time| time.0 % 1000 != 0));
            let stored = stored(&encoded);
            assert!(same(&stored.record(), &encoded));
            let read = stored.decode(Some(Revision(3))).unwrap();
            assert_eq!(read.event_time, time.unwrap_or(Time(77)));
            let back = NewEvent {
                payload: read.payload,
                content_type: read.content_type,
                id: read.id,
                event_type: read.event_type,
                time,
                tags: read.tags,
                headers: read.headers,
            };
            assert_eq!(back, event);
            assert_eq!(
                (read.key, read.revision, read.offset),
                (Some("k".into()), Some(Revision(3)), Offset(4))
            );
        }
    }
    for plain in ["application/json", "Application/JSON; charset=utf-8"] {
        let stored = stored(&write(&NewEvent { content_type: Some(plain.into()), ..event("1") }));
        assert_eq!(stored.decode(None).unwrap().content_type, None);
    }
}

#[test]
fn the_same_and_another() {
    let full_one = stored(&write(&full()));
    let record = full_one.record();
    for change in [
        |event: &mut NewEvent| event.payload = "<b/>".into(),
        |event: &mut NewEvent| event.content_type = Some("text/html".into()),
        |event: &mut NewEvent| event.event_type = None,
        |event: &mut NewEvent| event.time = Some(Time(-2)),
        |event: &mut NewEvent| event.time = Some(Time(999_999)),
        |event: &mut NewEvent| event.time = None,
        |event: &mut NewEvent| event.tags.truncate(1),
        |event: &mut NewEvent| event.headers.truncate(1),
        |event: &mut NewEvent| event.headers[0].1 = "9".into(),
        |event: &mut NewEvent| event.headers[0].0 = "g".into(),
    ] {
        let mut event = full();
        change(&mut event);
        let other = write(&event);
        assert!(!same(&record, &other), "{event:?}");
    }
    let other_key = Encoded { key: None, ..write(&full()) };
    assert!(!same(&record, &other_key));
    // A time of 0 is a time; no time is none.
    let (zero, none) = (NewEvent { time: Some(Time(0)), ..event("1") }, event("1"));
    assert!(!same(&stored(&write(&zero)).record(), &write(&none)));
    assert!(!same(&stored(&write(&none)).record(), &write(&zero)));
}

#[test]
fn terms_of_a_record() {
    let terms = all_terms(TopicId(16), &stored(&write(&full())).record()).unwrap();
    let mut term = Term::new();
    let expected = vec![
        term.stream(TopicId(16), b"k").to_vec(),
        term.client_id(TopicId(16), "e-1").to_vec(),
        term.event_type(TopicId(16), "paid").to_vec(),
        term.tag(TopicId(16), "a:1").to_vec(),
        term.tag(TopicId(16), "b:\"x\"\n").to_vec(),
    ];
    assert_eq!(terms, expected);
    let bare = Stored::new(None, b"1", None, Vec::new());
    assert!(all_terms(TopicId(16), &bare.record()).unwrap().is_empty());
}

#[test]
fn damaged_headers() {
    let header = |name: &'static str, value: Option<&'static [u8]>| (name.as_bytes(), value);
    for (headers, name) in [
        (vec![header(ID, Some(b"\xff"))], ID),
        (vec![header(TYPE, None)], TYPE),
        (vec![header(TIME, Some(b"noon"))], TIME),
        (vec![header(CONTENT_TYPE, Some(b"\xff"))], CONTENT_TYPE),
        (vec![header(TAGS, Some(b"a:1"))], TAGS),
        (vec![header(TAGS, Some(b"[\"a\"]"))], TAGS),
        (vec![header(TAGS, Some(b"[\"a:1\",2]"))], TAGS),
        (vec![header(ID, Some(b"1")), header(ID, Some(b"2"))], ID),
        (vec![(&b"\xff"[..], None)], "name"),
    ] {
        let error = Stored::new(None, b"1", None, headers).decode(None).unwrap_err();
        assert_eq!(
            error,
            ReadError::Corrupt {
                what: format!("the event at position 9 of topic t: its header {name} is malformed")
            }
        );
    }
    assert!(Stored::new(None, b"1", Some(i64::MAX), Vec::new()).decode(None).is_err());
    let tagged = Stored::new(None, b"1", None, vec![header(TAGS, Some(b"[1]"))]);
    assert!(all_terms(TopicId(16), &tagged.record()).is_err());
}

/// `cargo test --profile sim -p recount-store --lib speed -- --ignored --nocapture` prints events per second.
#[test]
#[ignore = "measures, judges nothing"]
fn speed() {
    let definition = topic(
        "(accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL, timestamp TIMESTAMPTZ NOT NULL UNIT SECONDS)
         KEY (accountId) TIMESTAMP BY timestamp",
    );
    let event = event(r#"{"accountId": 4711, "amount": -20.05, "timestamp": 1702468800, "note": "rent"}"#);
    let stored = stored(&encode(facts(&definition, &event).unwrap(), Some("4711".into()), &event).unwrap());
    let record = stored.record();
    let state = state();
    let clock = recount_env::real::env().clock;
    let measure = |what: &str, run: &dyn Fn()| {
        const COUNT: u64 = 1_000_000;
        let start = clock.boottime_us();
        (0..COUNT).for_each(|_| run());
        println!("{what} {} events/s", COUNT * 1_000_000 / (clock.boottime_us() - start).max(1));
    };
    measure("validate", &|| json::validate(std::hint::black_box(&event.payload)).unwrap());
    let paths = Paths::of(&definition);
    measure("facts", &|| {
        drop(std::hint::black_box(super::facts(&definition, (&paths, &mut Shape::default()), &event)))
    });
    measure("view", &|| drop(std::hint::black_box(view(&placed(record.clone()), &state, None))));
    measure("decode", &|| drop(std::hint::black_box(decode(&placed(record.clone()), &state, None))));
    measure("terms", &|| drop(std::hint::black_box(all_terms(TopicId(16), &record))));
}
