//! The API keys of the service.

use core::time::Duration;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use ringwall_authn::api_key::MemoryApiKeys;
use ringwall_authn::{ApiKeys, SecretHasher};
use ringwall_core::principal::Scope;
use ringwall_gate::TracingEvents;

/// What keys can be for. `cases:*` in a request for a key is written out from this list.
const SCOPES: [&str; 10] = [
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

/// The longest life of a key.
const LIFETIME: Duration = Duration::from_secs(366 * 24 * 3600);

/// How often it is written down which keys were used.
const WRITE: Duration = Duration::from_secs(60);

/// The keys in the data folder.
pub(crate) async fn open(data_dir: &Path) -> Result<ApiKeys, Box<dyn Error>> {
    let _ = data_dir;
    let store = Arc::new(MemoryApiKeys::new(100_000));
    let scopes: Result<Vec<_>, _> = SCOPES.into_iter().map(Scope::new).collect();
    let keys = ApiKeys::builder(store, SecretHasher::sha256())
        .scopes(scopes?)
        .max_lifetime(LIFETIME)
        .events(Arc::new(TracingEvents));
    Ok(keys.build())
}

/// Writes down which keys were used, until it is stopped.
pub(crate) async fn write_uses(keys: ApiKeys) {
    loop {
        tokio::time::sleep(WRITE).await;
        if let Err(error) = keys.flush_uses().await {
            tracing::warn!(
                error = &error as &dyn Error,
                "when API keys were used last was not written"
            );
        }
    }
}
