//! How a policy decides.

use std::collections::BTreeSet;

use ringwall_core::classification::{Obligation, Sensitivity};
use ringwall_core::principal::Tenant;

use crate::bits::RoleBits;
use crate::compile::index::Unknowns;
use crate::compile::rules::CompiledRule;
use crate::compile::shapes::ResourceType;
use crate::context::Context;
use crate::decision::{Cause, Decision, Outcome, RuleNumbers};
use crate::node::{Attribute, Facts};
use crate::policy::Policy;
use crate::resource::Resource;
use crate::subject::{Known, Subject};
use crate::truth::Truth;
use crate::value::{Datum, Type, parse_uuid};

/// What one decision is about.
pub(crate) struct Request<'a> {
    pub(crate) subject: &'a Known,
    pub(crate) resource: &'a Resource<'a>,
    pub(crate) context: &'a Context<'a>,
    pub(crate) now: i64,
}

impl Facts for Request<'_> {
    fn value(&self, attribute: Attribute) -> Datum<'_> {
        match attribute {
            Attribute::ResourceId => self.resource.id_datum(),
            Attribute::Resource(place) => self.resource.value(place),
            Attribute::SubjectId => self.subject.id(),
            Attribute::SubjectKind => Datum::Text(self.subject.kind().as_str()),
            Attribute::OnBehalfOf => self.subject.on_behalf_of(),
            Attribute::Subject(place) => self.subject.value(place, self.now),
            Attribute::Context(place) => self.context.value(place),
            Attribute::Now => Datum::Timestamp(self.now),
        }
    }

    fn is_set(&self, attribute: Attribute) -> Truth {
        match attribute {
            Attribute::ResourceId => self.resource.id_is_set(),
            Attribute::Resource(place) => self.resource.is_set(place),
            Attribute::SubjectId
            | Attribute::SubjectKind
            | Attribute::OnBehalfOf
            | Attribute::Subject(_)
            | Attribute::Context(_)
            | Attribute::Now => told_is_set(attribute, self.subject, self.context, self.now),
        }
    }

    fn is_member(&self, set: u16, value: Datum<'_>) -> Option<bool> {
        let mut values = self.subject.values(set, self.now)?;
        Some(values.any(|member| member.get() == value))
    }

    fn is_related(&self, relation: u16, value: Datum<'_>) -> Option<bool> {
        self.subject.is_related(relation, value)
    }
}

/// Whether something is set that is known before any row is.
pub(crate) fn told_is_set(
    attribute: Attribute,
    subject: &Known,
    context: &Context<'_>,
    now: i64,
) -> Truth {
    match attribute {
        // Everybody has one, known or not.
        Attribute::SubjectId if !subject.id().is_known() => Truth::Unknown,
        Attribute::SubjectId | Attribute::SubjectKind | Attribute::Now => Truth::True,
        Attribute::OnBehalfOf => Truth::from(subject.is_on_behalf()),
        Attribute::Subject(place) => subject.is_set(place, now),
        Attribute::Context(place) => context.is_set(place),
        Attribute::ResourceId | Attribute::Resource(_) => Truth::Unknown,
    }
}

impl Policy {
    /// Decides whether `subject` may do `action` to `resource`: forbids before permits, and nothing that no rule
    /// permits. Synchronous and without I/O.
    ///
    /// It costs the same however many rules there are for other roles, for other actions and types of resource, and
    /// for other values of the attributes that are compared with constants. It grows with the rules of one action,
    /// type and role that compare nothing with a constant; and where an attribute is unknown, with the forbids that
    /// ask for it.
    pub fn decide(
        &self,
        subject: &Subject,
        action: &str,
        resource: &Resource<'_>,
        context: &Context<'_>,
    ) -> Decision {
        let known = subject.known();
        let is_one =
            known.policy.is(self) && resource.policy().is(self) && context.policy().is(self);
        if !is_one {
            return self.forbid(Cause::OtherPolicy);
        }
        let request = Request {
            subject: known,
            resource,
            context,
            now: context.now().unix_micros(),
        };
        let mut decision = self.judge(&request, action);
        for errors in [subject.errors(), resource.errors(), context.errors()] {
            decision.errors.extend_from_slice(errors);
        }
        decision
    }

