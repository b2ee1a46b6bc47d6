//! Each setting, good and bad.

use std::collections::BTreeSet;

use ringwall_jwks_client::RefreshPolicy;

use super::*;

/// A setting in the section of its configuration: what it can be, and what not.
struct Case {
    base: &'static str,
    section: &'static str,
    key: &'static str,
    good: &'static [&'static str],
    bad: &'static [&'static str],
}

const REMOTE: &str = "modes = [\"jwt\"]\n[tokens]\nissuer = \"https://login.example.com\"\naudience = \"https://api.example.com\"\n";

const STATIC: &str = "profile = \"development\"\nmodes = [\"api_key\"]\n[scopes]\nread = \"runs:read\"\n[api_keys.static]\nkeys = [\"pak_0123456789abcdef0123456789abcdef\"]\n";

const SHARED: &str = "profile = \"development\"\nmodes = [\"jwt\"]\n[tokens]\nissuer = \"here\"\naudience = \"there\"\nhmac_secret = \"0123456789abcdef0123456789abcdef\"\nhmac_secret_encoding = \"text\"\n";

const fn case(
    base: &'static str,
    section: &'static str,
    key: &'static str,
    good: &'static [&'static str],
    bad: &'static [&'static str],
) -> Case {
    Case {
        base,
        section,
        key,
        good,
        bad,
    }
}

