//! Expressions of DataFusion, evaluated for operators.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use crate::error::QueryError;

/// An expression over the columns of an operator's input.
#[derive(Debug)]
pub(super) struct Evaluate {
    expr: Arc<dyn PhysicalExpr>,
    input: SchemaRef,
    data_type: DataType,
    /// The place of the column that it is.
    column: Option<usize>,
}

impl Evaluate {
    pub(super) fn new(expr: &Expr, input: &DFSchema, state: &SessionState) -> Result<Evaluate> {
        let expr =
            create_physical_expr(expr, input, state.execution_props(), &PhysicalPlanningContext::default())?;
        let data_type = expr.data_type(input.as_arrow())?;
        // A row of an outer join may have nulls where its input has none.
        let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
        let fields: Vec<Field> = input.fields().iter().map(nullable).collect();
        let column = expr.downcast_ref::<Column>().map(Column::index);
        Ok(Evaluate { expr, input: Arc::new(Schema::new(fields)), data_type, column })
    }

    fn compute(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        if let Some(column) =
            self.column.map(|column| &columns[column]).filter(|column| *column.data_type() == self.data_type)
        {
            return Ok(column.clone());
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = columns[..self.input.fields().len()].to_vec();
        let batch = RecordBatch::try_new_with_options(self.input.clone(), columns, &options)?;
        let values = self.expr.evaluate(&batch)?.into_array(rows)?;
        Ok(if *values.data_type() == self.data_type { values } else { cast(&values, &self.data_type)? })
    }
}

impl recount_flow::expr::Expr for Evaluate {
    fn evaluate(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, String> {
        self.compute(columns, rows).map_err(|error| QueryError::from_datafusion(error, 0).to_string())
    }
}
