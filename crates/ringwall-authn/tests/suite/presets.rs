//! The well-known providers: a token of each one's shape is accepted and read as documented, and
//! its other kinds of token are refused.

use ringwall_authn::jose::Algorithm;
use ringwall_authn::{
    ClaimPath, IssuerPolicy, IssuerPolicyBuilder, PolicyError, PrincipalMapping, Refusal,
};
use ringwall_core::principal::PrincipalKind;
use serde_json::{Value, json};

use crate::support::*;

struct Provider {
    key: Key,
    verifier: ringwall_authn::TokenVerifier,
    claims: Value,
    /// `typ` of the header; `None` where the provider sends none.
    kind: Option<&'static str>,
}

impl Provider {
    fn new(
        preset: impl FnOnce(std::sync::Arc<dyn ringwall_authn::jose::KeySource>) -> IssuerPolicyBuilder,
        kind: Option<&'static str>,
        claims: Value,
    ) -> Self {
        let key = Key::new("k1", Algorithm::Rs256);
        let verifier = verifier_of(preset(source(&[&key])));
        Self {
            key,
            verifier,
            claims,
            kind,
        }
    }

    fn token(&self, edit: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.claims.clone();
        edit(&mut claims);
        let mut header = json!({ "alg": "RS256", "kid": "k1" });
        if let Some(kind) = self.kind {
            header["typ"] = kind.into();
        }
        self.key.raw_token(&header.to_string(), &claims.to_string())
    }

    #[track_caller]
    fn accepts(&self) -> std::sync::Arc<ringwall_authn::VerifiedToken> {
        accepted(&self.verifier, &self.token(|_| {}))
    }

    /// What every preset has: required claims, `iat`, and the other kinds of token.
    #[track_caller]
    fn refuses_what_is_not_its_kind(&self, required: &[&str], forbidden: &[&str], types: &[&str]) {
        for name in required {
            self.refuses(Refusal::RequiredClaim, |claims| remove(claims, name));
            self.refuses(Refusal::RequiredClaim, |claims| claims[*name] = "".into());
        }
        self.refuses(Refusal::RequiredClaim, |claims| remove(claims, "iat"));
        for name in forbidden {
            self.refuses(Refusal::TokenKind, |claims| claims[*name] = "x".into());
        }
        let claims = self.claims.to_string();
        let token = |kind: &str| {
            let header = json!({ "alg": "RS256", "kid": "k1", "typ": kind });
            self.key.raw_token(&header.to_string(), &claims)
        };
        for kind in ["logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "id+jwt"] {
            let refused = refusal(&self.verifier, &token(kind));
            assert_eq!(refused, Refusal::TokenType, "{kind}");
        }
        for kind in ["JWT", "at+jwt"] {
            let verdict = self.verifier.verify(&token(kind), now()).is_ok();
            assert_eq!(verdict, types.contains(&kind), "{kind}");
        }
    }

    #[track_caller]
    fn refuses(&self, expected: Refusal, edit: impl FnOnce(&mut Value)) {
        assert_eq!(refusal(&self.verifier, &self.token(edit)), expected);
    }
}

/// Claims that only other kinds of token have.
const NOT_ACCESS: [&str; 7] = [
    "nonce", "at_hash", "c_hash", "s_hash", "events", "htm", "htu",
];

fn remove(claims: &mut Value, name: &str) {
    claims.as_object_mut().unwrap().remove(name);
}

