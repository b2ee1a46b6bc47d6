//! Whose tokens a service that guards something real accepts.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use ringwall_authn::{IssuerPolicy, IssuerPolicyBuilder, PrincipalMapping, TokenProfile};
use ringwall_gate::TracingEvents;
use ringwall_jose::{FileKeys, KeySource};
use toml::Table;

use crate::config::fault::Faults;
use crate::config::section::Section;
use crate::dev_issuer;
use crate::keys::is_development;

/// An outside issuer and its keys, which could be read.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) kind: Kind,
    pub(crate) keys: FileKeys,
    /// How often the file of the keys is looked at.
    pub(crate) poll: Duration,
    clock_skew: Duration,
    max_lifetime: Duration,
    /// Whether agents may act on behalf of people (`act`, RFC 8693 §4.1).
    accept_actor: bool,
}

/// What kind of tokens the issuer gives out: those whose tokens can name a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// RFC 9068.
    AccessToken,
    /// No profile at all.
    Plain,
    Auth0,
    EntraId,
    Keycloak,
}

impl Kind {
    /// Whether the claims are where RFC 9068 and this house have them.
    const fn has_plain_mapping(self) -> bool {
        match self {
            Self::AccessToken | Self::Plain => true,
            Self::Auth0 | Self::EntraId | Self::Keycloak => false,
        }
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "access-token" => Self::AccessToken,
            "plain" => Self::Plain,
            "auth0" => Self::Auth0,
            "entra-id" => Self::EntraId,
            "keycloak" => Self::Keycloak,
            _ => return Err(()),
        })
    }
}

impl Tokens {
    /// Reads the section and the keys that it names. `None` when there is a fault.
    pub(crate) fn read(table: Table, data_dir: &Path, faults: &mut Faults) -> Option<Self> {
        let mut section = Section::new("tokens", table, faults);
        let issuer = section.required(
            "issuer",
            "write what the tokens have as iss, such as https://login.example.com",
        );
        if issuer
            .as_deref()
            .is_some_and(|issuer| !issuer.starts_with("https://"))
        {
            // The development issuer's name begins with http:// too.
            let problem = if issuer.as_deref() == Some(dev_issuer::ISSUER) {
                "is development material: the name of the development issuer"
            } else {
                "is not an https:// URL"
            };
            section.fault("issuer", problem, "name the issuer of the real tokens");
        }
        let audience = section.required(
            "audience",
            "write what the tokens for this service have as aud",
        );
        let file = section.required(
            "jwks_file",
            "name a file with the issuer's public keys (a JWK Set), kept up to date from outside",
        );
        let kinds = "access-token, plain, auth0, entra-id or keycloak";
        let kind = section.parsed("kind", kinds).unwrap_or(Kind::AccessToken);
        let poll = section.seconds("jwks_poll_seconds", 1..=3600, 5);
        let clock_skew = section.seconds("clock_skew_seconds", 0..=300, 60);
        let max_lifetime = section.seconds("max_lifetime_seconds", 1..=31_536_000, 86_400);
        let accept_actor = section.flag("accept_actor");
        let keys = file.and_then(|file| open_keys(&PathBuf::from(file), data_dir, &mut section));
        if accept_actor && !kind.has_plain_mapping() {
            let problem =
                "is not possible with this kind, whose claims are mapped as its provider has them";
            section.fault(
                "accept_actor",
                problem,
                "leave it out, or take another kind",
            );
        }
        section.finish();
        let tokens = Self {
            issuer: issuer?,
            audience: audience?,
            kind,
            keys: keys?,
            poll,
            clock_skew,
            max_lifetime,
            accept_actor,
        };
        // The library judges the rest.
        match tokens.policy(Arc::new(tokens.keys.clone())).build() {
            Ok(_) => Some(tokens),
            Err(error) => {
                faults.add("tokens", error.to_string(), "correct the section");
                None
            }
        }
    }

    /// The policy, with these keys.
    pub(crate) fn policy(&self, keys: Arc<dyn KeySource>) -> IssuerPolicyBuilder {
        let (issuer, audience) = (&self.issuer, &self.audience);
        let policy = match self.kind {
            Kind::AccessToken => IssuerPolicy::builder(issuer, audience, keys),
            Kind::Plain => {
                IssuerPolicy::builder(issuer, audience, keys).profile(TokenProfile::plain())
            }
            Kind::Auth0 => IssuerPolicy::auth0(issuer, audience, keys),
            Kind::EntraId => IssuerPolicy::entra_id(issuer, audience, keys),
            Kind::Keycloak => IssuerPolicy::keycloak(issuer, audience, keys),
        };
        let policy = if self.accept_actor {
            policy.mapping(PrincipalMapping::default().accept_actor())
        } else {
            policy
        };
        policy
            .clock_skew(self.clock_skew)
            .max_lifetime(self.max_lifetime)
    }
}

fn open_keys(file: &Path, data_dir: &Path, section: &mut Section<'_>) -> Option<FileKeys> {
    let events = Arc::new(TracingEvents);
    let keys = match FileKeys::builder(file).events(events).open() {
        Ok(keys) => keys,
        Err(error) => {
            let problem = format!("cannot be used: {error}");
            section.fault(
                "jwks_file",
                &problem,
                "name a JWK Set with the issuer's public keys",
            );
            return None;
        }
    };
    let by_id = keys.keys().is_ok_and(|keys| is_development(&keys));
    if by_id || beside_development(file) || holds_key_of(data_dir, file) {
        section.fault(
            "jwks_file",
            "is development material: it holds or lies beside the key of a development issuer",
            "name the keys of the issuer of the real tokens",
        );
        return None;
    }
    Some(keys)
}

/// Whether the file lies in the data folder of a development machine.
fn beside_development(file: &Path) -> bool {
    file.parent().is_some_and(dev_issuer::marks)
}

/// Whether the file holds the public key of the development issuer in `data_dir`, whatever id it
/// was given.
fn holds_key_of(data_dir: &Path, file: &Path) -> bool {
    let Ok(issuer) = dev_issuer::open(data_dir) else {
        return false;
    };
    let own = points(issuer.jwks().as_bytes());
    let listed = std::fs::read(file).map(|bytes| points(&bytes));
    listed.is_ok_and(|listed| listed.iter().any(|point| own.contains(point)))
}

/// The `x` of each key of a JWK Set, which is the whole of an Ed25519 key.
fn points(document: &[u8]) -> Vec<String> {
    let document: serde_json::Value = serde_json::from_slice(document).unwrap_or_default();
    let keys = document.get("keys").and_then(serde_json::Value::as_array);
    let keys = keys.into_iter().flatten();
    keys.filter_map(|key| Some(key.get("x")?.as_str()?.to_owned()))
        .collect()
}
