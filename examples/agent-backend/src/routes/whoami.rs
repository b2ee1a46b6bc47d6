//! Who the service takes its caller for.

use axum::Json;
use ringwall_axum::CurrentPrincipal;
use serde_json::{Value, json};

/// The verified caller. Good for finding out why something is refused.
pub(crate) async fn whoami(CurrentPrincipal(principal): CurrentPrincipal) -> Json<Value> {
    let tenant = principal.tenant.as_ref().map(|tenant| {
        json!({
            "org": tenant.org.as_str(),
            "project": tenant.project.as_ref().map(|project| project.as_str()),
        })
    });
    let roles: Vec<_> = principal.roles.iter().map(|role| role.as_str()).collect();
    let scopes: Vec<_> = principal
        .scopes
        .iter()
        .map(|scope| scope.as_str())
        .collect();
    Json(json!({
        "subject": principal.subject.as_str(),
        "kind": principal.kind.as_str(),
        "issuer": principal.issuer.as_deref(),
        "tenant": tenant,
        "roles": roles,
        "scopes": scopes,
        "on_behalf_of": principal.on_behalf_of.as_ref().map(|subject| subject.as_str()),
        "expires_at": principal.authentication.expires_at.map(|at| at.to_string()),
    }))
}
