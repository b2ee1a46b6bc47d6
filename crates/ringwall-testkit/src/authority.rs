//! An authority that signs client certificates for tests.

use core::fmt;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use ringwall_core::clock::Timestamp;

use crate::certificate::{FakeCertificate, Trust};
use crate::failure::must;

/// 2027-01-01 and 2027-02-01: the clock of a kit starts between them, on 2027-01-15.
const FROM: (i32, u8, u8) = (2027, 1, 1);
const UNTIL: (i32, u8, u8) = (2027, 2, 1);
const FROM_SECONDS: i64 = 1_798_761_600;
const UNTIL_SECONDS: i64 = 1_801_440_000;

/// An authority that signs client certificates (ECDSA P-256), good through January 2027, where the
/// clock of a [`Kit`](crate::Kit) starts.
///
/// ```
/// use ringwall_testkit::FakeAuthority;
///
/// let authority = FakeAuthority::new();
/// let billing = authority.certificate().spiffe_id("spiffe://example.org/billing").issue();
/// ```
pub struct FakeAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    trust: Arc<Trust>,
}

/// What a certificate is to say; end with [`issue`](Self::issue).
#[derive(Clone, Debug)]
#[must_use = "a draft is no certificate until it is issued"]
pub struct CertificateDraft<'a> {
    authority: &'a FakeAuthority,
    names: Vec<Name>,
}

#[derive(Clone, Debug)]
enum Name {
    Uri(String),
    Dns(String),
    Common(String),
}

impl FakeAuthority {
    /// An authority with a new key, which is trusted.
    ///
    /// # Panics
    ///
    /// When the system gives no random bytes.
    #[track_caller]
    #[must_use]
    pub fn new() -> Self {
        let key = must(KeyPair::generate(), "no key can be made");
        let mut params = params();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, "Ringwall test authority");
        params.distinguished_name = name;
        Self {
            issuer: must(CertifiedIssuer::self_signed(params, key), "the authority"),
            trust: Arc::default(),
        }
    }

    /// Begins a client certificate.
    pub const fn certificate(&self) -> CertificateDraft<'_> {
        CertificateDraft {
            authority: self,
            names: Vec::new(),
        }
    }

    /// Its own certificate (DER): what a service trusts.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        self.issuer.der()
    }

    /// Removes it from what is trusted (`false`), or puts it back (`true`): for all certificates that
    /// it signed, on running connections too.
    pub fn set_trusted(&self, is_trusted: bool) {
        self.trust.set(is_trusted);
    }
}

impl Default for FakeAuthority {
    fn default() -> Self {
        Self::new()
    }
}

impl CertificateDraft<'_> {
    /// Adds a URI to the subject's alternative names, such as a SPIFFE id.
    pub fn spiffe_id(mut self, id: &str) -> Self {
        self.names.push(Name::Uri(id.to_owned()));
        self
    }

    /// Adds a DNS name to the subject's alternative names.
    pub fn dns(mut self, name: &str) -> Self {
        self.names.push(Name::Dns(name.to_owned()));
        self
    }

    /// Sets the subject's common name.
    pub fn common_name(mut self, name: &str) -> Self {
        self.names.push(Name::Common(name.to_owned()));
        self
    }

    /// Signs the certificate.
    ///
    /// # Panics
    ///
    /// When a name cannot stand in a certificate, or the system gives no random bytes.
    #[track_caller]
    #[must_use]
    pub fn issue(&self) -> FakeCertificate {
        let key = must(KeyPair::generate(), "no key can be made");
        let mut params = params();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.distinguished_name = DistinguishedName::new();
        let mut about = Vec::new();
        for name in &self.names {
            about.push(name.text());
            match name {
                Name::Uri(id) => {
                    let id = must(id.as_str().try_into(), "the URI of the certificate");
                    params.subject_alt_names.push(SanType::URI(id));
                }
                Name::Dns(dns) => {
                    let dns = must(dns.as_str().try_into(), "the name of the certificate");
                    params.subject_alt_names.push(SanType::DnsName(dns));
                }
                Name::Common(text) => params
                    .distinguished_name
                    .push(DnType::CommonName, text.as_str()),
            }
        }
        let signed = must(
            params.signed_by(&key, &self.authority.issuer),
            "the certificate",
        );
        let chain = vec![signed.der().to_vec(), self.authority.root().to_vec()];
        let at = |seconds| Timestamp::from_unix_seconds(seconds);
        let validity = at(FROM_SECONDS).zip(at(UNTIL_SECONDS));
        let trust = Arc::clone(&self.authority.trust);
        FakeCertificate::new(chain, &about.join(" "), validity, trust)
    }
}

impl Name {
    fn text(&self) -> &str {
        match self {
            Self::Uri(text) | Self::Dns(text) | Self::Common(text) => text,
        }
    }
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    let (year, month, day) = FROM;
    params.not_before = date_time_ymd(year, month, day);
    let (year, month, day) = UNTIL;
    params.not_after = date_time_ymd(year, month, day);
    params
}

impl fmt::Debug for FakeAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeAuthority")
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}
