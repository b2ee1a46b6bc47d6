//! Which pages of other origins may read answers.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::profile::Profile;
use ringwall_core::request::{HeaderValues, RequestView};

use crate::error::Error;
use crate::field::is_token;
use crate::loosened::Loosened;
use crate::origin::Origin;
use crate::pattern::{OriginPattern, accepted};
use crate::verdict::{CorsFields, CorsVerdict, Text};

/// The most origins of one policy. Each is compared with a request's.
const MAX_ORIGINS: usize = 256;

/// The most methods, and the most header fields, of one policy. They are sent with each preflight.
const MAX_NAMES: usize = 64;

/// The longest name of a method or field, in bytes.
const MAX_NAME: usize = 128;

/// The longest list of header fields that a preflight may ask about, in bytes. Sixty-four names of
/// ordinary length, and less than servers take as one field.
const MAX_ASKED: usize = 4096;

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

/// Which pages of other origins may read the answers of a service, and what they may send (CORS; the
/// Fetch standard, §3.2).
///
/// Nobody, unless named. An origin is compared as a whole (see [`OriginPattern`]); `null` is never
/// permitted; nothing of a request is echoed but an origin that is on the list. A denial is the absence of
/// the permission, never an error.
///
/// ```
/// use ringwall_browser::CorsPolicy;
///
/// let policy = CorsPolicy::builder()
///     .with_defaults()
///     .origin_list("https://app.example.com, https://*.preview.example.com")
///     .request_headers(["x-request-id"])
///     .allow_credentials()
///     .build()?;
/// for loosened in policy.loosened() {
///     eprintln!("CORS: {loosened}");
/// }
/// # Ok::<(), ringwall_browser::Error>(())
/// ```
///
/// Cloning shares it.
#[derive(Clone)]
pub struct CorsPolicy(Arc<Policy>);

struct Policy {
    who: Who,
    credentials: bool,
    methods: Vec<String>,
    /// Lower case.
    request_headers: Vec<String>,
    methods_value: Option<Arc<str>>,
    request_headers_value: Option<Arc<str>>,
    exposed_value: Option<Arc<str>>,
    max_age_value: Arc<str>,
    loosened: Vec<Loosened>,
}

enum Who {
    Listed(Vec<OriginPattern>),
    Any,
}

impl CorsPolicy {
    /// Permits nobody anything.
    #[must_use]
    pub fn closed() -> Self {
        Self::builder().assemble(Vec::new())
    }

    /// Begins with nobody, nothing, and without credentials.
    pub fn builder() -> CorsPolicyBuilder {
        CorsPolicyBuilder {
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

    /// What the owner loosened by name.
    #[must_use]
    pub fn loosened(&self) -> &[Loosened] {
        &self.0.loosened
    }

    /// Whether a page of the origin that a request names may read answers: for what CORS does not cover,
    /// the handshake of a WebSocket for one, which any page may begin with the user's cookies.
    #[must_use]
    pub fn permits_origin(&self, view: &RequestView<'_>) -> bool {
        match view.header("origin") {
            HeaderValues::One(origin) => self.origin(origin).is_some(),
            HeaderValues::Absent | HeaderValues::Several(_) => false,
        }
    }

    /// What to say to a request.
    ///
    /// A preflight is an `OPTIONS` with exactly one `Origin` and exactly one
    /// `Access-Control-Request-Method`. Any other `OPTIONS` goes to the gate like every request: whoever
    /// answers those here opens a way around it.
    #[must_use]
    pub fn judge(&self, view: &RequestView<'_>) -> CorsVerdict {
        let origin = view.header("origin");
        if view.method == "OPTIONS"
            && let HeaderValues::One(origin) = origin
            && let HeaderValues::One(method) = view.header("access-control-request-method")
        {
            let asked = view.header("access-control-request-headers");
            return CorsVerdict::Preflight(
                self.preflight(origin, method, asked).unwrap_or_default(),
            );
        }
        match origin {
            HeaderValues::Absent => CorsVerdict::NotCors,
            HeaderValues::One(origin) => {
                CorsVerdict::Actual(self.actual(origin, view.method).unwrap_or_default())
            }
            // Which of them is the page's is not for us to guess.
            HeaderValues::Several(_) => CorsVerdict::Actual(CorsFields::default()),
        }
    }

    fn actual(&self, origin: &[u8], method: &str) -> Option<CorsFields> {
        let origin = self.origin(origin)?;
        self.has_method(method.as_bytes()).then(|| CorsFields {
            origin: Some(origin),
            credentials: self.0.credentials,
            exposed: self.0.exposed_value.clone(),
            ..CorsFields::default()
        })
    }

    fn preflight(
        &self,
        origin: &[u8],
        method: &[u8],
        asked: HeaderValues<'_>,
    ) -> Option<CorsFields> {
        let origin = self.origin(origin)?;
        let permitted = self.has_method(method) && self.has_headers(asked);
        permitted.then(|| CorsFields {
            origin: Some(origin),
            credentials: self.0.credentials,
            methods: self.0.methods_value.clone(),
            request_headers: self.0.request_headers_value.clone(),
            max_age: Some(Arc::clone(&self.0.max_age_value)),
            exposed: None,
        })
    }

    fn origin(&self, received: &[u8]) -> Option<Text> {
        match &self.0.who {
            Who::Listed(patterns) => accepted(patterns, received).map(Text::Origin),
            // Nobody knows whose page it is, so not even a public resource is opened to it.
            Who::Any => (!received.is_empty() && !received.eq_ignore_ascii_case(b"null"))
                .then_some(Text::Any),
        }
    }

    /// Methods are compared with their case, as browsers do. Who may `GET` may `HEAD`.
    fn has_method(&self, asked: &[u8]) -> bool {
        let has = |wanted: &[u8]| {
            self.0
                .methods
                .iter()
                .any(|method| method.as_bytes() == wanted)
        };
        has(asked) || (asked == b"HEAD" && has(b"GET"))
    }

    /// Whether each header field that a page wants to send is on the list.
    fn has_headers(&self, asked: HeaderValues<'_>) -> bool {
        let asked = match asked {
            HeaderValues::Absent => return true,
            HeaderValues::One(asked) => asked,
            HeaderValues::Several(_) => return false,
        };
        asked.is_empty()
            || (asked.len() <= MAX_ASKED
                && asked
                    .split(|byte| *byte == b',')
                    .map(<[u8]>::trim_ascii)
                    .all(|name| self.has_header(name)))
    }

    fn has_header(&self, asked: &[u8]) -> bool {
        let mut names = self.0.request_headers.iter();
        names.any(|name| name.as_bytes().eq_ignore_ascii_case(asked))
    }
}

impl fmt::Debug for CorsPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CorsPolicy");
        match &self.0.who {
            Who::Any => shown.field("origins", &"any"),
            Who::Listed(patterns) => shown.field("origins", patterns),
        };
        shown
            .field("credentials", &self.0.credentials)
            .field("methods", &self.0.methods)
            .field("request_headers", &self.0.request_headers)
            .finish_non_exhaustive()
    }
}

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

    fn assemble(self, loosened: Vec<Loosened>) -> CorsPolicy {
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
