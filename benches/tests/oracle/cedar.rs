//! The same policies and requests for Cedar.
//!
//! Written from what the documentation of our policies says, and not from how they are compiled: conditions become
//! texts, roles and scopes become parents of entities, and what every decision of ours holds (the tenant) a forbid.

use std::collections::BTreeSet;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet,
};
use ringwall_authz::{Condition, Constant, Effect, Operand, PolicyDocument, Rule, SetOperand};
use serde_json::{Map, Value as Json, json};

use crate::{
    requests::{Request, Stated, Verdict},
    words::{Kind, LEVELS, SCOPES, Type, Value, kind_of, now, time},
};

/// The forbid that stands for the tenant.
const TENANT: &str = "tenant";

/// A mistake that the translation makes on purpose: what a mistake of ours would look like from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slip {
    LastConjunctDropped,
    LastAlternativeDropped,
    AllTakenForAny,
    NegationDropped,
    AtMostTakenForLess,
    EqualTakenForDifferent,
    LastMemberDropped,
    MembershipTurned,
    PresenceTakenForGiven,
    RelationTakenForGiven,
    ConditionDropped,
    ForbidDropped,
    ForbidTakenForPermit,
    LastActionDropped,
    AllRolesDemanded,
    RolesNotDemanded,
    InheritanceDropped,
    UnusedRolesUsed,
    UnusedRolesForgiven,
    ScopesNotDemanded,
    ScopesOfRolesDropped,
    OrganisationNotDemanded,
    ProjectNotDemanded,
}

impl Slip {
    pub(crate) const ALL: [Self; 23] = [
        Self::LastConjunctDropped,
        Self::LastAlternativeDropped,
        Self::AllTakenForAny,
        Self::NegationDropped,
        Self::AtMostTakenForLess,
        Self::EqualTakenForDifferent,
        Self::LastMemberDropped,
        Self::MembershipTurned,
        Self::PresenceTakenForGiven,
        Self::RelationTakenForGiven,
        Self::ConditionDropped,
        Self::ForbidDropped,
        Self::ForbidTakenForPermit,
        Self::LastActionDropped,
        Self::AllRolesDemanded,
        Self::RolesNotDemanded,
        Self::InheritanceDropped,
        Self::UnusedRolesUsed,
        Self::UnusedRolesForgiven,
        Self::ScopesNotDemanded,
        Self::ScopesOfRolesDropped,
        Self::OrganisationNotDemanded,
        Self::ProjectNotDemanded,
    ];
}

/// A policy for Cedar.
pub(crate) struct Oracle {
    policies: PolicySet,
    /// Its text, for messages.
    pub(crate) text: String,
    /// The entities that every request needs: roles with their parents.
    roles: Vec<Json>,
    slip: Option<Slip>,
}

impl Oracle {
    pub(crate) fn new(document: &PolicyDocument, slip: Option<Slip>) -> Self {
        let mut oracle = Self {
            policies: PolicySet::new(),
            text: String::new(),
            roles: Vec::new(),
            slip,
        };
        for rule in &document.rules {
            if slip == Some(Slip::ForbidDropped) && rule.effect == Effect::Forbid {
                continue;
            }
            let text = oracle.rule(rule);
            oracle.add(&rule.id, &text);
        }
        let tenant = oracle.tenant(document);
        oracle.add(TENANT, &tenant);
        for (name, role) in &document.roles {
            for effect in [Effect::Permit, Effect::Forbid] {
                let (role_kind, scope_kind) = kinds(effect);
                let mut parents = Vec::new();
                if slip != Some(Slip::InheritanceDropped) {
                    parents.extend(role.inherits.iter().map(|role| entity(role_kind, role)));
                }
                if slip != Some(Slip::ScopesOfRolesDropped) {
                    parents.extend(granted(&role.scopes).map(|scope| entity(scope_kind, scope)));
                }
                oracle.roles.push(json!({
                    "uid": entity(role_kind, name), "attrs": {}, "parents": parents,
                }));
            }
        }
        oracle
    }

