//! Tables through which, or beside which, rows are seen.

use super::Patient;

/// A child with the security of its parent, word by word.
const HELD: &str = "CREATE TABLE more_cases () INHERITS (cases); GRANT SELECT ON more_cases TO RUNTIME;
    ALTER TABLE more_cases ENABLE ROW LEVEL SECURITY; ALTER TABLE more_cases FORCE ROW LEVEL SECURITY;
    DO $$ DECLARE p record; BEGIN
        FOR p IN SELECT * FROM pg_policies WHERE tablename = 'cases' AND schemaname = 'HOME' LOOP
            EXECUTE format('CREATE POLICY %I ON more_cases AS %s FOR %s TO %s', p.policyname, p.permissive, p.cmd, array_to_string(p.roles, ', '))
                || coalesce(' USING (' || replace(p.qual, 'cases.', 'more_cases.') || ')', '')
                || coalesce(' WITH CHECK (' || replace(p.with_check, 'cases.', 'more_cases.') || ')', '');
        END LOOP;
    END $$";

#[tokio::test]
async fn parts_that_are_used_by_themselves_have_to_permit_what_the_whole_permits() {
    let patient = Patient::new().await;
    let drop = "DROP TABLE more_cases";
    let expected = &["Child:HOME.more_cases"];
    for harm in [
        "CREATE TABLE more_cases () INHERITS (cases); GRANT SELECT ON more_cases TO RUNTIME".to_owned(),
        "CREATE TABLE more_cases () INHERITS (cases); GRANT SELECT (id) ON more_cases TO RUNTIME".to_owned(),
        "CREATE TABLE more_cases () INHERITS (cases); GRANT DELETE ON more_cases TO PUBLIC".to_owned(),
        "CREATE TABLE more_cases () INHERITS (cases); GRANT SELECT ON more_cases TO RUNTIME; ALTER TABLE more_cases ENABLE ROW LEVEL SECURITY".to_owned(),
        format!("{HELD}; ALTER POLICY ringwall_select ON more_cases USING (TRUE)"),
        format!("{HELD}; DROP POLICY ringwall_tenant ON more_cases"),
        format!("{HELD}; CREATE POLICY mine ON more_cases USING (TRUE)"),
    ] {
        patient.suffers(&harm, drop, expected).await;
    }
    patient.bears(HELD, drop).await;
    // What a row keeps of the whole, it keeps of the part; and no policy is asked by TRUNCATE.
    for (grant, expected) in [
        ("UPDATE", "PrivilegeTooWide:UPDATE ON HOME.more_cases"),
        (
            "UPDATE (region)",
            "PrivilegeTooWide:UPDATE(region) ON HOME.more_cases",
        ),
        ("TRUNCATE", "PrivilegeTooWide:TRUNCATE ON HOME.more_cases"),
    ] {
        let harm = format!("{HELD}; GRANT {grant} ON more_cases TO RUNTIME");
        patient.suffers(&harm, drop, &[expected]).await;
    }
    patient
        .bears(
            &format!("{HELD}; GRANT UPDATE (note) ON more_cases TO RUNTIME"),
            drop,
        )
        .await;
    // Nobody uses it by itself, or it permits nothing.
    patient
        .bears("CREATE TABLE more_cases () INHERITS (cases)", drop)
        .await;
    patient
        .bears(
            "CREATE TABLE more_cases () INHERITS (cases); GRANT SELECT ON more_cases TO RUNTIME;
             ALTER TABLE more_cases ENABLE ROW LEVEL SECURITY; ALTER TABLE more_cases FORCE ROW LEVEL SECURITY",
            drop,
        )
        .await;
    patient.remove().await;
}

#[tokio::test]
async fn partitions_are_parts_too() {
    let patient = Patient::new().await;
    patient
        .run(
            "ALTER TABLE cases RENAME TO cases_of_o1; ALTER TABLE cases_of_o1 ALTER COLUMN org_id SET NOT NULL;
             CREATE TABLE cases (LIKE cases_of_o1 INCLUDING DEFAULTS) PARTITION BY LIST (org_id);
             CREATE TABLE cases_of_o3 PARTITION OF cases FOR VALUES IN ('o3');
             CREATE TABLE cases_of_more PARTITION OF cases FOR VALUES IN ('o4', 'o5') PARTITION BY LIST (org_id);
             CREATE TABLE cases_of_o4 PARTITION OF cases_of_more FOR VALUES IN ('o4');
             DROP TABLE cases_of_o1",
        )
        .await;
    patient.world.enforce(&patient.policy).await;
    patient.is_healthy("partitions").await;
    patient
        .suffers(
            "GRANT SELECT ON cases_of_o3, cases_of_o4 TO RUNTIME",
            "REVOKE ALL ON cases_of_o3, cases_of_o4 FROM RUNTIME",
            &["Child:HOME.cases_of_o3", "Child:HOME.cases_of_o4"],
        )
        .await;
    patient.remove().await;
}