const CASES: &[Case] = &[
    case(
        JWT,
        "",
        "profile",
        &["\"production\"", "\"development\""],
        &["\"dev\"", "1", "\"\""],
    ),
    case(
        JWT,
        "",
        "realm",
        &["\"cases\"", "\"a b\""],
        &["\"\"", "\"\\\"\"", "\"é\"", "true"],
    ),
    case(
        JWT,
        "",
        "modes",
        &["[\"jwt\"]", "[\"jwt\", \"jwt\"]"],
        &[
            "[]",
            "\"jwt\"",
            "[\"JWT\"]",
            "[1]",
            "[\"none\"]",
            "[\"mtls\"]",
        ],
    ),
    case(
        JWT,
        "",
        "check_scopes",
        &["true"],
        &["false", "\"true\"", "1"],
    ),
    case(
        JWT,
        "",
        "revocations",
        &["\"service\"", "\"none\""],
        &["\"\"", "false"],
    ),
    case(
        JWT,
        "tokens",
        "issuer",
        &["\"https://a.example\""],
        &["\"http://a.example\"", "\"a\"", "\"\"", "1"],
    ),
    case(
        JWT,
        "tokens",
        "audience",
        &["\"api\""],
        &["\"\"", "[\"api\"]", "\"a\\nb\""],
    ),
    case(
        JWT,
        "tokens",
        "other_audiences",
        &["[\"b\"]", "[]"],
        &["\"b\"", "[\"\"]", "[1]"],
    ),
    case(
        JWT,
        "tokens",
        "provider",
        &[
            "\"generic\"",
            "\"plain\"",
            "\"auth0\"",
            "\"cognito\"",
            "\"entra-id\"",
            "\"keycloak\"",
            "\"okta\"",
        ],
        &["\"\"", "\"Auth0\"", "\"google\"", "\"supabase\"", "1"],
    ),
    case(
        JWT,
        "tokens",
        "org",
        &["\"acme\""],
        &["\"\"", "\"a b\"", "1"],
    ),
    case(JWT, "tokens", "any_org", &["true", "false"], &["1"]),
    case(
        REMOTE,
        "tokens",
        "jwks_url",
        &["\"https://a.example/jwks\""],
        &["\"http://a.example/jwks\"", "\"\"", "1"],
    ),
    case(
        REMOTE,
        "tokens",
        "jwks_ttl_seconds",
        &["60", "86400"],
        &["4", "86401", "\"60\"", "-1", "6.5"],
    ),
    case(
        REMOTE,
        "tokens",
        "jwks_max_ttl_seconds",
        &["900"],
        &["4", "299", "86401"],
    ),
    case(
        REMOTE,
        "tokens",
        "jwks_timeout_seconds",
        &["1", "5"],
        &["0", "61"],
    ),
    case(
        REMOTE,
        "tokens",
        "jwks_max_attempts",
        &["1", "100"],
        &["0", "101"],
    ),
    case(
        REMOTE,
        "tokens",
        "jwks_backoff_seconds",
        &["1", "30"],
        &["0", "31", "3601"],
    ),
    case(
        REMOTE,
        "tokens",
        "jwks_max_backoff_seconds",
        &["1", "30"],
        &["0", "3601"],
    ),
    case(
        REMOTE,
        "tokens",
        "jwks_cool_down_seconds",
        &["1", "3600"],
        &["0", "3601"],
    ),
    case(
        REMOTE,
        "tokens",
        "jwks_max_stale_seconds",
        &["0", "604800"],
        &["604801"],
    ),
    case(
        REMOTE,
        "tokens",
        "jwks_networks",
        &["[\"10.0.0.0/8\"]", "[]"],
        &["[\"10.0.0.1/8\"]", "[\"a\"]", "\"10.0.0.0/8\""],
    ),
    case(
        REMOTE,
        "tokens",
        "jwks_root_certificates",
        &[],
        &["\"{}/missing.pem\"", "\"{}/jwks.json\"", "1"],
    ),
    case(
        JWT,
        "tokens",
        "jwks_file",
        &["\"{}/jwks.json\""],
        &["\"{}/missing\"", "\"{}/pepper\"", "\"{}\"", "1"],
    ),
    case(
        JWT,
        "tokens",
        "jwks_poll_seconds",
        &["1", "3600"],
        &["0", "3601"],
    ),
    case(
        SHARED,
        "tokens",
        "hmac_secret",
        &[
            "{ file = \"{}/pepper\" }",
            "\"abcdef0123456789abcdef0123456789\"",
        ],
        &[
            "\"short\"",
            "{ file = \"{}/missing\" }",
            "{ env = \"MISSING\" }",
            "\"\"",
            "1",
        ],
    ),
    case(
        SHARED,
        "tokens",
        "hmac_secret_encoding",
        &["\"text\""],
        &["\"base64\"", "\"hex\"", "1"],
    ),
    case(
        JWT,
        "tokens",
        "algorithms",
        &["[\"EdDSA\"]", "[\"ES256\", \"EdDSA\", \"PS512\"]"],
        &[
            "[]",
            "[\"none\"]",
            "[\"HS256\"]",
            "[\"EdDSA\", \"HS256\"]",
            "[\"eddsa\"]",
            "[\"RS256\"]",
            "\"EdDSA\"",
        ],
    ),
    case(
        SHARED,
        "tokens",
        "algorithms",
        &["[\"HS256\"]", "[\"HS512\"]", "[\"HS256\", \"RS256\"]"],
        &["[]", "[\"RS256\"]", "[\"HS256\", \"HS384\"]"],
    ),
    case(
        JWT,
        "tokens",
        "header",
        &["\"X-Access-Token\""],
        &["\"\"", "\"cookie\"", "\"a b\"", "\"x_token\"", "1"],
    ),
    case(
        JWT,
        "tokens",
        "bearer_prefix",
        &["\"bearer \"", "\"Token\""],
        &["\"\"", "\" \"", "\"a b\"", "\"bearer  \"", "1"],
    ),
    case(
        JWT,
        "tokens",
        "subject_claim",
        &["\"sub\"", "\"a.b\""],
        &["\"\"", "\"email\"", "\"a..b\"", "[\"sub\"]"],
    ),
    case(
        JWT,
        "tokens",
        "scopes_claims",
        &["[\"scope\", \"scp\"]", "[]"],
        &["[\"user_metadata.scopes\"]", "[\"\"]", "\"scope\""],
    ),
    case(
        JWT,
        "tokens",
        "roles_claims",
        &["[\"realm_access.roles\"]", "[\"https://a.example/roles\"]"],
        &["[\"https://a.example/user_metadata\"]", "[1]"],
    ),
    case(
        JWT,
        "tokens",
        "org_claim",
        &["\"org\""],
        &["\"user_metadata.org\"", "\"\""],
    ),
    case(
        JWT,
        "tokens",
        "project_claim",
        &["\"project\""],
        &["\"custom:project\"", "\"\""],
    ),
    case(
        JWT,
        "tokens",
        "clock_skew_seconds",
        &["0", "300"],
        &["301", "-1", "true"],
    ),
    case(
        JWT,
        "tokens",
        "max_lifetime_seconds",
        &["1", "31536000"],
        &["0", "31536001", "99999999999999999999999"],
    ),
    case(JWT, "tokens", "accept_actor", &["true"], &["\"true\""]),
    case(
        API_KEY,
        "api_keys",
        "header",
        &["\"x-key\"", "\"X-Key\""],
        &["\"authorization\"", "\"\"", "\"x_key\"", "1"],
    ),
    case(
        API_KEY,
        "api_keys",
        "prefix",
        &["\"ab\""],
        &["\"a\"", "\"A\"", "\"a_b\"", "1"],
    ),
    case(
        API_KEY,
        "api_keys",
        "hash",
        &["\"hmac-sha256\""],
        &["\"sha256\"", "\"md5\"", "1"],
    ),
    case(
        API_KEY,
        "api_keys",
        "pepper",
        &["{ file = \"{}/pepper\" }"],
        &[
            "\"0123456789abcdef0123456789abcdef\"",
            "{ file = \"{}/missing\" }",
            "{}{}",
            "[]",
        ],
    ),
    case(
        API_KEY,
        "api_keys",
        "pepper_id",
        &["\"2026-11\""],
        &["\"\"", "\"A\"", "1"],
    ),
    case(
        API_KEY,
        "api_keys",
        "scopes",
        &["[\"agent:run\"]", "[]"],
        &["[\"a b\"]", "[\"*\"]", "\"agent:run\""],
    ),
    case(
        API_KEY,
        "api_keys",
        "cached",
        &["0", "10000000"],
        &["-1", "10000001"],
    ),
    case(
        API_KEY,
        "api_keys",
        "staleness_seconds",
        &["0", "300"],
        &["301"],
    ),
    case(
        API_KEY,
        "api_keys",
        "lookups",
        &["1", "65536"],
        &["0", "65537"],
    ),
    case(
        API_KEY,
        "api_keys",
        "use_interval_seconds",
        &["1", "86400"],
        &["0", "86401"],
    ),
    case(
        API_KEY,
        "api_keys",
        "max_lifetime_seconds",
        &["1", "3155760000"],
        &["0", "3155760001"],
    ),
    case(API_KEY, "api_keys", "accept_imported", &["true"], &["1"]),
    case(
        API_KEY,
        "api_keys.earlier_peppers",
        "ID",
        &[],
        &["{ file = \"{}/pepper\" }"],
    ),
    case(
        API_KEY,
        "api_keys.earlier_peppers",
        "old",
        &["{ file = \"{}/pepper\" }"],
        &["\"0123456789abcdef0123456789abcdef\"", "1"],
    ),
    case(
        STATIC,
        "api_keys.static",
        "keys",
        &["{ file = \"{}/keys\" }"],
        &["[]", "\"\"", "[1]", "1", "{ env = \"MISSING\" }"],
    ),
    case(
        STATIC,
        "api_keys.static",
        "org",
        &["\"acme\""],
        &["\"\"", "1"],
    ),
    case(
        STATIC,
        "api_keys.static",
        "project",
        &[],
        &["\"p\"", "\"\""],
    ),
    case(
        STATIC,
        "api_keys.static",
        "scopes",
        &["[\"*\"]", "[\"runs:read\"]"],
        &["[\"a b\"]", "\"*\""],
    ),
    case(
        MTLS,
        "certificates",
        "identities",
        &["\"spiffe\""],
        &["\"dns\"", "\"common-name\"", "\"x\"", "1"],
    ),
    case(
        MTLS,
        "certificates",
        "trust_domain",
        &["\"example.org\""],
        &["\"other.example\"", "\"\"", "1"],
    ),
    case(MTLS, "certificates", "direct", &["true", "false"], &["1"]),
    case(
        MTLS,
        "certificates",
        "header",
        &["\"X-Forwarded-Client-Cert\""],
        &["\"x-ssl-client-subject\"", "\"\"", "1"],
    ),
    case(
        MTLS,
        "certificates",
        "verdict_header",
        &[],
        &["\"x-ssl-client-verify\""],
    ),
    case(
        MTLS,
        "certificates",
        "scopes_header",
        &["\"x-scopes\""],
        &["\"a b\"", "\"x-forwarded-client-cert\"", "1"],
    ),
    case(
        MTLS,
        "certificates",
        "roles_header",
        &["\"x-roles\""],
        &["\"\"", "1"],
    ),
    case(
        MTLS,
        "certificates.clients.\"spiffe://example.org/reports\"",
        "org",
        &["\"acme\""],
        &["\"\"", "1"],
    ),
    case(
        MTLS,
        "certificates.clients.\"spiffe://example.org/reports\"",
        "project",
        &["\"p\""],
        &["\"\"", "1"],
    ),
    case(
        MTLS,
        "certificates.clients.\"spiffe://example.org/reports\"",
        "scopes",
        &["[\"runs:read\"]"],
        &["[\"*\"]", "\"runs:read\""],
    ),
    case(
        MTLS,
        "certificates.clients.\"spiffe://example.org/reports\"",
        "roles",
        &["[\"analyst\"]"],
        &["[\"\"]", "1"],
    ),
    case(NONE, "unchecked", "subject", &["\"grace\""], &["\"\"", "1"]),
    case(NONE, "unchecked", "org", &["\"acme\""], &["\"\"", "1"]),
    case(NONE, "unchecked", "project", &[], &["\"p\""]),
    case(NONE, "unchecked", "roles", &["[\"admin\"]"], &["[\"\"]"]),
    case(
        NONE,
        "unchecked",
        "scopes",
        &["[\"runs:read\"]"],
        &["[\"*\"]", "[\"a b\"]"],
    ),
    case(
        JWT,
        "front",
        "trusted_proxies",
        &["[\"10.0.0.0/8\", \"fd00::1\"]", "[]"],
        &["[\"10.0.0.1/8\"]", "[\"::/0\"]", "\"10.0.0.1\""],
    ),
    case(
        JWT,
        "front",
        "forwarding_header",
        &["\"forwarded\"", "\"x-forwarded\""],
        &["\"x-real-ip\"", "1"],
    ),
    case(
        JWT,
        "front",
        "proxy_headers",
        &["[\"X-User\"]", "[]"],
        &["[\"x_user\"]", "[\"\"]", "1"],
    ),
    case(JWT, "front", "serve_plain_http", &["true", "false"], &["1"]),
    case(
        JWT,
        "front",
        "https_redirect_hosts",
        &["[\"api.example.com\"]", "[]"],
        &["[\"https://api.example.com\"]", "\"a\""],
    ),
    case(JWT, "front", "permit_encoded_slashes", &["true"], &["1"]),
    case(
        JWT,
        "resource",
        "url",
        &["\"https://api.example.com\""],
        &["\"http://api.example.com\"", "\"\"", "1"],
    ),
    case(
        JWT,
        "",
        "resource",
        &["\"https://api.example.com\""],
        &["\"api\"", "1", "{ }"],
    ),
    case(
        JWT,
        "resource",
        "scopes_supported",
        &[],
        &["[\"runs:read\"]"],
    ),
    case(JWT, "resource", "name", &[], &["\"Cases\""]),
    case(
        JWT,
        "resource",
        "documentation",
        &[],
        &["\"https://docs.example.com\""],
    ),
    case(
        JWT,
        "scopes",
        "discover",
        &["\"discover\""],
        &["\"\"", "\"*\"", "\"a b\"", "1"],
    ),
    case(
        JWT,
        "role_scopes",
        "admin",
        &["[\"discover\"]", "[]"],
        &["[\"*\"]", "\"discover\""],
    ),
    case(
        JWT,
        "organisation.acme",
        "sso_issuers",
        &["[\"https://login.example.com\"]"],
        &[
            "[]",
            "[\"https://other.example\"]",
            "\"https://login.example.com\"",
        ],
    ),
    case(
        JWT,
        "organisation.acme",
        "acr_values",
        &["[\"gold\"]"],
        &["[]", "[\"a b\"]", "1"],
    ),
    case(
        JWT,
        "organisation.acme",
        "amr_values",
        &["[\"mfa\"]"],
        &["[]", "[\"\"]"],
    ),
    case(
        JWT,
        "organisation.acme",
        "mail_domains",
        &["[\"example.com\"]"],
        &["[]", "[\"*.example.com\"]", "[\"@example.com\"]"],
    ),
    case(
        JWT,
        "organisation.\"*\"",
        "amr_values",
        &["[\"mfa\"]"],
        &["[]"],
    ),
];

