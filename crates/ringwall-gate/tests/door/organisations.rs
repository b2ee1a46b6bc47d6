//! What organisations demand of their own people.

use std::sync::Arc;

use ringwall_authn::jose::{Algorithm, StaticKeys};
use ringwall_authn::{IssuerPolicy, SigningKey, TokenIssuer, TokenRequest, TokenVerifier};
use ringwall_core::attest::Attest;
use ringwall_core::audit::{AuditOutcome, MemoryAudit};
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::{
    AuthenticationMethod, OrgId, PrincipalKind, Subject, Tenant, VerifiedPrincipal,
};
use ringwall_gate::{Access, Gate, OrganisationRule, OrganisationRules, RoutePolicy};
use serde_json::{Value, json};

use crate::support::{Bench, Says, done, principal, status, view};

const ISSUER: &str = "https://login.acme.example";
const AUDIENCE: &str = "https://api.example.com";

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_800_000_000).expect("in range")
}

fn org(name: &str) -> OrgId {
    OrgId::new(name).expect("an organisation")
}

fn tenant(name: &str) -> Tenant {
    Tenant {
        org: org(name),
        project: None,
    }
}

/// Gates whose tokens come from one issuer.
struct Site {
    issuer: TokenIssuer,
    gate: Gate,
    events: Arc<MemoryEvents>,
    audit: Arc<MemoryAudit>,
}

impl Site {
    fn new(rules: OrganisationRules) -> Self {
        let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).expect("random bytes");
        let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).expect("a key");
        let issuer = TokenIssuer::new(ISSUER, key);
        let keys = Arc::new(StaticKeys::new(issuer.key_set().expect("keys")));
        let policy = IssuerPolicy::builder(ISSUER, AUDIENCE, keys)
            .map_principal(|mapping| mapping.accept_actor())
            .build();
        let verifier = TokenVerifier::builder()
            .issuer(policy.expect("a policy"))
            .build();
        let events = Arc::new(MemoryEvents::new(64));
        let audit = Arc::new(MemoryAudit::new(64));
        let gate = Gate::builder("test")
            .tokens(verifier.expect("a verifier"))
            .events(events.clone())
            .audit(audit.clone())
            .clock(Arc::new(ManualClock::new(now())))
            .organisation_rules(rules)
            .build();
        Self {
            issuer,
            gate: gate.expect("a gate"),
            events,
            audit,
        }
    }

    fn request() -> TokenRequest {
        let subject = Subject::new("ada").expect("a subject");
        TokenRequest::new(subject, AUDIENCE).tenant(tenant("acme"))
    }

    /// The status of a request with this token.
    fn status(&self, request: TokenRequest) -> u16 {
        let token = self.issuer.issue(&request, now()).expect("a token");
        let value = format!("Bearer {}", token.token.expose());
        let door = self
            .gate
            .door(RoutePolicy::new("route", Access::Authenticated));
        let headers = vec![("authorization", value.as_str())];
        let entry = done(door.enter(&view(&headers)));
        let status = status(&entry);
        if let Ok((_, exit)) = entry {
            done(exit.finish(200, None));
        }
        status
    }

    /// The status of somebody with these claims.
    fn claims(&self, claims: &[(&str, Value)]) -> u16 {
        let request = claims
            .iter()
            .fold(Self::request(), |request, (name, value)| {
                request.claim(name, value.clone())
            });
        self.status(request)
    }
}

fn acme(rule: OrganisationRule) -> OrganisationRules {
    OrganisationRules::new()
        .org(org("acme"), rule)
        .expect("rules")
}

fn mail() -> OrganisationRule {
    OrganisationRule::new()
        .mail_domains(["acme.example", "Bücher.example"])
        .expect("a rule")
}

