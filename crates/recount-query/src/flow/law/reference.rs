//! What DataFusion makes of a query.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::optimizer::push_down_limit::PushDownLimit;
use datafusion::optimizer::replace_distinct_aggregate::ReplaceDistinctWithAggregate;
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::physical_plan::collect;
use sqlparser::ast::Statement;
use sqlparser::parser::Parser;

use super::table::Shown;
use crate::dependencies::OnDerived;
use crate::dialect::DIALECT;
use crate::plan::{self, Planner};
use crate::windows;

/// A query over the tables of a case.
pub(super) struct Reference {
    pub(super) state: SessionState,
    /// As it was written.
    pub(super) plan: LogicalPlan,
    pub(super) tables: Vec<Arc<Shown>>,
}

/// The name of a table.
pub(super) fn name(table: usize) -> String {
    format!("t{table}")
}

impl Reference {
    pub(super) fn new(sql: &str, tables: usize) -> Result<Reference> {
        let state = plan::session(256 << 20)?;
        let tables: Vec<Arc<Shown>> = (0..tables).map(|_| Arc::default()).collect();
        let plan = planned(sql, &state, &tables)?;
        Ok(Reference { state, plan, tables })
    }

    /// Another query over the same tables.
    pub(super) fn planned(&self, sql: &str) -> Result<LogicalPlan> {
        planned(sql, &self.state, &self.tables)
    }

    /// The rows of the query, optimized by all rules.
    pub(super) async fn rows(&self) -> Result<Vec<RecordBatch>> {
        let physical = self.state.create_physical_plan(&self.plan).await?;
        collect(physical, self.state.task_ctx()).await
    }

    /// The rows of a plan as it is.
    pub(super) async fn rows_of(&self, plan: &LogicalPlan) -> Result<Vec<RecordBatch>> {
        // The rules without which its planner knows no way, or leaves a sort out that a LIMIT needs.
        let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> =
            vec![Arc::new(OnDerived(ReplaceDistinctWithAggregate::new())), Arc::new(PushDownLimit::new())];
        let plan = Optimizer::with_rules(rules).optimize(plan.clone(), &self.state, |_, _| {})?;
        let physical = self.state.query_planner().create_physical_plan(&plan, &self.state).await?;
        collect(physical, self.state.task_ctx()).await
    }
}

fn planned(sql: &str, state: &SessionState, tables: &[Arc<Shown>]) -> Result<LogicalPlan> {
    let sources = tables.iter().enumerate().map(|(number, table)| {
        let source: Arc<dyn TableSource> = provider_as_source(table.clone());
        (name(number), source)
    });
    let planner = Planner::new(state, sources.collect());
    let mut statements = Parser::parse_sql(&DIALECT, sql).unwrap();
    let Some(Statement::Query(mut query)) = statements.pop() else { panic!("{sql} is no query") };
    windows::expand(&mut query).map_err(DataFusionError::from)?;
    planner.query(*query)
}
