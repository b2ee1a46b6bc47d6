//! Subjects whose credential is limited to scopes: the process, the WHERE and row-level security let them do the same.

use std::collections::BTreeSet;

use ringwall_authz::{
    Commands, Condition, Operand, Policy, PolicyDocument, ResourceDefinition, RoleDefinition, Rule,
    Subject, TableDefinition,
};
use ringwall_core::attest::Attest;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, Scope,
    Subject as SubjectId, Tenant,
};
use ringwall_postgres::{PushRows as _, WithSubject as _};
use sqlx::{Postgres, QueryBuilder, Row as _};

use crate::callers::now;
use crate::world::{World, run};

const ACTIONS: [&str; 4] = ["read", "update", "delete", "export"];
const ROLES: [&str; 3] = ["admin", "reader", "leaver"];
const SCOPES: [&str; 4] = ["cases:read", "cases:export", "frozen", "elsewhere"];
const OWNERS: [(&str, &str); 3] = [("c1", "u1"), ("c2", "u2"), ("c3", "u1")];

/// Permits with scopes, with roles, with both and with neither; forbids by scopes and by roles.
fn policy(select: &str) -> Policy {
    let own = || Condition::eq("resource.owner", Operand::from("subject.id"));
    let table = TableDefinition::new("cases").commands(Commands::new().select(select));
    let case = ResourceDefinition::new(ACTIONS)
        .attribute(
            "owner",
            ringwall_authz::AttributeDefinition::in_column("text", "owner_id"),
        )
        .table(table);
    let document = PolicyDocument::new("limits")
        .role("admin", RoleDefinition::new().scopes(["cases:*"]))
        .role("reader", RoleDefinition::new().scopes(["cases:read"]))
        .role("leaver", RoleDefinition::new().scopes(["frozen"]))
        .resource("case", case)
        .rule(Rule::permit("read", "case", ["read"]).scopes(["cases:read"]))
        .rule(Rule::permit("update", "case", ["update"]).roles(["admin"]))
        .rule(
            Rule::permit("export", "case", ["export"])
                .roles(["admin", "leaver"])
                .scopes(["cases:export"]),
        )
        .rule(Rule::permit("own", "case", ["read", "delete"]).when(own()))
        .rule(
            Rule::forbid("frozen", "case", ["read", "export"])
                .scopes(["frozen"])
                .when(own()),
        )
        .rule(Rule::forbid("leaves", "case", ["delete"]).roles(["leaver"]));
    Policy::new(document).expect("a policy")
}

fn subject(policy: &Policy, roles: &[&str], scopes: &[&str], is_limited: bool) -> Subject {
    let mut principal = Principal::new(
        PrincipalKind::User,
        SubjectId::new("u1").expect("a subject"),
        Authentication::new(AuthenticationMethod::Token),
    );
    principal.tenant = Some(Tenant {
        org: OrgId::new("o1").expect("an organisation"),
        project: None,
    });
    principal.scopes = scopes
        .iter()
        .map(|scope| Scope::new(*scope).expect("a scope"))
        .collect();
    let subject = policy
        .subject_of(&principal, Attest::i_have_verified_this())
        .roles(roles);
    if is_limited {
        subject.limited_to_scopes_of_credential().build()
    } else {
        subject.scopes_of_credential().build()
    }
}

/// Each choice of some of them.
fn subsets<'a>(all: &[&'a str]) -> Vec<Vec<&'a str>> {
    all.iter().fold(vec![Vec::new()], |subsets, one| {
        let with = subsets.iter().cloned().map(|mut subset| {
            subset.push(*one);
            subset
        });
        subsets.iter().cloned().chain(with).collect()
    })
}

fn decided(policy: &Policy, subject: &Subject, action: &str) -> BTreeSet<String> {
    let context = policy.context(now());
    let is_permitted = |(id, owner): &&(&str, &str)| {
        let case = policy.resource("case").expect("declared").id(*id).org("o1");
        let case = case.attribute("owner", *owner);
        policy.decide(subject, action, &case, &context).is_permit()
    };
    let ids = OWNERS.iter().filter(is_permitted);
    ids.map(|(id, _)| (*id).to_owned()).collect()
}

