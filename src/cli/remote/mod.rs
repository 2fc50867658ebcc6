//! The running server, as subcommands reach it: the admin API over HTTP.
//!
//! Where it is:
//!
//! | the first of these | |
//! |---|---|
//! | `--admin` | an address and port, or a URL |
//! | `MERIDIAN_ADMIN` | the same, from the environment |
//! | `admin.listen` of the configuration | if that file is there |
//! | 127.0.0.1:5380 | |
//!
//! What is shown to it:
//!
//! | the first of these | for |
//! |---|---|
//! | the token in the file of `--token-file` | anything |
//! | `MERIDIAN_TOKEN` | anything |
//! | the token the server wrote for the people of its machine | orders to a server on this machine |
//! | none | looking |

mod address;
mod events;
mod problem;
mod token;

pub(super) mod shapes;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Response, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use super::ConfigPath;

pub(super) use events::Events;
pub(super) use problem::Problem;

use address::Place;

/// How long the server may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it may take to answer. A reload of a large configuration takes some seconds.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Where the running server is, and who asks.
#[derive(Debug, Clone, Args)]
pub(super) struct RemoteOptions {
    /// The admin interface of the server; else that of MERIDIAN_ADMIN, of the configuration, or
    /// 127.0.0.1:5380.
    #[arg(long, value_name = "ADDRESS:PORT|URL")]
    admin: Option<String>,
    /// A file with the token to show; else that of MERIDIAN_TOKEN, or the one that a server on this
    /// machine wrote.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The authorities, in PEM form, that the server's certificate may be signed by; else those of
    /// the system.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// The same with the configuration to look it up in.
#[derive(Debug, Clone, Args)]
pub(super) struct Remote {
    #[command(flatten)]
    options: RemoteOptions,
    #[command(flatten)]
    path: ConfigPath,
}

impl Remote {
    /// Gets ready to ask.
    ///
    /// # Errors
    /// When it is not clear whom.
    pub(super) fn server(&self) -> Result<Server, anyhow::Error> {
        self.options.server(&self.path.config)
    }
}

impl RemoteOptions {
    /// Gets ready to ask; `config` is where the address may be from.
    ///
    /// # Errors
    /// When it is not clear whom.
    pub(super) fn server(&self, config: &Path) -> Result<Server, anyhow::Error> {
        let place = Place::find(self.admin.as_deref(), config)?;
        let token = token::explicit(self.token_file.as_deref())?;
        if token.is_some() && place.base.scheme() == "http" && !place.is_here() {
            eprintln!("meridian: the token goes to {} unencrypted", place.base);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the asynchronous runtime")?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(self.ca.as_deref())?)
            .user_agent(concat!("meridian/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .context("cannot set up a client for HTTP")?;
        Ok(Server { place, token, client, runtime })
    }
}

/// TLS that trusts the system, or these authorities alone.
fn tls(ca: Option<&Path>) -> Result<ClientConfig, anyhow::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let Some(path) = ca else {
        let trusts = tls.with_platform_verifier().context("the system's authorities")?;
        return Ok(trusts.with_no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(|error| anyhow!("cannot read {}: {error}", path.display()))?;
    for certificate in certificates {
        let certificate =
            certificate.map_err(|error| anyhow!("cannot read {}: {error}", path.display()))?;
        roots.add(certificate).with_context(|| format!("a certificate of {}", path.display()))?;
    }
    if roots.is_empty() {
        bail!("{} holds no certificate in PEM form", path.display());
    }
    Ok(tls.with_root_certificates(roots).with_no_client_auth())
}

/// A server that can be asked.
pub(super) struct Server {
    place: Place,
    token: Option<String>,
    client: reqwest::Client,
    runtime: Runtime,
}

impl Server {
    /// Its address, for people.
    pub(super) fn name(&self) -> String {
        self.place.base.authority().to_owned()
    }

    /// Asks for a page; its text.
    ///
    /// # Errors
    /// When there is no server, or it refuses.
    pub(super) fn look(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<String, anyhow::Error> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.request(Method::GET, url, self.token.as_deref());
        self.runtime.block_on(async {
            let response = self.send(request.timeout(TIMEOUT)).await?;
            response.text().await.map_err(|error| self.unreachable(&error).into())
        })
    }

    /// Asks for a page and reads it.
    ///
    /// # Errors
    /// When there is no server, it refuses, or says what is not understood.
    pub(super) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, anyhow::Error> {
        self.read(&self.look(path, query)?)
    }

    /// Gives an order; the text of what came of it.
    ///
    /// # Errors
    /// When there is no server, or it refuses.
    pub(super) fn order(&self, path: &str, body: &impl Serialize) -> Result<String, anyhow::Error> {
        let token = match &self.token {
            Some(token) => Some(token.clone()),
            None => token::of_this_machine(&self.place)?,
        };
        let body = serde_json::to_string(body)?;
        let request = self
            .request(Method::POST, self.url(path), token.as_deref())
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        self.runtime.block_on(async {
            let response = self.send(request.timeout(TIMEOUT)).await?;
            response.text().await.map_err(|error| self.unreachable(&error).into())
        })
    }

    /// Follows what happens from now on, until the server or `tell` ends it.
    ///
    /// # Errors
    /// When there is no server, it refuses, or `tell` says so.
    pub(super) fn follow(
        &self,
        path: &str,
        mut tell: impl FnMut(&str, &str) -> Result<(), anyhow::Error>,
    ) -> Result<(), anyhow::Error> {
        let request = self.request(Method::GET, self.url(path), self.token.as_deref());
        self.runtime.block_on(async {
            let mut response = self.send(request.header(ACCEPT, "text/event-stream")).await?;
            let mut events = Events::default();
            while let Some(chunk) =
                response.chunk().await.map_err(|error| self.unreachable(&error))?
            {
                for (name, data) in events.take(&chunk) {
                    tell(&name, &data)?;
                }
            }
            Ok(())
        })
    }

    /// Reads what the server said.
    ///
    /// # Errors
    /// When it is not understood: it is another program, or of another version.
    pub(super) fn read<T: DeserializeOwned>(&self, text: &str) -> Result<T, anyhow::Error> {
        serde_json::from_str(text).with_context(|| {
            format!("{} says what this version does not understand", self.place.base)
        })
    }

    /// Waits, as somebody does who looks again later.
    pub(super) fn wait(&self, duration: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(duration).await });
    }

    fn url(&self, path: &str) -> Url {
        let base = self.place.base.as_str().trim_end_matches('/');
        format!("{base}{path}").parse().expect("a path below a URL makes a URL")
    }

    fn request(&self, method: Method, url: Url, token: Option<&str>) -> reqwest::RequestBuilder {
        let request = self.client.request(method, url);
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, anyhow::Error> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.map_err(|error| self.unreachable(&error))?;
        Err(Problem::read(status, &text, &self.place.base).into())
    }

    fn unreachable(&self, error: &reqwest::Error) -> problem::Unreachable {
        problem::Unreachable::new(&self.place, error)
    }
}
