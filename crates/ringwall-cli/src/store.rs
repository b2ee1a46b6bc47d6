//! Where keys and revocations are, opened.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringwall_authn::api_key::ApiKeyStore;
use ringwall_authn::revocation::RevocationStore;
use ringwall_authz::SubjectDirectory;
use ringwall_core::secret::SecretString;
use ringwall_postgres::{
    PostgresApiKeys, PostgresConfig, PostgresDatabase, PostgresDirectory, PostgresRevocations,
};
use ringwall_redis::{RedisClient, RedisConfig, RedisRevocations};
use ringwall_sqlite::{
    SqliteApiKeys, SqliteConfig, SqliteDatabase, SqliteDirectory, SqliteRevocations,
};
use ringwall_transport::{ClientTls, Pem};
use url::Url;

use crate::arguments::{ConnectionArguments, StoreArguments, StoreUrl};
use crate::failure::Failure;
use crate::secrets;

/// The password of `--store`.
const STORE_PASSWORD: &str = "RINGWALL_STORE_PASSWORD";
/// The password of `--log`.
const LOG_PASSWORD: &str = "RINGWALL_LOG_PASSWORD";
/// An answer of Redis takes no longer, by the bounds of its client.
const MAX_REDIS_TIMEOUT: Duration = Duration::from_secs(10);
/// Closing says goodbye; who does not answer is left.
const CLOSING: Duration = Duration::from_secs(2);

/// A store that was named, and not yet opened.
pub(crate) enum Place {
    Sqlite(SqliteConfig, PathBuf),
    Postgres(Box<PostgresConfig>),
    /// And whether it is spoken to with TLS.
    Redis(Box<RedisConfig>, bool),
}

/// Refuses options that none of these places has a use for: whoever gave one meant another place, and would
/// believe that it counts.
pub(crate) fn refuse_unused(
    places: &[&Place],
    connection: &ConnectionArguments,
    redis_prefix: Option<&str>,
) -> Result<(), Failure> {
    let none = |uses: fn(&Place) -> bool| !places.iter().any(|place| uses(place));
    let complaint =
        if connection.schema.is_some() && none(|place| matches!(place, Place::Postgres(_))) {
            "--schema is for PostgreSQL"
        } else if connection.root_certificates.is_some()
            && none(|place| matches!(place, Place::Postgres(_) | Place::Redis(_, true)))
        {
            "--root-certificates is for PostgreSQL, and for Redis with TLS (rediss://)"
        } else if connection.permit_clear_text
            && none(|place| matches!(place, Place::Postgres(_) | Place::Redis(..)))
        {
            "--permit-clear-text is for stores on other machines"
        } else if redis_prefix.is_some() && none(|place| matches!(place, Place::Redis(..))) {
            "--redis-prefix is for Redis"
        } else {
            return Ok(());
        };
    Err(Failure::Arguments(complaint))
}

impl Place {
    /// The place of `--store`.
    pub(crate) fn of_store(arguments: &StoreArguments) -> Result<Self, Failure> {
        let file = arguments.password_file.as_deref();
        let password = || secrets::from_file_or_variable("--password-file", file, STORE_PASSWORD);
        Self::read(
            &arguments.store,
            file.is_some(),
            password,
            &arguments.connection,
        )
    }

    /// The place of `--log`.
    pub(crate) fn of_log(
        url: &StoreUrl,
        password_file: Option<&Path>,
        connection: &ConnectionArguments,
    ) -> Result<Self, Failure> {
        let password =
            || secrets::from_file_or_variable("--log-password-file", password_file, LOG_PASSWORD);
        Self::read(url, password_file.is_some(), password, connection)
    }

