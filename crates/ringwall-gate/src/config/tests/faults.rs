//! Everything that is wrong is said at once, with where it stands, and without what stands there.

use super::*;

#[test]
fn an_empty_configuration_is_told_what_it_lacks() {
    Folder::new().refuses("", &["modes"]);
    let faults = GateConfig::load(ConfigSources::new()).expect_err("nothing");
    assert_eq!(fields_of(&faults), ["modes"]);
}

#[test]
fn each_fault_says_where_it_stands_what_is_wrong_and_what_to_do() {
    let folder = Folder::new();
    let text = "modes = [\"jwt\"]\nprofil = \"x\"\n\n[tokens]\naudience = 7\n";
    let variables = [("RINGWALL__TOKENS__ISSUER", "http://login.example.com")];
    let faults = folder.load_with(text, &variables).expect_err("faults");
    let shown: Vec<_> = faults
        .iter()
        .map(|fault| format!("{} {}", fault.field(), fault.source()))
        .collect();
    assert_eq!(
        shown,
        [
            "profil gate.toml:2",
            "tokens.issuer RINGWALL__TOKENS__ISSUER",
            "tokens.audience gate.toml:5",
        ]
    );
    assert!(
        faults
            .iter()
            .all(|fault| !fault.problem().is_empty() && !fault.remedy().is_empty())
    );
    assert!(
        faults
            .to_string()
            .starts_with("3 things are missing or wrong"),
        "{faults}"
    );
}

#[test]
fn what_is_unknown_mistyped_or_out_of_range_is_refused_together() {
    Folder::new().refuses(
        r#"
            modes = ["jwt", "api_key", "mtls", "saml"]
            realm = "a\"b"
            profile = "test"
            revocations = "maybe"
            check_scopes = "no"
            colour = 1
            [tokens]
            issuer = "http://login.example.com"
            audience = ["a"]
            jwks_file = "{}/missing.json"
            jwks_ttl_seconds = 60
            provider = "any"
            algorithms = ["none"]
            header = "cookie"
            roles_claims = ["user_metadata.roles"]
            clock_skew_seconds = 301
            max_lifetime_seconds = 0
            secret = 1
            [api_keys]
            prefix = "P"
            pepper = "written into the file"
            staleness_seconds = 301
            [certificates]
            identities = "eyes"
            trust_domain = "Example"
            [front]
            trusted_proxies = ["0.0.0.0/0"]
            proxy_headers = ["x_user"]
            serve_plain_http = 1
            [scopes]
            bad = "a b"
            [role_scopes]
            admin = ["*"]
            [organisation.acme]
            mail_domains = ["*.example.com"]
            sso_issuers = ["https://elsewhere.example"]
            "#,
        &[
            "profile",
            "realm",
            "modes",
            "check_scopes",
            "revocations",
            "colour",
            "scopes.bad",
            "role_scopes.admin",
            "front.trusted_proxies",
            "front.proxy_headers",
            "front.serve_plain_http",
            "tokens.provider",
            "tokens.issuer",
            "tokens.audience",
            "tokens.algorithms",
            "tokens.jwks_ttl_seconds",
            "tokens.jwks_file",
            "tokens.roles_claims",
            "tokens.header",
            "tokens.clock_skew_seconds",
            "tokens.max_lifetime_seconds",
            "tokens.secret",
            "api_keys.prefix",
            "api_keys.pepper",
            "api_keys.staleness_seconds",
            "certificates.identities",
            "certificates.trust_domain",
            "certificates.header",
            "certificates.clients",
            "organisation.acme.mail_domains",
        ],
    );
}

#[test]
fn what_is_no_toml_is_told_with_its_line_and_not_quoted() {
    let folder = Folder::new();
    let faults = folder
        .load("modes = [\"jwt\"]\npassword = \"hunter2\nx = = 3\n")
        .expect_err("a fault");
    let first = faults.iter().next().expect("a fault");
    assert_eq!(first.field(), "configuration");
    let lines: Vec<_> = faults
        .iter()
        .map(|fault| fault.source().to_string())
        .collect();
    assert!(lines.contains(&"gate.toml:2".to_owned()), "{faults}");
    assert!(!faults.to_string().contains("hunter2"), "{faults}");
}

#[test]
fn a_file_is_there_bounded_and_not_everybodys_to_write() {
    let folder = Folder::new();
    let path = folder.0.path().join("gate.toml");
    let load = || GateConfig::load(ConfigSources::new().file(&path));
    let problem = || {
        let faults = load().expect_err("a fault");
        let problem = faults.iter().next().expect("a fault").problem().to_owned();
        assert_eq!(fields_of(&faults), ["configuration"]);
        problem
    };
    assert!(problem().contains("cannot be read"));
    let good = format!("{}{}", folder.fill(JWT), "# ".repeat(3));
    folder.write("gate.toml", &good);
    assert!(load().is_ok());
    folder.write("gate.toml", &format!("{good}{}", "#".repeat(64 * 1024)));
    assert!(problem().contains("longer"));
    std::fs::write(&path, [0xff, 0xfe]).expect("written");
    assert!(problem().contains("UTF-8"));
    let faults = GateConfig::load(ConfigSources::new().file(folder.0.path())).expect_err("no file");
    assert!(
        faults.to_string().contains("not a regular file"),
        "{faults}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        folder.write("gate.toml", &good);
        let set = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        };
        set(0o646);
        assert!(problem().contains("written by everybody"));
        set(0o644);
        assert!(load().is_ok());
    }
}

