//! What becomes of a configuration: gates, and whom they let in.

mod bound;
mod keys;
mod tokens;

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
    // Whose scopes are named, roles grant no others.
    assert_eq!(status(&gate, "runs:write", &vec![]), 403);
    let by_role = folder.good(&text.replace("scopes = [\"*\"]\n", ""));
    let (by_role, _rest) = build(by_role, Services::new());
    assert_eq!(
        status(&by_role, "runs:write", &vec![("authorization", "Basic x")]),
        200
    );
    assert_eq!(status(&by_role, "runs:read", &vec![]), 403);
    assert_eq!(status(&gate, "runs:delete", &vec![]), 403);
    let entry = enter(&gate, Access::Authenticated, &view("192.0.2.1", &vec![]));
    let (admitted, _exit) = entry.expect("admitted");
    let principal = admitted.principal().expect("grace");
    assert_eq!(
        principal.authentication.method,
        ringwall_core::principal::AuthenticationMethod::Unchecked
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

#[test]
fn scopes_go_unchecked_where_it_was_said() {
    let text = format!("check_scopes = false\n{NONE}");
    let (gate, _rest) = build(Folder::new().good(&text), Services::new());
    assert_eq!(status(&gate, "runs:read", &vec![]), 200);
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
