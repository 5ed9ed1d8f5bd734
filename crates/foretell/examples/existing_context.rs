//! Models in a SessionContext that the host already has: `cargo run -p foretell --example existing_context` from the root of
//! the repository.

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::prelude::{ParquetReadOptions, SessionContext, col, lit};
use foretell::register;

#[tokio::main]
async fn main() -> Result<()> {
    // The host's own context, with the host's own tables and settings.
    let ctx = SessionContext::new();
    ctx.register_parquet("flights", "sql/data/flights.parquet", ParquetReadOptions::default()).await?;

    register(&ctx)?;

    // The standard statement, which every client of DataFusion can send.
    ctx.sql("CREATE FUNCTION late() LANGUAGE onnx AS 'sql/models/late.onnx'").await?;
    ctx.sql(
        "SELECT origin, avg(predict_proba('late', *)['late']) AS late FROM flights GROUP BY origin ORDER BY origin",
    )
    .await?
    .show()
    .await?;

    // The function works in the DataFrame API, too.
    let late = ctx.udf("late")?;
    let features = ["dep_delay", "distance", "hour", "carrier", "origin", "dest"].map(col).to_vec();
    let flights = ctx.table("flights").await?.filter(late.call(features).eq(lit("late")))?;
    println!("{} flights will be late", flights.count().await?);
    Ok(())
}
