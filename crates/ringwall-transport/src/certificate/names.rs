//! The names in a certificate.

use core::fmt;

use ringwall_core::clock::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_KEY_USAGE, OID_X509_EXT_SUBJECT_ALT_NAME,
};
use x509_parser::prelude::FromDer as _;

use crate::certificate::{
    CertificateIdentity, CommonName, DnsName, IdentityError, IdentityKind, IdentityRule,
};
use crate::spiffe_id::SpiffeId;
use crate::subject::SubjectName;

/// The names in a client certificate that somebody else verified: the handshake of this process, or
/// a proxy.
///
/// It says nothing about trust. Read it from what a handshake verified, or from a header field of a
/// trusted proxy ([`IdentityHeader`](crate::IdentityHeader)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateNames {
    pub(crate) uris: Candidates,
    pub(crate) dns: Candidates,
    pub(crate) common_names: Candidates,
    /// Whether there is an alternative name of any kind, such as a mail address.
    pub(crate) has_alternatives: bool,
    /// Whether URIs and DNS names were forwarded in a way that does not tell where one ends.
    pub(crate) run_together: bool,
    pub(crate) validity: Option<(Timestamp, Timestamp)>,
    pub(crate) fingerprint: Option<[u8; 32]>,
}

/// The names of one kind: how many there are, and the one if it is one.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Candidates {
    only: Option<Box<str>>,
    count: usize,
    /// Whether one of them is a SPIFFE id, or means to be one.
    has_spiffe: bool,
}

impl Candidates {
    /// One more. `None` for a name that is there and cannot be read.
    pub(crate) fn add(&mut self, text: Option<&str>) {
        self.has_spiffe |= text.is_some_and(is_spiffe_scheme);
        self.only = match self.count {
            0 => text.map(Box::from),
            _ => None,
        };
        self.count = self.count.saturating_add(1);
    }

    fn one(&self, unreadable: IdentityError) -> Result<&str, IdentityError> {
        match self.count {
            0 => Err(IdentityError::Nameless),
            1 => self.only.as_deref().ok_or(unreadable),
            _ => Err(IdentityError::Ambiguous),
        }
    }
}

impl fmt::Debug for Candidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.only, self.count) {
            (Some(only), _) => fmt::Debug::fmt(only, f),
            (None, count) => write!(f, "{count} names"),
        }
    }
}

/// Schemes are compared without case (RFC 3986 §3.1): a spelling that a SPIFFE id may not have does not
/// make it something else.
fn is_spiffe_scheme(uri: &str) -> bool {
    uri.as_bytes()
        .split_at_checked(7)
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case(b"spiffe:"))
}

impl CertificateNames {
    /// The longest certificate that is read, in bytes. A handshake permits 2^24; certificates with
    /// post-quantum keys and signatures have some 10,000.
    pub const MAX_CERTIFICATE_BYTES: usize = 65_536;

    /// Reads a leaf certificate in DER.
    ///
    /// A certificate that may sign others is refused: `cA` must not be true, and neither
    /// `keyCertSign` nor `cRLSign` may be set (X.509-SVID §5.2). Extensions that are there twice or
    /// cannot be read are refused too, since another reader may find something else in them.
    ///
    /// # Errors
    ///
    /// [`IdentityError::CertificateMalformed`], [`IdentityError::Authority`].
    pub fn from_der(leaf: &[u8]) -> Result<Self, IdentityError> {
        if leaf.len() > Self::MAX_CERTIFICATE_BYTES {
            return Err(IdentityError::CertificateMalformed);
        }
        let (rest, certificate) =
            X509Certificate::from_der(leaf).map_err(|_| IdentityError::CertificateMalformed)?;
        if !rest.is_empty() {
            return Err(IdentityError::CertificateMalformed);
        }
        if is_authority(&certificate)? {
            return Err(IdentityError::Authority);
        }
        let mut common_names = Candidates::default();
        for name in certificate.subject().iter_common_name() {
            // Only the types whose bytes are text: of the others nobody agrees what they read.
            common_names.add(name.as_str().ok());
        }
        let validity = certificate.validity();
        let time = |seconds| {
            Timestamp::from_unix_seconds(seconds).ok_or(IdentityError::CertificateMalformed)
        };
        let mut names = Self {
            uris: Candidates::default(),
            dns: Candidates::default(),
            common_names,
            has_alternatives: false,
            run_together: false,
            validity: Some((
                time(validity.not_before.timestamp())?,
                time(validity.not_after.timestamp())?,
            )),
            fingerprint: Some(sha256(leaf)),
        };
        names.add_alternatives(&certificate)?;
        Ok(names)
    }

