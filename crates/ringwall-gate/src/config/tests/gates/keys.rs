//! API keys and certificates that are accepted as it was said.

use super::*;

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
fn keys_of_before_the_pepper_are_accepted_when_it_was_said() {
    let folder = Folder::new();
    let store = Arc::new(MemoryApiKeys::new(8));
    let services = || Services::new().api_key_store(store.clone());
    let before = "modes = [\"api_key\"]\n[api_keys]\nhash = \"sha256\"\n";
    let keys = build(folder.good(before), services()).1.api_keys;
    let tenant = Tenant {
        org: OrgId::new("acme").expect("an organisation"),
        project: None,
    };
    let subject = Subject::new("ada").expect("a subject");
    let request = ApiKeyRequest::new("CI", tenant, subject).expect("a request");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let made = runtime.block_on(keys.expect("keys").create(request));
    let made = made.expect("a key");
    let headers = vec![("x-api-key", made.key.text().expose())];
    let answer = |text: &str| {
        let config = folder.good(text);
        let notices = config.notices().len();
        (status(&build(config, services()).0, "x", &headers), notices)
    };
    assert_eq!(answer(before), (403, 1));
    let (refused, notices) = answer(API_KEY);
    assert!(
        refused != 403 && refused >= 400 && notices == 0,
        "{refused}"
    );
    assert_eq!(
        answer(&format!("{API_KEY}accept_unpeppered = true\n")),
        (403, 1)
    );
    let both = format!("{before}accept_unpeppered = true\n");
    folder.refuses(&both, &["api_keys.accept_unpeppered"]);
}
