//! `EXPLAIN` says how each model is computed that a statement calls, below the plans.
//!
//! The names of calls, and so of columns, stay as they are: what is to be said of a model has no room in them. Formats made for
//! programs stay what they are to these programs, and `EXPLAIN ANALYZE` shows what was measured and nothing else.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::format::ExplainFormat;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::{Explain, Expr, LogicalPlan};
use datafusion::physical_plan::{ExecutionPlan, collect};
use foretell_model::{Answer, Model};
use foretell_udfs::BoundCall;

use crate::show;

/// The host's planner, with rows about models in what it explains.
#[derive(Debug)]
pub(crate) struct ExplainModels {
    host: Arc<dyn QueryPlanner + Send + Sync>,
}

impl ExplainModels {
    pub(crate) fn new(host: &Arc<dyn QueryPlanner + Send + Sync>) -> Self {
        Self { host: Arc::clone(host) }
    }
}

#[async_trait]
impl QueryPlanner for ExplainModels {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planned = self.host.create_physical_plan(plan, session).await?;
        match plan {
            LogicalPlan::Explain(explain) => with_models(planned, explain, session).await,
            _ => Ok(planned),
        }
    }
}

/// The explanation with a row for each model that the explained statement calls.
async fn with_models(
    planned: Arc<dyn ExecutionPlan>,
    explain: &Explain,
    session: &dyn Session,
) -> Result<Arc<dyn ExecutionPlan>> {
    let is_for_people = matches!(explain.explain_format, ExplainFormat::Indent | ExplainFormat::Tree);
    let models = called_models(&explain.plan)?;
    // A host's own planner may explain in another form.
    let is_usual = planned.schema().fields() == LogicalPlan::explain_schema().fields();
    if models.is_empty() || !is_for_people || !is_usual {
        return Ok(planned);
    }
    let kinds: StringArray = models.iter().map(|called| Some(format!("model {}", called.name))).collect();
    let texts = models.iter().map(|called| Some(show::computation(&called.model, &called.answers)));
    let columns: [ArrayRef; 2] = [Arc::new(kinds), Arc::new(texts.collect::<StringArray>())];
    let schema = planned.schema();
    let mut rows = collect(planned, session.task_ctx()).await?;
    rows.push(RecordBatch::try_new(Arc::clone(&schema), columns.to_vec())?);
    Ok(MemorySourceConfig::try_new_exec(&[rows], schema, None)?)
}

/// A model, and what a statement asks of it.
struct CalledModel {
    name: String,
    model: Arc<Model>,
    answers: Vec<Answer>,
}

/// The models that a plan calls, in the order in which its text has them.
fn called_models(plan: &LogicalPlan) -> Result<Vec<CalledModel>> {
    let mut models: Vec<CalledModel> = Vec::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Some(call) = bound_call(expr) {
                    note(call, &mut models);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(models)
}

fn bound_call(expr: &Expr) -> Option<&BoundCall> {
    let Expr::ScalarFunction(call) = expr else { return None };
    call.func.inner().downcast_ref()
}

fn note(call: &BoundCall, models: &mut Vec<CalledModel>) {
    let is_the_same = |called: &&mut CalledModel| Arc::ptr_eq(&called.model, call.model());
    match models.iter_mut().find(is_the_same) {
        Some(called) if called.answers.contains(&call.answer()) => {}
        Some(called) => called.answers.push(call.answer()),
        None => {
            let (name, model) = (call.model_name().to_owned(), Arc::clone(call.model()));
            models.push(CalledModel { name, model, answers: vec![call.answer()] });
        }
    }
}
