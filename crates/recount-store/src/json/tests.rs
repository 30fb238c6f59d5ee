//! Payloads: their syntax, the values in them, and what is said of those that do not fit.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::ddl::{Statement, parse};

fn topic(columns: &str) -> TopicDefinition {
    match parse(&format!("CREATE TOPIC t ({columns})")) {
        Ok(Statement::CreateTopic(definition)) => definition,
        other => panic!("{other:?}"),
    }
}

fn read_all(definition: &TopicDefinition, payload: &[u8]) -> String {
    let fields = match Fields::find(definition, &Paths::of(definition), &mut Shape::default(), payload) {
        Ok(fields) => fields,
        Err(error) => return error.to_string(),
    };
    let values =
        definition.columns.iter().map(|column| fields.value(&column.name).map(|value| shown(&value)));
    values.collect::<Result<Vec<_>, _>>().map_or_else(|error| error.to_string(), |values| values.join(" | "))
}

fn shown(value: &Value<'_>) -> String {
    let mut text = String::new();
    match value {
        Value::Null => text.push_str("NULL"),
        Value::Double(value) => text = value.to_string(),
        Value::Json(json) => text.push_str(json),
        value => value.push_canonical(&mut text),
    }
    text
}

fn check(columns: &str, payload: &str, expected: Expect) {
    expected.assert_eq(&read_all(&topic(columns), payload.as_bytes()));
}

