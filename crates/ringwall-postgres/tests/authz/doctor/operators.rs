//! Operators of others, which stand where PostgreSQL looks for its own.

use ringwall_postgres::{FindingKind, WithSubject as _, examine};
use sqlx::{AssertSqlSafe, Executor as _};

use super::Patient;
use crate::callers::now;
use crate::isolation::{give, subject};

/// Says that every `varchar` is equal to every text.
const EQUAL: &str =
    "CREATE FUNCTION HOME.anything(varchar, text) RETURNS boolean LANGUAGE sql AS 'SELECT TRUE';
    CREATE OPERATOR HOME.= (LEFTARG = varchar, RIGHTARG = text, FUNCTION = HOME.anything)";
const NO_EQUAL: &str =
    "DROP OPERATOR HOME.= (varchar, text) CASCADE; DROP FUNCTION HOME.anything(varchar, text)";

/// Reads numbers from texts, for every cast.
const NUMBER: &str =
    "CREATE FUNCTION HOME.number(text) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
    CREATE CAST (text AS bigint) WITH FUNCTION HOME.number(text)";
const NO_NUMBER: &str = "DROP FUNCTION HOME.number(text) CASCADE";

/// Conditions depend on the columns, so they go first.
const WITHOUT_POLICIES: &str =
    "DROP POLICY ringwall_select ON cases; DROP POLICY ringwall_insert ON cases;
    DROP POLICY ringwall_update ON cases; DROP POLICY ringwall_delete ON cases;
    DROP POLICY ringwall_own_HELPERS ON ringwall_user_attributes";

fn migration(patient: &Patient) -> String {
    patient
        .policy
        .row_level_security(&patient.options())
        .expect("it can be pushed")
}

#[tokio::test]
async fn a_condition_that_asks_an_operator_of_somebody_else_is_not_made_and_found_where_it_was() {
    let patient = Patient::new().await;
    patient
        .run(&format!(
            "{WITHOUT_POLICIES}; ALTER TABLE cases ALTER COLUMN owner_id TYPE varchar"
        ))
        .await;
    patient.world.enforce(&patient.policy).await;
    patient.is_healthy("a varchar").await;
    let statements = migration(&patient);
    let (blind, _) = statements
        .split_once("SET LOCAL search_path = pg_catalog, pg_temp;")
        .expect("it looks at the end");
    let cases = ["insert", "select", "update"].map(|name| format!("ringwall_{name} ON cases"));
    let all =
        ["delete", "insert", "select", "update"].map(|name| format!("ringwall_{name} ON cases"));
    for (harm, repair, asked, expected) in [
        (
            EQUAL,
            NO_EQUAL,
            "HOME.=(character varying,text)",
            &cases[..],
        ),
        (NUMBER, NO_NUMBER, "HOME.number(text)", &all[..]),
    ] {
        patient.run(harm).await;
        let asked = patient.named(asked);
        let refused = patient
            .world
            .owner
            .execute(sqlx::raw_sql(AssertSqlSafe(statements.clone())))
            .await
            .expect_err("it is refused");
        assert!(refused.to_string().contains(&asked), "{refused}");
        patient.run("ROLLBACK").await;
        // As it was made without the look at the end. What the doctor makes to compare with asks the same.
        patient.run(&format!("{blind} COMMIT;")).await;
        let examination = patient.examine(&[]).await;
        let mut found = Vec::new();
        for finding in &examination.findings {
            assert_eq!(finding.kind, FindingKind::ForeignOperator, "{finding}");
            assert!(finding.allows.contains(&asked), "{finding}");
            found.push(finding.object.clone());
        }
        assert_eq!(found, expected, "{asked}");
        assert!(!examination.is_sound());
        // As the finding says: policies that ask it go with it.
        patient.run(repair).await;
        patient.world.enforce(&patient.policy).await;
        patient.is_healthy("it is gone").await;
    }
    patient.remove().await;
}

#[tokio::test]
async fn the_function_for_attributes_asks_no_operator_of_its_path() {
    let patient = Patient::new().await;
    give(&patient.directory, "o1", "u1", "analyst").await;
    patient
        .run(&format!(
            "{WITHOUT_POLICIES}; ALTER TABLE ringwall_user_attributes ALTER COLUMN key TYPE varchar"
        ))
        .await;
    patient.world.enforce(&patient.policy).await;
    patient.run(EQUAL).await;
    let subject = subject(&patient.policy, &patient.directory, "o1", "u1").await;
    let mut transaction = patient.world.runtime.begin().await.expect("it begins");
    transaction
        .with_subject(&subject, &patient.policy.context(now()))
        .await
        .expect("it is told");
    let statement = patient.named("SELECT HELPERS.attribute_values('clearance')");
    let values: Vec<String> = sqlx::query_scalar(AssertSqlSafe(statement))
        .fetch_all(&mut *transaction)
        .await
        .expect("it answers");
    assert_eq!(values, ["confidential"]);
    transaction.rollback().await.expect("it ends");
    patient.run(NO_EQUAL).await;
    patient.remove().await;
}

#[tokio::test]
async fn the_systems_operators_go_first_and_temporary_tables_last_whatever_the_path_says() {
    let patient = Patient::new().await;
    patient
        .run(
            "CREATE FUNCTION HOME.anything(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT TRUE';
             CREATE OPERATOR HOME.= (LEFTARG = text, RIGHTARG = text, FUNCTION = HOME.anything);
             SET search_path = HOME, pg_catalog",
        )
        .await;
    patient.world.enforce(&patient.policy).await;
    let mut connection = patient.world.owner.acquire().await.expect("a connection");
    let examination = examine(&mut connection, &patient.policy, &patient.options(), &[])
        .await
        .expect("it answers");
    assert_eq!(examination.findings, []);
    drop(connection);
    patient
        .run("SET search_path = HOME; DROP OPERATOR HOME.= (text, text); DROP FUNCTION HOME.anything(text, text)")
        .await;
    patient.is_healthy("it is gone").await;
    // And temporary tables last.
    patient
        .run("CREATE TEMPORARY TABLE cases (LIKE HOME.cases); SET search_path = pg_temp, HOME")
        .await;
    patient.world.enforce(&patient.policy).await;
    let secured: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class WHERE relname = 'cases' AND relrowsecurity AND relpersistence = 't'",
    )
    .fetch_one(&patient.world.owner)
    .await
    .expect("it answers");
    assert_eq!(secured, 0);
    patient
        .run("DROP TABLE pg_temp.cases; SET search_path = HOME")
        .await;
    patient.is_healthy("a temporary table").await;
    patient.remove().await;
}
