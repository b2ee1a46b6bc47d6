//! From a verified principal to a subject.

use core::fmt;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{Scope, VerifiedPrincipal};
use ringwall_core::step::Step;

use crate::credential::CredentialScopes;
use crate::directory::{DirectoryError, PolicyInformationPoint, SubjectFacts};
use crate::policy::Policy;
use crate::resource::{Resource, UnknownResourceType};
use crate::subject::Subject;
use crate::value::Value;

/// Finds out what is known of a caller, once for a request.
///
/// One that knows relations of its own asks another for the rest, and adds them:
///
/// ```
/// use ringwall_authz::{DirectoryError, DirectorySubjects, KnownSubject, SubjectResolver};
/// use ringwall_core::clock::Timestamp;
/// use ringwall_core::principal::VerifiedPrincipal;
/// use ringwall_core::step::Step;
///
/// #[derive(Debug)]
/// struct WithAssignments(DirectorySubjects);
///
/// impl SubjectResolver for WithAssignments {
///     fn resolve(
///         &self,
///         principal: &VerifiedPrincipal,
///         now: Timestamp,
///     ) -> Step<Result<KnownSubject, DirectoryError>> {
///         let assigned = vec!["c1", "c7"]; // of `principal`, from a table
///         let known = self.0.resolve(principal, now);
///         known.map(|known| known.map(|known| known.related("case_assignments", assigned)))
///     }
/// }
/// ```
///
/// # Contract
///
/// As of [`PolicyInformationPoint`]. What it answers was true at a moment after it was asked.
pub trait SubjectResolver: Send + Sync + fmt::Debug {
    /// What is known of `principal` at `now`.
    fn resolve(
        &self,
        principal: &VerifiedPrincipal,
        now: Timestamp,
    ) -> Step<Result<KnownSubject, DirectoryError>>;
}

/// What is known of a caller, whatever policy asks.
#[derive(Clone, Debug)]
pub struct KnownSubject {
    principal: VerifiedPrincipal,
    facts: Option<Arc<SubjectFacts>>,
    credential_roles: bool,
    credential_scopes: CredentialScopes,
    /// What somebody's client was trusted with, by the word of whoever asks about it.
    limit: Option<Arc<[Scope]>>,
    id: Option<Box<str>>,
    is_foreign: bool,
    directory_name: Option<Box<str>>,
    uses: Option<Vec<Box<str>>>,
    relations: Vec<(Box<str>, Told)>,
}

/// What is known of one relation.
#[derive(Clone, Debug)]
enum Told {
    All(Vec<RelatedValue>),
    Pair(RelatedValue, bool),
    InDatabase,
}

/// To what a subject stands in a relation: the department `sales`, the case 17.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelatedValue {
    /// A text, or a UUID, as the relation's type demands.
    Text(Box<str>),
    /// A whole number.
    Integer(i64),
}

impl RelatedValue {
    fn told(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::Text(text),
            Self::Integer(number) => Value::Integer(*number),
        }
    }
}

impl From<&str> for RelatedValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for RelatedValue {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for RelatedValue {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl KnownSubject {
    /// Who it is and in which tenant it acts, and nothing else.
    #[must_use]
    pub const fn new(principal: VerifiedPrincipal) -> Self {
        Self {
            principal,
            facts: None,
            credential_roles: false,
            credential_scopes: CredentialScopes::Ignore,
            limit: None,
            id: None,
            is_foreign: false,
            directory_name: None,
            uses: None,
            relations: Vec::new(),
        }
    }

    /// With what a directory knows of the credential's subject, or of whom it is [there](Self::in_directory_as).
    #[must_use]
    pub fn with_facts(mut self, facts: SubjectFacts) -> Self {
        self.facts = Some(Arc::new(facts));
        self
    }

    /// With the roles that its credential names: see
    /// [`roles_of_credential`](crate::SubjectBuilder::roles_of_credential).
    #[must_use]
    pub const fn with_credential_roles(mut self) -> Self {
        self.credential_roles = true;
        self
    }

    /// With the scopes that its credential names, as what these say.
    #[must_use]
    pub const fn with_credential_scopes(mut self, scopes: CredentialScopes) -> Self {
        self.credential_scopes = scopes;
        self
    }

    /// Limited as by a credential that names these scopes, beside what limits it already. They grant nothing, whoever it
    /// is.
    #[must_use]
    #[cfg(feature = "authzen")]
    pub(crate) fn limited_to(mut self, scopes: Arc<[Scope]>) -> Self {
        self.limit = Some(scopes);
        self
    }

