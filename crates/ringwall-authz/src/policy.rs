//! A policy that was judged, and decides.

use core::fmt;
use std::sync::Arc;

use ringwall_core::attest::Attest;
use ringwall_core::principal::{
    OrgId, Principal, ProjectId, Subject as SubjectId, VerifiedPrincipal,
};

use crate::compile::Compiled;
use crate::context::Context;
use crate::document::PolicyDocument;
use crate::fault::PolicyFaults;
use crate::resource::{Resource, UnknownResourceType};
use crate::source::Language;
use crate::subject::SubjectBuilder;
use crate::value::{Type, parse_uuid, uuid_text};
use ringwall_core::clock::Timestamp;

/// A policy that decides: a [`PolicyDocument`] in which nothing is wrong.
///
/// It never changes. Cloning shares it. To replace the policy that a service follows, put it into a
/// [`PolicyHandle`](crate::PolicyHandle).
#[derive(Clone)]
pub struct Policy(Arc<Compiled>);

/// Its name and its hash: it stands in each decision, and in the errors of refused ones.
impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.document().name)
            .field("hash", &self.hash())
            .finish_non_exhaustive()
    }
}

/// The SHA-256 of what a policy says, whichever way it is written down: of two documents in TOML and JSON that say
/// the same it is the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PolicyHash([u8; 32]);

impl PolicyHash {
    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for PolicyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for PolicyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Policy {
    /// Judges a document.
    ///
    /// # Errors
    ///
    /// [`PolicyFaults`] with all that is wrong, without lines.
    pub fn new(document: PolicyDocument) -> Result<Self, PolicyFaults> {
        Compiled::new(document).map(|compiled| Self(Arc::new(compiled)))
    }

    /// Reads and judges a policy in TOML, of 8 MiB at most.
    ///
    /// # Errors
    ///
    /// [`PolicyFaults`] with all that is wrong and the lines on which it stands.
    pub fn from_toml(text: &str) -> Result<Self, PolicyFaults> {
        Self::read(Language::Toml, text)
    }

    /// Reads and judges a policy in JSON, of 8 MiB at most.
    ///
    /// # Errors
    ///
    /// [`PolicyFaults`] with all that is wrong and the lines on which it stands.
    pub fn from_json(text: &str) -> Result<Self, PolicyFaults> {
        Self::read(Language::Json, text)
    }

    fn read(language: Language, text: &str) -> Result<Self, PolicyFaults> {
        let document = language.read(text)?;
        Self::new(document).map_err(|faults| language.locate(text, faults))
    }

    /// What it says.
    #[must_use]
    pub fn document(&self) -> &PolicyDocument {
        &self.0.document
    }

    /// The hash of what it says.
    #[must_use]
    pub fn hash(&self) -> PolicyHash {
        PolicyHash(self.0.hash)
    }

    /// Begins to tell what is known of the caller: for now, who it is and in which tenant it acts.
    ///
    /// Neither its roles nor its attributes are taken over: what a credential says of them may have been written by
    /// its subject. See [`SubjectBuilder::roles`] and [`SubjectBuilder::roles_of_credential`].
    #[must_use]
    pub fn subject(&self, principal: &VerifiedPrincipal) -> SubjectBuilder {
        SubjectBuilder::new(self.clone(), principal.clone())
    }

    /// The principal under the one spelling of its ids, where the policy says that they are UUIDs: RFC 9562 §4 lets them
    /// be written in either case of letters, and a directory compares texts. Ask it about this one, so that nobody is
    /// somebody else by the case of a letter. `None` when nothing is spelled otherwise.
    ///
    /// What is no UUID stays as it is: no row has it for an id, and a key or a service may be named otherwise.
    #[must_use]
    pub fn canonical(&self, principal: &Principal) -> Option<Principal> {
        let subject = &self.0.parts.subject;
        let other = |kind: Type, text: &str| {
            // Nothing else can differ in what is read as a UUID.
            let is_other = kind == Type::Uuid && text.bytes().any(|byte| byte.is_ascii_uppercase());
            is_other.then(|| parse_uuid(text)).flatten().map(uuid_text)
        };
        let id = |own: &SubjectId| SubjectId::new(other(subject.id, own.as_str())?).ok();
        let tenant = principal.tenant.as_ref();
        let org = tenant.and_then(|own| other(subject.tenant, own.org.as_str()));
        let org = org.and_then(|org| OrgId::new(org).ok());
        let project = tenant.and_then(|own| own.project.as_ref());
        let project = project.and_then(|own| other(subject.tenant, own.as_str()));
        let project = project.and_then(|own| ProjectId::new(own).ok());
        let name = id(&principal.subject);
        let on_behalf_of = principal.on_behalf_of.as_ref().and_then(id);
        if name.is_none() && on_behalf_of.is_none() && org.is_none() && project.is_none() {
            return None;
        }
        let mut canonical = principal.clone();
        if let Some(name) = name {
            canonical.subject = name;
        }
        canonical.on_behalf_of = on_behalf_of.or(canonical.on_behalf_of);
        if let Some(tenant) = &mut canonical.tenant {
            if let Some(org) = org {
                tenant.org = org;
            }
            if project.is_some() {
                tenant.project = project;
            }
        }
        Some(canonical)
    }

    /// Begins to tell what is known of somebody who is not the caller: whom an administrator or another policy
    /// enforcement point asks about. Whoever attests states that the asking party may ask.
    #[must_use]
    pub fn subject_of(&self, principal: &Principal, capability: Attest) -> SubjectBuilder {
        let principal = VerifiedPrincipal::attest(principal.clone(), capability);
        SubjectBuilder::new(self.clone(), principal)
    }

    /// Begins to tell what is known of a resource.
    ///
    /// # Errors
    ///
    /// [`UnknownResourceType`] when the policy has no such type.
    pub fn resource<'a>(&self, resource_type: &str) -> Result<Resource<'a>, UnknownResourceType> {
        Resource::new(self.clone(), resource_type)
    }

    /// Begins to tell the circumstances, the time first: whatever ends is over at it.
    #[must_use]
    pub fn context<'a>(&self, now: Timestamp) -> Context<'a> {
        Context::new(self.clone(), now)
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.0
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.generation == other.0.generation
    }
}
