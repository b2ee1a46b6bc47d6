//! The cases, as the files beside `ringwall-gate` state them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::limits::Limits;

/// One request and its verdict.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) why: String,
    #[serde(default)]
    pub(crate) gate: GateName,
    /// What the same client sent before. Its answer may tell a nonce.
    #[serde(default)]
    pub(crate) before: Option<Request>,
    /// What the same client sent before, whose answers are nobody's business.
    #[serde(default)]
    pub(crate) earlier: Vec<Earlier>,
    pub(crate) request: Request,
    pub(crate) verdict: Verdict,
    /// What the answer tells of limits.
    #[serde(default)]
    pub(crate) limits: Option<Limits>,
    /// Whether the answer tells the nonce of the next proof.
    #[serde(default)]
    pub(crate) nonce: bool,
    /// The `Cache-Control` of the answer, where the handler says one.
    #[serde(default)]
    pub(crate) caching: Option<String>,
    /// What the operator hears: the cause of the last event that the request made.
    #[serde(default)]
    pub(crate) cause: Option<String>,
    #[serde(default)]
    pub(crate) seen: Seen,
    /// Whether the audit trail holds it.
    #[serde(default = "yes")]
    pub(crate) recorded: bool,
    #[serde(default)]
    pub(crate) excluded: BTreeMap<Protocol, String>,
}

/// A request that was sent so many times before.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Earlier {
    #[serde(default = "once")]
    pub(crate) times: usize,
    pub(crate) request: Request,
}

const fn once() -> usize {
    1
}

/// The protocols that a request is sent by.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    Http1,
    Http2,
    Grpc,
}

/// The gates that each framework's service is built with.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GateName {
    /// Believes proxies at addresses where nobody is: the client is not one of them.
    #[default]
    Direct,
    /// Believes the client of the tests to be a proxy.
    Proxied,
    /// As `Proxied`, and serves over TLS alone.
    HttpsOnly,
    /// As `HttpsOnly`, and redirects browsers.
    HttpsRedirect,
    /// As `Direct`, with an audit trail that takes its time.
    Slow,
    /// As `Direct`, with an audit trail that is down.
    Unrecorded,
    /// As `Direct`, with metadata of the protected resource, and `%2f` permitted in paths.
    Described,
    /// Trusts no proxy at all.
    Alone,
    /// As `Direct`, and takes tokens that are bound to a key.
    Bound,
    /// As `Bound`, and demands nonces of its own in proofs.
    Nonces,
    /// As `Nonces`, with an audit trail that takes its time.
    SlowNonces,
    /// As `Direct`, with demands of organisations on their own people.
    Organisations,
    /// As `Direct`, with limits by address, by user and of failed credentials.
    Limited,
    /// As `Limited`, with a store of limits that takes its time.
    LimitedSlow,
    /// As `Proxied`, with a limit by address.
    LimitedProxied,
    /// As `LimitedProxied`, and believes `Forwarded`.
    LimitedForwarded,
    /// As `Proxied`, with a limit by identity, which the proxy may name.
    LimitedNamed,
    /// As `Direct`, with an authorization policy, and the routes that demand something of it.
    Authorized,
    /// As `Authorized`, with a directory that takes its time.
    AuthorizedSlow,
    /// As `Authorized`, with a directory that is down.
    AuthorizedDown,
}

impl GateName {
    /// Whether what one request does to it changes what becomes of the next: then each case has a service of
    /// its own.
    pub(crate) fn counts(self) -> bool {
        crate::limits::of(self).is_some()
    }
}

/// What is sent. See the README beside the files for the members.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    #[serde(default)]
    pub(crate) method: Option<String>,
    #[serde(default)]
    pub(crate) target: Option<String>,
    #[serde(default)]
    pub(crate) grpc: Option<String>,
    #[serde(default, deserialize_with = "some")]
    pub(crate) authority: Option<Option<String>>,
    #[serde(default)]
    pub(crate) headers: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) body: Option<String>,
    #[serde(default)]
    pub(crate) framing: Framing,
    #[serde(default)]
    pub(crate) trailers: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) raw: Option<String>,
    #[serde(default)]
    pub(crate) pseudo: Option<Vec<(String, String)>>,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Framing {
    /// By `content-length`.
    #[default]
    Length,
    /// By its end: in chunks, or by the frame that ends the stream.
    Stream,
    /// By what the case's own header fields say.
    None,
}

/// What becomes of it, in the gate's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The handler answers.
    Admitted,
    /// The gate refuses, or the handler does in the gate's words.
    Denied(Box<Denied>),
    /// Somebody refuses, the server's own parser or the gate: no handler runs.
    Refused,
    /// The handler runs, and its body breaks off at the route's limit.
    CutOff,
    /// The handler answers, and its answer is ended before it is whole.
    Ended,
    /// The handler asks for what its route does not know: a mistake of the service, which denies.
    Misconfigured,
}

