//! Tables whose security is off, and privileges that are too wide.

use super::Patient;

#[tokio::test]
async fn security_that_is_off_or_not_forced_or_of_its_owner_is_found() {
    let patient = Patient::new().await;
    for (harm, repair, expected) in [
        (
            "ALTER TABLE cases NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE cases FORCE ROW LEVEL SECURITY",
            &["NotForced:cases"][..],
        ),
        (
            "ALTER TABLE cases DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE cases ENABLE ROW LEVEL SECURITY",
            &["NotEnabled:cases"],
        ),
        (
            "ALTER TABLE case_assignments DISABLE ROW LEVEL SECURITY",
            "",
            &["NotEnabled:case_assignments"],
        ),
        (
            "ALTER TABLE ringwall_user_attributes DISABLE ROW LEVEL SECURITY",
            "",
            &["NotEnabled:ringwall_user_attributes"],
        ),
        (
            "ALTER TABLE cases OWNER TO RUNTIME",
            "ALTER TABLE cases OWNER TO CURRENT_USER",
            &["RoleOwnsTable:cases"],
        ),
        (
            "ALTER TABLE ringwall_user_attributes OWNER TO RUNTIME",
            "ALTER TABLE ringwall_user_attributes OWNER TO CURRENT_USER",
            &["RoleOwnsTable:ringwall_user_attributes"],
        ),
        (
            "CREATE ROLE RUNTIME_owner; ALTER TABLE cases OWNER TO RUNTIME_owner; GRANT RUNTIME_owner TO RUNTIME",
            "ALTER TABLE cases OWNER TO CURRENT_USER; DROP ROLE RUNTIME_owner",
            // It inherits what an owner may.
            &[
                "RoleOwnsTable:cases",
                "PrivilegeTooWide:REFERENCES ON cases",
                "PrivilegeTooWide:TRIGGER ON cases",
                "PrivilegeTooWide:TRUNCATE ON cases",
                "PrivilegeTooWide:UPDATE ON cases",
            ],
        ),
        (
            "CREATE ROLE RUNTIME_owner; ALTER TABLE cases OWNER TO RUNTIME_owner; GRANT RUNTIME TO RUNTIME_owner",
            "ALTER TABLE cases OWNER TO CURRENT_USER; DROP ROLE RUNTIME_owner",
            &["MemberOwnsTable:cases BY RUNTIME_owner"],
        ),
    ] {
        patient.suffers(harm, repair, expected).await;
    }
    patient.run("ALTER TABLE cases RENAME TO others").await;
    let mut expected = vec!["NoTable:cases".to_owned()];
    expected.extend(
        ["delete", "insert", "select", "tenant", "update"]
            .map(|name| patient.named(&format!("StalePolicy:ringwall_{name} ON HOME.others"))),
    );
    assert_eq!(patient.found().await, expected);
    patient.run("ALTER TABLE others RENAME TO cases").await;
    patient.remove().await;
}

#[tokio::test]
async fn columns_that_are_not_compared_as_the_policy_does_are_found() {
    let patient = Patient::new().await;
    // Conditions of policies depend on the columns.
    let harm = |text: &str| {
        format!(
            "DROP POLICY ringwall_select ON cases; DROP POLICY ringwall_insert ON cases;
             DROP POLICY ringwall_update ON cases; DROP POLICY ringwall_delete ON cases; {text}"
        )
    };
    for (text, repair, expected) in [
        (
            "ALTER TABLE cases ALTER COLUMN department TYPE char(8)",
            "ALTER TABLE cases ALTER COLUMN department TYPE text",
            "Column:cases.department",
        ),
        (
            "CREATE COLLATION vague (provider = icu, locale = 'und-u-ks-level2', deterministic = false); ALTER TABLE cases ALTER COLUMN region TYPE text COLLATE vague",
            "ALTER TABLE cases ALTER COLUMN region TYPE text; DROP COLLATION vague",
            "Column:cases.region",
        ),
        (
            "ALTER TABLE cases RENAME COLUMN region TO place",
            "ALTER TABLE cases RENAME COLUMN place TO region",
            "Column:cases.region",
        ),
    ] {
        let harm = harm(text);
        patient.run(&harm).await;
        let found = patient.found().await;
        assert!(found.contains(&expected.to_owned()), "{harm}: {found:?}");
        patient.run(repair).await;
        patient.world.enforce(&patient.policy).await;
        patient.is_healthy(&harm).await;
    }
    patient.remove().await;
}

#[tokio::test]
async fn a_column_that_is_kept_and_computed_from_one_that_is_not_is_found() {
    let patient = Patient::new().await;
    let keep = "ALTER TABLE cases RENAME COLUMN region TO kept; ALTER TABLE cases ADD COLUMN region text GENERATED ALWAYS AS (note) STORED";
    let back = "ALTER TABLE cases DROP COLUMN region CASCADE; ALTER TABLE cases RENAME COLUMN kept TO region";
    patient.run(keep).await;
    patient.world.enforce(&patient.policy).await;
    let found = patient.found().await;
    assert!(
        found.contains(&"Column:cases.region".to_owned()),
        "{found:?}"
    );
    patient.run(back).await;
    patient.world.enforce(&patient.policy).await;
    patient.is_healthy("a column of its own").await;
    patient.remove().await;
}

