use super::*;

mod remote;

/// A folder with the keys of an outside issuer in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        use ringwall_authn::{SigningKey, TokenIssuer};
        use ringwall_jose::Algorithm;

        let folder = Self(tempfile::tempdir().expect("a folder"));
        let pkcs8 = SigningKey::generate_pkcs8(Algorithm::Es256).expect("random bytes");
        let key = SigningKey::from_pkcs8(Algorithm::Es256, &pkcs8).expect("a key");
        let jwks = TokenIssuer::new("https://login.example.com", key).jwks();
        fs::write(folder.path("jwks.json"), jwks).expect("written");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A configuration that can be served; each `{}` in it stands for this folder.
    const GOOD: &str = r#"
        data_dir = "{}/data"
        [tokens]
        issuer = "https://login.example.com"
        audience = "https://api.example.com"
        jwks_file = "{}/jwks.json"
    "#;

    fn load(&self, text: &str, args: ServeArgs) -> Result<Config, Faults> {
        let text = text.replace("{}", &self.0.path().display().to_string());
        let path = self.path("agent-backend.toml");
        fs::write(&path, text).expect("written");
        let config = Some(path);
        Config::load(&ServeArgs { config, ..args })
    }

    #[track_caller]
    fn refuses(&self, text: &str, fields: &[&str]) {
        let faults = self.load(text, ServeArgs::default()).expect_err("faults");
        assert_eq!(faults.fields(), fields, "{faults}");
    }
}

fn dev(listen: &str) -> ServeArgs {
    ServeArgs {
        dev: true,
        listen: Some(listen.parse().expect("an address")),
        ..ServeArgs::default()
    }
}

#[test]
fn a_whole_configuration_is_served_in_production() {
    let folder = Folder::new();
    let config = folder
        .load(Folder::GOOD, ServeArgs::default())
        .expect("good");
    assert_eq!(config.profile, Profile::Production);
    assert_eq!(config.listen, DEFAULT_LISTEN);
    assert_eq!(config.data_dir, folder.path("data"));
}

#[test]
fn without_anything_everything_that_is_missing_is_said_at_once() {
    let faults = Config::load(&ServeArgs::default()).expect_err("faults");
    assert_eq!(
        faults.fields(),
        ["data_dir", "tokens.issuer", "tokens.audience",]
    );
}

#[test]
fn what_is_unknown_mistyped_or_out_of_range_is_refused_together() {
    Folder::new().refuses(
        r#"
            listen = 8080
            realm = "a\"b"
            profil = "production"
            data_dir = "{}/data"
            [limits]
            max_connections = 0
            grace_seconds = "long"
            header_timeout = 5
            [tokens]
            issuer = "http://login.example.com"
            audience = ["a"]
            jwks_file = "{}/jwks.json"
            provider = "any"
            clock_skew_seconds = 301
            accept_actor = 1
            algorithm = "none"
            [step_up]
            acr_values = []
            max_age = 5
        "#,
        &[
            "listen",
            "profil",
            "realm",
            "limits.max_connections",
            "limits.grace_seconds",
            "limits.header_timeout",
            "step_up.acr_values",
            "step_up.max_age",
            "tokens.provider",
            "tokens.issuer",
            "tokens.audience",
            "tokens.clock_skew_seconds",
            "tokens.accept_actor",
            "tokens.algorithm",
        ],
    );
}

