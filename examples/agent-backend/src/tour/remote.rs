//! An issuer on this machine that publishes its keys over HTTP, or fails to.

use core::convert::Infallible;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ringwall_authn::TokenIssuer;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{AbortHandle, JoinSet};

use crate::tour::outside::new_key;

/// Where its keys are.
const JWKS_PATH: &str = "/jwks";

/// Where OpenID Connect looks for metadata (Discovery 1.0 §4).
const METADATA_PATH: &str = "/.well-known/openid-configuration";

/// Below this path it speaks for itself too, which is not who was asked.
const IMPOSTOR: &str = "/impostor";

/// The most connections that wait to be accepted.
const BACKLOG: u32 = 64;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Serves,
    /// Takes the request and never answers.
    Stalls,
    /// As a proxy does that shows a page of its own.
    ShowsAPage,
}

/// The issuer. Its server ends when it is dropped.
pub(crate) struct RemoteIssuer {
    pub(crate) tokens: TokenIssuer,
    address: SocketAddr,
    shared: Arc<Shared>,
    /// `None` while it is dead.
    serving: Option<Serving>,
    /// Its port, while it is dead.
    place: Option<TcpSocket>,
}

struct Shared {
    url: String,
    document: Mutex<String>,
    manner: Mutex<Manner>,
    /// The number of requests for the keys.
    asked: AtomicUsize,
    /// The number of requests, whatever for, since the manner was changed.
    met: AtomicUsize,
}

impl RemoteIssuer {
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = socket.local_addr()?;
        let url = format!("http://{address}");
        let tokens = TokenIssuer::new(&url, new_key("first")?);
        let shared = Arc::new(Shared {
            document: Mutex::new(tokens.jwks()),
            url,
            manner: Mutex::new(Manner::Serves),
            asked: AtomicUsize::new(0),
            met: AtomicUsize::new(0),
        });
        let serving = Serving::start(socket.listen(BACKLOG)?, &shared);
        Ok(Self {
            tokens,
            address,
            shared,
            serving: Some(serving),
            place: None,
        })
    }

    /// Its name, and where its metadata is.
    pub(crate) fn url(&self) -> &str {
        &self.shared.url
    }

    /// An address of it whose metadata names somebody else: this issuer, by its own name.
    pub(crate) fn impostor(&self) -> String {
        format!("{}{IMPOSTOR}", self.url())
    }

    /// Publishes the keys that it has.
    pub(crate) fn publish(&self) {
        self.publish_document(self.tokens.jwks());
    }

    pub(crate) fn publish_document(&self, document: String) {
        *lock(&self.shared.document) = document;
    }

    /// The number of requests for its keys so far.
    pub(crate) fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *lock(&self.shared.manner) = manner;
        self.shared.met.store(0, Ordering::SeqCst);
    }

    /// Whether somebody was treated in this manner.
    pub(crate) fn was_met(&self) -> bool {
        self.shared.met.load(Ordering::SeqCst) > 0
    }

    /// Dies: its connections break, and new ones are refused.
    pub(crate) async fn die(&mut self) -> Result<(), Box<dyn Error>> {
        if let Some(serving) = self.serving.take() {
            serving.end().await;
            // Bound and not listening, so that nobody takes the port meanwhile.
            self.place = Some(bind(self.address)?);
        }
        Ok(())
    }

    /// Is there again, at the same address.
    pub(crate) fn come_back(&mut self) -> Result<(), Box<dyn Error>> {
        self.behave(Manner::Serves);
        if let Some(place) = self.place.take() {
            self.serving = Some(Serving::start(place.listen(BACKLOG)?, &self.shared));
        }
        Ok(())
    }
}

/// The task that accepts and answers. All connections end with it.
struct Serving(AbortHandle);

impl Serving {
    fn start(listener: TcpListener, shared: &Arc<Shared>) -> Self {
        let shared = Arc::clone(shared);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request: Request<Incoming>| {
                    let shared = Arc::clone(&shared);
                    async move { Ok::<_, Infallible>(shared.answer(request.uri().path()).await) }
                });
                let http = http1::Builder::new();
                let connection = http.serve_connection(TokioIo::new(stream), service);
                connections.spawn(async move { connection.await.is_ok() });
            }
        });
        Self(task.abort_handle())
    }

    async fn end(self) {
        self.0.abort();
        while !self.0.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // The port has connections of before, which linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Shared {
    async fn answer(&self, path: &str) -> Response<Full<Bytes>> {
        if path == JWKS_PATH {
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        let manner = *lock(&self.manner);
        self.met.fetch_add(1, Ordering::SeqCst);
        match manner {
            Manner::Serves => {}
            Manner::Stalls => core::future::pending().await,
            Manner::ShowsAPage => {
                return response(StatusCode::OK, "text/html", "<h1>Be back soon</h1>".into());
            }
        }
        let json = "application/json";
        if path == JWKS_PATH {
            return response(StatusCode::OK, json, lock(&self.document).clone());
        }
        if path.strip_prefix(IMPOSTOR).unwrap_or(path) == METADATA_PATH {
            let url = &self.url;
            let metadata = serde_json::json!({
                "issuer": url,
                "jwks_uri": format!("{url}{JWKS_PATH}"),
            });
            return response(StatusCode::OK, json, metadata.to_string());
        }
        response(StatusCode::NOT_FOUND, json, "{}".to_owned())
    }
}

fn response(status: StatusCode, media_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let media_type = header::HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

fn lock<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
