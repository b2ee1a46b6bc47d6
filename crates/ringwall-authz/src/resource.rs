//! What is acted upon.

use crate::compile::shapes::ResourceType;
use crate::policy::Policy;
use crate::slots::{AttributeError, Slots};
use crate::truth::Truth;
use crate::value::{Datum, Value};

/// The policy has no type of resource of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy has no such type of resource")]
pub struct UnknownResourceType;

/// What is acted upon: its type, its tenant, its id and its attributes, as the service read them.
///
/// What is not told is unknown. Take attributes from where their subject cannot write them: from typed columns,
/// never from a document that its owner edits.
#[derive(Clone, Debug)]
pub struct Resource<'a> {
    policy: Policy,
    number: u16,
    id: Datum<'a>,
    id_text: Option<Value<'a>>,
    org: Option<&'a str>,
    project: Option<&'a str>,
    slots: Slots<'a>,
    without_row: bool,
}

impl<'a> Resource<'a> {
    pub(crate) fn new(policy: Policy, name: &str) -> Result<Self, UnknownResourceType> {
        let compiled = policy.compiled();
        let number = compiled.find_type(name).ok_or(UnknownResourceType)?;
        let attributes = compiled
            .resource_type(number)
            .map_or(0, |resource| resource.attributes.len());
        Ok(Self {
            number,
            id: Datum::Unknown,
            id_text: None,
            org: None,
            project: None,
            slots: Slots::new(attributes),
            without_row: false,
            policy,
        })
    }

    /// Its id.
    #[must_use]
    pub fn id(mut self, id: impl Into<Value<'a>>) -> Self {
        let id = id.into();
        let kind = self.resource_type().map(|resource| resource.id);
        self.id = kind
            .and_then(|kind| Datum::new(id, kind, &self.policy.compiled().parts.levels).ok())
            .unwrap_or(Datum::Unknown);
        self.id_text = Some(id);
        self
    }

    /// The organisation that it belongs to. Without one, nobody may do anything to it, unless its type has no
    /// tenants.
    #[must_use]
    pub const fn org(mut self, org: &'a str) -> Self {
        self.org = Some(org);
        self
    }

    /// The project that it belongs to. Callers that are bound to a project may use what is of that project alone.
    #[must_use]
    pub const fn project(mut self, project: &'a str) -> Self {
        self.project = Some(project);
        self
    }

    /// One of its attributes; null is told too. What does not fit is an [error](Self::errors), and unknown. Of one that is
    /// told twice, the last counts.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: impl Into<Value<'a>>) -> Self {
        let compiled = self.policy.compiled();
        let found = compiled
            .resource_type(self.number)
            .and_then(|resource| resource.attribute(name))
            .map(|(place, attribute)| (place, attribute.kind));
        let levels = &compiled.parts.levels;
        self.slots
            .set("resource", name, found, levels, value.into());
        self
    }

    /// States that no row was read: what was not told is not null but unknown, also to a rule that asks whether it is set.
    /// So nobody is permitted to do to all rows what is forbidden for some of them.
    #[must_use]
    pub const fn without_row(mut self) -> Self {
        self.without_row = true;
        self
    }

    /// Attributes that were told in a way that the policy does not know.
    #[must_use]
    pub fn errors(&self) -> &[AttributeError] {
        &self.slots.errors
    }

    pub(crate) fn resource_type(&self) -> Option<&ResourceType> {
        self.policy.compiled().resource_type(self.number)
    }

    pub(crate) fn is_set(&self, place: u16) -> Truth {
        let told = self.slots.is_set(place);
        if self.without_row {
            told.max(Truth::Unknown)
        } else {
            told
        }
    }

    pub(crate) fn id_is_set(&self) -> Truth {
        let is_told = self.id_text.is_some_and(|id| id != Value::Null);
        if self.id.is_known() {
            Truth::True
        } else if is_told || self.without_row {
            Truth::Unknown
        } else {
            Truth::False
        }
    }

    pub(crate) const fn number(&self) -> u16 {
        self.number
    }

    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) const fn id_datum(&self) -> Datum<'a> {
        self.id
    }

    /// Its id as a text, when it is one that its type permits.
    pub(crate) fn id_text(&self) -> Option<String> {
        let id = self.id_text.filter(|_| self.id.is_known())?;
        crate::permit::id_text(id)
    }

    pub(crate) const fn tenant(&self) -> (Option<&'a str>, Option<&'a str>) {
        (self.org, self.project)
    }

    /// What a permit says of the tenant: nothing of what belongs to none, and no project of what has none.
    pub(crate) fn proven_tenant(&self) -> (Option<&'a str>, Option<&'a str>) {
        let Some(resource) = self.resource_type().filter(|resource| !resource.tenantless) else {
            return (None, None);
        };
        (self.org, self.project.filter(|_| resource.has_projects()))
    }

    pub(crate) fn value(&self, place: u16) -> Datum<'_> {
        self.slots.get(place)
    }
}
