//! Environment variables, new names and old ones.

use super::*;

const OLD: [(&str, &str); 5] = [
    ("TGEFD_AUTH_MODE", "jwt"),
    ("TGEFD_JWT_ISSUER", "https://login.example.com"),
    ("TGEFD_JWT_AUDIENCE", "https://api.example.com"),
    ("TGEFD_JWKS_URL", "https://login.example.com/jwks"),
    ("TGEFD_JWKS_TTL_SEC", "120"),
];

fn old(variables: &[(&str, &str)], text: &str) -> Result<GateConfig, ConfigFaults> {
    let variables = variables.iter().copied();
    let sources = ConfigSources::new()
        .text("gate.toml", text)
        .environment("RINGWALL")
        .variables(variables)
        .old_names(true);
    GateConfig::load(sources)
}

#[test]
fn variables_alone_are_a_configuration() {
    let folder = Folder::new();
    let config = folder
        .load_with(
            "",
            &[
                ("RINGWALL__MODES", "jwt, api_key"),
                ("RINGWALL__TOKENS__ISSUER", "https://login.example.com"),
                ("RINGWALL__TOKENS__AUDIENCE", "https://api.example.com"),
                ("RINGWALL__TOKENS__JWKS_FILE", "{}/jwks.json"),
                ("RINGWALL__TOKENS__CLOCK_SKEW_SECONDS", "5"),
                ("RINGWALL__TOKENS__ACCEPT_ACTOR", "true"),
                ("RINGWALL__API_KEYS__PEPPER__FILE", "{}/pepper"),
                ("RINGWALL__FRONT__TRUSTED_PROXIES", "10.0.0.1, 10.0.0.2"),
                ("RINGWALLS__OTHER", "is another's"),
                ("RINGWALL_OTHER", "too"),
            ],
        )
        .unwrap_or_else(|faults| panic!("{faults}"));
    let modes = [AuthenticationMode::ApiKey, AuthenticationMode::Jwt];
    assert_eq!(config.modes(), modes);
    let shown = config.effective().to_string();
    assert!(
        shown.contains("clock_skew_seconds = 5 # RINGWALL__TOKENS__CLOCK_SKEW_SECONDS\n"),
        "{shown}"
    );
}

#[test]
fn a_variable_goes_before_the_file_and_the_provenance_says_so() {
    let folder = Folder::new();
    let variables = [("RINGWALL__TOKENS__AUDIENCE", "https://other.example.com")];
    let config = folder.load_with(JWT, &variables).expect("good");
    let shown = config.effective().to_string();
    assert!(
        shown.contains(
            "audience = \"https://other.example.com\" # RINGWALL__TOKENS__AUDIENCE, instead of gate.toml:5\n"
        ),
        "{shown}"
    );
}

#[test]
fn a_secret_in_a_variable_need_not_be_named_again() {
    let folder = Folder::new();
    let text = "modes = [\"api_key\"]\n";
    let pepper = "0123456789abcdef0123456789abcdef";
    let config = folder
        .load_with(text, &[("RINGWALL__API_KEYS__PEPPER", pepper)])
        .expect("good");
    let shown = format!("{}{config:?}", config.effective());
    assert!(
        shown.contains("pepper = \"[redacted]\"") && !shown.contains(pepper),
        "{shown}"
    );
    let text = format!("{text}[api_keys]\npepper = {{ env = \"PEPPER\" }}\n");
    assert!(folder.load_with(&text, &[("PEPPER", pepper)]).is_ok());
    let faults = folder.load_with(&text, &[]).expect_err("not set");
    assert_eq!(fields_of(&faults), ["api_keys.pepper"]);
}

#[test]
fn sections_of_a_list_are_counted() {
    let folder = Folder::new();
    let list = r#"
        modes = ["jwt"]
        [[tokens]]
        issuer = "https://one.example"
        audience = "https://api.example.com"
        jwks_file = "{}/jwks.json"
        org = "one"
        [[tokens]]
        issuer = "https://two.example"
        audience = "https://api.example.com"
        jwks_file = "{}/jwks.json"
    "#;
    folder.refuses(list, &["tokens[1].org"]);
    let two = [("RINGWALL__TOKENS__1__ORG", "two")];
    let config = folder.load_with(list, &two).expect("good");
    assert_eq!(config.tokens.len(), 2);
    let shown = config.effective().to_string();
    assert_eq!(shown.matches("[[tokens]]").count(), 2, "{shown}");
    let any = [("RINGWALL__TOKENS__1__ANY_ORG", "true")];
    assert!(folder.load_with(list, &any).is_ok());
    for (name, value) in [
        ("RINGWALL__TOKENS__ORG", "two"),
        ("RINGWALL__TOKENS__3__ORG", "two"),
        ("RINGWALL__TOKENS__1__ISSUER", "https://one.example"),
    ] {
        assert!(
            folder.load_with(list, &[two[0], (name, value)]).is_err(),
            "{name}"
        );
    }
    let third = [
        two[0],
        ("RINGWALL__TOKENS__2__ISSUER", "https://three.example"),
        ("RINGWALL__TOKENS__2__AUDIENCE", "https://api.example.com"),
        ("RINGWALL__TOKENS__2__JWKS_FILE", "{}/jwks.json"),
        ("RINGWALL__TOKENS__2__ORG", "three"),
    ];
    let config = folder.load_with(list, &third).expect("good");
    assert_eq!(config.tokens.len(), 3);
}