/// `base` with the one setting in it, in place of what is there.
fn text(case: &Case, value: &str) -> String {
    let heading = format!("[{}]", case.section);
    let mut lines: Vec<String> = Vec::new();
    let mut here = String::new();
    let mut is_done = false;
    if case.section.is_empty() {
        lines.push(format!("{} = {value}", case.key));
        is_done = true;
    }
    for line in case.base.lines() {
        if line.starts_with('[') {
            here = line.to_owned();
        }
        let is_same_section = here == heading || (here.is_empty() && case.section.is_empty());
        let is_same = is_same_section
            && line
                .split_once('=')
                .is_some_and(|(key, _)| key.trim() == case.key);
        if !is_same {
            lines.push(line.to_owned());
        }
        if line == heading {
            lines.push(format!("{} = {value}", case.key));
            is_done = true;
        }
    }
    if !is_done {
        lines.push(heading);
        lines.push(format!("{} = {value}", case.key));
    }
    lines.join("\n")
}

#[test]
fn each_setting_takes_what_it_can_be_and_nothing_else() {
    let folder = Folder::new();
    folder.write(
        "keys",
        "pak_0123456789abcdef0123456789abcdef, pak_fedcba9876543210fedcba9876543210",
    );
    for base in [JWT, API_KEY, MTLS, NONE, REMOTE, STATIC, SHARED] {
        folder.good(base);
    }
    for case in CASES {
        for good in case.good {
            let text = text(case, good);
            if let Err(faults) = folder.load(&text) {
                panic!("{faults}\n{text}");
            }
        }
        for bad in case.bad {
            let text = text(case, bad);
            let faults = match folder.load(&text) {
                Ok(_) => panic!("accepted:\n{text}"),
                Err(faults) => faults,
            };
            let section = case.section.split('.').next().unwrap_or_default();
            let is_about = |field: &str| {
                field.contains(case.key) || field.starts_with(section) || field == "configuration"
            };
            assert!(
                fields_of(&faults).iter().any(|field| is_about(field)),
                "{faults}\n{text}"
            );
        }
    }
}

