//! Rows as bytes: golden bytes, order, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, NullArray, StringArray, TimestampMicrosecondArray,
    TimestampNanosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_buffer::i256;
use proptest::prelude::*;

use super::*;

fn lists(lists: &[Option<&[Option<i32>]>]) -> ArrayRef {
    let mut builder = ListBuilder::new(Int32Builder::new());
    for list in lists {
        builder.append_option(list.map(|list| list.iter().copied()));
    }
    Arc::new(builder.finish())
}

fn lists_of_lists(lists: &[Option<&[Option<&[&str]>]>]) -> ArrayRef {
    let mut builder = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
    for list in lists {
        for inner in list.iter().copied().flatten() {
            builder.values().append_option(inner.map(|texts| texts.iter().map(|text| Some(*text))));
        }
        builder.append(list.is_some());
    }
    Arc::new(builder.finish())
}

/// One column of each type; its values rise, nulls first.
fn rising() -> Vec<ArrayRef> {
    let times =
        TimestampMicrosecondArray::from(vec![None, Some(i64::MIN), Some(-1), Some(0), Some(i64::MAX)]);
    let nanoseconds = [None, Some(i64::MIN), Some(-1), Some(0), Some(i64::MAX)];
    let wide = [None, Some(i256::MIN), Some(i256::MINUS_ONE), Some(i256::ZERO), Some(i256::MAX)];
    vec![
        Arc::new(NullArray::new(5)),
        Arc::new(BooleanArray::from(vec![None, None, Some(false), Some(true), Some(true)])),
        Arc::new(Int8Array::from(vec![None, Some(i8::MIN), Some(-1), Some(0), Some(i8::MAX)])),
        Arc::new(Int16Array::from(vec![None, Some(i16::MIN), Some(-1), Some(0), Some(i16::MAX)])),
        Arc::new(Int32Array::from(vec![None, Some(i32::MIN), Some(-1), Some(0), Some(i32::MAX)])),
        Arc::new(Int64Array::from(vec![None, Some(i64::MIN), Some(-1), Some(0), Some(i64::MAX)])),
        Arc::new(UInt8Array::from(vec![None, Some(0), Some(1), Some(1 << 7), Some(u8::MAX)])),
        Arc::new(UInt16Array::from(vec![None, Some(0), Some(1), Some(1 << 15), Some(u16::MAX)])),
        Arc::new(UInt32Array::from(vec![None, Some(0), Some(1), Some(1 << 31), Some(u32::MAX)])),
        Arc::new(UInt64Array::from(vec![None, Some(0), Some(1), Some(1 << 63), Some(u64::MAX)])),
        Arc::new(Date32Array::from(vec![None, Some(i32::MIN), Some(-1), Some(0), Some(i32::MAX)])),
        Arc::new(times.with_timezone("+00:00")),
        Arc::new(TimestampNanosecondArray::from(nanoseconds.to_vec())),
        Arc::new(Float64Array::from(vec![
            None,
            Some(f64::NEG_INFINITY),
            Some(-1.5),
            Some(0.0),
            Some(f64::NAN),
        ])),
        Arc::new(Decimal128Array::from(vec![None, Some(i128::MIN), Some(-1), Some(0), Some(i128::MAX)])),
        Arc::new(Decimal256Array::from(wide.to_vec())),
        Arc::new(StringArray::from(vec![None, Some(""), Some("a"), Some("a\0"), Some("ab")])),
        Arc::new(BinaryArray::from_opt_vec(vec![
            None,
            Some(b""),
            Some(b"\0"),
            Some(b"\0\0"),
            Some(b"\0\x01"),
        ])),
        lists(&[None, Some(&[]), Some(&[None]), Some(&[None, None]), Some(&[Some(1)])]),
        lists_of_lists(&[None, Some(&[]), Some(&[None]), Some(&[Some(&[""])]), Some(&[Some(&["\0"]), None])]),
    ]
}

fn shown(rows: &Rows) -> Vec<String> {
    rows.iter().map(|row| row.iter().map(|byte| format!("{byte:02x}")).collect()).collect()
}

