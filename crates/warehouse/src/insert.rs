//! The last step of an `INSERT` plan: all partitions of the input are written at once, and committed together.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{EvaluationType, SchedulingType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
    execute_stream_partitioned,
};
use deltalake::protocol::SaveMode;
use futures::stream;

use crate::Warehouse;
use crate::commit::CommitInfo;
use crate::delta::DeltaVersion;

/// What an `INSERT` writes to.
#[derive(Debug, Clone)]
pub(crate) struct InsertTarget {
    pub(crate) warehouse: Warehouse,
    pub(crate) table: String,
    /// The version the query was planned with.
    pub(crate) base: DeltaVersion,
    pub(crate) mode: SaveMode,
}

/// Writes its input to a stored table and returns one row: how many rows that were.
#[derive(Debug)]
pub(crate) struct InsertExec {
    input: Arc<dyn ExecutionPlan>,
    target: InsertTarget,
    properties: Arc<PlanProperties>,
}

impl InsertExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, target: InsertTarget) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(count_schema()),
            Partitioning::UnknownPartitioning(1),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        let properties =
            properties.with_scheduling_type(SchedulingType::Cooperative).with_evaluation_type(EvaluationType::Eager);
        Self { input, target, properties: Arc::new(properties) }
    }
}

impl DisplayAs for InsertExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InsertExec: table={}, mode={:?}", self.target.table, self.target.mode)
    }
}

impl ExecutionPlan for InsertExec {
    fn name(&self) -> &'static str {
        "InsertExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        // Splitting a small result would only make small files.
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, self.target.clone()))),
            _ => internal_err!("foretell: an insert has one input"),
        }
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("foretell: an insert has one partition, asked for {partition}");
        }
        let (input, target) = (Arc::clone(&self.input), self.target.clone());
        let rows = stream::once(async move { target.run(input, context).await });
        Ok(Box::pin(RecordBatchStreamAdapter::new(count_schema(), rows)))
    }
}

impl InsertTarget {
    async fn run(self, input: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<RecordBatch> {
        let info = context.session_config().get_extension::<CommitInfo>().unwrap_or_default();
        let schema = input.schema();
        let streams = execute_stream_partitioned(input, context)?;
        let rows = self.warehouse.fill(&self.table, self.base, &schema, streams, self.mode, &info).await?;
        Ok(RecordBatch::try_new(count_schema(), vec![Arc::new(UInt64Array::from(vec![rows]))])?)
    }
}

/// DataFusion's own result of an `INSERT`.
fn count_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("count", DataType::UInt64, false)]))
}
