//! Writing the tables of a session: on disk in one atomic commit, in memory by the host.

use datafusion::error::Result as HostResult;
use datafusion::logical_expr::{CreateMemoryTable, DdlStatement, LogicalPlan};
use datafusion::prelude::DataFrame;

use crate::error::Result;
use crate::execute::Executor;
use crate::session::Outcome;

#[cfg(feature = "warehouse")]
use {
    crate::database::external,
    datafusion::common::tree_node::{TreeNode, TreeNodeRecursion},
    datafusion::logical_expr::Expr,
    datafusion::physical_plan::execute_stream_partitioned,
    foretell_udfs::BoundCall,
    foretell_warehouse::{CommitInfo, OnExisting, Warehouse},
    std::collections::BTreeMap,
    std::sync::Arc,
};

impl Executor<'_> {
    /// Creates the table, or replaces it where the statement says so; returns its number of rows.
    pub(crate) async fn write_table(&self, name: &str, mut create: CreateMemoryTable) -> Result<u64> {
        #[cfg(feature = "warehouse")]
        if let (Some(warehouse), false) = (self.database.warehouse(), create.temporary) {
            return self.write_to_disk(warehouse, name, create).await;
        }
        // Every table in memory ends with the session.
        create.temporary = false;
        self.ctx.execute_logical_plan(LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create))).await?;
        let rows = self.ctx.table(name).await?.count().await?;
        Ok(rows as u64)
    }

    /// Drops a table that is no definition.
    pub(crate) async fn remove_table(&self, name: &str) -> HostResult<()> {
        #[cfg(feature = "warehouse")]
        if let Some(warehouse) = self.database.warehouse()
            && warehouse.drop_table(name).await.map_err(external)?
        {
            return Ok(());
        }
        self.ctx.deregister_table(name)?;
        Ok(())
    }

    /// `INSERT` and its kin: the host's plan, run to its end, with the models it calls noted for the commit.
    pub(crate) async fn change_rows(&self, plan: LogicalPlan) -> Result<Outcome> {
        #[cfg_attr(not(feature = "warehouse"), expect(unused_mut, reason = "only a database has commits"))]
        let mut state = self.ctx.state();
        #[cfg(feature = "warehouse")]
        if self.database.warehouse().is_some() {
            let info = provenance(&state.optimize(&plan)?)?;
            state.config_mut().set_extension(Arc::new(info));
        }
        let count = DataFrame::new(state, plan).collect().await?;
        Ok(Outcome::Rows(self.ctx.read_batches(count)?))
    }

    /// Streams the query into the table; memory does not grow with its rows.
    #[cfg(feature = "warehouse")]
    async fn write_to_disk(&self, warehouse: &Warehouse, name: &str, create: CreateMemoryTable) -> Result<u64> {
        let on_existing = if create.or_replace { OnExisting::Replace } else { OnExisting::Fail };
        let input = Arc::unwrap_or_clone(create.input);
        let plan = self.ctx.state().optimize(&input)?;
        let info = provenance(&plan)?;
        let schema = Arc::clone(plan.schema().inner());
        let streams = match &plan {
            LogicalPlan::EmptyRelation(empty) if !empty.produce_one_row => vec![],
            _ => {
                let physical = DataFrame::new(self.ctx.state(), plan).create_physical_plan().await?;
                execute_stream_partitioned(physical, self.ctx.task_ctx())?
            }
        };
        let rows = warehouse.create_table(name, &schema, streams, on_existing, &info).await?;
        Ok(rows.unwrap_or(0))
    }
}

/// Which models a plan calls, for the commit that its rows make.
#[cfg(feature = "warehouse")]
fn provenance(plan: &LogicalPlan) -> Result<CommitInfo> {
    let mut models: BTreeMap<String, String> = BTreeMap::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::ScalarFunction(call) = expr
                    && let Some(bound) = call.func.inner().downcast_ref::<BoundCall>()
                {
                    models.insert(bound.model_name().to_owned(), bound.model().signature().sha256.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    let mut info = CommitInfo::default();
    if !models.is_empty() {
        info.0.insert("foretell.models".to_owned(), serde_json::json!(models));
    }
    Ok(info)
}
