//! The table of a view at a position: its rows from the nearest snapshot before, or, where only few events are looked at, its query over them.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::ViewTable;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::scan::{Scan, SourceTable, scans};

/// See the module.
#[derive(Debug)]
pub(crate) struct ViewAt {
    /// Its rows as whoever keeps it makes them.
    pub(crate) made: SourceTable,
    /// Its query, if that has the same rows by whatever computes it.
    pub(crate) query: Option<ViewTable>,
}

#[async_trait::async_trait]
impl TableProvider for ViewAt {
    fn schema(&self) -> SchemaRef {
        self.made.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(query) = &self.query {
            let plan = query.scan(state, projection, filters, limit).await?;
            if scans(&plan).into_iter().all(Scan::is_of_one_key) {
                return Ok(plan);
            }
        }
        self.made.scan(state, projection, filters, limit).await
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        self.made.supports_filters_pushdown(filters)
    }
}