    fn add(&mut self, id: &str, text: &str) {
        let policy = Policy::parse(Some(PolicyId::new(id)), text);
        let policy = policy.unwrap_or_else(|error| panic!("{text}: {error:?}"));
        self.policies.add(policy).expect("ids are unique");
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn slips(&self, slip: Slip) -> bool {
        self.slip == Some(slip)
    }

    fn rule(&self, rule: &Rule) -> String {
        let effect = match rule.effect {
            Effect::Forbid if !self.slips(Slip::ForbidTakenForPermit) => "forbid",
            Effect::Permit | Effect::Forbid => "permit",
        };
        let mut actions: &[String] = &rule.actions;
        if self.slips(Slip::LastActionDropped) && actions.len() > 1 {
            actions = &actions[..actions.len() - 1];
        }
        let action = if actions.iter().any(|action| action == "*") {
            "action".to_owned()
        } else {
            let actions = actions.iter().map(|action| format!("Action::\"{action}\""));
            format!("action in [{}]", joined(actions, ", "))
        };
        let resource = Type::ALL
            .into_iter()
            .find(|one| one.name() == rule.resource);
        let resource = entity_type(resource.expect("declared"));
        let mut text = format!(
            "@id(\"{}\") {effect}(principal, {action}, resource is {resource})",
            rule.id
        );
        let (role_kind, scope_kind) = kinds(rule.effect);
        if !rule.roles.is_empty() && !self.slips(Slip::RolesNotDemanded) {
            let roles = rule
                .roles
                .iter()
                .map(|role| format!("principal in {role_kind}::\"{role}\""));
            let by = if self.slips(Slip::AllRolesDemanded) {
                " && "
            } else {
                " || "
            };
            text.push_str(&format!(" when {{ {} }}", joined(roles, by)));
        }
        for scope in &rule.scopes {
            if !self.slips(Slip::ScopesNotDemanded) {
                text.push_str(&format!(
                    " when {{ principal in {scope_kind}::\"{scope}\" }}"
                ));
            }
        }
        if let Some(condition) = &rule.when
            && !self.slips(Slip::ConditionDropped)
        {
            text.push_str(&format!(" when {{ {} }}", self.condition(condition)));
        }
        text + ";"
    }

    /// Nobody acts upon what belongs to another organisation, or, bound to a project, to another project.
    fn tenant(&self, document: &PolicyDocument) -> String {
        let mut demands = vec!["true"];
        if !self.slips(Slip::OrganisationNotDemanded) {
            demands.push("resource.org == principal.org");
        }
        if !self.slips(Slip::ProjectNotDemanded) {
            demands.push("(!(principal has project) || resource.project == principal.project)");
        }
        let demands = demands.join(" && ");
        let free = Type::ALL.into_iter().filter(|resource| {
            let definition = document.resources.get(resource.name());
            definition.expect("declared").tenantless
        });
        let free = free.map(|resource| format!("resource is {} || ", entity_type(resource)));
        let free: String = free.collect();
        format!("forbid(principal, action, resource) unless {{ {free}({demands}) }};")
    }

    /// One condition, in parentheses.
    fn condition(&self, condition: &Condition) -> String {
        let all = |parts: &[Condition], by: &str| {
            let parts = parts.iter().map(|part| self.condition(part));
            format!("({})", joined(parts, by))
        };
        let compared = |left: &Operand, sign: &str, right: &Operand| {
            let kind = kind_of_side(left).or_else(|| kind_of_side(right));
            let kind = kind.expect("one side is an attribute");
            format!("({} {sign} {})", side(left, kind), side(right, kind))
        };
        match condition {
            Condition::All(parts) if self.slips(Slip::AllTakenForAny) => all(parts, " || "),
            Condition::All(parts) if self.slips(Slip::LastConjunctDropped) && parts.len() > 1 => {
                all(&parts[..parts.len() - 1], " && ")
            }
            Condition::All(parts) => all(parts, " && "),
            Condition::Any(parts) if parts.is_empty() => "false".to_owned(),
            Condition::Any(parts)
                if self.slips(Slip::LastAlternativeDropped) && parts.len() > 1 =>
            {
                all(&parts[..parts.len() - 1], " || ")
            }
            Condition::Any(parts) => all(parts, " || "),
            Condition::Not(part) if self.slips(Slip::NegationDropped) => self.condition(part),
            Condition::Not(part) => format!("(!{})", self.condition(part)),
            Condition::Eq(left, right) if self.slips(Slip::EqualTakenForDifferent) => {
                compared(left, "!=", right)
            }
            Condition::Eq(left, right) => compared(left, "==", right),
            Condition::Ne(left, right) => compared(left, "!=", right),
            Condition::Lt(left, right) => compared(left, "<", right),
            Condition::Le(left, right) if self.slips(Slip::AtMostTakenForLess) => {
                compared(left, "<", right)
            }
            Condition::Le(left, right) => compared(left, "<=", right),
            Condition::Gt(left, right) => compared(left, ">", right),
            Condition::Ge(left, right) => compared(left, ">=", right),
            Condition::In(left, SetOperand::Constants(members)) => {
                let kind = kind_of_side(left).expect("an attribute");
                let mut members: &[Constant] = members;
                if self.slips(Slip::LastMemberDropped) && !members.is_empty() {
                    members = &members[..members.len() - 1];
                }
                let members = members.iter().map(|member| constant(member, kind));
                let members = joined(members, ", ");
                format!("([{members}].contains({}))", side(left, kind))
            }
            Condition::In(left, SetOperand::Path(set)) => {
                let not = if self.slips(Slip::MembershipTurned) {
                    "!"
                } else {
                    ""
                };
                format!("({not}{}.contains({}))", path(set), side(left, Kind::Text))
            }
            Condition::IsSet(_) if self.slips(Slip::PresenceTakenForGiven) => "true".to_owned(),
            Condition::IsSet(Operand::Path(name)) => {
                let path = path(name);
                let (whose, name) = path.split_once('.').expect("a path");
                format!("({whose} has {name})")
            }
            Condition::Related(..) if self.slips(Slip::RelationTakenForGiven) => "true".to_owned(),
            // Three of Cedar's ways to say it.
            Condition::Related(relation, _) if relation == "assignments" => {
                "(resource in principal.assigned)".to_owned()
            }
            Condition::Related(_, Operand::Text(department)) => {
                format!("(principal in Department::{})", literal(department))
            }
            Condition::Related(_, value) => {
                format!(
                    "(principal.departments.contains({}))",
                    side(value, Kind::Text)
                )
            }
            other => panic!("{other:?}"),
        }
    }

    /// What Cedar says.
    pub(crate) fn decide(&self, request: &Request, action: &str) -> Verdict {
        let person = entity("User", request.person.id);
        let thing = entity(entity_type(request.thing.resource), request.thing.id);
        let mut entities = self.roles.clone();
        entities.push(self.person(request));
        entities.push(resource(request));
        let entities = Entities::from_json_value(Json::Array(entities), None).expect("entities");
        let mut context = stated(&request.context);
        context.insert("now".to_owned(), now().unix_micros().into());
        let context = Context::from_json_value(Json::Object(context), None).expect("a context");
        let uid = |uid: Json| EntityUid::from_json(uid).expect("an entity");
        let action = uid(entity("Action", action));
        let asked = cedar_policy::Request::new(uid(person), action, uid(thing), context, None);
        let asked = asked.expect("a request");
        let answer = Authorizer::new().is_authorized(&asked, &self.policies, &entities);
        let diagnostics = answer.diagnostics();
        let errors: Vec<String> = diagnostics.errors().map(ToString::to_string).collect();
        assert_eq!(errors, [""; 0], "{}", self.text);
        let rules: BTreeSet<String> = diagnostics.reason().map(ToString::to_string).collect();
        match answer.decision() {
            Decision::Allow => Verdict::Permitted(rules.into_iter().collect()),
            Decision::Deny if rules.contains(TENANT) => Verdict::OtherTenant,
            Decision::Deny if rules.is_empty() => Verdict::NothingPermits,
            Decision::Deny => Verdict::Forbidden(rules.into_iter().collect()),
        }
    }

    fn person(&self, request: &Request) -> Json {
        let person = &request.person;
        let roles = match &person.used {
            Some(used) if !self.slips(Slip::UnusedRolesUsed) => used,
            Some(_) | None => &person.roles,
        };
        let held = if self.slips(Slip::UnusedRolesForgiven) {
            roles
        } else {
            &person.roles
        };
        let of = |roles: &[&str], effect| {
            let (role_kind, scope_kind) = kinds(effect);
            let roles = roles.iter().map(|role| entity(role_kind, role));
            let scopes = person.scopes.iter();
            let scopes = scopes.map(|scope| entity(scope_kind, scope));
            roles.chain(scopes).collect::<Vec<Json>>()
        };
        let roles = of(roles, Effect::Permit).into_iter();
        let scopes = of(held, Effect::Forbid).into_iter();
        let departments = person.departments.iter();
        let departments = departments.map(|department| entity("Department", department));
        let parents: Vec<Json> = roles.chain(scopes).chain(departments).collect();
        let assigned = person.assignments.iter().flat_map(|id| {
            let both = Type::ALL.into_iter();
            both.map(move |resource| json!({ "__entity": entity(entity_type(resource), id) }))
        });
        let mut attributes = stated(&person.attributes);
        let mut state = |name: &str, value: Json| attributes.insert(name.to_owned(), value);
        state("id", person.id.into());
        state("kind", person.kind.as_str().into());
        state("org", person.org.into());
        if let Some(project) = person.project {
            state("project", project.into());
        }
        state("regions", json!(person.regions));
        state("departments", json!(person.departments));
        state("assigned", assigned.collect());
        json!({ "uid": entity("User", person.id), "attrs": attributes, "parents": parents })
    }
}

fn resource(request: &Request) -> Json {
    let thing = &request.thing;
    let mut attributes = stated(&thing.attributes);
    for (name, value) in [
        ("id", thing.id),
        ("org", thing.org),
        ("project", thing.project),
    ] {
        attributes.insert(name.to_owned(), value.into());
    }
    let uid = entity(entity_type(thing.resource), thing.id);
    json!({ "uid": uid, "attrs": attributes, "parents": [] })
}

const fn entity_type(resource: Type) -> &'static str {
    match resource {
        Type::Case => "Case",
        Type::Report => "Report",
    }
}

