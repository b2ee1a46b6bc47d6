//! Which pages of other origins may read answers.

use core::fmt;
use std::sync::Arc;

use ringwall_core::request::{HeaderValues, RequestView};

use crate::loosened::Loosened;
use crate::pattern::{OriginPattern, accepted};
use crate::verdict::{CorsFields, CorsVerdict, Text};

mod builder;

pub use builder::CorsPolicyBuilder;

/// The longest list of header fields that a preflight may ask about, in bytes. Sixty-four names of
/// ordinary length, and less than servers take as one field.
const MAX_ASKED: usize = 4096;

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
        CorsPolicyBuilder::new()
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
