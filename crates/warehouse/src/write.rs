//! Rows into Parquet files, several streams at once, with bounded memory. Does not make the files part of a table.

use std::num::NonZeroU64;
use std::sync::Arc;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use deltalake::DeltaTableError;
use deltalake::datafile::writer::{DeltaWriter, WriterConfig};
use deltalake::kernel::Add;
use futures::StreamExt;
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;
use tokio::task::JoinSet;

use crate::pending::PendingWrite;
use crate::stats::exact_statistics;
use crate::types::Conversion;
use crate::{Error, Result};

/// A file is closed at about this size: large enough to read fast, small enough to read in parallel.
const FILE_BYTES: u64 = 128 << 20;
/// A row group stays in memory until it is complete, so this bounds what one stream needs.
const ROW_GROUP_BYTES: usize = 32 << 20;
/// The most rows of a row group.
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Rows after which the sizes above are looked at.
const CHECK_ROWS: usize = 8192;

/// What was written and waits to be committed.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) files: Vec<Add>,
    pub(crate) rows: u64,
}

/// Where and how rows are written.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    /// The table's name, for messages.
    pub(crate) table: String,
    /// Makes the rows fit.
    pub(crate) conversion: Conversion,
    /// Columns whose values become folders.
    pub(crate) partition_columns: Vec<String>,
    /// A store whose root is the table.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Held by every task, so that the files of a cancelled write are removed after the last of them has stopped.
    pub(crate) pending: Arc<PendingWrite>,
}

impl Destination {
    /// Writes all streams, each into files of its own. After an error nothing is being written any more; the files
    /// are removed with the pending write.
    pub(crate) async fn write(&self, streams: Vec<SendableRecordBatchStream>) -> Result<Written> {
        let mut tasks = JoinSet::new();
        for stream in streams {
            tasks.spawn(self.clone().write_stream(stream));
        }
        let mut written = Written::default();
        while let Some(result) = tasks.join_next().await {
            let part = result.map_err(|error| self.error(DeltaTableError::GenericError { source: error.into() }));
            match part.flatten() {
                Ok(part) => {
                    written.files.extend(part.files);
                    written.rows += part.rows;
                }
                Err(error) => {
                    tasks.shutdown().await;
                    return Err(error);
                }
            }
        }
        Ok(written)
    }

    async fn write_stream(self, stream: SendableRecordBatchStream) -> Result<Written> {
        let folder = self.pending.folder().to_string();
        let store = Arc::new(PrefixStore::new(Arc::clone(&self.store), folder.as_str()));
        let mut writer = DeltaWriter::new(store, self.config());
        let rows = match self.drain(stream, &mut writer).await {
            Ok(rows) => rows,
            Err(error) => {
                // The first error is the one to tell; what aborting leaves is removed with the folder.
                let _ = writer.abort().await;
                return Err(error);
            }
        };
        let mut files = writer.close().await.map_err(|error| self.error(error))?;
        for file in &mut files {
            file.path = format!("{folder}/{}", file.path);
            file.stats = file.stats.take().map(|stats| exact_statistics(&stats, self.conversion.target()));
        }
        Ok(Written { files, rows })
    }

    async fn drain(&self, mut stream: SendableRecordBatchStream, writer: &mut DeltaWriter) -> Result<u64> {
        let mut rows = 0;
        while let Some(batch) = stream.next().await {
            let batch = self.conversion.apply(&batch?)?;
            rows += batch.num_rows() as u64;
            writer.write(&batch).await.map_err(|error| self.error(error))?;
        }
        Ok(rows)
    }

    fn config(&self) -> WriterConfig {
        let properties = WriterProperties::builder()
            .set_created_by(format!("foretell {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .build();
        WriterConfig::new(
            Arc::clone(self.conversion.target()),
            self.partition_columns.clone(),
            Some(properties),
            NonZeroU64::new(FILE_BYTES),
            Some(CHECK_ROWS),
            Default::default(),
            None,
        )
    }

    fn error(&self, error: DeltaTableError) -> Error {
        Error::delta("write", &self.table, error)
    }
}