#[test]
fn a_mail_domain_counts_when_it_is_verified_and_whole() {
    let site = Site::new(acme(mail()));
    let verified = ("email_verified", json!(true));
    for address in [
        "ada@acme.example",
        "ada@ACME.Example",
        "ada@xn--bcher-kva.example",
        "a.b+c@bücher.example",
    ] {
        let claims = [("email", json!(address)), verified.clone()];
        assert_eq!(site.claims(&claims), 200, "{address}");
    }
    for address in [
        "ada@evilacme.example",
        "ada@mail.acme.example",
        "ada@acme.example.evil.test",
        "ada@acme.example.",
        "ada@evil.test@acme.example",
        "\"ada@evil.test\"@acme.example",
        "ada@acme.example@evil.test",
        "ada@acme.example>",
        "@acme.example",
        "acme.example",
        "ada@",
        "",
        "ada@аcme.example",
    ] {
        let claims = [("email", json!(address)), verified.clone()];
        assert_eq!(site.claims(&claims), 403, "{address}");
    }
    let long = format!("{}@acme.example", "a".repeat(255));
    assert_eq!(
        site.claims(&[("email", json!(long)), verified.clone()]),
        403
    );
    assert_eq!(
        site.claims(&[("email", json!(["ada@acme.example"])), verified]),
        403
    );
}

#[test]
fn an_address_that_nobody_verified_is_none() {
    let site = Site::new(acme(mail()));
    let address = ("email", json!("ada@acme.example"));
    assert_eq!(site.claims(std::slice::from_ref(&address)), 403);
    for verified in [
        json!(false),
        json!("true"),
        json!(1),
        json!(null),
        json!([true]),
    ] {
        let claims = [address.clone(), ("email_verified", verified.clone())];
        assert_eq!(site.claims(&claims), 403, "{verified}");
    }
    assert_eq!(site.claims(&[("email_verified", json!(true))]), 403);
    assert_eq!(site.claims(&[]), 403);
}

#[test]
fn a_refusal_is_an_event_and_a_record_and_tells_the_caller_nothing() {
    let site = Site::new(acme(mail()));
    let claims = [
        ("email", json!("ada@evil.test")),
        ("email_verified", json!(true)),
    ];
    assert_eq!(site.claims(&claims), 403);
    assert_eq!(site.events.count(EventKind::AccessDenied), 1);
    let events = site.events.snapshot();
    let event = events.last().expect("an event");
    assert_eq!(
        event.cause,
        "the caller's mail domain is none of the organisation's"
    );
    assert!(event.principal.is_some());
    let records = site.audit.snapshot();
    assert_eq!(records.len(), 1);
    assert!(matches!(
        records[0].outcome,
        Some(AuditOutcome::Denied { status: 403, .. })
    ));
}

#[test]
fn a_rule_is_for_its_own_organisation_and_others_have_theirs() {
    let site = Site::new(acme(mail()));
    let elsewhere = || Site::request().tenant(tenant("globex"));
    let without = || TokenRequest::new(Subject::new("ada").expect("a subject"), AUDIENCE);
    assert_eq!(site.status(elsewhere()), 200);
    assert_eq!(site.status(without()), 200);
    let others = OrganisationRule::new().methods(["mfa"]).expect("a rule");
    let site = Site::new(acme(mail()).others(others).expect("rules"));
    assert_eq!(site.status(elsewhere()), 403);
    assert_eq!(site.status(without()), 403);
    let amr = json!(["pwd", "mfa"]);
    assert_eq!(site.status(elsewhere().claim("amr", amr.clone())), 200);
    assert_eq!(site.status(without().claim("amr", amr.clone())), 200);
    // The own rule goes before the one for others, and is not added to it.
    assert_eq!(site.status(Site::request().claim("amr", amr)), 403);
}

