//! Tokens that only their issuer can read (RFC 7662).
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod server;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringwall_authn::introspection::{
    HttpIntrospection, IntrospectionAuthenticator, IntrospectionAuthenticatorBuilder,
    IntrospectionTransport, IntrospectionUnavailable,
};
use ringwall_authn::{MemoryRevocations, Revocations};
use ringwall_core::clock::{ManualClock, SystemClock, Timestamp, WallClock as _};
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::{OrgId, PrincipalKind, Scope, VerifiedPrincipal};
use ringwall_core::profile::Profile;
use ringwall_core::request::RequestView;
use ringwall_core::secret::SecretString;
use ringwall_core::step::{BoxFuture, Step};
use ringwall_jwks_client::HttpFetcher;
use serde_json::{Value, json};
use zeroize::Zeroizing;

const NOW: i64 = 1_767_225_600;
const ISSUER: &str = "https://as.example";
const AUDIENCE: &str = "https://api.example";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

/// What RFC 7662 §2.2 shows, for us.
fn good() -> Value {
    json!({
        "active": true,
        "client_id": "l238j323ds-23ij4",
        "username": "jdoe",
        "scope": "read write dolphin",
        "sub": "Z5O3upPC88QrAjx00dis",
        "aud": AUDIENCE,
        "iss": ISSUER,
        "exp": NOW + 3600,
        "iat": NOW - 60,
        "jti": "token-1",
        "extension_field": "twenty-seven",
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut answer = good();
    answer
        .as_object_mut()
        .unwrap()
        .insert(member.to_owned(), value);
    answer
}

fn without(member: &str) -> Value {
    let mut answer = good();
    answer.as_object_mut().unwrap().remove(member);
    answer
}

/// An issuer that says what it is told to.
#[derive(Debug)]
struct Scripted {
    answer: Mutex<Option<String>>,
    asked: AtomicUsize,
    forms: Mutex<Vec<String>>,
    hold: Mutex<Option<Arc<tokio::sync::Semaphore>>>,
}

impl IntrospectionTransport for Scripted {
    fn ask(&self, form: Zeroizing<String>) -> BoxFuture<Result<Vec<u8>, IntrospectionUnavailable>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.forms.lock().unwrap().push(form.to_string());
        let answer = self.answer.lock().unwrap().clone();
        let hold = self.hold.lock().unwrap().clone();
        Box::pin(async move {
            if let Some(hold) = hold {
                hold.acquire().await.unwrap().forget();
            }
            let retry_after = Duration::from_secs(7);
            answer
                .map(String::into_bytes)
                .ok_or(IntrospectionUnavailable { retry_after })
        })
    }
}

struct Site {
    issuer: Arc<Scripted>,
    clock: Arc<ManualClock>,
    events: Arc<MemoryEvents>,
    authenticator: IntrospectionAuthenticator,
}

impl Site {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(
        options: impl FnOnce(IntrospectionAuthenticatorBuilder) -> IntrospectionAuthenticatorBuilder,
    ) -> Self {
        let issuer = Arc::new(Scripted {
            answer: Mutex::new(Some(good().to_string())),
            asked: AtomicUsize::new(0),
            forms: Mutex::default(),
            hold: Mutex::default(),
        });
        let clock = Arc::new(ManualClock::new(at(NOW)));
        let events = Arc::new(MemoryEvents::new(100));
        let builder = IntrospectionAuthenticator::builder(issuer.clone(), ISSUER, AUDIENCE)
            .clock(clock.clone())
            .monotonic_clock(clock.clone())
            .events(events.clone());
        let authenticator = options(builder).build().unwrap();
        Self {
            issuer,
            clock,
            events,
            authenticator,
        }
    }

    fn says(&self, answer: impl ToString) {
        *self.issuer.answer.lock().unwrap() = Some(answer.to_string());
    }

    fn is_silent(&self) {
        *self.issuer.answer.lock().unwrap() = None;
    }

    fn asked(&self) -> usize {
        self.issuer.asked.load(Ordering::SeqCst)
    }

    async fn ask(&self, token: &str) -> Result<VerifiedPrincipal, Denial> {
        ask(&self.authenticator, token).await
    }

    async fn status(&self, token: &str) -> u16 {
        self.ask(token)
            .await
            .map_or_else(|denial| denial.http_status(), |_| 200)
    }

    fn last_cause(&self) -> &'static str {
        self.events.snapshot().last().unwrap().cause
    }
}