#[test]
fn keycloak() {
    let issuer = "https://sso.example/realms/main";
    let provider = Provider::new(
        |keys| IssuerPolicy::keycloak(issuer, "api", keys),
        Some("JWT"),
        json!({
            "exp": NOW + 300, "iat": NOW, "jti": "onrtac:1", "iss": issuer, "aud": ["api", "account"],
            "sub": "f1a2", "typ": "Bearer", "azp": "web", "sid": "s1", "acr": "1",
            "realm_access": { "roles": ["analyst", "offline_access"] },
            "resource_access": { "account": { "roles": ["view-profile"] } },
            "scope": "openid cases:read", "preferred_username": "admin"
        }),
    );
    let principal = provider.accepts().principal().clone();
    assert!(
        principal.has_role("analyst")
            && !principal.has_role("view-profile")
            && principal.has_scope("cases:read")
    );
    provider.refuses(Refusal::TokenKind, |claims| claims["typ"] = "ID".into());
    provider.refuses(Refusal::TokenKind, |claims| {
        claims["typ"] = "Refresh".into()
    });
    provider.refuses(Refusal::TokenKind, |claims| remove(claims, "typ"));
    provider.refuses(Refusal::AudienceMismatch, |claims| {
        claims["aud"] = "account".into()
    });
    provider.refuses_what_is_not_its_kind(&["jti"], &NOT_ACCESS, &["JWT", "at+jwt"]);
}

#[test]
fn auth0() {
    let issuer = "https://tenant.auth0.com/";
    let provider = Provider::new(
        |keys| IssuerPolicy::auth0(issuer, "https://api.example", keys),
        Some("JWT"),
        json!({
            "iss": issuer, "sub": "auth0|5f7c", "aud": ["https://api.example", "https://tenant.auth0.com/userinfo"],
            "iat": NOW, "exp": NOW + 86_400, "azp": "client", "scope": "openid profile", "org_id": "org_1",
            "permissions": ["cases:read"]
        }),
    );
    let principal = provider.accepts().principal().clone();
    assert!(
        principal.has_scope("cases:read")
            && principal.has_scope("openid")
            && principal.roles.is_empty()
    );
    assert_eq!(principal.tenant.as_ref().unwrap().org, "org_1");
    provider.refuses(Refusal::IssuerUnknown, |claims| {
        claims["iss"] = "https://tenant.auth0.com".into()
    });
    provider.refuses(Refusal::TokenKind, |claims| claims["nonce"] = "n".into());
    provider.refuses_what_is_not_its_kind(&[], &NOT_ACCESS, &["JWT", "at+jwt"]);
}

#[test]
fn okta() {
    let issuer = "https://org.okta.com/oauth2/default";
    let provider = Provider::new(
        |keys| IssuerPolicy::okta(issuer, "api://default", keys),
        None,
        json!({
            "ver": 1, "jti": "AT.1", "iss": issuer, "aud": "api://default", "iat": NOW, "exp": NOW + 3600,
            "cid": "0oa", "uid": "00u", "scp": ["openid", "cases:read"], "sub": "user@example.com", "groups": ["Analysts"]
        }),
    );
    let principal = provider.accepts().principal().clone();
    assert!(
        principal.has_scope("cases:read")
            && principal.has_role("Analysts")
            && principal.tenant.is_none()
    );
    provider.refuses(Refusal::RequiredClaim, |claims| remove(claims, "cid"));
    provider.refuses_what_is_not_its_kind(&["cid", "jti"], &NOT_ACCESS, &["JWT", "at+jwt"]);
}

