//! Two policies in one database.

use ringwall_authz::{
    Policy, RowLevelSecurityOptions, StoredAttribute, Subject, SubjectDirectory as _,
};
use ringwall_postgres::{WithSubject as _, examine};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::{Patient, connect};
use crate::callers::now;
use crate::isolation::{give, org, seen, subject, user};

/// Forbids by a set and by a relation, in whose place nothing may be seen: then it would permit.
const SECOND: &str = r#"
version = 1
name = "second"
[subject.attributes]
blocked = "text_set"
[roles.admin]
rank = 1
[relations.user_departments]
value = "text"
table = "ringwall_user_departments"
value_column = "department"
[resources.ticket]
actions = ["read"]
attributes.department = "text"
[resources.ticket.table]
name = "tickets"
commands = { select = "read" }
[[rules]]
id = "all"
effect = "permit"
resource = "ticket"
actions = ["read"]
roles = ["admin"]
[[rules]]
id = "blocked"
effect = "forbid"
resource = "ticket"
actions = ["read"]
when = { in = ["resource.department", "subject.blocked"] }
[[rules]]
id = "own-department"
effect = "forbid"
resource = "ticket"
actions = ["read"]
when = { related = ["user_departments", "resource.department"] }
"#;

fn options(patient: &Patient) -> RowLevelSecurityOptions {
    RowLevelSecurityOptions::new(&patient.named("RUNTIME_second"))
        .and_then(|options| options.schema(&patient.named("HOME_second")))
        .expect("names")
}

/// The tables and the role of the second policy.
async fn prepare(patient: &Patient) {
    patient
        .run(
            "CREATE ROLE RUNTIME_second LOGIN PASSWORD 'word' NOSUPERUSER NOBYPASSRLS;
             GRANT USAGE ON SCHEMA HOME TO RUNTIME_second;
             CREATE TABLE tickets (id text, org_id text, department text, UNIQUE (org_id, id));
             INSERT INTO tickets VALUES ('t1', 'o1', 'sales'), ('t2', 'o1', 'legal'), ('t3', 'o1', 'hr'), ('t4', 'o2', 'sales')",
        )
        .await;
}

async fn enforce(patient: &Patient, policy: &Policy) -> Result<(), String> {
    let statements = policy
        .row_level_security(&options(patient))
        .expect("it can be pushed");
    let done = patient
        .world
        .owner
        .execute(sqlx::raw_sql(AssertSqlSafe(statements)))
        .await;
    if let Err(error) = done {
        patient.run("ROLLBACK").await;
        return Err(error.to_string());
    }
    Ok(())
}

async fn remove(patient: Patient) {
    patient
        .run("DROP SCHEMA HOME_second CASCADE; DROP OWNED BY RUNTIME_second; DROP ROLE RUNTIME_second")
        .await;
    patient.remove().await;
}

async fn tickets(connection: &mut PgConnection, policy: &Policy, subject: &Subject) -> Vec<String> {
    let mut transaction = connection.begin().await.expect("it begins");
    transaction
        .with_subject(subject, &policy.context(now()))
        .await
        .expect("it is told");
    let rows = sqlx::query_scalar("SELECT id FROM tickets ORDER BY id")
        .fetch_all(&mut *transaction)
        .await
        .expect("it answers");
    transaction.rollback().await.expect("it ends");
    rows
}

#[tokio::test]
async fn two_policies_share_what_is_known_of_subjects_and_neither_takes_it_from_the_other() {
    let patient = Patient::new().await;
    let second = Policy::from_toml(SECOND).expect("a policy");
    prepare(&patient).await;
    give(&patient.directory, "o1", "u1", "analyst").await;
    give(&patient.directory, "o1", "boss", "admin").await;
    let (o1, boss) = (org("o1"), user("boss"));
    let blocked = StoredAttribute::new("blocked", "legal", None);
    patient
        .directory
        .grant_attribute(&o1, &boss, &blocked)
        .await
        .expect("granted");
    patient
        .directory
        .add_department(&o1, &boss, "hr")
        .await
        .expect("added");
    let analyst = subject(&patient.policy, &patient.directory, "o1", "u1").await;
    let boss = subject(&second, &patient.directory, "o1", "boss").await;
    let mut connection = connect(&patient, "RUNTIME_second").await;
    for round in 0..2 {
        enforce(&patient, &second).await.expect("it is enforced");
        for last in ["the second", "the first"] {
            let when = format!("{round}, {last} was last");
            assert_eq!(
                seen(&patient.world, &patient.policy, &analyst, now()).await,
                ["a1"],
                "{when}"
            );
            assert_eq!(
                tickets(&mut connection, &second, &boss).await,
                ["t1"],
                "{when}"
            );
            patient.is_healthy(&when).await;
            let mut owner = patient.world.owner.acquire().await.expect("a connection");
            let examination = examine(&mut owner, &second, &options(&patient), &[])
                .await
                .expect("it answers");
            assert_eq!(examination.findings, [], "{when}");
            drop(owner);
            patient.world.enforce(&patient.policy).await;
        }
    }
    connection.close().await.expect("it closes");
    remove(patient).await;
}

