//! Schemas of the PostgreSQL that `cargo xtask test` started, and the stores in them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ringwall_authn::api_key::ApiKeyStore;
use ringwall_authn::revocation::RevocationStore;
use ringwall_core::secret::SecretString;
use ringwall_postgres::{
    PostgresApiKeys, PostgresConfig, PostgresDatabase, PostgresDirectory, PostgresRevocations,
};

/// A migrated schema of its own. It goes with the server.
pub(crate) struct Place {
    /// The URL, and the schema behind a space.
    pub(crate) address: String,
}

pub(crate) fn shared_url() -> String {
    std::env::var("RINGWALL_TEST_POSTGRES_URL").expect(
        "RINGWALL_TEST_POSTGRES_URL names no PostgreSQL: run `cargo xtask test -p ringwall-postgres`",
    )
}

pub(crate) fn config(url: &str) -> PostgresConfig {
    let url = SecretString::new(url.to_owned());
    PostgresConfig::from_url(&url).expect("valid")
}

/// A name that no other test has, nor another run.
pub(crate) fn schema() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let salt = crate::worker::draw(u64::MAX);
    format!("test_{salt:016x}_{number}")
}

pub(crate) async fn open(url: &str, schema: &str) -> PostgresDatabase {
    // Processors are few where tests run.
    let config = config(url).schema(schema).timeout(Duration::from_secs(30));
    PostgresDatabase::open(config).await.expect("it opens")
}

pub(crate) async fn fresh() -> Place {
    let (url, schema) = (shared_url(), schema());
    let database = open(&url, &schema).await;
    database.migrations().migrate().await.expect("it migrates");
    database.close().await;
    Place {
        address: format!("{url} {schema}"),
    }
}

async fn at(address: &str) -> PostgresDatabase {
    let (url, schema) = address.split_once(' ').expect("two words");
    open(url, schema).await
}

pub(crate) async fn keys(address: &str) -> Arc<dyn ApiKeyStore> {
    let store = PostgresApiKeys::open(&at(address).await).await;
    Arc::new(store.expect("it is migrated"))
}

pub(crate) async fn revocations(address: &str) -> Arc<dyn RevocationStore> {
    let store = PostgresRevocations::open(&at(address).await).await;
    Arc::new(store.expect("it is migrated"))
}

pub(crate) async fn directory(address: &str) -> Arc<PostgresDirectory> {
    let store = PostgresDirectory::open(&at(address).await).await;
    Arc::new(store.expect("it is migrated"))
}