#[test]
fn entra_id() {
    let issuer = "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0";
    let provider = Provider::new(
        |keys| IssuerPolicy::entra_id(issuer, "11111111-1111-1111-1111-111111111111", keys),
        Some("JWT"),
        json!({
            "aud": "11111111-1111-1111-1111-111111111111", "iss": issuer, "iat": NOW, "nbf": NOW, "exp": NOW + 5000,
            "azp": "22222222-2222-2222-2222-222222222222", "azpacr": "0", "oid": "00000000-0000-0000-66f3-3332eca7ea81",
            "roles": ["Task.Read"], "scp": "access_as_user", "sub": "pairwise", "tid": "9122040d-6c67-4c5b-b112-36a304b66dad",
            "ver": "2.0", "preferred_username": "admin@example.com"
        }),
    );
    let principal = provider.accepts().principal().clone();
    assert_eq!(principal.subject, "00000000-0000-0000-66f3-3332eca7ea81");
    assert_eq!(
        principal.tenant.as_ref().unwrap().org,
        "9122040d-6c67-4c5b-b112-36a304b66dad"
    );
    assert!(principal.has_scope("access_as_user") && principal.has_role("Task.Read"));
    // Its ID tokens have the same audience and no `azp`; version 1.0 has another issuer.
    provider.refuses(Refusal::RequiredClaim, |claims| remove(claims, "azp"));
    provider.refuses(Refusal::TokenKind, |claims| claims["ver"] = "1.0".into());
    provider.refuses(Refusal::IssuerUnknown, |claims| {
        claims["iss"] = "https://login.microsoftonline.com/common/v2.0".into();
    });
    provider.refuses_what_is_not_its_kind(&["azp", "tid", "oid"], &NOT_ACCESS, &["JWT"]);
    // What its administrators may call a project is not read.
    let token = provider.token(|claims| claims["project_id"] = "p".into());
    let verified = accepted(&provider.verifier, &token);
    assert_eq!(verified.principal().tenant.as_ref().unwrap().project, None);
}

#[test]
fn cognito() {
    let issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc";
    let provider = Provider::new(
        |keys| IssuerPolicy::cognito(issuer, "client-1", keys),
        None,
        json!({
            "sub": "aaaaaaaa-bbbb", "cognito:groups": ["analysts"], "iss": issuer, "version": 2, "client_id": "client-1",
            "origin_jti": "o", "token_use": "access", "scope": "aws.cognito.signin.user.admin cases/read",
            "auth_time": NOW, "exp": NOW + 3600, "iat": NOW, "jti": "j", "username": "admin"
        }),
    );
    let principal = provider.accepts().principal().clone();
    assert!(principal.has_role("analysts") && principal.has_scope("cases/read"));
    assert_eq!(principal.kind, PrincipalKind::User);
    provider.refuses(Refusal::TokenKind, |claims| {
        claims["token_use"] = "id".into()
    });
    provider.refuses(Refusal::AudienceMismatch, |claims| {
        claims["client_id"] = "client-2".into()
    });
    provider.refuses(Refusal::AudienceMalformed, |claims| {
        remove(claims, "client_id")
    });
    provider.refuses_what_is_not_its_kind(&["jti"], &NOT_ACCESS, &["JWT"]);
    // An audience is not what it looks at.
    provider.refuses(Refusal::AudienceMalformed, |claims| {
        remove(claims, "client_id");
        claims["aud"] = "client-1".into();
    });
}

#[test]
fn google() {
    let provider = Provider::new(
        |keys| IssuerPolicy::google("client.apps.googleusercontent.com", keys),
        Some("JWT"),
        json!({
            "iss": "https://accounts.google.com", "azp": "client.apps.googleusercontent.com",
            "aud": "client.apps.googleusercontent.com", "sub": "110169484474386276334", "at_hash": "HK6E",
            "email": "admin@example.com", "email_verified": true, "hd": "example.com", "nonce": "n", "iat": NOW, "exp": NOW + 3600
        }),
    );
    let principal = provider.accepts().principal().clone();
    assert!(
        principal.scopes.is_empty() && principal.roles.is_empty() && principal.tenant.is_none()
    );
    provider.refuses(Refusal::IssuerUnknown, |claims| {
        claims["iss"] = "accounts.google.com".into()
    });
    provider.refuses_what_is_not_its_kind(&["azp"], &["events", "htm", "htu"], &["JWT"]);
}

