//! Microsoft Entra ID.

use super::*;

const DIRECTORY: &str = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";
const ISSUER: &str = "https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0";
const API: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";

pub(super) fn provider() -> Provider {
    Provider::new("entra_id", |keys| IssuerPolicy::entra_id(ISSUER, API, keys))
}

#[test]
fn entra_id_reads_a_persons_access_token() {
    let principal = provider().accepts("access-token");
    assert_eq!(principal.kind, PrincipalKind::User);
    assert_eq!(principal.subject, "690222be-ff1a-4d56-abd1-7e4f7d38e474");
    assert_eq!(scopes(&principal), ["Cases.Read", "Cases.Comment"]);
    assert_eq!(roles(&principal), ["Cases.Analyst"]);
    assert_eq!(tenant(&principal), Some((DIRECTORY, None)));
}

#[test]
fn entra_id_takes_guests_for_members_of_the_directory_that_invited_them() {
    let principal = provider().accepts("access-token-guest");
    assert_eq!(principal.kind, PrincipalKind::User);
    assert_eq!(tenant(&principal), Some((DIRECTORY, None)));
    assert!(principal.roles.is_empty());
}

#[test]
fn entra_id_takes_applications_for_services() {
    let provider = provider();
    let principal = provider.accepts("app-token");
    assert_eq!(principal.kind, PrincipalKind::Service);
    assert_eq!(principal.subject, "3f2a9d51-6c0e-4f0b-8a35-5a0a6c0f7d19");
    assert_eq!(roles(&principal), ["Cases.Import.All"]);
    // Any application of the directory gets a token for any API; without a role it has no right.
    assert!(principal.scopes.is_empty());
    let principal = provider.accepts_edited("app-token", |token| remove(token, "roles"));
    assert!(principal.scopes.is_empty() && principal.roles.is_empty());
}

#[test]
fn entra_id_believes_a_token_that_says_it_is_an_applications() {
    let provider = provider();
    for (kind, expected) in [
        (json!("app"), PrincipalKind::Service),
        (json!("device"), PrincipalKind::Service),
        (json!(["user"]), PrincipalKind::Service),
        (json!("user"), PrincipalKind::User),
    ] {
        let principal = provider.accepts_edited("access-token", |token| {
            token["claims"]["idtyp"] = kind.clone();
        });
        assert_eq!(principal.kind, expected, "{kind}");
    }
    // Whichever claim names the subject.
    let by_sub = Provider::new("entra_id", |keys| {
        IssuerPolicy::entra_id(ISSUER, API, keys)
            .map_principal(|mapping| mapping.subject(ClaimPath::named("sub").unwrap()))
    });
    assert_eq!(by_sub.accepts("access-token").kind, PrincipalKind::User);
    assert_eq!(by_sub.accepts("app-token").kind, PrincipalKind::Service);
}

#[test]
fn entra_id_refuses_version_1_tokens() {
    let provider = provider();
    provider.refuses("access-token-v1", Refusal::IssuerUnknown);
    // Both versions have the same keys.
    provider.refuses_edited("access-token-v1", Refusal::TokenKind, |token| {
        token["claims"]["iss"] = ISSUER.into();
        token["claims"]["aud"] = API.into();
    });
    let version_1 = Provider::new("entra_id", |keys| {
        let issuer = format!("https://sts.windows.net/{DIRECTORY}/");
        IssuerPolicy::entra_id(&issuer, &format!("api://{API}"), keys)
    });
    version_1.refuses("access-token-v1", Refusal::TokenKind);
}

#[test]
fn entra_id_refuses_id_tokens_for_the_same_audience() {
    provider().refuses("id-token", Refusal::RequiredClaim);
    provider().refuses_edited("id-token", Refusal::TokenKind, |token| {
        token["claims"]["nonce"] = "n".into();
    });
}

#[test]
fn entra_id_refuses_other_directories() {
    let provider = provider();
    for issuer in [
        // The same keys sign for every directory: this claim is all that tells them apart.
        "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
        // Accounts of no organisation.
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        "https://login.microsoftonline.com/common/v2.0",
        "https://login.microsoftonline.com/organizations/v2.0",
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        "https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0/",
        "https://login.microsoftonline.us/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0",
    ] {
        provider.refuses_edited("access-token", Refusal::IssuerUnknown, |token| {
            token["claims"]["iss"] = issuer.into();
        });
    }
}

#[test]
fn entra_id_common_document_names_an_issuer_that_no_token_has() {
    let document = recorded("entra_id", "openid-configuration-common");
    let issuer = document["issuer"].as_str().unwrap().to_owned();
    assert!(issuer.contains("{tenantid}"));
    // Whoever copies it gets refusals, not everybody's tokens.
    let provider = Provider::new("entra_id", |keys| {
        let document = recorded("entra_id", "openid-configuration-common");
        IssuerPolicy::entra_id(document["issuer"].as_str().unwrap(), API, keys)
    });
    provider.refuses("access-token", Refusal::IssuerUnknown);
    provider.refuses("access-token-guest", Refusal::IssuerUnknown);
}

#[test]
fn entra_id_refuses_tokens_for_other_apis() {
    let provider = provider();
    for audience in [
        "00000003-0000-0000-c000-000000000000",
        "https://graph.microsoft.com",
        "api://6e74172b-be56-4843-9ff4-e66a39bb12e3",
    ] {
        provider.refuses_edited("access-token", Refusal::AudienceMismatch, |token| {
            token["claims"]["aud"] = audience.into();
        });
    }
}

#[test]
fn entra_id_keys_name_no_algorithm_and_are_pinned_to_one() {
    for jwk in recorded("entra_id", "jwks")["keys"].as_array().unwrap() {
        assert!(jwk.get("alg").is_none());
    }
    let provider = provider();
    provider.refuses_a_token_under_the_other_keys_id("access-token");
    let mut token = recorded_token("entra_id", "access-token");
    for algorithm in [Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256] {
        token["header"]["alg"] = algorithm.name().into();
        let refused = refusal(
            &provider.verifier,
            &sign_with(&Key::new("", algorithm), &token),
        );
        assert_eq!(refused, Refusal::AlgorithmMismatch);
    }
}