fn begin(
    authenticator: &IntrospectionAuthenticator,
    token: &str,
) -> Step<Result<VerifiedPrincipal, Denial>> {
    let value = format!("Bearer {token}");
    let headers = [("authorization", value.as_str())];
    authenticator.authenticate(&RequestView {
        method: "GET",
        scheme: Some("https"),
        authority: Some("api.example"),
        raw_path: "/",
        raw_query: None,
        socket_peer: None,
        client_address: None,
        tls_peer: None,
        headers: &headers,
    })
}

async fn ask(
    authenticator: &IntrospectionAuthenticator,
    token: &str,
) -> Result<VerifiedPrincipal, Denial> {
    begin(authenticator, token).await
}

#[tokio::test]
async fn rfc_7662_section_2_2_an_active_token_becomes_a_principal() {
    let site = Site::with(|builder| builder.only_org(OrgId::new("acme").unwrap()));
    let principal = site.ask("mF_9.B5f-4.1JqM").await.unwrap();
    assert_eq!(principal.subject.as_str(), "Z5O3upPC88QrAjx00dis");
    assert_eq!(principal.kind, PrincipalKind::User);
    assert_eq!(principal.issuer.as_deref(), Some(ISSUER));
    assert!(principal.has_scope("dolphin") && !principal.has_scope("admin"));
    assert_eq!(principal.tenant.as_ref().unwrap().org.as_str(), "acme");
    assert_eq!(
        principal.authentication.credential_id.as_deref(),
        Some("token-1")
    );
    let forms = site.issuer.forms.lock().unwrap().clone();
    assert_eq!(
        forms,
        ["token=mF_9.B5f-4.1JqM&token_type_hint=access_token"]
    );
}

#[tokio::test]
async fn a_token_cannot_add_to_the_form() {
    let site = Site::new();
    assert_eq!(site.status("a+/~b==").await, 200);
    let forms = site.issuer.forms.lock().unwrap().clone();
    assert_eq!(
        forms,
        ["token=a%2B%2F%7Eb%3D%3D&token_type_hint=access_token"]
    );
    for token in ["a&b=c", "a b", "a%26", "a,b", "", "ä"] {
        assert_eq!(site.status(token).await, 400, "{token}");
    }
    assert_eq!(site.status(&"a".repeat(8193)).await, 401);
    assert_eq!(site.asked(), 1, "nobody was asked about what is no token");
}

