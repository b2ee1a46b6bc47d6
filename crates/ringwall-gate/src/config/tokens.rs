//! Whose tokens are accepted.

use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use ringwall_authn::IssuerPolicyBuilder;
use ringwall_core::event::DiscardEvents;
use ringwall_core::principal::OrgId;
use ringwall_core::step::Step;
use ringwall_jose::{
    Algorithm, FileKeys, FileKeysBuilder, Health, HmacSecret, KeySet, KeySetBuilder, KeySetRef,
    KeySource, KeysUnavailable, RingProvider, StaticKeys, VerificationKey,
};
use ringwall_jwks_client::IssuerUrl;

use super::claim_names::ClaimNames;
use super::fault::SettingSource;
use super::issuer_names::SpeaksFor;
use super::provider::Provider;
use super::remote_keys::{self, RemoteKeys};
use super::rights::{Allowed, Names};
use super::section::Section;
use super::token_place::TokenPlace;

/// An issuer and its keys.
#[derive(Debug)]
pub(super) struct Tokens {
    /// The section, such as `tokens[1]`, and where it begins.
    pub(super) name: String,
    pub(super) source: SettingSource,
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    pub(super) keys: Keys,
    pub(super) place: TokenPlace,
    provider: Provider,
    /// The organisation that all tokens belong to.
    pub(super) org: Option<OrgId>,
    pub(super) any_org: bool,
    claims: ClaimNames,
    allowed: Allowed,
    /// `None` permits all that are not symmetric.
    algorithms: Option<Vec<Algorithm>>,
    clock_skew: Duration,
    max_lifetime: Duration,
    /// Whether agents may act on behalf of people (`act`, RFC 8693 §4.1).
    accept_actor: bool,
}

/// Where the keys of the issuer are.
#[derive(Debug)]
pub(super) enum Keys {
    /// In a file that something outside keeps up to date, and that could be read.
    File {
        path: PathBuf,
        /// How often it is looked at.
        poll: Duration,
    },
    /// At the issuer.
    Remote(RemoteKeys),
    /// One secret, in development.
    Shared(Arc<StaticKeys>),
}

impl Tokens {
    /// Reads one issuer. `None` when there is a fault.
    pub(super) fn read(mut section: Section<'_>, names: &Names, roles_grant: bool) -> Option<Self> {
        let is_shared = section.has("hmac_secret");
        let provider = section.parsed("provider", Provider::NAMES);
        // Nobody signs RFC 9068 tokens with a shared secret.
        let provider = provider.unwrap_or(if is_shared {
            section.unless_set("provider", "plain");
            Provider::Plain
        } else {
            section.unless_set("provider", "generic");
            Provider::Generic
        });
        let issuer = issuer(provider, is_shared, &mut section);
        let audiences = audiences(provider, &mut section);
        let algorithms = algorithms(is_shared, &mut section);
        let keys = keys(algorithms.as_deref(), &mut section);
        let org = org(&mut section);
        if matches!(org, Ok(None)) && !provider.names_tenants() && provider.fixed_issuer().is_some()
        {
            let problem = "is missing, and everybody has an account at this provider";
            let remedy = "write the Workspace domain whose accounts are let in";
            section.fault("org", problem, remedy);
        }
        let any_org = section.flag("any_org", false);
        if any_org && section_said(&org) {
            let problem = "contradicts org, which binds the issuer to one";
            section.fault("any_org", problem, "leave one of the two out");
        }
        let claims = ClaimNames::read(&mut section);
        let allowed = Allowed::read(&mut section, names, roles_grant);
        let place = TokenPlace::read(&mut section);
        let clock_skew = section.seconds("clock_skew_seconds", 0..=300, 60);
        let max_lifetime = section.seconds("max_lifetime_seconds", 1..=31_536_000, 86_400);
        let accept_actor = section.flag("accept_actor", false);
        if accept_actor && !provider.has_plain_mapping() {
            section.fault(
                "accept_actor",
                "is not possible with this provider, whose tokens name no actor",
                "leave it out, or take another provider",
            );
        }
        let tokens = || {
            Some(Self {
                name: section.name().to_owned(),
                source: section.source().clone(),
                issuer: issuer?,
                audiences: audiences?,
                keys: keys?,
                place: place?,
                provider,
                org: org.ok()?,
                any_org,
                claims: claims?,
                allowed,
                algorithms,
                clock_skew,
                max_lifetime,
                accept_actor,
            })
        };
        let tokens = tokens();
        // The library judges the rest. It asks no key anything for that.
        let problem = tokens
            .as_ref()
            .and_then(|tokens| tokens.policy(Arc::new(NoKeys)).build().err());
        if let Some(error) = problem {
            section.fault_here(error.to_string(), "correct the section");
        }
        section.finish();
        tokens
    }

    /// Whether a token can name an organisation that nobody said it may.
    pub(super) fn names_any_org(&self) -> bool {
        self.speaks_for() == SpeaksFor::Any && !self.any_org
    }

