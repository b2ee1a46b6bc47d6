//! Why a certificate or a header field yields no identity.

use core::fmt;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)+) => {
        /// Why nobody was identified. Its texts are fixed, so that they can be counted and alerted on,
        /// and hold no input. They are for operators: what a caller hears is one and the same refusal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum IdentityError {
            $($(#[$doc])* $name,)+
        }

        impl IdentityError {
            /// The fixed text of the cause.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

errors! {
    /// The text is no SPIFFE id of a workload.
    SpiffeId => "the text is not the SPIFFE id of a workload",
    /// The text is no trust domain.
    TrustDomain => "the text is not a trust domain",
    /// The text is no DNS name of one host.
    DnsName => "the text is not the DNS name of one host",
    /// The text is no acceptable common name.
    CommonName => "the text is not an acceptable common name",
    /// The text is no name of a header field, or one that is used already.
    HeaderName => "the text is not a usable name of a header field",
    /// The certificate cannot be parsed, or is longer than any sensible one.
    CertificateMalformed => "the certificate is malformed",
    /// The certificate can sign certificates or revocation lists: it is that of an authority, and an
    /// authority is no caller.
    Authority => "the certificate is that of an authority",
    /// The certificate holds no name of an accepted kind.
    Nameless => "the certificate has no name of an accepted kind",
    /// Several names of the kind that counts. Which of them is meant is not for us to guess.
    Ambiguous => "the certificate has several names of the kind that counts",
    /// The trust domain is not one of the accepted ones, whoever signed the certificate.
    ForeignTrustDomain => "the trust domain is not an accepted one",
    /// There are alternative names, beside which a common name says nothing.
    AlternativesPresent => "a common name does not count beside alternative names",
    /// URIs and DNS names, which a proxy wrote one behind the other without quotes: where one ends,
    /// nobody can tell. Let the proxy forward the certificate itself.
    NamesRunTogether => "forwarded URIs and DNS names cannot be told from each other",
    /// The header field is there several times.
    HeaderRepeated => "the identity header is there several times",
    /// The header field is longer than permitted.
    HeaderTooLong => "the identity header is too long",
    /// The header field is absent.
    HeaderMissing => "the identity header is absent",
    /// The header field does not hold one encoded certificate.
    EncodingMalformed => "the identity header does not hold one encoded certificate",
    /// The header field does not hold a distinguished name.
    SubjectMalformed => "the subject is not a well-formed distinguished name",
    /// The header field is not as Envoy writes it.
    ForwardedMalformed => "the forwarded client certificate is malformed",
    /// One element for each of several hops, where one is expected.
    SeveralHops => "the forwarded client certificate speaks of several hops",
    /// The certificate in the field is not the one whose digest stands beside it.
    HashMismatch => "the forwarded certificate and its hash do not belong together",
    /// The certificate itself was to be forwarded, and was not.
    CertificateMissing => "the certificate itself was not forwarded",
    /// The proxy did not say whether it verified the certificate.
    VerdictMissing => "the verdict on the certificate is absent",
    /// The proxy's verdict is there several times.
    VerdictRepeated => "the verdict on the certificate is there several times",
    /// The proxy says that it could not verify the certificate.
    NotVerified => "the certificate was not verified by the proxy",
}

impl IdentityError {
    /// Whether the request itself is ill-formed, rather than the caller not acceptable: answer 400,
    /// not 401.
    #[must_use]
    pub const fn is_malformed(self) -> bool {
        match self {
            Self::HeaderRepeated
            | Self::HeaderTooLong
            | Self::EncodingMalformed
            | Self::SubjectMalformed
            | Self::ForwardedMalformed
            | Self::SeveralHops
            | Self::VerdictRepeated => true,
            Self::SpiffeId
            | Self::TrustDomain
            | Self::DnsName
            | Self::CommonName
            | Self::HeaderName
            | Self::CertificateMalformed
            | Self::Authority
            | Self::Nameless
            | Self::Ambiguous
            | Self::ForeignTrustDomain
            | Self::AlternativesPresent
            | Self::NamesRunTogether
            | Self::HeaderMissing
            | Self::HashMismatch
            | Self::CertificateMissing
            | Self::VerdictMissing
            | Self::NotVerified => false,
        }
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for IdentityError {}
