//! Keycloak.

use super::*;

const ISSUER: &str = "https://sso.example/realms/acme";

pub(super) fn provider() -> Provider {
    Provider::new("keycloak", |keys| {
        IssuerPolicy::keycloak(ISSUER, "cases-api", keys)
    })
}

#[test]
fn keycloak_reads_a_persons_access_token() {
    let principal = provider().accepts("access-token");
    assert_eq!(principal.kind, PrincipalKind::User);
    assert_eq!(principal.subject, "5d2f9b7c-1e4a-4c83-9f60-7a1b2c3d4e5f");
    assert_eq!(
        roles(&principal),
        [
            "analyst",
            "offline_access",
            "uma_authorization",
            "default-roles-acme"
        ]
    );
    assert_eq!(
        scopes(&principal),
        ["openid", "email", "profile", "cases:read"]
    );
    assert_eq!(tenant(&principal), None);
}

#[test]
fn keycloak_reads_the_roles_of_a_client_where_the_mapping_says_so() {
    let provider = Provider::new("keycloak", |keys| {
        IssuerPolicy::keycloak(ISSUER, "cases-api", keys).map_principal(|mapping| {
            mapping.roles([ClaimPath::nested("resource_access.cases-api.roles").unwrap()])
        })
    });
    assert_eq!(roles(&provider.accepts("access-token")), ["case-closer"]);
    assert!(roles(&provider.accepts("service-account-token")).is_empty());
}

#[test]
fn keycloak_takes_service_accounts_for_services() {
    let provider = provider();
    let principal = provider.accepts("service-account-token");
    assert_eq!(principal.kind, PrincipalKind::Service);
    assert_eq!(principal.subject, "0d0fdc5f-8c75-4c1b-8d6f-5b1b6f9d4c11");
    assert_eq!(roles(&principal), ["importer", "default-roles-acme"]);
}

#[test]
fn keycloak_takes_service_accounts_for_services_whichever_sign_is_left() {
    let provider = provider();
    // A lightweight token says it in its id alone, since 26.2.
    let principal = provider.accepts("lightweight-service-account-token");
    assert_eq!(principal.kind, PrincipalKind::Service);
    // Mappers can be removed, and one of them had another name; the account's name is there too.
    for (claim, value) in [
        ("client_id", "nightly-import"),
        ("clientId", "nightly-import"),
        ("preferred_username", "service-account-nightly-import"),
        ("jti", "trrtcc:5a3f0a1e-5b25-4f0e-9a60-6ae2a14b4a61"),
        ("jti", "onrtcc:5a3f0a1e-5b25-4f0e-9a60-6ae2a14b4a61"),
    ] {
        let principal = provider.accepts_edited("access-token", |token| {
            token["claims"][claim] = value.into();
        });
        assert_eq!(principal.kind, PrincipalKind::Service, "{claim}");
    }
    // The grant is the last of three parts of two letters each, and nothing else of the id.
    for id in [
        "onrtcc",
        "onrtac:trrtcc:1",
        "ccccac:1",
        "cc:1",
        "trrtccc:1",
        "xtrrtcc:1",
        "a:rtcc:1",
        ":",
        "\u{fc}\u{fc}rcc:1",
    ] {
        let principal = provider.accepts_edited("access-token", |token| {
            token["claims"]["jti"] = id.into();
        });
        assert_eq!(principal.kind, PrincipalKind::User, "{id}");
    }
    for name in [
        "service-accountant",
        "my-service-account-",
        "Service-Account-x",
    ] {
        let principal = provider.accepts_edited("access-token", |token| {
            token["claims"]["preferred_username"] = name.into();
        });
        assert_eq!(principal.kind, PrincipalKind::User, "{name}");
    }
}

#[test]
fn keycloak_accepts_tokens_whose_header_follows_rfc_9068() {
    let principal = provider().accepts_edited("access-token", |token| {
        token["header"]["typ"] = "at+jwt".into();
    });
    assert_eq!(principal.kind, PrincipalKind::User);
    // That header takes nothing else away.
    provider().refuses_edited("id-token", Refusal::TokenKind, |token| {
        token["header"]["typ"] = "at+jwt".into();
    });
}