#[tokio::test]
async fn what_the_table_is_a_part_of_is_found() {
    let patient = Patient::new().await;
    patient
        .suffers(
            "CREATE TABLE root (id text); CREATE TABLE everything () INHERITS (root); ALTER TABLE cases INHERIT everything; GRANT SELECT ON root TO RUNTIME",
            "ALTER TABLE cases NO INHERIT everything; DROP TABLE everything; DROP TABLE root",
            &["Parent:HOME.root"],
        )
        .await;
    patient
        .bears(
            "CREATE TABLE everything (id text); ALTER TABLE cases INHERIT everything",
            "ALTER TABLE cases NO INHERIT everything; DROP TABLE everything",
        )
        .await;
    patient.remove().await;
}

#[tokio::test]
async fn tables_beside_those_of_the_policy_and_of_other_servers_are_found() {
    let patient = Patient::new().await;
    for (harm, repair, expected) in [
        (
            "CREATE TABLE notes (id text); GRANT SELECT ON notes TO RUNTIME",
            "DROP TABLE notes",
            "UnprotectedTable:HOME.notes",
        ),
        (
            "CREATE TABLE notes (id text, text text); GRANT SELECT (text) ON notes TO RUNTIME",
            "DROP TABLE notes",
            "UnprotectedTable:HOME.notes",
        ),
        (
            "CREATE TABLE notes (id text); GRANT TRUNCATE ON notes TO PUBLIC",
            "DROP TABLE notes",
            "UnprotectedTable:HOME.notes",
        ),
        (
            "CREATE FOREIGN DATA WRAPPER HOME_wrapper; CREATE SERVER HOME_server FOREIGN DATA WRAPPER HOME_wrapper;
             CREATE SCHEMA HOME_other; GRANT USAGE ON SCHEMA HOME_other TO RUNTIME;
             CREATE FOREIGN TABLE HOME_other.far (id text) SERVER HOME_server; GRANT SELECT ON HOME_other.far TO RUNTIME",
            "DROP FOREIGN DATA WRAPPER HOME_wrapper CASCADE; DROP SCHEMA HOME_other",
            "ForeignTable:HOME_other.far",
        ),
    ] {
        patient.suffers(harm, repair, &[expected]).await;
    }
    patient
        .bears("CREATE TABLE notes (id text)", "DROP TABLE notes")
        .await;
    patient.remove().await;
}

/// The policy names `cases`; which table that is, the path of each session says.
#[tokio::test]
async fn what_bears_the_name_of_a_table_is_found_wherever_the_role_may_use_it() {
    let patient = Patient::new().await;
    let other = "CREATE SCHEMA HOME_other; CREATE TABLE HOME_other.cases (LIKE cases)";
    let usage = "GRANT USAGE ON SCHEMA HOME_other TO RUNTIME";
    let gone = "DROP SCHEMA HOME_other CASCADE";
    for harm in [
        format!("{other}; {usage}; GRANT INSERT ON HOME_other.cases TO RUNTIME"),
        format!("{other}; {usage}; GRANT SELECT (id) ON HOME_other.cases TO PUBLIC"),
        format!(
            "{other}; {usage}; ALTER TABLE HOME_other.cases RENAME TO other; CREATE VIEW HOME_other.cases AS SELECT 1 AS id; GRANT SELECT ON HOME_other.cases TO RUNTIME"
        ),
    ] {
        patient
            .suffers(&harm, gone, &["SearchPath:HOME_other.cases"])
            .await;
    }
    // A view that was judged for what it reads, and one that the system has.
    patient
        .bears(
            &format!("CREATE SCHEMA HOME_other; {usage}; CREATE VIEW HOME_other.cases WITH (security_invoker) AS SELECT * FROM cases; GRANT SELECT ON HOME_other.cases TO RUNTIME"),
            gone,
        )
        .await;
    for harm in [
        format!("{other}; {usage}"),
        format!("{other}; GRANT SELECT ON HOME_other.cases TO RUNTIME"),
        format!(
            "{other}; {usage}; ALTER TABLE HOME_other.cases RENAME TO other; GRANT SELECT ON HOME_other.other TO RUNTIME"
        ),
    ] {
        patient.bears(&harm, gone).await;
    }
    patient.remove().await;
}
