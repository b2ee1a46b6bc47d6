//! API keys: credentials for programs, which their owner makes, sees once and can take back.

mod authenticator;
mod cache;
mod checks;
#[cfg(feature = "conformance")]
pub mod conformance;
mod digest;
mod error;
mod id;
mod keys;
mod manage;
mod memory;
mod owned_use;
mod record;
mod scopes;
mod second_chance;
mod store;
mod stored;
mod text;
mod uses;
mod verify;

pub use authenticator::{
    API_KEY_HEADER, ApiKeyAuthenticator, ApiKeyAuthenticatorBuilder, InvalidApiKeyHeader,
};
pub use digest::{
    InvalidDigest, MIN_PEPPER_BYTES, PepperError, PepperId, SecretDigest, SecretHasher,
};
pub use error::{ApiKeyError, ApiKeyErrorKind, ApiKeyManagementError, ApiKeyRefusal};
pub use id::ApiKeyId;
pub use keys::{
    ApiKeyUse, ApiKeys, ApiKeysBuilder, DEFAULT_API_KEY_LOOKUPS, DEFAULT_API_KEY_STALENESS,
    DEFAULT_CACHED_API_KEYS, DEFAULT_USE_INTERVAL, MAX_API_KEY_STALENESS,
};
pub use manage::{
    ApiKeyFinding, ApiKeyRequest, ApiKeyReviewLimits, CreatedApiKey, MAX_ROTATION_GRACE,
};
pub use memory::MemoryApiKeys;
pub use record::{
    AllowedNetwork, ApiKeyName, ApiKeyRecord, ApiKeyState, InvalidApiKeyName, InvalidNetwork,
    MAX_API_KEY_ENTRIES, Replaced,
};
pub use store::{
    ApiKeyQuery, ApiKeyRotation, ApiKeyStore, ApiKeyStoreAnswer, ApiKeyStoreError,
    ApiKeyStoreErrorKind, ApiKeysOf,
};
pub use stored::{StoredApiKey, UnreadableApiKey};
pub use text::{ApiKeyPrefix, ApiKeyTextError, NewApiKey};
