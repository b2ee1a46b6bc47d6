//! What becomes of a configuration: gates, and whom they let in.

use core::net::SocketAddr;
use std::sync::Arc;

use ringwall_authn::api_key::MemoryApiKeys;
use ringwall_authn::{ApiKeyRequest, MemoryRevocations, SigningKey, TokenIssuer, TokenRequest};
use ringwall_core::clock::{SystemClock, WallClock as _};
use ringwall_core::principal::{OrgId, Role, Subject, Tenant};
use ringwall_core::request::RequestView;
use ringwall_core::step::{BoxFuture, Step};
use ringwall_jose::Algorithm;
use ringwall_jwks_client::{FetchError, FetchRequest, Fetched, JwksFetcher};

use super::*;
use crate::door::Entry;
use crate::gate::Gate;
use crate::policy::{Access, RoutePolicy};

const ISSUER: &str = "https://login.example.com";
const AUDIENCE: &str = "https://api.example.com";

/// A folder, and an issuer whose keys are in it.
struct Site {
    folder: Folder,
    issuer: TokenIssuer,
}

impl Site {
    fn new(algorithm: Algorithm) -> Self {
        let folder = Folder::new();
        let pkcs8 = SigningKey::generate_pkcs8(algorithm).expect("random bytes");
        let key = SigningKey::from_pkcs8(algorithm, &pkcs8).expect("a key");
        let issuer = TokenIssuer::new(ISSUER, key);
        folder.write("jwks.json", &issuer.jwks());
        Self { folder, issuer }
    }

    fn bearer(&self, change: impl FnOnce(TokenRequest) -> TokenRequest) -> String {
        let subject = Subject::new("ada").expect("a subject");
        let request = change(TokenRequest::new(subject, AUDIENCE));
        let now = SystemClock::new().now().expect("the time");
        let issued = self.issuer.issue(&request, now).expect("a token");
        issued.token.expose().to_owned()
    }
}

fn services() -> Services {
    Services::new().revocations(Arc::new(MemoryRevocations::new(16)))
}

#[track_caller]
fn build(config: GateConfig, services: Services) -> (Gate, AssembledGate) {
    let assembled = config
        .into_builder(services)
        .unwrap_or_else(|faults| panic!("{faults}"));
    let AssembledGate {
        builder,
        api_keys,
        verifiers,
        upkeep,
    } = assembled;
    let gate = builder.without_audit().build().expect("a gate");
    let rest = AssembledGate {
        builder: Gate::builder("rest"),
        api_keys,
        verifiers,
        upkeep,
    };
    (gate, rest)
}

type Headers<'a> = Vec<(&'a str, &'a str)>;

/// As somebody at `peer` who connects over TLS sends it.
fn view<'a>(peer: &str, headers: &'a Headers<'a>) -> RequestView<'a> {
    RequestView {
        method: "GET",
        scheme: Some("https"),
        authority: None,
        raw_path: "/runs",
        raw_query: None,
        socket_peer: Some(SocketAddr::new(peer.parse().expect("an address"), 4711)),
        client_address: None,
        tls_peer: None,
        headers,
    }
}

fn enter(gate: &Gate, access: Access, view: &RequestView<'_>) -> Entry {
    match gate.door(RoutePolicy::new("route", access)).enter(view) {
        Step::Done(entry) => entry,
        Step::Wait(_) => panic!("nothing waits here"),
    }
}

fn status(gate: &Gate, scope: &str, headers: &Headers<'_>) -> u16 {
    let access = Access::all_scopes([scope]).expect("a scope");
    enter(gate, access, &view("192.0.2.1", headers))
        .map_or_else(|denial| denial.http_status(), |_| 200)
}

