//! A database with rows, and subjects with all that is known of them.

use core::hash::BuildHasher as _;
use std::collections::BTreeSet;
use std::hash::RandomState;

use ringwall_authz::{Context, Policy, Resource, RowLevelSecurityOptions, Subject};
use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, ProjectId,
    Subject as SubjectId, Tenant,
};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Executor as _};

use crate::dice::{ACTIONS, Dice, LEVELS, NUMBERS, ROLES, SUBJECTS, TEXTS, TIMES, UUIDS};

/// A row of `cases`. What is `None` is NULL.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) org: Option<&'static str>,
    pub(crate) project: Option<&'static str>,
    pub(crate) owner: Option<&'static str>,
    pub(crate) department: Option<&'static str>,
    pub(crate) region: Option<&'static str>,
    pub(crate) sensitivity: Option<&'static str>,
    pub(crate) amount: Option<i64>,
    pub(crate) flag: Option<bool>,
    pub(crate) opened: Option<&'static str>,
    pub(crate) device: Option<&'static str>,
}

/// What is known of a subject, in the process and in the database.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) id: &'static str,
    pub(crate) org: &'static str,
    pub(crate) project: Option<&'static str>,
    pub(crate) roles: Vec<&'static str>,
    /// Name, text, and when it ends.
    pub(crate) attributes: Vec<(&'static str, String, Option<Timestamp>)>,
    pub(crate) departments: Vec<&'static str>,
    pub(crate) assignments: Vec<String>,
    pub(crate) purpose: Option<&'static str>,
    pub(crate) amount: Option<i64>,
    /// Whether the process is told all pairs of the relations, or the database has to be asked.
    pub(crate) is_told: bool,
}

/// The time of all decisions.
pub(crate) fn now() -> Timestamp {
    "2026-06-01T00:00:00.000001Z".parse().expect("a time")
}

impl Row {
    pub(crate) fn random(dice: &mut Dice, number: usize) -> Self {
        fn some<T: Copy>(dice: &mut Dice, all: &[T]) -> Option<T> {
            let value = *dice.of(all);
            dice.chance(75).then_some(value)
        }
        let owners: Vec<&'static str> = SUBJECTS.into_iter().chain(TEXTS).collect();
        // A level that nobody knows stands in a column of text as well as another.
        let levels: Vec<&'static str> = LEVELS.into_iter().chain(["Public", "secret"]).collect();
        Self {
            id: format!("c{number}"),
            org: some(dice, &["o1", "o1", "o1", "o2"]),
            project: some(dice, &["p1", "p2"]),
            owner: some(dice, &owners),
            department: some(dice, &TEXTS),
            region: some(dice, &TEXTS),
            sensitivity: some(dice, &levels),
            amount: some(dice, &NUMBERS),
            flag: some(dice, &[true, false]),
            opened: some(dice, &TIMES),
            device: some(dice, &UUIDS),
        }
    }

    pub(crate) fn resource<'a>(&'a self, policy: &Policy) -> Resource<'a> {
        let mut resource = policy
            .resource("case")
            .expect("it is declared")
            .id(self.id.as_str())
            .attribute("owner", self.owner)
            .attribute("department", self.department)
            .attribute("region", self.region)
            .attribute("sensitivity", self.sensitivity)
            .attribute("amount", self.amount)
            .attribute("flag", self.flag)
            .attribute(
                "opened",
                self.opened
                    .map(|time| time.parse::<Timestamp>().expect("a time")),
            )
            .attribute("device", self.device);
        if let Some(org) = self.org {
            resource = resource.org(org);
        }
        if let Some(project) = self.project {
            resource = resource.project(project);
        }
        assert_eq!(resource.errors(), []);
        resource
    }
}

