//! Answers as bytes: JSON, JSON lines, CSV, Arrow. Made in pieces as the rows come; at most one batch is in memory.
//!
//! ```text
//!  JSON        {"position":5,"columns":[{"name":"a","type":"BIGINT"}],"rows":[[1],[2]],"notices":[]}
//!  JSON lines  {"a":1}
//!  CSV         RFC 4180, with a line of names first; null is nothing, an empty text is ""
//!  Arrow       the IPC stream format
//! ```

use bytes::Bytes;
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Fields, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::StreamWriter;

use recount_views::bind::RowColumn;

use crate::answer::Answer;
use crate::arrays::{field, is_json};
use crate::cells::{is_null, push_json, push_quoted, push_text};
use crate::error::QueryError;

/// About how many bytes a piece has.
const PIECE_BYTES: usize = 64 << 10;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object.
    Json,
    /// A JSON object a row.
    JsonLines,
    /// Comma-separated values.
    Csv,
    /// Arrow's IPC stream format.
    Arrow,
}

impl Format {
    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::JsonLines => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

/// An answer on its way into bytes.
pub struct Formatted {
    answer: Answer,
    format: Format,
    stage: Stage,
    /// A row was written already.
    begun: bool,
    arrow: Option<StreamWriter<Vec<u8>>>,
}

/// How far it is.
enum Stage {
    Begin,
    /// In a batch, at a row.
    Rows(Option<(RecordBatch, usize)>),
    End,
}

impl std::fmt::Debug for Formatted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Formatted").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Formatted {
    /// Begins to write an answer.
    pub fn new(answer: Answer, format: Format) -> Formatted {
        Formatted { answer, format, stage: Stage::Begin, begun: false, arrow: None }
    }

    /// The answer that is written.
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// The next piece; `None` at the end. After an error there are no more: what was given is not whole.
    pub async fn next(&mut self) -> Result<Option<Bytes>, QueryError> {
        let next = self.piece().await;
        if next.is_err() {
            self.stage = Stage::End;
        }
        next
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, QueryError> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::End) {
                Stage::Begin => {
                    // The first batch comes before the first byte, so that most errors come first too.
                    let first = self.answer.next().await?;
                    let begin = self.begin()?;
                    self.stage = Stage::Rows(first.map(|batch| (batch, 0)));
                    if !begin.is_empty() {
                        return Ok(Some(begin.into()));
                    }
                }
                Stage::Rows(Some((batch, row))) => {
                    let (piece, next) = self.rows(&batch, row)?;
                    self.stage = if next < batch.num_rows() {
                        Stage::Rows(Some((batch, next)))
                    } else {
                        let more = self.answer.next().await;
                        Stage::Rows(more?.map(|batch| (batch, 0)))
                    };
                    return Ok(Some(piece.into()));
                }
                Stage::Rows(None) => {
                    let end = self.end()?;
                    if !end.is_empty() {
                        return Ok(Some(end.into()));
                    }
                }
                Stage::End => return Ok(None),
            }
        }
    }

    fn begin(&mut self) -> Result<Vec<u8>, QueryError> {
        let schema = self.answer.schema();
        Ok(match self.format {
            Format::Json => {
                let mut out = format!("{{\"position\":{},\"columns\":[", self.answer.position());
                for (place, field) in schema.fields().iter().enumerate() {
                    out.push_str(if place == 0 { "{\"name\":" } else { ",{\"name\":" });
                    push_quoted(&mut out, field.name());
                    out.push_str(",\"type\":");
                    push_quoted(&mut out, &type_name(field));
                    out.push('}');
                }
                out.push_str("],\"rows\":[");
                out.into_bytes()
            }
            Format::JsonLines => Vec::new(),
            Format::Csv => {
                let mut out = String::new();
                for (place, field) in schema.fields().iter().enumerate() {
                    out.push_str(if place == 0 { "" } else { "," });
                    push_csv(&mut out, field.name());
                }
                out.push_str("\r\n");
                out.into_bytes()
            }
            Format::Arrow => {
                let mut writer = StreamWriter::try_new(Vec::new(), &schema).map_err(failed)?;
                let begin = std::mem::take(writer.get_mut());
                self.arrow = Some(writer);
                begin
            }
        })
    }

    /// A piece that begins at a row of a batch, and the row after it.
    fn rows(&mut self, batch: &RecordBatch, from: usize) -> Result<(Vec<u8>, usize), QueryError> {
        if let Some(writer) = &mut self.arrow {
            writer.write(batch).map_err(failed)?;
            return Ok((std::mem::take(writer.get_mut()), batch.num_rows()));
        }
        let schema = batch.schema();
        let mut out = String::new();
        let mut row = from;
        while row < batch.num_rows() && out.len() < PIECE_BYTES {
            match self.format {
                Format::Json => {
                    out.push_str(if std::mem::replace(&mut self.begun, true) { ",[" } else { "[" });
                    push_values(&mut out, batch, &schema, row);
                    out.push(']');
                }
                Format::JsonLines => push_object(&mut out, batch, &schema, row),
                Format::Csv | Format::Arrow => push_line(&mut out, batch, row),
            }
            row += 1;
        }
        Ok((out.into_bytes(), row))
    }

    fn end(&mut self) -> Result<Vec<u8>, QueryError> {
        if let Some(writer) = &mut self.arrow {
            writer.finish().map_err(failed)?;
            return Ok(std::mem::take(writer.get_mut()));
        }
        if self.format != Format::Json {
            return Ok(Vec::new());
        }
        let mut out = "],\"notices\":[".to_owned();
        for (place, notice) in self.answer.notices().all().iter().enumerate() {
            out.push_str(if place == 0 { "" } else { "," });
            push_quoted(&mut out, notice);
        }
        out.push_str("]}\n");
        Ok(out.into_bytes())
    }
}