#[tokio::test]
async fn privileges_beyond_the_generated_ones_are_found_on_tables_and_columns() {
    let patient = Patient::new().await;
    for (grant, expected) in [
        ("TRUNCATE ON cases", "TRUNCATE ON cases"),
        // What a row keeps is changed with the whole, too.
        ("UPDATE ON cases", "UPDATE ON cases"),
        (
            "UPDATE (sensitivity, note) ON cases",
            "UPDATE(sensitivity) ON cases",
        ),
        ("REFERENCES (id) ON cases", "REFERENCES(id) ON cases"),
        ("INSERT ON case_assignments", "INSERT ON case_assignments"),
        (
            "INSERT (case_id) ON case_assignments",
            "INSERT(case_id) ON case_assignments",
        ),
        (
            "UPDATE (value) ON ringwall_user_attributes",
            "UPDATE(value) ON ringwall_user_attributes",
        ),
        (
            "DELETE ON ringwall_user_departments",
            "DELETE ON ringwall_user_departments",
        ),
        (
            "INSERT ON ringwall_org_memberships",
            "INSERT ON HOME.ringwall_org_memberships",
        ),
        (
            "UPDATE (role) ON ringwall_org_memberships",
            "UPDATE ON HOME.ringwall_org_memberships",
        ),
        (
            "DELETE ON ringwall_subjects",
            "DELETE ON HOME.ringwall_subjects",
        ),
    ] {
        let harm = format!("GRANT {grant} TO RUNTIME");
        let repair = format!("REVOKE {grant} FROM RUNTIME");
        patient.run(&harm).await;
        let found = patient.found().await;
        let expected = patient.named(&format!("PrivilegeTooWide:{expected}"));
        assert!(found.contains(&expected), "{harm}: {found:?}");
        patient.run(&repair).await;
        patient.is_healthy(&harm).await;
    }
    patient.remove().await;
}

#[tokio::test]
async fn privileges_of_everybody_and_of_roles_that_it_may_become_are_found() {
    let patient = Patient::new().await;
    for (harm, repair, expected) in [
        (
            "GRANT SELECT ON cases TO PUBLIC",
            "",
            &["PrivilegeTooWide:SELECT ON cases TO PUBLIC"][..],
        ),
        (
            "GRANT SELECT (note) ON cases TO PUBLIC",
            "",
            &["PrivilegeTooWide:SELECT(note) ON cases TO PUBLIC"],
        ),
        (
            "GRANT SELECT ON cases TO RUNTIME WITH GRANT OPTION",
            "",
            &["PrivilegeTooWide:SELECT WITH GRANT OPTION ON cases"],
        ),
        (
            "CREATE ROLE RUNTIME_more; GRANT TRUNCATE ON cases TO RUNTIME_more; ALTER ROLE RUNTIME NOINHERIT; GRANT RUNTIME_more TO RUNTIME",
            "ALTER ROLE RUNTIME INHERIT; DROP OWNED BY RUNTIME_more; DROP ROLE RUNTIME_more",
            &["PrivilegeTooWide:TRUNCATE ON cases TO RUNTIME_more"],
        ),
        (
            "CREATE ROLE RUNTIME_app LOGIN; GRANT TRUNCATE ON cases TO RUNTIME_app; GRANT RUNTIME TO RUNTIME_app",
            "DROP OWNED BY RUNTIME_app; DROP ROLE RUNTIME_app",
            &["PrivilegeTooWide:TRUNCATE ON cases TO RUNTIME_app"],
        ),
    ] {
        patient.suffers(harm, repair, expected).await;
    }
    // Others are no sessions of the service.
    patient
        .bears(
            "CREATE ROLE RUNTIME_else; GRANT TRUNCATE ON cases TO RUNTIME_else",
            "DROP OWNED BY RUNTIME_else; DROP ROLE RUNTIME_else",
        )
        .await;
    patient.remove().await;
}

#[tokio::test]
async fn a_schema_of_the_tables_in_which_others_may_put_things_is_found() {
    let patient = Patient::new().await;
    for (harm, repair, expected) in [
        (
            "GRANT CREATE ON SCHEMA HOME TO RUNTIME",
            "REVOKE CREATE ON SCHEMA HOME FROM RUNTIME",
            "OpenSchema:HOME",
        ),
        (
            "GRANT CREATE ON SCHEMA HOME TO PUBLIC",
            "REVOKE CREATE ON SCHEMA HOME FROM PUBLIC",
            "OpenSchema:HOME TO PUBLIC",
        ),
        (
            "CREATE ROLE RUNTIME_app LOGIN; GRANT RUNTIME TO RUNTIME_app; GRANT CREATE ON SCHEMA HOME TO RUNTIME_app",
            "DROP OWNED BY RUNTIME_app; DROP ROLE RUNTIME_app",
            "OpenSchema:HOME TO RUNTIME_app",
        ),
    ] {
        // The path of the function leads there too.
        let path = "HelperPath:HELPERS.attribute_values(text)";
        patient.suffers(harm, repair, &[expected, path]).await;
    }
    patient
        .bears(
            "CREATE ROLE RUNTIME_else; GRANT CREATE ON SCHEMA HOME TO RUNTIME_else",
            "DROP OWNED BY RUNTIME_else; DROP ROLE RUNTIME_else",
        )
        .await;
    patient.remove().await;
}
