//! What can go wrong with a model that MLflow keeps. Every text names the thing, what is wrong and the cure.

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a model of MLflow cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A path that leads out of the model's directory, or nowhere.
    #[error("`{path}` is no path inside the model's directory: {why}")]
    Path {
        /// The path as it was given.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },

    /// The address of a model cannot be read.
    #[error("`{uri}` is no address of a model: {why}")]
    Uri {
        /// The address.
        uri: String,
        /// What is wrong, and what to write.
        why: String,
    },

    /// The environment names no server that can be asked.
    #[error("{0}")]
    Setting(String),

    /// `MLmodel` cannot be read.
    #[error("`MLmodel` cannot be read: {0}")]
    MlModel(String),

    /// The model is of a kind that needs Python, or another one that foretell does not read.
    #[error("{0}")]
    Flavor(String),

    /// The signature does not fit the model file.
    #[error(
        "the signature in `MLmodel` does not fit the model file: {0}; \
         if the file is right, name its features: CREATE MODEL m (a, b, ...) FROM ..."
    )]
    Signature(String),

    /// The model does not answer the input example.
    #[error(
        "the model does not answer its input example `{file}`: {why}; WITH (input_example = 'skip') loads it all the same"
    )]
    Example {
        /// The file of the example.
        file: String,
        /// Why.
        why: String,
        /// The model's own error, if it is one.
        source: Option<Box<foretell_model::Error>>,
    },

    /// Something that is read is larger than it may be.
    #[error("`{file}` has more than {limit} bytes{cure}")]
    TooLarge {
        /// The file, or the page of a server.
        file: String,
        /// How many bytes it may have.
        limit: u64,
        /// How to go on.
        cure: &'static str,
    },

    /// A file is not where it should be.
    #[error("there is no `{file}` in `{directory}`{}", said(.message))]
    NoFile {
        /// The file.
        file: String,
        /// Where it was looked for.
        directory: String,
        /// What the server said.
        message: String,
    },

    /// The server has no such model, version, alias or run.
    #[error(
        "the MLflow server `{server}` does not have it{}; check the address, and that MLFLOW_TRACKING_URI is the right server",
        said(.message)
    )]
    NotThere {
        /// The server.
        server: String,
        /// What it said.
        message: String,
    },

    /// No connection.
    #[error(
        "the MLflow server `{server}` cannot be reached; check that it runs and that MLFLOW_TRACKING_URI is its address"
    )]
    Unreachable {
        /// The server.
        server: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// No answer in time.
    #[error(
        "the MLflow server `{server}` did not answer in {seconds} seconds; MLFLOW_HTTP_REQUEST_TIMEOUT sets how long to wait"
    )]
    Slow {
        /// The server.
        server: String,
        /// How long we waited.
        seconds: f32,
    },

    /// The server wants to know who asks.
    #[error(
        "the MLflow server `{server}` refuses access ({status}){}; set MLFLOW_TRACKING_USERNAME and \
         MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN", said(.message)
    )]
    Refused {
        /// The server.
        server: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },

    /// The server failed.
    #[error("the MLflow server `{server}` answered with status {status}{}", said(.message))]
    Status {
        /// The server.
        server: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },

    /// The server answers, but not as MLflow does.
    #[error(
        "`{server}` did not answer as an MLflow server does: {what}; check that MLFLOW_TRACKING_URI is the address of one"
    )]
    NotMlflow {
        /// The server.
        server: String,
        /// What was expected.
        what: String,
    },
}

/// What a server said, as the end of a sentence.
fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}