/// Of which types the roles and scopes are that count for rules of this effect: those in use for permits, all that are
/// held for forbids.
const fn kinds(effect: Effect) -> (&'static str, &'static str) {
    match effect {
        Effect::Permit => ("Role", "Scope"),
        Effect::Forbid => ("Held", "HeldScope"),
    }
}

fn entity(kind: &str, id: &str) -> Json {
    json!({ "type": kind, "id": id })
}

/// The scopes for which those of a role stand.
fn granted(patterns: &[String]) -> impl Iterator<Item = &'static str> {
    SCOPES.into_iter().filter(|scope| {
        patterns
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => scope.starts_with(start),
                None => pattern == scope,
            })
    })
}

fn stated(attributes: &Stated) -> Map<String, Json> {
    let all = attributes.iter();
    let all = all.map(|(name, value)| {
        let value = match *value {
            Value::Text(text) => text.into(),
            Value::Level(level) => place(level).into(),
            Value::Integer(number) => number.into(),
            Value::Boolean(value) => value.into(),
            Value::Time(text) => time(text).unix_micros().into(),
            Value::Uuid(uuid) => uuid.to_lowercase().into(),
        };
        ((*name).to_owned(), value)
    });
    all.collect()
}

fn place(level: &str) -> i64 {
    let place = LEVELS.iter().position(|one| *one == level);
    place.expect("a level") as i64
}