#[test]
fn syntax() {
    let check = |payload: &[u8], expected: Expect| {
        let error = validate(payload).err().map_or("ok".to_owned(), |error| error.to_string());
        expected.assert_eq(&error);
    };
    check(b"", expect!["at byte 1, found the end, expected a value"]);
    check(b"  ", expect!["at byte 3, found the end, expected a value"]);
    check(b"{\"a\": 1} x", expect!["at byte 10, found 'x', expected the end"]);
    check(b"{\"a\": 1,}", expect!["at byte 9, found '}', expected a key in double quotes"]);
    check(b"{a: 1}", expect!["at byte 2, found 'a', expected a key in double quotes"]);
    check(b"{\"a\" 1}", expect!["at byte 6, found '1', expected a colon"]);
    check(b"{\"a\": 1", expect!["at byte 8, found the end, expected a comma or a closing brace"]);
    check(b"[1 2]", expect!["at byte 4, found '2', expected a comma or a closing bracket"]);
    check(b"[1,]", expect!["at byte 4, found ']', expected a value"]);
    check(b"nul", expect!["at byte 1, found 'n', expected a value"]);
    check(b"01", expect!["at byte 2, found '1', expected the end"]);
    check(b"-", expect!["at byte 2, found the end, expected a digit"]);
    check(b"1.", expect!["at byte 3, found the end, expected a digit"]);
    check(b"1e", expect!["at byte 3, found the end, expected a digit"]);
    check(b"+1", expect!["at byte 1, found '+', expected a value"]);
    check(b"NaN", expect!["at byte 1, found 'N', expected a value"]);
    check(b"\"a", expect!["the string that begins at byte 1 has no end"]);
    check(b"\"a\nb\"", expect!["the string that begins at byte 1 has a control character: escape it"]);
    check(b"\"\\x\"", expect!["the string that begins at byte 1 has an escape that stands for no character"]);
    check(
        b"\"\\u12\"",
        expect!["the string that begins at byte 1 has an escape that stands for no character"],
    );
    check(
        b"\"\\ud800\"",
        expect!["the string that begins at byte 1 has an escape that stands for no character"],
    );
    check(
        b"\"\\ud800\\u0041\"",
        expect!["the string that begins at byte 1 has an escape that stands for no character"],
    );
    check(
        b"\"\\udc00\"",
        expect!["the string that begins at byte 1 has an escape that stands for no character"],
    );
    check(b"\"\xff\"", expect!["byte 2 is not UTF-8"]);
    check("\u{feff}{}".as_bytes(), expect![[r#"at byte 1, found '\u{feff}', expected a value"#]]);
    check(b"{\"a\":1,\"b\":2,\"a\":3}", expect![[r#"the key "a" at byte 14 occurs twice in its object"#]]);
    check(b"{\"a\":1,\"\\u0061\":3}", expect![[r#"the key "a" at byte 8 occurs twice in its object"#]]);
    check(b"[{\"x\":{\"b\":1,\"b\":2}}]", expect![[r#"the key "b" at byte 14 occurs twice in its object"#]]);
    check(b"{\"a\":{\"b\":1},\"b\":{\"a\":1}}", expect!["ok"]);
    check(b" [ 1 , -0.5e+10 , \"\\ud83d\\ude00\" , true , false , null , { } , [ ] ] \r\n\t", expect!["ok"]);
    check(b"0", expect!["ok"]);
}

#[test]
fn depth() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(validate(nested(128).as_bytes()), Ok(()));
    assert_eq!(validate(nested(129).as_bytes()), Err(BadJson::Depth));
    let objects = |levels: usize| "{\"a\":".repeat(levels) + "1" + &"}".repeat(levels);
    assert_eq!(validate(objects(128).as_bytes()), Ok(()));
    assert_eq!(validate(objects(129).as_bytes()), Err(BadJson::Depth));
    assert_eq!(validate("[".repeat(7 << 20).as_bytes()), Err(BadJson::Depth));
}

#[test]
fn many_keys() {
    let object = |count: usize, more: &str| {
        let keys: Vec<String> = (0..count).map(|key| format!("\"k{key}\":{{\"k0\":1}}")).collect();
        format!("{{{}{more}}}", keys.join(","))
    };
    for count in [1, 23, 24, 25, 26, 100, 50_000] {
        assert_eq!(validate(object(count, "").as_bytes()), Ok(()), "{count}");
        for twice in [0, count / 2, count - 1] {
            let error = validate(object(count, &format!(",\"k{twice}\":1")).as_bytes());
            assert!(matches!(error, Err(BadJson::DuplicateKey { .. })), "{count} {twice}");
        }
    }
}

#[test]
fn fields() {
    check(
        "a INT, b INT FROM 'x.b', c JSON FROM 'x', d TEXT FROM 'x.y.z'",
        r#"{"x":{"b":2,"y":{"z":"q"}},"a":1}"#,
        expect![[r#"1 | 2 | {"b":2,"y":{"z":"q"}} | q"#]],
    );
    check("a INT", "{}", expect!["NULL"]);
    check("a INT NOT NULL", "{}", expect!["a is missing or null, and the column is NOT NULL"]);
    check("a INT NOT NULL", r#"{"a":null}"#, expect!["a is missing or null, and the column is NOT NULL"]);
    check(
        "accountId INT NOT NULL",
        r#"{"accountid":1}"#,
        expect!["accountId is missing or null, and the column is NOT NULL"],
    );
    check("a INT, b INT FROM 'a'", r#"{"a":1}"#, expect!["1 | 1"]);
    check("a INT FROM 'x.a'", r#"{"a":1,"x":[{"a":2}],"y":{"x":{"a":3}}}"#, expect!["NULL"]);
    check(
        "a INT",
        r#"[{"a":1}]"#,
        expect!["the payload is not an object: the topic's columns are its fields"],
    );
    check(
        "a INT",
        r#"{"a":1"#,
        expect!["the payload is not JSON: at byte 7, found the end, expected a comma or a closing brace"],
    );
    check(
        "a TEXT FROM 'ä'",
        r#"{"\u00e4":"\ud83d\ude00\n\"\\\/"}"#,
        expect![[r#"
        😀
        "\/"#]],
    );
}

#[test]
fn integers() {
    for (payload, expected) in [
        ("1", "1"),
        ("-0", "0"),
        ("1.0", "1"),
        ("1.000", "1"),
        ("12e2", "1200"),
        ("1.2E1", "12"),
        ("1200e-2", "12"),
        ("0e999999999999999999", "0"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("922337203685477580.70e1", "9223372036854775807"),
    ] {
        assert_eq!(
            read_all(&topic("n BIGINT"), format!("{{\"n\":{payload}}}").as_bytes()),
            expected,
            "{payload}"
        );
    }
    check(
        "n BIGINT",
        r#"{"n":9223372036854775808}"#,
        expect![[r#"n "9223372036854775808" is too large for BIGINT"#]],
    );
    check("n INT", r#"{"n":2147483648}"#, expect![[r#"n "2147483648" is too large for INT"#]]);
    check("n SMALLINT", r#"{"n":-32769}"#, expect![[r#"n "-32769" is too large for SMALLINT"#]]);
    check("n BIGINT", r#"{"n":1.5}"#, expect![[r#"n "1.5" has 1 decimal, the column allows 0"#]]);
    check("n BIGINT", r#"{"n":1e-1}"#, expect![[r#"n "1e-1" has 1 decimal, the column allows 0"#]]);
    check("n BIGINT", r#"{"n":1e400}"#, expect![[r#"n "1e400" is too large for BIGINT"#]]);
    check(
        "n BIGINT",
        r#"{"n":1e99999999999999999999}"#,
        expect![[r#"n "1e99999999999999999999" is too large for BIGINT"#]],
    );
    check(
        "n BIGINT",
        r#"{"n":"1"}"#,
        expect![[r#"n "1" is a string, and the column is BIGINT: write a number without quotes"#]],
    );
    check(
        "n BIGINT",
        r#"{"n":true}"#,
        expect![[r#"n "true" is a boolean, and the column is BIGINT: write a number without quotes"#]],
    );
}

#[test]
fn decimals() {
    for (payload, expected) in [
        ("1", "1.00"),
        ("-20.0", "-20.00"),
        ("0.05", "0.05"),
        ("-0.05", "-0.05"),
        ("-0.00", "0.00"),
        ("12.3400", "12.34"),
        ("1234e-2", "12.34"),
        ("\"12.34\"", "12.34"),
        ("\"+012.340\"", "12.34"),
        ("\"1.5e1\"", "15.00"),
        ("999999999999999999999999999999999999.99", "999999999999999999999999999999999999.99"),
    ] {
        let definition = topic("n DECIMAL(38,2)");
        assert_eq!(read_all(&definition, format!("{{\"n\":{payload}}}").as_bytes()), expected, "{payload}");
    }
    check(
        "amount DECIMAL(18,2)",
        r#"{"amount":12.345}"#,
        expect![[r#"amount "12.345" has 3 decimals, the column allows 2"#]],
    );
    check(
        "amount DECIMAL(18,2)",
        r#"{"amount":"12.345"}"#,
        expect![[r#"amount "12.345" has 3 decimals, the column allows 2"#]],
    );
    check(
        "amount DECIMAL(18,2)",
        r#"{"amount":1e-7}"#,
        expect![[r#"amount "1e-7" has 7 decimals, the column allows 2"#]],
    );
    check(
        "amount DECIMAL(4,2)",
        r#"{"amount":100}"#,
        expect![[r#"amount "100" is too large for DECIMAL(4,2)"#]],
    );
    check(
        "amount DECIMAL(38,0)",
        r#"{"amount":100000000000000000000000000000000000000}"#,
        expect![[r#"amount "100000000000000000000000000000000000000" is too large for DECIMAL(38,0)"#]],
    );
    check(
        "amount DECIMAL(38,2)",
        r#"{"amount":3.14159265358979323846264338327950288419716939937510}"#,
        expect![[
            r#"amount "3.14159265358979323846264338327950288419716939937510" has 50 decimals, the column allows 2"#
        ]],
    );
    for text in ["", "x", " 1", "1 ", "1.", ".5", "1e", "--1", "1_000", "NaN", "1,5", "0x1", "1e+"] {
        let payload = format!("{{\"n\":\"{text}\"}}");
        assert_eq!(
            read_all(&topic("n DECIMAL(9,2)"), payload.as_bytes()),
            format!("n \"{text}\" is not a number")
        );
    }
    check(
        "amount DECIMAL(4,2)",
        r#"{"amount":[1]}"#,
        expect![[
            r#"amount "[1]" is an array, and the column is DECIMAL(4,2): write a number, with or without quotes"#
        ]],
    );
}

proptest! {
    /// Every way to write a decimal reads as the same digits.
    #[test]
    fn notations_of_one_number(unscaled in -999_999_999_999_999_999i64..=999_999_999_999_999_999, exponent in 0u32..30, zeros in 0usize..30) {
        let definition = topic("n DECIMAL(18,6)");
        let value = |text: String| read_all(&definition, format!("{{\"n\":{text}}}").as_bytes());
        let plain = format!("{}{}.{:06}", if unscaled < 0 { "-" } else { "" }, unscaled.abs() / 1_000_000, unscaled.abs() % 1_000_000);
        prop_assert_eq!(value(plain.clone()), plain.clone());
        prop_assert_eq!(value(format!("{plain}{}", "0".repeat(zeros))), plain.clone());
        prop_assert_eq!(value(format!("{unscaled}e-6")), plain.clone());
        prop_assert_eq!(value(format!("{unscaled}{}E-{}", "0".repeat(exponent as usize), 6 + exponent)), plain);
    }

    /// What serde_json takes for JSON, this does too, and the other way round; but for duplicate keys.
    #[test]
    fn as_serde_judges(text in r#"[\[\]{},:"\\u0-9a-f.eE+\- \n]{0,24}"#) {
        let ours = validate(text.as_bytes());
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match ours {
            Err(BadJson::DuplicateKey { .. }) => {}
            ours => prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs),
        }
    }

    /// Bytes of any kind never make it panic, and strings round-trip.
    #[test]
    fn anything(bytes in proptest::collection::vec(any::<u8>(), 0..64), text in any::<String>()) {
        let _ = validate(&bytes);
        let quoted = quoted(&text);
        prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text.clone());
        let array = format!("[{quoted},{quoted}]");
        let read: Option<Vec<_>> = strings(&array).collect();
        prop_assert_eq!(read.unwrap(), vec![text.clone(), text]);
    }
}

#[test]
fn arrays_that_are_not_of_strings() {
    for array in
        ["", "x", "[", "[1]", "[\"a\"", "[\"a\" ,\"b\"]", "[\"a\"\"b\"]", "[\"a\",]", "[,\"a\"]", "[\"\\x\"]"]
    {
        assert!(strings(array).any(|item| item.is_none()), "{array}");
    }
    assert_eq!(strings("[]").count(), 0);
}

/// A JSON column kept of a string only what stands between its quotes, so that "12" could not be told from 12, and
/// what was kept was no JSON. The law for folds found it.
#[test]
fn a_string_in_a_json_column_keeps_its_quotes() {
    check(
        "a JSON, b JSON, c JSON, d JSON",
        r#"{"a": "12", "b": 12, "c": "\u00e4\"", "d": ""}"#,
        expect![[r#""12" | 12 | "\u00e4\"" | """#]],
    );
}

#[test]
fn other_types() {
    check(
        "a BOOLEAN, b DOUBLE, c TEXT, d JSON",
        r#"{"a":true,"b":1.5e1,"c":"x","d": {"y" : [1, 2]} }"#,
        expect![[r#"true | 15 | x | {"y" : [1, 2]}"#]],
    );
    check(
        "a BOOLEAN",
        r#"{"a":"true"}"#,
        expect![[r#"a "true" is a string, and the column is BOOLEAN: write true or false"#]],
    );
    check("b DOUBLE", r#"{"b":1e400}"#, expect![[r#"b "1e400" is too large for DOUBLE"#]]);
    check(
        "b DOUBLE",
        r#"{"b":"1"}"#,
        expect![[r#"b "1" is a string, and the column is DOUBLE: write a number without quotes"#]],
    );
    check(
        "c TEXT",
        r#"{"c":1}"#,
        expect![[r#"c "1" is a number, and the column is TEXT: write it in double quotes"#]],
    );
    check(
        "c TEXT",
        r#"{"c":{"a":1}}"#,
        expect![[r#"c "{"a":1}" is an object, and the column is TEXT: write it in double quotes"#]],
    );
}

#[test]
fn times() {
    check("t TIMESTAMPTZ", r#"{"t":"2023-12-13T12:00:00+01:00"}"#, expect!["2023-12-13T11:00:00.000000Z"]);
    check(
        "t TIMESTAMPTZ",
        r#"{"t":"2023-12-13T12:00:00"}"#,
        expect![[
            r#"t "2023-12-13T12:00:00" has no zone: write it as "2023-12-13T12:00:00Z"; without a zone it fits only a TIMESTAMP"#
        ]],
    );
    check(
        "t TIMESTAMPTZ",
        r#"{"t":"2023-12-13"}"#,
        expect![[
            r#"t "2023-12-13" has no zone: write it as "2023-12-13T12:00:00Z"; without a zone it fits only a TIMESTAMP"#
        ]],
    );
    check(
        "t TIMESTAMPTZ",
        r#"{"t":"yesterday"}"#,
        expect![[r#"t "yesterday" is not a time: write it as "2023-12-13T12:00:00Z""#]],
    );
    check(
        "t TIMESTAMPTZ",
        r#"{"t":1702468800}"#,
        expect![[
            r#"t "1702468800" is a bare number: declare what it counts, UNIT SECONDS, MILLIS, MICROS or NANOS (UNIT SECONDS makes it 2023-12-13T12:00:00Z); or write it as "2023-12-13T12:00:00Z""#
        ]],
    );
    check(
        "t TIMESTAMPTZ",
        r#"{"t":1702468800000}"#,
        expect![[
            r#"t "1702468800000" is a bare number: declare what it counts, UNIT SECONDS, MILLIS, MICROS or NANOS (UNIT MILLIS makes it 2023-12-13T12:00:00Z); or write it as "2023-12-13T12:00:00Z""#
        ]],
    );
    check(
        "t TIMESTAMPTZ",
        r#"{"t":17}"#,
        expect![[
            r#"t "17" is a bare number: declare what it counts, UNIT SECONDS, MILLIS, MICROS or NANOS; or write it as "2023-12-13T12:00:00Z""#
        ]],
    );
    check(
        "t TIMESTAMPTZ",
        r#"{"t":"0001-01-01T00:00:00+01:00"}"#,
        expect![[r#"t "0001-01-01T00:00:00+01:00" is outside the years 0001 to 9999"#]],
    );
    check("t TIMESTAMPTZ UNIT SECONDS", r#"{"t":1702468800}"#, expect!["2023-12-13T12:00:00.000000Z"]);
    check("t TIMESTAMPTZ UNIT SECONDS", r#"{"t":-1.5}"#, expect!["1969-12-31T23:59:58.500000Z"]);
    check(
        "t TIMESTAMPTZ UNIT SECONDS",
        r#"{"t":1.1234567}"#,
        expect![[r#"t "1.1234567" is more precise than a microsecond"#]],
    );
    check("t TIMESTAMPTZ UNIT MILLIS", r#"{"t":1702468800123}"#, expect!["2023-12-13T12:00:00.123000Z"]);
    check("t TIMESTAMPTZ UNIT MICROS", r#"{"t":1702468800123456}"#, expect!["2023-12-13T12:00:00.123456Z"]);
    check("t TIMESTAMPTZ UNIT NANOS", r#"{"t":1702468800123456789}"#, expect!["2023-12-13T12:00:00.123456Z"]);
    check("t TIMESTAMPTZ UNIT NANOS", r#"{"t":-1}"#, expect!["1969-12-31T23:59:59.999999Z"]);
    check(
        "t TIMESTAMPTZ UNIT MILLIS",
        r#"{"t":9e18}"#,
        expect![[r#"t "9e18" is outside the years 0001 to 9999"#]],
    );
    check(
        "t TIMESTAMPTZ UNIT SECONDS",
        r#"{"t":"2023-12-13T12:00:00Z"}"#,
        expect![[r#"t "2023-12-13T12:00:00Z" is a string, and the column counts Seconds: write a number"#]],
    );
    check("t TIMESTAMP", r#"{"t":"2023-12-13T12:00:00.5"}"#, expect!["2023-12-13T12:00:00.500000"]);
    check(
        "t TIMESTAMP",
        r#"{"t":"2023-12-13T12:00:00Z"}"#,
        expect![[
            r#"t "2023-12-13T12:00:00Z" has a zone, and the column is TIMESTAMP: leave the zone out, or make the column TIMESTAMPTZ"#
        ]],
    );
    check(
        "t TIMESTAMP",
        r#"{"t":"noon"}"#,
        expect![[r#"t "noon" is not a time: write it as "2023-12-13T12:00:00""#]],
    );
    check(
        "t TIMESTAMP",
        r#"{"t":1}"#,
        expect![[
            r#"t "1" is a bare number: declare what it counts, UNIT SECONDS, MILLIS, MICROS or NANOS; or write it as "2023-12-13T12:00:00Z""#
        ]],
    );
    check("t DATE", r#"{"t":"2023-12-13"}"#, expect!["2023-12-13"]);
    check(
        "t DATE",
        r#"{"t":"13.12.2023"}"#,
        expect![[r#"t "13.12.2023" is not a time: write it as "2023-12-13""#]],
    );
    check(
        "t DATE",
        r#"{"t":20231213}"#,
        expect![[r#"t "20231213" is a number, and the column is DATE: write it as "2023-12-13""#]],
    );
    check("t DATE FORMAT 'YYMMDD'", r#"{"t":"930101"}"#, expect!["1993-01-01"]);
    check(
        "t DATE FORMAT 'YYMMDD'",
        r#"{"t":"1993-01-01"}"#,
        expect![[r#"t "1993-01-01" is not of the form "YYMMDD" that the column's FORMAT declares"#]],
    );
    check(
        "t TIMESTAMPTZ FORMAT 'YYYY-MM-DD HH24:MITZH'",
        r#"{"t":"2023-12-13 12:30-02"}"#,
        expect!["2023-12-13T14:30:00.000000Z"],
    );
    check(
        "t TIMESTAMP FORMAT 'YYYY-MM-DD HH24:MI'",
        r#"{"t":"2023-12-13 12:30"}"#,
        expect!["2023-12-13T12:30:00.000000"],
    );
}

/// Keys that lead to columns, more than there are bits to remember them by, and twice; fields in the order of columns and in any other.
#[test]
fn keys_of_columns_occur_once() {
    let columns: Vec<String> = (0..70).map(|column| format!("k{column} INT")).collect();
    let definition = topic(&columns.join(", "));
    let object = |order: &dyn Fn(usize) -> usize, more: &str| {
        let fields: Vec<String> = (0..70).map(order).map(|key| format!("\"k{key}\":{key}")).collect();
        format!("{{{}{more}}}", fields.join(","))
    };
    let all: Vec<String> = (0..70).map(|value| value.to_string()).collect();
    for order in [&|at| at, &|at| 69 - at, &|at| at * 31 % 70] as [&dyn Fn(usize) -> usize; 3] {
        assert_eq!(read_all(&definition, object(order, "").as_bytes()), all.join(" | "));
        for twice in [0, 1, 63, 64, 69] {
            let read = read_all(&definition, object(order, &format!(",\"k{twice}\":1")).as_bytes());
            assert!(read.contains(&format!("the key \"k{twice}\" at byte ")), "{read}");
        }
    }
    check(
        "a INT, b INT",
        r#"{"b":2,"a":1,"\u0061":3}"#,
        expect![[r#"the payload is not JSON: the key "a" at byte 14 occurs twice in its object"#]],
    );
    check(
        "a INT FROM 'x.a', b INT FROM 'x.b'",
        r#"{"x":{"a":1,"b":2},"x":0}"#,
        expect![[r#"the payload is not JSON: the key "x" at byte 20 occurs twice in its object"#]],
    );
}

proptest! {
    /// Strings of any bytes and lengths end where another parser has them end, and are refused where it refuses them.
    #[test]
    fn strings_end_where_they_end(
        parts in prop::collection::vec(
            prop_oneof!["[ -~]{0,40}", "[\\x00-\\x24\\x5b-\\x5d\\x7f]{0,4}", "\\PC{0,9}", Just("\\\"".to_owned()), Just("\\u00e4".to_owned())],
            0..5,
        ),
        behind in "[ -~]{0,12}",
    ) {
        let text = format!("{{\"a\":\"{}\",\"b\":\"{behind}\"}}", parts.concat());
        let known: Result<std::collections::BTreeMap<String, serde_json::Value>, _> = serde_json::from_str(&text);
        let columns = topic("a TEXT, b TEXT");
        match known {
            Ok(known) => {
                let of = |name: &str| known.get(name).map_or("NULL".to_owned(), |value| value.as_str().unwrap().to_owned());
                let read = read_all(&columns, text.as_bytes());
                prop_assert!(read == format!("{} | {}", of("a"), of("b")) || read.contains("occurs twice"), "{read}");
            }
            Err(_) => prop_assert!(validate(text.as_bytes()).is_err(), "{text:?}"),
        }
    }
}

/// A text that is or is nearly JSON: fields of a few keys in some order, with spaces and mistakes here and there.
fn nearly_json() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec!["\"a\"", "\"b\"", "\"c\"", "\"\\u0061\"", "\"d\"", "a"]);
    let space = || prop::sample::select(vec!["", "", "", "", " ", "\n"]);
    let value = prop::sample::select(vec![
        "1",
        "-2",
        "\"x\"",
        "null",
        "{\"a\":7}",
        "[1,{\"b\":8}]",
        "\"\\n\"",
        "1 2",
        "tru",
    ]);
    let field = (space(), key, space(), space(), value, space());
    let field = field.prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"));
    (
        prop::collection::vec(field, 0..5),
        prop::sample::select(vec![("{", "}"), ("{", ""), ("[", "]"), (" {", "} "), ("{", ",}")]),
    )
        .prop_map(|(fields, (before, behind))| format!("{before}{}{behind}", fields.join(",")))
}

proptest! {
    /// What is found of a payload, and what is wrong with it, does not depend on what others before it looked like.
    #[test]
    fn the_payloads_before_make_no_difference(texts in prop::collection::vec((nearly_json(), 1usize..12), 1..12)) {
        let definition = topic("a INT, b JSON, c TEXT FROM 'c', d INT FROM 'd.a'");
        let (paths, mut shape) = (Paths::of(&definition), Shape::default());
        for (text, times) in &texts {
            for _ in 0..*times {
                let found = |shape: &mut Shape| {
                    Fields::find(&definition, &paths, shape, text.as_bytes()).map(|fields| fields.found).map_err(|error| error.to_string())
                };
                prop_assert_eq!(found(&mut shape), found(&mut Shape::default()), "{}", text);
            }
        }
    }
}

/// Payloads that look alike are known by what stands between their values; others, once there were several of them. Large ones never are.
#[test]
fn what_payloads_look_like() {
    let definition = topic("a INT, b INT");
    let (paths, mut shape) = (Paths::of(&definition), Shape::default());
    let mut look = |payload: &str| {
        Fields::find(&definition, &paths, &mut shape, payload.as_bytes()).unwrap();
        shape.members().iter().map(|member| member.literal.to_string()).collect::<Vec<_>>().concat()
    };
    let one = r#"{"a": 1, "x":2,"b":{}}"#;
    assert_eq!(look(one), r#"{"a":, "x":,"b":"#);
    let other = r#"{"a": 1,"b":3}"#;
    assert_eq!(look(other), r#"{"a":, "x":,"b":"#);
    look(one);
    (0..7).for_each(|_| drop(look(other)));
    assert_eq!(look(other), r#"{"a":,"b":"#);
    let large = format!("{{{}}}", (0..65).map(|key| format!("\"k{key}\":1")).collect::<Vec<_>>().join(","));
    (0..8).for_each(|_| drop(look(&large)));
    assert_eq!(look(&large), "");
    assert_eq!(look(one), r#"{"a":, "x":,"b":"#);
    let long = format!("{{\"{}\":1}}", "k".repeat(3000));
    (0..8).for_each(|_| drop(look(&long)));
    assert_eq!(look(&long), "");
}
