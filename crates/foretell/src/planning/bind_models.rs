//! The analyzer rule that binds model calls to their models.
//!
//! It runs before every other rule: type coercion cannot type `*` in a function's arguments, and sees only bound calls.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Projection, Sort};
use datafusion::optimizer::AnalyzerRule;
use foretell_udfs::bind::{Scope, bind_call, binds_by_name, is_model_call};

/// Replaces `predict('m', ...)`, `m(...)` and their kin by calls bound to one model.
#[derive(Debug, Default)]
pub(crate) struct BindModels;

impl AnalyzerRule for BindModels {
    fn name(&self) -> &str {
        "bind_models"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(bind_node).map(|bound| bound.data)
    }
}

fn bind_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if !calls_a_model(&plan)? {
        return Ok(Transformed::no(plan));
    }
    if let Some(sorted) = sort_below_projection(&plan)? {
        return Ok(Transformed::yes(sorted));
    }
    let scope = PlanScope::of(&plan)?;
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        Ok(bind_expr(expr, &scope)?.update_data(|expr| name.restore(expr)))
    })?
    .map_data(LogicalPlan::recompute_schema)
}

/// `expr` with every model call in it bound.
fn bind_expr(expr: Expr, scope: &PlanScope) -> Result<Transformed<Expr>> {
    expr.transform_up(|expr| match expr {
        Expr::ScalarFunction(call) => match bind_call(&call, scope)? {
            Some(bound) => Ok(Transformed::yes(bound)),
            None => Ok(Transformed::no(Expr::ScalarFunction(call))),
        },
        other => Ok(Transformed::no(other)),
    })
}

fn calls_a_model(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_expressions(|expr| {
        found |= expr.exists(|expr| Ok(is_model_call(expr)))?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// `SELECT a FROM t ORDER BY predict('m', *)`: the features are not among the selected columns, and since the call names
/// none of them the host could not add them. The calls, and only they, are computed below the projection as columns that are
/// dropped above the sort; the rest of a key keeps its meaning.
fn sort_below_projection(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::Sort(sort) = plan else { return Ok(None) };
    let LogicalPlan::Projection(projection) = sort.input.as_ref() else { return Ok(None) };
    let above = PlanScope::of(plan)?;
    let below = PlanScope::of(sort.input.as_ref())?;
    let mut hidden: Vec<Expr> = Vec::new();
    let mut keys = sort.expr.clone();
    for key in &mut keys {
        let moved = key.expr.clone().transform_up(|expr| match &expr {
            Expr::ScalarFunction(call) if binds_by_name(&expr) => {
                let bound = match bind_call(call, &below) {
                    Ok(Some(bound)) => bound,
                    _ => return Ok(Transformed::no(expr)),
                };
                let name = unused_name(&above.schema, hidden.len());
                hidden.push(bound.alias(&name));
                Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name))))
            }
            _ => Ok(Transformed::no(expr)),
        })?;
        key.expr = bind_expr(moved.data, &above)?.data;
    }
    if hidden.is_empty() {
        return Ok(None);
    }
    let kept: Vec<Expr> = projection.schema.columns().into_iter().map(Expr::Column).collect();
    let selected = projection.expr.iter().cloned().chain(hidden).collect();
    let wider = LogicalPlan::Projection(Projection::try_new(selected, Arc::clone(&projection.input))?);
    let sorted = LogicalPlan::Sort(Sort { expr: keys, input: Arc::new(wider), fetch: sort.fetch });
    LogicalPlanBuilder::from(sorted).project(kept)?.build().map(Some)
}

/// A name for a hidden column that no column of the result has.
fn unused_name(schema: &DFSchema, position: usize) -> String {
    let mut name = format!("__sort_key_{position}");
    while schema.columns().iter().any(|column| column.name == name) {
        name.push('_');
    }
    name
}

/// The columns that the expressions of one plan node may use.
struct PlanScope {
    schema: DFSchemaRef,
    /// Sets of columns that a `JOIN ... USING` makes equal.
    using: Vec<HashSet<Column>>,
}

impl PlanScope {
    fn of(plan: &LogicalPlan) -> Result<Self> {
        let mut schema = merge_schema(&plan.inputs());
        if let LogicalPlan::TableScan(scan) = plan {
            let source = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?;
            schema.merge(&source);
        }
        Ok(Self { schema: Arc::new(schema), using: plan.using_columns()? })
    }
}

impl Scope for PlanScope {
    fn schema(&self) -> &DFSchema {
        &self.schema
    }

    fn unify(&self, candidates: &[Column]) -> Option<Column> {
        let same = self.using.iter().any(|set| candidates.iter().all(|candidate| set.contains(candidate)));
        if same { candidates.first().cloned() } else { None }
    }
}

/// `plan` with its model calls bound and its types settled, as the host wants the plan of a view.
pub(crate) fn bind_plan(plan: LogicalPlan, state: &datafusion::execution::SessionState) -> Result<LogicalPlan> {
    state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})
}
