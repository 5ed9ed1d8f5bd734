use datafusion::prelude::*;
use foretell_warehouse::*;
use std::{path::Path, sync::Arc, time::Instant};
#[tokio::main]
async fn main() {
    let rows: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let dir = std::env::args().nth(2).unwrap();
    let w = Warehouse::open(Path::new(&dir)).unwrap();
    let ctx = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    let sql = format!(
        "SELECT value AS id, random() AS p, random() AS q, value % 1000 AS k, 'carrier ' || (value % 20) AS s, sin(value) AS f FROM generate_series(1, {rows})"
    );
    let t = Instant::now();
    let f = ctx.sql(&sql).await.unwrap();
    let schema = Arc::clone(f.schema().inner());
    let streams = f.execute_stream_partitioned().await.unwrap();
    println!("{} streams", streams.len());
    let n = w.create_table("t", &schema, streams, OnExisting::Replace, &CommitInfo::default()).await.unwrap();
    println!("{n:?} rows in {:?}", t.elapsed());
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    println!(
        "{}",
        s.lines().filter(|l| l.starts_with("VmHWM") || l.starts_with("VmRSS")).collect::<Vec<_>>().join(" ")
    );
    let t = Instant::now();
    for _ in 0..20 {
        w.table("t").await.unwrap();
    }
    println!("open {:?}", t.elapsed() / 20);
}
