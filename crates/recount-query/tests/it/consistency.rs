//! Internal consistency, after the test of that name for streaming systems (github.com/jamii/streaming-consistency): money that moves between
//! accounts in appends of two events. The total over all accounts is 0 and no transfer lacks its other half, at every position that anybody can
//! see: asked or followed while others append, as of any position, after restarts, and while views are replaced.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use recount_env::memory::memory_env;
use recount_env::{Env, block_on};
use recount_query::arrow::array::Array;
use recount_query::arrow::util::display::{ArrayFormatter, FormatOptions};
use recount_query::{Outcome, QueryCompiler, SessionSettings, Settings, Sql};
use recount_store::{AppendRequest, EventWrite, OpenOptions, Store};
use recount_types::{NewEvent, TopicName};
use recount_views::Views;
use recount_views::view::{ViewChange, ViewTold};

const DECLARED: [&str; 8] = [
    "CREATE TOPIC moves (account BIGINT NOT NULL, transfer BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL) KEY (account)",
    "CREATE ENTITY account FROM moves STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0) WHEN ANY THEN SET balance = balance + amount",
    "CREATE MATERIALIZED VIEW credits AS SELECT account, sum(amount) AS amount FROM moves WHERE amount > 0 GROUP BY account",
    "CREATE MATERIALIZED VIEW debits AS SELECT account, sum(-amount) AS amount FROM moves WHERE amount < 0 GROUP BY account",
    "CREATE MATERIALIZED VIEW balances AS SELECT account, coalesce(c.amount, 0) - coalesce(d.amount, 0) AS balance FROM credits c FULL JOIN debits d USING (account)",
    "CREATE MATERIALIZED VIEW total AS SELECT sum(balance) AS total FROM balances",
    "CREATE MATERIALIZED VIEW of_entity AS SELECT sum(balance) AS total FROM account",
    "CREATE MATERIALIZED VIEW halves AS SELECT one.transfer FROM moves one LEFT JOIN moves other ON one.transfer = other.transfer AND one.account <> other.account WHERE other.transfer IS NULL",
];
/// The same, in other words.
const REPLACED: [&str; 2] = [
    "CREATE OR REPLACE MATERIALIZED VIEW total AS SELECT sum(amount) AS total FROM moves",
    "CREATE OR REPLACE MATERIALIZED VIEW total AS SELECT sum(balance) AS total FROM balances",
];
const TRANSFERS: u64 = 400;
const ACCOUNTS: u64 = 7;

/// A database, opened.
struct Open {
    store: Store,
    views: Views,
    sql: Sql,
}

impl Open {
    fn new(env: &Env) -> Open {
        let open = Store::open(env.clone(), Path::new("/db"), OpenOptions::default());
        let store = block_on(open).unwrap();
        let compiler = Arc::new(QueryCompiler::default());
        let views =
            Views::open_with(store.clone(), env.clone(), recount_views::Settings::default(), compiler);
        let sql = Sql::new(store.clone(), views.clone(), Settings::default()).unwrap();
        Open { store, views, sql }
    }

    fn close(self) {
        self.views.close();
        block_on(self.store.close()).unwrap();
    }

    /// The rows of a statement, a line each.
    fn run(&self, sql: &str) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut answer = match self.sql.run(sql, &SessionSettings::default()).await {
                Ok(Outcome::Rows(answer)) => answer,
                Ok(Outcome::Executed(_)) => return Vec::new(),
                Err(error) => panic!("{sql}: {error}"),
            };
            let mut rows = Vec::new();
            while let Some(batch) = answer.next().await.unwrap() {
                for row in 0..batch.num_rows() {
                    let value = |column: &Arc<dyn Array>| {
                        let options = FormatOptions::default().with_null("NULL");
                        ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string()
                    };
                    rows.push(batch.columns().iter().map(value).collect::<Vec<_>>().join(" "));
                }
            }
            rows
        })
    }

    /// One append of both halves of a transfer.
    fn transfer(&self, number: u64) {
        let (from, to) = (number % ACCOUNTS, (number * 3 + 1) % ACCOUNTS);
        let to = if from == to { (to + 1) % ACCOUNTS } else { to };
        let cents = 1 + number % 997;
        let half = |account: u64, sign: &str| EventWrite {
            topic: TopicName::parse("moves").unwrap(),
            key: None,
            event: NewEvent {
                payload: format!(
                    r#"{{"account": {account}, "transfer": {number}, "amount": {sign}{}.{:02}}}"#,
                    cents / 100,
                    cents % 100
                )
                .into(),
                ..NewEvent::default()
            },
        };
        let events = vec![half(from, "-"), half(to, "")];
        block_on(self.store.append(AppendRequest { events, ..AppendRequest::default() })).unwrap();
    }

    /// Nothing is ever half done, now or as of a position.
    fn check(&self, when: &str) {
        let of = |name: &str| format!("{name}{when}");
        let totals = format!(
            "SELECT t.total, e.total, (SELECT count(*) FROM {}), (SELECT sum(balance) FROM {} AS a) \
             FROM {} AS t CROSS JOIN {} AS e",
            of("halves"),
            of("account"),
            of("total"),
            of("of_entity")
        );
        let found = self.run(&totals);
        let good = ["0.00 0.00 0 0.00", "NULL NULL 0 NULL"];
        assert!(found.len() == 1 && good.contains(&found[0].as_str()), "{when}: {found:?}");
    }
}

