//! Requests to one MLflow server: who asks, how long to wait, how much to read, and what its errors mean.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use object_store::client::{HttpClient, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse};
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use url::{Position, Url};

use crate::allowance::Allowance;
use crate::error::{Error, Result};

/// What is shown of a server's message.
const MESSAGE_CHARS_MAX: usize = 300;
/// How often a server may send us on with one question.
const REDIRECTS_MAX: usize = 5;
/// Less than this, after the time that we wait for an answer anyway, is a server that keeps us waiting on purpose.
const BYTES_PER_SECOND_MIN: f64 = 8192.0;

/// How a server is asked.
#[derive(Clone)]
pub(crate) struct Access {
    /// The value of the header `Authorization`.
    pub(crate) authorization: Option<String>,
    pub(crate) patience: Duration,
}

impl Debug for Access {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// A server, or a place on one.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: Url,
    access: Access,
    http: Arc<HttpClient>,
}

/// What to do when a server sends us on to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Away {
    /// Go there, and do not say who asks.
    WithoutName,
    /// Stay.
    Refuse,
}

/// What the server answers when something is wrong.
#[derive(Deserialize, Default)]
struct Trouble {
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    message: String,
}

impl Client {
    /// The server at `base`, which has no user and password in it.
    pub(crate) fn new(base: Url, access: Access) -> Result<Self> {
        // No limit on the whole, for a large file may take long: the parts of an answer are timed as they come. Nobody is sent
        // on without our knowledge.
        let http = reqwest::Client::builder().redirect(Policy::none()).build();
        let http = http.map_err(|source| Error::Unreachable { server: base.to_string(), source: Box::new(source) })?;
        Ok(Self { base, access, http: Arc::new(HttpClient::new(http)) })
    }

    /// The server's address, as people write it.
    pub(crate) fn shown(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// The place below this one.
    pub(crate) fn below<'p>(&self, parts: impl IntoIterator<Item = &'p str>) -> Self {
        Self { base: self.url(parts), access: self.access.clone(), http: Arc::clone(&self.http) }
    }

    /// Another place, which is told who asks only if it is on the same server.
    pub(crate) fn at(&self, base: Url) -> Self {
        let mut access = self.access.clone();
        if base.origin() != self.base.origin() {
            access.authorization = None;
        }
        Self { base, access, http: Arc::clone(&self.http) }
    }

    /// Asks MLflow's REST interface.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T> {
        let mut url = self.api(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.json(url, HttpRequestBody::empty()).await
    }

