//! Collecting what a policy for other origins permits.

use core::time::Duration;
use std::sync::Arc;

use ringwall_core::profile::Profile;

use super::{CorsPolicy, Policy, Who};
use crate::error::Error;
use crate::field::is_token;
use crate::loosened::Loosened;
use crate::origin::Origin;
use crate::pattern::OriginPattern;

/// The most origins of one policy. Each is compared with a request's.
const MAX_ORIGINS: usize = 256;

/// The most methods, and the most header fields, of one policy. They are sent with each preflight.
const MAX_NAMES: usize = 64;

/// The longest name of a method or field, in bytes.
const MAX_NAME: usize = 128;

/// The longest time that a browser remembers a preflight: Firefox takes a day, Chromium two hours.
const MAX_AGE: Duration = Duration::from_secs(86_400);

/// How long a browser remembers a preflight unless told otherwise: what an owner takes back is still
/// *sent* for that long, though no page may read the answer.
const DEFAULT_AGE: Duration = Duration::from_secs(600);

const DEFAULT_METHODS: [&str; 5] = ["GET", "POST", "PATCH", "DELETE", "PUT"];

const DEFAULT_HEADERS: [&str; 4] = [
    "content-type",
    "authorization",
    "x-api-key",
    "x-provider-key",
];

const DPOP_HEADERS: [&str; 2] = ["authorization", "dpop"];

const DPOP_EXPOSED: [&str; 2] = ["dpop-nonce", "www-authenticate"];

/// Collects what a [`CorsPolicy`] permits.
#[derive(Clone, Debug)]
#[must_use = "a policy does nothing until it is built and used"]
pub struct CorsPolicyBuilder {
    profile: Profile,
    origins: Vec<OriginPattern>,
    loopback: Vec<Origin>,
    any: bool,
    credentials: bool,
    methods: Vec<String>,
    request_headers: Vec<String>,
    exposed: Vec<String>,
    max_age: Duration,
    error: Option<Error>,
}

impl CorsPolicyBuilder {
    pub(super) const fn new() -> Self {
        Self {
            profile: Profile::Production,
            origins: Vec::new(),
            loopback: Vec::new(),
            any: false,
            credentials: false,
            methods: Vec::new(),
            request_headers: Vec::new(),
            exposed: Vec::new(),
            max_age: DEFAULT_AGE,
            error: None,
        }
    }

    /// Adds the methods `GET`, `POST`, `PATCH`, `DELETE` and `PUT`, and the header fields `Content-Type`,
    /// `Authorization`, `X-API-Key` and `X-PROVIDER-KEY`. Still nobody may use them.
    pub fn with_defaults(self) -> Self {
        self.methods(DEFAULT_METHODS)
            .request_headers(DEFAULT_HEADERS)
    }

