//! What is said of statements about entities that are none.

use expect_test::expect;

use super::check;

#[test]
fn clauses_that_are_none() {
    check("CREATE OR TOPIC t", expect!["line 1, column 11: found TOPIC, expected REPLACE"]);
    check(
        "CREATE OR REPLACE TOPIC t",
        expect!["line 1, column 19: found TOPIC, expected ENTITY or MATERIALIZED VIEW"],
    );
    check(
        "ALTER OR REPLACE ENTITY e",
        expect![
            "line 1, column 7: found OR; the statements are CREATE, ALTER and DROP TOPIC, CREATE, ALTER and DROP ENTITY, and CREATE and DROP MATERIALIZED VIEW"
        ],
    );
    check("CREATE ENTITY", expect!["line 1, column 14: found the end, expected the name of an entity"]);
    check(
        "CREATE ENTITY _e FROM t STATE (a INT) WHEN ANY THEN DELETE",
        expect![[
            r#"line 1, column 15: "_e" is reserved: names that begin with an underscore are the system's"#
        ]],
    );
    check(
        "CREATE ENTITY e_errors FROM t STATE (a INT) WHEN ANY THEN DELETE",
        expect![[
            r#"line 1, column 15: "e_errors" is reserved: names that end in _errors show the errors of another topic or view"#
        ]],
    );
    check(
        "CREATE ENTITY a.b FROM t STATE (a INT) WHEN ANY THEN DELETE",
        expect![
            "line 1, column 16: found ., expected a name of letters, digits and underscores, or any name in double quotes"
        ],
    );
    check(
        "CREATE ENTITY \"a b\" FROM t STATE (a INT) WHEN ANY THEN DELETE",
        expect![[
            r#"line 1, column 15: "a b" is not a topic name: use 1 to 249 letters, digits, dots, underscores or dashes"#
        ]],
    );
    check("CREATE ENTITY e STATE (a INT)", expect!["line 1, column 17: found STATE, expected FROM"]);
    check("CREATE ENTITY e FROM", expect!["line 1, column 21: found the end, expected the name of a topic"]);
    check(
        "CREATE ENTITY e FROM t",
        expect!["line 1, column 23: found the end, expected KEY, ORDER BY EVENT TIME, LOOKUP or STATE"],
    );
    check(
        "CREATE ENTITY e FROM t AS 1",
        expect!["line 1, column 27: found 1, expected another name for the topic"],
    );
    check(
        "CREATE ENTITY e FROM t WHEN ANY THEN DELETE",
        expect!["line 1, column 24: found WHEN, expected KEY, ORDER BY EVENT TIME, LOOKUP or STATE"],
    );
    check(
        "CREATE ENTITY e FROM t x y STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 26: found y, expected KEY, ORDER BY EVENT TIME, LOOKUP or STATE"],
    );
    check(
        "CREATE ENTITY e FROM t KEY a STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 28: found a, expected ("],
    );
    check(
        "CREATE ENTITY e FROM t KEY (a b) STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 31: found b, expected a comma or a closing parenthesis"],
    );
    check(
        "CREATE ENTITY e FROM t KEY () STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 29: found ), expected an expression"],
    );
    check(
        "CREATE ENTITY e FROM t KEY (a) ORDER BY TIME STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 41: found TIME, expected EVENT"],
    );
    check(
        "CREATE ENTITY e FROM t KEY (a) KEY (b) STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 32: found KEY, expected ORDER BY EVENT TIME, LOOKUP or STATE"],
    );
    check(
        "CREATE ENTITY e FROM t ORDER BY EVENT TIME KEY (a) STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 44: found KEY, expected LOOKUP or STATE"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r ON a = b AS OF c STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 33: found ON, expected AS"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS x AS OF c STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 38: found AS, expected ON"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS x ON a = b STATE (a INT)",
        expect!["line 1, column 47: found STATE, expected AS OF and a time"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS x ON a = b AS RECORDED STATE (a INT) WHEN ANY THEN DELETE",
        expect![
            "line 1, column 50: LOOKUP … AS RECORDED is not supported yet: write AS OF and the time to look at, such as AS OF timestamp"
        ],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS x ON a = b AS c STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 50: found c, expected OF"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS x ON a = b AS OF STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 62: found INT, expected )"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS x ON a AS OF c LOOKUP s AS x ON a AS OF c STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 63: name x is defined twice"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS t ON a AS OF c STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 36: name t is defined twice"],
    );
    check(
        "CREATE ENTITY e FROM t AS x LOOKUP r AS X ON a AS OF c STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 41: name x is defined twice"],
    );
    check(
        "CREATE ENTITY e FROM t AS state STATE (a INT) WHEN ANY THEN DELETE",
        expect![
            "line 1, column 27: state cannot be another name: state, event and param mean something in expressions"
        ],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS event ON a AS OF c STATE (a INT) WHEN ANY THEN DELETE",
        expect![
            "line 1, column 36: event cannot be another name: state, event and param mean something in expressions"
        ],
    );
    check(
        "CREATE ENTITY e FROM t param STATE (a INT) WHEN ANY THEN DELETE",
        expect![
            "line 1, column 24: param cannot be another name: state, event and param mean something in expressions"
        ],
    );
    check("CREATE ENTITY e FROM t STATE a INT", expect!["line 1, column 30: found a, expected ("]);
    check(
        "CREATE ENTITY e FROM t STATE ()",
        expect!["line 1, column 31: found ), expected the name of a column"],
    );
    check("CREATE ENTITY e FROM t STATE (a)", expect!["line 1, column 32: found ), expected a type"]);
    check(
        "CREATE ENTITY e FROM t STATE (a MONEY)",
        expect!["line 1, column 33: MONEY is not a type here: write DECIMAL(18,2)"],
    );
    check("CREATE ENTITY e FROM t STATE (a INT NOT)", expect!["line 1, column 40: found ), expected NULL"]);
    check(
        "CREATE ENTITY e FROM t STATE (a INT UNIT SECONDS)",
        expect![
            "line 1, column 37: found UNIT, expected NOT NULL, DEFAULT, a comma or a closing parenthesis"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT NOT NULL UNIT)",
        expect!["line 1, column 46: found UNIT, expected DEFAULT, a comma or a closing parenthesis"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT 0 NOT NULL)",
        expect![
            "line 1, column 47: found NOT, expected a comma or a closing parenthesis (NOT NULL stands before DEFAULT)"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT b)",
        expect![
            "line 1, column 45: found b, expected a number, a text in single quotes, TRUE, FALSE or NULL"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT -'x')",
        expect![
            "line 1, column 46: found 'x', expected a number, a text in single quotes, TRUE, FALSE or NULL"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT 1 + 1)",
        expect![
            "line 1, column 47: found +, expected a comma or a closing parenthesis (NOT NULL stands before DEFAULT)"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT 'x')",
        expect![[
            r#"line 1, column 37: the default does not fit: a "x" is a string, and the column is INT: write a number without quotes"#
        ]],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT 2147483648)",
        expect![[r#"line 1, column 37: the default does not fit: a "2147483648" is too large for INT"#]],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a DECIMAL(4,2) DEFAULT 0.005)",
        expect![[
            r#"line 1, column 46: the default does not fit: a "0.005" has 3 decimals, the column allows 2"#
        ]],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT NOT NULL DEFAULT NULL)",
        expect![
            "line 1, column 46: the default does not fit: a is missing or null, and the column is NOT NULL"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a TIMESTAMPTZ DEFAULT 5)",
        expect![
            "line 1, column 45: the default does not fit: write a time in single quotes, as '2023-12-13T12:00:00Z'"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT .5)",
        expect![
            "line 1, column 37: the default does not fit: write the number .5 as JSON has it: 0.5, not .5 or 5. or 05"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, A TEXT) WHEN ANY THEN DELETE",
        expect!["line 1, column 38: column a is defined twice"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (_a INT) WHEN ANY THEN DELETE",
        expect![[
            r#"line 1, column 31: "_a" is reserved: columns that begin with an underscore are the system's; use another name"#
        ]],
    );
}

