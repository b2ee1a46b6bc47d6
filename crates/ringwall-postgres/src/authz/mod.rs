//! Authorization in PostgreSQL: row filters, and sessions for row-level security.

mod rows;
mod subject;

pub use rows::PushRows;
pub use subject::{SubjectError, WithSubject};
