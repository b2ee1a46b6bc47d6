//! Tenants that guess each other's ids, and security that is there and does nothing.

use ringwall_authz::{
    Action, Duties, Policy, PolicyInformationPoint as _, RowLevelSecurityOptions, StoredAttribute,
    Subject, SubjectDirectory as _, ready,
};
use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, Subject as SubjectId,
    Tenant,
};
use ringwall_core::secret::SecretString;
use ringwall_postgres::{PostgresConfig, PostgresDatabase, PostgresDirectory, WithSubject as _};
use sqlx::Row as _;

use crate::callers::now;
use crate::world::{World, run};

struct ReadCase;

impl Action for ReadCase {
    const RESOURCE: &'static str = "case";
    const NAME: &'static str = "read";
}

/// The ready-made policy over the tables of the directory.
pub(crate) fn policy() -> Policy {
    Policy::from_toml(&policy_text()).expect("a policy")
}

pub(crate) fn policy_text() -> String {
    ready::ROWS_AND_CLEARANCE.replace(
        "table = \"user_departments\"",
        "table = \"ringwall_user_departments\"",
    )
}

/// A world with the tables of the directory in place of those that stand in for them.
pub(crate) async fn world(policy: &Policy) -> (World, PostgresDirectory) {
    let world = World::new().await;
    run(
        &world.owner,
        "DROP TABLE ringwall_user_attributes; DROP TABLE user_departments",
    )
    .await;
    let url = SecretString::new(world.url.to_string());
    let config = PostgresConfig::from_url(&url).expect("valid");
    let database = PostgresDatabase::open(config.schema(&world.schema))
        .await
        .expect("it opens");
    database.migrations().migrate().await.expect("it migrates");
    let directory = PostgresDirectory::open(&database)
        .await
        .expect("it is migrated");
    world.enforce(policy).await;
    run(
        &world.owner,
        "INSERT INTO cases (id, org_id, owner_id, department, sensitivity, region) VALUES
            ('a1', 'o1', 'u1', 'sales', 'internal', 'eu'), ('a2', 'o1', 'u2', 'sales', 'internal', 'eu'),
            ('b1', 'o2', 'u1', 'sales', 'internal', 'eu'), ('b2', 'o2', 'u3', 'legal', 'restricted', 'eu')",
    )
    .await;
    (world, directory)
}

pub(crate) fn org(name: &str) -> OrgId {
    OrgId::new(name).expect("an organisation")
}

pub(crate) fn user(name: &str) -> SubjectId {
    SubjectId::new(name).expect("a subject")
}

pub(crate) async fn give(directory: &PostgresDirectory, in_org: &str, to: &str, role: &str) {
    let (org, user) = (org(in_org), user(to));
    directory
        .grant_role(&org, &user, role)
        .await
        .expect("granted");
    for (key, value) in [("clearance", "confidential"), ("regions", "eu")] {
        let attribute = StoredAttribute::new(key, value, None);
        directory
            .grant_attribute(&org, &user, &attribute)
            .await
            .expect("granted");
    }
}

pub(crate) async fn subject(
    policy: &Policy,
    directory: &PostgresDirectory,
    in_org: &str,
    name: &str,
) -> Subject {
    let mut principal = Principal::new(
        PrincipalKind::User,
        user(name),
        Authentication::new(AuthenticationMethod::Token),
    );
    principal.tenant = Some(Tenant {
        org: org(in_org),
        project: None,
    });
    let facts = directory
        .facts(&org(in_org), &user(name))
        .await
        .expect("it answers");
    policy
        .subject_of(&principal, Attest::i_have_verified_this())
        .facts(&facts)
        .build()
}

