//! The proof that a policy was asked.

use core::fmt;
use core::marker::PhantomData;

use ringwall_core::attest::Attest;
use ringwall_core::classification::{Obligation, Sensitivity};
use ringwall_core::denial::Denial;

use crate::context::Context;
use crate::decision::{Cause, Decision};
use crate::filter::{FilterError, RowFilter};
use crate::policy::{Policy, PolicyHash};
use crate::resource::Resource;
use crate::subject::Subject;
use crate::value::Value;

/// What can be done to which type of resource, as a type: so that a permit to read is no permit to delete.
///
/// ```
/// use ringwall_authz::Action;
///
/// struct ReadCase;
///
/// impl Action for ReadCase {
///     const RESOURCE: &'static str = "case";
///     const NAME: &'static str = "read";
/// }
/// ```
pub trait Action {
    /// The type of resource, by its name in the policy.
    const RESOURCE: &'static str;
    /// The action, by its name in the policy.
    const NAME: &'static str;
}

/// What a handler does about obligations. What it does not know of is denied: an obligation that nobody meets would
/// be a hole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duties {
    masks: bool,
    redacts: bool,
    reason: Option<Box<str>>,
}

impl Duties {
    /// It meets none: whatever is permitted under an obligation is denied.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// It masks what is more sensitive than [`Permit::mask_above`] says.
    #[must_use]
    pub const fn masks(mut self) -> Self {
        self.masks = true;
        self
    }

    /// It removes the fields that the permit names.
    #[must_use]
    pub const fn redacts(mut self) -> Self {
        self.redacts = true;
        self
    }

    /// The caller stated this reason, and the service writes it into its audit trail: the [permit](Permit::reason) holds it.
    /// An empty one is none.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<Box<str>>) -> Self {
        self.reason = Some(reason.into()).filter(|reason| !reason.trim().is_empty());
        self
    }

    fn unmet<'o>(&self, owed: &'o [Obligation]) -> Option<&'o Obligation> {
        owed.iter().find(|obligation| match obligation {
            Obligation::MaskAbove(_) => !self.masks,
            Obligation::Redact(_) => !self.redacts,
            Obligation::ReasonRequired => self.reason.is_none(),
        })
    }
}

/// The proof that a policy permits one action on one resource.
///
/// A repository that takes it cannot be called without, and reads from it which resource and which tenant are meant,
/// instead of being told once more:
///
/// ```
/// use ringwall_authz::{Action, Permit};
///
/// struct ReadCase;
/// # impl Action for ReadCase { const RESOURCE: &'static str = "case"; const NAME: &'static str = "read"; }
///
/// fn load(permit: &Permit<ReadCase>) -> String {
///     format!("SELECT … WHERE id = {} AND org_id = {:?}", permit.resource_id(), permit.org())
/// }
/// ```
///
/// It cannot be made by hand, and that of another action is another type:
///
/// ```compile_fail,E0308
/// # use ringwall_authz::{Action, Permit};
/// # struct ReadCase;
/// # impl Action for ReadCase { const RESOURCE: &'static str = "case"; const NAME: &'static str = "read"; }
/// # struct DeleteCase;
/// # impl Action for DeleteCase { const RESOURCE: &'static str = "case"; const NAME: &'static str = "delete"; }
/// fn delete(permit: &Permit<DeleteCase>) {}
///
/// fn handler(permit: &Permit<ReadCase>) {
///     delete(permit); // expected `&Permit<DeleteCase>`, found `&Permit<ReadCase>`
/// }
/// ```
pub struct Permit<A> {
    subject: Subject,
    resource_id: Box<str>,
    org: Option<Box<str>>,
    project: Option<Box<str>>,
    rules: Vec<Box<str>>,
    obligations: Vec<Obligation>,
    reason: Option<Box<str>>,
    policy: PolicyHash,
    action: PhantomData<fn() -> A>,
}

/// The proof that a policy says which rows of a type one action may be done to.
pub struct RowsPermit<A> {
    subject: Subject,
    filter: RowFilter,
    obligations: Vec<Obligation>,
    policy: PolicyHash,
    action: PhantomData<fn() -> A>,
}