/// The type of a column in SQL.
pub fn type_name(field: &Field) -> String {
    match field.data_type() {
        DataType::Utf8 if is_json(field) => "JSON".to_owned(),
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "TEXT".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 | DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => "INT UNSIGNED".to_owned(),
        DataType::UInt64 => "BIGINT UNSIGNED".to_owned(),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            format!("DECIMAL({precision},{scale})")
        }
        DataType::Float16 | DataType::Float32 => "REAL".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "BYTEA".to_owned(),
        DataType::Date32 | DataType::Date64 => "DATE".to_owned(),
        DataType::Timestamp(_, None) => "TIMESTAMP".to_owned(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMPTZ".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "INTERVAL".to_owned(),
        DataType::List(item) | DataType::LargeList(item) => format!("{}[]", type_name(item)),
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| format!("{} {}", field.name(), type_name(field)));
            format!("ROW({})", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string().to_uppercase(),
    }
}

fn push_values(out: &mut String, batch: &RecordBatch, schema: &SchemaRef, row: usize) {
    for (place, (column, field)) in batch.columns().iter().zip(schema.fields()).enumerate() {
        out.push_str(if place == 0 { "" } else { "," });
        push_json(out, column, field, row);
    }
}

fn push_object(out: &mut String, batch: &RecordBatch, schema: &SchemaRef, row: usize) {
    push_members(out, batch.columns(), schema.fields(), row);
    out.push('\n');
}

fn push_members(out: &mut String, columns: &[ArrayRef], fields: &Fields, row: usize) {
    out.push('{');
    for (place, (column, field)) in columns.iter().zip(fields).enumerate() {
        out.push_str(if place == 0 { "" } else { "," });
        push_quoted(out, field.name());
        out.push(':');
        push_json(out, column, field, row);
    }
    out.push('}');
}

/// Rows of a view as JSON objects, from arrays of its columns.
pub fn objects(columns: &[RowColumn], arrays: &[ArrayRef], rows: usize) -> Vec<String> {
    let fields: Fields =
        columns.iter().map(|column| field(&column.name, column.column_type, column.nullable)).collect();
    let object = |row| {
        let mut text = String::new();
        push_members(&mut text, arrays, &fields, row);
        text
    };
    (0..rows).map(object).collect()
}

fn push_line(out: &mut String, batch: &RecordBatch, row: usize) {
    let mut text = String::new();
    for (place, column) in batch.columns().iter().enumerate() {
        out.push_str(if place == 0 { "" } else { "," });
        if !is_null(column, row) {
            text.clear();
            push_text(&mut text, column, row);
            push_csv(out, &text);
        }
    }
    out.push_str("\r\n");
}

fn push_csv(out: &mut String, text: &str) {
    let plain = !text.is_empty() && !text.contains([',', '"', '\r', '\n']) && text.trim() == text;
    if plain {
        out.push_str(text);
    } else {
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    }
}

fn failed(error: ArrowError) -> QueryError {
    QueryError::Failed(error.to_string())
}