/// These bytes are on disk: they may never change.
#[test]
fn the_bytes_of_a_row() {
    let short: ArrayRef = Arc::new(Int16Array::from(vec![None, Some(-2)]));
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("a\0b"), None]));
    let double: ArrayRef = Arc::new(Float64Array::from(vec![Some(-0.0), Some(1.5)]));
    let money: ArrayRef = Arc::new(Decimal128Array::from(vec![Some(100), Some(-1)]));
    let list = lists(&[Some(&[Some(7), None]), Some(&[])]);
    let columns = [short, text, double, money, list];
    let codec = RowCodec::new(columns.iter().map(|array| array.data_type().clone())).unwrap();
    let rows = codec.encode(&columns, 2);
    assert_eq!(
        shown(&rows),
        [
            concat!(
                "00",
                "016100ff620001",
                "018000000000000000",
                "0180000000000000000000000000000064",
                "01",
                "010180000007",
                "0100",
                "00"
            ),
            concat!("017ffe", "00", "01bff8000000000000", "017fffffffffffffffffffffffffffffff", "01", "00"),
        ]
    );
    assert_eq!(codec.decode(rows.iter()).unwrap()[1..2], columns[1..2]);
    let types: Vec<&DataType> = columns.iter().map(|array| array.data_type()).collect();
    assert_eq!(codec.types().iter().collect::<Vec<_>>(), types);
}

/// Where no text is null their bytes are copied as they lie.
#[test]
fn the_bytes_of_texts() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["in front", "ab", "", "c"]));
    let rows = RowCodec::new([DataType::Utf8]).unwrap().encode(&[texts.slice(1, 3)], 3);
    assert_eq!(shown(&rows), ["0161620001", "010001", "01630001"]);
}

/// A count that is written by itself is the value of a column.
#[test]
fn the_bytes_of_a_count() {
    for count in [0, 1, 300, 1 << 40, i64::MAX] {
        let columns: [ArrayRef; 2] =
            [Arc::new(UInt64Array::from(vec![count as u64])), Arc::new(Int64Array::from(vec![count]))];
        for column in columns {
            let (data_type, mut bytes) = (column.data_type().clone(), vec![7]);
            let rows = RowCodec::new([data_type.clone()]).unwrap().encode(&[column], 1);
            put_count(&mut bytes, count as u64, &data_type);
            assert_eq!(bytes, [&[7], rows.row(0)].concat(), "{count} {data_type}");
        }
    }
}

#[test]
fn values_of_every_type_sort_as_their_bytes_and_come_back() {
    for array in rising() {
        let codec = RowCodec::new([array.data_type().clone()]).unwrap();
        let rows = codec.encode(std::slice::from_ref(&array), 5);
        let bytes: Vec<&[u8]> = rows.iter().collect();
        assert!(bytes.is_sorted(), "{array:?}");
        assert_eq!(&codec.decode(bytes).unwrap(), std::slice::from_ref(&array));
    }
    let columns = rising();
    let codec = RowCodec::new(columns.iter().map(|array| array.data_type().clone())).unwrap();
    let rows = codec.encode(&columns, 5);
    assert_eq!(codec.decode(rows.iter()).unwrap(), columns);
}

#[test]
fn equal_doubles_are_one() {
    let odd_nan = f64::from_bits(f64::NAN.to_bits() ^ 1 ^ (1 << 63));
    let array: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, odd_nan]));
    let rows = RowCodec::new([DataType::Float64]).unwrap().encode(&[array], 4);
    assert_eq!((rows.row(0), rows.row(2)), (rows.row(1), rows.row(3)));
    assert_ne!(rows.row(0), rows.row(2));
}

#[test]
fn what_cannot_be_a_row_is_refused() {
    let interval = DataType::Interval(arrow_schema::IntervalUnit::MonthDayNano);
    assert_eq!(RowCodec::new([DataType::Int64, interval.clone()]), Err(interval));
    let columns = rising();
    let codec = RowCodec::new(columns.iter().map(|array| array.data_type().clone())).unwrap();
    let rows = codec.encode(&columns, 5);
    for row in rows.iter() {
        for end in 0..row.len() {
            assert_eq!(codec.decode([&row[..end]]), Err(Damaged), "cut at {end}");
        }
        assert_eq!(codec.decode([&[row, &[0]].concat()[..]]), Err(Damaged), "something follows");
    }
}