#[test]
fn tokens_are_found_where_and_mapped_as_it_was_said() {
    let site = Site::new(Algorithm::EdDsa);
    let text = format!(
        r#"{JWT}
        header = "x-access-token"
        bearer_prefix = ""
        scopes_claims = ["permissions.list"]
        roles_claims = ["https://example.com/roles"]
        subject_claim = "person"
        [role_scopes]
        analyst = ["runs:read", "runs:write"]
        "#
    );
    let (gate, rest) = build(site.folder.good(&text), services());
    assert_eq!(rest.verifiers.len(), 1);
    let token = site.bearer(|request| {
        request
            .claim("person", "p1".into())
            .claim("permissions", serde_json::json!({ "list": ["cases:read"] }))
            .claim("https://example.com/roles", serde_json::json!(["analyst"]))
    });
    let headers = vec![("x-access-token", token.as_str())];
    assert_eq!(status(&gate, "cases:read", &headers), 200);
    assert_eq!(status(&gate, "runs:write", &headers), 200);
    assert_eq!(status(&gate, "runs:delete", &headers), 403);
    let entry = enter(&gate, Access::Authenticated, &view("192.0.2.1", &headers));
    let (admitted, _exit) = entry.expect("admitted");
    assert_eq!(admitted.principal().expect("somebody").subject, "p1");
    let bearer = format!("Bearer {token}");
    let elsewhere = vec![("authorization", bearer.as_str())];
    assert_eq!(status(&gate, "cases:read", &elsewhere), 401);
}

#[test]
fn keys_of_algorithms_that_nobody_agreed_to_are_not_taken() {
    let site = Site::new(Algorithm::EdDsa);
    let with = |algorithms: &str| format!("{JWT}algorithms = {algorithms}\n");
    site.folder
        .refuses(&with("[\"ES256\"]"), &["tokens.jwks_file"]);
    let (gate, _rest) = build(
        site.folder.good(&with("[\"ES256\", \"EdDSA\"]")),
        services(),
    );
    let bearer = format!("Bearer {}", site.bearer(|request| request));
    let headers = vec![("authorization", bearer.as_str())];
    assert_eq!(status(&gate, "x", &headers), 403);
    // And in a set that has another key too, in a file and from afar.
    let pkcs8 = SigningKey::generate_pkcs8(Algorithm::Es256).expect("random bytes");
    let other = SigningKey::from_pkcs8(Algorithm::Es256, &pkcs8).expect("a key");
    site.issuer.announce(other).expect("another id");
    site.folder.write("jwks.json", &site.issuer.jwks());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    for place in [
        "jwks_file = \"{}/jwks.json\"",
        "jwks_url = \"https://login.example.com/jwks\"",
    ] {
        let with = |algorithms: &str| {
            let text = JWT.replace("jwks_file = \"{}/jwks.json\"", place);
            let config = site
                .folder
                .good(&format!("{text}algorithms = {algorithms}\n"));
            let services = services().jwks_fetcher(Arc::new(Gives(site.issuer.jwks())));
            runtime.block_on(async {
                let (gate, rest) = build(config, services);
                rest.upkeep.prefetch().await.expect("keys");
                // A key that is not there is looked for, which takes a moment.
                let access = Access::all_scopes(["x"]).expect("a scope");
                let door = gate.door(RoutePolicy::new("route", access));
                let entry = door.enter(&view("192.0.2.1", &headers)).await;
                entry.map_or_else(|denial| denial.http_status(), |_| 200)
            })
        };
        assert_eq!(with("[\"ES256\", \"EdDSA\"]"), 403, "{place}");
        assert_eq!(with("[\"ES256\"]"), 401, "{place}");
    }
}

#[test]
fn an_issuer_speaks_for_its_own_organisation() {
    let site = Site::new(Algorithm::EdDsa);
    let other = "[[tokens]]\nissuer = \"https://other.example\"\naudience = \"api\"\n\
                 jwks_file = \"{}/jwks.json\"\norg = \"other\"\n";
    let text = |binding: &str| {
        format!(
            "{}{binding}\n{other}",
            JWT.replace("[tokens]", "[[tokens]]")
        )
    };
    let ask = |text: &str, org: &str| {
        let (gate, _rest) = build(site.folder.good(text), services());
        let tenant = Tenant {
            org: OrgId::new(org).expect("an organisation"),
            project: None,
        };
        let bearer = format!("Bearer {}", site.bearer(|request| request.tenant(tenant)));
        status(&gate, "x", &vec![("authorization", bearer.as_str())])
    };
    assert_eq!(ask(&text("org = \"acme\""), "acme"), 403);
    assert_eq!(ask(&text("org = \"acme\""), "other"), 401);
    assert_eq!(ask(&text("any_org = true"), "other"), 403);
}

