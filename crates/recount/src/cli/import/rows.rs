//! The rows of a file: CSV, or JSON lines.

use std::fs::File;
use std::io::{BufRead, BufReader};

use serde_json::{Map, Value};

use super::{Arguments, Format};
use crate::cli::failure::Failure;

/// One row of the file.
pub(super) struct Row {
    /// Its line in the file, from 1.
    pub(super) line: u64,
    /// Where it ends, bytes.
    pub(super) offset: u64,
    pub(super) payload: Vec<u8>,
    /// Its columns; none of a JSON row if no column is asked for.
    pub(super) fields: Map<String, Value>,
}

/// The rows of a file.
pub(super) struct Rows {
    source: RowSource,
    /// How many were read.
    pub(super) count: u64,
    name: String,
}

enum RowSource {
    Csv(Box<csv::Reader<File>>, csv::StringRecord),
    Json { lines: BufReader<File>, line: u64, offset: u64, with_fields: bool },
}

impl Rows {
    pub(super) fn open(arguments: &Arguments, name: &str) -> Result<Rows, Failure> {
        let file = File::open(&arguments.file).map_err(|error| Failure::from(error).context(name))?;
        let is_csv = arguments.file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        let format = arguments.format.unwrap_or(if is_csv { Format::Csv } else { Format::Json });
        let source = match format {
            Format::Csv => {
                let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 18).from_reader(file);
                let headers =
                    reader.headers().map_err(|error| Failure::usage(format!("{name}: {error}")))?.clone();
                RowSource::Csv(Box::new(reader), headers)
            }
            Format::Json => {
                let with_fields =
                    arguments.key.is_some() || arguments.time.is_some() || arguments.id.is_some();
                RowSource::Json {
                    lines: BufReader::with_capacity(1 << 18, file),
                    line: 0,
                    offset: 0,
                    with_fields,
                }
            }
        };
        Ok(Rows { source, count: 0, name: name.to_owned() })
    }

    /// The next row; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<Row>, Failure> {
        let row = match &mut self.source {
            RowSource::Csv(reader, headers) => {
                let mut record = csv::StringRecord::new();
                let more = reader.read_record(&mut record);
                if !more.map_err(|error| Failure::usage(format!("{}: {error}", self.name)))? {
                    return Ok(None);
                }
                let fields: Map<String, Value> =
                    headers.iter().zip(&record).map(|(name, text)| (name.to_owned(), field(text))).collect();
                let payload =
                    serde_json::to_vec(&fields).map_err(|error| Failure::usage(error.to_string()))?;
                let line = record.position().map_or(0, csv::Position::line);
                Row { line, offset: reader.position().byte(), payload, fields }
            }
            RowSource::Json { lines, line, offset, with_fields } => {
                let mut payload = Vec::new();
                loop {
                    payload.clear();
                    let read = lines.read_until(b'\n', &mut payload)?;
                    if read == 0 {
                        return Ok(None);
                    }
                    *line += 1;
                    *offset += read as u64;
                    if !payload.trim_ascii().is_empty() {
                        break;
                    }
                }
                let payload = payload.trim_ascii().to_vec();
                let fields = if *with_fields {
                    let wrong = |error| Failure::usage(format!("{} line {line}: {error}", self.name));
                    serde_json::from_slice(&payload).map_err(wrong)?
                } else {
                    Map::new()
                };
                Row { line: *line, offset: *offset, payload, fields }
            }
        };
        self.count += 1;
        Ok(Some(row))
    }
}

/// A CSV field as JSON: a number if it is written as JSON writes numbers, nothing if it is empty, else a string.
fn field(text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    let is_number =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'e' | b'E' | b'+'));
    match serde_json::from_str::<serde_json::Number>(text) {
        Ok(number) if is_number => Value::Number(number),
        _ => Value::String(text.to_owned()),
    }
}
