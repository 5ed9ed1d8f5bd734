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

    /// The model does not give what the signature says.
    #[error(
        "the signature in `MLmodel` promises answers that the model file does not give: {0}; \
         if the file is right, WITH (input_example = 'skip') loads it all the same"
    )]
    Outputs(String),

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

    /// An answer that comes so slowly that it may never end.
    #[error(
        "the MLflow server sends `{page}` at less than {rate} bytes a second, {bytes} bytes so far; try again later, \
         or copy the model's directory and give its path; MLFLOW_HTTP_REQUEST_TIMEOUT sets how long to wait in any case"
    )]
    Trickle {
        /// The address of what it sends.
        page: String,
        /// How much of it came.
        bytes: usize,
        /// How much it should send in a second.
        rate: f64,
    },

    /// The server says that another one has the answer.
    #[error(
        "the MLflow server `{server}` sends us on to another server, `{place}`, which is not told who asks; if that is where \
         MLflow is, set MLFLOW_TRACKING_URI to its address; if it is where people log in, set MLFLOW_TRACKING_USERNAME and \
         MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    )]
    Away {
        /// The server.
        server: String,
        /// The address it gives.
        place: String,
    },

    /// The server wants to know who asks.
    #[error(
        "the MLflow server `{server}` refuses access ({status}){}; {}set MLFLOW_TRACKING_USERNAME and \
         MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN", said(.message), permission(*.status)
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
    #[error(
        "the MLflow server `{server}` answered with status {status}{}; try again later, or see the server's log",
        said(.message)
    )]
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

    /// The server has nothing at an address where MLflow answers: it is none, or one of another version.
    #[error(
        "`{server}` did not answer as an MLflow server does: it knows no such page; check that MLFLOW_TRACKING_URI is the address of one"
    )]
    NoPage {
        /// The server.
        server: String,
    },
}

/// What a server said, as the end of a sentence.
fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// What else helps against a refusal: with 403 the server knows who asks.
fn permission(status: u16) -> &'static str {
    if status == 403 { "ask for the permission to read it, or " } else { "" }
}