/// A level in capital letters stands for names that people choose.
fn matches(setting: &Setting, name: &str) -> bool {
    let is_chosen = |level: &str| level.bytes().all(|byte| byte.is_ascii_uppercase());
    let mut rest = name;
    let mut levels = setting.name().split('.').peekable();
    while let Some(level) = levels.next() {
        if is_chosen(level) {
            // A name may have dots of its own: it goes on to what follows it.
            let Some(last) = levels.next() else {
                return !rest.is_empty();
            };
            return rest
                .strip_suffix(last)
                .is_some_and(|before| before.ends_with('.'));
        }
        let Some(after) = rest.strip_prefix(level) else {
            return false;
        };
        rest = match (after.strip_prefix('.'), levels.peek()) {
            (Some(after), Some(_)) => after,
            (None, None) if after.is_empty() => return true,
            _ => return false,
        };
    }
    false
}

#[test]
fn every_setting_is_listed_and_every_listed_one_is_a_setting() {
    let folder = Folder::new();
    folder.write(
        "keys",
        "pak_0123456789abcdef0123456789abcdef, pak_fedcba9876543210fedcba9876543210",
    );
    let mut seen: BTreeSet<&'static str> = BTreeSet::new();
    let whole = "scopes_supported = [\"a\"]\nname = \"n\"\ndocumentation = \"https://d.example\"\n";
    let resource = format!("{JWT}[resource]\nurl = \"https://a.example\"\n{whole}");
    let project = MTLS.replace(
        "header = \"x-forwarded-client-cert\"",
        "header = \"x-subject\"\nverdict_header = \"x-verdict\"",
    );
    let project = project.replace(
        "trust_domain = \"example.org\"\n",
        "identities = \"common-name\"\n",
    );
    let project = project.replace("spiffe://example.org/reports", "reports");
    let mut texts = vec![
        resource,
        project,
        format!("{NONE}[unchecked]\norg = \"a\"\nproject = \"p\"\n"),
        format!("{STATIC}org = \"a\"\nproject = \"p\"\n"),
        // A root certificate that is none ends in a fault, and is noted before.
    ];
    for case in CASES {
        texts.extend(case.good.iter().map(|good| text(case, good)));
    }
    for text in &texts {
        let config = folder.good(text);
        for (name, _) in config.effective().settings() {
            let setting = SETTINGS.iter().find(|setting| matches(setting, &name));
            seen.insert(
                setting
                    .unwrap_or_else(|| panic!("{name} is not listed"))
                    .name(),
            );
        }
    }
    let unseen: Vec<_> = SETTINGS
        .iter()
        .map(Setting::name)
        .filter(|name| !seen.contains(name))
        .collect();
    assert_eq!(unseen, ["tokens.jwks_root_certificates"]);
}

