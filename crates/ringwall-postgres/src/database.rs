//! The server, connected.

use core::fmt;
use core::pin::Pin;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Postgres, Row as _};

use crate::error::TooSlow;
use crate::{Error, Migrations, PostgresConfig};

/// Some connections to one PostgreSQL. Clones are handles of the same ones.
///
/// Each connection is looked at when it is made: a standby is not used, since it shows revocations late,
/// and where the server, the database or the user says a `synchronous_commit` that is less than `on`, it is
/// switched on, since what was answered has to be stored, and by a synchronous standby too, if there is one
/// (`local` and `remote_write` would not wait for that).
#[derive(Clone)]
pub struct PostgresDatabase {
    pool: PgPool,
    timeout: Duration,
    schema: Arc<str>,
}

/// Work on one connection.
pub(crate) type Working<'c, T> = Pin<Box<dyn Future<Output = T> + Send + 'c>>;

impl PostgresDatabase {
    /// Connects, and fails if the server cannot be used at this moment: at start, so that a wrong password
    /// shows there. It changes no table: that is what [`migrations`](Self::migrations) are for. Must be
    /// called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`], [`Error::Unavailable`], [`Error::Refused`], [`Error::Unsafe`].
    pub async fn open(config: PostgresConfig) -> Result<Self, Error> {
        config.check()?;
        let options = config.options();
        // A connection of its own: a pool tries again and again, and tells only that it took too long.
        let first = async {
            let mut connection = options.connect().await.map_err(Error::of_database)?;
            look(&mut connection).await.map_err(Error::of_database)??;
            connection.close().await.map_err(Error::of_database)
        };
        tokio::time::timeout(config.timeout, first)
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable(Box::new(TooSlow))))?;
        let pool = PgPoolOptions::new()
            .max_connections(config.connections)
            .acquire_timeout(config.timeout)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    let looked = look(connection).await?;
                    looked.map_err(|error| sqlx::Error::Configuration(Box::new(error)))
                })
            })
            .connect_lazy_with(options);
        Ok(Self {
            pool,
            timeout: config.timeout,
            schema: config.schema_name().into(),
        })
    }

    /// The versions of its schema.
    #[must_use]
    pub fn migrations(&self) -> Migrations {
        Migrations::new(self.clone())
    }

    /// Whether the server answers, for a readiness probe; within the time-out.
    pub async fn answers(&self) -> bool {
        let answer = self.within(self.timeout, |connection| {
            Box::pin(async move { connection.ping().await })
        });
        answer.await.is_ok()
    }

    /// Finishes what is being done and closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Begins a transaction in which each statement sees what was committed before it.
    #[cfg(any(feature = "api-keys", feature = "authz", feature = "revocations"))]
    pub(crate) async fn begin(
        connection: &mut PgConnection,
    ) -> Result<sqlx::Transaction<'_, Postgres>, sqlx::Error> {
        connection
            .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
            .await
    }

    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// Works on a connection, and ends the work when it takes longer than `timeout`.
    pub(crate) async fn within<T, E, F>(&self, timeout: Duration, work: F) -> Result<T, E>
    where
        E: From<sqlx::Error>,
        F: for<'c> FnOnce(&'c mut PgConnection) -> Working<'c, Result<T, E>>,
    {
        let answer = async {
            let mut session = Session {
                connection: self.pool.acquire().await?,
                is_done: false,
            };
            let answer = work(&mut session.connection).await;
            session.is_done = true;
            answer
        };
        match tokio::time::timeout(timeout, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                let late = io::Error::new(io::ErrorKind::TimedOut, TooSlow);
                Err(sqlx::Error::Io(late).into())
            }
        }
    }
}

/// A connection that goes back to the pool when its work came to an end, and is closed when the work was
/// dropped in the middle: the server may be silent, and the pool would wait for it.
struct Session {
    connection: PoolConnection<Postgres>,
    is_done: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.is_done {
            self.connection.close_on_drop();
        }
    }
}

