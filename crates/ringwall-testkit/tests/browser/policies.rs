//! What the services of these tests tell browsers, and whom their gate lets in.

use ringwall_browser::{ContentSecurityPolicy, CorsPolicy, SecurityHeaders, Source};
use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, Principal, PrincipalKind, Subject, VerifiedPrincipal,
};
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;
use ringwall_gate::{Authenticated, Authenticator, Gate, Presented};

/// Where pages tell what they saw.
pub(crate) const COLLECTOR: &str = "https://collector.example.com";

/// The hosts of the service, each with a CORS policy of its own.
pub(crate) const HOSTS: [&str; 3] = [
    "api.example.com",
    "tokens.example.com",
    "public.example.com",
];

/// The policy of a host.
pub(crate) fn cors(host: &str) -> CorsPolicy {
    match host {
        "api.example.com" => with_credentials(),
        "tokens.example.com" => without_credentials(),
        "public.example.com" => for_everybody(),
        other => panic!("{other} is no host of the service"),
    }
}

fn with_credentials() -> CorsPolicy {
    let builder = CorsPolicy::builder()
        .with_defaults()
        .origin("https://app.example.com")
        .origin("https://tool.example.com:8443")
        .origin("https://*.preview.example.com")
        .exposed_headers(["X-Request-Id"])
        .allow_credentials();
    builder.build().expect("a policy")
}

fn without_credentials() -> CorsPolicy {
    let builder = CorsPolicy::builder()
        .with_defaults()
        .origin("https://app.example.com");
    builder.build().expect("a policy")
}

fn for_everybody() -> CorsPolicy {
    let builder = CorsPolicy::builder().methods(["GET"]).any_origin();
    builder.build().expect("a policy")
}

/// The headers of a page with a nonce, a script and a style of its own, and a place to tell.
pub(crate) fn headers() -> SecurityHeaders {
    let collector = Source::origin(COLLECTOR).expect("a source");
    let policy = ContentSecurityPolicy::builder()
        .script_src([Source::nonce()])
        .style_src([Source::self_origin()])
        .img_src([Source::self_origin(), Source::data()])
        .connect_src([Source::self_origin(), collector])
        .build();
    SecurityHeaders::page(policy.expect("a policy"))
}

/// A gate for whoever says `Bearer probe`.
pub(crate) fn gate() -> Gate {
    let gate = Gate::builder("api").authenticator(Probe).without_audit();
    gate.build().expect("a gate")
}

#[derive(Debug)]
struct Probe;

impl Authenticator for Probe {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        match view.header("authorization") {
            HeaderValues::Absent => Presented::No,
            HeaderValues::One(_) | HeaderValues::Several(_) => Presented::InAuthorization,
        }
    }

    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        if view.header("authorization") != HeaderValues::One(b"Bearer probe") {
            return Step::Done(Err(Denial::unauthenticated("api")));
        }
        let authentication = Authentication::new(AuthenticationMethod::Token);
        let subject = Subject::new("probe").expect("a subject");
        let principal = Principal::new(PrincipalKind::User, subject, authentication);
        let principal = VerifiedPrincipal::attest(principal, Attest::i_have_verified_this());
        Step::Done(Ok(principal.into()))
    }

    fn recheck(&self, _accepted: &Authenticated, _now: Timestamp) -> Step<Result<(), Denial>> {
        Step::Done(Ok(()))
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}
