//! What an identity is granted.

use std::sync::Arc;

use ringwall_core::principal::{
    Authentication, AuthenticationMethod, Principal, PrincipalKind, Role, Scope, Subject, Tenant,
};
use ringwall_transport::{CertificateIdentity, CommonName, DnsName, IdentityError, SpiffeId};

use super::CertificatePolicyError;

/// Which principal an identity becomes.
///
/// It is for one identity, compared exactly: there are no patterns, because a pattern grants to names
/// that nobody has thought of yet. Unless said otherwise the principal is a service, its subject
/// is the text of the identity, its issuer the trust domain of a SPIFFE id (none for others), and it
/// has no tenant, no role and no scope.
#[derive(Clone, Debug)]
#[must_use = "give it to the builder of the authenticator"]
pub struct CertificateMapping {
    identity: CertificateIdentity,
    kind: PrincipalKind,
    subject: Option<Subject>,
    issuer: Option<Arc<str>>,
    tenant: Option<Tenant>,
    roles: Vec<Role>,
    scopes: Vec<Scope>,
}

impl CertificateMapping {
    /// Maps `identity`.
    pub fn new(identity: impl Into<CertificateIdentity>) -> Self {
        let identity = identity.into();
        let issuer = match &identity {
            CertificateIdentity::Spiffe(id) => Some(Arc::from(id.trust_domain())),
            CertificateIdentity::Dns(_) | CertificateIdentity::CommonName(_) => None,
        };
        Self {
            identity,
            kind: PrincipalKind::Service,
            subject: None,
            issuer,
            tenant: None,
            roles: Vec::new(),
            scopes: Vec::new(),
        }
    }

    /// Maps the workload with the SPIFFE id `id`.
    ///
    /// # Errors
    ///
    /// [`IdentityError::SpiffeId`].
    pub fn spiffe(id: &str) -> Result<Self, IdentityError> {
        SpiffeId::new(id).map(Self::new)
    }

    /// Maps the host with the DNS name `name`.
    ///
    /// # Errors
    ///
    /// [`IdentityError::DnsName`].
    pub fn dns(name: &str) -> Result<Self, IdentityError> {
        DnsName::new(name).map(Self::new)
    }

    /// Maps whoever has the common name `name`.
    ///
    /// # Errors
    ///
    /// [`IdentityError::CommonName`].
    pub fn common_name(name: &str) -> Result<Self, IdentityError> {
        CommonName::new(name).map(Self::new)
    }

    /// The kind of party; a service unless set.
    pub const fn kind(mut self, kind: PrincipalKind) -> Self {
        self.kind = kind;
        self
    }

    /// The subject; the text of the identity unless set.
    pub fn subject(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Who vouches for the subject; the trust domain of a SPIFFE id, and nobody for other identities,
    /// unless set.
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// The tenant; none unless set.
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Roles in addition to those set before; none unless set.
    pub fn roles(mut self, roles: impl IntoIterator<Item = Role>) -> Self {
        self.roles.extend(roles);
        self
    }

    /// Scopes in addition to those set before; none unless set.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes.extend(scopes);
        self
    }

    pub(crate) const fn identity(&self) -> &CertificateIdentity {
        &self.identity
    }

    /// Whether somebody chose the subject.
    pub(crate) const fn has_subject(&self) -> bool {
        self.subject.is_some()
    }

    /// The principal, but for its authentication, which is each request's own.
    pub(crate) fn principal(
        self,
    ) -> Result<(CertificateIdentity, Principal), CertificatePolicyError> {
        let subject = match self.subject {
            Some(subject) => subject,
            None => Subject::new(self.identity.as_str())
                .map_err(|_| CertificatePolicyError::SubjectNeeded)?,
        };
        let authentication = Authentication::new(AuthenticationMethod::MutualTls);
        let mut principal = Principal::new(self.kind, subject, authentication);
        principal.issuer = self.issuer;
        principal.tenant = self.tenant;
        principal.roles = self.roles;
        principal.scopes = self.scopes;
        Ok((self.identity, principal))
    }
}
