//! Real tokens, from the issuer to the handler.

use std::sync::Arc;
use std::time::Duration;

use ringwall_actix::{
    Claims, CurrentPrincipal, GuardedApp, OptionalPrincipal, any, any_config, get,
};
use ringwall_authn::jose::{Algorithm, StaticKeys};
use ringwall_authn::{
    BearerSource, IssuerPolicy, SigningKey, TokenIssuer, TokenRequest, TokenVerifier,
};
use ringwall_core::audit::MemoryAudit;
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::{OrgId, Scope, Subject, Tenant};
use ringwall_core::profile::Profile;
use ringwall_gate::{AuthenticationRequirement, Error, Gate};
use serde_json::json;

use crate::support::{Keys, Site, serve};

const ISSUER: &str = "https://issuer.example";

pub(crate) struct Tokens {
    issuer: TokenIssuer,
    now: Timestamp,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).expect("random bytes");
        let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).expect("a key");
        Self {
            issuer: TokenIssuer::new(ISSUER, key),
            now: Timestamp::from_unix_seconds(1_800_000_000).expect("in range"),
        }
    }

    pub(crate) fn verifier(&self) -> TokenVerifier {
        let keys = Arc::new(StaticKeys::new(self.issuer.key_set().expect("keys")));
        let policy = IssuerPolicy::builder(ISSUER, "cases", keys)
            .build()
            .expect("a policy");
        TokenVerifier::builder()
            .issuer(policy)
            .build()
            .expect("a verifier")
    }

    pub(crate) fn clock(&self) -> Arc<ManualClock> {
        Arc::new(ManualClock::new(self.now))
    }

    pub(crate) fn token(&self, change: impl FnOnce(TokenRequest) -> TokenRequest) -> String {
        let request = TokenRequest::new(Subject::new("ada").expect("a subject"), "cases")
            .scopes([Scope::new("cases:read").expect("a scope")])
            .tenant(Tenant {
                org: OrgId::new("acme").expect("an id"),
                project: None,
            });
        let issued = self
            .issuer
            .issue(&change(request), self.now)
            .expect("a token");
        issued.token.expose().to_owned()
    }
}

#[derive(serde::Deserialize)]
struct Plan {
    plan: String,
    seats: u32,
}

async fn site(gate: &Gate) -> Site {
    let app = GuardedApp::new(gate.clone())
        .route(
            "/cases",
            get(async |CurrentPrincipal(who): CurrentPrincipal| who.subject.to_string())
                .require_scope("cases:read"),
        )
        .route("/write", get(async || "").require_scope("cases:write"))
        .route(
            "/plan",
            get(async |Claims(Plan { plan, seats }): Claims<Plan>| format!("{plan} {seats}")),
        )
        .route(
            "/maybe",
            get(async |OptionalPrincipal(caller): OptionalPrincipal| {
                caller.map_or("nobody".to_owned(), |caller| caller.subject.to_string())
            })
            .optional(),
        );
    serve(app.build().expect("an app")).await
}

async fn with(site: &Site, token: &str, path: &str) -> (u16, String) {
    let value = format!("Bearer {token}");
    let answer = site
        .send("GET", path, &[("authorization", &value)], "")
        .await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn a_real_token_goes_all_the_way_and_ends_when_it_expires() {
    let tokens = Tokens::new();
    let events = Arc::new(MemoryEvents::new(64));
    let audit = Arc::new(MemoryAudit::new(64));
    let clock = tokens.clock();
    let gate = Gate::builder("cases")
        .tokens(tokens.verifier())
        .audit(audit.clone())
        .events(events.clone())
        .clock(clock.clone())
        .build()
        .expect("a gate");
    let site = site(&gate).await;
    let token = tokens.token(|request| request);
    for _ in 0..2 {
        assert_eq!(with(&site, &token, "/cases").await, (200, "ada".to_owned()));
    }
    assert_eq!(with(&site, &token, "/write").await.0, 403);
    // The gate's clock and sink are the authenticator's too.
    clock.advance(Duration::from_secs(3600));
    assert_eq!(with(&site, &token, "/cases").await.0, 401);
    let kinds: Vec<_> = events.snapshot().iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [
            EventKind::AuthenticationSucceeded,
            EventKind::AuthenticationSucceeded,
            EventKind::AuthenticationSucceeded,
            EventKind::AccessDenied,
            EventKind::AuthenticationFailed,
        ]
    );
    let record = audit.snapshot().remove(0);
    assert_eq!(
        record.intent.principal.expect("somebody").issuer.as_deref(),
        Some(ISSUER)
    );
}

