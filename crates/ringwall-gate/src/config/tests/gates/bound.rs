//! Tokens that are bound to a key, tokens that only their issuer can read, and issuers that may not grant
//! everything.

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ringwall_authn::introspection::{IntrospectionTransport, IntrospectionUnavailable};
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_replay::{MemoryReplay, Restart};
use sha2::Digest as _;

use super::*;

const ORIGIN: &str = "https://api.example.com";

/// The key of a client, which signs proofs.
struct Holder(Ed25519KeyPair);

impl Holder {
    fn new() -> Self {
        let random = ring::rand::SystemRandom::new();
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).expect("random bytes");
        Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key"))
    }

    fn point(&self) -> String {
        ringwall_jose::base64url::encode(self.0.public_key())
    }

    /// RFC 7638.
    fn thumbprint(&self) -> [u8; 32] {
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, self.point());
        sha2::Sha256::digest(members).into()
    }

    fn proof(&self, token: &str, id: &str, at: Timestamp, nonce: Option<&str>) -> String {
        let encode = |value: serde_json::Value| ringwall_jose::base64url::encode(value.to_string());
        let header = serde_json::json!({
            "typ": "dpop+jwt", "alg": "EdDSA",
            "jwk": { "kty": "OKP", "crv": "Ed25519", "x": self.point() },
        });
        let digest: [u8; 32] = sha2::Sha256::digest(token).into();
        let mut claims = serde_json::json!({
            "jti": id, "htm": "GET", "htu": format!("{ORIGIN}/runs"), "iat": at.unix_seconds(),
            "ath": ringwall_jose::base64url::encode(digest),
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.0.sign(message.as_bytes());
        format!("{message}.{}", ringwall_jose::base64url::encode(signature))
    }
}

/// A gate at a standing clock, which started ten seconds ago: what memory does not remember is over.
struct Proven {
    site: Site,
    holder: Holder,
    clock: Arc<ManualClock>,
}

impl Proven {
    fn new() -> Self {
        let now = SystemClock::new().now().expect("the time");
        Self {
            site: Site::new(Algorithm::EdDsa),
            holder: Holder::new(),
            clock: Arc::new(ManualClock::new(now)),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().expect("the time")
    }

    fn gate(&self, dpop: &str) -> Gate {
        let text = format!("resource = \"{ORIGIN}/v1\"\n{JWT}[dpop]\n{dpop}\n");
        let services = services().clock(self.clock.clone());
        let (gate, _rest) = build(self.site.folder.good(&text), services);
        let ten = Duration::from_secs(10);
        self.clock
            .set(self.now().checked_add(ten).expect("in range"));
        gate
    }

    fn token(&self) -> String {
        let thumbprint = self.holder.thumbprint();
        self.site
            .bearer(|request| request.bound_to_key(&thumbprint))
    }

    fn ask(&self, gate: &Gate, token: &str, proof: &str) -> Result<(), Denial> {
        let authorization = format!("DPoP {token}");
        let headers = vec![("authorization", authorization.as_str()), ("dpop", proof)];
        enter(gate, Access::Authenticated, &view("192.0.2.1", &headers)).map(|_| ())
    }
}

fn answer<T>(entry: Result<T, Denial>) -> u16 {
    entry.map_or_else(|denial| denial.http_status(), |_| 200)
}

#[test]
fn a_bound_token_is_taken_with_a_proof_and_each_proof_once() {
    let proven = Proven::new();
    let token = proven.token();
    let gate = proven.gate("mode = \"accepted\"\nreplay = \"memory\"");
    let proof = proven.holder.proof(&token, "p1", proven.now(), None);
    assert_eq!(answer(proven.ask(&gate, &token, &proof)), 200);
    assert_eq!(answer(proven.ask(&gate, &token, &proof)), 401);
    // Without a word of proofs, and without the proof, it is worth nothing.
    let gate = proven.gate("mode = \"off\"");
    let proof = proven.holder.proof(&token, "p2", proven.now(), None);
    assert_eq!(answer(proven.ask(&gate, &token, &proof)), 401);
    let bearer = format!("Bearer {token}");
    let gate = proven.gate("mode = \"accepted\"\nreplay = \"memory\"");
    assert_eq!(
        status(&gate, "x", &vec![("authorization", bearer.as_str())]),
        401
    );
}

#[test]
fn proofs_are_demanded_as_it_was_said() {
    let proven = Proven::new();
    let token = proven.token();
    let ask = |dpop: &str, age: i64| {
        let gate = proven.gate(&format!("replay = \"memory\"\n{dpop}"));
        let at = Timestamp::from_unix_seconds(proven.now().unix_seconds().saturating_sub(age));
        let proof = proven
            .holder
            .proof(&token, "p", at.expect("in range"), None);
        answer(proven.ask(&gate, &token, &proof))
    };
    // Of the resource's origin, unless another one is named.
    assert_eq!(ask("mode = \"accepted\"", 0), 200);
    assert_eq!(
        ask(
            "mode = \"accepted\"\npublic_origins = [\"https://b.example\"]",
            0
        ),
        401
    );
    assert_eq!(ask("mode = \"accepted\"\nalgorithms = [\"ES256\"]", 0), 401);
    assert_eq!(ask("mode = \"accepted\"\nmax_age_seconds = 2", 1), 200);
    assert_eq!(ask("mode = \"accepted\"\nmax_age_seconds = 2", 4), 401);
    assert_eq!(ask("mode = \"accepted\"\nmax_lead_seconds = 9", -8), 200);
    assert_eq!(ask("mode = \"accepted\"\nmax_lead_seconds = 2", -8), 401);
    // Who demands them takes nothing else.
    let bearer = format!("Bearer {}", proven.site.bearer(|request| request));
    let headers = vec![("authorization", bearer.as_str())];
    for (mode, wanted) in [("accepted", 403), ("required", 401)] {
        let gate = proven.gate(&format!("mode = \"{mode}\"\nreplay = \"memory\""));
        assert_eq!(status(&gate, "x", &headers), wanted, "{mode}");
    }
}

#[test]
fn a_nonce_is_demanded_as_it_was_said_and_processes_with_one_secret_share_it() {
    let proven = Proven::new();
    let token = proven.token();
    let nonce_of = |gate: &Gate| {
        let proof = proven.holder.proof(&token, "first", proven.now(), None);
        let denial = proven.ask(gate, &token, &proof).expect_err("no nonce");
        let mut nonce = None;
        denial.headers(|name, value| {
            if name.eq_ignore_ascii_case("dpop-nonce") {
                nonce = Some(value.to_owned());
            }
        });
        nonce.expect("a nonce")
    };
    let ask = |gate: &Gate, nonce: &str| {
        let proof = proven
            .holder
            .proof(&token, "second", proven.now(), Some(nonce));
        answer(proven.ask(gate, &token, &proof))
    };
    let head = "mode = \"accepted\"\nreplay = \"memory\"";
    let shared = format!(
        "{head}\nnonces = \"shared\"\nnonce_secret = {{ file = \"{{}}/pepper\" }}\nnonce_seconds = 3600"
    );
    let (one, other) = (proven.gate(&shared), proven.gate(&shared));
    let nonce = nonce_of(&one);
    assert_eq!(ask(&other, &nonce), 200);
    let process = format!("{head}\nnonces = \"process\"\nnonce_seconds = 3600");
    let (one, other) = (proven.gate(&process), proven.gate(&process));
    let nonce = nonce_of(&one);
    assert_eq!(ask(&other, &nonce), 401);
    assert_eq!(ask(&one, &nonce), 200);
}

#[test]
fn used_proofs_are_remembered_in_one_place() {
    let folder = Folder::new();
    let text = |replay: &str| {
        format!("{JWT}[dpop]\nmode = \"accepted\"\norigin_from_request = true\n{replay}\n")
    };
    let store = || {
        let restart = Restart::Forgetful;
        Arc::new(
            MemoryReplay::builder(restart)
                .capacity(8)
                .build()
                .expect("a store"),
        )
    };
    let (service, memory) = (
        folder.good(&text("")),
        folder.good(&text("replay = \"memory\"")),
    );
    assert_eq!(service.notices(), <[String; 0]>::default());
    assert!(
        memory
            .notices()
            .iter()
            .any(|notice| notice.contains("dpop.replay"))
    );
    let faults = service.into_builder(services()).expect_err("no store");
    assert_eq!(fields_of(&faults), ["dpop.replay"], "{faults}");
    let faults = memory
        .into_builder(services().replay(store()))
        .expect_err("two stores");
    assert_eq!(fields_of(&faults), ["dpop.replay"], "{faults}");
    assert!(
        folder
            .good(&text(""))
            .into_builder(services().replay(store()))
            .is_ok()
    );
}

#[test]
fn proofs_contradict_nothing() {
    let folder = Folder::new();
    let on = "[dpop]\nmode = \"accepted\"\n";
    // For which host is said, or follows from the resource.
    folder.refuses(&format!("{JWT}{on}"), &["dpop.public_origins"]);
    folder.good(&format!("resource = \"{ORIGIN}\"\n{JWT}{on}"));
    folder.refuses(
        &format!("{JWT}[dpop]\nnonces = \"process\"\nreplay = \"memory\"\n"),
        &["dpop.nonces", "dpop.replay"],
    );
    let all = format!("{on}origin_from_request = true\n");
    folder.refuses(
        &format!("{JWT}{all}nonces = \"shared\"\n"),
        &["dpop.nonce_secret"],
    );
    folder.refuses(
        &format!("{JWT}{all}nonce_seconds = 60\n"),
        &["dpop.nonce_seconds"],
    );
    folder.refuses(
        &format!("{JWT}{all}replay_claims = 60\n"),
        &["dpop.replay_claims"],
    );
    folder.refuses(&format!("{API_KEY}{all}"), &["dpop"]);
    folder.refuses(
        &format!("{JWT}bearer_prefix = \"DPoP \"\n{all}"),
        &["dpop.mode"],
    );
    let second = "[[tokens]]\nissuer = \"https://b.example\"\naudience = \"api\"\norg = \"b\"\njwks_file = \"{}/jwks.json\"\nheader = \"x-token\"\n";
    let two = format!(
        "{}org = \"a\"\n{second}",
        JWT.replace("[tokens]", "[[tokens]]")
    );
    folder.good(&two);
    folder.refuses(&format!("{two}{all}"), &["dpop.mode"]);
}

/// An issuer that says of every token what it is told to.
#[derive(Debug)]
struct Says(serde_json::Value);

impl IntrospectionTransport for Says {
    fn ask(
        &self,
        _form: zeroize::Zeroizing<String>,
    ) -> BoxFuture<Result<Vec<u8>, IntrospectionUnavailable>> {
        let body = self.0.to_string().into_bytes();
        Box::pin(async move { Ok(body) })
    }
}

const ASKED: &str = r#"
modes = ["introspection"]
[introspection]
endpoint = "https://as.example/introspect"
issuer = "https://as.example"
audience = "https://api.example.com"
client_id = "cases"
client_secret = { file = "{}/pepper" }
org = "acme"
"#;

/// What a gate of `text` answers to a token of which its issuer says these scopes.
fn asked(text: &str, scope: &str, headers: &Headers<'_>, services: Services) -> u16 {
    let now = SystemClock::new().now().expect("the time").unix_seconds();
    let says = Says(serde_json::json!({
        "active": true, "sub": "ada", "aud": AUDIENCE, "iss": "https://as.example",
        "exp": now.saturating_add(600), "iat": now, "jti": "t1", "scope": "runs:read admin:all",
    }));
    let services = services.introspection(Arc::new(says));
    let (gate, _rest) = build(Folder::new().good(text), services);
    let access = Access::all_scopes([scope]).expect("a scope");
    let door = gate.door(RoutePolicy::new("route", access));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    answer(runtime.block_on(async { door.enter(&view("192.0.2.1", headers)).await }))
}

#[test]
fn a_token_is_asked_about_where_and_as_it_was_said() {
    let bearer = vec![("authorization", "Bearer opaque")];
    let ask = |text: &str, scope: &str, headers| asked(text, scope, headers, services());
    let alone = vec![("x-token", "opaque")];
    assert_eq!(ask(ASKED, "admin:all", &bearer), 200);
    assert_eq!(ask(ASKED, "runs:write", &bearer), 403);
    let allowed = format!("{ASKED}allowed_scopes = [\"runs:read\"]\n");
    assert_eq!(ask(&allowed, "runs:read", &bearer), 200);
    assert_eq!(ask(&allowed, "admin:all", &bearer), 403);
    let other = ASKED.replace(AUDIENCE, "https://b.example");
    assert_eq!(ask(&other, "runs:read", &bearer), 401);
    let named = format!("{other}other_audiences = [\"{AUDIENCE}\"]\n");
    assert_eq!(ask(&named, "runs:read", &bearer), 200);
    let elsewhere = format!("{ASKED}header = \"x-token\"\nbearer_prefix = \"\"\n");
    assert_eq!(ask(&elsewhere, "runs:read", &bearer), 401);
    assert_eq!(ask(&elsewhere, "runs:read", &alone), 200);
    // Its organisation counts, and so does what was taken back.
    let rule = |org: &str| {
        format!(
            "{ASKED}[organisation.{org}]\nsso_issuers = [\"https://as.example\"]\namr_values = [\"mfa\"]\n"
        )
    };
    assert_eq!(ask(&rule("acme"), "runs:read", &bearer), 403);
    assert_eq!(ask(&rule("globex"), "runs:read", &bearer), 200);
    let revocations = Arc::new(MemoryRevocations::new(16));
    let now = SystemClock::new().now().expect("the time");
    revocations
        .revoke_subject("https://as.example", "ada", now, now, now)
        .expect("room");
    let services = Services::new().revocations(revocations);
    assert_eq!(asked(ASKED, "runs:read", &bearer, services), 401);
}

#[test]
fn tokens_that_are_verified_and_tokens_that_are_asked_about_are_told_apart() {
    let folder = Folder::new();
    let both = |more: &str| {
        let jwt = JWT.replace("[\"jwt\"]", "[\"jwt\", \"introspection\"]");
        let asked = ASKED.replace("modes = [\"introspection\"]", "");
        format!("{jwt}org = \"acme\"\n{asked}{more}\n")
    };
    folder.refuses(&both(""), &["introspection.header"]);
    folder.refuses(
        &both("header = \"authorization\"\nbearer_prefix = \"BEARER\""),
        &["introspection.header"],
    );
    folder.good(&both("bearer_prefix = \"opaque \""));
    folder.good(&both("header = \"x-token\""));
    let key = API_KEY.replace("modes = [\"api_key\"]", "");
    let all = both("header = \"x-api-key\"").replace("[\"jwt\"", "[\"api_key\", \"jwt\"");
    folder.refuses(&format!("{all}{key}"), &["api_keys.header"]);
    let same = both("header = \"x-token\"").replace(
        "https://as.example\"\naud",
        "https://login.example.com\"\naud",
    );
    folder.refuses(&same, &["introspection.issuer"]);
    // Beside another issuer, each is bound to an organisation.
    let free = both("header = \"x-token\"").replace("org = \"acme\"\n", "");
    folder.refuses(&free, &["tokens.org"]);
    let named = both("header = \"x-token\"\norg_member = \"org\"");
    let named = named.replacen("org = \"acme\"\n", "any_org = true\n", 1);
    let unbound = named.replacen("org = \"acme\"\n", "", 1);
    folder.good(&named);
    folder.refuses(&unbound, &["introspection.org"]);
    folder.good(&format!("{unbound}any_org = true\n"));
}

#[test]
fn a_tenants_issuer_grants_what_it_may_by_scopes_and_by_roles() {
    let site = Site::new(Algorithm::EdDsa);
    let roles = "[role_scopes]\nanalyst = [\"runs:write\"]\nroot = [\"admin:all\"]\n";
    let role = |name: &str| Role::new(name).expect("a role");
    let bearer = |scopes: &'static [&'static str]| {
        let token = site.bearer(|request| {
            let scopes = scopes
                .iter()
                .map(|name| Scope::new(*name).expect("a scope"));
            request
                .scopes(scopes)
                .roles([role("analyst"), role("root")])
        });
        format!("Bearer {token}")
    };
    // A person's token that names scopes has these alone, so roles are looked at by a login.
    let (by_scopes, by_roles) = (bearer(&["runs:read", "admin:read"]), bearer(&[]));
    let events = Arc::new(MemoryEvents::new(16));
    let ask = |allowed: &str, bearer: &str, scope: &str| {
        let services = services().events(events.clone());
        let text = format!("{JWT}{allowed}\n{roles}");
        let (gate, _rest) = build(site.folder.good(&text), services);
        status(&gate, scope, &vec![("authorization", bearer)])
    };
    for (bearer, scope, wanted) in [
        (&by_scopes, "runs:read", 200),
        (&by_scopes, "admin:read", 200),
        (&by_scopes, "runs:write", 403),
        (&by_scopes, "admin:all", 403),
        (&by_roles, "runs:read", 403),
        (&by_roles, "runs:write", 200),
        (&by_roles, "admin:all", 200),
    ] {
        assert_eq!(ask("", bearer, scope), wanted, "{scope}");
    }
    assert_eq!(events.count(EventKind::GrantsLeftOut), 0);
    let allowed = "allowed_scopes = [\"runs:read\"]\nallowed_roles = [\"analyst\"]";
    for (bearer, scope, wanted) in [
        (&by_scopes, "runs:read", 200),
        (&by_scopes, "admin:read", 403),
        (&by_roles, "runs:write", 200),
        (&by_roles, "admin:all", 403),
    ] {
        assert_eq!(ask(allowed, bearer, scope), wanted, "{scope}");
    }
    assert_eq!(events.count(EventKind::GrantsLeftOut), 4);
    // Where roles grant scopes, the list of scopes alone would be worth nothing.
    let alone = format!("{JWT}allowed_scopes = [\"runs:read\"]\n");
    let with_roles = format!("{alone}{roles}");
    site.folder.refuses(&with_roles, &["tokens.allowed_roles"]);
    site.folder.good(&alone);
}

#[test]
fn an_issuer_that_may_give_any_role_is_not_limited_by_scopes_where_roles_are_believed() {
    let folder = Folder::new();
    let alone = format!("{JWT}allowed_scopes = [\"runs:read\"]\n");
    let section = "[authorization]\npolicy_file = \"{}/policy.toml\"\n";
    let believed = format!("{section}subjects = \"credentials\"\n");
    folder.refuses(&format!("{alone}{believed}"), &["tokens.allowed_roles"]);
    for good in [
        format!("{alone}{section}"),
        format!("{alone}allowed_roles = []\n{believed}"),
        format!("{JWT}{believed}"),
    ] {
        folder.good(&good);
    }
    // Also by a variable.
    let variable = [("RINGWALL__AUTHORIZATION__SUBJECTS", "credentials")];
    let faults = folder.load_with(&format!("{alone}{section}"), &variable);
    let faults = faults.expect_err("a fault");
    assert_eq!(fields_of(&faults), ["tokens.allowed_roles"], "{faults}");
    // What else is wrong with the section does not hide it.
    let both = format!("{alone}{believed}").replace("policy.toml", "nowhere.toml");
    folder.refuses(
        &both,
        &["tokens.allowed_roles", "authorization.policy_file"],
    );
}

#[test]
fn issuers_that_could_give_one_name_to_two_people_are_refused_where_names_are_believed() {
    let folder = Folder::new();
    let two = |first: &str, second: &str, more: &str| {
        let issuer = |name: &str, org: &str| {
            format!(
                "[[tokens]]\nissuer = \"https://{name}.example\"\naudience = \"api\"\n{org}\n\
                 jwks_file = \"{{}}/jwks.json\"\n"
            )
        };
        format!(
            "modes = [\"jwt\"]\nrevocations = \"none\"\n{}{}[authorization]\n\
             policy_file = \"{{}}/policy.toml\"\n{more}\n",
            issuer("a", first),
            issuer("b", second)
        )
    };
    let credentials = "subjects = \"credentials\"";
    let (acme, globex, any) = ("org = \"acme\"", "org = \"globex\"", "any_org = true");
    let people = "provider = \"okta\"";
    let shared = format!("{credentials}\nissuers_share_names = true");
    // A policy may take names of organisations for UUIDs; and who says no organisation is of none.
    let upper = "org = \"ACME\"";
    for (first, second) in [
        (acme, acme),
        (acme, upper),
        (acme, any),
        (any, any),
        (any, people),
        (people, people),
    ] {
        let text = two(first, second, credentials);
        folder.refuses(&text, &["authorization.subjects"]);
        // A directory tells them apart, or the owner says that there is nothing to tell.
        folder.good(&two(first, second, ""));
        let config = folder.good(&two(first, second, &shared));
        let notices = config.notices().join("\n");
        assert!(notices.contains("issuers_share_names"), "{notices}");
    }
    // One issuer for each organisation, and one alone.
    for text in [
        two(acme, globex, credentials),
        two(acme, people, credentials),
        format!("{JWT}[authorization]\npolicy_file = \"{{}}/policy.toml\"\n{credentials}\n"),
    ] {
        let config = folder.good(&text);
        let notices = config.notices().join("\n");
        assert!(!notices.contains("issuers_share_names"), "{notices}");
    }
    let told = two(acme, acme, "issuers_share_names = true");
    folder.refuses(&told, &["authorization.issuers_share_names"]);
    // Tokens that the issuer is asked about count like others.
    let jwt = two(acme, globex, credentials).replace("[\"jwt\"]", "[\"jwt\", \"introspection\"]");
    let asked = ASKED.replace("modes = [\"introspection\"]", "");
    for (org, refused) in [("acme", true), ("initech", false)] {
        let asked = asked.replace("\"acme\"", &format!("{org:?}"));
        let text = format!("{jwt}{asked}header = \"x-token\"\n");
        if refused {
            folder.refuses(&text, &["authorization.subjects"]);
        } else {
            folder.good(&text);
        }
    }
}

#[test]
fn the_policys_word_on_the_scopes_of_credentials_holds_for_what_roles_grant_too() {
    let site = Site::new(Algorithm::EdDsa);
    let role = Role::new("analyst").expect("a role");
    let token = site.bearer(|request| {
        let scope = Scope::new("cases:read").expect("a scope");
        request.scopes([scope]).roles([role])
    });
    let bearer = format!("Bearer {token}");
    for (scopes, wanted) in [
        ("by_kind", 403),
        ("limit", 403),
        ("grant", 200),
        ("ignore", 200),
    ] {
        let text = format!(
            "{JWT}[role_scopes]\nanalyst = [\"runs:write\"]\n[authorization]\n\
             policy_file = \"{{}}/policy.toml\"\nsubjects = \"credentials\"\ncredential_scopes = \"{scopes}\"\n"
        );
        let (gate, _rest) = build(site.folder.good(&text), services());
        let headers = vec![("authorization", bearer.as_str())];
        assert_eq!(status(&gate, "runs:write", &headers), wanted, "{scopes}");
        assert_eq!(status(&gate, "cases:read", &headers), 200, "{scopes}");
    }
}

#[test]
fn keys_that_the_service_does_not_want_are_an_outage_and_no_word_about_tokens() {
    let site = Site::new(Algorithm::EdDsa);
    let bearer = format!("Bearer {}", site.bearer(|request| request));
    let headers = vec![("authorization", bearer.as_str())];
    let is_wanted = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let asked = Arc::clone(&is_wanted);
    let guarded = services()
        .key_guard(move |keys| !keys.is_empty() && asked.load(std::sync::atomic::Ordering::SeqCst));
    let (gate, rest) = build(site.folder.good(JWT), guarded);
    assert_eq!(status(&gate, "x", &headers), 403);
    is_wanted.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(status(&gate, "x", &headers), 503);
    let health = rest.verifiers[0].health();
    assert_eq!(health[0].1, ringwall_jose::Health::Unavailable);
    is_wanted.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(status(&gate, "x", &headers), 403);
}
