//! Auth0.

use ringwall_authn::jose::CompactError;

use super::*;

const ISSUER: &str = "https://example-tenant.eu.auth0.com/";
const API: &str = "https://api.example/cases";

pub(super) fn provider() -> Provider {
    Provider::new("auth0", |keys| IssuerPolicy::auth0(ISSUER, API, keys))
}

#[test]
fn auth0_reads_a_persons_access_token_of_either_profile() {
    let principal = provider().accepts("access-token");
    assert_eq!(principal.kind, PrincipalKind::User);
    assert_eq!(principal.subject, "auth0|0123456789abcdef01234567");
    assert_eq!(
        scopes(&principal),
        [
            "openid",
            "profile",
            "email",
            "cases:read",
            "cases:read",
            "cases:close"
        ]
    );
    assert_eq!(tenant(&principal), Some(("org_0123456789abcdef", None)));
    // Roles of an Action stand under a name of the operator's choice.
    assert!(principal.roles.is_empty());
    let principal = provider().accepts("access-token-rfc9068");
    assert_eq!(principal.kind, PrincipalKind::User);
    assert!(principal.has_scope("cases:read") && principal.tenant.is_none());
}

#[test]
fn auth0_reads_namespaced_roles_where_the_mapping_says_so() {
    let provider = Provider::new("auth0", |keys| {
        IssuerPolicy::auth0(ISSUER, API, keys).map_principal(|mapping| {
            mapping.roles([ClaimPath::named("https://example.com/roles").unwrap()])
        })
    });
    assert_eq!(roles(&provider.accepts("access-token")), ["analyst"]);
    // What an Action copied from what users write is no source of roles under any name.
    assert_eq!(
        ClaimPath::named("https://example.com/user_metadata").map(drop),
        Err(PolicyError::UserWritable)
    );
}

#[test]
fn auth0_takes_client_credentials_for_services() {
    let principal = provider().accepts("machine-token");
    assert_eq!(principal.kind, PrincipalKind::Service);
    assert_eq!(
        principal.subject,
        "exampleClientId0123456789abcdefg@clients"
    );
    assert_eq!(scopes(&principal), ["cases:write", "cases:write"]);
}

#[test]
fn auth0_refuses_id_tokens() {
    let provider = provider();
    provider.refuses("id-token", Refusal::TokenKind);
    // One of a flow without a nonce is for the client all the same.
    provider.refuses_edited("id-token", Refusal::AudienceMismatch, |token| {
        remove(token, "nonce");
    });
}

#[test]
fn auth0_refuses_tokens_for_other_audiences() {
    let provider = provider();
    provider.refuses("management-api-token", Refusal::AudienceMismatch);
    // What every request for `openid` adds.
    provider.refuses_edited("access-token", Refusal::AudienceMismatch, |token| {
        token["claims"]["aud"] = format!("{ISSUER}userinfo").into();
    });
    provider.refuses_edited("access-token", Refusal::AudienceMismatch, |token| {
        token["claims"]["aud"] = format!("{API}/").into();
    });
}

#[test]
fn auth0_refuses_opaque_and_encrypted_tokens() {
    let provider = provider();
    let verifier = &provider.verifier;
    let segments = Refusal::Form(CompactError::Segments);
    assert_eq!(
        refusal(verifier, "dGhpcyBpcyBhbiBvcGFxdWUgdG9rZW4"),
        segments
    );
    // What a request without an audience gets: five segments, encrypted for Auth0 itself.
    let encrypted = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.Y2lwaGVydGV4dA.dGFn";
    assert_eq!(refusal(verifier, encrypted), segments);
}

#[test]
fn auth0_refuses_the_issuer_without_its_slash_and_other_tenants() {
    let provider = provider();
    for issuer in [
        "https://example-tenant.eu.auth0.com",
        "https://other-tenant.eu.auth0.com/",
        "https://example-tenant.us.auth0.com/",
        "https://login.example.com/",
        "example-tenant.eu.auth0.com",
    ] {
        provider.refuses_edited("access-token", Refusal::IssuerUnknown, |token| {
            token["claims"]["iss"] = issuer.into();
        });
    }
}

#[test]
fn auth0_keys_vouch_for_their_own_ids_only() {
    provider().refuses_a_token_under_the_other_keys_id("access-token");
}

#[test]
fn auth0_refuses_an_actor_that_nobody_permitted() {
    provider().refuses_edited("access-token", Refusal::Delegation, |token| {
        token["claims"]["act"] = json!({ "sub": "agent@clients" });
    });
}