/// A policy does not permit it, or not under these circumstances.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The policy says no.
    #[error("{0}")]
    Forbidden(Decision),
    /// It is permitted under an obligation that the handler does not meet.
    #[error("it is permitted under an obligation that is not met: {}", kind_of(.0))]
    ObligationNotMet(Obligation),
    /// The resource has no id, or is not of the type that the action is about.
    #[error("the resource is not one of the action's, or has no id")]
    OtherResource,
    /// The rows cannot be filtered.
    #[error(transparent)]
    Filter(#[from] FilterError),
}

impl Refused {
    /// What the caller may hear.
    #[must_use]
    pub fn denial(&self) -> Denial {
        match self {
            Self::Forbidden(decision) => decision
                .denial()
                .unwrap_or(Denial::Forbidden { challenge: None }),
            Self::ObligationNotMet(_) | Self::OtherResource => {
                Denial::Forbidden { challenge: None }
            }
            // A policy that does not fit the program: somebody has to look, and a retry may find another policy.
            Self::Filter(_) => Denial::Unavailable {
                retry_after: core::time::Duration::from_secs(1),
            },
        }
    }
}

impl From<Refused> for Denial {
    fn from(refused: Refused) -> Self {
        refused.denial()
    }
}

impl Policy {
    /// Decides, and gives the proof that later steps demand.
    ///
    /// # Errors
    ///
    /// [`Refused`], which becomes a [`Denial`].
    pub fn authorize<A: Action>(
        &self,
        subject: &Subject,
        resource: &Resource<'_>,
        context: &Context<'_>,
        duties: &Duties,
    ) -> Result<Permit<A>, Refused> {
        let is_type = resource
            .resource_type()
            .is_some_and(|kind| &*kind.name == A::RESOURCE);
        let id = resource.id_text();
        let (true, Some(resource_id)) = (is_type, id) else {
            return Err(Refused::OtherResource);
        };
        let decision = self.decide(subject, A::NAME, resource, context);
        if !decision.is_permit() {
            return Err(Refused::Forbidden(decision));
        }
        if let Some(unmet) = duties.unmet(decision.obligations()) {
            return Err(Refused::ObligationNotMet(unmet.clone()));
        }
        // Only what was compared with the subject's is proven.
        let (org, project) = resource.proven_tenant();
        Ok(Permit {
            subject: subject.clone(),
            resource_id: resource_id.into(),
            org: org.map(Into::into),
            project: project.map(Into::into),
            rules: decision.determining_rules().map(Into::into).collect(),
            obligations: decision.obligations().to_vec(),
            reason: duties.reason.clone(),
            policy: decision.policy_hash(),
            action: PhantomData,
        })
    }

    /// Says which rows the action may be done to, as a proof that a repository's list demands.
    ///
    /// # Errors
    ///
    /// [`Refused::Filter`]; [`Refused::ObligationNotMet`]. Where no row is permitted there is a permit for none.
    pub fn authorize_rows<A: Action>(
        &self,
        subject: &Subject,
        context: &Context<'_>,
        duties: &Duties,
    ) -> Result<RowsPermit<A>, Refused> {
        let filter = self.filter(subject, A::NAME, A::RESOURCE, context)?;
        let obligations = filter
            .rows()
            .map(|rows| rows.obligations().to_vec())
            .unwrap_or_default();
        if let Some(unmet) = duties.unmet(&obligations) {
            return Err(Refused::ObligationNotMet(unmet.clone()));
        }
        Ok(RowsPermit {
            subject: subject.clone(),
            filter,
            obligations,
            policy: self.hash(),
            action: PhantomData,
        })
    }
}

impl<A: Action> Permit<A> {
    /// States that the check was made elsewhere: for tests of repositories.
    #[must_use]
    pub fn attest(
        subject: &Subject,
        resource_id: impl Into<Box<str>>,
        _capability: Attest,
    ) -> Self {
        let tenant = subject.tenant();
        Self {
            resource_id: resource_id.into(),
            org: tenant.map(|tenant| tenant.org.as_str().into()),
            project: tenant
                .and_then(|tenant| tenant.project.as_ref())
                .map(|project| project.as_str().into()),
            subject: subject.clone(),
            rules: Vec::new(),
            obligations: Vec::new(),
            reason: None,
            policy: subject.policy().hash(),
            action: PhantomData,
        }
    }

