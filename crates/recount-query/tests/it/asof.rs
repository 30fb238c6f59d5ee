//! ASOF JOIN: each row with the one that is nearest to it in time, asked and kept up to date.

use expect_test::expect;

use crate::views::Bank;

#[test]
fn trades_with_the_quote_of_their_time() {
    let bank = Bank::new();
    let said = bank.script(&[
        "CREATE TOPIC quotes (symbol TEXT NOT NULL, price DECIMAL(9,2), at TIMESTAMPTZ NOT NULL)",
        "CREATE TOPIC trades (symbol TEXT NOT NULL, n BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL)",
        "CREATE MATERIALIZED VIEW priced AS SELECT t.symbol, t.n, q.price FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at >= q.at) ON t.symbol = q.symbol",
        "INSERT INTO trades VALUES ('A', 1, '2024-01-01T00:00:10Z'), ('A', 2, '2024-01-01T00:00:20Z'), ('B', 3, '2024-01-01T00:00:20Z')",
        "SELECT * FROM priced ORDER BY n",
        "INSERT INTO quotes VALUES ('A', 1.00, '2024-01-01T00:00:20Z'), ('A', 0.50, '2024-01-01T00:00:05Z'), ('A', 1.10, '2024-01-01T00:00:20Z')",
        "SELECT * FROM priced ORDER BY n",
        "SELECT * FROM trades t ASOF JOIN quotes q MATCH_CONDITION (q.at < t.at) ON q.symbol = t.symbol ORDER BY n",
        "SELECT n, price FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at <= q.at) ON t.symbol = q.symbol ORDER BY n",
        "SELECT n, price FROM trades t ASOF JOIN (SELECT price, at AS since FROM quotes) q MATCH_CONDITION (at >= since) ORDER BY n",
        "SELECT * FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at >= q.at) USING (symbol)",
        "SELECT * FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at = q.at) ON t.symbol = q.symbol",
        "SELECT * FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at >= t.at) ON t.symbol = q.symbol",
        "SELECT * FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at >= q.at) ON t.symbol > q.symbol",
        "SELECT * FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at >= q.at) ON t.symbol = 'A'",
    ]);
    expect![[r#"
        > CREATE TOPIC quotes (symbol TEXT NOT NULL, price DECIMAL(9,2), at TIMESTAMPTZ NOT NULL)
        CREATE TOPIC quotes at 1
        > CREATE TOPIC trades (symbol TEXT NOT NULL, n BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL)
        CREATE TOPIC trades at 2
        > CREATE MATERIALIZED VIEW priced AS SELECT t.symbol, t.n, q.price FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at >= q.at) ON t.symbol = q.symbol
        CREATE MATERIALIZED VIEW priced at 3
        > INSERT INTO trades VALUES ('A', 1, '2024-01-01T00:00:10Z'), ('A', 2, '2024-01-01T00:00:20Z'), ('B', 3, '2024-01-01T00:00:20Z')
        inserted | position
        3 | 6
        > SELECT * FROM priced ORDER BY n
        symbol | n | price
        A | 1 | NULL
        A | 2 | NULL
        B | 3 | NULL
        > INSERT INTO quotes VALUES ('A', 1.00, '2024-01-01T00:00:20Z'), ('A', 0.50, '2024-01-01T00:00:05Z'), ('A', 1.10, '2024-01-01T00:00:20Z')
        inserted | position
        3 | 9
        > SELECT * FROM priced ORDER BY n
        symbol | n | price
        A | 1 | 0.50
        A | 2 | 1.10
        B | 3 | NULL
        > SELECT * FROM trades t ASOF JOIN quotes q MATCH_CONDITION (q.at < t.at) ON q.symbol = t.symbol ORDER BY n
        symbol | n | at | symbol | price | at
        A | 1 | 2024-01-01T00:00:10Z | A | 0.50 | 2024-01-01T00:00:05Z
        A | 2 | 2024-01-01T00:00:20Z | A | 0.50 | 2024-01-01T00:00:05Z
        B | 3 | 2024-01-01T00:00:20Z | NULL | NULL | NULL
        > SELECT n, price FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at <= q.at) ON t.symbol = q.symbol ORDER BY n
        n | price
        1 | 1.00
        2 | 1.00
        3 | NULL
        > SELECT n, price FROM trades t ASOF JOIN (SELECT price, at AS since FROM quotes) q MATCH_CONDITION (at >= since) ORDER BY n
        n | price
        1 | 0.50
        2 | 1.10
        3 | 1.10
        > SELECT * FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at >= q.at) USING (symbol)
        error: ASOF JOIN: it takes ON: write l ASOF JOIN r MATCH_CONDITION (l.time >= r.time) ON l.key = r.key
        > SELECT * FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at = q.at) ON t.symbol = q.symbol
        error: ASOF JOIN: t.at = q.at does not compare two times: write l ASOF JOIN r MATCH_CONDITION (l.time >= r.time) ON l.key = r.key
        > SELECT * FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at >= t.at) ON t.symbol = q.symbol
        error: ASOF JOIN: t.at >= t.at does not compare two times: write l ASOF JOIN r MATCH_CONDITION (l.time >= r.time) ON l.key = r.key
        > SELECT * FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at >= q.at) ON t.symbol > q.symbol
        error: ASOF JOIN: its ON takes equalities, and t.symbol > q.symbol is none: write l ASOF JOIN r MATCH_CONDITION (l.time >= r.time) ON l.key = r.key
        > SELECT * FROM trades t ASOF JOIN quotes q MATCH_CONDITION (t.at >= q.at) ON t.symbol = 'A'
        error: ASOF JOIN: t.symbol = 'A' does not compare its left side with its right: write l ASOF JOIN r MATCH_CONDITION (l.time >= r.time) ON l.key = r.key
    "#]].assert_eq(&said);
}

