//! The well-known providers, on the recorded shapes of their documents and tokens: what
//! `tests/vectors/providers` holds, with test keys put in and the times moved to the test's.
//!
//! `presets.rs` tests the rules of each preset one claim at a time; here are whole documents, and
//! the neighbours of the right token that a service really meets.

use std::path::PathBuf;
use std::sync::Arc;

use ringwall_authn::jose::{Algorithm, KeyError, KeySet, KeySource, RefusedKey, StaticKeys};
use ringwall_authn::{
    ClaimPath, IssuerPolicy, IssuerPolicyBuilder, PolicyError, PrincipalMapping, Refusal,
    TokenVerifier,
};
use ringwall_core::principal::{OrgId, Principal, PrincipalKind, VerifiedPrincipal};
use serde_json::{Value, json};

use crate::support::*;

mod auth0;
mod cognito;
mod entra_id;
mod google;
mod keycloak;
mod okta;
mod supabase;

/// The moment at which the recorded tokens were issued.
const RECORDED: i64 = 1_767_000_000;

/// Claims that are points in time, in seconds.
const TIMES: [&str; 4] = ["exp", "iat", "nbf", "auth_time"];

fn folder(provider: &str) -> PathBuf {
    [
        env!("CARGO_MANIFEST_DIR"),
        "tests/vectors/providers",
        provider,
    ]
    .iter()
    .collect()
}

fn recorded(provider: &str, name: &str) -> Value {
    let path = folder(provider).join(format!("{name}.json"));
    serde_json::from_slice(
        &std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}")),
    )
    .unwrap()
}

/// A recorded token with its times moved to the test's.
fn recorded_token(provider: &str, name: &str) -> Value {
    let mut token = recorded(provider, name);
    for name in TIMES {
        if let Some(seconds) = token["claims"][name].as_i64() {
            token["claims"][name] = (seconds - RECORDED + NOW).into();
        }
    }
    token
}

/// A provider: its recorded JWK Set with test keys put in, and a verifier with its preset, in the
/// production profile.
struct Provider {
    name: &'static str,
    /// By key id, in the order of the set.
    keys: Vec<(String, Key)>,
    refused: Vec<RefusedKey>,
    verifier: TokenVerifier,
}

impl Provider {
    fn new(
        name: &'static str,
        preset: impl FnOnce(Arc<dyn KeySource>) -> IssuerPolicyBuilder,
    ) -> Self {
        let mut set = recorded(name, "jwks");
        let mut keys = Vec::new();
        for jwk in set["keys"].as_array_mut().unwrap() {
            let key = match (jwk["kty"].as_str().unwrap(), keys.len()) {
                ("RSA", 0) => Key::new("", Algorithm::Rs256),
                ("RSA", 1) => Key::second_rsa(""),
                ("EC", _) => Key::new("", Algorithm::Es256),
                other => panic!("no test key for {other:?}"),
            };
            let material: Value = serde_json::from_str(&key.public().required_members()).unwrap();
            for member in ["n", "e", "x", "y"] {
                if !jwk[member].is_null() {
                    jwk[member] = material[member].clone();
                }
            }
            keys.push((jwk["kid"].as_str().unwrap().to_owned(), key));
        }
        let document = set.to_string();
        let set = KeySet::builder()
            .document(document.as_bytes())
            .and_then(ringwall_authn::jose::KeySetBuilder::build)
            .unwrap();
        let refused = set.refused().to_vec();
        let policy = preset(Arc::new(StaticKeys::new(set))).build().unwrap();
        let verifier = TokenVerifier::builder().issuer(policy).build().unwrap();
        Self {
            name,
            keys,
            refused,
            verifier,
        }
    }

    fn key(&self, id: &str) -> &Key {
        let found = self.keys.iter().find(|(key_id, _)| key_id == id);
        &found
            .unwrap_or_else(|| panic!("{} has no key {id}", self.name))
            .1
    }

    /// Signs with the key that the header names; HS256 with a secret.
    fn sign(&self, token: &Value) -> String {
        if token["header"]["alg"] == "HS256" {
            return sign_with(&Key::new("", Algorithm::Hs256), token);
        }
        sign_with(self.key(token["header"]["kid"].as_str().unwrap()), token)
    }

    fn token(&self, name: &str, edit: impl FnOnce(&mut Value)) -> String {
        let mut token = recorded_token(self.name, name);
        edit(&mut token);
        self.sign(&token)
    }

    #[track_caller]
    fn accepts(&self, name: &str) -> VerifiedPrincipal {
        self.accepts_edited(name, |_| {})
    }

    #[track_caller]
    fn accepts_edited(&self, name: &str, edit: impl FnOnce(&mut Value)) -> VerifiedPrincipal {
        accepted(&self.verifier, &self.token(name, edit))
            .principal()
            .clone()
    }

    #[track_caller]
    fn refuses(&self, name: &str, expected: Refusal) {
        self.refuses_edited(name, expected, |_| {});
    }

