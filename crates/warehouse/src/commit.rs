//! One commit to a Delta Lake log.

use std::collections::HashMap;

use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, PostCommit, TableReference, TransactionError};
use deltalake::kernel::{Action, Metadata, Protocol, StructType};
use deltalake::logstore::LogStoreRef;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use serde_json::{Map, Value, json};

use crate::delta::DeltaVersion;
use crate::write::Written;
use crate::{Error, Result};

/// What a statement wants to be remembered with its commit, for example the models it called. The entries go into
/// the `commitInfo` of the Delta log, beside Delta's own; `timestamp`, `operation` and Delta's other names are taken.
///
/// `INSERT` reads it from the session's configuration: `SessionConfig::with_extension(Arc::new(info))`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CommitInfo(pub Map<String, Value>);

/// What a commit does to its table.
#[derive(Debug)]
pub(crate) enum Change {
    /// A new table, or new columns and rows for one.
    Define { columns: StructType },
    /// More rows.
    Append,
    /// Other rows.
    Overwrite,
}

/// Commits `written` on top of `newest`. The caller holds the writer lock and has checked that this is right.
///
/// Awaiting the result does Delta Lake's housekeeping after a commit.
pub(crate) async fn commit(
    table: &str,
    log_store: LogStoreRef,
    newest: Option<&DeltaVersion>,
    change: Change,
    written: Written,
    info: &CommitInfo,
) -> Result<PostCommit> {
    let to_error = |error: DeltaTableError| match error {
        DeltaTableError::VersionAlreadyExists(_)
        | DeltaTableError::Transaction {
            source: TransactionError::CommitConflict(_) | TransactionError::MaxCommitAttempts(_),
        } => Error::Conflict { table: table.to_string() },
        other => Error::delta("commit to", table, other),
    };
    let retry = matches!(change, Change::Append);
    let metadata = metadata(&written, info);
    let (operation, mut actions) = plan(&log_store, newest, change).await.map_err(to_error)?;
    actions.extend(written.files.into_iter().map(Action::Add));
    let mut properties = CommitProperties::default().with_metadata(metadata);
    if !retry {
        // Another program may commit between our look and our commit; only an append does not mind.
        properties = properties.with_max_retries(0);
    }
    CommitBuilder::from(properties)
        .with_actions(actions)
        .build(newest.map(|newest| &newest.snapshot as &dyn TableReference), log_store, operation)
        .into_prepared_commit_future()
        .await
        .map_err(to_error)?
        .await
        .map_err(to_error)
}

/// The operation's name in the log, and the actions besides new files.
async fn plan(
    log_store: &LogStoreRef,
    newest: Option<&DeltaVersion>,
    change: Change,
) -> Result<(DeltaOperation, Vec<Action>), DeltaTableError> {
    let mut actions = Vec::new();
    let mode = if matches!(change, Change::Append) { SaveMode::Append } else { SaveMode::Overwrite };
    let operation = match change {
        Change::Define { columns } => {
            let (protocol, metadata) = definition(columns).await?;
            actions.push(Action::Protocol(protocol.clone()));
            actions.push(Action::Metadata(metadata.clone()));
            let mode = newest.map_or(SaveMode::ErrorIfExists, |_| SaveMode::Overwrite);
            DeltaOperation::Create { mode, location: log_store.root_url().clone(), protocol, metadata }
        }
        Change::Append | Change::Overwrite => {
            let partition_by = newest.map(|newest| newest.snapshot.metadata().partition_columns().to_vec());
            let partition_by = partition_by.filter(|columns| !columns.is_empty());
            DeltaOperation::Write { mode, partition_by, predicate: None }
        }
    };
    if let (Some(newest), SaveMode::Overwrite) = (newest, mode) {
        let removed = newest.snapshot.file_views(&newest.log_store, None);
        let removed = removed.map_ok(|file| Action::Remove(file.remove_action(true)));
        actions.extend(removed.try_collect::<Vec<_>>().await?);
    }
    Ok((operation, actions))
}

/// The two actions that define a table. Delta Lake derives the protocol from the columns, and does so only when it
/// creates a table, so it creates one in memory.
async fn definition(columns: StructType) -> Result<(Protocol, Metadata), DeltaTableError> {
    let table = DeltaTable::new_in_memory().create().with_columns(columns.fields().cloned()).await?;
    let state = table.snapshot()?;
    Ok((state.protocol().clone(), state.metadata().clone()))
}

fn metadata(written: &Written, info: &CommitInfo) -> HashMap<String, Value> {
    let bytes: i64 = written.files.iter().map(|file| file.size).sum();
    let metrics = json!({
        "numFiles": written.files.len().to_string(),
        "numOutputRows": written.rows.to_string(),
        "numOutputBytes": bytes.to_string(),
    });
    let mut metadata: HashMap<String, Value> = info.0.clone().into_iter().collect();
    metadata.insert("operationMetrics".to_string(), metrics);
    metadata
}
