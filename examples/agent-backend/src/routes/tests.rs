use core::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use ringwall_authn::{IssuerPolicy, SigningKey};
use ringwall_core::clock::SystemClock;
use ringwall_core::profile::Profile;
use ringwall_gate::authz::{MemoryDirectory, NoObserver, PolicyHandle};
use ringwall_gate::rate_limit::{LimitRules, Quota};
use ringwall_gate::{Authorization, ProtectedResource};
use ringwall_jose::{Algorithm, StaticKeys};
use ringwall_redis::{RedisClient, RedisConfig};

use super::*;
use crate::authorization::Members;
use crate::case_store::SqliteCases;

/// The defaults, with a ceiling.
fn limits() -> RateLimits {
    let standard = LimitRules::standard().expect("right numbers");
    let tenant = standard.find("tenant").expect("a default").clone();
    let ceiling = Quota::per_second(50).and_then(|quota| quota.burst(100));
    let ceiling = ceiling.expect("a quota");
    let rules = standard.limit(tenant.ceiling(ceiling)).build();
    RateLimits::in_memory(rules.expect("sound"), 100)
}

async fn app(with_issuer: bool) -> (tempfile::TempDir, App) {
    let (folder, credentials) = Credentials::for_test().await;
    let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).expect("random bytes");
    let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).expect("a key");
    let issuer = TokenIssuer::new("https://issuer.example", key);
    let keys = Arc::new(StaticKeys::new(issuer.key_set().expect("a key")));
    let policy = IssuerPolicy::builder("https://issuer.example", "https://api.example", keys);
    let verifier = TokenVerifier::builder().issuer(policy.build().expect("sound"));
    let store = Store::in_memory().await.expect("a database");
    let limits = limits();
    let app = App {
        cases: CaseStore::Sqlite(SqliteCases::new(store.clone())),
        directory: Arc::new(MemoryDirectory::new()),
        credentials,
        settings: Settings::open(store.clone(), Arc::new([]))
            .await
            .expect("settings"),
        project_limits: ProjectLimits::open(store.clone(), limits.rules().clone())
            .await
            .expect("settings"),
        limits,
        limit_clock: Arc::new(SystemClock::new()),
        shared_limits: None,
        store,
        clock: Arc::new(SystemClock::new()),
        audit: Arc::new(MemoryAudit::new(16)),
        verifiers: Arc::new([verifier.build().expect("sound")]),
        issuer: with_issuer.then(|| Arc::new(issuer)),
    };
    (folder, app)
}

/// The policy of the service.
fn authorization(app: &App) -> Authorization {
    let policy = crate::authorization::policy().expect("a policy");
    let policy = PolicyHandle::new(policy, Arc::new(NoObserver));
    let members = Members::new(app.directory.clone(), Arc::new([]));
    Authorization::new(policy, Arc::new(members))
}

async fn table(with_issuer: bool, with_resource: bool) -> String {
    let (_folder, app) = app(with_issuer).await;
    let mut gate = Gate::builder("test")
        .without_authenticators()
        .audit(app.audit.clone())
        .rate_limits(app.limits.clone())
        .authorization(authorization(&app))
        .profile(Profile::Production);
    if with_resource {
        let resource = ProtectedResource::builder("https://api.example", "https://issuer.example");
        gate = gate.protected_resource(resource.build().expect("sound"));
    }
    let gate = gate.build().expect("sound");
    let step_up = AuthenticationRequirement::max_age(Duration::from_secs(300)).expect("sound");
    let (_, routes) = router(gate, app, &step_up).expect("sound");
    routes.to_string()
}