/// Follows the balances, change by change: after each append the total of what was told is 0.
fn follow(views: &Views, stopped: &AtomicBool) -> usize {
    // As long as the rows of the beginning are told, they are not all there.
    let (mut appends, mut begins) = (0, true);
    let mut changes = views.view_changes("balances", None).unwrap();
    let mut balances: BTreeMap<String, i64> = BTreeMap::new();
    loop {
        let is_last = stopped.load(Ordering::Acquire);
        let (columns, changed): (_, Vec<(Option<u64>, i64)>) = match changes.tell().unwrap() {
            ViewTold::Rows(columns, count) => (columns, vec![(None, 1); count]),
            // It has caught up, and was told so before.
            ViewTold::Changes(_, changed) if changed.is_empty() && is_last => return appends,
            ViewTold::Changes(columns, changed) => {
                let of = |change: &ViewChange| (Some(change.position.0), change.weight);
                (columns, changed.iter().map(of).collect())
            }
            ViewTold::CaughtUp(_) => {
                begins = false;
                assert!(balances.values().all(|count| *count == 1), "{balances:?}");
                assert_eq!(total(&balances), 0, "{balances:?}");
                if is_last {
                    return appends;
                }
                continue;
            }
            ViewTold::Ended(why) => panic!("{why}"),
        };
        let shown = |row: usize| -> String {
            let options = FormatOptions::default();
            let value = |column| ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string();
            columns.iter().map(|column: &Arc<dyn Array>| value(column)).collect::<Vec<_>>().join(" ")
        };
        for (row, (position, weight)) in changed.iter().enumerate() {
            let count = balances.entry(shown(row)).or_default();
            *count += weight;
            balances.retain(|_, count| *count != 0);
            // Behind the last change of an append nothing is half done.
            let ends = changed.get(row + 1).is_some_and(|(next, _)| next != position);
            if ends && !begins {
                assert_eq!(total(&balances), 0, "{balances:?}");
                appends += 1;
            }
        }
    }
}

/// In cents.
fn total(balances: &BTreeMap<String, i64>) -> i64 {
    let cents = |row: &String| row.split_once(' ').unwrap().1.replace('.', "").parse::<i64>().unwrap();
    balances.iter().map(|(row, count)| cents(row) * count).sum()
}

#[test]
fn nothing_is_ever_half_done() {
    let env = memory_env();
    let open = Open::new(&env);
    for sql in DECLARED {
        open.run(sql);
    }
    let (stopped, checks) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let asking = || {
            while !stopped.load(Ordering::Acquire) {
                open.check("");
                checks.fetch_add(1, Ordering::AcqRel);
            }
        };
        let readers = [scope.spawn(asking), scope.spawn(asking)];
        let follower = scope.spawn(|| follow(&open.views, &stopped));
        for number in 0..TRANSFERS {
            open.transfer(number);
            if number % 100 == 50 {
                open.run(REPLACED[usize::from(number % 200 == 150)]);
            }
        }
        // Whoever asks sees it under way and at its end.
        while checks.load(Ordering::Acquire) < 20 && !readers.iter().any(|reader| reader.is_finished()) {
            std::thread::yield_now();
        }
        stopped.store(true, Ordering::Release);
        follower.join().unwrap();
    });
    let head = open.store.head().0;
    // Positions in the middle of an append, too: those are read as of the append before.
    for position in (1..=head).step_by(37) {
        open.check(&format!(" AS OF POSITION {position}"));
    }
    open.close();
    let mut open = Open::new(&env);
    for round in 0..5 {
        open.check("");
        for number in 0..10 {
            open.transfer(TRANSFERS + round * 10 + number);
        }
        open.check("");
        open.close();
        open = Open::new(&env);
    }
    open.check("");
    assert_eq!(open.run("SELECT count(*) FROM moves"), [(2 * (TRANSFERS + 50)).to_string()]);
    open.close();
}
