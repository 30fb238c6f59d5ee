//! Views: declared, kept up to date, asked as of any moment, and all that is said of those that cannot be.

use expect_test::expect;
use recount_env::{Env, block_on};
use recount_query::{Outcome, SessionSettings, Settings, Sql, Stopped};
use recount_store::{AppendRequest, EventWrite};
use recount_types::{NewEvent, Position, TopicName};
use recount_views::Views;

use crate::support::{BANK, Bench, shown};

const ACCOUNT: &str = "CREATE ENTITY account FROM transactions
    STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0) WHEN ANY THEN SET balance = balance + amount";
const BALANCES: &str = "CREATE MATERIALIZED VIEW balances AS
    SELECT accountid, sum(amount) AS balance, count(*) AS n FROM transactions GROUP BY accountid";

/// A database that runs every statement.
pub(crate) struct Bank {
    bench: Bench,
    sql: Sql,
    views: Views,
}

impl Bank {
    pub(crate) fn new() -> Bank {
        Bank::of(Bench::with_entities())
    }

    pub(crate) fn of((bench, views): (Bench, Views)) -> Bank {
        let sql = Sql::new(bench.store.clone(), views.clone(), Settings::default()).unwrap();
        Bank { bench, sql, views }
    }

    /// Closed, and opened again; `between` sees its files.
    pub(crate) fn reopen(self, settings: recount_views::Settings, between: impl FnOnce(&Env)) -> Bank {
        let Bank { bench, sql, views } = self;
        drop(sql);
        Bank::of(bench.reopen(views, settings, between))
    }

    pub(crate) fn run(&self, statement: &str) -> String {
        self.run_in(statement, &SessionSettings::default())
    }

    fn run_in(&self, statement: &str, session: &SessionSettings) -> String {
        self.bench.block_on(async {
            match self.sql.run(statement, session).await {
                Ok(Outcome::Executed(executed)) => {
                    format!("{} {} at {}\n", executed.statement, executed.name, executed.position)
                }
                Ok(Outcome::Rows(answer)) => {
                    shown(answer).await.unwrap_or_else(|error| format!("error: {error}\n"))
                }
                Err(error) => format!("error: {error}\n"),
            }
        })
    }

    /// Statements with keys that stopped left out.
    pub(crate) fn with_stopped_left_out(&self, statements: &[&str]) -> String {
        let session = SessionSettings { stopped: Stopped::Skip, ..SessionSettings::default() };
        statements.iter().map(|sql| format!("> {sql}\n{}", self.run_in(sql, &session))).collect()
    }

    /// Asks until the answer is the expected one: what happens beside takes its time.
    pub(crate) fn until(&self, sql: &str, expected: &str) {
        while self.run(sql) != expected {
            std::thread::yield_now();
        }
    }

    /// Statements, each with what it says.
    pub(crate) fn script(&self, statements: &[&str]) -> String {
        statements.iter().map(|sql| format!("> {sql}\n{}", self.run(sql))).collect()
    }

    /// Each query has these rows, ad hoc and as a view.
    #[track_caller]
    pub(crate) fn check(&self, cases: &[(&str, &[&str])]) {
        for (number, (query, rows)) in cases.iter().enumerate() {
            let of = |answer: String| {
                let mut rows: Vec<String> = answer.lines().skip(1).map(str::to_owned).collect();
                rows.sort();
                rows
            };
            assert_eq!(of(self.run(query)), *rows, "{query}");
            let view = format!("CREATE MATERIALIZED VIEW v{number} AS {query}");
            self.declare(&[&view]);
            assert_eq!(of(self.run(&format!("SELECT * FROM v{number}"))), *rows, "as a view: {query}");
        }
    }

    /// The rows of a view as of a position, of which nobody wants to know any more.
    pub(crate) fn unwanted(&self, view: &str, position: u64) -> String {
        let made = self.views.view_at(view, Position(position), &|| false);
        made.map_or_else(|error| error.to_string(), |_| "made".to_owned())
    }

    /// Closes the database.
    pub(crate) fn close(self) {
        self.views.close();
        block_on(self.bench.store.close()).unwrap();
    }

    /// The newest position.
    pub(crate) fn head(&self) -> u64 {
        self.bench.store.head().0
    }

    /// From now on it is this time.
    pub(crate) fn now(&self, time: &str) {
        self.bench.now(time);
    }

    pub(crate) fn declare(&self, statements: &[&str]) {
        for sql in statements {
            let said = self.run(sql);
            assert!(!said.contains("error"), "{sql}: {said}");
        }
    }

    /// One append, of payloads of topics.
    fn append(&self, events: &[(&str, &str)]) {
        let event = |(topic, payload): &(&str, &str)| EventWrite {
            topic: TopicName::parse(topic).unwrap(),
            key: None,
            event: NewEvent { payload: (*payload).to_owned().into(), ..NewEvent::default() },
        };
        let events = events.iter().map(event).collect();
        block_on(self.bench.store.append(AppendRequest { events, ..AppendRequest::default() })).unwrap();
    }
}