/// What the subject sees, by a statement that forgot its WHERE, and by one that guesses an id.
pub(crate) async fn seen(
    world: &World,
    policy: &Policy,
    subject: &Subject,
    at: Timestamp,
) -> Vec<String> {
    let mut transaction = world.runtime.begin().await.expect("it begins");
    transaction
        .with_subject(subject, &policy.context(at))
        .await
        .expect("it is told");
    let rows = sqlx::query("SELECT id FROM cases ORDER BY id")
        .fetch_all(&mut *transaction)
        .await;
    let all: Vec<String> = rows
        .expect("it answers")
        .iter()
        .map(|row| row.get(0))
        .collect();
    for id in ["a1", "a2", "b1", "b2"] {
        // The same prepared statement for each subject.
        let row = sqlx::query("SELECT id FROM cases WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut *transaction)
            .await
            .expect("it answers");
        assert_eq!(row.is_some(), all.iter().any(|own| own == id), "{id}");
    }
    transaction.commit().await.expect("it ends");
    all
}

#[tokio::test]
async fn two_tenants_over_one_connection_see_nothing_of_each_other() {
    let policy = policy();
    let (world, directory) = world(&policy).await;
    give(&directory, "o1", "u1", "analyst").await;
    give(&directory, "o2", "u1", "analyst").await;
    give(&directory, "o1", "boss", "admin").await;
    give(&directory, "o2", "u9", "manager").await;
    directory
        .add_department(&org("o2"), &user("u9"), "sales")
        .await
        .expect("added");
    for _ in 0..3 {
        for (org, name, expected) in [
            ("o1", "u1", vec!["a1"]),
            ("o2", "u1", vec!["b1"]),
            ("o1", "boss", vec!["a1", "a2"]),
            ("o2", "boss", vec![]),
            ("o2", "u9", vec!["b1"]),
            ("o1", "nobody", vec![]),
        ] {
            let subject = subject(&policy, &directory, org, name).await;
            assert_eq!(
                seen(&world, &policy, &subject, now()).await,
                expected,
                "{org} {name}"
            );
            // What the process decides of a row of the other organisation: it does not exist.
            let case = policy.resource("case").expect("declared").id("x").org("o3");
            let refused = policy.authorize::<ReadCase>(
                &subject,
                &case,
                &policy.context(now()),
                &Duties::none(),
            );
            assert_eq!(refused.expect_err("refused").denial().http_status(), 404);
        }
        // Between two subjects, nobody was told: nothing is seen, also by the statement that was prepared before.
        let rows = sqlx::query("SELECT id FROM cases ORDER BY id")
            .fetch_all(&world.runtime)
            .await;
        assert!(rows.expect("it answers").is_empty());
    }
    world.remove().await;
}

#[tokio::test]
async fn of_whom_nothing_was_asked_nothing_is_read_from_the_database() {
    let policy = policy();
    let (world, directory) = world(&policy).await;
    give(&directory, "o1", "u1", "analyst").await;
    give(&directory, "o1", "u9", "manager").await;
    let sales = directory.add_department(&org("o1"), &user("u9"), "sales");
    sales.await.expect("added");
    let caller = |name: &str, role: &str| {
        let mut principal = Principal::new(
            PrincipalKind::User,
            user(name),
            Authentication::new(AuthenticationMethod::Token),
        );
        principal.tenant = Some(Tenant {
            org: org("o1"),
            project: None,
        });
        policy
            .subject_of(&principal, Attest::i_have_verified_this())
            .roles([role])
    };
    // What the database holds under their names is somebody else's: clearance and regions of the one, the departments of
    // the other.
    let namesake = caller("u1", "analyst");
    let foreign = caller("u9", "manager")
        .in_directory_as("u9")
        .related_in_database("user_departments");
    for (subject, expected) in [
        (namesake.clone(), vec![]),
        (namesake.clone().of_foreign_issuer(), vec![]),
        (namesake.in_directory_as("u1"), vec!["a1"]),
        (foreign.clone().of_foreign_issuer(), vec![]),
        (foreign, vec!["a1", "a2"]),
    ] {
        let seen = seen(&world, &policy, &subject.clone().build(), now()).await;
        assert_eq!(seen, expected, "{subject:?}");
    }
    world.remove().await;
}

#[tokio::test]
async fn a_row_is_not_moved_to_another_tenant_nor_to_where_it_may_not_be() {
    let policy = policy();
    let (world, directory) = world(&policy).await;
    give(&directory, "o1", "u1", "analyst").await;
    let subject = subject(&policy, &directory, "o1", "u1").await;
    for (statement, is_done) in [
        ("UPDATE cases SET note = 'x' WHERE id = 'a1'", true),
        ("UPDATE cases SET org_id = 'o2' WHERE id = 'a1'", false),
        ("UPDATE cases SET owner_id = 'u2' WHERE id = 'a1'", false),
        ("UPDATE cases SET org_id = NULL WHERE id = 'a1'", false),
        (
            "UPDATE cases SET sensitivity = 'restricted' WHERE id = 'a1'",
            false,
        ),
        // What a row is judged by is not for its owner, neither up nor down.
        (
            "UPDATE cases SET sensitivity = 'public' WHERE id = 'a1'",
            false,
        ),
        (
            "UPDATE cases SET note = 'x', region = 'us' WHERE id = 'a1'",
            false,
        ),
        ("UPDATE cases SET region = region WHERE id = 'a1'", false),
        (
            "INSERT INTO cases (id, org_id, owner_id, sensitivity, region) VALUES ('n', 'o2', 'u1', 'public', 'eu')",
            false,
        ),
        (
            "INSERT INTO cases (id, org_id, owner_id, sensitivity, region) VALUES ('n', 'o1', 'u1', 'public', 'eu')",
            true,
        ),
        ("TRUNCATE cases", false),
        ("ALTER TABLE cases DISABLE ROW LEVEL SECURITY", false),
        ("SET LOCAL ROLE postgres", false),
        (
            "UPDATE ringwall_user_attributes SET value = 'restricted'",
            false,
        ),
        (
            "INSERT INTO ringwall_org_memberships VALUES ('o1', 'u1', 'admin')",
            false,
        ),
    ] {
        let mut transaction = world.runtime.begin().await.expect("it begins");
        transaction
            .with_subject(&subject, &policy.context(now()))
            .await
            .expect("it is told");
        let done = sqlx::query(statement).execute(&mut *transaction).await;
        assert_eq!(done.is_ok(), is_done, "{statement} {done:?}");
        transaction.rollback().await.expect("it ends");
    }
    world.remove().await;
}

#[tokio::test]
async fn attributes_end_and_are_revoked_in_mid_session() {
    let policy = policy();
    let (world, directory) = world(&policy).await;
    give(&directory, "o1", "u1", "analyst").await;
    let (o1, u1) = (org("o1"), user("u1"));
    let end = now();
    let ending = StoredAttribute::new("clearance", "confidential", Some(end));
    directory
        .grant_attribute(&o1, &u1, &ending)
        .await
        .expect("granted");
    let known = subject(&policy, &directory, "o1", "u1").await;
    let before = Timestamp::from_unix_micros(end.unix_micros() - 1);
    assert_eq!(seen(&world, &policy, &known, before).await, ["a1"]);
    assert!(
        seen(&world, &policy, &known, end).await.is_empty(),
        "it is over"
    );
    // Row-level security reads the directory: a revocation needs no new subject there, and does in the process.
    directory
        .revoke_attribute(&o1, &u1, "regions", "eu")
        .await
        .expect("revoked");
    assert!(
        seen(&world, &policy, &known, before).await.is_empty(),
        "it is revoked"
    );
    let anew = subject(&policy, &directory, "o1", "u1").await;
    assert!(anew.version() > known.version());
    let case = policy
        .resource("case")
        .expect("declared")
        .id("a1")
        .org("o1")
        .attribute("owner", "u1");
    let case = case
        .attribute("sensitivity", "internal")
        .attribute("region", "eu");
    let decide = |subject: &Subject| {
        policy
            .decide(subject, "read", &case, &policy.context(before))
            .is_permit()
    };
    assert!(decide(&known) && !decide(&anew));
    world.remove().await;
}

#[tokio::test]
async fn a_migration_that_is_run_again_changes_nothing_and_its_text_is_the_same() {
    let policy = policy();
    let (world, _) = world(&policy).await;
    let options = RowLevelSecurityOptions::new(&world.role).expect("a name");
    let one = policy
        .row_level_security(&options)
        .expect("it can be pushed");
    assert_eq!(
        one,
        policy
            .row_level_security(&options)
            .expect("it can be pushed")
    );
    for _ in 0..2 {
        world.enforce(&policy).await;
    }
    for wrong in ["", "a b", "a;b", "a.b", "a\"b", &"x".repeat(64)] {
        assert!(RowLevelSecurityOptions::new(wrong).is_err(), "{wrong:?}");
    }
    world.remove().await;
}

#[tokio::test]
async fn a_directory_that_row_level_security_hides_facts_from_fails_and_its_owner_keeps_it() {
    let policy = policy();
    let (world, _) = world(&policy).await;
    let (role, schema) = (&world.role, &world.schema);
    run(
        &world.owner,
        &format!(
            "CREATE ROLE {role}_keeper LOGIN PASSWORD 'word' NOSUPERUSER NOBYPASSRLS;
             CREATE ROLE {role}_other LOGIN PASSWORD 'word' NOSUPERUSER NOBYPASSRLS;
             GRANT USAGE ON SCHEMA {schema} TO {role}_keeper, {role}_other;
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}_other;
             GRANT SELECT, INSERT, UPDATE, DELETE ON ringwall_migrations, ringwall_subjects, ringwall_org_memberships
                TO {role}_keeper;
             ALTER TABLE ringwall_user_attributes OWNER TO {role}_keeper;
             ALTER TABLE ringwall_user_departments OWNER TO {role}_keeper"
        ),
    )
    .await;
    let open = async |user: String| {
        let mut url = world.url.clone();
        url.set_username(&user).expect("a name");
        url.set_password(Some("word")).expect("a password");
        let config = PostgresConfig::from_url(&SecretString::new(url.into())).expect("valid");
        let database = PostgresDatabase::open(config.schema(schema.as_str()))
            .await
            .expect("it opens");
        PostgresDirectory::open(&database).await.expect("migrated")
    };
    let (o1, u1) = (org("o1"), user("u1"));
    let keeper = open(format!("{role}_keeper")).await;
    give(&keeper, "o1", "u1", "analyst").await;
    let facts = keeper.facts(&o1, &u1).await.expect("it answers");
    assert_eq!((facts.roles.len(), facts.attributes.len()), (1, 2));
    // Somebody whom the rows are hidden from is not told that there are none.
    let other = open(format!("{role}_other")).await;
    assert!(other.facts(&o1, &u1).await.is_err());
    assert!(
        other
            .revoke_attribute(&o1, &u1, "regions", "eu")
            .await
            .is_err()
    );
    let facts = keeper.facts(&o1, &u1).await.expect("it answers");
    assert_eq!(facts.attributes.len(), 2, "nothing was taken");
    run(
        &world.owner,
        &format!(
            "REASSIGN OWNED BY {role}_keeper TO CURRENT_USER; DROP OWNED BY {role}_keeper, {role}_other;
             DROP ROLE {role}_keeper, {role}_other"
        ),
    )
    .await;
    world.remove().await;
}

