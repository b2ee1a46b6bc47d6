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
#[cfg(feature = "revocations")]
mod revocations;
mod schema;

#[cfg(feature = "api-keys")]
pub use api_keys::PostgresApiKeys;
#[cfg(feature = "authz")]
pub use authz::{
    AcceptedFinding, Examination, ExaminationError, Finding, FindingKind, InvalidAcceptance,
    PostgresDirectory, PushRows, SubjectError, WithSubject, examine,
};
pub use config::PostgresConfig;
pub use database::PostgresDatabase;
pub use error::Error;
pub use migrations::{MigrationStep, Migrations, MigrationsStatus};
#[cfg(feature = "revocations")]
pub use revocations::PostgresRevocations;