#[test]
fn a_view_is_what_its_query_is() {
    let bank = Bank::new();
    let said = bank.script(&[
        BANK,
        "INSERT INTO transactions VALUES (1, 100, '2023-12-01T00:00:00Z'), (2, 7.25, '2023-12-02T00:00:00Z')",
        BALANCES,
        "SELECT * FROM balances ORDER BY accountid",
        "INSERT INTO transactions VALUES (1, -20, '2023-12-13T00:00:00Z')",
        "SELECT * FROM balances ORDER BY accountid",
        "SELECT count(*) FROM balances",
        "SELECT n, balance FROM balances WHERE balance > 10",
        ACCOUNT,
        "SELECT b.balance, a.balance, t.amount FROM balances b JOIN account a USING (accountid) JOIN transactions t USING (accountid) WHERE t.amount < 0",
        "SHOW VIEWS",
        "EXPLAIN SELECT balance FROM balances",
        "DROP TOPIC transactions",
        "DROP MATERIALIZED VIEW balances",
        "SELECT * FROM balances",
        "CREATE MATERIALIZED VIEW balances (id, total) AS SELECT accountid, sum(amount) FROM transactions GROUP BY 1 HAVING sum(amount) > 10",
        "SELECT * FROM balances",
    ]);
    expect![[r#"
        > CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL,
          timestamp TIMESTAMPTZ NOT NULL UNIT SECONDS) KEY (accountId) TIMESTAMP BY timestamp
        CREATE TOPIC transactions at 1
        > INSERT INTO transactions VALUES (1, 100, '2023-12-01T00:00:00Z'), (2, 7.25, '2023-12-02T00:00:00Z')
        inserted | position
        2 | 3
        > CREATE MATERIALIZED VIEW balances AS
            SELECT accountid, sum(amount) AS balance, count(*) AS n FROM transactions GROUP BY accountid
        CREATE MATERIALIZED VIEW balances at 4
        > SELECT * FROM balances ORDER BY accountid
        accountid | balance | n
        1 | 100.00 | 1
        2 | 7.25 | 1
        > INSERT INTO transactions VALUES (1, -20, '2023-12-13T00:00:00Z')
        inserted | position
        1 | 5
        > SELECT * FROM balances ORDER BY accountid
        accountid | balance | n
        1 | 80.00 | 2
        2 | 7.25 | 1
        > SELECT count(*) FROM balances
        count(*)
        2
        > SELECT n, balance FROM balances WHERE balance > 10
        n | balance
        2 | 80.00
        > CREATE ENTITY account FROM transactions
            STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0) WHEN ANY THEN SET balance = balance + amount
        CREATE ENTITY account at 6
        > SELECT b.balance, a.balance, t.amount FROM balances b JOIN account a USING (accountid) JOIN transactions t USING (accountid) WHERE t.amount < 0
        balance | balance | amount
        80.00 | 80.00 | -20.00
        > SHOW VIEWS
        name | columns | state | rows | position | behind | per_second | bytes | snapshot | errors | unfit_events | error
        balances | accountid BIGINT, balance DECIMAL(28,2), n BIGINT | live | 2 | 6 | 0 | NULL | 897 | NULL | 0 | 0 | 
        > EXPLAIN SELECT balance FROM balances
        plan
        Scan: balances, whole, as of position 6, kept up to date; 1 of 3 columns decoded: [balance]
        > DROP TOPIC transactions
        error: topic transactions cannot be dropped: version 1 of entity account reads it. Drop that first
        > DROP MATERIALIZED VIEW balances
        DROP MATERIALIZED VIEW balances at 7
        > SELECT * FROM balances
        error: there is no topic, entity or view balances
        > CREATE MATERIALIZED VIEW balances (id, total) AS SELECT accountid, sum(amount) FROM transactions GROUP BY 1 HAVING sum(amount) > 10
        CREATE MATERIALIZED VIEW balances at 8
        > SELECT * FROM balances
        id | total
        1 | 80.00
    "#]].assert_eq(&said);
}