/// A denial.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Denied {
    #[serde(rename = "denied")]
    pub(crate) kind: Kind,
    /// Who denies: the gate, unless the handler is said to.
    #[serde(default)]
    pub(crate) by: By,
    #[serde(default)]
    pub(crate) error: Option<String>,
    #[serde(default)]
    pub(crate) scope: Option<String>,
    #[serde(default)]
    pub(crate) acr_values: Option<String>,
    #[serde(default)]
    pub(crate) max_age: Option<u64>,
    #[serde(default)]
    pub(crate) resource_metadata: Option<String>,
    /// The whole challenge, where it is more than the usual one.
    #[serde(default)]
    pub(crate) challenge: Option<String>,
    #[serde(default)]
    pub(crate) allow: Option<String>,
    #[serde(default)]
    pub(crate) approval: Option<String>,
    #[serde(default)]
    pub(crate) limit: Option<u64>,
    #[serde(default)]
    pub(crate) location: Option<String>,
    #[serde(default)]
    pub(crate) retry_after: Option<u64>,
}

/// Who denies.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    #[default]
    Gate,
    /// What runs behind the door: the request is recorded as one that was answered.
    Handler,
}

/// The kinds of denials.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Malformed,
    Unauthenticated,
    Forbidden,
    NotFound,
    /// The caller came through the door of what is not there.
    UnknownRoute,
    MethodNotAllowed,
    ApprovalRequired,
    Conflict,
    Gone,
    PreconditionFailed,
    PayloadTooLarge,
    PlainHttp,
    RateLimited,
    Unavailable,
}

/// What the handler sees; what is not said is not compared.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    /// The subject, `anonymous` or `not asked`.
    pub(crate) caller: Option<String>,
    /// The address, or `unknown`.
    pub(crate) client_address: Option<String>,
    /// `https`, `http` or `unknown`.
    pub(crate) scheme: Option<String>,
    pub(crate) via_proxy: Option<bool>,
    /// The name under which the route is recorded. In gRPC it is the method's path.
    pub(crate) route: Option<String>,
    /// The length of the body.
    pub(crate) body: Option<usize>,
    /// The values of each header field named.
    #[serde(default)]
    pub(crate) fields: BTreeMap<String, Vec<String>>,
}

const fn yes() -> bool {
    true
}

impl Request {
    pub(crate) fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    pub(crate) fn target(&self) -> &str {
        self.target.as_deref().unwrap_or_default()
    }

    /// The host; `None` when none is sent.
    pub(crate) fn authority(&self) -> Option<&str> {
        match &self.authority {
            None => Some("corpus.example"),
            Some(authority) => authority.as_deref(),
        }
    }

    /// The gRPC method that stands for the route, where the case names none.
    pub(crate) fn grpc_path(&self) -> Option<&str> {
        if let Some(path) = &self.grpc {
            return Some(path);
        }
        let path = self.target().split('?').next().unwrap_or_default();
        Some(match (self.method(), path) {
            ("GET", "/cases/7") => "/corpus.v1.Cases/Get",
            ("GET", "/cases") => "/corpus.v1.Cases/List",
            ("POST", "/cases") => "/corpus.v1.Cases/Create",
            ("POST", "/drain") => "/corpus.v1.Cases/Create",
            ("POST", "/large") => "/corpus.v1.Cases/Large",
            ("DELETE", "/cases/7") => "/corpus.v1.Cases/Delete",
            ("GET", "/either") => "/corpus.v1.Cases/Either",
            ("GET", "/me") => "/corpus.v1.Cases/Me",
            ("GET", "/optional") => "/corpus.v1.Cases/Optional",
            ("GET", "/public") => "/corpus.v1.Cases/Public",
            ("GET", "/health") => "/corpus.v1.Cases/Health",
            ("GET", "/deny") => "/corpus.v1.Cases/Deny",
            ("GET", "/misplaced") => "/corpus.v1.Cases/Misplaced",
            ("GET", "/tenant") => "/corpus.v1.Cases/Tenant",
            ("GET", "/watch") => "/corpus.v1.Cases/Watch",
            ("GET", "/ledger") => "/corpus.v1.Ledgers/Ledger",
            ("GET", "/payments") => "/corpus.v1.Ledgers/Payments",
            ("POST", "/payments") => "/corpus.v1.Ledgers/Pay",
            ("GET", "/payroll") => "/corpus.v1.Ledgers/Payroll",
            ("GET", "/vault") => "/corpus.v1.Ledgers/Vault",
            ("GET", "/dossier") => "/corpus.v1.Ledgers/Dossier",
            ("GET", "/feed") => "/corpus.v1.Ledgers/Feed",
            _ => return None,
        })
    }
}

/// Tells a member that is `null` from one that is not there.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Verdict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        match value.as_str() {
            Some("admitted") => Ok(Self::Admitted),
            Some("refused") => Ok(Self::Refused),
            Some("cut off") => Ok(Self::CutOff),
            Some("ended") => Ok(Self::Ended),
            Some("misconfigured") => Ok(Self::Misconfigured),
            Some(other) => Err(D::Error::custom(format!(
                "the verdict {other:?} is unknown"
            ))),
            None => serde_json::from_value(value)
                .map(|denied| Self::Denied(Box::new(denied)))
                .map_err(D::Error::custom),
        }
    }
}
