//! Authorization in PostgreSQL: row filters, and sessions for row-level security.

mod directory;
mod doctor;
mod rows;
mod subject;

pub use directory::PostgresDirectory;
pub use doctor::{Finding, FindingKind, examine};
pub use rows::PushRows;
pub use subject::{SubjectError, WithSubject};
