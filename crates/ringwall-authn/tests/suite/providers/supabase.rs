//! Supabase.

use super::*;

const ISSUER: &str = "https://abcdefghijklmnopqrst.supabase.co/auth/v1";

pub(super) fn provider() -> Provider {
    Provider::new("supabase", |keys| IssuerPolicy::supabase(ISSUER, keys))
}

#[test]
fn supabase_reads_a_users_token() {
    // Its `amr` is an array of objects, unlike that of RFC 8176.
    let principal = provider().accepts("access-token");
    assert_eq!(principal.kind, PrincipalKind::User);
    assert_eq!(principal.subject, "3b7c6c1e-4d5f-4a0b-9c8d-7e6f5a4b3c2d");
    assert_eq!(roles(&principal), ["analyst"]);
    assert!(principal.scopes.is_empty());
    assert_eq!(tenant(&principal), Some(("org-1", Some("project-1"))));
}

#[test]
fn supabase_believes_nothing_that_users_write() {
    let provider = provider();
    let token = recorded_token("supabase", "access-token");
    assert_eq!(token["claims"]["user_metadata"]["roles"], json!(["owner"]));
    let principal = provider.accepts_edited("access-token", |token| {
        token["claims"]["app_metadata"] = json!({ "provider": "email" });
    });
    assert!(principal.roles.is_empty() && principal.tenant.is_none());
    let principal = provider.accepts_edited("access-token", |token| {
        token["claims"]["user_metadata"] =
            json!({ "app_metadata": { "roles": ["owner"] }, "role": "service_role" });
    });
    assert_eq!(roles(&principal), ["analyst"]);
    for path in [
        "user_metadata.roles",
        "user_metadata.org_id",
        "raw_user_meta_data.roles",
    ] {
        assert_eq!(
            ClaimPath::nested(path).map(drop),
            Err(PolicyError::UserWritable)
        );
    }
}

#[test]
fn supabase_refuses_anonymous_users() {
    let token = recorded_token("supabase", "anonymous-token");
    assert_eq!(token["claims"]["role"], "authenticated");
    provider().refuses("anonymous-token", Refusal::TokenKind);
}

#[test]
fn supabase_refuses_tokens_that_another_application_holds_for_a_user() {
    let token = recorded_token("supabase", "oauth-client-access-token");
    assert_eq!(token["claims"]["role"], "authenticated");
    provider().refuses("oauth-client-access-token", Refusal::TokenKind);
    // Whatever stands there.
    for client in [json!(""), json!(null)] {
        provider().refuses_edited("oauth-client-access-token", Refusal::TokenKind, |token| {
            token["claims"]["client_id"] = client.clone();
        });
    }
}

#[test]
fn supabase_refuses_id_tokens() {
    let provider = provider();
    provider.refuses("id-token", Refusal::TokenKind);
    // It has no role, which every access token has.
    provider.refuses_edited("id-token", Refusal::TokenKind, |token| {
        remove(token, "nonce");
        remove(token, "client_id");
        token["claims"]["aud"] = "authenticated".into();
    });
}

#[test]
fn supabase_refuses_shared_secrets_and_the_keys_made_with_them() {
    let provider = provider();
    // The set publishes no secret, so no id finds one.
    provider.refuses("legacy-access-token", Refusal::KeyUnknown);
    provider.refuses_edited("legacy-access-token", Refusal::AlgorithmMismatch, |token| {
        token["header"].as_object_mut().unwrap().remove("kid");
    });
    provider.refuses("legacy-anon-key", Refusal::IssuerUnknown);
    provider.refuses("legacy-service-role-key", Refusal::IssuerUnknown);
    // Nor are their roles a user's under a key of the set.
    for role in ["anon", "service_role", "supabase_admin", ""] {
        provider.refuses_edited("access-token", Refusal::TokenKind, |token| {
            token["claims"]["role"] = role.into();
        });
    }
}

#[test]
fn supabase_refuses_other_projects_and_audiences() {
    let provider = provider();
    for issuer in [
        "https://zyxwvutsrqponmlkjihg.supabase.co/auth/v1",
        "https://abcdefghijklmnopqrst.supabase.co/auth/v1/",
        "https://abcdefghijklmnopqrst.supabase.co",
        "supabase",
    ] {
        provider.refuses_edited("access-token", Refusal::IssuerUnknown, |token| {
            token["claims"]["iss"] = issuer.into();
        });
    }
    provider.refuses_edited("access-token", Refusal::AudienceMismatch, |token| {
        token["claims"]["aud"] = "anon".into();
    });
    provider.refuses_edited("access-token", Refusal::RequiredClaim, |token| {
        remove(token, "session_id");
    });
}