#[test]
fn rules_that_are_none() {
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT)",
        expect![
            "line 1, column 45: found the end, expected WHEN: an entity needs a rule, such as WHEN ANY THEN SET …"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) ELSE DELETE",
        expect![
            "line 1, column 46: found ELSE, expected WHEN: an entity needs a rule, such as WHEN ANY THEN SET …"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN",
        expect![
            "line 1, column 50: found the end, expected ANY, the name of an event, or a condition in parentheses"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN 'x' THEN DELETE",
        expect![
            "line 1, column 51: found 'x', expected ANY, the name of an event, or a condition in parentheses"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN a b THEN DELETE",
        expect!["line 1, column 53: found b, expected a comma, AND (condition) or THEN"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN a, THEN DELETE",
        expect!["line 1, column 59: found DELETE, expected a comma, AND (condition) or THEN"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN a = 1 THEN DELETE",
        expect!["line 1, column 53: found =, expected a comma, AND (condition) or THEN"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY b THEN DELETE",
        expect!["line 1, column 55: found b, expected AND (condition) or THEN"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY, b THEN DELETE",
        expect!["line 1, column 54: found ,, expected AND (condition) or THEN"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x AND a = 1 THEN DELETE",
        expect!["line 1, column 57: found a, expected a condition in parentheses"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN (a) = 1 THEN DELETE",
        expect!["line 1, column 55: found =, expected THEN (all of a condition stands in parentheses)"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN (a b) THEN DELETE",
        expect!["line 1, column 54: found b, expected an operator or a closing parenthesis"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN (a",
        expect!["line 1, column 53: found the end, expected an operator or a closing parenthesis"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x, y, X THEN DELETE",
        expect!["line 1, column 57: this WHEN names the event x twice"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN",
        expect!["line 1, column 59: found the end, expected SET, DELETE, IGNORE or ERROR"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN UPDATE",
        expect!["line 1, column 60: found UPDATE, expected SET, DELETE, IGNORE or ERROR"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN ERROR",
        expect!["line 1, column 65: found the end, expected what is wrong, in single quotes"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET",
        expect!["line 1, column 63: found the end, expected the name of a column"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a + 1",
        expect!["line 1, column 66: found +, expected ="],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a =",
        expect!["line 1, column 67: found the end, expected an expression"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = 1,",
        expect!["line 1, column 70: found the end, expected the name of a column"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = 1 b = 2",
        expect!["line 1, column 70: found b, expected WHEN, ELSE or the end"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET c = 1",
        expect!["line 1, column 64: SET names c, which is not a column of STATE: there are a, b"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = 1, b = 'x', A = 2",
        expect![
            "line 1, column 80: SET names a twice: every column gets one value, computed from the row as it was"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x THEN IGNORE ELSE SET z = 1",
        expect!["line 1, column 74: SET names z, which is not a column of STATE: there are a, b"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN IGNORE WHEN x THEN DELETE",
        expect![
            "line 1, column 67: nothing after WHEN ANY is ever reached: put it before, or write WHEN ANY AND (condition)"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN IGNORE ELSE DELETE",
        expect![
            "line 1, column 67: nothing after WHEN ANY is ever reached: put it before, or write WHEN ANY AND (condition)"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x THEN IGNORE ELSE DELETE ELSE IGNORE",
        expect!["line 1, column 77: ELSE is the last rule, and there is one: put ELSE before it"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x THEN IGNORE ELSE DELETE WHEN y THEN IGNORE",
        expect!["line 1, column 77: ELSE is the last rule, and there is one: put WHEN before it"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x THEN DELETE COMMAND c () EMIT x",
        expect!["line 1, column 65: found COMMAND, expected WHEN, ELSE or the end"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x THEN DELETE ELSE IGNORE COMMAND c () EMIT x",
        expect!["line 1, column 77: found COMMAND, expected the end"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x THEN DELETE; DROP ENTITY e",
        expect!["line 1, column 66: found DROP after the end of the statement: run one statement at a time"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) 
WHEN ANY THEN SET a = 1 +
  * 2",
        expect!["line 3, column 3: found *, expected an expression"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = round(1, ",
        expect!["line 1, column 77: found the end, expected an expression"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = CASE x END",
        expect!["line 1, column 75: found END, expected WHEN"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = (SELECT 1)",
        expect![
            "line 1, column 68: a query cannot stand here: for rows of other relations write LOOKUP, and a name that is such a word in double quotes"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY AND (EXISTS (VALUES (1))) THEN DELETE",
        expect![
            "line 1, column 67: a query cannot stand here: for rows of other relations write LOOKUP, and a name that is such a word in double quotes"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = CAST(x AS ARRAY<INT>)",
        expect!["line 1, column 78: ARRAY is not a type here: write JSON"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = 'x",
        expect!["line 1, column 68: Unterminated string literal"],
    );
}

#[test]
fn changes_that_are_none() {
    check("ALTER ENTITY", expect!["line 1, column 13: found the end, expected the name of an entity"]);
    check("ALTER ENTITY e", expect!["line 1, column 15: found the end, expected SKIP"]);
    check("ALTER ENTITY e SKIP 1", expect!["line 1, column 21: found 1, expected EVENT"]);
    check(
        "ALTER ENTITY e SKIP EVENT x",
        expect!["line 1, column 27: found x, expected the position of an event, or its id in single quotes"],
    );
    check(
        "ALTER ENTITY e SKIP EVENT 0",
        expect![
            "line 1, column 27: no event has this position or id: positions begin at 1, and an id is not empty"
        ],
    );
    check(
        "ALTER ENTITY e SKIP EVENT ''",
        expect![
            "line 1, column 27: no event has this position or id: positions begin at 1, and an id is not empty"
        ],
    );
    check(
        "ALTER ENTITY e SKIP EVENT 9223372036854775808",
        expect![
            "line 1, column 27: no event has this position or id: positions begin at 1, and an id is not empty"
        ],
    );
    check(
        "ALTER ENTITY e SKIP EVENT -1",
        expect!["line 1, column 27: found -, expected the position of an event, or its id in single quotes"],
    );
    check("ALTER ENTITY e SKIP EVENT 1 2", expect!["line 1, column 29: found 2, expected the end"]);
    check("DROP ENTITY", expect!["line 1, column 12: found the end, expected the name of an entity"]);
    check("DROP ENTITY e CASCADE", expect!["line 1, column 15: found CASCADE, expected VERSION or the end"]);
    check(
        "DROP ENTITY e VERSION",
        expect!["line 1, column 22: found the end, expected the number of a version"],
    );
    check(
        "DROP ENTITY e VERSION 0",
        expect!["line 1, column 23: no entity has a version 0: they begin at 1"],
    );
    check(
        "DROP ENTITY e VERSION 4294967296",
        expect!["line 1, column 23: no entity has a version 4294967296: they begin at 1"],
    );
    check("DROP ENTITY e VERSION 1 2", expect!["line 1, column 25: found 2, expected the end"]);
}
