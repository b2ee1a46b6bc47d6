//! Roles that no policy holds for, and what is preset for them.

use ringwall_postgres::{FindingKind, examine};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::Patient;

#[tokio::test]
async fn roles_that_bypass_security_or_may_are_found() {
    let patient = Patient::new().await;
    for (harm, repair, expected) in [
        (
            "ALTER ROLE RUNTIME BYPASSRLS",
            "ALTER ROLE RUNTIME NOBYPASSRLS",
            &["RoleBypasses:RUNTIME"][..],
        ),
        (
            "CREATE ROLE RUNTIME_top SUPERUSER; GRANT RUNTIME_top TO RUNTIME",
            "DROP ROLE RUNTIME_top",
            &["RoleBypasses:RUNTIME"],
        ),
        (
            "ALTER ROLE RUNTIME NOINHERIT; CREATE ROLE RUNTIME_by BYPASSRLS; CREATE ROLE RUNTIME_mid; GRANT RUNTIME_by TO RUNTIME_mid; GRANT RUNTIME_mid TO RUNTIME",
            "ALTER ROLE RUNTIME INHERIT; DROP ROLE RUNTIME_mid; DROP ROLE RUNTIME_by",
            &["RoleBypasses:RUNTIME"],
        ),
        (
            "CREATE ROLE RUNTIME_app LOGIN BYPASSRLS; GRANT RUNTIME TO RUNTIME_app",
            "DROP ROLE RUNTIME_app",
            &["MemberBypasses:RUNTIME_app"],
        ),
        (
            "CREATE ROLE RUNTIME_app LOGIN; CREATE ROLE RUNTIME_by BYPASSRLS; GRANT RUNTIME, RUNTIME_by TO RUNTIME_app",
            "DROP ROLE RUNTIME_app; DROP ROLE RUNTIME_by",
            &["MemberBypasses:RUNTIME_app"],
        ),
        (
            "CREATE ROLE RUNTIME_group; CREATE ROLE RUNTIME_app SUPERUSER; GRANT RUNTIME TO RUNTIME_group; GRANT RUNTIME_group TO RUNTIME_app",
            "DROP ROLE RUNTIME_app; DROP ROLE RUNTIME_group",
            &["MemberBypasses:RUNTIME_app"],
        ),
        (
            "ALTER ROLE RUNTIME CREATEROLE",
            "ALTER ROLE RUNTIME NOCREATEROLE",
            &["RoleTooPowerful:RUNTIME"],
        ),
        (
            "ALTER ROLE RUNTIME REPLICATION",
            "ALTER ROLE RUNTIME NOREPLICATION",
            &["RoleTooPowerful:RUNTIME"],
        ),
        (
            "GRANT pg_read_server_files TO RUNTIME",
            "REVOKE pg_read_server_files FROM RUNTIME",
            &["RoleTooPowerful:RUNTIME"],
        ),
        (
            "GRANT EXECUTE ON FUNCTION pg_read_binary_file(text) TO RUNTIME",
            "REVOKE EXECUTE ON FUNCTION pg_read_binary_file(text) FROM RUNTIME",
            &["RoleTooPowerful:RUNTIME"],
        ),
    ] {
        patient.suffers(harm, repair, expected).await;
    }
    // The same of those that the service may connect as.
    for (power, name) in [
        ("ALTER ROLE RUNTIME_app CREATEROLE", "CREATEROLE"),
        ("ALTER ROLE RUNTIME_app REPLICATION", "REPLICATION"),
        ("GRANT pg_execute_server_program TO RUNTIME_app", "as files"),
        ("GRANT pg_write_server_files TO RUNTIME_app", "as files"),
        ("GRANT pg_read_server_files TO RUNTIME_app", "as files"),
        (
            "CREATE ROLE RUNTIME_mid; GRANT RUNTIME_mid TO RUNTIME_app; GRANT pg_write_server_files TO RUNTIME_mid",
            "as files",
        ),
    ] {
        patient
            .run(&format!(
                "CREATE ROLE RUNTIME_app LOGIN; GRANT RUNTIME TO RUNTIME_app; {power}"
            ))
            .await;
        let examination = patient.examine(&[]).await;
        let found: Vec<(FindingKind, &str)> = examination
            .findings
            .iter()
            .map(|finding| (finding.kind, finding.object.as_str()))
            .collect();
        let app = patient.named("RUNTIME_app");
        assert_eq!(
            found,
            [(FindingKind::MemberTooPowerful, app.as_str())],
            "{power}"
        );
        assert!(examination.findings[0].allows.contains(name), "{power}");
        patient
            .run("DROP ROLE RUNTIME_app; DROP ROLE IF EXISTS RUNTIME_mid")
            .await;
        patient.is_healthy(power).await;
    }
    // What bypasses everything is said once, and whoever may only make databases is none of them.
    patient
        .suffers(
            "CREATE ROLE RUNTIME_app LOGIN SUPERUSER; GRANT RUNTIME, pg_read_server_files TO RUNTIME_app",
            "DROP ROLE RUNTIME_app",
            &["MemberBypasses:RUNTIME_app"],
        )
        .await;
    patient
        .bears(
            "CREATE ROLE RUNTIME_app LOGIN CREATEDB; GRANT RUNTIME TO RUNTIME_app",
            "DROP ROLE RUNTIME_app",
        )
        .await;
    // A member that bypasses nothing is what the service connects as.
    patient
        .bears(
            "CREATE ROLE RUNTIME_app LOGIN; GRANT RUNTIME TO RUNTIME_app",
            "DROP ROLE RUNTIME_app",
        )
        .await;
    patient.remove().await;
}

