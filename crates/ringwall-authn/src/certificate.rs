//! From a client certificate to a principal.

mod builder;
mod grants;
mod mapping;
mod policy_error;

pub use builder::CertificateAuthenticatorBuilder;
pub use mapping::CertificateMapping;
pub use policy_error::CertificatePolicyError;

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;

use ringwall_core::attest::Attest;
use ringwall_core::clock::{Timestamp, WallClock};
use ringwall_core::denial::{Challenge, Denial};
use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, Principal, VerifiedPrincipal,
};
use ringwall_core::request::{RequestView, TlsPeer};
use ringwall_core::step::Step;
use ringwall_transport::{
    CertificateIdentity, CertificateNames, IdentityError, IdentityHeader, IdentityRule,
    TrustedProxies,
};

use grants::GrantHeaders;

/// Authenticates requests by the client certificate behind them.
///
/// # Whose certificate
///
/// Two ways lead to a certificate, and which one a request takes is decided by its socket peer alone:
///
/// | socket peer | what is asked | what is ignored |
/// |---|---|---|
/// | a trusted proxy, given with [`behind`](CertificateAuthenticatorBuilder::behind) | the identity header that the proxy set | the certificate of the connection: it is the proxy's own, and says nothing about the caller |
/// | anybody else | the certificate of the connection, if [`direct`](CertificateAuthenticatorBuilder::direct) | the identity header: its sender can write what it likes |
/// | unknown, where headers are believed | nothing: refused if there is a certificate, since it may be the proxy's | both |
///
/// A trusted proxy that sets no header speaks for a caller without a certificate, who is
/// nobody. It never becomes the caller itself.
///
/// # What it grants
///
/// A certificate says who somebody is, never what that somebody may do. A [`CertificateMapping`] says
/// that; an identity without one is refused, and a mapping without roles and scopes grants none.
///
/// | request | answer |
/// |---|---|
/// | no certificate | 401 |
/// | a header that is there twice, or is not well-formed | 400 |
/// | a certificate that is not trusted, has expired, or has no identity that the rule accepts | 401 |
/// | an identity without a mapping | 403: the certificate is good, and another try will not help |
/// | the clock unavailable | 503 with `Retry-After` |
///
/// Each outcome is an event with its precise cause; the answer never holds it. The principal's
/// `authentication` has the method [`MutualTls`](AuthenticationMethod::MutualTls), the end of the
/// certificate as `expires_at`, and its SHA-256 fingerprint in lower-case hexadecimal digits as
/// `credential_id`; the last two only where the certificate itself or its digest is known.
///
/// ```
/// use ringwall_authn::transport::{IdentityRule, TrustDomain};
/// use ringwall_authn::{CertificateAuthenticator, CertificateMapping};
/// use ringwall_core::principal::Scope;
///
/// let authenticator = CertificateAuthenticator::builder(IdentityRule::spiffe(TrustDomain::new("prod.example")?))
///     .direct()
///     .map(CertificateMapping::spiffe("spiffe://prod.example/reports")?.scopes([Scope::new("cases:read")?]))
///     .realm("cases")
///     .build()?;
/// # let _ = authenticator;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CertificateAuthenticator(Arc<Inner>);

struct Inner {
    rule: IdentityRule,
    direct: bool,
    behind: Option<Behind>,
    principals: HashMap<CertificateIdentity, Principal>,
    realm: Box<str>,
    clock: Arc<dyn WallClock>,
    events: Arc<dyn EventSink>,
}

/// What is believed of trusted proxies.
#[derive(Debug)]
struct Behind {
    proxies: TrustedProxies,
    header: IdentityHeader,
    grants: GrantHeaders,
}

