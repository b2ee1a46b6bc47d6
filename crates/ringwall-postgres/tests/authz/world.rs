//! A database of PostgreSQL with a schema and a runtime role of its own, and a SQLite in memory.

use core::hash::BuildHasher as _;
use std::hash::RandomState;

use ringwall_authz::{Policy, RowLevelSecurityOptions};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgExecutor};
use url::Url;

use crate::callers::{Caller, IDS, Told};
use crate::dice::TEXTS;
use crate::probe;
use crate::rows::{Row, id_json};
use crate::shape::{Key, Shape};

/// A database of its own in PostgreSQL, a role that runs in its schema, and a SQLite in memory with the same rows. What
/// one test does for everybody (functions, policies), no other one sees.
pub(crate) struct World {
    /// Of the database.
    pub(crate) url: Url,
    admin: PgConnection,
    pub(crate) owner: PgPool,
    pub(crate) runtime: PgPool,
    pub(crate) sqlite: SqlitePool,
    pub(crate) role: String,
    pub(crate) schema: String,
}

/// The table of other tests, and the directory's attributes.
const TABLES: &str = "
CREATE TABLE cases (
    id text NOT NULL PRIMARY KEY, org_id text, project_id text, owner_id text, department text, region text,
    sensitivity text, amount bigint, flag boolean, opened timestamptz, device uuid, note text
);
CREATE TABLE user_departments (org_id text NOT NULL, user_id text NOT NULL, department text);
CREATE TABLE case_assignments (org_id text NOT NULL, user_id text NOT NULL, case_id text);
CREATE TABLE ringwall_user_attributes (
    org_id text NOT NULL, user_id text NOT NULL, key text NOT NULL, value text NOT NULL, expires_at bigint
);
CREATE INDEX assignments_of ON case_assignments (org_id, user_id);
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
        let mut url: Url = url.parse().expect("a URL");
        let mut admin = connected(&url).await;
        let name = unique();
        let (schema, role) = (format!("authz_{name}"), format!("runtime_{name}"));
        let owner_role = format!("owner_{name}");
        run(&mut admin, &format!("CREATE DATABASE {schema}")).await;
        url.set_path(&schema);
        let mut home = connected(&url).await;
        run(
            &mut home,
            &format!(
                "CREATE ROLE {role} LOGIN PASSWORD 'word' NOSUPERUSER NOBYPASSRLS;
                 CREATE ROLE {owner_role} LOGIN PASSWORD 'word' SUPERUSER;
                 CREATE SCHEMA {schema} AUTHORIZATION {owner_role};
                 GRANT USAGE ON SCHEMA {schema} TO {role};"
            ),
        )
        .await;
        home.close().await.expect("it closes");
        let options: PgConnectOptions = url.as_str().parse().expect("a URL");
        let connect = async |role: &str| {
            let options = options.clone().username(role).password("word").options([
                ("search_path", schema.as_str()),
                // Nothing here outlives the server.
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
        run(&owner, TABLES).await;
        let sqlite = SqlitePoolOptions::new()
            .max_connections(1)
            // The database is gone with its connection, which a pool replaces after half an hour.
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_with(SqliteConnectOptions::new().in_memory(true))
            .await
            .expect("it opens");
        Self {
            url,
            admin,
            owner,
            runtime,
            sqlite,
            role,
            schema,
        }
    }

    /// Makes the tables of each shape, and what tries row-level security from within.
    pub(crate) async fn shapes(&self) {
        let (mut postgres, mut sqlite) = (probe::CHANGED.to_owned(), String::new());
        for shape in Shape::all() {
            // Texts stand in columns that sort otherwise, or, in SQLite, ignore case.
            let columns = [
                "boolean",
                "timestamptz",
                "uuid",
                "text COLLATE \"und-x-icu\"",
                "text COLLATE \"C\"",
            ];
            postgres.push_str(&tables(shape, Key::postgres, columns, ""));
            postgres.push_str(&probe::functions(shape));
            let columns = [
                "integer",
                "integer",
                "text",
                "text COLLATE NOCASE",
                "text COLLATE RTRIM",
            ];
            sqlite.push_str(&tables(shape, Key::sqlite, columns, " STRICT"));
        }
        run(&self.owner, &postgres).await;
        self.in_sqlite(sqlite).await;
    }

    async fn in_sqlite(&self, script: String) {
        let done = self.sqlite.execute(sqlx::raw_sql(AssertSqlSafe(script)));
        done.await.expect("a script");
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

    /// Puts the rows and what is known of all callers into the tables of a shape, among what is known of others.
    pub(crate) async fn fill(&self, shape: Shape, rows: &[Row], callers: &[Caller]) {
        let (cases, departments, assignments) =
            (shape.cases(), shape.departments(), shape.assignments());
        let rows: Value = rows.iter().map(|row| row.json(shape)).collect();
        let known = known(shape, callers);
        let mut script = String::new();
        for (table, values) in [
            (&cases, &rows),
            (&departments, &known.departments),
            (&assignments, &known.assignments),
            (&"ringwall_user_attributes".to_owned(), &known.attributes),
        ] {
            script.push_str(&format!(
                "DELETE FROM {table};
                 INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, $json${values}$json$);"
            ));
        }
        run(&self.owner, &script).await;
        let mut script = String::new();
        for (table, values, columns) in [
            (&cases, &rows, &probe::COLUMNS[..]),
            (
                &departments,
                &known.departments,
                &["org_id", "user_id", "department"],
            ),
            (
                &assignments,
                &known.assignments,
                &["org_id", "user_id", "case_id"],
            ),
        ] {
            let extracted: Vec<String> = columns
                .iter()
                .map(|column| match *column {
                    "opened" => "json_extract(value, '$.opened_micros')".to_owned(),
                    column => format!("json_extract(value, '$.{column}')"),
                })
                .collect();
            let (names, extracted) = (columns.join(", "), extracted.join(", "));
            let values = values.to_string().replace('\'', "''");
            script.push_str(&format!(
                "DELETE FROM {table};
                 INSERT INTO {table} ({names}) SELECT {extracted} FROM json_each('{values}');"
            ));
        }
        self.in_sqlite(script).await;
    }

    /// The server without what this world put into it, but roles.
    pub(crate) async fn remove(mut self) {
        let schema = &self.schema;
        let drop = format!("DROP DATABASE {schema} WITH (FORCE)");
        run(&mut self.admin, &drop).await;
    }
}

async fn connected(url: &Url) -> PgConnection {
    let options: PgConnectOptions = url.as_str().parse().expect("a URL");
    options.connect().await.expect("it connects")
}

fn tables(
    shape: Shape,
    key: fn(Key) -> &'static str,
    [boolean, time, uuid, department, region]: [&str; 5],
    strict: &str,
) -> String {
    let (tenant, subject, id) = (key(shape.tenant), key(shape.subject), key(shape.id));
    let number = key(Key::Integer);
    format!(
        "CREATE TABLE {} (
            id {id} NOT NULL PRIMARY KEY, org_id {tenant}, project_id {tenant}, owner_id {subject}, department {department},
            region {region}, sensitivity text, tier text, amount {number}, flag {boolean}, opened {time}, device {uuid},
            note text
        ){strict};
        CREATE TABLE {} (org_id {tenant} NOT NULL, user_id {subject} NOT NULL, department text){strict};
        CREATE TABLE {} (org_id {tenant} NOT NULL, user_id {subject} NOT NULL, case_id {id}){strict};\n",
        shape.cases(),
        shape.departments(),
        shape.assignments()
    )
}

