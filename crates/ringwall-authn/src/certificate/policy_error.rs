//! What can be wrong with the options of the authenticator.

/// Options that cannot be sound. Told to operators at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificatePolicyError {
    /// Neither the connection nor a header was named as where certificates come from.
    #[error("certificates come from nowhere: say direct, behind, or both")]
    NoSource,
    /// Certificates come from a header, and no proxy is trusted to set it.
    #[error("an identity header is believed of trusted proxies, and none is named")]
    NoProxy,
    /// The header says a subject alone, and neither the certificate nor its digest, so no token could
    /// be found to be bound to it.
    #[error("the identity header holds neither the certificate nor its digest")]
    HeaderWithoutCertificate,
    /// The header holds no name of a kind that the rule accepts, so it could identify nobody.
    #[error("the identity header cannot hold a name that the rule accepts")]
    HeaderCannotSatisfy,
    /// A header of scopes or roles has no valid name, one that is used already, or no trusted proxy
    /// that could set it.
    #[error("a header of scopes or roles has no usable name, or nobody is trusted to set it")]
    GrantHeader,
    /// No identity is mapped, so nobody could ever be accepted.
    #[error("no identity is mapped to a principal")]
    NoMapping,
    /// The rule does not accept a mapped identity, so the mapping would never be used.
    #[error("the rule does not accept a mapped identity")]
    MappingNotAccepted,
    /// An identity is mapped twice.
    #[error("an identity is mapped twice")]
    DuplicateMapping,
    /// Two identities become the same principal, and nobody said that they should.
    #[error(
        "two identities become the same subject of the same issuer, and neither mapping says so"
    )]
    SubjectClash,
    /// The text of an identity is longer than a subject may be.
    #[error("the text of an identity cannot be a subject: set the subject of its mapping")]
    SubjectNeeded,
}
