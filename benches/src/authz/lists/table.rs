//! A table of many organisations' cases, secured by a policy.

use ringwall_authz::{Policy, RowLevelSecurityOptions};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection, postgres::PgConnectOptions,
};

/// What is listed.
pub(super) const COLUMNS: &str = "id, owner_id, department, title";
/// One of the users of each organisation.
pub(super) const READER: &str = "u3";

/// The role of the service. The server is one of this bench's own.
const ROLE: &str = "bench_service";

/// How many rows there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) organisations: usize,
    cases: usize,
}

impl Size {
    /// A million rows.
    pub(super) const FULL: Self = Self {
        organisations: 1_000,
        cases: 1_000,
    };
    pub(super) const SMOKE: Self = Self {
        organisations: 20,
        cases: 100,
    };
}

/// How the rows lie, and what finds them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    is_together: bool,
    narrow_indexes: bool,
}

pub(super) const LAYOUTS: [Layout; 3] = [
    // As rows come in: each row of an organisation is on a page of its own.
    Layout {
        is_together: false,
        narrow_indexes: false,
    },
    Layout {
        is_together: false,
        narrow_indexes: true,
    },
    // Side by side, so that reading them costs the least.
    Layout {
        is_together: true,
        narrow_indexes: false,
    },
];

impl Layout {
    pub(super) const fn has_narrow_indexes(self) -> bool {
        self.narrow_indexes
    }

    pub(super) const fn name(self) -> &'static str {
        match (self.is_together, self.narrow_indexes) {
            (false, false) => "scattered rows, index on the tenant",
            (false, true) => "scattered rows, narrow indexes",
            (true, _) => "rows side by side, index on the tenant",
        }
    }

    pub(super) fn words(self, size: Size) -> String {
        format!(
            "rows={} tenants={} layout={} index={}",
            size.organisations * size.cases,
            size.organisations,
            if self.is_together {
                "together"
            } else {
                "scattered"
            },
            if self.narrow_indexes {
                "narrow"
            } else {
                "tenant"
            },
        )
    }
}

const TABLES: &str = "
CREATE TABLE cases (
    id text PRIMARY KEY, org_id text NOT NULL, owner_id text, department text, title text NOT NULL
);
CREATE TABLE user_departments (
    org_id text NOT NULL, user_id text NOT NULL, department text NOT NULL,
    PRIMARY KEY (org_id, user_id, department)
);
CREATE TABLE case_assignments (
    org_id text NOT NULL, user_id text NOT NULL, case_id text NOT NULL,
    PRIMARY KEY (org_id, user_id, case_id)
);
CREATE TABLE ringwall_user_attributes (
    org_id text NOT NULL, user_id text NOT NULL, key text NOT NULL, value text NOT NULL, expires_at bigint
);";

/// Twenty users in ten departments; each is in two of them, owns every twentieth case, and has five assigned.
const ROWS: &str = "
INSERT INTO cases SELECT 'c' || n, 'o' || (n % ORGS), 'u' || ((n / ORGS) % 20), 'd' || ((n / ORGS) % 10),
        'The title of the case ' || n
    FROM generate_series(0, ORGS * CASES - 1) AS n;
INSERT INTO user_departments SELECT 'o' || o, 'u' || u, 'd' || ((u + k * 5) % 10)
    FROM generate_series(0, ORGS - 1) AS o, generate_series(0, 19) AS u, generate_series(0, 1) AS k;
INSERT INTO case_assignments SELECT 'o' || o, 'u' || u, 'c' || (o + ORGS * (u + 20 * k))
    FROM generate_series(0, ORGS - 1) AS o, generate_series(0, 19) AS u, generate_series(0, 4) AS k;";

/// The table, with security and the index that comes with it.
pub(super) struct Table {
    options: PgConnectOptions,
    owner: PgConnection,
}

impl Table {
    pub(super) async fn new(url: &str, policy: &Policy, size: Size) -> Self {
        let options: PgConnectOptions = url.parse().expect("a URL");
        let owner = options.connect().await.expect("a server");
        let mut table = Self { options, owner };
        let role = RowLevelSecurityOptions::new(ROLE).expect("a name");
        let security = policy.row_level_security(&role);
        table.run(TABLES).await;
        let rows = ROWS.replace("ORGS", &size.organisations.to_string());
        table
            .run(&rows.replace("CASES", &size.cases.to_string()))
            .await;
        table.run(&security.expect("it can be pushed")).await;
        let login = format!("ALTER ROLE {ROLE} LOGIN PASSWORD 'word'");
        table.run(&login).await;
        table
    }

    pub(super) async fn lay_out(&mut self, layout: Layout) {
        self.run("DROP INDEX IF EXISTS narrow_owner; DROP INDEX IF EXISTS narrow_department")
            .await;
        if layout.narrow_indexes {
            self.run("CREATE INDEX narrow_owner ON cases (org_id, owner_id)")
                .await;
            self.run("CREATE INDEX narrow_department ON cases (org_id, department)")
                .await;
        }
        if layout.is_together {
            self.run("CLUSTER cases USING ringwall_cases_tenant").await;
        }
        self.run("VACUUM ANALYZE").await;
        self.run("CHECKPOINT").await;
    }

    /// As who owns the server.
    pub(super) async fn owner(&self) -> PgConnection {
        self.options.connect().await.expect("a server")
    }

    /// As the service.
    pub(super) async fn runtime(&self) -> PgConnection {
        let options = self.options.clone().username(ROLE).password("word");
        options.connect().await.expect("a server")
    }

    async fn run(&mut self, statements: &str) {
        let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
        self.owner.execute(statements).await.expect("it is done");
    }
}