/// What the tables hold of callers.
struct Known {
    departments: Value,
    assignments: Value,
    attributes: Value,
}

fn known(shape: Shape, callers: &[Caller]) -> Known {
    let [own, other] = shape.orgs();
    let stranger = match shape.subject {
        Key::Uuid => "5ba1e000-0000-4000-8000-0000000000ff",
        Key::Text | Key::Integer => "nobody",
    };
    let pair = |org: &str, user: &str, department: Option<&str>| json!({ "org_id": org, "user_id": user, "department": department });
    let case = |org: &str, user: &str, id: &str| json!({ "org_id": org, "user_id": user, "case_id": id_json(id, shape) });
    let attribute = |org: &str, user: &str, (key, value, ends): &Told| {
        let ends = ends.map(ringwall_core::clock::Timestamp::unix_micros);
        json!({ "org_id": org, "user_id": user, "key": key, "value": value, "expires_at": ends })
    };
    let (mut departments, mut assignments) = (Vec::new(), Vec::new());
    let team = ("team", "a".to_owned(), None);
    let mut attributes = vec![attribute(own, stranger, &team)];
    for caller in callers {
        let (org, id) = (caller.org.as_str(), caller.id.as_str());
        attributes.extend(
            caller
                .attributes
                .iter()
                .map(|told| attribute(org, &caller.credential, told)),
        );
        attributes.push(attribute(other, &caller.credential, &team));
        if !caller.is_findable() {
            continue;
        }
        // As the tables hold UUIDs in SQLite: in lower-case letters.
        let (org, id) = (shape.stored_tenant(org), shape.stored_subject(id));
        // In another organisation it stands in the relations to everything, and so does somebody else in its own.
        for (org, id) in [(other, id.as_str()), (org.as_str(), stranger)] {
            departments.extend(TEXTS.map(|department| pair(org, id, Some(department))));
            assignments.extend((0..IDS).map(|number| case(org, id, &shape.id_of(number))));
        }
        // A pair without a value is no pair.
        let all = caller.departments.iter().copied().map(Some).chain([None]);
        departments.extend(all.map(|department| pair(&org, &id, department)));
        assignments.extend(
            caller
                .assignments
                .iter()
                .map(|number| case(&org, &id, number)),
        );
    }
    Known {
        departments: departments.into(),
        assignments: assignments.into(),
        attributes: attributes.into(),
    }
}

pub(crate) async fn run(connection: impl PgExecutor<'_>, statement: &str) {
    let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
    if let Err(error) = connection.execute(statement).await {
        panic!("{error}");
    }
}
