use std::fs;

use ringwall_core::profile::Profile;
use ringwall_gate::config::ConfigFault;

use super::*;
use crate::dev_issuer;

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
        fs::write(folder.path("pepper"), "0123456789abcdef0123456789abcdef").expect("written");
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

    fn load(&self, text: &str, args: ServeArgs) -> Result<Config, ConfigFaults> {
        self.load_with(text, args, &[])
    }

    fn load_with(
        &self,
        text: &str,
        args: ServeArgs,
        variables: &[(&str, &str)],
    ) -> Result<Config, ConfigFaults> {
        let fill = |text: &str| text.replace("{}", &self.0.path().display().to_string());
        let path = self.path("agent-backend.toml");
        fs::write(&path, fill(text)).expect("written");
        let config = Some(path);
        let variables = variables.iter().map(|(name, value)| (*name, fill(value)));
        let sources = ConfigSources::new().variables(variables);
        Config::read(&ServeArgs { config, ..args }, sources)
    }

    #[track_caller]
    fn good(&self, text: &str) -> Config {
        let config = self.load(text, ServeArgs::default());
        config.unwrap_or_else(|faults| panic!("{faults}"))
    }

    #[track_caller]
    fn refuses(&self, text: &str, fields: &[&str]) {
        let faults = self.load(text, ServeArgs::default()).expect_err("faults");
        assert_eq!(fields_of(&faults), fields, "{faults}");
    }

    /// A development machine whose data is here.
    fn dev(&self, listen: &str) -> ServeArgs {
        ServeArgs {
            dev: true,
            listen: Some(listen.parse().expect("an address")),
            data_dir: Some(self.path("dev")),
            ..ServeArgs::default()
        }
    }
}

fn fields_of(faults: &ConfigFaults) -> Vec<&str> {
    faults.iter().map(ConfigFault::field).collect()
}

fn modes_of(config: &Config) -> Vec<&'static str> {
    config
        .gate
        .modes()
        .iter()
        .map(|mode| mode.as_str())
        .collect()
}

fn resource_of(config: &Config) -> String {
    let shown = config.gate.effective().to_string();
    let line = shown
        .lines()
        .skip_while(|line| *line != "[resource]")
        .nth(1);
    line.unwrap_or_default().to_owned()
}

#[test]
fn a_whole_configuration_is_served_in_production() {
    let folder = Folder::new();
    let config = folder.good(Folder::GOOD);
    assert_eq!(config.gate.profile(), Profile::Production);
    assert_eq!(config.gate.realm(), "agent-backend");
    assert_eq!(config.own.listen, DEFAULT_LISTEN);
    assert_eq!(config.own.data_dir, folder.path("data"));
    assert_eq!(config.own.step_up.to_string(), "at most 300 s old");
    assert!(config.own.issuer.is_none() && config.own.metrics.is_none());
    assert_eq!(modes_of(&config), ["jwt"]);
}

#[test]
fn without_anything_everything_that_is_missing_is_said_at_once() {
    let variables: [(&str, &str); 0] = [];
    let sources = ConfigSources::new().variables(variables);
    let faults = Config::read(&ServeArgs::default(), sources).expect_err("faults");
    let fields = ["data_dir", "tokens.issuer", "tokens.audience"];
    assert_eq!(fields_of(&faults), fields, "{faults}");
}