#[test]
fn what_is_left_out_is_what_the_libraries_have() {
    let config = Folder::new().good(REMOTE);
    let tokens::Keys::Remote(remote) = &config.tokens[0].keys else {
        panic!("{:?}", config.tokens[0].keys);
    };
    assert_eq!(*remote.policy(), RefreshPolicy::default());
    assert_eq!(config.profile(), Profile::Production);
    assert_eq!(config.realm(), "api");
}

#[test]
fn the_effective_configuration_is_toml_that_comes_to_the_same() {
    let folder = Folder::new();
    for text in [JWT, MTLS, NONE, REMOTE] {
        let shown = folder.good(text).effective().to_string();
        assert!(shown.parse::<toml::Table>().is_ok(), "{shown}");
        let again = folder.good(&shown).effective().to_string();
        let without_sources = |text: &str| -> Vec<String> {
            let lines = text
                .lines()
                .map(|line| line.split(" # ").next().unwrap_or_default());
            lines.map(str::to_owned).collect()
        };
        assert_eq!(without_sources(&again), without_sources(&shown));
    }
    let odd = JWT.replace("\"https://api.example.com\"", "'a\"b\\c # d'");
    let shown = folder.good(&odd).effective().to_string();
    let table = shown.parse::<toml::Table>().expect("TOML");
    let audience = table
        .get("tokens")
        .and_then(|tokens| tokens.get("audience"));
    assert_eq!(audience.and_then(toml::Value::as_str), Some("a\"b\\c # d"));
    for text in [API_KEY, STATIC, SHARED] {
        let shown = folder.good(text).effective().to_string();
        assert!(shown.parse::<toml::Table>().is_ok(), "{shown}");
        assert!(
            shown.contains("[redacted]") && !shown.contains("0123456789abcdef"),
            "{shown}"
        );
    }
}

