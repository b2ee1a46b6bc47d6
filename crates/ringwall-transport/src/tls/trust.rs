//! Whose client certificates are accepted.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::dates::Window;
use super::error::{TlsFault, TlsProblem};
use super::pem::{Content, Pem};
use super::roots::{RootSources, Roots};

/// Whether clients show certificates, and whose are accepted.
///
/// A certificate is accepted when it leads to one of the roots, is within its dates, is not that of an
/// authority, and is not limited to other uses than client authentication. Whom it names is not looked
/// at here.
///
/// ```
/// use ringwall_transport::ClientTrust;
///
/// let trust = ClientTrust::required(["/etc/service/clients-ca.crt"])
///     .revocation_lists(["/etc/service/clients.crl"]);
/// ```
#[derive(Clone, Debug)]
pub struct ClientTrust {
    demand: Demand,
    sources: RootSources,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    Nothing,
    Optional,
    Required,
}

impl ClientTrust {
    /// Clients are not asked for certificates.
    #[must_use]
    pub fn none() -> Self {
        Self {
            demand: Demand::Nothing,
            sources: RootSources::default(),
        }
    }

    /// A handshake without a certificate that leads to one of these roots fails.
    ///
    /// Each root must be the certificate of an authority. Its dates are not checked: a root is trusted
    /// because it stands here, and for as long as it does (RFC 5280 §6.1.1 knows no end of a trust
    /// anchor). One outside its dates is reported.
    #[must_use]
    pub fn required<R: Into<Pem>>(roots: impl IntoIterator<Item = R>) -> Self {
        Self::demanding(Demand::Required, roots)
    }

    /// Clients may come without a certificate; one that is shown must lead to one of these roots, as
    /// in [`ClientTrust::required`].
    #[must_use]
    pub fn optional<R: Into<Pem>>(roots: impl IntoIterator<Item = R>) -> Self {
        Self::demanding(Demand::Optional, roots)
    }

    fn demanding<R: Into<Pem>>(demand: Demand, roots: impl IntoIterator<Item = R>) -> Self {
        Self {
            demand,
            sources: RootSources {
                roots: roots.into_iter().map(Into::into).collect(),
                ..RootSources::default()
            },
        }
    }

    /// Certificates that these lists revoke are refused.
    ///
    /// With lists, every certificate of a chain but the root needs one of its issuer, and a list whose
    /// next update is overdue accepts nobody, because whoever can keep a new list away could keep a
    /// revoked certificate alive. Both can be loosened by name.
    #[must_use]
    pub fn revocation_lists<R: Into<Pem>>(mut self, lists: impl IntoIterator<Item = R>) -> Self {
        self.sources.lists.extend(lists.into_iter().map(Into::into));
        self
    }

    /// Loosens: a revocation list counts although its next update is overdue.
    #[must_use]
    pub const fn accept_outdated_revocation_lists(mut self) -> Self {
        self.sources.revocation.outdated = true;
        self
    }

    /// Loosens: a certificate is accepted although no list of its issuer is there.
    #[must_use]
    pub const fn accept_unlisted_issuers(mut self) -> Self {
        self.sources.revocation.missing = true;
        self
    }

    pub(crate) fn sources(&self) -> Vec<(Pem, usize)> {
        match self.demand {
            Demand::Nothing => Vec::new(),
            Demand::Optional | Demand::Required => self.sources.sources(),
        }
    }
}

/// A [`ClientTrust`] in force.
pub(crate) struct Trust {
    /// No two in this process have the same, so that a verdict never counts for another trust.
    pub(crate) generation: u64,
    demand: Demand,
    roots: Option<Roots>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

static GENERATIONS: AtomicU64 = AtomicU64::new(1);

impl Trust {
    /// Reads what `contents` holds for the sources of `config`, in the same order.
    pub(crate) fn parse(
        config: &ClientTrust,
        contents: &[Content],
        provider: &Arc<CryptoProvider>,
        now: i64,
    ) -> Result<Self, Vec<TlsProblem>> {
        let (roots, verifier) = match config.demand {
            Demand::Nothing => (None, None),
            Demand::Optional | Demand::Required => {
                let roots = Roots::parse(&config.sources, contents, now)?;
                let verifier = verifier(&roots, config.demand, provider)?;
                (Some(roots), Some(verifier))
            }
        };
        Ok(Self {
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
            demand: config.demand,
            roots,
            verifier,
        })
    }

    /// Whether the two accept the same clients.
    pub(crate) fn accepts_the_same(&self, other: &Self) -> bool {
        self.demand == other.demand && self.roots == other.roots
    }

    pub(crate) const fn roots(&self) -> Option<&Roots> {
        self.roots.as_ref()
    }

    pub(crate) const fn verifier(&self) -> Option<&Arc<dyn ClientCertVerifier>> {
        self.verifier.as_ref()
    }

    /// Whether a client without a certificate is accepted.
    pub(crate) fn accepts_nobody_known(&self) -> bool {
        self.demand != Demand::Required
    }

    /// Whether a handshake with `chain` would succeed in the second `now`.
    pub(crate) fn accepts(&self, chain: &[Vec<u8>], now: i64) -> bool {
        let (Some(verifier), Some((leaf, rest)), Ok(now)) =
            (&self.verifier, chain.split_first(), u64::try_from(now))
        else {
            return false;
        };
        let rest: Vec<_> = rest
            .iter()
            .map(|certificate| CertificateDer::from(certificate.as_slice()))
            .collect();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        verifier
            .verify_client_cert(&CertificateDer::from(leaf.as_slice()), &rest, now)
            .is_ok()
    }

    /// The seconds around `now` in which a verdict about a chain with these `edges` stays the same.
    pub(crate) fn window(&self, edges: Option<&[i64]>, now: i64) -> Window {
        let Some(edges) = edges else {
            return Window::only(now);
        };
        let lists = self.roots.iter().flat_map(|roots| &roots.edges);
        Window::around(now, edges.iter().chain(lists))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("generation", &self.generation)
            .field("demand", &self.demand)
            .field("roots", &self.roots)
            .finish_non_exhaustive()
    }
}

fn verifier(
    roots: &Roots,
    demand: Demand,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Vec<TlsProblem>> {
    let mut builder =
        WebPkiClientVerifier::builder_with_provider(roots.store(), Arc::clone(provider))
            .with_crls(roots.lists());
    if demand == Demand::Optional {
        builder = builder.allow_unauthenticated();
    }
    if !roots.revocation.outdated {
        builder = builder.enforce_revocation_expiration();
    }
    if roots.revocation.missing {
        builder = builder.allow_unknown_revocation_status();
    }
    // Roots are there and were parsed: what is left to fail are the lists.
    builder.build().map_err(|_| {
        vec![TlsProblem::new(
            "revocation lists",
            TlsFault::MalformedRevocationList,
        )]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody can tell when such a verdict changes, so it is found anew each second.
    #[test]
    fn a_verdict_about_what_cannot_be_read_is_good_for_a_second() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let trust = Trust::parse(&ClientTrust::none(), &[], &provider, 5).expect("no trust");
        assert_eq!(trust.window(None, 5), Window::only(5));
        assert_eq!(trust.window(Some(&[3, 9]), 5), Window { from: 3, until: 9 });
    }

    #[test]
    fn nobody_is_accepted_where_no_trust_is() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let trust = Trust::parse(&ClientTrust::none(), &[], &provider, 5).expect("no trust");
        assert!(!trust.accepts(&[vec![0x30]], 5) && !trust.accepts(&[], 5));
    }
}