/// A route that became public, or lost its scope, shows here.
const PRODUCTION: &str = "\
GET     /healthz                                               public, plain HTTP too, no limits
GET     /readyz                                                public, plain HTTP too, no limits
GET     /                                                      public
GET     /page.js                                               public
GET     /page.css                                              public
GET     /api/whoami                                            authenticated
GET     /v1/limits                                             authenticated
GET     /api/audit                                             all of audit:read
GET     /api/cases                                             all of cases:read
POST    /api/cases                                             all of cases:write
GET     /api/cases/{id}                                        all of cases:read
PATCH   /api/cases/{id}                                        all of cases:write
DELETE  /api/cases/{id}                                        all of cases:write, login: at most 300 s old
PUT     /api/cases/{id}/assignments/{user}                     all of cases:write
DELETE  /api/cases/{id}/assignments/{user}                     all of cases:write
POST    /v1/discover                                           all of cases:read, limits: heavy
POST    /v1/evaluate                                           all of cases:read, limits: heavy
POST    /auth/login                                            public, limits: auth
POST    /auth/register                                         public, limits: auth
POST    /auth/reset-password                                   public, limits: auth
GET     /v1/auth/api-keys                                      all of settings:read
POST    /v1/auth/api-keys                                      all of settings:write
GET     /v1/auth/api-keys/{id}                                 all of settings:read
DELETE  /v1/auth/api-keys/{id}                                 all of settings:write
POST    /v1/orgs/{org}/projects/{project}/api-keys/{id}/rotate all of settings:write
GET     /v1/orgs/{org}/settings                                all of settings:read
PATCH   /v1/orgs/{org}/settings                                all of settings:write, login: at most 300 s old
GET     /v1/projects/{project}/settings                        all of settings:read
PATCH   /v1/projects/{project}/settings                        all of settings:write
GET     /v1/orgs/{org}/members/{subject}                       all of settings:read, permission: read member
PUT     /v1/orgs/{org}/members/{subject}                       all of settings:write, login: at most 300 s old, permission: write member
POST    /v1/orgs/{org}/revoke                                  all of settings:write, login: at most 300 s old
ANY     (unknown path)                                         authenticated
";

#[tokio::test]
async fn the_routes_are_these_and_no_others() {
    assert_eq!(table(false, false).await, PRODUCTION);
}

/// The lines that `table` has and [`PRODUCTION`] has not, spaces folded: one path that is longer
/// than the others widens every line.
fn added(table: &str) -> Vec<String> {
    let fold = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let known: Vec<_> = PRODUCTION.lines().map(fold).collect();
    let lines = table.lines().map(fold);
    lines.filter(|line| !known.contains(line)).collect()
}

#[tokio::test]
async fn without_the_mode_there_are_no_routes_for_api_keys() {
    let (_folder, mut app) = app(false).await;
    app.credentials.takes_api_keys = false;
    let gate = Gate::builder("test")
        .without_authenticators()
        .audit(app.audit.clone())
        .rate_limits(app.limits.clone())
        .authorization(authorization(&app))
        .build()
        .expect("sound");
    let step_up = AuthenticationRequirement::max_age(Duration::from_secs(300)).expect("sound");
    let (_, routes) = router(gate, app, &step_up).expect("sound");
    let routes = routes.to_string();
    assert!(
        !routes.contains("api-keys") && routes.contains("/v1/orgs/{org}/revoke"),
        "{routes}"
    );
}

#[tokio::test]
async fn a_development_issuer_adds_its_keys_and_nothing_else() {
    let development = table(true, false).await;
    assert_eq!(added(&development), ["GET /.well-known/jwks.json public"]);
    assert_eq!(development.lines().count(), PRODUCTION.lines().count() + 1);
}

#[tokio::test]
async fn an_outside_issuer_adds_the_metadata_and_nothing_else() {
    let production = table(false, true).await;
    let metadata = "GET /.well-known/oauth-protected-resource public";
    assert_eq!(added(&production), [metadata]);
    assert_eq!(production.lines().count(), PRODUCTION.lines().count() + 1);
}

#[tokio::test]
async fn without_a_database_an_issuer_or_the_store_of_its_limits_the_service_is_not_ready() {
    let (_folder, whole) = app(false).await;
    let (status, answer) = health::ready(State(whole.clone())).await;
    assert_eq!(status, StatusCode::OK, "{answer:?}");

    let nobody = TokenVerifier::builder().build().expect("sound");
    let closed = App {
        verifiers: Arc::new([nobody]),
        ..whole.clone()
    };
    let (status, answer) = health::ready(State(closed)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");

    // A service that takes no tokens needs no keys.
    let without_tokens = App {
        verifiers: Arc::new([]),
        ..whole.clone()
    };
    let (status, answer) = health::ready(State(without_tokens)).await;
    assert_eq!((status, &answer["keys"]), (StatusCode::OK, &"none".into()));

    // Nobody with a token would be served without the limits.
    let nowhere = RedisClient::start(RedisConfig::new("127.0.0.1", 1)).expect("a configuration");
    let without_limits = App {
        shared_limits: Some(SharedLimits::new(nowhere, whole.limits.rules())),
        ..whole.clone()
    };
    let (status, answer) = health::ready(State(without_limits)).await;
    assert_eq!(
        (status, &answer["limits"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"unavailable".into())
    );

    whole.store.close().await;
    let (status, answer) = health::ready(State(whole)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
}
