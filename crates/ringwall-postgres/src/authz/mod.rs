//! Authorization in PostgreSQL: row filters, and sessions for row-level security.

mod directory;
mod doctor;
mod rows;
mod subject;

pub use directory::PostgresDirectory;
pub use doctor::{
    AcceptedFinding, Examination, ExaminationError, Finding, FindingKind, InvalidAcceptance,
    examine,
};
pub use rows::PushRows;
pub use subject::{SubjectError, WithSubject};
