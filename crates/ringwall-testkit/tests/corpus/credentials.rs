//! The callers of the corpus, and what they carry.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ringwall_authn::jose::{Algorithm, StaticKeys};
use ringwall_authn::{IssuerPolicy, SigningKey, TokenIssuer, TokenRequest, TokenVerifier};
use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::{BearerError, Challenge, Denial};
use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, Role, Scope, Subject,
    Tenant, VerifiedPrincipal,
};
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;
use ringwall_gate::{Authenticated, Authenticator, Presented};
use serde_json::{Value, json};

use crate::api_keys::KnownKeys;
use crate::proofs::Holder;

/// The realm of every gate.
pub(crate) const REALM: &str = "corpus";

/// The context class that the step-up route demands.
pub(crate) const STRONG: &str = "urn:example:mfa";

/// The age of a login that it demands at most, in seconds.
pub(crate) const RECENT: u64 = 300;

/// The login of one organisation alone.
pub(crate) const SSO: &str = "https://sso.example";

pub(crate) const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "corpus";

/// When everything happens: 2027-01-15T08:00:00Z.
const NOW: i64 = 1_800_000_000;

/// The tokens by name, and who verifies them.
#[derive(Debug)]
pub(crate) struct Credentials {
    verifier: TokenVerifier,
    tokens: BTreeMap<&'static str, String>,
    keys: KnownKeys,
    holder: Holder,
}

impl Credentials {
    pub(crate) fn new() -> Self {
        let ours = issuer(ISSUER);
        let foreign = issuer(ISSUER);
        let elsewhere = issuer("https://elsewhere.example");
        let keys = Arc::new(StaticKeys::new(ours.key_set().expect("keys")));
        let policy = IssuerPolicy::builder(ISSUER, AUDIENCE, keys)
            .map_principal(|mapping| mapping.any_org())
            .build();
        let sso = issuer(SSO);
        let keys = Arc::new(StaticKeys::new(sso.key_set().expect("keys")));
        let sso_policy = IssuerPolicy::builder(SSO, AUDIENCE, keys)
            .map_principal(|mapping| mapping.only_org(in_org("sso").org))
            .build();
        let verifier = TokenVerifier::builder()
            .issuer(policy.expect("a policy"))
            .issuer(sso_policy.expect("a policy"))
            .build()
            .expect("a verifier");
        let good = |name: &str| request(name, AUDIENCE);
        let login = |class: &str, age: i64| {
            let at = NOW.saturating_sub(age);
            good("deleter")
                .claim("acr", json!(class))
                .claim("auth_time", json!(at))
        };
        let holder = Holder::new();
        let bound = |name: &str| good(name).bound_to_key(&holder.thumbprint());
        let brief = |name: &str| good(name).lifetime(Duration::from_secs(60));
        let reader = sign(&ours, &good("reader"), 0);
        let of = |org: &str| good("reader").tenant(in_org(org));
        let mail = |address: &str, verified: Value| {
            let claims = of("mail").claim("email", json!(address));
            sign(&ours, &claims.claim("email_verified", verified), 0)
        };
        let methods = |methods: &[&str]| sign(&ours, &of("mfa").claim("amr", json!(methods)), 0);
        let editor = |scopes: &[&'static str]| {
            let editor = member("editor").roles([role("editor")]);
            sign(&ours, &editor.scopes(named(scopes)), 0)
        };
        let tokens = BTreeMap::from([
            ("editor", editor(&[])),
            ("editor_login", editor(&["openid", "email"])),
            ("editor_reading", editor(&["cases:read"])),
            ("editor_paying", editor(&["payments:read"])),
            (
                "robot_editing",
                sign(&ours, &robot(&["payments:read"]).roles([role("editor")]), 0),
            ),
            ("sso", sign(&sso, &of("sso"), 0)),
            ("sso_password", sign(&ours, &of("sso"), 0)),
            ("mail", mail("ada@ACME.example", json!(true))),
            ("mail_below", mail("ada@mail.acme.example", json!(true))),
            ("mail_alike", mail("ada@evilacme.example", json!(true))),
            ("mail_unverified", mail("ada@acme.example", json!(false))),
            ("mail_text", mail("ada@acme.example", json!("true"))),
            ("mail_unsaid", sign(&ours, &of("mail"), 0)),
            ("mfa", methods(&["pwd", "mfa"])),
            ("lead", sign(&ours, &member("lead"), 0)),
            (
                "lead_elsewhere",
                sign(&sso, &member("lead").tenant(in_org("sso")), 0),
            ),
            (
                "lead_of_another",
                sign(&ours, &member("lead").tenant(in_org("other")), 0),
            ),
            ("lead_of_none", sign(&ours, &good("lead"), 0)),
            (
                "lead_login",
                sign(
                    &ours,
                    &member("lead").scopes(named(&["openid", "profile"])),
                    0,
                ),
            ),
            (
                "lead_reading",
                sign(&ours, &member("lead").scopes(named(&["payments:read"])), 0),
            ),
            (
                "lead_renamed",
                sign(&ours, &member("lead").scopes(named(&["payment:read"])), 0),
            ),
            ("chief", sign(&ours, &member("chief"), 0)),
            ("clerk", sign(&ours, &member("clerk"), 0)),
            (
                "clerk_writing",
                sign(
                    &ours,
                    &member("clerk").scopes(named(&["payments:write"])),
                    0,
                ),
            ),
            (
                "clerk_opening",
                sign(&ours, &member("clerk").scopes(named(&["vault:open"])), 0),
            ),
            (
                "claimant",
                sign(&ours, &member("claimant").roles([role("manager")]), 0),
            ),
            ("alike", sign(&ours, &member("alike"), 0)),
            ("suspended", sign(&ours, &member("suspended"), 0)),
            ("fleeting", sign(&ours, &member("fleeting"), 0)),
            ("robot", sign(&ours, &robot(&["vault:open"]), 0)),
            ("robot_paying", sign(&ours, &robot(&["payments:write"]), 0)),
            ("mfa_other", methods(&["pwd", "otp"])),
            ("mfa_unsaid", sign(&ours, &of("mfa"), 0)),
            ("tampered", tampered(&reader)),
            ("cropped", cropped(&reader)),
            ("unsigned", unsigned(&reader)),
            ("reader", reader),
            ("bound", sign(&ours, &bound("reader"), 0)),
            ("bound_stranger", sign(&ours, &bound("stranger"), 0)),
            ("writer", sign(&ours, &good("writer"), 0)),
            ("admin", sign(&ours, &good("admin"), 0)),
            ("stranger", sign(&ours, &good("stranger"), 0)),
            ("deleter", sign(&ours, &good("deleter"), 0)),
            ("fresh", sign(&ours, &login(STRONG, 60), 0)),
            ("stale", sign(&ours, &login(STRONG, 301), 0)),
            ("weak", sign(&ours, &login("urn:example:pwd", 60), 0)),
            (
                "weak_reader",
                sign(
                    &ours,
                    &good("reader").claim("acr", json!("urn:example:pwd")),
                    0,
                ),
            ),
            ("expired", sign(&ours, &brief("writer"), -3600)),
            ("future", sign(&ours, &brief("writer"), 3600)),
            ("foreign", sign(&foreign, &good("writer"), 0)),
            ("elsewhere", sign(&elsewhere, &good("writer"), 0)),
            ("audience", sign(&ours, &request("writer", "elsewhere"), 0)),
        ]);
        Self {
            verifier,
            tokens,
            keys: KnownKeys::new(),
            holder,
        }
    }

