//! What the service answers. Each route stands here with what it demands; what does not stand here
//! is refused.

mod api_keys;
mod audit;
mod cases;
mod health;
mod json;
mod key_set;
mod limits;
mod login;
mod members;
mod organisation;
mod page;
mod problem;
mod project;
mod search;
mod whoami;

use std::sync::Arc;

use axum::Router;
use ringwall_authn::{TokenIssuer, TokenVerifier};
use ringwall_axum::{Error, GuardedRouter, Routes, delete, get, patch, post, put};
use ringwall_core::audit::MemoryAudit;
use ringwall_core::clock::{MonotonicClock, WallClock};
use ringwall_gate::authz::SubjectDirectory;
use ringwall_gate::{AuditScope, AuthenticationRequirement, Gate, RateLimits};

use crate::case_store::CaseStore;
use crate::credentials::Credentials;
use crate::project_limits::ProjectLimits;
use crate::settings::Settings;
use crate::shared_limits::SharedLimits;
use crate::store::Store;

/// The longest body that a route reads: a case of full length, every character of it escaped.
const BODY_LIMIT: u64 = 128 * 1024;

/// What the handlers work with. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) cases: CaseStore,
    /// Who is what, by whom the authorization policy decides.
    pub(crate) directory: Arc<dyn SubjectDirectory>,
    pub(crate) credentials: Credentials,
    pub(crate) settings: Settings,
    pub(crate) project_limits: ProjectLimits,
    /// Those of the gate, and the clock by which they count.
    pub(crate) limits: RateLimits,
    pub(crate) limit_clock: Arc<dyn MonotonicClock>,
    /// None where limits are counted in this process.
    pub(crate) shared_limits: Option<SharedLimits>,
    pub(crate) clock: Arc<dyn WallClock>,
    pub(crate) audit: Arc<MemoryAudit>,
    /// None without the mode `jwt`.
    pub(crate) verifiers: Arc<[TokenVerifier]>,
    /// The development issuer, when there is one.
    pub(crate) issuer: Option<Arc<TokenIssuer>>,
}

/// The routes of the service behind `gate`, and the list of them for the log of a start.
///
/// What cannot be taken back demands `step_up` of the caller's login: whoever took over a session,
/// or an agent that runs on its own, can change a case, and cannot make it go away.
pub(crate) fn router(
    gate: Gate,
    app: App,
    step_up: &AuthenticationRequirement,
) -> Result<(Router, Routes), Error> {
    // Probes are asked every second, from beside the service; what they are refused for is still recorded.
    let probe = AuditScope::DenialsOnly;
    let names_resource = gate.protected_resource().is_some();
    let mut routes = GuardedRouter::new(gate)
        .public_route(
            "/healthz",
            get(health::alive)
                .audit(probe)
                .permit_plain_http()
                .without_limits(),
        )
        .public_route(
            "/readyz",
            get(health::ready)
                .audit(probe)
                .permit_plain_http()
                .without_limits(),
        )
        .public_route("/", get(page::index).audit(probe))
        .public_route("/page.js", get(page::script).audit(probe))
        .public_route("/page.css", get(page::style).audit(probe))
        .route("/api/whoami", get(whoami::whoami))
        .route("/v1/limits", get(limits::limits))
        .route("/api/audit", get(audit::list).require_scope("audit:read"))
        .route(
            "/api/cases",
            get(cases::list).require_scope("cases:read").and(
                post(cases::create)
                    .require_scope("cases:write")
                    .body_limit(BODY_LIMIT),
            ),
        )
        .route(
            "/api/cases/{id}",
            get(cases::get)
                .require_scope("cases:read")
                .and(
                    patch(cases::update)
                        .require_scope("cases:write")
                        .body_limit(BODY_LIMIT),
                )
                .and(
                    delete(cases::delete)
                        .require_scope("cases:write")
                        .step_up(step_up.clone()),
                ),
        )
        .route(
            "/api/cases/{id}/assignments/{user}",
            put(cases::assign)
                .require_scope("cases:write")
                .and(delete(cases::unassign).require_scope("cases:write")),
        )
        .route(
            "/v1/discover",
            post(search::discover)
                .require_scope("cases:read")
                .tier(search::TIER),
        )
        .route(
            "/v1/evaluate",
            post(search::evaluate)
                .require_scope("cases:read")
                .body_limit(BODY_LIMIT)
                .tier(search::TIER),
        );
    for path in ["/auth/login", "/auth/register", "/auth/reset-password"] {
        routes = routes.public_route(
            path,
            post(login::refuse)
                .body_limit(login::BODY_LIMIT)
                .tier(login::TIER),
        );
    }
    if app.credentials.takes_api_keys {
        routes = routes
            .route(
                "/v1/auth/api-keys",
                get(api_keys::list)
                    .require_scope("settings:read")
                    .and(post(api_keys::create).require_scope("settings:write")),
            )
            .route(
                "/v1/auth/api-keys/{id}",
                get(api_keys::get)
                    .require_scope("settings:read")
                    .and(delete(api_keys::revoke).require_scope("settings:write")),
            )
            .route(
                "/v1/orgs/{org}/projects/{project}/api-keys/{id}/rotate",
                post(api_keys::rotate).require_scope("settings:write"),
            );
    }
    routes = routes
        .route(
            "/v1/orgs/{org}/settings",
            get(organisation::settings)
                .require_scope("settings:read")
                .and(
                    patch(organisation::change)
                        .require_scope("settings:write")
                        .step_up(step_up.clone()),
                ),
        )
        .route(
            "/v1/projects/{project}/settings",
            get(project::settings)
                .require_scope("settings:read")
                .and(patch(project::change).require_scope("settings:write")),
        )
        .route(
            "/v1/orgs/{org}/members/{subject}",
            get(members::get)
                .require_scope("settings:read")
                .require_permission("read", "member")
                .and(
                    put(members::put)
                        .require_scope("settings:write")
                        .require_permission("write", "member")
                        .step_up(step_up.clone()),
                ),
        )
        .route(
            "/v1/orgs/{org}/revoke",
            post(organisation::revoke)
                .require_scope("settings:write")
                .step_up(step_up.clone()),
        );
    if app.issuer.is_some() {
        routes = routes.public_route(
            "/.well-known/jwks.json",
            get(key_set::published).audit(probe),
        );
    }
    if names_resource {
        routes = routes.resource_metadata();
    }
    let routes = routes.with_state(app);
    let listed = routes.routes()?;
    Ok((routes.into_router()?, listed))
}

#[cfg(test)]
mod tests;
