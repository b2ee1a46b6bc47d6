//! The gates that the services are built with, and what they tell.

use std::sync::Arc;
use std::time::Duration;

use ringwall_authn::transport::{
    ForwardingHeader, IdentityError, IdentityHeader, IdentityRule, TrustDomain,
};
use ringwall_authn::{
    CertificateAuthenticator, CertificateAuthenticatorBuilder, CertificateMapping,
    TokenAuthenticator, TokenAuthenticatorBuilder, TokenVerifier,
};
use ringwall_core::audit::{
    AuditIntent, AuditOutcome, AuditRecord, AuditSink, AuditTicket, AuditUnavailable, MemoryAudit,
};
use ringwall_core::clock::ManualClock;
use ringwall_core::event::{MemoryEvents, SecurityEvent};
use ringwall_core::principal::{OrgId, Scope, Subject};
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;
use ringwall_gate::{
    Access, Admitted, AuditScope, AuthenticationRequirement, Gate, HttpsOnly, OrganisationRule,
    OrganisationRules, ProtectedResource, RoutePolicy, TrustedProxies,
};

use crate::authorization;
use crate::case::GateName;
use crate::credentials::{self, Credentials, Keys, REALM, RECENT, STRONG};
use crate::limits;
use crate::proofs;

/// More than the corpus makes.
const KEPT: usize = 65_536;

/// The limit of the route for large bodies: above those that frameworks have by themselves (256 KiB in
/// actix-web, 2 MiB in axum).
pub(crate) const LARGE: u64 = 3 * 1024 * 1024;

/// Addresses where nobody is (RFC 5737 §3).
const NOBODY: &str = "192.0.2.0/24";

/// From where the tests send.
const LOOPBACK: &str = "127.0.0.0/8";

/// A gate and its channels.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    pub(crate) gate: Gate,
    trail: Arc<MemoryAudit>,
    events: Arc<MemoryEvents>,
    /// The proof of another request, of an administrator. The services find it in each request, as
    /// if somebody had smuggled it in.
    pub(crate) planted: Admitted,
}

/// What one request made the gate tell.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) records: Vec<AuditRecord>,
    pub(crate) events: Vec<SecurityEvent>,
}

/// A place in what a gate tells: its beginning, unless it is [marked](Bench::mark).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    records: usize,
    events: usize,
}

impl Bench {
    pub(crate) fn new(name: GateName, credentials: &Credentials) -> Self {
        let trail = Arc::new(MemoryAudit::new(KEPT));
        let events = Arc::new(MemoryEvents::new(KEPT));
        let sink: Arc<dyn AuditSink> = match name {
            GateName::Slow | GateName::SlowNonces => Arc::new(Hesitant(Arc::clone(&trail))),
            GateName::Unrecorded => Arc::new(Down),
            GateName::Direct
            | GateName::Proxied
            | GateName::HttpsOnly
            | GateName::HttpsRedirect
            | GateName::Described
            | GateName::Bound
            | GateName::Nonces
            | GateName::Organisations
            | GateName::Limited
            | GateName::LimitedSlow
            | GateName::LimitedProxied
            | GateName::LimitedForwarded
            | GateName::LimitedNamed
            | GateName::Authorized
            | GateName::AuthorizedSlow
            | GateName::AuthorizedDown
            | GateName::Alone => Arc::clone(&trail) as Arc<dyn AuditSink>,
        };
        let proxies = match name {
            GateName::Direct
            | GateName::Slow
            | GateName::Unrecorded
            | GateName::Described
            | GateName::Bound
            | GateName::Nonces
            | GateName::SlowNonces
            | GateName::Organisations
            | GateName::Limited
            | GateName::LimitedSlow
            | GateName::Authorized
            | GateName::AuthorizedSlow
            | GateName::AuthorizedDown
            | GateName::Alone => NOBODY,
            GateName::Proxied
            | GateName::HttpsOnly
            | GateName::HttpsRedirect
            | GateName::LimitedProxied
            | GateName::LimitedForwarded
            | GateName::LimitedNamed => LOOPBACK,
        };
        let builder = Gate::builder(REALM)
            .tokens_by(tokens(name, credentials.verifier()))
            .api_keys_from(credentials.keys().authenticator())
            .authenticator(Keys {
                events: events.clone(),
            })
            .audit(sink)
            .events(events.clone())
            .clock(Arc::new(ManualClock::new(credentials::now())))
            .trusted_proxies(if name == GateName::Alone {
                TrustedProxies::none()
            } else if name == GateName::LimitedForwarded {
                believed(proxies, ForwardingHeader::Forwarded)
            } else {
                trusted(proxies)
            })
            .certificates(workloads(trusted(proxies)))
            .certificates(machines(trusted(proxies)))
            .proxy_header("x-auth-request-user");
        let builder = match name {
            GateName::HttpsOnly => builder.https_only(HttpsOnly::refuse()),
            GateName::HttpsRedirect => {
                let hosts = HttpsOnly::redirect_to(["corpus.example"]).expect("a host");
                builder.https_only(hosts)
            }
            GateName::Described => {
                let resource = ProtectedResource::builder(
                    "https://corpus.example/api",
                    "https://issuer.example",
                );
                builder
                    .protected_resource(resource.build().expect("a resource"))
                    .permit_encoded_slashes()
            }
            GateName::Organisations => builder.organisation_rules(organisations()),
            GateName::Direct
            | GateName::Proxied
            | GateName::Slow
            | GateName::Unrecorded
            | GateName::Bound
            | GateName::Nonces
            | GateName::SlowNonces
            | GateName::Limited
            | GateName::LimitedSlow
            | GateName::LimitedProxied
            | GateName::LimitedForwarded
            | GateName::LimitedNamed
            | GateName::Authorized
            | GateName::AuthorizedSlow
            | GateName::AuthorizedDown
            | GateName::Alone => builder,
        };
        let builder = match limits::of(name) {
            Some(limits) => builder.rate_limits(limits),
            None => builder,
        };
        let builder = match authorization::of(name) {
            Some(authorization) => builder
                .authorization(authorization)
                .role_scopes(authorization::role_scopes()),
            None => builder,
        };
        let gate = builder.build().expect("a gate");
        let planted = plant(&gate);
        Self {
            gate,
            trail,
            events,
            planted,
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            records: self.trail.snapshot().len(),
            events: self.events.snapshot().len(),
        }
    }

