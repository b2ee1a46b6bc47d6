//! The routes of the corpus as tower services: a plain router of axum's, with a layer of
//! `ringwall-tower` around each route.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, OriginalUri};
use axum::http::{Extensions, Method};
use axum::routing::{MethodRouter, any, delete, get, head, post};
use ringwall_core::denial::Denial;
use ringwall_gate::{Access, AuditScope, Door, Gate, RouteDemand, RoutePolicy};
use ringwall_tower::{GateLayer, GateService, Origin, refusal};
use tower::Layer as _;

use crate::axum_site::{deny, dossier, drain, everything, listen, maybe, me, show, tenant, watch};
use crate::gates::{Bench, LARGE, step_up};

/// Serves the routes behind the gate of `bench`.
pub(crate) async fn serve(bench: &Bench) -> SocketAddr {
    listen(routes(&bench.gate), bench).await
}

/// What a user of the layer has to say where a router in front cuts prefixes off.
fn origin(extensions: &Extensions) -> Origin<'_> {
    Origin {
        uri: extensions.get::<OriginalUri>().map(|uri| &uri.0),
        ..Origin::plain(extensions)
    }
}

fn layer(door: Door) -> GateLayer {
    GateLayer::new(door).with_origin(origin)
}

/// Registers routes, each with its door.
struct Doors<'a>(&'a Gate);

impl Doors<'_> {
    fn policy(name: &str, access: Access) -> RoutePolicy {
        RoutePolicy::new(name, access)
    }

    /// The methods of one path, and the answer to all others.
    fn path(
        &self,
        path: &str,
        allow: &str,
        methods: Vec<(RoutePolicy, MethodRouter)>,
    ) -> MethodRouter {
        let others = Self::policy(&format!("OTHER {path}"), Access::Authenticated);
        let denial = Denial::MethodNotAllowed {
            allow: allow.into(),
        };
        let rest = refuses(denial).layer(layer(self.0.door(others)));
        methods.into_iter().fold(rest, |joined, (policy, route)| {
            joined.merge(route.layer(layer(self.0.door(policy))))
        })
    }

    /// A path that is for `GET` alone.
    fn get(&self, path: &str, access: Access, route: MethodRouter) -> MethodRouter {
        let policy = Self::policy(&format!("GET {path}"), access);
        self.path(path, "GET, HEAD", vec![(policy, route)])
    }

    /// Everything below a prefix.
    fn mount(&self, prefix: &str, access: Access) -> GateService<Router> {
        let policy = Self::policy(&format!("ANY {prefix}/*"), access);
        layer(self.0.door(policy)).layer(everything())
    }
}

/// A handler that refuses whoever came through its door.
fn refuses(denial: Denial) -> MethodRouter {
    any(async move |method: Method| refusal(&denial, method == Method::HEAD).map(Body::from))
}

fn scopes(scopes: &[&str]) -> Access {
    Access::all_scopes(scopes.iter().copied()).expect("scopes")
}

/// The routes that demand something of the authorization policy.
fn demanding(doors: &Doors<'_>, router: Router) -> Router {
    let policy = |name: &str, access: Access, demand: RouteDemand| {
        let policy = Doors::policy(name, access).with_demand(demand);
        policy.expect("a route that asks")
    };
    let any = || Access::Authenticated;
    let role = || RouteDemand::none().role("manager");
    let permission =
        |resource: &str, action: &str| RouteDemand::none().permission(resource, action);
    let read = permission("payment", "read");
    let write = permission("payment", "write");
    let payments = vec![
        (policy("GET /payments", any(), read), get(show)),
        (policy("POST /payments", any(), write), post(show)),
    ];
    let plain = [
        ("/ledger", any(), role(), get(show)),
        ("/payroll", any(), permission("payroll", "read"), get(show)),
        ("/vault", scopes(&["vault:open"]), role(), get(show)),
        ("/dossier", any(), RouteDemand::none(), get(dossier)),
        ("/feed", any(), role(), get(watch)),
    ];
    let payments = doors.path("/payments", "GET, POST, HEAD", payments);
    let mut router = router.route("/payments", payments);
    for (path, access, demand, route) in plain {
        let policy = policy(&format!("GET {path}"), access, demand);
        router = router.route(path, doors.path(path, "GET, HEAD", vec![(policy, route)]));
    }
    router
}