#[test]
fn every_mode_is_a_matter_of_configuration() {
    let folder = Folder::new();
    let data = "data_dir = \"{}/data\"\n";
    let keys = "[api_keys]\npepper = { file = \"{}/pepper\" }\n";
    let one = format!("{data}modes = [\"api_key\"]\n{keys}");
    let config = folder.good(&one);
    assert_eq!(modes_of(&config), ["api_key"]);
    let shown = config.gate.effective().to_string();
    assert!(shown.contains("settings:write\"] # the service"), "{shown}");
    let both = format!("modes = [\"jwt\", \"api_key\"]\n{}{keys}", Folder::GOOD);
    assert_eq!(modes_of(&folder.good(&both)), ["api_key", "jwt"]);
    let certificates = format!(
        "{data}modes = [\"mtls\"]\n[front]\ntrusted_proxies = [\"10.0.0.1\"]\n[certificates]\ntrust_domain = \"a.example\"\n\
         header = \"x-forwarded-client-cert\"\n[certificates.clients.\"spiffe://a.example/b\"]\norg = \"acme\"\n"
    );
    assert_eq!(modes_of(&folder.good(&certificates)), ["mtls"]);
    // Nobody is authenticated on a development machine alone.
    let none = format!("{data}modes = [\"none\"]\n");
    folder.refuses(&none, &["modes"]);
    let config = folder.load(&none, folder.dev("127.0.0.1:0")).expect("good");
    assert_eq!(modes_of(&config), ["none"]);
    assert!(config.own.issuer.is_none());
    // A section of a mode that is not on is no wish that anybody fulfils.
    folder.refuses(&format!("{}{keys}", Folder::GOOD), &["api_keys"]);
}

#[test]
fn arguments_go_before_variables_and_those_before_the_file() {
    use clap::Parser as _;

    let folder = Folder::new();
    let args = [
        "agent-backend",
        "serve",
        "--issuer",
        "https://other.example",
        "--resource",
        "https://here.example/api",
    ];
    let crate::cli::Command::Serve(args) = crate::cli::Cli::try_parse_from(args)
        .expect("understood")
        .command
    else {
        panic!("another command");
    };
    let variables = [
        ("AGENT_BACKEND__TOKENS__ISSUER", "https://variable.example"),
        ("AGENT_BACKEND__REALM", "cases"),
        ("AGENT_BACKEND__LIMITS__MAX_CONNECTIONS", "7"),
        ("AGENT_BACKEND_LOG", "debug"),
    ];
    let config = folder
        .load_with(Folder::GOOD, args, &variables)
        .expect("good");
    assert!(config.gate.issuers().eq(["https://other.example"]));
    assert_eq!(
        (config.gate.realm(), config.own.limits.connections),
        ("cases", 7)
    );
    assert_eq!(
        resource_of(&config),
        "url = \"https://here.example/api\" # --resource"
    );
    let nearly = [
        ("AGENT_BACKEND_LIMITS__MAX_CONNECTIONS", "7"),
        ("AGENT_BACKEND_REALM", "x"),
    ];
    let faults = folder
        .load_with(Folder::GOOD, ServeArgs::default(), &nearly)
        .expect_err("not read");
    assert_eq!(fields_of(&faults), ["AGENT_BACKEND_REALM"]);
}

#[test]
fn what_is_wrong_with_the_service_is_said_with_what_is_wrong_with_the_gate() {
    let faults = Folder::new().load(
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
            clock_skew_seconds = 301
            [step_up]
            acr_values = []
            max_age = 5
            [tls]
            certificate = "{}/missing.pem"
            key = "{}/missing.key"
            require_client_certificate = true
            poll_seconds = 0
            [browser]
            allowed_origins = ["http://app.example.com"]
            edge_sets = ["x-any"]
            [metrics]
            listen = "0.0.0.0:9090"
            path = "/metrics"
            [organisation.acme]
            amr_values = ["mfa"]
        "#,
        ServeArgs::default(),
    );
    let faults = faults.expect_err("faults");
    let fields = [
        "listen",
        "limits.max_connections",
        "limits.grace_seconds",
        "limits.header_timeout",
        "metrics.listen",
        "metrics.path",
        "step_up.acr_values",
        "step_up.max_age",
        "tls.require_client_certificate",
        "tls.poll_seconds",
        "tls.certificate",
        "browser.allowed_origins",
        "browser.edge_sets",
        "organisation",
        "resource",
        "realm",
        "profil",
        "tokens.issuer",
        "tokens.audience",
        "tokens.clock_skew_seconds",
    ];
    assert_eq!(fields_of(&faults), fields, "{faults}");
}