    /// What was told since, once nothing is unsettled any more: what a client sees last is not what
    /// a server does last.
    pub(crate) async fn told_since(&self, mark: Mark) -> Told {
        for _ in 0..200 {
            let told = self.since(mark);
            if told.records.iter().all(|record| record.outcome.is_some()) {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.since(mark)
    }

    fn since(&self, mark: Mark) -> Told {
        Told {
            records: self.trail.snapshot().split_off(mark.records),
            events: self.events.snapshot().split_off(mark.events),
        }
    }
}

fn tokens(name: GateName, verifier: TokenVerifier) -> TokenAuthenticatorBuilder {
    let tokens = TokenAuthenticator::builder(verifier);
    match name {
        GateName::Bound => tokens.dpop(proofs::policy(None)),
        GateName::Nonces | GateName::SlowNonces => {
            tokens.dpop(proofs::policy(Some(proofs::nonces())))
        }
        GateName::Direct
        | GateName::Proxied
        | GateName::HttpsOnly
        | GateName::HttpsRedirect
        | GateName::Slow
        | GateName::Unrecorded
        | GateName::Described
        | GateName::Organisations
        | GateName::Limited
        | GateName::LimitedSlow
        | GateName::LimitedProxied
        | GateName::LimitedForwarded
        | GateName::LimitedNamed
        | GateName::Authorized
        | GateName::AuthorizedSlow
        | GateName::AuthorizedDown
        | GateName::Alone => tokens,
    }
}

/// What three organisations demand of their own people.
fn organisations() -> OrganisationRules {
    let org = |name: &str| OrgId::new(name).expect("an id");
    let rule = OrganisationRule::new;
    let rules = [
        ("sso", rule().issuers([credentials::SSO])),
        ("mail", rule().mail_domains(["acme.example"])),
        ("mfa", rule().methods(["mfa", "hwk"])),
    ];
    let rules = rules.map(|(name, rule)| (org(name), rule.expect("a rule")));
    OrganisationRules::of_all(rules).expect("rules")
}

fn trusted(network: &str) -> TrustedProxies {
    believed(network, ForwardingHeader::default())
}

fn believed(network: &str, header: ForwardingHeader) -> TrustedProxies {
    let proxies = TrustedProxies::builder().network(network).header(header);
    proxies.build().expect("a network")
}

/// Workloads with SPIFFE ids, as Envoy forwards them.
fn workloads(proxies: TrustedProxies) -> CertificateAuthenticatorBuilder {
    let domain = TrustDomain::new("prod.example").expect("a trust domain");
    let mapping = CertificateMapping::spiffe("spiffe://prod.example/reports");
    CertificateAuthenticator::builder(IdentityRule::spiffe(domain))
        .behind(proxies, IdentityHeader::forwarded_client_cert())
        .scopes_header("x-client-scopes")
        .map(named(mapping, "reports", &["cases:read"]))
}

/// Machines with common names, as nginx forwards them.
fn machines(proxies: TrustedProxies) -> CertificateAuthenticatorBuilder {
    let header = IdentityHeader::subject("x-ssl-client-subject")
        .verified_by("x-ssl-client-verify", "SUCCESS")
        .expect("names of fields");
    let mapping = CertificateMapping::common_name("billing");
    CertificateAuthenticator::builder(IdentityRule::common_name())
        .behind(proxies, header)
        .map(named(mapping, "billing", &["cases:read", "cases:write"]))
}

fn named(
    mapping: Result<CertificateMapping, IdentityError>,
    subject: &str,
    scopes: &[&str],
) -> CertificateMapping {
    let scopes = scopes
        .iter()
        .map(|scope| Scope::new(*scope).expect("a scope"));
    mapping
        .expect("an identity")
        .subject(Subject::new(subject).expect("a subject"))
        .scopes(scopes)
}

/// What the step-up route demands.
pub(crate) fn step_up() -> AuthenticationRequirement {
    AuthenticationRequirement::acr_values([STRONG])
        .and_then(|classes| classes.with_max_age(Duration::from_secs(RECENT)))
        .expect("a requirement")
}

fn plant(gate: &Gate) -> Admitted {
    let policy = RoutePolicy::new("planted", Access::Authenticated)
        .with_audit(AuditScope::Off)
        .without_limits()
        .permit_plain_http();
    let headers = [("x-api-key", "admin")];
    let view = RequestView {
        method: "GET",
        scheme: None,
        authority: None,
        raw_path: "/planted",
        raw_query: None,
        // An address of nobody (RFC 5737 §3).
        socket_peer: Some(([203, 0, 113, 77], 4711).into()),
        client_address: None,
        tls_peer: None,
        headers: &headers,
    };
    let entry = match gate.door(policy).enter(&view) {
        Step::Done(entry) => entry,
        // Limits may wait, which a thread without a runtime does.
        Step::Wait(future) => std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build();
            runtime.expect("a runtime").block_on(future)
        })
        .join()
        .expect("an entry"),
    };
    match entry {
        Ok((admitted, _)) => admitted,
        Err(denial) => panic!("{denial}"),
    }
}