#[test]
fn plain_http_is_refused_unless_it_was_said() {
    let site = Site::new(Algorithm::EdDsa);
    let headers = vec![];
    let plain = RequestView {
        scheme: Some("http"),
        ..view("192.0.2.1", &headers)
    };
    let answer = |text: &str| {
        let (gate, _rest) = build(site.folder.good(text), services());
        let entry = enter(&gate, Access::Public, &plain);
        entry.map_or_else(|denial| denial.http_status(), |_| 200)
    };
    assert_eq!(answer(JWT), 403);
    assert_eq!(
        answer(&format!("{JWT}[front]\nserve_plain_http = true\n")),
        200
    );
    let dev = format!("profile = \"development\"\n{JWT}");
    assert_eq!(answer(&dev), 200);
    let proxied = format!("{dev}[front]\ntrusted_proxies = [\"10.0.0.1\"]\n");
    assert_eq!(answer(&proxied), 403);
}

#[test]
fn what_organisations_demand_is_held_against_callers() {
    let site = Site::new(Algorithm::EdDsa);
    let text = format!(
        "{JWT}\n[organisation.acme]\nsso_issuers = [\"{ISSUER}\"]\nmail_domains = [\"acme.example\"]\n\
         [organisation.\"*\"]\namr_values = [\"mfa\"]\n"
    );
    let (gate, _rest) = build(site.folder.good(&text), services());
    let ask = |org: &str, name: &str, value: serde_json::Value| {
        let tenant = Tenant {
            org: OrgId::new(org).expect("an organisation"),
            project: None,
        };
        let token = site.bearer(|request| {
            request
                .tenant(tenant)
                .claim("email_verified", true.into())
                .claim(name, value)
        });
        let bearer = format!("Bearer {token}");
        let headers = vec![("authorization", bearer.as_str())];
        let entry = enter(&gate, Access::Authenticated, &view("192.0.2.1", &headers));
        entry.map_or_else(|denial| denial.http_status(), |_| 200)
    };
    assert_eq!(ask("acme", "email", "ada@acme.example".into()), 200);
    assert_eq!(ask("acme", "email", "ada@evil.test".into()), 403);
    assert_eq!(ask("globex", "email", "ada@acme.example".into()), 403);
    assert_eq!(ask("globex", "amr", serde_json::json!(["mfa"])), 200);
}

/// A token as the old service signed them.
fn signed(secret: &[u8], header: &str) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};

    let now = SystemClock::new().now().expect("the time").unix_seconds();
    let claims = serde_json::json!({
        "iss": "here", "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now.saturating_add(60), "scope": "runs:read",
    });
    let encode = |text: &str| ringwall_jose::base64url::encode(text);
    let message = format!("{}.{}", encode(header), encode(&claims.to_string()));
    let mut state = <Hmac<sha2::Sha256>>::new_from_slice(secret).expect("a key");
    state.update(message.as_bytes());
    let tag = state.finalize().into_bytes();
    format!("{message}.{}", ringwall_jose::base64url::encode(&tag[..]))
}