/// Rows that come in any order, against a look at all of them.
#[test]
fn the_nearest_row_of_all() {
    let bank = Bank::new();
    bank.declare(&[
        "CREATE TOPIC l (k BIGINT NOT NULL, id BIGINT NOT NULL, t BIGINT)",
        "CREATE TOPIC r (k BIGINT NOT NULL, id BIGINT NOT NULL, t BIGINT)",
    ]);
    let operators = [">=", ">", "<=", "<"];
    let query = |operator: &str| {
        format!(
            "SELECT l.id AS l, r.id AS r FROM l ASOF JOIN r MATCH_CONDITION (l.t {operator} r.t) ON l.k = r.k"
        )
    };
    for (number, operator) in operators.iter().enumerate() {
        bank.declare(&[&format!("CREATE MATERIALIZED VIEW v{number} AS {}", query(operator))]);
    }
    // Numbers below some limit that look random.
    let mut state = 7u64;
    let mut below = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    // Of each row the key and the time.
    let mut sides: [Vec<(u64, Option<u64>)>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..12 {
        for (name, side) in ["l", "r"].into_iter().zip(&mut sides) {
            let first = side.len();
            side.extend((0..1 + below(4)).map(|_| (below(3), Some(below(10)).filter(|time| *time < 9))));
            let row = |(id, (key, time)): (usize, &(u64, Option<u64>))| {
                format!("({key}, {id}, {})", time.map_or("NULL".to_owned(), |time| time.to_string()))
            };
            let rows: Vec<String> = side.iter().enumerate().skip(first).map(row).collect();
            bank.declare(&[&format!("INSERT INTO {name} VALUES {}", rows.join(", "))]);
        }
        let [left, right] = &sides;
        for (number, operator) in operators.iter().enumerate() {
            let mut expected = "l | r\n".to_owned();
            for (id, (key, time)) in left.iter().enumerate() {
                let holds = |other: u64| match (*operator, *time) {
                    (_, None) => false,
                    (">=", Some(time)) => time >= other,
                    (">", Some(time)) => time > other,
                    ("<=", Some(time)) => time <= other,
                    (_, Some(time)) => time < other,
                };
                let of_key = right.iter().enumerate().filter(|(_, (other, _))| other == key);
                let others =
                    of_key.filter_map(|(id, (_, time))| Some((time.filter(|time| holds(*time))?, id)));
                let nearest = if operator.starts_with('>') { others.max() } else { others.min() };
                let nearest = nearest.map_or("NULL".to_owned(), |(_, id)| id.to_string());
                expected.push_str(&format!("{id} | {nearest}\n"));
            }
            assert_eq!(
                bank.run(&format!("SELECT * FROM v{number} ORDER BY l")),
                expected,
                "{operator}, kept"
            );
            assert_eq!(bank.run(&format!("{} ORDER BY l.id", query(operator))), expected, "{operator}");
        }
    }
}