#[test]
fn a_service_that_clients_cannot_find_does_not_start() {
    let folder = Folder::new();
    assert_eq!(
        resource_of(&folder.good(Folder::GOOD)),
        "url = \"https://api.example.com\" # the service"
    );
    let named = Folder::GOOD.replace("https://api.example.com", "cases-api");
    folder.refuses(&named, &["resource"]);
    folder.refuses(
        &format!("resource = \"http://api.example.com\"\n{named}"),
        &["resource.url"],
    );
    folder.good(&format!("resource = \"https://api.example.com\"\n{named}"));
    // In development the address is one that clients can use.
    let config = folder
        .load(&named, folder.dev("127.0.0.1:8080"))
        .expect("good");
    assert_eq!(
        resource_of(&config),
        "url = \"http://127.0.0.1:8080\" # the service"
    );
    let faults = folder
        .load(&named, folder.dev("127.0.0.1:0"))
        .expect_err("no port");
    assert_eq!(fields_of(&faults), ["resource"]);
}

#[test]
fn a_step_up_demands_what_it_names_and_never_nothing() {
    let folder = Folder::new();
    for (section, shown) in [
        ("", "at most 300 s old"),
        ("max_age_seconds = 60", "at most 60 s old"),
        ("acr_values = [\"gold\", \"silver\"]", "acr gold silver"),
        (
            "acr_values = [\"gold\"]\nmax_age_seconds = 60",
            "acr gold, at most 60 s old",
        ),
    ] {
        let config = folder.good(&format!("{}\n[step_up]\n{section}\n", Folder::GOOD));
        assert_eq!(config.own.step_up.to_string(), shown);
    }
    let none = format!("{}\n[step_up]\nmax_age_seconds = 0\n", Folder::GOOD);
    folder.refuses(&none, &["step_up.max_age_seconds"]);
}

#[test]
fn development_brings_an_issuer_unless_another_one_is_named() {
    let folder = Folder::new();
    let config = folder.load("", folder.dev("[::1]:0")).expect("good");
    assert_eq!(config.gate.profile(), Profile::Development);
    assert!(config.own.issuer.is_some() && config.gate.issuers().eq([dev_issuer::ISSUER]));
    assert_eq!(modes_of(&config), ["api_key", "jwt"]);
    // Plain HTTP is for this machine, and the own issuer is not trusted beside another one.
    let local = Folder::GOOD
        .replace("https://login.example.com", "http://127.0.0.1:9/realms/a")
        .replace("jwks_file = \"{}/jwks.json\"", "");
    folder.refuses(&local, &["tokens.issuer"]);
    let config = folder
        .load(&local, folder.dev("127.0.0.1:0"))
        .expect("good");
    assert!(
        config.own.issuer.is_none() && config.gate.issuers().eq(["http://127.0.0.1:9/realms/a"])
    );
    let own = Folder::GOOD.replace("https://login.example.com", dev_issuer::ISSUER);
    let faults = folder
        .load(&own, folder.dev("127.0.0.1:0"))
        .expect_err("a fault");
    assert_eq!(fields_of(&faults), ["tokens.issuer"]);
}

#[test]
fn development_material_is_refused_wherever_it_shows() {
    let folder = Folder::new();
    let issuer = dev_issuer::publish(&folder.path("dev")).expect("made");
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
    let faults = folder
        .load(&named, ServeArgs::default())
        .expect_err("its name");
    assert_eq!(
        fields_of(&faults).first(),
        Some(&"tokens.issuer"),
        "{faults}"
    );
    let profile = format!("profile = \"development\"\n{}", Folder::GOOD);
    folder.refuses(&profile, &["profile"]);
    // In one of several sections too.
    let second = copied.replace("[tokens]", "[[tokens]]\norg = \"a\"\nissuer = \"https://a.example\"\naudience = \"https://api.example.com\"\n[[tokens]]\norg = \"b\"");
    let second = format!("resource = \"https://api.example.com\"\n{second}");
    fs::write(folder.path("copied.json"), issuer.jwks()).expect("written");
    folder.refuses(&second, &["tokens[1].jwks_file"]);
}

