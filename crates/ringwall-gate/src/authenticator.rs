//! What finds out who is calling.

use std::sync::Arc;

use ringwall_authn::introspection::IntrospectionAuthenticator;
use ringwall_authn::{
    ApiKeyAuthenticator, CertificateAuthenticator, Claims, Confirmation, TokenAuthenticator,
    VerifiedToken,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::{Challenge, ChallengeScheme, Denial};
use ringwall_core::principal::VerifiedPrincipal;
use ringwall_core::request::{HeaderLookup, RequestView};
use ringwall_core::step::Step;

/// Whether, and where, a request carries a credential of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// It carries none.
    No,
    /// It carries one in the `Authorization` field. The gate refuses an `Authorization` that no
    /// authenticator claims, so this answer is a claim.
    InAuthorization,
    /// It carries one somewhere else: another header field, the TLS connection.
    Elsewhere,
}

/// Reads one kind of credential.
///
/// # Contract
///
/// - [`presented`](Self::presented) answers whether the caller *tried*: a malformed, empty or
///   duplicated credential of this kind is presented. An authenticator that overlooks a bad
///   credential turns it into an absent one, and a route with optional authentication would serve
///   it as anonymous. It neither waits nor checks anything.
/// - [`authenticate`](Self::authenticate) is called only after `presented` said yes, and never for
///   a request that presents two credentials. It refuses what it does not fully understand, and
///   answers [`Denial::Unavailable`] when no decision could be reached.
/// - It emits its own [`AuthenticationSucceeded`] and [`AuthenticationFailed`] events, because it
///   alone knows the precise cause. The gate emits everything else.
/// - Calls may come from any thread at once.
///
/// [`AuthenticationSucceeded`]: ringwall_core::event::EventKind::AuthenticationSucceeded
/// [`AuthenticationFailed`]: ringwall_core::event::EventKind::AuthenticationFailed
pub trait Authenticator: Send + Sync + core::fmt::Debug {
    /// Whether the request carries a credential of this kind, good or bad.
    fn presented(&self, view: &RequestView<'_>) -> Presented;

    /// Checks that credential. An answer that is already known costs no allocation.
    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>>;

    /// Whether a credential that was accepted would be accepted at `now` too. Answers that go on are
    /// held against this while they last; whatever is refused here ends them.
    fn recheck(&self, accepted: &Authenticated, now: Timestamp) -> Step<Result<(), Denial>>;

    /// Adds to the challenge of the gate what this authenticator takes beside bearer tokens, for clients that
    /// presented nothing. Adds nothing unless said otherwise.
    fn offer(&self, challenge: Challenge) -> Challenge {
        challenge
    }

    /// The nonce that the next DPoP proof of a caller whom it accepted has to contain (RFC 9449 §8.2). `None`
    /// when it demands none, and unless said otherwise. Asked for callers with a token that is bound to a
    /// key alone.
    fn dpop_nonce(&self, _accepted: &Authenticated, _now: Timestamp) -> Option<String> {
        None
    }

    /// The header fields, in lower case, that this authenticator believes because a trusted proxy set
    /// them. The gate takes them out of the requests of everybody else before a handler can see them,
    /// and refuses other spellings of their names. Asked once, when the gate is built.
    fn proxy_headers(&self) -> Vec<Box<str>>;
}

impl<A: Authenticator + ?Sized> Authenticator for Arc<A> {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        (**self).presented(view)
    }

    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        (**self).authenticate(view)
    }

    fn recheck(&self, accepted: &Authenticated, now: Timestamp) -> Step<Result<(), Denial>> {
        (**self).recheck(accepted, now)
    }

    fn offer(&self, challenge: Challenge) -> Challenge {
        (**self).offer(challenge)
    }

    fn dpop_nonce(&self, accepted: &Authenticated, now: Timestamp) -> Option<String> {
        (**self).dpop_nonce(accepted, now)
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        (**self).proxy_headers()
    }
}

/// A caller whose credential was verified, and what else the credential said.
///
/// It is made from a [`VerifiedPrincipal`] or a [`VerifiedToken`], which are themselves proofs; so
/// there is no way to make one for a caller that nobody verified. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Authenticated(Evidence);

#[derive(Clone, Debug)]
enum Evidence {
    Principal(VerifiedPrincipal),
    Token(Arc<VerifiedToken>),
}

impl Authenticated {
    /// Who is calling.
    #[must_use]
    pub fn principal(&self) -> &VerifiedPrincipal {
        match &self.0 {
            Evidence::Principal(principal) => principal,
            Evidence::Token(token) => token.principal(),
        }
    }

    /// The token, when the caller was authenticated by one.
    #[must_use]
    pub const fn token(&self) -> Option<&Arc<VerifiedToken>> {
        match &self.0 {
            Evidence::Principal(_) => None,
            Evidence::Token(token) => Some(token),
        }
    }

    /// The scheme of the challenges that this caller understands.
    pub(crate) fn scheme(&self) -> ChallengeScheme {
        match self.is_bound_to_key() {
            true => ChallengeScheme::Dpop,
            false => ChallengeScheme::Bearer,
        }
    }