impl Caller {
    pub(crate) fn random(dice: &mut Dice, rows: &[Row]) -> Self {
        let roles = ROLES.into_iter().filter(|_| dice.chance(35)).collect();
        let mut attributes = Vec::new();
        let give = |dice: &mut Dice, name: &'static str, value: String| {
            let ends = match dice.below(6) {
                // At this very moment it is over.
                0 => Some(now()),
                1 => Some(Timestamp::from_unix_micros(now().unix_micros() + 1)),
                _ => None,
            };
            (name, value, ends)
        };
        for _ in 0..2 {
            let all = [
                (
                    "clearance",
                    (*dice.of(&["public", "internal", "confidential", "restricted", "cosmic"]))
                        .to_owned(),
                ),
                ("team", (*dice.of(&TEXTS)).to_owned()),
                ("limit", dice.of(&[-1_i64, 0, 1, 7]).to_string()),
                ("trusted", dice.chance(50).to_string()),
                (
                    "since",
                    dice.of(&TIMES)
                        .parse::<Timestamp>()
                        .expect("a time")
                        .to_string(),
                ),
                ("device", (*dice.of(&UUIDS)).to_owned()),
                ("regions", (*dice.of(&TEXTS)).to_owned()),
            ];
            for (name, value) in all {
                if dice.chance(45) && !attributes.iter().any(|(n, v, _)| *n == name && *v == value)
                {
                    attributes.push(give(dice, name, value));
                }
            }
        }
        Self {
            id: *dice.of(&SUBJECTS),
            org: "o1",
            project: dice.chance(30).then_some("p1"),
            roles,
            attributes,
            departments: TEXTS.into_iter().filter(|_| dice.chance(25)).collect(),
            assignments: rows
                .iter()
                .filter(|_| dice.chance(30))
                .map(|row| row.id.clone())
                .collect(),
            purpose: dice.chance(60).then(|| *dice.of(&TEXTS)),
            amount: dice.chance(60).then(|| *dice.of(&NUMBERS)),
            is_told: dice.chance(50),
        }
    }

    pub(crate) fn subject(&self, policy: &Policy) -> Subject {
        let mut principal = Principal::new(
            PrincipalKind::User,
            SubjectId::new(self.id).expect("a subject"),
            Authentication::new(AuthenticationMethod::Token),
        );
        principal.tenant = Some(Tenant {
            org: OrgId::new(self.org).expect("an organisation"),
            project: self
                .project
                .map(|project| ProjectId::new(project).expect("a project")),
        });
        let mut subject = policy
            .subject_of(&principal, Attest::i_have_verified_this())
            .roles(&self.roles)
            .attribute_is_complete("regions");
        if self.is_told {
            subject = subject
                .related("departments", self.departments.iter().copied())
                .related("assignments", self.assignments.iter().map(String::as_str));
        } else {
            // The database knows the pairs; the process is told of those that it is asked about.
            subject = subject
                .related_in_database("departments")
                .related_in_database("assignments");
            let texts = TEXTS.into_iter().chain(SUBJECTS).map(str::to_owned);
            for value in texts.chain((0..64).map(|number| format!("c{number}"))) {
                let is_of = self.departments.contains(&value.as_str());
                let is_assigned = self.assignments.contains(&value);
                subject = subject
                    .is_related("departments", value.as_str(), is_of)
                    .is_related("assignments", value.as_str(), is_assigned);
            }
        }
        for (name, value, ends) in &self.attributes {
            subject = match *name {
                "limit" => subject.attribute(name, value.parse::<i64>().expect("a number"), *ends),
                "trusted" => subject.attribute(name, value == "true", *ends),
                "since" => {
                    subject.attribute(name, value.parse::<Timestamp>().expect("a time"), *ends)
                }
                _ => subject.attribute(name, value.as_str(), *ends),
            };
        }
        let subject = subject.build();
        assert_eq!(subject.errors(), []);
        subject
    }

    pub(crate) fn context<'a>(&self, policy: &Policy) -> Context<'a> {
        let context = policy
            .context(now())
            .attribute("purpose", self.purpose)
            .attribute("amount", self.amount);
        assert_eq!(context.errors(), []);
        context
    }
}

/// A schema of its own in PostgreSQL, a role that runs in it, and a SQLite in memory with the same rows.
pub(crate) struct World {
    pub(crate) owner: PgPool,
    pub(crate) runtime: PgPool,
    pub(crate) sqlite: SqlitePool,
    pub(crate) role: String,
    pub(crate) schema: String,
}

const TABLES: &str = "
CREATE TABLE cases (
    id text NOT NULL PRIMARY KEY, org_id text, project_id text, owner_id text, department text, region text,
    sensitivity text, amount bigint, flag BOOLEAN_TYPE, opened TIME_TYPE, device UUID_TYPE, note text
);
CREATE TABLE user_departments (org_id text NOT NULL, user_id text NOT NULL, department text);
CREATE TABLE case_assignments (org_id text NOT NULL, user_id text NOT NULL, case_id text);
CREATE TABLE ringwall_user_attributes (
    org_id text NOT NULL, user_id text NOT NULL, key text NOT NULL, value text NOT NULL, expires_at bigint
);
";