    /// All values to which it stands in `relation`: see [`related`](crate::SubjectBuilder::related). Policies that have
    /// no such relation do not hear of it.
    #[must_use]
    pub fn related(
        mut self,
        relation: impl Into<Box<str>>,
        values: impl IntoIterator<Item: Into<RelatedValue>>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.relations.push((relation.into(), Told::All(values)));
        self
    }

    /// Whether it stands in `relation` to one value: see [`is_related`](crate::SubjectBuilder::is_related).
    #[must_use]
    pub fn is_related(
        mut self,
        relation: impl Into<Box<str>>,
        value: impl Into<RelatedValue>,
        is_related: bool,
    ) -> Self {
        let told = Told::Pair(value.into(), is_related);
        self.relations.push((relation.into(), told));
        self
    }

    /// States that the database knows the pairs of `relation`: see
    /// [`related_in_database`](crate::SubjectBuilder::related_in_database).
    #[must_use]
    pub fn related_in_database(mut self, relation: impl Into<Box<str>>) -> Self {
        self.relations.push((relation.into(), Told::InDatabase));
        self
    }

    /// Under the id by which rows name it: see [`known_as`](crate::SubjectBuilder::known_as).
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Box<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Of an issuer that gives names of its own: see
    /// [`of_foreign_issuer`](crate::SubjectBuilder::of_foreign_issuer).
    #[must_use]
    pub const fn of_foreign_issuer(mut self) -> Self {
        self.is_foreign = true;
        self
    }

    /// Under the name by which the directory knows it: see
    /// [`in_directory_as`](crate::SubjectBuilder::in_directory_as).
    #[must_use]
    pub fn in_directory_as(mut self, name: impl Into<Box<str>>) -> Self {
        self.directory_name = Some(name.into());
        self
    }

    /// With these of its roles alone in use: see [`use_roles`](crate::SubjectBuilder::use_roles).
    #[must_use]
    pub fn using_roles(mut self, roles: impl IntoIterator<Item: Into<Box<str>>>) -> Self {
        self.uses = Some(roles.into_iter().map(Into::into).collect());
        self
    }

    /// Who it is.
    #[must_use]
    pub const fn principal(&self) -> &VerifiedPrincipal {
        &self.principal
    }

    /// The subject in the words of `policy`.
    #[must_use]
    pub fn for_policy(&self, policy: &Policy) -> Subject {
        let mut subject = policy.subject(&self.principal);
        if let Some(facts) = &self.facts {
            subject = subject.facts(facts);
        }
        if self.credential_roles {
            subject = subject.roles_of_credential();
        }
        subject = match self.credential_scopes.for_principal(&self.principal) {
            CredentialScopes::Limit => subject.limited_to_scopes_of_credential(),
            CredentialScopes::Grant => subject.scopes_of_credential(),
            CredentialScopes::ByKind | CredentialScopes::Ignore => subject,
        };
        if let Some(scopes) = &self.limit {
            subject = subject.limited_to(scopes);
        }
        if let Some(name) = &self.directory_name {
            subject = subject.in_directory_as(name.clone());
        }
        if self.is_foreign {
            subject = subject.of_foreign_issuer();
        }
        if let Some(id) = &self.id {
            subject = subject.known_as(id.clone());
        }
        if let Some(roles) = &self.uses {
            subject = subject.use_roles(roles.iter().cloned());
        }
        let declared = &policy.document().relations;
        let relations = self.relations.iter();
        for (relation, told) in relations.filter(|(name, _)| declared.contains_key(&**name)) {
            subject = match told {
                Told::All(values) => {
                    subject.related(relation, values.iter().map(RelatedValue::told))
                }
                Told::Pair(value, is_related) => {
                    subject.is_related(relation, value.told(), *is_related)
                }
                Told::InDatabase => subject.related_in_database(relation),
            };
        }
        subject.build()
    }
}

/// Believes what credentials say: their scopes, and their roles if that is said. Nothing is asked, so nothing waits.
///
/// It believes names too, whoever gave them: where two issuers speak for one tenant, use [`DirectorySubjects`], or give
/// the names of one of them [ids](KnownSubject::with_id) in a resolver of your own.
#[derive(Clone, Copy, Debug)]
pub struct CredentialSubjects {
    roles: bool,
    scopes: CredentialScopes,
}

impl CredentialSubjects {
    /// Scopes alone, which are rights: for API keys, and for services whose rights are in their tokens. Of people's
    /// tokens it is right when their issuer gives nobody a scope for what that person may not do.
    #[must_use]
    pub const fn scopes() -> Self {
        Self {
            roles: false,
            scopes: CredentialScopes::Grant,
        }
    }