    /// Who may do it.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// To which resource.
    #[must_use]
    pub fn resource_id(&self) -> &str {
        &self.resource_id
    }

    /// The organisation of the resource. `None` for what belongs to no tenant.
    #[must_use]
    pub fn org(&self) -> Option<&str> {
        self.org.as_deref()
    }

    /// The project of the resource, where its type knows projects.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// The rules that permit it, eight at most, for the audit trail.
    #[must_use]
    pub fn rules(&self) -> &[Box<str>] {
        &self.rules
    }

    /// What is owed, all of which the handler said it meets.
    #[must_use]
    pub fn obligations(&self) -> &[Obligation] {
        &self.obligations
    }

    /// Above which level the answer is masked. `None` when nothing is.
    #[must_use]
    pub fn mask_above(&self) -> Option<Sensitivity> {
        mask_above(&self.obligations)
    }

    /// The fields that are removed from the answer (JSON Pointer, RFC 6901).
    #[must_use]
    pub fn redacted(&self) -> &[String] {
        redacted(&self.obligations)
    }

    /// The reason that the caller stated.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The policy that permits it.
    #[must_use]
    pub const fn policy_hash(&self) -> PolicyHash {
        self.policy
    }
}

impl<A: Action> RowsPermit<A> {
    /// Who may do it: what a transaction is told where row-level security filters.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Which rows.
    pub const fn filter(&self) -> &RowFilter {
        &self.filter
    }

    /// What is owed for every one of them, all of which the handler said it meets.
    #[must_use]
    pub fn obligations(&self) -> &[Obligation] {
        &self.obligations
    }

    /// Above which level the answer is masked. `None` when nothing is.
    #[must_use]
    pub fn mask_above(&self) -> Option<Sensitivity> {
        mask_above(&self.obligations)
    }

    /// The fields that are removed from the answer (JSON Pointer, RFC 6901).
    #[must_use]
    pub fn redacted(&self) -> &[String] {
        redacted(&self.obligations)
    }

    /// The policy that says so.
    #[must_use]
    pub const fn policy_hash(&self) -> PolicyHash {
        self.policy
    }

    /// Why there are none, when there are none.
    #[must_use]
    pub const fn nothing(&self) -> Option<Cause> {
        match &self.filter {
            RowFilter::Nothing(cause) => Some(*cause),
            RowFilter::Tenant(_) | RowFilter::Some(_) => None,
        }
    }
}

impl<A: Action> fmt::Debug for Permit<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("action", &A::NAME)
            .field("resource", &A::RESOURCE)
            .field("resource_id", &self.resource_id)
            .field("rules", &self.rules)
            .field("obligations", &self.obligations)
            .finish_non_exhaustive()
    }
}

impl<A: Action> fmt::Debug for RowsPermit<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowsPermit")
            .field("action", &A::NAME)
            .field("resource", &A::RESOURCE)
            .field("obligations", &self.obligations)
            .finish_non_exhaustive()
    }
}

/// Which one, in the words of policies.
const fn kind_of(obligation: &Obligation) -> &'static str {
    match obligation {
        Obligation::MaskAbove(_) => "mask_above",
        Obligation::Redact(_) => "redact",
        Obligation::ReasonRequired => "reason_required",
    }
}

fn mask_above(obligations: &[Obligation]) -> Option<Sensitivity> {
    obligations.iter().find_map(|obligation| match obligation {
        Obligation::MaskAbove(level) => Some(*level),
        Obligation::Redact(_) | Obligation::ReasonRequired => None,
    })
}

fn redacted(obligations: &[Obligation]) -> &[String] {
    let found = obligations.iter().find_map(|obligation| match obligation {
        Obligation::Redact(pointers) => Some(pointers.as_slice()),
        Obligation::MaskAbove(_) | Obligation::ReasonRequired => None,
    });
    found.unwrap_or_default()
}

/// The text of an id.
pub(crate) fn id_text(id: Value<'_>) -> Option<String> {
    match id {
        Value::Text(text) => Some(text.to_owned()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Uuid(bytes) => Some(crate::value::uuid_text(u128::from_be_bytes(bytes))),
        Value::Null | Value::Boolean(_) | Value::Timestamp(_) => None,
    }
}
