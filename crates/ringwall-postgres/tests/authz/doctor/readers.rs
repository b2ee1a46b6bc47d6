//! Views, rules, functions and triggers that read as somebody else.

use ringwall_postgres::WithSubject as _;
use sqlx::Row as _;

use super::Patient;
use crate::callers::now;
use crate::isolation::{give, subject};

/// A role that views may belong to: nobody logs in as it, and it owns no table.
const MASKER: &str = "CREATE ROLE RUNTIME_masker NOLOGIN; GRANT USAGE ON SCHEMA HOME, HELPERS TO RUNTIME_masker;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA HELPERS TO RUNTIME_masker; GRANT RUNTIME TO RUNTIME_masker;
    CREATE VIEW masked_cases WITH (security_barrier = true) AS SELECT id, '***' AS note FROM cases;
    ALTER VIEW masked_cases OWNER TO RUNTIME_masker; GRANT SELECT ON masked_cases TO RUNTIME";
const NO_MASKER: &str =
    "DROP VIEW masked_cases CASCADE; DROP OWNED BY RUNTIME_masker; DROP ROLE RUNTIME_masker";

#[tokio::test]
async fn views_that_read_as_their_owners_are_found_through_chains_of_views() {
    let patient = Patient::new().await;
    for (harm, repair, expected) in [
        (
            "CREATE VIEW all_cases AS SELECT * FROM cases; GRANT SELECT ON all_cases TO RUNTIME",
            "DROP VIEW all_cases",
            "View:HOME.all_cases",
        ),
        (
            "CREATE VIEW all_cases WITH (security_invoker = off) AS SELECT * FROM cases; GRANT SELECT (id) ON all_cases TO RUNTIME",
            "DROP VIEW all_cases",
            "View:HOME.all_cases",
        ),
        (
            "CREATE VIEW all_cases AS SELECT * FROM cases; GRANT UPDATE ON all_cases TO RUNTIME",
            "DROP VIEW all_cases",
            "View:HOME.all_cases",
        ),
        (
            "CREATE VIEW inner_cases AS SELECT * FROM cases; CREATE VIEW outer_cases AS SELECT * FROM inner_cases; GRANT SELECT ON outer_cases TO RUNTIME",
            "DROP VIEW outer_cases; DROP VIEW inner_cases",
            "View:HOME.inner_cases",
        ),
        (
            "CREATE MATERIALIZED VIEW old_cases AS SELECT * FROM cases; GRANT SELECT ON old_cases TO RUNTIME",
            "DROP MATERIALIZED VIEW old_cases",
            "View:HOME.old_cases",
        ),
        (
            "CREATE MATERIALIZED VIEW old_cases AS SELECT * FROM cases; CREATE VIEW outer_cases AS SELECT * FROM old_cases; GRANT SELECT ON outer_cases TO RUNTIME",
            "DROP VIEW outer_cases; DROP MATERIALIZED VIEW old_cases",
            "View:HOME.old_cases",
        ),
        (
            "CREATE VIEW inner_cases WITH (security_invoker) AS SELECT * FROM cases; CREATE MATERIALIZED VIEW old_cases AS SELECT * FROM inner_cases; GRANT SELECT ON old_cases TO RUNTIME",
            "DROP MATERIALIZED VIEW old_cases; DROP VIEW inner_cases",
            "View:HOME.old_cases",
        ),
        (
            "CREATE TABLE more_cases () INHERITS (cases); CREATE VIEW some_cases AS SELECT * FROM more_cases; GRANT SELECT ON some_cases TO RUNTIME",
            "DROP VIEW some_cases; DROP TABLE more_cases",
            "View:HOME.some_cases",
        ),
    ] {
        patient.suffers(harm, repair, &[expected]).await;
    }
    for (harm, repair) in [
        // Whoever reads reads as itself.
        (
            "CREATE VIEW all_cases WITH (security_invoker = yes) AS SELECT * FROM cases; GRANT SELECT ON all_cases TO RUNTIME",
            "DROP VIEW all_cases",
        ),
        (
            "CREATE VIEW inner_cases WITH (security_invoker) AS SELECT * FROM cases; CREATE VIEW outer_cases AS SELECT * FROM inner_cases; GRANT SELECT ON outer_cases, inner_cases TO RUNTIME",
            "DROP VIEW outer_cases; DROP VIEW inner_cases",
        ),
        // The inner one is refused to whoever reads the outer one.
        (
            "CREATE VIEW inner_cases AS SELECT * FROM cases; CREATE VIEW outer_cases WITH (security_invoker) AS SELECT * FROM inner_cases; GRANT SELECT ON outer_cases TO RUNTIME",
            "DROP VIEW outer_cases; DROP VIEW inner_cases",
        ),
        (
            "CREATE VIEW all_cases AS SELECT * FROM cases",
            "DROP VIEW all_cases",
        ),
    ] {
        patient.bears(harm, repair).await;
    }
    patient.remove().await;
}