#[test]
fn variables_that_nearly_are_settings_are_refused_and_not_passed_over() {
    let folder = Folder::new();
    for name in [
        "RINGWALL_API_KEYS__CACHED",
        "RINGWALL_TOKENS__ISSUER",
        "RINGWALL_REALM",
        "ringwall__tokens__issuer",
        "Ringwall__REALM",
    ] {
        let faults = folder.load_with(JWT, &[(name, "x")]).expect_err(name);
        assert!(
            faults.to_string().contains("is not read"),
            "{name}: {faults}"
        );
    }
    // What is somebody else's is left alone.
    for name in [
        "RINGWALL_PEPPER",
        "RINGWALL_STORE_PASSWORD",
        "RINGWALL_TEST_REDIS_URL",
        "RINGWALL_TOKENS",
        "RINGWALLX__REALM",
        "RINGWALL",
    ] {
        assert!(folder.load_with(JWT, &[(name, "x")]).is_ok(), "{name}");
    }
}

#[test]
fn variables_that_are_no_settings_are_refused() {
    let folder = Folder::new();
    for (name, value, field) in [
        ("RINGWALL__COLOUR", "red", "colour"),
        ("RINGWALL__TOKENS__COLOUR", "red", "tokens.colour"),
        (
            "RINGWALL__TOKENS____ISSUER",
            "x",
            "RINGWALL__TOKENS____ISSUER",
        ),
        ("RINGWALL__", "x", "RINGWALL__"),
        (
            "RINGWALL__A__B__C__D__E__F__G",
            "x",
            "RINGWALL__A__B__C__D__E__F__G",
        ),
        ("RINGWALL__REALM__X", "x", "realm"),
        (
            "RINGWALL__TOKENS__CLOCK_SKEW_SECONDS",
            "five",
            "tokens.clock_skew_seconds",
        ),
        (
            "RINGWALL__TOKENS__CLOCK_SKEW_SECONDS",
            "99999999999999999999",
            "tokens.clock_skew_seconds",
        ),
        (
            "RINGWALL__TOKENS__ACCEPT_ACTOR",
            "yes",
            "tokens.accept_actor",
        ),
        ("RINGWALL__FRONT", "x", "front"),
    ] {
        let faults = folder.load_with(JWT, &[(name, value)]).expect_err(name);
        assert_eq!(fields_of(&faults), [field], "{faults}");
    }
    let twice = [("RINGWALL__REALM", "a"), ("RINGWALL__realm", "b")];
    let faults = folder.load_with(JWT, &twice).expect_err("twice");
    assert_eq!(fields_of(&faults), ["realm"]);
    let long = "x".repeat(8 * 1024 + 1);
    let faults = folder
        .load_with(JWT, &[("RINGWALL__REALM", &long)])
        .expect_err("long");
    assert_eq!(fields_of(&faults), ["realm"]);
    assert!(faults.to_string().contains("longer than 8 KiB"), "{faults}");
    let many: Vec<(String, String)> = (0..513)
        .map(|number| (format!("RINGWALL__X{number}"), String::new()))
        .collect();
    let sources = ConfigSources::new().environment("RINGWALL").variables(many);
    let faults = GateConfig::load(sources).expect_err("many");
    assert_eq!(fields_of(&faults), ["environment", "modes"]);
}

#[test]
fn what_is_the_services_own_is_left_to_it() {
    let folder = Folder::new();
    let text = format!("listen = 7\n{JWT}[limits]\nany = 1\n");
    folder.refuses(&text, &["limits", "listen"]);
    let sources = || {
        let variables = [("RINGWALL__LIMITS__OTHER", "2")];
        let sources = folder.sources(&text).variables(variables);
        sources.environment("RINGWALL")
    };
    let config = GateConfig::load(sources().of_service(["listen", "limits"])).expect("good");
    let shown = config.effective().to_string();
    assert!(
        !shown.contains("limits") && !shown.contains("listen"),
        "{shown}"
    );
    let faults = GateConfig::load(sources().of_service(["limits"])).expect_err("unknown");
    assert_eq!(fields_of(&faults), ["listen"]);
    let taken = sources().of_service(["listen", "limits", "tokens"]);
    let faults = GateConfig::load(taken).expect_err("ours");
    assert_eq!(fields_of(&faults), ["tokens"]);
}

#[test]
fn a_prefix_is_a_name() {
    for prefix in ["", "RING WALL", "RINGWALL__", "A__B", "RINGWALL_", "Ä"] {
        let folder = Folder::new();
        let sources = folder.sources(JWT).environment(prefix);
        assert!(GateConfig::load(sources).is_err(), "{prefix:?}");
    }
}