#[test]
fn supabase() {
    let issuer = "https://project.supabase.co/auth/v1";
    let provider = Provider::new(
        |keys| IssuerPolicy::supabase(issuer, keys),
        Some("JWT"),
        json!({
            "iss": issuer, "sub": "3b7c", "aud": "authenticated", "exp": NOW + 3600, "iat": NOW, "role": "authenticated",
            "session_id": "s", "email": "a@example.com", "is_anonymous": false,
            "app_metadata": { "provider": "email", "roles": ["analyst"], "org_id": "org-1" },
            "user_metadata": { "roles": ["owner"], "org_id": "org-2" }
        }),
    );
    let principal = provider.accepts().principal().clone();
    assert!(principal.has_role("analyst") && !principal.has_role("owner"));
    assert_eq!(principal.tenant.as_ref().unwrap().org, "org-1");
    provider.refuses(Refusal::TokenKind, |claims| claims["role"] = "anon".into());
    provider.refuses(Refusal::TokenKind, |claims| {
        claims["role"] = "service_role".into()
    });
    provider.refuses(Refusal::RequiredClaim, |claims| {
        remove(claims, "session_id")
    });
    // Its `amr` lists entries with times, which are those of refreshes too.
    let told = accepted(
        &provider.verifier,
        &provider.token(|claims| {
            claims["aal"] = "aal2".into();
            claims["amr"] = json!([{ "method": "totp", "timestamp": NOW }, { "method": "password", "timestamp": NOW }]);
        }),
    );
    let login = &told.principal().authentication;
    assert_eq!(login.context_class.as_ref().unwrap().as_str(), "aal2");
    assert_eq!((login.methods.len(), login.authenticated_at), (2, None));
    for value in [json!(["totp"]), json!([{ "timestamp": NOW }])] {
        provider.refuses(Refusal::MethodsMalformed, |claims| claims["amr"] = value);
    }
    // Who signs in anonymously has the role of a user.
    for value in [json!(true), json!("true"), json!("false"), Value::Null] {
        provider.refuses(Refusal::TokenKind, |claims| claims["is_anonymous"] = value);
    }
    accepted(
        &provider.verifier,
        &provider.token(|claims| remove(claims, "is_anonymous")),
    );
    provider.refuses_what_is_not_its_kind(&["session_id"], &NOT_ACCESS, &["JWT"]);
    let token = provider.token(|claims| {
        claims["app_metadata"]["project_id"] = "p-1".into();
        claims["user_metadata"]["project_id"] = "p-2".into();
    });
    let verified = accepted(&provider.verifier, &token);
    let tenant = verified.principal().tenant.clone().unwrap();
    assert_eq!(tenant.project.unwrap(), "p-1");
}

#[test]
fn a_services_own_token_is_told_from_a_persons_at_every_provider() {
    type Preset = fn(std::sync::Arc<dyn ringwall_authn::jose::KeySource>) -> IssuerPolicyBuilder;
    let issuer = "https://issuer.example";
    let presets: [(Preset, Value, Value); 6] = [
        (
            |keys| IssuerPolicy::keycloak("https://issuer.example", "api", keys),
            json!({ "sub": "s", "typ": "Bearer", "azp": "robot" }),
            json!({ "client_id": "robot" }),
        ),
        (
            |keys| IssuerPolicy::auth0("https://issuer.example", "api", keys),
            json!({ "sub": "auth0|1", "azp": "robot" }),
            json!({ "sub": "robot@clients" }),
        ),
        (
            |keys| IssuerPolicy::okta("https://issuer.example", "api", keys),
            json!({ "sub": "user@example.com", "cid": "robot", "uid": "00u" }),
            json!({ "sub": "robot" }),
        ),
        (
            |keys| IssuerPolicy::entra_id("https://issuer.example", "api", keys),
            json!({ "sub": "pairwise", "oid": "o", "tid": "t", "azp": "robot", "ver": "2.0" }),
            json!({ "sub": "o" }),
        ),
        (
            |keys| IssuerPolicy::cognito("https://issuer.example", "api", keys),
            json!({ "sub": "u", "client_id": "api", "token_use": "access" }),
            json!({ "sub": "api" }),
        ),
        (
            |keys| IssuerPolicy::google("api", keys),
            json!({ "iss": "https://accounts.google.com", "sub": "1", "azp": "api" }),
            json!({ "azp": "1" }),
        ),
    ];
    for (preset, person, change) in presets {
        let key = Key::new("k1", Algorithm::Rs256);
        let verifier = verifier_of(preset(source(&[&key])));
        let mut claims =
            json!({ "iss": issuer, "aud": "api", "exp": NOW + 300, "iat": NOW, "jti": "t" });
        let edit = |claims: &mut Value, edits: &Value| {
            for (name, value) in edits.as_object().unwrap() {
                claims[name] = value.clone();
            }
        };
        edit(&mut claims, &person);
        let verified = accepted(&verifier, &key.plain_token(&claims));
        assert_eq!(verified.principal().kind, PrincipalKind::User, "{person}");
        edit(&mut claims, &change);
        let verified = accepted(&verifier, &key.plain_token(&claims));
        assert_eq!(
            verified.principal().kind,
            PrincipalKind::Service,
            "{person}"
        );
    }
}