    /// Accepts origins without TLS, in [`Profile::Development`]. The default is production.
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Adds an origin, `https://app.example.com`, or a pattern, `https://*.example.com`.
    pub fn origin(mut self, text: &str) -> Self {
        match text.parse::<OriginPattern>() {
            Ok(pattern) => self.origins.push(pattern),
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
        self
    }

    /// Adds the origins of a list with commas, as environment variables hold them. Spaces around an origin
    /// and empty entries are skipped; an empty list adds nobody.
    pub fn origin_list(self, list: &str) -> Self {
        list.split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .fold(self, Self::origin)
    }

    /// Adds an origin on the user's own machine, with TLS or without, in every profile:
    /// `http://localhost:3000`, or a program that serves its pages there.
    /// [`CorsPolicy::loosened`] reports it.
    pub fn loopback_origin(mut self, text: &str) -> Self {
        match text.parse::<Origin>() {
            Ok(origin) if origin.is_loopback() => self.loopback.push(origin),
            Ok(_) => {
                self.error.get_or_insert(Error::NotLoopback);
            }
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
        self
    }

    /// Lets pages of any origin read the answers: for what is public. It excludes credentials.
    /// [`CorsPolicy::loosened`] reports it.
    pub const fn any_origin(mut self) -> Self {
        self.any = true;
        self
    }

    /// Lets browsers send cookies and client certificates along. A token in `Authorization` needs no such
    /// permission, only the header field's.
    pub const fn allow_credentials(mut self) -> Self {
        self.credentials = true;
        self
    }

    /// Adds methods, in capitals.
    pub fn methods(mut self, methods: impl IntoIterator<Item: AsRef<str>>) -> Self {
        for method in methods {
            let method = method.as_ref();
            let forbidden = ["CONNECT", "TRACE", "TRACK"].contains(&method);
            let in_capitals = !method.bytes().any(|byte| byte.is_ascii_lowercase());
            if is_name(method) && in_capitals && !forbidden {
                self.methods.push(method.to_owned());
            } else {
                self.error.get_or_insert(Error::InvalidMethod);
            }
        }
        self
    }

    /// Adds header fields that pages may send. There is no way to permit all: a proxy may give a meaning to
    /// one that nobody here thought of.
    pub fn request_headers(mut self, names: impl IntoIterator<Item: AsRef<str>>) -> Self {
        add_names(&mut self.request_headers, &mut self.error, names);
        self
    }

    /// Adds header fields of answers that pages may read, beside the few that they always may
    /// (`Content-Type`, `Cache-Control` and the like).
    pub fn exposed_headers(mut self, names: impl IntoIterator<Item: AsRef<str>>) -> Self {
        add_names(&mut self.exposed, &mut self.error, names);
        self
    }

    /// Adds what pages need that prove with each request that they hold the key of their token (DPoP,
    /// RFC 9449): they send `DPoP` beside `Authorization`, and read `DPoP-Nonce` and `WWW-Authenticate`,
    /// by which they learn the nonce of the next proof (§8.1) and that it was missing.
    pub fn with_dpop(self) -> Self {
        self.request_headers(DPOP_HEADERS)
            .exposed_headers(DPOP_EXPOSED)
    }

    /// How long browsers remember a preflight, in whole seconds, up to a day. 10 minutes unless set.
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Builds the policy.
    ///
    /// # Errors
    ///
    /// [`Error::AnyOriginWithCredentials`], [`Error::AnyOriginWithOrigins`] and [`Error::PlainOrigin`] for
    /// what would be a hole; [`Error::InvalidOrigin`], [`Error::InvalidWildcard`], [`Error::NotLoopback`],
    /// [`Error::InvalidMethod`] and [`Error::InvalidHeaderName`] for texts that are none;
    /// [`Error::MaxAge`]; [`Error::TooMany`] for more than 256 origins or 64 methods or fields.
    pub fn build(self) -> Result<CorsPolicy, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.any && self.credentials {
            return Err(Error::AnyOriginWithCredentials);
        }
        if self.any && !(self.origins.is_empty() && self.loopback.is_empty()) {
            return Err(Error::AnyOriginWithOrigins);
        }
        let is_plain = |pattern: &OriginPattern| !pattern.base().is_secure();
        if !self.profile.is_development() && self.origins.iter().any(is_plain) {
            return Err(Error::PlainOrigin);
        }
        if self.max_age > MAX_AGE {
            return Err(Error::MaxAge);
        }
        let names = [&self.methods, &self.request_headers, &self.exposed];
        let origins = self.origins.len().saturating_add(self.loopback.len());
        if origins > MAX_ORIGINS || names.into_iter().any(|list| list.len() > MAX_NAMES) {
            return Err(Error::TooMany);
        }
        let loosened = self.loosened();
        Ok(self.assemble(loosened))
    }

    fn loosened(&self) -> Vec<Loosened> {
        let any = self.any.then_some(Loosened::AnyOrigin);
        let loopback = self.loopback.iter().cloned().map(Loosened::LoopbackOrigin);
        let plain = self
            .origins
            .iter()
            .filter(|pattern| !pattern.base().is_secure())
            .map(|pattern| Loosened::PlainOrigin(pattern.base().clone()));
        let wildcards = self
            .origins
            .iter()
            .filter(|pattern| self.credentials && pattern.is_wildcard())
            .map(|pattern| Loosened::WildcardWithCredentials(pattern.clone()));
        any.into_iter()
            .chain(loopback)
            .chain(plain)
            .chain(wildcards)
            .collect()
    }

    pub(super) fn assemble(self, loosened: Vec<Loosened>) -> CorsPolicy {
        let who = if self.any {
            Who::Any
        } else {
            let loopback = self.loopback.into_iter().map(OriginPattern::exact);
            Who::Listed(self.origins.into_iter().chain(loopback).collect())
        };
        CorsPolicy(Arc::new(Policy {
            who,
            credentials: self.credentials,
            methods_value: joined(&self.methods),
            request_headers_value: joined(&self.request_headers),
            exposed_value: joined(&self.exposed),
            max_age_value: self.max_age.as_secs().to_string().into(),
            methods: self.methods,
            request_headers: self.request_headers,
            loosened,
        }))
    }
}

fn add_names(
    list: &mut Vec<String>,
    error: &mut Option<Error>,
    names: impl IntoIterator<Item: AsRef<str>>,
) {
    for name in names {
        let name = name.as_ref().to_ascii_lowercase();
        if !is_name(&name) {
            error.get_or_insert(Error::InvalidHeaderName);
        } else if !list.contains(&name) {
            list.push(name);
        }
    }
}

/// A token, and not the one that browsers take for every name.
fn is_name(text: &str) -> bool {
    text != "*" && text.len() <= MAX_NAME && is_token(text.as_bytes())
}

fn joined(names: &[String]) -> Option<Arc<str>> {
    (!names.is_empty()).then(|| names.join(", ").into())
}