#[test]
fn what_no_value_is_written_as_is_damaged() {
    let numbers = DataType::new_list(DataType::UInt8, true);
    let damaged: [(DataType, &[u8]); 9] = [
        (DataType::Null, &[1]),
        (DataType::UInt8, &[2, 7]),
        (DataType::Boolean, &[1, 2]),
        (DataType::Utf8, &[1, b'a', 0, 2]),
        (DataType::Utf8, &[1, b'a', 0, 0]),
        (DataType::Utf8, &[1, 0xC3, 0, 1]),
        (DataType::Binary, &[3, b'a', 0, 1]),
        (numbers.clone(), &[1, 2, 1, 7, 0]),
        (numbers, &[1, 1, 2, 7, 0]),
    ];
    for (data_type, bytes) in damaged {
        let decoded = RowCodec::new([data_type.clone()]).unwrap().decode([bytes]);
        assert_eq!(decoded, Err(Damaged), "{data_type} {bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_row_or_damaged(bytes in prop::collection::vec(prop_oneof![0u8..4, Just(0xFF)], 0..12)) {
        // Of doubles some bits are never written: other ones are the same number.
        let types = rising().into_iter().map(|array| array.data_type().clone());
        for data_type in types.filter(|data_type| *data_type != DataType::Float64) {
            let codec = RowCodec::new([data_type]).unwrap();
            if let Ok(columns) = codec.decode([&bytes[..]]) {
                let again = codec.encode(&columns, 1);
                prop_assert_eq!(again.row(0), &bytes[..]);
            }
        }
    }

    #[test]
    fn rows_sort_as_their_columns_do(
        rows in prop::collection::vec((prop::option::of("[\0a\u{1}]{0,3}"), prop::option::of(-2i64..2)), 2),
        down in any::<(bool, bool)>(),
        last in any::<(bool, bool)>(),
    ) {
        let texts: ArrayRef = Arc::new(StringArray::from_iter(rows.iter().map(|(text, _)| text.clone())));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter(rows.iter().map(|(_, number)| *number)));
        let orders = [(down.0, last.0), (down.1, last.1)]
            .map(|(descending, nulls_last)| Order { descending, nulls_last });
        let keys = sort_keys(&[(texts, orders[0]), (numbers, orders[1])], 2);
        let (a, b) = (&rows[0], &rows[1]);
        let expected = compare(&a.0, &b.0, orders[0]).then(compare(&a.1, &b.1, orders[1]));
        prop_assert_eq!(keys.row(0).cmp(keys.row(1)), expected);
    }
}

fn compare<T: Ord>(a: &Option<T>, b: &Option<T>, order: Order) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => {
            if order.nulls_last {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        (Some(_), None) => {
            if order.nulls_last {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        (Some(a), Some(b)) => {
            if order.descending {
                b.cmp(a)
            } else {
                a.cmp(b)
            }
        }
    }
}

#[test]
fn rows_are_counted() {
    let codec = RowCodec::new([DataType::Int64]).unwrap();
    let rows = |values: Vec<i64>| {
        let count = values.len();
        codec.encode(&[Arc::new(Int64Array::from(values)) as ArrayRef], count)
    };
    assert!(rows(vec![]).is_empty() && Rows::default().is_empty());
    assert!(!rows(vec![7]).is_empty());
    let mut more = Rows::default();
    more.push(b"ab");
    more.push(b"");
    assert_eq!((more.len(), more.row(0), more.row(1)), (2, &b"ab"[..], &b""[..]));
    let many = rows((0..1000).collect());
    let (of_values, of_bounds) = (9 * 1000, 1001 * size_of::<usize>());
    assert!((of_values + of_bounds..2 * (of_values + of_bounds)).contains(&many.bytes()), "{}", many.bytes());
}
