//! Client certificates that nobody has to own.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::request::TlsPeer;

/// A client certificate that a handshake is taken to have verified, until
/// [`distrust`](Self::distrust) says that its root was removed.
///
/// Its bytes are yours here ([`from_der`](Self::from_der)). With the feature `certificates`,
/// `FakeAuthority` makes real ones. Cloning shares it.
#[derive(Clone)]
pub struct FakeCertificate(Arc<Inner>);

struct Inner {
    chain: Vec<Vec<u8>>,
    about: Box<str>,
    /// `None` when it holds at every time.
    validity: Option<(Timestamp, Timestamp)>,
    trust: Arc<Trust>,
}

/// What the operator of the service trusts: certificates of one authority share it.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    /// Odd as long as the authority is not trusted.
    generation: AtomicU64,
}

impl Trust {
    pub(crate) fn set(&self, is_trusted: bool) {
        if self.holds() != is_trusted {
            self.generation.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn holds(&self) -> bool {
        self.generation.load(Ordering::SeqCst) & 1 == 0
    }
}

impl FakeCertificate {
    /// A certificate of these bytes, good at every time.
    #[must_use]
    pub fn from_der(certificate: impl Into<Vec<u8>>) -> Self {
        let chain = vec![certificate.into()];
        Self::new(chain, "of given bytes", None, Arc::default())
    }

    pub(crate) fn new(
        chain: Vec<Vec<u8>>,
        about: &str,
        validity: Option<(Timestamp, Timestamp)>,
        trust: Arc<Trust>,
    ) -> Self {
        Self(Arc::new(Inner {
            chain,
            about: about.into(),
            validity,
            trust,
        }))
    }

    /// Removes the root of the certificate from what is trusted, on running connections too; all
    /// certificates of the same authority fall with it.
    pub fn distrust(&self) {
        self.0.trust.set(false);
    }

    /// Trusts the root again.
    pub fn trust(&self) {
        self.0.trust.set(true);
    }

    /// The certificate as connections know it.
    #[must_use]
    pub fn peer(&self) -> Arc<dyn TlsPeer> {
        Arc::new(self.clone())
    }
}

impl TlsPeer for FakeCertificate {
    fn chain(&self) -> &[Vec<u8>] {
        &self.0.chain
    }

    fn trust_generation(&self) -> u64 {
        self.0.trust.generation.load(Ordering::SeqCst)
    }

    fn is_trusted(&self, now: Timestamp) -> bool {
        let holds = |(from, until): (Timestamp, Timestamp)| from <= now && now <= until;
        self.0.trust.holds() && self.0.validity.is_none_or(holds)
    }
}

/// Such as `certificate spiffe://example.org/billing`.
impl fmt::Display for FakeCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate {}", self.0.about)?;
        if !self.0.trust.holds() {
            f.write_str(", no longer trusted")?;
        }
        Ok(())
    }
}

impl fmt::Debug for FakeCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FakeCertificate({self})")
    }
}