/// An audit trail that takes its time, so that the adapters have to wait.
#[derive(Debug)]
struct Hesitant(Arc<MemoryAudit>);

fn later<T: Send + Unpin + 'static>(step: Step<T>) -> Step<T> {
    Step::wait(async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        step.await
    })
}

impl AuditSink for Hesitant {
    fn intent(&self, intent: AuditIntent) -> Step<Result<AuditTicket, AuditUnavailable>> {
        later(self.0.intent(intent))
    }

    fn outcome(
        &self,
        ticket: AuditTicket,
        outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>> {
        // Stored late, so that an adapter that answers before it is done shows.
        let trail = Arc::clone(&self.0);
        Step::wait(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            trail.outcome(ticket, outcome).await
        })
    }

    fn denied(
        &self,
        intent: AuditIntent,
        outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>> {
        later(self.0.denied(intent, outcome))
    }

    fn cancelled(&self, ticket: AuditTicket) {
        self.0.cancelled(ticket);
    }
}

/// An audit trail that is down.
#[derive(Debug)]
struct Down;

const UNAVAILABLE: AuditUnavailable = AuditUnavailable {
    retry_after: Duration::from_secs(11),
};

impl AuditSink for Down {
    fn intent(&self, _: AuditIntent) -> Step<Result<AuditTicket, AuditUnavailable>> {
        Step::Done(Err(UNAVAILABLE))
    }

    fn outcome(&self, _: AuditTicket, _: AuditOutcome) -> Step<Result<(), AuditUnavailable>> {
        Step::Done(Err(UNAVAILABLE))
    }

    fn denied(&self, _: AuditIntent, _: AuditOutcome) -> Step<Result<(), AuditUnavailable>> {
        Step::Done(Err(UNAVAILABLE))
    }

    fn cancelled(&self, _: AuditTicket) {}
}