#[test]
fn sections_of_other_modes_are_refused() {
    let folder = Folder::new();
    for section in ["api_keys", "certificates", "unchecked"] {
        folder.refuses(&format!("{JWT}[{section}]\n"), &[section]);
    }
    folder.refuses(&format!("{API_KEY}[tokens]\n"), &["tokens"]);
    folder.refuses(&format!("{API_KEY}[[tokens]]\n"), &["tokens"]);
}

#[test]
fn each_provider_says_what_it_needs() {
    let folder = Folder::new();
    let with = |settings: &str| format!("modes = [\"jwt\"]\n[tokens]\n{settings}\n");
    let audience = "audience = \"client\"";
    let google = with(&format!("provider = \"google\"\n{audience}"));
    folder.refuses(&google, &["tokens.org"]);
    let google = format!("{google}org = \"example.com\"\n");
    folder.good(&google);
    folder.refuses(
        &format!("{google}issuer = \"https://a.example\"\n"),
        &["tokens.issuer"],
    );
    let supabase = with("provider = \"supabase\"\nissuer = \"https://p.supabase.co/auth/v1\"");
    folder.good(&supabase);
    folder.refuses(
        &format!("{supabase}audience = \"x\"\n"),
        &["tokens.audience"],
    );
    let keycloak = with(&format!(
        "provider = \"keycloak\"\nissuer = \"https://a.example\"\n{audience}\naccept_actor = true"
    ));
    folder.refuses(&keycloak, &["tokens.accept_actor"]);
}

