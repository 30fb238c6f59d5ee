//! A statement as a plan of DataFusion: our names and types, its functions.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, SchemaRef, TimeUnit};
use datafusion::catalog::TableFunctionArgs;
use datafusion::common::{DFSchema, ScalarValue, TableReference};
use datafusion::config::{ConfigOptions, Dialect};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::optimizer::eliminate_join::EliminateJoin;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::replace_distinct_aggregate::ReplaceDistinctWithAggregate;
use datafusion::optimizer::simplify_expressions::{ExprSimplifier, SimplifyContext};
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::aggregate_statistics::AggregateStatistics;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use recount_types::Time;
use sqlparser::ast::{self, Query};

use crate::arrays::{UTC, timestamptz};
use crate::constants::ForgetConstants;
use crate::dependencies::{DerivedRelations, OnDerived};
use crate::depth;
use crate::functions::{self, Operators};
use crate::join_keys::{EliminateCrossJoinWithCare, ExtractEquijoinPredicateWithCare};
use crate::mixed;
use crate::push_down::PushDownWithCare;

/// Rows in a batch.
pub(crate) const BATCH_ROWS: usize = 8192;

/// What all statements begin with: DataFusion's functions, our settings, one pool of memory, no files.
pub(crate) fn session(memory_bytes: usize) -> Result<SessionState> {
    let mut config = SessionConfig::new()
        .with_target_partitions(1)
        .with_batch_size(BATCH_ROWS)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false);
    let options = config.options_mut();
    options.execution.time_zone = Some(UTC.to_owned());
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.dialect = Dialect::PostgreSQL;
    // Else such a subquery is planned on its own, where nobody freezes its relations.
    options.optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    let no_files = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory_bytes)))
        .with_disk_manager_builder(no_files)
        .build_arc()?;
    let mut builder = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_optimizer_rules(logical_rules())
        .with_physical_optimizer_rules(physical_rules())
        .with_default_features();
    builder.expr_planners().get_or_insert_default().insert(0, Arc::new(Operators));
    builder.scalar_functions().get_or_insert_default().extend(functions::all());
    builder.aggregate_functions().get_or_insert_default().extend(functions::aggregates());
    Ok(builder.build())
}

/// DataFusion's rules for how, but for one: it answers `count(DISTINCT 'x')` with 1 where there are no rows.
fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let first: Arc<dyn PhysicalOptimizerRule + Send + Sync> = Arc::new(ForgetConstants);
    let rules = PhysicalOptimizer::new().rules.into_iter();
    std::iter::once(first)
        .chain(rules.filter(|rule| rule.name() != AggregateStatistics::new().name()))
        .collect()
}

/// DataFusion's rules for what, but for those that take more for granted than there is.
fn logical_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let careful: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(PushDownWithCare::default()),
        Arc::new(EliminateCrossJoinWithCare::default()),
        Arc::new(ExtractEquijoinPredicateWithCare::default()),
        Arc::new(OnDerived(OptimizeProjections::new())),
        Arc::new(OnDerived(ReplaceDistinctWithAggregate::new())),
        Arc::new(OnDerived(EliminateJoin::new())),
    ];
    let instead = |rule: Arc<dyn OptimizerRule + Send + Sync>| {
        careful.iter().find(|careful| careful.name() == rule.name()).cloned().unwrap_or(rule)
    };
    Optimizer::new().rules.into_iter().map(instead).collect()
}

/// The session of one statement, which began at `now`.
pub(crate) fn of_statement(session: &SessionState, now: Time) -> SessionState {
    let mut state = session.clone();
    let now = datafusion::arrow::temporal_conversions::timestamp_us_to_datetime(now.0);
    if let Some(now) = now {
        state.execution_props_mut().query_execution_start_time = Some(now.and_utc());
    }
    state
}

/// The planner of one statement.
pub(crate) struct Planner<'a> {
    pub(crate) state: &'a SessionState,
    /// Its relations, by key.
    sources: HashMap<String, Arc<dyn TableSource>>,
    of_relations: [Arc<dyn RelationPlanner>; 1],
}

