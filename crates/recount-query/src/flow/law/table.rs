//! Tables of a case: rows that come and go.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use recount_store::time::format_rfc3339;
use recount_types::Time;

use super::chance::Chance;
use crate::arrays::{UTC, timestamptz};

/// A row of every table: few values of each column, so that rows meet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) k: Option<i64>,
    pub(super) n: i64,
    pub(super) v: Option<i128>,
    pub(super) t: Option<&'static str>,
    pub(super) d: Option<f64>,
    pub(super) b: Option<bool>,
    pub(super) at: Option<i64>,
}

/// The columns of every table, and what they are.
pub(super) const COLUMNS: [(&str, Kind); 7] = [
    ("k", Kind::Integer),
    ("n", Kind::Integer),
    ("v", Kind::Decimal),
    ("t", Kind::Text),
    ("d", Kind::Double),
    ("b", Kind::Boolean),
    ("ts", Kind::Time),
];

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Decimal,
    Text,
    Double,
    Boolean,
    Time,
}

impl Row {
    pub(super) fn any(chance: &mut Chance) -> Row {
        let keys = 1 + chance.below(4);
        let some = |chance: &mut Chance| !chance.one_in(6);
        Row {
            k: some(chance).then(|| chance.below(keys) as i64),
            n: chance.below(4) as i64 - 1,
            v: some(chance).then(|| i128::from(chance.below(7)) * 50 - 100),
            t: some(chance).then(|| chance.one_of(&["", "a", "b", "ab"])),
            // Sums of these are exact, in whatever order.
            d: some(chance).then(|| chance.below(9) as f64 / 4.0 - 1.0),
            b: some(chance).then(|| chance.one_in(2)),
            at: some(chance).then(|| 1_700_000_000_000_000 + chance.below(3) as i64 * 86_400_000_000),
        }
    }
}

impl Row {
    /// As VALUES has it.
    pub(super) fn written(&self) -> String {
        let null = || "NULL".to_owned();
        let time = |at: i64| format!("'{}'", format_rfc3339(Time(at)));
        format!(
            "({}, {}, {}, {}, {}, {}, {})",
            self.k.map_or_else(null, |k| k.to_string()),
            self.n,
            self.v.map_or_else(null, |v| format!("{:.2}", v as f64 / 100.0)),
            self.t.map_or_else(null, |t| format!("'{t}'")),
            self.d.map_or_else(null, |d| d.to_string()),
            self.b.map_or_else(null, |b| b.to_string()),
            self.at.map_or_else(null, time),
        )
    }
}

impl Row {
    /// As the payload of an event.
    pub(super) fn json(&self) -> String {
        let null = || "null".to_owned();
        format!(
            r#"{{"k": {}, "n": {}, "v": {}, "t": {}, "d": {}, "b": {}, "ts": {}}}"#,
            self.k.map_or_else(null, |k| k.to_string()),
            self.n,
            self.v.map_or_else(null, |v| format!("{:.2}", v as f64 / 100.0)),
            self.t.map_or_else(null, |t| format!("\"{t}\"")),
            self.d.map_or_else(null, |d| d.to_string()),
            self.b.map_or_else(null, |b| b.to_string()),
            self.at.map_or_else(null, |at| format!("\"{}\"", format_rfc3339(Time(at)))),
        )
    }
}

pub(super) fn schema() -> SchemaRef {
    let field = |(name, kind): (&str, Kind)| Field::new(name, data_type(kind), name != "n");
    Arc::new(Schema::new(COLUMNS.map(field).to_vec()))
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Integer => DataType::Int64,
        Kind::Decimal => DataType::Decimal128(18, 2),
        Kind::Text => DataType::Utf8,
        Kind::Double => DataType::Float64,
        Kind::Boolean => DataType::Boolean,
        Kind::Time => timestamptz(),
    }
}

/// Some rows, column by column.
pub(super) fn columns(rows: &[Row]) -> Vec<ArrayRef> {
    let decimals: Decimal128Array = rows.iter().map(|row| row.v).collect();
    let times: TimestampMicrosecondArray = rows.iter().map(|row| row.at).collect();
    vec![
        Arc::new(rows.iter().map(|row| row.k).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.n)).collect::<Int64Array>()),
        Arc::new(decimals.with_precision_and_scale(18, 2).unwrap()),
        Arc::new(rows.iter().map(|row| row.t).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.d).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| row.b).collect::<BooleanArray>()),
        Arc::new(times.with_timezone(UTC)),
    ]
}

/// A table that DataFusion reads as it is at the time.
#[derive(Debug, Default)]
pub(super) struct Shown(Mutex<Vec<Row>>);

impl Shown {
    pub(super) fn set(&self, rows: Vec<Row>) {
        *self.0.lock().unwrap() = rows;
    }
}

#[async_trait]
impl TableProvider for Shown {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = self.0.lock().unwrap().clone();
        let batch = RecordBatch::try_new(schema(), columns(&rows))?;
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], schema(), projection.cloned())?)
    }
}