/// What is random makes no two worlds of one server meet.
fn unique() -> String {
    format!("{:016x}", RandomState::new().hash_one(0_u8))
}

impl World {
    pub(crate) async fn new() -> Self {
        let url = std::env::var("RINGWALL_TEST_POSTGRES_URL").expect(
            "RINGWALL_TEST_POSTGRES_URL names no PostgreSQL: run `cargo xtask test -p ringwall-postgres`",
        );
        let options: PgConnectOptions = url.parse().expect("a URL");
        let name = unique();
        let (schema, role) = (format!("authz_{name}"), format!("runtime_{name}"));
        let admin = PgPool::connect_with(options.clone())
            .await
            .expect("it connects");
        let owner_role = format!("owner_{name}");
        run(
            &admin,
            &format!(
                "CREATE ROLE {role} LOGIN PASSWORD 'word' NOSUPERUSER NOBYPASSRLS;
                 CREATE ROLE {owner_role} LOGIN PASSWORD 'word' SUPERUSER;
                 CREATE SCHEMA {schema} AUTHORIZATION {owner_role};
                 GRANT USAGE ON SCHEMA {schema} TO {role};"
            ),
        )
        .await;
        let connect = async |role: &str| {
            let options = options
                .clone()
                .username(role)
                .password("word")
                // Nothing here outlives its server, so nothing waits for the disk.
                .options([
                    ("search_path", schema.as_str()),
                    ("synchronous_commit", "off"),
                ]);
            // One connection: what one transaction leaves behind, the next would find.
            PgPoolOptions::new()
                .max_connections(1)
                .connect_with(options)
                .await
                .expect("it connects")
        };
        let (owner, runtime) = (connect(&owner_role).await, connect(&role).await);
        let tables = TABLES
            .replace("BOOLEAN_TYPE", "boolean")
            .replace("TIME_TYPE", "timestamptz")
            .replace("UUID_TYPE", "uuid");
        run(&owner, &tables).await;
        run(
            &owner,
            "CREATE INDEX assignments_of ON case_assignments (org_id, user_id)",
        )
        .await;
        let sqlite = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(SqliteConnectOptions::new().in_memory(true))
            .await
            .expect("it opens");
        let tables = TABLES
            .replace("BOOLEAN_TYPE", "integer")
            .replace("TIME_TYPE", "integer")
            .replace("UUID_TYPE", "text")
            .replace(");\nCREATE TABLE", ") STRICT;\nCREATE TABLE")
            .replace("bigint", "integer");
        sqlite
            .execute(sqlx::raw_sql(AssertSqlSafe(tables)))
            .await
            .expect("tables");
        Self {
            owner,
            runtime,
            sqlite,
            role,
            schema,
        }
    }

    /// Puts the policy into the database.
    pub(crate) async fn enforce(&self, policy: &Policy) {
        let options = RowLevelSecurityOptions::new(&self.role)
            .expect("a name")
            .schema(&format!("{}_functions", self.schema))
            .expect("a name");
        let ddl = policy
            .row_level_security(&options)
            .expect("it can be pushed");
        run(&self.owner, &ddl).await;
    }

    pub(crate) async fn fill(&self, rows: &[Row]) {
        // What is emptied so, plans are made anew for, as they are for another policy.
        run(
            &self.owner,
            "TRUNCATE cases, user_departments, case_assignments, ringwall_user_attributes",
        )
        .await;
        self.sqlite
            .execute("DELETE FROM cases")
            .await
            .expect("empty");
        for row in rows {
            sqlx::query(
                "INSERT INTO cases VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10::timestamptz,$11::uuid)",
            )
            .bind(&row.id)
            .bind(row.org)
            .bind(row.project)
            .bind(row.owner)
            .bind(row.department)
            .bind(row.region)
            .bind(row.sensitivity)
            .bind(row.amount)
            .bind(row.flag)
            .bind(row.opened)
            .bind(row.device)
            .execute(&self.owner)
            .await
            .expect("a row");
            let opened = row
                .opened
                .map(|time| time.parse::<Timestamp>().expect("a time").unix_micros());
            sqlx::query("INSERT INTO cases VALUES (?,?,?,?,?,?,?,?,?,?,?,NULL)")
                .bind(&row.id)
                .bind(row.org)
                .bind(row.project)
                .bind(row.owner)
                .bind(row.department)
                .bind(row.region)
                .bind(row.sensitivity)
                .bind(row.amount)
                .bind(row.flag)
                .bind(opened)
                .bind(row.device)
                .execute(&self.sqlite)
                .await
                .expect("a row");
        }
    }

