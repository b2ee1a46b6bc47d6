//! Policies that stayed where the policy names no table any more.

use super::Patient;

#[tokio::test]
async fn policies_of_tables_that_are_named_no_more_are_found_unless_they_are_another_policys() {
    let patient = Patient::new().await;
    let made = "CREATE TABLE notes (id text); ALTER TABLE notes ENABLE ROW LEVEL SECURITY";
    let comment =
        |text: &str| format!("COMMENT ON POLICY ringwall_select ON notes IS 'ringwall {text} 00'");
    let select = |role: &str| {
        format!("CREATE POLICY ringwall_select ON notes FOR SELECT TO {role} USING (TRUE)")
    };
    let found = &["StalePolicy:ringwall_select ON HOME.notes"][..];
    // Without comments, as `pg_dump --no-comments` leaves them; of a schema of functions that was there before.
    for harm in [
        select("RUNTIME"),
        select("PUBLIC"),
        format!("{}; {}", select("RUNTIME"), comment("HELPERS_before")),
        format!("{}; {}", select("PUBLIC"), comment("HELPERS_before")),
        format!("{}; {}", select("RUNTIME"), comment("HELPERS")),
        "CREATE POLICY ringwall_select ON notes AS RESTRICTIVE USING (FALSE)".to_owned(),
    ] {
        let harm = format!("{made}; {harm}");
        patient.suffers(&harm, "DROP TABLE notes", found).await;
    }
    // The migration takes away what has its comment, also if it is for nobody of ours.
    let role = "CREATE ROLE RUNTIME_else";
    patient
        .suffers(
            &format!(
                "{role}; {made}; {}; {}",
                select("RUNTIME_else"),
                comment("HELPERS")
            ),
            "",
            found,
        )
        .await;
    patient
        .run("DROP TABLE notes; DROP ROLE RUNTIME_else")
        .await;
    // Another policy's, whose comments may be lost too; and one that nobody generated.
    for other in [
        format!("{}; {}", select("RUNTIME_else"), comment("another")),
        select("RUNTIME_else"),
        format!(
            "CREATE POLICY ringwall_select ON notes AS RESTRICTIVE USING (FALSE); {}",
            comment("another")
        ),
        "CREATE POLICY mine ON notes TO RUNTIME USING (TRUE)".to_owned(),
    ] {
        patient
            .bears(
                &format!("{role}; {made}; {other}"),
                "DROP TABLE notes; DROP ROLE RUNTIME_else",
            )
            .await;
    }
    patient.remove().await;
}
