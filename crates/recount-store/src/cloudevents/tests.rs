//! Tests of `cloudevents`.

use expect_test::{Expect, expect};
use recount_types::Time;

use super::*;

fn check(text: &str, expected: Expect) {
    let shown = match parse(&Bytes::copy_from_slice(text.as_bytes())) {
        Err(error) => format!("error: {error}"),
        Ok(CloudEvent { event, key }) => {
            let mut lines = vec![format!("payload {:?}", event.payload)];
            lines.extend(key.map(|key| format!("key {key:?}")));
            lines.extend(event.id.map(|id| format!("id {id}")));
            lines.extend(event.event_type.map(|name| format!("type {name}")));
            lines.extend(event.time.map(|Time(us)| format!("time {us}")));
            lines.extend(event.content_type.map(|name| format!("content-type {name}")));
            lines.extend(event.headers.iter().map(|(name, value)| format!("{name} {value:?}")));
            lines.join("\n")
        }
    };
    expected.assert_eq(&shown);
}

/// An event that is complete but for its data, with `more` after it.
fn with(more: &str) -> String {
    format!(r#"{{"specversion": "1.0", "id": "a", "source": "/s", "type": "t"{more}}}"#)
}

#[test]
fn the_example_of_the_specification() {
    let example = r#"{
        "specversion" : "1.0",
        "type" : "com.example.someevent",
        "source" : "/mycontext",
        "subject": null,
        "id" : "C234-1234-1234",
        "time" : "2018-04-05T17:31:00Z",
        "comexampleextension1" : "value",
        "comexampleothervalue" : 5,
        "partitionkey": "42",
        "datacontenttype" : "application/vnd.apache.thrift.binary",
        "data_base64" : "Zm9vYg=="
    }"#;
    check(
        example,
        expect![[r#"
            payload b"foob"
            key b"42"
            id C234-1234-1234
            type com.example.someevent
            time 1522949460000000
            content-type application/vnd.apache.thrift.binary
            ce_source b"/mycontext"
            ce_comexampleextension1 b"value"
            ce_comexampleothervalue b"5""#]],
    );
}

#[test]
fn json_data_stays_byte_for_byte() {
    check(
        &with(r#", "data": {"amount":  1.50, "x": "\u00e9"} "#),
        expect![[r#"
            payload b"{\"amount\":  1.50, \"x\": \"\\u00e9\"}"
            id a
            type t
            ce_source b"/s""#]],
    );
    check(
        &with(r#", "datacontenttype": "application/vnd.x+JSON; charset=utf-8", "data": [1]"#),
        expect![[r#"
            payload b"[1]"
            id a
            type t
            content-type application/vnd.x+JSON; charset=utf-8
            ce_source b"/s""#]],
    );
    for none in ["", r#", "data": null"#] {
        check(
            &with(none),
            expect![[r#"
                payload b"null"
                id a
                type t
                ce_source b"/s""#]],
        );
    }
}

#[test]
fn other_data_is_a_string_or_nothing() {
    check(
        &with(r#", "datacontenttype": "text/xml", "data": "<a>\"1\"</a>", "f": true"#),
        expect![[r#"
            payload b"<a>\"1\"</a>"
            id a
            type t
            content-type text/xml
            ce_source b"/s"
            ce_f b"true""#]],
    );
    check(
        &with(r#", "datacontenttype": "text/xml""#),
        expect![[r#"
            payload b""
            id a
            type t
            content-type text/xml
            ce_source b"/s""#]],
    );
}

#[test]
fn what_is_refused() {
    for (text, expected) in [
        ("", expect!["error: it is not JSON: at byte 1, found the end, expected a value"]),
        ("[]", expect!["error: it is not an object: a CloudEvent is one, with its attributes as fields"]),
        (
            "{}",
            expect![
                "error: the attribute specversion is missing: CloudEvents demands specversion, id, source and type"
            ],
        ),
        (r#"{"specversion": "0.3"}"#, expect![[r#"error: specversion is "0.3": only "1.0" is known"#]]),
        (
            r#"{"specversion": "1.0", "id": "a", "type": "t"}"#,
            expect![
                "error: the attribute source is missing: CloudEvents demands specversion, id, source and type"
            ],
        ),
        (
            r#"{"specversion": "1.0", "source": "a", "type": "t", "id": null}"#,
            expect![
                "error: the attribute id is missing: CloudEvents demands specversion, id, source and type"
            ],
        ),
        (
            r#"{"specversion": "1.0", "source": "a", "id": "t"}"#,
            expect![
                "error: the attribute type is missing: CloudEvents demands specversion, id, source and type"
            ],
        ),
        (
            &with(r#", "id": "b""#),
            expect![[r#"error: it is not JSON: the key "id" at byte 64 occurs twice in its object"#]],
        ),
        (
            &with(r#", "subject": """#),
            expect![[r#"error: the attribute subject is "": it must be a string that is not empty"#]],
        ),
        (
            &with(r#", "time": "yesterday""#),
            expect![[
                r#"error: the attribute time is "yesterday": it must be a time as "2023-12-13T12:00:00Z""#
            ]],
        ),
        (&with(r#", "time": 5"#), expect!["error: the attribute time is 5: it must be a string"]),
        (
            &with(r#", "x": 5.0"#),
            expect![
                "error: the attribute x is 5.0: it must be a string, true, false or an integer of 32 bits"
            ],
        ),
        (
            &with(r#", "x": 2147483648"#),
            expect![
                "error: the attribute x is 2147483648: it must be a string, true, false or an integer of 32 bits"
            ],
        ),
        (
            &with(r#", "x": {}"#),
            expect![
                "error: the attribute x is {}: it must be a string, true, false or an integer of 32 bits"
            ],
        ),
        (
            &with(r#", "x_y": 1"#),
            expect![[r#"error: "x_y" cannot name an attribute: use lower-case letters and digits"#]],
        ),
        (
            &with(r#", "": 1"#),
            expect![[r#"error: "" cannot name an attribute: use lower-case letters and digits"#]],
        ),
        (
            &with(r#", "data": 1, "data_base64": "Zg==""#),
            expect!["error: it has data and data_base64: give one of them"],
        ),
        (
            &with(r#", "data_base64": "Zg""#),
            expect![[r#"error: the attribute data_base64 is "Zg": it must be base64 with padding"#]],
        ),
        (
            &with(r#", "datacontenttype": "text/xml", "data": 1"#),
            expect![[
                r#"error: datacontenttype is "text/xml", so data must be a string, or data_base64 be used: only JSON stands there as it is"#
            ]],
        ),
    ] {
        check(text, expected);
    }
}

#[test]
fn headers_of_other_attributes() {
    for (header, expected) in [
        ("ce_source", true),
        ("ce_x1", true),
        ("ce_id", false),
        ("ce_time", false),
        ("ce_", false),
        ("ce_A", false),
        ("ce_a-b", false),
        ("source", false),
        ("CE_source", false),
    ] {
        assert_eq!(is_other_attribute(header), expected, "{header}");
    }
}