#[test]
fn what_is_wrong_with_tls_the_front_and_browsers_is_said_with_the_rest() {
    let text = format!(
        "{}
        [tls]
        certificate = \"{{}}/missing.pem\"
        key = \"{{}}/missing.key\"
        require_client_certificate = true
        poll_seconds = 0
        [front]
        trusted_proxies = [\"10.0.0.0/8\", \"0.0.0.0/0\"]
        forwarding_header = \"x-real-ip\"
        https_redirect_hosts = [\"https://api.example.com\"]
        [browser]
        allowed_origins = [\"http://app.example.com\"]
        edge_sets = [\"x-any\"]
        ",
        Folder::GOOD
    );
    Folder::new().refuses(
        &text,
        &[
            "tls.require_client_certificate",
            "tls.poll_seconds",
            "tls",
            "front.forwarding_header",
            "front.trusted_proxies",
            "front.https_redirect_hosts",
            "browser.allowed_origins",
            "browser.edge_sets",
        ],
    );
}

#[test]
fn plain_http_is_refused_behind_proxies_unless_it_is_said() {
    let served = |more: &str| {
        let text = format!("{}\n[front]\n{more}\n", Folder::GOOD);
        let config = Folder::new().load(&text, ServeArgs::default());
        config.expect("good").front.https
    };
    assert_eq!(served(""), None);
    let proxies = "trusted_proxies = [\"10.0.0.1\"]";
    let refuses = Some(ringwall_gate::HttpsOnly::refuse());
    assert_eq!(served(proxies), refuses);
    assert_eq!(served(&format!("{proxies}\nserve_plain_http = true")), None);
    assert_ne!(served("https_redirect_hosts = [\"a.example\"]"), refuses);
    let both = "serve_plain_http = true\nhttps_redirect_hosts = [\"a.example\"]";
    let text = format!("{}\n[front]\n{both}\n", Folder::GOOD);
    Folder::new().refuses(&text, &["front.https_redirect_hosts"]);
}

#[test]
fn the_library_has_the_last_word_on_the_issuer() {
    let audience = Folder::GOOD.replace("https://api.example.com", "");
    Folder::new().refuses(&audience, &["tokens"]);
}

#[test]
fn a_preset_keeps_its_own_mapping() {
    let text = format!(
        "{}provider = \"keycloak\"\naccept_actor = true\n",
        Folder::GOOD
    );
    Folder::new().refuses(&text, &["tokens.accept_actor"]);
    let text = format!(
        "{}provider = \"plain\"\naccept_actor = true\n",
        Folder::GOOD
    );
    assert!(Folder::new().load(&text, ServeArgs::default()).is_ok());
}

#[test]
fn development_material_is_refused_wherever_it_shows() {
    let folder = Folder::new();
    let issuer = dev_issuer::open_or_create(&folder.path("dev")).expect("made");
    let copied = Folder::GOOD.replace("{}/jwks.json", "{}/copied.json");

    // By the id of the key, in a folder that knows nothing of it.
    fs::write(folder.path("copied.json"), issuer.jwks()).expect("written");
    folder.refuses(&copied, &["tokens.jwks_file"]);
    // By its value, under another id, where the issuer is.
    let renamed = issuer.jwks().replace(dev_issuer::KEY_ID, "key-1");
    fs::write(folder.path("copied.json"), &renamed).expect("written");
    let here = copied.replace("{}/data", "{}/dev");
    folder.refuses(&here, &["data_dir", "tokens.jwks_file"]);
    // By the folder that the file lies in.
    fs::write(folder.path("dev/jwks.json"), &renamed).expect("written");
    let beside = Folder::GOOD.replace("{}/jwks.json", "{}/dev/jwks.json");
    folder.refuses(&beside, &["tokens.jwks_file"]);
    // By the issuer's name, and by the profile.
    let named = Folder::GOOD.replace("https://login.example.com", dev_issuer::ISSUER);
    folder.refuses(&named, &["tokens.issuer"]);
    let profile = format!("profile = \"development\"\n{}", Folder::GOOD);
    folder.refuses(&profile, &["profile"]);
}

#[test]
fn development_stays_on_the_machine_unless_it_is_permitted_by_name() {
    let open = dev("0.0.0.0:8080");
    let faults = Config::load(&open).expect_err("a fault");
    assert_eq!(faults.fields(), ["listen"]);
    let permitted = ServeArgs {
        dev_beyond_loopback: true,
        ..open
    };
    assert!(Config::load(&permitted).is_ok());
    let config = Config::load(&dev("[::1]:0")).expect("loopback");
    assert_eq!(config.profile, Profile::Development);
}

#[test]
fn a_production_configuration_is_not_started_as_development() {
    let folder = Folder::new();
    let text = format!("profile = \"production\"\n{}", Folder::GOOD);
    let faults = folder.load(&text, dev("127.0.0.1:0")).expect_err("a fault");
    assert_eq!(faults.fields(), ["profile"]);
}

#[test]
fn a_file_that_is_no_configuration_is_one_fault_and_is_not_quoted() {
    let folder = Folder::new();
    for text in ["password = \"hunter2", &"#".repeat(70_000)] {
        let faults = folder
            .load(text, ServeArgs::default())
            .expect_err("a fault");
        assert_eq!(faults.fields(), ["--config"]);
        assert!(!faults.to_string().contains("hunter2"), "{faults}");
    }
    let args = ServeArgs {
        config: Some(folder.path("missing.toml")),
        ..ServeArgs::default()
    };
    let faults = Config::load(&args).expect_err("a fault");
    assert_eq!(faults.fields(), ["--config"]);
}

#[cfg(unix)]
#[test]
fn what_everybody_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::new();
    fs::create_dir(folder.path("data")).expect("made");
    for (name, field) in [
        ("agent-backend.toml", "--config"),
        ("data", "data_dir"),
        ("jwks.json", "tokens.jwks_file"),
    ] {
        assert!(folder.load(Folder::GOOD, ServeArgs::default()).is_ok());
        let path = folder.path(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("set");
        folder.refuses(Folder::GOOD, &[field]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    }
}

#[test]
fn metrics_are_served_nowhere_unless_an_address_is_written() {
    let folder = Folder::new();
    let config = folder.load(Folder::GOOD, ServeArgs::default());
    assert_eq!(config.expect("good").metrics, None);
    for (section, address) in [
        ("listen = \"127.0.0.1:9090\"", "127.0.0.1:9090"),
        ("listen = \"[::1]:9090\"", "[::1]:9090"),
        (
            "listen = \"0.0.0.0:9090\"\nbeyond_loopback = true",
            "0.0.0.0:9090",
        ),
    ] {
        let text = format!("{}\n[metrics]\n{section}\n", Folder::GOOD);
        let config = folder.load(&text, ServeArgs::default()).expect("good");
        assert_eq!(config.metrics, Some(address.parse().expect("an address")));
    }
}

#[test]
fn metrics_beyond_loopback_and_unknown_settings_of_theirs_are_refused() {
    let folder = Folder::new();
    for (section, field) in [
        ("listen = \"0.0.0.0:9090\"", "metrics.listen"),
        ("listen = \"192.0.2.1:9090\"", "metrics.listen"),
        ("listen = \"localhost\"", "metrics.listen"),
        ("path = \"/metrics\"", "metrics.path"),
    ] {
        folder.refuses(
            &format!("{}\n[metrics]\n{section}\n", Folder::GOOD),
            &[field],
        );
    }
}