#[tokio::test]
async fn roles_of_another_policy_mean_nothing_to_the_tables_of_this_one() {
    let policy = policy();
    let (world, directory) = world(&policy).await;
    // With all that the tables of this policy ask for beside the role.
    give(&directory, "o1", "boss", "admin").await;
    let boss = subject(&policy, &directory, "o1", "boss").await;
    assert_eq!(seen(&world, &policy, &boss, now()).await, ["a1", "a2"]);
    let other = Policy::from_toml(&ready::ROWS.replace("name = \"rows\"", "name = \"another\""));
    let other = other.expect("a policy");
    let mut principal = Principal::new(
        PrincipalKind::User,
        user("boss"),
        Authentication::new(AuthenticationMethod::Token),
    );
    principal.tenant = Some(Tenant {
        org: org("o1"),
        project: None,
    });
    let admin = other
        .subject_of(&principal, Attest::i_have_verified_this())
        .roles(["admin"])
        .build();
    assert!(admin.has_role("admin"));
    let mut transaction = world.runtime.begin().await.expect("it begins");
    let told = transaction
        .with_subject(&admin, &other.context(now()))
        .await;
    told.expect("it is told");
    let rows = sqlx::query("SELECT id FROM cases")
        .fetch_all(&mut *transaction)
        .await;
    assert!(rows.expect("it answers").is_empty());
    transaction.rollback().await.expect("it ends");
    world.remove().await;
}

#[tokio::test]
async fn a_table_that_a_later_policy_does_not_name_shows_nothing() {
    let policy = policy();
    let (world, directory) = world(&policy).await;
    give(&directory, "o1", "boss", "admin").await;
    let boss = subject(&policy, &directory, "o1", "boss").await;
    assert_eq!(seen(&world, &policy, &boss, now()).await, ["a1", "a2"]);
    let text =
        "version = 1\nname = \"rows-and-clearance\"\n[resources.note]\nactions = [\"read\"]\n";
    let later = Policy::from_toml(text).expect("a policy");
    world.enforce(&later).await;
    let mut transaction = world.runtime.begin().await.expect("it begins");
    transaction
        .with_subject(&boss, &policy.context(now()))
        .await
        .expect("it is told");
    let rows = sqlx::query("SELECT id FROM cases")
        .fetch_all(&mut *transaction)
        .await;
    assert!(rows.expect("it answers").is_empty());
    transaction.rollback().await.expect("it ends");
    world.remove().await;
}
