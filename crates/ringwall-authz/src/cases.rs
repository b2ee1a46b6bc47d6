//! Cases that a policy must decide as they say: its tests, as data.

use core::fmt;
use std::collections::BTreeMap;

use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, ProjectId, Scope,
    Subject as SubjectId, Tenant,
};
use serde::{Deserialize, Serialize};

use crate::compile::shapes::find;
use crate::context::Context;
use crate::decision::{Cause, Decision, Outcome};
use crate::document::tables;
use crate::explain::Explanation;
use crate::policy::Policy;
use crate::resource::Resource;
use crate::source::MAX_POLICY_BYTES;
use crate::subject::{Subject, SubjectBuilder};
use crate::toml_nesting;
use crate::value::{Type, Value};

/// Cases that a policy must decide as they say. In TOML:
///
/// ```
/// # use ringwall_authz::{Cases, Policy};
/// # let policy = r#"
/// # version = 1
/// # name = "cases"
/// # roles.analyst = {}
/// # [resources.case]
/// # actions = ["read"]
/// # attributes.owner = "text"
/// # [[rules]]
/// # id = "own"
/// # effect = "permit"
/// # resource = "case"
/// # actions = ["read"]
/// # roles = ["analyst"]
/// # when.eq = ["resource.owner", "subject.id"]
/// # "#;
/// # let policy = Policy::from_toml(policy)?;
/// let cases = Cases::from_toml(r#"
///     [[cases]]
///     name = "an analyst reads its own case"
///     subject = { id = "u1", org = "o1", roles = ["analyst"] }
///     action = "read"
///     resource = { type = "case", id = "c1", org = "o1", attributes = { owner = "u1" } }
///     expect = "permit"
///     rule = "own"
///
///     [[cases]]
///     name = "and nobody else's"
///     subject = { id = "u2", org = "o1", roles = ["analyst"] }
///     action = "read"
///     resource = { type = "case", id = "c1", org = "o1", attributes = { owner = "u1" } }
///     expect = "forbid"
/// "#)?;
/// for outcome in cases.run(&policy) {
///     assert_eq!(outcome.failure, None);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Cases {
    /// The cases.
    #[serde(deserialize_with = "tables::listed")]
    pub cases: Vec<Case>,
}

/// A case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Who acts.
    #[serde(deserialize_with = "tables::one")]
    pub subject: CaseSubject,
    /// What it does.
    pub action: String,
    /// To what.
    #[serde(deserialize_with = "tables::one")]
    pub resource: CaseResource,
    /// Under which circumstances.
    #[serde(default)]
    pub context: BTreeMap<String, CaseValue>,
    /// When (RFC 3339). By default 2026-01-01T00:00:00Z.
    #[serde(default)]
    pub now: Option<String>,
    /// What must come out: `permit` or `forbid`.
    pub expect: Expectation,
    /// A rule that must be among those that decided.
    #[serde(default)]
    pub rule: Option<String>,
    /// The cause that must be given, such as `other_tenant`.
    #[serde(default)]
    pub cause: Option<String>,
}

/// Who acts in a case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CaseSubject {
    /// Its id.
    pub id: String,
    /// `user` (the default), `service`, `agent` or `api_key`.
    #[serde(default)]
    pub kind: Option<String>,
    /// Its organisation. Without, it acts in no tenant.
    #[serde(default)]
    pub org: Option<String>,
    /// The project that it is bound to.
    #[serde(default)]
    pub project: Option<String>,
    /// For whom it acts.
    #[serde(default)]
    pub on_behalf_of: Option<String>,
    /// Its roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The roles that it uses; by default all.
    #[serde(default)]
    pub uses: Option<Vec<String>>,
    /// The scopes of its credential.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether these scopes limit what its roles permit, as those of a person's token do
    /// ([`CredentialScopes`](crate::CredentialScopes)). By default they are rights beside them.
    #[serde(default)]
    pub limited: bool,
    /// Its attributes: one value, or a list.
    #[serde(default)]
    pub attributes: BTreeMap<String, CaseValues>,
    /// To what it stands in which relation.
    #[serde(default)]
    pub relations: BTreeMap<String, Vec<CaseValue>>,
}

/// What is acted upon in a case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CaseResource {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    #[serde(default)]
    pub id: Option<CaseValue>,
    /// The organisation that it belongs to. A case of a type that has tenants is wrong without one: it would be forbidden
    /// whatever the rules say.
    #[serde(default)]
    pub org: Option<String>,
    /// The project that it belongs to.
    #[serde(default)]
    pub project: Option<String>,
    /// Its attributes. One that is left out is null.
    #[serde(default)]
    pub attributes: BTreeMap<String, CaseValue>,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a value is a text, a whole number or a truth value"
)]
pub enum CaseValue {
    /// A truth value.
    Boolean(bool),
    /// A number.
    Integer(i64),
    /// A text, a UUID, a level, or a time in RFC 3339, as the type demands.
    Text(String),
}