#[test]
fn old_names_are_read_when_it_was_said_and_reported() {
    let variables = OLD.iter().copied();
    let sources = ConfigSources::new().variables(variables.clone());
    assert!(GateConfig::load(sources).is_err());
    let config = old(&OLD, "").unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.old_names().len(), OLD.len());
    assert!(
        config
            .notices()
            .contains(&"TGEFD_JWT_ISSUER is an old name of tokens.issuer".to_owned())
    );
    let shown = config.effective().to_string();
    assert!(
        shown.contains("jwks_ttl_seconds = 120 # TGEFD_JWKS_TTL_SEC (an old name)\n"),
        "{shown}"
    );
}

#[test]
fn two_names_of_one_setting_say_the_same() {
    let mut variables = OLD.to_vec();
    variables.push(("RINGWALL__TOKENS__ISSUER", "https://login.example.com"));
    assert!(old(&variables, "").is_ok());
    variables.push(("RINGWALL__TOKENS__JWKS_TTL_SECONDS", "121"));
    let faults = old(&variables, "").expect_err("two values");
    assert_eq!(fields_of(&faults), ["tokens.jwks_ttl_seconds"], "{faults}");
    // A file is another place to say something else.
    let faults = old(&OLD, "[tokens]\njwks_ttl_seconds = 121\n").expect_err("two values");
    assert_eq!(fields_of(&faults), ["tokens.jwks_ttl_seconds"]);
    assert!(
        old(
            &OLD,
            "modes = [\"jwt\"]\n[tokens]\njwks_ttl_seconds = 120\n"
        )
        .is_ok()
    );
    // And so are two old ones.
    let mut roles = OLD.to_vec();
    roles.extend([("TGEFD_ROLE_CLAIM", "role"), ("TGEFD_ROLES_CLAIM", "roles")]);
    let faults = old(&roles, "").expect_err("two values");
    assert_eq!(fields_of(&faults), ["tokens.roles_claims"]);
}

#[test]
fn an_old_name_without_a_counterpart_is_reported_with_the_reason() {
    let mut variables = OLD.to_vec();
    variables.push(("CORS_ORIGIN", "https://app.example.com"));
    let config = old(&variables, "").expect("good");
    assert!(
        config
            .notices()
            .iter()
            .any(|notice| notice.starts_with("CORS_ORIGIN has no effect: ")),
        "{:?}",
        config.notices()
    );
}

#[test]
fn the_old_guide_is_a_configuration_of_a_development_machine_alone() {
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ=";
    let text = r#"
        profile = "development"
        modes = ["jwt", "api_key"]
        revocations = "none"
        [tokens]
        issuer = "agents"
        audience = "agents"
        hmac_secret_encoding = "text"
        [scopes]
        runs = "runs:read"
    "#;
    let variables = [
        ("JWT_SECRET", secret),
        ("JWT_EXPIRES_IN", "24h"),
        (
            "API_KEYS",
            "pak_0123456789abcdef0123456789abcdef,pak_fedcba9876543210fedcba9876543210",
        ),
        ("TGEFD_API_KEY_SCOPES", "*"),
        ("TGEFD_RBAC_ENABLED", "false"),
        ("TGEFD_JWT_ALLOWED_ALGS", "HS256,RS256"),
        ("TGEFD_ROLE_ANALYST_SCOPES", "discover evaluate"),
        ("TGEFD_ROLE_ADMIN_SCOPES", "*"),
    ];
    let config = old(&variables, text).unwrap_or_else(|faults| panic!("{faults}"));
    let shown = config.effective().to_string();
    assert!(
        !shown.contains(secret) && !shown.contains("pak_0"),
        "{shown}"
    );
    assert!(
        shown.contains("max_lifetime_seconds = 86400 # JWT_EXPIRES_IN (an old name)"),
        "{shown}"
    );
    assert!(
        shown.contains("keys = \"[redacted]\" # API_KEYS (an old name)"),
        "{shown}"
    );
    assert!(
        shown.contains("analyst = [\"discover\", \"evaluate\"]"),
        "{shown}"
    );
    // The loose knobs by name, in production, each of them.
    let production = text.replace("profile = \"development\"", "");
    let production = production.replace("\"agents\"", "\"https://agents.example\"");
    let faults = old(&variables, &production).expect_err("production");
    assert_eq!(
        fields_of(&faults),
        [
            "check_scopes",
            "role_scopes.admin",
            "tokens.algorithms",
            "tokens.hmac_secret",
            "api_keys.pepper",
            "api_keys.static",
            "api_keys.static.scopes",
        ],
        "{faults}"
    );
    assert!(!faults.to_string().contains(secret) && !faults.to_string().contains("pak_0"));
}

#[test]
fn every_counterpart_is_a_setting() {
    for old in OLD_NAMES {
        match (old.setting(), old.because()) {
            (Some(setting), None) => {
                let mut known = SETTINGS.iter();
                let is_known = known.any(|known| settings::matches(known, setting));
                assert!(is_known, "{setting}");
            }
            (None, Some(because)) => assert!(!because.is_empty()),
            both => panic!("{both:?}"),
        }
    }
}
