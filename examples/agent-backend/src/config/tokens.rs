//! Whose tokens a service accepts, when they are not those of its own development issuer.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringwall_authn::IssuerPolicyBuilder;
use ringwall_core::principal::OrgId;
use ringwall_core::profile::Profile;
use ringwall_jose::{FileKeys, KeySource};
use ringwall_jwks_client::IssuerUrl;
use toml::Table;

use crate::config::fault::Faults;
use crate::config::provider::Provider;
use crate::config::remote_keys::{self, RemoteKeys};
use crate::config::section::Section;
use crate::dev_issuer;
use crate::keys::{NoKeys, is_development};
use crate::metrics::Events;

/// An outside issuer and its keys.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) keys: Keys,
    provider: Provider,
    /// The organisation that all tokens belong to.
    org: Option<OrgId>,
    clock_skew: Duration,
    max_lifetime: Duration,
    /// Whether agents may act on behalf of people (`act`, RFC 8693 §4.1).
    accept_actor: bool,
}

/// Where the keys of the issuer are.
#[derive(Debug)]
pub(crate) enum Keys {
    /// In a file that something outside keeps up to date, and that could be read.
    File {
        keys: FileKeys,
        /// How often it is looked at.
        poll: Duration,
    },
    /// At the issuer.
    Remote(RemoteKeys),
}

impl Tokens {
    /// Reads the section. `None` when there is a fault.
    pub(crate) fn read(
        table: Table,
        data_dir: &Path,
        profile: Profile,
        events: &Arc<Events>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let mut section = Section::new("tokens", table, faults);
        let provider = section.parsed("provider", Provider::NAMES);
        let provider = provider.unwrap_or(Provider::Generic);
        let issuer = issuer(provider, profile, &mut section);
        let audience = audience(provider, &mut section);
        let keys = if section.has("jwks_file") {
            file_keys(data_dir, events, &mut section)
        } else {
            let problem = "is for keys in a file, and jwks_file is missing";
            section.refuse(
                &["jwks_poll_seconds"],
                problem,
                "name the file, or leave it out",
            );
            RemoteKeys::read(profile, &mut section).map(Keys::Remote)
        };
        let org = org(&mut section);
        if matches!(org, Ok(None)) && !provider.names_tenants() {
            let problem = "is missing, and the tokens of this provider name no organisation";
            let remedy = match provider.fixed_issuer() {
                Some(_) => "write the Workspace domain whose accounts are let in",
                None => "write the organisation that all of them belong to",
            };
            section.fault("org", problem, remedy);
        }
        let clock_skew = section.seconds("clock_skew_seconds", 0..=300, 60);
        let max_lifetime = section.seconds("max_lifetime_seconds", 1..=31_536_000, 86_400);
        let accept_actor = section.flag("accept_actor");
        if accept_actor && !provider.has_plain_mapping() {
            section.fault(
                "accept_actor",
                "is not possible with this provider, whose tokens name no actor",
                "leave it out, or take another provider",
            );
        }
        section.finish();
        let tokens = Self {
            issuer: issuer?,
            audience: audience?,
            keys: keys?,
            provider,
            org: org.ok()?,
            clock_skew,
            max_lifetime,
            accept_actor,
        };
        // The library judges the rest. It asks no key anything for that.
        match tokens.policy(Arc::new(NoKeys)).build() {
            Ok(_) => Some(tokens),
            Err(error) => {
                faults.add("tokens", error.to_string(), "correct the section");
                None
            }
        }
    }

    /// The policy, with these keys.
    pub(crate) fn policy(&self, keys: Arc<dyn KeySource>) -> IssuerPolicyBuilder {
        let policy = self
            .provider
            .policy(&self.issuer, &self.audience, keys, self.org.as_ref());
        let policy = if self.accept_actor {
            policy.map_principal(|mapping| mapping.accept_actor())
        } else {
            policy
        };
        policy
            .clock_skew(self.clock_skew)
            .max_lifetime(self.max_lifetime)
    }
}

fn issuer(provider: Provider, profile: Profile, section: &mut Section<'_>) -> Option<String> {
    let remedy = "write what the tokens have as iss, such as https://login.example.com";
    let issuer = match provider.fixed_issuer() {
        Some(fixed) => fixed_text("issuer", fixed, section),
        None => section.required("issuer", remedy),
    }?;
    // The development issuer's name is a URL of this machine too.
    if issuer == dev_issuer::ISSUER {
        section.fault(
            "issuer",
            "is development material: the name of the development issuer",
            "name the issuer of the real tokens",
        );
        return None;
    }
    if let Err(error) = IssuerUrl::new(&issuer, profile) {
        section.fault("issuer", &format!("is not acceptable: {error}"), remedy);
        return None;
    }
    Some(issuer)
}

fn audience(provider: Provider, section: &mut Section<'_>) -> Option<String> {
    match provider.fixed_audience() {
        Some(fixed) => fixed_text("audience", fixed, section),
        None => section.required(
            "audience",
            "write what the tokens for this service have as aud",
        ),
    }
}

/// Fails, with a fault, when what is there cannot be one.
fn org(section: &mut Section<'_>) -> Result<Option<OrgId>, ()> {
    let Some(text) = section.text("org") else {
        return Ok(None);
    };
    OrgId::new(text).map(Some).map_err(|error| {
        let problem = format!("is not the name of an organisation: {error}");
        section.fault("org", &problem, "write it as your tenants are named");
    })
}

/// What needs not be said with this provider, and cannot be anything else.
fn fixed_text(key: &str, fixed: &str, section: &mut Section<'_>) -> Option<String> {
    if section.text(key).is_some_and(|text| text != fixed) {
        let problem = format!("is always {fixed} with this provider");
        section.fault(key, &problem, "leave it out, or correct the provider");
    }
    Some(fixed.to_owned())
}

fn file_keys(data_dir: &Path, events: &Arc<Events>, section: &mut Section<'_>) -> Option<Keys> {
    let problem = "is for keys that are fetched, and jwks_file names others";
    let remedy = "leave it out, or jwks_file";
    section.refuse(&remote_keys::SETTINGS, problem, remedy);
    let file = section.text("jwks_file").map(PathBuf::from);
    let poll = section.seconds("jwks_poll_seconds", 1..=3600, 5);
    let keys = open_keys(&file?, data_dir, events.clone(), section)?;
    Some(Keys::File { keys, poll })
}

fn open_keys(
    file: &Path,
    data_dir: &Path,
    events: Arc<Events>,
    section: &mut Section<'_>,
) -> Option<FileKeys> {
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