#[test]
fn a_preset_can_be_narrowed_without_losing_its_mapping() {
    let key = Key::new("k1", Algorithm::Rs256);
    let issuer = "https://sso.example/realms/main";
    let org = ringwall_core::principal::OrgId::new("org-1").unwrap();
    let preset = IssuerPolicy::keycloak(issuer, "api", source(&[&key]));
    let verifier = verifier_of(preset.map_principal(|mapping| mapping.only_org(org)));
    let mut claims = json!({
        "exp": NOW + 300, "iat": NOW, "jti": "t", "iss": issuer, "aud": "api", "sub": "u", "typ": "Bearer",
        "realm_access": { "roles": ["analyst"] },
    });
    let verified = accepted(&verifier, &key.plain_token(&claims));
    assert!(verified.principal().has_role("analyst"));
    assert_eq!(verified.principal().tenant.as_ref().unwrap().org, "org-1");
    claims["org_id"] = "org-2".into();
    let refused = refusal(&verifier, &key.plain_token(&claims));
    assert_eq!(refused, Refusal::TenantMalformed);
}

#[test]
fn claims_are_read_where_the_mapping_says() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let mapping = PrincipalMapping::default()
        .subject(ClaimPath::named("uid").unwrap())
        .scopes([
            ClaimPath::named("scp").unwrap(),
            ClaimPath::named("scope").unwrap(),
        ])
        .roles([
            ClaimPath::nested("realm_access.roles").unwrap(),
            ClaimPath::named("https://example.com/roles").unwrap(),
        ])
        .org(ClaimPath::nested("ctx.org").unwrap())
        .project(ClaimPath::nested("ctx.project").unwrap())
        .kind(PrincipalKind::Agent);
    let verifier = verifier_of(policy(&[&key]).mapping(mapping));
    let mut claims = claims();
    claims["uid"] = "u-7".into();
    claims["scp"] = json!(["a b", "c"]);
    claims["realm_access"] = json!({ "roles": ["one", "two"] });
    claims["https://example.com/roles"] = "three".into();
    claims["ctx"] = json!({ "org": "o", "project": "p" });
    let principal = accepted(&verifier, &key.token(&claims)).principal().clone();
    assert_eq!(principal.subject, "u-7");
    assert_eq!(principal.kind, PrincipalKind::Agent);
    let roles: Vec<_> = principal.roles.iter().map(|role| role.as_str()).collect();
    assert_eq!(roles, ["one", "two", "three"]);
    let scopes: Vec<_> = principal
        .scopes
        .iter()
        .map(|scope| scope.as_str())
        .collect();
    assert_eq!(scopes, ["a", "b", "c", "cases:read", "cases:write"]);
    let tenant = principal.tenant.as_ref().unwrap();
    assert_eq!(
        (
            tenant.org.as_str(),
            tenant.project.as_ref().unwrap().as_str()
        ),
        ("o", "p")
    );
    // A path through something that is no object finds nothing.
    claims["realm_access"] = "x".into();
    assert_eq!(
        accepted(&verifier, &key.token(&claims))
            .principal()
            .roles
            .len(),
        1
    );
    assert_eq!(
        ClaimPath::nested("user_metadata.org").map(drop),
        Err(PolicyError::UserWritable)
    );
}
