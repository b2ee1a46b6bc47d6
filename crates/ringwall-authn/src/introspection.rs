//! Tokens that only their issuer can read (RFC 7662).

mod answer;
mod authenticator;
mod cache;
#[cfg(feature = "introspection-http")]
mod http;
mod policy;

pub use authenticator::IntrospectionAuthenticator;
#[cfg(feature = "introspection-http")]
pub use http::{HttpIntrospection, HttpIntrospectionError};
pub use policy::{
    DEFAULT_ANSWER_LIFETIME, IntrospectionAuthenticatorBuilder, IntrospectionPolicyError,
    MAX_ANSWER_LIFETIME,
};

use core::fmt;
use core::time::Duration;

use ringwall_core::step::BoxFuture;
use zeroize::Zeroizing;

/// Asks the introspection endpoint of an authorization server (RFC 7662 §2).
///
/// # Contract
///
/// - One call is one attempt, and ends within the time-out of the transport's own: nobody above it has a
///   timer.
/// - The endpoint is the operator's choice: redirects are not followed, and nothing of the token decides where it
///   goes. It is asked over TLS, with credentials of this service (§2.1: "the authorization server MUST
///   require some form of authorization").
/// - Only the body of a 200 is an answer. Everything else, 401 included, is [`IntrospectionUnavailable`]: it
///   says something about this service's credentials, and nothing about the token.
/// - Neither the form nor the answer is logged.
pub trait IntrospectionTransport: Send + Sync + fmt::Debug {
    /// Sends the form and gives the answer's body.
    fn ask(&self, form: Zeroizing<String>) -> BoxFuture<Result<Vec<u8>, IntrospectionUnavailable>>;
}

/// Nobody said whether the token is good. Answer 503, never 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the introspection endpoint is not available")]
pub struct IntrospectionUnavailable {
    /// When to try again.
    pub retry_after: Duration,
}
