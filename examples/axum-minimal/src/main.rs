//! The smallest axum service behind Ringwall: `JWKS_FILE=… ISSUER=… AUDIENCE=… axum-minimal`.

use std::{env::var, error::Error, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Json, extract::Path};
use ringwall_authn::jose::FileKeys;
use ringwall_authn::{IssuerPolicy, TokenVerifier};
use ringwall_axum::{CurrentPrincipal, CurrentTenant, GuardedRouter, get};
use ringwall_gate::{AuditScope, Gate};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init(); // security events are log lines

    // Who may call: tokens of one issuer, for this service, signed with the keys in a file.
    let keys = FileKeys::builder(setting("JWKS_FILE")?).open()?;
    let _watch = keys.watch(Duration::from_secs(5))?;
    let policy = IssuerPolicy::builder(&setting("ISSUER")?, &setting("AUDIENCE")?, Arc::new(keys));
    let verifier = TokenVerifier::builder().issuer(policy.build()?).build()?;
    let gate = Gate::builder("cases")
        .tokens(verifier)
        .without_audit() // or `.audit(sink)`; one of the two must be said
        .build()?;

    // What they may call: everything is protected, except what says that it is public.
    let router = GuardedRouter::new(gate)
        .public_route("/healthz", get(healthz).audit(AuditScope::Off))
        .route("/whoami", get(whoami))
        .route("/cases/{id}", get(case).require_scope("cases:read"));
    tracing::info!("routes:\n{}", router.routes()?);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    // The peer's address reaches the gate by this make-service.
    let service = router
        .into_router()?
        .into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, service).await?)
}

fn setting(name: &str) -> Result<String, String> {
    var(name).map_err(|error| format!("{name}: {error}"))
}

async fn healthz() -> &'static str {
    "ok"
}

async fn whoami(CurrentPrincipal(caller): CurrentPrincipal) -> Json<Value> {
    Json(json!({ "subject": caller.subject.as_str(), "kind": caller.kind.as_str() }))
}

async fn case(CurrentTenant(tenant): CurrentTenant, Path(id): Path<u64>) -> Json<Value> {
    Json(json!({ "id": id, "org": tenant.org.as_str() }))
}