/// Makes sure of what the stores promise.
async fn look(connection: &mut PgConnection) -> Result<Result<(), Error>, sqlx::Error> {
    let row = sqlx::query(LOOK).fetch_one(connection).await?;
    let is_standby: bool = row.try_get(0)?;
    let encoding: String = row.try_get(1)?;
    let commit: String = row.try_get(2)?;
    Ok(if is_standby {
        Err(Error::Unsafe(
            "it is a standby, which shows revocations late",
        ))
    } else if encoding != "UTF8" {
        Err(Error::Unsafe("the encoding of the database is not UTF8"))
    } else if !["on", "remote_apply"].contains(&commit.as_str()) {
        Err(Error::Unsafe("it confirms what it has not stored"))
    } else {
        Ok(())
    })
}

const LOOK: &str = "SELECT pg_is_in_recovery(), current_setting('server_encoding'),
    CASE current_setting('synchronous_commit')
        WHEN 'remote_apply' THEN 'remote_apply'
        ELSE set_config('synchronous_commit', 'on', false)
    END";

impl fmt::Debug for PostgresDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDatabase")
            .field("schema", &self.schema)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use core::hash::BuildHasher as _;
    use std::hash::RandomState;

    use ringwall_core::secret::SecretString;

    use super::*;

    /// A schema that is not there yet, in the PostgreSQL that `cargo xtask test` started.
    pub(crate) async fn fresh() -> PostgresDatabase {
        let url = std::env::var("RINGWALL_TEST_POSTGRES_URL").expect(
            "RINGWALL_TEST_POSTGRES_URL names no PostgreSQL: run `cargo xtask test -p ringwall-postgres`",
        );
        let schema = format!("unit_{:016x}", RandomState::new().hash_one(0_u8));
        let config = PostgresConfig::from_url(&SecretString::new(url)).expect("valid");
        let config = config.schema(schema).timeout(Duration::from_secs(30));
        PostgresDatabase::open(config).await.expect("it opens")
    }

    /// What a connection of the pool says.
    async fn says(database: &PostgresDatabase, setting: &'static str) -> String {
        let answer: Result<String, sqlx::Error> = database
            .within(database.timeout(), |connection| {
                Box::pin(async move {
                    let row = sqlx::query("SELECT current_setting($1)")
                        .bind(setting)
                        .fetch_one(connection)
                        .await?;
                    row.try_get(0)
                })
            })
            .await;
        answer.expect("it answers")
    }

    #[tokio::test]
    async fn a_user_whose_commits_are_not_stored_has_them_stored_here() {
        let database = fresh().await;
        assert_eq!(says(&database, "synchronous_commit").await, "on");
        assert_eq!(says(&database, "statement_timeout").await, "30s");
        assert_eq!(says(&database, "lock_timeout").await, "30s");
        let path = format!("{},pg_temp", database.schema());
        assert_eq!(says(&database, "search_path").await, path);

        let user = format!("{}_app", database.schema());
        let pool = database.pool.clone();
        let run = async |statement: String| {
            let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
            statement.execute(&pool).await.expect("it is done");
        };
        run(format!("CREATE ROLE {user} LOGIN PASSWORD 'word'")).await;
        let url = std::env::var("RINGWALL_TEST_POSTGRES_URL").expect("it was there");
        let mut url = url::Url::parse(&url).expect("a URL");
        url.set_username(&user).expect("a name");
        url.set_password(Some("word")).expect("a password");
        let url = SecretString::new(url.into());
        for (set, used) in [
            ("off", "on"),
            ("local", "on"),
            ("remote_write", "on"),
            ("remote_apply", "remote_apply"),
        ] {
            run(format!("ALTER ROLE {user} SET synchronous_commit = {set}")).await;
            let config = PostgresConfig::from_url(&url).expect("valid");
            let config = config.timeout(Duration::from_secs(30));
            let theirs = PostgresDatabase::open(config).await.expect("it opens");
            assert_eq!(says(&theirs, "synchronous_commit").await, used, "{set}");
        }
    }
}