#[test]
fn a_text_is_as_long_as_a_file() {
    let long = format!("{JWT}{}", "#".repeat(64 * 1024));
    Folder::new().refuses(&long, &["configuration"]);
}

#[test]
fn one_fault_makes_no_others() {
    let folder = Folder::new();
    // Whether an issuer is accepted cannot be said while one of them could not be read.
    let text = format!(
        "resource = \"https://api.example.com\"\n{JWT}[organisation.acme]\nsso_issuers = [\"https://b.example\"]\n"
    );
    let text = text.replace("https://login.example.com", "no url");
    folder.refuses(&text, &["tokens.issuer"]);
    // Nor what proxies say, while nobody knows who they are.
    let text = MTLS.replace("10.0.0.0/28", "10.0.0.1/28");
    folder.refuses(&text, &["front.trusted_proxies"]);
    // And a section is read to its end.
    let text = MTLS.replace("trust_domain = \"example.org\"", "colour = 1");
    folder.refuses(&text, &["certificates.trust_domain", "certificates.colour"]);
    let text = format!("{JWT}[resource]\ncolour = 1\n");
    folder.refuses(&text, &["resource.url", "resource.colour"]);
    let text = API_KEY.replace("pepper =", "hash = \"md5\"\npepper_id = \"P\"\npepper =");
    folder.refuses(&text, &["api_keys.hash", "api_keys.pepper_id"]);
}

#[test]
fn a_flood_of_faults_is_cut_off() {
    let text: String = (0..1000).map(|number| format!("x{number} = 1\n")).collect();
    let faults = Folder::new().load(&text).expect_err("faults");
    assert_eq!(faults.iter().count(), 129);
    let last = faults.iter().last().expect("the last");
    assert_eq!(last.problem(), "has more faults than are shown");
}

#[test]
fn names_are_shown_without_what_they_could_do_to_a_terminal() {
    let long = "k".repeat(1000);
    let text = format!("\"a\\u001b[2Jb\" = 1\n{long} = 1\n");
    let faults = Folder::new().load(&text).expect_err("faults");
    let shown = faults.to_string();
    assert!(
        !shown.contains('\u{1b}') && !shown.contains(&long),
        "{shown}"
    );
}

#[test]
fn a_secret_is_there_and_bounded() {
    let folder = Folder::new();
    folder.write("secret", "");
    let text = API_KEY.replace("{}/pepper", "{}/secret");
    let problem = || {
        let faults = folder.load(&text).expect_err("a fault");
        assert_eq!(fields_of(&faults), ["api_keys.pepper"]);
        faults.iter().next().expect("a fault").problem().to_owned()
    };
    assert_eq!(problem(), "is empty");
    folder.write("secret", "\r\n");
    assert_eq!(problem(), "is empty");
    folder.write("secret", &"x".repeat(8 * 1024 + 1));
    assert_eq!(problem(), "names a file that is longer than is permitted");
    folder.write("secret", &"x".repeat(8 * 1024));
    folder.good(&text);
    // One line break at the end does not count, and nothing else is taken away.
    folder.write("secret", &format!("{}\n\n", "x".repeat(30)));
    assert!(problem().contains("32 bytes"), "{}", problem());
    folder.write("secret", &format!("{}\n\n", "x".repeat(31)));
    folder.good(&text);
}

#[test]
fn the_fault_of_a_secret_does_not_hold_it() {
    let folder = Folder::new();
    folder.write("short", "hunter2");
    assert!(folder.load(API_KEY).is_ok());
    for text in [
        "pepper = \"hunter2-hunter2-hunter2-hunter2-hunter2\"",
        "pepper = { file = \"{}/short\" }",
        "pepper = { env = \"SHORT\" }",
        "pepper = [\"hunter2\"]",
        "pepper = { file = [\"hunter2\"] }",
        "pepper = { hunter2 = \"hunter2\" }",
        "pepper = { }",
        "pepper = { file = \"a\", env = \"b\" }",
    ] {
        let text = format!("modes = [\"api_key\"]\n[api_keys]\n{text}\n");
        let faults = folder
            .load_with(&text, &[("SHORT", "hunter2")])
            .expect_err("a fault");
        assert_eq!(fields_of(&faults), ["api_keys.pepper"], "{faults}");
        assert!(!faults.to_string().contains("hunter2"), "{faults}");
    }
}