/// One value, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a value is a text, a whole number, a truth value, or a list of them"
)]
pub enum CaseValues {
    /// One.
    One(CaseValue),
    /// Several.
    Several(Vec<CaseValue>),
}

/// What must come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// It is permitted.
    Permit,
    /// It is forbidden, by a rule or because none permits it.
    Forbid,
}

/// How a case came out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CaseOutcome {
    /// The case.
    pub name: String,
    /// What is not as the case says. `None` when all is.
    pub failure: Option<String>,
    /// The decision, explained. `None` when the case itself is wrong.
    pub explanation: Option<Explanation>,
}

/// A file of cases is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cases are refused: {message}")]
pub struct CasesError {
    message: String,
}

impl Cases {
    /// Reads cases in TOML, of 8 MiB at most.
    ///
    /// # Errors
    ///
    /// [`CasesError`] with the place.
    pub fn from_toml(text: &str) -> Result<Self, CasesError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(CasesError {
                message: format!("{MAX_POLICY_BYTES} bytes are the most"),
            });
        }
        toml_nesting::check(text).map_err(|faults| CasesError {
            message: faults.to_string(),
        })?;
        toml::from_str(text).map_err(|error| CasesError {
            message: error.to_string(),
        })
    }

    /// Decides each by `policy`.
    #[must_use]
    pub fn run(&self, policy: &Policy) -> Vec<CaseOutcome> {
        self.cases.iter().map(|case| case.run(policy)).collect()
    }
}

impl Case {
    fn run(&self, policy: &Policy) -> CaseOutcome {
        let explained = self.explain(policy);
        let (failure, explanation) = match explained {
            Err(message) => (Some(message), None),
            Ok(explanation) => (self.judge(&explanation.decision), Some(explanation)),
        };
        CaseOutcome {
            name: self.name.clone(),
            failure,
            explanation,
        }
    }

    /// Decides the case by `policy`, and says why.
    ///
    /// # Errors
    ///
    /// What is wrong with the case.
    pub fn explain(&self, policy: &Policy) -> Result<Explanation, String> {
        let now = self.now.as_deref().unwrap_or("2026-01-01T00:00:00Z");
        let now: Timestamp = now.parse().map_err(|error| format!("now: {error}"))?;
        let subject = self.subject.build(policy)?;
        let resource = self.resource.build(policy)?;
        let is_tenantless = resource.resource_type().is_some_and(|kind| kind.tenantless);
        if self.resource.org.is_none() && !is_tenantless {
            // It would be forbidden to everybody, whatever the rules say.
            return Err("the resource has no org: name the one that it belongs to".to_owned());
        }
        let parts = &policy.compiled().parts;
        let mut context: Context<'_> = policy.context(now);
        for (name, value) in &self.context {
            let kind = find(&parts.context, name).map(|(_, kind)| kind);
            context = context.attribute(name, value.typed(kind)?);
        }
        let explanation = policy.explain(&subject, &self.action, &resource, &context);
        if explanation.decision.cause() == Cause::UnknownAction {
            return Err(format!("there is no action {:?}", self.action));
        }
        match explanation.decision.errors().first() {
            Some(error) => Err(error.to_string()),
            None => Ok(explanation),
        }
    }

    fn judge(&self, decision: &Decision) -> Option<String> {
        let expected = match self.expect {
            Expectation::Permit => Outcome::Permit,
            Expectation::Forbid => Outcome::Forbid,
        };
        if decision.outcome() != expected {
            return Some(format!("it is decided otherwise: {decision}"));
        }
        if let Some(rule) = &self.rule
            && !decision.determining_rules().any(|id| id == rule)
        {
            return Some(format!("the rule {rule:?} did not decide it: {decision}"));
        }
        match &self.cause {
            Some(cause) if cause != decision.cause().as_str() => {
                Some(format!("the cause is not {cause:?}: {decision}"))
            }
            Some(_) | None => None,
        }
    }
}

