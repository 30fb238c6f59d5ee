//! Relations that others keep.

use std::sync::{Arc, Mutex};

use expect_test::expect;
use recount_query::{
    Described, DescribedColumn, Given, Periods, Pinned, QueryError, Relations, Rows, Settings, Wanted,
};
use recount_store::columns::form_of;
use recount_store::schema::ColumnType;
use recount_types::{Column, Position, Value};

use crate::support::{BANK, Bench};

/// An entity `account` with two rows, which notes what is wanted of it.
#[derive(Debug, Default)]
struct Accounts {
    wanted: Arc<Mutex<Vec<String>>>,
}

fn column(name: &str, column_type: ColumnType, hidden: bool) -> DescribedColumn {
    DescribedColumn { name: name.to_owned(), column_type, nullable: true, hidden }
}

impl Relations for Accounts {
    fn names(&self) -> Vec<String> {
        vec!["account".to_owned()]
    }

    fn describe(
        &self,
        name: &str,
        version: Option<u32>,
        periods: Periods,
    ) -> Result<Option<Described>, QueryError> {
        if name != "account" {
            return Ok(None);
        }
        if let Some(version) = version.filter(|&version| version > 2) {
            return Err(QueryError::Invalid(format!("account has no version {version}: the newest is 2")));
        }
        let mut columns = vec![
            column("_position", ColumnType::BigInt, true),
            column("accountid", ColumnType::BigInt, false),
            column("balance", ColumnType::Decimal { precision: 18, scale: 2 }, false),
        ];
        if periods.system {
            columns.push(column("_system_from", ColumnType::TimestampTz, true));
        }
        Ok(Some(Described { version: None, columns, key: vec!["accountid".to_owned()] }))
    }

    fn pin(
        &self,
        wanted: &[(String, Option<u32>)],
        at_least: Position,
    ) -> Result<(Position, Box<dyn Pinned>), QueryError> {
        self.wanted.lock().unwrap().push(format!("pin {wanted:?} at {at_least}"));
        Ok((at_least, Box::new(Taken(self.wanted.clone()))))
    }
}

struct Taken(Arc<Mutex<Vec<String>>>);

impl Pinned for Taken {
    fn how(&self, _: &Wanted) -> Result<String, QueryError> {
        Ok("as tests do".to_owned())
    }

    fn rows(&self, wanted: &Wanted) -> Result<Box<dyn Rows>, QueryError> {
        {
            self.0.lock().unwrap().push(format!("{wanted:?}"));
            if wanted.version == Some(2) {
                return Err(QueryError::Failed("account stopped at key 7: see SHOW ERRORS".to_owned()));
            }
            let types = [
                ColumnType::BigInt,
                ColumnType::BigInt,
                ColumnType::Decimal { precision: 18, scale: 2 },
                ColumnType::TimestampTz,
            ];
            let rows = [[4, 1, 8000, 0], [5, 2, 725, 1_000_000]];
            let columns = wanted.columns.iter().map(|&place| {
                let mut column = Column::new(form_of(types[place]));
                for row in rows {
                    column.push(&match types[place] {
                        ColumnType::Decimal { .. } => Value::Decimal(row[place].into()),
                        _ => Value::Integer(row[place]),
                    });
                }
                column
            });
            let columns: Vec<Column> = columns.collect();
            let counted = Given::Counted(rows.len());
            Ok(Box::new(Once(Some(if columns.is_empty() { counted } else { Given::Columns(columns) }))))
        }
    }
}

struct Once(Option<Given>);

impl Rows for Once {
    fn next(&mut self) -> Result<Option<Given>, QueryError> {
        Ok(self.0.take())
    }
}

