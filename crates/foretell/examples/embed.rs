//! A session in ten lines: `cargo run -p foretell --example embed` from the root of the repository.

use foretell::Session;

#[tokio::main]
async fn main() -> foretell::Result<()> {
    let session = Session::in_memory()?;
    session.sql("CREATE MODEL late FROM 'sql/models/late.onnx'").await?;
    let query = "SELECT carrier, count(*) AS late FROM 'sql/data/flights.parquet' \
                 WHERE predict('late', *) = 'late' GROUP BY carrier ORDER BY late DESC LIMIT 3";
    session.sql(query).await?.show().await?;
    Ok(())
}