fn routes(gate: &Gate) -> Router {
    let doors = Doors(gate);
    let policy = |name: &str, scope: &str| Doors::policy(name, scopes(&[scope]));
    let cases = vec![
        (policy("GET /cases", "cases:read"), get(show)),
        (
            policy("POST /cases", "cases:write").with_body_limit(64),
            post(show),
        ),
    ];
    let delete_case = policy("DELETE /cases/{id}", "cases:delete")
        .with_authentication(step_up())
        .expect("a route that asks");
    let case = vec![
        (policy("GET /cases/{id}", "cases:read"), get(show)),
        (delete_case, delete(show)),
    ];
    let report = vec![
        (policy("GET /report", "cases:read"), get(show)),
        (policy("HEAD /report", "cases:write"), head(show)),
    ];
    let health = Doors::policy("GET /health", Access::Public)
        .with_audit(AuditScope::DenialsOnly)
        .permit_plain_http();
    let page = any(show)
        .layer(layer(
            gate.door(Doors::policy("ANY /page", Access::Authenticated)),
        ))
        .merge(get(show).layer(layer(gate.door(Doors::policy("GET /page", Access::Public)))));
    let unknown = Doors::policy("ANY (unknown path)", Access::Authenticated);
    let either = Access::any_scope(["cases:read", "cases:write"]).expect("scopes");
    let org = "/api/orgs/{org}/cases/{id}";
    let drained = policy("POST /drain", "cases:write").with_body_limit(64);
    let large = policy("POST /large", "cases:write").with_body_limit(LARGE);
    let plain = [
        ("/either", either, get(show)),
        ("/me", Access::Authenticated, get(me)),
        ("/optional", Access::Optional, get(maybe)),
        ("/public", Access::Public, get(show)),
        ("/deny", Access::Public, get(deny)),
        ("/misplaced", Access::Public, get(me)),
        ("/tenant", Access::Authenticated, get(tenant)),
        ("/watch", scopes(&["cases:read"]), get(watch)),
        ("/api", Access::Authenticated, get(show)),
        ("/api/admin", scopes(&["admin"]), get(show)),
        ("/api/public", Access::Public, get(show)),
        (org, scopes(&["cases:read"]), get(show)),
    ];
    let mut router = Router::new();
    for (path, access, route) in plain {
        router = router.route(path, doors.get(path, access, route));
    }
    if let Some(resource) = gate.protected_resource() {
        let (path, document) = (resource.path(), resource.document().to_owned());
        let policy = Doors::policy("GET metadata", Access::Public);
        let policy = policy.with_audit(AuditScope::DenialsOnly);
        let route = get(async move || document.clone());
        router = router.route(path, doors.path(path, "GET, HEAD", vec![(policy, route)]));
    }
    if gate.authorization().is_some() {
        router = demanding(&doors, router);
    }
    router
        .route("/cases", doors.path("/cases", "GET, POST, HEAD", cases))
        .route(
            "/cases/{id}",
            doors.path("/cases/{id}", "GET, DELETE, HEAD", case),
        )
        .route("/report", doors.path("/report", "GET, HEAD", report))
        .route(
            "/health",
            doors.path("/health", "GET, HEAD", vec![(health, get(show))]),
        )
        .route("/page", page)
        .route(
            "/drain",
            doors.path("/drain", "POST", vec![(drained, post(drain))]),
        )
        .route(
            "/large",
            // What axum's own extractors read at most is not the layer's to say.
            doors
                .path("/large", "POST", vec![(large, post(show))])
                .layer(DefaultBodyLimit::disable()),
        )
        .nest_service("/files", doors.mount("/files", scopes(&["files:read"])))
        .nest_service("/open", doors.mount("/open", Access::Public))
        .fallback_service(refuses(Denial::NotFound).layer(layer(gate.door(unknown))))
}