#[test]
fn a_shared_secret_opens_a_development_machine() {
    let text = |encoding: &str| {
        format!(
            "profile = \"development\"\nmodes = [\"jwt\"]\nrevocations = \"none\"\n[tokens]\n\
             issuer = \"here\"\naudience = \"{AUDIENCE}\"\nhmac_secret_encoding = \"{encoding}\"\n\
             hmac_secret = \"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"\n"
        )
    };
    let folder = Folder::new();
    let secrets: [(&str, &[u8]); 2] = [
        ("base64", b"0123456789abcdef0123456789abcdef"),
        ("text", b"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
    ];
    for (encoding, bytes) in secrets {
        let (gate, _rest) = build(folder.good(&text(encoding)), Services::new());
        for (other, secret) in secrets {
            let token = signed(secret, r#"{"alg":"HS256","typ":"JWT"}"#);
            let bearer = format!("Bearer {token}");
            let headers = vec![("authorization", bearer.as_str())];
            let wanted = if other == encoding { 200 } else { 401 };
            assert_eq!(
                status(&gate, "runs:read", &headers),
                wanted,
                "{encoding} {other}"
            );
        }
        // What the secret would verify under another algorithm of its family is refused.
        let other = signed(bytes, r#"{"alg":"HS384","typ":"JWT"}"#);
        let bearer = format!("Bearer {other}");
        let headers = vec![("authorization", bearer.as_str())];
        assert_eq!(status(&gate, "runs:read", &headers), 401);
    }
    for short in ["c2hvcnQ=", "$$$$"] {
        let text = text("base64").replace("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", short);
        folder.refuses(&text, &["tokens.hmac_secret"]);
    }
    let unsaid = text("base64").replace("hmac_secret_encoding = \"base64\"\n", "");
    folder.refuses(&unsaid, &["tokens.hmac_secret_encoding"]);
}

#[test]
fn nobody_is_authenticated_on_a_machine_that_says_so() {
    let text = format!(
        "{NONE}[unchecked]\nsubject = \"grace\"\norg = \"acme\"\nroles = [\"analyst\"]\nscopes = [\"*\"]\n\
         [scopes]\nread = \"runs:read\"\n[role_scopes]\nanalyst = [\"runs:write\"]\n"
    );
    let folder = Folder::new();
    let config = folder.good(&text);
    assert_eq!(config.scope("read").map(Scope::as_str), Some("runs:read"));
    assert_eq!(config.scope("write"), None);
    let (gate, _rest) = build(config, Services::new());
    assert_eq!(status(&gate, "runs:read", &vec![]), 200);
    assert_eq!(
        status(&gate, "runs:write", &vec![("authorization", "Basic x")]),
        200
    );
    assert_eq!(status(&gate, "runs:delete", &vec![]), 403);
    let entry = enter(&gate, Access::Authenticated, &view("192.0.2.1", &vec![]));
    let (admitted, _exit) = entry.expect("admitted");
    let principal = admitted.principal().expect("grace");
    assert_eq!(
        principal.authentication.method,
        AuthenticationMethod::Unchecked
    );
    assert_eq!(principal.subject, "grace");
    assert!(principal.has_role(Role::new("analyst").expect("a role").as_str()));
    let production = NONE.replace("development", "production");
    folder.refuses(&production, &["modes"]);
    folder.refuses("modes = [\"none\"]", &["modes"]);
    let beside = NONE.replace("\"none\"", "\"none\", \"mtls\"");
    let faults = folder.load(&beside).expect_err("none is beside nothing");
    assert_eq!(fields_of(&faults)[0], "modes", "{faults}");
}

#[test]
fn keys_of_the_configuration_open_a_development_machine() {
    let key = "pak_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let text = format!(
        "profile = \"development\"\nmodes = [\"api_key\"]\n[scopes]\nread = \"runs:read\"\n\
         [api_keys.static]\nkeys = [\"{key}\"]\nscopes = [\"*\"]\n"
    );
    let folder = Folder::new();
    let config = folder.good(&text);
    assert!(!format!("{config:?}{}", config.effective()).contains(key));
    let (gate, rest) = build(config, Services::new());
    assert!(rest.api_keys.is_some());
    assert_eq!(status(&gate, "runs:read", &vec![("x-api-key", key)]), 200);
    assert_eq!(status(&gate, "runs:write", &vec![("x-api-key", key)]), 403);
    let other = key.replace("0123", "3210");
    assert_eq!(
        status(&gate, "runs:read", &vec![("x-api-key", &other)]),
        401
    );
    // Two places for keys would be one too many, and a weak key is none.
    let store = Services::new().api_key_store(Arc::new(MemoryApiKeys::new(1)));
    let faults = folder
        .good(&text)
        .into_builder(store)
        .expect_err("two places");
    assert_eq!(fields_of(&faults), ["api_keys.static"]);
    for keys in ["\"pak_aaaa\"", &format!("\"{key}\", \"{key}\"")] {
        let text = text.replace(&format!("\"{key}\""), keys);
        let faults = folder
            .good(&text)
            .into_builder(Services::new())
            .expect_err("a bad key");
        assert_eq!(fields_of(&faults), ["api_keys.static.keys"]);
        assert!(!faults.to_string().contains("0123456789"), "{faults}");
    }
}

#[test]
fn keys_of_a_store_are_read_where_and_as_it_was_said() {
    let folder = Folder::new();
    let text = format!(
        "{API_KEY}header = \"X-Cases-Key\"\nprefix = \"cases\"\npepper_id = \"2026-11\"\n\
         scopes = [\"agent:run\", \"agent:read\"]\nmax_lifetime_seconds = 60\n"
    );
    let store = Arc::new(MemoryApiKeys::new(8));
    let services = Services::new().api_key_store(store.clone());
    let (gate, rest) = build(folder.good(&text), services);
    let keys = rest.api_keys.expect("keys");
    let tenant = Tenant {
        org: OrgId::new("acme").expect("an organisation"),
        project: None,
    };
    let subject = || Subject::new("ada").expect("a subject");
    let request = || ApiKeyRequest::new("CI", tenant.clone(), subject()).expect("a request");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    // The longest life of a key is demanded, so one without an end is not made.
    assert!(runtime.block_on(keys.create(request())).is_err());
    let now = SystemClock::new().now().expect("the time");
    let end = ringwall_core::clock::Timestamp::from_unix_seconds(now.unix_seconds() + 50);
    let wildcard = request()
        .scopes([Scope::new("agent:*").expect("a scope")])
        .expires_at(end.expect("in range"));
    let created = runtime.block_on(keys.create(wildcard)).expect("a key");
    let digest = created.record.digest.to_stored();
    assert!(digest.starts_with("hmac-sha256:2026-11:"), "{digest}");
    let key = created.key.text().expose();
    assert!(key.starts_with("cases_"));
    assert_eq!(status(&gate, "agent:run", &vec![("x-cases-key", key)]), 200);
    assert_eq!(status(&gate, "agent:run", &vec![("x-api-key", key)]), 401);
}

#[test]
fn certificates_are_what_a_trusted_proxy_says() {
    let text = format!("{MTLS}roles = [\"analyst\"]\n[role_scopes]\nanalyst = [\"runs:write\"]\n");
    let (gate, _rest) = build(Folder::new().good(&text), Services::new());
    let headers = vec![
        (
            "x-forwarded-client-cert",
            "URI=spiffe://example.org/reports",
        ),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "198.51.100.7"),
    ];
    let ask = |peer, scope: &str| {
        let access = Access::all_scopes([scope]).expect("a scope");
        let entry = enter(&gate, access, &view(peer, &headers));
        entry.map_or_else(|denial| denial.http_status(), |_| 200)
    };
    assert_eq!(ask("10.0.0.3", "runs:read"), 200);
    assert_eq!(ask("10.0.0.3", "runs:write"), 200);
    assert_eq!(ask("10.0.0.3", "runs:delete"), 403);
    assert_eq!(ask("192.0.2.1", "runs:read"), 401);
}

#[test]
fn a_mode_gets_what_it_needs_from_the_service() {
    let folder = Folder::new();
    let refuses = |text: &str, services: Services, field: &str| {
        let faults = folder
            .good(text)
            .into_builder(services)
            .expect_err("a fault");
        assert_eq!(fields_of(&faults), [field], "{faults}");
        let source = faults.iter().next().map(|fault| fault.source().clone());
        assert_eq!(source, Some(SettingSource::Services));
    };
    refuses(API_KEY, Services::new(), "api_keys");
    refuses(JWT, Services::new(), "revocations");
    let none = format!("revocations = \"none\"\n{JWT}");
    refuses(&none, services(), "revocations");
    let config = folder.good(&none);
    assert_eq!(config.notices().len(), 1);
    assert!(config.into_builder(Services::new()).is_ok());
}

/// Gives out the keys of one issuer.
#[derive(Debug)]
struct Gives(String);

impl JwksFetcher for Gives {
    fn fetch(&self, _request: FetchRequest) -> BoxFuture<Result<Fetched, FetchError>> {
        let body = self.0.clone().into_bytes();
        Box::pin(async move {
            Ok(Fetched::Document {
                body,
                max_age: None,
                entity_tag: None,
            })
        })
    }
}

#[test]
fn remote_keys_are_fetched_and_kept_while_the_upkeep_is_there() {
    let site = Site::new(Algorithm::EdDsa);
    let text = JWT.replace(
        "jwks_file = \"{}/jwks.json\"",
        "jwks_url = \"https://login.example.com/jwks?key=hunter2\"",
    );
    let config = site.folder.good(&text);
    let shown = config.effective().to_string();
    assert!(
        shown.contains("jwks?[redacted]") && !shown.contains("hunter2"),
        "{shown}"
    );
    let services = services().jwks_fetcher(Arc::new(Gives(site.issuer.jwks())));
    // Without a runtime there is nobody to fetch.
    let faults = site
        .folder
        .good(&text)
        .into_builder(services.clone())
        .expect_err("no runtime");
    assert_eq!(fields_of(&faults), ["tokens"]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (gate, rest) = build(config, services);
        rest.upkeep.prefetch().await.expect("keys");
        let bearer = format!("Bearer {}", site.bearer(|request| request));
        let headers = vec![("authorization", bearer.as_str())];
        assert_eq!(status(&gate, "x", &headers), 403);
        rest.upkeep.shutdown().await;
    });
}

