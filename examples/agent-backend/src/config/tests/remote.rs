//! An issuer that publishes its keys itself.

use super::*;

/// The same, where the keys are at the issuer.
const REMOTE: &str = r#"
    data_dir = "{}/data"
    [tokens]
    issuer = "https://login.example.com"
    audience = "https://api.example.com"
"#;

/// Of an authority whose private key was not kept.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBgTCCASegAwIBAgIUARambLQq3YZdjfZT2T7XFTrBFtAwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKdGVzdHMgb25seTAgFw0yNjExMjMxNDAyMDRaGA8yMTI2MTAz
MDE0MDIwNFowFTETMBEGA1UEAwwKdGVzdHMgb25seTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABDqwArayXTOZxPjnUfCXJvK1363M8QSkCe4VLX3PVfdKqbWrmN2S
qqp48uLpONcNtP49GzMv8khp2Suu7O5SpQKjUzBRMB0GA1UdDgQWBBRrfeIyaPFv
KmcwsH6BFR0z0NMoVTAfBgNVHSMEGDAWgBRrfeIyaPFvKmcwsH6BFR0z0NMoVTAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCzORTRo9gQG1v99SJG
ejAuWoVxXZj379u05YGAzJrDPwIgTDHgJNzXZ7/h2t1hmd+Y7zAQUppxvqw0lC7w
NJ4I/bw=
-----END CERTIFICATE-----
";

fn tokens(config: &Config) -> &Tokens {
    match &config.trust {
        Trust::Outside(tokens) => tokens,
        Trust::Development => panic!("the own issuer"),
    }
}

fn remote(config: &Config) -> &RemoteKeys {
    match &tokens(config).keys {
        Keys::Remote(remote) => remote,
        Keys::File { .. } => panic!("keys in a file"),
    }
}

#[test]
fn an_issuer_and_an_audience_are_all_that_is_needed() {
    let folder = Folder::new();
    let args = [
        "serve",
        "--issuer",
        "https://login.example.com",
        "--audience",
        "https://api.example.com",
        "--data-dir",
    ];
    let args = serve(
        args.into_iter()
            .chain([&*folder.path("data").to_string_lossy()]),
    );
    let config = Config::load(&args).expect("good");
    assert_eq!(config.profile, Profile::Production);
    assert_eq!(remote(&config).url(), None);
    let resource = config.resource.expect("the audience is a URL");
    assert_eq!(resource.resource(), "https://api.example.com");
    assert_eq!(config.step_up.to_string(), "at most 300 s old");
}

#[test]
fn the_command_line_goes_before_the_file() {
    let folder = Folder::new();
    let args = [
        "serve",
        "--issuer",
        "https://other.example",
        "--jwks-url",
        "https://keys.example/jwks",
        "--resource",
        "https://here.example/api",
    ];
    let config = folder.load(REMOTE, serve(args)).expect("good");
    assert_eq!(tokens(&config).issuer, "https://other.example");
    assert_eq!(tokens(&config).audience, "https://api.example.com");
    assert_eq!(remote(&config).url(), Some("https://keys.example/jwks"));
    let resource = config.resource.expect("named");
    assert_eq!(resource.resource(), "https://here.example/api");
}

fn serve<'a>(args: impl IntoIterator<Item = &'a str>) -> ServeArgs {
    use clap::Parser as _;

    let args = ["agent-backend"].into_iter().chain(args);
    let cli = crate::cli::Cli::try_parse_from(args).expect("understood");
    let crate::cli::Command::Serve(args) = cli.command else {
        panic!("another command");
    };
    args
}

#[test]
fn the_times_of_remote_keys_are_what_operators_write() {
    let text = format!(
        "{REMOTE}jwks_ttl_seconds = 40\njwks_max_ttl_seconds = 50\njwks_timeout_seconds = 2\n\
         jwks_max_attempts = 4\njwks_backoff_seconds = 3\njwks_max_backoff_seconds = 20\n\
         jwks_cool_down_seconds = 6\njwks_max_stale_seconds = 7\n"
    );
    let folder = Folder::new();
    let config = folder.load(&text, ServeArgs::default()).expect("good");
    let policy = remote(&config).policy();
    let seconds = [
        policy.ttl,
        policy.min_ttl,
        policy.max_ttl,
        policy.timeout,
        policy.backoff,
        policy.max_backoff,
        policy.missing_key_cool_down,
        policy.max_stale,
    ];
    assert_eq!(
        seconds.map(|time| time.as_secs()),
        [40, 40, 50, 2, 3, 20, 6, 7]
    );
    assert_eq!(policy.attempts, 4);
    let config = folder.load(REMOTE, ServeArgs::default()).expect("good");
    assert_eq!(
        *remote(&config).policy(),
        ringwall_jwks_client::RefreshPolicy::default()
    );
}

#[test]
fn everything_that_is_wrong_with_remote_keys_is_said_at_once() {
    let text = format!(
        "{REMOTE}jwks_url = \"http://login.example.com/jwks\"\njwks_ttl_seconds = 10\n\
         jwks_max_attempts = 0\njwks_networks = [\"10.0.0.1/8\"]\n\
         jwks_root_certificates = \"{{}}/missing.pem\"\njwks_poll_seconds = 5\norg = \"\"\n"
    );
    Folder::new().refuses(
        &text,
        &[
            "tokens.jwks_poll_seconds",
            "tokens.jwks_url",
            "tokens.jwks_max_attempts",
            "tokens.jwks_ttl_seconds",
            "tokens.jwks_root_certificates",
            "tokens.jwks_networks",
            "tokens.org",
        ],
    );
}

