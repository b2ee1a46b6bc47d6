//! The same rules in each engine.
//!
//! Each rule permits analysts to read the cases of one department that are their own and not above their clearance.
//! casbin has no attributes in its policies; it gets the subject, the department and the action, and nothing of owner and
//! clearance, which is less than the others decide.

use std::{collections::HashMap, pin::pin, str::FromStr as _, task};

use casbin::{CachedEnforcer, CoreApi as _, DefaultModel, Enforcer, MemoryAdapter, MgmtApi as _};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request,
    RestrictedExpression, Schema,
};
use gatehouse::{EvaluationSession, PermissionChecker, PolicyBuilder, PolicyDomain};
use ringwall_authz::{
    AttributeDefinition, Condition, Operand, Policy, PolicyDocument, ResourceDefinition,
    RoleDefinition, Rule,
};
use ringwall_core::attest::Attest;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, Scope, Subject, Tenant,
    VerifiedPrincipal,
};

/// What the rules are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Each is for another department, so that an index finds the one.
    Indexed,
    /// Each asks for a least sensitivity, so that all have to be looked at; one holds.
    Bad,
}

pub(super) fn principal(id: &str, scopes: &[&str]) -> VerifiedPrincipal {
    principal_in("o1", id, scopes)
}

pub(super) fn principal_in(org: &str, id: &str, scopes: &[&str]) -> VerifiedPrincipal {
    let mut principal = Principal::new(
        PrincipalKind::User,
        Subject::new(id).expect("a subject"),
        Authentication::new(AuthenticationMethod::Token),
    );
    principal.tenant = Some(Tenant {
        org: OrgId::new(org).expect("an organisation"),
        project: None,
    });
    principal.scopes = scopes
        .iter()
        .map(|scope| Scope::new(*scope).expect("a scope"))
        .collect();
    VerifiedPrincipal::attest(principal, Attest::i_have_verified_this())
}

/// Of the bad shape, the last rule alone holds: the others ask for a sensitivity that is too high.
fn least(rule: usize, policies: usize) -> i64 {
    if rule + 1 == policies {
        1
    } else {
        100 + rule as i64
    }
}

pub(super) fn ours_policy(shape: Shape, policies: usize) -> Policy {
    let mut document = PolicyDocument::new("bench")
        .role("analyst", RoleDefinition::new())
        .subject_attribute("clearance", "integer")
        .resource(
            "case",
            ResourceDefinition::new(["read"])
                .attribute("department", AttributeDefinition::new("text"))
                .attribute("owner", AttributeDefinition::new("text"))
                .attribute("sensitivity", AttributeDefinition::new("integer")),
        );
    for rule in 0..policies {
        let own = match shape {
            Shape::Indexed => {
                Condition::eq("resource.department", Operand::text(format!("d{rule}")))
            }
            Shape::Bad => Condition::ge("resource.sensitivity", least(rule, policies)),
        };
        document = document.rule(
            Rule::permit(format!("r{rule}"), "case", ["read"])
                .roles(["analyst"])
                .when(Condition::all([
                    own,
                    Condition::eq("resource.owner", "subject.id"),
                    Condition::le("resource.sensitivity", "subject.clearance"),
                ])),
        );
    }
    Policy::new(document).expect("a policy")
}

/// By which Cedar checks what it is told, as ours checks each attribute for its type.
const SCHEMA: &str = "
entity Role;
entity User in [Role] = { name: String, clearance: Long };
entity Case = { department: String, owner: String, sensitivity: Long };
action \"read\" appliesTo { principal: [User], resource: [Case], context: {} };
";

pub(super) struct Cedar {
    schema: Schema,
    policies: PolicySet,
    authorizer: Authorizer,
    role: EntityUid,
    action: EntityUid,
}

fn uid(text: &str) -> EntityUid {
    EntityUid::from_str(text).expect("an entity")
}

