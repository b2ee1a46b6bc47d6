//! Amazon Cognito.

use super::*;

pub(super) const ISSUER: &str = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_ExaMPle12";
pub(super) const CLIENT: &str = "1example23456789";
const OTHER_API: &str = "https://billing.example/mcp";

pub(super) fn provider() -> Provider {
    Provider::new("cognito", |keys| {
        IssuerPolicy::cognito(ISSUER, CLIENT, keys)
    })
}

#[test]
fn cognito_reads_a_persons_access_token() {
    let principal = provider().accepts("access-token");
    assert_eq!(principal.kind, PrincipalKind::User);
    assert_eq!(principal.subject, "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
    assert_eq!(scopes(&principal), ["openid", "profile", "cases/read"]);
    assert_eq!(roles(&principal), ["analysts"]);
    assert_eq!(tenant(&principal), None);
}

#[test]
fn cognito_takes_client_credentials_for_services() {
    let principal = provider().accepts("machine-token");
    assert_eq!(principal.kind, PrincipalKind::Service);
    assert_eq!(principal.subject, CLIENT);
    assert_eq!(scopes(&principal), ["cases/write"]);
}

#[test]
fn cognito_refuses_id_tokens() {
    let provider = provider();
    provider.refuses("id-token", Refusal::TokenKind);
    provider.refuses_edited("id-token", Refusal::TokenKind, |token| {
        remove(token, "nonce");
        token["claims"]["client_id"] = CLIENT.into();
    });
    // Neither does the claim that an ID token puts the client into stand in for the other.
    provider.refuses_edited("id-token", Refusal::AudienceMalformed, |token| {
        remove(token, "nonce");
        token["claims"]["token_use"] = "access".into();
    });
}

#[test]
fn cognito_refuses_other_app_clients_and_pools() {
    let provider = provider();
    provider.refuses_edited("access-token", Refusal::AudienceMismatch, |token| {
        token["claims"]["client_id"] = "2example23456789".into();
    });
    provider.refuses_edited("access-token", Refusal::AudienceMalformed, |token| {
        remove(token, "client_id");
    });
    for issuer in [
        "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other1234",
        "https://cognito-idp.eu-central-1.amazonaws.com/eu-west-1_ExaMPle12",
        "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example12",
        "https://example.auth.eu-west-1.amazoncognito.com",
    ] {
        provider.refuses_edited("access-token", Refusal::IssuerUnknown, |token| {
            token["claims"]["iss"] = issuer.into();
        });
    }
}

#[test]
fn cognito_refuses_a_token_that_is_bound_to_another_api() {
    let provider = provider();
    provider.refuses("resource-bound-access-token", Refusal::AudienceMismatch);
    for audience in [json!([]), json!([OTHER_API]), json!("")] {
        provider.refuses_edited("access-token", Refusal::AudienceMismatch, |token| {
            token["claims"]["aud"] = audience.clone();
        });
    }
    for audience in [json!(null), json!(7), json!([CLIENT, 7])] {
        provider.refuses_edited("access-token", Refusal::AudienceMalformed, |token| {
            token["claims"]["aud"] = audience.clone();
        });
    }
    // What a trigger may add: the app client's id and nothing else.
    provider.accepts_edited("access-token", |token| {
        token["claims"]["aud"] = CLIENT.into();
    });
}

#[test]
fn cognito_accepts_a_token_that_is_bound_to_this_api_when_told_its_name() {
    let bound = Provider::new("cognito", |keys| {
        IssuerPolicy::cognito(ISSUER, CLIENT, keys).audience(OTHER_API)
    });
    bound.accepts("resource-bound-access-token");
    // Any app client of the pool may ask for any URL, so the client has to be named too.
    bound.refuses_edited(
        "resource-bound-access-token",
        Refusal::AudienceMismatch,
        |token| {
            token["claims"]["client_id"] = "2example23456789".into();
        },
    );
}

#[test]
fn cognito_attributes_are_no_source_of_tenants() {
    for name in [
        "custom:org_id",
        "custom:tenant",
        "username",
        "cognito:username",
    ] {
        assert_eq!(
            ClaimPath::named(name).map(drop),
            Err(PolicyError::UserWritable),
            "{name}"
        );
    }
}

#[test]
fn cognito_keys_vouch_for_their_own_ids_only() {
    provider().refuses_a_token_under_the_other_keys_id("access-token");
}
