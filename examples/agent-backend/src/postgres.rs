//! PostgreSQL for the cases: the tables, the policy as row-level security, and who looks through it.

use core::fmt;
use core::time::Duration;
use std::error::Error;
use std::sync::Arc;

use ringwall_core::clock::SystemClock;
use ringwall_gate::authz::{Policy, RowLevelSecurityOptions};
use ringwall_postgres::{
    AcceptedFinding, FindingKind, PostgresConfig, PostgresDatabase, PostgresDirectory,
};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};

use crate::case_store::PostgresCases;

/// The schema of everything that is the service's own.
pub(crate) const SCHEMA: &str = "agent_backend";

/// The schema of the functions by which the policies ask who acts.
const POLICY_SCHEMA: &str = "agent_backend_policy";

/// Whom the owner acts as on a development machine.
const ASSUMED: &str = "agent_backend_runtime";

/// How long a request waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

const CONNECTIONS: u32 = 8;

/// Held while the tables are made: of several processes that start at once, the others wait.
const LOCK: i64 = 7_236_271_925_047_610;

/// Texts are compared byte by byte, as the policy compares them.
const TABLES: &str = r#"
    CREATE TABLE IF NOT EXISTS cases (
        org TEXT COLLATE "C" NOT NULL,
        project TEXT COLLATE "C" NOT NULL,
        id TEXT COLLATE "C" NOT NULL,
        title TEXT NOT NULL,
        body TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('open', 'closed')),
        sensitivity TEXT
            CHECK (sensitivity IN ('public', 'internal', 'confidential', 'restricted')),
        department TEXT COLLATE "C",
        created_by TEXT COLLATE "C" NOT NULL,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        version BIGINT NOT NULL,
        PRIMARY KEY (org, project, id)
    );
    CREATE INDEX IF NOT EXISTS cases_by_age ON cases (org, project, created_at, id);
    CREATE TABLE IF NOT EXISTS case_assignments (
        org_id TEXT COLLATE "C" NOT NULL,
        user_id TEXT COLLATE "C" NOT NULL,
        case_id TEXT COLLATE "C" NOT NULL,
        PRIMARY KEY (org_id, user_id, case_id)
    );
"#;

/// Which PostgreSQL, and as whom.
pub(crate) struct PostgresSettings {
    /// As whom tables are made, members are kept and cases are assigned: their owner.
    pub(crate) owner: PostgresConfig,
    /// As whom it is connected to read and write cases.
    pub(crate) runtime: PostgresConfig,
    /// For whom row-level security is made: a role that owns nothing.
    pub(crate) role: RuntimeRole,
    /// Whether another policy that is in force there is replaced.
    pub(crate) replaces_policy: bool,
}

/// For whom row-level security is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RuntimeRole {
    /// The user that the connections log in as.
    Login(String),
    /// On a development machine, where one URL is enough: the connections of the owner are made to act as this one.
    /// That keeps mistakes out, and nobody who can send statements of their own.
    Assumed,
}

impl RuntimeRole {
    fn name(&self) -> &str {
        match self {
            Self::Login(user) => user,
            Self::Assumed => ASSUMED,
        }
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PostgresSettings");
        shown.field("role", &self.role).finish_non_exhaustive()
    }
}

/// What the service needs of it.
pub(crate) struct PostgresStores {
    pub(crate) cases: PostgresCases,
    pub(crate) directory: PostgresDirectory,
}

/// Row-level security does not do what the policy says.
#[derive(Debug, thiserror::Error)]
#[error(
    "row-level security does not hold the policy: {0} findings, which the log names; `ringwall policy doctor` finds \
     them too"
)]
struct Inert(usize);

/// Another version of this service put its policy into force.
#[derive(Debug, thiserror::Error)]
#[error(
    "the database holds another policy than this program. If this is the new version, start it once with \
     --replace-policy; if it is an old one, do not start it"
)]
struct OtherPolicy;

/// Makes what is missing, puts the policy into force, and looks whether it is: a service whose database would show
/// everybody everything does not start.
pub(crate) async fn open(
    settings: PostgresSettings,
    policy: &Policy,
) -> Result<PostgresStores, Box<dyn Error>> {
    let PostgresSettings {
        owner,
        runtime,
        role,
        replaces_policy,
    } = settings;
    let pool = |options: PgConnectOptions| {
        PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
    };
    let owner = owner.schema(SCHEMA);
    let owner_options = owner.connect_options()?;
    let runtime_options = runtime.schema(SCHEMA).connect_options()?;
    let database = PostgresDatabase::open(owner).await?;
    database.migrations().migrate().await?;
    let directory = PostgresDirectory::open(&database).await?;
    let owner = pool(owner_options).await?;
    enforce(&owner, &database, policy, &role, replaces_policy).await?;
    let runtime_options = match &role {
        RuntimeRole::Login(_) => runtime_options,
        RuntimeRole::Assumed => runtime_options.options([("role", ASSUMED)]),
    };
    let runtime = pool(runtime_options).await?;
    let cases = PostgresCases::new(runtime, owner, Arc::new(SystemClock::new()));
    Ok(PostgresStores { cases, directory })
}

