//! Security that is there and does nothing, or permits too much, and is found.

mod functions;
mod keys;
mod operators;
mod policies;
mod readers;
mod relatives;
mod roles;
mod sharing;
mod stale;
mod tables;

use ringwall_authz::{Policy, RowLevelSecurityOptions, session_settings};
use ringwall_postgres::{AcceptedFinding, Examination, FindingKind, PostgresDirectory, examine};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::callers::now;
use crate::isolation::{give, policy, subject, world};
use crate::world::{World, run};

/// A database in which nothing is found.
struct Patient {
    world: World,
    policy: Policy,
    directory: PostgresDirectory,
}

impl Patient {
    async fn new() -> Self {
        let policy = policy();
        let (world, directory) = world(&policy).await;
        // A key that tells nothing across tenants.
        run(
            &world.owner,
            "ALTER TABLE cases DROP CONSTRAINT cases_pkey; ALTER TABLE cases ADD UNIQUE (org_id, id)",
        )
        .await;
        let patient = Self {
            world,
            policy,
            directory,
        };
        patient.is_healthy("the beginning").await;
        patient
    }

    fn options(&self) -> RowLevelSecurityOptions {
        RowLevelSecurityOptions::new(&self.world.role)
            .and_then(|options| options.schema(&format!("{}_functions", self.world.schema)))
            .expect("names")
    }

    /// `RUNTIME`, `HOME` and `HELPERS` stand for the names of this database.
    fn named(&self, text: &str) -> String {
        text.replace("RUNTIME", &self.world.role)
            .replace("HELPERS", &format!("{}_functions", self.world.schema))
            .replace("HOME", &self.world.schema)
    }

    async fn run(&self, statements: &str) {
        run(&self.world.owner, &self.named(statements)).await;
    }

    async fn examine(&self, accepted: &[AcceptedFinding]) -> Examination {
        let mut connection = self.world.owner.acquire().await.expect("a connection");
        examine(&mut connection, &self.policy, &self.options(), accepted)
            .await
            .expect("it answers")
    }

    /// What is found, as `CODE:OBJECT`.
    async fn found(&self) -> Vec<String> {
        let examination = self.examine(&[]).await;
        let told = examination.findings.iter();
        told.map(|finding| format!("{}:{}", finding.kind, finding.object))
            .collect()
    }

    async fn is_healthy(&self, after: &str) {
        let examination = self.examine(&[]).await;
        assert_eq!(examination.findings, [], "after {after}");
    }

    /// Does harm, sees that it is found, and nothing else beside what `expected` names, and repairs it: by the
    /// statements, and by the generated migration.
    async fn suffers(&self, harm: &str, repair: &str, expected: &[&str]) {
        self.run(harm).await;
        let found = self.found().await;
        let expected: Vec<String> = expected.iter().map(|one| self.named(one)).collect();
        assert_eq!(found, expected, "{harm}");
        if !repair.is_empty() {
            self.run(repair).await;
        }
        self.world.enforce(&self.policy).await;
        self.is_healthy(harm).await;
    }

    /// Does what is no harm.
    async fn bears(&self, harm: &str, repair: &str) {
        self.run(harm).await;
        self.is_healthy(harm).await;
        self.run(repair).await;
    }

    async fn remove(self) {
        self.world.remove().await;
    }
}

#[tokio::test]
async fn what_is_accepted_stays_in_the_report_and_what_is_not_there_is_told() {
    let patient = Patient::new().await;
    patient
        .run("CREATE TABLE notes (id text); GRANT SELECT ON notes TO RUNTIME; GRANT TRUNCATE ON cases TO RUNTIME")
        .await;
    let notes = AcceptedFinding::new(FindingKind::UnprotectedTable, &patient.named("HOME.notes"));
    let other = AcceptedFinding::new(FindingKind::View, &patient.named("HOME.notes"));
    let examination = patient.examine(&[notes.clone(), other.clone()]).await;
    let told: Vec<(FindingKind, bool)> = examination
        .findings
        .iter()
        .map(|finding| (finding.kind, finding.is_accepted))
        .collect();
    assert_eq!(
        told,
        [
            (FindingKind::PrivilegeTooWide, false),
            (FindingKind::UnprotectedTable, true)
        ]
    );
    assert_eq!(examination.unused, [other]);
    assert!(!examination.is_sound());
    patient.run("REVOKE TRUNCATE ON cases FROM RUNTIME").await;
    assert!(patient.examine(&[notes]).await.is_sound());
    assert!(!patient.examine(&[]).await.is_sound());
    patient.remove().await;
}

