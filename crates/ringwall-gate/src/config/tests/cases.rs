//! What each setting can be, and what not.

mod bound;
mod issuers;
mod keys;
mod limits;
mod rights;

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Case> {
    let parts = [
        rights::CASES,
        issuers::CASES,
        bound::CASES,
        keys::CASES,
        limits::CASES,
    ];
    parts.into_iter().flatten()
}

/// A setting in the section of its configuration: what it can be, and what not.
pub(super) struct Case {
    pub(super) base: &'static str,
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) good: &'static [&'static str],
    pub(super) bad: &'static [&'static str],
}

pub(super) const REMOTE: &str = "modes = [\"jwt\"]\n[tokens]\nissuer = \"https://login.example.com\"\naudience = \"https://api.example.com\"\n";

pub(super) const STATIC: &str = "profile = \"development\"\nmodes = [\"api_key\"]\n[scopes]\nread = \"runs:read\"\n[api_keys.static]\nkeys = [\"pak_0123456789abcdef0123456789abcdef\"]\n";

pub(super) const SHARED: &str = "profile = \"development\"\nmodes = [\"jwt\"]\n[tokens]\nissuer = \"here\"\naudience = \"there\"\nhmac_secret = \"0123456789abcdef0123456789abcdef\"\nhmac_secret_encoding = \"text\"\n";

pub(super) const DPOP: &str = r#"modes = ["jwt"]
[tokens]
issuer = "https://login.example.com"
audience = "https://api.example.com"
jwks_file = "{}/jwks.json"
[dpop]
mode = "accepted"
public_origins = ["https://api.example.com"]
nonces = "shared"
nonce_secret = { file = "{}/pepper" }
replay = "memory"
"#;

pub(super) const INTROSPECTION: &str = r#"modes = ["introspection"]
[introspection]
endpoint = "https://as.example/introspect"
issuer = "https://as.example"
audience = "https://api.example.com"
client_id = "cases"
client_secret = { file = "{}/pepper" }
"#;

pub(super) const AUTHORIZATION: &str = r#"modes = ["jwt"]
[tokens]
issuer = "https://login.example.com"
audience = "https://api.example.com"
jwks_file = "{}/jwks.json"
[authorization]
policy_file = "{}/policy.toml"
subjects = "credentials"
"#;

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
