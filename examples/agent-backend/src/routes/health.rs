//! Probes.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ringwall_authn::TokenVerifier;
use ringwall_jose::Health;
use serde_json::{Value, json};

use crate::routes::App;
use crate::shared_limits::LimitsHealth;

/// The process runs. An orchestrator that gets no answer restarts it, so nothing outside of the
/// process is asked.
pub(crate) async fn alive() -> &'static str {
    "alive\n"
}

/// The service can do its work: the databases answer, tokens can be verified, it is known which were revoked, and
/// requests can be counted. The answer is for everybody, so it names neither issuers nor causes.
pub(crate) async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let store = app.store.answers().await && app.cases.answers().await;
    // Without the mode `jwt` there are none, and none are needed.
    let needs_keys = !app.verifiers.is_empty();
    let health = app.verifiers.iter().flat_map(TokenVerifier::health);
    // A verifier without any issuer can verify no token either.
    let keys = health
        .map(|(_, health)| health)
        .max_by_key(|health| match health {
            Health::Fresh => 0,
            Health::Stale => 1,
            Health::Unavailable => 2,
        })
        .unwrap_or(Health::Unavailable);
    let credentials = app.credentials.are_ready().await;
    let limits = match &app.shared_limits {
        Some(shared) => shared.health(),
        None => LimitsHealth::Ok,
    };
    let ready = store
        && credentials
        && (!needs_keys || keys != Health::Unavailable)
        && limits != LimitsHealth::Unavailable;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let keys = match keys {
        _ if !needs_keys => "none",
        Health::Fresh => "fresh",
        Health::Stale => "stale",
        Health::Unavailable => "unavailable",
    };
    let store = if store { "ok" } else { "unavailable" };
    let credentials = if credentials { "ok" } else { "unavailable" };
    let limits = limits.as_str();
    let answer = json!({
        "ready": ready,
        "store": store,
        "keys": keys,
        "credentials": credentials,
        "limits": limits,
    });
    (status, Json(answer))
}