    /// Asks MLflow's REST interface what takes more than an address.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, question: &serde_json::Value) -> Result<T> {
        self.json(self.api(path), question.to_string().into()).await
    }

    /// The file at `parts` below this place.
    pub(crate) async fn file(&self, parts: &[String], allowance: Allowance) -> Result<Vec<u8>> {
        let shown = parts.join("/");
        let url = self.url(parts.iter().map(String::as_str));
        let response = self.send(url, &HttpRequestBody::empty(), Away::WithoutName).await?;
        let status = response.status().as_u16();
        if status == 200 {
            return self.body(response, &format!("{}/{shown}", self.shown()), allowance).await;
        }
        match self.trouble(response).await? {
            Error::NotThere { message, .. } => {
                Err(Error::NoFile { file: shown, directory: self.shown().to_owned(), message })
            }
            // A server that is not MLflow's may have the files.
            Error::NoPage { .. } => {
                Err(Error::NoFile { file: shown, directory: self.shown().to_owned(), message: String::new() })
            }
            Error::Status { server, status, message } => {
                Err(Error::Status { server: format!("{server}/{shown}"), status, message })
            }
            other => Err(other),
        }
    }

    fn api(&self, path: &str) -> Url {
        self.url(["api", "2.0", "mlflow"].into_iter().chain(path.split('/')))
    }

    fn url<'p>(&self, parts: impl IntoIterator<Item = &'p str>) -> Url {
        below(self.base.clone(), parts)
    }

    async fn json<T: DeserializeOwned>(&self, url: Url, body: HttpRequestBody) -> Result<T> {
        let (path, asked) = (url.path().to_owned(), page(&url));
        let response = self.send(url, &body, Away::Refuse).await?;
        if response.status().as_u16() != 200 {
            return Err(self.trouble(response).await?);
        }
        let bytes = self.body(response, &asked, Allowance::Answer).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| self.not_mlflow(&format!("the answer to {path} is wrong: {error}")))
    }

    /// Sends a question, and sends it again to where the server says that the answer is.
    async fn send(&self, mut url: Url, body: &HttpRequestBody, away: Away) -> Result<HttpResponse> {
        let mut authorization = self.access.authorization.as_deref();
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send_once(&url, body.clone(), authorization).await?;
            let Some(next) = redirection(&url, &response) else { return Ok(response) };
            let next = next.map_err(|what| self.not_mlflow(&what))?;
            if next.origin() != self.base.origin() {
                self.check_away(&url, &next, away)?;
                authorization = None;
            }
            url = next;
        }
        Err(self.not_mlflow(&format!("it sends us on more than {REDIRECTS_MAX} times, at last to {}", page(&url))))
    }

    /// Whether to follow a server to another one. It may have files elsewhere, but not behind our back without encryption.
    fn check_away(&self, from: &Url, to: &Url, away: Away) -> Result<()> {
        let leaves_tls = from.scheme() == "https" && to.scheme() != "https";
        if away == Away::Refuse || leaves_tls {
            return Err(Error::Away { server: self.shown().to_owned(), place: page(to) });
        }
        Ok(())
    }

    async fn send_once(&self, url: &Url, body: HttpRequestBody, authorization: Option<&str>) -> Result<HttpResponse> {
        let not_sent = |source: Box<dyn std::error::Error + Send + Sync>| self.unreachable(source);
        let mut request = HttpRequest::new(body);
        *request.uri_mut() = url.as_str().parse().map_err(|error| not_sent(Box::from(format!("{error}"))))?;
        if !request.body().is_empty() {
            *request.method_mut() = "POST".parse().map_err(|error| not_sent(Box::from(format!("{error}"))))?;
        }
        let mut headers =
            vec![("user-agent", concat!("foretell/", env!("CARGO_PKG_VERSION"))), ("content-type", "application/json")];
        headers.extend(authorization.map(|value| ("authorization", value)));
        for (name, value) in headers {
            let value = value.parse().map_err(|_| {
                Error::Setting("MLFLOW_TRACKING_TOKEN has a character that no header may have".to_owned())
            })?;
            request.headers_mut().insert(name, value);
        }
        let answer = timeout(self.access.patience, self.http.execute(request)).await.map_err(|_| self.slow())?;
        answer.map_err(|error| match error.kind() {
            HttpErrorKind::Timeout => self.slow(),
            _ => not_sent(Box::new(error)),
        })
    }

    /// The bytes of the answer at this address.
    async fn body(&self, response: HttpResponse, page: &str, allowance: Allowance) -> Result<Vec<u8>> {
        let started = Instant::now();
        let mut bytes = Vec::new();
        let mut parts = response.into_body().bytes_stream();
        while let Some(part) = timeout(self.access.patience, parts.next()).await.map_err(|_| self.slow())? {
            bytes.extend_from_slice(&part.map_err(|error| self.unreachable(Box::new(error)))?);
            allowance.check(page, bytes.len() as u64)?;
            let enough = Duration::from_secs_f64(bytes.len() as f64 / BYTES_PER_SECOND_MIN);
            if started.elapsed() > self.access.patience.saturating_add(enough) {
                let page = page.to_owned();
                return Err(Error::Trickle { page, bytes: bytes.len(), rate: BYTES_PER_SECOND_MIN });
            }
        }
        Ok(bytes)
    }

    /// What an answer with another status than 200 means.
    async fn trouble(&self, response: HttpResponse) -> Result<Error> {
        let status = response.status().as_u16();
        let bytes = self.body(response, self.shown(), Allowance::Answer).await?;
        let trouble: Option<Trouble> = serde_json::from_slice(&bytes).ok();
        let is_mlflow = trouble.as_ref().is_some_and(|trouble| !trouble.error_code.is_empty());
        let Trouble { error_code, message } = trouble.unwrap_or_default();
        let message = printable(if is_mlflow { &message } else { "" });
        let server = self.shown().to_owned();
        Ok(match (status, error_code.as_str()) {
            (401 | 403, _) => Error::Refused { server, status, message },
            (_, "RESOURCE_DOES_NOT_EXIST" | "NOT_FOUND") => Error::NotThere { server, message },
            // An alias that is not there.
            (400, "INVALID_PARAMETER_VALUE") => Error::NotThere { server, message },
            (404, _) if !is_mlflow => Error::NoPage { server },
            _ => Error::Status { server, status, message },
        })
    }

    fn not_mlflow(&self, what: &str) -> Error {
        Error::NotMlflow { server: self.shown().to_owned(), what: what.to_owned() }
    }

    fn slow(&self) -> Error {
        Error::Slow { server: self.shown().to_owned(), seconds: self.access.patience.as_secs_f32() }
    }

    fn unreachable(&self, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
        Error::Unreachable { server: self.shown().to_owned(), source }
    }
}

/// Where the server sends us on to; `None` if it does not.
fn redirection(from: &Url, response: &HttpResponse) -> Option<Result<Url, String>> {
    let status = response.status();
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let place = response.headers().get("location").and_then(|place| place.to_str().ok()).unwrap_or_default();
    let next = from.join(place).ok().filter(|next| matches!(next.scheme(), "http" | "https") && !place.is_empty());
    Some(
        next.map(|mut next| {
            // An address with a host can be without a user.
            let _ = (next.set_username(""), next.set_password(None));
            next
        })
        .ok_or_else(|| {
            format!("it sends us on ({}) to `{}`, which is no address of a server", status.as_u16(), printable(place))
        }),
    )
}

/// An address without what follows its path, which may be secret.
fn page(url: &Url) -> String {
    printable(&url[..Position::AfterPath])
}

/// The address some parts further down; what an address may not hold is encoded.
pub(crate) fn below<'p>(mut url: Url, parts: impl IntoIterator<Item = &'p str>) -> Url {
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}

/// The beginning of a message from elsewhere, without what could steer a terminal.
fn printable(message: &str) -> String {
    let line = message.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    line.take(MESSAGE_CHARS_MAX).collect::<String>().trim().trim_end_matches('.').to_owned()
}