/// Where the caller's certificate is to be found in a request.
enum Source<'a> {
    /// Nowhere.
    Nowhere,
    /// There is one, and it may be a proxy's own.
    OfUnknownPeer,
    /// On the connection.
    Connection(&'a dyn TlsPeer),
    /// In a field that a trusted proxy set.
    Header(&'a Behind),
}

impl CertificateAuthenticator {
    /// Accepts identities by `rule`. Say next where certificates come from.
    pub fn builder(rule: IdentityRule) -> CertificateAuthenticatorBuilder {
        CertificateAuthenticatorBuilder::new(rule)
    }

    /// Whether the request presents a certificate that is meant for this authenticator, good or bad.
    #[must_use]
    pub fn presented(&self, view: &RequestView<'_>) -> bool {
        match self.0.source(view) {
            Source::Nowhere => false,
            Source::OfUnknownPeer | Source::Connection(_) | Source::Header(_) => true,
        }
    }

    /// The challenge for requests without a certificate. HTTP has no scheme for certificates: the
    /// handshake is what asks for them.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        Challenge::new(&self.0.realm)
    }

    /// The header fields, in lower case, that are believed from trusted proxies: they have to be
    /// removed from everybody else's requests before a handler sees them.
    #[must_use]
    pub fn header_names(&self) -> Vec<Box<str>> {
        let Some(behind) = &self.0.behind else {
            return Vec::new();
        };
        behind
            .header
            .header_names()
            .chain(behind.grants.names())
            .map(Box::from)
            .collect()
    }

    /// Authenticates the request. The answer is there at once.
    pub fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<VerifiedPrincipal, Denial>> {
        let inner = &self.0;
        let at = inner.clock.now().ok();
        let report = Report {
            at,
            source: view.client_address,
        };
        let answer = inner
            .principal(view, at)
            .map(|principal| VerifiedPrincipal::attest(principal, Attest::i_have_verified_this()))
            .map_err(|refusal| inner.refuse(report, refusal));
        if let Ok(principal) = &answer {
            let mut event = report.event(
                EventKind::AuthenticationSucceeded,
                "the certificate was verified",
            );
            event.principal = Some(principal.clone());
            inner.events.emit(event);
        }
        Step::Done(answer)
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    Missing,
    UnknownPeer,
    Untrusted,
    Expired,
    Identity(IdentityError),
    Grants(&'static str),
    Unmapped,
    ClockUnavailable,
}

impl From<IdentityError> for Refusal {
    fn from(error: IdentityError) -> Self {
        Self::Identity(error)
    }
}

impl Inner {
    fn source<'a>(&'a self, view: &RequestView<'a>) -> Source<'a> {
        if let Some(behind) = &self.behind {
            let Some(peer) = view.socket_peer else {
                return match view.tls_peer {
                    Some(_) if self.direct => Source::OfUnknownPeer,
                    Some(_) | None => Source::Nowhere,
                };
            };
            if behind.proxies.trusts(peer.ip()) {
                return if behind.header.is_presented(view) {
                    Source::Header(behind)
                } else {
                    Source::Nowhere
                };
            }
        }
        match view.tls_peer {
            Some(peer) if self.direct => Source::Connection(peer),
            Some(_) | None => Source::Nowhere,
        }
    }

    fn principal(
        &self,
        view: &RequestView<'_>,
        now: Option<Timestamp>,
    ) -> Result<Principal, Refusal> {
        let (names, behind) = match self.source(view) {
            Source::Nowhere => return Err(Refusal::Missing),
            Source::OfUnknownPeer => return Err(Refusal::UnknownPeer),
            Source::Connection(peer) => {
                let now = now.ok_or(Refusal::ClockUnavailable)?;
                (of_connection(peer, now)?, None)
            }
            Source::Header(behind) => (behind.header.read(view)?, Some(behind)),
        };
        let now = now.ok_or(Refusal::ClockUnavailable)?;
        // The handshake may be hours ago, on the proxy's side too.
        if names.is_valid_at(now) == Some(false) {
            return Err(Refusal::Expired);
        }
        let identity = names.identity(&self.rule)?;
        let mut principal = self
            .principals
            .get(&identity)
            .ok_or(Refusal::Unmapped)?
            .clone();
        if let Some(behind) = behind {
            let granted = behind.grants.add_to(&mut principal, view);
            granted.map_err(Refusal::Grants)?;
        }
        principal.authentication = authentication(&names);
        Ok(principal)
    }

    fn refuse(&self, report: Report, refusal: Refusal) -> Denial {
        let unauthenticated = || Denial::unauthenticated(&self.realm);
        let malformed = || Denial::Malformed { challenge: None };
        let (kind, cause, denial) = match refusal {
            Refusal::Missing => (
                EventKind::CredentialsMissing,
                "no client certificate was presented",
                unauthenticated(),
            ),
            Refusal::UnknownPeer => (
                EventKind::AuthenticationFailed,
                "the address of the peer is unknown, so its certificate may be a proxy's",
                unauthenticated(),
            ),
            Refusal::Untrusted => (
                EventKind::AuthenticationFailed,
                "the certificate is no longer trusted",
                unauthenticated(),
            ),
            Refusal::Expired => (
                EventKind::AuthenticationFailed,
                "the certificate is not valid at this time",
                unauthenticated(),
            ),
            Refusal::Identity(error) if error.is_malformed() => {
                (EventKind::CredentialsAmbiguous, error.as_str(), malformed())
            }
            Refusal::Identity(error) => (
                EventKind::AuthenticationFailed,
                error.as_str(),
                unauthenticated(),
            ),
            Refusal::Grants(cause) => (EventKind::CredentialsAmbiguous, cause, malformed()),
            Refusal::Unmapped => (
                EventKind::AuthenticationFailed,
                "the identity of the certificate is not mapped to a principal",
                Denial::Forbidden { challenge: None },
            ),
            Refusal::ClockUnavailable => (
                EventKind::ClockUnavailable,
                "the wall clock is not available",
                Denial::Unavailable {
                    retry_after: CLOCK_RETRY_AFTER,
                },
            ),
        };
        self.events.emit(report.event(kind, cause));
        denial
    }
}

/// How long to wait when the clock cannot tell the time.
const CLOCK_RETRY_AFTER: Duration = Duration::from_secs(5);

/// The names in the certificate of a connection, which was verified when the connection began and is
/// asked about again: roots are removed, and certificates end, while connections go on.
fn of_connection(peer: &dyn TlsPeer, now: Timestamp) -> Result<CertificateNames, Refusal> {
    if !peer.is_trusted(now) {
        return Err(Refusal::Untrusted);
    }
    let leaf = peer.chain().first().ok_or(Refusal::Untrusted)?;
    Ok(CertificateNames::from_der(leaf)?)
}

fn authentication(names: &CertificateNames) -> Authentication {
    let mut authentication = Authentication::new(AuthenticationMethod::MutualTls);
    authentication.expires_at = names.expires_at();
    authentication.credential_id = names
        .fingerprint()
        .map(|digest| crate::hex::encode(digest).into());
    authentication
}

#[derive(Clone, Copy)]
struct Report {
    at: Option<Timestamp>,
    source: Option<IpAddr>,
}

impl Report {
    fn event(self, kind: EventKind, cause: &'static str) -> SecurityEvent {
        let mut event = SecurityEvent::new(kind, cause);
        event.at = self.at;
        event.source = self.source;
        event
    }
}

impl fmt::Debug for CertificateAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthenticator")
            .field("rule", &self.0.rule)
            .field("direct", &self.0.direct)
            .field("behind", &self.0.behind)
            .field("principals", &self.0.principals.len())
            .finish_non_exhaustive()
    }
}