impl Cedar {
    pub(super) fn new(shape: Shape, policies: usize) -> Self {
        let mut text = String::new();
        for rule in 0..policies {
            let own = match shape {
                Shape::Indexed => format!("resource.department == \"d{rule}\""),
                Shape::Bad => format!("resource.sensitivity >= {}", least(rule, policies)),
            };
            text.push_str(&format!(
                "permit(principal in Role::\"analyst\", action == Action::\"read\", resource is Case) when {{
                    {own} && resource.owner == principal.name && resource.sensitivity <= principal.clearance }};\n"
            ));
        }
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).expect("a schema");
        Self {
            schema,
            policies: text.parse().expect("policies"),
            authorizer: Authorizer::new(),
            role: uid("Role::\"analyst\""),
            action: uid("Action::\"read\""),
        }
    }

    /// Whether it permits, and finds nothing wrong with what it is told where it `checks` that.
    pub(super) fn decide(&self, department: &str, checks: bool) {
        let schema = checks.then_some(&self.schema);
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let user = EntityUid::from_type_name_and_id(
            "User".parse().expect("a type"),
            "u1".parse().expect("an id"),
        );
        let case = EntityUid::from_type_name_and_id(
            "Case".parse().expect("a type"),
            "c1".parse().expect("an id"),
        );
        let principal = Entity::new(
            user.clone(),
            HashMap::from([
                ("name".to_owned(), text("u1")),
                ("clearance".to_owned(), RestrictedExpression::new_long(2)),
            ]),
            [self.role.clone()].into(),
        )
        .expect("an entity");
        let resource = Entity::new(
            case.clone(),
            HashMap::from([
                ("department".to_owned(), text(department)),
                ("owner".to_owned(), text("u1")),
                ("sensitivity".to_owned(), RestrictedExpression::new_long(1)),
            ]),
            [].into(),
        )
        .expect("an entity");
        let role = Entity::new_no_attrs(self.role.clone(), [].into());
        let entities =
            Entities::from_entities([principal, resource, role], schema).expect("entities");
        let request = Request::new(user, self.action.clone(), case, Context::empty(), schema);
        let answer =
            self.authorizer
                .is_authorized(&request.expect("a request"), &self.policies, &entities);
        assert_eq!(answer.decision(), Decision::Allow);
    }
}

/// The future of something that does not wait.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut context = task::Context::from_waker(task::Waker::noop());
    match pin!(future).poll(&mut context) {
        task::Poll::Ready(value) => value,
        task::Poll::Pending => panic!("it waits"),
    }
}

pub(super) struct Casbin {
    plain: Enforcer,
    cached: CachedEnforcer,
}

const MODEL: &str = "
[request_definition]
r = sub, dep, act
[policy_definition]
p = sub, dep, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && r.dep == p.dep && r.act == p.act
";

impl Casbin {
    pub(super) fn new(policies: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let rules: Vec<Vec<String>> = (0..policies)
                .map(|rule| vec!["analyst".to_owned(), format!("d{rule}"), "read".to_owned()])
                .collect();
            let model = async || DefaultModel::from_str(MODEL).await.expect("a model");
            let mut plain = Enforcer::new(model().await, MemoryAdapter::default())
                .await
                .expect("an enforcer");
            plain.add_policies(rules.clone()).await.expect("policies");
            let mut cached = CachedEnforcer::new(model().await, MemoryAdapter::default())
                .await
                .expect("an enforcer");
            cached.add_policies(rules).await.expect("policies");
            Self { plain, cached }
        })
    }

    pub(super) fn decide(&self, department: &str) {
        let allowed = self.plain.enforce(("analyst", department, "read"));
        assert!(allowed.expect("an answer"));
    }

    pub(super) fn decide_cached(&self, department: &str) {
        let allowed = self.cached.enforce(("analyst", department, "read"));
        assert!(allowed.expect("an answer"));
    }
}

pub(super) struct User {
    id: String,
    role: String,
    clearance: i64,
}

pub(super) struct Case {
    department: String,
    owner: String,
    sensitivity: i64,
}

pub(super) struct Read;

pub(super) struct Cases;

impl PolicyDomain for Cases {
    type Subject = User;
    type Action = Read;
    type Resource = Case;
    type Context = ();
}

pub(super) struct Gatehouse(PermissionChecker<Cases>);

impl Gatehouse {
    pub(super) fn new(shape: Shape, policies: usize) -> Self {
        let mut checker = PermissionChecker::<Cases>::new();
        for rule in 0..policies {
            let department = format!("d{rule}");
            let least = least(rule, policies);
            let policy = PolicyBuilder::<Cases>::new(format!("r{rule}"))
                .when(move |user: &User, _: &Read, case: &Case, (): &()| {
                    let is_own = match shape {
                        Shape::Indexed => case.department == department,
                        Shape::Bad => case.sensitivity >= least,
                    };
                    user.role == "analyst"
                        && is_own
                        && case.owner == user.id
                        && case.sensitivity <= user.clearance
                })
                .build();
            checker.add_policy(policy);
        }
        Self(checker)
    }

    pub(super) fn decide(&self, department: &str) {
        let user = User {
            id: "u1".to_owned(),
            role: "analyst".to_owned(),
            clearance: 2,
        };
        let case = Case {
            department: department.to_owned(),
            owner: "u1".to_owned(),
            sensitivity: 1,
        };
        let session = EvaluationSession::empty();
        let bound = self.0.bind(&session, &user, &Read, &());
        assert!(ready(bound.authorize(&case)).is_ok());
    }
}