    /// For whose people the issuer speaks.
    pub(super) fn speaks_for(&self) -> SpeaksFor<'_> {
        match &self.org {
            Some(org) => SpeaksFor::One(org),
            None if self.provider.names_tenants() || self.claims.org.is_some() => SpeaksFor::Any,
            None => SpeaksFor::None,
        }
    }

    /// The policy, with these keys.
    pub(super) fn policy(&self, keys: Arc<dyn KeySource>) -> IssuerPolicyBuilder {
        let (audience, others) = match self.audiences.split_first() {
            Some((audience, others)) => (audience.as_str(), others),
            None => ("", &[][..]),
        };
        let mut policy = self
            .provider
            .policy(&self.issuer, audience, keys, self.org.as_ref());
        for audience in others {
            policy = policy.audience(audience);
        }
        if let Some(scopes) = &self.allowed.scopes {
            policy = policy.allowed_scopes(scopes.iter().cloned());
        }
        if let Some(roles) = &self.allowed.roles {
            policy = policy.allowed_roles(roles.iter().cloned());
        }
        policy
            .map_principal(|mapping| {
                let mut mapping = self.claims.apply(mapping);
                if self.any_org {
                    mapping = mapping.any_org();
                }
                if self.accept_actor {
                    mapping = mapping.accept_actor();
                }
                mapping
            })
            .clock_skew(self.clock_skew)
            .max_lifetime(self.max_lifetime)
    }

    /// How far its clock may be apart, and how long its tokens live at most.
    pub(super) const fn times(&self) -> (Duration, Duration) {
        (self.clock_skew, self.max_lifetime)
    }

    /// How sets of keys are built.
    pub(super) fn key_set(&self) -> impl Fn() -> KeySetBuilder + Send + Sync + 'static {
        key_set(self.algorithms.clone())
    }

    /// The file of keys, to be opened.
    pub(super) fn file(&self, path: &PathBuf) -> FileKeysBuilder {
        FileKeys::builder(path).key_set(self.key_set())
    }
}

const fn section_said(org: &Result<Option<OrgId>, ()>) -> bool {
    matches!(org, Ok(Some(_)))
}

fn key_set(
    algorithms: Option<Vec<Algorithm>>,
) -> impl Fn() -> KeySetBuilder + Send + Sync + 'static {
    move || match &algorithms {
        Some(algorithms) => KeySet::builder().algorithms(algorithms.iter().copied()),
        None => KeySet::builder(),
    }
}

fn issuer(provider: Provider, is_shared: bool, section: &mut Section<'_>) -> Option<String> {
    let remedy = "write what the tokens have as iss, such as https://login.example.com";
    let issuer = match provider.fixed_issuer() {
        Some(fixed) => fixed_text("issuer", fixed, section),
        None => section.required("issuer", remedy),
    }?;
    // On a development machine, a secret or a file of keys belongs to whoever has it, whatever it calls itself:
    // nobody is asked for it by that name.
    let is_here = is_shared || section.has("jwks_file");
    if is_here && section.profile().is_development() {
        return Some(issuer);
    }
    if let Err(error) = IssuerUrl::new(&issuer, section.profile()) {
        section.fault("issuer", format!("is not acceptable: {error}"), remedy);
        return None;
    }
    Some(issuer)
}

fn audiences(provider: Provider, section: &mut Section<'_>) -> Option<Vec<String>> {
    let remedy = "write what the tokens for this service have as aud";
    let audience = match provider.fixed_audience() {
        Some(fixed) => fixed_text("audience", fixed, section),
        None => section.required("audience", remedy),
    };
    let others = section.texts("other_audiences").unwrap_or_default();
    let mut audiences = vec![audience?];
    audiences.extend(others);
    Some(audiences)
}

/// What needs not be said with this provider, and cannot be anything else.
fn fixed_text(key: &str, fixed: &str, section: &mut Section<'_>) -> Option<String> {
    if section.text(key).is_some_and(|text| text != fixed) {
        let problem = format!("is always {fixed} with this provider");
        section.fault(key, problem, "leave it out, or correct the provider");
    }
    section.unless_set(key, fixed);
    Some(fixed.to_owned())
}

/// Fails, with a fault, when what is there cannot be one.
fn org(section: &mut Section<'_>) -> Result<Option<OrgId>, ()> {
    let Some(text) = section.text("org") else {
        return Ok(None);
    };
    OrgId::new(text).map(Some).map_err(|error| {
        let problem = format!("is not the name of an organisation: {error}");
        section.fault("org", problem, "write it as your tenants are named");
    })
}

fn algorithms(is_shared: bool, section: &mut Section<'_>) -> Option<Vec<Algorithm>> {
    let texts = section.texts("algorithms")?;
    let known = |name: &String| Algorithm::from_name(name);
    let algorithms: Option<Vec<_>> = texts.iter().map(known).collect();
    let Some(algorithms) = algorithms else {
        section.fault("algorithms", "holds what is no algorithm", ALGORITHMS);
        return None;
    };
    let is_development = section.profile().is_development();
    if !is_development && algorithms.iter().any(|one| one.is_symmetric()) {
        let problem = "holds HS256, HS384 or HS512: whoever can verify those can also sign";
        section.fault("algorithms", problem, "leave it out");
    } else if algorithms.is_empty() {
        section.fault("algorithms", "permits nothing", ALGORITHMS);
    } else if !is_shared && algorithms.iter().all(|one| one.is_symmetric()) {
        let problem = "permits symmetric algorithms alone, which no published key has";
        section.fault("algorithms", problem, ALGORITHMS);
    }
    Some(algorithms)
}

