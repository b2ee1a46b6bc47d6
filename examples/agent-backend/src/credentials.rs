//! What can be taken back: API keys and tokens, kept in a file of the data folder, beside who is what.

use core::time::Duration;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use ringwall_authn::revocation::RevocationStoreError;
use ringwall_authn::{ApiKeys, Revoker, SecretHasher, SyncedRevocations};
use ringwall_gate::config::Services;
use ringwall_sqlite::{
    SqliteApiKeys, SqliteConfig, SqliteDatabase, SqliteDirectory, SqliteRevocations,
};

use crate::metrics::Events;

/// The file, which the `ringwall` command understands too: `ringwall apikey list --store sqlite:FILE`.
const FILE: &str = "ringwall.sqlite3";

/// What keys can be for, unless the configuration names others (`api_keys.scopes`). `cases:*` in a request for
/// a key is written out from this list.
pub(crate) const SCOPES: [&str; 10] = [
    "cases:read",
    "cases:write",
    "audit:read",
    "chat:read",
    "chat:write",
    "agent:read",
    "agent:write",
    "runs:read",
    "settings:read",
    "settings:write",
];

/// The longest life of a key unless the configuration says less, and of any token that it can accept.
pub(crate) const LIFETIME: Duration = Duration::from_secs(366 * 24 * 3600);

/// How often it is written down which keys were used.
const WRITE: Duration = Duration::from_secs(60);

/// How often revocations that are over are forgotten.
const FORGET: Duration = Duration::from_secs(3600);

/// How often it is looked whether another process revoked something.
const LOOK: Duration = Duration::from_secs(2);

/// Where credentials are kept.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    database: SqliteDatabase,
    keys: Arc<SqliteApiKeys>,
    pub(crate) revocations: SyncedRevocations,
}

impl Stores {
    /// Opens the file, and upgrades it first where that is needed: this service is the only one that
    /// uses it. Services that share a database let `ringwall migrate` do that before they start.
    pub(crate) async fn open(data_dir: &Path, events: Arc<Events>) -> Result<Self, Box<dyn Error>> {
        let database = open(data_dir).await?;
        let keys = Arc::new(SqliteApiKeys::open(&database).await?);
        let log = SqliteRevocations::open(&database).await?;
        let revocations = SyncedRevocations::builder(Arc::new(log))
            .events(events)
            .build();
        // Until the log was read, every token is answered 503.
        if let Err(error) = revocations.sync().await {
            failed("the log of revocations was not read", &error);
        }
        Ok(Self {
            database,
            keys,
            revocations,
        })
    }

    /// Who is what, where that is kept in the same file.
    pub(crate) async fn directory(&self) -> Result<SqliteDirectory, ringwall_sqlite::Error> {
        SqliteDirectory::open(&self.database).await
    }

    /// What the gate needs of them.
    pub(crate) fn services(&self) -> Services {
        Services::new()
            .api_key_store(self.keys.clone())
            .revocations(Arc::new(self.revocations.clone()))
    }
}

async fn open(data_dir: &Path) -> Result<SqliteDatabase, ringwall_sqlite::Error> {
    let database = SqliteDatabase::open(SqliteConfig::new(data_dir.join(FILE))).await?;
    database.migrations().migrate().await?;
    Ok(database)
}

/// Who is what, for a program beside the service.
pub(crate) async fn directory_of(
    data_dir: &Path,
) -> Result<SqliteDirectory, ringwall_sqlite::Error> {
    SqliteDirectory::open(&open(data_dir).await?).await
}

/// The credentials that can be taken back. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    database: SqliteDatabase,
    pub(crate) api_keys: ApiKeys,
    /// Whether callers can be authenticated by one.
    pub(crate) takes_api_keys: bool,
    pub(crate) revocations: SyncedRevocations,
    pub(crate) revoker: Revoker,
}

impl Credentials {
    /// With the keys of the gate. Without the mode `api_key`, keys of before are still there, and can be
    /// revoked with everything else of their organisation.
    pub(crate) fn new(stores: Stores, api_keys: Option<ApiKeys>) -> Self {
        let Stores {
            database,
            keys,
            revocations,
        } = stores;
        let takes_api_keys = api_keys.is_some();
        // How they are hashed does not matter where none is made and none is judged.
        let api_keys = api_keys.unwrap_or_else(|| {
            ApiKeys::builder(keys, SecretHasher::sha256())
                .cached(0)
                .build()
        });
        let revoker = Revoker::new(api_keys.clone(), revocations.clone(), LIFETIME);
        Self {
            database,
            api_keys,
            takes_api_keys,
            revocations,
            revoker,
        }
    }

    /// Writes down which keys were used, and looks what other processes revoked, until it is dropped.
    pub(crate) async fn maintain(self) {
        let look = self.revocations.keep_in_step(|| tokio::time::sleep(LOOK));
        let write = async {
            loop {
                tokio::time::sleep(WRITE).await;
                self.write_uses().await;
            }
        };
        let forget = async {
            loop {
                tokio::time::sleep(FORGET).await;
                if let Err(error) = self.revocations.purge().await {
                    failed("what is over was not forgotten", &error);
                }
            }
        };
        tokio::join!(look, write, forget);
    }

    async fn write_uses(&self) {
        if let Err(error) = self.api_keys.flush_uses().await {
            let error = &error as &dyn Error;
            tracing::warn!(error, "when API keys were used last was not written");
        }
    }

    /// Writes what waits, and closes the file.
    pub(crate) async fn close(&self) {
        self.write_uses().await;
        self.database.close().await;
    }

    /// Whether the file answers and it is known what was revoked.
    pub(crate) async fn are_ready(&self) -> bool {
        self.revocations.is_ready() && self.database.answers().await
    }

    /// Of this folder, for tests.
    #[cfg(test)]
    pub(crate) async fn for_test() -> (tempfile::TempDir, Self) {
        let folder = tempfile::tempdir().expect("a folder");
        let stores = Stores::open(folder.path(), Arc::default())
            .await
            .expect("a database");
        let keys = ApiKeys::builder(stores.keys.clone(), SecretHasher::sha256()).build();
        (folder, Self::new(stores, Some(keys)))
    }
}

fn failed(what: &'static str, error: &RevocationStoreError) {
    tracing::warn!(error = error as &dyn Error, "{what}");
}
