//! Real tokens, from the issuer to the handler.

use std::sync::Arc;
use std::time::Duration;

use ringwall_authn::jose::{Algorithm, StaticKeys};
use ringwall_authn::{IssuerPolicy, SigningKey, TokenIssuer, TokenRequest, TokenVerifier};
use ringwall_core::audit::MemoryAudit;
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::event::MemoryEvents;
use ringwall_core::principal::{OrgId, Scope, Subject, Tenant};
use ringwall_gate::{AuthenticationRequirement, Gate};
use ringwall_tonic::{Claims, CurrentTenant, GuardedRoutes, authenticated, guard, require_scope};
use serde_json::json;
use tonic::{Code, Request, Status};

use crate::cases::Desk;
use crate::generated::cases_server::CasesServer;
use crate::raw::Call;
use crate::support::{Site, serve, soon};

const ISSUER: &str = "https://issuer.example";

const LIFETIME: Duration = Duration::from_secs(600);

struct Tokens {
    issuer: TokenIssuer,
    now: Timestamp,
    clock: Arc<ManualClock>,
    site: Site,
}

#[derive(serde::Deserialize)]
struct Plan {
    plan: String,
    seats: u32,
}

/// Tells the tenant and the plan, for whoever has them.
fn tells(mut request: Request<()>) -> Result<Request<()>, Status> {
    let CurrentTenant(tenant) = CurrentTenant::from_request(&request)?;
    let Claims(Plan { plan, seats }) = Claims::from_request(&request)?;
    let told = format!("{} {plan} {seats}", tenant.org);
    let value = told.parse().expect("a value");
    request.metadata_mut().insert("told", value);
    Ok(request)
}

impl Tokens {
    async fn new() -> Self {
        let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).expect("random bytes");
        let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).expect("a key");
        let issuer = TokenIssuer::new(ISSUER, key);
        let now = Timestamp::from_unix_seconds(1_800_000_000).expect("in range");
        let clock = Arc::new(ManualClock::new(now));
        let keys = Arc::new(StaticKeys::new(issuer.key_set().expect("keys")));
        let policy = IssuerPolicy::builder(ISSUER, "cases", keys);
        let verifier = TokenVerifier::builder()
            .issuer(policy.build().expect("a policy"))
            .build()
            .expect("a verifier");
        let gate = Gate::builder("test")
            .tokens(verifier)
            .audit(Arc::new(MemoryAudit::new(64)))
            .events(Arc::new(MemoryEvents::new(64)))
            .clock(clock.clone())
            .build()
            .expect("a gate");
        let recently = AuthenticationRequirement::max_age(Duration::from_secs(300));
        let server = CasesServer::with_interceptor(Desk::default(), tells);
        let server = guard(server)
            .method("Version", require_scope("cases:read"))
            .method("Watch", require_scope("cases:read"))
            .method("Talk", require_scope("cases:read").streaming())
            .method("Write", authenticated().step_up(recently.expect("one")));
        let routes = GuardedRoutes::new(gate).service(server);
        Self {
            issuer,
            now,
            clock,
            site: serve(routes.into_routes().expect("routes")).await,
        }
    }

    fn token(&self, change: impl FnOnce(TokenRequest) -> TokenRequest) -> String {
        let request = TokenRequest::new(Subject::new("ada").expect("a subject"), "cases")
            .lifetime(LIFETIME)
            .scopes([Scope::new("cases:read").expect("a scope")])
            .tenant(Tenant {
                org: OrgId::new("acme").expect("an id"),
                project: None,
            });
        let issued = self.issuer.issue(&change(request), self.now);
        issued.expect("a token").token.expose().to_owned()
    }

    fn good(&self) -> String {
        self.token(|request| {
            request
                .claim("plan", json!("gold"))
                .claim("seats", json!(7))
        })
    }
}

#[tokio::test]
async fn a_real_token_goes_all_the_way_and_ends_when_it_expires() {
    let tokens = Tokens::new().await;
    let good = tokens.good();
    let call = Call::of("Version").from(&good).saying("metadata told");
    let answer = tokens.site.call(call.clone()).await;
    assert_eq!(answer.text(), "acme gold 7");
    // Any case of the scheme; the token itself is what it is.
    let spelled = Call::of("Version").with("authorization", &format!("bEARER {good}"));
    assert_eq!(tokens.site.call(spelled).await.code(), Some(0));
    let shouted = Call::of("Version").from(&good.to_uppercase());
    assert_eq!(tokens.site.call(shouted).await.code(), Some(16));
    let joined =
        Call::of("Version").with("authorization", &format!("Bearer {good}, Bearer {good}"));
    assert_eq!(tokens.site.call(joined).await.code(), Some(3));
    tokens.clock.advance(Duration::from_secs(24 * 3_600));
    let answer = tokens.site.call(call).await;
    assert_eq!(answer.code(), Some(16));
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer realm=\"test\", error=\"invalid_token\"")
    );
}

#[tokio::test]
async fn claims_that_do_not_fit_are_forbidden_and_not_unauthenticated() {
    let tokens = Tokens::new().await;
    for token in [
        tokens.token(|request| request),
        tokens.token(|request| request.claim("plan", json!("gold"))),
        tokens.token(|request| {
            let request = request.claim("plan", json!("gold"));
            request.claim("seats", json!("seven"))
        }),
    ] {
        let answer = tokens.site.call(Call::of("Version").from(&token)).await;
        assert_eq!(answer.code(), Some(7));
        assert_eq!(answer.header("www-authenticate"), None);
    }
}

#[tokio::test]
async fn a_login_that_is_too_old_is_asked_to_step_up() {
    let tokens = Tokens::new().await;
    let answer = tokens
        .site
        .call(Call::of("Write").from(&tokens.good()))
        .await;
    assert_eq!(answer.code(), Some(16));
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer realm=\"test\", error=\"insufficient_user_authentication\", max_age=\"300\"")
    );
}

#[tokio::test]
async fn a_stream_ends_when_its_token_expires() {
    let tokens = Tokens::new().await;
    let mut client = tokens.site.client().await;
    let mut request = Request::new(crate::cases::text("silent"));
    let value = format!("Bearer {}", tokens.good())
        .parse()
        .expect("a value");
    request.metadata_mut().insert("authorization", value);
    tokens
        .clock
        .advance(LIFETIME.saturating_sub(Duration::from_millis(200)));
    let mut stream = client.watch(request).await.expect("served").into_inner();
    tokens.clock.advance(Duration::from_secs(600));
    let status = soon(stream.message()).await.expect_err("ended");
    assert_eq!(status.code(), Code::Unauthenticated);
}