    /// Whether the caller showed a proof of a key (RFC 9449).
    pub(crate) fn is_bound_to_key(&self) -> bool {
        let confirmation = self.token().and_then(|token| token.confirmation());
        confirmation
            .and_then(Confirmation::key_thumbprint)
            .is_some()
    }

    /// The claims of that token.
    #[must_use]
    pub fn claims(&self) -> Option<&Claims> {
        self.token().map(|token| token.claims())
    }
}

impl From<VerifiedPrincipal> for Authenticated {
    fn from(principal: VerifiedPrincipal) -> Self {
        Self(Evidence::Principal(principal))
    }
}

impl From<Arc<VerifiedToken>> for Authenticated {
    fn from(token: Arc<VerifiedToken>) -> Self {
        Self(Evidence::Token(token))
    }
}

impl Authenticator for TokenAuthenticator {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        let authorization = OnlyAuthorization(view.headers);
        let narrowed = RequestView {
            headers: &authorization,
            ..*view
        };
        if Self::presented(self, &narrowed) {
            Presented::InAuthorization
        } else if Self::presented(self, view) {
            Presented::Elsewhere
        } else {
            Presented::No
        }
    }

    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        Self::authenticate(self, view).map(|answer| answer.map(Authenticated::from))
    }

    fn recheck(&self, accepted: &Authenticated, now: Timestamp) -> Step<Result<(), Denial>> {
        Step::Done(match accepted.token() {
            Some(token) => Self::recheck(self, token, now),
            // It was not this authenticator that accepted it.
            None => Err(Denial::Unauthenticated {
                challenge: Box::new(self.challenge()),
            }),
        })
    }

    fn offer(&self, challenge: Challenge) -> Challenge {
        Self::offer(self, challenge)
    }

    fn dpop_nonce(&self, _accepted: &Authenticated, now: Timestamp) -> Option<String> {
        Self::dpop_nonce(self, now)
    }

    /// A token proves itself by its signature, whoever carries it; the certificate that it may be bound
    /// to is another matter.
    fn proxy_headers(&self) -> Vec<Box<str>> {
        self.header_names()
    }
}

impl Authenticator for CertificateAuthenticator {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        if Self::presented(self, view) {
            Presented::Elsewhere
        } else {
            Presented::No
        }
    }

    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        Self::authenticate(self, view).map(|answer| answer.map(Authenticated::from))
    }

    /// The end of the certificate alone: the connection itself ends with the trust in it. Of a caller whom a
    /// proxy named without the certificate no end is known, and its answers go on as long as it likes.
    fn recheck(&self, accepted: &Authenticated, now: Timestamp) -> Step<Result<(), Denial>> {
        let end = accepted.principal().authentication.expires_at;
        Step::Done(if end.is_none_or(|end| now <= end) {
            Ok(())
        } else {
            Err(Denial::Unauthenticated {
                challenge: Box::new(self.challenge()),
            })
        })
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        self.header_names()
    }
}

impl Authenticator for IntrospectionAuthenticator {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        let authorization = OnlyAuthorization(view.headers);
        let narrowed = RequestView {
            headers: &authorization,
            ..*view
        };
        if Self::presented(self, &narrowed) {
            Presented::InAuthorization
        } else if Self::presented(self, view) {
            Presented::Elsewhere
        } else {
            Presented::No
        }
    }

    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        Self::authenticate(self, view).map(|answer| answer.map(Authenticated::from))
    }

    fn recheck(&self, accepted: &Authenticated, now: Timestamp) -> Step<Result<(), Denial>> {
        Step::Done(Self::recheck(self, accepted.principal(), now))
    }

    /// A token proves itself, whoever carries it.
    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}

impl Authenticator for ApiKeyAuthenticator {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        if Self::presented(self, view) {
            Presented::Elsewhere
        } else {
            Presented::No
        }
    }

    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        Self::authenticate(self, view).map(|answer| answer.map(Authenticated::from))
    }

    /// By the clock of the keys.
    fn recheck(&self, accepted: &Authenticated, _now: Timestamp) -> Step<Result<(), Denial>> {
        Self::recheck(self, accepted.principal())
    }

    /// A key proves itself, whoever carries it.
    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}

/// How much of an `Authorization` is looked at to find out whose it is. The scheme is at its
/// beginning, and reading a long token through here and again to verify it costs more than the
/// look into the cache. With a scheme longer than this nothing would be claimed, and so refused.
const SCHEME_BYTES: usize = 64;

/// Hides every field but the beginning of `Authorization`. A token authenticator can be told to read another field,
/// and then it does not claim an `Authorization` that stands beside it.
struct OnlyAuthorization<'a>(&'a dyn HeaderLookup);

impl HeaderLookup for OnlyAuthorization<'_> {
    fn visit<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        if name.eq_ignore_ascii_case("authorization") {
            self.0.visit(name, &mut |value| {
                visit(value.get(..SCHEME_BYTES).unwrap_or(value));
            });
        }
    }

    fn visit_names(&self, visit: &mut dyn FnMut(&str)) {
        visit("authorization");
    }
}