    pub(crate) fn verifier(&self) -> TokenVerifier {
        self.verifier.clone()
    }

    /// A proof for a request with the token of this name.
    pub(crate) fn proof(
        &self,
        name: &str,
        token: &str,
        method: &str,
        target: &str,
        nonce: Option<&str>,
    ) -> Option<String> {
        let token = self.token(token)?;
        self.holder.prove(name, token, method, target, nonce)
    }

    pub(crate) fn keys(&self) -> &KnownKeys {
        &self.keys
    }

    pub(crate) fn token(&self, name: &str) -> Option<&str> {
        self.tokens.get(name).map(String::as_str)
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix_seconds(NOW).expect("in range")
}

/// What each caller was granted, by name. Who was granted anything acts in a tenant.
fn scopes(name: &str) -> &'static [&'static str] {
    match name {
        "reader" => &["cases:read"],
        "writer" => &["cases:read", "cases:write"],
        "deleter" => &["cases:delete"],
        "admin" => &["cases:read", "cases:write", "admin", "files:read"],
        _ => &[],
    }
}

fn tenant(name: &str) -> Option<Tenant> {
    (!scopes(name).is_empty()).then(|| in_org("acme"))
}

fn in_org(name: &str) -> Tenant {
    Tenant {
        org: OrgId::new(name).expect("an id"),
        project: None,
    }
}

/// Somebody of the organisation `acme`, whose token names no scope.
fn member(name: &str) -> TokenRequest {
    request(name, AUDIENCE).tenant(in_org("acme"))
}

/// A service that acts by itself (RFC 9068 §5: its client is its subject).
fn robot(scopes: &[&'static str]) -> TokenRequest {
    member("robot").client_id("robot").scopes(named(scopes))
}

fn role(name: &str) -> Role {
    Role::new(name).expect("a role")
}

fn named(scopes: &[&'static str]) -> impl Iterator<Item = Scope> {
    scopes
        .iter()
        .map(|scope| Scope::new(*scope).expect("a scope"))
}

fn granted(name: &str) -> impl Iterator<Item = Scope> {
    named(scopes(name))
}

fn issuer(name: &str) -> TokenIssuer {
    let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).expect("random bytes");
    let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).expect("a key");
    TokenIssuer::new(name, key)
}

fn request(name: &str, audience: &str) -> TokenRequest {
    let subject = Subject::new(name).expect("a subject");
    let request = TokenRequest::new(subject, audience).scopes(granted(name));
    match tenant(name) {
        Some(tenant) => request.tenant(tenant),
        None => request,
    }
}

