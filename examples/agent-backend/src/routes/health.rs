//! Probes.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ringwall_jose::Health;
use serde_json::{Value, json};

use crate::routes::App;

/// The process runs. An orchestrator that gets no answer restarts it, so nothing outside of the
/// process is asked.
pub(crate) async fn alive() -> &'static str {
    "alive\n"
}

/// The service can do its work: the databases answer, tokens can be verified, and it
/// is known which were revoked. The answer is for
/// everybody, so it names neither issuers nor causes.
pub(crate) async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let store = app.store.answers().await;
    let health = app.verifier.health();
    // Without any issuer no token can be verified either.
    let keys = health
        .iter()
        .map(|(_, health)| *health)
        .max_by_key(|health| match health {
            Health::Fresh => 0,
            Health::Stale => 1,
            Health::Unavailable => 2,
        })
        .unwrap_or(Health::Unavailable);
    let credentials = app.credentials.are_ready().await;
    let ready = store && credentials && keys != Health::Unavailable;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let keys = match keys {
        Health::Fresh => "fresh",
        Health::Stale => "stale",
        Health::Unavailable => "unavailable",
    };
    let store = if store { "ok" } else { "unavailable" };
    let credentials = if credentials { "ok" } else { "unavailable" };
    let answer =
        json!({ "ready": ready, "store": store, "keys": keys, "credentials": credentials });
    (status, Json(answer))
}