#[tokio::test]
async fn a_masked_view_with_an_owner_of_its_own_is_sound() {
    let patient = Patient::new().await;
    give(&patient.directory, "o1", "u1", "analyst").await;
    patient.run(MASKER).await;
    patient.is_healthy("a masked view").await;
    let subject = subject(&patient.policy, &patient.directory, "o1", "u1").await;
    let mut transaction = patient.world.runtime.begin().await.expect("it begins");
    transaction
        .with_subject(&subject, &patient.policy.context(now()))
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
    patient.run(NO_MASKER).await;
    // What is no longer sound about it.
    for (change, repair, expected) in [
        (
            "ALTER VIEW masked_cases SET (security_barrier = false)",
            "",
            "View:HOME.masked_cases",
        ),
        (
            "ALTER ROLE RUNTIME_masker LOGIN",
            "",
            "View:HOME.masked_cases",
        ),
        (
            "REVOKE RUNTIME FROM RUNTIME_masker; GRANT SELECT ON cases TO RUNTIME_masker; CREATE POLICY mine ON cases TO RUNTIME_masker USING (TRUE)",
            "DROP POLICY mine ON cases;",
            "ForeignPolicy:mine ON cases",
        ),
        // The outer one is apart, and reads what reads as the owner of the table.
        (
            "CREATE VIEW inner_cases AS SELECT * FROM cases; GRANT SELECT ON inner_cases TO RUNTIME_masker;
             REVOKE RUNTIME FROM RUNTIME_masker; CREATE OR REPLACE VIEW masked_cases WITH (security_barrier = true) AS SELECT id, '***' AS note FROM inner_cases",
            "DROP VIEW inner_cases CASCADE; CREATE VIEW masked_cases AS SELECT 1;",
            "View:HOME.inner_cases",
        ),
    ] {
        patient
            .suffers(
                &format!("{MASKER}; {change}"),
                &format!("{repair} {NO_MASKER}"),
                &[expected],
            )
            .await;
    }
    // Its owner may become one that bypasses security, or is the owner of the table.
    let masked = &["MemberBypasses:RUNTIME_masker", "View:HOME.masked_cases"];
    patient
        .suffers(
            &format!(
                "{MASKER}; CREATE ROLE RUNTIME_by BYPASSRLS; GRANT RUNTIME_by TO RUNTIME_masker"
            ),
            &format!("{NO_MASKER}; DROP ROLE RUNTIME_by"),
            masked,
        )
        .await;
    patient
        .suffers(
            &format!("{MASKER}; REVOKE RUNTIME FROM RUNTIME_masker; ALTER TABLE cases OWNER TO RUNTIME_masker"),
            &format!("ALTER TABLE cases OWNER TO CURRENT_USER; {NO_MASKER}"),
            &["View:HOME.masked_cases"],
        )
        .await;
    patient.remove().await;
}

