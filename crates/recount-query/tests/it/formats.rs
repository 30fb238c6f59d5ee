//! Answers as bytes.

use expect_test::expect;
use recount_query::arrow::ipc::reader::StreamReader;
use recount_query::{Format, Formatted};

use crate::support::Bench;

fn bytes(bench: &Bench, sql: &str, format: Format) -> Vec<u8> {
    let mut formatted = Formatted::new(bench.answer(sql).unwrap(), format);
    let mut bytes = Vec::new();
    while let Some(piece) = bench.block_on(formatted.next()).unwrap() {
        bytes.extend(piece);
    }
    bytes
}

fn check(bench: &Bench, sql: &str) -> String {
    [Format::Json, Format::JsonLines, Format::Csv]
        .iter()
        .map(|&format| {
            // Formatting the source would take carriage returns out of what is expected.
            let text = String::from_utf8(bytes(bench, sql, format)).unwrap().replace('\r', "␍");
            format!("{}\n{text}", format.content_type())
        })
        .collect()
}

#[test]
fn every_type_in_every_format() {
    let bench = Bench::new();
    bench.execute("CREATE TOPIC every (d DECIMAL(20,2), f DOUBLE, t TEXT, day DATE, w TIMESTAMP, z TIMESTAMPTZ, j JSON)");
    bench.append(
        "every",
        r#"{"d": 123456789012345678.90, "f": 1, "t": "a,\"b\"\n", "day": "2024-02-29", "w": "2024-02-29T12:00:00.5",
           "z": "2024-02-29T12:00:00Z", "j": {"a":
 1}}"#,
    );
    bench.append("every", r#"{"t": ""}"#);
    expect![[r#"
        application/json
        {"position":3,"columns":[{"name":"d","type":"DECIMAL(20,2)"},{"name":"f","type":"DOUBLE"},{"name":"t","type":"TEXT"},{"name":"day","type":"DATE"},{"name":"w","type":"TIMESTAMP"},{"name":"z","type":"TIMESTAMPTZ"},{"name":"j","type":"JSON"},{"name":"_position","type":"BIGINT"},{"name":"_tags","type":"TEXT[]"},{"name":"_headers","type":"ROW(name TEXT, value BYTEA)[]"},{"name":"_key","type":"BYTEA"},{"name":"nan","type":"DOUBLE"},{"name":"i","type":"INTERVAL"}],"rows":[[123456789012345678.90,1.0,"a,\"b\"\n","2024-02-29","2024-02-29T12:00:00.500000","2024-02-29T12:00:00Z",{"a":  1},2,[],[],null,"NaN","1 hours"],[null,null,"",null,null,null,null,3,[],[],null,"NaN","1 hours"]],"notices":[]}
        application/x-ndjson
        {"d":123456789012345678.90,"f":1.0,"t":"a,\"b\"\n","day":"2024-02-29","w":"2024-02-29T12:00:00.500000","z":"2024-02-29T12:00:00Z","j":{"a":  1},"_position":2,"_tags":[],"_headers":[],"_key":null,"nan":"NaN","i":"1 hours"}
        {"d":null,"f":null,"t":"","day":null,"w":null,"z":null,"j":null,"_position":3,"_tags":[],"_headers":[],"_key":null,"nan":"NaN","i":"1 hours"}
        text/csv; charset=utf-8; header=present
        d,f,t,day,w,z,j,_position,_tags,_headers,_key,nan,i␍
        123456789012345678.90,1.0,"a,""b""
        ",2024-02-29,2024-02-29T12:00:00.500000,2024-02-29T12:00:00Z,"{""a"":
         1}",2,[],[],,NaN,1 hours␍
        ,,"",,,,,3,[],[],,NaN,1 hours␍
    "#]].assert_eq(&check(
        &bench,
        "SELECT *, _position, _tags, _headers, _key, CAST('NaN' AS DOUBLE) AS nan, INTERVAL '1 hour' AS i FROM every",
    ));
}

#[test]
fn an_empty_answer_and_notices() {
    let bench = Bench::bank();
    expect![[r#"
        application/json
        {"position":4,"columns":[{"name":"amount","type":"DECIMAL(18,2)"}],"rows":[],"notices":[]}
        application/x-ndjson
        text/csv; charset=utf-8; header=present
        amount␍
    "#]]
    .assert_eq(&check(&bench, "SELECT amount FROM transactions WHERE false"));
}

#[test]
fn large_answers_come_in_pieces_and_arrow_can_be_read_back() {
    let bench = Bench::new();
    let sql = "SELECT value AS n, 'some text' AS t FROM generate_series(1, 20000)";
    let mut formatted = Formatted::new(bench.answer(sql).unwrap(), Format::JsonLines);
    let mut largest = 0;
    let mut pieces = 0;
    while let Some(piece) = bench.block_on(formatted.next()).unwrap() {
        largest = largest.max(piece.len());
        pieces += 1;
    }
    assert!(largest < 70_000 && pieces > 5, "{largest} {pieces}");
    let json: Vec<u8> = bytes(&bench, sql, Format::Json);
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["rows"].as_array().unwrap().len(), 20_000);
    let arrow = bytes(&bench, sql, Format::Arrow);
    let rows: usize =
        StreamReader::try_new(arrow.as_slice(), None).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 20_000);
}
