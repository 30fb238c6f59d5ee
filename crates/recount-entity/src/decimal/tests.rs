//! Decimals, against digits worked out by hand and against 128 bits.

use proptest::prelude::*;

use super::*;

fn number(text: &str) -> Number {
    Number::of(text.parse::<I256>().unwrap())
}

fn shown(number: Option<Number>) -> String {
    number.map_or("none".to_owned(), |number| number.wide().to_string())
}

#[test]
fn halves_go_away_from_zero() {
    for (dividend, divisor, digits, expected) in [
        ("5", "2", 0, "3"),
        ("-5", "2", 0, "-3"),
        ("5", "-2", 0, "-3"),
        ("-5", "-2", 0, "3"),
        ("7", "5", 0, "1"),
        ("8", "5", 0, "2"),
        ("1", "3", 12, "333333333333"),
        ("2", "3", 12, "666666666667"),
        ("1", "0", 3, "none"),
        ("149", "1", -2, "1"),
        ("150", "1", -2, "2"),
        ("-150", "1", -2, "-2"),
        ("1", "7", 77, "none"),
        ("1", "7", 75, "142857142857142857142857142857142857142857142857142857142857142857142857143"),
    ] {
        let quotient = number(dividend).divide(&number(divisor), digits);
        assert_eq!(shown(quotient), expected, "{dividend} / {divisor} with {digits} more digits");
    }
    for (value, digits, expected) in [
        ("12345", 2, "123"),
        ("12350", 2, "124"),
        ("-12350", 2, "-124"),
        ("-12349", 2, "-123"),
        ("5", 1, "1"),
        ("5", 0, "5"),
        ("4", 200, "0"),
    ] {
        assert_eq!(shown(number(value).round_off(digits)), expected, "{value} without {digits} digits");
    }
}

#[test]
fn floors_and_ceilings() {
    for (value, digits, floor, ceiling) in [
        ("1250", 2, "12", "13"),
        ("-1250", 2, "-13", "-12"),
        ("1200", 2, "12", "12"),
        ("-1200", 2, "-12", "-12"),
        ("0", 200, "0", "0"),
        ("3", 200, "0", "1"),
        ("-3", 200, "-1", "0"),
    ] {
        assert_eq!(shown(number(value).cut_off(digits, false)), floor, "floor of {value} at {digits}");
        assert_eq!(shown(number(value).cut_off(digits, true)), ceiling, "ceiling of {value} at {digits}");
    }
}

#[test]
fn beyond_128_bits_it_goes_on_and_comes_back() {
    let large = Number::Small(i128::MAX);
    let larger = large.add(&Number::Small(1)).unwrap();
    assert!(matches!(larger, Number::Big(_)));
    assert_eq!(larger.subtract(&Number::Small(1)), Some(large.clone()), "small again where it fits");
    assert_eq!(
        shown(large.multiply(&large)),
        "28948022309329048855892746252171976962977213799489202546401021394546514198529"
    );
    assert_eq!(large.multiply(&large).unwrap().divide(&large, 0), Some(large.clone()));
    assert_eq!(large.multiply(&large).and_then(|square| square.multiply(&large)), None);
    assert!(larger > large && Number::Small(0) > larger.negate().unwrap());
    let least = Number::Small(i128::MIN);
    assert_eq!(shown(least.negate()), "170141183460469231731687303715884105728");
    assert_eq!(shown(least.divide(&Number::Small(-1), 0)), "170141183460469231731687303715884105728");
    assert_eq!(shown(least.remainder(&Number::Small(-1))), "0");
    assert_eq!(number("7").remainder(&number("0")), None);
    assert_eq!(shown(number("-7").remainder(&number("2"))), "-1");
}

#[test]
fn powers() {
    for (value, exponent, expected) in [
        ("3", 0, "1"),
        ("0", 0, "1"),
        ("-2", 3, "-8"),
        ("1", 1_000_000, "1"),
        ("-1", 1_000_001, "-1"),
        ("-1", 1_000_000, "1"),
        ("0", 1_000_000, "0"),
        ("2", 254, "28948022309329048855892746252171976963317496166410141009864396001978282409984"),
        ("2", 255, "none"),
        ("2", 100_000, "none"),
    ] {
        assert_eq!(shown(number(value).power(exponent)), expected, "{value} to the power of {exponent}");
    }
}

#[test]
fn digits_are_counted() {
    assert_eq!(number("999").within(3), Some(999));
    assert_eq!(number("-999").within(3), Some(-999));
    assert_eq!(number("1000").within(3), None);
    assert_eq!(number("-1000").within(3), None);
    let digits_38 = "99999999999999999999999999999999999999";
    assert_eq!(number(digits_38).within(38), digits_38.parse().ok());
    assert_eq!(Number::Small(i128::MAX).within(38), None);
    assert_eq!(Number::Small(i128::MAX).add(&Number::Small(1)).unwrap().within(38), None);
}

proptest! {
    #[test]
    fn small_and_wide_agree(a in any::<i64>(), b in any::<i64>(), digits in 0u8..20) {
        let (x, y) = (Number::from(a), Number::from(b));
        let (wide_a, wide_b) = (i128::from(a), i128::from(b));
        prop_assert_eq!(x.add(&y), Some(Number::Small(wide_a + wide_b)));
        prop_assert_eq!(x.subtract(&y), Some(Number::Small(wide_a - wide_b)));
        prop_assert_eq!(x.multiply(&y), Some(Number::Small(wide_a * wide_b)));
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        // The same work where 128 bits do not hold it: a common factor cancels out.
        let big = |number: &Number| number.shift(38).unwrap();
        prop_assert_eq!(big(&x).divide(&big(&y), i16::from(digits)), x.divide(&y, i16::from(digits)));
        prop_assert_eq!(big(&x).cmp(&big(&y)), a.cmp(&b));
        if b != 0 {
            prop_assert_eq!(big(&x).remainder(&big(&y)), Number::Small(wide_a % wide_b).shift(38));
        }
        prop_assert_eq!(big(&x).round_off(38), Some(x.clone()));
    }
}
