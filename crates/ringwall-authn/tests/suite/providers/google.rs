//! Google.

use super::*;

const CLIENT: &str = "1234987819200-exampleexampleexample.apps.googleusercontent.com";

pub(super) fn provider() -> Provider {
    Provider::new("google", |keys| IssuerPolicy::google(CLIENT, keys))
}

fn workspace() -> Provider {
    Provider::new("google", |keys| {
        IssuerPolicy::google_workspace(OrgId::new("example.com").unwrap(), CLIENT, keys)
    })
}

#[test]
fn google_reads_a_persons_id_token() {
    let principal = provider().accepts("id-token");
    assert_eq!(principal.kind, PrincipalKind::User);
    assert_eq!(principal.subject, "110169484474386276334");
    assert!(principal.scopes.is_empty() && principal.roles.is_empty());
    assert_eq!(tenant(&principal), None);
}

#[test]
fn google_knows_nobody_by_a_mail_address() {
    // Everybody with an account gets in, and nobody as somebody else: the address of a stranger,
    // unverified besides, is neither subject nor tenant.
    let principal = provider().accepts("consumer-id-token");
    assert_eq!(principal.subject, "107691503500061507151");
    assert_eq!(tenant(&principal), None);
    for name in ["email", "email_verified"] {
        assert_eq!(
            ClaimPath::named(name).map(drop),
            Err(PolicyError::UserWritable)
        );
    }
}

#[test]
fn google_takes_service_accounts_for_services() {
    let provider = Provider::new("google", |keys| {
        IssuerPolicy::google("https://cases.example", keys)
    });
    let principal = provider.accepts("service-account-id-token");
    assert_eq!(principal.kind, PrincipalKind::Service);
    assert_eq!(principal.subject, "113774264463038321964");
    assert!(principal.scopes.is_empty() && principal.roles.is_empty());
    provider.refuses("id-token", Refusal::AudienceMismatch);
}

#[test]
fn google_refuses_other_clients_and_the_issuer_without_a_scheme() {
    let provider = provider();
    for issuer in [
        "accounts.google.com",
        "https://accounts.google.com/",
        "http://accounts.google.com",
    ] {
        provider.refuses_edited("id-token", Refusal::IssuerUnknown, |token| {
            token["claims"]["iss"] = issuer.into();
        });
    }
    // Everybody's command-line tools hold tokens for this one.
    provider.refuses_edited("id-token", Refusal::AudienceMismatch, |token| {
        token["claims"]["aud"] = "32555940559.apps.googleusercontent.com".into();
    });
    // The presenter is no audience.
    provider.refuses_edited("id-token", Refusal::AudienceMismatch, |token| {
        token["claims"]["aud"] = "another.apps.googleusercontent.com".into();
        token["claims"]["azp"] = CLIENT.into();
    });
    provider.refuses("service-account-id-token", Refusal::AudienceMismatch);
}

#[test]
fn google_workspace_reads_the_domain_as_the_organisation() {
    let principal = workspace().accepts("id-token");
    assert_eq!(tenant(&principal), Some(("example.com", None)));
    assert_eq!(principal.kind, PrincipalKind::User);
}

#[test]
fn google_workspace_refuses_accounts_outside_the_domain() {
    let provider = workspace();
    // No account of the domain, whatever its mail address: `hd` is missing.
    provider.refuses("consumer-id-token", Refusal::RequiredClaim);
    provider.refuses_edited("consumer-id-token", Refusal::RequiredClaim, |token| {
        token["claims"]["email_verified"] = true.into();
    });
    for domain in [
        "partner.example",
        "evilexample.com",
        "sub.example.com",
        "example.com.",
        "Example.com",
    ] {
        provider.refuses_edited("id-token", Refusal::TenantMalformed, |token| {
            token["claims"]["hd"] = domain.into();
        });
    }
    for domain in [json!(""), json!(["example.com"]), json!(true), json!(null)] {
        provider.refuses_edited("id-token", Refusal::RequiredClaim, |token| {
            token["claims"]["hd"] = domain.clone();
        });
    }
    provider.refuses_edited(
        "service-account-id-token",
        Refusal::RequiredClaim,
        |token| {
            token["claims"]["aud"] = CLIENT.into();
        },
    );
}

#[test]
fn google_keys_vouch_for_their_own_ids_only() {
    provider().refuses_a_token_under_the_other_keys_id("id-token");
}