    fn forbid(&self, cause: Cause) -> Decision {
        Decision {
            policy: self.clone(),
            outcome: Outcome::Forbid,
            cause,
            rules: RuleNumbers::default(),
            obligations: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn judge(&self, request: &Request<'_>, action: &str) -> Decision {
        let compiled = self.compiled();
        let number = request.resource.number();
        let Some(resource) = compiled.resource_type(number) else {
            return self.forbid(Cause::UnknownAction);
        };
        // The tenant first: nothing else is said of what is another's.
        if let Err(cause) = self.admit(request, resource) {
            return self.forbid(cause);
        }
        let action = resource.action(action);
        let Some(bucket) = action.and_then(|action| compiled.bucket(number, action)) else {
            return self.forbid(Cause::UnknownAction);
        };
        let subject = request.subject;
        let mut forbidding = RuleNumbers::default();
        bucket.forbids.visit(
            request,
            subject.held(),
            Unknowns::MayApplyToAll,
            |number, role| {
                let found = compiled.rule(number);
                let rule = found.filter(|rule| is_judged_under(role, rule, subject.held()));
                if rule.is_some_and(|rule| applies(rule, request) >= Truth::Unknown) {
                    forbidding.push(number);
                }
            },
        );
        if !forbidding.is_empty() {
            return Decision {
                rules: forbidding,
                ..self.forbid(Cause::ForbiddenByRule)
            };
        }
        let mut permitting = RuleNumbers::default();
        let mut owed = Owed::default();
        bucket.permits.visit(
            request,
            subject.held(),
            Unknowns::ApplyToNone,
            |number, role| {
                let found = compiled.rule(number);
                let Some(rule) = found.filter(|rule| is_judged_under(role, rule, subject.held()))
                else {
                    return;
                };
                let permits = subject.meets(rule);
                if (permits || subject.owes_beyond_use(rule))
                    && rule.when.evaluate(request) == Truth::True
                {
                    owed.add(&rule.obligations);
                    if permits {
                        permitting.push(number);
                    }
                }
            },
        );
        if permitting.is_empty() {
            return self.forbid(Cause::NoRuleApplies);
        }
        Decision {
            policy: self.clone(),
            outcome: Outcome::Permit,
            cause: Cause::Permitted,
            rules: permitting,
            obligations: owed.into_obligations(),
            errors: Vec::new(),
        }
    }

    /// What has to hold before any rule is looked at.
    pub(crate) fn admit(
        &self,
        request: &Request<'_>,
        resource: &ResourceType,
    ) -> Result<(), Cause> {
        let parts = &self.compiled().parts;
        if !resource.tenantless {
            let tenant = request.subject.tenant().ok_or(Cause::NoTenant)?;
            if !is_of_tenant(
                request.resource.tenant(),
                tenant,
                resource,
                parts.subject.tenant,
            ) {
                return Err(Cause::OtherTenant);
            }
        }
        if request.subject.broken_separation.is_some() {
            return Err(Cause::SeparationOfDuty);
        }
        Ok(())
    }
}

/// Whether a resource belongs to the tenant. Rows of a type whose table names a column for the project are looked
/// at by a caller of one project only when they are of that project.
fn is_of_tenant(
    (org, project): (Option<&str>, Option<&str>),
    tenant: &Tenant,
    resource: &ResourceType,
    kind: Type,
) -> bool {
    let is_same = |left: Option<&str>, right: &str| {
        left.is_some_and(|left| {
            if kind == Type::Uuid {
                parse_uuid(left).is_some_and(|left| Some(left) == parse_uuid(right))
            } else {
                left == right
            }
        })
    };
    let is_of_project = match &tenant.project {
        // Of a type that knows no projects, and of a resource that has none, nothing is said about them.
        Some(own) if resource.has_projects() => is_same(project, own.as_str()),
        Some(_) | None => true,
    };
    is_same(org, tenant.org.as_str()) && is_of_project
}

/// Whether a rule applies to a request.
pub(crate) fn applies(rule: &CompiledRule, request: &Request<'_>) -> Truth {
    if request.subject.meets(rule) {
        rule.when.evaluate(request)
    } else {
        Truth::False
    }
}

/// Whether a rule that was found under this role, or under none, is judged there. A subject may have several of the rule's
/// roles, and the rule is judged under the first.
fn is_judged_under(role: Option<u16>, rule: &CompiledRule, roles: &RoleBits) -> bool {
    role.is_none() || rule.roles.intersection(roles).first() == role
}

/// What all rules that permit demand together.
#[derive(Default)]
pub(crate) struct Owed {
    mask_above: Option<Sensitivity>,
    redact: BTreeSet<String>,
    reason_required: bool,
}

impl Owed {
    pub(crate) fn add(&mut self, obligations: &[Obligation]) {
        for obligation in obligations {
            match obligation {
                Obligation::MaskAbove(level) => {
                    let strictest = self.mask_above.map_or(*level, |own| own.min(*level));
                    self.mask_above = Some(strictest);
                }
                Obligation::Redact(pointers) => self.redact.extend(pointers.iter().cloned()),
                Obligation::ReasonRequired => self.reason_required = true,
            }
        }
    }

    pub(crate) fn into_obligations(self) -> Vec<Obligation> {
        let mask = self.mask_above.map(Obligation::MaskAbove);
        let redact = (!self.redact.is_empty())
            .then(|| Obligation::Redact(self.redact.into_iter().collect()));
        let reason = self.reason_required.then_some(Obligation::ReasonRequired);
        mask.into_iter().chain(redact).chain(reason).collect()
    }
}
