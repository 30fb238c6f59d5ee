//! Statements: what they become, and what is said of those that are none.

use expect_test::{Expect, expect};

use super::*;

fn check(sql: &str, expected: Expect) {
    let shown = match parse(sql) {
        Ok(Statement::CreateTopic(definition)) => serde_json::to_string(&definition).unwrap(),
        Ok(Statement::AlterTopic(AlterTopic { name, alteration: Alteration::AddColumn(column) })) => {
            format!("{name} + {}", serde_json::to_string(&column).unwrap())
        }
        Ok(Statement::AlterTopic(AlterTopic { name, alteration })) => format!("{name} {alteration:?}"),
        Ok(Statement::DropTopic(name)) => format!("drop {name}"),
        Ok(other) => other.name().to_owned(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&shown);
}

#[test]
fn definitions() {
    check("CREATE TOPIC a", expect![[r#"{"name":"a"}"#]]);
    check("create topic A PARTITIONS 3;", expect![[r#"{"name":"a","partitions":3}"#]]);
    check("CREATE TOPIC \"Orders.v1\" -- a name from Kafka\n;", expect![[r#"{"name":"Orders.v1"}"#]]);
    check(
        "CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL,
           timestamp TIMESTAMPTZ NOT NULL UNIT SECONDS) KEY (accountId) TIMESTAMP BY timestamp;",
        expect![[
            r#"{"name":"transactions","columns":[{"name":"accountid","path":["accountId"],"type":"BIGINT","nullable":false},{"name":"amount","path":["amount"],"type":"DECIMAL(18,2)","nullable":false},{"name":"timestamp","path":["timestamp"],"type":"TIMESTAMPTZ","nullable":false,"unit":"SECONDS"}],"key":["accountid"],"timestamp_by":"timestamp"}"#
        ]],
    );
    check(
        "CREATE TOPIC bank (account_id BIGINT NOT NULL, kind TEXT FROM 'meta.kind', day DATE FORMAT 'DD.MM.YYYY')
           EVENT deposited (amount NUMERIC(18,2) NOT NULL) EVENT Withdrawn AS 'com.acme.withdrawn.v1' (amount DECIMAL(18,2))
           EVENT closed KEY (account_id, kind2) TYPE (kind) TAG owner (account_id) ON ERROR KEEP",
        expect!["line 3, column 42: KEY names kind2, which is not a column of every event: there are account_id, kind, day"],
    );
    check(
        "CREATE TOPIC bank (account_id BIGINT NOT NULL, \"Kind\" TEXT NOT NULL FROM 'meta.kind')
           EVENT deposited (amount NUMERIC(18,2) NOT NULL) EVENT Withdrawn AS 'com.acme.withdrawn.v1' (amount DECIMAL(18,2))
           EVENT closed KEY (account_id, \"Kind\") TYPE (\"Kind\") TAG owner (account_id) ON ERROR KEEP PARTITIONS 4",
        expect![[r#"{"name":"bank","columns":[{"name":"account_id","path":["account_id"],"type":"BIGINT","nullable":false},{"name":"Kind","path":["meta","kind"],"type":"TEXT","nullable":false}],"events":[{"name":"deposited","type":"deposited","columns":[{"name":"amount","path":["amount"],"type":"DECIMAL(18,2)","nullable":false}]},{"name":"withdrawn","type":"com.acme.withdrawn.v1","columns":[{"name":"amount","path":["amount"],"type":"DECIMAL(18,2)"}]},{"name":"closed","type":"closed"}],"key":["account_id","Kind"],"type_by":"Kind","tags":[{"name":"owner","column":"account_id"}],"partitions":4,"on_error":"KEEP"}"#]],
    );
    check("DROP TOPIC x0", expect!["drop x0"]);
    check("DROP TOPIC x0;", expect!["drop x0"]);
}

#[test]
fn types() {
    for (sql, expected) in [
        ("BOOL", "BOOLEAN"),
        ("int2", "SMALLINT"),
        ("INTEGER", "INT"),
        ("INT8", "BIGINT"),
        ("NUMERIC(38)", "DECIMAL(38,0)"),
        ("DOUBLE PRECISION", "DOUBLE"),
        ("CHARACTER VARYING", "TEXT"),
        ("VARCHAR", "TEXT"),
        ("DATE", "DATE"),
        ("TIMESTAMP", "TIMESTAMP"),
        ("TIMESTAMP WITHOUT TIME ZONE", "TIMESTAMP"),
        ("timestamp with time zone", "TIMESTAMPTZ"),
        ("JSON", "JSON"),
    ] {
        let Ok(Statement::CreateTopic(definition)) = parse(&format!("CREATE TOPIC t (c {sql} NOT NULL)"))
        else {
            panic!("{sql}");
        };
        let column_type = definition.columns[0].column_type;
        assert_eq!(column_type.to_string(), expected);
        assert_eq!(expected.parse(), Ok(column_type));
    }
    check(
        "CREATE TOPIC t (c DECIMAL)",
        expect!["line 1, column 26: found ), expected (digits, decimals), as in DECIMAL(18,2)"],
    );
    check(
        "CREATE TOPIC t (c DECIMAL(39,2))",
        expect![
            "line 1, column 19: DECIMAL(39,2) does not exist: the first number is 1 to 38 digits in all, the second how many of them are decimals"
        ],
    );
    check(
        "CREATE TOPIC t (c DECIMAL(2,3))",
        expect![
            "line 1, column 19: DECIMAL(2,3) does not exist: the first number is 1 to 38 digits in all, the second how many of them are decimals"
        ],
    );
    check(
        "CREATE TOPIC t (c VARCHAR(20))",
        expect!["line 1, column 26: VARCHAR(n) is not a type here: write TEXT, which has no length"],
    );
    check(
        "CREATE TOPIC t (c JSONB)",
        expect!["line 1, column 19: JSONB is not a type here: write JSON, which keeps the text as it is"],
    );
    check(
        "CREATE TOPIC t (c BLOB)",
        expect![
            "line 1, column 19: BLOB is not a type; the types are BOOLEAN, SMALLINT, INT, BIGINT, DECIMAL(p,s), DOUBLE, TEXT, DATE, TIMESTAMP, TIMESTAMPTZ and JSON"
        ],
    );
}

#[test]
fn alterations() {
    check("ALTER TOPIC t ADD COLUMN c TEXT", expect![[r#"t + {"name":"c","path":["c"],"type":"TEXT"}"#]]);
    check(
        "ALTER TOPIC t ADD c DECIMAL(9,2) NOT NULL DEFAULT -0.5;",
        expect![[r#"t + {"name":"c","path":["c"],"type":"DECIMAL(9,2)","nullable":false,"default":"-0.5"}"#]],
    );
    check(
        "ALTER TOPIC t ADD COLUMN c TEXT NOT NULL DEFAULT 'it''s \"so\"'",
        expect![[
            r#"t + {"name":"c","path":["c"],"type":"TEXT","nullable":false,"default":"\"it's \\\"so\\\"\""}"#
        ]],
    );
    check(
        "ALTER TOPIC t ADD COLUMN c BOOLEAN DEFAULT TRUE",
        expect![[r#"t + {"name":"c","path":["c"],"type":"BOOLEAN","default":"true"}"#]],
    );
    check(
        "ALTER TOPIC t ADD COLUMN c BOOLEAN DEFAULT NULL",
        expect![[r#"t + {"name":"c","path":["c"],"type":"BOOLEAN"}"#]],
    );
    check(
        "ALTER TOPIC t ALTER COLUMN c TYPE DECIMAL(19,3)",
        expect![[r#"t WidenColumn { column: "c", column_type: Decimal { precision: 19, scale: 3 } }"#]],
    );
    check(
        "ALTER TOPIC t ADD COLUMN c TEXT NOT NULL",
        expect![
            "line 1, column 26: column c is NOT NULL, and events of before have no value for it: add DEFAULT and a value"
        ],
    );
    check(
        "ALTER TOPIC t ADD COLUMN c INT NOT NULL DEFAULT NULL",
        expect![
            "line 1, column 49: the default does not fit: c is missing or null, and the column is NOT NULL"
        ],
    );
    check(
        "ALTER TOPIC t ADD COLUMN c INT DEFAULT 'x'",
        expect![[
            r#"line 1, column 40: the default does not fit: c "x" is a string, and the column is INT: write a number without quotes"#
        ]],
    );
    check(
        "ALTER TOPIC t ADD COLUMN c INT DEFAULT .5",
        expect![
            "line 1, column 40: the default does not fit: write the number .5 as JSON has it: 0.5, not .5 or 5. or 05"
        ],
    );
    check(
        "ALTER TOPIC t ADD COLUMN c INT DEFAULT -'x'",
        expect![
            "line 1, column 41: found 'x', expected a number, a text in single quotes, TRUE, FALSE or NULL"
        ],
    );
    check(
        "ALTER TOPIC t DROP COLUMN c",
        expect!["line 1, column 15: found DROP, expected ADD COLUMN or ALTER COLUMN"],
    );
    check(
        "CREATE TOPIC t (c INT DEFAULT 1)",
        expect![
            "line 1, column 23: DEFAULT belongs to ALTER TOPIC … ADD COLUMN, where events of before lack the column"
        ],
    );
}

#[test]
fn what_alterations_do() {
    let alter = |definition: &TopicDefinition, sql: &str| {
        let Ok(Statement::AlterTopic(alter)) = parse(sql) else { panic!("{sql}") };
        definition.altered(&alter)
    };
    let create = |sql: &str| match parse(sql) {
        Ok(Statement::CreateTopic(definition)) => definition,
        other => panic!("{other:?}"),
    };
    let topic =
        create("CREATE TOPIC t (k DECIMAL(4,1) NOT NULL, n INT, d DECIMAL(4,2)) EVENT e (x TEXT) KEY (k)");
    let added = alter(&topic, "ALTER TOPIC t ADD COLUMN m TEXT").unwrap();
    assert_eq!(added.columns.len(), 4);
    for (sql, expected) in [
        ("ALTER TOPIC t ADD COLUMN n TEXT", expect!["topic t has a column n already"]),
        ("ALTER TOPIC t ADD COLUMN x TEXT", expect!["topic t has a column x already"]),
        ("ALTER TOPIC t ALTER COLUMN nix TYPE BIGINT", expect!["topic t has no column nix"]),
        (
            "ALTER TOPIC t ALTER COLUMN n TYPE SMALLINT",
            expect![
                "column n is INT: not every value of it is one of SMALLINT. Add a column of another name"
            ],
        ),
        (
            "ALTER TOPIC t ALTER COLUMN d TYPE DECIMAL(4,3)",
            expect![
                "column d is DECIMAL(4,2): not every value of it is one of DECIMAL(4,3). Add a column of another name"
            ],
        ),
        (
            "ALTER TOPIC t ALTER COLUMN d TYPE DECIMAL(5,1)",
            expect![
                "column d is DECIMAL(4,2): not every value of it is one of DECIMAL(5,1). Add a column of another name"
            ],
        ),
        (
            "ALTER TOPIC t ALTER COLUMN x TYPE JSON",
            expect!["column x is TEXT: not every value of it is one of JSON. Add a column of another name"],
        ),
        (
            "ALTER TOPIC t ALTER COLUMN k TYPE DECIMAL(5,2)",
            expect!["column k is in KEY or TAG: its scale cannot change"],
        ),
    ] {
        expected.assert_eq(&alter(&topic, sql).unwrap_err());
    }
    for (sql, column, column_type) in [
        ("ALTER TOPIC t ALTER COLUMN n TYPE BIGINT", 1, "BIGINT"),
        ("ALTER TOPIC t ALTER COLUMN n TYPE DECIMAL(12,2)", 1, "DECIMAL(12,2)"),
        ("ALTER TOPIC t ALTER COLUMN d TYPE DECIMAL(5,3)", 2, "DECIMAL(5,3)"),
        ("ALTER TOPIC t ALTER COLUMN k TYPE DECIMAL(5,1)", 0, "DECIMAL(5,1)"),
    ] {
        assert_eq!(alter(&topic, sql).unwrap().columns[column].column_type.to_string(), column_type);
    }
    let untyped = create("CREATE TOPIC t");
    expect!["topic t has no columns: its payloads are opaque. Create a topic with columns"]
        .assert_eq(&alter(&untyped, "ALTER TOPIC t ADD COLUMN n TEXT").unwrap_err());
}

#[test]
fn what_is_no_statement() {
    check(
        "",
        expect![
            "line 1, column 1: found the end; the statements are CREATE, ALTER and DROP TOPIC, CREATE, ALTER and DROP ENTITY, and CREATE and DROP MATERIALIZED VIEW"
        ],
    );
    check(
        "SELECT 1",
        expect![
            "line 1, column 1: found SELECT; the statements are CREATE, ALTER and DROP TOPIC, CREATE, ALTER and DROP ENTITY, and CREATE and DROP MATERIALIZED VIEW"
        ],
    );
    check(
        "CREATE TABLE t",
        expect![
            "line 1, column 8: found TABLE; the statements are CREATE, ALTER and DROP TOPIC, CREATE, ALTER and DROP ENTITY, and CREATE and DROP MATERIALIZED VIEW"
        ],
    );
    check("CREATE TOPIC", expect!["line 1, column 13: found the end, expected the name of a topic"]);
    check("CREATE TOPIC 'a'", expect!["line 1, column 14: found 'a', expected the name of a topic"]);
    check(
        "CREATE TOPIC a.b",
        expect![
            "line 1, column 15: found ., expected a name of letters, digits and underscores, or any name in double quotes"
        ],
    );
    check(
        "CREATE TOPIC my-topic",
        expect![
            "line 1, column 16: found -, expected a name of letters, digits and underscores, or any name in double quotes"
        ],
    );
    check(
        "CREATE TOPIC \"a b\"",
        expect![[
            r#"line 1, column 14: "a b" is not a topic name: use 1 to 249 letters, digits, dots, underscores or dashes"#
        ]],
    );
    check("CREATE TOPIC \"a", expect![[r#"line 1, column 14: Expected close delimiter '"' before EOF."#]]);
    check(
        "CREATE TOPIC a; DROP TOPIC b",
        expect!["line 1, column 17: found DROP after the end of the statement: run one statement at a time"],
    );
    check(
        "CREATE TOPIC a\n  (n INT)\n  KEYS (n)",
        expect![
            "line 3, column 3: found KEYS, expected EVENT, KEY, TYPE, TIMESTAMP BY, TAG, PARTITIONS, ON ERROR or the end"
        ],
    );
    check("DROP TOPIC a b", expect!["line 1, column 14: found b, expected the end"]);
    check(
        "CREATE TOPIC _x",
        expect![[
            r#"line 1, column 14: "_x" is reserved: names that begin with an underscore are the system's"#
        ]],
    );
    check(
        "CREATE TOPIC x_errors",
        expect![[
            r#"line 1, column 14: "x_errors" is reserved: names that end in _errors show the errors of another topic or view"#
        ]],
    );
    check("CREATE TOPIC t ()", expect!["line 1, column 17: found ), expected the name of a column"]);
    check(
        "CREATE TOPIC t (_id INT)",
        expect![[
            r#"line 1, column 17: "_id" is reserved: columns that begin with an underscore are the system's; use another name, with FROM 'the field'"#
        ]],
    );
    check("CREATE TOPIC t (n INT, N INT)", expect!["line 1, column 24: column n is defined twice"]);
    check("CREATE TOPIC t (n INT) EVENT e (n INT)", expect!["line 1, column 33: column n is defined twice"]);
    check(
        "CREATE TOPIC t EVENT e (n INT) EVENT f (n TEXT)",
        expect![
            "line 1, column 41: column n is TEXT here and INT in another event: give it one type, or another name with FROM 'n'"
        ],
    );
    check("CREATE TOPIC t EVENT e EVENT E", expect!["line 1, column 30: event e is defined twice"]);
    check(
        "CREATE TOPIC t EVENT e EVENT f AS 'e'",
        expect!["line 1, column 30: event type e is defined twice"],
    );
    check("CREATE TOPIC t EVENT e AS ''", expect!["line 1, column 27: an event type has 1 to 255 bytes"]);
    check("CREATE TOPIC t (n INT NOT NULL NOT NULL)", expect!["line 1, column 32: NOT NULL is given twice"]);
    check("CREATE TOPIC t (n INT NOT FROM 'x')", expect!["line 1, column 27: found FROM, expected NULL"]);
    check(
        "CREATE TOPIC t (n INT FROM 'a..b')",
        expect![[
            r#"line 1, column 28: the path "a..b" has an empty name: write it as 'field' or 'outer.inner'"#
        ]],
    );
    check(
        "CREATE TOPIC t (n INT FROM a)",
        expect![
            "line 1, column 28: found a, expected the path of a field in single quotes, as 'outer.inner'"
        ],
    );
    check(
        "CREATE TOPIC t (n INT UNIT SECONDS)",
        expect!["line 1, column 17: UNIT belongs to TIMESTAMPTZ and TIMESTAMP, and column n is INT"],
    );
    check(
        "CREATE TOPIC t (n TIMESTAMPTZ UNIT HOURS)",
        expect!["line 1, column 36: found HOURS, expected SECONDS, MILLIS, MICROS or NANOS"],
    );
    check(
        "CREATE TOPIC t (n TEXT FORMAT 'YYYY-MM-DD')",
        expect!["line 1, column 17: FORMAT belongs to TIMESTAMPTZ, TIMESTAMP and DATE, and column n is TEXT"],
    );
    check(
        "CREATE TOPIC t (n DATE FORMAT 'Y-m-d')",
        expect![[
            r#"line 1, column 31: "Y" means nothing in a FORMAT: use YYYY YY MM DD HH24 MI SS MS US TZH TZM, and other text in double quotes"#
        ]],
    );
    check(
        "CREATE TOPIC t (n DATE FORMAT 'YYYY-MM')",
        expect!["line 1, column 31: a FORMAT needs a year, MM and DD"],
    );
    check(
        "CREATE TOPIC t (n DATE FORMAT 'YYYY-MM-DD DD')",
        expect!["line 1, column 31: DD is said twice in the FORMAT"],
    );
    check(
        "CREATE TOPIC t (n DATE FORMAT 'YYYY-MM-DD HH24')",
        expect!["line 1, column 17: the FORMAT of a DATE has no time of day: use TIMESTAMPTZ or TIMESTAMP"],
    );
    check(
        "CREATE TOPIC t (n TIMESTAMPTZ FORMAT 'YYYY-MM-DD')",
        expect![[
            r#"line 1, column 17: the FORMAT of a TIMESTAMPTZ needs its zone: TZH:TZM, or "Z" in double quotes"#
        ]],
    );
    check(
        "CREATE TOPIC t (n TIMESTAMP FORMAT 'YYYY-MM-DDTZH')",
        expect!["line 1, column 17: the FORMAT of a TIMESTAMP has no zone: use TIMESTAMPTZ"],
    );
    check(
        "CREATE TOPIC t (n TIMESTAMPTZ UNIT SECONDS FORMAT 'YYYY-MM-DDTZH')",
        expect!["line 1, column 17: UNIT is for numbers and FORMAT for texts: a column has one of them"],
    );
    check(
        "CREATE TOPIC t (n INT NOT NULL) KEY (m)",
        expect!["line 1, column 38: KEY names m, which is not a column of every event: there are n"],
    );
    check(
        "CREATE TOPIC t EVENT e (n INT NOT NULL) KEY (n)",
        expect!["line 1, column 46: KEY names n, which is not a column of every event: there are none"],
    );
    check(
        "CREATE TOPIC t (n INT) KEY (n)",
        expect!["line 1, column 29: KEY names n, which may be null: write NOT NULL behind its type"],
    );
    check(
        "CREATE TOPIC t (n DOUBLE NOT NULL) KEY (n)",
        expect![
            "line 1, column 41: KEY cannot use n, which is DOUBLE: it must be a type whose values have one text each: not DOUBLE or JSON"
        ],
    );
    check(
        "CREATE TOPIC t (n INT NOT NULL) KEY (n, n)",
        expect!["line 1, column 41: column of KEY n is defined twice"],
    );
    check(
        "CREATE TOPIC t (n INT NOT NULL) KEY (n + 1)",
        expect![
            "line 1, column 40: found +, expected a comma or a closing parenthesis (a column by its name, no expression)"
        ],
    );
    check(
        "CREATE TOPIC t (n INT NOT NULL) KEY (n) KEY (n)",
        expect!["line 1, column 41: KEY is given twice"],
    );
    check(
        "CREATE TOPIC t (n INT) TYPE (n)",
        expect!["line 1, column 30: TYPE cannot use n, which is INT: it must be TEXT"],
    );
    check(
        "CREATE TOPIC t (n DATE) TIMESTAMP BY n",
        expect![
            "line 1, column 38: TIMESTAMP BY cannot use n, which is DATE: it must be TIMESTAMPTZ: an instant, not a date or a clock on the wall"
        ],
    );
    check("CREATE TOPIC t (n INT) TAG a (n) TAG A (n)", expect!["line 1, column 38: tag a is defined twice"]);
    check(
        "CREATE TOPIC t (n INT) TAG \"a:b\" (n)",
        expect![[
            r#"line 1, column 28: "a:b" cannot name a tag: it is not empty, has no colon and is short"#
        ]],
    );
    check(
        "CREATE TOPIC t (n JSON) TAG a (n)",
        expect![
            "line 1, column 32: TAG cannot use n, which is JSON: it must be a type whose values have one text each: not DOUBLE or JSON"
        ],
    );
    check(
        "CREATE TOPIC t PARTITIONS 0",
        expect!["line 1, column 27: a topic has 1 to 100000 partitions, not 0"],
    );
    check(
        "CREATE TOPIC t PARTITIONS 99999999999999999999",
        expect!["line 1, column 27: a topic has 1 to 100000 partitions, not 99999999999999999999"],
    );
    check(
        "CREATE TOPIC t PARTITIONS 1.5",
        expect!["line 1, column 27: found 1.5, expected the number of partitions"],
    );
    check(
        "CREATE TOPIC t ON ERROR IGNORE",
        expect!["line 1, column 25: found IGNORE, expected REFUSE or KEEP"],
    );
}

#[test]
fn errors_of_those_who_bind_look_alike() {
    let error = ParseError::at(Location::new(2, 3), "balance is TEXT".to_owned());
    expect!["line 2, column 3: balance is TEXT"].assert_eq(&error.to_string());
}

#[test]
fn views() {
    let shown = |sql: &str| match parse(sql) {
        Ok(Statement::CreateView(create)) => {
            let columns: Vec<&str> = create.columns.iter().map(|column| column.folded.as_str()).collect();
            format!("{} [{}] {:?} {:?}", create.name, columns.join(" "), create.query, create.text)
        }
        Ok(Statement::DropView(drop)) => format!("drop {}", drop.name),
        Ok(other) => other.name().to_owned(),
        Err(error) => error.to_string(),
    };
    let statements = [
        "CREATE MATERIALIZED VIEW v AS SELECT 1",
        "  create materialized view V (a, \"B\")\n  AS -- é\n  WITH w AS (SELECT ';') SELECT * FROM w ;  ",
        "DROP MATERIALIZED VIEW v;",
        "CREATE VIEW v AS SELECT 1",
        "DROP VIEW v",
        "CREATE MATERIALIZED TABLE v AS SELECT 1",
        "CREATE MATERIALIZED VIEW _v AS SELECT 1",
        "CREATE MATERIALIZED VIEW v_errors AS SELECT 1",
        "CREATE MATERIALIZED VIEW v (a, A) AS SELECT 1",
        "CREATE MATERIALIZED VIEW v (a b) AS SELECT 1",
        "CREATE MATERIALIZED VIEW v",
        "CREATE MATERIALIZED VIEW v EMIT ON WINDOW CLOSE AS SELECT 1",
        "CREATE MATERIALIZED VIEW v (a) WITH (x = 1) AS SELECT 1",
        "CREATE MATERIALIZED VIEW v AS",
        "CREATE MATERIALIZED VIEW v AS ;",
        "CREATE MATERIALIZED VIEW v AS SELECT 1; SELECT 2",
        "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1",
        "ALTER MATERIALIZED VIEW v",
        "DROP MATERIALIZED VIEW v CASCADE",
    ];
    let said: Vec<String> = statements.iter().map(|sql| format!("> {sql}\n{}\n", shown(sql))).collect();
    expect![[r#"
        > CREATE MATERIALIZED VIEW v AS SELECT 1
        v [] "                              SELECT 1" "CREATE MATERIALIZED VIEW v AS SELECT 1"
        >   create materialized view V (a, "B")
          AS -- é
          WITH w AS (SELECT ';') SELECT * FROM w ;  
        v [a B] "                                     \n         \n  WITH w AS (SELECT ';') SELECT * FROM w" "create materialized view V (a, \"B\")\n  AS -- é\n  WITH w AS (SELECT ';') SELECT * FROM w"
        > DROP MATERIALIZED VIEW v;
        drop v
        > CREATE VIEW v AS SELECT 1
        line 1, column 8: the rows of a view are kept up to date here: write CREATE MATERIALIZED VIEW
        > DROP VIEW v
        line 1, column 6: the rows of a view are kept up to date here: write DROP MATERIALIZED VIEW
        > CREATE MATERIALIZED TABLE v AS SELECT 1
        line 1, column 21: found TABLE, expected VIEW
        > CREATE MATERIALIZED VIEW _v AS SELECT 1
        line 1, column 26: "_v" is reserved: names that begin with an underscore are the system's
        > CREATE MATERIALIZED VIEW v_errors AS SELECT 1
        line 1, column 26: "v_errors" is reserved: names that end in _errors show the errors of another topic or view
        > CREATE MATERIALIZED VIEW v (a, A) AS SELECT 1
        line 1, column 32: column a is defined twice
        > CREATE MATERIALIZED VIEW v (a b) AS SELECT 1
        line 1, column 31: found b, expected a comma or a closing parenthesis
        > CREATE MATERIALIZED VIEW v
        line 1, column 27: found the end, expected AS, or columns in parentheses
        > CREATE MATERIALIZED VIEW v EMIT ON WINDOW CLOSE AS SELECT 1
        line 1, column 28: found EMIT, expected AS, or columns in parentheses
        > CREATE MATERIALIZED VIEW v (a) WITH (x = 1) AS SELECT 1
        line 1, column 32: found WITH, expected AS
        > CREATE MATERIALIZED VIEW v AS
        line 1, column 30: found the end, expected a query
        > CREATE MATERIALIZED VIEW v AS ;
        line 1, column 31: found ;, expected a query
        > CREATE MATERIALIZED VIEW v AS SELECT 1; SELECT 2
        line 1, column 41: found SELECT after the end of the statement: run one statement at a time
        > CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1
        v [] "                                         SELECT 1" "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1"
        > ALTER MATERIALIZED VIEW v
        line 1, column 7: found MATERIALIZED; the statements are CREATE, ALTER and DROP TOPIC, CREATE, ALTER and DROP ENTITY, and CREATE and DROP MATERIALIZED VIEW
        > DROP MATERIALIZED VIEW v CASCADE
        line 1, column 26: found CASCADE, expected the end
    "#]].assert_eq(&said.concat());
}