impl<'a> Planner<'a> {
    /// One that finds these relations.
    pub(crate) fn new(
        state: &'a SessionState,
        sources: HashMap<String, Arc<dyn TableSource>>,
    ) -> Planner<'a> {
        Planner { state, sources, of_relations: [Arc::new(DerivedRelations::default())] }
    }

    /// The plan of a query.
    pub(crate) fn query(&self, mut query: Query) -> Result<LogicalPlan> {
        functions::quotients_under_round(&mut query);
        mixed::doubles_in_values(&mut query);
        let planner = SqlToRel::new_with_options(self, self.parser_options());
        let plan = planner.sql_statement_to_plan(ast::Statement::Query(Box::new(query)))?;
        let only_reads =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        depth::check(&plan)?;
        only_reads.verify_plan(&plan)?;
        mixed::unmixed(plan)
    }

    /// The value of a constant expression; `None` if it is not constant.
    pub(crate) fn constant(&self, expr: ast::Expr) -> Result<Option<ScalarValue>> {
        let planner = SqlToRel::new_with_options(self, self.parser_options());
        let schema = DFSchema::empty();
        let expr = planner.sql_to_expr(expr, &schema, &mut Default::default())?;
        let simplifier = self.simplifier();
        let expr = simplifier.simplify(simplifier.coerce(expr, &schema)?)?;
        Ok(match expr {
            Expr::Literal(value, _) => Some(value),
            _ => None,
        })
    }

    fn simplifier(&self) -> ExprSimplifier {
        let context = SimplifyContext::builder()
            .with_config_options(self.state.config_options().clone())
            .with_query_execution_start_time(self.state.execution_props().query_execution_start_time)
            .build();
        ExprSimplifier::new(context)
    }

    fn parser_options(&self) -> ParserOptions {
        let options = &self.state.config_options().sql_parser;
        ParserOptions::new()
            .with_parse_float_as_decimal(options.parse_float_as_decimal)
            .with_map_string_types_to_utf8view(options.map_string_types_to_utf8view)
    }
}

impl ContextProvider for Planner<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let found = self.sources.get(name.table()).cloned();
        found.ok_or_else(|| DataFusionError::Plan(format!("there is no relation {name}")))
    }

    fn get_table_function_source(&self, name: &str, args: Vec<Expr>) -> Result<Arc<dyn TableSource>> {
        let function = self.state.table_functions().get(name);
        let function =
            function.ok_or_else(|| DataFusionError::Plan(format!("there is no table function {name}")))?;
        let simplifier = self.simplifier();
        let schema = DFSchema::empty();
        let args = args
            .into_iter()
            .map(|arg| simplifier.coerce(arg, &schema).and_then(|arg| simplifier.simplify(arg)).map(in_ns))
            .collect::<Result<Vec<_>>>()?;
        let table = function.create_table_provider_with_args(TableFunctionArgs::new(&args, self.state))?;
        Ok(provider_as_source(table))
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.of_relations
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(Types))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}

/// A time as `generate_series` takes it.
fn in_ns(arg: Expr) -> Expr {
    match arg {
        Expr::Literal(ScalarValue::TimestampMicrosecond(Some(us), zone), metadata) => {
            let value = match us.checked_mul(1000) {
                Some(ns) => ScalarValue::TimestampNanosecond(Some(ns), zone),
                None => ScalarValue::TimestampMicrosecond(Some(us), zone),
            };
            Expr::Literal(value, metadata)
        }
        other => other,
    }
}

/// Times are kept to the µs, as in topics; DataFusion's own would be ns.
#[derive(Debug)]
struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, sql_type: &ast::DataType) -> Result<Option<FieldRef>> {
        use ast::TimezoneInfo::{None as NoZone, Tz, WithTimeZone, WithoutTimeZone};
        let data_type = match sql_type {
            ast::DataType::Timestamp(_, NoZone | WithoutTimeZone) => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            ast::DataType::Timestamp(_, Tz | WithTimeZone) => timestamptz(),
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("", data_type, true))))
    }
}