#[tokio::test]
async fn line_35_malformed_bearer_credentials_are_400_also_where_they_are_optional() {
    let tokens = Tokens::new();
    let gate = Gate::builder("cases")
        .tokens(tokens.verifier())
        .authenticator(Keys)
        .without_audit()
        .clock(tokens.clock())
        .build()
        .expect("a gate");
    let site = site(&gate).await;
    let token = tokens.token(|request| request);
    let good = format!("Bearer {token}");
    let joined = format!("Bearer {token}, Bearer {token}");
    let spaced = format!("Bearer  {token}");
    let cases: [&[(&str, &str)]; 7] = [
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer ")],
        &[("authorization", &joined)],
        &[("authorization", &spaced)],
        &[("authorization", &good), ("authorization", &good)],
        &[("authorization", &good), ("authorization", "Basic eDp5")],
        &[("authorization", &good), ("x-api-key", "reader")],
    ];
    for headers in cases {
        for path in ["/cases", "/maybe"] {
            let answer = site.send("GET", path, headers, "").await;
            assert_eq!(answer.status, 400, "{headers:?}");
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert_eq!(
                challenge,
                r#"Bearer realm="cases", error="invalid_request""#
            );
        }
    }
    for value in ["Basic eDp5", "Negotiate x", "Token abc", &token] {
        let answer = site
            .send("GET", "/maybe", &[("authorization", value)], "")
            .await;
        assert_eq!(answer.status, 401, "{value}");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"cases\"")
        );
    }
    assert_eq!(site.get("/maybe").await.body, "nobody");
    // A token in the query is no credential.
    assert_eq!(
        site.get(&format!("/cases?access_token={token}"))
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_token_in_another_field_leaves_authorization_unclaimed() {
    let tokens = Tokens::new();
    let gate = Gate::builder("cases")
        .tokens_from(tokens.verifier(), BearerSource::header("x-token", None))
        .without_audit()
        .clock(tokens.clock())
        .build()
        .expect("a gate");
    let site = site(&gate).await;
    let token = tokens.token(|request| request);
    let bearer = format!("Bearer {token}");
    let alone = site.send("GET", "/cases", &[("x-token", &token)], "").await;
    assert_eq!(alone.status, 200);
    let both = [
        ("x-token", token.as_str()),
        ("authorization", bearer.as_str()),
    ];
    assert_eq!(site.send("GET", "/cases", &both, "").await.status, 400);
    assert_eq!(with(&site, &token, "/maybe").await.0, 401);
}

#[tokio::test]
async fn typed_claims_are_read_and_those_that_do_not_fit_are_403() {
    let tokens = Tokens::new();
    let events = Arc::new(MemoryEvents::new(64));
    let gate = Gate::builder("cases")
        .tokens(tokens.verifier())
        .authenticator(Keys)
        .without_audit()
        .events(events.clone())
        .clock(tokens.clock())
        .build()
        .expect("a gate");
    let site = site(&gate).await;
    let good = tokens.token(|request| request.claim("plan", json!("pro")).claim("seats", json!(3)));
    assert_eq!(with(&site, &good, "/plan").await, (200, "pro 3".to_owned()));
    let missing = tokens.token(|request| request.claim("plan", json!("pro")));
    let wrong = tokens.token(|request| {
        request
            .claim("plan", json!("pro"))
            .claim("seats", json!("3"))
    });
    for token in [missing, wrong] {
        let (status, body) = with(&site, &token, "/plan").await;
        assert_eq!(status, 403);
        assert!(!body.contains("seats"), "{body}");
    }
    // Somebody who was authenticated without a token has no claims.
    let key = site
        .send("GET", "/plan", &[("x-api-key", "reader")], "")
        .await;
    assert_eq!(key.status, 403);
    assert_eq!(events.count(EventKind::AccessDenied), 3);
}

#[test]
fn a_development_verifier_cannot_guard_production() {
    let verifier = || {
        let builder = TokenVerifier::builder().profile(Profile::Development);
        builder.build().expect("a verifier")
    };
    let gate = Gate::builder("cases").tokens(verifier()).without_audit();
    assert_eq!(gate.build().err(), Some(Error::DevelopmentVerifier));
    let gate = Gate::builder("cases").tokens(verifier()).without_audit();
    assert!(gate.profile(Profile::Development).build().is_ok());
}

#[tokio::test]
async fn a_login_that_is_too_weak_or_too_old_is_asked_to_step_up_whatever_the_method() {
    let tokens = Tokens::new();
    let clock = tokens.clock();
    let gate = Gate::builder("cases")
        .tokens(tokens.verifier())
        .without_audit()
        .clock(clock.clone())
        .build()
        .expect("a gate");
    let strong = AuthenticationRequirement::acr_values(["urn:example:mfa"])
        .and_then(|classes| classes.with_max_age(Duration::from_secs(300)))
        .expect("a requirement");
    let app = GuardedApp::new(gate)
        .route("/transfer", get(async || "done").step_up(strong.clone()))
        .nest_service("/files", any_config(|_| {}).step_up(strong.clone()))
        .fallback(any(async || "nothing").step_up(strong));
    let site = serve(app.build().expect("an app")).await;
    let now = tokens.now.unix_seconds();
    let login = |class: &str, at: i64| {
        let (class, at) = (json!(class), json!(at));
        tokens.token(move |request| request.claim("acr", class).claim("auth_time", at))
    };
    let expected = "Bearer realm=\"cases\", error=\"insufficient_user_authentication\", \
                    acr_values=\"urn:example:mfa\", max_age=\"300\"";
    let bad = [
        tokens.token(|request| request),
        login("urn:example:pwd", now),
        login("urn:example:mfa", now - 301),
    ];
    for token in bad {
        let value = format!("Bearer {token}");
        let headers = [("authorization", value.as_str())];
        for (method, path) in [
            ("GET", "/transfer"),
            ("HEAD", "/transfer"),
            ("POST", "/files/x"),
            ("GET", "/unknown"),
        ] {
            let answer = site.send(method, path, &headers, "").await;
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), Some(expected));
        }
    }
    let good = login("urn:example:mfa", now - 299);
    assert_eq!(with(&site, &good, "/transfer").await.0, 200);
    // The token is in the cache and good for longer; its login grows old all the same.
    clock.advance(Duration::from_secs(2));
    assert_eq!(with(&site, &good, "/transfer").await.0, 401);
}