/// The policies of a table hold for whoever reads the table, and a part that is read by itself has none.
#[tokio::test]
async fn an_owner_apart_excuses_a_view_of_the_table_and_none_of_its_parts() {
    let patient = Patient::new().await;
    let masker = "CREATE ROLE RUNTIME_masker NOLOGIN; GRANT USAGE ON SCHEMA HOME TO RUNTIME_masker;
        CREATE TABLE more_cases () INHERITS (cases); GRANT SELECT, DELETE ON more_cases TO RUNTIME_masker;
        CREATE VIEW masked_cases WITH (security_barrier = true) AS SELECT id, '***' AS note FROM more_cases;
        ALTER VIEW masked_cases OWNER TO RUNTIME_masker";
    let gone = "DROP VIEW masked_cases; DROP TABLE more_cases; DROP OWNED BY RUNTIME_masker; DROP ROLE RUNTIME_masker";
    patient
        .suffers(
            &format!("{masker}; GRANT SELECT ON masked_cases TO RUNTIME"),
            gone,
            &["View:HOME.masked_cases"],
        )
        .await;
    patient
        .suffers(
            &format!("{masker}; CREATE RULE forward AS ON UPDATE TO masked_cases DO INSTEAD DELETE FROM more_cases; GRANT UPDATE ON masked_cases TO RUNTIME"),
            gone,
            &["View:HOME.masked_cases", "Rule:HOME.masked_cases"],
        )
        .await;
    patient.bears(masker, gone).await;
    patient.remove().await;
}

/// A function that answers everybody's rows, where the runtime role may not look anything up.
const PRIVATE: &str = "CREATE SCHEMA HOME_private;
    CREATE FUNCTION HOME_private.all_cases() RETURNS TABLE (id text, org text) LANGUAGE sql SECURITY DEFINER
        SET search_path = HOME AS 'SELECT id, org_id FROM cases'";
const NO_PRIVATE: &str = "DROP SCHEMA HOME_private CASCADE";

#[tokio::test]
async fn a_function_is_found_where_its_schema_is_closed_since_a_view_runs_it_all_the_same() {
    let patient = Patient::new().await;
    let view = "CREATE VIEW report WITH (security_invoker) AS SELECT * FROM HOME_private.all_cases(); GRANT SELECT ON report TO RUNTIME";
    patient.run(&format!("{PRIVATE}; {view}")).await;
    // A session that was told nothing sees the rows of all.
    let seen = sqlx::query("SELECT id FROM report")
        .fetch_all(&patient.world.runtime)
        .await;
    assert_eq!(seen.expect("it answers").len(), 4);
    patient
        .suffers(
            "SELECT 1",
            NO_PRIVATE,
            &["DefinerFunction:HOME_private.all_cases()"],
        )
        .await;
    // Whoever may not run it sees nothing of it.
    let revoke = "REVOKE ALL ON FUNCTION HOME_private.all_cases() FROM PUBLIC";
    patient.run(&format!("{PRIVATE}; {view}; {revoke}")).await;
    let seen = sqlx::query("SELECT id FROM report")
        .fetch_all(&patient.world.runtime)
        .await;
    assert!(seen.is_err(), "{seen:?}");
    patient.bears("SELECT 1", NO_PRIVATE).await;
    // Its owner did, when this was made; also where another view stands before it.
    for grant in [
        "GRANT SELECT ON old_report TO RUNTIME",
        "CREATE VIEW outer_report AS SELECT * FROM old_report; GRANT SELECT ON outer_report TO RUNTIME",
    ] {
        let kept = "CREATE MATERIALIZED VIEW old_report AS SELECT * FROM HOME_private.all_cases()";
        patient
            .suffers(
                &format!("{PRIVATE}; {revoke}; {kept}; {grant}"),
                NO_PRIVATE,
                &["View:HOME.old_report"],
            )
            .await;
    }
    // And where the view that asks stands beneath the one that keeps.
    let beneath = "CREATE VIEW HOME_private.asks AS SELECT * FROM HOME_private.all_cases();
        CREATE MATERIALIZED VIEW HOME_private.old_report AS SELECT * FROM HOME_private.asks; GRANT USAGE ON SCHEMA HOME_private TO RUNTIME;
        GRANT SELECT ON HOME_private.old_report TO RUNTIME";
    patient
        .suffers(
            &format!("{PRIVATE}; {revoke}; {beneath}"),
            NO_PRIVATE,
            &["View:HOME_private.old_report"],
        )
        .await;
    // What PostgreSQL's own functions found out leaves no trace of what they asked.
    let kept = "CREATE MATERIALIZED VIEW old_report AS SELECT * FROM query_to_xml('SELECT * FROM cases', TRUE, FALSE, ''); GRANT SELECT ON old_report TO RUNTIME";
    patient
        .suffers(
            kept,
            "DROP MATERIALIZED VIEW old_report",
            &["UnprotectedTable:HOME.old_report"],
        )
        .await;
    let kept = "CREATE SCHEMA HOME_other; GRANT USAGE ON SCHEMA HOME_other TO RUNTIME; CREATE MATERIALIZED VIEW HOME_other.days AS SELECT * FROM generate_series(1, 3); GRANT SELECT ON HOME_other.days TO RUNTIME";
    patient.bears(kept, "DROP SCHEMA HOME_other CASCADE").await;
    patient.remove().await;
}