#[test]
fn a_token_that_was_taken_back_is_refused() {
    let site = Site::new(Algorithm::EdDsa);
    let revocations = Arc::new(MemoryRevocations::new(16));
    let services = Services::new().revocations(revocations.clone());
    let (gate, _rest) = build(site.folder.good(JWT), services);
    let bearer = format!("Bearer {}", site.bearer(|request| request));
    let headers = vec![("authorization", bearer.as_str())];
    assert_eq!(status(&gate, "x", &headers), 403);
    let subject = Subject::new("ada").expect("a subject");
    let now = SystemClock::new().now().expect("the time");
    revocations
        .revoke_subject(ISSUER, subject.as_str(), now, now, now)
        .expect("room");
    assert_eq!(status(&gate, "x", &headers), 401);
}

#[test]
fn scopes_go_unchecked_where_it_was_said() {
    let text = format!("check_scopes = false\n{NONE}");
    let (gate, _rest) = build(Folder::new().good(&text), Services::new());
    assert_eq!(status(&gate, "runs:read", &vec![]), 200);
}

#[test]
fn old_keys_are_accepted_once_they_are_imported_and_it_was_said() {
    let folder = Folder::new();
    folder.write("old", "fedcba9876543210fedcba9876543210");
    let old = "pak_0123456789abcdef0123456789abcdef";
    let store = Arc::new(MemoryApiKeys::new(8));
    let services = || Services::new().api_key_store(store.clone());
    let tenant = Tenant {
        org: OrgId::new("acme").expect("an organisation"),
        project: None,
    };
    // Imported with the pepper of that time.
    let before = API_KEY
        .replace("pepper =", "pepper_id = \"old\"\npepper =")
        .replace("/pepper", "/old");
    let keys = build(folder.good(&before), services())
        .1
        .api_keys
        .expect("keys");
    let subject = Subject::new("ada").expect("a subject");
    let request = ApiKeyRequest::new("CI", tenant, subject).expect("a request");
    let text = ringwall_core::secret::SecretString::new(old.to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime
        .block_on(keys.import(&text, request))
        .expect("imported");
    let answer = |text: &str| {
        let (gate, _rest) = build(folder.good(text), services());
        status(&gate, "x", &vec![("x-api-key", old)])
    };
    assert_eq!(answer(&before), 401);
    let accepted = "accept_imported = true\n";
    assert_eq!(answer(&format!("{before}{accepted}")), 403);
    // Another pepper now: nobody can say without the earlier one.
    assert_eq!(answer(&format!("{API_KEY}{accepted}")), 503);
    let earlier = "[api_keys.earlier_peppers]\nold = { file = \"{}/old\" }\n";
    assert_eq!(answer(&format!("{API_KEY}{accepted}{earlier}")), 403);
}

#[test]
fn what_tokens_say_is_read_as_it_was_said() {
    let site = Site::new(Algorithm::EdDsa);
    let text = format!(
        "{JWT}other_audiences = [\"cases\"]\norg_claim = \"company\"\nproject_claim = \"team\"\n\
         max_lifetime_seconds = 700\naccept_actor = true\n"
    );
    let (gate, _rest) = build(site.folder.good(&text), services());
    let ask = |gate: &Gate, token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = vec![("authorization", bearer.as_str())];
        let entry = enter(gate, Access::Authenticated, &view("192.0.2.1", &headers));
        entry.map(|(admitted, _exit)| admitted.principal().cloned().expect("somebody"))
    };
    let named = site.bearer(|request| {
        request
            .claim("company", "acme".into())
            .claim("team", "blue".into())
            .actor(Subject::new("agent-7").expect("a subject"))
    });
    let principal = ask(&gate, &named).expect("admitted");
    let tenant = principal.tenant.as_ref().expect("a tenant");
    assert_eq!(tenant.org, "acme");
    assert_eq!(
        tenant.project.as_ref().map(|project| project.as_str()),
        Some("blue")
    );
    assert_eq!(principal.subject, "agent-7");
    let second = std::time::Duration::from_secs(1);
    assert!(
        ask(
            &gate,
            &site.bearer(|request| request.lifetime(second * 690))
        )
        .is_ok()
    );
    assert!(
        ask(
            &gate,
            &site.bearer(|request| request.lifetime(second * 710))
        )
        .is_err()
    );
    let subject = || Subject::new("ada").expect("a subject");
    let for_cases = site.bearer(|_| TokenRequest::new(subject(), "cases"));
    assert!(ask(&gate, &for_cases).is_ok());
    let (plain, _rest) = build(site.folder.good(JWT), services());
    assert!(
        ask(&plain, &named).is_err(),
        "an actor, and nobody said that there may be one"
    );
    assert!(ask(&plain, &for_cases).is_err());
}