    fn read(
        url: &StoreUrl,
        has_password_file: bool,
        password: impl FnOnce() -> Result<Option<SecretString>, Failure>,
        connection: &ConnectionArguments,
    ) -> Result<Self, Failure> {
        let timeout = Duration::from_secs(connection.timeout_seconds.into());
        let text = url.expose();
        if let Some(path) = text.strip_prefix("sqlite:") {
            if has_password_file {
                return Err(Failure::Arguments("a SQLite file has no password"));
            }
            let path = sqlite_path(path)?;
            let config = SqliteConfig::new(path.clone()).timeout(timeout);
            return Ok(Self::Sqlite(config, path));
        }
        let parsed = Url::parse(text).map_err(|_| Failure::Arguments(FORMS))?;
        if parsed.password().is_some() {
            return Err(Failure::Arguments(
                "a password in a URL is read by every user of this machine: take it out, change it, and \
                 use --password-file or RINGWALL_STORE_PASSWORD (for --log --log-password-file or \
                 RINGWALL_LOG_PASSWORD)",
            ));
        }
        let secret = SecretString::new(text.to_owned());
        match parsed.scheme() {
            "postgres" | "postgresql" => postgres(&secret, password()?, connection, timeout),
            "redis" | "rediss" => redis(&secret, password()?, connection, timeout),
            _ => Err(Failure::Arguments(FORMS)),
        }
    }

    /// Whether API keys can be here.
    pub(crate) const fn holds_api_keys(&self) -> bool {
        matches!(self, Self::Sqlite(..) | Self::Postgres(_))
    }

    /// Whether a directory of subjects can be here.
    pub(crate) const fn holds_subjects(&self) -> bool {
        self.holds_api_keys()
    }

    /// The file, when it is SQLite's and not there.
    pub(crate) fn missing_file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(_, path) if !path.exists() => Some(path),
            Self::Sqlite(..) | Self::Postgres(_) | Self::Redis(..) => None,
        }
    }

    /// Opens what is there. A mistyped path must not become an empty database.
    pub(crate) async fn open(self) -> Result<Store, Failure> {
        if self.missing_file().is_some() {
            return Err(Failure::NoFile);
        }
        self.open_or_make().await
    }

    /// Opens it, and makes a file where there is none.
    pub(crate) async fn open_or_make(self) -> Result<Store, Failure> {
        Ok(match self {
            Self::Sqlite(config, _) => Store::Sqlite(SqliteDatabase::open(config).await?),
            Self::Postgres(config) => Store::Postgres(PostgresDatabase::open(*config).await?),
            Self::Redis(config, _) => Store::Redis(RedisClient::connect(*config).await?),
        })
    }
}

const FORMS: &str = "a store is sqlite:PATH, postgres://USER@HOST/DATABASE or redis://HOST";

/// No name that SQLite takes for something else than a file, and none that was meant for another program.
fn sqlite_path(path: &str) -> Result<PathBuf, Failure> {
    let is_special = path.starts_with(':') || path.starts_with("//") || path.starts_with("file:");
    if path.is_empty() || is_special || path.contains(['?', '#']) || path.contains(char::is_control)
    {
        return Err(Failure::Arguments(
            "behind sqlite: stands the path of a file, without // in front, parameters or control characters",
        ));
    }
    Ok(PathBuf::from(path))
}

fn postgres(
    url: &SecretString,
    password: Option<SecretString>,
    connection: &ConnectionArguments,
    timeout: Duration,
) -> Result<Place, Failure> {
    let mut config = PostgresConfig::from_url(url)?
        .timeout(timeout)
        .connections(2);
    if let Some(password) = password {
        config = config.password(password);
    }
    if let Some(schema) = &connection.schema {
        config = config.schema(schema);
    }
    if let Some(path) = &connection.root_certificates {
        config = config.root_certificates(certificates(path)?);
    }
    if connection.permit_clear_text {
        config = config.clear_text_permitted();
    }
    Ok(Place::Postgres(Box::new(config)))
}