const ALGORITHMS: &str = "name some, such as EdDSA, ES256, PS256 or RS256, or leave it out";

/// From one of the three places.
fn keys(algorithms: Option<&[Algorithm]>, section: &mut Section<'_>) -> Option<Keys> {
    let problem = "is for a secret, and hmac_secret is missing";
    if section.has("hmac_secret") {
        let problem = "is for published keys, and hmac_secret is none";
        let remedy = "leave it out, or hmac_secret";
        section.refuse(&["jwks_file", "jwks_poll_seconds"], problem, remedy);
        section.refuse(&remote_keys::SETTINGS, problem, remedy);
        return shared_key(algorithms, section);
    }
    section.refuse(&["hmac_secret_encoding"], problem, "leave it out");
    if !section.has("jwks_file") {
        let problem = "is for keys in a file, and jwks_file is missing";
        let remedy = "name the file, or leave it out";
        section.refuse(&["jwks_poll_seconds"], problem, remedy);
        return RemoteKeys::read(section).map(Keys::Remote);
    }
    let problem = "is for keys that are fetched, and jwks_file names others";
    let remedy = "leave it out, or jwks_file";
    section.refuse(&remote_keys::SETTINGS, problem, remedy);
    let path = section.text("jwks_file").map(PathBuf::from);
    let poll = section.seconds("jwks_poll_seconds", 1..=3600, 5);
    let path = path?;
    let keys = FileKeys::builder(&path)
        .key_set(key_set(algorithms.map(<[_]>::to_vec)))
        .events(Arc::new(DiscardEvents));
    if let Err(error) = keys.open() {
        let problem = format!("cannot be used: {error}");
        let remedy = "name a JWK Set with the issuer's public keys";
        section.fault("jwks_file", problem, remedy);
        return None;
    }
    Some(Keys::File { path, poll })
}

fn shared_key(algorithms: Option<&[Algorithm]>, section: &mut Section<'_>) -> Option<Keys> {
    let profile = section.profile();
    if !profile.is_development() {
        let problem = "is for the development profile only: whoever can verify can also sign";
        let remedy = "take an issuer that publishes its keys, or say profile = \"development\"";
        section.refuse(&["hmac_secret"], problem, remedy);
        section.text("hmac_secret_encoding");
        return None;
    }
    let secret = section.secret("hmac_secret");
    let remedy =
        "write base64 when the secret is decoded before it is used, or text when it is not";
    let is_base64 = match section.required("hmac_secret_encoding", remedy).as_deref() {
        None => None,
        Some("base64") => Some(true),
        Some("text") => Some(false),
        Some(_) => {
            section.fault("hmac_secret_encoding", "is unknown", remedy);
            None
        }
    };
    let symmetric = |one: &&Algorithm| one.is_symmetric();
    let mut named = algorithms.unwrap_or_default().iter().filter(symmetric);
    let algorithm = match (named.next(), named.next(), algorithms) {
        (Some(one), None, _) => *one,
        (None, _, None) => Algorithm::Hs256,
        (None, _, Some(_)) | (Some(_), Some(_), _) => {
            let problem = "does not name the one algorithm of the secret";
            section.fault("algorithms", problem, "name HS256, HS384 or HS512");
            return None;
        }
    };
    let secret = secret?;
    let secret = if is_base64? {
        HmacSecret::from_base64(secret.expose(), profile)
    } else {
        HmacSecret::new(secret.expose().as_bytes().to_vec(), profile)
    };
    let key = secret
        .and_then(|secret| VerificationKey::symmetric(None, algorithm, &secret, &RingProvider));
    let set = key.map(|key| KeySet::builder().key(key).build());
    match set {
        Ok(Ok(set)) => Some(Keys::Shared(Arc::new(StaticKeys::new(set)))),
        Ok(Err(_)) => None,
        Err(error) => {
            let problem = format!("cannot be used: {error}");
            let remedy = "take 32 random bytes, as openssl rand -base64 32 makes them";
            section.fault("hmac_secret", problem, remedy);
            None
        }
    }
}

/// Stands for keys while a policy is judged.
#[derive(Clone, Copy, Debug)]
struct NoKeys;

impl NoKeys {
    const NONE: KeysUnavailable = KeysUnavailable {
        retry_after: Duration::from_secs(1),
    };
}

impl KeySource for NoKeys {
    fn keys(&self) -> Result<KeySetRef, KeysUnavailable> {
        Err(Self::NONE)
    }

    fn generation(&self) -> Result<u64, KeysUnavailable> {
        Err(Self::NONE)
    }

    fn refresh(&self, _missing: &str) -> Step<Result<bool, KeysUnavailable>> {
        Step::Done(Err(Self::NONE))
    }

    fn health(&self) -> Health {
        Health::Unavailable
    }
}
