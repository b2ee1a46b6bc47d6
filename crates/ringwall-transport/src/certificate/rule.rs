//! Which kind of name counts.

use crate::certificate::IdentityKind;
use crate::spiffe_id::TrustDomain;

/// Which kinds of names identify a caller, and in which trust domains.
///
/// Of a certificate with names of several accepted kinds the strongest kind counts: a SPIFFE id, then
/// a DNS name, then a common name. It alone is judged: where it is not acceptable, the caller is
/// refused, and no weaker name takes its place.
///
/// ```
/// use ringwall_transport::{IdentityRule, TrustDomain};
///
/// let mesh = IdentityRule::spiffe(TrustDomain::new("prod.example")?);
/// let with_legacy = mesh.clone().or_dns();
/// assert_ne!(mesh, with_legacy);
/// # Ok::<(), ringwall_transport::IdentityError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRule {
    trust_domains: Vec<TrustDomain>,
    dns: bool,
    common_name: bool,
}

impl IdentityRule {
    /// SPIFFE ids of `trust_domain`. Whoever signed for an id of another one, it is refused: a root
    /// that is trusted for one domain does not speak for all of them.
    ///
    /// With several trust domains, each of their roots can sign for all of the accepted domains, since
    /// a TLS handshake knows roots and no domains. Accept two domains only where both sets of roots
    /// have the same owner.
    #[must_use]
    pub fn spiffe(trust_domain: TrustDomain) -> Self {
        Self {
            trust_domains: vec![trust_domain],
            dns: false,
            common_name: false,
        }
    }

    /// DNS names among the alternative names.
    #[must_use]
    pub const fn dns() -> Self {
        Self {
            trust_domains: Vec::new(),
            dns: true,
            common_name: false,
        }
    }

    /// Common names, of certificates without any alternative name. RFC 9525 §2 has given common names
    /// up, because nothing says what they mean; RFC 6125 §6.4.4 let them count as a last resort, where
    /// there is no alternative name. Use it for authorities of your own alone.
    #[must_use]
    pub const fn common_name() -> Self {
        Self {
            trust_domains: Vec::new(),
            dns: false,
            common_name: true,
        }
    }

    /// Also SPIFFE ids of `trust_domain`.
    #[must_use]
    pub fn or_spiffe(mut self, trust_domain: TrustDomain) -> Self {
        if !self.trusts(trust_domain.as_str()) {
            self.trust_domains.push(trust_domain);
        }
        self
    }

    /// Also DNS names, of certificates without a SPIFFE id.
    #[must_use]
    pub const fn or_dns(mut self) -> Self {
        self.dns = true;
        self
    }

    /// Also common names, as [`common_name`](Self::common_name) has them.
    #[must_use]
    pub const fn or_common_name(mut self) -> Self {
        self.common_name = true;
        self
    }

    /// Whether names of `kind` can identify a caller at all.
    #[must_use]
    pub const fn accepts(&self, kind: IdentityKind) -> bool {
        match kind {
            IdentityKind::Spiffe => !self.trust_domains.is_empty(),
            IdentityKind::Dns => self.dns,
            IdentityKind::CommonName => self.common_name,
        }
    }

    /// Whether `trust_domain` is an accepted one.
    #[must_use]
    pub fn trusts(&self, trust_domain: &str) -> bool {
        self.trust_domains
            .iter()
            .any(|accepted| accepted.as_str() == trust_domain)
    }
}
