//! A fetcher that follows a script, on tokio's paused time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ringwall_core::clock::MonotonicClock;
use ringwall_core::event::MemoryEvents;
use ringwall_core::step::BoxFuture;
use ringwall_jose::{Health, KeySource as _, base64url};
use ringwall_jwks_client::{
    FetchError, FetchErrorKind, FetchRequest, Fetched, JwksClient, JwksClientBuilder, JwksFetcher,
    RefreshPolicy,
};

pub(crate) const URL: &str = "https://issuer.example/jwks";
pub(crate) const ISSUER: &str = "https://issuer.example";

pub(crate) type Answer = Result<Fetched, FetchError>;

/// What the server does with one request.
pub(crate) enum Reply {
    Now(Answer),
    After(Duration, Answer),
    Never,
    Panic,
}

type Script = Box<dyn FnMut(&FetchRequest) -> Reply + Send>;

/// A fetcher that does as it is told, and remembers what it was asked for.
pub(crate) struct Scripted {
    script: Mutex<Script>,
    requests: Mutex<Vec<FetchRequest>>,
    running: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    pub(crate) fn new(script: impl FnMut(&FetchRequest) -> Reply + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(Box::new(script)),
            requests: Mutex::new(Vec::new()),
            running: Arc::new(AtomicUsize::new(0)),
        })
    }

    /// Serves `document` until told otherwise.
    pub(crate) fn serving(document: &str) -> Arc<Self> {
        let document = document.to_owned();
        Self::new(move |_| Reply::Now(body(&document)))
    }

    pub(crate) fn set(&self, script: impl FnMut(&FetchRequest) -> Reply + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    pub(crate) fn serve(&self, document: &str) {
        let document = document.to_owned();
        self.set(move |_| Reply::Now(body(&document)));
    }

    pub(crate) fn fail(&self) {
        self.set(|_| Reply::Now(Err(FetchError::new(FetchErrorKind::Connect))));
    }

    pub(crate) fn calls(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub(crate) fn requests(&self) -> Vec<FetchRequest> {
        self.requests.lock().unwrap().clone()
    }

    /// How many fetches are under way.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }
}

struct Count(Arc<AtomicUsize>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl JwksFetcher for Scripted {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<Answer> {
        let reply = (self.script.lock().unwrap_or_else(|e| e.into_inner()))(&request);
        self.requests.lock().unwrap().push(request);
        self.running.fetch_add(1, Ordering::SeqCst);
        let count = Count(Arc::clone(&self.running));
        Box::pin(async move {
            let _count = count;
            match reply {
                Reply::Now(answer) => answer,
                Reply::After(pause, answer) => {
                    tokio::time::sleep(pause).await;
                    answer
                }
                Reply::Never => std::future::pending().await,
                Reply::Panic => panic!("on purpose"),
            }
        })
    }
}

pub(crate) fn body(document: &str) -> Answer {
    Ok(Fetched::Document {
        body: document.as_bytes().to_vec(),
        max_age: None,
        entity_tag: None,
    })
}

pub(crate) fn status(status: u16) -> Answer {
    Err(FetchError::new(FetchErrorKind::Status(status)))
}

/// The JSON Web Key of this id; the same id gives the same key within a process.
pub(crate) fn jwk(id: &str) -> String {
    static KEYS: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);
    let mut keys = KEYS.lock().unwrap();
    keys.get_or_insert_with(HashMap::new)
        .entry(id.to_owned())
        .or_insert_with(|| fresh_jwk(id))
        .clone()
}

/// Another key under this id.
pub(crate) fn fresh_jwk(id: &str) -> String {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let x = base64url::encode(pair.public_key().as_ref());
    format!(r#"{{"kty":"OKP","crv":"Ed25519","use":"sig","kid":"{id}","x":"{x}"}}"#)
}

pub(crate) fn set(ids: &[&str]) -> String {
    let keys: Vec<_> = ids.iter().map(|id| jwk(id)).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

pub(crate) fn metadata(issuer: &str, jwks_uri: &str) -> String {
    format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#)
}

/// Tokio's time, which a test can pause and which then runs ahead by itself.
#[derive(Debug)]
pub(crate) struct TokioClock(tokio::time::Instant);

impl TokioClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(tokio::time::Instant::now()))
    }
}

impl MonotonicClock for TokioClock {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

pub(crate) struct Bench {
    pub(crate) fetcher: Arc<Scripted>,
    pub(crate) events: Arc<MemoryEvents>,
    pub(crate) client: JwksClient,
}

impl Bench {
    pub(crate) fn new(fetcher: &Arc<Scripted>) -> Self {
        Self::with(fetcher, |builder| builder)
    }

    pub(crate) fn with(
        fetcher: &Arc<Scripted>,
        options: impl FnOnce(JwksClientBuilder) -> JwksClientBuilder,
    ) -> Self {
        Self::from(fetcher, options, JwksClient::builder)
    }

    pub(crate) fn discovering(fetcher: &Arc<Scripted>) -> Self {
        Self::from(
            fetcher,
            |builder| builder,
            |_, fetcher| JwksClient::discover(ISSUER, fetcher),
        )
    }

    fn from(
        fetcher: &Arc<Scripted>,
        options: impl FnOnce(JwksClientBuilder) -> JwksClientBuilder,
        builder: impl FnOnce(&str, Arc<dyn JwksFetcher>) -> JwksClientBuilder,
    ) -> Self {
        let events = Arc::new(MemoryEvents::new(1000));
        let shared: Arc<dyn JwksFetcher> = Arc::<Scripted>::clone(fetcher);
        let builder = builder(URL, shared)
            .clock(TokioClock::new())
            .events(Arc::<MemoryEvents>::clone(&events));
        let client = options(builder).start().unwrap();
        Self {
            fetcher: Arc::clone(fetcher),
            events,
            client,
        }
    }

    /// A client that has fetched its keys.
    pub(crate) async fn ready(fetcher: &Arc<Scripted>) -> Self {
        let bench = Self::new(fetcher);
        bench.client.prefetch().await.unwrap();
        bench
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.client
            .keys()
            .is_ok_and(|keys| keys.find(Some(id)).is_some())
    }

    pub(crate) fn health(&self) -> Health {
        self.client.health()
    }

    pub(crate) fn causes(&self) -> Vec<&'static str> {
        let events = self.events.snapshot();
        events.iter().map(|event| event.cause).collect()
    }
}

pub(crate) fn policy() -> RefreshPolicy {
    RefreshPolicy::default()
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets this much time pass, and whoever is woken by it run.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