#[tokio::test]
async fn rules_functions_and_triggers_that_run_as_their_owners_are_found() {
    let patient = Patient::new().await;
    let definer = "CREATE FUNCTION peek() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NEW; END'; REVOKE ALL ON FUNCTION peek() FROM PUBLIC";
    for (harm, repair, expected) in [
        (
            "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM cases'".to_owned(),
            "DROP FUNCTION peek()",
            "DefinerFunction:HOME.peek()",
        ),
        (
            "CREATE FUNCTION tell(text) RETURNS boolean LANGUAGE sql LEAKPROOF AS 'SELECT TRUE'".to_owned(),
            "DROP FUNCTION tell(text)",
            "LeakproofFunction:HOME.tell(text)",
        ),
        (
            format!("{definer}; CREATE TRIGGER peeks BEFORE INSERT ON cases FOR EACH ROW EXECUTE FUNCTION peek()"),
            "DROP TRIGGER peeks ON cases; DROP FUNCTION peek()",
            "DefinerTrigger:peeks ON HOME.cases",
        ),
        (
            format!("{definer}; CREATE TABLE inbox (id text); ALTER TABLE inbox ENABLE ROW LEVEL SECURITY; GRANT INSERT (id) ON inbox TO RUNTIME; CREATE TRIGGER peeks BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION peek()"),
            "DROP TABLE inbox; DROP FUNCTION peek()",
            "DefinerTrigger:peeks ON HOME.inbox",
        ),
        (
            "CREATE TABLE inbox (id text); ALTER TABLE inbox ENABLE ROW LEVEL SECURITY; GRANT INSERT ON inbox TO RUNTIME; CREATE RULE forward AS ON INSERT TO inbox DO ALSO DELETE FROM cases WHERE id = NEW.id".to_owned(),
            "DROP TABLE inbox",
            "Rule:HOME.inbox",
        ),
        (
            "CREATE VIEW letters WITH (security_invoker) AS SELECT 1 AS id; GRANT DELETE ON letters TO RUNTIME; CREATE RULE forward AS ON DELETE TO letters DO INSTEAD DELETE FROM cases".to_owned(),
            "DROP VIEW letters",
            "Rule:HOME.letters",
        ),
        // By a view that is used as its owner, whoever may use it.
        (
            "CREATE VIEW inner_letters AS SELECT 1 AS id; CREATE RULE forward AS ON DELETE TO inner_letters DO INSTEAD DELETE FROM cases;
             CREATE VIEW letters AS SELECT * FROM inner_letters; GRANT SELECT, DELETE ON letters TO RUNTIME".to_owned(),
            "DROP VIEW letters; DROP VIEW inner_letters",
            "Rule:HOME.inner_letters",
        ),
        (
            format!("{definer}; CREATE TABLE inbox (id text); CREATE TRIGGER peeks BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION peek();
             CREATE VIEW letters AS SELECT inbox.id FROM inbox; CREATE VIEW all_letters AS SELECT * FROM letters; GRANT INSERT ON all_letters TO RUNTIME"),
            "DROP VIEW all_letters; DROP VIEW letters; DROP TABLE inbox; DROP FUNCTION peek()",
            "DefinerTrigger:peeks ON HOME.inbox",
        ),
        // A part has its triggers, whoever may use the part itself.
        (
            format!("{definer}; CREATE TABLE more_cases () INHERITS (cases); CREATE TRIGGER peeks BEFORE UPDATE ON more_cases FOR EACH ROW EXECUTE FUNCTION peek()"),
            "DROP TABLE more_cases; DROP FUNCTION peek()",
            "DefinerTrigger:peeks ON HOME.more_cases",
        ),
        // What goes with a row goes without any privilege.
        (
            format!("{definer}; CREATE TABLE inbox (org_id text, id text, FOREIGN KEY (org_id, id) REFERENCES cases (org_id, id) ON DELETE CASCADE);
             CREATE TRIGGER peeks AFTER DELETE ON inbox FOR EACH ROW EXECUTE FUNCTION peek()"),
            "DROP TABLE inbox; DROP FUNCTION peek()",
            "DefinerTrigger:peeks ON HOME.inbox",
        ),
        // Whoever asks an aggregate needs no privilege on the functions behind it.
        (
            "CREATE FUNCTION add(text, text) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = HOME AS 'SELECT string_agg(note, '','') FROM cases';
             REVOKE ALL ON FUNCTION add(text, text) FROM PUBLIC; CREATE AGGREGATE leak(text) (SFUNC = add, STYPE = text)".to_owned(),
            "DROP AGGREGATE leak(text); DROP FUNCTION add(text, text)",
            "DefinerFunction:HOME.add(text,text)",
        ),
        (
            "CREATE TABLE log (id text); CREATE RULE logged AS ON UPDATE TO cases DO ALSO INSERT INTO log VALUES (NEW.id)".to_owned(),
            "DROP RULE logged ON cases; DROP TABLE log",
            "Rule:logged ON HOME.cases",
        ),
    ] {
        patient.suffers(&harm, repair, &[expected]).await;
    }
    for (harm, repair) in [
        (
            "CREATE FUNCTION add(text, text) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = HOME AS 'SELECT $1';
             REVOKE ALL ON FUNCTION add(text, text) FROM PUBLIC; CREATE AGGREGATE leak(text) (SFUNC = add, STYPE = text); REVOKE ALL ON FUNCTION leak(text) FROM PUBLIC".to_owned(),
            "DROP AGGREGATE leak(text); DROP FUNCTION add(text, text)",
        ),
        (
            format!("{definer}; CREATE TABLE inbox (id text); CREATE TRIGGER peeks BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION peek()"),
            "DROP TABLE inbox; DROP FUNCTION peek()",
        ),
        (
            format!("{definer}; ALTER FUNCTION peek() SECURITY INVOKER; CREATE TRIGGER peeks BEFORE INSERT ON cases FOR EACH ROW EXECUTE FUNCTION peek()"),
            "DROP TRIGGER peeks ON cases; DROP FUNCTION peek()",
        ),
        (
            "CREATE TABLE inbox (id text); CREATE RULE forward AS ON INSERT TO inbox DO ALSO DELETE FROM cases".to_owned(),
            "DROP TABLE inbox",
        ),
        // A rule that asks a function, and has to do with none of the tables.
        (
            "CREATE TABLE inbox (id text); CREATE FUNCTION norm(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
             CREATE VIEW letters AS SELECT norm(id) AS id FROM inbox; CREATE RULE forward AS ON INSERT TO letters DO INSTEAD INSERT INTO inbox VALUES (norm(NEW.id)); GRANT INSERT ON letters TO RUNTIME".to_owned(),
            "DROP VIEW letters; DROP TABLE inbox; DROP FUNCTION norm(text)",
        ),
        (
            "CREATE TABLE inbox (id text); ALTER TABLE inbox ENABLE ROW LEVEL SECURITY; GRANT INSERT ON inbox TO RUNTIME; CREATE TABLE log (id text);
             CREATE FUNCTION norm(text) RETURNS text LANGUAGE sql AS 'SELECT $1'; CREATE VIEW asks AS SELECT norm('x') AS id;
             CREATE RULE forward AS ON INSERT TO inbox DO ALSO INSERT INTO log SELECT id FROM asks".to_owned(),
            "DROP TABLE inbox; DROP TABLE log; DROP VIEW asks; DROP FUNCTION norm(text)",
        ),
        // Nobody inserts by a view that counts.
        (
            format!("{definer}; CREATE TABLE inbox (id text); CREATE TRIGGER peeks BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION peek();
             CREATE VIEW letters AS SELECT count(*) AS n FROM inbox; GRANT ALL ON letters TO RUNTIME"),
            "DROP VIEW letters; DROP TABLE inbox; DROP FUNCTION peek()",
        ),
    ] {
        patient.bears(&harm, repair).await;
    }
    patient.remove().await;
}