#[tokio::test]
async fn what_is_not_active_for_us_is_refused() {
    for answer in [
        json!({ "active": false }),
        with("active", false.into()),
        with("iss", "https://other.example".into()),
        with("aud", "https://other.example".into()),
        with("aud", json!([])),
        with("aud", "https://api.example.evil.test".into()),
        without("aud"),
        without("exp"),
        with("exp", NOW.into()),
        with("exp", (-1).into()),
        with("nbf", (NOW + 61).into()),
        with("iat", (NOW + 61).into()),
        with("token_type", "DPoP".into()),
        with("cnf", json!({ "jkt": "x" })),
        with("act", json!({ "sub": "agent" })),
        with("sub", "a\nb".into()),
        with("scope", "read \"x\"".into()),
        with("jti", "".into()),
    ] {
        let site = Site::new();
        site.says(&answer);
        assert_eq!(site.status("token").await, 401, "{answer}");
        assert_eq!(site.status("token").await, 401, "{answer}");
        assert_eq!(site.asked(), 2, "a refusal is not kept: {answer}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_no_decision() {
    for answer in [
        "",
        "null",
        "true",
        "[]",
        "{}",
        "<html>",
        r#"{"active":"true"}"#,
        r#"{"active":1}"#,
        r#"{"active":false,"active":true}"#,
        r#"{"active":true,"exp":"soon"}"#,
        r#"{"active":true,"exp":1e300}"#,
        r#"{"active":true,"aud":{"a":1}}"#,
        &format!("{{\"active\":true,\"x\":\"{}\"}}", "x".repeat(64 * 1024)),
        &"[".repeat(10_000),
    ] {
        let site = Site::new();
        site.says(answer);
        assert_eq!(site.status("token").await, 503, "{:.60}", answer);
    }
    let site = Site::new();
    site.is_silent();
    let Err(Denial::Unavailable { retry_after }) = site.ask("token").await else {
        panic!("a decision");
    };
    assert_eq!(retry_after, Duration::from_secs(7));
    assert_eq!(site.events.count(EventKind::RevocationUnavailable), 1);
}

#[tokio::test]
async fn a_good_answer_is_believed_for_a_while_and_never_past_the_end_of_the_token() {
    let site = Site::new();
    for _ in 0..50 {
        assert_eq!(site.status("token").await, 200);
    }
    assert_eq!(site.asked(), 1);
    assert_eq!(site.status("token2").await, 200);
    assert_eq!(site.asked(), 2, "another token is another question");
    // The issuer takes it back: accepted for as long as it was said, and no longer.
    site.says(json!({ "active": false }));
    site.clock.advance(Duration::from_micros(59_999_999));
    assert_eq!(site.status("token").await, 200);
    site.clock.advance(Duration::from_micros(1));
    assert_eq!(site.status("token").await, 401);
    let site = Site::new();
    site.says(with("exp", (NOW + 10).into()));
    assert_eq!(site.status("token").await, 200);
    site.clock.advance(Duration::from_secs(10));
    assert_eq!(site.status("token").await, 401, "kept still, and over");
    assert_eq!(site.last_cause(), "the token has expired");
}

#[tokio::test]
async fn an_outage_is_survived_as_long_as_an_answer_is_believed() {
    let site = Site::new();
    assert_eq!(site.status("token").await, 200);
    site.is_silent();
    assert_eq!(site.status("token").await, 200);
    assert_eq!(site.status("other").await, 503);
    site.clock.advance(Duration::from_secs(60));
    assert_eq!(
        site.status("token").await,
        503,
        "and not 401: it may be perfectly good"
    );
}

#[tokio::test]
async fn our_own_revocations_concern_kept_answers_and_streams() {
    let revocations = Arc::new(MemoryRevocations::new(8));
    let asked: Arc<dyn Revocations> = revocations.clone();
    let site = Site::with(|builder| builder.revocations(asked));
    let principal = site.ask("token").await.unwrap();
    assert!(site.authenticator.recheck(&principal, at(NOW)).is_ok());
    revocations
        .revoke_token(ISSUER, "token-1", at(NOW + 3600), at(NOW))
        .unwrap();
    assert_eq!(site.status("token").await, 401);
    assert_eq!(site.last_cause(), "the token was revoked");
    assert!(site.authenticator.recheck(&principal, at(NOW)).is_err());
}

#[tokio::test]
async fn an_answer_without_iat_falls_under_every_revocation_until_a_time() {
    for is_undated in [false, true] {
        let revocations = Arc::new(MemoryRevocations::new(8));
        let asked: Arc<dyn Revocations> = revocations.clone();
        let site = Site::with(|builder| builder.revocations(asked));
        let answer = if is_undated { without("iat") } else { good() };
        *site.issuer.answer.lock().unwrap() = Some(answer.to_string());
        assert_eq!(site.status("token").await, 200);
        revocations
            .revoke_subject(
                ISSUER,
                "Z5O3upPC88QrAjx00dis",
                at(NOW - 3600),
                at(NOW + 3600),
                at(NOW),
            )
            .unwrap();
        let expected = if is_undated { 401 } else { 200 };
        assert_eq!(site.status("token").await, expected, "kept");
        assert_eq!(site.status("other").await, expected, "asked");
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_answer() {
    let site = Site::new();
    let principal = site.ask("token").await.unwrap();
    assert_eq!(principal.authentication.expires_at, Some(at(NOW + 60)));
    assert!(site.authenticator.recheck(&principal, at(NOW + 59)).is_ok());
    assert!(
        site.authenticator
            .recheck(&principal, at(NOW + 60))
            .is_err()
    );
}

#[tokio::test]
async fn questions_at_once_and_answers_kept_are_bounded() {
    let site = Site::with(|builder| builder.questions(2).cached(4));
    let hold = Arc::new(tokio::sync::Semaphore::new(0));
    *site.issuer.hold.lock().unwrap() = Some(hold.clone());
    let waiting: Vec<_> = ["a", "b"]
        .map(|token| {
            let authenticator = site.authenticator.clone();
            tokio::spawn(async move { ask(&authenticator, token).await.is_ok() })
        })
        .into();
    while site.asked() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(site.status("c").await, 503);
    assert_eq!(site.last_cause(), "too many tokens are being asked about");
    hold.add_permits(100);
    for one in waiting {
        assert!(one.await.unwrap());
    }
    for n in 0..20 {
        assert_eq!(site.status(&format!("t{n}")).await, 200);
    }
    let before = site.asked();
    for n in 0..20 {
        assert_eq!(site.status(&format!("t{n}")).await, 200);
    }
    assert!(
        site.asked() >= before + 16,
        "more than four answers were kept"
    );
}

#[tokio::test]
async fn a_client_that_is_its_own_subject_is_a_service() {
    let site = Site::new();
    site.says(with("sub", "l238j323ds-23ij4".into()));
    assert_eq!(
        site.ask("token").await.unwrap().kind,
        PrincipalKind::Service
    );
    let site = Site::new();
    site.says(without("sub"));
    let principal = site.ask("token").await.unwrap();
    assert_eq!(principal.kind, PrincipalKind::Service);
    assert_eq!(principal.subject.as_str(), "l238j323ds-23ij4");
}

#[tokio::test]
async fn the_organisation_is_ours_or_the_one_that_is_named() {
    let acme = || OrgId::new("acme").unwrap();
    let both = || Site::with(|builder| builder.only_org(acme()).org_member("org"));
    let site = both();
    site.says(with("org", "other".into()));
    assert_eq!(site.status("token").await, 401);
    let site = both();
    site.says(with("org", 7.into()));
    assert_eq!(site.status("token").await, 401);
    let site = Site::with(|builder| builder.org_member("org"));
    site.says(with("org", "other".into()));
    let principal = site.ask("token").await.unwrap();
    assert_eq!(principal.tenant.as_ref().unwrap().org.as_str(), "other");
    let site = Site::new();
    site.says(with("org", "other".into()));
    assert!(
        site.ask("token").await.unwrap().tenant.is_none(),
        "nobody said that it may name one"
    );
}

#[test]
fn an_answer_is_not_believed_for_ever_and_names_are_names() {
    let build = |issuer: &str, audience: &str, seconds| {
        let transport = Site::new().issuer;
        IntrospectionAuthenticator::builder(transport, issuer, audience)
            .answer_lifetime(Duration::from_secs(seconds))
            .build()
    };
    assert!(build(ISSUER, AUDIENCE, 600).is_ok());
    assert!(build(ISSUER, AUDIENCE, 601).is_err());
    assert!(build("", AUDIENCE, 60).is_err());
    assert!(build(ISSUER, "a\nb", 60).is_err());
}

#[tokio::test]
async fn over_http_the_service_shows_its_own_credentials_and_believes_200_alone() {
    let server = server::start().await;
    let fetcher = HttpFetcher::builder().build().unwrap();
    let secret = SecretString::new("s3cret".to_owned());
    let url = format!("http://127.0.0.1:{}/introspect", server.port);
    let transport =
        HttpIntrospection::new(fetcher, &url, "me", &secret, Profile::Development).unwrap();
    let authenticator = IntrospectionAuthenticator::builder(Arc::new(transport), ISSUER, AUDIENCE)
        .answer_lifetime(Duration::ZERO)
        .build()
        .unwrap();
    let mut answer = good();
    let now = SystemClock::new().now().unwrap().unix_seconds();
    answer["exp"] = (now + 600).into();
    answer["iat"] = now.into();
    let body = answer.to_string();
    let status = async |token| {
        ask(&authenticator, token)
            .await
            .map_or_else(|denial| denial.http_status(), |_| 200)
    };
    server.answers("200 OK", "application/json", &body);
    assert_eq!(status("opaque-token").await, 200);
    let request = server.last_request();
    assert!(
        request.starts_with("POST /introspect HTTP/1.1\r\n"),
        "{request}"
    );
    // me:s3cret
    assert!(
        request.contains("authorization: Basic bWU6czNjcmV0\r\n"),
        "{request}"
    );
    assert!(
        request.contains("content-type: application/x-www-form-urlencoded\r\n"),
        "{request}"
    );
    assert!(
        request.ends_with("token=opaque-token&token_type_hint=access_token"),
        "{request}"
    );
    for (line, kind) in [
        ("401 Unauthorized", "application/json"),
        ("500 Oops", "application/json"),
        ("302 Found", "application/json"),
        ("203 Changed", "application/json"),
        ("200 OK", "text/html"),
    ] {
        server.answers(line, kind, &body);
        assert_eq!(status("opaque-token").await, 503, "{line} {kind}");
    }
    drop(server);
    assert_eq!(status("opaque-token").await, 503);
}

#[tokio::test]
async fn an_issuer_grants_no_more_than_it_was_allowed() {
    let read = Scope::new("read").unwrap();
    let site = Site::with(|builder| builder.allowed_scopes([read.clone()]));
    for _ in 0..2 {
        let principal = site.ask("abc").await.unwrap();
        assert!(principal.scopes.iter().eq([&read]) && principal.has_scopes_left_out);
    }
    assert_eq!(
        (site.asked(), site.events.count(EventKind::GrantsLeftOut)),
        (1, 2)
    );
    site.says(with("scope", "read".into()));
    assert!(site.ask("def").await.is_ok());
    assert_eq!(site.events.count(EventKind::GrantsLeftOut), 2);
}
