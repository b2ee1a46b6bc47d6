//! Tokens that are verified as it was said.

use super::*;

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
    let token = |permissions: &[&str]| {
        site.bearer(|request| {
            request
                .claim("person", "p1".into())
                .claim("permissions", serde_json::json!({ "list": permissions }))
                .claim("https://example.com/roles", serde_json::json!(["analyst"]))
        })
    };
    let login = token(&["openid"]);
    let headers = vec![("x-access-token", login.as_str())];
    assert_eq!(status(&gate, "runs:write", &headers), 200);
    assert_eq!(status(&gate, "runs:delete", &headers), 403);
    let token = token(&["cases:read"]);
    let headers = vec![("x-access-token", token.as_str())];
    assert_eq!(status(&gate, "cases:read", &headers), 200);
    assert_eq!(status(&gate, "runs:write", &headers), 403);
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
    let second = Duration::from_secs(1);
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