#[test]
fn keycloak_refuses_id_refresh_and_logout_tokens() {
    let provider = provider();
    provider.refuses("id-token", Refusal::TokenKind);
    // Also one for the API itself, and without what only ID tokens have.
    provider.refuses_edited("id-token", Refusal::TokenKind, |token| {
        token["claims"]["aud"] = "cases-api".into();
        remove(token, "nonce");
        remove(token, "at_hash");
    });
    provider.refuses_edited("access-token", Refusal::TokenKind, |token| {
        token["claims"]["typ"] = "Refresh".into();
    });
    provider.refuses("logout-token", Refusal::TokenType);
    provider.refuses_edited("logout-token", Refusal::TokenKind, |token| {
        token["header"]["typ"] = "JWT".into();
    });
}

#[test]
fn keycloak_refuses_tokens_for_other_audiences() {
    let provider = provider();
    // Everybody's token of the realm has this audience.
    provider.refuses_edited("access-token", Refusal::AudienceMismatch, |token| {
        token["claims"]["aud"] = "account".into();
    });
    // A realm without an audience mapper, and a person who may not manage the own account.
    provider.refuses_edited("access-token", Refusal::AudienceMalformed, |token| {
        remove(token, "aud");
    });
    // The client that asked is no audience.
    provider.refuses_edited("access-token", Refusal::AudienceMismatch, |token| {
        token["claims"]["aud"] = "cases-web".into();
        token["claims"]["azp"] = "cases-api".into();
    });
}

#[test]
fn keycloak_refuses_other_realms_and_other_forms_of_the_issuer() {
    let provider = provider();
    for issuer in [
        "https://sso.example/realms/master",
        "https://sso.example/realms/acme/",
        "https://sso.example/auth/realms/acme",
        "https://sso.example/realms/ACME",
        "http://sso.example/realms/acme",
        "https://sso.example:443/realms/acme",
    ] {
        provider.refuses_edited("access-token", Refusal::IssuerUnknown, |token| {
            token["claims"]["iss"] = issuer.into();
        });
    }
}

#[test]
fn keycloak_refuses_what_is_signed_under_its_key_for_encryption() {
    let provider = provider();
    let [(encryption, key), (signing, _)] = &provider.keys[..] else {
        panic!("two keys were recorded")
    };
    let refused = provider.refused.iter().map(|key| key.id.clone().unwrap());
    let refused: Vec<_> = refused.map(|id| id.as_str().to_owned()).collect();
    assert_eq!(refused, [encryption.as_str()]);
    let mut token = recorded_token("keycloak", "access-token");
    token["header"]["kid"] = encryption.as_str().into();
    let refused = refusal(&provider.verifier, &sign_with(key, &token));
    assert_eq!(refused, Refusal::KeyUnknown);
    token["header"]["kid"] = signing.as_str().into();
    let refused = refusal(&provider.verifier, &sign_with(key, &token));
    assert_eq!(refused, Refusal::Signature);
    // Nor is the one that is left taken for the only one.
    token["header"].as_object_mut().unwrap().remove("kid");
    let refused = refusal(
        &provider.verifier,
        &sign_with(provider.key(signing), &token),
    );
    assert_eq!(refused, Refusal::KeyUnnamed);
}

#[test]
fn keycloak_refuses_tokens_bound_to_a_key_of_their_holder() {
    provider().refuses_edited("access-token", Refusal::SenderConstrained, |token| {
        token["claims"]["cnf"] = json!({ "x5t#S256": "c29tZS1jZXJ0aWZpY2F0ZQ" });
    });
    // With DPoP, the kind says so already.
    provider().refuses_edited("access-token", Refusal::TokenKind, |token| {
        token["claims"]["typ"] = "DPoP".into();
        token["claims"]["cnf"] = json!({ "jkt": "c29tZS1rZXk" });
    });
}

/// What Keycloak says in `typ` of a token that is bound to a key; of no other.
#[test]
fn keycloak_calls_its_key_bound_tokens_dpop() {
    let jkt = json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" });
    let x5t = json!({ "x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0" });
    let provider = provider();
    for (kind, cnf, expected) in [
        ("DPoP", Some(&jkt), None),
        ("Bearer", Some(&jkt), None),
        ("Bearer", Some(&x5t), None),
        ("DPoP", Some(&x5t), Some(Refusal::TokenKind)),
        ("DPoP", None, Some(Refusal::TokenKind)),
        ("ID", Some(&jkt), Some(Refusal::TokenKind)),
    ] {
        let token = provider.token("access-token", |token| {
            token["claims"]["typ"] = kind.into();
            if let Some(cnf) = cnf {
                token["claims"]["cnf"] = cnf.clone();
            }
        });
        let answer = provider.verifier.verify_bound(&token, now());
        assert_eq!(
            answer.err().map(|error| error.refusal()),
            expected,
            "{kind}"
        );
    }
}
