#![doc = include_str!("../README.md")]

#[cfg(feature = "api-keys")]
mod api_keys;
#[cfg(feature = "authz")]
mod authz;
mod config;
mod database;
mod error;
#[cfg(any(feature = "api-keys", feature = "authz", feature = "revocations"))]
mod fault;
mod migrations;
mod permissions;
#[cfg(feature = "revocations")]
mod revocations;
mod schema;

#[cfg(feature = "api-keys")]
pub use api_keys::SqliteApiKeys;
#[cfg(feature = "authz")]
pub use authz::{PushRows, SqliteDirectory};
pub use config::SqliteConfig;
pub use database::SqliteDatabase;
pub use error::Error;
pub use migrations::{MigrationStep, Migrations, MigrationsStatus};
#[cfg(feature = "revocations")]
pub use revocations::SqliteRevocations;