#[test]
fn the_clock_and_the_events_are_the_services() {
    use ringwall_core::clock::{ManualClock, Timestamp};
    use ringwall_core::event::{EventKind, MemoryEvents};

    let site = Site::new(Algorithm::EdDsa);
    let text = format!(
        "{}clock_skew_seconds = 30\n[api_keys]\npepper = {{ file = \"{{}}/pepper\" }}\n",
        JWT.replace("[\"jwt\"]", "[\"jwt\", \"api_key\"]")
    );
    let now = SystemClock::new().now().expect("the time").unix_seconds();
    let at =
        |seconds: i64| Timestamp::from_unix_seconds(now.saturating_add(seconds)).expect("in range");
    let clock = Arc::new(ManualClock::new(at(0)));
    let events = Arc::new(MemoryEvents::new(64));
    let services = services()
        .api_key_store(Arc::new(MemoryApiKeys::new(8)))
        .clock(clock.clone())
        .events(events.clone());
    let (gate, rest) = build(site.folder.good(&text), services);
    let tenant = Tenant {
        org: OrgId::new("acme").expect("an organisation"),
        project: None,
    };
    let subject = Subject::new("ada").expect("a subject");
    let request = ApiKeyRequest::new("CI", tenant, subject).expect("a request");
    let keys = rest.api_keys.expect("keys");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let created = runtime
        .block_on(keys.create(request.expires_at(at(100))))
        .expect("a key");
    assert_eq!(events.count(EventKind::ApiKeyCreated), 1);
    let bearer = format!("Bearer {}", site.bearer(|request| request));
    let token = vec![("authorization", bearer.as_str())];
    let key = vec![("x-api-key", created.key.text().expose())];
    assert_eq!(status(&gate, "x", &token), 403);
    assert_eq!(status(&gate, "x", &key), 403);
    assert_eq!(events.count(EventKind::AccessDenied), 2);
    // The token lives for ten minutes, and clocks may be half a minute apart.
    clock.set(at(101));
    assert_eq!(status(&gate, "x", &key), 401);
    clock.set(at(620));
    assert_eq!(status(&gate, "x", &token), 403);
    clock.set(at(640));
    assert_eq!(status(&gate, "x", &token), 401);
}