    #[track_caller]
    fn refuses_edited(&self, name: &str, expected: Refusal, edit: impl FnOnce(&mut Value)) {
        let refused = refusal(&self.verifier, &self.token(name, edit));
        assert_eq!(refused, expected, "{} {name}", self.name);
    }

    /// The token of one key under the id of the other.
    #[track_caller]
    fn refuses_a_token_under_the_other_keys_id(&self, name: &str) {
        let [(first_id, first), (second_id, second)] = &self.keys[..] else {
            panic!("{} has no two keys", self.name)
        };
        let mut token = recorded_token(self.name, name);
        for (id, wrong) in [(first_id, second), (second_id, first)] {
            token["header"]["kid"] = id.as_str().into();
            let refused = refusal(&self.verifier, &sign_with(wrong, &token));
            assert_eq!(refused, Refusal::Signature);
        }
    }
}

fn sign_with(key: &Key, token: &Value) -> String {
    key.raw_token(&token["header"].to_string(), &token["claims"].to_string())
}

fn remove(token: &mut Value, claim: &str) {
    let removed = token["claims"].as_object_mut().unwrap().remove(claim);
    assert!(removed.is_some(), "there is no {claim} to remove");
}

fn scopes(principal: &Principal) -> Vec<&str> {
    principal
        .scopes
        .iter()
        .map(|scope| scope.as_str())
        .collect()
}

fn roles(principal: &Principal) -> Vec<&str> {
    principal.roles.iter().map(|role| role.as_str()).collect()
}

/// The organisation and the project, if there is a tenant.
fn tenant(principal: &Principal) -> Option<(&str, Option<&str>)> {
    principal.tenant.as_ref().map(|tenant| {
        let project = tenant.project.as_ref().map(|project| project.as_str());
        (tenant.org.as_str(), project)
    })
}

/// Each provider with its token to accept.
fn all() -> [(Provider, &'static str); 7] {
    [
        (keycloak::provider(), "access-token"),
        (auth0::provider(), "access-token"),
        (okta::provider(), "access-token"),
        (entra_id::provider(), "access-token"),
        (cognito::provider(), "access-token"),
        (google::provider(), "id-token"),
        (supabase::provider(), "access-token"),
    ]
}

#[test]
fn the_discovery_document_names_the_issuer_of_the_tokens_and_https_keys() {
    for (provider, name) in all() {
        let document = recorded(provider.name, "openid-configuration");
        let issuers: Vec<_> = provider.verifier.health().into_iter().collect();
        assert_eq!(document["issuer"], *issuers[0].0, "{}", provider.name);
        let token = recorded(provider.name, name);
        assert_eq!(document["issuer"], token["claims"]["iss"]);
        assert!(
            document["jwks_uri"]
                .as_str()
                .unwrap()
                .starts_with("https://")
        );
    }
}

#[test]
fn every_recorded_token_is_used_or_refused_by_a_test() {
    // A file that no test reads would be a claim that nobody checks.
    let sources = [
        include_str!("providers/auth0.rs"),
        include_str!("providers/cognito.rs"),
        include_str!("providers/entra_id.rs"),
        include_str!("providers/google.rs"),
        include_str!("providers/keycloak.rs"),
        include_str!("providers/okta.rs"),
        include_str!("providers/supabase.rs"),
    ];
    for (provider, _) in all() {
        let source = sources
            .iter()
            .find(|source| source.contains(&format!("Provider::new(\"{}\"", provider.name)));
        for entry in std::fs::read_dir(folder(provider.name)).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let Some(name) = file.strip_suffix(".json") else {
                continue;
            };
            if !matches!(name, "jwks" | "openid-configuration") {
                assert!(
                    source.unwrap().contains(&format!("\"{name}\"")),
                    "{}/{file}",
                    provider.name
                );
            }
        }
    }
}