#[test]
fn relations_stand_beside_topics_and_are_frozen_together() {
    let accounts = Arc::new(Accounts::default());
    let bench = Bench::with(accounts.clone(), Settings::default());
    bench.execute(BANK);
    bench.append("transactions", r#"{"accountId": 1, "amount": 100.00, "timestamp": 1702468800}"#);
    let answers = bench.script(&[
        "SELECT * FROM account",
        "SELECT count(*) FROM account",
        "SELECT balance, _position FROM account WHERE accountid = 1",
        "SELECT n.accountid, n.balance - o.balance AS change FROM account FOR VERSION 1 FOR SYSTEM_TIME ALL AS o JOIN account FOR SYSTEM_TIME ALL AS n ON n._position = o._position ORDER BY n._system_from",
        "SELECT * FROM account FOR VALID_TIME AS OF '2023-12-31T23:59:59Z' FOR SYSTEM_TIME AS OF '2024-01-01T00:00:00Z'",
        "SELECT * FROM account a JOIN transactions t USING (accountid)",
        "WITH a AS (SELECT * FROM account) SELECT count(*) FROM a, a AS b",
        "SELECT (SELECT sum(balance) FROM account) AS s",
        "EXPLAIN SELECT balance FROM account WHERE accountid = 1",
        "EXPLAIN SELECT balance FROM account FOR VERSION 1",
        "SELECT * FROM account FOR VERSION 3",
        "SELECT * FROM account FOR VERSION 2",
        "SELECT * FROM accounts",
        "INSERT INTO account VALUES (1, 2)",
    ]);
    let wanted = accounts.wanted.lock().unwrap().join("\n");
    expect![[r#"
        > SELECT * FROM account
        accountid | balance
        1 | 80.00
        2 | 7.25
        > SELECT count(*) FROM account
        count(*)
        2
        > SELECT balance, _position FROM account WHERE accountid = 1
        balance | _position
        80.00 | 4
        > SELECT n.accountid, n.balance - o.balance AS change FROM account FOR VERSION 1 FOR SYSTEM_TIME ALL AS o JOIN account FOR SYSTEM_TIME ALL AS n ON n._position = o._position ORDER BY n._system_from
        accountid | change
        1 | 0.00
        2 | 0.00
        > SELECT * FROM account FOR VALID_TIME AS OF '2023-12-31T23:59:59Z' FOR SYSTEM_TIME AS OF '2024-01-01T00:00:00Z'
        accountid | balance
        1 | 80.00
        2 | 7.25
        > SELECT * FROM account a JOIN transactions t USING (accountid)
        accountid | balance | amount | timestamp
        1 | 80.00 | 100.00 | 2023-12-13T12:00:00Z
        > WITH a AS (SELECT * FROM account) SELECT count(*) FROM a, a AS b
        count(*)
        4
        > SELECT (SELECT sum(balance) FROM account) AS s
        s
        87.25
        > EXPLAIN SELECT balance FROM account WHERE accountid = 1
        plan
        FilterExec: accountid@0 = 1, projection=[balance@1]
          Scan: account, one accountid, as of position 2, as tests do; 2 of 2 columns decoded: [accountid, balance]
        > EXPLAIN SELECT balance FROM account FOR VERSION 1
        plan
        Scan: account version 1, whole, as of position 2, as tests do; 1 of 2 columns decoded: [balance]
        > SELECT * FROM account FOR VERSION 3
        error: account has no version 3: the newest is 2
        > SELECT * FROM account FOR VERSION 2
        error: account stopped at key 7: see SHOW ERRORS
        > SELECT * FROM accounts
        error: there is no topic, entity or view accounts. Do you mean account?
        > INSERT INTO account VALUES (1, 2)
        error: account is not a topic: what it shows comes from events. Insert into the topic that it is made of

        pin [("account", None)] at 2
        Wanted { name: "account", version: None, moment: Moment { position: Position(2), valid_time: None, valid_each: None, system_span: None, valid_span: None }, types: Some([("_position", BigInt), ("accountid", BigInt), ("balance", Decimal { precision: 18, scale: 2 })]), columns: [1, 2], key: None, stopped: Fail }
        pin [("account", None)] at 2
        Wanted { name: "account", version: None, moment: Moment { position: Position(2), valid_time: None, valid_each: None, system_span: None, valid_span: None }, types: Some([("_position", BigInt), ("accountid", BigInt), ("balance", Decimal { precision: 18, scale: 2 })]), columns: [], key: None, stopped: Fail }
        pin [("account", None)] at 2
        Wanted { name: "account", version: None, moment: Moment { position: Position(2), valid_time: None, valid_each: None, system_span: None, valid_span: None }, types: Some([("_position", BigInt), ("accountid", BigInt), ("balance", Decimal { precision: 18, scale: 2 })]), columns: [1, 2, 0], key: Some([Integer(1)]), stopped: Fail }
        pin [] at 2
        Wanted { name: "account", version: Some(1), moment: Moment { position: Position(2), valid_time: None, valid_each: None, system_span: Some(Span { from: None, before: None }), valid_span: None }, types: None, columns: [2, 0], key: None, stopped: Fail }
        Wanted { name: "account", version: None, moment: Moment { position: Position(2), valid_time: None, valid_each: None, system_span: Some(Span { from: None, before: None }), valid_span: None }, types: Some([("_position", BigInt), ("accountid", BigInt), ("balance", Decimal { precision: 18, scale: 2 }), ("_system_from", TimestampTz)]), columns: [1, 2, 0, 3], key: None, stopped: Fail }
        pin [] at 2
        Wanted { name: "account", version: None, moment: Moment { position: Position(1), valid_time: Some(Time(1704067199000000)), valid_each: None, system_span: None, valid_span: None }, types: Some([("_position", BigInt), ("accountid", BigInt), ("balance", Decimal { precision: 18, scale: 2 })]), columns: [1, 2], key: None, stopped: Fail }
        pin [("account", None)] at 2
        Wanted { name: "account", version: None, moment: Moment { position: Position(2), valid_time: None, valid_each: None, system_span: None, valid_span: None }, types: Some([("_position", BigInt), ("accountid", BigInt), ("balance", Decimal { precision: 18, scale: 2 })]), columns: [1, 2], key: None, stopped: Fail }
        pin [("account", None)] at 2
        Wanted { name: "account", version: None, moment: Moment { position: Position(2), valid_time: None, valid_each: None, system_span: None, valid_span: None }, types: Some([("_position", BigInt), ("accountid", BigInt), ("balance", Decimal { precision: 18, scale: 2 })]), columns: [], key: None, stopped: Fail }
        Wanted { name: "account", version: None, moment: Moment { position: Position(2), valid_time: None, valid_each: None, system_span: None, valid_span: None }, types: Some([("_position", BigInt), ("accountid", BigInt), ("balance", Decimal { precision: 18, scale: 2 })]), columns: [], key: None, stopped: Fail }
        pin [("account", None)] at 2
        Wanted { name: "account", version: None, moment: Moment { position: Position(2), valid_time: None, valid_each: None, system_span: None, valid_span: None }, types: Some([("_position", BigInt), ("accountid", BigInt), ("balance", Decimal { precision: 18, scale: 2 })]), columns: [2], key: None, stopped: Fail }
        pin [("account", None)] at 2
        pin [("account", Some(1))] at 2
        pin [("account", Some(2))] at 2
        Wanted { name: "account", version: Some(2), moment: Moment { position: Position(2), valid_time: None, valid_each: None, system_span: None, valid_span: None }, types: None, columns: [1, 2], key: None, stopped: Fail }
    "#]].assert_eq(&format!("{answers}\n{wanted}\n"));
}