#[tokio::test]
async fn a_role_that_is_not_there_is_a_hole() {
    let patient = Patient::new().await;
    let options = RowLevelSecurityOptions::new("nobody_of_this_name").expect("a name");
    let mut connection = patient.world.owner.acquire().await.expect("a connection");
    let examination = examine(&mut connection, &patient.policy, &options, &[])
        .await
        .expect("it answers");
    drop(connection);
    let found: Vec<FindingKind> = examination.findings.iter().map(|one| one.kind).collect();
    assert_eq!(found, [FindingKind::NoRole]);
    assert!(!examination.is_sound());
    patient.remove().await;
}

/// A connection as a role that was made for this.
async fn connect(patient: &Patient, role: &str) -> PgConnection {
    let options: PgConnectOptions = patient.world.url.as_str().parse().expect("a URL");
    options
        .username(&patient.named(role))
        .password("word")
        .options([("search_path", patient.world.schema.as_str())])
        .connect()
        .await
        .expect("it connects")
}

#[tokio::test]
async fn a_doctor_needs_no_privilege_on_a_table_and_says_when_it_could_not_compare() {
    let patient = Patient::new().await;
    patient
        .run(
            "CREATE ROLE RUNTIME_doctor LOGIN PASSWORD 'word' NOSUPERUSER;
             GRANT USAGE ON SCHEMA HOME, HELPERS TO RUNTIME_doctor;",
        )
        .await;
    let mut connection = connect(&patient, "RUNTIME_doctor").await;
    let (policy, options) = (&patient.policy, patient.options());
    let examination = examine(&mut connection, policy, &options, &[])
        .await
        .expect("it answers");
    assert_eq!(examination.findings, []);
    // It leaves nothing behind, and finds what was altered.
    patient
        .run("ALTER POLICY ringwall_select ON cases USING (TRUE)")
        .await;
    for _ in 0..2 {
        let examination = examine(&mut connection, policy, &options, &[])
            .await
            .expect("it answers");
        let kinds: Vec<FindingKind> = examination.findings.iter().map(|one| one.kind).collect();
        assert_eq!(kinds, [FindingKind::AlteredPolicy]);
    }
    // Within a transaction of its caller, which goes on.
    let mut transaction = connection.begin().await.expect("it begins");
    let examination = examine(&mut transaction, policy, &options, &[])
        .await
        .expect("it answers");
    assert_eq!(examination.findings.len(), 1);
    let path: String = sqlx::query_scalar("SELECT current_setting('search_path')")
        .fetch_one(&mut *transaction)
        .await
        .expect("it answers");
    assert_eq!(path, patient.world.schema);
    transaction.rollback().await.expect("it ends");
    patient
        .run("REVOKE USAGE ON SCHEMA HELPERS FROM RUNTIME_doctor")
        .await;
    let examination = examine(&mut connection, policy, &options, &[])
        .await
        .expect("it answers");
    assert!(
        examination
            .findings
            .iter()
            .all(|one| one.kind == FindingKind::NotCompared)
            && examination.findings.len() == patient.policy.tables().len() + 1,
        "{examination:#?}"
    );
    assert!(!examination.is_sound());
    connection.close().await.expect("it closes");
    patient
        .run("DROP OWNED BY RUNTIME_doctor; DROP ROLE RUNTIME_doctor")
        .await;
    patient.remove().await;
}

#[tokio::test]
async fn every_setting_that_a_session_is_told_is_one_that_the_doctor_looks_for() {
    let patient = Patient::new().await;
    give(&patient.directory, "o1", "u1", "analyst").await;
    let subject = subject(&patient.policy, &patient.directory, "o1", "u1").await;
    let told = session_settings(&subject, &patient.policy.context(now())).expect("it is told");
    let told: Vec<String> = told.into_iter().map(|setting| setting.name).collect();
    let parts = patient
        .policy
        .row_level_security_parts(&patient.options())
        .expect("it can be pushed");
    assert_eq!(parts.settings, told);
    patient.remove().await;
}