    /// What a subject says that a proxy forwarded: its common names. Of alternative names, dates and
    /// the certificate itself nothing is known.
    pub(crate) fn from_subject(subject: &SubjectName) -> Self {
        let mut common_names = Candidates::default();
        for name in subject.common_names() {
            common_names.add(name);
        }
        Self {
            uris: Candidates::default(),
            dns: Candidates::default(),
            common_names,
            has_alternatives: false,
            run_together: false,
            validity: None,
            fingerprint: None,
        }
    }

    fn add_alternatives(&mut self, certificate: &X509Certificate<'_>) -> Result<(), IdentityError> {
        let malformed = IdentityError::CertificateMalformed;
        let extension = certificate
            .get_extension_unique(&OID_X509_EXT_SUBJECT_ALT_NAME)
            .map_err(|_| malformed)?;
        let Some(extension) = extension else {
            return Ok(());
        };
        let ParsedExtension::SubjectAlternativeName(alternatives) = extension.parsed_extension()
        else {
            return Err(malformed);
        };
        self.has_alternatives = true;
        for name in &alternatives.general_names {
            // Both are IA5Strings, which is to say ASCII; the parser also lets UTF-8 pass.
            if let GeneralName::URI(uri) = name {
                self.uris.add(Some(ascii(uri)?));
            } else if let GeneralName::DNSName(host) = name {
                self.dns.add(Some(ascii(host)?));
            } else if let GeneralName::Invalid(..) = name {
                return Err(malformed);
            }
        }
        Ok(())
    }

    /// The one name that counts under `rule`.
    ///
    /// - A SPIFFE id counts if it is the only URI (X.509-SVID §2), in one of the accepted trust
    ///   domains. DNS names may stand beside it.
    /// - A DNS name counts if it is the only one.
    /// - A common name counts if it is the only one and there is no alternative name at all.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Nameless`], [`IdentityError::Ambiguous`], and the error of the kind that
    /// counts.
    pub fn identity(&self, rule: &IdentityRule) -> Result<CertificateIdentity, IdentityError> {
        if self.run_together {
            return Err(IdentityError::NamesRunTogether);
        }
        if rule.accepts(IdentityKind::Spiffe) && self.uris.has_spiffe {
            let id = SpiffeId::new(self.uris.one(IdentityError::SpiffeId)?)?;
            if !rule.trusts(id.trust_domain()) {
                return Err(IdentityError::ForeignTrustDomain);
            }
            return Ok(id.into());
        }
        if rule.accepts(IdentityKind::Dns) && self.dns.count > 0 {
            let name = self.dns.one(IdentityError::DnsName)?;
            return Ok(DnsName::new(name)?.into());
        }
        if rule.accepts(IdentityKind::CommonName) && self.common_names.count > 0 {
            if self.has_alternatives {
                return Err(IdentityError::AlternativesPresent);
            }
            let name = self.common_names.one(IdentityError::CommonName)?;
            return Ok(CommonName::new(name)?.into());
        }
        Err(IdentityError::Nameless)
    }

    /// Whether `now` lies within the dates of the certificate, both inclusive (RFC 5280 §4.1.2.5), to the second.
    /// `None` when they are not known, because a proxy forwarded names alone.
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> Option<bool> {
        let (begin, end) = self.validity?;
        Some(begin <= now && now.unix_seconds() <= end.unix_seconds())
    }

    /// When the certificate ends (`notAfter`), if that is known.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.validity.map(|(_, end)| end)
    }

    /// The SHA-256 digest of the certificate, if it is known: its fingerprint.
    #[must_use]
    pub const fn fingerprint(&self) -> Option<&[u8; 32]> {
        self.fingerprint.as_ref()
    }
}

fn ascii(text: &str) -> Result<&str, IdentityError> {
    if text.is_ascii() {
        Ok(text)
    } else {
        Err(IdentityError::CertificateMalformed)
    }
}

fn is_authority(certificate: &X509Certificate<'_>) -> Result<bool, IdentityError> {
    let malformed = IdentityError::CertificateMalformed;
    let constraints = certificate
        .get_extension_unique(&OID_X509_EXT_BASIC_CONSTRAINTS)
        .map_err(|_| malformed)?;
    if let Some(extension) = constraints {
        let ParsedExtension::BasicConstraints(constraints) = extension.parsed_extension() else {
            return Err(malformed);
        };
        if constraints.ca {
            return Ok(true);
        }
    }
    let usage = certificate
        .get_extension_unique(&OID_X509_EXT_KEY_USAGE)
        .map_err(|_| malformed)?;
    if let Some(extension) = usage {
        let ParsedExtension::KeyUsage(usage) = extension.parsed_extension() else {
            return Err(malformed);
        };
        return Ok(usage.key_cert_sign() || usage.crl_sign());
    }
    Ok(false)
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut array = [0; 32];
    for (to, from) in array.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    array
}