#[test]
fn a_login_is_at_the_issuer_and_of_the_class_and_method_that_are_demanded() {
    let rule = |issuer: &str| {
        let rule = OrganisationRule::new().issuers([issuer]);
        acme(rule.expect("a rule"))
    };
    assert_eq!(Site::new(rule(ISSUER)).claims(&[]), 200);
    for other in [
        "https://login.acme.example/",
        "https://login.acme.exampl",
        "HTTPS://login.acme.example",
    ] {
        assert_eq!(Site::new(rule(other)).claims(&[]), 403, "{other}");
    }
    let rule = OrganisationRule::new()
        .context_classes(["gold", "silver"])
        .and_then(|rule| rule.methods(["hwk", "otp"]))
        .expect("a rule");
    let site = Site::new(acme(rule));
    for (acr, amr, wanted) in [
        (Some("gold"), Some(json!(["pwd", "otp"])), 200),
        (Some("silver"), Some(json!(["hwk"])), 200),
        (Some("bronze"), Some(json!(["hwk"])), 403),
        (Some("Gold"), Some(json!(["hwk"])), 403),
        (Some("gold"), Some(json!(["pwd"])), 403),
        (Some("gold"), Some(json!([])), 403),
        (Some("gold"), None, 403),
        (None, Some(json!(["hwk"])), 403),
    ] {
        let mut claims = Vec::new();
        claims.extend(acr.map(|acr| ("acr", json!(acr))));
        claims.extend(amr.clone().map(|amr| ("amr", amr)));
        assert_eq!(site.claims(&claims), wanted, "{acr:?} {amr:?}");
    }
}

#[test]
fn a_machine_has_no_mailbox_and_an_agent_has_that_of_whom_it_acts_for() {
    let site = Site::new(acme(mail()));
    // A service's own token: the client is the subject.
    assert_eq!(site.status(Site::request().client_id("ada")), 200);
    let agent = || Site::request().actor(Subject::new("agent-7").expect("a subject"));
    assert_eq!(site.status(agent()), 403);
    let verified = agent()
        .claim("email", json!("ada@acme.example"))
        .claim("email_verified", json!(true));
    assert_eq!(site.status(verified), 200);
    // Where the login has to be, is where every token of the organisation has to come from.
    let elsewhere = OrganisationRule::new().issuers(["https://other.example"]);
    let site = Site::new(acme(elsewhere.expect("a rule")));
    assert_eq!(site.status(Site::request().client_id("ada")), 403);
}

/// What a rule says of a caller who shows no token.
fn without_token(rule: OrganisationRule, kind: PrincipalKind, method: AuthenticationMethod) -> u16 {
    let mut caller = (*principal(&[])).clone();
    caller.kind = kind;
    caller.authentication.method = method;
    caller.tenant = Some(tenant("acme"));
    let caller = VerifiedPrincipal::attest(caller, Attest::i_have_verified_this());
    let says = Says {
        answer: Ok(caller),
        waits: false,
    };
    let bench = Bench::new(says, |builder| builder.organisation_rules(acme(rule)));
    let door = bench
        .gate
        .door(RoutePolicy::new("route", Access::Authenticated));
    let entry = done(door.enter(&view(&vec![("authorization", "x")])));
    let status = status(&entry);
    match entry {
        Ok((_, exit)) => done(exit.finish(200, None)),
        Err(denial) => assert_eq!(denial, Denial::Forbidden { challenge: None }),
    }
    status
}

#[test]
fn keys_and_certificates_of_the_organisation_pass_unless_they_are_a_persons() {
    use AuthenticationMethod as Method;
    let issuer = || OrganisationRule::new().issuers([ISSUER]).expect("a rule");
    let key = PrincipalKind::ApiKey;
    assert_eq!(without_token(issuer(), key, Method::ApiKey), 200);
    assert_eq!(without_token(mail(), key, Method::ApiKey), 200);
    let service = PrincipalKind::Service;
    assert_eq!(without_token(issuer(), service, Method::MutualTls), 200);
    let person = PrincipalKind::User;
    assert_eq!(without_token(mail(), person, Method::MutualTls), 403);
    assert_eq!(without_token(mail(), person, Method::Session), 403);
    assert_eq!(without_token(issuer(), person, Method::Session), 403);
    assert_eq!(
        without_token(issuer(), service, Method::RequestSignature),
        403
    );
}