fn redis(
    url: &SecretString,
    password: Option<SecretString>,
    connection: &ConnectionArguments,
    timeout: Duration,
) -> Result<Place, Failure> {
    let mut config = RedisConfig::from_url(url)?.timeout(timeout.min(MAX_REDIS_TIMEOUT));
    if let Some(password) = password {
        config = config.password(password);
    }
    let is_encrypted = url.expose().starts_with("rediss:");
    // PostgreSQL's roots are not meant for a Redis beside it that is spoken to in the clear.
    if let Some(path) = &connection.root_certificates
        && is_encrypted
    {
        let tls = ClientTls::builder([Pem::text(certificates(path)?)]).load()?;
        config = config.tls(tls);
    }
    if connection.permit_clear_text {
        config = config.clear_text_permitted();
    }
    Ok(Place::Redis(Box::new(config), is_encrypted))
}

/// The longest file of certificates: the system's whole list is a quarter of it.
const MAX_CERTIFICATES: u64 = 1024 * 1024;

fn certificates(path: &Path) -> Result<Vec<u8>, Failure> {
    secrets::bounded("--root-certificates", path, MAX_CERTIFICATES).map(|bytes| bytes.to_vec())
}

/// A store that was opened.
pub(crate) enum Store {
    Sqlite(SqliteDatabase),
    Postgres(PostgresDatabase),
    Redis(RedisClient),
}

impl Store {
    pub(crate) async fn api_keys(&self) -> Result<Arc<dyn ApiKeyStore>, Failure> {
        Ok(match self {
            Self::Sqlite(database) => Arc::new(SqliteApiKeys::open(database).await?),
            Self::Postgres(database) => Arc::new(PostgresApiKeys::open(database).await?),
            Self::Redis(_) => return Err(Failure::Arguments(NOT_IN_REDIS)),
        })
    }

    pub(crate) async fn directory(&self) -> Result<Arc<dyn SubjectDirectory>, Failure> {
        Ok(match self {
            Self::Sqlite(database) => Arc::new(SqliteDirectory::open(database).await?),
            Self::Postgres(database) => Arc::new(PostgresDirectory::open(database).await?),
            Self::Redis(_) => return Err(Failure::Arguments(NOT_A_DIRECTORY)),
        })
    }

    pub(crate) async fn revocations(
        &self,
        redis_prefix: Option<&str>,
    ) -> Result<Arc<dyn RevocationStore>, Failure> {
        Ok(match self {
            Self::Sqlite(database) => Arc::new(SqliteRevocations::open(database).await?),
            Self::Postgres(database) => Arc::new(PostgresRevocations::open(database).await?),
            Self::Redis(client) => Arc::new(match redis_prefix {
                Some(prefix) => RedisRevocations::with_prefix(client, prefix)?,
                None => RedisRevocations::new(client),
            }),
        })
    }

    /// Finishes what is being done, for a moment at most.
    pub(crate) async fn close(&self) {
        let closing = async {
            match self {
                Self::Sqlite(database) => database.close().await,
                Self::Postgres(database) => database.close().await,
                Self::Redis(_) => {}
            }
        };
        // What was answered is stored; who does not say goodbye loses nothing.
        tokio::time::timeout(CLOSING, closing)
            .await
            .unwrap_or_default();
    }
}

pub(crate) const NOT_IN_REDIS: &str =
    "API keys are in SQLite or PostgreSQL: name their database with --store";

pub(crate) const NOT_A_DIRECTORY: &str =
    "what is known of subjects is in SQLite or PostgreSQL: name their database with --store";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_nothing_but_a_path() {
        for path in [
            "",
            ":memory:",
            "//var/lib/x",
            "file:x",
            "x?mode=memory",
            "x#y",
            "a\nb",
        ] {
            assert!(sqlite_path(path).is_err(), "{path:?}");
        }
        for path in ["x.sqlite", "/var/lib/x", "./a b", "'; DROP TABLE x; --"] {
            assert!(sqlite_path(path).is_ok(), "{path:?}");
        }
    }
}