    /// Puts what is known of the caller into the tables, among what is known of others.
    pub(crate) async fn know(&self, caller: &Caller) {
        run(
            &self.owner,
            "DELETE FROM user_departments; DELETE FROM case_assignments; DELETE FROM ringwall_user_attributes;
             INSERT INTO user_departments VALUES ('o2', 'u1', 'a'), ('o2', 'u2', 'a'), ('o1', 'nobody', 'b');
             INSERT INTO case_assignments VALUES ('o2', 'u1', 'c1'), ('o1', 'nobody', 'c2');
             INSERT INTO ringwall_user_attributes VALUES ('o2', 'u1', 'team', 'a', NULL), ('o1', 'nobody', 'team', 'b', NULL)",
        )
        .await;
        self.know_in_sqlite(caller).await;
        // A pair without a value is no pair.
        let departments: Vec<Option<&str>> = caller
            .departments
            .iter()
            .copied()
            .map(Some)
            .chain([None])
            .collect();
        sqlx::query("INSERT INTO user_departments SELECT $1, $2, v FROM unnest($3::text[]) AS v")
            .bind(caller.org)
            .bind(caller.id)
            .bind(departments)
            .execute(&self.owner)
            .await
            .expect("departments");
        sqlx::query("INSERT INTO case_assignments SELECT $1, $2, v FROM unnest($3::text[]) AS v")
            .bind(caller.org)
            .bind(caller.id)
            .bind(&caller.assignments)
            .execute(&self.owner)
            .await
            .expect("assignments");
        let attributes = &caller.attributes;
        let names: Vec<&str> = attributes.iter().map(|(name, ..)| *name).collect();
        let values: Vec<&str> = attributes
            .iter()
            .map(|(_, value, _)| value.as_str())
            .collect();
        let ends: Vec<Option<i64>> = attributes
            .iter()
            .map(|(.., end)| end.map(Timestamp::unix_micros))
            .collect();
        sqlx::query(
            "INSERT INTO ringwall_user_attributes
             SELECT $1, $2, a.k, a.v, a.e FROM unnest($3::text[], $4::text[], $5::bigint[]) AS a(k, v, e)",
        )
        .bind(caller.org)
        .bind(caller.id)
        .bind(names)
        .bind(values)
        .bind(ends)
        .execute(&self.owner)
        .await
        .expect("attributes");
    }

    async fn know_in_sqlite(&self, caller: &Caller) {
        let others = "DELETE FROM user_departments; DELETE FROM case_assignments;
            INSERT INTO user_departments VALUES ('o2', 'u1', 'a'), ('o1', 'nobody', 'b');
            INSERT INTO case_assignments VALUES ('o2', 'u1', 'c1'), ('o1', 'nobody', 'c2')";
        self.sqlite
            .execute(sqlx::raw_sql(others))
            .await
            .expect("others");
        let departments = caller.departments.iter().copied().map(Some).chain([None]);
        for department in departments {
            sqlx::query("INSERT INTO user_departments VALUES (?, ?, ?)")
                .bind(caller.org)
                .bind(caller.id)
                .bind(department)
                .execute(&self.sqlite)
                .await
                .expect("a department");
        }
        for case in &caller.assignments {
            sqlx::query("INSERT INTO case_assignments VALUES (?, ?, ?)")
                .bind(caller.org)
                .bind(caller.id)
                .bind(case)
                .execute(&self.sqlite)
                .await
                .expect("an assignment");
        }
    }

    /// The database without what this world put into it.
    pub(crate) async fn remove(self) {
        let schema = &self.schema;
        run(
            &self.owner,
            &format!("DROP SCHEMA {schema} CASCADE; DROP SCHEMA IF EXISTS {schema}_functions CASCADE; DROP OWNED BY {}", self.role),
        )
        .await;
    }
}

pub(crate) async fn run(pool: &PgPool, statement: &str) {
    let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
    if let Err(error) = pool.execute(statement).await {
        panic!("{error}");
    }
}

/// The rows to which the process says yes.
pub(crate) fn decided(
    policy: &Policy,
    subject: &Subject,
    context: &Context<'_>,
    action: &str,
    rows: &[Row],
) -> BTreeSet<String> {
    assert!(ACTIONS.contains(&action));
    rows.iter()
        .filter(|row| {
            policy
                .decide(subject, action, &row.resource(policy), context)
                .is_permit()
        })
        .map(|row| row.id.clone())
        .collect()
}