#[test]
fn keys_are_in_one_place() {
    let text = format!(
        "{}jwks_url = \"https://login.example.com/jwks\"\njwks_max_stale_seconds = 60\n",
        Folder::GOOD
    );
    let fields = ["tokens.jwks_url", "tokens.jwks_max_stale_seconds"];
    Folder::new().refuses(&text, &fields);
}

#[test]
fn an_authority_of_ones_own_is_read_from_a_file() {
    let folder = Folder::new();
    let text = format!("{REMOTE}jwks_root_certificates = \"{{}}/jwks.json\"\n");
    // It is there, and holds no certificate.
    folder.refuses(&text, &["tokens.jwks_root_certificates"]);
    fs::write(folder.path("jwks.json"), CERTIFICATE).expect("written");
    let text = format!("{text}jwks_networks = [\"10.20.0.7/32\", \"fd00::/8\"]\n");
    assert!(folder.load(&text, ServeArgs::default()).is_ok());
}

#[test]
fn each_provider_says_what_it_needs() {
    let folder = Folder::new();
    let with = |settings: &str| format!("data_dir = \"{{}}/data\"\n[tokens]\n{settings}\n");
    let issuer = r#"issuer = "https://login.example.com""#;
    let audience = r#"audience = "https://api.example.com""#;
    for provider in ["generic", "plain", "auth0", "entra-id", "keycloak"] {
        let text = with(&format!("provider = \"{provider}\"\n{issuer}\n{audience}"));
        assert!(
            folder.load(&text, ServeArgs::default()).is_ok(),
            "{provider}"
        );
    }
    for provider in ["cognito", "okta"] {
        let text = with(&format!("provider = \"{provider}\"\n{issuer}\n{audience}"));
        folder.refuses(&text, &["tokens.org"]);
        let text = format!("{text}org = \"acme\"\n");
        assert!(
            folder.load(&text, ServeArgs::default()).is_ok(),
            "{provider}"
        );
    }
    let google = with(&format!("provider = \"google\"\n{audience}"));
    folder.refuses(&google, &["tokens.org"]);
    let google = format!("{google}org = \"example.com\"\n");
    assert!(folder.load(&google, ServeArgs::default()).is_ok());
    folder.refuses(&format!("{google}{issuer}"), &["tokens.issuer"]);
    // Its audience is the same for everybody, and no URL.
    let supabase = with(&format!("provider = \"supabase\"\n{issuer}"));
    folder.refuses(&supabase, &["resource"]);
    let supabase = format!("resource = \"https://api.example.com\"\n{supabase}");
    assert!(folder.load(&supabase, ServeArgs::default()).is_ok());
    folder.refuses(&format!("{supabase}{audience}"), &["tokens.audience"]);
}

#[test]
fn a_service_that_clients_cannot_find_does_not_start() {
    let folder = Folder::new();
    let named = REMOTE.replace("https://api.example.com", "cases-api");
    folder.refuses(&named, &["resource"]);
    let text = format!("resource = \"http://api.example.com\"\n{REMOTE}");
    folder.refuses(&text, &["resource"]);
    // In development the address is one that clients can use.
    let config = folder.load(&named, dev("127.0.0.1:8080")).expect("good");
    let resource = config.resource.expect("the address");
    assert_eq!(resource.resource(), "http://127.0.0.1:8080");
    let faults = folder
        .load(&named, dev("127.0.0.1:0"))
        .expect_err("no port");
    assert_eq!(faults.fields(), ["resource"]);
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
        let text = format!("{REMOTE}\n[step_up]\n{section}\n");
        let config = folder.load(&text, ServeArgs::default()).expect(section);
        assert_eq!(config.step_up.to_string(), shown);
    }
    let none = format!("{REMOTE}\n[step_up]\nmax_age_seconds = 0\n");
    folder.refuses(&none, &["step_up.max_age_seconds"]);
}

#[test]
fn plain_http_is_for_this_machine_in_development() {
    let folder = Folder::new();
    let local = REMOTE.replace("https://login.example.com", "http://127.0.0.1:9/realms/a");
    folder.refuses(&local, &["tokens.issuer"]);
    let config = folder.load(&local, dev("127.0.0.1:0")).expect("good");
    assert_eq!(config.profile, Profile::Development);
    // The own issuer of a development service is not trusted beside it, nor in its place.
    assert!(matches!(config.trust, Trust::Outside(_)));
    let far = REMOTE.replace("https://login", "http://login");
    let faults = folder.load(&far, dev("127.0.0.1:0")).expect_err("a fault");
    assert_eq!(faults.fields(), ["tokens.issuer"]);
    let own = REMOTE.replace("https://login.example.com", dev_issuer::ISSUER);
    let faults = folder.load(&own, dev("127.0.0.1:0")).expect_err("a fault");
    assert_eq!(faults.fields(), ["tokens.issuer"]);
}