#[test]
fn what_stands_in_front_is_believed_as_it_was_said() {
    let site = Site::new(Algorithm::EdDsa);
    let text = format!(
        "resource = \"https://api.example.com\"\n{JWT}[front]\ntrusted_proxies = [\"10.0.0.1\"]\n\
         forwarding_header = \"forwarded\"\nproxy_headers = [\"X-User\"]\n\
         https_redirect_hosts = [\"api.example.com\"]\npermit_encoded_slashes = true\n"
    );
    let config = site.folder.good(&text);
    let (gate, _rest) = build(config, services());
    let headers = vec![
        ("forwarded", "for=198.51.100.7;proto=https"),
        ("x-forwarded-for", "203.0.113.9"),
    ];
    let encoded = RequestView {
        raw_path: "/runs/a%2fb",
        ..view("10.0.0.1", &headers)
    };
    let (admitted, _exit) = enter(&gate, Access::Public, &encoded).expect("admitted");
    assert_eq!(
        admitted.client_address(),
        Some("198.51.100.7".parse().expect("an address"))
    );
    let stranger = vec![];
    let (admitted, _exit) =
        enter(&gate, Access::Public, &view("192.0.2.1", &stranger)).expect("admitted");
    assert!(admitted.is_stripped("x-user") && admitted.is_stripped("X_User"));
    let plain = RequestView {
        scheme: Some("http"),
        authority: Some("api.example.com"),
        ..view("192.0.2.1", &stranger)
    };
    let denial = enter(&gate, Access::Public, &plain).expect_err("plain HTTP");
    assert_eq!(denial.http_status(), 308);
    let resource = gate.protected_resource().expect("a resource");
    assert_eq!(resource.resource(), "https://api.example.com");
    let (strict, _rest) = build(site.folder.good(JWT), services());
    assert!(enter(&strict, Access::Public, &encoded).is_err());
}

