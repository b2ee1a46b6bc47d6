//! What is read, what is refused, and what is said of it.

use super::*;

mod authorization;
mod cases;
mod faults;
mod gates;
mod limits;
mod names;
mod own;
mod property;
mod settings;

/// Keys of an issuer, in a file that the configurations name.
const JWKS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// A policy in which there is one role, and nothing else.
const POLICY: &str = r#"{"version": 1, "name": "one", "roles": {"reader": {"rank": 1}}}"#;

/// A folder with keys and secrets in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.write("jwks.json", JWKS);
        folder.write("pepper", "0123456789abcdef0123456789abcdef\n");
        folder.write("policy.toml", ringwall_authz::ready::ROWS);
        folder.write("policy.json", POLICY);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).expect("written");
    }

    /// `text`, with this folder for each `{}`.
    fn fill(&self, text: &str) -> String {
        text.replace("{}", &self.0.path().display().to_string())
    }

    fn sources(&self, text: &str) -> ConfigSources {
        let variables: [(&str, &str); 0] = [];
        ConfigSources::new()
            .text("gate.toml", self.fill(text))
            .variables(variables)
    }

    fn load(&self, text: &str) -> Result<GateConfig, ConfigFaults> {
        GateConfig::load(self.sources(text))
    }

    fn load_with(
        &self,
        text: &str,
        variables: &[(&str, &str)],
    ) -> Result<GateConfig, ConfigFaults> {
        let variables = variables
            .iter()
            .map(|(name, value)| (*name, self.fill(value)));
        GateConfig::load(
            self.sources(text)
                .variables(variables)
                .environment("RINGWALL"),
        )
    }

    #[track_caller]
    fn good(&self, text: &str) -> GateConfig {
        self.load(text).unwrap_or_else(|faults| panic!("{faults}"))
    }

    #[track_caller]
    fn refuses(&self, text: &str, fields: &[&str]) {
        let faults = self.load(text).expect_err("faults");
        assert_eq!(fields_of(&faults), fields, "{faults}");
    }
}

fn fields_of(faults: &ConfigFaults) -> Vec<&str> {
    faults.iter().map(ConfigFault::field).collect()
}

/// The least that is a configuration of tokens.
const JWT: &str = r#"
modes = ["jwt"]
[tokens]
issuer = "https://login.example.com"
audience = "https://api.example.com"
jwks_file = "{}/jwks.json"
"#;

/// The least that is a configuration of API keys.
const API_KEY: &str = r#"
modes = ["api_key"]
[api_keys]
pepper = { file = "{}/pepper" }
"#;

/// The least that is a configuration of certificates.
const MTLS: &str = r#"
modes = ["mtls"]
[front]
trusted_proxies = ["10.0.0.0/28"]
[certificates]
trust_domain = "example.org"
header = "x-forwarded-client-cert"
[certificates.clients."spiffe://example.org/reports"]
org = "acme"
scopes = ["runs:read"]
"#;

/// The least in which nobody is authenticated.
const NONE: &str = "profile = \"development\"\nmodes = [\"none\"]\n";
