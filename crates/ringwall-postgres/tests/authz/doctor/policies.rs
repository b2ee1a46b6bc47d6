//! Policies that have the right names and say something else.

use super::Patient;

#[tokio::test]
async fn policies_whose_conditions_commands_or_roles_were_altered_are_found_whatever_their_comments_say()
 {
    let patient = Patient::new().await;
    for (harm, expected) in [
        (
            "ALTER POLICY ringwall_select ON cases USING (TRUE)",
            &["AlteredPolicy:ringwall_select ON cases"][..],
        ),
        (
            "ALTER POLICY ringwall_insert ON cases WITH CHECK (TRUE)",
            &["AlteredPolicy:ringwall_insert ON cases"],
        ),
        (
            "ALTER POLICY ringwall_update ON cases WITH CHECK (TRUE)",
            &["AlteredPolicy:ringwall_update ON cases"],
        ),
        (
            "ALTER POLICY ringwall_delete ON cases USING (org_id IS NOT NULL)",
            &["AlteredPolicy:ringwall_delete ON cases"],
        ),
        (
            "ALTER POLICY ringwall_tenant ON cases USING (TRUE)",
            &["AlteredPolicy:ringwall_tenant ON cases"],
        ),
        (
            "ALTER POLICY ringwall_tenant ON cases WITH CHECK (TRUE)",
            &["AlteredPolicy:ringwall_tenant ON cases"],
        ),
        (
            "ALTER POLICY ringwall_tenant ON cases TO RUNTIME",
            &["AlteredPolicy:ringwall_tenant ON cases"],
        ),
        (
            "ALTER POLICY ringwall_select ON cases TO PUBLIC",
            &["AlteredPolicy:ringwall_select ON cases"],
        ),
        (
            "ALTER POLICY ringwall_own_HELPERS ON ringwall_user_attributes USING (TRUE)",
            &["AlteredPolicy:ringwall_own_HELPERS ON ringwall_user_attributes"],
        ),
        (
            "ALTER POLICY ringwall_own_HELPERS ON ringwall_user_departments USING (org_id = user_id)",
            &["AlteredPolicy:ringwall_own_HELPERS ON ringwall_user_departments"],
        ),
        (
            "COMMENT ON POLICY ringwall_select ON cases IS 'ringwall 00'",
            &["OtherPolicies:ringwall_select ON cases"],
        ),
        (
            "COMMENT ON POLICY ringwall_own_HELPERS ON case_assignments IS NULL",
            &["OtherPolicies:ringwall_own_HELPERS ON case_assignments"],
        ),
        (
            "DROP POLICY ringwall_tenant ON cases",
            &["OtherPolicies:ringwall_tenant ON cases"],
        ),
        (
            "DROP POLICY ringwall_own_HELPERS ON case_assignments",
            &["OtherPolicies:ringwall_own_HELPERS ON case_assignments"],
        ),
    ] {
        patient.suffers(harm, "", expected).await;
    }
    patient.remove().await;
}

/// What the catalogs keep of a policy, as a statement that makes it anew with one thing changed.
async fn made_anew(patient: &Patient, name: &str, kind: &str, command: &str) -> String {
    let row: (String, Option<String>, String) = sqlx::query_as(
        "SELECT pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid), obj_description(oid, 'pg_policy')
        FROM pg_policy WHERE polname = $1 AND polrelid = 'cases'::regclass",
    )
    .bind(name)
    .fetch_one(&patient.world.owner)
    .await
    .expect("a policy");
    let (using, check, comment) = row;
    let to = if name == "ringwall_tenant" {
        "PUBLIC"
    } else {
        "RUNTIME"
    };
    let check = check.map_or_else(String::new, |check| format!(" WITH CHECK ({check})"));
    format!(
        "DROP POLICY {name} ON cases; CREATE POLICY {name} ON cases AS {kind} FOR {command} TO {to} USING ({using}){check};
         COMMENT ON POLICY {name} ON cases IS '{comment}'"
    )
}

#[tokio::test]
async fn a_policy_that_was_made_anew_is_found_when_it_permits_or_is_for_other_commands() {
    let patient = Patient::new().await;
    let same = made_anew(&patient, "ringwall_tenant", "RESTRICTIVE", "ALL").await;
    patient.bears(&same, "SELECT").await;
    for (kind, command) in [("PERMISSIVE", "ALL"), ("RESTRICTIVE", "UPDATE")] {
        let harm = made_anew(&patient, "ringwall_tenant", kind, command).await;
        let expected = ["AlteredPolicy:ringwall_tenant ON cases"];
        patient.suffers(&harm, "", &expected).await;
    }
    let harm = made_anew(&patient, "ringwall_select", "PERMISSIVE", "ALL").await;
    let expected = ["AlteredPolicy:ringwall_select ON cases"];
    patient.suffers(&harm, "", &expected).await;
    patient.remove().await;
}

