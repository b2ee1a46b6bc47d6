//! Random requests, and how ours decides them.

use ringwall_authz::{Cause, Policy};
use ringwall_core::{
    attest::Attest,
    principal::{
        Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, ProjectId, Scope,
        Subject, Tenant, VerifiedPrincipal,
    },
};

use crate::{
    dice::Dice,
    words::{
        Attribute, IDS, ROLES, SCOPES, SUBJECTS, TEXTS, Type, Value, name_of, now, of_context,
        of_subject, time,
    },
};

/// Attributes by their names, each with a value.
pub(crate) type Stated = Vec<(&'static str, Value)>;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: &'static str,
    pub(crate) kind: PrincipalKind,
    pub(crate) org: &'static str,
    pub(crate) project: Option<&'static str>,
    pub(crate) roles: Vec<&'static str>,
    /// Those of its roles that it uses, if not all.
    pub(crate) used: Option<Vec<&'static str>>,
    /// Of its credential.
    pub(crate) scopes: Vec<&'static str>,
    pub(crate) attributes: Stated,
    pub(crate) regions: Vec<&'static str>,
    pub(crate) departments: Vec<&'static str>,
    pub(crate) assignments: Vec<&'static str>,
    /// Whether ours is told all pairs of the relations, or of each value whether it is one.
    is_told_all: bool,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Thing {
    pub(crate) resource: Type,
    pub(crate) id: &'static str,
    pub(crate) org: &'static str,
    pub(crate) project: &'static str,
    pub(crate) attributes: Stated,
}

/// A request but for its action.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) person: Person,
    pub(crate) thing: Thing,
    pub(crate) context: Stated,
}

/// What an engine says, with the rules that made it say so, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Permitted(Vec<String>),
    Forbidden(Vec<String>),
    NothingPermits,
    OtherTenant,
}

fn stated(dice: &mut Dice, attributes: &[Attribute], may_be_absent: &'static str) -> Stated {
    let mut all: Stated = attributes
        .iter()
        .map(|(path, kind)| (name_of(path), Value::random(dice, *kind)))
        .collect();
    if dice.chance(50) {
        all.push((may_be_absent, Value::Text(dice.of(&TEXTS))));
    }
    all
}

impl Request {
    pub(crate) fn random(dice: &mut Dice) -> Self {
        let roles = dice.some(&ROLES, 40);
        let used = dice.chance(20).then(|| dice.some(&roles, 50));
        let person = Person {
            id: dice.of(&SUBJECTS),
            kind: dice.of(&[PrincipalKind::User, PrincipalKind::Service]),
            org: "o1",
            project: dice.chance(30).then_some("p1"),
            roles,
            used,
            scopes: dice.some(&SCOPES, 30),
            attributes: stated(dice, of_subject(), "nickname"),
            regions: dice.some(&TEXTS, 30),
            departments: dice.some(&TEXTS, 30),
            assignments: dice.some(&IDS, 40),
            is_told_all: dice.chance(50),
        };
        let resource = dice.of(&[Type::Case, Type::Case, Type::Case, Type::Report]);
        let thing = Thing {
            resource,
            id: dice.of(&IDS),
            org: dice.of(&["o1", "o1", "o1", "o1", "o1", "o1", "o2"]),
            project: dice.of(&["p1", "p1", "p2"]),
            attributes: stated(dice, resource.attributes(), "note"),
        };
        Self {
            person,
            thing,
            context: stated(dice, of_context(), "ticket"),
        }
    }

    /// What ours says.
    pub(crate) fn decide(&self, policy: &Policy, action: &str) -> Verdict {
        let subject = self.person.subject(policy);
        let thing = &self.thing;
        let mut resource = policy
            .resource(thing.resource.name())
            .expect("it is declared")
            .id(thing.id)
            .org(thing.org)
            .project(thing.project);
        for (name, value) in &thing.attributes {
            resource = resource.attribute(name, ours(*value));
        }
        let mut context = policy.context(now());
        for (name, value) in &self.context {
            context = context.attribute(name, ours(*value));
        }
        let decision = policy.decide(&subject, action, &resource, &context);
        assert_eq!(decision.errors(), []);
        let mut rules: Vec<String> = decision.determining_rules().map(str::to_owned).collect();
        rules.sort_unstable();
        assert_eq!(decision.is_permit(), decision.cause() == Cause::Permitted);
        match decision.cause() {
            Cause::Permitted => Verdict::Permitted(rules),
            Cause::ForbiddenByRule => Verdict::Forbidden(rules),
            Cause::NoRuleApplies => Verdict::NothingPermits,
            Cause::OtherTenant => Verdict::OtherTenant,
            other => panic!("{other}"),
        }
    }
}

impl Person {
    fn subject(&self, policy: &Policy) -> ringwall_authz::Subject {
        let mut principal = Principal::new(
            self.kind,
            Subject::new(self.id).expect("a subject"),
            Authentication::new(AuthenticationMethod::Token),
        );
        principal.tenant = Some(Tenant {
            org: OrgId::new(self.org).expect("an organisation"),
            project: self
                .project
                .map(|project| ProjectId::new(project).expect("a project")),
        });
        let scopes = self.scopes.iter();
        principal.scopes = scopes
            .map(|scope| Scope::new(*scope).expect("a scope"))
            .collect();
        let principal = VerifiedPrincipal::attest(principal, Attest::i_have_verified_this());
        let mut subject = policy
            .subject(&principal)
            .roles(&self.roles)
            .scopes_of_credential()
            .attribute_is_complete("regions");
        if let Some(used) = &self.used {
            subject = subject.use_roles(used.iter().copied());
        }
        for (name, value) in &self.attributes {
            subject = subject.attribute(name, ours(*value), None);
        }
        for region in &self.regions {
            subject = subject.attribute("regions", *region, None);
        }
        if self.is_told_all {
            subject = subject
                .related("departments", self.departments.iter().copied())
                .related("assignments", self.assignments.iter().copied());
        } else {
            // All texts that a request can hold.
            let others = ["user", "service"].iter().chain(&SUBJECTS).chain(&IDS);
            for text in TEXTS.iter().chain(others) {
                let is_of = self.departments.contains(text);
                subject = subject.is_related("departments", *text, is_of);
                let is_assigned = self.assignments.contains(text);
                subject = subject.is_related("assignments", *text, is_assigned);
            }
        }
        subject.build()
    }
}

fn ours(value: Value) -> ringwall_authz::Value<'static> {
    match value {
        Value::Text(text) | Value::Level(text) | Value::Uuid(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Boolean(value) => value.into(),
        Value::Time(text) => time(text).into(),
    }
}
