//! A DOUBLE where a DECIMAL is, too. DataFusion made both a DECIMAL(30,15): of 0.9294097332465232 the last digit was lost, 1e-20 was 0 and 1e20
//! an error, in CASE, COALESCE, IN, UNION, VALUES and joins, and so in what INSERT stored. Found by reading DataFusion's own tests into topics. Now a
//! constant beside a double is a double, and a decimal of a column is refused.

use expect_test::expect;

use crate::support::Bench;

#[test]
fn a_double_keeps_its_digits_beside_constants() {
    let bench = Bench::bank();
    bench.execute("CREATE TOPIC d (x DOUBLE)");
    expect![[r#"
        > INSERT INTO d VALUES (CAST('0.9294097332465232' AS DOUBLE)), (1.5), (-2), (CAST('1e-20' AS DOUBLE))
        inserted | position
        4 | 9
        > SELECT x FROM d
        x
        0.9294097332465232
        1.5
        -2.0
        1e-20
        > SELECT coalesce(x, 0.5), nullif(x, 1.5), greatest(x, 0.5), least(x, 0.5) FROM d
        coalesce(x, 0.5) | nullif(x, 1.5) | greatest(x, 0.5) | least(x, 0.5)
        0.9294097332465232 | 0.9294097332465232 | 0.9294097332465232 | 0.5
        1.5 | NULL | 1.5 | 0.5
        -2.0 | -2.0 | 0.5 | -2.0
        1e-20 | 1e-20 | 0.5 | 1e-20
        > SELECT CASE WHEN x > 1 THEN 2.5 ELSE x END, CASE x WHEN 1.5 THEN 'is' WHEN 0.929409733246523 THEN 'is not' END FROM d
        CASE WHEN x > 1 THEN 2.5 ELSE x END | CASE x WHEN 1.5 THEN 'is' WHEN 0.929409733246523 THEN 'is not' END
        0.9294097332465232 | NULL
        2.5 | is
        -2.0 | NULL
        1e-20 | NULL
        > SELECT x IN (0.929409733246523, 1.5), x BETWEEN 0.929409733246523 AND 0.929409733246523, x IN (0.9294097332465232) FROM d
        x IN (0.929409733246523, 1.5) | x BETWEEN 0.929409733246523 AND 0.929409733246523 | x IN (0.9294097332465232)
        false | false | true
        true | false | false
        false | false | false
        false | false | false
        > SELECT x FROM d UNION ALL SELECT 0.5 UNION ALL SELECT -1 ORDER BY 1
        x
        -2.0
        -1.0
        1e-20
        0.5
        0.9294097332465232
        1.5
        > SELECT * FROM (VALUES (CAST('1e30' AS DOUBLE), 1), (0.1, 2.5), (-3, 4)) AS v (x, y)
        x | y
        1e30 | 1.0
        0.1 | 2.5
        -3.0 | 4.0
        > SELECT 0.9294097332465232 IN (SELECT x FROM d) AS found
        error: IN (SELECT …) and EXISTS are conditions of WHERE: in this place, join what is selected
    "#]].assert_eq(&bench.script(&[
        "INSERT INTO d VALUES (CAST('0.9294097332465232' AS DOUBLE)), (1.5), (-2), (CAST('1e-20' AS DOUBLE))",
        "SELECT x FROM d",
        "SELECT coalesce(x, 0.5), nullif(x, 1.5), greatest(x, 0.5), least(x, 0.5) FROM d",
        "SELECT CASE WHEN x > 1 THEN 2.5 ELSE x END, CASE x WHEN 1.5 THEN 'is' WHEN 0.929409733246523 THEN 'is not' END FROM d",
        "SELECT x IN (0.929409733246523, 1.5), x BETWEEN 0.929409733246523 AND 0.929409733246523, x IN (0.9294097332465232) FROM d",
        "SELECT x FROM d UNION ALL SELECT 0.5 UNION ALL SELECT -1 ORDER BY 1",
        "SELECT * FROM (VALUES (CAST('1e30' AS DOUBLE), 1), (0.1, 2.5), (-3, 4)) AS v (x, y)",
        "SELECT 0.9294097332465232 IN (SELECT x FROM d) AS found",
    ]));
}

#[test]
fn a_decimal_of_a_column_is_refused_beside_a_double() {
    let bench = Bench::bank();
    bench.execute("CREATE TOPIC d (x DOUBLE)");
    expect![[r#"
        > SELECT coalesce(x, amount) FROM d, transactions
        error: a DOUBLE and a DECIMAL at transactions.amount: neither becomes the other by itself, CAST one of them to the type of the other
        > SELECT CASE WHEN true THEN amount ELSE x END FROM d, transactions
        error: a DOUBLE and a DECIMAL at transactions.amount: neither becomes the other by itself, CAST one of them to the type of the other
        > SELECT x FROM d WHERE x IN (SELECT amount FROM transactions)
        error: a DOUBLE and a DECIMAL at d.x: neither becomes the other by itself, CAST one of them to the type of the other
        > SELECT amount FROM transactions WHERE amount IN (SELECT x FROM d)
        error: a DOUBLE and a DECIMAL at transactions.amount: neither becomes the other by itself, CAST one of them to the type of the other
        > SELECT x FROM d UNION SELECT amount FROM transactions
        error: a DOUBLE and a DECIMAL at transactions.amount: neither becomes the other by itself, CAST one of them to the type of the other
        > SELECT 1 FROM d JOIN (SELECT amount AS x FROM transactions) AS t USING (x)
        error: a DOUBLE and a DECIMAL at d.x: neither becomes the other by itself, CAST one of them to the type of the other
        > SELECT coalesce(x, CAST(amount AS DOUBLE)) FROM d, transactions
        coalesce(x, CAST(amount AS DOUBLE))
    "#]].assert_eq(&bench.script(&[
        "SELECT coalesce(x, amount) FROM d, transactions",
        "SELECT CASE WHEN true THEN amount ELSE x END FROM d, transactions",
        "SELECT x FROM d WHERE x IN (SELECT amount FROM transactions)",
        "SELECT amount FROM transactions WHERE amount IN (SELECT x FROM d)",
        "SELECT x FROM d UNION SELECT amount FROM transactions",
        "SELECT 1 FROM d JOIN (SELECT amount AS x FROM transactions) AS t USING (x)",
        "SELECT coalesce(x, CAST(amount AS DOUBLE)) FROM d, transactions",
    ]));
}
