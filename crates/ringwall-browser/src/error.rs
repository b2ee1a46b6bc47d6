//! Why what a service tells browsers cannot be built.

/// Why what a service tells browsers cannot be built. Every variant but [`Error::Random`] is a fault
/// of the program or of its configuration, found at start. None holds what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no origin: `https` or `http`, a host, a port if it is not the usual one, and
    /// nothing behind it.
    #[error("an origin is not a scheme (https or http), a host and at most a port")]
    InvalidOrigin,
    /// A wildcard stands for more, or for something else, than the first label of a name that has at
    /// least two more.
    #[error("a wildcard is not the first label of a host with at least two more labels")]
    InvalidWildcard,
    /// An origin over plain HTTP was given to a policy of the production profile: whoever sits on the
    /// way to it can put scripts into it.
    #[error("an http origin is allowed in the development profile or as a loopback origin alone")]
    PlainOrigin,
    /// An origin that was named as one of this machine is none.
    #[error("a loopback origin is not localhost, a name below localhost or a loopback address")]
    NotLoopback,
    /// A policy opens a resource to any origin and with credentials: each page in the web could act as
    /// the user.
    #[error("any origin and credentials exclude each other")]
    AnyOriginWithCredentials,
    /// A policy opens a resource to any origin, and names some.
    #[error("a policy for any origin names origins too")]
    AnyOriginWithOrigins,
    /// A text is no method, is one that no script may use (`CONNECT`, `TRACE`, `TRACK`), or stands for
    /// any method.
    #[error("a method is not an upper-case token, or is one that no script may use")]
    InvalidMethod,
    /// A text is no name of a header field (RFC 9110 §5.1), or stands for any.
    #[error("a name is not that of a header field")]
    InvalidHeaderName,
    /// A list is longer than anybody needs.
    #[error("a list has too many entries")]
    TooMany,
    /// Browsers would be told to remember a preflight for longer than they do.
    #[error("the time to remember a preflight is longer than a day")]
    MaxAge,
    /// A text is no source of a Content-Security-Policy.
    #[error("a source is not a host with a scheme and at most a port")]
    InvalidSource,
    /// A source has no meaning in the directive that it was given to, or would undo it.
    #[error("a source has no place in its directive")]
    SourceOutOfPlace,
    /// An address for reports is neither `https` nor a path of this service, or its name is no token.
    #[error("an address for reports is not an https URL or a path, or its name is not a token")]
    InvalidReportEndpoint,
    /// A Content-Security-Policy is longer than servers and proxies take header fields.
    #[error("a content security policy is longer than 4096 bytes")]
    PolicyTooLong,
    /// The edge sets the Content-Security-Policy, so nobody would announce the nonces of this one.
    #[error("a policy with nonces cannot be left to the edge")]
    NonceAtEdge,
    /// The text is not the name of a field that is set here.
    #[error("the name is not that of a security header field")]
    UnknownField,
    /// The system gave no random bytes, so there is no nonce. The policy without it blocks the scripts
    /// that would have carried it.
    #[error("the system gave no random bytes")]
    Random,
}
