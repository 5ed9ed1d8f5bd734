//! Model errors as DataFusion errors, by whose fault they are.

use datafusion_common::DataFusionError;
use foretell_model::Error;

/// The DataFusion error that carries `error` about the model called `name`, its cause kept.
pub fn to_datafusion(name: &str, error: Error) -> DataFusionError {
    let message = format!("model `{name}`: {error}");
    match error {
        Error::Arguments(_) | Error::Signature(_) => DataFusionError::Plan(message),
        Error::Limit { .. } => DataFusionError::ResourcesExhausted(message),
        Error::Row { .. } => DataFusionError::Execution(message),
        error => DataFusionError::External(Box::new(error)).context(format!("model `{name}`")),
    }
}