async fn filtered(
    world: &World,
    policy: &Policy,
    subject: &Subject,
    action: &str,
) -> BTreeSet<String> {
    let filter = policy
        .filter(subject, action, "case", &policy.context(now()))
        .expect("all can be pushed");
    let mut query = QueryBuilder::<Postgres>::new("SELECT id FROM cases WHERE ");
    query.push_filter(&filter, None);
    let found = query.build().fetch_all(&world.owner).await;
    let found = found.expect("it answers");
    found.iter().map(|row| row.get(0)).collect()
}

async fn secured(world: &World, policy: &Policy, subject: &Subject) -> BTreeSet<String> {
    let mut transaction = world.runtime.begin().await.expect("it begins");
    transaction
        .with_subject(subject, &policy.context(now()))
        .await
        .expect("it is told");
    let found = sqlx::query("SELECT id FROM cases")
        .fetch_all(&mut *transaction)
        .await;
    let found = found.expect("it answers");
    transaction.commit().await.expect("it ends");
    found.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_limit_holds_in_the_process_in_a_filter_and_in_row_level_security() {
    let world = World::new().await;
    run(
        &world.owner,
        "INSERT INTO cases (id, org_id, owner_id) VALUES
            ('c1', 'o1', 'u1'), ('c2', 'o1', 'u2'), ('c3', 'o1', 'u1'), ('d1', 'o2', 'u1')",
    )
    .await;
    let (mut narrowed, mut same) = (0_usize, 0_usize);
    for action in ACTIONS {
        let policy = policy(action);
        world.enforce(&policy).await;
        for roles in subsets(&ROLES) {
            let whole = decided(&policy, &subject(&policy, &roles, &[], true), action);
            for scopes in subsets(&SCOPES) {
                for is_limited in [true, false] {
                    let subject = subject(&policy, &roles, &scopes, is_limited);
                    let what = format!("{action} {roles:?} {scopes:?} {is_limited}");
                    let expected = decided(&policy, &subject, action);
                    let filtered = filtered(&world, &policy, &subject, action).await;
                    assert_eq!(filtered, expected, "WHERE: {what}");
                    let secured = secured(&world, &policy, &subject).await;
                    assert_eq!(secured, expected, "RLS: {what}");
                    if is_limited {
                        assert!(expected.is_subset(&whole), "a limit gave something: {what}");
                        narrowed += usize::from(expected.len() < whole.len());
                        same += usize::from(!expected.is_empty() && expected == whole);
                    }
                }
            }
        }
    }
    assert!(narrowed > 50 && same > 50, "{narrowed} {same}");
    world.remove().await;
}

#[tokio::test]
async fn a_session_that_was_not_told_of_a_limit_is_limited() {
    let world = World::new().await;
    let policy = policy("update");
    world.enforce(&policy).await;
    run(
        &world.owner,
        "INSERT INTO cases (id, org_id, owner_id) VALUES ('c1', 'o1', 'u1')",
    )
    .await;
    let admin = subject(&policy, &["admin"], &[], true);
    assert_eq!(secured(&world, &policy, &admin).await.len(), 1);
    // As a service of an earlier version tells it: without this setting.
    let mut transaction = world.runtime.begin().await.expect("it begins");
    transaction
        .with_subject(&admin, &policy.context(now()))
        .await
        .expect("it is told");
    sqlx::query("SELECT set_config('ringwall.limited', '', true)")
        .execute(&mut *transaction)
        .await
        .expect("it is set");
    let found = sqlx::query("SELECT id FROM cases")
        .fetch_all(&mut *transaction)
        .await;
    assert_eq!(found.expect("it answers").len(), 0);
    transaction.rollback().await.expect("it ends");
    world.remove().await;
}