impl CaseSubject {
    fn build(&self, policy: &Policy) -> Result<Subject, String> {
        let wrong = |error: ringwall_core::principal::InvalidName| error.to_string();
        let kind = match self.kind.as_deref() {
            None | Some("user") => PrincipalKind::User,
            Some("service") => PrincipalKind::Service,
            Some("agent") => PrincipalKind::Agent,
            Some("api_key") => PrincipalKind::ApiKey,
            Some(other) => return Err(format!("there is no kind of subject {other:?}")),
        };
        let mut principal = Principal::new(
            kind,
            SubjectId::new(self.id.as_str()).map_err(wrong)?,
            Authentication::new(AuthenticationMethod::Token),
        );
        if let Some(org) = &self.org {
            principal.tenant = Some(Tenant {
                org: OrgId::new(org.as_str()).map_err(wrong)?,
                project: self
                    .project
                    .as_deref()
                    .map(ProjectId::new)
                    .transpose()
                    .map_err(wrong)?,
            });
        }
        principal.on_behalf_of = self
            .on_behalf_of
            .as_deref()
            .map(SubjectId::new)
            .transpose()
            .map_err(wrong)?;
        for scope in &self.scopes {
            principal
                .scopes
                .push(Scope::new(scope.as_str()).map_err(wrong)?);
        }
        let parts = &policy.compiled().parts;
        // A case is no caller: nobody does what it asks about.
        let mut subject: SubjectBuilder = policy
            .subject_of(&principal, Attest::i_have_verified_this())
            .roles(&self.roles);
        subject = if self.limited {
            subject.limited_to_scopes_of_credential()
        } else {
            subject.scopes_of_credential()
        };
        if let Some(unknown) = self
            .roles
            .iter()
            .find(|role| parts.roles.find(role).is_none())
        {
            return Err(format!("there is no role {unknown:?}"));
        }
        if let Some(unknown) = self
            .scopes
            .iter()
            .find(|scope| parts.scopes.expand(scope).is_empty())
        {
            return Err(format!("there is no scope {unknown:?}"));
        }
        if let Some(uses) = &self.uses {
            if let Some(unknown) = uses.iter().find(|role| parts.roles.find(role).is_none()) {
                return Err(format!("there is no role {unknown:?}"));
            }
            subject = subject.use_roles(uses.iter().map(String::as_str));
        }
        // What a case does not name is not there, as in a directory.
        for attribute in &parts.subject.attributes {
            subject = subject.attribute_is_complete(&attribute.name);
        }
        for (name, values) in &self.attributes {
            let kind = find(&parts.subject.attributes, name).map(|(_, kind)| match kind {
                Type::TextSet => Type::Text,
                other @ (Type::Text
                | Type::Integer
                | Type::Boolean
                | Type::Timestamp
                | Type::Uuid
                | Type::Level(_)) => other,
            });
            let values = match values {
                CaseValues::One(value) => core::slice::from_ref(value),
                CaseValues::Several(values) => values,
            };
            for value in values {
                subject = subject.attribute(name, value.typed(kind)?, None);
            }
        }
        for relation in &parts.relations {
            // What a case does not name is not there.
            let told = self.relations.get(&*relation.name);
            let values: Result<Vec<Value<'_>>, String> = told
                .into_iter()
                .flatten()
                .map(|value| value.typed(Some(relation.value)))
                .collect();
            subject = subject.related(&relation.name, values?);
        }
        if let Some(name) = self.relations.keys().find(|name| {
            parts
                .relations
                .iter()
                .all(|relation| *relation.name != ***name)
        }) {
            return Err(format!("there is no relation {name:?}"));
        }
        Ok(subject.build())
    }
}

impl CaseResource {
    fn build(&self, policy: &Policy) -> Result<Resource<'_>, String> {
        let wrong = |_| format!("there is no type of resource {:?}", self.kind);
        let mut resource = policy.resource(&self.kind).map_err(wrong)?;
        if let Some(id) = &self.id {
            resource = resource.id(id.typed(None)?);
        }
        if let Some(org) = &self.org {
            resource = resource.org(org);
        }
        if let Some(project) = &self.project {
            resource = resource.project(project);
        }
        for (name, value) in &self.attributes {
            let kind = resource
                .resource_type()
                .and_then(|kind| kind.attribute(name))
                .map(|(_, attribute)| attribute.kind);
            resource = resource.attribute(name, value.typed(kind)?);
        }
        Ok(resource)
    }
}

impl CaseValue {
    fn typed(&self, kind: Option<Type>) -> Result<Value<'_>, String> {
        Ok(match self {
            Self::Boolean(value) => Value::Boolean(*value),
            Self::Integer(number) => Value::Integer(*number),
            Self::Text(text) if kind == Some(Type::Timestamp) => {
                Value::Timestamp(text.parse().map_err(|error| format!("{text:?}: {error}"))?)
            }
            Self::Text(text) => Value::Text(text),
        })
    }
}

/// A name of somebody's choosing, without what moves a terminal's cursor or makes a line.
fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_control() {
            plain.extend(character.escape_unicode());
        } else {
            plain.push(character);
        }
    }
    plain
}

impl fmt::Display for CaseOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            None => write!(f, "ok      {}", plain(&self.name)),
            Some(failure) => {
                write!(f, "FAILED  {}: {failure}", plain(&self.name))?;
                match &self.explanation {
                    Some(explanation) => write!(f, "\n{explanation}"),
                    None => Ok(()),
                }
            }
        }
    }
}
