//! Row-level security holds the policy of the service, and the service looks whether it does.

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::process::{Service, command, eventually};

/// Roles belong to the server, so one test at a time has them.
static SERVER: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A database of its own on the server of the tests.
struct Database {
    folder: tempfile::TempDir,
    options: PgConnectOptions,
}

fn name(of: &str) -> String {
    format!("agent_backend_{of}_{}", std::process::id())
}

async fn run(connection: &mut PgConnection, statements: &str) {
    let statements = AssertSqlSafe(statements.to_owned());
    sqlx::raw_sql(statements)
        .execute(connection)
        .await
        .expect("it runs");
}

impl Database {
    async fn new(of: &str) -> Self {
        let url = std::env::var("RINGWALL_TEST_POSTGRES_URL");
        let url = url.expect("run `cargo xtask test -p agent-backend`, which starts a PostgreSQL");
        let options: PgConnectOptions = url.parse().expect("a URL");
        let folder = tempfile::tempdir().expect("a folder");
        let password = url.split([':', '@']).nth(2).expect("a password");
        std::fs::write(folder.path().join("password"), password).expect("written");
        let mut first = options.connect().await.expect("it connects");
        run(&mut first, &format!("CREATE DATABASE {}", name(of))).await;
        first.close().await.expect("closed");
        Self {
            folder,
            options: options.database(&name(of)),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn connect(&self) -> PgConnection {
        self.options.connect().await.expect("it connects")
    }

    /// Without a password, as the service takes it.
    fn url(&self, user: &str) -> String {
        let (host, port) = (self.options.get_host(), self.options.get_port());
        let database = self.options.get_database().expect("named");
        format!("postgres://{user}@{host}:{port}/{database}")
    }

    fn owner(&self) -> String {
        self.url(self.options.get_username())
    }

    fn start(&self, name: &str, change: impl FnOnce(&mut Command)) -> Service {
        Service::start(self.folder.path(), name, self.command(name, change))
    }

    fn command(&self, name: &str, change: impl FnOnce(&mut Command)) -> Command {
        let mut command = command(self.folder.path(), name, &["--postgres", &self.owner()]);
        let password = self.path("password");
        command.env("AGENT_BACKEND__POSTGRES__PASSWORD__FILE", password);
        change(&mut command);
        command
    }

    /// What a service that does not start writes to its log.
    fn refused(&self, name: &str, change: impl FnOnce(&mut Command)) -> String {
        let mut service = Service {
            child: self.command(name, change).spawn().expect("it starts"),
            address: String::new(),
        };
        let status = eventually("the end", || service.child.try_wait().expect("its state"));
        assert!(!status.success());
        std::fs::read_to_string(self.path(&format!("{name}.log"))).expect("readable")
    }
}

/// A token of the development issuer.
fn token(data: &Path, org: &str, subject: &str, role: Option<&str>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-backend"));
    command.arg("token").arg("--data-dir").arg(data);
    command.args(["--org", org, "--sub", subject, "--login-age", "1"]);
    for scope in [
        "cases:read",
        "cases:write",
        "settings:read",
        "settings:write",
    ] {
        command.args(["--scope", scope]);
    }
    command.args(role.iter().flat_map(|role| ["--role", role]));
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

/// Asks as somebody.
fn ask(service: &Service, token: &str, request: &str, body: &str) -> (u16, String) {
    let bearer = format!("Bearer {token}");
    service.ask_with(request, &[("Authorization", &bearer)], body)
}

fn case_of(answer: &str) -> String {
    let id = answer.split("\"id\":\"").nth(1).expect("an id");
    format!("/api/cases/{}", id.split('"').next().expect("an id"))
}

/// Who sees what, whatever the connection is that answers.
fn people_see_what_the_policy_says(service: &Service, data: &Path) {
    let root = token(data, "acme", "root", Some("admin"));
    let elsewhere = token(data, "globex", "root", Some("admin"));
    let [anna, maya, vera] = ["anna", "maya", "vera"].map(|name| token(data, "acme", name, None));
    let new = r#"{"title":"of sales","body":"","department":"sales"}"#;
    let (status, answer) = ask(service, &anna, "POST /api/cases", new);
    assert_eq!(status, 201, "{answer}");
    let case = case_of(&answer);
    let read = format!("GET {case}");
    let get = |who: &str| ask(service, who, &read, "").0;
    // It is hers and the administrator's; her colleague and another organisation know nothing of it.
    assert_eq!(
        [&anna, &root, &maya, &elsewhere].map(|who| get(who)),
        [200, 200, 404, 404]
    );
    let list = |who: &str| {
        ask(service, who, "GET /api/cases", "")
            .1
            .matches("of sales")
            .count()
    };
    assert_eq!(
        [&anna, &root, &maya, &elsewhere].map(|who| list(who)),
        [1, 1, 0, 0]
    );
    let member = |who: &str, is: &str| {
        let path = format!("PUT /v1/orgs/acme/members/{who}");
        ask(service, &root, &path, is)
    };
    let made = member("maya", r#"{"roles":["manager"],"departments":["sales"]}"#);
    assert_eq!(made.0, 200, "{}", made.1);
    let made = member("vera", r#"{"roles":["viewer"],"departments":[]}"#);
    assert_eq!(made.0, 200, "{}", made.1);
    assert_eq!((get(&maya), get(&vera)), (200, 404));
    let change = format!("PATCH {case}");
    let close = r#"{"status":"closed"}"#;
    assert_eq!(ask(service, &maya, &change, close).0, 200);
    assert_eq!(ask(service, &maya, &format!("DELETE {case}"), "").0, 403);
    let foreign = r#"{"title":"of legal","body":"","department":"legal"}"#;
    assert_eq!(ask(service, &maya, "POST /api/cases", foreign).0, 403);
    let assignment = format!("{case}/assignments/vera");
    assert_eq!(ask(service, &maya, &format!("PUT {assignment}"), "").0, 204);
    assert_eq!((get(&vera), list(&vera)), (200, 1));
    assert_eq!(ask(service, &vera, &change, close).0, 403);
    assert_eq!(
        ask(service, &maya, &format!("DELETE {assignment}"), "").0,
        204
    );
    assert_eq!((get(&vera), list(&vera)), (404, 0));
    let taken = member("maya", r#"{"roles":[],"departments":[]}"#);
    assert_eq!(taken.0, 200);
    assert_eq!(get(&maya), 404);
    assert_eq!(
        ask(service, &elsewhere, &format!("DELETE {case}"), "").0,
        404
    );
    assert_eq!(ask(service, &root, &format!("DELETE {case}"), "").0, 204);
}

#[tokio::test]
async fn row_level_security_holds_the_policy_of_the_service() {
    let _turn = SERVER.lock().await;
    let database = Database::new("policy").await;
    let service = database.start("one", |_| {});
    assert_eq!(service.ask("GET /readyz").0, 200);
    let data = database.path("data");
    people_see_what_the_policy_says(&service, &data);
    // What the connections of the service see when nobody told them who acts.
    let anna = token(&data, "acme", "anna", None);
    let new = r#"{"title":"kept","body":""}"#;
    assert_eq!(ask(&service, &anna, "POST /api/cases", new).0, 201);
    let mut connection = database.connect().await;
    let count = "SELECT count(*) FROM agent_backend.cases";
    for (role, sees) in [(None, 1_i64), (Some("agent_backend_runtime"), 0)] {
        if let Some(role) = role {
            run(&mut connection, &format!("SET ROLE {role}")).await;
        }
        let seen: i64 = sqlx::query_scalar(count)
            .fetch_one(&mut connection)
            .await
            .expect("it answers");
        assert_eq!(seen, sees, "{role:?}");
    }
    drop(service);
    let log = std::fs::read_to_string(database.path("one.log")).expect("readable");
    let password = std::fs::read_to_string(database.path("password")).expect("readable");
    assert!(!log.contains(&password), "the password is in a log");
}

#[tokio::test]
async fn a_service_repairs_its_security_and_does_not_start_beside_a_hole() {
    let _turn = SERVER.lock().await;
    let database = Database::new("doctor").await;
    drop(database.start("first", |_| {}));
    let mut connection = database.connect().await;
    run(
        &mut connection,
        "ALTER TABLE agent_backend.cases DISABLE ROW LEVEL SECURITY;
         DROP POLICY ringwall_tenant ON agent_backend.cases",
    )
    .await;
    let service = database.start("repaired", |_| {});
    people_see_what_the_policy_says(&service, &database.path("data"));
    drop(service);
    run(
        &mut connection,
        "CREATE VIEW agent_backend.all_cases AS SELECT * FROM agent_backend.cases;
         GRANT SELECT ON agent_backend.all_cases TO agent_backend_runtime",
    )
    .await;
    let log = database.refused("hole", |_| {});
    assert!(
        log.contains("all_cases") && log.contains("does not hold the policy"),
        "{log}"
    );
}

#[tokio::test]
async fn a_service_does_not_put_its_policy_in_the_place_of_another_version_s() {
    let _turn = SERVER.lock().await;
    let database = Database::new("version").await;
    drop(database.start("first", |_| {}));
    let mut connection = database.connect().await;
    // As if another version had made it, or another version of the library: its rules, and its name.
    let made_by = |words: &str, other: &str| {
        format!(
            "ALTER POLICY ringwall_select ON agent_backend.cases USING (FALSE);
             DO $$ DECLARE own text; BEGIN
                SELECT obj_description(oid, 'pg_policy') INTO own FROM pg_policy
                    WHERE polname = 'ringwall_insert' AND polrelid = 'agent_backend.cases'::regclass;
                EXECUTE format('COMMENT ON POLICY ringwall_select ON agent_backend.cases IS %L',
                    regexp_replace(own, '{words}', '{other}'));
             END $$"
        )
    };
    // One that is older is repaired unasked.
    run(&mut connection, &made_by(" [0-9]+$", "")).await;
    drop(database.start("old", |_| {}));
    for (words, other) in [("[0-9a-f]{64}", "0"), ("[0-9]+$", "999")] {
        run(&mut connection, &made_by(words, other)).await;
        let log = database.refused("old", |_| {});
        assert!(log.contains("--replace-policy"), "{words}: {log}");
    }
    let service = database.start("new", |command| {
        command.arg("--replace-policy");
    });
    people_see_what_the_policy_says(&service, &database.path("data"));
}

#[tokio::test]
async fn two_roles_share_the_work_and_the_one_that_owns_nothing_reads_the_cases() {
    let _turn = SERVER.lock().await;
    let database = Database::new("roles").await;
    let mut connection = database.connect().await;
    let role = name("login");
    run(
        &mut connection,
        &format!("CREATE ROLE {role} LOGIN PASSWORD 'of-the-runtime'"),
    )
    .await;
    let password = database.path("runtime_password");
    std::fs::write(&password, "of-the-runtime").expect("written");
    let (url, owner) = (database.url(&role), database.owner());
    let owner_password = database.path("password");
    let two = |command: &mut Command| {
        command
            .args(["--postgres", &url])
            .env("AGENT_BACKEND__POSTGRES__OWNER_URL", &owner)
            .env(
                "AGENT_BACKEND__POSTGRES__OWNER_PASSWORD__FILE",
                &owner_password,
            )
            .env("AGENT_BACKEND__POSTGRES__PASSWORD__FILE", &password);
    };
    let mut start = command(database.folder.path(), "two", &[]);
    two(&mut start);
    let service = Service::start(database.folder.path(), "two", start);
    people_see_what_the_policy_says(&service, &database.path("data"));
    drop(service);
    // A role that owns the tables could switch their security off.
    let mut same = command(database.folder.path(), "same", &[]);
    two(&mut same);
    same.env("AGENT_BACKEND__POSTGRES__OWNER_URL", &url);
    let mut service = Service {
        child: same.spawn().expect("it starts"),
        address: String::new(),
    };
    let status = eventually("the end", || service.child.try_wait().expect("its state"));
    assert!(!status.success());
    let log = std::fs::read_to_string(database.path("same.log")).expect("readable");
    assert!(log.contains("names the role of owner_url"), "{log}");
    run(
        &mut connection,
        &format!("DROP OWNED BY {role}; DROP ROLE {role}"),
    )
    .await;
}