#[test]
fn development_stays_on_the_machine_unless_it_is_permitted_by_name() {
    let folder = Folder::new();
    let open = || folder.dev("0.0.0.0:8080");
    let faults = folder.load("", open()).expect_err("a fault");
    assert_eq!(fields_of(&faults), ["listen"], "{faults}");
    assert!(!folder.path("dev").exists(), "nothing was made");
    let permitted = ServeArgs {
        dev_beyond_loopback: true,
        ..open()
    };
    assert!(folder.load("", permitted).is_ok());
}

#[test]
fn a_production_configuration_is_not_started_as_development() {
    let folder = Folder::new();
    let text = format!("profile = \"production\"\n{}", Folder::GOOD);
    let faults = folder
        .load(&text, folder.dev("127.0.0.1:0"))
        .expect_err("a fault");
    assert_eq!(fields_of(&faults), ["profile"]);
}

#[test]
fn a_file_that_is_no_configuration_is_one_fault_and_is_not_quoted() {
    let folder = Folder::new();
    for text in ["password = \"hunter2", &"#".repeat(70_000)] {
        let faults = folder
            .load(text, ServeArgs::default())
            .expect_err("a fault");
        assert_eq!(fields_of(&faults), ["configuration"]);
        assert!(!faults.to_string().contains("hunter2"), "{faults}");
    }
}

#[cfg(unix)]
#[test]
fn what_everybody_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::new();
    fs::create_dir(folder.path("data")).expect("made");
    for (name, field) in [
        ("agent-backend.toml", "configuration"),
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
    for (section, address) in [
        ("listen = \"127.0.0.1:9090\"", "127.0.0.1:9090"),
        ("listen = \"[::1]:9090\"", "[::1]:9090"),
        (
            "listen = \"0.0.0.0:9090\"\nbeyond_loopback = true",
            "0.0.0.0:9090",
        ),
    ] {
        let config = folder.good(&format!("{}\n[metrics]\n{section}\n", Folder::GOOD));
        assert_eq!(
            config.own.metrics,
            Some(address.parse().expect("an address"))
        );
    }
    for (section, field) in [
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

#[test]
fn requests_are_limited_unless_somebody_says_how() {
    use ringwall_gate::rate_limit::Quota;

    let quota = |rps, burst| Quota::per_second(rps).and_then(|quota| quota.burst(burst));
    let folder = Folder::new();
    let ceiling = |config: &Config| {
        let policies = config.gate.limit_rules().expect("limits").policies();
        policies.ceiling(policies.find("tenant").expect("a default"))
    };
    let config = folder.good(Folder::GOOD);
    assert_eq!(ceiling(&config), quota(50, 100).ok());
    let rules = config.gate.limit_rules().expect("limits");
    for tier in ["default", "auth", "heavy"] {
        assert!(rules.tier(tier).is_some(), "{tier}");
    }
    assert!(rules.failed_credentials().is_some());
    let other = "[rate_limits.limits.tenant]\nceiling_count = 30\nceiling_burst = 60\n";
    let config = folder.good(&format!("{}{other}", Folder::GOOD));
    assert_eq!(ceiling(&config), quota(30, 60).ok());
    // What the operator gives to all is no more than what each may take.
    let above = "[rate_limits.limits.tenant]\ncount = 51\n";
    folder.refuses(
        &format!("{}{above}", Folder::GOOD),
        &["rate_limits.limits.tenant.ceiling_count"],
    );
}