#[test]
fn the_token_of_one_provider_is_refused_under_the_preset_of_another() {
    let providers = all();
    for (provider, _) in &providers {
        for (other, name) in &providers {
            let mut token = recorded_token(other.name, name);
            let signed = other.sign(&token);
            if provider.name == other.name {
                accepted(&provider.verifier, &signed);
                continue;
            }
            assert_eq!(refusal(&provider.verifier, &signed), Refusal::IssuerUnknown);
            // It claims the other issuer, whose keys then decide.
            let issuer = recorded(provider.name, "openid-configuration")["issuer"].clone();
            token["claims"]["iss"] = issuer;
            assert_eq!(
                refusal(&provider.verifier, &other.sign(&token)),
                Refusal::KeyUnknown
            );
            token["header"]["kid"] = provider.keys[0].0.as_str().into();
            token["header"]["alg"] = "RS256".into();
            let foreign = sign_with(&Key::second_rsa(""), &token);
            let refused = refusal(&provider.verifier, &foreign);
            assert!(
                [
                    Refusal::Signature,
                    Refusal::KeyUnknown,
                    Refusal::AlgorithmMismatch
                ]
                .contains(&refused),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn every_key_that_is_not_for_signatures_is_left_out_and_no_other() {
    for (provider, _) in all() {
        let reasons: Vec<_> = provider.refused.iter().map(|key| key.reason).collect();
        let expected: &[KeyError] = if provider.name == "keycloak" {
            &[KeyError::WrongUse]
        } else {
            &[]
        };
        assert_eq!(reasons, expected, "{}", provider.name);
    }
}

/// When (in seconds), how well and by which methods somebody logged in.
fn login(principal: &Principal) -> (Option<i64>, Option<&str>, Vec<&str>) {
    let login = &principal.authentication;
    (
        login.authenticated_at.map(|at| at.unix_seconds()),
        login.context_class.as_ref().map(|class| class.as_str()),
        login.methods.iter().map(|method| method.as_str()).collect(),
    )
}

#[test]
fn a_persons_login_is_read_as_each_provider_tells_it() {
    let logins = [
        (Some(NOW - 40), Some("1"), vec![]),            // Keycloak
        (None, None, vec![]),                           // Auth0
        (Some(NOW - 30), None, vec![]),                 // Okta
        (None, None, vec![]),                           // Entra ID
        (Some(NOW), None, vec![]),                      // Cognito
        (None, None, vec![]),                           // Google
        (None, Some("aal2"), vec!["totp", "password"]), // Supabase
    ];
    for ((provider, name), expected) in all().into_iter().zip(logins) {
        assert_eq!(
            login(&provider.accepts(name)),
            expected,
            "{}",
            provider.name
        );
    }
}

#[test]
fn a_services_own_token_tells_of_no_login_whatever_it_says() {
    let nobody = (None, None, vec![]);
    for (provider, name, claim) in [
        (keycloak::provider(), "service-account-token", "acr"),
        (cognito::provider(), "machine-token", "auth_time"),
    ] {
        let token = recorded_token(provider.name, name);
        assert!(!token["claims"][claim].is_null());
        assert_eq!(login(&provider.accepts(name)), nobody, "{}", provider.name);
    }
    for (provider, name) in [
        (keycloak::provider(), "service-account-token"),
        (auth0::provider(), "machine-token"),
        (okta::provider(), "machine-token"),
        (entra_id::provider(), "app-token"),
        (cognito::provider(), "machine-token"),
    ] {
        let principal = provider.accepts_edited(name, |token| {
            token["claims"]["auth_time"] = NOW.into();
            token["claims"]["acr"] = "gold".into();
            token["claims"]["amr"] = json!(["otp"]);
        });
        assert_eq!(principal.kind, PrincipalKind::Service);
        assert_eq!(login(&principal), nobody, "{}", provider.name);
        // What is malformed refuses the token all the same.
        provider.refuses_edited(name, Refusal::MethodsMalformed, |token| {
            token["claims"]["amr"] = "otp".into();
        });
    }
    // Nor where the policy says that all of the issuer's tokens are of services, or of agents.
    let preset = |kind, keys| {
        IssuerPolicy::cognito(cognito::ISSUER, cognito::CLIENT, keys)
            .map_principal(|mapping| mapping.kind(kind))
    };
    let services = Provider::new("cognito", |keys| preset(PrincipalKind::Service, keys));
    assert_eq!(login(&services.accepts("access-token")), nobody);
    let agents = Provider::new("cognito", |keys| preset(PrincipalKind::Agent, keys));
    assert_eq!(login(&agents.accepts("machine-token")), nobody);
    assert_ne!(login(&agents.accepts("access-token")), nobody);
}

#[test]
fn beside_other_issuers_the_presets_that_name_tenants_have_to_be_bound() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let stands_beside_another = |preset: IssuerPolicyBuilder| {
        let other = policy(&[&key]).map_principal(PrincipalMapping::without_tenant);
        let verifier = TokenVerifier::builder()
            .issuer(other.build().unwrap())
            .issuer(preset.build().unwrap());
        match verifier.build() {
            Ok(_) => true,
            Err(PolicyError::AnyOrg) => false,
            Err(other) => panic!("{other:?}"),
        }
    };
    let org = || OrgId::new("example.com").unwrap();
    let keys = || source(&[&key]);
    let issuer = "https://provider.example";
    let unbound = [
        IssuerPolicy::keycloak(issuer, "api", keys()),
        IssuerPolicy::auth0(issuer, "api", keys()),
        IssuerPolicy::entra_id(issuer, "api", keys()),
        IssuerPolicy::supabase(issuer, keys()),
    ];
    for preset in unbound {
        assert!(!stands_beside_another(preset.clone()));
        let bound = preset.map_principal(|mapping| mapping.only_org(org()));
        assert!(stands_beside_another(bound));
    }
    for preset in [
        IssuerPolicy::okta(issuer, "api", keys()),
        IssuerPolicy::cognito(issuer, "client", keys()),
        IssuerPolicy::google("client", keys()),
        IssuerPolicy::google_workspace(org(), "client", keys()),
    ] {
        assert!(stands_beside_another(preset));
    }
}
