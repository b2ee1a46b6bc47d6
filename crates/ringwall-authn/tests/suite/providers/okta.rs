//! Okta.

use super::*;

const ISSUER: &str = "https://example.okta.com/oauth2/default";

pub(super) fn provider() -> Provider {
    Provider::new("okta", |keys| {
        IssuerPolicy::okta(ISSUER, "api://default", keys)
    })
}

#[test]
fn okta_reads_a_persons_access_token() {
    let principal = provider().accepts("access-token");
    assert_eq!(principal.kind, PrincipalKind::User);
    assert_eq!(principal.subject, "person@example.com");
    assert_eq!(scopes(&principal), ["openid", "profile", "cases:read"]);
    assert_eq!(roles(&principal), ["Everyone", "Analysts"]);
    assert_eq!(tenant(&principal), None);
    // Without a groups claim on the authorization server there are no roles.
    let principal = provider().accepts_edited("access-token", |token| remove(token, "groups"));
    assert!(principal.roles.is_empty());
}

#[test]
fn okta_takes_a_lasting_id_for_the_subject_where_the_mapping_says_so() {
    let provider = Provider::new("okta", |keys| {
        IssuerPolicy::okta(ISSUER, "api://default", keys)
            .map_principal(|mapping| mapping.subject(ClaimPath::named("uid").unwrap()))
    });
    let principal = provider.accepts("access-token");
    assert_eq!(principal.subject, "00u5gjb4abkf3LQ9B4x7");
    assert_eq!(principal.kind, PrincipalKind::User);
    // A service has none.
    provider.refuses("machine-token", Refusal::SubjectMalformed);
}

#[test]
fn okta_takes_client_credentials_for_services() {
    let provider = provider();
    let principal = provider.accepts("machine-token");
    assert_eq!(principal.kind, PrincipalKind::Service);
    assert_eq!(principal.subject, "0oa5gjb4kxkf3Lq9B4x7");
    assert_eq!(scopes(&principal), ["cases:write"]);
    // Where the server's own rule for `sub` puts something else in, the missing person tells.
    let principal = provider.accepts_edited("machine-token", |token| {
        token["claims"]["sub"] = "nightly-import".into();
    });
    assert_eq!(principal.kind, PrincipalKind::Service);
    let principal = provider.accepts_edited("machine-token", |token| {
        token["claims"]["uid"] = "00u5gjb4abkf3LQ9B4x7".into();
    });
    assert_eq!(principal.kind, PrincipalKind::Service);
}

#[test]
fn okta_refuses_id_tokens() {
    let provider = provider();
    provider.refuses("id-token", Refusal::TokenKind);
    // Of a flow without nonce and access token, and for the API besides.
    provider.refuses_edited("id-token", Refusal::RequiredClaim, |token| {
        remove(token, "nonce");
        remove(token, "at_hash");
        token["claims"]["aud"] = "api://default".into();
    });
}

#[test]
fn okta_refuses_tokens_of_the_org_authorization_server() {
    let key = Key::new("", Algorithm::Rs256);
    let token = recorded_token("okta", "org-server-access-token");
    let refused = refusal(&provider().verifier, &sign_with(&key, &token));
    assert_eq!(refused, Refusal::IssuerUnknown);
    // Who configures the org itself as the issuer is told so by the type.
    let provider = Provider::new("okta", |keys| {
        IssuerPolicy::okta("https://example.okta.com", "https://example.okta.com", keys)
    });
    provider.refuses_edited("org-server-access-token", Refusal::TokenType, |token| {
        token["header"]["kid"] = provider.keys[0].0.as_str().into();
    });
}

#[test]
fn okta_refuses_other_authorization_servers_and_audiences() {
    let provider = provider();
    for issuer in [
        "https://example.okta.com",
        "https://example.okta.com/oauth2/default/",
        "https://example.okta.com/oauth2/aus5gjb4kxkf3Lq9B4x7",
        "https://example.oktapreview.com/oauth2/default",
    ] {
        provider.refuses_edited("access-token", Refusal::IssuerUnknown, |token| {
            token["claims"]["iss"] = issuer.into();
        });
    }
    provider.refuses_edited("access-token", Refusal::AudienceMismatch, |token| {
        token["claims"]["aud"] = "api://billing".into();
    });
    // The client is no audience.
    provider.refuses_edited("access-token", Refusal::AudienceMismatch, |token| {
        token["claims"]["aud"] = "0oa5gjb4kxkf3Lq9B4x7".into();
        token["claims"]["cid"] = "api://default".into();
    });
}