#[tokio::test]
async fn what_is_preset_for_roles_is_found() {
    let patient = Patient::new().await;
    for (harm, repair, expected) in [
        (
            "ALTER ROLE RUNTIME SET ringwall.org = 'vo1'",
            "ALTER ROLE RUNTIME RESET ALL",
            &["ContextSetting:ringwall.org FOR RUNTIME"][..],
        ),
        // PostgreSQL folds the names of settings when it looks for them, and not when it keeps them.
        (
            "ALTER ROLE RUNTIME SET \"RINGWALL\".\"Roles\" = 'v admin '",
            "ALTER ROLE RUNTIME RESET ALL",
            &["ContextSetting:ringwall.roles FOR RUNTIME"],
        ),
        (
            "CREATE ROLE RUNTIME_app LOGIN; GRANT RUNTIME TO RUNTIME_app; ALTER ROLE RUNTIME_app SET ringwall.context_purpose = 'vaudit'",
            "DROP ROLE RUNTIME_app",
            &["ContextSetting:ringwall.context_purpose FOR RUNTIME_app"],
        ),
        (
            "DO $$ BEGIN EXECUTE format('ALTER ROLE RUNTIME IN DATABASE %I SET ringwall.org = ''vo1''', current_database()); END $$",
            "DO $$ BEGIN EXECUTE format('ALTER ROLE RUNTIME IN DATABASE %I RESET ALL', current_database()); END $$",
            &["ContextSetting:ringwall.org FOR RUNTIME IN DATABASE"],
        ),
        (
            "ALTER ROLE RUNTIME SET row_security = off",
            "ALTER ROLE RUNTIME RESET ALL",
            &["RowSecurityOff:row_security FOR RUNTIME"],
        ),
        (
            "CREATE SCHEMA HOME_other; CREATE TABLE HOME_other.cases (id text); ALTER ROLE RUNTIME SET search_path = HOME_other, HOME",
            "ALTER ROLE RUNTIME RESET ALL; DROP SCHEMA HOME_other CASCADE",
            &["SearchPath:search_path FOR RUNTIME"],
        ),
        (
            "CREATE SCHEMA RUNTIME; CREATE TABLE RUNTIME.ringwall_user_attributes (id text); ALTER ROLE RUNTIME SET search_path = \"$user\", HOME",
            "ALTER ROLE RUNTIME RESET ALL; DROP SCHEMA RUNTIME CASCADE",
            &["SearchPath:search_path FOR RUNTIME"],
        ),
    ] {
        patient.suffers(harm, repair, expected).await;
    }
    for preset in [
        "search_path = HOME, public",
        "row_security = on",
        "work_mem = '8MB'",
    ] {
        patient
            .bears(
                &format!("ALTER ROLE RUNTIME SET {preset}"),
                "ALTER ROLE RUNTIME RESET ALL",
            )
            .await;
    }
    // What is preset for others.
    patient
        .bears(
            "CREATE ROLE RUNTIME_else; ALTER ROLE RUNTIME_else SET ringwall.org = 'vo1'",
            "DROP ROLE RUNTIME_else",
        )
        .await;
    patient.remove().await;
}

#[tokio::test]
async fn what_is_preset_for_a_database_is_found_in_it_and_in_its_sessions() {
    let patient = Patient::new().await;
    let database = format!("preset_{}", patient.world.schema);
    for statement in [
        format!("CREATE DATABASE {database}"),
        format!("ALTER DATABASE {database} SET ringwall.org = 'vo1'"),
        format!("ALTER DATABASE {database} SET row_security = off"),
    ] {
        patient.run(&statement).await;
    }
    let options: PgConnectOptions = patient.world.url.as_str().parse().expect("a URL");
    let mut connection = options
        .database(&database)
        .connect()
        .await
        .expect("it connects");
    let examination = examine(&mut connection, &patient.policy, &patient.options(), &[])
        .await
        .expect("it answers");
    connection.close().await.expect("it closes");
    let found: Vec<String> = examination
        .findings
        .iter()
        .filter(|finding| {
            matches!(
                finding.kind,
                FindingKind::ContextSetting | FindingKind::RowSecurityOff
            )
        })
        .map(|finding| format!("{}:{}", finding.kind, finding.object))
        .collect();
    assert_eq!(
        found,
        [
            "ContextSetting:ringwall.org FOR ALL ROLES IN DATABASE",
            "ContextSetting:ringwall.org IN THIS SESSION",
            "RowSecurityOff:row_security FOR ALL ROLES IN DATABASE",
            "RowSecurityOff:row_security IN THIS SESSION",
        ]
    );
    patient.run(&format!("DROP DATABASE {database}")).await;
    patient.remove().await;
}
