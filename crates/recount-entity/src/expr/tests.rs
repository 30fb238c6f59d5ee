//! Expressions.

use super::*;

fn literal(value: Value<'static>) -> Box<Expr> {
    Box::new(Expr::Literal(value))
}

fn eval(expr: &Expr) -> Result<Datum<'_>, EvalError> {
    expr.eval(&Scope { state: &[], event: &[], row: 0, lookups: &[] })
}

fn decimal(value: i128) -> Datum<'static> {
    Datum::Decimal(Number::Small(value))
}

#[test]
fn logic_has_three_values_and_looks_right_only_if_it_must() {
    let all = [Some(true), Some(false), None];
    let value = |value: Option<bool>| literal(value.map_or(Value::Null, Value::Boolean));
    let shown = |value: Option<bool>| value.map_or(Datum::Null, Datum::Boolean);
    for left in all {
        for right in all {
            let and = match (left, right) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
            let or = match (left, right) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
            assert_eq!(eval(&Expr::And(value(left), value(right))), Ok(shown(and)), "{left:?} AND {right:?}");
            assert_eq!(eval(&Expr::Or(value(left), value(right))), Ok(shown(or)), "{left:?} OR {right:?}");
        }
        assert_eq!(eval(&Expr::Not(value(left))), Ok(shown(left.map(|value| !value))));
        assert_eq!(eval(&Expr::IsNull(value(left))), Ok(Datum::Boolean(left.is_none())));
    }
    let one = || literal(Value::Integer(1));
    let fails = || {
        let quotient = Expr::Arithmetic(Operator::Divide, Class::Integer, one(), literal(Value::Integer(0)));
        Box::new(Expr::Compare(Comparison::Equal, Class::Integer, Box::new(quotient), one()))
    };
    assert_eq!(eval(&Expr::And(value(Some(false)), fails())), Ok(Datum::Boolean(false)));
    assert_eq!(eval(&Expr::Or(value(Some(true)), fails())), Ok(Datum::Boolean(true)));
    for left in [Some(true), None] {
        assert_eq!(eval(&Expr::And(value(left), fails())), Err(EvalError::DivisionByZero));
    }
    let case =
        Expr::Case(vec![(*value(None), *fails()), (*value(Some(true)), *one()), (*fails(), *one())], fails());
    assert_eq!(eval(&case), Ok(Datum::Integer(1)));
    let otherwise = Expr::Case(vec![(*value(Some(false)), *fails())], literal(Value::Integer(2)));
    assert_eq!(eval(&otherwise), Ok(Datum::Integer(2)));
    let coalesce = Expr::Coalesce(vec![*literal(Value::Null), *one(), *fails()]);
    assert_eq!(eval(&coalesce), Ok(Datum::Integer(1)));
    assert_eq!(eval(&Expr::Coalesce(vec![*literal(Value::Null)])), Ok(Datum::Null));
}