#[test]
fn as_of_any_moment() {
    let bank = Bank::new();
    bank.declare(&[
        BANK,
        "INSERT INTO transactions VALUES (1, 100, '2023-12-01T00:00:00Z'), (2, 7.25, '2023-12-02T00:00:00Z')",
    ]);
    bank.now("2024-01-02T00:00:00Z");
    bank.declare(&["INSERT INTO transactions VALUES (1, -20, '2023-12-13T00:00:00Z')", BALANCES]);
    bank.now("2024-01-03T00:00:00Z");
    let said = bank.script(&[
        "SELECT * FROM balances AS OF POSITION 3 ORDER BY accountid",
        "SELECT * FROM balances FOR SYSTEM_TIME AS OF '2024-01-01T12:00:00Z' ORDER BY accountid",
        "SELECT * FROM balances FOR VALID_TIME AS OF '2023-12-01T12:00:00Z'",
        "SELECT * FROM balances FOR VALID_TIME AS OF END OF '2023-12-13' AS OF POSITION 3 WHERE accountid = 1",
        "SELECT now.balance - before.balance AS change FROM balances now JOIN balances AS OF POSITION 3 AS before USING (accountid)",
        "SELECT * FROM balances AS OF POSITION 1",
        "SELECT * FROM balances AS OF POSITION 99",
        "EXPLAIN SELECT balance FROM balances AS OF POSITION 3",
        "SELECT * FROM balances FOR VERSION 1",
    ]);
    expect![[r#"
        > SELECT * FROM balances AS OF POSITION 3 ORDER BY accountid
        accountid | balance | n
        1 | 100.00 | 1
        2 | 7.25 | 1
        > SELECT * FROM balances FOR SYSTEM_TIME AS OF '2024-01-01T12:00:00Z' ORDER BY accountid
        accountid | balance | n
        1 | 100.00 | 1
        2 | 7.25 | 1
        > SELECT * FROM balances FOR VALID_TIME AS OF '2023-12-01T12:00:00Z'
        accountid | balance | n
        1 | 100.00 | 1
        > SELECT * FROM balances FOR VALID_TIME AS OF END OF '2023-12-13' AS OF POSITION 3 WHERE accountid = 1
        accountid | balance | n
        1 | 100.00 | 1
        > SELECT now.balance - before.balance AS change FROM balances now JOIN balances AS OF POSITION 3 AS before USING (accountid)
        change
        -20.00
        0.00
        > SELECT * FROM balances AS OF POSITION 1
        accountid | balance | n
        > SELECT * FROM balances AS OF POSITION 99
        error: AS OF POSITION 99 has not come yet: the statement reads at position 5
        > EXPLAIN SELECT balance FROM balances AS OF POSITION 3
        plan
        Scan: balances, whole, as of position 3, made anew; 1 of 3 columns decoded: [balance]
        > SELECT * FROM balances FOR VERSION 1
        error: balances is a view: it has no versions of a definition. Leave FOR VERSION out
    "#]].assert_eq(&said);
}

#[test]
fn what_cannot_be_a_view() {
    let bank = Bank::new();
    bank.declare(&[BANK, ACCOUNT, BALANCES]);
    let queries = [
        "SELECT * FROM transaction",
        "SELECT * FROM account",
        "SELECT * FROM balances",
        "SELECT * FROM transactions_errors",
        "SELECT * FROM transactions FOR VALID_TIME AS OF END OF '2023-12-31'",
        "SELECT amount FROM transactions LIMIT 3",
        "SELECT amount, now() AS t FROM transactions",
        "SELECT amount * random() AS a FROM transactions",
        "SELECT accountid, (SELECT max(amount) FROM transactions WHERE timestamp < current_date) AS a FROM transactions",
        "SELECT amount, amount FROM transactions",
        "SELECT amount, _position FROM transactions",
        "SELECT _tags AS tags FROM transactions",
        "SELECT _key AS key FROM transactions",
        "SELECT median(amount) FROM transactions",
        "SELECT string_agg(accountid, ',') FROM transactions",
        "SELECT accountid, sum(amount) FROM transactions GROUP BY ROLLUP (accountid)",
        "SELECT ntile(4) OVER (ORDER BY amount) AS q FROM transactions",
        "SELECT * FROM generate_series(1, 3)",
        "SELECT amount FROM transactions WHERE amount > 'x'",
        "SELECT amount\n  FROM transactions WHERE balance > 0",
        "SELECT FROM",
        "INSERT INTO transactions VALUES (1, 1, '2024-01-01T00:00:00Z')",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
    ];
    let said: String = queries
        .iter()
        .map(|query| format!("> {query}\n{}", bank.run(&format!("CREATE MATERIALIZED VIEW v AS {query}"))))
        .collect();
    expect![[r#"
        > SELECT * FROM transaction
        error: there is no topic, entity or view transaction. Do you mean transactions?
        > SELECT * FROM account
        CREATE MATERIALIZED VIEW v at 4
        > SELECT * FROM balances
        error: view v exists already: drop it first
        > SELECT * FROM transactions_errors
        error: transactions_errors is what does not fit a topic, and a view reads topics, entities and views
        > SELECT * FROM transactions FOR VALID_TIME AS OF END OF '2023-12-31'
        error: line 1, column 58: a view has no time of its own: leave the clause out, and ask the view itself as of when
        > SELECT amount FROM transactions LIMIT 3
        error: LIMIT without ORDER BY cannot be kept up to date: say by ORDER BY which rows are the first
        > SELECT amount, now() AS t FROM transactions
        error: now() has another value each time, and the rows of a view depend on events alone: take a time of the events, such as _append_time
        > SELECT amount * random() AS a FROM transactions
        error: transactions.amount * random(): a DECIMAL never becomes a DOUBLE by itself, CAST one of them to the type of the other
        > SELECT accountid, (SELECT max(amount) FROM transactions WHERE timestamp < current_date) AS a FROM transactions
        error: current_date() has another value each time, and the rows of a view depend on events alone: take a time of the events, such as _append_time
        > SELECT amount, amount FROM transactions
        error: projections require unique expression names but the expression "transactions.amount" at position 0 and "transactions.amount" at position 1 have the same name. Consider aliasing ("AS") one of them.
        > SELECT amount, _position FROM transactions
        error: column _position: names that begin with an underscore are the system's: name the column with AS
        > SELECT _tags AS tags FROM transactions
        error: column tags is TEXT[], which no view keeps: cast it
        > SELECT _key AS key FROM transactions
        error: column key is BYTEA, which no view keeps: cast it
        > SELECT median(amount) FROM transactions
        error: the aggregate function median cannot be kept up to date: keep the rows that it is of in a view, and ask for it in queries of that view
        > SELECT string_agg(accountid, ',') FROM transactions
        error: string_agg without ORDER BY inside its parentheses cannot be kept up to date: write string_agg(x ORDER BY y)
        > SELECT accountid, sum(amount) FROM transactions GROUP BY ROLLUP (accountid)
        error: GROUPING SETS, ROLLUP and CUBE cannot be kept up to date: write a SELECT for each set, with UNION ALL between them
        > SELECT ntile(4) OVER (ORDER BY amount) AS q FROM transactions
        error: ntile OVER cannot be kept up to date: keep the rows that it is of in a view, and ask for it in queries of that view
        > SELECT * FROM generate_series(1, 3)
        error: a view reads topics, entities and views, and generate_series() is none
        > SELECT amount FROM transactions WHERE amount > 'x'
        error: Cast error: Cannot cast string 'x' to value of Decimal128(38, 10) type
        > SELECT amount
          FROM transactions WHERE balance > 0
        error: schema error: No field named balance.
        Valid fields are transactions.accountid, transactions.amount, transactions.timestamp, transactions._position, transactions._stream, transactions._revision, transactions._partition, transactions._offset, transactions._id, transactions._type, transactions._tags, transactions._event_time, transactions._append_time, transactions._key, transactions._value, transactions._headers.
        > SELECT FROM
        error: expected: identifier, found: EOF
        > INSERT INTO transactions VALUES (1, 1, '2024-01-01T00:00:00Z')
        error: a view is made by SELECT, WITH or VALUES
        > WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r
        error: WITH RECURSIVE cannot be kept up to date: keep the rows that it is of in a view, and ask for it in queries of that view
    "#]].assert_eq(&said);
    let said = bank.script(&[
        "CREATE MATERIALIZED VIEW v (a) AS SELECT accountid, amount FROM transactions",
        "CREATE MATERIALIZED VIEW account AS SELECT accountid FROM transactions",
        BALANCES,
        "CREATE VIEW v AS SELECT 1 AS one",
        "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1 AS one",
        "DROP MATERIALIZED VIEW v",
        "INSERT INTO balances VALUES (1, 2, 3)",
        "SELECT count(*) FROM balances",
        "SHOW VIEWS",
    ]);
    expect![[r#"
        > CREATE MATERIALIZED VIEW v (a) AS SELECT accountid, amount FROM transactions
        error: the query has 2 columns, and the view names 1: name each of them, or none
        > CREATE MATERIALIZED VIEW account AS SELECT accountid FROM transactions
        error: account is the name of an entity: topics, entities and views share their names, choose another one
        > CREATE MATERIALIZED VIEW balances AS
            SELECT accountid, sum(amount) AS balance, count(*) AS n FROM transactions GROUP BY accountid
        error: view balances exists already: drop it first
        > CREATE VIEW v AS SELECT 1 AS one
        error: line 1, column 8: the rows of a view are kept up to date here: write CREATE MATERIALIZED VIEW
        > CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1 AS one
        CREATE MATERIALIZED VIEW v at 5
        > DROP MATERIALIZED VIEW v
        DROP MATERIALIZED VIEW v at 6
        > INSERT INTO balances VALUES (1, 2, 3)
        error: balances is not a topic: what it shows comes from events. Insert into the topic that it is made of
        > SELECT count(*) FROM balances
        count(*)
        0
        > SHOW VIEWS
        name | columns | state | rows | position | behind | per_second | bytes | snapshot | errors | unfit_events | error
        balances | accountid BIGINT, balance DECIMAL(28,2), n BIGINT | live | 0 | 6 | 0 | NULL | 0 | NULL | 0 | 0 | 
    "#]].assert_eq(&said);
}

/// A view that reads others is their queries in its own: it is where they are, and they cannot go.
#[test]
fn views_of_views() {
    let bank = Bank::new();
    let said = bank.script(&[
        BANK,
        BALANCES,
        "CREATE MATERIALIZED VIEW rich AS SELECT * FROM balances WHERE balance > 50",
        "CREATE MATERIALIZED VIEW pairs (a, b) AS SELECT one.accountid, other.n FROM rich one JOIN rich other ON one.accountid = other.accountid JOIN transactions t ON t.accountid = one.accountid",
        "INSERT INTO transactions VALUES (1, 100, '2023-12-01T00:00:00Z'), (2, 7.25, '2023-12-02T00:00:00Z')",
        "INSERT INTO transactions VALUES (2, 60, '2023-12-03T00:00:00Z')",
        "SELECT * FROM rich ORDER BY accountid",
        "SELECT * FROM pairs ORDER BY a, b",
        "SELECT * FROM pairs AS OF POSITION 6",
        "SELECT * FROM rich FOR VALID_TIME AS OF '2023-12-02T12:00:00Z'",
        "ALTER TOPIC transactions ADD COLUMN note TEXT",
        "INSERT INTO transactions VALUES (1, 1, '2023-12-04T00:00:00Z', 'x')",
        "SELECT * FROM rich ORDER BY accountid",
        "DROP MATERIALIZED VIEW balances",
        "DROP MATERIALIZED VIEW pairs",
        "DROP MATERIALIZED VIEW rich",
        "DROP MATERIALIZED VIEW balances",
    ]);
    expect![[r#"
        > CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL,
          timestamp TIMESTAMPTZ NOT NULL UNIT SECONDS) KEY (accountId) TIMESTAMP BY timestamp
        CREATE TOPIC transactions at 1
        > CREATE MATERIALIZED VIEW balances AS
            SELECT accountid, sum(amount) AS balance, count(*) AS n FROM transactions GROUP BY accountid
        CREATE MATERIALIZED VIEW balances at 2
        > CREATE MATERIALIZED VIEW rich AS SELECT * FROM balances WHERE balance > 50
        CREATE MATERIALIZED VIEW rich at 3
        > CREATE MATERIALIZED VIEW pairs (a, b) AS SELECT one.accountid, other.n FROM rich one JOIN rich other ON one.accountid = other.accountid JOIN transactions t ON t.accountid = one.accountid
        CREATE MATERIALIZED VIEW pairs at 4
        > INSERT INTO transactions VALUES (1, 100, '2023-12-01T00:00:00Z'), (2, 7.25, '2023-12-02T00:00:00Z')
        inserted | position
        2 | 6
        > INSERT INTO transactions VALUES (2, 60, '2023-12-03T00:00:00Z')
        inserted | position
        1 | 7
        > SELECT * FROM rich ORDER BY accountid
        accountid | balance | n
        1 | 100.00 | 1
        2 | 67.25 | 2
        > SELECT * FROM pairs ORDER BY a, b
        a | b
        1 | 1
        2 | 2
        2 | 2
        > SELECT * FROM pairs AS OF POSITION 6
        a | b
        1 | 1
        > SELECT * FROM rich FOR VALID_TIME AS OF '2023-12-02T12:00:00Z'
        accountid | balance | n
        1 | 100.00 | 1
        > ALTER TOPIC transactions ADD COLUMN note TEXT
        ALTER TOPIC transactions at 8
        > INSERT INTO transactions VALUES (1, 1, '2023-12-04T00:00:00Z', 'x')
        inserted | position
        1 | 9
        > SELECT * FROM rich ORDER BY accountid
        accountid | balance | n
        1 | 101.00 | 2
        2 | 67.25 | 2
        > DROP MATERIALIZED VIEW balances
        error: view balances cannot be dropped: view rich reads it. Drop that first
        > DROP MATERIALIZED VIEW pairs
        DROP MATERIALIZED VIEW pairs at 10
        > DROP MATERIALIZED VIEW rich
        DROP MATERIALIZED VIEW rich at 11
        > DROP MATERIALIZED VIEW balances
        DROP MATERIALIZED VIEW balances at 12
    "#]].assert_eq(&said);
    for number in 0..40 {
        let below = if number == 0 { "transactions".to_owned() } else { format!("v{}", number - 1) };
        let said = bank.run(&format!("CREATE MATERIALIZED VIEW v{number} AS SELECT accountid FROM {below}"));
        if said.starts_with("error") {
            expect![[r#"
                31: error: more than 30 views read one another: let them read topics
            "#]]
            .assert_eq(&format!("{number}: {said}"));
            return;
        }
    }
    panic!("there is no limit");
}

/// A group that cannot be computed is left out, and comes back once what caused it is gone.
#[test]
fn rows_that_cannot_be_computed() {
    let bank = Bank::new();
    bank.declare(&[
        BANK,
        "CREATE MATERIALIZED VIEW shares AS SELECT accountid, 100 / sum(amount) AS share FROM transactions GROUP BY accountid",
        "CREATE MATERIALIZED VIEW inverse AS SELECT accountid, 1 / amount AS i FROM transactions",
        BALANCES,
        "INSERT INTO transactions VALUES (1, 5, '2023-12-01T00:00:00Z'), (2, 4, '2023-12-02T00:00:00Z')",
        "INSERT INTO transactions VALUES (1, -5, '2023-12-03T00:00:00Z'), (3, 0, '2023-12-03T00:00:00Z')",
    ]);
    let said = bank.script(&[
        "SELECT * FROM shares ORDER BY accountid",
        "SELECT * FROM inverse ORDER BY accountid, i",
        "SELECT * FROM balances ORDER BY accountid",
        "SHOW VIEWS",
        "INSERT INTO transactions VALUES (1, 10, '2023-12-04T00:00:00Z'), (3, 1, '2023-12-04T00:00:00Z')",
        "SELECT * FROM shares ORDER BY accountid",
    ]);
    expect![[r#"
        > SELECT * FROM shares ORDER BY accountid
        accountid | share
        2 | 25.000000000000
        notice: of view shares, 2 rows or groups could not be computed, and are left out: division by zero. All of them: shares_errors
        > SELECT * FROM inverse ORDER BY accountid, i
        accountid | i
        1 | -0.200000000000
        1 | 0.200000000000
        2 | 0.250000000000
        notice: of view inverse, 1 row or group could not be computed, and is left out: division by zero. All of them: inverse_errors
        > SELECT * FROM balances ORDER BY accountid
        accountid | balance | n
        1 | 0.00 | 2
        2 | 4.00 | 1
        3 | 0.00 | 1
        > SHOW VIEWS
        name | columns | state | rows | position | behind | per_second | bytes | snapshot | errors | unfit_events | error
        balances | accountid BIGINT, balance DECIMAL(28,2), n BIGINT | live | 3 | 8 | 0 | NULL | 967 | NULL | 0 | 0 | 
        inverse | accountid BIGINT, i DECIMAL(16,12) | live | 3 | 8 | 0 | NULL | 312 | NULL | 1 | 0 | 
        shares | accountid BIGINT, share DECIMAL(18,12) | live | 1 | 8 | 0 | NULL | 735 | NULL | 2 | 0 | 
        > INSERT INTO transactions VALUES (1, 10, '2023-12-04T00:00:00Z'), (3, 1, '2023-12-04T00:00:00Z')
        inserted | position
        2 | 10
        > SELECT * FROM shares ORDER BY accountid
        accountid | share
        1 | 10.000000000000
        2 | 25.000000000000
        3 | 100.000000000000
    "#]]
    .assert_eq(&said);
}

/// `*` was settled when the view was declared.
#[test]
fn a_topic_that_grows() {
    let bank = Bank::new();
    let said = bank.script(&[
        "CREATE TOPIC t (a INT NOT NULL, b TEXT)",
        "CREATE MATERIALIZED VIEW v AS SELECT * FROM t",
        "CREATE MATERIALIZED VIEW w AS SELECT a + 1 AS a FROM t",
        "INSERT INTO t VALUES (1, 'x')",
        "ALTER TOPIC t ADD COLUMN c INT",
        "INSERT INTO t VALUES (2, 'y', 3)",
        "SELECT * FROM v ORDER BY a",
        "ALTER TOPIC t ALTER COLUMN a TYPE BIGINT",
        "INSERT INTO t VALUES (5000000000, 'z', 3)",
        "SELECT * FROM v ORDER BY a",
        "SELECT * FROM w ORDER BY a",
        "SELECT * FROM v AS OF POSITION 4",
    ]);
    expect![[r#"
        > CREATE TOPIC t (a INT NOT NULL, b TEXT)
        CREATE TOPIC t at 1
        > CREATE MATERIALIZED VIEW v AS SELECT * FROM t
        CREATE MATERIALIZED VIEW v at 2
        > CREATE MATERIALIZED VIEW w AS SELECT a + 1 AS a FROM t
        CREATE MATERIALIZED VIEW w at 3
        > INSERT INTO t VALUES (1, 'x')
        inserted | position
        1 | 4
        > ALTER TOPIC t ADD COLUMN c INT
        ALTER TOPIC t at 5
        > INSERT INTO t VALUES (2, 'y', 3)
        inserted | position
        1 | 6
        > SELECT * FROM v ORDER BY a
        a | b
        1 | x
        2 | y
        > ALTER TOPIC t ALTER COLUMN a TYPE BIGINT
        ALTER TOPIC t at 7
        > INSERT INTO t VALUES (5000000000, 'z', 3)
        inserted | position
        1 | 8
        > SELECT * FROM v ORDER BY a
        a | b
        1 | x
        2 | y
        5000000000 | z
        > SELECT * FROM w ORDER BY a
        a
        2
        3
        5000000001
        > SELECT * FROM v AS OF POSITION 4
        a | b
        1 | x
    "#]]
    .assert_eq(&said);
}

/// So many events that several read them, a piece of the positions each: each of them counts once, those that do not fit too, and pieces without any
/// of the topic are passed over.
#[test]
fn a_long_topic_is_read_in_pieces() {
    let bank = Bank::new();
    bank.declare(&["CREATE TOPIC t (a BIGINT NOT NULL)", "CREATE TOPIC other (a BIGINT NOT NULL)"]);
    let insert = |topic: &str, first: u64| {
        format!("INSERT INTO {topic} SELECT value FROM generate_series({first}, {}) AS s", first + 9_999)
    };
    let mut inserted = 0;
    for (topic, times) in [("t", 8), ("other", 20), ("t", 9), ("other", 1)] {
        for _ in 0..times {
            bank.script(&[&insert(topic, inserted)]);
            inserted += 10_000;
        }
        bank.append(&[("t", r#"{"a": 1, "b": "no number"}"#)]);
    }
    bank.declare(&["ALTER TOPIC t ADD COLUMN b INT"]);
    let said = bank.script(&[
        "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, count(DISTINCT a) AS different, sum(a) AS sum, count(b) AS b FROM t",
        "SELECT * FROM v",
        "SELECT count(*) AS n, count(DISTINCT a) AS different, sum(a) AS sum FROM t WHERE _position > 80000",
        "INSERT INTO t VALUES (7, 8)",
        "SELECT * FROM v",
    ]);
    let status = bank.script(&["SHOW VIEWS"]);
    let unfit = status.lines().last().and_then(|line| line.split(" | ").nth(10).map(str::to_owned));
    assert_eq!(unfit.as_deref(), Some("4"), "{status}");
    expect![[r#"
        > CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, count(DISTINCT a) AS different, sum(a) AS sum, count(b) AS b FROM t
        CREATE MATERIALIZED VIEW v at 380008
        > SELECT * FROM v
        n | different | sum | b
        170000 | 170000 | 32449915000 | 0
        notice: of view v, events that do not fit their topic's columns are left out: see t_errors
        > SELECT count(*) AS n, count(DISTINCT a) AS different, sum(a) AS sum FROM t WHERE _position > 80000
        n | different | sum
        90006 | 90003 | 29250115001
        > INSERT INTO t VALUES (7, 8)
        inserted | position
        1 | 380009
        > SELECT * FROM v
        n | different | sum | b
        170001 | 170000 | 32449915007 | 1
        notice: of view v, events that do not fit their topic's columns are left out: see t_errors
    "#]].assert_eq(&said);
}

#[test]
fn events_that_do_not_fit_a_column_that_came_later() {
    let bank = Bank::new();
    bank.declare(&["CREATE TOPIC t (a INT NOT NULL)"]);
    bank.append(&[("t", r#"{"a": 1, "b": "no number"}"#), ("t", r#"{"a": 2, "b": 7}"#)]);
    let said = bank.script(&[
        "CREATE MATERIALIZED VIEW v AS SELECT * FROM t",
        "ALTER TOPIC t ADD COLUMN b INT",
        "CREATE MATERIALIZED VIEW w AS SELECT * FROM t",
        "SELECT * FROM v ORDER BY a",
        "SELECT * FROM w",
        "SELECT * FROM w AS OF POSITION 3",
        "SELECT b FROM w FOR SYSTEM_TIME ALL",
        "SHOW VIEWS",
    ]);
    expect![[r#"
        > CREATE MATERIALIZED VIEW v AS SELECT * FROM t
        CREATE MATERIALIZED VIEW v at 4
        > ALTER TOPIC t ADD COLUMN b INT
        ALTER TOPIC t at 5
        > CREATE MATERIALIZED VIEW w AS SELECT * FROM t
        CREATE MATERIALIZED VIEW w at 6
        > SELECT * FROM v ORDER BY a
        a
        1
        2
        > SELECT * FROM w
        a | b
        2 | 7
        notice: of view w, events that do not fit their topic's columns are left out: see t_errors
        > SELECT * FROM w AS OF POSITION 3
        a | b
        2 | 7
        notice: of view w, events that do not fit their topic's columns are left out: see t_errors
        > SELECT b FROM w FOR SYSTEM_TIME ALL
        b
        7
        notice: 1 event of t does not fit its columns and is left out: see t_errors
        > SHOW VIEWS
        name | columns | state | rows | position | behind | per_second | bytes | snapshot | errors | unfit_events | error
        v | a INT | live | 2 | 6 | 0 | NULL | 138 | NULL | 0 | 0 | 
        w | a INT, b INT | live | 1 | 6 | 0 | NULL | 138 | NULL | 0 | 1 | 
    "#]]
    .assert_eq(&said);
}

/// A name that means a column of the outer query means it for ever, whatever columns the inner one gets.
#[test]
fn a_column_that_comes_later_is_not_seen() {
    let bank = Bank::new();
    let said = bank.script(&[
        "CREATE TOPIC a (id INT NOT NULL, status TEXT)",
        "CREATE TOPIC b (id INT NOT NULL)",
        "CREATE MATERIALIZED VIEW v AS SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.id = a.id AND status = 'x')",
        "INSERT INTO a VALUES (1, 'x'), (2, 'y')",
        "ALTER TOPIC b ADD COLUMN status TEXT",
        "INSERT INTO b VALUES (1, 'y'), (2, 'x')",
        "SELECT * FROM v",
        "SELECT * FROM v AS OF POSITION 99",
        "SELECT * FROM v AS OF POSITION 8",
        "CREATE MATERIALIZED VIEW w AS SELECT FROM a",
        "CREATE MATERIALIZED VIEW copies AS SELECT 1 AS one FROM a",
        "SELECT * FROM copies",
    ]);
    expect![[r#"
        > CREATE TOPIC a (id INT NOT NULL, status TEXT)
        CREATE TOPIC a at 1
        > CREATE TOPIC b (id INT NOT NULL)
        CREATE TOPIC b at 2
        > CREATE MATERIALIZED VIEW v AS SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.id = a.id AND status = 'x')
        CREATE MATERIALIZED VIEW v at 3
        > INSERT INTO a VALUES (1, 'x'), (2, 'y')
        inserted | position
        2 | 5
        > ALTER TOPIC b ADD COLUMN status TEXT
        ALTER TOPIC b at 6
        > INSERT INTO b VALUES (1, 'y'), (2, 'x')
        inserted | position
        2 | 8
        > SELECT * FROM v
        id
        1
        > SELECT * FROM v AS OF POSITION 99
        error: AS OF POSITION 99 has not come yet: the statement reads at position 8
        > SELECT * FROM v AS OF POSITION 8
        id
        1
        > CREATE MATERIALIZED VIEW w AS SELECT FROM a
        error: a view has columns: write what is selected
        > CREATE MATERIALIZED VIEW copies AS SELECT 1 AS one FROM a
        CREATE MATERIALIZED VIEW copies at 9
        > SELECT * FROM copies
        one
        1
        1
    "#]].assert_eq(&said);
}

/// Both sides of a join come with one append, and never apart: at each position there is a pair for each order.
#[test]
fn an_append_of_several_topics_is_one_change() {
    let bank = Bank::new();
    bank.declare(&[
        "CREATE TOPIC debits (id INT NOT NULL, amount INT NOT NULL)",
        "CREATE TOPIC credits (id INT NOT NULL, amount INT NOT NULL)",
        "CREATE MATERIALIZED VIEW open AS SELECT d.id FROM debits d LEFT JOIN credits c ON c.id = d.id WHERE c.id IS NULL",
        "CREATE MATERIALIZED VIEW total AS SELECT coalesce(sum(amount), 0) AS total FROM (SELECT -amount AS amount FROM debits UNION ALL SELECT amount FROM credits)",
    ]);
    for id in 0..300 {
        let payload = format!(r#"{{"id": {id}, "amount": 5}}"#);
        bank.append(&[("debits", &payload), ("credits", &payload)]);
        assert_eq!(
            bank.run("SELECT total, (SELECT count(*) FROM open) FROM total").lines().nth(1),
            Some("0 | 0")
        );
    }
}

/// More events than a part of the first epoch has, more positions than any other epoch has, and one append of more than that.
#[test]
fn many_events_at_once() {
    let bank = Bank::new();
    let insert = |from: u64, count: u64| {
        format!(
            "INSERT INTO t SELECT value % 7 AS k, value AS n FROM generate_series({from}, {})",
            from + count - 1
        )
    };
    bank.declare(&["CREATE TOPIC t (k BIGINT NOT NULL, n BIGINT NOT NULL)"]);
    bank.declare(&[
        &insert(0, 9000),
        &insert(9000, 9500),
        "CREATE MATERIALIZED VIEW v AS SELECT k, sum(n) AS s FROM t GROUP BY k",
    ]);
    let same = || {
        let kept = bank.run("SELECT * FROM v ORDER BY k");
        assert_eq!(kept, bank.run("SELECT k, sum(n) AS s FROM t GROUP BY k ORDER BY k"));
        kept
    };
    let before = same();
    bank.declare(&[&insert(18_500, 9000), &insert(27_500, 1), &insert(27_501, 5000), &insert(32_501, 10)]);
    assert_ne!(same(), before);
}

#[test]
fn a_view_is_there_again_after_a_restart() {
    let statements = [
        BANK,
        BALANCES,
        "CREATE MATERIALIZED VIEW gone AS SELECT amount FROM transactions",
        "INSERT INTO transactions VALUES (1, 100, '2023-12-01T00:00:00Z')",
        "DROP MATERIALIZED VIEW gone",
        "INSERT INTO transactions VALUES (1, 5, '2023-12-01T00:00:00Z')",
    ];
    let bank = Bank::of(Bench::reopened(&statements, 1 << 20));
    let said = bank.script(&[
        "SELECT * FROM balances",
        "SELECT * FROM gone",
        "CREATE MATERIALIZED VIEW gone AS SELECT count(*) AS n FROM transactions",
        "SELECT b.n, g.n FROM balances AS b, gone AS g",
        "SHOW VIEWS",
    ]);
    expect![[r#"
        > SELECT * FROM balances
        accountid | balance | n
        1 | 105.00 | 2
        > SELECT * FROM gone
        error: there is no topic, entity or view gone
        > CREATE MATERIALIZED VIEW gone AS SELECT count(*) AS n FROM transactions
        CREATE MATERIALIZED VIEW gone at 7
        > SELECT b.n, g.n FROM balances AS b, gone AS g
        n | n
        2 | 2
        > SHOW VIEWS
        name | columns | state | rows | position | behind | per_second | bytes | snapshot | errors | unfit_events | error
        balances | accountid BIGINT, balance DECIMAL(28,2), n BIGINT | live | 1 | 7 | 0 | NULL | 862 | NULL | 0 | 0 | 
        gone | n BIGINT | live | 1 | 7 | 0 | NULL | 612 | NULL | 0 | 0 | 
    "#]]
    .assert_eq(&said);
}

/// The rows of a key are found among all without reading these, whatever the key is made of; EXPLAIN says so.
#[test]
fn rows_of_a_key() {
    let bank = Bank::new();
    bank.declare(&[
        "CREATE TOPIC t (a BIGINT, b TEXT, c DECIMAL(9,2), d TIMESTAMPTZ, e DATE, f BOOLEAN, g DOUBLE, n BIGINT NOT NULL)",
        "CREATE MATERIALIZED VIEW by_a AS SELECT sum(n) AS total, a FROM t GROUP BY a",
        "CREATE MATERIALIZED VIEW by_two AS SELECT count(*) AS count, b, max(n) AS most, a FROM t GROUP BY a, b",
        "CREATE MATERIALIZED VIEW by_all AS SELECT c, d, e, f, g, sum(n) AS total FROM t GROUP BY c, d, e, f, g",
        "CREATE MATERIALIZED VIEW of_view AS SELECT a, total + 1 AS more FROM by_a WHERE total > 0",
        "CREATE MATERIALIZED VIEW by_none AS SELECT a, n FROM t",
    ]);
    for from in [0, 500] {
        bank.declare(&[&format!(
            "INSERT INTO t SELECT v % 300, 'key ' || (v % 7), round(v / 3, 2), \
             CAST('2024-01-' || lpad(CAST(v % 28 + 1 AS TEXT), 2, '0') || 'T00:00:00Z' AS TIMESTAMPTZ), \
             CAST('2024-01-' || lpad(CAST(v % 28 + 1 AS TEXT), 2, '0') AS DATE), \
             v % 2 = 0, CAST(v AS DOUBLE) / 4, v AS n FROM generate_series({from}, {}) AS s (v)",
            from + 499
        )]);
    }
    bank.declare(&["INSERT INTO t (b, n) VALUES ('key 1', 7)"]);
    // The second of each pair is no equality with a key, so all rows are gone through.
    let mut said = String::new();
    for (view, key, all) in [
        ("by_a", "a = 17", "a + 0 = 17"),
        ("by_a", "a = 300", "a + 0 = 300"),
        ("by_a", "a IS NULL", "a + 0 IS NULL"),
        ("by_two", "a = 17 AND b = 'key 3'", "a + 0 = 17 AND b = 'key 3'"),
        ("by_two", "b = 'key 1' AND a IS NULL", "b || '' = 'key 1' AND a IS NULL"),
        (
            "by_all",
            "c = 5.33 AND d = '2024-01-17T00:00:00Z' AND e = DATE '2024-01-17' AND f AND g = 4",
            "c + 0 = 5.33",
        ),
        ("of_view", "a = 17", "a + 0 = 17"),
        ("by_none", "a = 17", "a + 0 = 17"),
    ] {
        let found = bank.run(&format!("SELECT * FROM {view} WHERE {key} ORDER BY 1, 2"));
        assert_eq!(found, bank.run(&format!("SELECT * FROM {view} WHERE {all} ORDER BY 1, 2")), "{key}");
        let plan = bank.run(&format!("EXPLAIN SELECT * FROM {view} WHERE {key}"));
        let how = plan.lines().find(|line| line.contains("kept up to date")).unwrap_or(&plan);
        said += &format!("{view}: {key}\n{found}{how}\n");
    }
    expect![[r#"
        by_a: a = 17
        total | a
        1868 | 17
          Scan: by_a, one a, as of position 1007, kept up to date; 2 of 2 columns decoded: [total, a]
        by_a: a = 300
        total | a
          Scan: by_a, one a, as of position 1007, kept up to date; 2 of 2 columns decoded: [total, a]
        by_a: a IS NULL
        total | a
        7 | NULL
          Scan: by_a, whole, as of position 1007, kept up to date; 2 of 2 columns decoded: [total, a]
        by_two: a = 17 AND b = 'key 3'
        count | b | most | a
        1 | key 3 | 17 | 17
          Scan: by_two, one a and b, as of position 1007, kept up to date; 4 of 4 columns decoded: [count, b, most, a]
        by_two: b = 'key 1' AND a IS NULL
        count | b | most | a
        1 | key 1 | 7 | NULL
          Scan: by_two, whole, as of position 1007, kept up to date; 4 of 4 columns decoded: [count, b, most, a]
        by_all: c = 5.33 AND d = '2024-01-17T00:00:00Z' AND e = DATE '2024-01-17' AND f AND g = 4
        c | d | e | f | g | total
          Scan: by_all, whole, as of position 1007, kept up to date; 6 of 6 columns decoded: [c, d, e, f, g, total]
        of_view: a = 17
        a | more
        17 | 1869
          Scan: of_view, one a, as of position 1007, kept up to date; 2 of 2 columns decoded: [a, more]
        by_none: a = 17
        a | n
        17 | 17
        17 | 317
        17 | 617
        17 | 917
          Scan: by_none, whole, as of position 1007, kept up to date; 2 of 2 columns decoded: [a, n]
    "#]].assert_eq(&said);
}

/// A view that would take too much memory says so, and neither others nor appends suffer.
#[test]
fn a_view_that_is_too_large() {
    let settings = recount_views::Settings { entity_bytes: 2 << 20, ..recount_views::Settings::default() };
    let bank = Bank::of(Bench::with_settings(settings));
    bank.declare(&[
        "CREATE TOPIC t (n BIGINT NOT NULL)",
        "CREATE MATERIALIZED VIEW small AS SELECT count(*) AS n FROM t",
        "CREATE MATERIALIZED VIEW large AS SELECT n, n + 1 AS m FROM t",
    ]);
    for from in (0..90_000).step_by(9000) {
        bank.declare(&[&format!(
            "INSERT INTO t SELECT value AS n FROM generate_series({from}, {})",
            from + 8999
        )]);
    }
    assert_eq!(bank.run("SELECT * FROM small"), "n\n90000\n");
    // Where it stops depends on how appends were cut into epochs.
    for asked in ["SELECT count(*) FROM large", "SHOW VIEWS"] {
        let said = bank.run(asked);
        assert!(said.contains("and all may have 2: allow more with --entity-memory"), "{said}");
    }
    bank.declare(&["DROP MATERIALIZED VIEW large", "INSERT INTO t VALUES (0)"]);
    assert_eq!(bank.run("SELECT * FROM small"), "n\n90001\n");
}

/// Another query takes the place of a view's in one step, and what reads the view follows.
#[test]
fn a_view_is_replaced() {
    let bank = Bank::new();
    bank.declare(&[
        BANK,
        "INSERT INTO transactions VALUES (1, 100, '2023-12-01T00:00:00Z'), (2, 7.25, '2023-12-02T00:00:00Z')",
        "CREATE MATERIALIZED VIEW large AS SELECT accountid, amount FROM transactions WHERE amount > 50",
        "CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM large",
    ]);
    let said = bank.script(&[
        "SELECT * FROM large, n ORDER BY accountid",
        "CREATE OR REPLACE MATERIALIZED VIEW large AS SELECT accountid, amount FROM transactions WHERE amount > 5",
        "SELECT * FROM large, n ORDER BY accountid",
        "SELECT * FROM n AS OF POSITION 2",
        "INSERT INTO transactions VALUES (3, 6, '2023-12-03T00:00:00Z'), (3, 5, '2023-12-03T00:00:00Z')",
        "SELECT * FROM large, n ORDER BY accountid",
        "CREATE OR REPLACE MATERIALIZED VIEW large AS SELECT accountid, amount, amount AS again FROM transactions",
        "CREATE OR REPLACE MATERIALIZED VIEW large AS SELECT n AS accountid, 1.00 AS amount FROM n",
        "CREATE OR REPLACE MATERIALIZED VIEW large AS SELECT nothing FROM transactions",
        "CREATE OR REPLACE MATERIALIZED VIEW transactions AS SELECT 1 AS one",
        "CREATE OR REPLACE VIEW large AS SELECT 1 AS one",
        "SELECT * FROM large, n ORDER BY accountid",
        "DROP MATERIALIZED VIEW n",
        "CREATE OR REPLACE MATERIALIZED VIEW large AS SELECT count(*) AS n FROM transactions",
        "SELECT * FROM large",
        "CREATE OR REPLACE MATERIALIZED VIEW other AS SELECT 1 AS one",
        "SELECT * FROM other, large",
        "SHOW VIEWS",
    ]);
    expect![[r#"
        > SELECT * FROM large, n ORDER BY accountid
        accountid | amount | n
        1 | 100.00 | 1
        > CREATE OR REPLACE MATERIALIZED VIEW large AS SELECT accountid, amount FROM transactions WHERE amount > 5
        CREATE MATERIALIZED VIEW large at 6
        > SELECT * FROM large, n ORDER BY accountid
        accountid | amount | n
        1 | 100.00 | 2
        2 | 7.25 | 2
        > SELECT * FROM n AS OF POSITION 2
        n
        0
        > INSERT INTO transactions VALUES (3, 6, '2023-12-03T00:00:00Z'), (3, 5, '2023-12-03T00:00:00Z')
        inserted | position
        2 | 8
        > SELECT * FROM large, n ORDER BY accountid
        accountid | amount | n
        1 | 100.00 | 3
        2 | 7.25 | 3
        3 | 6.00 | 3
        > CREATE OR REPLACE MATERIALIZED VIEW large AS SELECT accountid, amount, amount AS again FROM transactions
        error: view n reads view large, whose columns have to stay: name them as before and cast them, or drop n first
        > CREATE OR REPLACE MATERIALIZED VIEW large AS SELECT n AS accountid, 1.00 AS amount FROM n
        error: view n reads view large, whose columns have to stay: name them as before and cast them, or drop n first
        > CREATE OR REPLACE MATERIALIZED VIEW large AS SELECT nothing FROM transactions
        error: schema error: No field named nothing.
        Valid fields are transactions.accountid, transactions.amount, transactions.timestamp, transactions._position, transactions._stream, transactions._revision, transactions._partition, transactions._offset, transactions._id, transactions._type, transactions._tags, transactions._event_time, transactions._append_time, transactions._key, transactions._value, transactions._headers.
        > CREATE OR REPLACE MATERIALIZED VIEW transactions AS SELECT 1 AS one
        error: transactions is the name of a topic: topics, entities and views share their names, choose another one
        > CREATE OR REPLACE VIEW large AS SELECT 1 AS one
        error: line 1, column 19: found VIEW, expected ENTITY or MATERIALIZED VIEW
        > SELECT * FROM large, n ORDER BY accountid
        accountid | amount | n
        1 | 100.00 | 3
        2 | 7.25 | 3
        3 | 6.00 | 3
        > DROP MATERIALIZED VIEW n
        DROP MATERIALIZED VIEW n at 9
        > CREATE OR REPLACE MATERIALIZED VIEW large AS SELECT count(*) AS n FROM transactions
        CREATE MATERIALIZED VIEW large at 10
        > SELECT * FROM large
        n
        4
        > CREATE OR REPLACE MATERIALIZED VIEW other AS SELECT 1 AS one
        CREATE MATERIALIZED VIEW other at 11
        > SELECT * FROM other, large
        one | n
        1 | 4
        > SHOW VIEWS
        name | columns | state | rows | position | behind | per_second | bytes | snapshot | errors | unfit_events | error
        large | n BIGINT | live | 1 | 11 | 0 | NULL | 612 | NULL | 0 | 0 | 
        other | one BIGINT | live | 1 | 11 | 0 | NULL | 137 | NULL | 0 | 0 | 
    "#]].assert_eq(&said);
    let statements = [
        BANK,
        "CREATE MATERIALIZED VIEW v AS SELECT accountid FROM transactions",
        "CREATE MATERIALIZED VIEW w AS SELECT accountid FROM transactions",
        "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT accountid + 1 AS accountid FROM w",
        "INSERT INTO transactions VALUES (1, 100, '2023-12-01T00:00:00Z')",
    ];
    let bank = Bank::of(Bench::reopened(&statements, 1 << 20));
    expect![[r#"
        > SELECT * FROM v
        accountid
        2
        > DROP MATERIALIZED VIEW w
        error: view w cannot be dropped: view v reads it. Drop that first
    "#]]
    .assert_eq(&bank.script(&["SELECT * FROM v", "DROP MATERIALIZED VIEW w"]));
}