    /// Roles, and scopes [by the kind](CredentialScopes::ByKind) of caller: what a person's roles permit is limited to
    /// what the token's scopes name. Right when the issuer decides who holds which role; wrong when subjects can write
    /// the claim.
    #[must_use]
    pub const fn scopes_and_roles() -> Self {
        Self {
            roles: true,
            scopes: CredentialScopes::ByKind,
        }
    }

    /// Says what the scopes of credentials are.
    #[must_use]
    pub const fn with_scopes(mut self, scopes: CredentialScopes) -> Self {
        self.scopes = scopes;
        self
    }
}

impl SubjectResolver for CredentialSubjects {
    fn resolve(
        &self,
        principal: &VerifiedPrincipal,
        _now: Timestamp,
    ) -> Step<Result<KnownSubject, DirectoryError>> {
        let known = KnownSubject::new(principal.clone());
        let mut known = known.with_credential_scopes(self.scopes);
        if self.roles {
            known = known.with_credential_roles();
        }
        Step::Done(Ok(known))
    }
}

/// Asks a directory for roles, attributes and departments; the scopes of credentials
/// [limit people and grant to machines](CredentialScopes::ByKind), unless something else is said.
///
/// A subject is unique within its issuer alone: the `alice` of a partner's issuer is not yours. So a directory knows the
/// subjects of one issuer, or of several that never give one name to two people. Of others nothing is asked, and their
/// names are [those of others](crate::SubjectBuilder::of_foreign_issuer) in rows and in the database too.
#[derive(Clone, Debug)]
pub struct DirectorySubjects {
    directory: Arc<dyn PolicyInformationPoint>,
    issuers: Vec<Box<str>>,
    credential_roles: bool,
    credential_scopes: CredentialScopes,
}

impl DirectorySubjects {
    /// Asks `directory` about the subjects of `issuer`, and about those of our own (API keys, certificates that we map),
    /// which have none. Of a caller without a tenant it knows nothing.
    #[must_use]
    pub fn of_issuer(
        directory: Arc<dyn PolicyInformationPoint>,
        issuer: impl Into<Box<str>>,
    ) -> Self {
        Self {
            directory,
            issuers: vec![issuer.into()],
            credential_roles: false,
            credential_scopes: CredentialScopes::ByKind,
        }
    }

    /// Asks about the subjects of `issuer` too, which gives nobody a name that another of these issuers gave to
    /// somebody else.
    #[must_use]
    pub fn and_issuer(mut self, issuer: impl Into<Box<str>>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Takes over the roles of credentials too, beside those of the directory.
    #[must_use]
    pub const fn and_roles_of_credentials(mut self) -> Self {
        self.credential_roles = true;
        self
    }

    /// Says what the scopes of credentials are.
    #[must_use]
    pub const fn with_scopes(mut self, scopes: CredentialScopes) -> Self {
        self.credential_scopes = scopes;
        self
    }
}

impl SubjectResolver for DirectorySubjects {
    fn resolve(
        &self,
        principal: &VerifiedPrincipal,
        _now: Timestamp,
    ) -> Step<Result<KnownSubject, DirectoryError>> {
        let known = KnownSubject::new(principal.clone());
        let mut known = known.with_credential_scopes(self.credential_scopes);
        if self.credential_roles {
            known = known.with_credential_roles();
        }
        let is_known = principal
            .issuer
            .as_deref()
            .is_none_or(|issuer| self.issuers.iter().any(|own| **own == *issuer));
        if !is_known {
            return Step::Done(Ok(known.of_foreign_issuer()));
        }
        match &principal.tenant {
            Some(tenant) => self
                .directory
                .facts(&tenant.org, &principal.subject)
                .map(|facts| facts.map(|facts| known.with_facts(facts))),
            None => Step::Done(Ok(known)),
        }
    }
}

/// A row that can say what a policy asks about it.
///
/// ```
/// use ringwall_authz::{Policy, Resource, ToResource, UnknownResourceType};
///
/// struct Case {
///     id: String,
///     org: String,
///     owner: Option<String>,
/// }
///
/// impl ToResource for Case {
///     fn to_resource<'a>(&'a self, policy: &Policy) -> Result<Resource<'a>, UnknownResourceType> {
///         let case = policy.resource("case")?.id(&self.id).org(&self.org);
///         Ok(case.attribute("owner", self.owner.as_ref()))
///     }
/// }
/// ```
pub trait ToResource {
    /// The row in the words of `policy`.
    ///
    /// # Errors
    ///
    /// [`UnknownResourceType`] when the policy has no such type.
    fn to_resource<'a>(&'a self, policy: &Policy) -> Result<Resource<'a>, UnknownResourceType>;
}
