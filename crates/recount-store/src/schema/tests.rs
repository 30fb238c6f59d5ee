//! The JSON form of definitions, and the patterns of times.

use expect_test::{Expect, expect};
use recount_types::Time;

use super::*;
use crate::ddl::{Statement, parse};
use crate::time::format_rfc3339;

/// Kept in journals: a change here needs a reader of the old form.
#[test]
fn golden_json() {
    let check = |sql: &str, golden: Expect| {
        let Ok(Statement::CreateTopic(definition)) = parse(sql) else { panic!("{sql}") };
        let json = serde_json::to_string_pretty(&definition).unwrap();
        golden.assert_eq(&json);
        assert_eq!(serde_json::from_str::<TopicDefinition>(&json).unwrap(), definition);
    };
    check(
        "CREATE TOPIC t",
        expect![[r#"
        {
          "name": "t"
        }"#]],
    );
    check(
        "CREATE TOPIC t (b BOOLEAN, accountId BIGINT NOT NULL FROM 'account.id', kind TEXT, at TIMESTAMPTZ UNIT NANOS,
           d DATE FORMAT 'YYMMDD', n DECIMAL(9,6)) EVENT opened AS 'v1.opened' (x JSON) EVENT closed
           KEY (accountId) TYPE (kind) TIMESTAMP BY at TAG owner (accountId) PARTITIONS 8 ON ERROR KEEP",
        expect![[r#"
            {
              "name": "t",
              "columns": [
                {
                  "name": "b",
                  "path": [
                    "b"
                  ],
                  "type": "BOOLEAN"
                },
                {
                  "name": "accountid",
                  "path": [
                    "account",
                    "id"
                  ],
                  "type": "BIGINT",
                  "nullable": false
                },
                {
                  "name": "kind",
                  "path": [
                    "kind"
                  ],
                  "type": "TEXT"
                },
                {
                  "name": "at",
                  "path": [
                    "at"
                  ],
                  "type": "TIMESTAMPTZ",
                  "unit": "NANOS"
                },
                {
                  "name": "d",
                  "path": [
                    "d"
                  ],
                  "type": "DATE",
                  "format": "YYMMDD"
                },
                {
                  "name": "n",
                  "path": [
                    "n"
                  ],
                  "type": "DECIMAL(9,6)"
                }
              ],
              "events": [
                {
                  "name": "opened",
                  "type": "v1.opened",
                  "columns": [
                    {
                      "name": "x",
                      "path": [
                        "x"
                      ],
                      "type": "JSON"
                    }
                  ]
                },
                {
                  "name": "closed",
                  "type": "closed"
                }
              ],
              "key": [
                "accountid"
              ],
              "type_by": "kind",
              "timestamp_by": "at",
              "tags": [
                {
                  "name": "owner",
                  "column": "accountid"
                }
              ],
              "partitions": 8,
              "on_error": "KEEP"
            }"#]],
    );
}

#[test]
fn json_that_is_no_definition() {
    for json in [
        r#"{}"#,
        r#"{"name":"a b"}"#,
        r#"{"name":"t","colour":1}"#,
        r#"{"name":"t","columns":[{"name":"a","path":["a"],"type":"BLOB"}]}"#,
        r#"{"name":"t","columns":[{"name":"a","path":["a"],"type":"DECIMAL(39,0)"}]}"#,
        r#"{"name":"t","columns":[{"name":"a","path":["a"],"type":"INT","size":4}]}"#,
        r#"{"name":"t","columns":[{"name":"a","path":["a"],"type":"DATE","format":"YYYY"}]}"#,
        r#"{"name":"t","columns":[{"name":"a","path":["a"],"type":"DATE","unit":"HOURS"}]}"#,
        r#"{"name":"t","events":[{"name":"a"}]}"#,
        r#"{"name":"t","on_error":"IGNORE"}"#,
    ] {
        assert!(serde_json::from_str::<TopicDefinition>(json).is_err(), "{json}");
    }
}

#[test]
fn formats() {
    let check = |format: &str, text: &str, expected: Expect| {
        let read = TimeFormat::parse(format).unwrap().read(text);
        let shown = read.map(|civil| format!("{} {}", format_rfc3339(Time(civil.shown_us)), civil.ahead_us));
        expected.assert_eq(&shown.unwrap_or_default());
    };
    check("YYYY-MM-DD", "2023-12-13", expect!["2023-12-13T00:00:00Z 0"]);
    check("YYMMDD", "930101", expect!["1993-01-01T00:00:00Z 0"]);
    check("YYMMDD", "690101", expect!["2069-01-01T00:00:00Z 0"]);
    check("DD.MM.YYYY HH24:MI:SS.MS", "13.12.2023 12:30:05.250", expect!["2023-12-13T12:30:05.250000Z 0"]);
    check(
        "YYYY-MM-DD\"T\"HH24:MI:SS.USTZH:TZM",
        "2023-12-13T12:30:05.123456-02:30",
        expect!["2023-12-13T12:30:05.123456Z -9000000000"],
    );
    check("YYYY-MM-DD\"T\"HH24\"Z\"", "2023-12-13T12Z", expect!["2023-12-13T12:00:00Z 0"]);
    for (format, text) in [
        ("YYYY-MM-DD", "2023-12-13 "),
        ("YYYY-MM-DD", "2023-12-1"),
        ("YYYY-MM-DD", "2023-02-29"),
        ("YYYY-MM-DD", "2023-00-01"),
        ("YYYY-MM-DD", "0000-01-01"),
        ("YYYY-MM-DD", "2023-12-+1"),
        ("YYYY-MM-DD", "2023/12/13"),
        ("YYYY-MM-DD HH24", "2023-12-13 24"),
        ("YYYY-MM-DDTZH", "2023-12-1302"),
        ("YYYY-MM-DD\"T\"", "2023-12-13x"),
        ("YYYY-MM-DD", "2023-12-1é"),
    ] {
        assert_eq!(TimeFormat::parse(format).unwrap().read(text), None, "{format} {text}");
    }
    assert!(TimeFormat::parse("YYYY-MM-DD\"").is_err());
    assert!(TimeFormat::parse("YYYY YY MM DD").is_err());
}