/// Brings tables and policies up to date, by one process at a time.
async fn enforce(
    owner: &PgPool,
    database: &PostgresDatabase,
    policy: &Policy,
    role: &RuntimeRole,
    replaces_policy: bool,
) -> Result<(), Box<dyn Error>> {
    // Held by a session, since the statements of the policy are a transaction of their own.
    let mut turn = owner.acquire().await?;
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(LOCK)
        .execute(&mut *turn)
        .await?;
    let done = bring_up_to_date(&mut turn, database, policy, role, replaces_policy).await;
    // Its end gives the lock back whatever happened.
    turn.close().await?;
    done
}

async fn bring_up_to_date(
    owner: &mut PgConnection,
    database: &PostgresDatabase,
    policy: &Policy,
    role: &RuntimeRole,
    replaces_policy: bool,
) -> Result<(), Box<dyn Error>> {
    sqlx::raw_sql(TABLES).execute(&mut *owner).await?;
    let options = RowLevelSecurityOptions::new(role.name())?
        .schema(POLICY_SCHEMA)?
        .attributes_table(&format!("{SCHEMA}.ringwall_user_attributes"))?;
    let accepted = accepted(owner, policy, &options, role).await?;
    // Statements that change nothing would still wait for everybody who reads.
    if !database
        .examine(policy, &options, &accepted)
        .await?
        .is_sound()
    {
        // An old process that comes back must not take away what a new one forbids.
        if !replaces_policy && holds_another(owner, policy, &options).await? {
            return Err(Box::new(OtherPolicy));
        }
        let statements = policy.row_level_security(&options)?;
        // Generated from the policy, which is a part of this program.
        let statements = AssertSqlSafe(statements);
        sqlx::raw_sql(statements).execute(&mut *owner).await?;
        let usage = format!("GRANT USAGE ON SCHEMA {SCHEMA} TO \"{}\"", role.name());
        sqlx::raw_sql(AssertSqlSafe(usage))
            .execute(&mut *owner)
            .await?;
        if *role == RuntimeRole::Assumed {
            let grant = format!("GRANT {ASSUMED} TO CURRENT_USER");
            sqlx::raw_sql(AssertSqlSafe(grant))
                .execute(&mut *owner)
                .await?;
        }
    }
    let examination = database.examine(policy, &options, &accepted).await?;
    let open = examination.findings.iter().filter(|one| one.is_open_hole());
    let mut holes = 0_usize;
    for finding in open {
        holes = holes.saturating_add(1);
        tracing::error!(
            code = finding.kind.code(),
            object = finding.object,
            allows = finding.allows,
            repair = finding.repair,
            "row-level security"
        );
    }
    if examination.is_sound() {
        Ok(())
    } else {
        Err(Box::new(Inert(holes)))
    }
}

/// Whether policies of another content are in force, or of a later version of the library. Their comments say of which they
/// are.
async fn holds_another(
    owner: &mut PgConnection,
    policy: &Policy,
    options: &RowLevelSecurityOptions,
) -> Result<bool, Box<dyn Error>> {
    let own = policy.row_level_security_parts(options)?;
    let comments: Vec<Option<String>> = sqlx::query_scalar(
        "SELECT DISTINCT pg_catalog.obj_description(p.oid, 'pg_policy') FROM pg_catalog.pg_policy AS p \
         WHERE p.polrelid = pg_catalog.to_regclass($1)",
    )
    .bind(format!("{SCHEMA}.cases"))
    .fetch_all(owner)
    .await?;
    let mut comments = comments.into_iter().flatten();
    Ok(comments.any(|comment| comment.starts_with("ringwall ") && !own.may_replace(&comment)))
}

/// On a development machine the owner acts as the runtime role, so it is a member of it, and owns the tables or bypasses
/// their security. Nothing else is accepted.
async fn accepted(
    owner: &mut PgConnection,
    policy: &Policy,
    options: &RowLevelSecurityOptions,
    role: &RuntimeRole,
) -> Result<Vec<AcceptedFinding>, Box<dyn Error>> {
    if *role != RuntimeRole::Assumed {
        return Ok(Vec::new());
    }
    let user: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(owner)
        .await?;
    let mut accepted = vec![AcceptedFinding::new(FindingKind::MemberBypasses, &user)];
    for secured in policy.row_level_security_parts(options)?.tables {
        let object = format!("{} BY {user}", secured.table.name);
        accepted.push(AcceptedFinding::new(FindingKind::MemberOwnsTable, &object));
    }
    Ok(accepted)
}