fn sign(issuer: &TokenIssuer, request: &TokenRequest, shift: i64) -> String {
    let at = Timestamp::from_unix_seconds(NOW.saturating_add(shift)).expect("in range");
    let issued = issuer.issue(request, at).expect("a token");
    issued.token.expose().to_owned()
}

/// One character of the claims is another one.
fn tampered(token: &str) -> String {
    let (header, rest) = token.split_once('.').expect("a header");
    let (claims, signature) = rest.split_once('.').expect("claims");
    let (first, last) = claims.split_at(claims.len().saturating_sub(6));
    let swapped = |c: char| if c == 'A' { 'B' } else { 'A' };
    let last: String = last
        .chars()
        .take(1)
        .map(swapped)
        .chain(last.chars().skip(1))
        .collect();
    format!("{header}.{first}{last}.{signature}")
}

/// Without its signature.
fn cropped(token: &str) -> String {
    token.rsplit_once('.').expect("a signature").0.to_owned()
}

/// As if it needed no signature: `{"alg":"none"}` (RFC 7518 §3.6).
fn unsigned(token: &str) -> String {
    let claims = token.split('.').nth(1).expect("claims");
    format!("eyJhbGciOiJub25lIn0.{claims}.")
}

/// Takes `x-api-key: NAME` for a handful of names: the second kind of credential.
///
/// | name | answer |
/// |---|---|
/// | `reader`, `writer`, `admin`, `stranger` | the caller of that name |
/// | `slow-` and one of these | the same after a while |
/// | `brief-` and one of these | the same, and no longer good when one looks again |
/// | `down` | 503, come back in 7 s |
/// | `limited` | 429, come back in 30 s |
/// | `unchecked` | a principal of which nobody checked anything |
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) events: Arc<dyn EventSink>,
}

impl Keys {
    fn refuse(&self, cause: &'static str, denial: Denial) -> Denial {
        self.events
            .emit(SecurityEvent::new(EventKind::AuthenticationFailed, cause));
        denial
    }

    fn find(&self, name: &str) -> Result<Authenticated, Denial> {
        match name {
            "down" => Err(self.refuse(
                "the keys cannot be looked up",
                Denial::Unavailable {
                    retry_after: Duration::from_secs(7),
                },
            )),
            "limited" => Err(self.refuse(
                "the key was tried too often",
                Denial::RateLimited {
                    retry_after: Some(Duration::from_secs(30)),
                    limits: None,
                },
            )),
            "reader" | "writer" | "admin" | "stranger" => {
                Ok(principal(name, AuthenticationMethod::Token).into())
            }
            "unchecked" => Ok(principal(name, AuthenticationMethod::Unchecked).into()),
            _ => Err(self.refuse(
                "the key is unknown",
                Denial::Unauthenticated {
                    challenge: Box::new(challenge(BearerError::InvalidToken)),
                },
            )),
        }
    }
}

fn challenge(error: BearerError) -> Challenge {
    Challenge::new(REALM).error(error)
}

fn principal(name: &str, method: AuthenticationMethod) -> VerifiedPrincipal {
    let subject = Subject::new(name).expect("a subject");
    let authentication = Authentication::new(method);
    let mut principal = Principal::new(PrincipalKind::User, subject, authentication);
    principal.scopes = granted(name).collect();
    principal.tenant = tenant(name);
    VerifiedPrincipal::attest(principal, Attest::i_have_verified_this())
}

impl Authenticator for Keys {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        match view.header("x-api-key") {
            HeaderValues::Absent => Presented::No,
            HeaderValues::One(_) | HeaderValues::Several(_) => Presented::Elsewhere,
        }
    }

    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        let HeaderValues::One(value) = view.header("x-api-key") else {
            let challenge = Some(Box::new(challenge(BearerError::InvalidRequest)));
            let denial = Denial::Malformed { challenge };
            return Step::Done(Err(self.refuse("there are several keys", denial)));
        };
        let name = core::str::from_utf8(value).unwrap_or_default();
        match name.split_once('-') {
            Some(("slow", name)) => {
                let answer = self.find(name);
                Step::wait(async {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    answer
                })
            }
            Some(("brief", name)) => Step::Done(self.find(name).map(|found| {
                let mut principal = Principal::clone(found.principal());
                principal.authentication.expires_at = Some(now());
                VerifiedPrincipal::attest(principal, Attest::i_have_verified_this()).into()
            })),
            Some(_) | None => Step::Done(self.find(name)),
        }
    }

    fn recheck(&self, accepted: &Authenticated, now: Timestamp) -> Step<Result<(), Denial>> {
        let end = accepted.principal().authentication.expires_at;
        Step::Done(match end {
            Some(end) if end <= now => Err(Denial::Unauthenticated {
                challenge: Box::new(challenge(BearerError::InvalidToken)),
            }),
            Some(_) | None => Ok(()),
        })
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}