#[test]
fn a_proxy_grants_what_it_was_said_to() {
    let text = r#"
        modes = ["mtls"]
        [front]
        trusted_proxies = ["10.0.0.1"]
        [certificates]
        identities = "common-name"
        header = "x-ssl-client-subject"
        verdict_header = "x-ssl-client-verify"
        scopes_header = "x-scopes"
        roles_header = "x-roles"
        [certificates.clients.reports]
        org = "acme"
        project = "blue"
    "#;
    let (gate, _rest) = build(Folder::new().good(text), Services::new());
    let headers = |verdict| {
        vec![
            ("x-ssl-client-subject", "CN=reports"),
            ("x-ssl-client-verify", verdict),
            ("x-scopes", "runs:read"),
            ("x-roles", "analyst"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-for", "198.51.100.7"),
        ]
    };
    let good = headers("SUCCESS");
    let entry = enter(&gate, Access::Authenticated, &view("10.0.0.1", &good));
    let (admitted, _exit) = entry.expect("admitted");
    let principal = admitted.principal().expect("reports");
    assert!(principal.has_scope("runs:read") && principal.has_role("analyst"));
    let tenant = principal.tenant.as_ref().expect("a tenant");
    assert_eq!(
        (tenant.org.as_str(), tenant.project.is_some()),
        ("acme", true)
    );
    for verdict in ["FAILED:expired", "NONE", "success"] {
        let bad = headers(verdict);
        let entry = enter(&gate, Access::Authenticated, &view("10.0.0.1", &bad));
        assert_eq!(entry.expect_err(verdict).http_status(), 401, "{verdict}");
    }
}

#[test]
fn one_field_is_one_kind_of_credential() {
    let folder = Folder::new();
    let both = format!(
        "{}header = \"x-api-key\"\n[api_keys]\npepper = {{ file = \"{{}}/pepper\" }}\n",
        JWT.replace("[\"jwt\"]", "[\"jwt\", \"api_key\"]")
    );
    folder.refuses(&both, &["api_keys.header"]);
    let own = both.replace("header = \"x-api-key\"\n", "");
    assert!(folder.load(&own).is_ok());
    let two = |prefix: &str| {
        let second = "[[tokens]]\nissuer = \"https://b.example\"\naudience = \"api\"\njwks_file = \"{}/jwks.json\"\norg = \"b\"\n";
        let first = JWT.replace("[tokens]", "[[tokens]]");
        format!(
            "{first}org = \"a\"\nheader = \"x-token\"\n{second}header = \"X-Token\"\nbearer_prefix = \"{prefix}\"\n"
        )
    };
    assert!(folder.load(&two("bearer ")).is_ok());
    let other = folder.good(&two("token "));
    assert_eq!(build(other, services()).1.verifiers.len(), 2);
    folder.refuses(&two(""), &["tokens[1].bearer_prefix"]);
}
