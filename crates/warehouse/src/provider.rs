//! A stored table as DataFusion sees it: reads one version, writes through the warehouse.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Result, plan_err};
use datafusion::datasource::TableType;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use deltalake::protocol::SaveMode;

use crate::delta::DeltaVersion;
use crate::insert::{InsertExec, InsertTarget};
use crate::{Result as WarehouseResult, Warehouse};

/// One version of a stored table.
#[derive(Debug)]
pub(crate) struct WarehouseTable {
    warehouse: Warehouse,
    name: String,
    version: DeltaVersion,
    scan: Arc<dyn TableProvider>,
}

impl WarehouseTable {
    pub(crate) async fn try_new(warehouse: Warehouse, name: &str, version: DeltaVersion) -> WarehouseResult<Self> {
        let scan = Arc::new(version.provider(name).await?);
        Ok(Self { warehouse, name: name.to_string(), version, scan })
    }
}

#[async_trait]
impl TableProvider for WarehouseTable {
    fn schema(&self) -> SchemaRef {
        self.scan.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.scan.scan(session, projection, filters, limit).await
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let offered = self.scan.supports_filters_pushdown(filters)?;
        let answers = filters.iter().zip(offered);
        Ok(answers
            .map(|(filter, offer)| if is_cheap(filter) { offer } else { TableProviderFilterPushDown::Unsupported })
            .collect())
    }

    async fn insert_into(
        &self,
        _session: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        operation: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mode = match operation {
            InsertOp::Append => SaveMode::Append,
            InsertOp::Overwrite => SaveMode::Overwrite,
            InsertOp::Replace => {
                return plan_err!("REPLACE INTO `{}` is not supported; use INSERT INTO or INSERT OVERWRITE", self.name);
            }
        };
        self.version.check_writable(&self.name)?;
        let target = InsertTarget {
            warehouse: self.warehouse.clone(),
            table: self.name.clone(),
            base: self.version.clone(),
            mode,
        };
        Ok(Arc::new(InsertExec::new(input, target)))
    }
}

/// The scan evaluates a filter row by row while it decodes, and the query does so again. That pays for comparisons;
/// a function, and above all a model, must not be called twice.
fn is_cheap(filter: &Expr) -> bool {
    let is_plain = |expr: &Expr| {
        matches!(
            expr,
            Expr::Alias(_)
                | Expr::Between(_)
                | Expr::BinaryExpr(_)
                | Expr::Cast(_)
                | Expr::Column(_)
                | Expr::InList(_)
                | Expr::IsFalse(_)
                | Expr::IsNotFalse(_)
                | Expr::IsNotNull(_)
                | Expr::IsNotTrue(_)
                | Expr::IsNull(_)
                | Expr::IsTrue(_)
                | Expr::Like(_)
                | Expr::Literal(..)
                | Expr::Negative(_)
                | Expr::Not(_)
        )
    };
    !filter.exists(|expr| Ok(!is_plain(expr))).unwrap_or(true)
}
