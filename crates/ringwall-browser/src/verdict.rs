//! What a policy says to one request.

use std::sync::Arc;

use crate::field::ResponseFields;

/// The fields by which an answer permits pages of other origins something.
const PERMISSIONS: [&str; 7] = [
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
    /// Whether this is the whole answer: a 204 without a body.
    #[must_use]
    pub const fn is_preflight(&self) -> bool {
        matches!(self, Self::Preflight(_))
    }

    /// Puts into an answer what the policy permits, and takes out whatever else permits something there:
    /// a handler, or a server behind a proxy, could otherwise permit what the policy does not, and two
    /// permissions are none to a browser.
    ///
    /// `Vary` is there whether a page may read the answer or not, since that is what a cache must know.
    pub fn apply(&self, answer: &mut dyn ResponseFields) {
        for name in PERMISSIONS {
            answer.remove(name);
        }
        match self {
            Self::NotCors => {}
            Self::Actual(fields) | Self::Preflight(fields) => {
                fields.each(&mut |name, value| answer.append(name, value));
            }
        }
        if self.is_preflight() {
            answer.append(
                "vary",
                "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
            );
        } else if !varies_by_origin(answer) {
            answer.append("vary", "Origin");
        }
    }
}

fn varies_by_origin(answer: &dyn ResponseFields) -> bool {
    let mut varies = false;
    answer.visit("vary", &mut |line| {
        varies |= line
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin"));
    });
    varies
}