#[tokio::test]
async fn policies_that_permit_beside_the_generated_ones_are_found_under_any_name_and_comment() {
    let patient = Patient::new().await;
    let comment: String = sqlx::query_scalar(
        "SELECT obj_description(oid, 'pg_policy') FROM pg_policy WHERE polname = 'ringwall_tenant' AND polrelid = 'cases'::regclass",
    )
    .fetch_one(&patient.world.owner)
    .await
    .expect("a comment");
    for (harm, repair, expected) in [
        (
            "CREATE POLICY mine ON cases FOR SELECT USING (TRUE)".to_owned(),
            "DROP POLICY mine ON cases",
            "ForeignPolicy:mine ON cases",
        ),
        (
            format!("CREATE POLICY ringwall_more ON cases TO RUNTIME USING (TRUE); COMMENT ON POLICY ringwall_more ON cases IS '{comment}'"),
            "DROP POLICY IF EXISTS ringwall_more ON cases",
            "ForeignPolicy:ringwall_more ON cases",
        ),
        (
            "CREATE ROLE RUNTIME_more; GRANT RUNTIME_more TO RUNTIME; CREATE POLICY mine ON cases TO RUNTIME_more USING (TRUE)".to_owned(),
            "DROP POLICY mine ON cases; DROP ROLE RUNTIME_more",
            "ForeignPolicy:mine ON cases",
        ),
        (
            "CREATE POLICY mine ON case_assignments USING (TRUE)".to_owned(),
            "DROP POLICY mine ON case_assignments",
            "ForeignPolicy:mine ON case_assignments",
        ),
    ] {
        patient.suffers(&harm, repair, &[expected]).await;
    }
    // One that restricts, and one for those whom the service never is.
    patient
        .bears(
            "CREATE POLICY mine ON cases AS RESTRICTIVE USING (TRUE)",
            "DROP POLICY mine ON cases",
        )
        .await;
    // One that hides what is known of subjects: what forbids because of it would not act.
    for table in ["ringwall_user_attributes", "ringwall_user_departments"] {
        patient
            .suffers(
                &format!("CREATE POLICY mine ON {table} AS RESTRICTIVE USING (FALSE)"),
                &format!("DROP POLICY mine ON {table}"),
                &[&format!("ForeignPolicy:mine ON {table}")],
            )
            .await;
        patient
            .bears(
                &format!("CREATE ROLE RUNTIME_else; CREATE POLICY mine ON {table} AS RESTRICTIVE TO RUNTIME_else USING (FALSE)"),
                &format!("DROP POLICY mine ON {table}; DROP ROLE RUNTIME_else"),
            )
            .await;
    }
    patient
        .bears(
            "CREATE ROLE RUNTIME_else; CREATE POLICY mine ON cases TO RUNTIME_else USING (TRUE)",
            "DROP POLICY mine ON cases; DROP ROLE RUNTIME_else",
        )
        .await;
    patient.remove().await;
}

#[tokio::test]
async fn a_condition_that_asks_another_function_or_table_of_the_same_name_is_found() {
    let patient = Patient::new().await;
    // The text that made it is the same, and so is what is printed of it where both are on the path.
    patient
        .run(
            "CREATE SCHEMA HOME_other;
             CREATE TABLE HOME_other.ringwall_user_departments (org_id text, user_id text, department text);
             CREATE FUNCTION HOME_other.has_role(name text) RETURNS boolean LANGUAGE sql AS 'SELECT TRUE'",
        )
        .await;
    let using: String = sqlx::query_scalar(
        "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polname = 'ringwall_select' AND polrelid = 'cases'::regclass",
    )
    .fetch_one(&patient.world.owner)
    .await
    .expect("a policy");
    let other_function = using.replace(&patient.named("HELPERS.has_role"), "HOME_other.has_role");
    assert_ne!(using, other_function);
    let harms = [
        format!("ALTER POLICY ringwall_select ON cases USING ({other_function})"),
        // Printed without its schema, since it is on the path of this session.
        format!(
            "SET search_path = HOME_other, HOME; ALTER POLICY ringwall_select ON HOME.cases USING ({using}); SET search_path = HOME"
        ),
    ];
    for harm in harms {
        let expected = ["AlteredPolicy:ringwall_select ON cases"];
        patient.suffers(&harm, "", &expected).await;
    }
    patient.run("DROP SCHEMA HOME_other CASCADE").await;
    patient.remove().await;
}