#[test]
fn certificates_come_from_somewhere() {
    let folder = Folder::new();
    let direct = MTLS.replace("header = \"x-forwarded-client-cert\"", "direct = true");
    folder.good(&direct);
    folder.refuses(
        &direct.replace("direct = true", ""),
        &["certificates.header"],
    );
    let nobody = MTLS.replace("trusted_proxies = [\"10.0.0.0/28\"]", "");
    folder.refuses(&nobody, &["certificates.header"]);
}

#[test]
fn a_demand_that_nobody_meets_is_refused_beside_others() {
    let rule = "[organisation.acme]\namr_values = [\"mfa\"]\n";
    let folder = Folder::new();
    folder.good(&format!("{JWT}{rule}"));
    folder.refuses(
        &format!("{JWT}{rule}acr_values = []\n"),
        &["organisation.acme.acr_values"],
    );
    folder.refuses(
        &format!("{JWT}[organisation.acme]\n"),
        &["organisation.acme"],
    );
}

#[test]
fn keys_are_in_one_place() {
    let folder = Folder::new();
    folder.refuses(
        &format!("{JWT}jwks_url = \"https://a.example\"\njwks_max_stale_seconds = 60\n"),
        &["tokens.jwks_url", "tokens.jwks_max_stale_seconds"],
    );
    folder.refuses(
        &format!("{REMOTE}jwks_poll_seconds = 5\n"),
        &["tokens.jwks_poll_seconds"],
    );
    folder.refuses(
        &format!("{REMOTE}hmac_secret_encoding = \"text\"\n"),
        &["tokens.hmac_secret_encoding"],
    );
    folder.refuses(
        &format!("{SHARED}jwks_file = \"x\"\n"),
        &["tokens.jwks_file"],
    );
    let production = SHARED
        .replace("development", "production")
        .replace("\"here\"", "\"https://a.example\"");
    folder.refuses(&production, &["tokens.hmac_secret"]);
}

#[test]
fn the_guide_lists_what_there_is() {
    let guide = include_str!("../guide.md");
    for setting in SETTINGS {
        let line = format!(
            "| `{}` | {} | {} | {} |",
            setting.name(),
            setting.form(),
            setting.unless_set(),
            setting.meaning()
        );
        assert!(guide.contains(&line), "write into the guide:\n{line}");
    }
    for old in OLD_NAMES {
        let becomes = match old.setting() {
            Some(setting) => format!("`{setting}`"),
            None => format!("nothing: {}", old.because().expect("a reason")),
        };
        let line = format!("| `{}` | {becomes} |", old.name());
        assert!(guide.contains(&line), "write into the guide:\n{line}");
    }
    let tables = guide.split("# All settings").nth(1).expect("the tables");
    let rows = tables
        .lines()
        .filter(|line| line.starts_with("| `"))
        .count();
    assert_eq!(rows, SETTINGS.len() + OLD_NAMES.len());
    // The variables follow from the names.
    assert_eq!(SETTINGS[5].variable("RINGWALL"), "RINGWALL__TOKENS__ISSUER");
}

#[test]
fn the_example_of_the_guide_is_a_configuration() {
    let folder = Folder::new();
    let guide = include_str!("../guide.md");
    let example = guide
        .split("```toml")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let example = example.expect("an example");
    let example = example.replace("/run/secrets/ringwall-pepper", "{}/pepper");
    let config = folder.good(&example);
    let modes = [
        AuthenticationMode::ApiKey,
        AuthenticationMode::Jwt,
        AuthenticationMode::Mtls,
    ];
    assert_eq!(config.modes(), modes);
}
