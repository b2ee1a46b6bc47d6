//! The options of the authenticator.

use core::fmt;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ringwall_core::clock::{SystemClock, WallClock};
use ringwall_core::event::{DiscardEvents, EventSink};
use ringwall_core::principal::Principal;
use ringwall_transport::{CertificateIdentity, IdentityHeader, IdentityRule, TrustedProxies};

use super::grants::GrantHeaders;
use super::{Behind, CertificateAuthenticator, CertificateMapping, CertificatePolicyError, Inner};

/// Collects the options of a [`CertificateAuthenticator`].
#[must_use = "nothing is authenticated until it is built"]
#[derive(Clone)]
pub struct CertificateAuthenticatorBuilder {
    rule: IdentityRule,
    direct: bool,
    behind: Option<(TrustedProxies, IdentityHeader)>,
    grants: GrantHeaders,
    mappings: Vec<CertificateMapping>,
    realm: Box<str>,
    clock: Arc<dyn WallClock>,
    events: Arc<dyn EventSink>,
}

impl CertificateAuthenticatorBuilder {
    pub(crate) fn new(rule: IdentityRule) -> Self {
        Self {
            rule,
            direct: false,
            behind: None,
            grants: GrantHeaders::default(),
            mappings: Vec::new(),
            realm: "api".into(),
            clock: Arc::new(SystemClock::new()),
            events: Arc::new(DiscardEvents),
        }
    }

    /// Callers connect to this process themselves, over TLS, and their certificates were verified in
    /// the handshake.
    pub const fn direct(mut self) -> Self {
        self.direct = true;
        self
    }

    /// Callers connect to one of `proxies`, which says in `header` whose certificate it verified.
    /// With it, nothing else identifies a caller who comes through one of them.
    ///
    /// A proxy has to set or remove the field in every request. One that leaves what the client
    /// sent, because the client had no certificate for instance, lets everybody be anybody.
    pub fn behind(mut self, proxies: TrustedProxies, header: IdentityHeader) -> Self {
        self.behind = Some((proxies, header));
        self
    }

    /// Trusted proxies grant further scopes in the field `name`, separated by spaces; none unless
    /// set. The field is looked at only together with an identity header, and only from a trusted
    /// proxy, which has to set or remove it in every request.
    pub fn scopes_header(mut self, name: &str) -> Self {
        self.grants.scopes = Some(name.to_ascii_lowercase().into());
        self
    }

    /// Trusted proxies grant further roles in the field `name`, as
    /// [`scopes_header`](Self::scopes_header) has it; none unless set.
    pub fn roles_header(mut self, name: &str) -> Self {
        self.grants.roles = Some(name.to_ascii_lowercase().into());
        self
    }

    /// Accepts an identity, as a principal.
    pub fn map(mut self, mapping: CertificateMapping) -> Self {
        self.mappings.push(mapping);
        self
    }

    /// The realm of the challenges; `api` unless set.
    pub fn realm(mut self, realm: &str) -> Self {
        self.realm = realm.into();
        self
    }

    /// The wall clock; the machine's unless set.
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where every success and failure is reported; nowhere unless set.
    pub fn events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.events = events;
        self
    }

    /// The authenticator.
    ///
    /// # Errors
    ///
    /// [`CertificatePolicyError`] for options that could never accept anybody, or that would accept
    /// more than they say.
    pub fn build(self) -> Result<CertificateAuthenticator, CertificatePolicyError> {
        if !self.direct && self.behind.is_none() {
            return Err(CertificatePolicyError::NoSource);
        }
        let behind = behind(self.behind, self.grants, &self.rule)?;
        let principals = principals(self.mappings, &self.rule)?;
        Ok(CertificateAuthenticator(Arc::new(Inner {
            rule: self.rule,
            direct: self.direct,
            behind,
            principals,
            realm: self.realm,
            clock: self.clock,
            events: self.events,
        })))
    }
}

fn behind(
    behind: Option<(TrustedProxies, IdentityHeader)>,
    grants: GrantHeaders,
    rule: &IdentityRule,
) -> Result<Option<Behind>, CertificatePolicyError> {
    let Some((proxies, header)) = behind else {
        return match grants.names().next() {
            Some(_) => Err(CertificatePolicyError::GrantHeader),
            None => Ok(None),
        };
    };
    if proxies.is_empty() {
        return Err(CertificatePolicyError::NoProxy);
    }
    if !header.can_satisfy(rule) {
        return Err(CertificatePolicyError::HeaderCannotSatisfy);
    }
    let mut names: HashSet<&str> = header.header_names().collect();
    if !grants
        .names()
        .all(|name| is_field_name(name) && names.insert(name))
    {
        return Err(CertificatePolicyError::GrantHeader);
    }
    Ok(Some(Behind {
        proxies,
        header,
        grants,
    }))
}

fn principals(
    mappings: Vec<CertificateMapping>,
    rule: &IdentityRule,
) -> Result<HashMap<CertificateIdentity, Principal>, CertificatePolicyError> {
    if mappings.is_empty() {
        return Err(CertificatePolicyError::NoMapping);
    }
    let mut principals = HashMap::with_capacity(mappings.len());
    let mut named_by_identity = HashSet::new();
    for mapping in mappings {
        if !accepts(rule, mapping.identity()) {
            return Err(CertificatePolicyError::MappingNotAccepted);
        }
        let is_explicit = mapping.has_subject();
        let (identity, principal) = mapping.principal()?;
        // A host and a common name that read the same are two callers, and would be one subject.
        let name = (principal.issuer.clone(), principal.subject.clone());
        if !is_explicit && !named_by_identity.insert(name) && !principals.contains_key(&identity) {
            return Err(CertificatePolicyError::SubjectClash);
        }
        if principals.insert(identity, principal).is_some() {
            return Err(CertificatePolicyError::DuplicateMapping);
        }
    }
    Ok(principals)
}

fn accepts(rule: &IdentityRule, identity: &CertificateIdentity) -> bool {
    let is_trusted = match identity {
        CertificateIdentity::Spiffe(id) => rule.trusts(id.trust_domain()),
        CertificateIdentity::Dns(_) | CertificateIdentity::CommonName(_) => true,
    };
    is_trusted && rule.accepts(identity.kind())
}

/// RFC 9110 §5.1, §5.6.2, in lower case, without the underscore that some take for a hyphen.
fn is_field_name(name: &str) -> bool {
    let is_listed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^`|~".contains(&byte)
    };
    !name.is_empty() && name.bytes().all(is_listed)
}

impl fmt::Debug for CertificateAuthenticatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthenticatorBuilder")
            .field("rule", &self.rule)
            .field("direct", &self.direct)
            .field("behind", &self.behind)
            .field("mappings", &self.mappings.len())
            .finish_non_exhaustive()
    }
}
