//! The one name that counts.

use core::fmt;

use crate::certificate::{CommonName, DnsName};
use crate::spiffe_id::SpiffeId;

/// Who a certificate is about: its one name of the kind that counts.
///
/// Identities of different kinds are never equal, even when they read the same: a host and a common
/// name `payments` were vouched for under other rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertificateIdentity {
    /// A workload, by the URI in its X.509-SVID.
    Spiffe(SpiffeId),
    /// A host, by its DNS name.
    Dns(DnsName),
    /// Whoever has this common name.
    CommonName(CommonName),
}

/// The kinds of [`CertificateIdentity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentityKind {
    /// A SPIFFE id.
    Spiffe,
    /// A DNS name.
    Dns,
    /// A common name.
    CommonName,
}

impl IdentityKind {
    /// The stable lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spiffe => "spiffe",
            Self::Dns => "dns",
            Self::CommonName => "common_name",
        }
    }
}

impl CertificateIdentity {
    /// Which kind of name it is.
    #[must_use]
    pub const fn kind(&self) -> IdentityKind {
        match self {
            Self::Spiffe(_) => IdentityKind::Spiffe,
            Self::Dns(_) => IdentityKind::Dns,
            Self::CommonName(_) => IdentityKind::CommonName,
        }
    }

    /// The text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Spiffe(id) => id.as_str(),
            Self::Dns(name) => name.as_str(),
            Self::CommonName(name) => name.as_str(),
        }
    }
}

/// The text of the name. It does not say of which kind it is.
impl fmt::Display for CertificateIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<SpiffeId> for CertificateIdentity {
    fn from(id: SpiffeId) -> Self {
        Self::Spiffe(id)
    }
}

impl From<DnsName> for CertificateIdentity {
    fn from(name: DnsName) -> Self {
        Self::Dns(name)
    }
}

impl From<CommonName> for CertificateIdentity {
    fn from(name: CommonName) -> Self {
        Self::CommonName(name)
    }
}
