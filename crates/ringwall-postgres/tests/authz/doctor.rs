//! Security that is there and does nothing, and is found.

use ringwall_postgres::{FindingKind, WithSubject as _, examine};
use sqlx::Row as _;

use crate::isolation::{give, policy, subject, world};
use crate::world::{now, run};

#[tokio::test]
async fn the_doctor_finds_every_way_in_which_security_does_nothing() {
    let policy = policy();
    let (world, _) = world(&policy).await;
    let kinds = async || {
        let mut connection = world.owner.acquire().await.expect("a connection");
        let findings = examine(&mut connection, &policy, &world.role)
            .await
            .expect("it answers");
        let kinds: Vec<FindingKind> = findings.iter().map(|finding| finding.kind).collect();
        (kinds, format!("{findings:#?}"))
    };
    let (healthy, told) = kinds().await;
    assert_eq!(healthy, [], "{told}");
    let role = &world.role;
    for (harm, repair, kind) in [
        (
            "ALTER TABLE cases NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE cases FORCE ROW LEVEL SECURITY",
            FindingKind::NotForced,
        ),
        (
            "ALTER TABLE cases DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE cases ENABLE ROW LEVEL SECURITY",
            FindingKind::NotEnabled,
        ),
        (
            "ALTER ROLE RUNTIME BYPASSRLS",
            "ALTER ROLE RUNTIME NOBYPASSRLS",
            FindingKind::RoleBypasses,
        ),
        (
            "CREATE ROLE RUNTIME_top SUPERUSER; GRANT RUNTIME_top TO RUNTIME",
            "DROP ROLE RUNTIME_top",
            FindingKind::RoleBypasses,
        ),
        (
            "GRANT TRUNCATE ON cases TO RUNTIME",
            "REVOKE TRUNCATE ON cases FROM RUNTIME",
            FindingKind::PrivilegeTooWide,
        ),
        (
            "GRANT INSERT ON case_assignments TO RUNTIME",
            "REVOKE INSERT ON case_assignments FROM RUNTIME",
            FindingKind::PrivilegeTooWide,
        ),
        (
            "CREATE VIEW all_cases AS SELECT * FROM cases; GRANT SELECT ON all_cases TO RUNTIME",
            "DROP VIEW all_cases",
            FindingKind::View,
        ),
        (
            "CREATE VIEW inner_cases AS SELECT * FROM cases; CREATE VIEW outer_cases AS SELECT * FROM inner_cases; GRANT SELECT ON outer_cases TO RUNTIME",
            "DROP VIEW outer_cases; DROP VIEW inner_cases",
            FindingKind::View,
        ),
        (
            "CREATE MATERIALIZED VIEW old_cases AS SELECT * FROM cases; GRANT SELECT ON old_cases TO RUNTIME",
            "DROP MATERIALIZED VIEW old_cases",
            FindingKind::View,
        ),
        (
            "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM cases'",
            "DROP FUNCTION peek()",
            FindingKind::DefinerFunction,
        ),
        (
            "CREATE POLICY mine ON cases FOR SELECT USING (TRUE)",
            "DROP POLICY mine ON cases",
            FindingKind::ForeignPolicy,
        ),
        (
            "CREATE TABLE notes (id text); GRANT SELECT ON notes TO RUNTIME",
            "DROP TABLE notes",
            FindingKind::UnprotectedTable,
        ),
        (
            "CREATE TABLE more_cases () INHERITS (cases); GRANT SELECT ON more_cases TO RUNTIME",
            "DROP TABLE more_cases",
            FindingKind::Child,
        ),
        (
            "COMMENT ON POLICY ringwall_select ON cases IS 'ringwall 00'",
            "",
            FindingKind::OtherPolicies,
        ),
        (
            "DROP POLICY ringwall_tenant ON cases",
            "",
            FindingKind::OtherPolicies,
        ),
        (
            "DROP INDEX ringwall_cases_tenant",
            "",
            FindingKind::NoTenantIndex,
        ),
        (
            "ALTER TABLE cases OWNER TO RUNTIME",
            "ALTER TABLE cases OWNER TO CURRENT_USER",
            FindingKind::RoleOwnsTable,
        ),
        (
            "ALTER TABLE cases ALTER COLUMN department TYPE char(8)",
            "ALTER TABLE cases ALTER COLUMN department TYPE text",
            FindingKind::Column,
        ),
        (
            "CREATE COLLATION vague (provider = icu, locale = 'und-u-ks-level2', deterministic = false); ALTER TABLE cases ALTER COLUMN region TYPE text COLLATE vague",
            "ALTER TABLE cases ALTER COLUMN region TYPE text; DROP COLLATION vague",
            FindingKind::Column,
        ),
    ] {
        // Conditions of policies depend on the columns.
        let harm = if harm.contains("ALTER COLUMN") {
            format!(
                "DROP POLICY ringwall_select ON cases; DROP POLICY ringwall_insert ON cases; DROP POLICY ringwall_update ON cases; DROP POLICY ringwall_delete ON cases; {harm}"
            )
        } else {
            harm.to_owned()
        };
        run(&world.owner, &harm.replace("RUNTIME", role)).await;
        let (found, told) = kinds().await;
        assert!(found.contains(&kind), "{harm}: {told}");
        if !repair.is_empty() {
            run(&world.owner, &repair.replace("RUNTIME", role)).await;
        }
        world.enforce(&policy).await;
        let (healthy, told) = kinds().await;
        assert_eq!(healthy, [], "after {harm}: {told}");
    }
    world.remove().await;
}

#[tokio::test]
async fn a_masked_view_with_an_owner_of_its_own_is_sound() {
    let policy = policy();
    let (world, directory) = world(&policy).await;
    give(&directory, "o1", "u1", "analyst").await;
    let (role, schema) = (&world.role, &world.schema);
    run(
        &world.owner,
        &format!(
            "CREATE ROLE {role}_masker NOLOGIN; GRANT USAGE ON SCHEMA {schema} TO {role}_masker;
             GRANT USAGE ON SCHEMA {schema}_functions TO {role}_masker;
             GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema}_functions TO {role}_masker;
             GRANT {role} TO {role}_masker;
             CREATE VIEW masked_cases WITH (security_barrier = true) AS SELECT id, '***' AS note FROM cases;
             ALTER VIEW masked_cases OWNER TO {role}_masker; GRANT SELECT ON masked_cases TO {role}"
        ),
    )
    .await;
    let mut connection = world.owner.acquire().await.expect("a connection");
    let findings = examine(&mut connection, &policy, role)
        .await
        .expect("it answers");
    assert_eq!(findings, []);
    drop(connection);
    let subject = subject(&policy, &directory, "o1", "u1").await;
    let mut transaction = world.runtime.begin().await.expect("it begins");
    transaction
        .with_subject(&subject, &policy.context(now()))
        .await
        .expect("it is told");
    let rows = sqlx::query("SELECT id FROM masked_cases")
        .fetch_all(&mut *transaction)
        .await;
    let seen: Vec<String> = rows
        .expect("it answers")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(seen, ["a1"]);
    transaction.rollback().await.expect("it ends");
    run(
        &world.owner,
        &format!("DROP VIEW masked_cases; DROP OWNED BY {role}_masker; DROP ROLE {role}_masker"),
    )
    .await;
    world.remove().await;
}
