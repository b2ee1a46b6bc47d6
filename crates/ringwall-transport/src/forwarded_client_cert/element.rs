//! What is said about the certificate of one hop.

use core::fmt;

use crate::certificate::{CertificateNames, IdentityError, from_url_encoded_pem, sha256};
use crate::subject::SubjectName;

/// What a proxy said about the certificate of its client.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ForwardedElement {
    pub(crate) by: Vec<Box<str>>,
    pub(crate) hash: Option<[u8; 32]>,
    pub(crate) certificate: Option<Box<str>>,
    pub(crate) chain: Option<Box<str>>,
    pub(crate) subject: Option<Box<str>>,
    pub(crate) uris: Vec<Box<str>>,
    pub(crate) dns: Vec<Box<str>>,
}

impl ForwardedElement {
    /// The URIs of the proxy's own certificate (`By`).
    pub fn by(&self) -> impl Iterator<Item = &str> {
        self.by.iter().map(|uri| &**uri)
    }

    /// The SHA-256 digest of the client's certificate (`Hash`).
    #[must_use]
    pub const fn hash(&self) -> Option<&[u8; 32]> {
        self.hash.as_ref()
    }

    /// The client's certificate in percent-encoded PEM (`Cert`).
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// The client's chain in percent-encoded PEM (`Chain`).
    #[must_use]
    pub fn chain(&self) -> Option<&str> {
        self.chain.as_deref()
    }

    /// The subject as RFC 2253 has it (`Subject`), its escapes as they are. Empty when the certificate
    /// has none.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The URIs among the alternative names (`URI`). One empty text when there is none and Envoy
    /// was to write them.
    pub fn uris(&self) -> impl Iterator<Item = &str> {
        self.uris.iter().map(|uri| &**uri)
    }

    /// The DNS names among the alternative names (`DNS`).
    pub fn dns(&self) -> impl Iterator<Item = &str> {
        self.dns.iter().map(|name| &**name)
    }

    /// The names by which the client can be identified.
    ///
    /// With the certificate itself (`Cert`), they are read from it, and its digest has to be `Hash`,
    /// so that a `Cert` which an unquoted name pretends is found out. Without it, they are what the
    /// proxy wrote, dates are unknown, and `URI` and `DNS` beside each other identify nobody.
    ///
    /// # Errors
    ///
    /// [`IdentityError::HashMismatch`], [`IdentityError::EncodingMalformed`],
    /// [`IdentityError::SubjectMalformed`], and those of [`CertificateNames::from_der`].
    pub fn names(&self) -> Result<CertificateNames, IdentityError> {
        if let Some(certificate) = &self.certificate {
            let der = from_url_encoded_pem(certificate.as_bytes())?;
            if self.hash.is_some_and(|hash| hash != sha256(&der)) {
                return Err(IdentityError::HashMismatch);
            }
            return CertificateNames::from_der(&der);
        }
        let subject = SubjectName::parse(self.subject.as_deref().unwrap_or_default())?;
        let mut names = CertificateNames::from_subject(&subject);
        names.fingerprint = self.hash;
        // A single empty URI says that there is none. An empty one beside another is the beginning
        // of a certificate's `;URI=spiffe://…`: it counts.
        if self.uris.len() > 1 || self.uris().any(|uri| !uri.is_empty()) {
            for uri in self.uris() {
                names.uris.add(Some(uri));
            }
            names.has_alternatives = true;
        }
        // `URI=spiffe://prod.example/web;DNS=x` may be one URI, and `URI=;DNS=x` too.
        names.run_together = !self.uris.is_empty() && !self.dns.is_empty();
        for name in self.dns() {
            names.dns.add(Some(name));
            names.has_alternatives = true;
        }
        Ok(names)
    }
}

/// The header value that Envoy writes for it.
impl fmt::Display for ForwardedElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut pair = |key: &str, value: fmt::Arguments<'_>| {
            let written = write!(f, "{separator}{key}={value}");
            separator = ";";
            written
        };
        for uri in &self.by {
            pair("By", format_args!("{}", MaybeQuoted(uri)))?;
        }
        if let Some(hash) = &self.hash {
            pair("Hash", format_args!("{}", Hex(hash)))?;
        }
        if let Some(certificate) = &self.certificate {
            pair("Cert", format_args!("\"{certificate}\""))?;
        }
        if let Some(chain) = &self.chain {
            pair("Chain", format_args!("\"{chain}\""))?;
        }
        if let Some(subject) = &self.subject {
            pair("Subject", format_args!("\"{subject}\""))?;
        }
        for uri in &self.uris {
            pair("URI", format_args!("{uri}"))?;
        }
        for name in &self.dns {
            pair("DNS", format_args!("{name}"))?;
        }
        Ok(())
    }
}

/// In quotes where the documentation asks for them.
struct MaybeQuoted<'a>(&'a str);

impl fmt::Display for MaybeQuoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains([',', ';', ' ']) {
            write!(f, "\"{}\"", self.0)
        } else {
            f.write_str(self.0)
        }
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The certificates by their length alone: they are long.
impl fmt::Debug for ForwardedElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardedElement")
            .field("by", &self.by)
            .field(
                "hash",
                &self.hash.as_ref().map(|hash| Hex(hash).to_string()),
            )
            .field(
                "certificate",
                &self.certificate.as_ref().map(|text| text.len()),
            )
            .field("chain", &self.chain.as_ref().map(|text| text.len()))
            .field("subject", &self.subject)
            .field("uris", &self.uris)
            .field("dns", &self.dns)
            .finish()
    }
}