fn kind_of_side(operand: &Operand) -> Option<Kind> {
    match operand {
        Operand::Path(path) => kind_of(path),
        _ => None,
    }
}

fn side(operand: &Operand, kind: Kind) -> String {
    match operand {
        Operand::Path(name) => path(name),
        Operand::Text(text) => text_of(text, kind),
        Operand::Integer(number) => number.to_string(),
        Operand::Boolean(value) => value.to_string(),
        Operand::Timestamp(time) => time.unix_micros().to_string(),
    }
}

fn constant(constant: &Constant, kind: Kind) -> String {
    match constant {
        Constant::Text(text) => text_of(text, kind),
        Constant::Integer(number) => number.to_string(),
        Constant::Boolean(value) => value.to_string(),
    }
}

/// A constant text, as what it is compared with demands.
fn text_of(text: &str, kind: Kind) -> String {
    match kind {
        Kind::Level => place(text).to_string(),
        Kind::Time => time(text).unix_micros().to_string(),
        Kind::Uuid => literal(&text.to_lowercase()),
        Kind::Text | Kind::Integer | Kind::Boolean => literal(text),
    }
}

fn literal(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn path(path: &str) -> String {
    path.replace("subject.", "principal.")
}

fn joined(parts: impl Iterator<Item = String>, by: &str) -> String {
    parts.collect::<Vec<_>>().join(by)
}
