//! The smallest actix-web service behind Ringwall: `JWKS_FILE=… ISSUER=… AUDIENCE=… actix-minimal`.

use std::{env::var, error::Error, sync::Arc, time::Duration};

use actix_web::web::{Json, Path};
use actix_web::{App, HttpServer};
use ringwall_actix::{CurrentPrincipal, CurrentTenant, GuardedApp, get, on_connect};
use ringwall_authn::jose::FileKeys;
use ringwall_authn::{IssuerPolicy, TokenVerifier};
use ringwall_gate::{AuditScope, Gate};
use serde_json::{Value, json};

#[actix_web::main]
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
    let app = GuardedApp::new(gate)
        .public_route("/healthz", get(healthz).audit(AuditScope::Off))
        .route("/whoami", get(whoami))
        .route("/cases/{id}", get(case).require_scope("cases:read"));
    tracing::info!("routes:\n{}", app.routes()?);

    let guarded = app.build()?;
    let server = HttpServer::new(move || App::new().configure(guarded.configure()))
        .on_connect(on_connect) // so that the gate knows the connection
        .h1_allow_half_closed(false); // so that a caller who leaves is noticed
    Ok(server.bind("127.0.0.1:8080")?.run().await?)
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

async fn case(CurrentTenant(tenant): CurrentTenant, id: Path<u64>) -> Json<Value> {
    Json(json!({ "id": id.into_inner(), "org": tenant.org.as_str() }))
}