#[tokio::test]
async fn what_another_policy_permits_its_own_role_is_no_finding_and_what_it_permits_ours_is() {
    let patient = Patient::new().await;
    prepare(&patient).await;
    let second = Policy::from_toml(SECOND).expect("a policy");
    enforce(&patient, &second).await.expect("it is enforced");
    let repair = "DROP POLICY ringwall_own_HOME_second ON ringwall_user_attributes; DROP ROLE IF EXISTS RUNTIME_both";
    for (harm, expected) in [
        // Its name and its comment are right.
        (
            "ALTER POLICY ringwall_own_HOME_second ON ringwall_user_attributes TO PUBLIC",
            &["ForeignPolicy:ringwall_own_HOME_second ON ringwall_user_attributes"][..],
        ),
        (
            "ALTER POLICY ringwall_own_HOME_second ON ringwall_user_attributes TO RUNTIME",
            &["ForeignPolicy:ringwall_own_HOME_second ON ringwall_user_attributes"],
        ),
        // One that is both is given what each of them is.
        (
            "CREATE ROLE RUNTIME_both LOGIN; GRANT RUNTIME, RUNTIME_second TO RUNTIME_both",
            &[
                "ForeignPolicy:ringwall_own_HOME_second ON ringwall_user_attributes",
                "ForeignPolicy:ringwall_own_HOME_second ON ringwall_user_departments",
            ],
        ),
    ] {
        patient.suffers(harm, repair, expected).await;
        enforce(&patient, &second).await.expect("it is enforced");
        patient.is_healthy(harm).await;
    }
    remove(patient).await;
}

#[tokio::test]
async fn a_table_of_resources_is_held_by_one_policy() {
    let patient = Patient::new().await;
    prepare(&patient).await;
    for (text, table) in [
        (SECOND.replace("\"tickets\"", "\"cases\""), "\"cases\""),
        // As a relation: what the first policy hides would not be there to forbid by.
        (
            SECOND
                .replace("\"ringwall_user_departments\"", "\"cases\"")
                .replace(
                    "value_column =",
                    "subject_column = \"owner_id\"\nvalue_column =",
                ),
            "\"cases\"",
        ),
        // What the first reads as a relation would be hidden from it.
        (
            SECOND.replace("\"tickets\"", "\"case_assignments\""),
            "\"case_assignments\"",
        ),
    ] {
        let policy = Policy::from_toml(&text).expect("a policy");
        let refused = enforce(&patient, &policy).await.expect_err("it is refused");
        for part in [table, "of another policy", &patient.named("HELPERS")] {
            assert!(refused.contains(part), "{refused}");
        }
        patient
            .run("DROP INDEX IF EXISTS ringwall_case_assignments_tenant")
            .await;
        patient.is_healthy(&refused).await;
    }
    // One table by two names, of which only the database knows that they are one.
    let twice = SECOND
        .replace("\"tickets\"", "\"ringwall_user_departments\"")
        .replace(
            "table = \"ringwall_user_departments\"",
            &patient.named("table = \"HOME.ringwall_user_departments\""),
        );
    let twice = Policy::from_toml(&twice).expect("a policy");
    let refused = enforce(&patient, &twice).await.expect_err("it is refused");
    assert!(refused.contains("are one table"), "{refused}");
    patient
        .run("DROP INDEX IF EXISTS ringwall_ringwall_user_departments_tenant")
        .await;
    patient.is_healthy(&refused).await;
    // As the message says.
    patient
        .run(
            "DROP POLICY ringwall_select ON cases; DROP POLICY ringwall_insert ON cases; DROP POLICY ringwall_update ON cases;
             DROP POLICY ringwall_delete ON cases; DROP POLICY ringwall_tenant ON cases",
        )
        .await;
    let other = Policy::from_toml(&SECOND.replace("\"tickets\"", "\"cases\"")).expect("a policy");
    enforce(&patient, &other).await.expect("it is enforced");
    remove(patient).await;
}
