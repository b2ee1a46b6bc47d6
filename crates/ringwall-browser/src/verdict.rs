//! What a policy says to one request.

use std::sync::Arc;

/// The fields by which an answer permits pages of other origins something, in lower case. A handler's own
/// are taken out of an answer before the policy's are put in: otherwise a handler, or a server behind a
/// proxy, could permit what the policy does not.
pub const CORS_FIELDS: [&str; 7] = [
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-private-network",
    "access-control-expose-headers",
    "access-control-max-age",
];

/// What a [`CorsPolicy`](crate::CorsPolicy) says to one request.
///
/// It is never an error: a page that may not read an answer gets one without the field that would let it.
/// Whether the *request* is served is not CORS' to decide: a form of any page can send it, so that is for
/// credentials and for checks against forged requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsVerdict {
    /// The request names no origin. Its answer gets `Vary: Origin` all the same: a cache must not give it
    /// to a page, nor a page's to it.
    NotCors,
    /// The request goes on; its answer gets these fields.
    Actual(CorsFields),
    /// The browser asks beforehand. The answer is a 204 with these fields and without a body, and the
    /// request goes no further: browsers send no credentials with it, so the gate would refuse it.
    Preflight(CorsFields),
}

/// The fields of an answer to a page of another origin. Empty when the page may not read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsFields {
    pub(crate) origin: Option<Text>,
    pub(crate) credentials: bool,
    pub(crate) methods: Option<Arc<str>>,
    pub(crate) request_headers: Option<Arc<str>>,
    pub(crate) exposed: Option<Arc<str>>,
    pub(crate) max_age: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// `*`
    Any,
    Origin(Arc<str>),
}

impl CorsFields {
    /// Whether the page may read the answer, or send what it asked about.
    #[must_use]
    pub const fn is_permitted(&self) -> bool {
        self.origin.is_some()
    }

    fn each(&self, add: &mut dyn FnMut(&'static str, &str)) {
        match &self.origin {
            None => return,
            Some(Text::Any) => add("access-control-allow-origin", "*"),
            Some(Text::Origin(origin)) => add("access-control-allow-origin", origin),
        }
        if self.credentials {
            add("access-control-allow-credentials", "true");
        }
        let lists = [
            ("access-control-allow-methods", &self.methods),
            ("access-control-allow-headers", &self.request_headers),
            ("access-control-expose-headers", &self.exposed),
            ("access-control-max-age", &self.max_age),
        ];
        for (name, value) in lists {
            if let Some(value) = value {
                add(name, value);
            }
        }
    }
}

impl CorsVerdict {
    /// Calls `add` with the name and value of each field, `Vary` not among them.
    pub fn fields(&self, add: &mut dyn FnMut(&'static str, &str)) {
        match self {
            Self::NotCors => {}
            Self::Actual(fields) | Self::Preflight(fields) => fields.each(add),
        }
    }

    /// What the answer depends on: a line of `Vary` to add to the lines that the answer has, or `None` when
    /// they say so already. It is there whether a page may read the answer or not, since that is what a
    /// cache must know.
    #[must_use]
    pub fn vary<'a>(&self, lines: impl IntoIterator<Item = &'a [u8]>) -> Option<&'static str> {
        if matches!(self, Self::Preflight(_)) {
            // Such an answer is made from nothing, and has no lines.
            return Some("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
        }
        let names_origin = lines
            .into_iter()
            .flat_map(|line| line.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin"));
        (!names_origin).then_some("Origin")
    }
}