#[test]
fn arithmetic_is_exact_or_an_error() {
    use Operator::*;
    let integers = |operator, left, right| {
        let (left, right) = (literal(Value::Integer(left)), literal(Value::Integer(right)));
        eval(&Expr::Arithmetic(operator, Class::Integer, left, right)).map(|datum| match datum {
            Datum::Integer(value) => value,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(integers(Add, 1, 2), Ok(3));
    assert_eq!(integers(Subtract, 1, 2), Ok(-1));
    assert_eq!(integers(Multiply, 3, -2), Ok(-6));
    assert_eq!(integers(Divide, -7, 2), Ok(-3));
    assert_eq!(integers(Remainder, -7, 2), Ok(-1));
    assert_eq!(integers(Remainder, i64::MIN, -1), Ok(0));
    for (operator, left, right) in
        [(Add, i64::MAX, 1), (Subtract, i64::MIN, 1), (Multiply, i64::MAX, 2), (Divide, i64::MIN, -1)]
    {
        assert_eq!(integers(operator, left, right), Err(EvalError::Integer), "{left} {operator:?} {right}");
    }
    for operator in [Divide, Remainder] {
        assert_eq!(integers(operator, 1, 0), Err(EvalError::DivisionByZero));
    }
    let decimals = |operator, left, right| {
        let (left, right) = (literal(Value::Decimal(left)), literal(Value::Decimal(right)));
        let expr = Expr::Arithmetic(operator, Class::Decimal, left, right);
        eval(&expr).map(|datum| format!("{datum:?}"))
    };
    assert_eq!(decimals(Add, 1, 2), Ok("Decimal(Small(3))".to_owned()));
    assert_eq!(decimals(Subtract, 1, 2), Ok("Decimal(Small(-1))".to_owned()));
    assert_eq!(decimals(Multiply, 3, 2), Ok("Decimal(Small(6))".to_owned()));
    assert_eq!(decimals(Remainder, -7, 2), Ok("Decimal(Small(-1))".to_owned()));
    assert_eq!(decimals(Remainder, -7, 0), Err(EvalError::DivisionByZero));
    assert_eq!(decimals(Divide, 7, 2), Err(EvalError::Kind), "decimals are divided to a scale");
    let doubles = |operator, left, right| {
        let (left, right) = (literal(Value::Double(left)), literal(Value::Double(right)));
        eval(&Expr::Arithmetic(operator, Class::Double, left, right)).map(|datum| match datum {
            Datum::Double(value) => value,
            other => panic!("{other:?}"),
        })
    };
    let results = [Add, Subtract, Multiply, Divide, Remainder].map(|operator| doubles(operator, 7.5, 2.0));
    assert_eq!(results, [Ok(9.5), Ok(5.5), Ok(15.0), Ok(3.75), Ok(1.5)]);
    assert_eq!(doubles(Divide, 1.0, 0.0), Err(EvalError::DivisionByZero));
    assert_eq!(doubles(Remainder, 1.0, -0.0), Err(EvalError::DivisionByZero));
    let with_null = Expr::Arithmetic(Add, Class::Integer, literal(Value::Null), literal(Value::Integer(1)));
    assert_eq!(eval(&with_null), Ok(Datum::Null));
    let wrong =
        Expr::Arithmetic(Add, Class::Integer, literal(Value::Double(1.0)), literal(Value::Integer(1)));
    assert_eq!(eval(&wrong), Err(EvalError::Kind));
}

#[test]
fn quotients_and_functions_of_one_value() {
    let quotient = |dividend, divisor, digits| {
        let expr = Expr::Divide(literal(Value::Decimal(dividend)), literal(Value::Decimal(divisor)), digits);
        eval(&expr).map(|datum| format!("{datum:?}"))
    };
    assert_eq!(quotient(2, 3, 2), Ok("Decimal(Small(67))".to_owned()));
    assert_eq!(quotient(2, 0, 2), Err(EvalError::DivisionByZero));
    let d = |value| literal(Value::Decimal(value));
    let i = |value| literal(Value::Integer(value));
    let t = |text: &'static str| literal(Value::Text(text.into()));
    let cases: Vec<(Expr, Result<Datum<'static>, EvalError>)> = vec![
        (Expr::Widen(i(3), 2), Ok(decimal(300))),
        (Expr::Widen(d(3), 2), Ok(decimal(300))),
        (Expr::Widen(d(i128::MAX), 76), Err(EvalError::Decimal)),
        (Expr::Float(i(3), 0), Ok(Datum::Double(3.0))),
        (Expr::Float(d(-12345), 2), Ok(Datum::Double(-123.45))),
        (Expr::Shorten(d(-1250), 2, Rounding::Nearest), Ok(decimal(-13))),
        (Expr::Shorten(d(-1250), 2, Rounding::Up), Ok(decimal(-12))),
        (Expr::Shorten(d(1250), 2, Rounding::Down), Ok(decimal(12))),
        (Expr::Power(Class::Decimal, d(12), 2), Ok(decimal(144))),
        (Expr::Power(Class::Integer, i(2), 62), Ok(Datum::Integer(1 << 62))),
        (Expr::Power(Class::Integer, i(2), 63), Err(EvalError::Integer)),
        (Expr::Negate(Class::Decimal, d(1)), Ok(decimal(-1))),
        (Expr::Negate(Class::Integer, i(i64::MIN)), Err(EvalError::Integer)),
        (Expr::Negate(Class::Double, literal(Value::Double(1.0))), Ok(Datum::Double(-1.0))),
        (Expr::Absolute(Class::Decimal, d(-1)), Ok(decimal(1))),
        (Expr::Absolute(Class::Integer, i(-1)), Ok(Datum::Integer(1))),
        (Expr::Absolute(Class::Double, literal(Value::Double(-1.0))), Ok(Datum::Double(1.0))),
        (Expr::Day(i(-1)), Ok(Datum::Integer(-1))),
        (Expr::Midnight(i(1)), Ok(Datum::Integer(86_400_000_000))),
        (Expr::Midnight(i(i64::MAX)), Err(EvalError::Time)),
        (Expr::Truncate(TimeUnit::Day, i(86_400_000_001)), Ok(Datum::Integer(86_400_000_000))),
        (Expr::Lower(t("ÄB")), Ok(Datum::Text("äb".into()))),
        (Expr::Upper(t("äb")), Ok(Datum::Text("ÄB".into()))),
        (Expr::Length(t("äb")), Ok(Datum::Integer(2))),
        (Expr::Length(literal(Value::Null)), Ok(Datum::Null)),
        (Expr::Length(i(1)), Err(EvalError::Kind)),
        (Expr::Concat(t("a"), t("b")), Ok(Datum::Text("ab".into()))),
        (Expr::Concat(t("a"), literal(Value::Null)), Ok(Datum::Null)),
        (Expr::Concat(literal(Value::Text("x".repeat(TEXT_BYTES_MAX).into())), t("y")), Err(EvalError::Text)),
        (
            Expr::Extreme(
                Extreme::Greatest,
                Class::Integer,
                vec![*i(1), *literal(Value::Null), *i(3), *i(2)],
            ),
            Ok(Datum::Integer(3)),
        ),
        (Expr::Extreme(Extreme::Least, Class::Integer, vec![*i(2), *i(1), *i(3)]), Ok(Datum::Integer(1))),
        (Expr::Extreme(Extreme::Least, Class::Integer, vec![*literal(Value::Null)]), Ok(Datum::Null)),
    ];
    for (expr, expected) in cases {
        assert_eq!(eval(&expr), expected, "{expr:?}");
    }
}

#[test]
fn comparisons() {
    use Comparison::*;
    let all = [Equal, Unequal, Less, AtMost, Greater, AtLeast];
    let check = |class, left: Value<'static>, right: Value<'static>, order: Ordering| {
        let results = all.map(|comparison| {
            let expr = Expr::Compare(comparison, class, literal(left.clone()), literal(right.clone()));
            eval(&expr) == Ok(Datum::Boolean(true))
        });
        let (less, equal, greater) = (order.is_lt(), order.is_eq(), order.is_gt());
        assert_eq!(results, [equal, !equal, less, !greater, greater, !less], "{left:?} and {right:?}");
    };
    check(Class::Integer, Value::Integer(1), Value::Integer(2), Ordering::Less);
    check(Class::Decimal, Value::Decimal(2), Value::Decimal(2), Ordering::Equal);
    check(Class::Boolean, Value::Boolean(true), Value::Boolean(false), Ordering::Greater);
    check(Class::Text, Value::Text("Z".into()), Value::Text("a".into()), Ordering::Less);
    check(Class::Double, Value::Double(-0.0), Value::Double(0.0), Ordering::Equal);
    check(Class::Double, Value::Double(f64::NAN), Value::Double(f64::INFINITY), Ordering::Greater);
    check(Class::Double, Value::Double(f64::NAN), Value::Double(f64::NAN), Ordering::Equal);
    let with_null = Expr::Compare(Equal, Class::Integer, literal(Value::Null), literal(Value::Null));
    assert_eq!(eval(&with_null), Ok(Datum::Null));
}

#[test]
fn columns_are_found_in_their_places() {
    use recount_types::column::Form;
    let mut amounts = Column::new(Form::Integer);
    [10, 20].into_iter().for_each(|value| amounts.push(&Value::Integer(value)));
    let (state, found, event) = ([Value::Integer(1), Value::Integer(2)], [Value::Integer(3)], [amounts]);
    let (some, none) = ([Some(&found[..])], [None]);
    let scope = Scope { state: &state, event: &event, row: 1, lookups: &some };
    assert_eq!(Expr::State(1).eval(&scope), Ok(Datum::Integer(2)));
    assert_eq!(Expr::Event(0).eval(&scope), Ok(Datum::Integer(20)));
    assert_eq!(Expr::Lookup(0, 0).eval(&scope), Ok(Datum::Integer(3)));
    assert_eq!(Expr::Lookup(0, 0).eval(&Scope { lookups: &none, ..scope }), Ok(Datum::Null));
    let same = Expr::Compare(
        Comparison::Equal,
        Class::Integer,
        Box::new(Expr::Event(0)),
        literal(Value::Integer(20)),
    );
    assert_eq!(same.holds(&scope), Ok(true));
    assert_eq!(literal(Value::Null).holds(&scope), Ok(false));
    assert_eq!(Expr::State(0).holds(&scope), Err(EvalError::Kind));
}
