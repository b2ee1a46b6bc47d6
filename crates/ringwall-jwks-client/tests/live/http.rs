//! What [`HttpFetcher`] sends, and what it makes of every kind of answer.

mod addresses;
mod answers;
mod bodies;
mod connections;
mod environment;
mod requests;
mod trust;

use core::time::Duration;

use ringwall_core::profile::Profile;
use ringwall_jwks_client::{
    Endpoint, EntityTag, FetchError, FetchErrorKind, FetchRequest, Fetched, HttpFetcher,
    JwksFetcher,
};

use crate::server::{Answer, Authority, Behaviour, Server};

/// The size that a test's documents stay below.
const MAX_BYTES: usize = 64 * 1024;

/// No fetch of a test takes longer, unless the test is about that.
const PATIENCE: Duration = Duration::from_secs(10);

const BODY: &str = r#"{"keys":[]}"#;

fn served() -> Behaviour {
    Behaviour::Serve(Answer::json(BODY))
}

/// Without the platform's roots, so that a test needs none.
fn fetcher() -> HttpFetcher {
    fetcher_trusting(&Authority::new())
}

fn fetcher_trusting(authority: &Authority) -> HttpFetcher {
    HttpFetcher::builder()
        .root_certificates_pem(authority.pem())
        .only_root_certificates()
        .build()
        .unwrap()
}

fn development(url: &str) -> FetchRequest {
    request(url, Profile::Development)
}

fn production(url: &str) -> FetchRequest {
    request(url, Profile::Production)
}

fn request(url: &str, profile: Profile) -> FetchRequest {
    FetchRequest::new(Endpoint::new(url, profile).expect(url), MAX_BYTES)
}

async fn fetch(fetcher: &HttpFetcher, request: FetchRequest) -> Result<Fetched, FetchError> {
    let fetched = tokio::time::timeout(PATIENCE, fetcher.fetch(request)).await;
    fetched.expect("a fetch that ends")
}

/// Fetches from `server` in the development profile.
async fn fetch_from(server: &Server) -> Result<Fetched, FetchError> {
    fetch(&fetcher(), development(&server.url("/jwks"))).await
}

/// What a server that behaves so is told.
async fn kind_for(behaviour: Behaviour) -> FetchErrorKind {
    let server = Server::start(behaviour).await;
    fetch_from(&server).await.expect_err("refused").kind()
}

fn document(
    fetched: Result<Fetched, FetchError>,
) -> (Vec<u8>, Option<Duration>, Option<EntityTag>) {
    match fetched.unwrap() {
        Fetched::Document {
            body,
            max_age,
            entity_tag,
        } => (body, max_age, entity_tag),
        Fetched::NotModified { .. } => panic!("no document"),
    }
}

/// The error and all its causes, as a log would show them.
fn shown(error: &FetchError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = core::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!("; {error} {error:?}"));
        cause = error.source();
    }
    text
}

/// Waits for what the other side of a socket sees a moment later.
async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never so: {what}");
}
